//! Defects of sparc64's batch of user addresses.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_arches::sparc64::queue::{BATCH, REAL_HPAGE_SHIFT};
use lazy_mmu_arches::sparc64::{Sparc64, SparcPreemptible, SparcStateless, page_shift};
use lazy_mmu_core::kernel::TaskState;
use lazy_mmu_core::state::LazyMmuState;

use super::types::{At, Counting, Hooked, counting, hooked, hooked_on, subject};
use super::{Form, Grade, History, Specimen, Status};
use crate::generations::Stateless;
use lazy_mmu_abi::rules::Invariant;

const HUGEPAGE_SHIFT: History = History {
    ids: "tlb_batch_add_one(), arch/sparc/mm/tlb.c",
    status: Status::Hazard,
    grade: Grade::S,
    lived: "counted (7.2)",
};

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/sparc-no-preempt-disable",
        program: "broken/i7-kernel-section",
        breaks: Invariant::I7,
        history: History {
            ids: "since 38e0edb15bd0 (M), fix a1d416bf9faf (6.15)",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (3.9 to 6.14)",
        },
        about: "The hooks leave preemption as it is: a task can be moved away from the CPU whose batch holds its \
                addresses, and another one finds itself in its mode.",
        form: Form::Bent(subject::<Stateless, SparcPreemptible>),
        fixed: "stateless/sparc64",
    },
    Specimen {
        name: "zoo/sparc-set-ptes-nested",
        program: "broken/i5-set-ptes-sparc",
        breaks: Invariant::I5,
        history: History {
            ids: "introduced 1a10a44dfc1d, fix eb61ad14c459 (6.15)",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (6.6 to 6.14; as it was between a1d416bf9faf and its fix)",
        },
        about: "set_ptes() opens a section of its own. Its leave ends the caller's batching too: what the caller changes \
                after it is flushed address by address.",
        form: Form::Bent(hooked_on::<Stateless, SetPtesNested>),
        fixed: "stateless/sparc64",
    },
    Specimen {
        name: "zoo/sparc-batch-in-interrupt",
        program: "broken/i11-handler-in-batch",
        breaks: Invariant::I11,
        history: History {
            ids: "is_lazy_mmu_mode_active(), include/linux/pgtable.h; on sparc64 no record of its own",
            status: Status::Hazard,
            grade: Grade::D,
            lived: "counted (7.2)",
        },
        about: "The one question does not ask for interrupt context: what a handler changes joins the batch of the \
                section that it hit.",
        form: Form::Bent(counting::<BatchInInterrupt, Sparc64>),
        fixed: "counted/sparc64",
    },
    Specimen {
        name: "zoo/sparc-mm-change-mid-batch",
        program: "broken/i10-mm-change-sparc",
        breaks: Invariant::I10,
        history: HUGEPAGE_SHIFT,
        about: "An address of another address space joins the batch, which is not flushed before: all go out as the last \
                one's.",
        form: Form::Bent(hooked::<MmChange>),
        fixed: "counted/sparc64",
    },
    Specimen {
        name: "zoo/sparc-hugepage-shift-mid-batch",
        program: "broken/i10-size-change",
        breaks: Invariant::I10,
        history: HUGEPAGE_SHIFT,
        about: "A batch whose page size changes is not flushed first: it takes the last size for that of all, and the TSB \
                entries of the others survive.",
        form: Form::Bent(hooked::<ShiftMidBatch>),
        fixed: "counted/sparc64",
    },
    Specimen {
        name: "zoo/sparc-hugepage-shift-mid-batch-count",
        program: "broken/i10-size-change",
        breaks: Invariant::I10,
        history: HUGEPAGE_SHIFT,
        about: "A batch whose page size changes is flushed and takes the new one, but its count stays: the addresses that \
                went out are in it once more.",
        form: Form::Bent(hooked::<CountStays>),
        fixed: "counted/sparc64",
    },
];

enum SetPtesNested {}

impl Hooked for SetPtesNested {
    type Base = SparcStateless;

    fn set_ptes<C: At<SparcStateless>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        SparcStateless::enter(cx);
        SparcStateless::set_ptes(cx, at, word, n);
        SparcStateless::leave(cx);
    }
}

enum BatchInInterrupt {}

impl Counting for BatchInInterrupt {
    fn is_active<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
        cx.current_state().is_active()
    }
}

enum MmChange {}

impl Hooked for MmChange {
    type Base = Sparc64;

    fn clear_pte<C: At<Sparc64>>(cx: &mut C, at: PteRef) -> u64 {
        if joins(cx, at).is_some() {
            cx.this_cpu().mm.set(at.mm);
        }
        Sparc64::clear_pte(cx, at)
    }
}

enum ShiftMidBatch {}

impl Hooked for ShiftMidBatch {
    type Base = Sparc64;

    fn clear_pte<C: At<Sparc64>>(cx: &mut C, at: PteRef) -> u64 {
        if let Some(shift) = joins(cx, at) {
            cx.this_cpu().hugepage_shift.set(shift);
        }
        Sparc64::clear_pte(cx, at)
    }
}

enum CountStays {}

impl Hooked for CountStays {
    type Base = Sparc64;

    fn clear_pte<C: At<Sparc64>>(cx: &mut C, at: PteRef) -> u64 {
        let shift = joins(cx, at);
        let batch = cx.this_cpu();
        let (same_mm, before) = (batch.mm.get() == at.mm, batch.hugepage_shift.get());
        let out: [u64; BATCH as usize] = std::array::from_fn(|i| batch.vaddrs[i].get());
        let count = usize::from(batch.tlb_nr.get());
        let old = Sparc64::clear_pte(cx, at);
        if shift.is_some_and(|shift| shift != before) && same_mm {
            let batch = cx.this_cpu();
            let added = usize::from(batch.tlb_nr.get()).min(out.len() - count);
            let new: [u64; 2] = std::array::from_fn(|i| batch.vaddrs[i].get());
            let both = out[..count].iter().chain(&new[..added]);
            batch.vaddrs.iter().zip(both).for_each(|(place, vaddr)| place.set(*vaddr));
            batch.tlb_nr.set((count + added) as u16);
        }
        old
    }
}

/// The shift of a user's page that joins what a section's batch holds already.
fn joins<C: At<Sparc64>>(cx: &mut C, at: PteRef) -> Option<u32> {
    let old = cx.pte_load(at);
    let joins = !at.mm.is_kernel() && Sparc64::pte_flags(old).valid && cx.is_lazy_mmu_mode_active();
    let waits = cx.this_cpu().tlb_nr.get() != 0;
    (joins && waits).then(|| page_shift(Sparc64::pte_size(old)).min(REAL_HPAGE_SHIFT))
}
