/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* arm64: current and the per-CPU offset are variables of the overlay, so no register changes hands. */
	.text
	.globl lazymmu_enter
lazymmu_enter:
	b	lz_dispatch

	.globl lazymmu_upcall
lazymmu_upcall:
	b	lazymmu_machine

/* clang has no __builtin_setjmp() here. No frame that these leave uses a floating-point register. */
	.globl lz_set_escape
lz_set_escape:
	stp	x19, x20, [x0]
	stp	x21, x22, [x0, #16]
	stp	x23, x24, [x0, #32]
	stp	x25, x26, [x0, #48]
	stp	x27, x28, [x0, #64]
	stp	x29, x30, [x0, #80]
	mov	x9, sp
	str	x9, [x0, #96]
	mov	w0, #0
	ret

	.globl lz_take_escape
lz_take_escape:
	ldp	x19, x20, [x0]
	ldp	x21, x22, [x0, #16]
	ldp	x23, x24, [x0, #32]
	ldp	x25, x26, [x0, #48]
	ldp	x27, x28, [x0, #64]
	ldp	x29, x30, [x0, #80]
	ldr	x9, [x0, #96]
	mov	sp, x9
	mov	w0, #1
	ret

	.section .note.GNU-stack, "", %progbits
