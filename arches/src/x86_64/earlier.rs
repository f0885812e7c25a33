//! The hooks of Xen PV before 7.2: with a per-CPU mode, NONE, MMU or CPU, which the switch hooks move too.
//!
//! What differs between the forms is who may find the mode already there: a BUG up to 6.5, from 6.15 to 6.19 and in
//! 7.0; a nesting counter from 6.6 to 6.14; a token in v2; nothing at all in 7.1. All of them decide by the mode,
//! not by the counters, whether an update is queued ([`mode_is_mmu`]), and 7.0 enters by the counters what it left by
//! the mode: that is its defect (table 10.8), and it is kept. After a BUG nothing is done any more.
//!
//! Not here: the native hooks, which never changed ([`super::X86Native`]). Called by the subjects of the stateless,
//! token and counted generations. Source: tables 10.2, 10.3 and 10.8; `arch/x86/include/asm/xen/hypervisor.h`,
//! `arch/x86/xen/{mmu_pv,enlighten_pv}.c` of the versions named.

use lazy_mmu_core::hooks::Token;
use lazy_mmu_core::kernel::BugSite;

use super::pte::{self, xen_pte_path};
use super::queue::{self, Mode, PerCpu, Thread};
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// Up to 6.5, and 6.15 to 6.19: entering a mode that is not NONE is a BUG, and so is leaving one that is not MMU.
#[derive(Clone, Copy, Debug)]
pub struct XenStateless;

impl Backend for XenStateless {
    const NAME: &'static str = "x86_64-xen@6.19";

    #[inline(always)]
    fn enter<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        enter_lazy(cx, Mode::Mmu);
    }

    /// Leaves and enters again, if the mode (in interrupt context: NONE) is MMU.
    fn flush<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        cx.preempt_disable();
        if mode_is_mmu(cx) {
            Self::leave(cx);
            Self::enter(cx);
        }
        cx.preempt_enable();
    }

    fn leave<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        cx.preempt_disable();
        queue::flush(cx);
        if leave_lazy(cx, Mode::Mmu) {
            cx.preempt_enable();
        }
    }

    fn start_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, prev: C::Task) {
        leave_and_mark::<Self, C>(cx, prev);
        enter_lazy(cx, Mode::Cpu);
    }

    fn end_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, next: C::Task) {
        queue::flush(cx);
        if leave_lazy(cx, Mode::Cpu) {
            enter_if_marked::<Self, C>(cx, next);
        }
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &C) -> Option<bool> {
        Some(mode_is_mmu(cx))
    }

    xen_pte_path!(PerCpu, |cx| mode_is_mmu(cx));
}

/// 6.6 to 6.14 (49147beb0ccb): entering the mode that is there counts up, leaving counts down, the last one leaves.
///
/// A nested leave flushes too: `xen_leave_lazy_mmu()` empties the queue before it looks at the mode.
#[derive(Clone, Copy, Debug)]
pub struct XenNested;

impl Backend for XenNested {
    const NAME: &'static str = "x86_64-xen@6.6";

    #[inline(always)]
    fn enter<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        enter_nested(cx, Mode::Mmu);
    }

    /// Leaving and entering again comes to this at any depth.
    fn flush<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        flush_if_mmu(cx);
    }

    fn leave<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        cx.preempt_disable();
        queue::flush(cx);
        if leave_nested(cx, Mode::Mmu) {
            cx.preempt_enable();
        }
    }

    fn start_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, prev: C::Task) {
        leave_and_mark::<Self, C>(cx, prev);
        enter_nested(cx, Mode::Cpu);
    }

    fn end_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, next: C::Task) {
        queue::flush(cx);
        if leave_nested(cx, Mode::Cpu) {
            enter_if_marked::<Self, C>(cx, next);
        }
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &C) -> Option<bool> {
        Some(mode_is_mmu(cx))
    }

    xen_pte_path!(PerCpu, |cx| mode_is_mmu(cx));
}

