//! The whole reachable space of the counted generation without memory: every value of both counters, reached by calls
//! alone, wrapping included.
//!
//! A state is T0's two counters and where it stands: it runs, in task or in interrupt context (a handler, or bottom halves
//! off: the generic layer asks for one and the same); it is switched out and T1 runs, itself outside or in a section,
//! paused or not; or it stands between the halves of a call, before or after one thing that happens there. From each, the
//! calls that can come there are made on the real code and followed. Call sites that warned are no part of the state:
//! the generic layer does not ask whether it has warned. T1's counters go no further than 1/1: each call moves those
//! of one task, which is checked, so that T1's would be T0's space once more.
//!
//! Each call is judged by the reference model, and, where nothing happens between its halves, compared with its row of
//! the reviewed table. Not here: what backends do. Called by the exploration's command.

mod bench;
mod table;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use lazy_mmu_engine::contract::model::Model;
use lazy_mmu_engine::contract::{Findings, Invariant};
use lazy_mmu_engine::program::{Program, text};
use lazy_mmu_engine::subject::Subject;
use lazy_mmu_engine::trace::{Call, What};
use pathfinding::directed::bfs::bfs_reach;

use super::{End, Failure};
use bench::{Bench, Injection, OTHER, SELF};
use table::{Row, Table};

/// Where T0 stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Task,
    Interrupt,
    /// T1 runs, with these counters.
    Away(u8, u8),
    /// Between the halves of a call, which began with the state's counters; and what has happened there.
    Between(Call, Option<Injection>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    enable: u8,
    pause: u8,
    place: Place,
}

/// A state, and how many transitions led there first.
#[derive(Clone, Copy, Debug)]
struct Node {
    state: State,
    depth: u16,
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.state == other.state
    }
}

impl Eq for Node {}

impl std::hash::Hash for Node {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.state.hash(state);
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Closed {
    /// States by where T0 stands: in task context, in interrupt context, switched out, between halves before and after
    /// something happened there.
    pub states: [usize; 5],
    /// Transitions, those to known states included.
    pub transitions: u64,
    /// Of these, calls that were made on the real code and judged by the model.
    pub calls: u64,
    /// Of these, compared with a row of the reviewed table.
    pub rows: u64,
    /// Calls that warned.
    pub warnings: u64,
    /// Values of `enable_count` and of `pause_count` that were reached.
    pub values: (usize, usize),
    /// Transitions of the longest of the shortest ways to a state.
    pub depth: u16,
    /// How long it took.
    pub time: Duration,
    /// The first transition that is not as the model or the table has it.
    pub failure: Option<Failure>,
    /// Why it ended.
    pub end: End,
}

/// What the states of [`Closed::states`] are called.
pub const PLACES: [&str; 5] = [
    "in task context",
    "in interrupt context",
    "switched out, another task runs",
    "between the halves of a call",
    "between halves, something happened there",
];

const OWN: [Call; 4] = [Call::Enable, Call::Disable, Call::Pause, Call::Resume];
const ABOUT: [Call; 2] = [Call::TaskPause(SELF), Call::TaskResume(SELF)];

/// Walks the whole space of a subject, whose backend must have no state of its own. `watch` may end it.
///
/// # Panics
/// If there is no reviewed table of the counted generation, which the tests of `snapshots` exclude.
pub fn close(subject: &dyn Subject, mut watch: impl FnMut(&Closed) -> ControlFlow<()>) -> Closed {
    let begin = Instant::now();
    let table = lazy_mmu_snapshots::table("counted").and_then(Table::read).expect("the reviewed table of `counted`");
    let walk = RefCell::new(Walk {
        bench: Bench::new(subject),
        model: Model::default(),
        table,
        closed: Closed::default(),
        at: None,
    });
    let boot = Node { state: State { enable: 0, pause: 0, place: Place::Task }, depth: 0 };
    let mut values = ([false; 256], [false; 256]);
    let reach = bfs_reach(boot, |node| walk.borrow_mut().expand(node));
    for node in reach {
        let closed = &mut walk.borrow_mut().closed;
        closed.states[node.state.place.kind()] += 1;
        closed.depth = closed.depth.max(node.depth);
        values.0[usize::from(node.state.enable)] = true;
        values.1[usize::from(node.state.pause)] = true;
        if closed.failure.is_some() {
            closed.end = End::Broken;
        } else if closed.states.iter().sum::<usize>() % 4096 == 0 {
            closed.time = begin.elapsed();
            if watch(closed).is_break() {
                closed.end = End::Interrupted;
            }
        }
        if closed.end != End::Complete {
            break;
        }
    }
    let reached = |values: [bool; 256]| values.iter().filter(|value| **value).count();
    Closed { values: (reached(values.0), reached(values.1)), time: begin.elapsed(), ..walk.into_inner().closed }
}

impl Place {
    fn kind(self) -> usize {
        match self {
            Place::Task => 0,
            Place::Interrupt => 1,
            Place::Away(..) => 2,
            Place::Between(_, None) => 3,
            Place::Between(_, Some(_)) => 4,
        }
    }
}

/// One call: who makes it where, and what happens between its halves.
#[derive(Clone, Copy, Debug)]
struct Made {
    call: Call,
    task: u8,
    interrupt: bool,
    injection: Option<Injection>,
}

struct Walk<'s> {
    bench: Bench<'s>,
    model: Model,
    table: Table,
    closed: Closed,
    /// The state whose transitions are followed.
    at: Option<State>,
}

