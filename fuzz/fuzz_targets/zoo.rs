//! zoo: all oracles, on the specimen that is named. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("zoo");
