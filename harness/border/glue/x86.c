/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* x86: simulated CPUs over %gs, interrupts' state, hypercalls, and the entries' PTE operations. The tree's own flags. */
#include <linux/sched.h>
#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/percpu.h>
#include <linux/hardirq.h>
#include <asm/paravirt.h>
#include <asm/tlbflush.h>
#include <asm/tlb.h>
#include <asm/x86_init.h>
#ifdef CONFIG_XEN_PV
#include <asm/xen/page.h>
#include <asm/xen/hypercall.h>
#include <xen/xen.h>
#include <xen/features.h>
#endif
#include "x86.h"

const char lz_arch_name[] = "x86_64";
const unsigned lz_arch_forms = 1 << LZ_FORM_NATIVE
#ifdef CONFIG_XEN_PV
	| 1 << LZ_FORM_XEN
#endif
	;
static enum lz_form form;

/* What boot code of files that are not compiled would define. */
#ifdef DEFINE_PER_CPU_CACHE_HOT
DEFINE_PER_CPU_CACHE_HOT(struct task_struct *, current_task);
DEFINE_PER_CPU_CACHE_HOT(typeof(__preempt_count), __preempt_count) = PREEMPT_ENABLED;
DEFINE_PER_CPU_CACHE_HOT(unsigned long, this_cpu_off);
DEFINE_PER_CPU_CACHE_HOT(int, cpu_number);
#define LZ_CURRENT current_task
#define LZ_CPU_NUMBER cpu_number
#define LZ_COUNT __preempt_count
/* The linker script gives these their second names. */
asm(".globl const_current_task\n\t.set const_current_task, current_task");
#else	/* before 6.15 */
DEFINE_PER_CPU_ALIGNED(struct pcpu_hot, pcpu_hot) = { .preempt_count = PREEMPT_ENABLED };
DEFINE_PER_CPU(unsigned long, this_cpu_off);
#define LZ_CURRENT pcpu_hot.current_task
#define LZ_CPU_NUMBER pcpu_hot.cpu_number
#define LZ_COUNT pcpu_hot.preempt_count
asm(".globl const_pcpu_hot\n\t.set const_pcpu_hot, pcpu_hot");
#endif
unsigned long __per_cpu_offset[NR_CPUS];
unsigned long page_offset_base, vmemmap_base, vmalloc_base, phys_base;
/* No entry is global: as on a CPU without PGE, or with page-table isolation; Xen PV masks the bit too. */
pteval_t __supported_pte_mask = ~_PAGE_GLOBAL, __default_kernel_pte_mask = ~_PAGE_GLOBAL;
struct cpuinfo_x86 boot_cpu_data;
struct x86_init_ops x86_init;
/* Not declared in every version, so not in C. */
asm(".pushsection .data\n.globl __num_possible_cpus\n__num_possible_cpus: .long 2, 0\n.popsection");
unsigned int pgdir_shift = 39, ptrs_per_p4d = 1;
struct cpumask __cpu_online_mask = { .bits = { (1ul << LAZYMMU_CPUS) - 1 } };
struct cpumask __cpu_possible_mask = { .bits = { (1ul << LAZYMMU_CPUS) - 1 } };
unsigned int nr_cpu_ids = LAZYMMU_CPUS;

/* arch/x86/lib/hweight.S, as boot code replaces its calls: an argument in %rdi, and no register changed but %rax. */
asm(".pushsection .text\n"
    ".globl __sw_hweight32\n__sw_hweight32: popcntl %edi, %eax\n ret\n"
    ".globl __sw_hweight64\n__sw_hweight64: popcntq %rdi, %rax\n ret\n"
    ".popsection");

/* Per CPU a copy of the per-CPU variables. */
#define LZ_AREA (8 << 10)
static char area[LAZYMMU_CPUS][LZ_AREA] __aligned(4096);
static unsigned char irqs_off[LAZYMMU_CPUS];
/* Where %gs points: no part of the arenas, for a reset does not move it. One more than the CPU's number. */
static unsigned gs_of __attribute__((section(".bss.lz_tables")));
#define on (gs_of - 1)

/* pv_ops.irq: by the paravirt calling convention all registers but %rax are kept. */
__visible unsigned long lz_save_fl(void) { return irqs_off[on] ? 0 : X86_EFLAGS_IF; }
__visible void lz_irq_disable(void)
{
	if (!irqs_off[on]) {
		irqs_off[on] = 1;
		lazymmu_upcall(LZ_UP_IRQ, 1, 0, 0, 0);
	}
}
__visible void lz_irq_enable(void)
{
	if (irqs_off[on]) {
		irqs_off[on] = 0;
		lazymmu_upcall(LZ_UP_IRQ, 0, 0, 0, 0);
	}
}
PV_CALLEE_SAVE_REGS_THUNK(lz_save_fl);
PV_CALLEE_SAVE_REGS_THUNK(lz_irq_disable);
PV_CALLEE_SAVE_REGS_THUNK(lz_irq_enable);

