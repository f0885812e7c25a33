/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * The border between a kernel tree's C and lazymmu's machine, version 1.
 *
 * The tree's objects, the overlay and the glue stand on one side, the Rust adapter with the machine on the other. Both
 * sides meet in two functions, and every number that crosses is written here. No kernel type is in this file: the glue
 * includes it with the tree's own flags, the adapter has the same numbers in Rust (a test compares them).
 *
 *   lazymmu_enter()   the machine asks the subject: an entry. Saves the user's registers, loads the kernel's.
 *   lazymmu_upcall()  the subject asks the machine. Loads the user's registers, and on return the kernel's as they are
 *                     then: the machine may have run other tasks on other CPUs meanwhile, through further entries.
 *
 * Depths and not bits: what preempt_count, flags and PTEs are made of is the tree's affair. The glue converts.
 */
#ifndef LAZYMMU_BORDER_H
#define LAZYMMU_BORDER_H

#define LAZYMMU_BORDER_VERSION 1

#define LAZYMMU_CPUS 2
#define LAZYMMU_TASKS 8
#define LAZYMMU_MMS 3		/* 0 is init_mm */
#define LAZYMMU_PAGES 2048	/* of each address space; see arches/src/page.rs for what lies where */

typedef unsigned long lz_u64;

/* An entry of a page table, packed: address space, page, size class. */
#define LZ_AT(mm, page, size) ((lz_u64)(mm) << 24 | (lz_u64)(page) << 8 | (lz_u64)(size))
#define LZ_AT_MM(at) ((at) >> 24 & 0xff)
#define LZ_AT_PAGE(at) ((at) >> 8 & 0xffff)
#define LZ_AT_SIZE(at) ((at) & 0xff)
#define LZ_NOWHERE (~(lz_u64)0)

/* Why things may not happen on a CPU, packed: depths, what the subject itself has added included. */
#define LZ_DEPTHS(preempt, bh, softirq, hardirq, nmi, irqs_off) \
	((lz_u64)(preempt) | (lz_u64)(bh) << 8 | (lz_u64)(softirq) << 16 | (lz_u64)(hardirq) << 24 | (lz_u64)(nmi) << 32 | (lz_u64)(irqs_off) << 40)

enum lz_size { LZ_SMALL = 0, LZ_LARGE = 1, LZ_HUGE = 2 };
enum lz_pte_flag {
	LZ_VALID = 1, LZ_WRITE = 2, LZ_USER = 4, LZ_EXEC = 8, LZ_ACCESSED = 16, LZ_DIRTY = 32,
	LZ_HASHED = 64,	/* powerpc64: the hash table has, or had, an entry for it */
};
enum lz_hook { LZ_HOOK_ENTER = 0, LZ_HOOK_FLUSH = 1, LZ_HOOK_LEAVE = 2 };
enum lz_call {
	LZ_CALL_ENABLE = 0, LZ_CALL_DISABLE = 1, LZ_CALL_PAUSE = 2, LZ_CALL_RESUME = 3,
	LZ_CALL_TASK_PAUSE = 4, LZ_CALL_TASK_RESUME = 5,
};
/* Which backend an object is booted as; LZ_FACT_FORMS has a bit for each that it can be. */
enum lz_form {
	LZ_FORM_AARCH64 = 0, LZ_FORM_HASH = 1, LZ_FORM_RADIX = 2, LZ_FORM_SUN4U = 3, LZ_FORM_SUN4V = 4,
	LZ_FORM_NATIVE = 5, LZ_FORM_XEN = 6,
};
/* Which API the tree has: found by the build from the tree's headers (-DLZ_API=...), never from a version. */
enum lz_api {
	LZ_API_STATELESS = 0,	/* arch_enter_lazy_mmu_mode() and its like are the API */
	LZ_API_V3 = 1,		/* lazy_mmu_state.count, .enabled */
	LZ_API_V4 = 2,		/* lazy_mmu_state.nesting_level, .active */
	LZ_API_COUNTED = 3,	/* lazy_mmu_state.enable_count, .pause_count */
	LZ_API_OTHER = 4,	/* lazy_mmu_mode_enable() with another state: the contract alone judges */
};

