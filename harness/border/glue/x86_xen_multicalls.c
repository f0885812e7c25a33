/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's arch/x86/xen/multicalls.c, unmodified, and a look into its static buffer. */
#include "arch/x86/xen/multicalls.c"
#include "x86.h"

void lz_trace(int note, unsigned long a, unsigned long b)
{
	if (note != LZ_NOTE_MC_ISSUE || !lz_issue_is_flush)
		lazymmu_upcall(LZ_UP_NOTE, note, a, b, 0);
}

unsigned lz_xen_entries_used(unsigned cpu) { return per_cpu(mc_buffer, cpu).mcidx; }

/* Entries in use and their argument bytes, in order; 0 when the buffer is empty. */
lz_u64 lz_xen_digest(unsigned cpu)
{
	struct mc_buffer *b = per_cpu_ptr(&mc_buffer, cpu);
	lz_u64 digest = 0;
	unsigned i, j;

	for (i = 0; i < b->mcidx; i++) {
		digest = lz_mix(digest, b->entries[i].op);
		for (j = 0; j < 2; j++)
			digest = lz_mix(digest, b->entries[i].args[j]);
	}
	if (b->mcidx)
		for (i = 0; i + sizeof(lz_u64) <= b->argidx; i += sizeof(lz_u64))
			digest = lz_mix(digest, *(lz_u64 *)(b->args + i));
	return digest;
}

lz_u64 lz_xen_buffer(unsigned cpu, unsigned what)
{
	struct mc_buffer *b = per_cpu_ptr(&mc_buffer, cpu);

	switch (what) {
	case 0: return (lz_u64)b->entries;
	case 1: return (lz_u64)b->args;
	case 2: return b->mcidx;
	}
	return b->argidx;
}

void lz_xen_settle(unsigned cpu)
{
	struct mc_buffer *b = per_cpu_ptr(&mc_buffer, cpu);

	memset(b->entries + b->mcidx, 0, sizeof b->entries - b->mcidx * sizeof b->entries[0]);
	memset(b->args + b->argidx, 0, sizeof b->args - b->argidx);
}
