/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * The border's entries, over the tree's generic helpers and what the architecture's glue provides. Compiled with the
 * tree's own flags. Nothing is decided here.
 *
 * The build says what the tree has: LZ_API (enum lz_api), LZ_TASK_CALLS where __task_lazy_mmu_mode_pause() exists,
 * LZ_NO_MODE where the architecture has no such mode, LZ_XEN_MODE and LZ_XEN_NESTS where Xen's is the CPU's and its enters
 * are counted, LZ_RELEASE (a string).
 */
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/preempt.h>
#include <linux/hardirq.h>
#include <linux/string.h>
#include "glue.h"

struct task_struct lz_tasks[LAZYMMU_TASKS] __aligned(64);
struct lz_mm lz_mms[LAZYMMU_MMS] __aligned(64);
/* init_mm is the first of them. Not every version declares it alike, so the assembler says it. */
asm(".globl init_mm\n\t.set init_mm, lz_mms");

/* kernel/cpu.c has it, for cpumask_of(): row 1 + n has bit n. */
const unsigned long cpu_bit_bitmap[BITS_PER_LONG + 1][BITS_TO_LONGS(NR_CPUS)] = { [1] = { 1 }, { 2 }, { 4 }, { 8 } };

/* The kernel dies: out of the tree's code, back to the entry. Between here and there are frames of C alone. */
static void **lz_escape;

static unsigned number(struct task_struct *task) { return task - lz_tasks; }

static bool is_active(void)
{
#if LZ_API == 0
	return lz_arch_mode() == 1;
#elif LZ_API == 1 || LZ_API == 2
	return in_lazy_mmu_mode();
#else
	return is_lazy_mmu_mode_active();
#endif
}

/* What the overlay's headers call. */
void lz_half(int hook)
{
	lazymmu_upcall(LZ_UP_POINT, hook, 0, 0, 0);
	lazymmu_upcall(LZ_UP_HOOK, hook, is_active(), 0, 0);
}

void lz_nested(int call, struct task_struct *task, int begin)
{
	lazymmu_upcall(begin ? LZ_UP_NESTED_CALL : LZ_UP_NESTED_RETURN, call, number(task), 0, 0);
}

static void complain(int what, const char *file, int line, const char *func, const char *condition)
{
	struct lz_site site = { .file = file, .function = func, .condition = condition, .line = line };

	lazymmu_upcall(what, (lz_u64)&site, 0, 0, 0);
}

void lz_warn(const char *file, int line, const char *func, const char *condition)
{
	complain(LZ_UP_WARN, file, line, func, condition);
}

void lz_bug(const char *file, int line, const char *func, const char *condition)
{
	complain(LZ_UP_BUG, file, line, func, condition);
	lz_take_escape(lz_escape);
}

lz_u64 lz_insn(int insn, lz_u64 a, lz_u64 b, lz_u64 c) { return lazymmu_upcall(LZ_UP_INSN, insn, a, b, c); }

#ifdef CONFIG_PRINTK
asmlinkage __visible int _printk(const char *fmt, ...)
{
	lazymmu_upcall(LZ_UP_PRINT, (lz_u64)fmt, 0, 0, 0);
	return 0;
}
#endif

/* A program flushes the mode outside any section, where no caller of the kernel does: that is the program's doing. */
static bool lz_explicit_flush;

/* kernel/sched/core.c has these where CONFIG_DEBUG_PREEMPT makes calls of the macros. */
#ifdef CONFIG_DEBUG_PREEMPT
void preempt_count_add(int val)
{
	__preempt_count_add(val);
	if (val == PREEMPT_OFFSET)
		lazymmu_upcall(LZ_UP_PREEMPT, 1, 0, 0, 0);
}

void preempt_count_sub(int val)
{
	if (val > preempt_count())
		lz_warn("kernel/sched/core.c", 0, __func__, "val > preempt_count()");
	__preempt_count_sub(val);
	if (val == PREEMPT_OFFSET)
		lazymmu_upcall(LZ_UP_PREEMPT, (lz_u64)-1, 0, 0, 0);
}

