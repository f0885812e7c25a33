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
/* Every huge page is one of these on hash: slices are the memory map's affair. */
unsigned int get_slice_psize(struct mm_struct *mm, unsigned long addr) { return MMU_PAGE_16M; }

/* Layout. Only user pages from number 1024 on lie above 1 TiB, in segments of that size, whatever the size class. */
#define LZ_HUGE_SHIFT (lz_radix ? RADIX_PMD_LZ_SHIFT : H_PMD_LZ_SHIFT)
#define H_PMD_LZ_SHIFT (PAGE_SHIFT + H_PTE_INDEX_SIZE)
#define RADIX_PMD_LZ_SHIFT (PAGE_SHIFT + RADIX_PTE_INDEX_SIZE)
#define LZ_LINEAR_PAGE 1024

unsigned lz_arch_shift(enum lz_size size) { return size == LZ_HUGE ? LZ_HUGE_SHIFT : PAGE_SHIFT; }
unsigned lz_arch_capacity(void) { return PPC64_TLB_BATCH_NR; }

unsigned long lz_arch_base(unsigned mm, enum lz_size size)
{
	if (mm)
		return (1UL << 40) - ((unsigned long)LZ_LINEAR_PAGE << lz_arch_shift(size));
	return VMALLOC_START + (size == LZ_HUGE ? 1UL << 38 : 0);
}

/* A table of the hash MMU has its PTEs' second halves behind it. */
#define LZ_PTES (1 << H_PTE_INDEX_SIZE)
#define LZ_PMDS (1 << H_PMD_INDEX_SIZE)
struct lz_table { pte_t pte[LZ_PTES], second[LZ_PTES]; };
struct lz_huge_table { pte_t pte[LZ_PMDS], second[LZ_PMDS]; };
static struct lz_table lz_ptes[LAZYMMU_MMS][LAZYMMU_PAGES / LZ_PTES] __lz_table;
static struct lz_huge_table lz_pmds[LAZYMMU_MMS][LAZYMMU_PAGES / LZ_PMDS] __lz_table;

void *lz_arch_place(unsigned mm, unsigned page, enum lz_size size)
{
	if (size == LZ_HUGE)
		return &lz_pmds[mm][page / LZ_PMDS].pte[page % LZ_PMDS];
	return &lz_ptes[mm][page / LZ_PTES].pte[page % LZ_PTES];
}

/* The hash table, as hash_native.c has it. */
#define LZ_GROUPS 4096
static struct hash_pte lz_htab[LZ_GROUPS * HPTES_PER_GROUP] __lz_table;
static struct mmu_hash_ops lz_native;
bool _debug_pagealloc_enabled_early __weak = true;

static int lz_ssize(unsigned long address)
{
	return is_kernel_addr(address) ? mmu_kernel_ssize : user_segment_size(address);
}
static unsigned long lz_vsid(struct mm_struct *mm, unsigned long address, int ssize)
{
	return is_kernel_addr(address) ? get_kernel_vsid(address, ssize) : get_user_vsid(&mm->context, address, ssize);
}
static int lz_psize(enum lz_size size)
{
	return size == LZ_HUGE ? MMU_PAGE_16M : size == LZ_LARGE ? MMU_PAGE_64K : MMU_PAGE_4K;
}

static bool lz_hpte_is_of(struct hash_pte *hpte, unsigned long vpn, int psize, int ssize)
{
	unsigned long v = be64_to_cpu(hpte->v);

	return (v & HPTE_V_VALID) && HPTE_V_COMPARE(v, hpte_encode_avpn(vpn, psize, ssize));
}

/* Virtual page numbers back to pages: the segments of every address space. */
static struct lz_segment { unsigned long vsid, start; int ssize; unsigned char mm; } lz_segments[512];
static unsigned lz_segment_count, lz_last_segment;

