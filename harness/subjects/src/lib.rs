//! Subjects of ours: generations on backends, and the same with a defect.
//!
//! | module | what |
//! | --- | --- |
//! | [`registry`] | the faithful subjects by name |
//! | [`generations`], [`adapter`] | a generation of `core` on a backend of `arches`, behind `Subject` |
//! | [`zoo`] | subjects with one thing bent, which the oracles must catch |
//! | [`corrected`] | subjects of ours with a known difference from the kernel taken away |
//!
//! Not here: what a subject is (`lazy_mmu_abi::subject`), a kernel tree's C (`lazy-mmu-tree-agent`), the machine, judging.
//! Used by the engine.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod adapter;
pub mod corrected;
pub mod generations;
pub mod registry;
pub mod zoo;
