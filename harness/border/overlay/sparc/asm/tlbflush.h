/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* Which way an address goes, for timelines: with the batch, or past it. Only where tlb.c asks for it (LZ_NOTES). */
#include_next <asm/tlbflush.h>
#if !defined(LZ_ASM_TLBFLUSH_H) && !defined(__ASSEMBLER__) && defined(LZ_NOTES)
#define LZ_ASM_TLBFLUSH_H
#include <lz_kernel.h>
#define LZ_NOTE_FLUSH(entries) lazymmu_upcall(LZ_UP_NOTE, LZ_NOTE_BATCH_FLUSH, entries, 0, 0)
#define flush_tsb_user(batch) (LZ_NOTE_FLUSH((batch)->tlb_nr), (flush_tsb_user)(batch))
#define flush_tsb_user_page(mm, address, shift) (LZ_NOTE_FLUSH(0), (flush_tsb_user_page)(mm, address, shift))
#endif
