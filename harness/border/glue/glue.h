/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* What the files of the glue know of each other, inside the tree's code. generic.c has the entries that are the same
 * everywhere and calls these; <arch>.c has them for one architecture. */
#ifndef LAZYMMU_GLUE_H
#define LAZYMMU_GLUE_H
#include "lazymmu_border.h"

struct task_struct;
struct mm_struct;
extern struct task_struct lz_tasks[LAZYMMU_TASKS];
struct mm_struct *lz_mm(lz_u64 mm);

/* Asked of the architecture. */
void lz_arch_boot(lz_u64 form);
void lz_arch_reset_cpus(void);
void lz_arch_task_init(struct task_struct *task);
void lz_arch_run(lz_u64 cpu, lz_u64 task, lz_u64 depths);
void lz_arch_mm_init(struct mm_struct *mm, lz_u64 number);
void lz_arch_mm_on(struct mm_struct *mm, lz_u64 number, lz_u64 cpus, lz_u64 context);
lz_u64 lz_arch_address(lz_u64 at);
lz_u64 lz_arch_page_at(lz_u64 mm, lz_u64 address);
void *lz_arch_pte_place(lz_u64 at);
lz_u64 lz_arch_pte_word(lz_u64 flags, lz_u64 frame, lz_u64 size);
lz_u64 lz_arch_pte_size(lz_u64 word, lz_u64 slot_size);
void lz_arch_touched(lz_u64 at);
void lz_arch_set(lz_u64 at, lz_u64 word, lz_u64 n);	/* sizes above small too */
lz_u64 lz_arch_clear(lz_u64 at);
void lz_arch_wrprotect(lz_u64 at);
lz_u64 lz_arch_get(lz_u64 at);
void lz_arch_flush_tlb(lz_u64 at, lz_u64 n, int gather);
void lz_arch_map_linear(lz_u64 at, lz_u64 word);
void lz_arch_start_switch(lz_u64 prev);
void lz_arch_end_switch(lz_u64 next);
lz_u64 lz_arch_mode(void);
lz_u64 lz_arch_deferred(lz_u64 cpu, lz_u64 task, lz_u64 what);
lz_u64 lz_arch_guest(lz_u64 cpu, lz_u64 what);
lz_u64 lz_arch_arena(lz_u64 n, lz_u64 what);	/* beside the data and per-CPU sections, which generic.c knows */
lz_u64 lz_arch_fact(lz_u64 fact);

/* Called by the overlay and by the architecture's file. */
void lz_half(int hook);
void lz_site(int bug, const char *file, int line, const char *function, const char *condition);
#endif
