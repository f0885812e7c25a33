//! `token`: v2 of the nesting series (September 2025, not merged). The state is a [`Token`] on the caller's stack.
//!
//! Every leave flushes; only one whose token is not NESTED leaves the mode. Nothing checks that a token is given
//! back by the one who got it: KASAN's pause leaves with DEFAULT at any depth and throws the token of its resume
//! away. Source: table 10.3.

use crate::hooks::{Token, TokenHooks};

/// `arch_enter_lazy_mmu_mode()` of v2: the caller keeps the token for its [`lazy_mmu_mode_disable`].
#[inline(always)]
pub fn lazy_mmu_mode_enable<C: TokenHooks>(cx: &mut C) -> Token {
    cx.arch_enter_lazy_mmu_mode()
}

/// `arch_leave_lazy_mmu_mode(token)` of v2.
#[inline(always)]
pub fn lazy_mmu_mode_disable<C: TokenHooks>(cx: &mut C, token: Token) {
    cx.arch_leave_lazy_mmu_mode(token);
}

/// KASAN's pause: leaves for real, at any depth.
#[inline(always)]
pub fn lazy_mmu_mode_pause<C: TokenHooks>(cx: &mut C) {
    cx.arch_leave_lazy_mmu_mode(Token::Default);
}

/// KASAN's resume: enters, and throws the token away.
#[inline(always)]
pub fn lazy_mmu_mode_resume<C: TokenHooks>(cx: &mut C) {
    let _ = cx.arch_enter_lazy_mmu_mode();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::bench_kernel::{Asked, Bench, Hook};

    type Call = fn(&mut Bench);

    /// The bench's enter gives NESTED; its leave counts as a flush with that token, as a leave with DEFAULT.
    #[test]
    fn calls_are_hooks_and_tokens_pass_through() {
        let rows: [(Call, Hook); 5] = [
            (|bench| assert_eq!(lazy_mmu_mode_enable(bench), Token::Nested), Hook::Enter),
            (|bench| lazy_mmu_mode_disable(bench, Token::Nested), Hook::Flush),
            (|bench| lazy_mmu_mode_disable(bench, Token::Default), Hook::Leave),
            (lazy_mmu_mode_pause, Hook::Leave),
            (lazy_mmu_mode_resume, Hook::Enter),
        ];
        for (row, (call, hook)) in rows.into_iter().enumerate() {
            let mut bench = Bench::default();
            call(&mut bench);
            assert_eq!(bench.asked, Asked { hook: Some(hook), ..Asked::default() }, "row {row}");
        }
    }
}
