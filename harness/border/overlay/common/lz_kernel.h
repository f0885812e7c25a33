/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* What the overlay's headers and the glue know of each other, inside the tree's code. */
#ifndef LZ_KERNEL_H
#define LZ_KERNEL_H
#ifndef __ASSEMBLER__
#include <lazymmu_border.h>

struct task_struct;

/* The generic layer is about to call a hook: the point between the halves of its call, then the hook itself. */
void lz_half(int hook);
/* A hook calls the generic API for a task: it begins (1) or has ended (0). */
void lz_nested(int call, struct task_struct *task, int begin);
void lz_warn(const char *file, int line, const char *func, const char *condition);
void lz_bug(const char *file, int line, const char *func, const char *condition) __attribute__((noreturn));
/* An instruction (enum lz_insn) that reaches the hardware; yields its result. */
lz_u64 lz_insn(int insn, lz_u64 a, lz_u64 b, lz_u64 c);
#endif
#endif
