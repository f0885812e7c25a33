//! The state space: a node is what the rest of a run depends on, and the path is the program that first led there.
//!
//! Two paths are one node when machine, subject and oracles are in the same state, by fingerprints of 64 bits. A step from
//! a node is the path and one more step, run again from boot: programs are short, and nothing needs copying. It runs where
//! the subject runs: in the host command, or in the agent with a kernel tree's code, which [`Space::expand`] answers for.
//! Not here: the search, the alphabets, what is printed, the known findings (the [`Examiner`]'s). Called by the
//! exploration, by the zoo's exhaustive search and by the tree's agent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use crate::contract::{Invariant, Judge, Prefix, Verdict, Violation};
use crate::examine::Examiner;
use crate::exercise::{Exercised, KINDS};
use crate::machine::Machine;
use crate::program::{Op, Program};
use crate::trace::Event;

/// Steps that an alphabet may have.
pub const MAX_STEPS: usize = 1 << BITS;
/// Steps that a path may have.
pub const MAX_DEPTH: u8 = 24;
const BITS: u32 = 5;

/// The steps of a path, five bits each, the last lowest; the highest byte counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(u128);

impl Path {
    /// One more step.
    #[must_use]
    pub fn with(self, step: u8) -> Path {
        let steps = self.0 << 8 >> 8;
        Path(u128::from(self.len() + 1) << 120 | steps << BITS | u128::from(step))
    }

    /// The path of these steps; none where it is too long for one more, or a number is no step's.
    #[must_use]
    pub fn of(steps: &[u8]) -> Option<Path> {
        let fits = steps.len() < usize::from(MAX_DEPTH) && steps.iter().all(|&step| usize::from(step) < MAX_STEPS);
        fits.then(|| steps.iter().fold(Path::default(), |path, &step| path.with(step)))
    }

    /// How many steps it has.
    #[must_use]
    pub fn len(self) -> u8 {
        (self.0 >> 120) as u8
    }

    /// Whether it is the root's.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The steps, as places in the alphabet.
    pub fn steps(self) -> impl Iterator<Item = u8> {
        let len = u32::from(self.len());
        (0..len).rev().map(move |at| (self.0 >> (at * BITS)) as u8 & (MAX_STEPS as u8 - 1))
    }
}

/// A node: equal to another if its state is.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// What its state is told by.
    pub fingerprint: u64,
    /// How it was reached first.
    pub path: Path,
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Node {}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

/// What is explored.
pub struct Space<'s> {
    of: Examiner<'s>,
    steps: Vec<Vec<Op>>,
    /// Whether equal states are one node.
    merge: bool,
    machine: Machine,
    judge: Judge,
    boot: Option<u64>,
}

/// How often each invariant was judged, in the order of [`Invariant::ALL`].
pub type Counts = [u64; Invariant::ALL.len()];

/// What a step leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Nothing broke; the state's fingerprint.
    State(u64),
    /// The program misuses the API there.
    Misuse,
    /// It cannot happen on this backend.
    Cut,
    /// It broke what a finding explains: its name, or the names of those that break the same.
    Known(String),
    /// It broke something else.
    Broken(Broken),
}

/// What a path breaks that it should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What broke first.
    pub invariant: Invariant,
    /// What was expected and what was found.
    pub text: String,
    /// The operation at which it broke; the number of operations for the program's end.
    pub op: u32,
}

/// What the steps of some nodes lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The fingerprint of the state at boot.
    pub boot: u64,
    /// Each step of each node, in their order; nothing behind the first one that broke something.
    pub reached: Vec<Reached>,
    /// What the steps exercised, in the order of [`KINDS`].
    pub exercised: [u64; KINDS.len()],
    /// How often each invariant was judged in the steps.
    pub judged: Counts,
}

