//! Defects of powerpc's book3s64: the per-CPU batch of hash entries, and radix, which has none.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::{Mm, PteRef, Range, Size};
use lazy_mmu_arches::powerpc64::queue::{Segment, Shape, flush_hash_page};
use lazy_mmu_arches::powerpc64::{Hash, Radix};

use super::bent::Bend;
use super::types::{At, Hooked, hooked};
use super::{Form, Grade, History, Specimen, Status, bend};
use crate::contract::Invariant;
use crate::subject::{Env, Subject};

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/ppc-mm-change-mid-batch",
        program: "broken/i10-mm-change",
        breaks: Invariant::I10,
        history: History {
            ids: "hpte_need_flush(), arch/powerpc/mm/book3s64/hash_tlb.c",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "every generation",
        },
        about: "An entry of another address space joins the batch, which is not flushed before: reclaim inside \
                copy_page_range() ages another process's entries, and all go out as the last one's.",
        form: Form::Bent(hooked::<MmChange>),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-flush-missing-radix",
        program: "broken/i13-radix-flush",
        breaks: Invariant::I13,
        history: History {
            ids: "v4 patch 3, Ritesh Harjani, 2025-11-05; v5; c3f0778ffeca",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v4",
        },
        about: "The flush hook does not test for radix, as in v4: the end of a nested section flushes a hash entry that \
                a stale index names.",
        form: Form::Bent(hooked::<FlushMissingRadix>),
        fixed: "counted/powerpc64-radix",
    },
    Specimen {
        name: "zoo/ppc-mmu-gather-flush",
        program: "broken/i14-gather",
        breaks: Invariant::I14,
        history: History {
            ids: "hash__tlb_flush(), arch/powerpc/mm/book3s64/hash_tlb.c",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "every generation",
        },
        about: "The end of an mmu_gather does not drain the batch, and frees pages whose translations wait there.",
        form: Form::Bent(|port| bend("counted/powerpc64-hash", port, GatherFlush)),
        fixed: "counted/powerpc64-hash",
    },
];

enum MmChange {}

impl Hooked for MmChange {
    type Base = Hash;

    fn clear_pte<C: At<Hash>>(cx: &mut C, at: PteRef) -> u64 {
        let batch = cx.this_cpu();
        batch.shape.set(Shape { mm: at.mm, ..batch.shape.get() });
        Hash::clear_pte(cx, at)
    }
}

enum FlushMissingRadix {}

impl Hooked for FlushMissingRadix {
    type Base = Radix;

    fn flush<C: At<Radix>>(cx: &mut C) {
        let shape = Shape { mm: Mm::KERNEL, psize: Size::Small, ssize: Segment::M256 };
        flush_hash_page(cx, shape, 0, false);
    }
}

struct GatherFlush;

impl Bend for GatherFlush {
    fn gather_flush(&self, _to: &dyn Subject, _env: &mut dyn Env, _range: Range) {}
}
