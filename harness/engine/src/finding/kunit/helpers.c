#ifndef LMM_HELPERS
#define LMM_HELPERS
/*
 * Scratch for generated lazy MMU cases; once per file. Build the test in
 * (=y): init_mm and apply_to_page_range() are not exported everywhere.
 */
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

struct lmm_range {
	struct mm_struct *mm;
	unsigned long addr;
	unsigned int nr;
	pte_t **ptep;
};

static struct {
	struct lmm_range k, u;		/* kernel pages, user pages */
	struct vm_struct *area;
	struct page *frame[2];		/* filled with 0 and with 1 */
	struct page **page;		/* what the case allocates */
	unsigned int nr_page;
	void *kmap[16];
	unsigned int nr_kmap, irq_off;
	int surprise;			/* first line a handler objects to */
} lmm;

static spinlock_t lmm_lock[5] = {
	[0 ... 4] = __SPIN_LOCK_UNLOCKED(lmm_lock),
};
static __maybe_unused DEFINE_MUTEX(lmm_mutex);

/* Failing expectations allocate: a handler makes a note instead. */
#define lmm_note(ok)						\
do {								\
	if (!(ok) && !lmm.surprise)				\
		lmm.surprise = __LINE__;			\
} while (0)

static unsigned long lmm_addr(struct lmm_range *r, unsigned int i)
{
	return r->addr + i * PAGE_SIZE;
}

static void lmm_range_clear(struct lmm_range *r)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++)
		ptep_get_and_clear(r->mm, lmm_addr(r, i), r->ptep[i]);
}

static void lmm_flush_tlb(struct lmm_range *r, unsigned int first,
			  unsigned int nr)
{
	if (r == &lmm.k)
		flush_tlb_kernel_range(lmm_addr(r, first),
				       lmm_addr(r, first + nr));
	else
		flush_tlb_mm(r->mm);
}

static void lmm_free(unsigned int i)
{
	if (lmm.page[i])
		__free_page(lmm.page[i]);
	lmm.page[i] = NULL;
}

static void lmm_teardown(void *unused)
{
	unsigned int i;

	lmm_range_clear(&lmm.k);
	lmm_range_clear(&lmm.u);
	if (lmm.k.nr)
		lmm_flush_tlb(&lmm.k, 0, lmm.k.nr);
	if (lmm.u.nr)
		lmm_flush_tlb(&lmm.u, 0, lmm.u.nr);
	if (lmm.area)
		free_vm_area(lmm.area);
	for (i = 0; i < lmm.nr_page; i++)
		lmm_free(i);
	for (i = 0; i < 2; i++)
		if (lmm.frame[i])
			__free_page(lmm.frame[i]);
	memset(&lmm, 0, sizeof(lmm));
}

static int lmm_collect(pte_t *ptep, unsigned long addr, void *data)
{
	struct lmm_range *r = data;

	r->ptep[r->nr++] = ptep;
	return 0;
}

static void lmm_setup_kernel(struct kunit *test, unsigned int nr)
{
	lmm.k.mm = &init_mm;
	lmm.k.ptep = kunit_kcalloc(test, nr, sizeof(pte_t *), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, lmm.k.ptep);
	lmm.area = get_vm_area(nr * PAGE_SIZE, VM_IOREMAP);
	KUNIT_ASSERT_NOT_NULL(test, lmm.area);
	lmm.k.addr = (unsigned long)lmm.area->addr;
	KUNIT_ASSERT_EQ(test, 0,
			apply_to_page_range(&init_mm, lmm.k.addr,
					    nr * PAGE_SIZE, lmm_collect,
					    &lmm.k));
}

/* Nobody else uses this mm, so its page tables stay where they are. */
static void lmm_setup_user(struct kunit *test, unsigned int nr)
{
	spinlock_t *ptl;
	pte_t *ptep;

	lmm.u.ptep = kunit_kcalloc(test, nr, sizeof(pte_t *), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, lmm.u.ptep);
	lmm.u.addr = kunit_vm_mmap(test, NULL, 0, nr * PAGE_SIZE,
				   PROT_READ | PROT_WRITE,
				   MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, lmm.u.addr, 0);
	lmm.u.mm = current->mm;
	while (lmm.u.nr < nr) {
		ptep = get_locked_pte(lmm.u.mm, lmm_addr(&lmm.u, lmm.u.nr),
				      &ptl);
		KUNIT_ASSERT_NOT_NULL(test, ptep);
		lmm.u.ptep[lmm.u.nr++] = ptep;
		pte_unmap_unlock(ptep, ptl);
	}
}

static __maybe_unused void lmm_setup(struct kunit *test, unsigned int kernel,
				     unsigned int user, unsigned int pages)
{
	unsigned int i;

	if (user)
		lmm_setup_user(test, user);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, lmm_teardown, NULL));
	for (i = 0; i < 2; i++) {
		lmm.frame[i] = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, lmm.frame[i]);
		memset(page_address(lmm.frame[i]), i, PAGE_SIZE);
	}
	if (kernel)
		lmm_setup_kernel(test, kernel);
	if (!pages)
		return;
	lmm.page = kunit_kcalloc(test, pages, sizeof(*lmm.page), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, lmm.page);
	lmm.nr_page = pages;
}

