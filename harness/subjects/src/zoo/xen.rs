//! Defects of x86 under Xen PV: the multicall buffer and the context-switch hooks.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_arches::x86_64::pte::xen_set_ptes;
use lazy_mmu_arches::x86_64::{Xen, queue};
use lazy_mmu_core::kernel::TaskState;
use lazy_mmu_core::state::LazyMmuState;

use super::bent::Bend;
use super::types::{At, Counting, Hooked, counting, hooked};
use super::{Caller, Form, Grade, History, Specimen, Status, bend, rewrite};
use lazy_mmu_abi::rules::Invariant;
use lazy_mmu_abi::subject::{Env, Subject};

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
    Specimen {
        name: "zoo/xen-switch-midenable",
        program: "broken/xen-switch-midenable",
        breaks: Invariant::I2,
        history: History {
            ids: "introduced 291b3abed657; reported 2026-02-26; fix 4594437880ce (7.1-rc4), rework 811f0d8caa40 (7.2)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "counted (7.0)",
        },
        about: "Preempted amid its enable, a task enters the mode twice: the switch hook goes by the counter, which is up already.",
        form: Form::Older("counted/x86_64-xen@7.0"),
        fixed: "counted/x86_64-xen@7.1",
    },
    Specimen {
        name: "zoo/xen-switch-middisable",
        program: "broken/xen-switch-middisable",
        breaks: Invariant::I2,
        history: History {
            ids: "introduced 291b3abed657; reported 2026-02-26; fix 4594437880ce (7.1-rc4), rework 811f0d8caa40 (7.2)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "counted (7.0)",
        },
        about: "Preempted amid its disable, a task leaves a mode that the switch hook left, and did not enter again.",
        form: Form::Older("counted/x86_64-xen@7.0"),
        fixed: "counted/x86_64-xen@7.1",
    },
    Specimen {
        name: "zoo/xen-switch-midpause",
        program: "broken/xen-switch-midpause",
        breaks: Invariant::I2,
        history: History {
            ids: "introduced 291b3abed657; reported 2026-02-26; fix 4594437880ce (7.1-rc4), rework 811f0d8caa40 (7.2)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "counted (7.0)",
        },
        about: "The window of xen-switch-middisable in pause.",
        form: Form::Older("counted/x86_64-xen@7.0"),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-switch-midresume",
        program: "broken/xen-switch-midresume",
        breaks: Invariant::I2,
        history: History {
            ids: "introduced 291b3abed657; reported 2026-02-26; fix 4594437880ce (7.1-rc4), rework 811f0d8caa40 (7.2)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "counted (7.0)",
        },
        about: "The window of xen-switch-midenable in resume.",
        form: Form::Older("counted/x86_64-xen@7.0"),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-nested-set-ptes",
        program: "broken/set-ptes-in-section",
        breaks: Invariant::I2,
        history: History {
            ids: "bcc6cc832573 (6.6); 49147beb0ccb; removed by 691ee97e1a9d (6.15)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "stateless (6.6)",
        },
        about: "set_ptes() opens a section of its own inside its callers', and the second enter is a BUG.",
        form: Form::Caller(Caller { wrong: rewrite::set_ptes_opens_a_section, right: None, on: None }),
        fixed: "stateless/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-flush-preempt-window",
        program: "broken/xen-flush-preempt-window",
        breaks: Invariant::I3,
        history: History {
            ids: "v3 patch 2/13, Dave Hansen 2025-10-15; 66bdd779d344; d85cf93da66c (2009)",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v3",
        },
        about: "A task that moves to another CPU between the test of the mode and the flush flushes that CPU's buffer. The \
                switch hook hides it, and is taken away here. Without it any move loses updates, so the window inside \
                a hook is not modelled: the one between the halves of a call serves as well.",
        form: Form::Bent(hooked::<SwitchNoFlush>),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-vmalloc-fault-deferred-pgd",
        program: "broken/xen-vmalloc-fault-deferred-pgd",
        breaks: Invariant::I4,
        history: History {
            ids: "fix 1160c2779b82 (2013, stable)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "stateless (to 3.9)",
        },
        about: "The handler of a fault in a section does not flush what it wrote: its entry is queued, and it reads the old one.",
        form: Form::Bent(|port| bend("counted/x86_64-xen", port, NoOwnFlush)),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-kmap-local-flush",
        program: "broken/xen-kmap-local-flush",
        breaks: Invariant::I4,
        history: History {
            ids: "arch_kmap_local_post_map(), highmem.h (7.2); ad449d856bd7 (6.15)",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "every generation",
        },
        about: "A temporary mapping made in a section is not forced out.",
        form: Form::Bent(|port| bend("counted/x86_64-xen", port, NoOwnFlush)),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-cpa-irq-in-lazy",
        program: "broken/xen-cpa-irq-in-lazy",
        breaks: Invariant::I11,
        history: History {
            ids: "4f06b0436b2d (2009), 7ad9de6",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "stateless (to 2.6.29)",
        },
        about: "Nobody asks for interrupt context, and DEBUG_PAGEALLOC does not flush: the linear map's entry waits in the interrupted task's buffer.",
        form: Form::Bent(|port| bend("counted/x86_64-xen", port, CpaInLazy)),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-read-after-write-same-slot",
        program: "broken/section-sets",
        breaks: Invariant::I8,
        history: History {
            ids: "include/linux/pgtable.h; xen_batched_set_pte()",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "every generation",
        },
        about: "A caller reads back what its section has set and decides on the old value.",
        form: Form::Caller(Caller { wrong: rewrite::reads_back, right: None, on: None }),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-read-after-write-slot-none",
        program: "broken/section-sets",
        breaks: Invariant::I8,
        history: History {
            ids: "include/linux/pgtable.h; vmap_pages_pte_range()",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "every generation",
        },
        about: "vmap's test that a slot is empty, run twice on one address in a section, finds it empty twice.",
        form: Form::Caller(Caller { wrong: rewrite::looks_twice, right: None, on: None }),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-mc-issue-mode-in-interrupt",
        program: "broken/xen-mc-issue-mode-in-interrupt",
        breaks: Invariant::I4,
        history: History {
            ids: "f5df1e0b4bef (7.2), xen_mc_issue()",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted (7.2)",
        },
        about: "What decides whether to issue does not ask for interrupt context: a handler's update stays queued.",
        form: Form::Bent(counting::<IssueInInterrupt, Xen>),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-mc-issue-mode-inverted",
        program: "broken/section-sets",
        breaks: Invariant::I5,
        history: History {
            ids: "f5df1e0b4bef (7.2), xen_mc_issue()",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted (7.2)",
        },
        about: "The bool is inverted: what an active section queues is issued at once.",
        form: Form::Bent(hooked::<IssueInverted>),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/xen-mc-issue-mode-cpu-flag",
        program: "broken/section-sets",
        breaks: Invariant::I5,
        history: History {
            ids: "f5df1e0b4bef (7.2), xen_mc_issue()",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted (7.2)",
        },
        about: "MMU operations consult the CPU's flag, which is set between the switch hooks alone: sections batch nothing.",
        form: Form::Bent(hooked::<IssueByCpuFlag>),
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

/// What the machine's own callers of `arch_flush_lazy_mmu_mode()` ask for.
struct NoOwnFlush;

impl Bend for NoOwnFlush {
    fn flush(&self, _to: &dyn Subject, _env: &mut dyn Env) {}
}

struct CpaInLazy;

/// Two methods: with either alone the other mends it.
impl Bend for CpaInLazy {
    fn in_interrupt(&self, _env: &dyn Env) -> bool {
        false
    }

    fn flush(&self, _to: &dyn Subject, _env: &mut dyn Env) {}
}

enum IssueInInterrupt {}

impl Counting for IssueInInterrupt {
    fn is_active<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
        cx.current_state().is_active()
    }
}

enum IssueInverted {}

impl Hooked for IssueInverted {
    type Base = Xen;

    fn set_ptes<C: At<Xen>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        Xen::set_ptes(cx, at, word, n);
        if cx.is_lazy_mmu_mode_active() {
            Xen::flush(cx);
        }
    }
}

enum IssueByCpuFlag {}

impl Hooked for IssueByCpuFlag {
    type Base = Xen;

    fn set_ptes<C: At<Xen>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        xen_set_ptes(cx, at, word, n, |cx| cx.this_cpu().cpu_lazy.get());
    }
}