unsigned int debug_smp_processor_id(void)
{
	if (!lz_explicit_flush && !preempt_count() && !irqs_disabled())
		lz_warn("lib/smp_processor_id.c", 0, "smp_processor_id", "preemptible()");
	return raw_smp_processor_id();
}

void __this_cpu_preempt_check(const char *op)
{
	if (!lz_explicit_flush && !preempt_count() && !irqs_disabled())
		lz_warn("lib/smp_processor_id.c", 0, "__this_cpu_preempt_check", "preemptible()");
}
#endif

struct lz_page lz_page_of(lz_u64 at)
{
	struct lz_page page = { .number = LZ_AT_MM(at), .page = LZ_AT_PAGE(at), .size = LZ_AT_SIZE(at) };

	page.mm = lz_mm_of(page.number);
	page.address = lz_arch_base(page.number, page.size) + ((unsigned long)page.page << lz_arch_shift(page.size));
	page.place = lz_arch_place(page.number, page.page, page.size);
	return page;
}

static lz_u64 page_at(unsigned mm, unsigned long address)
{
	unsigned size;

	for (size = LZ_SMALL; size <= LZ_HUGE; size++) {
		unsigned long page = (address - lz_arch_base(mm, size)) >> lz_arch_shift(size);

		if (page < LAZYMMU_PAGES)
			return LZ_AT(mm, page, size);
	}
	return LZ_NOWHERE;
}

static lz_u64 fact(unsigned which)
{
	switch (which) {
	case LZ_FACT_BORDER: return LAZYMMU_BORDER_VERSION;
	case LZ_FACT_ARCH: return (lz_u64)lz_arch_name;
	case LZ_FACT_RELEASE: return (lz_u64)LZ_RELEASE;
	case LZ_FACT_FORMS: return lz_arch_forms;
	case LZ_FACT_API: return LZ_API;
#ifdef LZ_TASK_CALLS
	case LZ_FACT_TASK_CALLS: return 1;
#endif
	case LZ_FACT_SHIFTS:
		return lz_arch_shift(LZ_SMALL) | lz_arch_shift(LZ_LARGE) << 8 | lz_arch_shift(LZ_HUGE) << 16;
	case LZ_FACT_CAPACITY: return lz_arch_capacity();
#ifdef LZ_ARM64
	case LZ_FACT_CONTPTE: return lz_arch_contpte();
#endif
#ifndef LZ_NO_MODE
	case LZ_FACT_MODE: return 1;
#endif
#if defined(LZ_XEN_NESTS)
	case LZ_FACT_XEN: return LZ_XEN_NESTED;
#elif defined(LZ_XEN_MODE)
	case LZ_FACT_XEN: return LZ_XEN_MODE_OF_CPU;
#endif
	}
	return 0;
}

static lz_u64 arena(unsigned which, unsigned part)
{
	char *start[] = { __start_lz_data, __start_lz_bss }, *stop[] = { __stop_lz_data, __stop_lz_bss };

	if (which >= ARRAY_SIZE(start))
		return 0;
	return part ? stop[which] - start[which] : (lz_u64)start[which];
}

static void boot(enum lz_form form)
{
	unsigned i;

	for (i = 0; i < LAZYMMU_MMS; i++)
		lz_arch_mm_init(lz_mm_of(i), i);
	for (i = 0; i < LAZYMMU_TASKS; i++) {
		lz_tasks[i].mm = lz_tasks[i].active_mm = lz_mm_of(1 + i % 2);
		lz_arch_task_init(&lz_tasks[i]);
	}
	lz_arch_boot(form);
}

/* dup_task_struct(): the child is a copy. */
static void fork(unsigned parent, unsigned child)
{
	memcpy(&lz_tasks[child], &lz_tasks[parent], sizeof lz_tasks[child]);
	lz_arch_task_init(&lz_tasks[child]);
}

int lz_count_base[LAZYMMU_CPUS];
unsigned lz_on_cpu;

