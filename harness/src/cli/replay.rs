//! `lazymmu replay`: recorded kernel traces against the specification, line by line.
//!
//! What it is not: the checker is `lazy_mmu_engine::replay`, files are [`crate::trace_file`].
//!
//! Who calls it: whoever recorded a kernel, and CI.

use std::path::{Path, PathBuf};

use clap::Args;
use lazy_mmu_engine::replay::Kind;

use crate::error::{Error, Exit, Result};
use crate::trace_file::{self, TraceError};

/// Replays recorded kernel traces, plain or .xz: drives the counted generation with every recorded call and checks
/// counters, hooks and deferrals line by line.
///
/// Exits 0 if every trace is accepted, 1 at a line that no kernel could have recorded, 2 at input that is no trace.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu replay harness/traces/sparc64.trace.xz")]
pub struct Replay {
    /// The traces
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
            match trace_file::replay(path, &path.display().to_string()) {
                Ok(summary) => outln!("{summary}")?,
                Err(error) => {
                    let error = rendered(path, error);
                    eprintln!("{}", error.render());
                    // Of several, bad input outweighs a rejection: the question stays open.
                    exit = exit.max(error.exit());
                }
            }
        }
        Ok(exit)
    }
}

/// A trace's error with its place and exit code.
#[must_use]
pub fn rendered(path: &Path, error: TraceError) -> Error {
    let file = path.display();
    match error {
        TraceError::Io(source) => Error::Input {
            what: format!("cannot read the trace: {source}"),
            place: file.to_string(),
            remedy: "give the path of a trace that exists and can be read".to_owned(),
        },
        TraceError::Xz { source, line } => Error::Input {
            what: format!("the .xz data is damaged or truncated: {source}"),
            place: format!("{file}:{line}:1"),
            remedy: "copy the file again; `xz --test` must accept it".to_owned(),
        },
        TraceError::Rejected(rejection) => {
            let place = format!("{file}:{}:{}", rejection.line, rejection.column);
            let what = format!("expected {}, found {}", rejection.expected, rejection.found);
            match rejection.kind {
                Kind::Malformed => {
                    Error::Input { what, place, remedy: "the format is in docs/kernel-traces.md".to_owned() }
                }
                Kind::Impossible => Error::Broke {
                    what: format!("no kernel could have recorded this: {what}"),
                    place: Some(place),
                    remedy: "compare the kernel, or its recorder, with the specification at this line".to_owned(),
                },
            }
        }
    }
}
