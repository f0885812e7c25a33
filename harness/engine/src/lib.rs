//! All that runs on a target, under one name; and what puts its rooms together: running, examining, reporting.
//!
//! | room | what | package |
//! | --- | --- | --- |
//! | [`program`] | the one input language: text, bytes, generator, minimiser | lazy-mmu-program |
//! | [`subject`], [`trace`] | what is judged, as one object-safe interface; the events of one run | lazy-mmu-abi |
//! | [`machine`] | the kernel and the processors that a program runs on | lazy-mmu-machine |
//! | [`contract`] | the oracles: invariants, and the reference model of the counted generation | lazy-mmu-contract |
//! | [`registry`], [`zoo`], [`corrected`] | our subjects: faithful, with a defect, with a difference taken away | lazy-mmu-subjects |
//! | [`workload`] | the kernel's call sites as named programs | lazy-mmu-callers |
//! | [`replay`] | recorded kernel traces, checked call by call | lazy-mmu-replay |
//!
//! | module of this package | what |
//! | --- | --- |
//! | [`runner`], [`examine`] | a program on a subject, judged; what made it break |
//! | [`timeline`], [`finding`] | a run as a text to read; what makes two failures one, and the artefacts of one |
//! | [`alike`] | two subjects' traces, compared by meaning |
//! | [`trial`] | a program on both sides of a specimen of the zoo |
//! | [`table`], [`guard`] | transition tables; the differences that the machine must make |
//! | [`fuzz`], [`dictionary`], [`exercise`] | what the fuzz targets do with their input; words for a fuzzer; what a run has exercised |
//! | [`space`] | the states that an alphabet's steps lead to, and what a step breaks |
//! | [`costs`] | what a run cost |
//! | [`wire`] | frames between the host command and the agent |
//!
//! What it is not: it starts no process and reads no file; the host command and the agent do.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub use lazy_mmu_abi::{subject, trace};
pub use lazy_mmu_callers as workload;
pub use lazy_mmu_contract as contract;
pub use lazy_mmu_machine as machine;
pub use lazy_mmu_program as program;
pub use lazy_mmu_replay as replay;
pub use lazy_mmu_subjects::{adapter, corrected, generations, registry, zoo};

pub mod alike;
pub mod costs;
pub mod dictionary;
pub mod examine;
pub mod exercise;
pub mod finding;
pub mod fuzz;
pub mod guard;
pub mod runner;
pub mod space;
pub mod table;
pub mod timeline;
pub mod trial;
pub mod wire;
