/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * Which of two instructions stands in inline assembly is decided while it is assembled, by the features that the glue
 * boots with: nobody patches the text afterwards. The mask is an operand of the statement, so the assembler compares it
 * with lz_cpu_features (asm/ppc-opcode.h defines that symbol in each file).
 */
#include_next <asm/feature-fixups.h>
#if !defined(LZ_ASM_FEATURE_FIXUPS_H) && !defined(__ASSEMBLER__)
#define LZ_ASM_FEATURE_FIXUPS_H
#undef ASM_FTR_IF
#undef ASM_FTR_IFSET
#undef ASM_FTR_IFCLR
#define ASM_FTR_IF(yes, no, mask, value) \
	".if (lz_cpu_features & (" #mask ")) == (" #value ")\n\t" yes "\n\t.else\n\t" no "\n\t.endif\n\t"
#define ASM_FTR_IFSET(yes, no, mask) \
	".if (lz_cpu_features & (" #mask ")) == (" #mask ")\n\t" yes "\n\t.else\n\t" no "\n\t.endif\n\t"
#define ASM_FTR_IFCLR(yes, no, mask) \
	".if (lz_cpu_features & (" #mask ")) == 0\n\t" yes "\n\t.else\n\t" no "\n\t.endif\n\t"
#endif
