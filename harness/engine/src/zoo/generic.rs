//! Defects of the generic layer, most of them from the reviews of the nesting series.

use lazy_mmu_arches::aarch64::Aarch64;
use lazy_mmu_arches::none::NoMode;
use lazy_mmu_core::generation::counted;
use lazy_mmu_core::hooks::Hooks;
use lazy_mmu_core::kernel::{TaskState, WarnSite};
use lazy_mmu_core::state::LazyMmuState;

use super::types::{Counting, counting};
use super::{Form, Grade, History, Specimen, Status};
use crate::contract::Invariant;

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/gen-pause-twice",
        program: "broken/i2-pause-twice",
        breaks: Invariant::I2,
        history: History {
            ids: "v3 and v4; option D adopted in v5",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v3, nesting-v4",
        },
        about: "Each pause inside a section runs the leave hook, not the first alone: a nested pause leaves a mode that \
                was left (v3 and v4, before option D).",
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
        name: "zoo/arm64-paused-enable-warn",
        program: "broken/i15-paused-enable",
        breaks: Invariant::I15,
        history: History {
            ids: "v3, v4; Ryan Roberts, Kevin Brodsky, 2025-11-11; v5 has two counters",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v3, nesting-v4",
        },
        about: "A section opened while paused warns, as v3 and v4 did; KASAN with DEBUG_PAGEALLOC opens one there \
                (arm64-paused-enable-warn).",
        form: Form::Bent(counting::<PausedEnableWarns, NoMode>),
        fixed: "counted/none",
    },
    Specimen {
        name: "zoo/gen-order-v3",
        program: "broken/model-order-v3",
        breaks: Invariant::Model,
        history: History { ids: "v3; v4 marks first", status: Status::Review, grade: Grade::C, lived: "nesting-v3" },
        about: "The outermost enable runs its hook before it counts, as v3 did: inside the hook the question is \
                answered with no.",
        form: Form::Bent(counting::<OrderV3, NoMode>),
        fixed: "counted/none",
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
