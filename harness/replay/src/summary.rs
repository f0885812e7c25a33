//! What a recording exercised, counted while it is replayed.
//!
//! A replay that found nothing wrong says little unless one knows what it saw: no nested section, no full batch and no
//! pause is a recording that could not have shown the defects of those. Hence the counts, and hence the warnings, which
//! are conformant and still what a reader wants to look at.
//!
//! Not here: its text ([`super::report`]), and what the contract says ([`super::judge`]).

use super::expect::Hook;
use super::header::Arch;
use super::judge::Verdicts;
use super::line::Event;
use super::task::{Call, Outcome as Done};
use std::fmt;

/// How many warnings are kept with their line; all are counted.
const KEPT_WARNINGS: usize = 32;

/// How many notes of a kind are kept; all are counted.
const KEPT_NOTES: usize = 8;

/// A line at which the specification says that the kernel warns. It is conformant: the counters wrapped as they must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The line in the file, header included.
    pub line: u64,
    /// The task's pid.
    pub pid: u32,
    /// The call.
    pub event: Event,
    /// The row of table 10.6: E5, D5, P5 or R2.
    pub row: &'static str,
    /// The counts after the call.
    pub counts: (u8, u8),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (enable, pause) = self.counts;
        write!(f, "line {}: `{} {enable} {pause}` of pid {}", self.line, self.event.name(), self.pid)?;
        write!(f, " warns (row {})", self.row)
    }
}

/// The warnings of a recording: the first ones, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// All of them.
    pub total: u64,
    /// The first ones, in order.
    pub first: Vec<Warning>,
}

/// What is said of a recording beside its counts: the first notes of a kind, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// All of them.
    pub total: u64,
    /// The first ones, in order.
    pub first: Vec<String>,
}

impl Notes {
    #[cold]
    fn add(&mut self, note: String) {
        self.total += 1;
        if self.first.len() < KEPT_NOTES {
            self.first.push(note);
        }
    }
}

/// What the updates made inside sections cost. Without the mode each would be an operation: barriers on aarch64, a flush
/// on powerpc64 and sparc64, a hypercall on Xen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Updates made inside sections, by the task's own code: deferred or not, in a pause or not.
    pub changes: u64,
    /// The operations they took: one for each that was made at once, one for each lot that was deferred together.
    pub operations: u64,
}

/// What the replay of a recording came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every line is one that a kernel could have recorded, and no judged invariant broke.
    Holds,
    /// A judged invariant broke.
    Breaks,
    /// Nothing broke, but a part of what happened is not in the recording: it began in the middle, or lost events.
    Part,
}

/// What a replayed recording contained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The name the replay was given.
    pub name: String,
    /// The architecture, from the header or from the first event that only one records.
    pub arch: Option<Arch>,
    /// Lines in the file, header included.
    pub lines: u64,
    /// Event lines.
    pub events: u64,
    /// Tasks seen; each CPU's idle task is one.
    pub tasks: u64,
    /// CPUs seen.
    pub cpus: u64,
    /// Outermost sections opened (row E3).
    pub sections: u64,
    /// Sections opened inside another (rows E4 and E5).
    pub nested: u64,
    /// Pauses that left the mode (row P3), those of context switches not counted.
    pub pauses: u64,
    /// Pauses inside a pause or outside any section (rows P2, P4 and P5).
    pub idle_pauses: u64,
    /// `enable` and `disable` while paused, which have no effect (rows E2 and D2).
    pub calls_while_paused: u64,
    /// Calls in interrupt context, which have no effect (rows E1, D1, P1 and R1).
    pub calls_in_interrupt: u64,
    /// Enter hooks.
    pub enters: u64,
    /// Flush hooks.
    pub flushes: u64,
    /// Leave hooks.
    pub leaves: u64,
    /// Updates left for later: `queue_deferred`, `batch_add`, `mmu_queued`.
    pub deferred: u64,
    /// What made deferred updates take effect: `barriers` of a hook, `flush_pending`, `mc_flush`.
    pub completions: u64,
    /// Updates that took effect at once: `queue_emitted`, `flush_immediate`, `mmu_issued`, `mmu_immediate`.
    pub immediate: u64,
    /// `barriers` that neither a hook nor `queue_emitted` explains: `ptep_try_set()` emits its own.
    pub direct_barriers: u64,
    /// Context switches (recorded on Xen only).
    pub switches: u64,
    /// Tasks that ran for the first time (recorded on Xen only).
    pub new_tasks: u64,
    /// Lines that an interrupt recorded between a call's counter update and the call's own line.
    pub recorded_early: u64,
    /// Lines at which the kernel warns.
    pub warnings: Warnings,
    /// What each judged invariant came to.
    pub verdicts: Verdicts,
    /// What the updates inside sections cost.
    pub cost: Cost,
    /// The tasks that never ran unpaused since a switch first left them paused: pid, and the CPU of their first line.
    pub paused_for_life: Vec<(u32, u16)>,
    /// The first sequence number.
    pub first_seq: u64,
    /// The recording began in the middle: the first line is not its kernel's first.
    pub begun_amid: bool,
    /// The states that tasks and batches must have had where the recording began, or went on after lost events.
    pub assumed: Notes,
    /// Events that the recorder lost.
    pub lost: u64,
    /// How often it lost some.
    pub gaps: u64,
    /// What the end of the file leaves open, in words that follow "the recording ends".
    pub open_ends: Vec<String>,
    /// How many events the header promises, if the file has fewer.
    pub wrote: Option<u64>,
    /// The last line has no newline and no sense: it was cut, and was left out.
    pub cut_line: bool,
    /// Lines with fields behind the last one that the event has.
    pub longer_lines: u64,
    /// What the recorder always did but here, although no rule demands it.
    pub unusual: Notes,
}

impl Summary {
    /// What the replay came to.
    pub fn outcome(&self) -> Outcome {
        if self.verdicts.breaches().next().is_some() {
            Outcome::Breaks
        } else if self.assumed.total > 0 || self.gaps > 0 {
            Outcome::Part
        } else {
            Outcome::Holds
        }
    }

    /// Something that was always otherwise in this recording.
    #[cold]
    pub(super) fn unusual(&mut self, at: u64, what: String) {
        self.unusual.add(format!("line {at}: {what}, against all before"));
    }

    /// A state in the middle of which the recording began.
    #[cold]
    pub(super) fn assumed(&mut self, what: String) {
        self.assumed.add(what);
    }

    /// Counts a call.
    #[inline]
    pub(super) fn call(&mut self, call: Call, irq: bool, outcome: &Done) {
        if irq {
            self.calls_in_interrupt += 1;
            return;
        }
        match (call, outcome.before) {
            (Call::Enable | Call::Disable, (_, 1..)) => self.calls_while_paused += 1,
            (Call::Enable, (0, _)) => self.sections += 1,
            (Call::Enable, _) => self.nested += 1,
            (Call::Pause, _) if outcome.hook.is_some() => self.pauses += 1,
            (Call::Pause, _) => self.idle_pauses += 1,
            _ => {}
        }
    }

    /// Counts a hook.
    #[inline]
    pub(super) fn hook(&mut self, hook: Hook) {
        match hook {
            Hook::Enter => self.enters += 1,
            Hook::Flush => self.flushes += 1,
            Hook::Leave => self.leaves += 1,
        }
    }

    /// Counts a warning, and keeps it if it is one of the first.
    #[cold]
    pub(super) fn warn(&mut self, warning: Warning) {
        self.warnings.total += 1;
        if self.warnings.first.len() < KEPT_WARNINGS {
            self.warnings.first.push(warning);
        }
    }
}
