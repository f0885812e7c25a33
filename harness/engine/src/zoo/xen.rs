//! Defects of x86 under Xen PV: the multicall buffer and the context-switch hooks.

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::x86_64::{Xen, queue};

use super::bent::Bend;
use super::types::{At, Hooked, hooked};
use super::{Form, Grade, History, Specimen, Status, bend};
use crate::contract::Invariant;
use crate::subject::Env;

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/xen-mc-issue-mode-no-switch-flush",
        program: "broken/i6-switch-mid-disable",
        breaks: Invariant::I6,
        history: History {
            ids: "f5df1e0b4bef (7.2), xen_end_context_switch()",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted (7.2)",
        },
        about: "The end of a context switch does not flush the buffer. Of a task that is preempted amid its disable the \
                pause sees count 0 and does nothing, so its updates stay on the CPU (xen-mc-issue-mode).",
        form: Form::Bent(hooked::<SwitchNoFlush>),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/call-pagemap-flush-before-disable",
        program: "broken/i9-flush-before-change",
        breaks: Invariant::I9,
        history: History {
            ids: "52526ca7fdb9; fix proposed 2025-05-30 (RFC 1/6), not in 7.2.13",
            status: Status::Open,
            grade: Grade::C,
            lived: "stateless, counted (6.7 to 7.2)",
        },
        about: "The calls of a buffer are made from the last to the first: a backend that defers users' updates and \
                not their flush. pagemap_scan_pmd_entry() flushes its range before it ends the section, and the TLB is \
                refilled with the entry that is not changed yet.",
        form: Form::Bent(|port| bend("counted/x86_64-xen", port, FlushBeforeUpdates)),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-switch-no-resume",
        program: "broken/i12-switch",
        breaks: Invariant::I12,
        history: History {
            ids: "1d5d1b8a4cd1 (7.2), xen_end_context_switch()",
            status: Status::Hazard,
            grade: Grade::D,
            lived: "counted (7.2)",
        },
        about: "The end of a context switch does not resume the task that comes: it stays paused, and defers nothing \
                any more.",
        form: Form::Bent(hooked::<SwitchNoResume>),
        fixed: "counted/x86_64-xen",
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
