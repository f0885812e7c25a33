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

/*
 * TSBs, a user's two and the kernel's. The machine has its own; here an entry is needed where the tree's C itself looks at a
 * tag: the kernel's. lz_fill_tsb() puts in what a flush may find, lz_tell_tsb() tells which of it the tree took away.
 */
#define LZ_TSB_ENTRIES 512
static struct tsb lz_tsbs[LAZYMMU_MMS][MM_NUM_TSBS][LZ_TSB_ENTRIES] __lz_table;
struct tsb swapper_tsb[KERNEL_TSB_NENTRIES] __lz_table;
static unsigned long lz_filled_from, lz_filled_to, lz_filled_end;

static struct tsb *lz_kernel_tsb(unsigned long address)
{
	return &swapper_tsb[address >> PAGE_SHIFT & (KERNEL_TSB_NENTRIES - 1)];
}

static void lz_fill_tsb(unsigned long from, unsigned long to)
{
	unsigned long v;

	lz_filled_from = from;
	lz_filled_to = from + min(to - from, KERNEL_TSB_NENTRIES * PAGE_SIZE);
	lz_filled_end = to;
	for (v = from; v != lz_filled_to; v += PAGE_SIZE)
		lz_kernel_tsb(v)->tag = v >> 22;
}

/* Whether any of what was filled in went. */
static bool lz_tell_part(void)
{
	unsigned long v = lz_filled_from, to = lz_filled_to;
	bool any = false;

	lz_filled_from = lz_filled_to = 0;
	for (; v != to; v += PAGE_SIZE)
		if (lz_kernel_tsb(v)->tag != v >> 22) {
			any = true;
			lazymmu_upcall(LZ_UP_INSN, LZ_INSN_TSB_FLUSH, v, PAGE_SHIFT, lz_page_at(0, v));
		}
	return any;
}

/*
 * The table has fewer entries than a long range has pages: what it had no room for goes through the tree's function in
 * further parts, if the tree has used it for the first.
 */
static void lz_tell_tsb(void)
{
	unsigned long from = lz_filled_to, to = lz_filled_end;

	while (lz_tell_part() && from != to) {
		lz_fill_tsb(from, to);
		flush_tsb_kernel_range(from, to);
		from = lz_filled_to;
	}
}

/* kernel/tsb.S: a compare and swap of the tag. Which table, and so which address, says the entry's place. */
void tsb_flush(unsigned long ent, unsigned long tag)
{
	struct tsb *tsb = (struct tsb *)ent;
	unsigned long n = tsb - &lz_tsbs[0][0][0], mm = n / LZ_TSB_ENTRIES / MM_NUM_TSBS;
	bool huge = n / LZ_TSB_ENTRIES % MM_NUM_TSBS;
	unsigned long address = tag << 22 | (huge ? 0 : (n % LZ_TSB_ENTRIES << PAGE_SHIFT) & ((1UL << 22) - 1));

	if (tsb->tag == tag)
		tsb->tag = 1UL << TSB_TAG_INVALID_BIT;
	lazymmu_upcall(LZ_UP_INSN, LZ_INSN_TSB_FLUSH, address, (huge ? REAL_HPAGE_SHIFT : PAGE_SHIFT) | mm << 8,
		       lz_page_at(mm, address));
}

/* mm/ultra.S. While lz_captured is set, what another CPU is to do is written down and not done. */
static struct lz_capture { unsigned long context, n; unsigned long *addresses; } *lz_captured;

void __flush_tlb_page(unsigned long context, unsigned long vaddr)
{
	if (lz_captured) {
		*lz_captured = (struct lz_capture) { context, 1, NULL };
		return;
	}
	lazymmu_upcall(LZ_UP_INSN, LZ_INSN_FLUSH_PAGE, context, vaddr, lz_page_at(context, vaddr & PAGE_MASK));
}

void __flush_tlb_pending(unsigned long context, unsigned long n, unsigned long *vaddrs)
{
	if (lz_captured) {
		*lz_captured = (struct lz_capture) { context, n, vaddrs };
		return;
	}
	lazymmu_upcall(LZ_UP_INSN, LZ_INSN_FLUSH_PENDING, context, (lz_u64)vaddrs, n);
}

/*
 * The page of the linear map that __kernel_map_pages() changes. The kernel's linear map may be executed; a program's entries
 * of it may not, so the machine is not told so. What is left of an entry is the address, which says nothing.
 */
static pte_t *lz_linear;

