/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * sparc64, sun4u and sun4v in one object: the kernel's global registers, TSBs, what boot code sets.
 *
 * Real: mm/tlb.c, mm/tsb.c, mm/hugetlbpage.c, kernel/smp_64.c, mm/init_64.c (its page protections, the kernel's flush and
 * __kernel_map_pages()). Modelled: mm/ultra.S and kernel/tsb.S; what they are asked for arrives at the machine as it is.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/percpu.h>
#include <asm/cpudata.h>
#include <asm/hugetlb.h>
#include <asm/mmu_context.h>
#include <asm/pgalloc.h>
#include <asm/spitfire.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>
#include <asm/tsb.h>
#include "glue.h"

const char lz_arch_name[] = "sparc64";
const unsigned lz_arch_forms = 1 << LZ_FORM_SUN4U | 1 << LZ_FORM_SUN4V;

unsigned long lz_pil;
static struct thread_info lz_infos[LAZYMMU_TASKS];
/* %g4 %g5 %g6 as the thunks load them, and the user's %g7. */
unsigned long lz_regs[4] = { (unsigned long)&lz_tasks[0], 0, (unsigned long)&lz_infos[0] };
static bool lz_sun4v;

#define LZ_PERCPU_MAX (16 << 10)
static char lz_percpu[LAZYMMU_CPUS][LZ_PERCPU_MAX] __aligned(4096);

/* Set by boot code or defined in assembly that is not linked; weak, because with more of the tree's objects the tree has them. */
enum ultra_tlb_layout tlb_type __weak;
struct trap_per_cpu trap_block[NR_CPUS] __weak;
unsigned long tlb_context_cache __weak;
struct cpumask __cpu_online_mask __weak;
bool _debug_pagealloc_enabled_early __weak = true;
unsigned long xcall_flush_tlb_page __weak, xcall_flush_tlb_kernel_range __weak;
/* Static in the tree, made global by the build. */
extern void (*xcall_deliver_impl)(struct trap_per_cpu *, int);
void lz_boot_protections(int sun4v);	/* sparc_init.c */
DECLARE_PER_CPU(struct tlb_batch, tlb_batch);

static unsigned long lz_cpu_offset(unsigned cpu) { return lz_percpu[cpu] - __start_lz_percpu; }

/* Interrupts and locks. */
void lz_set_pil(unsigned long pil)
{
	bool was = lz_pil > 0;

	lz_pil = pil;
	if (was != (pil > 0))
		lazymmu_upcall(LZ_UP_IRQ, pil > 0, 0, 0, 0);
}

asmlinkage void preempt_schedule(void) { lazymmu_upcall(LZ_UP_RESCHED, 0, 0, 0, 0); }

unsigned long __lockfunc _raw_spin_lock_irqsave(raw_spinlock_t *lock)
{
	unsigned long flags;

	local_irq_save(flags);
	preempt_disable();
	return flags;
}

void __lockfunc _raw_spin_unlock_irqrestore(raw_spinlock_t *lock, unsigned long flags)
{
	local_irq_restore(flags);
	preempt_enable();
}

/* arch/sparc/lib/ffs.S */
unsigned long __ffs(unsigned long word)
{
	unsigned long n = 0;

	for (; !(word & 1); word >>= 1)
		n++;
	return n;
}

/* Layout: user pages anywhere; the kernel's from number 1024 on are the linear map, and the others lie before it. */
#define LZ_LINEAR_PAGE 1024

unsigned lz_arch_shift(enum lz_size size)
{
	return size == LZ_HUGE ? HPAGE_SHIFT : size == LZ_LARGE ? HPAGE_64K_SHIFT : PAGE_SHIFT;
}

unsigned lz_arch_capacity(void) { return TLB_BATCH_NR; }

unsigned long lz_arch_base(unsigned mm, enum lz_size size)
{
	if (mm)
		return size == LZ_HUGE ? 1UL << 40 : size == LZ_LARGE ? 0x80000000UL : 0x70000000UL;
	return size == LZ_HUGE ? VMALLOC_START + (1UL << 36) :
	       size == LZ_LARGE ? VMALLOC_START + (1UL << 32) : PAGE_OFFSET - LZ_LINEAR_PAGE * PAGE_SIZE;
}

