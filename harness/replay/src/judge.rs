//! The contract, judged on a recording: I1, I2, I5, I7, I11, I12 and I15, for each task.
//!
//! A recording can be what the kernel's code does, line by line, and still show a task that never batches: the checker
//! asks whether a kernel could have recorded a line, the judge whether it should have. It compares what the task's own
//! code did ([`super::task::Own`]) with what the counters made of it.
//!
//! What a recording does not show is not judged: the other invariants need page tables and translations; preempt_count
//! is in no line, so I7 is judged where a batch says that a section had to hold it. A call or an interrupt that breaks
//! a rule of the specification itself never comes here: the checker refuses the line.
//!
//! Called by [`super::check`], [`super::queue`] and [`super::switch`], for each line that was accepted.

use super::expect::Hook;
use super::line::Line;
use super::task::{Call, Outcome, Own, Task};
use lazy_mmu_contract::Invariant;

/// The invariants that are judged.
pub const JUDGED: [Invariant; 7] =
    [Invariant::I1, Invariant::I2, Invariant::I5, Invariant::I7, Invariant::I11, Invariant::I12, Invariant::I15];

/// A pause count from here on is no task's own: nobody nests 128 pauses. It is one that wrapped.
const WRAPPED: u8 = 128;

/// A known finding that a breach is explained by. The names are those of the table of known findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The switch hooks resumed the task, or the task it was copied from, before anybody had paused it.
    NewTask,
    /// A call too many wrapped one of the task's counters.
    Wrap,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 2] = [Cause::NewTask, Cause::Wrap];

    /// The name of the known finding.
    pub fn finding(self) -> &'static str {
        match self {
            Cause::NewTask => "xen-new-task",
            Cause::Wrap => "wrap-disable",
        }
    }
}

/// An invariant that broke, for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The known finding that explains it; nothing known does if there is none.
    pub cause: Option<Cause>,
    /// The first line that breaks it.
    pub line: u64,
    /// What is wrong there.
    pub text: String,
    /// How many lines break it.
    pub times: u64,
    /// How many tasks do.
    pub tasks: u64,
}

/// What became of one invariant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many lines could have broken it.
    pub judged: u64,
    /// How it broke; empty if it held.
    pub breaches: Vec<Breach>,
}

/// What became of each judged invariant, in the order of [`JUDGED`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts([Verdict; JUDGED.len()]);

/// Where a breach is: its task's state, and the line.
struct Place<'a> {
    own: &'a mut Own,
    at: u64,
    cause: Option<Cause>,
}

impl Verdicts {
    /// Each judged invariant with its verdict.
    pub fn all(&self) -> impl Iterator<Item = (Invariant, &Verdict)> {
        JUDGED.into_iter().zip(&self.0)
    }

    /// Every breach.
    pub fn breaches(&self) -> impl Iterator<Item = &Breach> {
        self.0.iter().flat_map(|verdict| &verdict.breaches)
    }

    /// Something could have broken `invariant`.
    #[inline]
    fn judged(&mut self, invariant: Invariant) {
        self.0[place_of(invariant)].judged += 1;
    }

    /// `invariant` is broken.
    #[cold]
    fn breaks(&mut self, invariant: Invariant, place: Place<'_>, text: impl FnOnce() -> String) {
        let at = place_of(invariant);
        let again = place.own.broken & (1 << at) != 0;
        place.own.broken |= 1 << at;
        let breaches = &mut self.0[at].breaches;
        match breaches.iter_mut().find(|breach| breach.cause == place.cause) {
            Some(breach) => {
                breach.times += 1;
                breach.tasks += u64::from(!again);
            }
            None => breaches.push(Breach { cause: place.cause, line: place.at, text: text(), times: 1, tasks: 1 }),
        }
    }

    /// A call that was not made in an interrupt; `by_switch` if a context switch made it, not the task.
    pub fn call(&mut self, line: &Line, at: u64, task: &mut Task, call: Call, outcome: &Outcome, by_switch: bool) {
        let alone = match call {
            Call::Disable => task.own.open == 0 && task.own.open_in_pause == 0,
            Call::Resume => task.own.pauses == 0,
            _ => false,
        };
        self.judged(Invariant::I1);
        self.judged(Invariant::I15);
        if outcome.warned {
            let row = call.row(false, outcome.before);
            task.own.wrapped |= !by_switch;
            let cause = if alone { Some(Cause::Wrap) } else { explains(&task.own) };
            let name = task.name();
            let what = || format!("{}: row {row}, the count of {name} wraps", shown(line));
            self.breaks(Invariant::I1, Place { own: &mut task.own, at, cause }, what);
            // A warning that the task's own calls earn is right.
            if by_switch || (task.own.paused_at.is_some() && !alone) {
                let what = || format!("{}: a kernel with DEBUG_VM warns, and {name} did nothing wrong", shown(line));
                self.breaks(Invariant::I15, Place { own: &mut task.own, at, cause }, what);
            }
        }
        if !by_switch {
            task.own.made(call, at);
        }
    }

    /// A section begins on an architecture of which no update is recorded: it must at least take effect.
    pub fn section(&mut self, line: &Line, at: u64, task: &mut Task) {
        if task.own.pauses > 0 {
            return;
        }
        self.judged(Invariant::I5);
        if !task.is_active() {
            let cause = explains(&task.own);
            let what = || format!("{}: the section has no effect", shown(line));
            self.breaks(Invariant::I5, Place { own: &mut task.own, at, cause }, what);
        }
    }