static void run(unsigned cpu, unsigned task, lz_u64 depths)
{
	lz_arch_run(cpu, &lz_tasks[task], depths >> 40 & 0xff);
	lz_on_cpu = cpu;
	/* By the tree's own units: 7.3 has moved them. */
	lz_count_base[cpu] = (depths >> 8 & 0xff) * SOFTIRQ_DISABLE_OFFSET + (depths >> 16 & 0xff) * SOFTIRQ_OFFSET +
			     (depths >> 24 & 0xff) * HARDIRQ_OFFSET +
			     (depths >> 32 & 0xff) * (NMI_OFFSET + HARDIRQ_OFFSET);
	preempt_count_set((depths & 0xff) * PREEMPT_OFFSET + lz_count_base[cpu]);
}

/* Before 7.0 a leave without its enter takes it below zero, where it borrows from its neighbours. x86 masks bit 31. */
static lz_u64 preempt_depth(void)
{
	int count = preempt_count() - lz_count_base[lz_on_cpu];

	return (long)((int)((unsigned)count << 1) >> 1 >> PREEMPT_SHIFT);
}

#if LZ_API == 0
/*
 * The hooks themselves are the API, and a call has no halves: whoever calls one tells the machine. Pausing is what callers
 * of that API can do, and KASAN did from 6.17 on: leave, and enter again.
 */
static noinline void call(unsigned call, struct task_struct *task)
{
	switch (call) {
	case LZ_CALL_ENABLE:
	case LZ_CALL_RESUME:
		lazymmu_upcall(LZ_UP_HOOK, LZ_HOOK_ENTER, is_active(), 0, 0);
		arch_enter_lazy_mmu_mode();
		return;
	case LZ_CALL_DISABLE:
	case LZ_CALL_PAUSE:
		lazymmu_upcall(LZ_UP_HOOK, LZ_HOOK_LEAVE, is_active(), 0, 0);
		arch_leave_lazy_mmu_mode();
		return;
	}
}

static lz_u64 counters(struct task_struct *task) { return 0; }
#else
static noinline void call(unsigned call, struct task_struct *task)
{
	switch (call) {
	case LZ_CALL_ENABLE: return lazy_mmu_mode_enable();
	case LZ_CALL_DISABLE: return lazy_mmu_mode_disable();
	case LZ_CALL_PAUSE: return lazy_mmu_mode_pause();
	case LZ_CALL_RESUME: return lazy_mmu_mode_resume();
#ifdef LZ_TASK_CALLS
	case LZ_CALL_TASK_PAUSE: return (__task_lazy_mmu_mode_pause)(task);
	case LZ_CALL_TASK_RESUME: return (__task_lazy_mmu_mode_resume)(task);
#endif
	}
}

static lz_u64 counters(struct task_struct *task)
{
#if LZ_API == 1
	struct lazy_mmu_state *state = &task->lazy_mmu_state;
	unsigned enable = state->count, active = state->enabled, pause = enable && !active;
#elif LZ_API == 2
	struct lazy_mmu_state *state = &task->lazy_mmu_state;
	unsigned enable = state->nesting_level, active = state->active, pause = enable && !active;
#elif LZ_API == 3
	struct lazy_mmu_state *state = &task->lazy_mmu_state;
	unsigned enable = state->enable_count, pause = state->pause_count, active = __task_lazy_mmu_mode_active(task);
#else
	unsigned enable = 0, pause = 0, active = 0;
#endif
	return enable & 0xff | (lz_u64)(pause & 0xff) << 8 | (lz_u64)!!active << 16;
}
#endif