static void lz_add_segments(unsigned mm, unsigned long start, unsigned long end)
{
	while (start < end) {
		int ssize = lz_ssize(start);
		unsigned long bytes = 1UL << segment_shift(ssize), first = start & ~(bytes - 1);

		lz_segments[lz_segment_count++] = (struct lz_segment) {
			.vsid = lz_vsid(lz_mm_of(mm), first, ssize), .start = first, .ssize = ssize, .mm = mm,
		};
		start = first + bytes;
	}
}

static lz_u64 lz_page_at(unsigned mm, unsigned long address, enum lz_size size)
{
	unsigned long page;

	if (!mm && address >= PAGE_OFFSET && address < PAGE_OFFSET + ((unsigned long)LZ_LINEAR_PAGE << PAGE_SHIFT))
		/* Whatever size the linear map has: a program's is the smallest. */
		return LZ_AT(0, LZ_LINEAR_PAGE + ((address - PAGE_OFFSET) >> PAGE_SHIFT), LZ_SMALL);
	page = (address - lz_arch_base(mm, size)) >> lz_arch_shift(size);
	return page < LAZYMMU_PAGES ? LZ_AT(mm, page, size) : LZ_NOWHERE;
}

/* Of a virtual page number shifted up to a byte address: what a TLB entry is found by. Its highest bits may be lost. */
static lz_u64 lz_page_of_va(unsigned long va, int ssize, enum lz_size size)
{
	unsigned n, i = lz_last_segment;

	for (n = 0; n < lz_segment_count; n++, i = i + 1 == lz_segment_count ? 0 : i + 1) {
		struct lz_segment *s = &lz_segments[i];
		unsigned shift = segment_shift(s->ssize);

		if (s->ssize == ssize && !((va ^ s->vsid << shift) >> shift)) {
			lz_last_segment = i;
			return lz_page_at(s->mm, s->start + (va & ((1UL << shift) - 1)), size);
		}
	}
	return LZ_NOWHERE;
}

static enum lz_size lz_size_of(int psize)
{
	return psize == MMU_PAGE_4K ? LZ_SMALL : psize == MMU_PAGE_64K ? LZ_LARGE : LZ_HUGE;
}

/*
 * Hash entries that the tree has been asked to make invalid and that the machine is not told of yet. It is told at the next
 * instruction, and only of those that the table no longer has: what the tree forgets, the machine does not see.
 */
static struct lz_doomed { unsigned long vpn; struct hash_pte *hpte; int psize, ssize; } lz_doomed[PPC64_TLB_BATCH_NR * 2];
static unsigned lz_doomed_count, lz_doomed_local;

static void lz_doom(unsigned long vpn, struct hash_pte *hpte, int psize, int ssize)
{
	if (lz_doomed_count < ARRAY_SIZE(lz_doomed))
		lz_doomed[lz_doomed_count++] = (struct lz_doomed) { vpn, hpte, psize, ssize };
}

static void lz_tell_doomed(void)
{
	unsigned i, count = lz_doomed_count;

	lz_doomed_count = 0;
	for (i = 0; i < count; i++) {
		struct lz_doomed *d = &lz_doomed[i];

		if (!lz_hpte_is_of(d->hpte, d->vpn, d->psize, d->ssize))
			lazymmu_upcall(LZ_UP_INSN, LZ_INSN_HPTE_INVALIDATE, d->vpn,
				       d->psize | d->psize << 8 | d->ssize << 16 | lz_doomed_local << 24,
				       lz_page_of_va(d->vpn << VPN_SHIFT, d->ssize, lz_size_of(d->psize)));
	}
}

/* Which way the entry comes: the batch's only one, or past the batch (0). */
static void lz_note_flush(unsigned long entries) { lazymmu_upcall(LZ_UP_NOTE, LZ_NOTE_BATCH_FLUSH, entries, 0, 0); }

