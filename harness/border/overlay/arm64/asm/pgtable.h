/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The struct page behind an entry: no vmemmap lies at the kernel's address for it, the glue has some that stand for all. */
#include_next <asm/pgtable.h>
#ifndef LZ_ASM_PGTABLE_H
#define LZ_ASM_PGTABLE_H
#ifndef __ASSEMBLER__
struct page;
struct page *lz_page_of_frame(unsigned long pfn);
#undef pte_page
#define pte_page(pte) lz_page_of_frame(pte_pfn(pte))
#endif
#endif
