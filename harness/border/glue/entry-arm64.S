/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* arm64: current and the per-CPU offset are variables of the overlay, so no register changes hands. */
	.text
	.globl lazymmu_enter
lazymmu_enter:
	b	lz_dispatch

	.globl lazymmu_upcall
lazymmu_upcall:
	b	lazymmu_machine

	.section .note.GNU-stack, "", %progbits