static void lz_hpte_invalidate(unsigned long slot, unsigned long vpn, int bpsize, int apsize, int ssize, int local)
{
	if (!lz_faulting) {
		struct ppc64_tlb_batch *batch = this_cpu_ptr(&ppc64_tlb_batch);

		if (!lz_linear)
			lz_note_flush(batch->index == 1 && batch->vpn[0] == vpn);
		lz_doomed_local = !!local;
		lz_doom(vpn, &lz_htab[slot], bpsize, ssize);
	}
	lz_native.hpte_invalidate(slot, vpn, bpsize, apsize, ssize, local);
	lz_tell_doomed();
}

static void lz_flush_hash_range(unsigned long number, int local)
{
	struct ppc64_tlb_batch *batch = this_cpu_ptr(&ppc64_tlb_batch);
	unsigned long i;

	lz_note_flush(number);
	lz_doomed_local = !!local;
	for (i = 0; i < number && i < PPC64_TLB_BATCH_NR; i++) {
		unsigned long vpn = batch->vpn[i], index, shift, slot;
		int psize = batch->psize, ssize = batch->ssize;
		real_pte_t rpte = batch->pte[i];

		pte_iterate_hashed_subpages(rpte, psize, vpn, index, shift) {
			slot = pte_get_hash_gslot(vpn, shift, ssize, rpte, index);
			lz_doom(vpn, &lz_htab[slot], psize, ssize);
		} pte_iterate_hashed_end();
	}
	lz_native.flush_hash_range(number, local);
	lz_tell_doomed();
}

/*
 * An instruction. RB of the hash MMU names a virtual page, its size and its segment's; of the radix MMU an address of the
 * process in RS. The fourth operand is the page it names, the third RS with RIC, PRS and R from bit 8 on.
 */
__visible void lz_gate(unsigned long number, unsigned long rb, unsigned long rs)
{
	unsigned insn = number & 0xff;
	lz_u64 at = LZ_NOWHERE, form = number >> 8;

	if (lz_faulting)
		return;
	lz_tell_doomed();
	rs &= ~0xffffffffUL;
	if (insn != LZ_INSN_TLBIE && insn != LZ_INSN_TLBIEL)
		rb = rs = 0;
	else if (!lz_radix)
		rs = 0;
	if (insn == LZ_INSN_TLBIE || insn == LZ_INSN_TLBIEL) {
		if (lz_radix) {
			unsigned ap = rb >> 5 & 7;
			bool huge = ap == mmu_psize_defs[MMU_PAGE_2M].ap;
			enum lz_size size = huge ? LZ_HUGE : LZ_LARGE;

			/* An operand of another size names no page that is mapped here. */
			if (!(rb >> 10 & 3) && rs >> 32 < LAZYMMU_MMS && (huge || ap == mmu_psize_defs[MMU_PAGE_64K].ap))
				at = lz_page_at(rs >> 32, rb & PAGE_MASK, size);
		} else {
			bool large = rb & 1;
			enum lz_size size = !large ? LZ_SMALL : (rb >> 12 & 0xf) == 1 ? LZ_LARGE : LZ_HUGE;
			unsigned long page = size == LZ_SMALL ? 12 : size == LZ_LARGE ? 16 : 24;

			at = lz_page_of_va(rb & ~((1UL << page) - 1), rb >> 8 & 3, size);
		}
	}
	lazymmu_upcall(LZ_UP_INSN, insn, rb, rs | form << 8, at);
}

