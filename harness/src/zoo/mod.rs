//! The zoo as a measure: how long a search takes from nothing to the first finding of each seeded defect.
//!
//! | module | what |
//! | --- | --- |
//! | [`hunt`] | one specimen, one searcher, one seed |
//! | [`libfuzzer`] | the project's fuzzer, and libFuzzer on plain bytes |
//! | [`random`], [`properties`], [`exhaustive`] | other searchers, for comparison |
//! | [`clock`] | what a search has taken |
//! | [`state`] | hunts that are done, on disk |
//! | [`summary`] | medians, and ratios of them |
//! | [`report`], [`plot`] | as table, JSON document and picture |
//!
//! No searcher knows what is bent; all run the same subjects and are judged by the same trial. What it is not: specimens
//! are the engine's (`lazy_mmu_engine::zoo`). Called by `lazymmu zoo`.

pub mod clock;
pub mod exhaustive;
pub mod hunt;
pub mod libfuzzer;
pub mod plot;
pub mod properties;
pub mod random;
pub mod report;
pub mod state;
pub mod summary;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use lazy_mmu_engine::zoo::Specimen;

use crate::error::Result;
use crate::process;
use hunt::{Hunt, Hunted, Search};
use state::State;

/// Where programs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Searcher {
    /// The project's fuzzer: libFuzzer with the mutator of programs, from an empty corpus
    Fuzzer,
    /// libFuzzer with its own mutations of bytes, in the same binary
    Bytes,
    /// Programs drawn freely
    Random,
    /// proptest's state machines over the operations
    Proptest,
    /// Every sequence of explore's steps, the shortest first
    Exhaustive,
}

impl Searcher {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Searcher::Fuzzer => "fuzzer",
            Searcher::Bytes => "bytes",
            Searcher::Random => "random",
            Searcher::Proptest => "proptest",
            Searcher::Exhaustive => "exhaustive",
        }
    }

    /// Whether it is a libFuzzer process.
    #[must_use]
    pub fn is_process(self) -> bool {
        matches!(self, Searcher::Fuzzer | Searcher::Bytes)
    }
}

/// What is to be hunted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The specimens.
    pub specimens: Vec<&'static Specimen>,
    /// The searcher that is measured.
    pub search: Searcher,
    /// Those it is compared with.
    pub baselines: Vec<Searcher>,
    /// How many seeds, from 1.
    pub seeds: u32,
    /// Within what processor time the median of a specimen's hunts should be; when baselines are given up.
    pub budget: Duration,
    /// When the searcher that is measured is given up.
    pub limit: Duration,
    /// Hunts at once.
    pub jobs: usize,
    /// The folder of what is kept.
    pub out: PathBuf,
    /// The fuzz target `zoo`, where a searcher needs it.
    pub binary: Option<PathBuf>,
}

impl Plan {
    /// Every hunt: the searcher that is measured first, then the others, specimen by specimen.
    #[must_use]
    pub fn hunts(&self) -> Vec<Hunt> {
        let searchers = [(self.search, self.limit)].into_iter();
        let searchers = searchers.chain(self.baselines.iter().map(|&searcher| (searcher, self.budget)));
        searchers
            .flat_map(|(searcher, limit)| {
                let seeds = move |&specimen| (1..=self.seeds).map(move |seed| Hunt { specimen, searcher, seed, limit });
                self.specimens.iter().flat_map(seeds)
            })
            .collect()
    }
}

/// What came of a plan.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Hunts that are done.
    pub hunts: Vec<(Hunt, Hunted)>,
    /// A signal ended it before its time.
    pub interrupted: bool,
    /// How long it took, hunts of earlier runs left out.
    pub wall: Duration,
}

