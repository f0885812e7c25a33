//! The command line as a user meets it: the built binary, its exit codes, and what it prints where.
//!
//! What it is not: the parsers, the machine and the replay have tests of their own; here they are reached through
//! files, arguments and standard input. Nothing needs a cross compiler, an emulator or the network: only this
//! machine's own target is run, and no test looks at a clock.
//!
//! Who calls it: `cargo test`, on the host alone.

mod bad;
mod corpus;
mod explore;
mod folder;
mod fuzz;
mod good;
mod machine;
mod random;
mod replay;
mod workload;
mod zoo;

/// A trace that every kernel could have recorded: one section in task context.
const TRACE: &str = "# lazy MMU mode trace: arm64\n\
    0 0 1 0 enable 1 0\n1 0 1 0 arch_enter 1 0\n2 0 1 0 disable 0 0\n3 0 1 0 arch_leave 0 0\n";
