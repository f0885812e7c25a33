//! Exhaustive exploration: every sequence of an alphabet's steps up to a depth, equal states once; and, for the counted
//! generation without memory, the whole reachable space.
//!
//! | module | what |
//! | --- | --- |
//! | [`alphabet`] | the steps |
//! | [`remote`] | steps on a kernel tree's C, taken by its agent |
//! | [`closed`] | the whole space of the counters |
//! | [`tree`] | the subjects of a tree, one after the other |
//! | [`report`], [`progress`] | what is printed |
//!
//! The search is breadth first: it visits states in the order of their depth, so that what is found first needs the fewest
//! steps, and every run is the same. It takes several states at once, for one question to an agent costs more than a step;
//! what it comes to does not depend on how many. Not here: what a state is made of, which machine, subject and oracles say
//! themselves, and taking a step ([`lazy_mmu_engine::space`]). Called by `lazymmu explore`.

pub mod alphabet;
pub mod closed;
pub mod progress;
pub mod remote;
pub mod report;
pub mod tree;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::exercise::Exercised;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::space::{Counts, Expanded, Path, Reached, Space};

use crate::error::{Error, Exit, Result};

/// How far an exploration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Steps of a path.
    pub depth: u8,
    /// States that are kept.
    pub states: usize,
}

/// Why an exploration ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// All of it was explored.
    #[default]
    Complete,
    /// A path broke what it should not, or the code crashed on it.
    Broken,
    /// As many states as may be kept were found.
    States,
    /// It was interrupted.
    Interrupted,
    /// The agent that takes the steps does not answer.
    Lost,
}

/// A path that breaks what it should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As a program.
    pub program: Program,
    /// How many steps it has.
    pub steps: u8,
    /// What broke first; none where the code crashed.
    pub invariant: Option<Invariant>,
    /// What was expected and what was found, or what the code died of.
    pub text: String,
    /// The operation at which it broke; the number of operations for the program's end.
    pub op: u32,
}

/// Why steps cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The code crashed on this step of the first path.
    Crashed(u8, String),
    /// Whoever takes them does not answer.
    Lost(String),
}

impl End {
    /// What a command ends with.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            End::Complete => Exit::Holds,
            End::Broken => Exit::Broke,
            End::States => Exit::InPart,
            End::Interrupted | End::Lost => Exit::Environment,
        }
    }
}

/// Writes a failing path, as a program that says what it breaks; its name is the answer.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &std::path::Path, failure: &Failure, name: &str) -> Result<String> {
    let what = failure.invariant.map_or("a crash", Invariant::name);
    let about = format!("# {name} breaks {what}: {}\n", failure.text.replace('\n', " "));
    let written = crate::output::file(path, about + &failure.program.to_string());
    written.map(|()| path.display().to_string()).map_err(Error::io("write", path))
}

/// Who takes steps: a space in this process, or an agent.
pub trait Steps {
    /// With how many entries the subject's batches are full.
    fn full(&self) -> u16;

    /// A path as a program.
    fn program(&self, path: Path) -> Program;

    /// How many steps the alphabet has.
    fn width(&self) -> u8;

    /// From how many paths steps are taken at once.
    fn at_once(&self) -> usize;

    /// Takes every step of the first few of the paths, of none where there is none, until one breaks something.
    ///
    /// # Errors
    /// The first path's steps cannot be taken.
    fn expand(&mut self, paths: &[Path]) -> Result<Expanded, Halt>;
}

impl Steps for Space<'_> {
    fn full(&self) -> u16 {
        self.full()
    }

    fn program(&self, path: Path) -> Program {
        self.program(path)
    }

    fn width(&self) -> u8 {
        self.width()
    }

    fn at_once(&self) -> usize {
        1
    }

    fn expand(&mut self, paths: &[Path]) -> Result<Expanded, Halt> {
        Ok(self.expand(paths, |_| {}))
    }
}

/// What was explored.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Distinct states, that at boot included.
    pub states: usize,
    /// States whose steps were all taken.
    pub expanded: usize,
    /// Steps taken, those that led to a known state included.
    pub transitions: u64,
    /// Of these, steps at which the program misuses the API, and steps that cannot happen on the backend: not gone on.
    pub misuses: u64,
    /// See [`Explored::misuses`].
    pub cuts: u64,
    /// Steps that broke what known findings explain, by the finding, or by those that break the same: not gone on.
    pub known: BTreeMap<String, u64>,
    /// Steps of the longest path to a state.
    pub depth: u8,
    /// How long it took.
    pub time: Duration,
    /// What the steps exercised.
    pub exercised: Exercised,
    /// How often each invariant was judged in the steps.
    pub judged: Counts,
    /// The first path that broke what it should not.
    pub failure: Option<Failure>,
    /// Why it ended.
    pub end: End,
    /// Why the agent does not answer, if it does not.
    pub lost: Option<String>,
}