/* Where Xen PV keeps the mode. */
enum lz_xen {
	LZ_XEN_NOWHERE = 0,	/* the counters say it: since 7.2 */
	LZ_XEN_MODE_OF_CPU = 1,	/* xen_lazy_mode: up to 6.5, 6.15 to 7.1 */
	LZ_XEN_NESTED = 2,	/* the same, and xen_lazy_nesting counts enters: 6.6 to 6.14 */
};

/* lazymmu_enter(entry, a, b, c, d). Numbers are in range: the adapter sees to it. */
enum lz_entry {
	LZ_ENTRY_FACT = 0,		/* a: enum lz_fact. Yields the fact; a text is a pointer */
	LZ_ENTRY_BOOT = 1,		/* a: enum lz_form. Once, before anything else; fills what boot code would have */
	LZ_ENTRY_ARENA = 2,		/* a: number from 0, b: 0 start, 1 bytes. Start 0 ends the list: all writable state.
					   The adapter copies it after boot, back at each reset, and hashes it */
	LZ_ENTRY_RUN = 3,		/* a: cpu, b: task, c: LZ_DEPTHS. From now on this CPU runs this task */
	LZ_ENTRY_FORK = 4,		/* a: parent, b: child. dup_task_struct() */
	LZ_ENTRY_RESET_CPUS = 5,	/* per-CPU state as after boot, tasks kept */
	LZ_ENTRY_MM_ON = 6,		/* a: mm, b: mask of CPUs that may hold translations, c: whether it has a context */
	LZ_ENTRY_CALL = 7,		/* a: enum lz_call, b: task */
	LZ_ENTRY_IS_ACTIVE = 8,		/* is_lazy_mmu_mode_active() */
	LZ_ENTRY_COUNTERS = 9,		/* a: task. Yields enable | pause << 8 | active << 16 */
	LZ_ENTRY_FLUSH = 10,		/* arch_flush_lazy_mmu_mode() */
	LZ_ENTRY_SET_PTES = 11,		/* a: LZ_AT, b: word, c: n. set_ptes(), set_pmd_at(), set_huge_pte_at() by size */
	LZ_ENTRY_CLEAR = 12,		/* a: LZ_AT. ptep_get_and_clear() or its like for the size; yields the word */
	LZ_ENTRY_WRPROTECT = 13,	/* a: LZ_AT. ptep_set_wrprotect() */
	LZ_ENTRY_GET = 14,		/* a: LZ_AT. ptep_get() */
	LZ_ENTRY_FLUSH_TLB = 15,	/* a: LZ_AT, b: n. flush_tlb_range(), flush_tlb_kernel_range() */
	LZ_ENTRY_GATHER_FLUSH = 16,	/* a: LZ_AT, b: n. tlb_flush() of an mmu_gather */
	LZ_ENTRY_MAP_LINEAR = 17,	/* a: LZ_AT, b: word or 0. DEBUG_PAGEALLOC's path for one page */
	LZ_ENTRY_START_SWITCH = 18,	/* a: prev. arch_start_context_switch() */
	LZ_ENTRY_END_SWITCH = 19,	/* a: next. arch_end_context_switch(), and what the tree's __switch_to() does */
	LZ_ENTRY_ARCH_MODE = 20,	/* yields 0 off, 1 on, 2: the architecture keeps no such mark */
	LZ_ENTRY_DEFERRED = 21,		/* a: cpu, b: task, c: 0 entries, 1 pending flag, 2 digest of what is held back */
	LZ_ENTRY_PREEMPT_DEPTH = 22,	/* preempt_disable() depth of the current task, LZ_ENTRY_RUN's included */
	LZ_ENTRY_PTE_WORD = 23,		/* a: flags, b: frame, c: size. The tree's own mk_pte() and its like */
	LZ_ENTRY_PTE_FLAGS = 24,	/* a: word */
	LZ_ENTRY_PTE_FRAME = 25,	/* a: word, b: size of the slot it lies in */
	LZ_ENTRY_PTE_SIZE = 26,		/* a: word, b: size of the slot it lies in */
	LZ_ENTRY_TOUCHED = 27,		/* a: LZ_AT or LZ_NOWHERE, b: word. A walker or fault handler used the entry; yields the
					   word after it. The glue runs the tree's own fault path where it has such a path */
	LZ_ENTRY_ADDRESS = 28,		/* a: LZ_AT. The virtual address the tree's code is given */
	LZ_ENTRY_PAGE_AT = 29,		/* a: mm, b: address. LZ_AT of the page there (its region tells the size), or LZ_NOWHERE */
	LZ_ENTRY_PTE_PLACE = 30,	/* a: LZ_AT. Where in memory the word lies, and its size class's table entry */
	LZ_ENTRY_GUEST = 31,		/* Xen. a: cpu, b: 0 entries, 1 arguments (addresses), 2 entries used, 3 bytes used, 4 where
					   machine address 0 lies */
	LZ_ENTRY_FORGET = 32,		/* a: LZ_AT. Its table entry, with all that lies beside it, is as at boot again: tables
					   are no arena, the adapter forgets what a run has touched */
	LZ_ENTRY_SETTLE = 33,		/* Between calls, before a fingerprint: what no longer matters is put to zero (used up buffer
					   space, generation numbers that only grow) */
	LZ_ENTRY_AGE = 34,		/* aarch64. a: LZ_AT, b: enum lz_age. Yields the function's answer, 2 where there is none */
	LZ_ENTRIES = 35,
};

