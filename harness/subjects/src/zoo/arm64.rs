//! Defects of arm64's deferral: one pending flag per task, two barriers.

use lazy_mmu_arches::aarch64::pte::is_valid_kernel;
use lazy_mmu_arches::aarch64::queue::flush_pending;
use lazy_mmu_arches::aarch64::{Aarch64, Aarch64Stateless};
use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::page::{PteRef, Size};
use lazy_mmu_core::generation::counted;
use lazy_mmu_core::hooks::Hooks;
use lazy_mmu_core::kernel::{TaskState, WarnSite};
use lazy_mmu_core::state::LazyMmuState;

use super::bent::Bend;
use super::types::{At, Counting, Form as Bended, Hooked, counting};
use super::{Caller, Form, Grade, History, Specimen, Status, bend, rewrite};
use crate::adapter::Ours;
use crate::generations::{NestingV4, Stateless};
use lazy_mmu_abi::rules::Invariant;
use lazy_mmu_abi::subject::{Env, Subject};

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
        about: "The first arm64 version does not ask for interrupt context. A softirq that hits a section and changes \
                an entry (KFENCE, DEBUG_PAGEALLOC) leaves its barriers to the interrupted task.",
        form: FIRST,
        fixed: "stateless/aarch64",
    },
    Specimen {
        name: "zoo/arm64-softirq-pte-mutant",
        program: "broken/i4-softirq",
        breaks: Invariant::I4,
        history: History {
            ids: "is_lazy_mmu_mode_active(), include/linux/pgtable.h",
            status: Status::Hazard,
            grade: Grade::S,
            lived: "counted",
        },
        about: "Today's question forgets interrupt context, and a softirq's change waits for the interrupted task.",
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
        form: Form::BentOlder("nesting-v4/aarch64", |port| {
            Box::new(Ours::<NestingV4, Bended<PendingFlagAtomic>>::new(port))
        }),
        fixed: "nesting-v4/aarch64",
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
    Specimen {
        name: "zoo/arm64-nest-debug-pagealloc",
        program: "broken/arm64-nest-debug-pagealloc",
        breaks: Invariant::I15,
        history: History {
            ids: "5fdd05efa1cd (6.16); 1ef3095b1405; 5ab246749569 (7.0); Catalin Marinas 2025-05-12",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (6.16, linux-next)",
        },
        about: "DEBUG_PAGEALLOC opens a section inside the caller's, and the first arm64 version warns of that.",
        form: FIRST,
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/arm64-inner-leave-kills-batching",
        program: "broken/arm64-inner-leave-kills-batching",
        breaks: Invariant::I5,
        history: History {
            ids: "1ef3095b1405 (6.16 to 6.19)",
            status: Status::MergedLatent,
            grade: Grade::C,
            lived: "stateless (6.16 to 6.19)",
        },
        about: "The inner leave ends the mode: the rest of the outer section pays barriers for each entry.",
        form: Form::Older("stateless/aarch64"),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/arm64-paused-enable-warn",
        program: "broken/arm64-paused-enable-warn",
        breaks: Invariant::I15,
        history: History {
            ids: "v3, v4; Ryan Roberts, Kevin Brodsky, 2025-11-11; v5 has two counters",
            status: Status::Review,
            grade: Grade::C,
            lived: "nesting-v3, nesting-v4",
        },
        about: "KASAN frees a page of shadow while paused; DEBUG_PAGEALLOC opens a section there, which v4 declares \
                illegal: it warns, counts, and flushes.",
        form: Form::Older("nesting-v4/aarch64"),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/arm64-paused-enable-activates",
        program: "broken/arm64-paused-enable-activates",
        breaks: Invariant::I4,
        history: History {
            ids: "v4 thread 2025-11, options A to D",
            status: Status::Hazard,
            grade: Grade::C,
            lived: "nesting-v4 (proposed)",
        },
        about: "A section opened in a pause counts and is active: the pause is not asked for.",
        form: Form::Bent(counting::<PausedEnableActivates, Aarch64>),
        fixed: "counted/aarch64",
    },
    Specimen {
        name: "zoo/arm64-split-leaf-sleep",
        program: "broken/arm64-split-leaf-sleep",
        breaks: Invariant::I7,
        history: History {
            ids: "a166563e7ec3; fix ce2b3a50ad92 (6.18-rc6), Guenter Roeck",
            status: Status::BrokeUsers,
            grade: Grade::C,
            lived: "stateless (6.18-rc1)",
        },
        about: "Splitting the linear map takes a mutex, also for an allocation in a softirq.",
        form: Form::Caller(Caller { wrong: rewrite::takes_a_mutex, right: None, on: None }),
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
        if is_valid_kernel(word) && cx.is_lazy_mmu_mode_active() {
            // What the test would find.
            cx.thread(cx.current()).pending.set(false);
        }
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

/// The first arm64 version (5fdd05efa1cd, linux-next before 6.16), for which `VM_WARN_ON` alone speaks against interrupt
/// context and nesting. That of `queue_pte_barriers()` is left out: there is no site of a warning outside calls.
const FIRST: Form =
    Form::BentOlder("stateless/aarch64", |port| Box::new(Ours::<Stateless, Bended<FirstVersion>>::new(port)));

enum FirstVersion {}

impl Hooked for FirstVersion {
    type Base = Aarch64Stateless;

    fn enter<C: At<Aarch64Stateless>>(cx: &mut C) {
        if cx.in_interrupt() || cx.thread(cx.current()).active.get() {
            cx.warn_once(WarnSite::Enable);
        }
        cx.thread(cx.current()).active.set(true);
    }

    fn flush<C: At<Aarch64Stateless>>(cx: &mut C) {
        flush_pending(cx);
    }

    fn leave<C: At<Aarch64Stateless>>(cx: &mut C) {
        if cx.in_interrupt() {
            cx.warn_once(WarnSite::Disable);
        }
        flush_pending(cx);
        cx.thread(cx.current()).active.set(false);
    }

    fn arch_mode<C: At<Aarch64Stateless>>(cx: &C) -> Option<bool> {
        Some(cx.thread(cx.current()).active.get())
    }

    fn ignores_hooks<C: At<Aarch64Stateless>>(_cx: &C) -> bool {
        false
    }
}

enum PausedEnableActivates {}

/// Counting, and the question: each alone is harmless.
impl Counting for PausedEnableActivates {
    fn enable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        let state = cx.current_state();
        if !cx.in_interrupt() && state.pause_count.get() > 0 {
            state.enable_count.set(state.enable_count.get().wrapping_add(1));
        } else {
            counted::lazy_mmu_mode_enable(cx);
        }
    }

    fn disable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        let state = cx.current_state();
        if !cx.in_interrupt() && state.pause_count.get() > 0 {
            state.enable_count.set(state.enable_count.get().wrapping_sub(1));
            cx.arch_flush_lazy_mmu_mode();
        } else {
            counted::lazy_mmu_mode_disable(cx);
        }
    }

    fn is_active<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
        !cx.in_interrupt() && cx.current_state().enable_count.get() > 0
    }
}
