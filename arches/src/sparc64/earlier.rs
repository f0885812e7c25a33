//! The hooks before 7.0: without a generic counter, the batch itself says whether the mode is on.
//!
//! Three forms, on sun4u: the last stateless one, where an inner leave ends batching for the outer section too, the one
//! before, which leaves preemption as it is, and v2's with a token. The others switch preemption per call; none tests
//! for interrupt context. Their PTE path is that of 7.2: where 7.2 asks the task's counters, these ask `active` of the
//! batch, which is [`Backend::arch_mode`]. Called through [`Backend`].

use lazy_mmu_core::hooks::Token;

use super::Sparc64;
use super::pte::{self, pte_path};
use super::queue::{Family, Spitfire, TlbBatch};
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// sun4u from 6.15 (a1d416bf9faf) to 6.19: table 10.2.
///
/// Source: `arch_enter_lazy_mmu_mode()` and its kin in `tlb.c`, before dacd24ec4965 and 442bf488b9e8.
#[derive(Clone, Copy, Debug)]
pub struct SparcStateless;

/// sun4u from 3.9 (f36391d2790d) to 6.14, before a1d416bf9faf: the same, and preemption is as it was. No subject of the
/// registry, which has the last stateless form: the zoo runs it.
#[derive(Clone, Copy, Debug)]
pub struct SparcPreemptible;

/// sun4u in v2 of the nesting series, not merged: table 10.3.
#[derive(Clone, Copy, Debug)]
pub struct SparcToken;

impl Backend for SparcStateless {
    const NAME: &'static str = "sparc64@6.15";
    const ISA: Option<Isa> = Some(Isa::Sparc64);
    const MMU: Mmu = Mmu::Sun4u;
    type PerCpu = TlbBatch;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
        cx.this_cpu().active.set(true);
    }

    /// Empty until 442bf488b9e8.
    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Sparc64::flush(cx);
        cx.this_cpu().active.set(false);
        cx.preempt_enable();
    }

    /// No test for interrupt context: interrupt code finds the mode as the interrupted task left it.
    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &C) -> Option<bool> {
        Some(cx.this_cpu().active.get())
    }

    pte_path!(Spitfire);
}

impl Backend for SparcPreemptible {
    const NAME: &'static str = "sparc64@3.9";
    const ISA: Option<Isa> = Some(Isa::Sparc64);
    const MMU: Mmu = Mmu::Sun4u;
    type PerCpu = TlbBatch;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        cx.this_cpu().active.set(true);
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Sparc64::flush(cx);
        cx.this_cpu().active.set(false);
    }

    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &C) -> Option<bool> {
        Some(cx.this_cpu().active.get())
    }

    pte_path!(Spitfire);
}

impl TokenBackend for SparcToken {
    #[inline(always)]
    fn token_enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) -> Token {
        cx.preempt_disable();
        if cx.this_cpu().active.replace(true) { Token::Nested } else { Token::Default }
    }

    #[inline(always)]
    fn token_leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, token: Token) {
        Sparc64::flush(cx);
        if token != Token::Nested {
            cx.this_cpu().active.set(false);
        }
        cx.preempt_enable();
    }
}

/// Its hooks without a token are those with the token thrown away, as KASAN called them.
impl Backend for SparcToken {
    const NAME: &'static str = "sparc64@v2";
    const ISA: Option<Isa> = Some(Isa::Sparc64);
    const MMU: Mmu = Mmu::Sun4u;
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

    pte_path!(Spitfire);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use lazy_mmu_core::hooks::Token::{Default as D, Nested as N};

    use super::super::tests::{Mock, U};
    use super::*;

