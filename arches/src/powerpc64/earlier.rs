//! The hash hooks before 7.0: without a generic counter, the batch itself says whether the mode is on.
//!
//! Two forms: the last stateless one, where an inner leave ends batching for the outer section too, and v2's with a
//! token. Both switch preemption per call, without any test for interrupt context. Their PTE path is that of 7.2:
//! where 7.2 asks the task's counters, these ask `active` of the batch, which is [`Backend::arch_mode`].
//!
//! Not here: radix, which had no other form ([`super::Radix`]), and the switch hooks that re-activated the batch
//! before 6.1 (dead since b9ef323ea168, removed by 58852f24f956). Called through [`Backend`].

use lazy_mmu_core::hooks::Token;

use super::Hash;
use super::pte::{self, pte_path};
use super::queue::TlbBatch;
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// The hash MMU from 6.1 (b9ef323ea168) to 6.19: table 10.2.
///
/// Source: `arch_enter_lazy_mmu_mode()` and its kin in `tlbflush-hash.h`, before 313a05a15a1b and c3f0778ffeca.
#[derive(Clone, Copy, Debug)]
pub struct HashStateless;

/// The hash MMU in v2 of the nesting series, not merged: table 10.3.
#[derive(Clone, Copy, Debug)]
pub struct HashToken;

impl Backend for HashStateless {
    const NAME: &'static str = "powerpc64-hash@6.1";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Hash;
    type PerCpu = TlbBatch;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
        cx.this_cpu().active.set(true);
    }

    /// Empty until c3f0778ffeca.
    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Hash::flush(cx);
        cx.this_cpu().active.set(false);
        cx.preempt_enable();
    }

    /// No test for interrupt context: interrupt code finds the mode as the interrupted task left it.
    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &C) -> Option<bool> {
        Some(cx.this_cpu().active.get())
    }

    pte_path!();
}

impl TokenBackend for HashToken {
    #[inline(always)]
    fn token_enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) -> Token {
        cx.preempt_disable();
        if cx.this_cpu().active.replace(true) { Token::Nested } else { Token::Default }
    }

    #[inline(always)]
    fn token_leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, token: Token) {
        Hash::flush(cx);
        if token != Token::Nested {
            cx.this_cpu().active.set(false);
        }
        cx.preempt_enable();
    }
}

