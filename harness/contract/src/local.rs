//! I6 CPU-local: what waits in a CPU's batch or buffer belongs to the task that runs there; at a switch nothing is left.
//!
//! Watches what the machine finds in the batch after each switch. It may not judge aarch64's flag, which is the task's
//! and goes where the task goes.

use lazy_mmu_arches::mmu::Mmu;

use super::{Findings, Invariant, Rules};
use lazy_mmu_abi::trace::{Event, What, counted};

/// Takes the next event in: there is no state.
#[inline(always)]
pub fn watch(at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
    match event.what {
        What::SwitchIn { .. } if rules.mmu.batch_needs_this_cpu() || rules.mmu == Mmu::Xen => {
            findings.judged(Invariant::I6);
        }
        What::Left(left) => findings.report(Invariant::I6, at, || {
            let entries = counted(left.entries, ["entry", "entries"]);
            format!("the switch to T{} leaves {entries} in the batch of CPU {}", event.task, event.cpu)
        }),
        _ => {}
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
            ("zoo/xen-mc-issue-mode-no-switch-flush", "enable; set K 0; disable between { preempt T1; switch T0 }", true),
            ("counted/x86_64-xen", "enable; set K 0; disable between { preempt T1; switch T0 }", false),
            ("zoo/sparc-no-preempt-disable", "set U 0; enable; clear U 0; preempt T1; switch T0; disable", true),
            ("zoo/sparc-no-preempt-disable", "set U 0; enable; preempt T1; switch T0; clear U 0; disable", false),
            ("counted/x86_64-xen", "enable; set K 0; preempt T1; switch T0; disable", false),
            // The task's own flag goes where the task goes.
            ("counted/aarch64", "enable; set K 0; preempt T1; switch T0; disable", false),
        ];
        check(Invariant::I6, &cases);
    }
}
