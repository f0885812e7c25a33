//! Defects of the generic layer, most of them from the reviews of the nesting series.

use lazy_mmu_arches::aarch64::Aarch64;
use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::none::NoMode;
use lazy_mmu_core::generation::nesting::V4;
use lazy_mmu_core::generation::{counted, nesting};
use lazy_mmu_core::hooks::Hooks;
use lazy_mmu_core::kernel::{Kernel, TaskState, WarnSite};
use lazy_mmu_core::state::{LazyMmuState, NestingState};

use super::bent::Bend;
use super::types::{Counting, counting};
use super::{Caller, Form, Grade, History, Specimen, Status, bend, rewrite};
use crate::adapter::{Cx, Generation, Ours};
use crate::generations::NestingV4;
use lazy_mmu_abi::rules::Invariant;
use lazy_mmu_abi::subject::Env;
use lazy_mmu_abi::trace::{Call, Counters};

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/gen-pause-twice",
        program: "broken/gen-pause-twice",
        breaks: Invariant::I4,
        history: History {
            ids: "v3 and v4; option D adopted in v5",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v3, nesting-v4",
        },
        about: "A pause in a pause is not counted: the inner resume turns batching on inside the outer pause, and two \
                leaves run.",
        form: Form::Older("nesting-v4/aarch64"),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/gen-pause-twice-mutant",
        program: "broken/i2-pause-twice",
        breaks: Invariant::I2,
        history: History {
            ids: "lazy_mmu_mode_pause(), include/linux/pgtable.h",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted",
        },
        about: "Each pause inside a section runs the leave hook, not the first alone: a nested pause leaves a mode that \
                was left.",
        form: Form::Bent(counting::<PauseTwice, NoMode>),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-nested-disable-no-flush",
        program: "broken/i3-nested-disable",
        breaks: Invariant::I3,
        history: History { ids: "v3 patch 7", status: Status::Hazard, grade: Grade::C, lived: "counted" },
        about: "The end of a nested section only counts. Whoever closed it relies on its changes being in effect, and \
                they wait for the outer section.",
        form: Form::Bent(counting::<NestedDisableNoFlush, Aarch64>),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/arm64-paused-enable-warn-mutant",
        program: "broken/i15-paused-enable",
        breaks: Invariant::I15,
        history: History {
            ids: "lazy_mmu_mode_enable(), include/linux/pgtable.h",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted",
        },
        about: "A section opened while paused has no effect but for a warning.",
        form: Form::Bent(counting::<PausedEnableWarns, NoMode>),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-order-v3",
        program: "broken/model-order-v3",
        breaks: Invariant::Model,
        history: History { ids: "v3; v4 marks first", status: Status::Review, grade: Grade::C, lived: "nesting-v3" },
        about: "The outermost enable runs its hook before it marks: inside the hook the question is answered with no, \
                and an entry that the hook set would be in effect at once. Nothing but the specification's order breaks.",
        form: Form::Older("nesting-v3/none"),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-order-v3-mutant",
        program: "broken/model-order-v3",
        breaks: Invariant::Model,
        history: History {
            ids: "lazy_mmu_mode_enable(), include/linux/pgtable.h",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted",
        },
        about: "The outermost enable runs its hook before it counts.",
        form: Form::Bent(counting::<OrderV3, NoMode>),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-vmbugon",
        program: "broken/gen-vmbugon",
        breaks: Invariant::I15,
        history: History {
            ids: "v3 patch 7; David Hildenbrand 2025-10-23; v4 warns",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v3",
        },
        about: "The counters' limits are VM_BUG_ON: the kernel dies of a misuse that it could report.",
        form: Form::Older("nesting-v3/none"),
        fixed: "nesting-v4/none",
    },
    Specimen {
        name: "zoo/gen-u8-overflow-enable",
        program: "broken/gen-u8-overflow-enable",
        breaks: Invariant::I1,
        history: History {
            ids: "v3 question whether to saturate or wrap; include/linux/pgtable.h (7.2)",
            status: Status::Hazard,
            grade: Grade::C,
            lived: "counted",
        },
        about: "A caller in a loop never disables: the 256th enable wraps the count to 0, inside a section.",
        form: Form::Caller(Caller { wrong: rewrite::never_disables, right: None, on: None }),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-u8-overflow-disable",
        program: "broken/gen-u8-overflow-disable",
        breaks: Invariant::I1,
        history: History {
            ids: "v3 question whether to saturate or wrap; include/linux/pgtable.h (7.2)",
            status: Status::Hazard,
            grade: Grade::C,
            lived: "counted",
        },
        about: "A disable without its enable: the count wraps to 255, active for ever.",
        form: Form::Caller(Caller { wrong: rewrite::never_enables, right: None, on: None }),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-u8-overflow-pause",
        program: "broken/gen-u8-overflow-pause",
        breaks: Invariant::I1,
        history: History {
            ids: "v3 question whether to saturate or wrap; include/linux/pgtable.h (7.2)",
            status: Status::Hazard,
            grade: Grade::C,
            lived: "counted",
        },
        about: "A caller in a loop never resumes: the 256th pause wraps the count to 0.",
        form: Form::Caller(Caller { wrong: rewrite::never_resumes, right: None, on: None }),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-u8-overflow-resume",
        program: "broken/gen-u8-overflow-resume",
        breaks: Invariant::I1,
        history: History {
            ids: "v3 question whether to saturate or wrap; include/linux/pgtable.h (7.2)",
            status: Status::Hazard,
            grade: Grade::C,
            lived: "counted",
        },
        about: "A resume without its pause: the count wraps to 255, never active again.",
        form: Form::Caller(Caller { wrong: rewrite::never_pauses, right: None, on: None }),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-double-disable",
        program: "broken/gen-u8-overflow-disable",
        breaks: Invariant::I1,
        history: History { ids: "v3 thread", status: Status::Hazard, grade: Grade::C, lived: "counted" },
        about: "An error path disables a second time.",
        form: Form::Caller(Caller { wrong: rewrite::disables_twice, right: None, on: None }),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-active-before-enter",
        program: "broken/xen-switch-midenable",
        breaks: Invariant::I2,
        history: History {
            ids: "Ritesh Harjani on v4 patch 7, 2025-11-05",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "nesting-v4",
        },
        about: "The mark is set before the enter hook has run, and a task is preempted between them.",
        form: Form::Older("nesting-v4/x86_64-xen"),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/gen-pause-outside-section",
        program: "broken/gen-pause-outside-section",
        breaks: Invariant::I4,
        history: History {
            ids: "v3, v4; David Hildenbrand on v4 patch 7, 2025-11-01; v5 allows it",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v3, nesting-v4",
        },
        about: "A pause outside a section warns, and leaves a mode that is off; its resume enters, and the mode stays on \
                with no section open.",
        form: Form::Older("nesting-v4/aarch64"),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/gen-token-default-misuse",
        program: "broken/gen-token-default-misuse",
        breaks: Invariant::I7,
        history: History {
            ids: "v2 patch 2; Alexander Gordeev, David Hildenbrand 2025-09-09",
            status: Status::Review,
            grade: Grade::C,
            lived: "token",
        },
        about: "KASAN leaves with DEFAULT whatever the depth, and throws away what enter returned. Each enter of a \
                nested section turned preemption off once more, and the one leave gives back one: KASAN's allocation \
                sleeps while atomic.",
        form: Form::Older("token/powerpc64-hash"),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/gen-irq-bailout-missing",
        program: "broken/gen-irq-bailout-missing",
        breaks: Invariant::I4,
        history: History {
            ids: "9273dfaeaca8; Ryan Roberts: before the nesting patch",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v4 (bisection)",
        },
        about: "The helpers act in interrupt context, as in v3 and v4 before the series' last patch: a handler's section \
                counts as one of the interrupted task's, and its change is deferred.",
        form: Form::BentOlder("nesting-v4/aarch64", |port| bend("nesting-v4/aarch64", port, NoBailout)),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/gen-helpers-before-counters",
        program: "broken/gen-pause-twice",
        breaks: Invariant::I4,
        history: History {
            ids: "0a096ab7a3a6 to 5ab246749569 (7.0, bisection)",
            status: Status::MergedLatent,
            grade: Grade::D,
            lived: "stateless (7.0, between two commits)",
        },
        about: "Between two commits of the merged series the helpers exist and nothing counts: a pause is a leave and a \
                resume is an enter, also inside another pause.",
        form: Form::Older("stateless/aarch64"),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/gen-name-confusion",
        program: "broken/gen-name-confusion",
        breaks: Invariant::I4,
        history: History {
            ids: "v4, v5 thread, Alexander Gordeev; is_lazy_mmu_mode_active in v6",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v4 (s390 tree)",
        },
        about: "The question is answered by the depth, not by activity: a change in a pause is deferred.",
        form: Form::BentOlder("nesting-v4/aarch64", |port| Box::new(Ours::<NameConfusion, Aarch64>::new(port))),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/gen-sleep-constraint",
        program: "broken/gen-u8-overflow-disable",
        breaks: Invariant::I7,
        history: History {
            ids: "f2be745071ff (v6 patch 5)",
            status: Status::Hazard,
            grade: Grade::C,
            lived: "counted",
        },
        about: "A section sleeps where its batch is the CPU's.",
        form: Form::Caller(Caller { wrong: rewrite::sleeps, right: None, on: None }),
        fixed: "counted/powerpc64-hash",
    },
];

