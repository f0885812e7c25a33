//! program_text: the text reader: what it accepts prints and reads back the same. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("program_text");
