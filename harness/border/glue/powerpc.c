/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * Book3S-64, hash and radix in one object: two pacas, what boot code sets, the tree's own hash table and hash faults.
 *
 * Real: hash_tlb.c, hash_utils.c, hash_64k.c or hash_4k.c, hugetlbpage.c, hash_native.c, radix_tlb.c, mm/pgtable.c. The
 * instructions of the last three arrive at lz_gate() (overlay/powerpc/asm/ppc-opcode.h). Not here: segments' buffers, guests.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <asm/cputable.h>
#include <asm/mmu_context.h>
#include <asm/paca.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>
#include "glue.h"

const char lz_arch_name[] = "powerpc64";
const unsigned lz_arch_forms = 1 << LZ_FORM_HASH | 1 << LZ_FORM_RADIX;

struct paca_struct lz_pacas[LAZYMMU_CPUS];
struct paca_struct *lz_paca = lz_pacas;	/* what r13 is in the tree's code */
unsigned long lz_user_r13;

#define LZ_PERCPU_MAX (16 << 10)
static char lz_percpu[LAZYMMU_CPUS][LZ_PERCPU_MAX] __aligned(4096);
static bool lz_radix;
static struct cpu_spec lz_cpu;
/* No instruction of a hash fault is told: the machine's own access stands for it. */
static bool lz_faulting;
/* The linear map's entries go past the batch, whatever the mode: no note says so. */
static bool lz_linear;

/* Set by boot code that is not linked; weak, because with more of the tree's objects the tree has them. */
unsigned long __per_cpu_offset[NR_CPUS] __weak;
struct cpu_spec *cur_cpu_spec __weak;
struct mmu_psize_def mmu_psize_defs[MMU_PAGE_COUNT] __weak;
unsigned long __pte_index_size __weak, __pmd_index_size __weak, __pud_index_size __weak, __pgd_index_size __weak;
unsigned long __kernel_virt_start __weak, __vmalloc_start __weak, __vmalloc_end __weak;
unsigned long __kernel_io_start __weak, __kernel_io_end __weak;
bool tlbie_capable __weak = true, tlbie_enabled __weak = true;
struct page *vmemmap __weak;
unsigned long volatile jiffies __weak;

/* Instead of the tree's, which the build makes weak: it walks the page table for its lock, and locks are the machine's. */
void assert_pte_locked(struct mm_struct *mm, unsigned long addr) { }

void __lockfunc _raw_spin_lock(raw_spinlock_t *lock) { preempt_disable(); }
void __lockfunc _raw_spin_unlock(raw_spinlock_t *lock) { preempt_enable(); }
notrace void arch_local_irq_restore(unsigned long mask) { irq_soft_mask_set(mask); }
asmlinkage void preempt_schedule(void) { lazymmu_upcall(LZ_UP_RESCHED, 0, 0, 0, 0); }
/* Radix asks CPUs that hold an address space lazily to leave it, now and then: no CPU here holds one so. */
void smp_call_function_many(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait) { }
/* Every huge page is one of these on hash: slices are the memory map's affair. */
unsigned int get_slice_psize(struct mm_struct *mm, unsigned long addr) { return MMU_PAGE_16M; }

/* The kernel's base page. Where it is 4K it stands for both of the machine's smaller sizes, on hash as on radix. */
#ifdef CONFIG_PPC_64K_PAGES
#define LZ_BASE_PSIZE MMU_PAGE_64K
#else
#define LZ_BASE_PSIZE MMU_PAGE_4K
#endif

/* Layout. Only user pages from number 1024 on lie above 1 TiB, in segments of that size, whatever the size class. */
#define LZ_HUGE_SHIFT (lz_radix ? RADIX_PMD_LZ_SHIFT : LZ_HASH_HUGE_SHIFT)
#define LZ_HASH_HUGE_SHIFT ilog2(SZ_16M)
#define RADIX_PMD_LZ_SHIFT (PAGE_SHIFT + RADIX_PTE_INDEX_SIZE)
/* Entries of a table that a huge page takes: on hash with base pages of 4K, those of 2M each. */
#define LZ_HASH_CELLS (1 << (LZ_HASH_HUGE_SHIFT - PAGE_SHIFT - H_PTE_INDEX_SIZE))
#define LZ_HUGE_CELLS (lz_radix ? 1 : LZ_HASH_CELLS)
#define LZ_LINEAR_PAGE 1024

