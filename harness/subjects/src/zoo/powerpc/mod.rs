//! Defects of powerpc's book3s64: the per-CPU batch of hash entries, and radix, which has none.
//!
//! | file | what |
//! | --- | --- |
//! | this one | the table, and what is bent in one method |
//! | `batch` | the batch with another idea of its room |

mod batch;

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::{Mm, PteRef, Range, Size};
use lazy_mmu_arches::powerpc64::pte::HASHPTE;
use lazy_mmu_arches::powerpc64::queue::{self, BATCH, Segment, Shape};
use lazy_mmu_arches::powerpc64::{Hash, HashGather, HashPreemptible, HashStateless, Radix};

use super::bent::Bend;
use super::types::{At, Hooked, hooked, hooked_on, subject};
use super::{Form, Grade, History, Specimen, Status, bend};
use crate::generations::{Counted, NestingV4, Stateless};
use batch::{Batching, Limits};
use lazy_mmu_abi::rules::Invariant;
use lazy_mmu_abi::subject::{Env, Subject};

const BATCH_192: History = History {
    ids: "PPC64_TLB_BATCH_NR and TLB_BATCH_NR, both 192; the comment at the end of hpte_need_flush()",
    status: Status::Hazard,
    grade: Grade::S,
    lived: "counted (7.2); a limit since 2.6.12",
};

const SWITCH_REACTIVATE: History = History {
    ids: "removed as dead by 58852f24f956 (7.0), dead since b9ef323ea168 (6.1)",
    status: Status::MergedLatent,
    grade: Grade::C,
    lived: "stateless (2.6.22 to 6.0), with one of the two steps of __switch_to() missing",
};

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/ppc-batch-outside-ptl",
        program: "broken/i3-outside-ptl",
        breaks: Invariant::I3,
        history: History {
            ids: "fix a741e6796957 (2007)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "stateless (to 2.6.21)",
        },
        about: "The batch is the mmu_gather's: it is sent out by the flush of the TLB, after the page-table lock was \
                dropped. A new entry can be faulted in before the hash table has lost the old one.",
        form: Form::Bent(subject::<Stateless, HashGather>),
        fixed: "stateless/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-hash-kernel-preempt",
        program: "broken/i7-kernel-section",
        breaks: Invariant::I7,
        history: History {
            ids: "exposed by 38e0edb15bd0, fix b9ef323ea168 (6.1)",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (to 6.0)",
        },
        about: "The hooks leave preemption as it is, as if every section held a page-table lock. One on kernel page \
                tables holds none: its task can be moved away from the CPU whose batch it fills.",
        form: Form::Bent(subject::<Stateless, HashPreemptible>),
        fixed: "stateless/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-switch-reactivate-lost",
        program: "broken/i12-mode-at-switch",
        breaks: Invariant::I12,
        history: SWITCH_REACTIVATE,
        about: "The switch flushes the batch and ends its mode, and nothing begins it again when the task comes back: the \
                rest of its section batches nothing.",
        form: Form::Mutant {
            mutant: hooked_on::<Stateless, ReactivateLost>,
            of: subject::<Stateless, HashPreemptible>,
        },
        fixed: "stateless/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-switch-reactivate-unflushed",
        program: "broken/i6-batch-at-switch",
        breaks: Invariant::I6,
        history: SWITCH_REACTIVATE,
        about: "The switch ends the batch's mode without flushing it, and begins it again where the task comes back: what \
                waits stays on the CPU that it left.",
        form: Form::Mutant {
            mutant: hooked_on::<Stateless, ReactivateUnflushed>,
            of: subject::<Stateless, HashPreemptible>,
        },
        fixed: "stateless/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-set-ptes-nested",
        program: "broken/i5-set-ptes-hash",
        breaks: Invariant::I5,
        history: History {
            ids: "introduced 9fee28baa601 (6.6), fix 47b8def9358c (October 2023)",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (6.6)",
        },
        about: "set_ptes() opens a section of its own. Its leave ends the caller's batching too: what the caller changes \
                after it is flushed entry by entry.",
        form: Form::Bent(hooked_on::<Stateless, SetPtesNested>),
        fixed: "stateless/powerpc64-hash",
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
        about: "The flush hook does not test for radix: the end of a nested section works on the hash batch. Empty as it \
                is there nothing would come of it, so the specimen has a stale index: it flushes a hash entry.",
        form: Form::Bent(hooked_on::<NestingV4, FlushMissingRadix>),
        fixed: "nesting-v4/powerpc64-radix",
    },
    Specimen {
        name: "zoo/ppc-mm-change-mid-batch",
        program: "broken/i10-mm-change",
        breaks: Invariant::I10,
        history: History {
            ids: "the comment in hpte_need_flush()",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted (7.2)",
        },
        about: "An entry of another address space joins the batch, which is not flushed before: reclaim inside \
                copy_page_range() ages another process's entries, and all go out as the last one's.",
        form: Form::Bent(hooked::<MmChange>),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-batch-192-writes-past",
        program: "broken/batch-193",
        breaks: Invariant::I10,
        history: BATCH_192,
        about: "The batch is full with one entry more than it has room for: the 193rd is written past the array's end.",
        form: Form::Bent(subject::<Counted, Batching<WritesPast>>),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-batch-192-never-flushes",
        program: "broken/batch-193",
        breaks: Invariant::I10,
        history: BATCH_192,
        about: "The test for a full batch never holds: entries are written past the array's end until the section ends.",
        form: Form::Bent(subject::<Counted, Batching<NeverFlushes>>),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-batch-192-flushes-191",
        program: "broken/batch-191",
        breaks: Invariant::I5,
        history: BATCH_192,
        about: "The batch counts as full with an entry to spare: a flush too early.",
        form: Form::Bent(subject::<Counted, Batching<Flushes191>>),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-batch-192-loses-last",
        program: "broken/batch-193",
        breaks: Invariant::I3,
        history: BATCH_192,
        about: "The batch is tested before an entry is stored, not behind it: the 193rd finds it full, has it flushed, and is \
                lost. Its hash entry stays.",
        form: Form::Bent(subject::<Counted, Batching<LosesLast>>),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-batch-192-pair-as-page",
        program: "broken/batch-2",
        breaks: Invariant::I3,
        history: BATCH_192,
        about: "A batch of two takes the path of a single page, which evicts the first entry alone.",
        form: Form::Bent(subject::<Counted, Batching<PairAsPage>>),
        fixed: "counted/powerpc64-hash",
    },
    Specimen {
        name: "zoo/ppc-mmu-gather-flush",
        program: "broken/i14-gather",
        breaks: Invariant::I14,
        history: History { ids: "hash__tlb_flush()", status: Status::Hazard, grade: Grade::S, lived: "counted (7.2)" },
        about: "The end of an mmu_gather does not drain the batch, and frees pages whose translations wait there.",
        form: Form::Bent(|port| bend("counted/powerpc64-hash", port, GatherFlush)),
        fixed: "counted/powerpc64-hash",
    },
];

