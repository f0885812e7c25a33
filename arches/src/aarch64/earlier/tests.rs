//! The arm64 rows of tables 10.2 and 10.3, as data.

extern crate std;

use super::*;
use crate::aarch64::tests::{Event, FLUSHED, Mock, page};
use crate::context::Note;
use crate::insn::Op;

/// Flags before (active, pending), interrupt context; flags after, whether the second is cleared and the barriers execute.
type Effect = ((bool, bool), bool, (bool, bool), bool);

fn check<B: Backend<PerCpu = (), Thread = ThreadFlags>>(row: &str, call: impl Fn(&mut Mock<B>), effect: Effect) {
    let (before, interrupt, after, barriers) = effect;
    let mut cx = Mock::<B>::new();
    cx.flags.active.set(before.0);
    cx.flags.pending.set(before.1);
    cx.interrupt = interrupt;
    call(&mut cx);
    // The atomic comes whether or not there is something to clear; enter has none, and in interrupt context nothing acts.
    let atomic = if row.starts_with("enter") || interrupt { 0 } else { 1 };
    assert_eq!(cx.take(), &FLUSHED[..if barriers { FLUSHED.len() } else { atomic }], "{row} at {before:?}");
    assert_eq!((cx.flags.active.get(), cx.flags.pending.get()), after, "{row} at {before:?}");
    // The pending flag is cleared before the barriers, the other one after them.
    assert!(cx.found.iter().all(|found| *found == (before.0, false)), "{row} at {before:?}");
    assert_eq!(B::arch_mode(&cx), Some(after.0 && !interrupt), "{row} at {before:?}");
}

const OFF: (bool, bool) = (false, false);
const OFF_OWED: (bool, bool) = (false, true);
const ON: (bool, bool) = (true, false);
const ON_OWED: (bool, bool) = (true, true);

#[rustfmt::skip]
const STATELESS: &[(&str, Effect)] = &[
    ("enter", (OFF, false, ON, false)),
    ("enter", (OFF_OWED, false, ON_OWED, false)),
    ("enter", (ON, false, ON, false)),
    ("enter", (ON_OWED, false, ON_OWED, false)),
    ("enter", (OFF, true, OFF, false)),
    ("enter", (ON_OWED, true, ON_OWED, false)),
    ("flush", (OFF, false, OFF, false)),
    ("flush", (OFF_OWED, false, OFF, true)),
    ("flush", (ON, false, ON, false)),
    ("flush", (ON_OWED, false, ON, true)),
    ("flush", (ON_OWED, true, ON_OWED, false)),
    ("leave", (OFF, false, OFF, false)),
    ("leave", (OFF_OWED, false, OFF, true)),
    ("leave", (ON, false, OFF, false)),
    ("leave", (ON_OWED, false, OFF, true)),
    ("leave", (ON_OWED, true, ON_OWED, false)),
];

#[test]
fn table_10_2() {
    for &(row, effect) in STATELESS {
        let call = match row {
            "enter" => Aarch64Stateless::enter,
            "flush" => Aarch64Stateless::flush,
            _ => Aarch64Stateless::leave,
        };
        check::<Aarch64Stateless>(row, call, effect);
    }
}

#[rustfmt::skip]
const ENTERS: &[(Effect, Token)] = &[
    ((OFF, false, ON, false), Token::Default),
    ((OFF_OWED, false, ON_OWED, false), Token::Default),
    ((ON, false, ON, false), Token::Nested),
    ((ON_OWED, false, ON_OWED, false), Token::Nested),
    ((OFF, true, OFF, false), Token::Default),
    ((ON_OWED, true, ON_OWED, false), Token::Default),
];

#[rustfmt::skip]
const LEAVES: &[(Token, Effect)] = &[
    (Token::Default, (ON, false, OFF, false)),
    (Token::Default, (ON_OWED, false, OFF, true)),
    (Token::Default, (OFF, false, OFF, false)),
    (Token::Default, (OFF_OWED, false, OFF, true)),
    (Token::Default, (ON_OWED, true, ON_OWED, false)),
    (Token::Nested, (ON, false, ON, false)),
    (Token::Nested, (ON_OWED, false, ON, true)),
    (Token::Nested, (ON_OWED, true, ON_OWED, false)),
];

