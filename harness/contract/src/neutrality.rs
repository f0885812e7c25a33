//! I12 switch-neutral: a task comes back with the counters and activity it left with; a new task starts at 0/0; and
//! where the architecture keeps a mark of its own, that mark says what the running task's counters say.
//!
//! Watches both sides of every switch, forks, and the marks the machine reports when no call of the running task is in
//! progress. It may not judge a mark between the halves of a call, where the two may differ, nor a task whose
//! counters a program moved while it was away (`task_pause`).

use super::legality::Legality;
use super::{Findings, Invariant};
use lazy_mmu_abi::trace::{Counters, Event, What};
use lazy_mmu_program::TASKS;

/// See the module.
#[derive(Debug, Default, Hash)]
pub struct Neutrality {
    away: [Option<Counters>; TASKS as usize],
    /// The last call of the program: whose counters it moves, and what they were.
    moved: Option<(u8, Counters)>,
}

impl Neutrality {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.away = Default::default();
        self.moved = None;
    }

    /// A program's call moved the counters of a task that is away: it must come back with as much more or less. (The
    /// counters seen meanwhile may hold a pause of the switch hooks, so they are not what it comes back with.)
    fn return_of(&mut self, about: u8, current: u8, after: Counters) {
        let Some((moved, before)) = self.moved.take().filter(|moved| moved.0 == about && about != current) else {
            return;
        };
        if let Some(away) = &mut self.away[usize::from(moved)] {
            away.enable = away.enable.wrapping_add(after.enable.wrapping_sub(before.enable));
            away.pause = away.pause.wrapping_add(after.pause.wrapping_sub(before.pause));
            away.active = away.enable > 0 && away.pause == 0;
        }
    }

    /// Takes the next event in.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, legality: &Legality, findings: &mut Findings) {
        match event.what {
            What::SwitchOut { counters, .. } => self.away[usize::from(event.task)] = Some(counters),
            What::SwitchIn { counters, .. } => {
                findings.judged(Invariant::I12);
                let left = self.away[usize::from(event.task)].take().unwrap_or_default();
                if left != counters {
                    findings.report(Invariant::I12, at, || {
                        format!(
                            "T{} was switched out at {}/{} and comes back at {}/{}",
                            event.task, left.enable, left.pause, counters.enable, counters.pause
                        )
                    });
                }
            }
            What::Call(call, before) if !event.below => self.moved = Some((call.subject_of(event.task), before)),
            What::Return(call, after) if !event.below => self.return_of(call.subject_of(event.task), event.task, after),
            What::Fork { child, counters } => {
                findings.judged(Invariant::I12);
                self.away[usize::from(child)] = Some(counters);
                if (counters.enable, counters.pause) != (0, 0) {
                    findings.report(Invariant::I12, at, || {
                        format!("the new task T{child} starts at {}/{}, not at 0/0", counters.enable, counters.pause)
                    });
                }
            }
            What::Mode { arch, task } => {
                // Where a generation keeps no counters, what the callers have open says it, as long as they pair. They
                // know nothing of a section that the architecture has open for itself.
                let pairs = legality.unpaired().is_none();
                let own = event.below && arch;
                let expected = task.or_else(|| (pairs && !own).then(|| legality.active(event.task)));
                if let Some(expected) = expected {
                    findings.judged(Invariant::I12);
                    if expected != arch {
                        findings.report(Invariant::I12, at, || {
                            format!("the architecture's mode is {} while T{}'s is {}", on(arch), event.task, on(!arch))
                        });
                    }
                }
            }
            _ => {}
        }
    }
}

fn on(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}
