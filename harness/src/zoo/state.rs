//! Hunts that are done, on disk: a line of JSON each, so that a run that was interrupted goes on with `--resume`.
//!
//! The first line names the build. A hunt of another build, or with another limit, is not the same hunt and is made again.
//! Not here: hunting. Called by the runner.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::text::parse;
use serde_json::{Value, json};

use super::clock::Took;
use super::hunt::{Hunt, Hunted};
use crate::error::{Error, Result};

/// See the module.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    file: File,
    lines: Vec<Value>,
}

impl State {
    /// Opens the state in a file: empty, or, to resume, with the hunts that this build has made before.
    ///
    /// # Errors
    /// The file cannot be read or written, or is of another build.
    pub fn open(path: &Path, build: &str, resume: bool) -> Result<State> {
        let text = if resume { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        // A last line that was not written to its end is none.
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if lines.first().is_some_and(|head| head["build"] != build) {
            return Err(Error::Input {
                what: "the hunts that are kept are of another build".to_owned(),
                place: path.display().to_string(),
                remedy: "leave --resume out: times of different builds are no comparison".to_owned(),
            });
        }
        let head = json!({ "build": build });
        let kept: Vec<Value> = if lines.is_empty() { vec![head] } else { lines };
        let text: String = kept.iter().map(|line| format!("{line}\n")).collect();
        fs::write(path, text).map_err(Error::io("write the hunts that are done", path))?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(Error::io("write the hunts that are done", path))?;
        Ok(State { path: path.to_owned(), file, lines: kept })
    }

    /// What came of a hunt before.
    #[must_use]
    pub fn done(&self, hunt: &Hunt) -> Option<Hunted> {
        let key = key(hunt);
        self.lines.iter().find(|line| line["hunt"] == key).and_then(hunted)
    }

    /// Keeps what came of a hunt.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&mut self, hunt: &Hunt, hunted: &Hunted) -> Result<()> {
        let Hunted { found, took, executions, others, broke } = hunted;
        let text = |program: &Program| program.to_string();
        let line = json!({
            "hunt": key(hunt),
            "found": found.as_ref().map(text),
            "cpu": nanos(took.cpu),
            "wall": nanos(took.wall),
            "executions": executions,
            "others": others.iter().map(|(id, program)| json!([id, text(program)])).collect::<Vec<_>>(),
            "broke": broke,
        });
        let written = writeln!(self.file, "{line}").and_then(|()| self.file.flush());
        written.map_err(Error::io("write the hunts that are done", &self.path))
    }
}

/// What tells hunts apart.
fn key(hunt: &Hunt) -> Value {
    json!([hunt.specimen.name, hunt.searcher.name(), hunt.seed, nanos(hunt.limit)])
}

/// Whole: a resumed run says the same as one that was not interrupted.
fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}

fn hunted(line: &Value) -> Option<Hunted> {
    let time = |name: &str| line[name].as_u64().map(Duration::from_nanos);
    let program = |text: &Value| text.as_str().and_then(|text| parse(text).ok());
    let other = |pair: &Value| Some((pair[0].as_str()?.to_owned(), program(&pair[1])?));
    Some(Hunted {
        found: if line["found"].is_null() { None } else { Some(program(&line["found"])?) },
        took: Took { cpu: time("cpu")?, wall: time("wall")? },
        executions: line["executions"].as_u64()?,
        others: line["others"].as_array()?.iter().filter_map(other).collect(),
        broke: line["broke"].as_str().map(str::to_owned),
    })
}

/// A name for the build: of this program, and of the fuzz target where one is used.
///
/// # Errors
/// One of them cannot be read.
pub fn build_of(binary: Option<&Path>) -> Result<String> {
    let own = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let mut state = DefaultHasher::new();
    for path in [Some(own.as_path()), binary].into_iter().flatten() {
        fs::read(path).map_err(Error::io("read", path))?.hash(&mut state);
    }
    Ok(format!("{:016x}", state.finish()))
}