/* What runs code that may warn, die or call the machine. */
static noinline lz_u64 guarded(lz_u64 entry, lz_u64 a, lz_u64 b, lz_u64 c)
{
	struct lz_page page;

	switch (entry) {
	case LZ_ENTRY_CALL: return call(a, &lz_tasks[b]), 0;
	case LZ_ENTRY_IS_ACTIVE: return is_active();
	case LZ_ENTRY_FLUSH:
		lz_explicit_flush = true;
		arch_flush_lazy_mmu_mode();
		lz_explicit_flush = false;
		return 0;
	case LZ_ENTRY_SET_PTES: return page = lz_page_of(a), lz_arch_set(&page, b, c), 0;
	case LZ_ENTRY_CLEAR: return page = lz_page_of(a), lz_arch_clear(&page);
	case LZ_ENTRY_WRPROTECT: return page = lz_page_of(a), lz_arch_wrprotect(&page), 0;
	case LZ_ENTRY_GET: return page = lz_page_of(a), lz_arch_get(&page);
	case LZ_ENTRY_FLUSH_TLB: return page = lz_page_of(a), lz_arch_flush(&page, b), 0;
	case LZ_ENTRY_GATHER_FLUSH: return page = lz_page_of(a), lz_arch_gather_flush(&page, b), 0;
	case LZ_ENTRY_MAP_LINEAR: return page = lz_page_of(a), lz_arch_map_linear(&page, b), 0;
	case LZ_ENTRY_START_SWITCH: return lz_arch_start_switch(&lz_tasks[a]), 0;
	case LZ_ENTRY_END_SWITCH: return lz_arch_end_switch(&lz_tasks[a]), 0;
	case LZ_ENTRY_TOUCHED: return lz_arch_touched(a, b);
#ifdef LZ_ARM64
	case LZ_ENTRY_AGE: return page = lz_page_of(a), lz_arch_age(&page, b);
#endif
	case LZ_ENTRY_BOOT: return boot(a), 0;
	}
	return 0;
}

static noinline lz_u64 with_escape(lz_u64 entry, lz_u64 a, lz_u64 b, lz_u64 c)
{
	void *here[LZ_ESCAPE_WORDS];
	void **volatile outer = lz_escape;
	volatile lz_u64 result = 0;

	if (!lz_set_escape(here)) {
		lz_escape = here;
		result = guarded(entry, a, b, c);
	}
	lz_escape = outer;
	return result;
}

/* The architecture's lazymmu_enter() comes here with the kernel's registers loaded. */
__visible lz_u64 lz_dispatch(lz_u64 entry, lz_u64 a, lz_u64 b, lz_u64 c, lz_u64 d)
{
	struct lz_page page;

	switch (entry) {
	case LZ_ENTRY_FACT: return fact(a);
	case LZ_ENTRY_ARENA: return arena(a, b);
	case LZ_ENTRY_RUN: return run(a, b, c), 0;
	case LZ_ENTRY_FORK: return fork(a, b), 0;
	case LZ_ENTRY_RESET_CPUS: return lz_arch_reset_cpus(), memset(lz_count_base, 0, sizeof lz_count_base), 0;
	case LZ_ENTRY_MM_ON: return lz_arch_mm_on(lz_mm_of(a), a, b, c), 0;
	case LZ_ENTRY_COUNTERS: return counters(&lz_tasks[a]);
	case LZ_ENTRY_ARCH_MODE: return lz_arch_mode();
	case LZ_ENTRY_DEFERRED: return lz_arch_deferred(a, &lz_tasks[b], c);
	case LZ_ENTRY_PREEMPT_DEPTH: return preempt_depth();
	case LZ_ENTRY_PTE_WORD: return lz_arch_word(a, b, c);
	case LZ_ENTRY_PTE_FLAGS: return lz_arch_flags(a);
	case LZ_ENTRY_PTE_FRAME: return lz_arch_frame(a, b);
	case LZ_ENTRY_PTE_SIZE: return lz_arch_size(a, b);
	case LZ_ENTRY_ADDRESS: return page = lz_page_of(a), page.address;
	case LZ_ENTRY_PAGE_AT: return page_at(a, b);
	case LZ_ENTRY_PTE_PLACE: return page = lz_page_of(a), (lz_u64)page.place;
	case LZ_ENTRY_GUEST: return lz_arch_guest(a, b);
	case LZ_ENTRY_FORGET: return lz_arch_forget(LZ_AT_MM(a), LZ_AT_PAGE(a), LZ_AT_SIZE(a)), 0;
	case LZ_ENTRY_SETTLE: return lz_arch_settle(), 0;
	}
	return with_escape(entry, a, b, c);
}
