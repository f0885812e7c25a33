//! How fast fuzz targets are, against one that does nothing.
//!
//! All binaries are of one build and get the same seeds, limits, mutator and number of executions, in turns, so that what
//! else the machine does meets them alike. Time is the processes' own (user time), and the wall's beside it. What a
//! target takes by itself is measured too: the seeds again and again, nothing mutated, no coverage looked at.
//!
//! What it is not: a run that finds something, or a test; nothing is asserted. Called by `lazymmu bench fuzz`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lazy_mmu_engine::fuzz::Input;
use lazy_mmu_engine::program::{Program, bytes, generate};

use super::job::OPTIONS;
use crate::error::{Error, Result};
use crate::process::Child;

/// Operations of each program.
pub const OPERATIONS: usize = 32;
/// Programs that every run begins with.
pub const SEEDS: usize = 200;
/// Executions of one run; the empty target's has ten times as many.
pub const EXECUTIONS: u64 = 20_000;
/// How often each target has its turn.
pub const ROUNDS: u32 = 3;
/// How often each seed is executed where nothing is mutated.
const AGAIN: u64 = 100;
/// The longest a run may take.
const DEADLINE: Duration = Duration::from_secs(600);

/// What is measured: a target, on one subject where the target runs one.
#[derive(Clone, Debug)]
pub struct Racer {
    /// The target's name, which is its binary's.
    pub target: &'static str,
    /// The subject.
    pub subject: Option<&'static str>,
    /// The least share of the empty target's executions per second that is wanted of it.
    pub wanted: f64,
}

/// What it took, in all rounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// Executions.
    pub executions: u64,
    /// Of the process, in user mode.
    pub user: Duration,
    /// Of the clock on the wall.
    pub wall: Duration,
    /// Executions of seeds without mutation.
    pub alone: u64,
    /// User time of those.
    pub alone_user: Duration,
}

impl Took {
    /// Executions per second of user time.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.executions as f64 / self.user.as_secs_f64().max(1e-9)
    }

    /// Executions per second by the clock on the wall.
    #[must_use]
    pub fn per_second_by_wall(&self) -> f64 {
        self.executions as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// Microseconds of one execution, and how many of those are the target's own: the rest is mutation and libFuzzer.
    #[must_use]
    pub fn micros(&self) -> (f64, f64) {
        let per = |time: Duration, n: u64| time.as_secs_f64() * 1e6 / n.max(1) as f64;
        (per(self.user, self.executions), per(self.alone_user, self.alone))
    }
}

/// Measures all of them in turns; `said` is told of each turn.
///
/// # Errors
/// A binary is not there or ends in an error, or the folder for the seeds cannot be written.
pub fn race(binaries: &Path, racers: &[Racer], mut said: impl FnMut(u32, &Racer)) -> Result<Vec<Took>> {
    let folder = std::env::temp_dir().join(format!("lazymmu-bench-fuzz-{}", std::process::id()));
    let bench = Bench { binaries, folder: &folder };
    let took = bench.prepare().and_then(|()| {
        let mut took = vec![Took::default(); racers.len()];
        for round in 0..ROUNDS {
            for (racer, took) in racers.iter().zip(&mut took) {
                said(round, racer);
                bench.turn(racer, round, took)?;
            }
        }
        Ok(took)
    });
    // What is left of it is in the way of nobody.
    let _ = fs::remove_dir_all(&folder);
    took
}

struct Bench<'a> {
    binaries: &'a Path,
    folder: &'a Path,
}