#[test]
fn table_10_3() {
    for &(effect, token) in ENTERS {
        check::<Aarch64Token>("enter", |cx| assert_eq!(Aarch64Token::token_enter(cx), token), effect);
        check::<Aarch64Token>("enter, token thrown away", Aarch64Token::enter, effect);
    }
    for &(token, effect) in LEAVES {
        check::<Aarch64Token>("leave", |cx| Aarch64Token::token_leave(cx, token), effect);
    }
    check::<Aarch64Token>("leave without a token", Aarch64Token::leave, (ON_OWED, false, OFF, true));
    check::<Aarch64Token>("flush", Aarch64Token::flush, (ON_OWED, false, ON, true));
}

/// Stores one kernel entry; says whether its barriers were deferred.
fn deferred<B: Backend<PerCpu = (), Thread = ThreadFlags>>(cx: &mut Mock<B>) -> bool {
    let word = B::pte_word(PteFlags { valid: true, ..PteFlags::default() }, 1, Size::Small);
    cx.take();
    B::set_ptes(cx, page(0, 1), word, 1);
    cx.take().contains(&Event::Note(Note::QueueDeferred))
}

/// The pending flag is set by one atomic between two flushes, in these forms too; an inner enter sets none.
#[test]
fn one_atomic_between_two_flushes() {
    fn atomics<B: Backend<PerCpu = (), Thread = ThreadFlags>>() -> [usize; 3] {
        let mut cx = Mock::<B>::new();
        B::enter(&mut cx);
        let first = stores(&mut cx);
        B::enter(&mut cx);
        let still = stores(&mut cx);
        B::flush(&mut cx);
        [first, still, stores(&mut cx)]
    }
    /// Stores nine kernel entries; says how many atomics set the flag meanwhile.
    fn stores<B: Backend<PerCpu = (), Thread = ThreadFlags>>(cx: &mut Mock<B>) -> usize {
        let word = B::pte_word(PteFlags { valid: true, ..PteFlags::default() }, 1, Size::Small);
        cx.take();
        (0..9).for_each(|n| B::set_ptes(cx, page(0, n), word, 1));
        cx.take_ops().into_iter().filter(|op| *op == (Op::FlagSet, 0)).count()
    }
    assert_eq!(atomics::<Aarch64Stateless>(), [1, 0, 1]);
    assert_eq!(atomics::<Aarch64Token>(), [1, 0, 1]);
}

/// `arm64-inner-leave-kills-batching`: the inner leave ends it for the outer section. The token repaired that.
#[test]
fn an_inner_leave() {
    let mut old = Mock::<Aarch64Stateless>::new();
    Aarch64Stateless::enter(&mut old);
    Aarch64Stateless::enter(&mut old);
    assert!(deferred(&mut old));
    Aarch64Stateless::leave(&mut old);
    assert!(!deferred(&mut old));

    let mut v2 = Mock::<Aarch64Token>::new();
    let outer = Aarch64Token::token_enter(&mut v2);
    let inner = Aarch64Token::token_enter(&mut v2);
    Aarch64Token::token_leave(&mut v2, inner);
    assert!(deferred(&mut v2));
    Aarch64Token::token_leave(&mut v2, outer);
    assert!(!deferred(&mut v2));
}

/// KASAN's pause in v2: leave with DEFAULT at depth 2 turns the mode off, enter turns it on.
#[test]
fn a_forced_leave_and_an_enter_without_its_token() {
    let mut cx = Mock::<Aarch64Token>::new();
    Aarch64Token::token_enter(&mut cx);
    Aarch64Token::token_enter(&mut cx);
    Aarch64Token::token_leave(&mut cx, Token::Default);
    assert!(!deferred(&mut cx));
    assert_eq!(Aarch64Token::token_enter(&mut cx), Token::Default);
    assert!(deferred(&mut cx));
}

#[test]
fn an_interrupt_inside_a_section_emits() {
    let mut cx = Mock::<Aarch64Stateless>::new();
    Aarch64Stateless::enter(&mut cx);
    cx.interrupt = true;
    assert!(!deferred(&mut cx));
    cx.interrupt = false;
    assert!(deferred(&mut cx));
}

/// In interrupt context the forms bail out by themselves; whether the mode is on says nothing.
#[test]
fn hooks_are_ignored_in_interrupt_context_alone() {
    fn check<B: Backend<PerCpu = (), Thread = ThreadFlags>>() {
        for (interrupt, active) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut cx = Mock::<B>::new();
            cx.interrupt = interrupt;
            cx.flags.active.set(active);
            assert_eq!(B::ignores_hooks(&cx), interrupt, "{}", B::NAME);
        }
    }
    check::<Aarch64Stateless>();
    check::<Aarch64Token>();
}
