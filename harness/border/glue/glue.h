/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * Between the glue's own files; inside the tree's code. generic.c has what every architecture has, in the words of the
 * border; what it asks an architecture for is declared here.
 */
#ifndef LZ_GLUE_H
#define LZ_GLUE_H
#include <lz_kernel.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/pgtable.h>

/* Room for the cpumask that the kernel keeps behind an mm_struct. */
struct lz_mm { struct mm_struct mm; unsigned long cpumask[64]; };

extern struct task_struct lz_tasks[LAZYMMU_TASKS];
extern struct lz_mm lz_mms[LAZYMMU_MMS];
#define lz_mm_of(number) (&lz_mms[number].mm)

/*
 * Writable state, all of it: the link gathers .data and .bss of the tree's objects and the glue between these marks, and
 * the per-CPU variables' original apart (per-CPU copies of it are part of the others). Tables go to lz_tables, which is no
 * arena: see LZ_ENTRY_FORGET.
 */
extern char __start_lz_data[], __stop_lz_data[];
extern char __start_lz_bss[], __stop_lz_bss[];
extern char __start_lz_percpu[], __stop_lz_percpu[];
#define __lz_table __attribute__((section(".bss.lz_tables"), aligned(65536)))

/* One page of a request: LZ_AT taken apart, with what the tree's code is given for it. */
struct lz_page {
	struct mm_struct *mm;
	unsigned long address;		/* virtual */
	void *place;			/* its table entry, the first one where there are several */
	unsigned number, page;
	enum lz_size size;
};
struct lz_page lz_page_of(lz_u64 at);

/* What an architecture provides. Page shift of a size class; what it is called; which forms it has. */
extern const char lz_arch_name[];
extern const unsigned lz_arch_forms;
unsigned lz_arch_shift(enum lz_size size);
unsigned lz_arch_capacity(void);
/* LZ_FACT_CONTPTE. */
lz_u64 lz_arch_contpte(void);

/* Addresses: one region for each address space and size class, so that a contiguous range walks by the real page size. */
unsigned long lz_arch_base(unsigned mm, enum lz_size size);
void *lz_arch_place(unsigned mm, unsigned page, enum lz_size size);
void lz_arch_forget(unsigned mm, unsigned page, enum lz_size size);

void lz_arch_boot(enum lz_form form);
void lz_arch_reset_cpus(void);
/* What each CPU's preempt_count is without its preempt_disable() depth. */
extern int lz_count_base[LAZYMMU_CPUS];
/* The CPU whose count preempt_count() is. */
extern unsigned lz_on_cpu;
void lz_arch_task_init(struct task_struct *task);
void lz_arch_mm_init(struct mm_struct *mm, unsigned number);
/* Tells the processor's registers (current, per-CPU offset) and the preempt_count who runs from now on. */
void lz_arch_run(unsigned cpu, struct task_struct *task, bool irqs_off);
void lz_arch_mm_on(struct mm_struct *mm, unsigned number, unsigned long mask, bool context);
void lz_arch_settle(void);

/* Operations by size class. */
void lz_arch_set(const struct lz_page *page, lz_u64 word, unsigned n);
lz_u64 lz_arch_clear(const struct lz_page *page);
void lz_arch_wrprotect(const struct lz_page *page);
/* arm64 alone: enum lz_age. */
lz_u64 lz_arch_age(const struct lz_page *page, unsigned how);
lz_u64 lz_arch_get(const struct lz_page *page);
void lz_arch_flush(const struct lz_page *first, unsigned n);
void lz_arch_gather_flush(const struct lz_page *first, unsigned n);
void lz_arch_map_linear(const struct lz_page *page, lz_u64 word);
void lz_arch_start_switch(struct task_struct *prev);
void lz_arch_end_switch(struct task_struct *next);

/* Before 7.0: 1 on, 0 off, 2 where no such mark is kept. */
unsigned lz_arch_mode(void);
lz_u64 lz_arch_deferred(unsigned cpu, struct task_struct *task, unsigned what);

/* Words. */
lz_u64 lz_arch_word(lz_u64 flags, lz_u64 frame, enum lz_size size);
lz_u64 lz_arch_flags(lz_u64 word);
lz_u64 lz_arch_frame(lz_u64 word, enum lz_size slot);
enum lz_size lz_arch_size(lz_u64 word, enum lz_size slot);
lz_u64 lz_arch_touched(lz_u64 at, lz_u64 word);
lz_u64 lz_arch_guest(unsigned cpu, unsigned what);

/* The way out of a BUG. clang has no __builtin_setjmp() for arm64: entry-arm64.S has its like. */
#if defined(__clang__) && defined(__aarch64__)
#define LZ_ESCAPE_WORDS 13
int lz_set_escape(void **here) __attribute__((returns_twice));
void lz_take_escape(void **here) __attribute__((noreturn));
#else
#define LZ_ESCAPE_WORDS 5
#define lz_set_escape(here) __builtin_setjmp(here)
#define lz_take_escape(here) __builtin_longjmp(here, 1)
#endif

/* Mixes a value into a digest: order matters, an empty one is 0. */
static inline lz_u64 lz_mix(lz_u64 digest, lz_u64 value)
{
	return ((digest << 5 | digest >> 59) ^ (value + 1)) * 0x9e3779b97f4a7c15ul;
}
#endif