/// v2 of the nesting series (September 2025, not merged): enter says whether the mode was there, leave is told.
///
/// Every leave flushes. In interrupt context as in a task. The switch hooks are those of 6.19.
#[derive(Clone, Copy, Debug)]
pub struct XenToken;

impl Backend for XenToken {
    const NAME: &'static str = "x86_64-xen@v2";

    /// The token is thrown away, as KASAN's resume does.
    #[inline(always)]
    fn enter<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        let _ = Self::token_enter(cx);
    }

    fn flush<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        flush_if_mmu(cx);
    }

    /// Leaves for real, as KASAN's pause does.
    #[inline(always)]
    fn leave<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        Self::token_leave(cx, Token::Default);
    }

    fn start_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, prev: C::Task) {
        XenStateless::start_context_switch(cx, prev);
    }

    fn end_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, next: C::Task) {
        XenStateless::end_context_switch(cx, next);
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &C) -> Option<bool> {
        Some(mode_is_mmu(cx))
    }

    xen_pte_path!(PerCpu, |cx| mode_is_mmu(cx));
}

impl TokenBackend for XenToken {
    fn token_enter<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) -> Token {
        if cx.this_cpu().mode.get() == Mode::Mmu {
            return Token::Nested;
        }
        enter_lazy(cx, Mode::Mmu);
        Token::Default
    }

    fn token_leave<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, token: Token) {
        cx.preempt_disable();
        queue::flush(cx);
        if token == Token::Nested || leave_lazy(cx, Mode::Mmu) {
            cx.preempt_enable();
        }
    }
}

/// 7.0: the switch hooks ask the counters whether to enter again (291b3abed657), and enter insists on NONE.
#[derive(Clone, Copy, Debug)]
pub struct Xen70;

impl Backend for Xen70 {
    const NAME: &'static str = "x86_64-xen@7.0";

    #[inline(always)]
    fn enter<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        enter_lazy(cx, Mode::Mmu);
    }

    fn flush<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        flush_if_mmu(cx);
    }

    fn leave<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        XenStateless::leave(cx);
    }

    fn start_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, _prev: C::Task) {
        if cx.this_cpu().mode.get() == Mode::Mmu {
            Self::leave(cx);
        }
        enter_lazy(cx, Mode::Cpu);
    }

    fn end_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, next: C::Task) {
        queue::flush(cx);
        if leave_lazy(cx, Mode::Cpu) && cx.task_lazy_mmu_mode_active(next) {
            Self::enter(cx);
        }
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &C) -> Option<bool> {
        Some(mode_is_mmu(cx))
    }

    xen_pte_path!(PerCpu, |cx| mode_is_mmu(cx));
}

/// 7.1: as 7.0, but enter and leave tolerate that the mode is already there (4594437880ce).
#[derive(Clone, Copy, Debug)]
pub struct Xen71;

impl Backend for Xen71 {
    const NAME: &'static str = "x86_64-xen@7.1";

    fn enter<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        cx.preempt_disable();
        if mode_is_mmu(cx) || enter_lazy(cx, Mode::Mmu) {
            cx.preempt_enable();
        }
    }

    fn flush<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        flush_if_mmu(cx);
    }

    fn leave<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C) {
        cx.preempt_disable();
        queue::flush(cx);
        if mode(cx) == Mode::None || leave_lazy(cx, Mode::Mmu) {
            cx.preempt_enable();
        }
    }

    fn start_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, _prev: C::Task) {
        if cx.this_cpu().mode.get() == Mode::Mmu {
            Self::leave(cx);
        }
        enter_lazy(cx, Mode::Cpu);
    }

    fn end_context_switch<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &mut C, next: C::Task) {
        queue::flush(cx);
        if leave_lazy(cx, Mode::Cpu) && cx.task_lazy_mmu_mode_active(next) {
            Self::enter(cx);
        }
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = PerCpu, Thread = Thread>>(cx: &C) -> Option<bool> {
        Some(mode_is_mmu(cx))
    }

    xen_pte_path!(PerCpu, |cx| mode_is_mmu(cx));
}

