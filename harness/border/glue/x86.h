/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* Between x86's glue files: what only a file that includes one of the tree's can reach. */
#ifndef LZ_GLUE_X86_H
#define LZ_GLUE_X86_H
#include "glue.h"

#ifdef CONFIG_XEN_PV
/* The multicall buffer is static in multicalls.c, the switch hooks in enlighten_pv.c, the PTE operations in mmu_pv.c. */
unsigned lz_xen_entries_used(unsigned cpu);
lz_u64 lz_xen_digest(unsigned cpu);
lz_u64 lz_xen_buffer(unsigned cpu, unsigned what);
void lz_xen_settle(unsigned cpu);
void lz_xen_boot_mmu(void);
void lz_xen_boot_cpu(void);
#endif

/* The flush of DEBUG_PAGEALLOC is in progress: what it issues is no update. */
extern bool lz_issue_is_flush;

/* The per-CPU TLB state is the tree's mm/tlb.c's. */
void lz_tlb_loaded(unsigned cpu, struct mm_struct *mm);
/* Runs a function as another CPU, as an interrupt there would, and comes back. */
void lz_as_cpu(unsigned cpu, void (*func)(void *), void *info);
#endif
