//! Defects of callers: call sites as they were, or as a mutant has them, on a faithful subject.
//!
//! A caller's defect is code around the API, so a specimen is what it makes of an input ([`code`]): where the input does
//! what the kernel's function does, the function is called, once with the defect and once without. What surrounds it and
//! what it meets (how many pages, busy slots, holes) is the input's. Here misuse of the API is the defect.
//!
//! | file | what |
//! | --- | --- |
//! | this one | the table |
//! | `code` | an input with a call site in it |
//! | `vmalloc`, `kasan`, `user`, `ageing` | call sites, each in both forms |
//!
//! Not here: the call sites of 7.2 as workloads (`lazy_mmu_callers`), which are right.

mod ageing;
mod code;
mod kasan;
mod user;
mod vmalloc;

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::x86_64::decode::Hypercall;
use lazy_mmu_arches::x86_64::{ENTRIES, Xen};

use super::types::{At, Hooked, hooked};
use super::{Caller, Form, Grade, History, Specimen, Status};
use code::rewrite;
use lazy_mmu_abi::rules::Invariant;

/// A call site in its two forms.
macro_rules! caller {
    ($on:expr, $wrong:path, $right:path) => {
        Form::Caller(Caller {
            wrong: |input| rewrite(input, $wrong),
            right: Some(|input| rewrite(input, $right)),
            on: $on,
        })
    };
}