/// Hunts all that is not in `state` yet.
///
/// # Errors
/// A folder cannot be written, or a process cannot be started. What was done before is in the state.
pub fn run(plan: &Plan, state: &mut State) -> Result<Ran> {
    let began = Instant::now();
    let mut ran = Ran::default();
    let mut left = Vec::new();
    for hunt in plan.hunts() {
        match state.done(&hunt) {
            Some(hunted) => ran.hunts.push((hunt, hunted)),
            None => left.push(hunt),
        }
    }
    let progress = Progress::new(left.len(), ran.hunts.len());
    left.reverse();
    let queue = Mutex::new(left);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..plan.jobs {
            let (queue, tell) = (&queue, tell.clone());
            scope.spawn(move || work(plan, queue, &tell));
        }
        drop(tell);
        for (hunt, hunted) in told {
            let kept = hunted.and_then(|hunted| state.keep(&hunt, &hunted).map(|()| hunted));
            match kept {
                Ok(hunted) => {
                    progress.done(&hunt, &hunted);
                    ran.hunts.push((hunt, hunted));
                }
                Err(error) => {
                    // The others end with the hunt they are at.
                    empty(&queue);
                    return Err(error);
                }
            }
        }
        Ok(())
    })?;
    progress.bar.finish_and_clear();
    ran.interrupted = process::interrupted();
    ran.wall = began.elapsed();
    Ok(ran)
}

/// Nobody panics with the queue in hand.
fn next(queue: &Mutex<Vec<Hunt>>) -> Option<Hunt> {
    queue.lock().ok()?.pop()
}

fn empty(queue: &Mutex<Vec<Hunt>>) {
    if let Ok(mut queue) = queue.lock() {
        queue.clear();
    }
}

/// Takes hunts until there are none or a signal came; a hunt that a signal cut short is not told of.
fn work(plan: &Plan, queue: &Mutex<Vec<Hunt>>, tell: &Sender<(Hunt, Result<Hunted>)>) {
    while let Some(hunt) = next(queue).filter(|_| !process::interrupted()) {
        let hunted = one(plan, &hunt);
        let cut = process::interrupted() && hunted.as_ref().is_ok_and(|hunted| hunted.found.is_none());
        if cut || tell.send((hunt, hunted)).is_err() {
            return;
        }
    }
}

/// One hunt, to its end.
fn one(plan: &Plan, hunt: &Hunt) -> Result<Hunted> {
    if let (true, Some(binary)) = (hunt.searcher.is_process(), &plan.binary) {
        return libfuzzer::hunt(hunt, binary, &plan.out.join("hunts"));
    }
    let mut search = Search::start(hunt);
    match hunt.searcher {
        Searcher::Proptest => properties::search(&mut search, hunt.seed),
        Searcher::Exhaustive => exhaustive::search(&mut search, hunt),
        Searcher::Random | Searcher::Fuzzer | Searcher::Bytes => random::search(&mut search, hunt.seed),
    }
    Ok(search.end())
}

/// Where a run stands, on standard error: a bar on a terminal, elsewhere a line every few seconds.
struct Progress {
    bar: ProgressBar,
    said: std::cell::Cell<Instant>,
}

/// How often a line is said.
const EVERY: Duration = Duration::from_secs(10);

impl Progress {
    fn new(left: usize, before: usize) -> Progress {
        let bar = ProgressBar::new((left + before) as u64).with_position(before as u64);
        let style = ProgressStyle::with_template("zoo [{bar:30}] {pos}/{len} hunts, {elapsed}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, said: std::cell::Cell::new(Instant::now()) }
    }

    fn done(&self, hunt: &Hunt, hunted: &Hunted) {
        let how = if hunted.found.is_some() { "found in" } else { "MISSED after" };
        let (name, seconds) = (hunt.specimen.name, hunted.took.cpu.as_secs_f64());
        let text = format!("{} seed {}: {name} {how} {seconds:.2} s", hunt.searcher.name(), hunt.seed);
        self.bar.inc(1);
        if !self.bar.is_hidden() {
            self.bar.set_message(text);
        } else if self.said.get().elapsed() >= EVERY {
            self.said.set(Instant::now());
            let (done, of) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("zoo: {done} of {of} hunts, {text}");
        }
    }
}

#[cfg(test)]
mod tests;
