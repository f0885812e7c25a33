//! The Xen rows of tables 10.2, 10.3 and 10.8, as data, and the windows of 7.0 and 7.1.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::context::Note;
use crate::x86_64::tests::{Event, Mock, page};

/// A CPU's state: its mode and its nesting.
type State = (Mode, u32);

const NONE: State = (Mode::None, 0);
const MMU: State = (Mode::Mmu, 0);
const MMU_1: State = (Mode::Mmu, 1);
const MMU_2: State = (Mode::Mmu, 2);
const CPU: State = (Mode::Cpu, 0);

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Nothing,
    Flush,
    Bug(BugSite),
    FlushThenBug(BugSite),
}
use Does::{Bug, Flush, FlushThenBug, Nothing};

const ENTER: BugSite = BugSite::EnterLazy;
const LEAVE: BugSite = BugSite::LeaveLazy;

/// Hook, interrupt context, state before, what it does, state after.
type Row = (&'static str, bool, State, Does, State);

#[rustfmt::skip]
const STATELESS: &[Row] = &[
    ("enter", false, NONE, Nothing, MMU),
    ("enter", false, MMU, Bug(ENTER), MMU),
    ("enter", false, CPU, Bug(ENTER), CPU),
    ("enter", true, NONE, Nothing, MMU),
    ("enter", true, MMU, Bug(ENTER), MMU),
    ("flush", false, NONE, Nothing, NONE),
    ("flush", false, MMU, Flush, MMU),
    ("flush", true, MMU, Nothing, MMU),
    ("leave", false, NONE, FlushThenBug(LEAVE), NONE),
    ("leave", false, MMU, Flush, NONE),
    ("leave", true, NONE, FlushThenBug(LEAVE), NONE),
    ("leave", true, MMU, Flush, NONE),
];

#[rustfmt::skip]
const NESTED: &[Row] = &[
    ("enter", false, NONE, Nothing, MMU),
    ("enter", false, MMU, Nothing, MMU_1),
    ("enter", false, MMU_1, Nothing, MMU_2),
    ("enter", true, MMU, Nothing, MMU_1),
    ("enter", false, CPU, Bug(ENTER), CPU),
    ("flush", false, NONE, Nothing, NONE),
    ("flush", false, MMU_1, Flush, MMU_1),
    ("flush", true, MMU_1, Nothing, MMU_1),
    ("leave", false, NONE, FlushThenBug(LEAVE), NONE),
    ("leave", false, MMU, Flush, NONE),
    ("leave", false, MMU_1, Flush, MMU),
    ("leave", false, MMU_2, Flush, MMU_1),
    ("leave", true, MMU_1, Flush, MMU),
];

#[rustfmt::skip]
const V7_0: &[Row] = &[
    ("enter", false, NONE, Nothing, MMU),
    ("enter", false, MMU, Bug(ENTER), MMU),
    ("flush", false, NONE, Nothing, NONE),
    ("flush", false, MMU, Flush, MMU),
    ("leave", false, NONE, FlushThenBug(LEAVE), NONE),
    ("leave", false, MMU, Flush, NONE),
];

#[rustfmt::skip]
const V7_1: &[Row] = &[
    ("enter", false, NONE, Nothing, MMU),
    ("enter", false, MMU, Nothing, MMU),
    ("enter", false, CPU, Bug(ENTER), CPU),
    ("flush", false, NONE, Nothing, NONE),
    ("flush", false, MMU, Flush, MMU),
    ("leave", false, NONE, Flush, NONE),
    ("leave", false, MMU, Flush, NONE),
    ("leave", false, CPU, FlushThenBug(LEAVE), CPU),
];

fn at<B: Backend<PerCpu = PerCpu, Thread = Thread>>(state: State) -> Mock<B> {
    let cx = Mock::<B>::new();
    cx.cpus[0].mode.set(state.0);
    cx.cpus[0].nesting.set(state.1);
    cx
}

fn state<B: Backend<PerCpu = PerCpu, Thread = Thread>>(cx: &Mock<B>) -> State {
    (cx.cpus[0].mode.get(), cx.cpus[0].nesting.get())
}

fn did(events: &[Event]) -> Does {
    let flushed = events.contains(&Event::Note(Note::McFlush(0, 0)));
    let bug = events.iter().find_map(|event| if let Event::Bug(site) = event { Some(*site) } else { None });
    match (flushed, bug) {
        (false, None) => Nothing,
        (true, None) => Flush,
        (false, Some(site)) => Bug(site),
        (true, Some(site)) => FlushThenBug(site),
    }
}

fn check<B: Backend<PerCpu = PerCpu, Thread = Thread>>(rows: &[Row]) {
    for &row in rows {
        let (hook, interrupt, before, does, after) = row;
        let mut cx = at::<B>(before);
        cx.interrupt = interrupt;
        match hook {
            "enter" => B::enter(&mut cx),
            "flush" => B::flush(&mut cx),
            _ => B::leave(&mut cx),
        }
        assert_eq!((did(&cx.take()), state(&cx)), (does, after), "{} {row:?}", B::NAME);
        assert_eq!(B::arch_mode(&cx), Some(after.0 == Mode::Mmu && !interrupt), "{} {row:?}", B::NAME);
        assert!(cx.preempt == 0 || matches!(does, Bug(_) | FlushThenBug(_)), "{} {row:?}", B::NAME);
    }
}

#[test]
fn table_10_2_and_the_hooks_of_7_0_and_7_1() {
    check::<XenStateless>(STATELESS);
    check::<XenNested>(NESTED);
    check::<Xen70>(V7_0);
    check::<Xen71>(V7_1);
}

/// `xen-flush-preempt-window`: the mode is looked at and the queue flushed on one CPU. Whoever only writes the mode
/// (enter, but that of 7.1) need not stay.
fn stays_on_its_cpu<B: Backend<PerCpu = PerCpu, Thread = Thread>>() {
    for before in [NONE, MMU] {
        let mut cx = at::<B>(before);
        B::flush(&mut cx);
        assert!(cx.take_pinned(), "flush of {} at {before:?}", B::NAME);
    }
    let mut cx = at::<B>(MMU);
    B::leave(&mut cx);
    assert!(cx.take_pinned(), "leave of {}", B::NAME);
}

#[test]
fn the_mode_and_the_queue_are_those_of_one_cpu() {
    stays_on_its_cpu::<XenStateless>();
    stays_on_its_cpu::<XenNested>();
    stays_on_its_cpu::<XenToken>();
    stays_on_its_cpu::<Xen70>();
    stays_on_its_cpu::<Xen71>();
    for before in [NONE, MMU] {
        let mut cx = at::<Xen71>(before);
        Xen71::enter(&mut cx);
        assert!(cx.take_pinned(), "enter at {before:?}");
    }
}

#[rustfmt::skip]
const TOKEN_ENTERS: &[(State, bool, Token, Does, State)] = &[
    (NONE, false, Token::Default, Nothing, MMU),
    (NONE, true, Token::Default, Nothing, MMU),
    (MMU, false, Token::Nested, Nothing, MMU),
    (MMU, true, Token::Nested, Nothing, MMU),
    (CPU, false, Token::Default, Bug(ENTER), CPU),
];

#[rustfmt::skip]
const TOKEN_LEAVES: &[(State, bool, Token, Does, State)] = &[
    (MMU, false, Token::Default, Flush, NONE),
    (MMU, true, Token::Default, Flush, NONE),
    (MMU, false, Token::Nested, Flush, MMU),
    (MMU, true, Token::Nested, Flush, MMU),
    (NONE, false, Token::Nested, Flush, NONE),
    (NONE, false, Token::Default, FlushThenBug(LEAVE), NONE),
];

#[test]
fn table_10_3() {
    for &row in TOKEN_ENTERS {
        let (before, interrupt, token, does, after) = row;
        let mut cx = at::<XenToken>(before);
        cx.interrupt = interrupt;
        assert_eq!(XenToken::token_enter(&mut cx), token, "{row:?}");
        assert_eq!((did(&cx.take()), state(&cx)), (does, after), "{row:?}");
    }
    for &row in TOKEN_LEAVES {
        let (before, interrupt, token, does, after) = row;
        let mut cx = at::<XenToken>(before);
        cx.interrupt = interrupt;
        XenToken::token_leave(&mut cx, token);
        assert_eq!((did(&cx.take()), state(&cx)), (does, after), "{row:?}");
    }
    check::<XenToken>(&[
        ("enter", false, NONE, Nothing, MMU),
        ("enter", false, MMU, Nothing, MMU),
        ("leave", false, MMU, Flush, NONE),
        ("flush", false, MMU, Flush, MMU),
        ("flush", false, NONE, Nothing, NONE),
        ("flush", true, MMU, Nothing, MMU),
    ]);
}

/// Each of these forms asks the CPU's mode, whatever the counters say.
fn asks_the_mode<B: Backend<PerCpu = PerCpu, Thread = Thread>>() {
    for (mode, interrupt, enable, note) in [
        (MMU, false, 0, Note::MmuQueued),
        (MMU, true, 1, Note::MmuImmediate),
        (NONE, false, 1, Note::MmuImmediate),
        (CPU, false, 1, Note::MmuImmediate),
    ] {
        let mut cx = at::<B>(mode);
        cx.counters(enable, 0);
        cx.interrupt = interrupt;
        B::set_ptes(&mut cx, page(1, 1), 1, 1);
        assert_eq!(cx.take()[0], Event::Note(note), "{} {mode:?}", B::NAME);
    }
}

#[test]
fn the_mode_decides_and_not_the_counters() {
    asks_the_mode::<XenStateless>();
    asks_the_mode::<XenNested>();
    asks_the_mode::<XenToken>();
    asks_the_mode::<Xen70>();
    asks_the_mode::<Xen71>();
}

/// Table 10.8: mode and counters before; mark and mode after switch-out; mode after switch-in of the same task.
fn switches<B: Backend<PerCpu = PerCpu, Thread = Thread>>(rows: &[(Mode, u8, bool, Mode)]) {
    for &row in rows {
        let (before, enable, marked, after) = row;
        let mut cx = at::<B>((before, 0));
        cx.counters(enable, 0);
        if before == Mode::Mmu {
            B::set_ptes(&mut cx, page(1, 1), 1, 2);
        }
        B::start_context_switch(&mut cx, 0);
        assert_eq!(cx.cpus[0].fill(), (0, 0), "{} {row:?}", B::NAME);
        assert_eq!((cx.cpus[0].mode.get(), cx.threads[0].lazy_mmu_updates.get()), (Mode::Cpu, marked), "{row:?}");
        cx.take();
        B::end_context_switch(&mut cx, 1);
        assert_eq!(cx.take()[0], Event::Note(Note::McFlush(0, 0)), "unconditional");
        assert_eq!(cx.cpus[0].mode.get(), Mode::None, "the other task is outside: {} {row:?}", B::NAME);
        cx.current = 1;
        cx.switch_to(0);
        assert_eq!(cx.cpus[0].mode.get(), after, "{} {row:?}", B::NAME);
        assert!(!cx.threads[0].lazy_mmu_updates.get(), "the mark is cleared");
        assert_eq!((cx.take_bugs(), cx.preempt), (Vec::new(), 0), "{} {row:?}", B::NAME);
    }
}

#[test]
fn table_10_8() {
    let by_flag = [
        (Mode::None, 0, false, Mode::None),
        (Mode::Mmu, 1, true, Mode::Mmu),
        (Mode::None, 1, false, Mode::None),
        (Mode::Mmu, 0, true, Mode::Mmu),
    ];
    let by_counters = [
        (Mode::None, 0, false, Mode::None),
        (Mode::Mmu, 1, false, Mode::Mmu),
        (Mode::None, 1, false, Mode::Mmu),
        (Mode::Mmu, 0, false, Mode::None),
    ];
    switches::<XenStateless>(&by_flag);
    switches::<XenNested>(&by_flag);
    switches::<XenToken>(&by_flag);
    switches::<Xen70>(&by_counters);
    switches::<Xen71>(&by_counters);
}

/// 6.6: leaving once is not enough at depth 2, and the switch code insists on NONE. It never came to that: nested
/// sections held a lock.
#[test]
fn a_switch_out_of_a_nested_section_of_6_6() {
    let mut cx = at::<XenNested>(MMU_1);
    XenNested::start_context_switch(&mut cx, 0);
    assert_eq!((cx.take_bugs(), state(&cx)), (Vec::from([ENTER]), MMU));
}

/// Call; counters as its first half leaves them; mode before the switch and after; second half; its BUG in 7.0.
type Window = (&'static str, (u8, u8), Mode, Mode, &'static str, Option<BugSite>);

#[rustfmt::skip]
const WINDOWS: &[Window] = &[
    ("enable (outermost)", (1, 0), Mode::None, Mode::Mmu, "enter", Some(ENTER)),
    ("disable (outermost)", (0, 0), Mode::Mmu, Mode::None, "leave", Some(LEAVE)),
    ("pause (outermost)", (1, 1), Mode::Mmu, Mode::None, "leave", Some(LEAVE)),
    ("resume (outermost)", (1, 0), Mode::None, Mode::Mmu, "enter", Some(ENTER)),
    ("nested enable", (2, 0), Mode::Mmu, Mode::Mmu, "none", None),
    ("nested disable", (1, 0), Mode::Mmu, Mode::Mmu, "flush", None),
];

/// Switches away and back between the halves, then does the second; the BUGs.
fn window<B: Backend<PerCpu = PerCpu, Thread = Thread>>(window: &Window, after: Option<Mode>) -> Vec<BugSite> {
    let &(call, counters, mode, _, half, _) = window;
    let mut cx = at::<B>((mode, 0));
    cx.counters(counters.0, counters.1);
    cx.switch_to(1);
    cx.switch_to(0);
    assert_eq!(cx.take_bugs(), [], "{call}: the switch itself is fine");
    assert!(after.is_none_or(|after| cx.cpus[0].mode.get() == after), "{} {call}", B::NAME);
    match half {
        "enter" => B::enter(&mut cx),
        "leave" => B::leave(&mut cx),
        "flush" => B::flush(&mut cx),
        _ => {}
    }
    cx.take_bugs()
}

#[test]
fn the_windows_of_7_0_and_of_the_others() {
    for row in WINDOWS {
        let after = Some(row.3);
        assert_eq!(window::<Xen70>(row, after), Vec::from_iter(row.5), "{row:?}");
        assert_eq!(window::<Xen71>(row, after), [], "{row:?}");
        assert_eq!(window::<XenStateless>(row, Some(row.2)), [], "{row:?}");
    }
}