asm("	.section .text.lz_insn_gate, \"ax\"\n"
    "	.globl	.lz_insn_gate\n"
    "	.type	.lz_insn_gate, @function\n"
    ".lz_insn_gate:\n"
    "	stdu	1, -256(1)\n"
    "	std	3, 120(1)\n	std	4, 128(1)\n	std	5, 136(1)\n	std	6, 144(1)\n	std	7, 152(1)\n"
    "	std	8, 160(1)\n	std	9, 168(1)\n	std	10, 176(1)\n	std	11, 184(1)\n	std	12, 192(1)\n"
    "	mfcr	3\n	std	3, 200(1)\n	mfctr	3\n	std	3, 208(1)\n	mfxer	3\n	std	3, 216(1)\n"
    "	mflr	3\n	std	3, 224(1)\n	std	2, 232(1)\n"
    "	mr	3, 0\n	ld	4, 392(1)\n	ld	5, 384(1)\n"
    "	bl	.lz_gate\n	nop\n"
    "	ld	2, 232(1)\n	ld	3, 224(1)\n	mtlr	3\n"
    "	ld	3, 216(1)\n	mtxer	3\n	ld	3, 208(1)\n	mtctr	3\n	ld	3, 200(1)\n	mtcrf	0xff, 3\n"
    "	ld	3, 120(1)\n	ld	4, 128(1)\n	ld	5, 136(1)\n	ld	6, 144(1)\n	ld	7, 152(1)\n"
    "	ld	8, 160(1)\n	ld	9, 168(1)\n	ld	10, 176(1)\n	ld	11, 184(1)\n	ld	12, 192(1)\n"
    "	addi	1, 1, 256\n	blr\n"
    "	.previous\n");

/* Boot. */
static void lz_boot_sizes(void)
{
	struct mmu_psize_def *small = &mmu_psize_defs[MMU_PAGE_4K], *middle = &mmu_psize_defs[MMU_PAGE_64K],
			     *large = &mmu_psize_defs[MMU_PAGE_16M], *two = &mmu_psize_defs[MMU_PAGE_2M];

	small->shift = 12;
	middle->shift = 16;
	large->shift = 24;
	two->shift = 21;
	small->tlbiel = middle->tlbiel = 1;
	if (lz_radix) {
		/* The encodings of POWER9's firmware. */
		small->ap = 0;
		two->ap = 1;
		middle->ap = 5;
		return;
	}
	middle->penc[MMU_PAGE_64K] = 1;
	middle->sllp = SLB_VSID_L | SLB_VSID_LP_01;
	large->sllp = SLB_VSID_L;
	large->avpnm = 1;
}

/* hash__early_init_mmu() and radix__early_init_mmu(): the layout is in variables where both MMUs are built in. */
static void lz_boot_layout(void)
{
#define LZ_LAYOUT(variable, name) variable = lz_radix ? RADIX_##name : H_##name
	LZ_LAYOUT(__pte_index_size, PTE_INDEX_SIZE);
	LZ_LAYOUT(__pmd_index_size, PMD_INDEX_SIZE);
	LZ_LAYOUT(__pud_index_size, PUD_INDEX_SIZE);
	LZ_LAYOUT(__pgd_index_size, PGD_INDEX_SIZE);
	LZ_LAYOUT(__kernel_virt_start, KERN_VIRT_START);
	LZ_LAYOUT(__vmalloc_start, VMALLOC_START);
	LZ_LAYOUT(__vmalloc_end, VMALLOC_END);
}

static void lz_boot_mms(void)
{
	unsigned n;

	lz_segment_count = 0;
	for (n = 1; n < LAZYMMU_MMS; n++) {
		lz_mm_of(n)->context.id = lz_radix ? n : MIN_USER_CONTEXT + n;
		/* Threads share it: nobody trims the mask of CPUs. */
		atomic_set(&lz_mm_of(n)->mm_users, 2);
	}
	for (n = 0; n < LAZYMMU_MMS && !lz_radix; n++) {
		unsigned long size;

		for (size = LZ_LARGE; size <= LZ_HUGE; size++)
			lz_add_segments(n, lz_arch_base(n, size),
					lz_arch_base(n, size) + ((unsigned long)LAZYMMU_PAGES << lz_arch_shift(size)));
	}
	if (!lz_radix)
		lz_add_segments(0, PAGE_OFFSET, PAGE_OFFSET + ((unsigned long)LZ_LINEAR_PAGE << PAGE_SHIFT));
}

extern void hpte_init_native(void);
int hash__kernel_map_pages(struct page *page, int numpages, int enable);
extern u8 *linear_map_hash_slots;	/* static in the tree, made global by the build */
extern unsigned long linear_map_hash_count;
static u8 lz_linear_slots[LAZYMMU_PAGES];

