/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* arm64: simulated CPUs and tasks, and the entries' PTE operations. Compiled with the tree's own flags. */
#include <linux/sched.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <asm/tlbflush.h>
#include <asm/tlb.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "glue.h"
#include "arm64_folio.h"

const char lz_arch_name[] = "aarch64";
const unsigned lz_arch_forms = 1 << LZ_FORM_AARCH64;

struct task_struct *lz_current = lz_tasks;
unsigned long lz_cpu_offset;
unsigned long __per_cpu_offset[NR_CPUS];
DEFINE_PER_CPU_READ_MOSTLY(int, cpu_number);
s64 memstart_addr;
bool arm64_use_ng_mappings;
unsigned int nr_cpu_ids = LAZYMMU_CPUS;
static unsigned long irqs_off[LAZYMMU_CPUS];
static unsigned on;

#define LZ_AREA (8 << 10)
static char area[LAZYMMU_CPUS][LZ_AREA] __aligned(4096);

unsigned long lz_irqs_off(void) { return irqs_off[on]; }
void lz_set_irqs_off(unsigned long off)
{
	if (!!off == irqs_off[on])
		return;
	irqs_off[on] = !!off;
	lazymmu_upcall(LZ_UP_IRQ, !!off, 0, 0, 0);
}

unsigned long lz_daif(void) { return irqs_off[on] ? PSR_I_BIT | PSR_F_BIT : 0; }

void lz_flag(int flag, int now, int was) { lazymmu_upcall(LZ_UP_FLAG, flag, now, was, 0); }

static unsigned long tp(void)
{
	unsigned long value;

	asm("mrs %0, tpidr_el0" : "=r" (value));
	return value;
}

void lz_arch_reset_cpus(void)
{
	unsigned cpu;

	if (__stop_lz_percpu - __start_lz_percpu > LZ_AREA)
		lz_bug(__FILE__, __LINE__, __func__, "the per-CPU variables do not fit into LZ_AREA");
	for (cpu = 0; cpu < LAZYMMU_CPUS; cpu++) {
		memcpy(area[cpu], __start_lz_percpu, __stop_lz_percpu - __start_lz_percpu);
		__per_cpu_offset[cpu] = (unsigned long)area[cpu] - (unsigned long)__start_lz_percpu;
		per_cpu(cpu_number, cpu) = cpu;
		irqs_off[cpu] = 0;
	}
}

void lz_arch_run(unsigned cpu, struct task_struct *task, bool off)
{
	on = cpu;
	irqs_off[cpu] = off;
	lz_cpu_offset = __per_cpu_offset[cpu];
	lz_current = task;
}

void lz_arch_boot(enum lz_form form)
{
	lz_arch_reset_cpus();
	lz_arch_run(0, &lz_tasks[0], false);
#ifdef CONFIG_ARM64_CONTPTE
	lz_folios_boot();
#endif
}

void lz_arch_task_init(struct task_struct *task)
{
	init_task_preempt_count(task);
	/* __switch_to() writes it to tpidr_el0, which is libc's here. */
	task->thread.uw.tp_value = tp();
}

void lz_arch_mm_init(struct mm_struct *mm, unsigned number) { atomic64_set(&mm->context.id, number); }
void lz_arch_mm_on(struct mm_struct *mm, unsigned number, unsigned long mask, bool context)
{
	cpumask_bits(mm_cpumask(mm))[0] = mask;
}
void lz_arch_settle(void)
{
	unsigned mm;

	for (mm = 0; mm < LAZYMMU_MMS; mm++)
		cpumask_bits(mm_cpumask(lz_mm_of(mm)))[0] = 0;
}

/* A large page is CONT_PTES entries side by side. */
static unsigned long small[LAZYMMU_MMS][LAZYMMU_PAGES] __lz_table;
static unsigned long large[LAZYMMU_MMS][LAZYMMU_PAGES][CONT_PTES] __lz_table;
static unsigned long huge[LAZYMMU_MMS][LAZYMMU_PAGES] __lz_table;

void *lz_arch_place(unsigned mm, unsigned page, enum lz_size size)
{
	return size == LZ_SMALL ? &small[mm][page] : size == LZ_LARGE ? large[mm][page] : &huge[mm][page];
}

void lz_arch_forget(unsigned mm, unsigned page, enum lz_size size)
{
	memset(lz_arch_place(mm, page, size), 0, size == LZ_LARGE ? sizeof large[mm][page] : sizeof(pte_t));
}

unsigned lz_arch_shift(enum lz_size size)
{
	return size == LZ_SMALL ? PAGE_SHIFT : size == LZ_LARGE ? CONT_PTE_SHIFT : PMD_SHIFT;
}

unsigned long lz_arch_base(unsigned mm, enum lz_size size)
{
	return (mm ? (unsigned long)mm << 41 : 0xffff800080000000ul) + ((unsigned long)size << 38);
}

unsigned lz_arch_capacity(void) { return 0; }

