//! trace: the reader of kernel traces: the same answer in one piece and in many. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("trace");
