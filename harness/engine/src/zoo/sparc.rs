//! Defects of sparc64's batch of user addresses.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_arches::sparc64::queue::REAL_HPAGE_SHIFT;
use lazy_mmu_arches::sparc64::{Sparc64, page_shift};
use lazy_mmu_core::kernel::TaskState;
use lazy_mmu_core::state::LazyMmuState;

use super::Specimen;
use super::types::{At, Counting, Hooked, counting, hooked};
use crate::contract::Invariant;

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/sparc-no-preempt-disable",
        program: "broken/i7-preemption",
        faithful: "counted/sparc64",
        breaks: Invariant::I7,
        about: "The hooks leave preemption as it is (before a1d416bf9faf): a task can be moved away from the CPU whose \
                batch holds its addresses.",
        make: hooked::<NoPreemptDisable>,
    },
    Specimen {
        name: "zoo/sparc-batch-in-interrupt",
        program: "broken/i11-handler-in-batch",
        faithful: "counted/sparc64",
        breaks: Invariant::I11,
        about: "The one question does not ask for interrupt context: what a handler changes joins the batch of the \
                section that it hit.",
        make: counting::<BatchInInterrupt, Sparc64>,
    },
    Specimen {
        name: "zoo/sparc-hugepage-shift-mid-batch",
        program: "broken/i10-size-change",
        faithful: "counted/sparc64",
        breaks: Invariant::I10,
        about: "A batch whose page size changes is not flushed first: it takes the last size for that of all, and the TSB \
                entries of the others survive.",
        make: hooked::<ShiftMidBatch>,
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
