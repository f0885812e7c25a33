/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * The hash table, and what hash_native.c does to it. Part of powerpc.c, which has the layout of pages. Not here: the fault that
 * fills the table (powerpc_word.c).
 */

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
	return size == LZ_HUGE ? MMU_PAGE_16M : size == LZ_LARGE ? LZ_BASE_PSIZE : MMU_PAGE_4K;
}

static bool lz_hpte_is_of(struct hash_pte *hpte, unsigned long vpn, int psize, int ssize)
{
	unsigned long v = be64_to_cpu(hpte->v);

	return (v & HPTE_V_VALID) && HPTE_V_COMPARE(v, hpte_encode_avpn(vpn, psize, ssize));
}

/* The hash entry of a page, in whichever slot of its two groups it lies. */
static struct hash_pte *lz_find_hashed(unsigned long vpn, int psize, int ssize)
{
	unsigned long hash = hpt_hash(vpn, mmu_psize_defs[psize].shift, ssize), i;

	for (i = 0; i < 2 * HPTES_PER_GROUP; i++) {
		unsigned long group = (i < HPTES_PER_GROUP ? hash : ~hash) & htab_hash_mask;
		struct hash_pte *hpte = &lz_htab[group * HPTES_PER_GROUP + i % HPTES_PER_GROUP];

		if (lz_hpte_is_of(hpte, vpn, psize, ssize))
			return hpte;
	}
	return NULL;
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
 * With base pages of 4K a hash entry does not say for which of the machine's two smaller sizes it was made: the PTE that it
 * came of does. That of the update at hand, for what is flushed past the batch; and for each page what its last entry that was
 * asked to go was made for, because the tlbie behind names the page alone. No tlbie comes before, so no run puts these back.
 */
static enum lz_size lz_size_at_hand;
static unsigned char lz_told_sizes[LAZYMMU_MMS][LAZYMMU_PAGES] __lz_table;

/*
 * With base pages of 4K the PTE itself says in which slot of which group its entry lies. In an empty table that is always the
 * first slot of the first group, and a lost slot would be found all the same: so entries of nobody's lie in up to all slots of
 * a group. Of a group and its second one at most nine of sixteen are taken.
 */
static void lz_take_slots(void)
{
	unsigned group, n;

	for (group = 0; LZ_BASE_PSIZE == MMU_PAGE_4K && group < LZ_GROUPS; group++)
		for (n = 0; n < group % (HPTES_PER_GROUP + 1); n++)
			lz_htab[group * HPTES_PER_GROUP + n].v = cpu_to_be64(~0x7fUL | HPTE_V_VALID);
}

/* The page that a tlbie without a size names, by the size that its entry had. */
static lz_u64 lz_as_told(lz_u64 at)
{
	if (LZ_BASE_PSIZE != MMU_PAGE_4K || at == LZ_NOWHERE)
		return at;
	return LZ_AT(LZ_AT_MM(at), LZ_AT_PAGE(at), lz_told_sizes[LZ_AT_MM(at)][LZ_AT_PAGE(at)]);
}

/*
 * Hash entries that the tree has been asked to make invalid and that the machine is not told of yet. It is told at the next
 * instruction, and only of those that the table no longer has: what the tree forgets, the machine does not see.
 */
static struct lz_doomed { unsigned long vpn; struct hash_pte *hpte; int psize, ssize; lz_u64 at; } lz_doomed[PPC64_TLB_BATCH_NR * 2];
static unsigned lz_doomed_count, lz_doomed_local;

/* `made` is the size that the entry was made for: it counts where the page size stands for two. */
static void lz_doom(unsigned long vpn, struct hash_pte *hpte, int psize, int ssize, enum lz_size made)
{
	bool is_either = LZ_BASE_PSIZE == MMU_PAGE_4K && psize == MMU_PAGE_4K;
	enum lz_size size = is_either ? made : lz_size_of(psize);
	lz_u64 at = lz_page_of_va(vpn << VPN_SHIFT, ssize, size);

	if (is_either && at != LZ_NOWHERE)
		lz_told_sizes[LZ_AT_MM(at)][LZ_AT_PAGE(at)] = LZ_AT_SIZE(at);
	/* The tree looks for it in another slot than it lies in: it stays. */
	if (!lz_hpte_is_of(hpte, vpn, psize, ssize) && lz_find_hashed(vpn, psize, ssize))
		return;
	if (lz_doomed_count < ARRAY_SIZE(lz_doomed))
		lz_doomed[lz_doomed_count++] = (struct lz_doomed) { vpn, hpte, psize, ssize, at };
}

static void lz_tell_doomed(void)
{
	unsigned i, count = lz_doomed_count;

	lz_doomed_count = 0;
	for (i = 0; i < count; i++) {
		struct lz_doomed *d = &lz_doomed[i];

		if (!lz_hpte_is_of(d->hpte, d->vpn, d->psize, d->ssize))
			lazymmu_upcall(LZ_UP_INSN, LZ_INSN_HPTE_INVALIDATE, d->vpn,
				       d->psize | d->psize << 8 | d->ssize << 16 | lz_doomed_local << 24, d->at);
	}
}

/* Which way the entry comes: the batch's only one, or past the batch (0). */
static void lz_note_flush(unsigned long entries) { lazymmu_upcall(LZ_UP_NOTE, LZ_NOTE_BATCH_FLUSH, entries, 0, 0); }

static void lz_hpte_invalidate(unsigned long slot, unsigned long vpn, int bpsize, int apsize, int ssize, int local)
{
	if (!lz_faulting) {
		struct ppc64_tlb_batch *batch = this_cpu_ptr(&ppc64_tlb_batch);
		bool of_batch = batch->index == 1 && batch->vpn[0] == vpn;
		enum lz_size made = of_batch ? lz_arch_size(pte_val(batch->pte[0].pte), LZ_SMALL) : lz_size_at_hand;

		if (!lz_linear)
			lz_note_flush(of_batch);
		lz_doomed_local = !!local;
		lz_doom(vpn, &lz_htab[slot], bpsize, ssize, lz_linear ? LZ_SMALL : made);
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
			lz_doom(vpn, &lz_htab[slot], psize, ssize, lz_arch_size(pte_val(rpte.pte), LZ_SMALL));
		} pte_iterate_hashed_end();
	}
	lz_native.flush_hash_range(number, local);
	lz_tell_doomed();
}
