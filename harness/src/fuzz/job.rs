//! One libFuzzer process: started with its folders, its log read as it grows.
//!
//! Not here: what its log says ([`super::pulse`]), and when it is started again ([`super::run`]).

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use lazy_mmu_engine::fuzz::Guide;

use super::Plan;
use super::counts::Counts;
use super::pulse::{Death, Pulse, death, pulse};
use crate::error::{Error, Result};
use crate::output::remove;
use crate::process::Child;

/// The longest input a target is given: a choosing byte and 512 operations.
pub(crate) const MAX_LEN: usize = 1 + 512 * 6;

/// An input that takes longer than this is a finding, in seconds.
const TIMEOUT: u32 = 20;

/// What every process that runs programs is told, measured or not. A function counts once, not by how often it was called:
/// how deep and how often is told by the features of a run, and eight features for each make a corpus of thousands and
/// most of an execution libFuzzer's. And what takes longer than others is mutated less: without it a corpus drifts to programs
/// that fill batches again and again, an eighth of which take five sixths of the time.
pub(crate) const OPTIONS: [&str; 2] = ["-use_counters=0", "-entropic_scale_per_exec_time=1"];

/// Where one process reads and writes.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The corpus it adds to.
    pub corpus: PathBuf,
    /// Corpora that it only reads.
    pub seeds: Vec<PathBuf>,
    /// Inputs that killed it.
    pub artifacts: PathBuf,
    /// What the target found, a file for each slug.
    pub raw: PathBuf,
    /// Logs and counts.
    pub logs: PathBuf,
    /// The dictionary, if the target has one.
    pub dictionary: Option<PathBuf>,
}

/// A running process.
pub struct Job {
    child: Child,
    log: PathBuf,
    counts: PathBuf,
    read: u64,
    partial: String,
    /// Its last status line.
    pub pulse: Pulse,
}

impl Job {
    /// Starts the plan's binary for so long. `number` tells the run's processes apart.
    ///
    /// # Errors
    /// It cannot be started, or its log cannot be written.
    pub fn start(plan: &Plan, folders: &Folders, number: usize, seed: u32, time: Duration) -> Result<Job> {
        let log = folders.logs.join(format!("{number}.log"));
        let counts = folders.logs.join(format!("{number}.counts"));
        let file = File::create(&log).map_err(Error::io("write the log", &log))?;
        // A process that is killed before it counts must not be taken for an earlier one.
        remove(&counts)?;
        let mut command = Command::new(&plan.binary);
        command.arg(&folders.corpus).args(&folders.seeds);
        // libFuzzer takes no time for no limit.
        command.arg(format!("-max_total_time={}", time.as_secs().max(1)));
        command.arg(format!("-seed={}", seed.max(1))).arg(format!("-max_len={MAX_LEN}"));
        command.arg(format!("-timeout={TIMEOUT}")).args([
            "-rss_limit_mb=2048",
            "-print_final_stats=0",
            "-len_control=0",
        ]);
        if plan.target.guide == Guide::Functions {
            command.args(OPTIONS);
        }
        command.arg(format!("-artifact_prefix={}/", folders.artifacts.display()));
        if let Some(dictionary) = &folders.dictionary {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        command.env("LAZYMMU_FINDINGS", &folders.raw).env("LAZYMMU_STATS", &counts).env_remove("RUST_BACKTRACE");
        match plan.subject {
            Some(name) => command.env("LAZYMMU_FUZZ_SUBJECT", name),
            None => command.env_remove("LAZYMMU_FUZZ_SUBJECT"),
        };
        command.stderr(file);
        let mut child = Child::spawn(command)?;
        child.close_stdin();
        Ok(Job { child, log, counts, read: 0, partial: String::new(), pulse: Pulse::default() })
    }

    /// Reads what it has logged since, and says whether it has ended.
    pub fn poll(&mut self) -> bool {
        let ended = self.child.wait(Instant::now()).is_ok();
        self.read_log();
        ended
    }

    /// What it has counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::parse(&fs::read_to_string(&self.counts).unwrap_or_default())
    }

    /// Why it ended, if it did not end by itself.
    #[must_use]
    pub fn death(&self) -> Option<Death> {
        let log = fs::read(&self.log).unwrap_or_default();
        let said = death(&String::from_utf8_lossy(&log));
        let status = self.child.status_text();
        let fine = status == "exit code 0";
        said.or_else(|| (!fine).then_some(Death { what: status, artifact: None }))
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill_and_reap();
        self.read_log();
    }

    fn read_log(&mut self) {
        let Ok(mut file) = File::open(&self.log) else { return };
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(self.read)).is_err() || file.read_to_end(&mut bytes).is_err() {
            return;
        }
        self.read += bytes.len() as u64;
        self.partial.push_str(&String::from_utf8_lossy(&bytes));
        let whole = self.partial.rfind('\n').map_or(0, |end| end + 1);
        if let Some(last) = self.partial[..whole].lines().filter_map(pulse).next_back() {
            self.pulse = last;
        }
        self.partial.drain(..whole);
    }
}
