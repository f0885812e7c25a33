//! I2 pairing: per task, the enter and leave hooks strictly alternate, and flush comes only between them.
//!
//! Watches the hooks that the generic layer calls, each for the task whose counters the call moves; where the
//! architecture keeps the mode by itself (before 7.0), per CPU too. It may not judge `flush` from outside the generic
//! layer (kmap, CPA): that is legal anywhere and is no hook of a section. Nor the pause and resume that switch hooks make
//! (Xen 7.2): they bracket the time the task is away, and a task that went between the halves of a call has its own hook
//! still to come.

use lazy_mmu_core::kernel::BugSite;

use super::{Findings, Invariant, Rules};
use lazy_mmu_abi::trace::{Call, Event, Hook, What};
use lazy_mmu_program::TASKS;

/// See the module.
#[derive(Debug, Default, Hash)]
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
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
        match event.what {
            What::Call(call, _) => {
                let by_switch_hook = event.below && matches!(call, Call::TaskPause(_) | Call::TaskResume(_));
                self.calls.push((!by_switch_hook).then(|| call.subject_of(event.task)));
            }
            What::Return(..) => {
                self.calls.pop();
            }
            // Who had this number before has ended.
            What::Fork { child, .. } => self.entered[usize::from(child)] = false,
            // The architecture's own test of the same on this CPU, and the last thing it does.
            What::Bug(site @ (BugSite::EnterLazy | BugSite::LeaveLazy)) => findings.report(Invariant::I2, at, || {
                let how =
                    if site == BugSite::EnterLazy { "enters a mode that is on" } else { "leaves a mode that is off" };
                format!("CPU {} {how}", event.cpu)
            }),
            What::Hook(hook, active) => {
                let Some(&Some(task)) = self.calls.last() else { return };
                findings.judged(Invariant::I2);
                // Where the architecture alone knows, it must alternate on the CPU as well, whoever runs there.
                if !rules.counters && !event.interrupt && active == (hook == Hook::Enter) {
                    findings.report(Invariant::I2, at, || {
                        let state = if active { "on already" } else { "off" };
                        format!("hook {} on CPU {}, where the mode is {state}", hook.name(), event.cpu)
                    });
                }
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
