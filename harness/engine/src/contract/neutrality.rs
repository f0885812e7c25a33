//! I12 switch-neutral: a task comes back with the counters and activity it left with; a new task starts at 0/0; and
//! where the architecture keeps a mark of its own, that mark says what the running task's counters say.
//!
//! Watches both sides of every switch, forks, and the marks the machine reports when no call of the running task is in
//! progress. It may not judge a mark between the halves of a call, where the two may differ, nor a task whose
//! counters a program moved while it was away (`task_pause`).

use super::{Findings, Invariant};
use crate::program::TASKS;
use crate::trace::{Counters, Event, What};

/// See the module.
#[derive(Debug, Default)]
pub struct Neutrality {
    away: [Option<Counters>; TASKS as usize],
}

impl Neutrality {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.away = Default::default();
    }

    /// Takes the next event in.
    pub fn watch(&mut self, at: usize, event: &Event, findings: &mut Findings) {
        match event.what {
            What::SwitchOut { counters, .. } => self.away[usize::from(event.task)] = Some(counters),
            What::SwitchIn { counters, .. } => {
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
            What::Return(call, counters) if !event.below => {
                let about = call.subject_of(event.task);
                if about != event.task {
                    self.away[usize::from(about)] = Some(counters);
                }
            }
            What::Fork { child, counters } => {
                self.away[usize::from(child)] = Some(counters);
                if (counters.enable, counters.pause) != (0, 0) {
                    findings.report(Invariant::I12, at, || {
                        format!("the new task T{child} starts at {}/{}, not at 0/0", counters.enable, counters.pause)
                    });
                }
            }
            What::Mode { arch, task } if arch != task => findings.report(Invariant::I12, at, || {
                format!("the architecture's mode is {} while T{}'s is {}", on(arch), event.task, on(task))
            }),
            _ => {}
        }
    }
}

fn on(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}
