/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's arch/x86/mm/tlb.c, unmodified, with what only it can see; and in place of kernel/smp.c the calls it makes. */
#include "arch/x86/mm/tlb.c"
#include "x86.h"

/* arch/x86/mm/init.c has it; here it is set by lz_tlb_loaded(). */
DEFINE_PER_CPU_ALIGNED(struct tlb_state, cpu_tlbstate);
DEFINE_PER_CPU_SHARED_ALIGNED(irq_cpustat_t, irq_stat);
/* Time stands still. */
unsigned long volatile __cacheline_aligned_in_smp jiffies;

void lz_tlb_loaded(unsigned cpu, struct mm_struct *mm)
{
	struct tlb_state *state = &per_cpu(cpu_tlbstate, cpu);

	state->loaded_mm = mm;
	state->loaded_mm_asid = 0;
	state->ctxs[0].ctx_id = mm->context.ctx_id;
	state->ctxs[0].tlb_gen = atomic64_read(&mm->context.tlb_gen);
	per_cpu(cpu_tlbstate_shared.is_lazy, cpu) = false;
}

/*
 * kernel/smp.c, of which this file is all that is needed: this CPU's part with interrupts off, then each other CPU's as
 * an interrupt there, and the sender waits. smp_call_function_many_cond()'s warnings
 * (a caller in a handler, or with interrupts off) are that file's, which is not compiled.
 */
void on_each_cpu_cond_mask(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait, const struct cpumask *mask)
{
	unsigned cpu, here;
	unsigned long flags;

	preempt_disable();
	here = smp_processor_id();
	if (cpumask_test_cpu(here, mask) && (!cond || cond(here, info))) {
		local_irq_save(flags);
		func(info);
		local_irq_restore(flags);
	}
	for_each_cpu_and(cpu, mask, cpu_online_mask) {
		if (cpu == here || (cond && !cond(cpu, info)))
			continue;
		lz_as_cpu(cpu, func, info);
	}
	preempt_enable();
}

/* arch/x86/kernel/cpu/common.c: a change of PGE drops every translation, and comes back. */
void native_write_cr4(unsigned long value)
{
	if (!(value & X86_CR4_PGE))
		lz_insn(LZ_INSN_MOV_CR3, 0, 0, 0);
}