static void lz_linear_stored(void)
{
	unsigned long address = lz_linear ? pte_val(pfn_pte(lz_linear - &lz_small[0][LZ_LINEAR_PAGE], __pgprot(0))) : 0;

	if (!lz_linear)
		return;
	pte_val(*lz_linear) &= ~(tlb_type == hypervisor ? _PAGE_EXEC_4V : _PAGE_EXEC_4U);
	if (!(pte_val(*lz_linear) & ~address))
		*lz_linear = __pte(0);
}

void __flush_tlb_kernel_range(unsigned long start, unsigned long end)
{
	lz_linear_stored();
	lz_tell_tsb();
	lazymmu_upcall(LZ_UP_INSN, LZ_INSN_FLUSH_KERNEL, start, end, 0);
}

/* Cross calls: of a function in C, or of one of ultra.S in a mondo. */
void smp_call_function_many(const struct cpumask *mask, smp_call_func_t func, void *info, bool wait)
{
	unsigned long others = *(unsigned long *)mask & ((1 << LAZYMMU_CPUS) - 1) & ~(1UL << raw_smp_processor_id());
	struct lz_capture capture = {};

	if (!others)
		return;
	lz_captured = &capture;
	func(info);
	lz_captured = NULL;
	lazymmu_upcall(LZ_UP_INSN, LZ_INSN_CROSS_CALL, 2, others, capture.n);
}

static void lz_deliver(struct trap_per_cpu *tb, int count)
{
	u64 *mondo = (u64 *)tb->cpu_mondo_block_pa;
	u16 *list = (u16 *)tb->cpu_list_pa;
	bool page = (u32)mondo[0] == (u32)(unsigned long)&xcall_flush_tlb_page;
	unsigned long others = 0, pages = 0, v;

	while (count--)
		others |= 1UL << list[count];
	lz_tell_tsb();
	/* Of a range the TLB has a page for each of its own sizes. */
	for (v = mondo[1]; !page && v - mondo[1] < mondo[2] - mondo[1]; pages++)
		v += 1UL << min(lz_arch_shift(LZ_AT_SIZE(lz_page_at(0, v)) & 3), (unsigned)REAL_HPAGE_SHIFT);
	lazymmu_upcall(LZ_UP_INSN, LZ_INSN_CROSS_CALL, page ? 1 : 3, others, page ? 1 : pages);
}

/* sun4v has other instructions in some places: as sun4v_patch() does, and back again. */
struct lz_patch1 { u32 at, insn; };
struct lz_patch2 { u32 at, insns[2]; };
extern struct lz_patch1 __start_lz_sun4v1[], __stop_lz_sun4v1[];
extern struct lz_patch2 __start_lz_sun4v2[], __stop_lz_sun4v2[];

static void lz_swap(u32 *at, u32 *insn)
{
	u32 was = *at;

	*at = *insn;
	*insn = was;
	asm volatile("flush %0" : : "r" (at) : "memory");
}

/* mprotect() of the text: this program's own, in user mode. */
static void lz_text_is_writable(unsigned long from, unsigned long to)
{
	register unsigned long o0 asm("o0") = from & ~(PAGE_SIZE - 1), o1 asm("o1") = to - (from & ~(PAGE_SIZE - 1)),
			       o2 asm("o2") = 7, number asm("g1") = 74;

	asm volatile("ta 0x6d" : "+r" (o0) : "r" (o1), "r" (o2), "r" (number) : "memory", "cc", "o3", "o4", "o5");
}

static void lz_patch(void)
{
	unsigned long from = ~0UL, to = 0;
	struct lz_patch1 *one;
	struct lz_patch2 *two;

	for (one = __start_lz_sun4v1; one < __stop_lz_sun4v1; one++)
		from = min(from, (unsigned long)one->at), to = max(to, one->at + 4UL);
	for (two = __start_lz_sun4v2; two < __stop_lz_sun4v2; two++)
		from = min(from, (unsigned long)two->at), to = max(to, two->at + 8UL);
	if (from >= to)
		return;
	lz_text_is_writable(from, to);
	for (one = __start_lz_sun4v1; one < __stop_lz_sun4v1; one++)
		lz_swap((u32 *)(unsigned long)one->at, &one->insn);
	for (two = __start_lz_sun4v2; two < __stop_lz_sun4v2; two++) {
		lz_swap((u32 *)(unsigned long)two->at, &two->insns[0]);
		lz_swap((u32 *)(unsigned long)two->at + 1, &two->insns[1]);
	}
}

/* Whether the text is sun4v's. Not in an arena: a form that is put back in memory gets its own text at its next step. */
static bool lz_text_is_sun4v __attribute__((section(".bss.lz_tables")));