unsigned lz_arch_shift(enum lz_size size) { return size == LZ_HUGE ? LZ_HUGE_SHIFT : PAGE_SHIFT; }
unsigned lz_arch_capacity(void) { return PPC64_TLB_BATCH_NR; }

unsigned long lz_arch_base(unsigned mm, enum lz_size size)
{
	if (mm)
		return (1UL << 40) - ((unsigned long)LZ_LINEAR_PAGE << lz_arch_shift(size));
	return VMALLOC_START + (size == LZ_HUGE ? 1UL << 38 : 0);
}

/* A table of the hash MMU has its PTEs' second halves behind it, where base pages are 64K. */
#define LZ_PTES (1 << H_PTE_INDEX_SIZE)
#define LZ_PMDS (1 << H_PMD_INDEX_SIZE)
struct lz_table { pte_t pte[LZ_PTES], second[LZ_PTES]; };
struct lz_huge_table { pte_t pte[LZ_PMDS], second[LZ_PMDS]; };
static struct lz_table lz_ptes[LAZYMMU_MMS][LAZYMMU_PAGES / LZ_PTES] __lz_table;
static struct lz_huge_table lz_pmds[LAZYMMU_MMS][LAZYMMU_PAGES * LZ_HASH_CELLS / LZ_PMDS] __lz_table;

void *lz_arch_place(unsigned mm, unsigned page, enum lz_size size)
{
	unsigned cell = page * LZ_HUGE_CELLS;

	if (size == LZ_HUGE)
		return &lz_pmds[mm][cell / LZ_PMDS].pte[cell % LZ_PMDS];
	return &lz_ptes[mm][page / LZ_PTES].pte[page % LZ_PTES];
}

#include "powerpc_hash.c"

#include "powerpc_gate.c"

#include "powerpc_boot.c"

#include "powerpc_word.c"

/* Operations. */
void lz_arch_set(const struct lz_page *page, lz_u64 word, unsigned n)
{
	unsigned i;

	lz_catch_up(page, n);
	/* A caller's run ends with the table. */
	for (i = 0; i < n && page->size != LZ_HUGE;) {
		unsigned here = min(n - i, LZ_PTES - (page->page + i) % LZ_PTES);

		set_ptes(page->mm, page->address + i * PAGE_SIZE, lz_arch_place(page->number, page->page + i, page->size),
			 __pte(word + i * PAGE_SIZE), here);
		i += here;
	}
	if (page->size != LZ_HUGE)
		return;
	for (i = 0; i < n; i++) {
		unsigned long bytes = 1UL << LZ_HUGE_SHIFT;

		set_huge_pte_at(page->mm, page->address + i * bytes, lz_arch_place(page->number, page->page + i, LZ_HUGE),
				__pte(word + ((lz_u64)i << LZ_HUGE_FRAME_SHIFT)), bytes);
	}
}

/* Its fourth argument came with 6.14: a surplus argument in a register does no harm. */
typedef pte_t lz_huge_clear(struct mm_struct *, unsigned long, pte_t *, unsigned long);

lz_u64 lz_arch_clear(const struct lz_page *page)
{
	lz_catch_up(page, 1);
	if (page->size == LZ_HUGE)
		return pte_val(((lz_huge_clear *)huge_ptep_get_and_clear)(page->mm, page->address, page->place,
									   1UL << LZ_HUGE_SHIFT));
	return pte_val(ptep_get_and_clear(page->mm, page->address, page->place));
}

void lz_arch_wrprotect(const struct lz_page *page)
{
	lz_catch_up(page, 1);
	if (page->size == LZ_HUGE)
		huge_ptep_set_wrprotect(page->mm, page->address, page->place);
	else
		ptep_set_wrprotect(page->mm, page->address, page->place);
}

lz_u64 lz_arch_get(const struct lz_page *page) { return pte_val(ptep_get(page->place)); }

static struct vm_area_struct lz_vma;

void lz_arch_flush(const struct lz_page *first, unsigned n)
{
	unsigned long end = first->address + ((unsigned long)n << lz_arch_shift(first->size));

	if (!first->number) {
		flush_tlb_kernel_range(first->address, end);
		return;
	}
	lz_vma.vm_mm = first->mm;
	if (first->size == LZ_HUGE)
		flush_pmd_tlb_range(&lz_vma, first->address, end);
	else
		flush_tlb_range(&lz_vma, first->address, end);
}

