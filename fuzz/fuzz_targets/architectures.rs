//! architectures: one program on all backends of 7.2: equal generic events. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("architectures");
