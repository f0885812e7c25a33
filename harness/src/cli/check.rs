//! `lazymmu check`: the main job, on every target.
//!
//! What it is not: the suites and the matrix are [`crate::check`].
//!
//! Who calls it: a person after a change, a reviewer, CI.

use std::path::Path;
use std::sync::Mutex;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::place::Place;
use crate::check::expected::Expected;
use crate::check::suites::Suites;
use crate::check::{Cell, Profile, Row, RowState, Suite, build, report, silent};
use crate::error::{Exit, Result};
use crate::setup::{Missing, Ready};
use crate::target::Target;
use crate::workspace;

/// Runs everything on every target: the program collection, the KUnit scenario, the kernel's call sites, the transition
/// tables, recorded kernel traces and generated programs, each on every generation and backend; prints a matrix.
///
/// Missing programs and standard libraries are set up first, once, as by `cargo lazymmu setup`. Exits 0 if all holds,
/// 1 if something broke, 3 if a target had to be skipped.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu check --profile quick --target sparc64")]
pub struct Check {
    #[command(flatten)]
    place: Place,
    /// How much is generated
    #[arg(long, value_enum, default_value_t = Profile::Quick)]
    profile: Profile,
    /// The first seed of the generated programs; the same seed gives the same programs everywhere
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Check {
    /// Sets up, builds, runs, prints.
    ///
    /// # Errors
    /// The project's own code does not build, or the current directory is outside the project.
    pub fn run(&self) -> Result<Exit> {
        let root = workspace::root()?;
        self.place.check()?;
        let progress = Progress::new();
        let (profile, seed) = (self.profile, self.seed);
        // The host's own runs need no target: they go on while targets are set up and built, and those that no target is
        // compared with to the end.
        let (ran, mut silent) = std::thread::scope(|scope| {
            let silent = scope.spawn(silent::run);
            let expected = scope.spawn(|| Expected::compute(&root, profile, seed));
            let build = |(target, ready)| self.build(target, ready, &root, &progress);
            let built: Result<Vec<_>> = self.place.prepare().and_then(|found| found.into_iter().map(build).collect());
            let expected = joined(expected);
            let ran = built.map(|jobs| (run_all(jobs, &expected, &progress), expected));
            progress.say("many legal programs, natively");
            (ran, joined(silent))
        });
        let (mut rows, mut expected) = ran?;
        let folder = root.join("target/lazymmu/failures");
        let of_rows = rows.iter_mut().flat_map(Row::failures_mut);
        let of_host = expected.failures.iter_mut().chain(&mut silent.failures);
        of_host.chain(of_rows).for_each(|failure| failure.save(&folder));
        progress.done();
        outln!("profile {:?}, seed {seed}\n", profile)?;
        out!("{}", report::render(&rows, &expected, &silent))?;
        Ok(report::exit(&rows, &expected, &silent))
    }

    fn build(&self, target: Target, ready: Result<Ready, Missing>, root: &Path, progress: &Progress) -> Result<Job> {
        let ready = match ready {
            Ok(ready) => ready,
            Err(missing) => return Ok(Job::Skip(target, missing)),
        };
        progress.say(&format!("{target}: building the agent"));
        let how = format!("{}; {}", ready.runner_text(), ready.toolchain.about);
        Ok(Job::Run(target, Box::new(build::start(&ready, root)?), how))
    }
}

/// What a thread came to; its panic is this one's.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What is to be done for a target.
enum Job {
    Run(Target, Box<crate::agent::Agent>, String),
    Skip(Target, Missing),
}

/// Two targets at a time: each is one child that uses one core.
fn run_all(jobs: Vec<Job>, expected: &Expected, progress: &Progress) -> Vec<Row> {
    let waiting = Mutex::new(jobs.into_iter().rev().collect::<Vec<_>>());
    let rows = Mutex::new(Vec::new());
    let lock = |mutex: &Mutex<Vec<Row>>, row| mutex.lock().unwrap_or_else(|poison| poison.into_inner()).push(row);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let job = waiting.lock().unwrap_or_else(|poison| poison.into_inner()).pop();
                    let Some(job) = job else { return };
                    lock(&rows, run_one(job, expected, progress));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(|poison| poison.into_inner());
    rows.sort_by_key(|row| row.target);
    rows
}

fn run_one(job: Job, expected: &Expected, progress: &Progress) -> Row {
    match job {
        Job::Skip(target, missing) => Row { target, state: RowState::Skipped(missing) },
        Job::Run(target, agent, how) => {
            let say = |what: &str| progress.say(what);
            let mut suites = Suites { target, agent: *agent, expected, progress: &say };
            let cells: Vec<Cell> = Suite::ALL.into_iter().map(|suite| suites.run(suite)).collect();
            Row { target, state: RowState::Ran(cells, how) }
        }
    }
}

/// A line on standard error that says what goes on; nothing where that is no terminal.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> Progress {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Progress(bar)
    }

    fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}