void lz_arch_boot(enum lz_form form)
{
	lz_radix = form == LZ_FORM_RADIX;
	cur_cpu_spec = &lz_cpu;
	lz_cpu.cpu_features = CPU_FTR_COHERENT_ICACHE | CPU_FTR_NOEXECUTE | LZ_CPU_FEATURES;
	lz_cpu.mmu_features = MMU_FTR_HPTE_TABLE | MMU_FTR_1T_SEGMENT | MMU_FTR_68_BIT_VA | MMU_FTR_16M_PAGE |
			      MMU_FTR_TLBIEL | MMU_FTR_LOCKLESS_TLBIE | MMU_FTR_CI_LARGE_PAGE;
	if (lz_radix)
		lz_cpu.mmu_features = MMU_FTR_TYPE_RADIX | MMU_FTR_GTSE;
	mmu_kernel_ssize = mmu_highuser_ssize = MMU_SEGSIZE_1T;
	mmu_linear_psize = mmu_virtual_psize = mmu_vmalloc_psize = MMU_PAGE_64K;
	lz_boot_sizes();
	lz_boot_layout();
	lz_boot_mms();
	if (!lz_radix) {
		hpte_init_native();
		lz_native = mmu_hash_ops;
		mmu_hash_ops.hpte_invalidate = lz_hpte_invalidate;
		mmu_hash_ops.flush_hash_range = lz_flush_hash_range;
		htab_address = lz_htab;
		htab_hash_mask = LZ_GROUPS - 1;
#ifdef CONFIG_DEBUG_PAGEALLOC
		linear_map_hash_slots = lz_linear_slots;
		linear_map_hash_count = ARRAY_SIZE(lz_linear_slots);
#endif
	}
	lz_arch_reset_cpus();
}

void lz_arch_reset_cpus(void)
{
	unsigned cpu;

	for (cpu = 0; cpu < LAZYMMU_CPUS; cpu++) {
		struct paca_struct *paca = &lz_pacas[cpu];

		memcpy(lz_percpu[cpu], __start_lz_percpu, __stop_lz_percpu - __start_lz_percpu);
		memset(paca, 0, sizeof *paca);
		paca->lock_token = 0x8000;
		paca->paca_index = cpu;
		paca->data_offset = __per_cpu_offset[cpu] = lz_percpu[cpu] - __start_lz_percpu;
		paca->__current = &lz_tasks[cpu];
	}
	lz_doomed_count = 0;
}

void lz_arch_task_init(struct task_struct *task) { }
void lz_arch_mm_init(struct mm_struct *mm, unsigned number) { spin_lock_init(&mm->page_table_lock); }

void lz_arch_run(unsigned cpu, struct task_struct *task, bool irqs_off)
{
	lz_paca = &lz_pacas[cpu];
	/* The caller goes on in C, with r13 as it is: from here on it is the new one. */
	local_paca = lz_paca;
	lz_paca->__current = task;
	lz_paca->irq_soft_mask = irqs_off ? IRQS_DISABLED : IRQS_ENABLED;
	task_thread_info(task)->cpu = cpu;
}

void lz_arch_mm_on(struct mm_struct *mm, unsigned number, unsigned long mask, bool context)
{
	*(unsigned long *)mm_cpumask(mm) = mask;
	atomic_set(&mm->context.active_cpus, (mask & 1) + (mask >> 1 & 1));
}

void lz_arch_settle(void) { }

/*
 * Words say the size that an entry is made for. The tree's own mark of 4K comes with the first fault and goes with each
 * set_ptes(), so until then a page of 4K has the mark of a page without struct page, which no path here looks at.
 */
#define LZ_SMALL_MARK _PAGE_SPECIAL

/* The machine counts huge frames in units of 16M on both MMUs; a huge page of radix has 2M of such a frame. */
#define LZ_HUGE_FRAME_SHIFT 24

static unsigned lz_frame_shift(enum lz_size size) { return size == LZ_HUGE ? LZ_HUGE_FRAME_SHIFT : PAGE_SHIFT; }

