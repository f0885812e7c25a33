//! What machine and subject say to each other, and the events that a run leaves.
//!
//! | module | what |
//! | --- | --- |
//! | [`rules`] | what a subject promises, and the names of what it may break |
//! | [`subject`] | [`subject::Subject`], all that the machine knows of a subject; [`subject::Env`], all that a subject knows of it |
//! | [`trace`] | the ordered events of a run, and their digests |
//!
//! Not here: whoever stands behind either side (`lazy-mmu-machine`, `lazy-mmu-subjects`, the adapter of a kernel tree),
//! any judgement (`lazy-mmu-contract`), the C border that the adapter speaks (`lazy-mmu-border`). Used by all of them.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod rules;
pub mod subject;
pub mod trace;