lz_u64 lz_arch_contpte(void)
{
#ifdef CONFIG_ARM64_CONTPTE
	bool makes_at_once = false;

#if defined(LZ_BBML3)
	makes_at_once = system_supports_bbml3();
#elif defined(LZ_BBML2)
	makes_at_once = system_supports_bbml2_noabort();
#endif
	return 1 | makes_at_once << 1 | LZ_FRAMES_PERIOD << 8 | LZ_LONE_FRAMES << 16;
#else
	return 0;
#endif
}

/* Entries of the middle size are set as many small ones: contpte_set_ptes() sees that they are contiguous. */
static void set_large(const struct lz_page *page, lz_u64 word, unsigned n)
{
#ifdef CONFIG_ARM64_CONTPTE
	/*
	 * Kernel ones as set_huge_pte_at() makes them: with the bit, which set_ptes() gives to user entries alone. So are
	 * entries that are not present, which set_ptes() is not asked for at several at a time.
	 */
	if (!page->number || !pte_valid(__pte(word)))
		return __set_ptes(page->mm, page->address, page->place, __pte(word), n * CONT_PTES);
#endif
	set_ptes(page->mm, page->address, page->place, __pte(word), n * CONT_PTES);
}

/* set_ptes() takes several entries at a time if they are present: swap entries are set one by one. */
static void set_small(const struct lz_page *page, lz_u64 word, unsigned n)
{
#ifdef CONFIG_ARM64_CONTPTE
	unsigned i;

	if (page->number && !pte_valid(__pte(word))) {
		for (i = 0; i < n; i++)
			set_ptes(page->mm, page->address + i * PAGE_SIZE, (pte_t *)page->place + i,
				 __pte(word + i * PAGE_SIZE), 1);
		return;
	}
#endif
	set_ptes(page->mm, page->address, page->place, __pte(word), n);
}

void lz_arch_set(const struct lz_page *page, lz_u64 word, unsigned n)
{
	unsigned i;

	switch (page->size) {
	case LZ_SMALL:
		return set_small(page, word, n);
	case LZ_LARGE:
		return set_large(page, word, n);
	case LZ_HUGE:
#ifdef LZ_SET_PTES_ANYSZ
		if (!page->number)
			return __set_ptes_anysz(page->mm, page->address, page->place, __pte(word), n, PMD_SIZE);
#endif
		for (i = 0; i < n; i++)
			set_pmd_at(page->mm, page->address + i * PMD_SIZE, (pmd_t *)page->place + i,
				   __pmd(word + i * PMD_SIZE));
	}
}

lz_u64 lz_arch_clear(const struct lz_page *page)
{
	lz_u64 word;
	unsigned i;

	switch (page->size) {
	case LZ_SMALL:
		return pte_val(ptep_get_and_clear(page->mm, page->address, page->place));
	case LZ_LARGE:
		word = pte_val(get_and_clear_full_ptes(page->mm, page->address, page->place, CONT_PTES, 0));
		return word;
	case LZ_HUGE:
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
		return pmd_val(pmdp_huge_get_and_clear(page->mm, page->address, page->place));
#else
		return pte_val(ptep_get_and_clear(page->mm, page->address, page->place));
#endif
	}
	return 0;
}

void lz_arch_wrprotect(const struct lz_page *page)
{
	switch (page->size) {
	case LZ_SMALL:
		return ptep_set_wrprotect(page->mm, page->address, page->place);
	case LZ_LARGE:
		return wrprotect_ptes(page->mm, page->address, page->place, CONT_PTES);
	case LZ_HUGE:
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
		return pmdp_set_wrprotect(page->mm, page->address, page->place);
#else
		return ptep_set_wrprotect(page->mm, page->address, page->place);
#endif
	}
}

lz_u64 lz_arch_get(const struct lz_page *page)
{
	return page->size == LZ_HUGE ? pmd_val(READ_ONCE(*(pmd_t *)page->place)) : pte_val(ptep_get(page->place));
}

/* Small entries alone are asked for. */
lz_u64 lz_arch_age(const struct lz_page *page, unsigned how)
{
	struct vm_area_struct vma = { .vm_mm = page->mm };

	switch (how) {
	case LZ_AGE_TEST_YOUNG:
		return !!ptep_test_and_clear_young(&vma, page->address, page->place);
	case LZ_AGE_FLUSH_YOUNG:
		return !!ptep_clear_flush_young(&vma, page->address, page->place);
	case LZ_AGE_FAULT:
		return ptep_set_access_flags(&vma, page->address, page->place, pte_mkyoung(ptep_get(page->place)), 0);
#ifdef clear_young_dirty_ptes
	case LZ_AGE_CLEAN:
		clear_young_dirty_ptes(&vma, page->address, page->place, 1, CYDP_CLEAR_YOUNG | CYDP_CLEAR_DIRTY);
		return 0;
#endif
	}
	return 2;
}

/* The tree has a flush by blocks where it has transparent huge pages. */
#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && defined(flush_pmd_tlb_range)
#define lz_flush_blocks flush_pmd_tlb_range
#else
#define lz_flush_blocks flush_tlb_range
#endif

