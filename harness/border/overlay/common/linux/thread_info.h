/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* Setting and clearing a thread flag is told to the machine: with arm64's pending flag it is what a hook costs. */
#include_next <linux/thread_info.h>
#ifndef LZ_LINUX_THREAD_INFO_H
#define LZ_LINUX_THREAD_INFO_H
#if !defined(__ASSEMBLER__) && defined(TIF_LAZY_MMU_PENDING)
void lz_flag(int flag, int now, int was);
#define set_ti_thread_flag(ti, flag) ((set_ti_thread_flag)(ti, flag), lz_flag(flag, 1, 0))
#define test_and_clear_ti_thread_flag(ti, flag) ({			\
	int lz_was = (test_and_clear_ti_thread_flag)(ti, flag);	\
	lz_flag(flag, 0, lz_was);					\
	lz_was;								\
})
#endif
#endif