void lz_arch_gather_flush(const struct lz_page *first, unsigned n)
{
	static struct mmu_gather tlb;

	/* Nobody gathers the kernel's pages: as its other flush. */
	if (lz_radix && !first->number)
		return lz_arch_flush(first, n);
	memset(&tlb, 0, sizeof tlb);
	tlb.mm = first->mm;
	tlb.start = first->address;
	tlb.end = first->address + ((unsigned long)n << lz_arch_shift(first->size));
	tlb.cleared_ptes = first->size != LZ_HUGE;
	tlb.cleared_pmds = first->size == LZ_HUGE;
	tlb.page_size = 1UL << lz_arch_shift(first->size);
	tlb_flush(&tlb);
}

/*
 * Where the batch has its own mark of the mode, __switch_to() (kernel/process.c) keeps it with the task: modelled, because
 * that function is one piece around _switch(), and the machine switches between the two halves.
 */
void lz_arch_start_switch(struct task_struct *prev)
{
#if defined(LZ_BATCH_ACTIVE) && defined(_TLF_LAZY_MMU)
	struct ppc64_tlb_batch *batch = this_cpu_ptr(&ppc64_tlb_batch);

	if (!batch->active)
		return;
	task_thread_info(prev)->local_flags |= _TLF_LAZY_MMU;
	if (batch->index)
		__flush_tlb_pending(batch);
	batch->active = 0;
#endif
}

void lz_arch_end_switch(struct task_struct *next)
{
#if defined(LZ_BATCH_ACTIVE) && defined(_TLF_LAZY_MMU)
	if (!(task_thread_info(next)->local_flags & _TLF_LAZY_MMU))
		return;
	task_thread_info(next)->local_flags &= ~_TLF_LAZY_MMU;
	this_cpu_ptr(&ppc64_tlb_batch)->active = 1;
#endif
}

unsigned lz_arch_mode(void)
{
#ifdef LZ_BATCH_ACTIVE
	return lz_radix ? 2 : raw_cpu_ptr(&ppc64_tlb_batch)->active;
#else
	return 2;
#endif
}

lz_u64 lz_arch_deferred(unsigned cpu, struct task_struct *task, unsigned what)
{
	struct ppc64_tlb_batch *batch = (void *)((unsigned long)&ppc64_tlb_batch + __per_cpu_offset[cpu]);
	lz_u64 digest = 0;
	unsigned long i;

	if (what == 0)
		return batch->index;
	if (what == 1)
		return 0;
	for (i = 0; i < batch->index; i++)
		digest = lz_mix(lz_mix(digest, batch->vpn[i]), pte_val(batch->pte[i].pte));
	return digest;
}

lz_u64 lz_arch_guest(unsigned cpu, unsigned what) { return 0; }
/*
 * The tree's own path for one page of the linear map, which keeps the slots of its hash entries apart from any page table:
 * the entry here is the machine's alone. On radix the tree refuses DEBUG_PAGEALLOC: as a set and a flush.
 */
void lz_arch_map_linear(const struct lz_page *page, lz_u64 word)
{
	lz_catch_up(page, 1);
	/* On hash the tree puts the hash entry in at once, so that the machine's entry has its marks from the beginning. */
	*(pte_t *)page->place = __pte(!word ? 0 : lz_radix ? word & ~_PAGE_HPTEFLAGS : lz_arch_touched(LZ_NOWHERE, word));
	if (lz_radix && !word)
		flush_tlb_kernel_range(page->address, page->address + PAGE_SIZE);
#ifdef CONFIG_DEBUG_PAGEALLOC
	/* The tree turns interrupts off there, in the paca, which the machine does not see. */
	if (!lz_radix && page->page >= LZ_LINEAR_PAGE) {
		lazymmu_upcall(LZ_UP_IRQ, 1, 0, 0, 0);
		lz_linear = true;
		hash__kernel_map_pages(vmemmap + (page->page - LZ_LINEAR_PAGE), 1, word != 0);
		lz_linear = false;
		lazymmu_upcall(LZ_UP_IRQ, 0, 0, 0, 0);
	}
#endif
}

/* One object with the entries: each object reads the kernel's headers anew, which is most of its time. */
#include "generic.c"
