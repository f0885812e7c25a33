/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * The tree's <linux/pgtable.h>, with a point before each hook that its helpers call. Wrapped while that header is read
 * and no longer: a hook that a backend calls by itself is no call of the generic layer.
 */
#ifndef LZ_LINUX_PGTABLE_H
#define LZ_LINUX_PGTABLE_H
#include <lz_kernel.h>
#include <asm/pgtable.h>

#if !defined(__ASSEMBLER__) && LZ_API != 0
/* A function-like macro is not expanded where its name has no '(' behind it, nor inside itself. */
#define arch_enter_lazy_mmu_mode() (lz_half(LZ_HOOK_ENTER), (arch_enter_lazy_mmu_mode)())
#define arch_flush_lazy_mmu_mode() (lz_half(LZ_HOOK_FLUSH), (arch_flush_lazy_mmu_mode)())
#define arch_leave_lazy_mmu_mode() (lz_half(LZ_HOOK_LEAVE), (arch_leave_lazy_mmu_mode)())
#endif

#include_next <linux/pgtable.h>

#if !defined(__ASSEMBLER__) && LZ_API != 0
#undef arch_enter_lazy_mmu_mode
#undef arch_flush_lazy_mmu_mode
#undef arch_leave_lazy_mmu_mode
#ifdef LZ_TASK_CALLS
#define __task_lazy_mmu_mode_pause(task) do {			\
	lz_nested(LZ_CALL_TASK_PAUSE, task, 1);			\
	(__task_lazy_mmu_mode_pause)(task);			\
	lz_nested(LZ_CALL_TASK_PAUSE, task, 0);			\
} while (0)
#define __task_lazy_mmu_mode_resume(task) do {			\
	lz_nested(LZ_CALL_TASK_RESUME, task, 1);		\
	(__task_lazy_mmu_mode_resume)(task);			\
	lz_nested(LZ_CALL_TASK_RESUME, task, 0);		\
} while (0)
#endif
#endif
#endif
