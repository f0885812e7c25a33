//! generations: one program on every generation of a backend: the same visible memory. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("generations");
