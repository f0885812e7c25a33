/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * PTEs as words, the marks of the hash MMU in them, and the tree's own hash fault, which sets them. Part of powerpc.c.
 */

/*
 * Words say the size that an entry is made for. The tree's own mark of 4K comes with the first fault and goes with each
 * set_ptes(), so until then a page of 4K has the mark of a page without struct page, which no path here looks at. A kernel
 * of 4K pages has marks of no size, and its words are not the machine's: the adapter makes those of what they say.
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
	return word | (flags & LZ_HASHED ? H_PAGE_HASHPTE : 0) |
	       (size == LZ_SMALL ? LZ_SMALL_MARK : size == LZ_HUGE ? H_PAGE_THP_HUGE : 0);
}

lz_u64 lz_arch_flags(lz_u64 word)
{
	pte_t pte = __pte(word);

	return !word ? 0 : (pte_present(pte) && pte_hw_valid(pte) ? LZ_VALID : 0) | (word & _PAGE_WRITE ? LZ_WRITE : 0) |
	       (word & _PAGE_PRIVILEGED ? 0 : LZ_USER) | (pte_exec(pte) ? LZ_EXEC : 0) |
	       (pte_young(pte) ? LZ_ACCESSED : 0) | (pte_dirty(pte) ? LZ_DIRTY : 0) |
	       (word & H_PAGE_HASHPTE ? LZ_HASHED : 0);
}

enum lz_size lz_arch_size(lz_u64 word, enum lz_size slot)
{
	/* With base pages of 4K the tree has no such mark, and a huge page is known by the table it lies in. */
	if (!word || (!H_PAGE_THP_HUGE && slot == LZ_HUGE))
		return slot;
	return word & H_PAGE_THP_HUGE ? LZ_HUGE : word & LZ_SMALL_MARK ? LZ_SMALL : LZ_LARGE;
}

lz_u64 lz_arch_frame(lz_u64 word, enum lz_size slot)
{
	return pte_pfn(__pte(word)) >> (lz_frame_shift(lz_arch_size(word, slot)) - PAGE_SHIFT);
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
	unsigned i;

	*ptep = __pte(word & ~(mark | _PAGE_HPTEFLAGS));
	/* With base pages of 4K the tree refuses a huge page until mm has marked all of its cells. */
	for (i = 0; IS_ENABLED(CONFIG_PPC_4K_PAGES) && size == LZ_HUGE && i < LZ_HUGE_CELLS; i++)
		ptep[i] = __pte(pte_val(ptep[i]) | _PAGE_ACCESSED);
	lz_faulting = true;
	if (size == LZ_HUGE)
		__hash_page_huge(page->address, access, vsid, ptep, 0x300, 0, ssize, mmu_psize_defs[MMU_PAGE_16M].shift,
				 MMU_PAGE_16M);
#ifdef CONFIG_PPC_64K_PAGES
	else if (size == LZ_LARGE)
		__hash_page_64K(page->address, access, vsid, ptep, 0x300, 0, ssize);
#endif
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

		lz_size_at_hand = size;
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

/* The hash entries of a page outlive the PTE; a set over a live one can have left several. */
static void lz_forget_hashed(struct mm_struct *mm, unsigned long address, int psize)
{
	int ssize = lz_ssize(address);
	unsigned long vpn = hpt_vpn(address, lz_vsid(mm, address, ssize), ssize);
	struct hash_pte *hpte;

	while ((hpte = lz_find_hashed(vpn, psize, ssize)))
		hpte->v = 0;
}

void lz_arch_forget(unsigned mm, unsigned page, enum lz_size size)
{
	unsigned long address = lz_arch_base(mm, size) + ((unsigned long)page << lz_arch_shift(size));
	pte_t *ptep = lz_arch_place(mm, page, size);
	unsigned i;

	if (!lz_radix) {
		lz_forget_hashed(lz_mm_of(mm), address, size == LZ_HUGE ? MMU_PAGE_16M : LZ_BASE_PSIZE);
		if (size != LZ_HUGE)	/* The other size that this place may have had. */
			lz_forget_hashed(lz_mm_of(mm), address, MMU_PAGE_4K);
		if (!mm && size == LZ_SMALL && page >= LZ_LINEAR_PAGE)
			lz_forget_hashed(&init_mm, PAGE_OFFSET + ((unsigned long)(page - LZ_LINEAR_PAGE) << PAGE_SHIFT),
					 mmu_linear_psize);
	}
	for (i = 0; i < (size == LZ_HUGE ? LZ_HUGE_CELLS : 1); i++)
		ptep[i] = __pte(0);
	ptep[size == LZ_HUGE ? LZ_PMDS : LZ_PTES] = __pte(0);
}