enum ReactivateLost {}

impl Hooked for ReactivateLost {
    type Base = HashPreemptible;

    fn end_context_switch<C: At<HashPreemptible>>(cx: &mut C, next: C::Task) {
        cx.thread(next).lazy_mmu.set(false);
    }
}

enum ReactivateUnflushed {}

impl Hooked for ReactivateUnflushed {
    type Base = HashPreemptible;

    fn start_context_switch<C: At<HashPreemptible>>(cx: &mut C, prev: C::Task) {
        let active = cx.this_cpu().active.take();
        cx.thread(prev).lazy_mmu.set(active);
    }
}

enum SetPtesNested {}

impl Hooked for SetPtesNested {
    type Base = HashStateless;

    fn set_ptes<C: At<HashStateless>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        HashStateless::enter(cx);
        HashStateless::set_ptes(cx, at, word, n);
        HashStateless::leave(cx);
    }
}

enum FlushMissingRadix {}

impl Hooked for FlushMissingRadix {
    type Base = Radix;

    fn flush<C: At<Radix>>(cx: &mut C) {
        let shape = Shape { mm: Mm::KERNEL, psize: Size::Small, ssize: Segment::M256 };
        queue::flush_hash_page(cx, shape, 0, false);
    }
}

enum MmChange {}

impl Hooked for MmChange {
    type Base = Hash;

    fn clear_pte<C: At<Hash>>(cx: &mut C, at: PteRef) -> u64 {
        let known = cx.pte_load(at) & HASHPTE != 0;
        let batch = cx.this_cpu();
        if known && batch.index.get() != 0 {
            batch.shape.set(Shape { mm: at.mm, ..batch.shape.get() });
        }
        Hash::clear_pte(cx, at)
    }
}

enum WritesPast {}

impl Limits for WritesPast {
    const FULL: u16 = BATCH + 1;
}

enum NeverFlushes {}

impl Limits for NeverFlushes {
    const FULL: u16 = u16::MAX;
}

enum Flushes191 {}

impl Limits for Flushes191 {
    const FULL: u16 = BATCH - 1;
}

enum LosesLast {}

impl Limits for LosesLast {
    const FULL: u16 = BATCH + 1;

    fn takes(index: u16) -> bool {
        index < BATCH
    }
}

enum PairAsPage {}

impl Limits for PairAsPage {
    fn is_single(n: u16) -> bool {
        n <= 2
    }
}

struct GatherFlush;

impl Bend for GatherFlush {
    fn gather_flush(&self, _to: &dyn Subject, _env: &mut dyn Env, _range: Range) {}
}
