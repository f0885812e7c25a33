/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/*
 * The tree's arch/arm64/mm/contpte.c, unmodified, where its Kconfig has taken the option; and what that asks of a page
 * frame: where its folio begins and how long it is. A few struct pages stand for all, by the low bits of the frame's
 * number; contpte.c looks at differences of their addresses alone.
 */
#include <linux/mm.h>
#ifdef CONFIG_ARM64_CONTPTE
#include "arch/arm64/mm/contpte.c"
#include "mm/internal.h"
#include "arm64_folio.h"

static struct page pages[LZ_FRAMES_PERIOD];

struct page *lz_page_of_frame(unsigned long pfn) { return &pages[pfn % LZ_FRAMES_PERIOD]; }

/* Folios of CONT_PTES pages, each at its natural place; behind them pages that are none's, which must not be folded. */
void lz_folios_boot(void)
{
	unsigned head, i;

	for (head = 0; head < LZ_LONE_FRAMES; head += CONT_PTES) {
		__SetPageHead(&pages[head]);
		folio_set_order((struct folio *)&pages[head], ilog2(CONT_PTES));
		for (i = 1; i < CONT_PTES; i++)
#ifdef LZ_HEAD_BY_ORDER
			set_compound_head(&pages[head + i], &pages[head], ilog2(CONT_PTES));
#else
			set_compound_head(&pages[head + i], &pages[head]);
#endif
	}
}
#endif
