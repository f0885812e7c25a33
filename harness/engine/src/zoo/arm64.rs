//! Defects of arm64's deferral: one pending flag per task, two barriers.

use lazy_mmu_arches::aarch64::Aarch64;
use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::{PteRef, Size};
use lazy_mmu_core::kernel::TaskState;
use lazy_mmu_core::state::LazyMmuState;

use super::bent::Bend;
use super::types::{At, Counting, Hooked, counting, hooked};
use super::{Form, Grade, History, Specimen, Status, bend};
use crate::contract::Invariant;
use crate::subject::{Env, Subject};

pub(super) const FAMILY: &[Specimen] = &[
    Specimen {
        name: "zoo/arm64-softirq-pte",
        program: "broken/i4-softirq",
        breaks: Invariant::I4,
        history: History {
            ids: "5fdd05efa1cd; fix b81c688426a9 (syzbot 5c0d9392e042f41d45c5)",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "stateless (6.16, linux-next)",
        },
        about: "The one question does not ask for interrupt context. A softirq that hits a section and changes an entry \
                leaves its barriers to the interrupted task (what b81c688426a9 repaired in another way).",
        form: Form::Bent(counting::<SoftirqPte, Aarch64>),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/arm64-pending-flag-atomic",
        program: "broken/i5-atomics",
        breaks: Invariant::I5,
        history: History {
            ids: "v4 patch 8, Ryan Roberts; v5 tests before it sets",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v4",
        },
        about: "The pending flag is set without a test whether it is: an atomic for each entry of a section in place of \
                one, as in v4 of the nesting series.",
        form: Form::Bent(hooked::<PendingFlagAtomic>),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/arm64-contpte-get",
        program: "broken/i8-contpte-get",
        breaks: Invariant::I8,
        history: History {
            ids: "contpte_ptep_get(), arch/arm64/mm/contpte.c",
            status: Status::Hazard,
            grade: Grade::D,
            lived: "counted (7.2)",
        },
        about: "A read of an entry of a contiguous range reads the first entry of its block of 16, as if all said the \
                same but for the accessed and dirty bits: it finds another page's frame.",
        form: Form::Bent(|port| bend("counted/aarch64", port, ContpteGet)),
        fixed: "counted/aarch64",
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
