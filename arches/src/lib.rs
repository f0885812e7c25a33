//! The lazy MMU hooks and PTE paths of Linux's architectures, faithful to 7.2 and to the forms before it.
//!
//! What it is: one folder per instruction set, the same file names in each: `mod.rs` (what the architecture defers,
//! its address layout), `asm.rs` (every instruction, in one linker section), `decode.rs` (instruction words),
//! `earlier.rs` (the hooks before 7.2), `hooks.rs` (the hooks of 7.2), `pte.rs` (the PTE words and the write path),
//! `queue.rs` (what is deferred, and how it is forced out).
//!
//! What it is not: it never reads a generation's counters. A backend sees hooks, PTE operations and one question, is
//! the mode active; it reaches memory and instructions through [`context::Context`] alone, so that a kernel and the
//! harness's machine can both be under it. It judges nothing.
//!
//! Who calls it: the subjects of `lazy-mmu-engine`, and any kernel that links it.

#![no_std]
#![deny(missing_docs)]
#![cfg_attr(target_arch = "sparc64", feature(asm_experimental_arch))]
#![cfg_attr(not(target_arch = "sparc64"), forbid(unstable_features))]

pub mod aarch64;
pub mod asm;
pub mod backend;
mod bits;
pub mod context;
pub mod insn;
pub mod mmu;
pub mod none;
pub mod page;
pub mod powerpc64;
pub mod sparc64;
pub mod x86_64;