    /// A hook of the task's own call.
    pub fn hook(&mut self, line: &Line, at: u64, task: &mut Task, hook: Hook) {
        self.judged(Invariant::I2);
        let enters = hook == Hook::Enter;
        if task.own.entered == enters {
            let cause = explains(&task.own);
            let state = if enters { "is in the mode already" } else { "is not in the mode" };
            let name = task.name();
            let what = || format!("{}: {name} {state}", shown(line));
            self.breaks(Invariant::I2, Place { own: &mut task.own, at, cause }, what);
        }
        task.own.entered = enters || (hook == Hook::Flush && task.own.entered);
    }

    /// An update in task context, left for later or not.
    #[inline]
    pub fn update(&mut self, line: &Line, at: u64, task: &mut Task, deferred: bool) {
        if task.own.open == 0 || task.own.pauses > 0 {
            return;
        }
        self.judged(Invariant::I5);
        if !deferred {
            let cause = explains(&task.own);
            let name = task.name();
            let what = || format!("{}: made at once in a section of {name}", shown(line));
            self.breaks(Invariant::I5, Place { own: &mut task.own, at, cause }, what);
        }
    }

    /// An address joined the batch of a CPU that the task must not leave.
    #[inline]
    pub fn batched(&mut self, line: &Line, at: u64, task: &mut Task) {
        self.judged(Invariant::I7);
        if task.holds == 0 {
            let cause = explains(&task.own);
            let name = task.name();
            let what =
                || format!("{}: the batch fills, and no enter has turned preemption off for {name}", shown(line));
            self.breaks(Invariant::I7, Place { own: &mut task.own, at, cause }, what);
        }
    }

    /// A leave hook of an architecture whose sections hold preemption off.
    pub fn released(&mut self, line: &Line, at: u64, task: &mut Task) {
        self.judged(Invariant::I7);
        if task.holds > 0 {
            let cause = explains(&task.own);
            let (name, holds) = (task.name(), task.holds);
            let what = || format!("{}: {name} leaves, and {holds} more enters hold preemption off", shown(line));
            self.breaks(Invariant::I7, Place { own: &mut task.own, at, cause }, what);
        }
    }

    /// A line from an interrupt: the checker has seen that it left the task alone.
    #[inline]
    pub fn interrupt(&mut self) {
        self.judged(Invariant::I11);
    }

    /// Another task than before runs on a CPU, on an architecture that does not record switches: the checker has seen
    /// that the counts are those it had.
    #[inline]
    pub fn changed_task(&mut self) {
        self.judged(Invariant::I12);
    }

    /// A task comes to run, at the counts it now has: by a recorded switch, or at its first line.
    pub fn arrives(&mut self, line: &Line, at: u64, task: &mut Task) {
        let counts = task.counts();
        let left = task.own.away.take();
        let expected = left.unwrap_or((if task.own.has_run { counts.0 } else { task.own.open }, task.own.pauses));
        let first = !std::mem::replace(&mut task.own.has_run, true);
        self.judged(Invariant::I12);
        if counts.1 == task.own.pauses {
            task.own.recovered |= task.own.paused_at.is_some();
        } else if first {
            task.own.paused_at = Some(at);
        }
        if counts == expected {
            return;
        }
        let cause = explains(&task.own);
        let name = task.name();
        let what = || match left {
            Some((enable, pause)) => format!("{}: {name} was switched out at {enable} {pause}", shown(line)),
            None if first => format!("{}: {name} runs paused, and has paused nothing", shown(line)),
            None => format!("{}: {name} runs again, and was not switched out", shown(line)),
        };
        self.breaks(Invariant::I12, Place { own: &mut task.own, at, cause }, what);
    }
}

impl Own {
    /// Takes over a task of which the recording did not show the beginning.
    pub fn adopt(&mut self, (enable, pause): (u8, u8), entered: bool) {
        self.open = enable;
        self.pauses = if pause < WRAPPED { pause } else { 0 };
        self.entered = entered;
    }

    /// A call of the task's own code.
    fn made(&mut self, call: Call, at: u64) {
        let inside = self.pauses > 0;
        self.has_run = true;
        match call {
            Call::Enable if inside => self.open_in_pause = self.open_in_pause.saturating_add(1),
            Call::Enable => {
                if self.open == 0 {
                    self.opened_at = at;
                }
                self.open = self.open.saturating_add(1);
            }
            Call::Disable if inside => self.open_in_pause = self.open_in_pause.saturating_sub(1),
            Call::Disable => self.open = self.open.saturating_sub(1),
            Call::Pause => self.pauses = self.pauses.saturating_add(1),
            Call::Resume => self.pauses = self.pauses.saturating_sub(1),
            Call::TaskPause | Call::TaskResume => {}
        }
    }
}

/// The known finding that is behind what a task does wrong: the first switch-in that left it paused, or a call of its own
/// that wrapped a counter.
fn explains(own: &Own) -> Option<Cause> {
    match own.paused_at {
        Some(_) => Some(Cause::NewTask),
        None => own.wrapped.then_some(Cause::Wrap),
    }
}

/// Where [`JUDGED`] has the invariant.
#[inline]
fn place_of(invariant: Invariant) -> usize {
    match invariant {
        Invariant::I1 => 0,
        Invariant::I2 => 1,
        Invariant::I5 => 2,
        Invariant::I7 => 3,
        Invariant::I11 => 4,
        Invariant::I12 => 5,
        _ => 6,
    }
}

/// A line as it stands in the file, without who and where.
fn shown(line: &Line) -> String {
    let text = line.to_string();
    text.split(" from ").next().unwrap_or_default().to_owned()
}