/// What has no record: a mutant of a call site that is right in 7.2.
const SEEDED: History = History {
    ids: "mutant of mm/vmscan.c, mm/userfaultfd.c and mm/migrate_device.c of 7.2.13, which are balanced",
    status: Status::Hazard,
    grade: Grade::S,
    lived: "counted (7.2)",
};

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/call-vmalloc-error-return",
        program: "broken/i1-vmalloc-busy",
        breaks: Invariant::I1,
        history: History {
            ids: "introduced 44562c71e2cf (6.16), fix fea18c686320 (stable)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "stateless (6.16)",
        },
        about: "vmap_pages_pte_range() returns from inside its section where a slot is busy: the task stays lazy, and what \
                the kernel maps later misses its barriers.",
        form: caller!(None, vmalloc::returns, vmalloc::breaks),
        fixed: "stateless/aarch64",
    },
    Specimen {
        name: "zoo/call-kasan-alloc-in-section",
        program: "broken/i7-kasan-populate",
        breaks: Invariant::I7,
        history: History {
            ids: "introduced 3c5c3cfb9ef4, fix b6ea95a34cbd (6.15); seen as a might_sleep() splat on s390, 2025-03-28",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (5.5 to 6.14)",
        },
        about: "The callback that maps a page of KASAN's shadow allocates it, and may sleep, in the section of \
                apply_to_page_range(), where the hash MMU keeps preemption off.",
        form: caller!(None, kasan::allocates_inside, kasan::allocates_before),
        fixed: "stateless/powerpc64-hash",
    },
    Specimen {
        name: "zoo/call-kasan-shadow-pause",
        program: "broken/i8-kasan-populate-twice",
        breaks: Invariant::I8,
        history: History {
            ids: "introduced 3c5c3cfb9ef4, fix c519c3c0a113 (6.17), pause and resume since 0a096ab7a3a6",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (5.5 to 6.16)",
        },
        about: "The callback that maps a page of KASAN's shadow looks, maps, and drops init_mm's lock with the mode active: \
                under Xen the next one to look finds nothing there, and maps another page.",
        form: caller!(None, kasan::populates_active, kasan::populates_paused),
        fixed: "stateless/x86_64-xen",
    },
    Specimen {
        name: "zoo/call-apply-range-allocator",
        program: "broken/i2-kasan-release",
        breaks: Invariant::I2,
        history: History {
            ids: "RFC 2025-05-30 patch 3/6, not merged; superseded by nesting and pause",
            status: Status::Review,
            grade: Grade::C,
            lived: "stateless (6.16)",
        },
        about: "A callback of apply_to_page_range() frees a page. With DEBUG_PAGEALLOC arm64 changes the linear map in a \
                section of its own, which was not allowed in another, and whose end ends the batching of that.",
        form: caller!(None, kasan::frees_inside, kasan::frees_behind),
        fixed: "stateless/aarch64",
    },
    Specimen {
        name: "zoo/call-zap-next-batch",
        program: "broken/i2-zap-next-batch",
        breaks: Invariant::I2,
        history: History {
            ids: "RFC 2025-05-30 patch 5/6, not merged; tlb_next_batch() still allocates there in 7.2",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "stateless (6.16 to 6.19); harmless since sections nest (7.0)",
        },
        about: "Unmapping gathers more pages than the mmu_gather has room for, and allocates in the section. With \
                DEBUG_PAGEALLOC arm64 opens another one inside, whose end ends the mode of the first.",
        form: caller!(None, user::next_batch_inside, user::next_batch_outside),
        fixed: "stateless/aarch64",
    },
    Specimen {
        name: "zoo/call-pagemap-flush-before-disable",
        program: "broken/i9-pagemap-scan",
        breaks: Invariant::I9,
        history: History {
            ids: "52526ca7fdb9; fix proposed as RFC 2025-05-30 patch 1/6, not in 7.2.13",
            status: Status::Open,
            grade: Grade::S,
            lived: "counted (7.2), and before; on an architecture that nobody has built",
        },
        about: "pagemap_scan_pmd_entry() flushes its range before it ends the section. Today's architectures queue both in \
                order, or defer no user entries. One that defers them and flushes at once refills the TLB with what is not \
                changed yet: here a Xen whose buffer sends its flushes out first.",
        form: caller!(Some(hooked::<FlushesFirst>), user::scan_flushes_first, user::scan_disables_first),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/call-migrate-flush-before-disable",
        program: "broken/i9-migrate-collect",
        breaks: Invariant::I9,
        history: History {
            ids: "introduced 60bae7370896; fix proposed as RFC 2025-05-30 patch 2/6, not in 7.2.13",
            status: Status::Open,
            grade: Grade::S,
            lived: "counted (7.2), and before; on an architecture that nobody has built",
        },
        about: "migrate_vma_collect_pmd() flushes before it ends the section, like pagemap_scan_pmd_entry(): pages are \
                migrated while the TLB has them.",
        form: caller!(Some(hooked::<FlushesFirst>), user::collect_flushes_first, user::collect_disables_first),
        fixed: "counted/x86_64-xen",
    },
    Specimen {
        name: "zoo/call-early-return-uffd",
        program: "broken/i1-uffd-not-exclusive",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "move_present_ptes() returns from inside its section where a page is not its owner's alone (a read-only \
                entry here) and must stay.",
        form: caller!(None, user::move_returns, user::move_breaks),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/call-early-return-uffd-check",
        program: "broken/i1-uffd-nothing-there",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "move_present_ptes() opens its section before it checks that its source is there (-EAGAIN), which returns.",
        form: caller!(None, user::move_enables_early, user::move_checks_first),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/call-early-return-migrate",
        program: "broken/i1-migrate-large-folio",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "migrate_vma_collect_pmd() drops its lock to split a large folio (pages of the middle size here) and leaves \
                the section open, which the failure of the split returns from.",
        form: caller!(None, user::split_returns, user::split_disables),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/call-early-return-walk",
        program: "broken/i1-ageing-hole",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "walk_pte_range() returns from inside its section where it meets a hole.",
        form: caller!(None, ageing::walk_returns, ageing::walk),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/call-early-return-walk-restart",
        program: "broken/i1-ageing-hole",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "walk_pte_range() starts again before its enable where it meets a hole, and has not closed its section.",
        form: caller!(None, ageing::walk_restarts, ageing::walk),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/call-early-return-look-around",
        program: "broken/i1-ageing-hole-behind",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "lru_gen_look_around() returns from inside its section where it meets a hole.",
        form: caller!(None, ageing::look_around_returns, ageing::look_around),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/call-early-return-look-around-check",
        program: "broken/i1-ageing-hole",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "lru_gen_look_around() opens its section before its last check, which returns.",
        form: caller!(None, ageing::look_around_enables_early, ageing::look_around),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/call-early-return-look-around-bh",
        program: "broken/i1-ageing-page",
        breaks: Invariant::I1,
        history: SEEDED,
        about: "lru_gen_look_around() closes its section with bottom halves off, where the call has no effect.",
        form: caller!(None, ageing::look_around_in_bh, ageing::look_around),
        fixed: "counted/aarch64",
    },
];

/// Xen as an architecture would be that defers users' updates and not their flush: where a buffer is sent out its flushes
/// come first, then the updates in their order.
enum FlushesFirst {}

impl Hooked for FlushesFirst {
    type Base = Xen;

    fn flush<C: At<Xen>>(cx: &mut C) {
        send(cx);
    }

    fn leave<C: At<Xen>>(cx: &mut C) {
        send(cx);
    }
}

fn send<C: At<Xen>>(cx: &mut C) {
    let (entries, bytes) = cx.this_cpu().fill();
    cx.note(Note::McFlush(entries, bytes));
    for call in [Hypercall::MmuextOp, Hypercall::MmuUpdate] {
        for entry in 0..u64::from(entries) {
            if cx.this_cpu().guest_load(ENTRIES + 64 * entry) == call.number() {
                cx.execute(Insn { op: Op::HcMulticall, a: entry, b: 1 });
            }
        }
    }
    let cpu = cx.this_cpu();
    let lazy = cpu.cpu_lazy.get();
    cpu.reset();
    cpu.cpu_lazy.set(lazy);
}

#[cfg(test)]
mod tests;
