/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's arch/arm64/kernel/process.c, unmodified, for __switch_to(). */
#include "arch/arm64/kernel/process.c"
#include "glue.h"

/* What it calls, and has no part in this. */
struct task_struct *cpu_switch_to(struct task_struct *prev, struct task_struct *next) { return prev; }
void spectre_v4_enable_task_mitigation(struct task_struct *task) { }
void fpsimd_thread_switch(struct task_struct *next) { }

void lz_switch_to(struct task_struct *next) { __switch_to(current, next); }
