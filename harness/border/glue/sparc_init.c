/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's mm/init_64.c, with a way to its boot code's page protections, which are static. */
#include "arch/sparc/mm/init_64.c"

void lz_boot_protections(int sun4v)
{
	/* What the machine description says of the caches. */
	page_cache4v_flag = _PAGE_CP_4V | _PAGE_CV_4V;
	if (sun4v)
		sun4v_pgprot_init();
	else
		sun4u_pgprot_init();
}
