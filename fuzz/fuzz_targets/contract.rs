//! contract: all oracles, on the subject that the first byte chooses. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("contract");
