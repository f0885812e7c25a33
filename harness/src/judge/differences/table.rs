//! The rows of [`super::explained`].

use super::explained::{By, Class, Kind, Row};

const fn kind(behind: &'static str, ours: &'static str, theirs: &'static str) -> Kind {
    Kind { behind, ours, theirs }
}

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "xen-exchange",
        on: &["xen"],
        class: Class::Ours,
        by: By::Correction("xen-exchange"),
        reason: "clear and write protection exchange the entry: the hypervisor takes the trap and makes the change at once; \
                 our Rust queues both",
        source: "arch/x86/include/asm/pgtable.h: ptep_get_and_clear(), ptep_set_wrprotect()",
    },
    Row {
        name: "xen-huge-set",
        on: &["xen"],
        class: Class::Ours,
        by: By::Correction("xen-huge-set"),
        reason: "a huge page outside a section goes by the multicall buffer, which is issued at once, and takes along what is \
                 in it; our Rust makes a hypercall past the buffer",
        source: "arch/x86/xen/mmu_pv.c: xen_set_pmd_hyper()",
    },
    Row {
        name: "xen-own-flush",
        on: &["xen"],
        class: Class::Ours,
        by: By::Correction("xen-own-flush"),
        reason: "a flush of this CPU alone, and each CPU's part of a kernel range, is an operation for each page, and another \
                 CPU's does not wait; our Rust queues one operation on a mask of CPUs",
        source: "arch/x86/mm/tlb.c: flush_tlb_kernel_range(), flush_tlb_func(); arch/x86/xen/mmu_pv.c: xen_flush_tlb_one_user()",
    },
    Row {
        name: "xen-linear-flush",
        on: &["xen"],
        class: Class::Ours,
        by: By::Correction("xen-linear-flush"),
        reason: "DEBUG_PAGEALLOC's flush of this CPU names no mask: 24 bytes of the buffer; our Rust's names one, 32 bytes",
        source: "arch/x86/xen/mmu_pv.c: xen_flush_tlb()",
    },
    Row {
        name: "hash-set-over-live",
        on: &["powerpc64-hash"],
        class: Class::Ours,
        by: By::Correction("hash-set-over-live"),
        reason: "set_ptes() over a live entry stores and forgets the hash entry; our Rust invalidates it",
        source: "arch/powerpc/mm/pgtable.c: set_ptes()",
    },
    Row {
        name: "hash-linear-insert",
        on: &["powerpc64-hash"],
        class: Class::Ours,
        by: By::Correction("hash-linear-insert"),
        reason: "DEBUG_PAGEALLOC puts the hash entry in when it maps a page; our Rust leaves that to the first access",
        source: "arch/powerpc/mm/book3s64/hash_utils.c: kernel_map_linear_page()",
    },
    Row {
        name: "hash-4k-one-size",
        on: &["powerpc64-hash-4k"],
        class: Class::Modelled,
        by: By::Correction("hash-4k-one-size"),
        reason: "a kernel of 4K pages has one base page for the machine's small and large ones, so that one batch holds both; our \
                 Rust is that of 64K pages",
        source: "arch/powerpc/include/asm/book3s/64/hash-4k.h: pte_pagesize_index()",
    },
    Row {
        name: "radix-4k-table",
        on: &["powerpc64-radix-4k"],
        class: Class::Modelled,
        by: By::Correction("radix-4k-table"),
        reason: "with 4K pages a page table maps 512 of them, more than a flush by single pages takes: neither the walk cache nor \
                 a huge page is flushed with a range; our Rust is that of 64K pages, 32 to a table",
        source: "arch/powerpc/mm/book3s64/radix_tlb.c: __radix__flush_tlb_range()",
    },
    Row {
        name: "radix-flush",
        on: &["powerpc64-radix"],
        class: Class::Ours,
        by: By::Correction("radix-flush"),
        reason: "an address space that is on this CPU alone is flushed by tlbiel, and a range as long as a page table drops the \
                 walk cache, too; our Rust uses tlbie always and drops translations alone",
        source: "arch/powerpc/mm/book3s64/radix_tlb.c: __radix__flush_tlb_range()",
    },
    Row {
        name: "sparc-linear-word",
        on: &["sparc64", "sparc64-sun4v"],
        class: Class::Ours,
        by: By::Correction("sparc-linear-word"),
        reason: "DEBUG_PAGEALLOC maps with PAGE_KERNEL, which is accessed and dirty; our Rust stores the word it is given",
        source: "arch/sparc/mm/init_64.c: __kernel_map_pages()",
    },
    Row {
        name: "set-over-live-warns",
        on: &["aarch64", "powerpc64-hash", "powerpc64-radix"],
        class: Class::Ours,
        by: By::Kinds(&[
            kind("set …", "", ARM_YOUNG_AND_FRAME),
            kind("set …", "", ARM_YOUNG_AND_CHANGE),
            kind("set …", "", ARM_ALL_THREE),
            kind("set …", "", POWERPC_LIVE),
            kind("fault N", "", POWERPC_LIVE),
            kind("set …", "", POWERPC_LIVE_HUGE),
        ]),
        reason: "a set over a live entry warns under DEBUG_VM; our Rust does not",
        source: "arch/arm64/include/asm/pgtable.h: __check_safe_pte_update(); arch/powerpc/mm/pgtable.c: set_ptes()",
    },
    Row {
        name: "debug-preempt",
        on: &["powerpc64-hash", "sparc64", "sparc64-sun4v"],
        class: Class::Ours,
        by: By::Kinds(&[
            kind("hook …", "", PREEMPTIBLE),
            kind("hook …", "", UNDERFLOW),
            kind(
                "hook …",
                "",
                "WARN lib/smp_processor_id.c:N, smp_processor_id(): preemptible(); WARN kernel/sched/core.c:N, preempt_count_sub(): val > preempt_count()",
            ),
        ]),
        reason: "where a program has ended more sections than it began, a hook runs with preemption on and counts below 0: \
                 DEBUG_PREEMPT warns; our Rust has no such checks, and the machine tells both by events of its own",
        source: "lib/smp_processor_id.c: check_preemption_disabled(); kernel/sched/core.c: preempt_count_sub()",
    },
    Row {
        name: "count-below-zero",
        on: &["sparc64", "sparc64-sun4v"],
        class: Class::Modelled,
        by: By::Kinds(&[kind("set …", "`tsb_flush` with preemption on", "")]),
        reason: "the border carries no preempt_count below 0: a tree's code sees 0 there, so its next preempt_disable() counts \
                 to 1",
        source: "harness/border/glue/generic.c: run()",
    },
    Row {
        name: "same-word",
        on: &["aarch64", "sparc64", "sparc64-sun4v"],
        class: Class::Modelled,
        by: By::Kinds(&[
            kind("alloc …", "went out: N updates", "went out: N updates, none was needed"),
            kind("alloc …", "not in effect: K[N]: no barrier made the store visible to walkers", ""),
        ]),
        reason: "the adapter does not see a store of the word that is there already, so the machine has nothing that waits for \
                 a barrier",
        source: "harness/tree-agent/src/tree.rs: settle_stores()",
    },
];

