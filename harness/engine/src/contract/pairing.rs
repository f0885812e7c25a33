//! I2 pairing: per task, the enter and leave hooks strictly alternate, and flush comes only between them.
//!
//! Watches the hooks that the generic layer calls, each for the task whose counters the call moves. It may not judge
//! `flush` from outside the generic layer (kmap, CPA): that is legal anywhere and is no hook of a section. Nor the pause and resume that switch hooks make (Xen 7.2): they bracket the time the task
//! is away, and a task that went between the halves of a call has its own hook still to come.

use super::{Findings, Invariant};
use crate::program::TASKS;
use crate::trace::{Call, Event, Hook, What};

/// See the module.
#[derive(Debug, Default)]
pub struct Pairing {
    entered: [bool; TASKS as usize],
    /// Whose call is in progress, innermost last; `None` for a switch hook's.
    calls: Vec<Option<u8>>,
}

impl Pairing {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.calls.clear();
        self.entered = Default::default();
    }

    /// Takes the next event in.
    pub fn watch(&mut self, at: usize, event: &Event, findings: &mut Findings) {
        match event.what {
            What::Call(call, _) => {
                let by_switch_hook = event.below && matches!(call, Call::TaskPause(_) | Call::TaskResume(_));
                self.calls.push((!by_switch_hook).then(|| call.subject_of(event.task)));
            }
            What::Return(..) => {
                self.calls.pop();
            }
            What::Hook(hook, _) => {
                let Some(&Some(task)) = self.calls.last() else { return };
                let entered = &mut self.entered[usize::from(task)];
                if *entered == (hook == Hook::Enter) {
                    findings.report(Invariant::I2, at, || {
                        let state = if hook == Hook::Enter { "entered already" } else { "not entered" };
                        format!("hook {} for T{task}, which has {state}", hook.name())
                    });
                }
                *entered = match hook {
                    Hook::Enter => true,
                    Hook::Leave => false,
                    Hook::Flush => *entered,
                };
            }
            _ => {}
        }
    }
}
