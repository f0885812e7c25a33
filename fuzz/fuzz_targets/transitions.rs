//! transitions: each step of every generation against the reviewed transition tables. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("transitions");