/* A user range of blocks steps by blocks, as hugetlb's flush does. */
void lz_arch_flush(const struct lz_page *first, unsigned n)
{
	unsigned long end = first->address + ((unsigned long)n << lz_arch_shift(first->size));
	struct vm_area_struct vma = { .vm_mm = first->mm };

	if (!first->number)
		flush_tlb_kernel_range(first->address, end);
	else if (first->size == LZ_HUGE)
		lz_flush_blocks(&vma, first->address, end);
	else
		flush_tlb_range(&vma, first->address, end);
}

void lz_arch_gather_flush(const struct lz_page *first, unsigned n)
{
	struct mmu_gather tlb = {
		.mm = first->mm, .start = first->address,
		.end = first->address + ((unsigned long)n << lz_arch_shift(first->size)),
		.cleared_ptes = first->size != LZ_HUGE, .cleared_pmds = first->size == LZ_HUGE,
	};

	if (!first->number)
		return lz_arch_flush(first, n);
	tlb_flush(&tlb);
}

/* The machine opens the section and flushes, as arm64's callers do (arch/arm64/mm/pageattr.c). */
void lz_arch_map_linear(const struct lz_page *page, lz_u64 word)
{
	if (word)
		return set_ptes(page->mm, page->address, page->place, __pte(word), 1);
	ptep_get_and_clear(page->mm, page->address, page->place);
	flush_tlb_kernel_range(page->address, page->address + PAGE_SIZE);
}

void lz_switch_to(struct task_struct *next);
void lz_arch_start_switch(struct task_struct *prev) { }
/* The scheduler has interrupts off here. */
void lz_arch_end_switch(struct task_struct *next)
{
	unsigned long was = irqs_off[on];

	irqs_off[on] = 1;
	lz_switch_to(next);
	irqs_off[on] = was;
}

/* arch/arm64/mm/flush.c: instructions written are not looked at here. */
void __sync_icache_dcache(pte_t pte) { }

unsigned lz_arch_mode(void)
{
#if LZ_API == 0 && defined(TIF_LAZY_MMU)
	return !in_interrupt() && test_thread_flag(TIF_LAZY_MMU);
#else
	return 2;
#endif
}

lz_u64 lz_arch_deferred(unsigned cpu, struct task_struct *task, unsigned what)
{
#ifdef TIF_LAZY_MMU_PENDING
	if (what == 1)
		return test_tsk_thread_flag(task, TIF_LAZY_MMU_PENDING);
#endif
	return 0;
}

lz_u64 lz_arch_guest(unsigned cpu, unsigned what) { return 0; }

lz_u64 lz_arch_word(lz_u64 flags, lz_u64 frame, enum lz_size size)
{
	pgprot_t prot = flags & LZ_USER ? (flags & LZ_EXEC ? PAGE_SHARED_EXEC : PAGE_SHARED)
					: (flags & LZ_EXEC ? PAGE_KERNEL_EXEC : PAGE_KERNEL);
	pte_t pte = pfn_pte(frame << (lz_arch_shift(size) - PAGE_SHIFT), prot);

	pte = pte_mkclean(pte);
	pte = flags & LZ_WRITE ? pte_mkwrite_novma(pte) : pte_wrprotect(pte);
	pte = flags & LZ_DIRTY ? pte_mkdirty(pte) : pte_mkclean(pte);
	pte = flags & LZ_ACCESSED ? pte_mkyoung(pte) : pte_mkold(pte);
	if (size == LZ_LARGE)
		pte = pte_mkcont(pte);
	if (size == LZ_HUGE)
		pte = __pte(pmd_val(pmd_mkhuge(__pmd(pte_val(pte)))));
	if (!(flags & LZ_VALID))
		pte = clear_pte_bit(pte, __pgprot(PTE_VALID));
	return pte_val(pte);
}

lz_u64 lz_arch_flags(lz_u64 word)
{
	pte_t pte = __pte(word);

	if (!word)
		return 0;
	return (pte_valid(pte) ? LZ_VALID : 0) | (pte_write(pte) ? LZ_WRITE : 0) | (pte_user(pte) ? LZ_USER : 0) |
	       (pte_user(pte) ? (pte_user_exec(pte) ? LZ_EXEC : 0) : (word & PTE_PXN ? 0 : LZ_EXEC)) |
	       (pte_young(pte) ? LZ_ACCESSED : 0) | (pte_dirty(pte) ? LZ_DIRTY : 0);
}

enum lz_size lz_arch_size(lz_u64 word, enum lz_size slot)
{
	if (pte_cont(__pte(word)))
		return LZ_LARGE;
	/* A block's descriptor has the table bit clear, valid or not. */
	return word && !(word & PTE_TYPE_PAGE & ~PTE_VALID) ? LZ_HUGE : LZ_SMALL;
}

lz_u64 lz_arch_frame(lz_u64 word, enum lz_size slot)
{
	return pte_pfn(__pte(word)) >> (lz_arch_shift(lz_arch_size(word, slot)) - PAGE_SHIFT);
}

lz_u64 lz_arch_touched(lz_u64 at, lz_u64 word) { return word; }

/* One object with the entries: each object reads the kernel's headers anew, which is most of its time. */
#include "generic.c"