/// How many states are expanded between two looks at the clock and at what the caller wants.
const EVERY: usize = 256;

/// Explores within bounds. `watch` is told from time to time, and may end it.
pub fn explore(steps: &mut impl Steps, bounds: Bounds, watch: impl FnMut(&Explored) -> ControlFlow<()>) -> Explored {
    let exercised = Exercised::of_batches(steps.full());
    let mut search = Search {
        steps,
        bounds,
        watch,
        begin: Instant::now(),
        known: HashSet::new(),
        queue: VecDeque::new(),
        explored: Explored { exercised, ..Explored::default() },
    };
    search.run();
    search.explored
}

/// A search in progress.
struct Search<'s, S, W> {
    steps: &'s mut S,
    bounds: Bounds,
    watch: W,
    begin: Instant,
    /// States by their fingerprints.
    known: HashSet<u64>,
    /// How those were reached whose steps were not taken yet, in the order in which they were found.
    queue: VecDeque<Path>,
    explored: Explored,
}

impl<S: Steps, W: FnMut(&Explored) -> ControlFlow<()>> Search<'_, S, W> {
    fn run(&mut self) {
        match self.steps.expand(&[]) {
            Ok(Expanded { boot, .. }) => self.found(boot, Path::default()),
            Err(halt) => self.halted(Path::default(), halt),
        }
        while self.explored.end == End::Complete && !self.queue.is_empty() {
            let goes_on = |path: &&Path| path.len() < self.bounds.depth;
            let paths: Vec<Path> = self.queue.iter().take(self.steps.at_once()).take_while(goes_on).copied().collect();
            let Some(&first) = paths.first() else {
                // Those behind have as many steps: none is taken from them.
                self.explored.expanded += self.queue.len();
                self.queue.clear();
                break;
            };
            match self.steps.expand(&paths) {
                Ok(expanded) => self.took(&expanded),
                Err(halt) => self.halted(first, halt),
            }
        }
        self.explored.time = self.begin.elapsed();
    }

    fn found(&mut self, fingerprint: u64, path: Path) {
        if self.known.insert(fingerprint) {
            self.queue.push_back(path);
            self.explored.depth = path.len();
            self.explored.states += 1;
        }
    }

    /// Counts the steps of the queue's first paths, state by state: what comes behind the end is not counted.
    fn took(&mut self, expanded: &Expanded) {
        self.explored.exercised.counts.iter_mut().zip(expanded.exercised).for_each(|(all, new)| *all += new);
        self.explored.judged.iter_mut().zip(expanded.judged).for_each(|(all, new)| *all += new);
        for reached in expanded.reached.chunks(self.steps.width().into()) {
            let Some(path) = self.queue.pop_front() else { return };
            reached.iter().zip(0..).for_each(|(reached, step)| self.reached(path.with(step), reached));
            self.explored.expanded += 1;
            self.explored.time = self.begin.elapsed();
            if self.explored.failure.is_some() {
                self.explored.end = End::Broken;
            } else if self.explored.states >= self.bounds.states {
                self.explored.end = End::States;
            } else if self.explored.expanded.is_multiple_of(EVERY) && (self.watch)(&self.explored).is_break() {
                self.explored.end = End::Interrupted;
            }
            if self.explored.end != End::Complete {
                return;
            }
        }
    }

    fn reached(&mut self, path: Path, reached: &Reached) {
        self.explored.transitions += 1;
        match reached {
            Reached::State(fingerprint) => self.found(*fingerprint, path),
            Reached::Misuse => self.explored.misuses += 1,
            Reached::Cut => self.explored.cuts += 1,
            Reached::Known(names) => *self.explored.known.entry(names.clone()).or_default() += 1,
            Reached::Broken(broken) => self.fails(path, Some(broken.invariant), broken.text.clone(), broken.op),
        }
    }

    fn fails(&mut self, path: Path, invariant: Option<Invariant>, text: String, op: u32) {
        let program = self.steps.program(path);
        self.explored.failure = Some(Failure { program, steps: path.len(), invariant, text, op });
    }

    /// Ends where a path's steps cannot be taken. The empty program crashes at no step.
    fn halted(&mut self, path: Path, halt: Halt) {
        match halt {
            Halt::Crashed(step, message) => {
                let path = if self.known.is_empty() { path } else { path.with(step) };
                let op = self.steps.program(path).ops().len() as u32;
                self.fails(path, None, message, op);
                self.explored.end = End::Broken;
            }
            Halt::Lost(why) => {
                self.explored.lost = Some(why);
                self.explored.end = End::Lost;
            }
        }
    }
}

#[cfg(test)]
mod tests;
