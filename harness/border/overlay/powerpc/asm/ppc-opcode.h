/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * MMU instructions and the barriers around them become calls of lz_insn_gate. The assembler looks for a macro before it
 * looks for an instruction, so inline assembly that has the mnemonic is caught as it is; what the tree spells as a word is
 * redefined here. The statement's operands stay where they are: the gate saves every register. Below the stack pointer a
 * leaf function may have 288 bytes: they are left alone.
 */
#include_next <asm/ppc-opcode.h>
#if !defined(LZ_ASM_PPC_OPCODE_H) && !defined(__ASSEMBLER__)
#define LZ_ASM_PPC_OPCODE_H
#include <linux/stringify.h>
#include <asm/cputable.h>
#include <lazymmu_border.h>

asm("	.macro	lz_insn number, b=0, c=0\n"
    "	stdu	1, -640(1)\n"
    "	std	0, 152(1)\n"
    "	std	\\b, 136(1)\n"
    "	std	\\c, 128(1)\n"
    "	mflr	0\n"
    "	std	0, 144(1)\n"
    "	li	0, \\number\n"
    "	bl	.lz_insn_gate\n"
    "	nop\n"
    "	ld	0, 144(1)\n"
    "	mtlr	0\n"
    "	ld	0, 152(1)\n"
    "	addi	1, 1, 640\n"
    "	.endm\n"
    "	.macro	ptesync\n	lz_insn 19\n	.endm\n"
    "	.macro	tlbsync\n	lz_insn 20\n	.endm\n"
    "	.macro	eieio\n	lz_insn 21\n	.endm\n"
    "	.macro	tlbie rb, rs=0\n	lz_insn 17, \\rb\n	.endm\n"
    "	.macro	tlbiel rb, l=0\n	lz_insn 18, \\rb\n	.endm\n");
_Static_assert(LZ_INSN_TLBIE == 17 && LZ_INSN_TLBIEL == 18 && LZ_INSN_PTESYNC == 19 && LZ_INSN_TLBSYNC == 20 &&
	       LZ_INSN_EIEIO == 21, "the numbers in the macros");

/* What the glue boots with, as a number that the assembler can read. */
#define LZ_CPU_FEATURES CPU_FTR_ARCH_206
#pragma push_macro("ASM_CONST")
#undef ASM_CONST
#define ASM_CONST(x) x
asm("	.set	lz_cpu_features, " __stringify(LZ_CPU_FEATURES) "\n");
#pragma pop_macro("ASM_CONST")

/* RIC, PRS and R above the number: enum lz_insn | RIC << 8 | PRS << 10 | R << 11. */
#undef PPC_TLBIE
#undef PPC_TLBIE_5
#undef PPC_TLBIEL
#undef PPC_TLBIEL_v205
#undef PPC_SLBIA
#undef PPC_CP_ABORT
#define PPC_TLBIE(lp, a) "lz_insn 17, " #a ", " #lp
#define PPC_TLBIE_5(rb, rs, ric, prs, r) "lz_insn 17 | (" #ric ") << 8 | (" #prs ") << 10 | (" #r ") << 11, " #rb ", " #rs
#define PPC_TLBIEL(rb, rs, ric, prs, r) "lz_insn 18 | (" #ric ") << 8 | (" #prs ") << 10 | (" #r ") << 11, " #rb ", " #rs
#define PPC_TLBIEL_v205(rb, l) "lz_insn 18, " #rb
/* The effective-to-real cache follows the TLB in the machine. */
#define PPC_SLBIA(ih) ""
#define PPC_CP_ABORT ""
#endif