impl Walk<'_> {
    /// The states that a state's transitions lead to.
    fn expand(&mut self, node: &Node) -> Vec<Node> {
        let state = node.state;
        self.at = Some(state);
        let mut next = Vec::new();
        match state.place {
            Place::Task => {
                next.push(State { place: Place::Interrupt, ..state });
                next.extend(OTHERS.map(|(enable, pause)| State { place: Place::Away(enable, pause), ..state }));
                for call in OWN.into_iter().chain(ABOUT) {
                    let made = Made { call, task: SELF, interrupt: false, injection: None };
                    if let Some((after, reached)) = self.make(made) {
                        next.push(if reached { State { place: Place::Between(call, None), ..state } } else { after });
                    }
                }
            }
            Place::Interrupt => {
                next.push(State { place: Place::Task, ..state });
                for call in OWN.into_iter().chain(ABOUT) {
                    next.extend(
                        self.make(Made { call, task: SELF, interrupt: true, injection: None }).map(|made| made.0),
                    );
                }
            }
            Place::Away(..) => {
                next.push(State { place: Place::Task, ..state });
                for call in OWN.into_iter().chain(ABOUT) {
                    next.extend(
                        self.make(Made { call, task: OTHER, interrupt: false, injection: None }).map(|made| made.0),
                    );
                }
            }
            Place::Between(call, None) => {
                next.extend(self.make(Made { call, task: SELF, interrupt: false, injection: None }).map(|made| made.0));
                next.extend(injections().map(|what| State { place: Place::Between(call, Some(what)), ..state }));
            }
            Place::Between(call, injection) => {
                next.extend(self.make(Made { call, task: SELF, interrupt: false, injection }).map(|made| made.0));
            }
        }
        self.closed.transitions += next.len() as u64;
        next.into_iter().map(|state| Node { state, depth: node.depth + 1 }).collect()
    }

    /// Makes a call in the state at hand: the state after it and whether it has a scheduling point. `None` where it is
    /// not followed: T1's counters would go beyond 1/1, or something broke.
    fn make(&mut self, made: Made) -> Option<(State, bool)> {
        let state = self.at.filter(|_| self.closed.failure.is_none())?;
        let other = if let Place::Away(enable, pause) = state.place { (enable, pause) } else { (0, 0) };
        let there = self.bench.bring(OTHER, other.0, other.1) && self.bench.bring(SELF, state.enable, state.pause);
        if !there {
            self.fail(state, made, "the calls that should lead to these counters do not".to_owned());
            return None;
        }
        let reached = self.bench.make(made.call, made.task, made.interrupt, made.injection);
        let (own, others) = (self.bench.counters(SELF), self.bench.counters(OTHER));
        self.closed.calls += 1;
        self.closed.warnings += self.bench.events().iter().filter(|e| matches!(e.what, What::Warn(_))).count() as u64;
        if let Err(text) = self.judge(state, made, other) {
            self.fail(state, made, text);
            return None;
        }
        let place = match state.place {
            Place::Away(..) if others.enable > 1 || others.pause > 1 => return None,
            Place::Away(..) => Place::Away(others.enable, others.pause),
            Place::Between(..) => Place::Task,
            place => place,
        };
        Some((State { enable: own.enable, pause: own.pause, place }, reached))
    }

    /// What the model and the table say of the call that was made; and that it moved one task's counters alone.
    fn judge(&mut self, state: State, made: Made, other: (u8, u8)) -> Result<(), String> {
        let events = self.bench.events();
        let mut findings = Findings::default();
        self.model.reset();
        events.iter().enumerate().for_each(|(at, event)| self.model.watch(at, event, &mut findings));
        if let Some(violation) = findings.into_violations().next() {
            return Err(violation.text);
        }
        let (own, others) = (self.bench.counters(SELF), self.bench.counters(OTHER));
        let about = made.call.subject_of(made.task);
        let by_other = matches!(made.injection, Some(Injection::Preempted(call)) if call.subject_of(OTHER) == OTHER);
        if about == SELF && !by_other && (others.enable, others.pause) != other {
            return Err("a call about T0 moves T1's counters".to_owned());
        }
        if about == OTHER && (own.enable, own.pause) != (state.enable, state.pause) {
            return Err("a call by T1 moves T0's counters".to_owned());
        }
        if made.injection.is_some() || made.task != SELF {
            return Ok(());
        }
        let found = Row::of(events);
        self.closed.rows += 1;
        match self.table.row(made.call.name(), state.enable, state.pause, made.interrupt) {
            Some(row) if *row == found => Ok(()),
            Some(row) => Err(format!("the reviewed table has: {}; found: {}", row.text(), found.text())),
            None => Err(format!("the reviewed table has no row of {}", made.call.name())),
        }
    }

    fn fail(&mut self, state: State, made: Made, what: String) {
        let program = program(state, made);
        let op = program.ops().len() as u32;
        let text = format!("{} at {}/{}: {what}", made.call.name(), state.enable, state.pause);
        self.closed.failure = Some(Failure { program, steps: 0, invariant: Some(Invariant::Model), text, op });
    }
}