/* What reclaim, a fault and madvise() do to access and dirty of one entry. */
enum lz_age {
	LZ_AGE_TEST_YOUNG = 0,	/* ptep_test_and_clear_young() */
	LZ_AGE_FLUSH_YOUNG = 1,	/* ptep_clear_flush_young() */
	LZ_AGE_FAULT = 2,	/* ptep_set_access_flags(), the entry as it is and accessed */
	LZ_AGE_CLEAN = 3,	/* clear_young_dirty_ptes(), both */
};

enum lz_fact {
	LZ_FACT_BORDER = 0,		/* LAZYMMU_BORDER_VERSION */
	LZ_FACT_ARCH = 1,		/* text */
	LZ_FACT_RELEASE = 2,		/* text: 7.2.13 */
	LZ_FACT_FORMS = 3,		/* a bit for each enum lz_form */
	LZ_FACT_API = 4,		/* enum lz_api */
	LZ_FACT_TASK_CALLS = 5,		/* whether __task_lazy_mmu_mode_pause() exists */
	LZ_FACT_SHIFTS = 6,		/* page shifts by size class: small | large << 8 | huge << 16 */
	LZ_FACT_CAPACITY = 7,		/* entries of the architecture's batch, 0 where there is no such thing */
	LZ_FACT_MODE = 8,		/* whether the tree has a lazy MMU mode on this architecture (arm64: since 6.16) */
	LZ_FACT_XEN = 9,		/* enum lz_xen */
	LZ_FACT_CONTPTE = 10,		/* aarch64. Bit 0: small user entries are folded to contiguous ones; bit 1: without
					   break-before-make; above bit 8 a period of page frames, above bit 16 from which of
					   each period on they are in no folio */
	LZ_FACTS = 11,
};

/* lazymmu_upcall(what, a, b, c, d) */
enum lz_upcall {
	LZ_UP_POINT = 0,	/* a: what it is a point of. The place between the halves of a call */
	LZ_UP_HOOK = 1,		/* a: enum lz_hook, b: is_lazy_mmu_mode_active() there */
	LZ_UP_NESTED_CALL = 2,	/* a: enum lz_call, b: task. A hook calls the generic API */
	LZ_UP_NESTED_RETURN = 3,/* the same */
	LZ_UP_PREEMPT = 4,	/* a: +1 or -1 (or more), where the tree's configuration makes it a call */
	LZ_UP_RESCHED = 5,	/* preempt_enable() reached zero and asked for the scheduler */
	LZ_UP_IRQ = 6,		/* a: 1 off, 0 on */
	LZ_UP_WARN = 7,		/* a: struct lz_site */
	LZ_UP_BUG = 8,		/* a: struct lz_site. The glue leaves the entry when this returns */
	LZ_UP_UNMODELLED = 9,	/* a: name (text), b: return address. Does not return */
	LZ_UP_INSN = 10,	/* a: enum lz_insn, b and c: operands. A barrier, an invalidation, a demap. Yields its result */
	LZ_UP_HYPERCALL = 11,	/* a: number, b, c, d: arguments. Yields the result */
	LZ_UP_NOTE = 12,	/* a: enum lz_note, b, c. For timelines alone: no oracle rests on it */
	LZ_UP_FLAG = 13,	/* a: thread flag, b: 1 set, 0 cleared, c: what it was */
	LZ_UP_PRINT = 14,	/* a: text */
	LZ_UP_ACCESS = 15,	/* a: address, b: bytes | write << 8 | volatile << 9, c: return address. Instrumented objects alone (version 1 has none) */
	LZ_UPCALLS = 16,
};