static void lz_patch_for_form(void)
{
	if (lz_text_is_sun4v == lz_sun4v)
		return;
	lz_text_is_sun4v = lz_sun4v;
	lz_patch();
}

static void lz_boot_linear_map(void)
{
	pgd_t *pgd = pgd_offset_pgd(swapper_pg_dir, PAGE_OFFSET);
	p4d_t *p4d = p4d_offset(pgd, PAGE_OFFSET);

	p4d_populate(&init_mm, p4d, lz_puds);
	pud_populate(&init_mm, &lz_puds[0], lz_pmds);
	pmd_populate_kernel(&init_mm, &lz_pmds[0], (pte_t *)&lz_small[0][LZ_LINEAR_PAGE]);
}

/* Boot. */
static u64 lz_mondos[LAZYMMU_CPUS][8];
static u16 lz_lists[LAZYMMU_CPUS][64];

void lz_arch_boot(enum lz_form form)
{
	unsigned n, t;

	lz_sun4v = form == LZ_FORM_SUN4V;
	lz_patch_for_form();
	tlb_type = lz_sun4v ? hypervisor : spitfire;
	tlb_context_cache = CTX_FIRST_VERSION;
	/* Physical and virtual addresses are the same. */
	PAGE_OFFSET = 0;
	*(unsigned long *)&__cpu_online_mask = (1 << LAZYMMU_CPUS) - 1;
	xcall_deliver_impl = lz_deliver;
	lz_boot_protections(lz_sun4v);
	for (n = 1; n < LAZYMMU_MMS; n++) {
		mm_context_t *context = &lz_mm_of(n)->context;

		for (t = 0; t < MM_NUM_TSBS; t++) {
			context->tsb_block[t].tsb = lz_tsbs[n][t];
			context->tsb_block[t].tsb_nentries = LZ_TSB_ENTRIES;
		}
	}
	lz_boot_linear_map();
	lz_arch_reset_cpus();
}

void lz_arch_reset_cpus(void)
{
	unsigned cpu;

	for (cpu = 0; cpu < LAZYMMU_CPUS; cpu++) {
		memcpy(lz_percpu[cpu], __start_lz_percpu, __stop_lz_percpu - __start_lz_percpu);
		trap_block[cpu].__per_cpu_base = lz_cpu_offset(cpu);
		trap_block[cpu].cpu_mondo_block_pa = (unsigned long)lz_mondos[cpu];
		trap_block[cpu].cpu_list_pa = (unsigned long)lz_lists[cpu];
	}
}

void lz_arch_task_init(struct task_struct *task)
{
	unsigned n = task - lz_tasks;

	lz_infos[n].task = task;
	task->stack = &lz_infos[n];
}

void lz_arch_mm_init(struct mm_struct *mm, unsigned number)
{
	spin_lock_init(&mm->page_table_lock);
	spin_lock_init(&mm->context.lock);
	if (!number)
		mm->pgd = swapper_pg_dir;
}

void lz_arch_run(unsigned cpu, struct task_struct *task, bool irqs_off)
{
	lz_patch_for_form();
	task_thread_info(task)->cpu = cpu;
	lz_pil = irqs_off ? LZ_PIL_OFF : 0;
	lz_regs[0] = (unsigned long)task;
	lz_regs[1] = lz_cpu_offset(cpu);
	lz_regs[2] = (unsigned long)task_thread_info(task);
	/* The caller goes on in C, with the registers as they are: from here on they are the new ones. */
	asm volatile("mov %0, %%g4\n\tmov %1, %%g5\n\tmov %2, %%g6"
		     : : "r" (lz_regs[0]), "r" (lz_regs[1]), "r" (lz_regs[2]) : "memory");
}

void lz_arch_mm_on(struct mm_struct *mm, unsigned number, unsigned long mask, bool context)
{
	*(unsigned long *)mm_cpumask(mm) = mask;
	if (number)
		mm->context.sparc64_ctx_val = context ? CTX_FIRST_VERSION | number : 0;
}

void lz_arch_settle(void) { }

void lz_arch_forget(unsigned mm, unsigned page, enum lz_size size)
{
	unsigned i;

	for (i = 0; i < (size == LZ_LARGE ? LZ_PARTS : 1); i++)
		((pte_t *)lz_arch_place(mm, page, size))[i] = __pte(0);
}

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

lz_u64 lz_arch_frame(lz_u64 word)
{
	return pte_pfn(__pte(word)) >> (lz_arch_shift(lz_arch_size(word, LZ_SMALL)) - PAGE_SHIFT);
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
