//! The hooks of aarch64 before the counters: with a second thread flag that says that the mode is on.
//!
//! Both forms share the write path of 7.2; the one question is answered from the flag ([`Backend::arch_mode`]).
//! Kept as they were: an inner leave of the stateless form ends batching for the outer section. Called by the
//! subjects of the stateless and token generations.

use lazy_mmu_core::hooks::Token;

use super::pte::{self, pte_path};
use super::queue::{self, ThreadFlags};
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// 6.16 to 6.19 (5fdd05efa1cd, with b81c688426a9 and 1ef3095b1405): no state in the generic layer.
///
/// Every hook does nothing in interrupt context, where the mode counts as off. Table 10.2, arm64.
#[derive(Clone, Copy, Debug)]
pub struct Aarch64Stateless;

impl Backend for Aarch64Stateless {
    const NAME: &'static str = "aarch64@6.16";

    #[inline(always)]
    fn enter<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        if !cx.in_interrupt() {
            flags(cx).active.set(true);
        }
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        if !cx.in_interrupt() {
            queue::flush_pending(cx);
        }
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        if !cx.in_interrupt() {
            queue::flush_pending(cx);
            flags(cx).active.set(false);
        }
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &C) -> Option<bool> {
        Some(mode_is_on(cx))
    }

    pte_path!();

    #[inline(always)]
    fn ignores_hooks<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &C) -> bool {
        cx.in_interrupt()
    }
}

/// v2 of the nesting series (September 2025, not merged): enter returns a token, leave takes it.
///
/// Every leave flushes; only one whose token is not NESTED clears the flag. In interrupt context enter has no effect
/// and returns DEFAULT, leave has no effect. Table 10.3, arm64.
#[derive(Clone, Copy, Debug)]
pub struct Aarch64Token;

impl Backend for Aarch64Token {
    const NAME: &'static str = "aarch64@v2";

    /// The token is thrown away, as KASAN's resume does.
    #[inline(always)]
    fn enter<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        let _ = Self::token_enter(cx);
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        Aarch64Stateless::flush(cx);
    }

    /// Leaves for real, as KASAN's pause does.
    #[inline(always)]
    fn leave<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        Self::token_leave(cx, Token::Default);
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &C) -> Option<bool> {
        Some(mode_is_on(cx))
    }

    pte_path!();

    #[inline(always)]
    fn ignores_hooks<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &C) -> bool {
        cx.in_interrupt()
    }
}

impl TokenBackend for Aarch64Token {
    #[inline(always)]
    fn token_enter<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) -> Token {
        if !cx.in_interrupt() && flags(cx).active.replace(true) { Token::Nested } else { Token::Default }
    }

    #[inline(always)]
    fn token_leave<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C, token: Token) {
        match token {
            Token::Default => Aarch64Stateless::leave(cx),
            Token::Nested => Aarch64Stateless::flush(cx),
        }
    }
}

/// The flags of the task that runs.
#[inline(always)]
fn flags<C: Context<Thread = ThreadFlags>>(cx: &C) -> &ThreadFlags {
    cx.thread(cx.current())
}

/// What `queue_pte_barriers()` of 6.16 asked: interrupt context first, then the flag.
#[inline(always)]
fn mode_is_on<C: Context<Thread = ThreadFlags>>(cx: &C) -> bool {
    !cx.in_interrupt() && flags(cx).active.get()
}

#[cfg(test)]
mod tests;
