//! agent_wire: frames: what is read is written the same, what is garbled is refused. The logic is in `lazy_mmu_engine::fuzz`.
#![no_main]

lazy_mmu_fuzz::target!("agent_wire");