impl<'s> Space<'s> {
    /// A space of which nothing has been explored.
    #[must_use]
    pub fn new(of: Examiner<'s>, steps: Vec<Vec<Op>>, merge: bool) -> Space<'s> {
        Space { of, steps, merge, machine: Machine::new(), judge: Judge::default(), boot: None }
    }

    /// How many steps the alphabet has.
    #[must_use]
    pub fn width(&self) -> u8 {
        self.steps.len() as u8
    }

    /// With how many entries the subject's batches are full.
    #[must_use]
    pub fn full(&self) -> u16 {
        self.of.rules.room.batch
    }

    /// A path as a program.
    #[must_use]
    pub fn program(&self, path: Path) -> Program {
        program(&self.steps, path)
    }

    /// The state at boot.
    pub fn root(&mut self) -> Node {
        let fingerprint = match self.boot {
            Some(fingerprint) => fingerprint,
            None => self.run(&Program::default(), 0).0,
        };
        self.boot = Some(fingerprint);
        Node { fingerprint, path: Path::default() }
    }

    /// Takes every step of every path, until one breaks something. `begins` is told the number of the step that is taken
    /// next, as it lies in [`Expanded::reached`].
    pub fn expand(&mut self, paths: &[Path], mut begins: impl FnMut(u32)) -> Expanded {
        let boot = self.root().fingerprint;
        let mut exercised = Exercised::of_batches(self.full());
        let mut judged = Counts::default();
        let mut reached = Vec::with_capacity(paths.len() * self.steps.len());
        let width = self.width();
        for (path, step) in paths.iter().flat_map(|&path| (0..width).map(move |step| (path, step))) {
            begins(reached.len() as u32);
            reached.push(self.step(path, step, &mut exercised, &mut judged));
            if matches!(reached.last(), Some(Reached::Broken(_))) {
                break;
            }
        }
        Expanded { boot, reached, exercised: exercised.counts, judged }
    }

    /// Runs a program, of which the operations from `new` on are looked at for the first time; the fingerprint of what it
    /// leads to, and what the oracles say.
    pub fn run(&mut self, program: &Program, new: usize) -> (u64, Prefix) {
        self.machine.run(self.of.subject, program);
        let events = self.machine.events();
        let mut state = DefaultHasher::new();
        let prefix = self.judge.prefix(events, self.since(new), self.of.rules, &mut state);
        self.machine.fingerprint(&mut state);
        self.of.subject.fingerprint().hash(&mut state);
        (state.finish(), prefix)
    }

    /// The events that the program's operations from `new` on made in the last run.
    fn since(&self, new: usize) -> Range<usize> {
        let events = self.machine.events();
        let end = self.machine.program_events();
        events[..end].partition_point(|event| (event.op as usize) < new)..end
    }

    /// The events of the last run.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.machine.events()
    }

    /// Goes one step on from where a path leads; what the step exercised is counted.
    pub fn step(&mut self, path: Path, step: u8, exercised: &mut Exercised, judged: &mut Counts) -> Reached {
        let path = path.with(step);
        let program = self.program(path);
        let before = program.ops().len() - self.steps[usize::from(step)].len();
        let (fingerprint, prefix) = self.run(&program, before);
        let since = self.since(before);
        exercised.add_since(&self.events()[..since.end], since.start);
        judged.iter_mut().zip(prefix.judged).for_each(|(all, new)| *all += u64::from(new));
        if let Some(reached) = self.broken(&program, &prefix) {
            return reached;
        }
        if prefix.so_far.misuse.is_some() {
            Reached::Misuse
        } else if prefix.so_far.cut.is_some() {
            Reached::Cut
        } else {
            Reached::State(if self.merge { fingerprint } else { of_path(path) })
        }
    }

    /// What broke, the program's own doing apart.
    fn broken(&mut self, program: &Program, prefix: &Prefix) -> Option<Reached> {
        let so_far = self.blamed(&prefix.so_far);
        let ended = prefix.ended.as_ref().map(|ended| self.blamed(ended)).unwrap_or_default();
        let verdict = match (so_far, prefix.ended.as_ref()) {
            (0, Some(verdict)) if ended != 0 => verdict,
            (0, _) => return None,
            (_, _) => &prefix.so_far,
        };
        // Of a run that may go on its end is not looked at.
        let end = if ended == 0 { self.machine.program_events() } else { self.machine.events().len() };
        let every = self.judge.judge_every(&self.machine.events()[..end], self.of.rules, true);
        let blames = |violation: &&Violation| verdict.since.is_none_or(|at| violation.event < at);
        let goes_on = |violation: &&Violation| ended != 0 || violation.event < end;
        let faults: Vec<_> = every.violations.iter().filter(blames).filter(goes_on).cloned().collect();
        let explained = self.of.names(self.events(), &faults);
        if explained.iter().all(Option::is_some) {
            let mut names: Vec<_> = explained.into_iter().flatten().collect();
            names.sort_unstable();
            names.dedup();
            return Some(Reached::Known(names.join(" or ")));
        }
        let unknown =
            faults.iter().zip(&explained).filter(|(_, finding)| finding.is_none()).map(|(unknown, _)| unknown);
        let first = unknown.min_by_key(|violation| violation.event)?.clone();
        let every = self.judge.judge_every(&self.machine.events()[..end], self.of.rules, false).violations;
        let first = every.into_iter().find(|one| (one.event, one.invariant) == (first.event, first.invariant))?;
        let op = self.events().get(first.event).map_or(program.ops().len() as u32, |event| event.op);
        Some(Reached::Broken(Broken { invariant: first.invariant, text: first.text, op }))
    }

    /// What the subject is to be blamed for, as bits: what broke before the program's own misuse.
    fn blamed(&self, verdict: &Verdict) -> u32 {
        let blamed = verdict.violations.iter().filter(|violation| verdict.since.is_none_or(|at| violation.event < at));
        blamed.fold(0, |bits, violation| bits | 1 << violation.invariant as u32)
    }
}

/// A path through an alphabet's steps as a program.
#[must_use]
pub fn program(steps: &[Vec<Op>], path: Path) -> Program {
    let ops = path.steps().filter_map(|step| steps.get(usize::from(step))).flatten().copied().collect();
    Program::new(ops).unwrap_or_default()
}

/// Each path is a state of its own.
fn of_path(path: Path) -> u64 {
    let mut state = DefaultHasher::new();
    path.hash(&mut state);
    state.finish()
}