__visible long lz_hypercall(unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e,
			    unsigned long nr)
{
	return lazymmu_upcall(LZ_UP_HYPERCALL, nr, a, b, c);
}
__visible void lz_preempt_schedule(void) { lazymmu_upcall(LZ_UP_RESCHED, 0, 0, 0, 0); }

void lz_set_gs_base(unsigned long base);

static void become(unsigned cpu)
{
	if (gs_of == cpu + 1)
		return;
	gs_of = cpu + 1;
	lz_set_gs_base(__per_cpu_offset[cpu]);
}

void lz_arch_run(unsigned cpu, struct task_struct *task, bool off)
{
	become(cpu);
	irqs_off[cpu] = off;
	raw_cpu_write(LZ_CURRENT, task);
}

void lz_as_cpu(unsigned cpu, void (*func)(void *), void *info)
{
	unsigned home = on, was_off = irqs_off[cpu];

	lz_insn(LZ_INSN_ACT_AS, cpu, 0, 0);
	become(cpu);
	irqs_off[cpu] = 1;
	raw_cpu_add(LZ_COUNT, HARDIRQ_OFFSET);
	lz_count_base[cpu] += HARDIRQ_OFFSET;
	lz_on_cpu = cpu;
	func(info);
	lz_count_base[cpu] -= HARDIRQ_OFFSET;
	lz_on_cpu = home;
	raw_cpu_add(LZ_COUNT, -HARDIRQ_OFFSET);
	irqs_off[cpu] = was_off;
	become(home);
	lz_insn(LZ_INSN_ACT_AS, LZ_NOWHERE, 0, 0);
}

void lz_arch_reset_cpus(void)
{
	unsigned cpu;

	BUILD_BUG_ON(LAZYMMU_CPUS > NR_CPUS);
	if (__stop_lz_percpu - __start_lz_percpu > LZ_AREA)
		lz_bug(__FILE__, __LINE__, __func__, "the per-CPU variables do not fit into LZ_AREA");
	for (cpu = 0; cpu < LAZYMMU_CPUS; cpu++) {
		memcpy(area[cpu], __start_lz_percpu, __stop_lz_percpu - __start_lz_percpu);
		__per_cpu_offset[cpu] = (unsigned long)area[cpu] - (unsigned long)__start_lz_percpu;
		per_cpu(this_cpu_off, cpu) = __per_cpu_offset[cpu];
		per_cpu(LZ_CPU_NUMBER, cpu) = cpu;
		irqs_off[cpu] = 0;
		lz_tlb_loaded(cpu, &init_mm);
	}
}

/* Tables are the start of simulated physical memory; their struct pages say that Xen has them pinned. */
static unsigned long tables[2][LAZYMMU_MMS][LAZYMMU_PAGES] __lz_table;
#define TABLE_PAGES (sizeof tables / PAGE_SIZE)
static struct page table_pages[TABLE_PAGES];

/* arch/x86/mm/physaddr.c: of virtual addresses the tables alone are looked at. */
bool __virt_addr_valid(unsigned long address)
{
	return address - (unsigned long)tables < sizeof tables;
}

void *lz_arch_place(unsigned mm, unsigned page, enum lz_size size) { return &tables[size == LZ_HUGE][mm][page]; }
void lz_arch_forget(unsigned mm, unsigned page, enum lz_size size) { tables[size == LZ_HUGE][mm][page] = 0; }

/* There is no middle size. */
unsigned lz_arch_shift(enum lz_size size) { return size == LZ_HUGE ? PMD_SHIFT : PAGE_SHIFT; }
unsigned long lz_arch_base(unsigned mm, enum lz_size size)
{
	return (mm ? (unsigned long)mm << 41 : 0xffffc90000000000ul) + ((unsigned long)size << 38);
}
/* MC_BATCH is static in multicalls.c; what it is there shows in the buffer's use. */
unsigned lz_arch_capacity(void) { return 0; }

#ifdef CONFIG_XEN_PV
enum xen_domain_type xen_domain_type;
u8 xen_features[XENFEAT_NR_SUBMAPS * 32];
unsigned long *machine_to_phys_mapping, machine_to_phys_nr;
unsigned long *xen_p2m_addr, xen_p2m_size, xen_max_p2m_pfn;
static unsigned long identity[512];