/// Whether an `enable` or `disable` has an effect now.
fn counts<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
    !cx.in_interrupt() && cx.current_state().pause_count.get() == 0
}

enum PauseTwice {}

impl Counting for PauseTwice {
    fn pause<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        let state = cx.current_state();
        let again = !cx.in_interrupt() && state.pause_count.get() > 0 && state.enable_count.get() > 0;
        counted::lazy_mmu_mode_pause(cx);
        if again {
            cx.arch_leave_lazy_mmu_mode();
        }
    }
}

enum NestedDisableNoFlush {}

impl Counting for NestedDisableNoFlush {
    fn disable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        let nested = cx.current_state().enable_count.get().checked_sub(1).filter(|outer| *outer > 0);
        match nested.filter(|_| counts(cx)) {
            Some(outer) => cx.current_state().enable_count.set(outer),
            None => counted::lazy_mmu_mode_disable(cx),
        }
    }
}

enum PausedEnableWarns {}

impl Counting for PausedEnableWarns {
    fn enable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        if !cx.in_interrupt() && !counts(cx) {
            cx.warn_once(WarnSite::Enable);
        }
        counted::lazy_mmu_mode_enable(cx);
    }
}

enum OrderV3 {}

impl Counting for OrderV3 {
    fn enable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        if counts(cx) && cx.current_state().enable_count.get() == 0 {
            cx.arch_enter_lazy_mmu_mode();
            cx.current_state().enable_count.set(1);
        } else {
            counted::lazy_mmu_mode_enable(cx);
        }
    }
}

