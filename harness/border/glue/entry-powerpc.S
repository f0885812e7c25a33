/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * Between user mode and the tree's code, ELFv1. In user mode r13 is the thread pointer, in the kernel the paca: it is
 * switched here, both ways. lz_user_r13 and lz_paca are the glue's (powerpc.c).
 */
	.abiversion 1
	.section ".toc", "aw"
1:	.tc lz_user_r13[TC], lz_user_r13
2:	.tc lz_paca[TC], lz_paca

	.macro entry name
	.section ".opd", "aw"
	.align	3
	.globl	\name
	.type	\name, @function
\name:	.quad	.L.\name, .TOC.@tocbase, 0
	.previous
	.text
.L.\name:
	.endm

/* lazymmu_enter(entry, a, b, c, d): the arguments stay where they are. */
	entry	lazymmu_enter
	mflr	0
	std	0, 16(1)
	stdu	1, -128(1)
	std	2, 40(1)
	std	13, 112(1)
	ld	11, 1b@toc(2)
	std	13, 0(11)
	ld	11, 2b@toc(2)
	ld	13, 0(11)
	bl	lz_dispatch
	nop
	ld	2, 40(1)
	ld	13, 112(1)
	addi	1, 1, 128
	ld	0, 16(1)
	mtlr	0
	blr

/* lazymmu_upcall(what, a, b, c, d): the same. Afterwards this CPU may be another one: its paca as it is then. */
	entry	lazymmu_upcall
	mflr	0
	std	0, 16(1)
	stdu	1, -128(1)
	std	2, 40(1)
	ld	11, 1b@toc(2)
	ld	13, 0(11)
	bl	lazymmu_machine
	nop
	ld	2, 40(1)
	ld	11, 2b@toc(2)
	ld	13, 0(11)
	addi	1, 1, 128
	ld	0, 16(1)
	mtlr	0
	blr

/*
 * A signal's handler may have interrupted the tree's code, whose r13 is no thread pointer: lazymmu_signal is what is
 * installed, and goes on to lazymmu_signalled(signal, info, context).
 */
	entry	lazymmu_signal
	ld	11, 1b@toc(2)
	ld	0, 0(11)
	cmpdi	0, 0
	beq	3f
	mr	13, 0
3:	b	lazymmu_signalled
	nop
	.section .note.GNU-stack, "", @progbits
