//! Table 10.7, arm64, row by row; and what the notes of a recorded kernel trace show.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::aarch64::tests::{Event, Mock, PAIR, page};
use crate::context::Note;

type Hook = fn(&mut Mock<Aarch64>);

/// Hook; pending before; whether the barriers execute.
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
        assert_eq!(cx.take(), if barriers { PAIR.to_vec() } else { Vec::new() }, "{row}");
        assert_eq!(cx.flags.pending.get(), pending && !barriers, "{row}");
        assert!(!cx.flags.active.get(), "the first flag is gone: {row}");
        assert!(cx.found.iter().all(|found| *found == (false, false)), "tested and cleared before the barriers: {row}");
    }
}

fn kernel_word() -> u64 {
    Aarch64::pte_word(PteFlags { valid: true, ..PteFlags::default() }, 1, Size::Small)
}

/// The mode's point: many stores, one pair of barriers.
#[test]
fn one_pair_for_a_whole_section() {
    let mut cx = Mock::<Aarch64>::new();
    cx.active = true;
    for n in 0..100 {
        Aarch64::set_ptes(&mut cx, page(0, n), kernel_word(), 1);
        assert_eq!(cx.take(), [Event::Store(n, kernel_word()), Event::Note(Note::QueueDeferred)]);
        assert_eq!(Aarch64::deferred(&(), &cx.flags), Deferred { pending: true, ..Deferred::default() });
    }
    cx.active = false;
    Aarch64::leave(&mut cx);
    assert_eq!(cx.take(), PAIR);
    assert_eq!(Aarch64::deferred(&(), &cx.flags), Deferred::default());
    Aarch64::leave(&mut cx);
    assert_eq!(cx.take(), []);
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

#[test]
fn a_task_starts_with_nothing_pending() {
    let flags = ThreadFlags::default();
    flags.active.set(true);
    flags.pending.set(true);
    Aarch64::reset_thread(&flags);
    assert!(!flags.active.get() && !flags.pending.get());
    assert_eq!(Aarch64::arch_mode(&Mock::<Aarch64>::new()), None);
}
