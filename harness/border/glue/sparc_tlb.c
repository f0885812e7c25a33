/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * TSBs, and in place of ultra.S and tsb.S what they do to TSBs and TLBs, on this CPU and by cross calls. Part of sparc.c.
 */

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
