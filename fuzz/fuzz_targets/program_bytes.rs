//! program_bytes: the byte code: every input is a program, and comes back through bytes and text. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("program_bytes");
