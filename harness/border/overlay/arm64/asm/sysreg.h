/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* System registers: DAIF is a variable, the thread pointer is libc's and real, all others read as zero and are dropped. */
#include_next <asm/sysreg.h>
#ifndef LZ_ASM_SYSREG_H
#define LZ_ASM_SYSREG_H
#ifndef __ASSEMBLER__
unsigned long lz_daif(void);
#define LZ_IS(r, name) (__builtin_strcmp(__stringify(r), name) == 0)
#undef read_sysreg
#undef write_sysreg
#undef read_sysreg_s
#undef write_sysreg_s
#define read_sysreg(r) ({									\
	u64 lz_value = 0;									\
	if (LZ_IS(r, "daif"))									\
		lz_value = lz_daif();								\
	else if (LZ_IS(r, "tpidr_el0"))								\
		asm volatile("mrs %0, tpidr_el0" : "=r" (lz_value));				\
	lz_value;										\
})
#define write_sysreg(v, r) do {									\
	u64 lz_value = (u64)(v);								\
	if (LZ_IS(r, "tpidr_el0"))								\
		asm volatile("msr tpidr_el0, %0" : : "r" (lz_value));				\
} while (0)
#define read_sysreg_s(r) ((u64)0)
#define write_sysreg_s(v, r) ((void)(v))
#endif
#endif