/* Which frame these entries should lead to from now on. */
static __maybe_unused void lmm_set(struct lmm_range *r, unsigned int first,
				   unsigned int nr, int frame, pgprot_t prot)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		set_pte_at(r->mm, lmm_addr(r, i), r->ptep[i],
			   mk_pte(lmm.frame[frame], prot));
}

/* Entries that are not present, as those of swap and migration. */
static __maybe_unused void lmm_set_invalid(struct lmm_range *r,
					   unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		set_pte_at(r->mm, lmm_addr(r, i), r->ptep[i],
			   __swp_entry_to_pte(__swp_entry(1, 1)));
}

static __maybe_unused void lmm_clear(struct lmm_range *r, unsigned int first,
				     unsigned int nr)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		ptep_get_and_clear(r->mm, lmm_addr(r, i), r->ptep[i]);
}

static __maybe_unused void lmm_wrprotect(struct lmm_range *r,
					 unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		if (pte_present(ptep_get(r->ptep[i])))
			ptep_set_wrprotect(r->mm, lmm_addr(r, i), r->ptep[i]);
}

static int lmm_byte(struct lmm_range *r, unsigned int i)
{
	unsigned long addr = lmm_addr(r, i);
	u8 byte;
	long bad;

	if (r == &lmm.k)
		bad = copy_from_kernel_nofault(&byte, (void *)addr, 1);
	else
		bad = copy_from_user_nofault(&byte, (void __user *)addr, 1);
	return bad ? -1 : byte;
}

static int lmm_frame(pte_t pte)
{
	if (!pte_present(pte))
		return -1;
	return pte_pfn(pte) == page_to_pfn(lmm.frame[1]);
}

/* Through the mapping: which frame, -1 for a fault, -2 where they differ. */
static __maybe_unused int lmm_access(struct lmm_range *r, unsigned int first,
				     unsigned int nr)
{
	int frame = lmm_byte(r, first);
	unsigned int i;

	for (i = first + 1; i < first + nr; i++)
		if (lmm_byte(r, i) != frame)
			frame = -2;
	return frame;
}

/* The same by the accessor, or by a plain read of the table. */
static __maybe_unused int lmm_get(struct lmm_range *r, unsigned int first,
				  unsigned int nr, bool raw)
{
	int frame = -1;
	unsigned int i;
	pte_t pte;

	for (i = first; i < first + nr; i++) {
		pte = raw ? READ_ONCE(*r->ptep[i]) : ptep_get(r->ptep[i]);
		if (i == first)
			frame = lmm_frame(pte);
		else if (lmm_frame(pte) != frame)
			frame = -2;
	}
	return frame;
}

/* As KASAN does it with its shadow, page by page. */
static __maybe_unused void lmm_kasan(unsigned int first, unsigned int nr,
				     bool populate)
{
	unsigned int i;

	for (i = first; i < first + nr; i++) {
		lazy_mmu_mode_pause();
		spin_lock(&lmm_lock[4]);
		if (pte_none(ptep_get(lmm.k.ptep[i])) == populate) {
			if (populate)
				lmm_set(&lmm.k, i, 1, 0, PAGE_KERNEL);
			else
				lmm_clear(&lmm.k, i, 1);
		}
		spin_unlock(&lmm_lock[4]);
		lazy_mmu_mode_resume();
	}
}

static __maybe_unused void lmm_kmap(void)
{
	if (lmm.nr_kmap < ARRAY_SIZE(lmm.kmap))
		lmm.kmap[lmm.nr_kmap++] = kmap_local_page(lmm.frame[0]);
}

static __maybe_unused void lmm_kunmap(void)
{
	if (lmm.nr_kmap)
		kunmap_local(lmm.kmap[--lmm.nr_kmap]);
}

static __maybe_unused void lmm_alloc(unsigned int i, gfp_t gfp)
{
	if (!lmm.page[i])
		lmm.page[i] = alloc_page(preemptible() ? gfp : GFP_ATOMIC);
}

static __maybe_unused void lmm_irq_disable(void)
{
	if (!lmm.irq_off++)
		local_irq_disable();
}

static __maybe_unused void lmm_irq_enable(void)
{
	if (!--lmm.irq_off)
		local_irq_enable();
}

/* Gives the CPU to others for a moment, where that may be done. */
static __maybe_unused void lmm_switch(void)
{
	if (preemptible())
		schedule_timeout_uninterruptible(1);
}

/* Interrupts this task, here, with func as the handler. */
static __maybe_unused void lmm_interrupt(void (*func)(struct irq_work *work))
{
	static struct irq_work work;

	work = IRQ_WORK_INIT_HARD(func);
	preempt_disable();
	irq_work_queue(&work);
	while (irq_work_is_busy(&work))
		cpu_relax();
	preempt_enable();
}
#endif
