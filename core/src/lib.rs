//! Linux's lazy MMU mode: the generic layer, in every generation of its API.
//!
//! What it is: the calls a kernel makes (`lazy_mmu_mode_enable` and its kin), each generation exactly as
//! `docs/specification.md` tables it, written against two traits: [`kernel::Kernel`] (what is asked of a kernel)
//! and [`hooks::Hooks`] (what is asked of a backend).
//!
//! What it is not: it knows no architecture, no operating system, no allocation and no harness. Whatever only a
//! harness needs (the scheduling point, the warning record) is a trait method whose default does nothing.
//!
//! Who calls it: the backends' subjects in `lazy-mmu-engine`, and any kernel that links it.

#![no_std]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod generation;
pub mod hooks;
pub mod kernel;
pub mod state;
