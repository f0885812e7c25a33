/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * After the tree's <asm/bug.h>: BUG and WARN become calls with file, line, function and condition, because traps and bug
 * tables mean nothing in user mode. "Once" is the machine's affair, so there is no such state to reset.
 */
#ifndef __ASSEMBLER__
#include <lz_kernel.h>
#undef BUG
#undef BUG_ON
#undef WARN
#undef WARN_ON
#undef WARN_ON_ONCE
#undef WARN_ONCE
#undef WARN_TAINT
#undef WARN_TAINT_ONCE
#define BUG() lz_bug(__FILE__, __LINE__, __func__, "BUG")
#define BUG_ON(c) do { if (unlikely(c)) lz_bug(__FILE__, __LINE__, __func__, #c); } while (0)
#define LZ_WARN_IF(c, text) ({							\
	int lz_true = !!(c);							\
	if (unlikely(lz_true))							\
		lz_warn(__FILE__, __LINE__, __func__, text);			\
	unlikely(lz_true);							\
})
#define WARN_ON(c) LZ_WARN_IF(c, #c)
#define WARN_ON_ONCE(c) LZ_WARN_IF(c, #c)
#define WARN(c, fmt...) LZ_WARN_IF(c, #c)
#define WARN_ONCE(c, fmt...) LZ_WARN_IF(c, #c)
#define WARN_TAINT(c, t, fmt...) LZ_WARN_IF(c, #c)
#define WARN_TAINT_ONCE(c, t, fmt...) LZ_WARN_IF(c, #c)
#endif
