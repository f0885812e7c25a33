/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* An invalidation of one address is the machine's. */
#include_next <asm/tlb.h>
#ifndef LZ_ASM_TLB_H
#define LZ_ASM_TLB_H
#ifndef __ASSEMBLER__
#include <lz_kernel.h>
#define invlpg(address) ((void)lz_insn(LZ_INSN_INVLPG, address, 0, 0))
#endif
#endif