lz_u64 lz_arch_word(lz_u64 flags, lz_u64 frame, enum lz_size size)
{
	pgprot_t prot = flags & LZ_USER ? PAGE_READONLY : PAGE_KERNEL_RO;
	lz_u64 word = pte_val(pfn_pte(frame << (lz_frame_shift(size) - PAGE_SHIFT), prot));

	word &= ~(_PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_EXEC | _PAGE_SOFT_DIRTY);
	if (flags & LZ_WRITE)
		word |= _PAGE_WRITE;
	if (flags & LZ_EXEC)
		word |= _PAGE_EXEC;
	if (flags & LZ_ACCESSED)
		word |= _PAGE_ACCESSED;
	if (flags & LZ_DIRTY)
		word |= _PAGE_DIRTY;
	if (!(flags & LZ_VALID))
		word &= ~(_PAGE_PRESENT | _PAGE_READ);
	return word | (size == LZ_SMALL ? LZ_SMALL_MARK : size == LZ_HUGE ? H_PAGE_THP_HUGE : 0);
}

lz_u64 lz_arch_flags(lz_u64 word)
{
	pte_t pte = __pte(word);

	return !word ? 0 : (pte_present(pte) && pte_hw_valid(pte) ? LZ_VALID : 0) | (word & _PAGE_WRITE ? LZ_WRITE : 0) |
	       (word & _PAGE_PRIVILEGED ? 0 : LZ_USER) | (pte_exec(pte) ? LZ_EXEC : 0) |
	       (pte_young(pte) ? LZ_ACCESSED : 0) | (pte_dirty(pte) ? LZ_DIRTY : 0);
}

enum lz_size lz_arch_size(lz_u64 word, enum lz_size slot)
{
	return !word ? slot : word & H_PAGE_THP_HUGE ? LZ_HUGE : word & LZ_SMALL_MARK ? LZ_SMALL : LZ_LARGE;
}

lz_u64 lz_arch_frame(lz_u64 word)
{
	return pte_pfn(__pte(word)) >> (lz_frame_shift(lz_arch_size(word, LZ_SMALL)) - PAGE_SHIFT);
}

/*
 * An access misses. On hash the tree's own fault enters the translation in the hash table and marks the PTE; it sees the
 * word as it was before the first fault, and without the mark of a huge page, which in the tree means another kind of them. On radix the walker marks it accessed.
 */
extern int __hash_page_huge(unsigned long ea, unsigned long access, unsigned long vsid, pte_t *ptep, unsigned long trap,
			    unsigned long flags, int ssize, unsigned int shift, unsigned int mmu_psize);

static lz_u64 lz_hash_fault(const struct lz_page *page, enum lz_size size, lz_u64 word)
{
	unsigned long access = _PAGE_PRESENT | _PAGE_READ | (word & _PAGE_PRIVILEGED), mark = word & H_PAGE_THP_HUGE;
	int ssize = lz_ssize(page->address);
	unsigned long vsid = lz_vsid(page->mm, page->address, ssize);
	pte_t *ptep = page->place;

	*ptep = __pte(word & ~(mark | _PAGE_HPTEFLAGS));
	lz_faulting = true;
	if (size == LZ_HUGE)
		__hash_page_huge(page->address, access, vsid, ptep, 0x300, 0, ssize, mmu_psize_defs[MMU_PAGE_16M].shift,
				 MMU_PAGE_16M);
	else if (size == LZ_LARGE)
		__hash_page_64K(page->address, access, vsid, ptep, 0x300, 0, ssize);
	else
		__hash_page_4K(page->address, access, vsid, ptep, 0x300, 0, ssize, 0);
	lz_faulting = false;
	*ptep = __pte(pte_val(*ptep) | mark);
	return pte_val(*ptep);
}

