//! `lazymmu doctor`: what each target has and lacks on this machine, and the command that mends it.
//!
//! What it is not: it changes nothing; looking is [`crate::doctor`].
//!
//! Who calls it: a person before the first run or when something odd happens, and a script that wants to know whether a
//! machine is fit.

use clap::{Args, ValueEnum};

use crate::doctor;
use crate::error::{Exit, Result};
use crate::target::Target;

/// Says what each target has and lacks: compiler and standard library, linker, C library and emulator, with versions.
///
/// A small program is compiled and run on each target that seems ready. What no target needs, such as cargo-fuzz, is
/// listed apart. Nothing is installed. Exits 3 when a target lacks something.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu doctor --target sparc64")]
pub struct Doctor {
    /// A target, by short name or triple; may be repeated [default: all four]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables
    Human,
    /// One JSON document, its schema in docs/json.md
    Json,
}

impl Doctor {
    /// Looks, and prints.
    ///
    /// # Errors
    /// Standard output cannot be written; what is missing is the exit code 3.
    pub fn run(&self) -> Result<Exit> {
        let diagnosis = doctor::examine(&super::or_all(&self.targets));
        match self.format {
            Format::Human => out!("{}", diagnosis.render())?,
            Format::Json => outln!("{}", diagnosis.json())?,
        }
        Ok(if diagnosis.is_healthy() { Exit::Holds } else { Exit::Environment })
    }
}
