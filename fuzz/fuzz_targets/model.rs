//! model: the counted generation against the independent model, misuse included. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("model");