/* arch/x86/xen/p2m.c: the frames beyond the table are what they are. */
unsigned long get_phys_to_machine(unsigned long pfn) { return pfn < ARRAY_SIZE(identity) ? pfn : IDENTITY_FRAME(pfn); }

static void boot_xen(void)
{
	unsigned long n;

	for (n = 0; n < ARRAY_SIZE(identity); n++)
		identity[n] = n;
	xen_p2m_addr = machine_to_phys_mapping = identity;
	xen_p2m_size = machine_to_phys_nr = xen_max_p2m_pfn = ARRAY_SIZE(identity);
	xen_domain_type = XEN_PV_DOMAIN;
	for (n = 0; n < TABLE_PAGES; n++)
		__set_bit(PG_pinned, (unsigned long *)&table_pages[n].flags);
	lz_xen_boot_mmu();
	lz_xen_boot_cpu();
}
#endif

void lz_arch_boot(enum lz_form which)
{
	form = which;
	lz_arch_reset_cpus();
	page_offset_base = (unsigned long)tables;
	vmemmap_base = (unsigned long)table_pages;
	lz_arch_run(0, &lz_tasks[0], false);
	pv_ops.irq.save_fl = PV_CALLEE_SAVE(lz_save_fl);
	pv_ops.irq.irq_disable = PV_CALLEE_SAVE(lz_irq_disable);
	pv_ops.irq.irq_enable = PV_CALLEE_SAVE(lz_irq_enable);
#ifdef CONFIG_XEN_PV
	if (form == LZ_FORM_XEN)
		boot_xen();
#endif
}

void lz_arch_task_init(struct task_struct *task) { }
void lz_arch_mm_init(struct mm_struct *mm, unsigned number)
{
	mm->context.ctx_id = number + 1;
	atomic64_set(&mm->context.tlb_gen, 1);
}

/*
 * A CPU that may hold translations of an address space counts as one that has it loaded and has seen every flush so far:
 * the machine's address spaces share no addresses, and what a CPU has cached of one outlives a switch.
 */
void lz_arch_mm_on(struct mm_struct *mm, unsigned number, unsigned long mask, bool context)
{
	unsigned cpu;

	if (!number)
		return;
	cpumask_bits(mm_cpumask(mm))[0] = mask;
	atomic64_set(&mm->context.tlb_gen, 1);
	for (cpu = 0; cpu < LAZYMMU_CPUS; cpu++)
		lz_tlb_loaded(cpu, mask >> cpu & 1 ? mm : &init_mm);
}

void lz_arch_settle(void)
{
	unsigned i;

	for (i = 0; i < LAZYMMU_CPUS; i++) {
		lz_tlb_loaded(i, &init_mm);
#ifdef CONFIG_XEN_PV
		lz_xen_settle(i);
#endif
	}
	for (i = 0; i < LAZYMMU_MMS; i++) {
		atomic64_set(&lz_mm_of(i)->context.tlb_gen, 1);
		cpumask_bits(mm_cpumask(lz_mm_of(i)))[0] = 0;
	}
}

void lz_arch_set(const struct lz_page *page, lz_u64 word, unsigned n)
{
	unsigned i;

	if (page->size != LZ_HUGE)
		return set_ptes(page->mm, page->address, page->place, native_make_pte(word), n);
	for (i = 0; i < n; i++)
		set_pmd_at(page->mm, page->address + i * PMD_SIZE, (pmd_t *)page->place + i,
			   native_make_pmd(native_pte_val(pte_advance_pfn(native_make_pte(word), i << (PMD_SHIFT - PAGE_SHIFT)))));
}

lz_u64 lz_arch_clear(const struct lz_page *page)
{
	if (page->size == LZ_HUGE)
		return native_pmd_val(pmdp_huge_get_and_clear(page->mm, page->address, page->place));
	return native_pte_val(ptep_get_and_clear(page->mm, page->address, page->place));
}

void lz_arch_wrprotect(const struct lz_page *page)
{
	if (page->size == LZ_HUGE)
		return pmdp_set_wrprotect(page->mm, page->address, page->place);
	ptep_set_wrprotect(page->mm, page->address, page->place);
}

lz_u64 lz_arch_get(const struct lz_page *page)
{
	if (page->size == LZ_HUGE)
		return native_pmd_val(pmdp_get(page->place));
	return native_pte_val(ptep_get(page->place));
}

