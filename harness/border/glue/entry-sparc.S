/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * Between user mode and the tree's code. The kernel's %g4 (current), %g5 (per-CPU offset) and %g6 (thread_info) are scratch
 * or unused in user mode; %g7 is the user's thread pointer. lz_regs (sparc.c) has the kernel's three as they are now, and
 * the user's %g7.
 */
	.register %g6, #ignore
	.register %g7, #ignore

	.macro	registers to
	sethi	%h44(lz_regs), \to
	or	\to, %m44(lz_regs), \to
	sllx	\to, 12, \to
	or	\to, %l44(lz_regs), \to
	.endm

	.macro	kernels from
	ldx	[\from], %g4
	ldx	[\from + 8], %g5
	ldx	[\from + 16], %g6
	.endm

	.macro	entry name
	.align	8
	.globl	\name
	.type	\name, #function
\name:
	.endm

	.text
/* lazymmu_enter(entry, a, b, c, d) */
	entry	lazymmu_enter
	save	%sp, -176, %sp
	mov	%g6, %l6
	mov	%g7, %l7
	registers %l0
	stx	%g7, [%l0 + 24]
	kernels	%l0
	mov	%i0, %o0
	mov	%i1, %o1
	mov	%i2, %o2
	mov	%i3, %o3
	call	lz_dispatch
	 mov	%i4, %o4
	mov	%l6, %g6
	mov	%l7, %g7
	mov	%o0, %i0
	ret
	 restore

/* lazymmu_upcall(what, a, b, c, d). Afterwards this CPU may be another one: its registers as they are then. */
	entry	lazymmu_upcall
	save	%sp, -176, %sp
	registers %l0
	ldx	[%l0 + 24], %g7
	mov	%i0, %o0
	mov	%i1, %o1
	mov	%i2, %o2
	mov	%i3, %o3
	call	lazymmu_machine
	 mov	%i4, %o4
	kernels	%l0
	mov	%o0, %i0
	ret
	 restore

/* What is installed as a signal's handler: goes on to lazymmu_signalled() with the user's thread pointer. */
	entry	lazymmu_signal
	registers %g1
	ldx	[%g1 + 24], %g1
	brz,pn	%g1, 1f
	 nop
	mov	%g1, %g7
1:	sethi	%h44(lazymmu_signalled), %g1
	or	%g1, %m44(lazymmu_signalled), %g1
	sllx	%g1, 12, %g1
	or	%g1, %l44(lazymmu_signalled), %g1
	jmpl	%g1, %g0
	 nop
	.section .note.GNU-stack, "", @progbits
