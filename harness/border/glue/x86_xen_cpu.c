/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's arch/x86/xen/enlighten_pv.c, unmodified, for its two context-switch hooks. */
#include "arch/x86/xen/enlighten_pv.c"
#include "x86.h"

void lz_xen_boot_cpu(void)
{
	pv_ops.cpu.start_context_switch = xen_start_context_switch;
	pv_ops.cpu.end_context_switch = xen_end_context_switch;
}
