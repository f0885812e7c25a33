//! The searcher that the project's fuzzer is: a libFuzzer process on the target `zoo`, from an empty corpus; and the same
//! process without the project's mutator, for comparison.
//!
//! A process is watched for the processor time it has taken, its start included, and ends by itself with the first
//! finding of the specimen's invariant. Both get the same build, the same features of a run as counters, and no dictionary.
//! Not here: what it finds is judged again and made small by the hunt. Called by the hunt's dispatcher.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lazy_mmu_engine::fuzz::ZOO;
use lazy_mmu_engine::program::Program;

use super::Searcher;
use super::clock::Took;
use super::hunt::{Hunt, Hunted, trial};
use crate::error::{Error, Result};
use crate::fuzz::counts::Counts;
use crate::fuzz::job::{MAX_LEN, OPTIONS};
use crate::fuzz::pulse::death;
use crate::process::{self, Child};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A process that gets less than this share of a core by the wall is given up: the machine is not there for it.
const STARVED: u32 = 10;

/// Where one process reads and writes: made before it, removed after it.
struct Place(PathBuf);

impl Place {
    fn new(under: &Path, hunt: &Hunt) -> Result<Place> {
        let name = hunt.specimen.name.replace('/', "-");
        let place = Place(under.join(format!("{name}-{}-{}", hunt.searcher.name(), hunt.seed)));
        // What a killed run left behind is no empty corpus.
        let _ = fs::remove_dir_all(&place.0);
        for folder in [place.corpus(), place.found()] {
            fs::create_dir_all(&folder).map_err(Error::io("make the folder", folder))?;
        }
        Ok(place)
    }

    fn corpus(&self) -> PathBuf {
        self.0.join("corpus")
    }

    fn found(&self) -> PathBuf {
        self.0.join("found")
    }

    fn counts(&self) -> PathBuf {
        self.0.join("counts")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left of it is in the way of nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Hunts with the target's binary; `under` is a folder for what the process writes.
///
/// # Errors
/// The process cannot be started, or its folder cannot be written.
pub fn hunt(hunt: &Hunt, binary: &Path, under: &Path) -> Result<Hunted> {
    let place = Place::new(under, hunt)?;
    let began = Instant::now();
    let mut child = Child::spawn(command(hunt, binary, &place)?)?;
    child.close_stdin();
    let mut given_up = false;
    while !child.has_exited() {
        let cpu = child.cpu_time();
        given_up = cpu >= hunt.limit || began.elapsed() >= STARVED * hunt.limit || process::interrupted();
        if given_up {
            break;
        }
        thread::sleep(LOOK);
    }
    // Read of the process that has ended and is not reaped yet: then it is whole.
    let took = Took { cpu: child.cpu_time(), wall: began.elapsed() };
    child.kill_and_reap();
    let (found, others) = findings(&place.found(), hunt.specimen.breaks.id())?;
    let counts = Counts::parse(&fs::read_to_string(place.counts()).unwrap_or_default());
    let broke = if found.is_none() && !given_up { Some(why(&place.log(), &child)) } else { None };
    let hunted = Hunted { took, executions: counts.of("executions"), broke, ..Hunted::default() };
    Ok(hunted.with(&mut trial(hunt.specimen), found, others))
}

fn command(hunt: &Hunt, binary: &Path, place: &Place) -> Result<Command> {
    let mut command = Command::new(binary);
    command.arg(place.corpus()).arg(format!("-seed={}", hunt.seed)).arg(format!("-max_len={MAX_LEN}"));
    command.args(OPTIONS).args(["-len_control=0", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=0"]);
    command.arg(format!("-artifact_prefix={}/", place.0.display()));
    command.env("LAZYMMU_FUZZ_SUBJECT", hunt.specimen.name).env("LAZYMMU_FUZZ_UNTIL", hunt.specimen.breaks.id());
    command.env("LAZYMMU_FINDINGS", place.found()).env("LAZYMMU_STATS", place.counts()).env_remove("RUST_BACKTRACE");
    match hunt.searcher {
        Searcher::Bytes => command.env("LAZYMMU_FUZZ_BYTES", "1"),
        _ => command.env_remove("LAZYMMU_FUZZ_BYTES"),
    };
    let log = place.log();
    command.stderr(File::create(&log).map_err(Error::io("write the log", log))?);
    Ok(command)
}

/// Invariants' ids, each with a program that broke it.
type Programs = Vec<(String, Program)>;

/// What the process found, a file for each signature: that of the specimen's own invariant, and one for each other.
fn findings(folder: &Path, breaks: &str) -> Result<(Option<(String, Program)>, Programs)> {
    let entries = fs::read_dir(folder).map_err(Error::io("read what was found", folder))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (mut found, mut others) = (None, Programs::new());
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A name that begins with a dot is of a file that was being written.
        let Some((id, _)) = name.split_once('-').filter(|(id, _)| !id.starts_with('.')) else { continue };
        let data = fs::read(&path).map_err(Error::io("read what was found", &path))?;
        let Some((_, program)) = ZOO.input.split(&data) else { continue };
        if id == breaks {
            found = Some((id.to_owned(), program));
        } else if others.iter().all(|(known, _)| known != id) {
            others.push((id.to_owned(), program));
        }
    }
    Ok((found, others))
}

/// Why a process ended that found nothing.
fn why(log: &Path, child: &Child) -> String {
    let log = fs::read(log).unwrap_or_default();
    let said = death(&String::from_utf8_lossy(&log)).map(|death| death.what).filter(|what| !what.is_empty());
    said.unwrap_or_else(|| format!("libFuzzer ended with {} and found nothing", child.status_text()))
}