const ARM_YOUNG_AND_FRAME: &str = "WARN arch/armN/include/asm/pgtable.h:N, __check_safe_pte_update(): !(!!(((pte).pte) & …; WARN arch/armN/include/asm/pgtable.h:N, __check_safe_pte_update(): (!!(((old_pte).pte) & …";
const ARM_YOUNG_AND_CHANGE: &str = "WARN arch/armN/include/asm/pgtable.h:N, __check_safe_pte_update(): !(!!(((pte).pte) & …; WARN arch/armN/include/asm/pgtable.h:N, __check_safe_pte_update(): !pgattr_change_is_safe(…";
const ARM_ALL_THREE: &str = "WARN arch/armN/include/asm/pgtable.h:N, __check_safe_pte_update(): !(!!(((pte).pte) & …; WARN arch/armN/include/asm/pgtable.h:N, __check_safe_pte_update(): (!!(((old_pte).pte) & …; WARN arch/armN/include/asm/pgtable.h:N, __check_safe_pte_update(): !pgattr_change_is_safe(…";
const POWERPC_LIVE: &str = "WARN arch/powerpc/mm/pgtable.c:N, set_ptes(): pte_hw_valid(*ptep) && !pte_protnone(*ptep)";
const POWERPC_LIVE_HUGE: &str =
    "WARN arch/powerpc/mm/pgtable.c:N, set_huge_pte_at(): pte_hw_valid(*ptep) && !pte_protnone(*ptep)";
const PREEMPTIBLE: &str = "WARN lib/smp_processor_id.c:N, smp_processor_id(): preemptible()";
const UNDERFLOW: &str = "WARN kernel/sched/core.c:N, preempt_count_sub(): val > preempt_count()";
