//! The host side of the project: the command `lazymmu`, reached as `cargo lazymmu`.
//!
//! What it is: subcommands (one file each under [`cli`]), the main job ([`check`]), the set-up of the four targets
//! ([`setup`]), the host's end of the agent ([`agent`]) and child processes that always end ([`process`]).
//!
//! What it is not: nothing of it runs on a target. Programs, machine and oracles are `lazy-mmu-engine`.
//!
//! Who calls it: `main.rs`, and tests.

#![deny(missing_docs)]

// First, because the others use its macros.
#[macro_use]
pub mod output;

pub mod agent;
pub mod check;
pub mod cli;
pub mod container;
pub mod corpus;
pub mod doctor;
pub mod error;
pub mod explained;
pub mod explore;
pub mod findings;
pub mod fuzz;
pub mod json;
pub mod judge;
pub mod matrix;
pub mod plot;
pub mod process;
pub mod promote;
pub mod setup;
pub mod show;
pub mod table;
pub mod tally;
pub mod target;
pub mod trace_file;
pub mod tree;
pub mod workspace;
pub mod zoo;
