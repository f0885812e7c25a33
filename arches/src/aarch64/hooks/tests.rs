//! Table 10.7, arm64, row by row; and what the notes of a recorded kernel trace show.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::aarch64::earlier::{Aarch64Stateless, Aarch64Token};
use crate::aarch64::tests::{Event, FLUSHED, Mock, PAIR, page};
use crate::context::Note;
use crate::insn::Op;
use crate::page::LINEAR_PAGE;

type Hook = fn(&mut Mock<Aarch64>);

/// Hook; pending before; whether the flag is cleared and the barriers execute.
const ROWS: &[(&str, Hook, bool, bool)] = &[
    ("enter", |cx| Aarch64::enter(cx), false, false),
    ("enter, pending", |cx| Aarch64::enter(cx), true, false),
    ("flush", |cx| Aarch64::flush(cx), false, false),
    ("flush, pending", |cx| Aarch64::flush(cx), true, true),
    ("leave", |cx| Aarch64::leave(cx), false, false),
    ("leave, pending", |cx| Aarch64::leave(cx), true, true),
];

#[test]
fn every_hook_of_table_10_7() {
    for &(row, hook, pending, barriers) in ROWS {
        let mut cx = Mock::new();
        cx.flags.pending.set(pending);
        hook(&mut cx);
        // The atomic comes whether or not there is something to clear.
        let atomic = if row.starts_with("enter") { 0 } else { 1 };
        assert_eq!(cx.take(), &FLUSHED[..if barriers { FLUSHED.len() } else { atomic }], "{row}");
        assert_eq!(cx.flags.pending.get(), pending && !barriers, "{row}");
        assert!(!cx.flags.active.get(), "the first flag is gone: {row}");
        assert!(cx.found.iter().all(|found| *found == (false, false)), "tested and cleared before the barriers: {row}");
    }
}

fn kernel_word() -> u64 {
    Aarch64::pte_word(PteFlags { valid: true, ..PteFlags::default() }, 1, Size::Small)
}

/// The mode's point: many stores, one pair of barriers. And one atomic that sets the flag: none while it is set.
#[test]
fn one_atomic_and_one_pair_between_two_flushes() {
    let mut cx = Mock::<Aarch64>::new();
    let hooks: [Hook; 3] = [|cx| Aarch64::flush(cx), |cx| Aarch64::flush(cx), |cx| Aarch64::leave(cx)];
    for hook in hooks {
        cx.active = true;
        for n in 0..100 {
            cx.found.clear();
            Aarch64::set_ptes(&mut cx, page(0, n), kernel_word(), 1);
            let mut expected = Vec::from([Event::Store(n, kernel_word())]);
            expected.extend((n == 0).then_some(Event::Op(Op::FlagSet, 0)));
            expected.push(Event::Note(Note::QueueDeferred));
            assert_eq!(cx.take(), expected);
            assert!(cx.found.iter().all(|found| *found == (false, true)), "the atomic is what sets it");
            assert_eq!(Aarch64::deferred(&(), &cx.flags), Deferred { pending: true, ..Deferred::default() });
        }
        cx.active = false;
        hook(&mut cx);
        assert_eq!(cx.take(), FLUSHED);
        assert_eq!(Aarch64::deferred(&(), &cx.flags), Deferred::default());
        hook(&mut cx);
        assert_eq!(cx.take(), &FLUSHED[..1]);
    }
}

/// An interrupt's own entries are not deferred, and the interrupted task's flag is left alone.
#[test]
fn an_interrupt_emits_and_leaves_the_flag() {
    let mut cx = Mock::<Aarch64>::new();
    cx.active = true;
    Aarch64::set_ptes(&mut cx, page(0, 1), kernel_word(), 1);
    cx.take();
    cx.interrupt = true;
    Aarch64::set_ptes(&mut cx, page(0, 2), kernel_word(), 1);
    let mut expected = Vec::from([Event::Store(2, kernel_word()), Event::Note(Note::QueueEmitted)]);
    expected.extend(PAIR);
    assert_eq!(cx.take(), expected);
    assert!(cx.flags.pending.get());
}

/// DEBUG_PAGEALLOC takes the ordinary path: in the section that its caller opens the barriers wait, outside they do
/// not; an entry that goes is flushed at once in either case.
#[test]
fn the_linear_map_takes_the_ordinary_path() {
    let at = page(0, LINEAR_PAGE + 5);
    for active in [false, true] {
        let mut cx = Mock::<Aarch64>::new();
        cx.active = active;
        Aarch64::map_linear_page(&mut cx, at, Some(kernel_word()));
        let mut expected = Vec::from([Event::Store(at.page, kernel_word())]);
        match active {
            true => expected.extend([Event::Op(Op::FlagSet, 0), Event::Note(Note::QueueDeferred)]),
            false => expected.extend([&[Event::Note(Note::QueueEmitted)], &PAIR[..]].concat()),
        }
        assert_eq!(cx.take(), expected, "active: {active}");
        Aarch64::map_linear_page(&mut cx, at, None);
        let tlbi = crate::aarch64::decode::operand_va(Aarch64::virtual_address(at), 0, 0);
        let flush = [(Op::DsbIshst, 0), (Op::TlbiVaale1is, tlbi), (Op::DsbIsh, 0), (Op::Isb, 0)];
        let expected: Vec<Event> =
            [Event::Store(at.page, 0)].into_iter().chain(flush.map(|(op, a)| Event::Op(op, a))).collect();
        assert_eq!(cx.take(), expected, "active: {active}");
        assert_eq!(cx.flags.pending.get(), active, "the flush takes nothing off the task's flag");
    }
}

/// A switch executes a full `dsb` and nothing else, owed or not: the pair stays owed to the task.
#[test]
fn a_switch_waits_for_the_stores_and_leaves_the_flag() {
    fn check<B: Backend<PerCpu = (), Thread = ThreadFlags>>() {
        for pending in [false, true] {
            let mut cx = Mock::<B>::new();
            cx.flags.pending.set(pending);
            B::start_context_switch(&mut cx, ());
            assert_eq!(cx.take(), [], "{}", B::NAME);
            B::end_context_switch(&mut cx, ());
            assert_eq!((cx.take(), cx.flags.pending.get()), (Vec::from([Event::Op(Op::DsbIsh, 0)]), pending));
        }
    }
    check::<Aarch64>();
    check::<Aarch64Stateless>();
    check::<Aarch64Token>();
}

#[test]
fn a_task_starts_with_nothing_pending() {
    let flags = ThreadFlags::default();
    flags.active.set(true);
    flags.pending.set(true);
    Aarch64::reset_thread(&flags);
    assert!(!flags.active.get() && !flags.pending.get());
    assert_eq!(Aarch64::arch_mode(&Mock::<Aarch64>::new()), None);
}