/// `xen_get_lazy_mode()`: the CPU's mode, NONE in interrupt context.
#[inline(always)]
fn mode<C: Context<PerCpu = PerCpu>>(cx: &C) -> Mode {
    if cx.in_interrupt() { Mode::None } else { cx.this_cpu().mode.get() }
}

/// The one question of these forms: is the CPU's mode MMU? Never in interrupt context.
#[inline(always)]
pub fn mode_is_mmu<C: Context<PerCpu = PerCpu>>(cx: &C) -> bool {
    mode(cx) == Mode::Mmu
}

/// `enter_lazy()`: from NONE only. False after a BUG.
#[inline(always)]
fn enter_lazy<C: Context<PerCpu = PerCpu>>(cx: &mut C, to: Mode) -> bool {
    if cx.this_cpu().mode.get() != Mode::None {
        cx.bug(BugSite::EnterLazy);
        return false;
    }
    cx.this_cpu().mode.set(to);
    true
}

/// `leave_lazy()`: to NONE, from `from` only. False after a BUG.
#[inline(always)]
fn leave_lazy<C: Context<PerCpu = PerCpu>>(cx: &mut C, from: Mode) -> bool {
    if cx.this_cpu().mode.get() != from {
        cx.bug(BugSite::LeaveLazy);
        return false;
    }
    cx.this_cpu().mode.set(Mode::None);
    true
}

/// `enter_lazy()` of 6.6: one more of the same, or from NONE. False after a BUG.
#[inline(always)]
fn enter_nested<C: Context<PerCpu = PerCpu>>(cx: &mut C, to: Mode) -> bool {
    let cpu = cx.this_cpu();
    if cpu.mode.get() != to {
        return enter_lazy(cx, to);
    }
    cpu.nesting.set(cpu.nesting.get() + 1);
    true
}

/// `leave_lazy()` of 6.6: one less, or to NONE. False after a BUG.
#[inline(always)]
fn leave_nested<C: Context<PerCpu = PerCpu>>(cx: &mut C, from: Mode) -> bool {
    let cpu = cx.this_cpu();
    if cpu.mode.get() != from || cpu.nesting.get() == 0 {
        return leave_lazy(cx, from);
    }
    cpu.nesting.set(cpu.nesting.get() - 1);
    true
}

/// `xen_flush_lazy_mmu()` of 7.0 (66bdd779d344): test and flush on the same CPU.
#[inline(always)]
fn flush_if_mmu<C: Context<PerCpu = PerCpu>>(cx: &mut C) {
    cx.preempt_disable();
    if mode_is_mmu(cx) {
        queue::flush(cx);
    }
    cx.preempt_enable();
}

/// Up to 6.19: a task that is switched out of the mode leaves it and is marked.
#[inline(always)]
fn leave_and_mark<B, C>(cx: &mut C, prev: C::Task)
where
    B: Backend<PerCpu = PerCpu, Thread = Thread>,
    C: Context<PerCpu = PerCpu, Thread = Thread>,
{
    if cx.this_cpu().mode.get() == Mode::Mmu {
        B::leave(cx);
        cx.thread(prev).lazy_mmu_updates.set(true);
    }
}

/// Up to 6.19: a marked task that is switched in enters the mode again.
#[inline(always)]
fn enter_if_marked<B, C>(cx: &mut C, next: C::Task)
where
    B: Backend<PerCpu = PerCpu, Thread = Thread>,
    C: Context<PerCpu = PerCpu, Thread = Thread>,
{
    if cx.thread(next).lazy_mmu_updates.take() {
        B::enter(cx);
    }
}

#[cfg(test)]
mod tests;
