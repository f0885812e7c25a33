//! All that runs on a target: programs, the machine they run on, the subjects they exercise, the oracles that judge.
//!
//! | module | what |
//! | --- | --- |
//! | [`program`] | the one input language: text, bytes, generator, minimiser |
//! | [`subject`] | what is judged: a generation on a backend, behind one object-safe interface |
//! | [`machine`] | the kernel and the processors that a program runs on |
//! | [`trace`] | the events of one run, and their printed forms |
//! | [`contract`] | the oracles: invariants, and the reference model of the counted generation |
//! | [`zoo`] | subjects with one thing bent, which the oracles must catch |
//! | [`corrected`] | subjects of ours with a known difference from the kernel taken away |
//! | [`finding`] | what makes two failures one, and the artefacts of one |
//! | [`replay`] | recorded kernel traces, checked call by call |
//! | [`fuzz`] | what the fuzz targets do with their input |
//! | [`space`] | the states that an alphabet's steps lead to, and what a step breaks |
//! | [`wire`] | frames between the host command and the agent |
//! | [`workload`] | the kernel's call sites as named programs |
//!
//! What it is not: it starts no process and reads no file; the host command and the agent do. Dependencies run one
//! way, `core <- arches <- engine <- {agent, fuzz, snapshots, harness}`.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod contract;
pub mod corrected;
pub mod costs;
pub mod examine;
pub mod exercise;
pub mod finding;
pub mod fuzz;
pub mod guard;
pub mod machine;
pub mod program;
pub mod replay;
pub mod runner;
pub mod space;
pub mod subject;
pub mod table;
pub mod trace;
pub mod wire;
pub mod workload;
pub mod zoo;