/* A page of 64K is eight entries. The linear map's second half of the kernel's table is a table of init_mm's tree. */
#define LZ_PARTS (1 << (HPAGE_64K_SHIFT - PAGE_SHIFT))
static pte_t lz_small[LAZYMMU_MMS][LAZYMMU_PAGES] __lz_table;
static pte_t lz_large[LAZYMMU_MMS][LAZYMMU_PAGES * LZ_PARTS] __lz_table;
static pte_t lz_huge[LAZYMMU_MMS][LAZYMMU_PAGES] __lz_table;
pgd_t swapper_pg_dir[PTRS_PER_PGD] __aligned(PAGE_SIZE);
static pud_t lz_puds[PTRS_PER_PUD] __aligned(PAGE_SIZE);
static pmd_t lz_pmds[PTRS_PER_PMD] __aligned(PAGE_SIZE);

void *lz_arch_place(unsigned mm, unsigned page, enum lz_size size)
{
	return size == LZ_HUGE ? &lz_huge[mm][page] : size == LZ_LARGE ? &lz_large[mm][page * LZ_PARTS] : &lz_small[mm][page];
}

static lz_u64 lz_page_at(unsigned mm, unsigned long address)
{
	unsigned size;

	for (size = LZ_SMALL; mm < LAZYMMU_MMS && size <= LZ_HUGE; size++) {
		unsigned long page = (address - lz_arch_base(mm, size)) >> lz_arch_shift(size);

		if (page < LAZYMMU_PAGES)
			return LZ_AT(mm, page, size);
	}
	return LZ_NOWHERE;
}

#include "sparc_tlb.c"

#include "sparc_boot.c"

/* Words. */
#define LZ_BIT(name) (lz_sun4v ? name##_4V : name##_4U)

lz_u64 lz_arch_word(lz_u64 flags, lz_u64 frame, enum lz_size size)
{
	pte_t pte = pfn_pte(frame << (lz_arch_shift(size) - PAGE_SHIFT), flags & LZ_USER ? PAGE_SHARED : PAGE_KERNEL);

	if (!(flags & LZ_WRITE))
		pte = pte_wrprotect(pte);
	else
		pte = pte_mkwrite_novma(pte);
	pte = flags & LZ_DIRTY ? pte_mkdirty(pte) : pte_mkclean(pte);
	if (!(flags & LZ_EXEC))
		pte_val(pte) &= ~LZ_BIT(_PAGE_EXEC);
	else
		pte_val(pte) |= LZ_BIT(_PAGE_EXEC);
	/* pte_mkold() makes an entry invalid: the first fault sets both. */
	if (!(flags & LZ_ACCESSED))
		pte_val(pte) &= ~LZ_BIT(_PAGE_ACCESSED);
	if (!(flags & LZ_VALID))
		pte_val(pte) &= ~(_PAGE_VALID | LZ_BIT(_PAGE_READ));
	return pte_val(size == LZ_SMALL ? pte : arch_make_huge_pte(pte, lz_arch_shift(size), 0));
}

lz_u64 lz_arch_flags(lz_u64 word)
{
	pte_t pte = __pte(word);

	return !word ? 0 : (word & _PAGE_VALID ? LZ_VALID : 0) | (pte_write(pte) ? LZ_WRITE : 0) |
	       (word & LZ_BIT(_PAGE_P) ? 0 : LZ_USER) | (pte_exec(pte) ? LZ_EXEC : 0) | (pte_young(pte) ? LZ_ACCESSED : 0) |
	       (pte_dirty(pte) ? LZ_DIRTY : 0);
}

enum lz_size lz_arch_size(lz_u64 word, enum lz_size slot)
{
	lz_u64 bits = word & LZ_BIT(_PAGE_SZALL);

	return !word ? slot : bits == LZ_BIT(_PAGE_SZ4MB) ? LZ_HUGE : bits == LZ_BIT(_PAGE_SZ64K) ? LZ_LARGE : LZ_SMALL;
}

lz_u64 lz_arch_frame(lz_u64 word, enum lz_size slot)
{
	return pte_pfn(__pte(word)) >> (lz_arch_shift(lz_arch_size(word, slot)) - PAGE_SHIFT);
}

/* A TLB miss changes no PTE that is accessed already; the machine has TSBs and TLBs. */
lz_u64 lz_arch_touched(lz_u64 at, lz_u64 word) { return word; }

