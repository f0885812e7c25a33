//! The hooks of x86_64 in 7.2: nothing at all natively; under Xen PV enter is empty, flush and leave flush the buffer.
//!
//! The per-CPU mode of earlier versions is gone: the one question takes its place, and the switch hooks pause the
//! task that leaves and resume the one that comes. Not here: the buffer (`queue`), the forms before (`earlier`).
//! Called by the subjects of `lazy-mmu-engine`.

use lazy_mmu_core::hooks::Token;

use super::pte::{self, xen_pte_path};
use super::queue::{self, ARGUMENT_BYTES, BATCH, PerCpuOf, Thread};
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// x86_64 on bare hardware, in every version: the paravirtual calls are patched to nothing.
///
/// Source: `arch_{enter,flush,leave}_lazy_mmu_mode()`, `arch/x86/include/asm/paravirt.h`, 7.2.
#[derive(Clone, Copy, Debug)]
pub struct X86Native;

impl Backend for X86Native {
    const NAME: &'static str = "x86_64-native";
    const ISA: Option<Isa> = Some(Isa::X86_64);
    const MMU: Mmu = Mmu::Native;
    type PerCpu = ();
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn flush<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn set_ptes<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        pte::native_set_ptes(cx, at, word, n);
    }

    #[inline(always)]
    fn clear_pte<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef) -> u64 {
        pte::native_clear(cx, at)
    }

    #[inline(always)]
    fn wrprotect_pte<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef) {
        pte::native_wrprotect(cx, at);
    }

    #[inline(always)]
    fn flush_tlb_range<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, range: Range) {
        pte::native_flush_tlb_range(cx, range);
    }

    fn map_linear_page<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef, word: Option<u64>) {
        pte::native_map_linear_page(cx, at, word);
    }

    fn deferred(_cpu: &(), _thread: &()) -> Deferred {
        Deferred::default()
    }

    fn reset_cpu(_cpu: &()) {}

    fn reset_thread(_thread: &()) {}

    #[inline]
    fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64 {
        pte::word(flags, frame, size)
    }

    #[inline]
    fn pte_flags(word: u64) -> PteFlags {
        pte::flags(word)
    }

    #[inline]
    fn pte_frame(word: u64) -> u32 {
        pte::frame(word)
    }

    #[inline]
    fn pte_size(word: u64) -> Size {
        pte::size(word)
    }

    fn virtual_address(at: PteRef) -> u64 {
        super::virtual_address(at)
    }

    #[inline(always)]
    fn ignores_hooks<C: Context<PerCpu = (), Thread = ()>>(_cx: &C) -> bool {
        true
    }
}

impl TokenBackend for X86Native {
    #[inline(always)]
    fn token_enter<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) -> Token {
        Token::Default
    }

    #[inline(always)]
    fn token_leave<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C, _token: Token) {}
}

/// x86_64 under Xen PV as Linux 7.2 has it.
///
/// Source: `xen_flush_lazy_mmu()`, `arch/x86/xen/mmu_pv.c`; `xen_start_context_switch()`,
/// `xen_end_context_switch()`, `arch/x86/xen/enlighten_pv.c`, 7.2 (811f0d8caa40, bec6f41a6fe5, 1d5d1b8a4cd1).
#[derive(Clone, Copy, Debug)]
pub struct XenOf<const CALLS: u8, const BYTES: u16>;

/// With the kernel's multicall buffer.
pub type Xen = XenOf<BATCH, ARGUMENT_BYTES>;

impl<const CALLS: u8, const BYTES: u16> Backend for XenOf<CALLS, BYTES> {
    const NAME: &'static str = "x86_64-xen";

    #[inline(always)]
    fn enter<C: Context<PerCpu = PerCpuOf<CALLS, BYTES>, Thread = Thread>>(_cx: &mut C) {}

    #[inline(always)]
    fn flush<C: Context<PerCpu = PerCpuOf<CALLS, BYTES>, Thread = Thread>>(cx: &mut C) {
        cx.preempt_disable();
        queue::flush(cx);
        cx.preempt_enable();
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = PerCpuOf<CALLS, BYTES>, Thread = Thread>>(cx: &mut C) {
        Self::flush(cx);
    }

    /// Pausing `prev` flushes through leave if it was active; a task between its half steps is left to the end.
    #[inline(always)]
    fn start_context_switch<C: Context<PerCpu = PerCpuOf<CALLS, BYTES>, Thread = Thread>>(cx: &mut C, prev: C::Task) {
        cx.task_lazy_mmu_mode_pause(prev);
        cx.this_cpu().cpu_lazy.set(true);
    }

    /// The flush here is unconditional: it is what empties the buffer of a task preempted amid its disable.
    #[inline(always)]
    fn end_context_switch<C: Context<PerCpu = PerCpuOf<CALLS, BYTES>, Thread = Thread>>(cx: &mut C, next: C::Task) {
        queue::flush(cx);
        cx.this_cpu().cpu_lazy.set(false);
        cx.task_lazy_mmu_mode_resume(next);
    }

    xen_pte_path!(PerCpuOf<CALLS, BYTES>, Context::is_lazy_mmu_mode_active);
}

#[cfg(test)]
mod tests;
