//! `lazymmu check`: the main job, on every target.
//!
//! What it is not: the suites and the matrix are [`crate::check`].
//!
//! Who calls it: a person after a change, a reviewer, CI.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::place::Place;
use crate::check::event::{self, Stream};
use crate::check::expected::Expected;
use crate::check::render::Format;
use crate::check::suites::Suites;
use crate::check::{Cell, Profile, Row, RowState, Suite, build, render, silent};
use crate::error::{Exit, Result};
use crate::setup::{Missing, Ready};
use crate::target::Target;
use crate::workspace;

/// Runs everything on every target: the program collection, the KUnit scenario, the kernel's call sites, the transition
/// tables, recorded kernel traces and generated programs, each on every generation and backend; prints a matrix.
///
/// Missing programs and standard libraries are set up first, once, as by `cargo lazymmu setup`. Exits 0 if all holds,
/// 1 if something broke, 3 if a target had to be skipped. Reports for machines (`--format`) appear as targets are done.
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
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Write that report to a file; standard output gets the human one
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints every failure that was looked into, not the ten smallest causes alone
    #[arg(long)]
    verbose: bool,
}

impl Check {
    /// Sets up, builds, runs, prints.
    ///
    /// # Errors
    /// The project's own code does not build, or the current directory is outside the project.
    pub fn run(&self) -> Result<Exit> {
        let root = workspace::root()?;
        self.place.check()?;
        let stream = Stream::new(render::reports(self.format, self.output.as_deref(), self.verbose)?);
        let folder = root.join("target/lazymmu/failures");
        let progress = Progress::new();
        let (profile, seed) = (self.profile, self.seed);
        // The host's own runs need no target: they go on while targets are set up and built, and those that no target is
        // compared with to the end.
        let (ran, mut silent) = std::thread::scope(|scope| {
            let silent = scope.spawn(silent::run);
            let expected = scope.spawn(|| Expected::compute(&root, profile, seed));
            let build = |(target, ready)| self.build(target, ready, &root, &progress);
            let built: Result<Vec<_>> = self.place.prepare().and_then(|found| found.into_iter().map(build).collect());
            let mut expected = joined(expected);
            let ran = built.and_then(|jobs| {
                let mut stream = stream;
                stream.begin(profile, seed, jobs.len())?;
                event::save(expected.cases_mut(), &folder);
                stream.host(&expected)?;
                let told = Told { stream: Mutex::new((stream, Ok(()))), folder: &folder, progress: &progress };
                run_all(jobs, &expected, &told);
                told.end()
            });
            progress.say("many legal programs, natively");
            (ran, joined(silent))
        });
        let mut stream = ran?;
        event::save(&mut silent.cases, &folder);
        progress.done();
        stream.silent(&silent)?;
        stream.finish()
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

/// The stream, told of targets by the threads that run them. Its first error is kept: the others run on.
struct Told<'t> {
    stream: Mutex<(Stream, Result<()>)>,
    folder: &'t Path,
    progress: &'t Progress,
}

impl Told<'_> {
    fn target(&self, mut row: Row) {
        event::save(row.cases_mut(), self.folder);
        let mut told = self.stream.lock().unwrap_or_else(|poison| poison.into_inner());
        let (stream, result) = &mut *told;
        if result.is_ok() {
            *result = self.progress.beside(|| stream.target(&row));
        }
    }

    fn end(self) -> Result<Stream> {
        let (stream, result) = self.stream.into_inner().unwrap_or_else(|poison| poison.into_inner());
        result.map(|()| stream)
    }
}

/// Two targets at a time: each is one child that uses one core.
fn run_all(jobs: Vec<Job>, expected: &Expected, told: &Told<'_>) {
    let waiting = Mutex::new(jobs.into_iter().rev().collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let job = waiting.lock().unwrap_or_else(|poison| poison.into_inner()).pop();
                    let Some(job) = job else { return };
                    told.target(run_one(job, expected, told.progress));
                }
            });
        }
    });
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

    /// Does something that prints, with the line out of its way.
    fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}
