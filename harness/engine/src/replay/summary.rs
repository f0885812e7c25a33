//! What a recording exercised, counted while it is replayed.
//!
//! A replay that found nothing wrong says little unless one knows what it saw: no nested section, no full batch and no
//! pause is a recording that could not have shown the defects of those. Hence the counts, and hence the warnings, which
//! are conformant and still what a reader wants to look at.

use super::expect::Hook;
use super::header::Arch;
use super::line::Event;
use super::task::{Call, Outcome};
use crate::trace::counted;
use std::fmt;

/// How many warnings are kept with their line; all are counted.
const KEPT_WARNINGS: usize = 32;

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
}

impl Summary {
    /// Counts a call.
    #[inline]
    pub(super) fn call(&mut self, call: Call, irq: bool, outcome: &Outcome) {
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

impl fmt::Display for Summary {
    /// A short report: what it was, what it exercised, what is worth a look. A count of zero is said too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arch = self.arch.map_or("no architecture recognised".to_owned(), |arch| arch.to_string());
        writeln!(
            f,
            "{}: {arch}, {} events, {}, {}",
            self.name,
            self.events,
            counted(self.tasks, ["task", "tasks"]),
            counted(self.cpus, ["CPU", "CPUs"])
        )?;
        writeln!(f, "  sections       {} outermost, {} nested", self.sections, self.nested)?;
        writeln!(f, "  pauses         {} inside a section, {} without effect", self.pauses, self.idle_pauses)?;
        let (paused, irq) = (self.calls_while_paused, self.calls_in_interrupt);
        writeln!(f, "  no-effect      {paused} calls while paused, {irq} in an interrupt")?;
        let (enters, flushes, leaves) = (self.enters, self.flushes, self.leaves);
        writeln!(f, "  hooks          {enters} enter, {flushes} flush, {leaves} leave")?;
        writeln!(f, "  updates        {} deferred, {} at once", self.deferred, self.immediate)?;
        writeln!(f, "  completions    {}, and {} direct barriers", self.completions, self.direct_barriers)?;
        if self.arch == Some(Arch::XenPv) {
            writeln!(f, "  switches       {}, {} new tasks", self.switches, self.new_tasks)?;
        }
        writeln!(f, "  recorded early {}", self.recorded_early)?;
        writeln!(f, "  warnings       {}", self.warnings.total)?;
        for warning in &self.warnings.first {
            writeln!(f, "    {warning}")?;
        }
        let hidden = self.warnings.total - self.warnings.first.len() as u64;
        if hidden > 0 {
            writeln!(f, "    and {hidden} more")?;
        }
        Ok(())
    }
}