/* Without a place the word alone is asked for: the fault itself runs when the tree's code next comes by. */
lz_u64 lz_arch_touched(lz_u64 at, lz_u64 word)
{
	struct lz_page page;

	if (!(word & _PAGE_PRESENT))
		return word;
	if (lz_radix)
		return word | _PAGE_ACCESSED;
	if (at == LZ_NOWHERE)
		return word | _PAGE_ACCESSED | H_PAGE_HASHPTE | (word & LZ_SMALL_MARK ? H_PAGE_COMBO : 0);
	at = LZ_AT(LZ_AT_MM(at), LZ_AT_PAGE(at), lz_arch_size(word, LZ_AT_SIZE(at)));
	page = lz_page_of(at);
	return lz_hash_fault(&page, LZ_AT_SIZE(at), word);
}

/* PTEs that are marked as known to the hash table while the table here has no entry: their faults run now. */
static void lz_catch_up(const struct lz_page *first, unsigned n)
{
	unsigned i;

	for (i = 0; i < n && !lz_radix; i++) {
		pte_t *ptep = lz_arch_place(first->number, first->page + i, first->size);
		lz_u64 word = pte_val(*ptep);
		enum lz_size size = lz_arch_size(word, first->size);
		struct lz_page page = *first;
		unsigned long vpn;
		real_pte_t rpte;
		int ssize;

		if (!(word & H_PAGE_HASHPTE) || !(word & _PAGE_PRESENT))
			continue;
		page.address += (unsigned long)i << lz_arch_shift(first->size);
		page.place = ptep;
		ssize = lz_ssize(page.address);
		vpn = hpt_vpn(page.address, lz_vsid(page.mm, page.address, ssize), ssize);
		rpte = __real_pte(*ptep, ptep, first->size == LZ_HUGE ? LZ_PMDS : LZ_PTES);
		if (!lz_hpte_is_of(&lz_htab[pte_get_hash_gslot(vpn, mmu_psize_defs[lz_psize(size)].shift, ssize, rpte, 0)],
				   vpn, lz_psize(size), ssize))
			lz_hash_fault(&page, size, word);
		else if (size == LZ_SMALL)
			/* An old entry of the same page, which a set over a live one left: the machine's fault put in its like. */
			*ptep = __pte(word | H_PAGE_COMBO);
	}
}

/* The hash entry of a page, in whichever slot of its two groups: it outlives the PTE. */
static void lz_forget_hashed(struct mm_struct *mm, unsigned long address, int psize)
{
	int ssize = lz_ssize(address);
	unsigned long vpn = hpt_vpn(address, lz_vsid(mm, address, ssize), ssize);
	unsigned long hash = hpt_hash(vpn, mmu_psize_defs[psize].shift, ssize), slot, i;

	for (i = 0; i < 2 * HPTES_PER_GROUP; i++) {
		slot = ((i < HPTES_PER_GROUP ? hash : ~hash) & htab_hash_mask) * HPTES_PER_GROUP;
		slot += i % HPTES_PER_GROUP;
		if (lz_hpte_is_of(&lz_htab[slot], vpn, psize, ssize))
			lz_htab[slot].v = 0;
	}
}

void lz_arch_forget(unsigned mm, unsigned page, enum lz_size size)
{
	unsigned long address = lz_arch_base(mm, size) + ((unsigned long)page << lz_arch_shift(size));
	pte_t *ptep = lz_arch_place(mm, page, size);

	if (!lz_radix) {
		lz_forget_hashed(lz_mm_of(mm), address, size == LZ_HUGE ? MMU_PAGE_16M : MMU_PAGE_64K);
		if (size != LZ_HUGE)	/* The other size that this place may have had. */
			lz_forget_hashed(lz_mm_of(mm), address, MMU_PAGE_4K);
		if (!mm && size == LZ_SMALL && page >= LZ_LINEAR_PAGE)
			lz_forget_hashed(&init_mm, PAGE_OFFSET + ((unsigned long)(page - LZ_LINEAR_PAGE) << PAGE_SHIFT),
					 mmu_linear_psize);
	}
	ptep[0] = __pte(0);
	ptep[size == LZ_HUGE ? LZ_PMDS : LZ_PTES] = __pte(0);
}

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
