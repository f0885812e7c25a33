/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* Counting up an address space's generation is a locked instruction, and a full barrier. */
#include_next <asm/tlbflush.h>
#if !defined(LZ_ASM_TLBFLUSH_H) && !defined(__ASSEMBLER__) && defined(_ASM_X86_TLBFLUSH_H)
#define LZ_ASM_TLBFLUSH_H
#include <lz_kernel.h>
#define inc_mm_tlb_gen(mm) (lz_insn(LZ_INSN_LOCK_ADD, 0, 0, 0), (inc_mm_tlb_gen)(mm))
#endif