    /// Table 10.2, rows "sparc 6.15+": (calls before, call, preempt_count after, active after, flushed by it).
    #[test]
    fn hooks_of_the_stateless_form() {
        type Call = fn(&mut Mock<SparcStateless>);
        let enter: Call = SparcStateless::enter;
        let flush: Call = SparcStateless::flush;
        let leave: Call = SparcStateless::leave;
        let set: Call = |cx| cx.map_and_clear(U, 1, Size::Small);
        let rows: [(&[Call], Call, i32, bool, &str); 9] = [
            (&[], enter, 1, true, ""),
            (&[enter], enter, 2, true, ""),
            (&[], flush, 0, false, ""),
            (&[enter, set], flush, 1, true, ""),
            (&[], leave, -1, false, ""),
            (&[enter], leave, 0, false, ""),
            (&[enter, set], leave, 0, false, "pending 1"),
            (&[enter, enter, set], leave, 1, false, "pending 1"),
            (&[enter, enter, leave], set, 1, false, "immediate"), // the inner leave ended batching
        ];
        for interrupt in [false, true] {
            for (i, (before, call, preempt, active, flushed)) in rows.iter().enumerate() {
                let mut cx = Mock::<SparcStateless>::new(false);
                cx.interrupt = interrupt; // no test for it: the same
                before.iter().for_each(|call| call(&mut cx));
                cx.take();
                call(&mut cx);
                assert_eq!((cx.preempt, SparcStateless::arch_mode(&cx)), (*preempt, Some(*active)), "row {i}");
                let seen: Vec<_> =
                    cx.log.iter().filter(|line| line.starts_with("pending") || *line == "immediate").collect();
                assert_eq!(seen, if flushed.is_empty() { vec![] } else { vec![flushed] }, "row {i}");
            }
        }
    }

    /// Table 10.3, column "ppc hash / sparc": E = enter, F/N = leave(DEFAULT or NESTED), S = a PTE update.
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
                let mut cx = Mock::<SparcToken>::new(false);
                cx.interrupt = interrupt; // as task
                let mut seen = Vec::new();
                for call in calls.chars() {
                    match call {
                        'E' => seen.push(SparcToken::token_enter(&mut cx)),
                        'F' => SparcToken::token_leave(&mut cx, D),
                        'N' => SparcToken::token_leave(&mut cx, N),
                        _ => cx.map_and_clear(U, 1, Size::Small),
                    }
                }
                assert_eq!(seen, tokens, "{calls}");
                assert_eq!((cx.preempt, SparcToken::arch_mode(&cx)), (preempt, Some(active)), "{calls}");
                assert_eq!((cx.count("pending"), cx.count("immediate")), (flushes, immediate), "{calls}");
            }
        }
        let mut cx = Mock::<SparcToken>::new(false);
        SparcToken::enter(&mut cx);
        cx.map_and_clear(U, 1, Size::Small);
        SparcToken::flush(&mut cx);
        assert_eq!(cx.count("pending"), 0);
        SparcToken::leave(&mut cx);
        assert_eq!(cx.count("pending"), 1);
        assert_eq!((cx.preempt, SparcToken::arch_mode(&cx)), (0, Some(false)));
    }

    /// Before 6.15 the mode is on while the task can be moved away.
    #[test]
    fn the_form_before_leaves_preemption_as_it_is() {
        let mut cx = Mock::<SparcPreemptible>::new(false);
        SparcPreemptible::enter(&mut cx);
        cx.map_and_clear(U, 1, Size::Small);
        assert_eq!((cx.preempt, SparcPreemptible::arch_mode(&cx), cx.count("pending")), (0, Some(true), 0));
        SparcPreemptible::leave(&mut cx);
        assert_eq!((cx.preempt, SparcPreemptible::arch_mode(&cx), cx.count("pending")), (0, Some(false), 1));
    }

    /// Preemption is off before the mode is on, and the mode is off before preemption is on; the flush lies within.
    #[test]
    fn the_mode_is_on_within_the_part_without_preemption() {
        let mut cx = Mock::<SparcStateless>::new(false);
        SparcStateless::enter(&mut cx);
        cx.map_and_clear(U, 1, Size::Small);
        SparcStateless::leave(&mut cx);
        assert_eq!(cx.take_order(), "off1- off2+ at2+ on1+ off2+ at2+ on1+ on0-");
        let mut cx = Mock::<SparcToken>::new(false);
        let token = SparcToken::token_enter(&mut cx);
        cx.map_and_clear(U, 1, Size::Small);
        SparcToken::token_leave(&mut cx, token);
        assert_eq!(cx.take_order(), "off1- off2+ at2+ on1+ off2+ at2+ on1+ on0-");
    }
}
