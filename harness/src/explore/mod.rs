//! Exhaustive exploration: every sequence of an alphabet's steps up to a depth, equal states once; and, for the counted
//! generation without memory, the whole reachable space.
//!
//! | module | what |
//! | --- | --- |
//! | [`alphabet`] | the steps |
//! | [`space`] | states, steps between them, and what a step broke |
//! | [`closed`] | the whole space of the counters |
//! | [`report`] | what is printed |
//!
//! The search itself is `pathfinding`'s breadth-first one: it visits states in the order of their depth, so that what is
//! found first needs the fewest steps, and every run is the same. Not here: what a state is made of, which machine,
//! subject and oracles say themselves. Called by `lazymmu explore`.

pub mod alphabet;
pub mod closed;
pub mod report;
pub mod space;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use lazy_mmu_engine::exercise::Exercised;
use pathfinding::directed::bfs::bfs_reach;

use space::{Counts, Failure, Node, Reached, Space};

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
    /// A path broke what it should not.
    Broken,
    /// As many states as may be kept were found.
    States,
    /// It was interrupted.
    Interrupted,
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
}

/// How many states are expanded between two looks at the clock and at what the caller wants.
const EVERY: usize = 256;

/// Explores a space within bounds. `watch` is told from time to time, and may end it.
pub fn explore(space: &mut Space<'_>, bounds: Bounds, mut watch: impl FnMut(&Explored) -> ControlFlow<()>) -> Explored {
    let begin = Instant::now();
    let root = space.root();
    let exercised = Exercised::of_batches(space.full());
    let explored = RefCell::new(Explored { states: 1, exercised, ..Explored::default() });
    let mut reach = bfs_reach(root, |&node| expand(space, node, bounds.depth, &mut explored.borrow_mut()));
    let mut seen = 0;
    while let Some(node) = reach.next() {
        seen += 1;
        let mut explored = explored.borrow_mut();
        explored.states = seen + reach.remaining_nodes_low_bound();
        explored.expanded = seen;
        explored.depth = explored.depth.max(node.path.len());
        explored.time = begin.elapsed();
        if explored.failure.is_some() {
            explored.end = End::Broken;
        } else if explored.states >= bounds.states {
            explored.end = End::States;
        } else if seen % EVERY == 0 && watch(&explored).is_break() {
            explored.end = End::Interrupted;
        }
        if explored.end != End::Complete {
            break;
        }
    }
    explored.into_inner()
}

/// The states that a node's steps lead to. After a failure nothing more is looked at.
fn expand(space: &mut Space<'_>, node: Node, depth: u8, explored: &mut Explored) -> Vec<Node> {
    let mut next = Vec::new();
    if node.path.len() >= depth {
        return next;
    }
    for step in 0..space.width() {
        explored.transitions += 1;
        match space.step(node, step, &mut explored.exercised, &mut explored.judged) {
            Reached::State(node) => next.push(node),
            Reached::Misuse => explored.misuses += 1,
            Reached::Cut => explored.cuts += 1,
            Reached::Known(findings) => *explored.known.entry(findings.join(" or ")).or_default() += 1,
            Reached::Broken(failure) => {
                explored.failure = Some(*failure);
                break;
            }
        }
    }
    next
}

#[cfg(test)]
mod tests;