/// Its hooks without a token are those with the token thrown away, as KASAN called them.
impl Backend for HashToken {
    const NAME: &'static str = "powerpc64-hash@v2";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Hash;
    type PerCpu = TlbBatch;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Self::token_enter(cx);
    }

    /// v2 had no other flush than that of a leave.
    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Self::token_leave(cx, Token::Default);
    }

    /// No test for interrupt context here either.
    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &C) -> Option<bool> {
        Some(cx.this_cpu().active.get())
    }

    pte_path!();
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use lazy_mmu_core::hooks::Token::{Default as D, Nested as N};

    use super::super::tests::{Mock, U};
    use super::*;

    /// Table 10.2, rows "ppc hash": (calls before, call, preempt_count after, active after, flushed by it).
    #[test]
    fn hooks_of_the_stateless_form() {
        type Call = fn(&mut Mock<HashStateless>);
        let enter: Call = HashStateless::enter;
        let flush: Call = HashStateless::flush;
        let leave: Call = HashStateless::leave;
        let set: Call = |cx| cx.touch_and_clear(U, 1, Size::Small);
        let rows: [(&[Call], Call, i32, bool, &str); 9] = [
            (&[], enter, 1, true, ""),
            (&[enter], enter, 2, true, ""),
            (&[], flush, 0, false, ""),
            (&[enter, set], flush, 1, true, ""),
            (&[], leave, -1, false, ""),
            (&[enter], leave, 0, false, ""),
            (&[enter, set], leave, 0, false, "flush 1"),
            (&[enter, enter, set], leave, 1, false, "flush 1"),
            (&[enter, enter, leave], set, 1, false, "immediate"), // the inner leave ended batching
        ];
        for interrupt in [false, true] {
            for (i, (before, call, preempt, active, flushed)) in rows.iter().enumerate() {
                let mut cx = Mock::<HashStateless>::new(false);
                cx.interrupt = interrupt; // no test for it: the same
                before.iter().for_each(|call| call(&mut cx));
                cx.take();
                call(&mut cx);
                assert_eq!((cx.preempt, HashStateless::arch_mode(&cx)), (*preempt, Some(*active)), "row {i}");
                let seen: Vec<_> =
                    cx.log.iter().filter(|line| line.starts_with("flush") || *line == "immediate").collect();
                assert_eq!(seen, if flushed.is_empty() { vec![] } else { vec![flushed] }, "row {i}");
            }
        }
    }

    /// Table 10.3, column "ppc hash": E = enter, F/N = leave(DEFAULT or NESTED), S = a PTE update.
    #[test]
    fn hooks_of_the_token_form() {
        // (calls, tokens that the enters gave, preempt_count after, active after, flushes, immediate flushes)
        type Row = (&'static str, &'static [Token], i32, bool, usize, usize);
        let rows: [Row; 9] = [
            ("E", &[D], 1, true, 0, 0),
            ("EE", &[D, N], 2, true, 0, 0),
            ("ESF", &[D], 0, false, 1, 0),
            ("EF", &[D], 0, false, 0, 0),
            ("EESN", &[D, N], 1, true, 1, 0),
            ("EESNSF", &[D, N], 0, false, 2, 0),
            ("EESFS", &[D, N], 1, false, 1, 1), // DEFAULT inside: the mode is off, preemption only one of two
            ("EEFES", &[D, N, D], 2, true, 0, 0), // KASAN's pause and resume inside two sections
            ("S", &[], 0, false, 0, 1),
        ];
        for interrupt in [false, true] {
            for (calls, tokens, preempt, active, flushes, immediate) in rows {
                let mut cx = Mock::<HashToken>::new(false);
                cx.interrupt = interrupt; // as task
                let mut seen = Vec::new();
                for call in calls.chars() {
                    match call {
                        'E' => seen.push(HashToken::token_enter(&mut cx)),
                        'F' => HashToken::token_leave(&mut cx, D),
                        'N' => HashToken::token_leave(&mut cx, N),
                        _ => cx.touch_and_clear(U, 1, Size::Small),
                    }
                }
                assert_eq!(seen, tokens, "{calls}");
                assert_eq!((cx.preempt, HashToken::arch_mode(&cx)), (preempt, Some(active)), "{calls}");
                assert_eq!((cx.count("flush"), cx.count("immediate")), (flushes, immediate), "{calls}");
            }
        }
        let mut cx = Mock::<HashToken>::new(false);
        HashToken::enter(&mut cx);
        cx.touch_and_clear(U, 1, Size::Small);
        HashToken::flush(&mut cx);
        assert_eq!(cx.count("flush"), 0);
        HashToken::leave(&mut cx);
        assert_eq!(cx.count("flush"), 1);
        assert_eq!((cx.preempt, HashToken::arch_mode(&cx)), (0, Some(false)));
    }

    /// Preemption is off before the mode is on, and the mode is off before preemption is on; the flush lies within.
    #[test]
    fn the_mode_is_on_within_the_part_without_preemption() {
        let mut cx = Mock::<HashStateless>::new(false);
        HashStateless::enter(&mut cx);
        cx.touch_and_clear(U, 1, Size::Small);
        HashStateless::leave(&mut cx);
        assert_eq!(cx.take_order(), "off1- off2+ at2+ on1+ at1+ on0-");
        let mut cx = Mock::<HashToken>::new(false);
        let token = HashToken::token_enter(&mut cx);
        cx.touch_and_clear(U, 1, Size::Small);
        HashToken::token_leave(&mut cx, token);
        assert_eq!(cx.take_order(), "off1- off2+ at2+ on1+ at1+ on0-");
    }
}
