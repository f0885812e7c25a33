/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * x86: the kernel's registers are %gs alone, which user mode leaves to us; LZ_ENTRY_RUN sets it. What is left to do is
 * the stack: the tree's inline assembly calls functions on a stack that is a multiple of 8 alone, which its own code,
 * without SSE, does not mind; the machine's does.
 */
	.text
	.globl lazymmu_enter
lazymmu_enter:
	jmp	lz_dispatch

	.globl lazymmu_upcall
lazymmu_upcall:
	push	%rbp
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	lazymmu_machine
	leave
	ret

/* All registers but %rax are kept by what inline assembly calls: by a hypercall, and by preempt_enable()'s thunk. */
.macro save
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%r8
	push	%r9
	push	%r10
	push	%r11
.endm
.macro restore
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
.endm

/* %rax: number; %rdi, %rsi, %rdx, %r10, %r8: arguments. */
	.globl __SCT__xen_hypercall
__SCT__xen_hypercall:
lz_hypercall_by_number:
	save
	mov	%r10, %rcx
	mov	%rax, %r9
	call	lz_hypercall
	restore
	ret

/* Before 6.13: a page of 32 byte entries, called by number. */
	.globl hypercall_page
	.p2align 12
hypercall_page:
.set n, 0
.rept 64
	mov	$n, %eax
	jmp	lz_hypercall_by_number
	.p2align 5
	.set n, n + 1
.endr

	.globl preempt_schedule_thunk, preempt_schedule_notrace_thunk
preempt_schedule_thunk:
preempt_schedule_notrace_thunk:
	push	%rax
	save
	call	lz_preempt_schedule
	restore
	pop	%rax
	ret

/* arch/x86/kernel/alternative.c: what an operation of pv_ops that does nothing calls, before code is patched. */
	.globl nop_func
nop_func:
	ret

/* arch_prctl(ARCH_SET_GS, %rdi): where wrgsbase is not to be had. */
	.globl lz_set_gs_base
lz_set_gs_base:
	mov	%rdi, %rsi
	mov	$0x1001, %edi
	mov	$158, %eax
	syscall
	ret

	.section .note.GNU-stack, "", @progbits