/* A user range of huge pages steps by them, as hugetlb's flush does. */
void lz_arch_flush(const struct lz_page *first, unsigned n)
{
	unsigned long end = first->address + ((unsigned long)n << lz_arch_shift(first->size));
	struct vm_area_struct vma = { .vm_mm = first->mm };

	if (!first->number)
		flush_tlb_kernel_range(first->address, end);
	else if (first->size == LZ_HUGE)
		flush_tlb_mm_range(first->mm, first->address, end, PMD_SHIFT, true);
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

bool lz_issue_is_flush;

/* What __kernel_map_pages() does for one page: set_memory.c's walk to the entry is left out, its store and flush are here. */
void lz_arch_map_linear(const struct lz_page *page, lz_u64 word)
{
	set_pte(page->place, native_make_pte(word));
	preempt_disable();
	/* What is issued from here on is no update. */
	lz_issue_is_flush = true;
	__flush_tlb_all();
	lz_issue_is_flush = false;
	preempt_enable();
}

void lz_arch_start_switch(struct task_struct *prev) { arch_start_context_switch(prev); }
void lz_arch_end_switch(struct task_struct *next) { arch_end_context_switch(next); }

unsigned lz_arch_mode(void)
{
#if defined(LZ_XEN_MODE) && defined(CONFIG_XEN_PV)
	/* As the tree's own PTE path asks: in interrupt context there is none. */
	return form == LZ_FORM_XEN ? xen_get_lazy_mode() == XEN_LAZY_MMU : 2;
#else
	return 2;
#endif
}

lz_u64 lz_arch_deferred(unsigned cpu, struct task_struct *task, unsigned what)
{
#ifdef CONFIG_XEN_PV
	if (form == LZ_FORM_XEN && what == 0)
		return lz_xen_entries_used(cpu);
	if (form == LZ_FORM_XEN && what == 2)
		return lz_xen_digest(cpu);
#endif
	return 0;
}

lz_u64 lz_arch_guest(unsigned cpu, unsigned what)
{
#ifdef CONFIG_XEN_PV
	if (what == 4)
		return page_offset_base;
	return lz_xen_buffer(cpu, what);
#else
	return 0;
#endif
}

lz_u64 lz_arch_word(lz_u64 flags, lz_u64 frame, enum lz_size size)
{
	pgprot_t prot = flags & LZ_USER ? (flags & LZ_EXEC ? PAGE_SHARED_EXEC : PAGE_SHARED)
					: (flags & LZ_EXEC ? PAGE_KERNEL_EXEC : PAGE_KERNEL);
	pte_t pte = pfn_pte(frame << (lz_arch_shift(size) - PAGE_SHIFT), prot);

	pte = flags & LZ_ACCESSED ? pte_mkyoung(pte) : pte_mkold(pte);
	pte = pte_mkclean(pte);
	pte = flags & LZ_WRITE ? pte_mkwrite_novma(pte) : pte_wrprotect(pte);
	if (flags & LZ_DIRTY)
		pte = pte_mkdirty(pte);
	if (size == LZ_HUGE)
		pte = pte_set_flags(pte, _PAGE_PSE);
	if (!(flags & LZ_VALID))
		pte = pfn_pte(pte_pfn(pte), __pgprot(pte_flags(pte) & ~_PAGE_PRESENT));
	return native_pte_val(pte);
}

lz_u64 lz_arch_flags(lz_u64 word)
{
	pte_t pte = native_make_pte(word);

	if (!word)
		return 0;
	return (pte_flags(pte) & _PAGE_PRESENT ? LZ_VALID : 0) | (pte_write(pte) ? LZ_WRITE : 0) |
	       (pte_flags(pte) & _PAGE_USER ? LZ_USER : 0) | (pte_exec(pte) ? LZ_EXEC : 0) |
	       (pte_young(pte) ? LZ_ACCESSED : 0) | (pte_dirty(pte) ? LZ_DIRTY : 0);
}

enum lz_size lz_arch_size(lz_u64 word, enum lz_size slot)
{
	return pte_flags(native_make_pte(word)) & _PAGE_PSE ? LZ_HUGE : LZ_SMALL;
}

lz_u64 lz_arch_frame(lz_u64 word, enum lz_size slot)
{
	return pte_pfn(native_make_pte(word)) >> (lz_arch_shift(lz_arch_size(word, slot)) - PAGE_SHIFT);
}

/* A walker sets bits that no kernel code sees here: the machine leaves words as they are. */
lz_u64 lz_arch_touched(lz_u64 at, lz_u64 word) { return word; }

/* One object with the entries: each object reads the kernel's headers anew, which is most of its time. */
#include "generic.c"
