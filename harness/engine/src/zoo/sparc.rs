//! Defects of sparc64's batch of user addresses.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_arches::sparc64::queue::REAL_HPAGE_SHIFT;
use lazy_mmu_arches::sparc64::{Sparc64, page_shift};
use lazy_mmu_core::kernel::TaskState;
use lazy_mmu_core::state::LazyMmuState;

use super::types::{At, Counting, Hooked, counting, hooked};
use super::{Form, Grade, History, Specimen, Status};
use crate::contract::Invariant;

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/sparc-no-preempt-disable",
        program: "broken/i7-preemption",
        breaks: Invariant::I7,
        history: History {
            ids: "38e0edb15bd0; fix a1d416bf9faf (6.15, stable)",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (to 6.14)",
        },
        about: "The hooks leave preemption as it is (before a1d416bf9faf): a task can be moved away from the CPU whose \
                batch holds its addresses.",
        form: Form::Bent(hooked::<NoPreemptDisable>),
        fixed: "counted/sparc64",
    },
    Specimen {
        name: "zoo/sparc-batch-in-interrupt",
        program: "broken/i11-handler-in-batch",
        breaks: Invariant::I11,
        history: History {
            ids: "is_lazy_mmu_mode_active() in interrupt context, 9273dfaeaca8",
            status: Status::Hazard,
            grade: Grade::D,
            lived: "counted",
        },
        about: "The one question does not ask for interrupt context: what a handler changes joins the batch of the \
                section that it hit.",
        form: Form::Bent(counting::<BatchInInterrupt, Sparc64>),
        fixed: "counted/sparc64",
    },
    Specimen {
        name: "zoo/sparc-hugepage-shift-mid-batch",
        program: "broken/i10-size-change",
        breaks: Invariant::I10,
        history: History {
            ids: "tlb_batch_add_one(), arch/sparc/mm/tlb.c",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "every generation",
        },
        about: "A batch whose page size changes is not flushed first: it takes the last size for that of all, and the TSB \
                entries of the others survive.",
        form: Form::Bent(hooked::<ShiftMidBatch>),
        fixed: "counted/sparc64",
    },
];

enum ShiftMidBatch {}

impl Hooked for ShiftMidBatch {
    type Base = Sparc64;

    fn clear_pte<C: At<Sparc64>>(cx: &mut C, at: PteRef) -> u64 {
        let old = cx.pte_load(at);
        if cx.this_cpu().tlb_nr.get() != 0 {
            let shift = page_shift(Sparc64::pte_size(old)).min(REAL_HPAGE_SHIFT);
            cx.this_cpu().hugepage_shift.set(shift);
        }
        Sparc64::clear_pte(cx, at)
    }
}

enum NoPreemptDisable {}

/// Enter and leave both: one without the other would be another defect.
impl Hooked for NoPreemptDisable {
    type Base = Sparc64;

    fn enter<C: At<Sparc64>>(_cx: &mut C) {}

    fn leave<C: At<Sparc64>>(cx: &mut C) {
        Sparc64::flush(cx);
    }
}

enum BatchInInterrupt {}

impl Counting for BatchInInterrupt {
    fn is_active<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
        cx.current_state().is_active()
    }
}
