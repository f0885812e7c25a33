//! Defects of x86 under Xen PV: the multicall buffer and the context-switch hooks.

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::x86_64::{Xen, queue};

use super::bent::Bend;
use super::types::{At, Hooked, hooked};
use super::{Specimen, bend};
use crate::contract::Invariant;
use crate::subject::Env;

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/xen-switch-no-flush",
        program: "broken/i6-switch-mid-disable",
        faithful: "counted/x86_64-xen",
        breaks: Invariant::I6,
        about: "The end of a context switch does not flush the buffer. Of a task that is preempted amid its disable the \
                pause sees count 0 and does nothing, so its updates stay on the CPU (xen-mc-issue-mode).",
        make: hooked::<SwitchNoFlush>,
    },
    Specimen {
        name: "zoo/call-pagemap-flush-before-disable",
        program: "broken/i9-flush-before-change",
        faithful: "counted/x86_64-xen",
        breaks: Invariant::I9,
        about: "The calls of a buffer are made from the last to the first: a backend that defers users' updates and \
                not their flush. pagemap_scan_pmd_entry() flushes its range before it ends the section, and the TLB is \
                refilled with the entry that is not changed yet.",
        make: |port| bend("counted/x86_64-xen", port, FlushBeforeUpdates),
    },
    Specimen {
        name: "zoo/xen-switch-no-resume",
        program: "broken/i12-switch",
        faithful: "counted/x86_64-xen",
        breaks: Invariant::I12,
        about: "The end of a context switch does not resume the task that comes: it stays paused, and defers nothing \
                any more.",
        make: hooked::<SwitchNoResume>,
    },
];

enum SwitchNoFlush {}

impl Hooked for SwitchNoFlush {
    type Base = Xen;

    fn end_context_switch<C: At<Xen>>(cx: &mut C, next: C::Task) {
        cx.this_cpu().cpu_lazy.set(false);
        cx.task_lazy_mmu_mode_resume(next);
    }
}

enum SwitchNoResume {}

impl Hooked for SwitchNoResume {
    type Base = Xen;

    fn end_context_switch<C: At<Xen>>(cx: &mut C, _next: C::Task) {
        queue::flush(cx);
        cx.this_cpu().cpu_lazy.set(false);
    }
}

struct FlushBeforeUpdates;

impl Bend for FlushBeforeUpdates {
    fn execute(&self, env: &mut dyn Env, insn: Insn) -> u64 {
        if insn.op != Op::HcMulticall {
            return env.execute(insn);
        }
        let entries = (insn.a..insn.a + insn.b).rev();
        entries.fold(0, |failed, entry| failed | env.execute(Insn { a: entry, b: 1, ..insn }))
    }
}
