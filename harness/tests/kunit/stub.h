/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What generated KUnit cases use of the kernel (7.2), declared as it declares
 * them, so that gcc can check names, arguments and types. Nothing here runs.
 */
#ifndef LAZYMMU_STUB_H
#define LAZYMMU_STUB_H

typedef _Bool bool;
typedef unsigned char u8;
typedef unsigned long size_t;
typedef unsigned int gfp_t;
#define true 1
#define false 0
#define NULL ((void *)0)
#define __user
#define __maybe_unused __attribute__((__unused__))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define IS_ENABLED(option) (stub_is_enabled(#option))
bool stub_is_enabled(const char *option);
void *memset(void *s, int c, size_t n);

/* kunit/test.h, kunit/resource.h */
struct kunit;
struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};
#define KUNIT_CASE(test_name) { .run_case = test_name, .name = #test_name }
void stub_expect(struct kunit *test, bool ok, const char *format, ...);
#define KUNIT_EXPECT_TRUE(test, condition) stub_expect(test, condition, "")
#define KUNIT_EXPECT_FALSE(test, condition) stub_expect(test, !(condition), "")
#define KUNIT_EXPECT_EQ(test, left, right) \
	stub_expect(test, (left) == (right), "")
#define KUNIT_ASSERT_EQ(test, left, right) \
	stub_expect(test, (left) == (right), "")
#define KUNIT_ASSERT_NE(test, left, right) \
	stub_expect(test, (left) != (right), "")
#define KUNIT_ASSERT_NOT_NULL(test, ptr) stub_expect(test, (ptr) != NULL, "")
void stub_skip(struct kunit *test, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3), __noreturn__));
void stub_mark_skipped(struct kunit *test, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));
#define kunit_mark_skipped(test, ...) stub_mark_skipped(test, __VA_ARGS__)
#define kunit_skip(test, ...) stub_skip(test, __VA_ARGS__)
void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, gfp_t gfp);
int kunit_add_action_or_reset(struct kunit *test, void (*action)(void *),
			      void *ctx);
struct file;
unsigned long kunit_vm_mmap(struct kunit *test, struct file *file,
			    unsigned long addr, unsigned long len,
			    unsigned long prot, unsigned long flag,
			    unsigned long offset);

/* linux/gfp.h, linux/mm.h, linux/highmem.h, linux/vmalloc.h */
#define PAGE_SIZE 4096UL
#define GFP_KERNEL 1u
#define GFP_ATOMIC 2u
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define VM_IOREMAP 1ul
struct page;
struct mm_struct;
struct vm_struct {
	void *addr;
};
typedef struct { int stub; } spinlock_t;
typedef struct { unsigned long pte; } pte_t;
typedef struct { unsigned long pgprot; } pgprot_t;
typedef struct { unsigned long val; } swp_entry_t;
extern struct mm_struct init_mm;
extern pgprot_t stub_pgprot(int which);
#define PAGE_KERNEL stub_pgprot(0)
#define PAGE_KERNEL_RO stub_pgprot(1)
#define PAGE_KERNEL_EXEC stub_pgprot(2)
#define PAGE_SHARED stub_pgprot(3)
#define PAGE_SHARED_EXEC stub_pgprot(4)
#define PAGE_READONLY stub_pgprot(5)
struct page *alloc_page(gfp_t gfp);
void __free_page(struct page *page);
void *page_address(const struct page *page);
unsigned long page_to_pfn(const struct page *page);
void *kmap_local_page(const struct page *page);
void kunmap_local(const void *addr);
struct vm_struct *get_vm_area(unsigned long size, unsigned long flags);
void free_vm_area(struct vm_struct *area);
typedef int (*pte_fn_t)(pte_t *pte, unsigned long addr, void *data);
int apply_to_page_range(struct mm_struct *mm, unsigned long address,
			unsigned long size, pte_fn_t fn, void *data);
pte_t *get_locked_pte(struct mm_struct *mm, unsigned long addr,
		      spinlock_t **ptl);
void pte_unmap_unlock(pte_t *pte, spinlock_t *ptl);

/* linux/pgtable.h and asm/pgtable.h */
void set_pte_at(struct mm_struct *mm, unsigned long addr, pte_t *ptep,
		pte_t pte);
pte_t ptep_get(pte_t *ptep);
pte_t ptep_get_and_clear(struct mm_struct *mm, unsigned long addr,
			 pte_t *ptep);
void ptep_set_wrprotect(struct mm_struct *mm, unsigned long addr,
			pte_t *ptep);
pte_t mk_pte(const struct page *page, pgprot_t prot);
int pte_present(pte_t pte);
int pte_none(pte_t pte);
unsigned long pte_pfn(pte_t pte);
swp_entry_t __swp_entry(unsigned long type, unsigned long offset);
pte_t __swp_entry_to_pte(swp_entry_t entry);
void lazy_mmu_mode_enable(void);
void lazy_mmu_mode_disable(void);
void lazy_mmu_mode_pause(void);
void lazy_mmu_mode_resume(void);
bool is_lazy_mmu_mode_active(void);
void arch_flush_lazy_mmu_mode(void);
struct task_struct;
void __task_lazy_mmu_mode_pause(struct task_struct *tsk);
void __task_lazy_mmu_mode_resume(struct task_struct *tsk);
bool __task_lazy_mmu_mode_active(struct task_struct *tsk);

/* asm/tlbflush.h */
void flush_tlb_kernel_range(unsigned long start, unsigned long end);
void flush_tlb_mm(struct mm_struct *mm);

/* linux/sched.h, linux/mm_types_task.h */
struct lazy_mmu_state {
	u8 enable_count;
	u8 pause_count;
};
struct task_struct {
	struct mm_struct *mm;
	struct lazy_mmu_state lazy_mmu_state;
};
extern struct task_struct *current;
long schedule_timeout_uninterruptible(long timeout);

/* linux/uaccess.h */
long copy_from_kernel_nofault(void *dst, const void *src, size_t size);
long copy_from_user_nofault(void *dst, const void __user *src, size_t size);

/* linux/preempt.h, linux/irqflags.h, linux/bottom_half.h */
void preempt_disable(void);
void preempt_enable(void);
bool preemptible(void);
void local_irq_disable(void);
void local_irq_enable(void);
void local_bh_disable(void);
void local_bh_enable(void);
void cpu_relax(void);

/* linux/spinlock.h, linux/mutex.h */
struct mutex { int stub; };
#define __SPIN_LOCK_UNLOCKED(name) { 0 }
#define DEFINE_MUTEX(name) struct mutex name = { 0 }
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
void mutex_lock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);

/* linux/irq_work.h */
struct irq_work {
	void (*func)(struct irq_work *work);
	int flags;
};
#define IRQ_WORK_INIT_HARD(_func) (struct irq_work){ .func = (_func) }
bool irq_work_queue(struct irq_work *work);
bool irq_work_is_busy(struct irq_work *work);
#endif
