/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* BUG and WARN go to the machine. */
#include_next <asm/bug.h>
#ifndef LZ_ASM_BUG_H
#define LZ_ASM_BUG_H
#include <lz_bug.h>
#endif