struct NoBailout;

impl Bend for NoBailout {
    fn in_interrupt(&self, _env: &dyn Env) -> bool {
        false
    }
}

/// v4, whose question is answered by the level.
enum NameConfusion {}

impl<B: Backend> Generation<B> for NameConfusion {
    type State = NestingState;
    const KEEPS_COUNTERS: bool = true;

    fn call(cx: &mut Cx<'_, '_, Self, B>, call: Call) {
        match call {
            Call::Enable => nesting::lazy_mmu_mode_enable::<V4, _>(cx),
            Call::Disable => nesting::lazy_mmu_mode_disable::<V4, _>(cx),
            Call::Pause => nesting::lazy_mmu_mode_pause::<V4, _>(cx),
            Call::Resume => nesting::lazy_mmu_mode_resume::<V4, _>(cx),
            Call::TaskPause(_) | Call::TaskResume(_) => {}
        }
    }

    fn is_active(cx: &Cx<'_, '_, Self, B>) -> bool {
        !cx.in_interrupt() && cx.current_state().count.get() > 0
    }

    fn task_active(cx: &Cx<'_, '_, Self, B>, task: u8) -> bool {
        cx.state(task).count.get() > 0
    }

    fn counters(state: &NestingState) -> Counters {
        <NestingV4 as Generation<B>>::counters(state)
    }

    fn copy(from: Option<&NestingState>, to: &NestingState) {
        <NestingV4 as Generation<B>>::copy(from, to);
    }
}
