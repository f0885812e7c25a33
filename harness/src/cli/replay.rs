//! `lazymmu replay`: recorded kernel traces against the specification, line by line, and against the contract.
//!
//! What it is not: checker and judge are `lazy_mmu_engine::replay`, files are [`crate::trace_file`].
//!
//! Who calls it: whoever recorded a kernel, and CI.

use std::path::{Path, PathBuf};

use clap::Args;
use lazy_mmu_engine::replay::{Kind, Outcome, Summary};

use crate::error::{Error, Exit, Result};
use crate::trace_file::{self, TraceError};

/// Replays recorded kernel traces, plain, .gz, .xz or .zst: drives the counted generation with every recorded call, checks
/// counters, hooks and deferrals line by line, and judges the contract as far as a recording shows it.
///
/// Exits 0 if every trace holds, 1 if an invariant breaks or a line is one that no kernel could have recorded, 2 at input
/// that is no trace, 4 if nothing breaks but a trace began in the middle or lost events.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu replay harness/traces/sparc64.trace.xz")]
pub struct Replay {
    /// The traces; - is standard input, compressed or not
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
}

impl Replay {
    /// Replays one after the other, all of them whatever the first one holds.
    ///
    /// # Errors
    /// None of its own: each trace's error is rendered where it stands, and the worst decides the exit code.
    pub fn run(&self) -> Result<Exit> {
        let mut exit = Exit::Holds;
        for path in &self.traces {
            exit = match replayed(path) {
                Ok(summary) => {
                    outln!("{summary}")?;
                    exit.worse(exit_of(&summary))
                }
                Err(error) => {
                    let error = rendered(path, error);
                    eprintln!("{}", error.render());
                    exit.worse(error.exit())
                }
            };
        }
        Ok(exit)
    }
}

fn replayed(path: &Path) -> Result<Summary, TraceError> {
    if path == Path::new("-") {
        return trace_file::replay_all(trace_file::standard_input()?, "standard input");
    }
    trace_file::replay(path, &path.display().to_string())
}

/// The exit code of a trace that was replayed to its end.
fn exit_of(summary: &Summary) -> Exit {
    match summary.outcome() {
        Outcome::Holds => Exit::Holds,
        Outcome::Breaks => Exit::Broke,
        Outcome::Part => Exit::InPart,
    }
}

/// A trace's error with its place and exit code.
#[must_use]
pub fn rendered(path: &Path, error: TraceError) -> Error {
    let file = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let format = || "the format is in docs/kernel-traces.md".to_owned();
    match error {
        TraceError::Io(source) => Error::Input {
            what: format!("cannot read the trace: {source}"),
            place: file,
            remedy: "give the path of a trace that exists and can be read".to_owned(),
        },
        TraceError::Compressed { ref source, line, format } => {
            let (extension, program) = format.names();
            Error::Input {
                what: format!("the {extension} data is damaged or truncated: {source}"),
                place: format!("{file}:{line}:1"),
                remedy: format!("copy the file again; `{program} --test` must accept it"),
            }
        }
        TraceError::Foreign(_) => Error::Input { what: error.to_string(), place: file, remedy: format() },
        TraceError::Rejected(rejection) => {
            let place = format!("{file}:{}:{}", rejection.line, rejection.column);
            let what = format!("expected {}, found {}", rejection.expected, rejection.found);
            match rejection.kind {
                Kind::NoTrace => Error::Input { what: format!("this is no trace: {what}"), place, remedy: format() },
                Kind::Malformed => Error::Input { what, place, remedy: format() },
                Kind::Impossible => Error::Broke {
                    what: format!("no kernel could have recorded this: {what}"),
                    place: Some(place),
                    remedy: "compare the kernel, or its recorder, with the specification at this line".to_owned(),
                },
            }
        }
    }
}
