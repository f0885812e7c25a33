//! Whether what has happened is the cause of a violation.
//!
//! A violation is judged at its event: what it is about (an entry, a hook, a count) must be as the cause left it. Not here:
//! how that is known ([`super::past`]), which finding it is ([`super::KNOWN`]).

use lazy_mmu_arches::page::PteRef;
use lazy_mmu_engine::contract::{Invariant, Violation};
use lazy_mmu_engine::trace::{Event, What, Why};

use super::cause::{Cause, Causes};
use super::form::{Form, Keeps};
use super::past::Past;

impl Past {
    /// The causes of a violation at the event that was taken in last, or at the end of the trace.
    pub(super) fn causes(&self, violation: &Violation, event: Option<&Event>) -> Causes {
        if self.astray || matches!(violation.invariant, Invariant::I10 | Invariant::I13 | Invariant::Model) {
            return Causes::NONE;
        }
        let Some(event) = event else { return self.left() };
        match event.what {
            What::Late(late) => self.late(late.at, late.why),
            What::Walk(at, walked) => {
                let old = self.memory.late(at).or(|| self.missed(event.cpu, at));
                let freed = violation.invariant == Invariant::I14 && walked.freed;
                self.memory.reaches_freed(event.cpu, at).only_if(freed).and(old)
            }
            What::Read { at, .. } => {
                let queue = matches!(self.form.keeps, Keeps::Queue(_));
                let waits = (queue && self.memory.waits(at)).then_some(Cause::ReadsDeferred);
                self.memory.late(at).and(waits)
            }
            What::Reachable { at, cpu, .. } => {
                let old = self.memory.late(at).or(|| self.missed(cpu, at));
                self.now.and(old).and(self.memory.reaches_freed(cpu, at))
            }
            What::Burst(_) | What::Insn(_) => self.forced(event),
            // What waits should not wait; or the task that was switched out should not be preemptible, and was.
            What::Left(_) => self.memory.waits_for(event.cpu).or(|| self.preempted(self.left_by)),
            What::Preemptible(_) => self.preempted(event.task).and(self.label(event)).and(self.emptied(event)),
            What::Atomic { .. } => self.preempted(event.task).and(self.label(event)),
            // A call without a hook leaves preempt_count as the calls before it have left it.
            What::Return(..) if violation.invariant == Invariant::I7 => {
                self.preempted(event.task).and(self.now.only_if(self.hookless))
            }
            _ => self.now,
        }
    }

    fn missed(&self, cpu: u8, at: PteRef) -> Causes {
        self.memory.missed(cpu, at).then_some(Cause::QueuedFlush).into()
    }

    /// A change is not in effect: because it waits, by what a backend of this kind lets wait.
    fn late(&self, at: PteRef, why: Why) -> Causes {
        let Form { keeps, .. } = self.form;
        let waits = match why {
            Why::Table => matches!(keeps, Keeps::Queue(_)),
            Why::Unordered | Why::Unsynchronised => keeps == Keeps::Flag,
            Why::Hash | Why::Tsb => keeps == Keeps::Batch,
            Why::Tlb(_) => matches!(keeps, Keeps::Batch | Keeps::Queue(_)),
            Why::FlushedEarly => true,
        };
        let missed = || if let Why::Tlb(cpu) = why { self.missed(cpu, at) } else { Causes::NONE };
        self.memory.late(at).only_if(waits).or(missed)
    }

    /// Something goes out in an active section: because the mode is off there.
    fn forced(&self, event: &Event) -> Causes {
        match self.in_call() {
            Some(call) => call.cause.and(self.label(event)),
            None => self.label(event).only_if(self.legality.active(event.task) && !self.defers(event)),
        }
    }
}
