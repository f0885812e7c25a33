//! Tables 10.2 and 10.3, and the forms that left preemption alone.

extern crate std;
use std::hash::{BuildHasher, RandomState};
use std::vec;
use std::vec::Vec;

use lazy_mmu_core::hooks::Token::{Default as D, Nested as N};

use super::*;
use crate::powerpc64::tests::{Mock, U};

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
            let seen: Vec<_> = cx.log.iter().filter(|line| line.starts_with("flush") || *line == "immediate").collect();
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

/// Every change waits, and what sends it out is the flush of a TLB, not a hook.
#[test]
fn before_the_mode_a_flush_of_the_tlb_sends_the_batch_out() {
    let mut cx = Mock::<HashGather>::new(false);
    HashGather::enter(&mut cx);
    cx.touch_and_clear(U, 1, Size::Small);
    cx.touch_and_clear(U, 2, Size::Small);
    HashGather::leave(&mut cx);
    assert_eq!((cx.count("flush"), cx.count("immediate"), cx.preempt), (0, 0, 0));
    let first = PteRef { mm: U, page: 1, size: Size::Small };
    HashGather::flush_tlb_range(&mut cx, Range { first, pages: 2 });
    assert_eq!((cx.count("flush 2"), cx.count("flush")), (1, 1));
    assert!(HashGather::ignores_hooks(&cx), "it has none");
}

/// A set and a write protection join the batch as a clear does; so that it is left to no other task, a switch sends it
/// out.
#[test]
fn before_the_mode_every_change_joins_the_batch() {
    let mut cx = Mock::<HashGather>::new(false);
    cx.touch_and_clear(U, 1, Size::Small);
    let at = cx.touch(U, 2, Size::Small);
    cx.take();
    HashGather::wrprotect_pte(&mut cx, at);
    assert_eq!(cx.take(), "store 1:2; add 2");
    let word = HashGather::get_pte(&mut cx, at);
    assert!(!HashGather::pte_flags(word).write);
    HashGather::set_ptes(&mut cx, at, word, 2);
    assert_eq!(cx.take(), "store 1:2; add 3; store 1:3");
    HashGather::start_context_switch(&mut cx, 0);
    assert_eq!((cx.count("flush 3"), cx.count("flush")), (1, 1));
    cx.take();
    HashGather::end_context_switch(&mut cx, 0);
    HashGather::start_context_switch(&mut cx, 0);
    assert_eq!(cx.take(), "", "nothing waits any more");
}

/// The mode is the batch's; preemption is nobody's affair.
#[test]
fn a_section_batches_with_preemption_on() {
    let mut cx = Mock::<HashPreemptible>::new(false);
    HashPreemptible::enter(&mut cx);
    assert_eq!((HashPreemptible::arch_mode(&cx), cx.preempt), (Some(true), 0));
    cx.touch_and_clear(U, 1, Size::Small);
    HashPreemptible::flush(&mut cx);
    assert_eq!(cx.count("flush"), 0);
    HashPreemptible::leave(&mut cx);
    assert_eq!((HashPreemptible::arch_mode(&cx), cx.preempt, cx.count("flush 1")), (Some(false), 0, 1));
}

/// A switch leaves the batch empty and off, and the task finds it on again.
#[test]
fn a_switch_takes_the_mode_off_the_cpu_and_puts_it_back() {
    let mut cx = Mock::<HashPreemptible>::new(false);
    HashPreemptible::enter(&mut cx);
    cx.touch_and_clear(U, 1, Size::Small);
    HashPreemptible::start_context_switch(&mut cx, 0);
    assert_eq!((HashPreemptible::arch_mode(&cx), cx.count("flush 1")), (Some(false), 1));
    HashPreemptible::end_context_switch(&mut cx, 0);
    assert_eq!(HashPreemptible::arch_mode(&cx), Some(true));
    // Once.
    HashPreemptible::leave(&mut cx);
    HashPreemptible::end_context_switch(&mut cx, 0);
    assert_eq!(HashPreemptible::arch_mode(&cx), Some(false));
}

/// The flag of a task that was switched out in a section tells it from others where states are merged; a task starts
/// without it.
#[test]
fn the_flag_of_a_task() {
    let builder = RandomState::new();
    let hash = |lazy| builder.hash_one(LocalFlags { lazy_mmu: Cell::new(lazy) });
    assert!(hash(true) != hash(false) && hash(true) == hash(true));
    let flags = LocalFlags { lazy_mmu: Cell::new(true) };
    HashPreemptible::reset_thread(&flags);
    assert!(!flags.lazy_mmu.get());
}
