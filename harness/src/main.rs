//! The command `lazymmu`: parses its arguments, runs a subcommand and renders what went wrong.
//!
//! What it is not: it decides nothing. Exit codes are `error::Exit`, subcommands are `cli`.
//!
//! Who calls it: a person or a script, as `cargo lazymmu ...`.

use std::process::ExitCode;

use clap::Parser as _;
use lazy_mmu_harness::{cli::Cli, error::Error, process, target::data};

fn main() -> ExitCode {
    // Without the handlers an interrupt could leave an emulator behind, so it is not worth going on.
    if let Err(error) = process::end_children_on_signals() {
        eprintln!("error: cannot handle signals: {error}\n  to do: check the limit on threads (`ulimit -u`)");
        return lazy_mmu_harness::error::Exit::Environment.into();
    }
    // Every command reads the targets' descriptions, the parser of its arguments first.
    if let Err(error) = data::built_in() {
        return refused(error);
    }
    match Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> ExitCode {
    eprintln!("{}", error.render());
    error.exit().into()
}