impl Bench<'_> {
    /// Writes the seeds, with and without the byte that chooses a subject.
    fn prepare(&self) -> Result<()> {
        let programs = programs();
        for prefix in [0, 1] {
            let folder = self.seeds(prefix);
            fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
            let mut list = Vec::new();
            for (at, program) in programs.iter().enumerate() {
                let file = folder.join(format!("{at:03}"));
                let data = Input::Program(prefix).join(&[], program);
                fs::write(&file, data).map_err(Error::io("write a seed", &file))?;
                list.push(file.display().to_string());
            }
            let file = self.list(prefix);
            fs::write(&file, list.join(",")).map_err(Error::io("write the list of seeds", &file))?;
        }
        let found = self.folder.join("found");
        fs::create_dir_all(&found).map_err(Error::io("make the folder", found))
    }

    fn seeds(&self, prefix: usize) -> PathBuf {
        self.folder.join(format!("seeds-{prefix}"))
    }

    fn list(&self, prefix: usize) -> PathBuf {
        self.folder.join(format!("list-{prefix}"))
    }

    /// One turn of one target: so many executions of mutants, then the seeds alone.
    fn turn(&self, racer: &Racer, round: u32, took: &mut Took) -> Result<()> {
        let prefix = prefix(racer.target);
        let longest = prefix + OPERATIONS * bytes::RECORD;
        let mut command = self.command(racer);
        // All seeds stay in the corpus, whatever they cover: the empty target would drop all but one.
        command.arg(format!("-seed_inputs=@{}", self.list(prefix).display())).arg("-keep_seed=1");
        // What is fast runs longer, so that its time can be read: the kernel counts it in hundredths of a second.
        let executions = if racer.wanted < 1.0 { EXECUTIONS } else { 10 * EXECUTIONS };
        command.arg(format!("-runs={executions}")).arg(format!("-max_len={longest}"));
        command.arg(format!("-seed={}", round + 1)).args(["-len_control=0", "-reload=0"]);
        command.args(OPTIONS);
        let (user, wall) = self.timed(command)?;
        took.executions += executions;
        took.user += user;
        took.wall += wall;
        let mut command = self.command(racer);
        command.arg(format!("-runs={AGAIN}"));
        command.args((0..SEEDS).map(|at| self.seeds(prefix).join(format!("{at:03}"))));
        took.alone_user += self.timed(command)?.0;
        took.alone += AGAIN * SEEDS as u64;
        Ok(())
    }

    fn command(&self, racer: &Racer) -> Command {
        let mut command = Command::new(self.binaries.join(racer.target));
        command.env("LAZYMMU_FINDINGS", self.folder.join("found")).env("LAZYMMU_STATS", self.folder.join("counts"));
        command.arg(format!("-artifact_prefix={}/", self.folder.display()));
        match racer.subject {
            Some(name) => command.env("LAZYMMU_FUZZ_SUBJECT", name),
            None => command.env_remove("LAZYMMU_FUZZ_SUBJECT"),
        };
        command
    }

    /// Runs it to its end: its user time, and the wall's.
    fn timed(&self, mut command: Command) -> Result<(Duration, Duration)> {
        let log = self.folder.join("log");
        command.stderr(File::create(&log).map_err(Error::io("write the log", &log))?);
        let (before, begin) = (children_user(), Instant::now());
        let mut child = Child::spawn(command)?;
        child.close_stdin();
        let status = child.wait(begin + DEADLINE)?;
        let (user, wall) = (children_user().saturating_sub(before), begin.elapsed());
        if status.success() {
            return Ok((user, wall));
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        let tail: Vec<_> = said.lines().rev().take(12).collect();
        Err(Error::Broke {
            what: format!("a fuzz target died:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n")),
            place: None,
            remedy: "cargo lazymmu fuzz all keeps what it found".to_owned(),
        })
    }
}

/// The seeds: the first legal programs of exactly that length. The generator ends what it has begun, and so makes longer
/// ones than it is asked for.
fn programs() -> Vec<Program> {
    let all = (0..100_000).map(|seed| generate::legal(seed, OPERATIONS - 4));
    all.filter(|program| program.ops().len() == OPERATIONS).take(SEEDS).collect()
}

/// How many bytes choose a subject; the empty target takes the input of `contract`.
fn prefix(target: &str) -> usize {
    match lazy_mmu_engine::fuzz::find(target).map(|target| target.input) {
        None | Some(Input::Program(1)) => 1,
        _ => 0,
    }
}

/// The user time of all children that were waited for, from `/proc/self/stat`; 0 where the kernel does not say.
fn children_user() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command's name, in brackets, may contain blanks; cutime is the sixteenth field, the fourteenth after it.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 = after.split_whitespace().nth(13).and_then(|field| field.parse().ok()).unwrap_or(0);
    // Linux gives user space 100 ticks a second, whatever its own clock does.
    Duration::from_millis(ticks * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_child_is_its_own() {
        let before = children_user();
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"]);
        let mut child = Child::spawn(command).expect("a shell");
        child.close_stdin();
        child.wait(Instant::now() + DEADLINE).expect("it ends");
        assert!(children_user() > before);
    }

    #[test]
    fn seeds_are_programs_of_the_length_that_is_said() {
        let programs = programs();
        assert_eq!(programs.len(), SEEDS);
        assert!(programs.iter().all(|program| bytes::encode(program).len() == OPERATIONS * bytes::RECORD));
        assert_eq!([prefix("contract"), prefix("architectures"), prefix("empty")], [1, 0, 1]);
    }

    #[test]
    fn times_become_rates() {
        let took = Took {
            executions: 1000,
            user: Duration::from_millis(500),
            wall: Duration::from_secs(2),
            alone: 10,
            alone_user: Duration::from_millis(1),
        };
        assert_eq!((took.per_second(), took.per_second_by_wall()), (2000.0, 500.0));
        assert_eq!(took.micros(), (500.0, 100.0));
    }
}