/* Operations. */
void lz_arch_set(const struct lz_page *page, lz_u64 word, unsigned n)
{
	unsigned i;

	if (page->size == LZ_SMALL) {
		set_ptes(page->mm, page->address, page->place, __pte(word), n);
		return;
	}
	for (i = 0; i < n; i++) {
		unsigned long bytes = 1UL << lz_arch_shift(page->size);

		set_huge_pte_at(page->mm, page->address + i * bytes, lz_arch_place(page->number, page->page + i, page->size),
				__pte(word + i * bytes), bytes);
	}
}

/* Its fourth argument came with 6.14: a surplus argument in a register does no harm. */
typedef pte_t lz_huge_clear(struct mm_struct *, unsigned long, pte_t *, unsigned long);

lz_u64 lz_arch_clear(const struct lz_page *page)
{
	/* An empty entry has no size, of which the tree would warn: nobody clears such a one. */
	if (page->size != LZ_SMALL && pte_none(*(pte_t *)page->place))
		return 0;
	if (page->size != LZ_SMALL)
		return pte_val(((lz_huge_clear *)huge_ptep_get_and_clear)(page->mm, page->address, page->place,
									   1UL << lz_arch_shift(page->size)));
	return pte_val(ptep_get_and_clear(page->mm, page->address, page->place));
}

void lz_arch_wrprotect(const struct lz_page *page)
{
	if (page->size != LZ_SMALL)
		huge_ptep_set_wrprotect(page->mm, page->address, page->place);
	else
		ptep_set_wrprotect(page->mm, page->address, page->place);
}

lz_u64 lz_arch_get(const struct lz_page *page) { return pte_val(ptep_get(page->place)); }

void lz_arch_flush(const struct lz_page *first, unsigned n)
{
	unsigned long end = first->address + ((unsigned long)n << lz_arch_shift(first->size));
	static struct vm_area_struct vma;

	vma.vm_mm = first->mm;
	if (first->number) {
		flush_tlb_range(&vma, first->address, end);
		return;
	}
	lz_fill_tsb(first->address, end);
	flush_tlb_kernel_range(first->address, end);
	lz_tell_tsb();
}

void lz_arch_gather_flush(const struct lz_page *first, unsigned n)
{
	static struct mmu_gather tlb;

	memset(&tlb, 0, sizeof tlb);
	tlb.mm = first->mm;
	tlb.start = first->address;
	tlb.end = first->address + ((unsigned long)n << lz_arch_shift(first->size));
	tlb_flush(&tlb);
}

/* The tree chooses the word: its PAGE_KERNEL, or none. */
void lz_arch_map_linear(const struct lz_page *page, lz_u64 word)
{
#ifdef CONFIG_DEBUG_PAGEALLOC
	if (page->number || page->page < LZ_LINEAR_PAGE || page->page >= LZ_LINEAR_PAGE + PTRS_PER_PTE)
		return;
	lz_fill_tsb(page->address, page->address + PAGE_SIZE);
	lz_linear = page->place;
	__kernel_map_pages(vmemmap + (page->page - LZ_LINEAR_PAGE), 1, word != 0);
	lz_linear_stored();
	lz_linear = NULL;
	lz_tell_tsb();
#endif
}

/* The architecture has no such hooks, and its switch_to() knows nothing of the mode. */
void lz_arch_start_switch(struct task_struct *prev) { }
void lz_arch_end_switch(struct task_struct *next) { }

unsigned lz_arch_mode(void)
{
#ifdef LZ_BATCH_ACTIVE
	return raw_cpu_ptr(&tlb_batch)->active != 0;
#else
	return 2;
#endif
}

lz_u64 lz_arch_deferred(unsigned cpu, struct task_struct *task, unsigned what)
{
	struct tlb_batch *batch = (void *)((unsigned long)&tlb_batch + lz_cpu_offset(cpu));
	lz_u64 digest = 0;
	unsigned long i;

	if (what == 0)
		return batch->tlb_nr;
	if (what == 1)
		return 0;
	for (i = 0; i < batch->tlb_nr && i < TLB_BATCH_NR; i++)
		digest = lz_mix(digest, batch->vaddrs[i]);
	return digest;
}

lz_u64 lz_arch_guest(unsigned cpu, unsigned what) { return 0; }

/* One object with the entries: each object reads the kernel's headers anew, which is most of its time. */
#include "generic.c"
