//! I7 preempt: a section gives back the preempt_count it found; where the batch is the CPU's, preemption is off while a
//! section is active; nobody sleeps in atomic context, and nobody works on a batch with preemption on. Where a flush
//! borrows the CPU (sparc64 turns interrupts off and takes the secondary context), it gives both back.
//!
//! Watches the counts that calls leave behind, sleeps, instructions on per-CPU state, and what goes out. It may not judge
//! the count of a call in interrupt context, which does not belong to the task; nor that of a section under a lock of the
//! program's, which keeps preemption off by itself: so it was required before 6.1 (powerpc) and 6.15 (sparc64).

use lazy_mmu_arches::mmu::Mmu;

use super::legality::Legality;
use super::{Findings, Invariant, Rules};
use lazy_mmu_abi::trace::{Burst, Event, What};
use lazy_mmu_program::TASKS;

/// See the module.
#[derive(Debug, Default, Hash)]
pub struct Preemption {
    /// What the backend holds of each task's preempt_count.
    held: [i32; TASKS as usize],
}

/// Something went out: where that borrows the CPU, it is given back.
pub fn given_back(at: usize, event: &Event, burst: Burst, rules: Rules, findings: &mut Findings) {
    if rules.mmu == Mmu::Sun4u {
        findings.judged(Invariant::I7);
    }
    if burst.borrowed {
        let cpu = event.cpu;
        findings.report(Invariant::I7, at, || {
            format!("a flush does not give back CPU {cpu}'s interrupts and secondary context as it found them")
        });
    }
}

impl Preemption {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.held = Default::default();
    }

    /// Takes the next event in; `legality` has seen it already.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, rules: Rules, legality: &Legality, findings: &mut Findings) {
        let task = event.task;
        match event.what {
            What::PreemptCount(count) => self.held[usize::from(task)] = count,
            What::Return(..) if !event.below && !event.interrupt => {
                let held = self.held[usize::from(task)];
                if legality.is_outside(task) {
                    findings.judged(Invariant::I7);
                    if held != 0 {
                        findings.report(Invariant::I7, at, || {
                            format!("T{task} is outside any section and preempt_count is {held:+} from what it was")
                        });
                    }
                } else if rules.mmu.batch_needs_this_cpu() && legality.active(task) && !legality.is_atomic(task) {
                    findings.judged(Invariant::I7);
                    if held <= 0 {
                        let cpu = event.cpu;
                        findings.report(Invariant::I7, at, || {
                            format!("T{task}'s section is active with preemption on: it can leave CPU {cpu}'s batch")
                        });
                    }
                }
            }
            What::Fork { child, .. } => self.held[usize::from(child)] = 0,
            What::Atomic { count, voluntary: true } => findings.report(Invariant::I7, at, || {
                let how = if event.interrupt && count == 0 { "in interrupt context" } else { "while atomic" };
                format!("T{task} sleeps {how}: preempt_count {count}")
            }),
            What::Preemptible(op) => findings.report(Invariant::I7, at, || {
                format!("`{}` works on CPU {}'s batch with preemption on", op.mnemonic(), event.cpu)
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Invariant;
    use crate::tests::check;

    #[test]
    fn programs_that_break_it_and_programs_that_do_not() {
        #[rustfmt::skip]
        let cases = [
            ("zoo/sparc-no-preempt-disable", "enable; disable", true),
            ("counted/sparc64", "enable; disable", false),
            ("counted/sparc64", "enable; sleep; disable", true),
            ("counted/none", "lock 0; sleep; unlock 0", true),
            ("counted/none", "lock 0; unlock 0; sleep", false),
            ("counted/powerpc64-hash", "enable; pause; resume; disable", false),
            ("stateless/powerpc64-hash", "enable; irq { enable }; disable", true),
            ("zoo/ppc-flush-missing-radix", "enable; enable; disable; disable", true),
            // A call in interrupt context does not belong to the task.
            ("zoo/sparc-no-preempt-disable", "irq { enable; disable }; bh_off; enable; disable; bh_on", false),
            // A call in which the kernel dies never returns.
            ("stateless/x86_64-xen", "disable", false),
            ("counted/x86_64-xen@7.0", "enable; disable between { preempt T1; switch T0 }", false),
            // A lock of the program's keeps preemption off too.
            ("zoo/sparc-no-preempt-disable", "lock 0; enable; disable; unlock 0", false),
            ("zoo/sparc-no-preempt-disable", "lock 0; unlock 0; enable; disable", true),
            // Where preemption stays on, a section is no atomic context.
            ("counted/aarch64", "enable; sleep; disable", false),
        ];
        check(Invariant::I7, &cases);
    }
}
