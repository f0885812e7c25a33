//! Defects of arm64's deferral: one pending flag per task, two barriers.

use lazy_mmu_arches::aarch64::Aarch64;
use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::{PteRef, Size};
use lazy_mmu_core::kernel::TaskState;
use lazy_mmu_core::state::LazyMmuState;

use super::bent::Bend;
use super::types::{At, Counting, Hooked, counting, hooked};
use super::{Specimen, bend};
use crate::contract::Invariant;
use crate::subject::{Env, Subject};

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/arm64-softirq-pte",
        program: "broken/i4-softirq",
        faithful: "counted/aarch64",
        breaks: Invariant::I4,
        about: "The one question does not ask for interrupt context. A softirq that hits a section and changes an entry \
                leaves its barriers to the interrupted task (what b81c688426a9 repaired in another way).",
        make: counting::<SoftirqPte, Aarch64>,
    },
    Specimen {
        name: "zoo/arm64-pending-flag-atomic",
        program: "broken/i5-atomics",
        faithful: "counted/aarch64",
        breaks: Invariant::I5,
        about: "The pending flag is set without a test whether it is: an atomic for each entry of a section in place of \
                one, as in v4 of the nesting series.",
        make: hooked::<PendingFlagAtomic>,
    },
    Specimen {
        name: "zoo/arm64-contpte-get",
        program: "broken/i8-contpte-get",
        faithful: "counted/aarch64",
        breaks: Invariant::I8,
        about: "A read of an entry of a contiguous range reads the first entry of its block of 16, as if all said the \
                same but for the accessed and dirty bits: it finds another page's frame.",
        make: |port| bend("counted/aarch64", port, ContpteGet),
    },
];

enum SoftirqPte {}

impl Counting for SoftirqPte {
    fn is_active<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
        cx.current_state().is_active()
    }
}

enum PendingFlagAtomic {}

impl Hooked for PendingFlagAtomic {
    type Base = Aarch64;

    fn set_ptes<C: At<Aarch64>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        // What the test would find.
        cx.thread(cx.current()).pending.set(false);
        Aarch64::set_ptes(cx, at, word, n);
    }
}

struct ContpteGet;

impl Bend for ContpteGet {
    fn get_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) -> u64 {
        let block = if at.size == Size::Large { at.page & !15 } else { at.page };
        to.get_pte(env, PteRef { page: block, ..at })
    }
}