/// T1's counters while it runs.
const OTHERS: [(u8, u8); 4] = [(0, 0), (1, 0), (0, 1), (1, 1)];

fn injections() -> impl Iterator<Item = Injection> {
    let interrupts = OWN.into_iter().chain(ABOUT).map(Injection::Interrupt);
    interrupts.chain(OWN.into_iter().chain(ABOUT).map(Injection::Preempted))
}

/// The program that makes the call in the state.
fn program(state: State, made: Made) -> Program {
    let repeated =
        |call: Call, n: u8| if n == 0 { String::new() } else { format!("repeat {n} {{ {} }}\n", call.name()) };
    let brought = |enable, pause| repeated(Call::Enable, enable) + &repeated(Call::Pause, pause);
    let mut lines = brought(state.enable, state.pause);
    let call = word(made.call);
    if let Place::Away(enable, pause) = state.place {
        lines.push_str("switch T1\n");
        lines.push_str(&brought(enable, pause));
    }
    lines.push_str(&match made.injection {
        Some(Injection::Interrupt(inner)) => format!("{call} between {{ irq {{ {} }} }}", word(inner)),
        Some(Injection::Preempted(inner)) => format!("{call} between {{ preempt T1; {}; preempt T0 }}", word(inner)),
        None if made.interrupt => format!("irq {{ {call} }}"),
        None => call,
    });
    text::parse(&lines).unwrap_or_default()
}

/// A call as programs have it.
fn word(call: Call) -> String {
    match call {
        Call::TaskPause(task) | Call::TaskResume(task) => format!("{} T{task}", call.name()),
        _ => call.name().to_owned(),
    }
}

#[cfg(test)]
mod tests;
