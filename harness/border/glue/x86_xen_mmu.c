/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's arch/x86/xen/mmu_pv.c, unmodified; its own two functions fill pv_ops as they do at boot. */
#include "arch/x86/xen/mmu_pv.c"
#include "x86.h"

void lz_xen_boot_mmu(void)
{
	xen_init_mmu_ops();
	xen_post_allocator_init();
}
