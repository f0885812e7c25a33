//! I1 balance: a section's end restores the counters its beginning found, and neither counter ever wraps.
//!
//! Watches the counters around every call, and those of every task at its exit and at the end of the program: nobody
//! may be left in a section or a pause. Of a generation without counters it judges the mode that each
//! CPU is left with. It may not judge the end of a run that stopped early. It does not ask whose fault it is: an
//! unbalanced program breaks it too.

use super::{Findings, Invariant, Rules};
use lazy_mmu_abi::trace::{Call, Counters, Event, What};
use lazy_mmu_program::{CPUS, TASKS};

/// See the module.
#[derive(Debug, Default, Hash)]
pub struct Balance {
    /// The counters before each call in progress: calls nest in a trace.
    calls: Vec<Counters>,
    /// The last known counters of every task, the switch hooks' own pauses apart.
    last: [Counters; TASKS as usize],
    /// The architecture's mode on each CPU, of a generation without counters: as reported since the last call that ends it.
    on: [bool; CPUS as usize],
    /// The generation keeps counters.
    counters: bool,
    /// Somebody may be left in a section, or a CPU in the mode.
    may_be_left: bool,
}

impl Balance {
    /// Before the first event.
    pub fn reset(&mut self, rules: Rules) {
        self.counters = rules.counters;
        self.may_be_left = false;
        self.calls.clear();
        self.last = Default::default();
        self.on = Default::default();
    }

    /// Takes the next event in.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, findings: &mut Findings) {
        match event.what {
            What::Call(_, before) => self.calls.push(before),
            What::Return(call, after) => {
                let Some(before) = self.calls.pop() else { return };
                if !event.below {
                    self.last[usize::from(call.subject_of(event.task))] = after;
                }
                if self.counters {
                    self.may_be_left = true;
                    findings.judged(Invariant::I1);
                } else if matches!(call, Call::Disable | Call::Pause) {
                    // What was reported before the call says nothing of the mode behind it.
                    self.on[usize::from(event.cpu)] = false;
                }
                if let Some(counter) = wrapped(call, before, after) {
                    findings.report(Invariant::I1, at, || {
                        format!(
                            "{}: {counter} wrapped, from {}/{} to {}/{}",
                            call.name(),
                            before.enable,
                            before.pause,
                            after.enable,
                            after.pause
                        )
                    });
                }
            }
            What::Fork { child, counters } => self.last[usize::from(child)] = counters,
            What::Exit { task, .. } => {
                if self.counters {
                    findings.judged(Invariant::I1);
                }
                self.left_open(task, at, "ended", findings);
            }
            What::Mode { arch, task: None } => {
                self.may_be_left = true;
                self.on[usize::from(event.cpu)] = arch;
            }
            _ => {}
        }
    }

    /// At the end of a program that ran to its end: `end` events.
    pub fn finish(&mut self, end: usize, findings: &mut Findings) {
        if self.may_be_left {
            findings.judged(Invariant::I1);
        }
        (0..TASKS).for_each(|task| self.left_open(task, end, "is left", findings));
        if let Some(cpu) = self.on.iter().position(|on| *on) {
            findings.report(Invariant::I1, end, || format!("the mode is left on, on CPU {cpu}"));
        }
    }

    fn left_open(&mut self, task: u8, at: usize, how: &str, findings: &mut Findings) {
        let left = std::mem::take(&mut self.last[usize::from(task)]);
        if (left.enable, left.pause) != (0, 0) {
            findings.report(Invariant::I1, at, || {
                format!("T{task} {how} with enable_count {} and pause_count {}", left.enable, left.pause)
            });
        }
    }
}

/// Which counter wrapped: one call moves a counter by one, so any other way round is a wrap.
fn wrapped(call: Call, before: Counters, after: Counters) -> Option<&'static str> {
    let jump = |a: u8, b: u8| a.abs_diff(b) > 1;
    match call {
        Call::Enable | Call::Disable => jump(before.enable, after.enable).then_some("enable_count"),
        _ => jump(before.pause, after.pause).then_some("pause_count"),
    }
}
