/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The page-table base and %cr4 are the machine's. */
#include_next <asm/special_insns.h>
#ifndef LZ_ASM_SPECIAL_INSNS_H
#define LZ_ASM_SPECIAL_INSNS_H
#ifndef __ASSEMBLER__
#include <lz_kernel.h>
#define native_write_cr3(value) ((void)lz_insn(LZ_INSN_MOV_CR3, value, 0, 0))
#define __native_read_cr3() 0ul
#endif
#endif
