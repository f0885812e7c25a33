/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's mm/init_64.c, with a way to its boot code's page protections, which are static. */
#include "arch/sparc/mm/init_64.c"

void lz_boot_protections(int sun4v)
{
	if (sun4v)
		sun4v_pgprot_init();
	else
		sun4u_pgprot_init();
}