/* Where a WARN or BUG stands in the tree. */
struct lz_site { const char *file, *function, *condition; lz_u64 line; };

/* What LZ_UP_INSN names. Operands are the instruction's own: registers as the architecture has them. */
enum lz_insn {
	/* aarch64 */
	LZ_INSN_DSB_ISHST = 0, LZ_INSN_DSB_ISH = 1, LZ_INSN_DSB_NSHST = 2, LZ_INSN_DSB_NSH = 3, LZ_INSN_ISB = 4,
	LZ_INSN_TLBI = 5,	/* b: instruction word, c: operand */
	/* powerpc64 */
	LZ_INSN_HPTE_INVALIDATE = 16,	/* b: vpn, c: psize | apsize << 8 | ssize << 16 | local << 24, d: LZ_AT or LZ_NOWHERE */
	LZ_INSN_TLBIE = 17,		/* b: RB, c: RS above bit 32 | R << 11 | PRS << 10 | RIC << 8, d: LZ_AT it names */
	LZ_INSN_TLBIEL = 18, LZ_INSN_PTESYNC = 19, LZ_INSN_TLBSYNC = 20, LZ_INSN_EIEIO = 21,
	/* sparc64 */
	LZ_INSN_TSB_FLUSH = 32,		/* b: address, c: hash shift | mm << 8, d: LZ_AT it lies in */
	LZ_INSN_FLUSH_PAGE = 33,	/* b: context, c: vaddr */
	LZ_INSN_FLUSH_PENDING = 34,	/* b: context, c: vaddrs, d: how many */
	LZ_INSN_FLUSH_KERNEL = 35,	/* b: start, c: end */
	LZ_INSN_CROSS_CALL = 36,	/* b: 1 page 2 pending 3 kernel range, c: mask of the other CPUs, d: how many pages of the TLB */
	/* x86_64 */
	LZ_INSN_INVLPG = 48,		/* b: address */
	LZ_INSN_MOV_CR3 = 49, LZ_INSN_LOCK_ADD = 50,
	LZ_INSN_ACT_AS = 51,		/* b: another CPU: what follows is its own doing, as an interrupt there does it for this
					   CPU, which waits; LZ_NOWHERE: over */
};
/* LZ_NOTE_BATCH_FLUSH b: entries, or 0: an entry goes past the batch. LZ_NOTE_MC_FLUSH b: entries, c: argument bytes. LZ_NOTE_MC_ISSUE b: whether the buffer goes out at once. */
enum lz_note { LZ_NOTE_MC_FLUSH = 0, LZ_NOTE_MC_ISSUE = 1, LZ_NOTE_BATCH_ADD = 2, LZ_NOTE_BATCH_FLUSH = 3 };

lz_u64 lazymmu_enter(lz_u64 entry, lz_u64 a, lz_u64 b, lz_u64 c, lz_u64 d);
lz_u64 lazymmu_upcall(lz_u64 what, lz_u64 a, lz_u64 b, lz_u64 c, lz_u64 d);
/* The adapter's end of lazymmu_upcall(); the thunk calls it. */
lz_u64 lazymmu_machine(lz_u64 what, lz_u64 a, lz_u64 b, lz_u64 c, lz_u64 d);

#endif
