/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The tree's own trace points under Xen say what a flush and an issue of the multicall buffer did. */
#include_next <trace/events/xen.h>
#ifndef LZ_TRACE_XEN_H
#define LZ_TRACE_XEN_H
#include <lz_kernel.h>
void lz_trace(int note, unsigned long a, unsigned long b);
#define trace_xen_mc_flush(entries, bytes, callbacks) lz_trace(LZ_NOTE_MC_FLUSH, entries, bytes)
/* Before 7.2 the argument is the mode in which the buffer is left alone, since then whether it goes out. */
#ifdef LZ_XEN_MODE
#define trace_xen_mc_issue(mode) lz_trace(LZ_NOTE_MC_ISSUE, !(xen_get_lazy_mode() & (mode)), 0)
#else
#define trace_xen_mc_issue(how, ...) lz_trace(LZ_NOTE_MC_ISSUE, how, 0)
#endif
#endif
