//! The x86 rows of table 10.7, the 7.2 row of table 10.8, and its windows.

extern crate std;

use std::vec::Vec;

use lazy_mmu_core::generation::counted::{lazy_mmu_mode_disable, lazy_mmu_mode_enable};

use super::*;
use crate::context::Note;
use crate::insn::Op;
use crate::x86_64::tests::{Event, Mock, page};

#[test]
fn native_hooks_do_nothing() {
    let mut cx = Mock::<X86Native>::new();
    X86Native::enter(&mut cx);
    X86Native::flush(&mut cx);
    X86Native::leave(&mut cx);
    cx.switch_to(1);
    assert_eq!(X86Native::token_enter(&mut cx), Token::Default);
    X86Native::token_leave(&mut cx, Token::Nested);
    assert_eq!(cx.take(), []);
    assert_eq!(X86Native::arch_mode(&cx), None);
    assert!(X86Native::ignores_hooks(&cx) && !Xen::ignores_hooks(&Mock::<Xen>::new()));
    assert_eq!(X86Native::deferred(&(), &()), Deferred::default());
}

/// A word and an address mean on bare hardware what they mean under Xen.
#[test]
fn native_words_and_addresses() {
    let flags = PteFlags { valid: true, user: true, dirty: true, ..PteFlags::default() };
    let word = X86Native::pte_word(flags, 40, Size::Small);
    assert_eq!((word, X86Native::pte_flags(word)), (Xen::pte_word(flags, 40, Size::Small), flags));
    for (at, address) in [(page(1, 1), 0x200_1020_0000), (page(0, 1), 0xffff_c900_0020_0000)] {
        assert_eq!((X86Native::virtual_address(at), Xen::virtual_address(at)), (address, address));
    }
}

type Hook = fn(&mut Mock<Xen>);

/// Hook, updates queued before, whether it flushes.
const ROWS: &[(&str, Hook, u16, bool)] = &[
    ("enter", |cx| Xen::enter(cx), 0, false),
    ("enter, queued", |cx| Xen::enter(cx), 2, false),
    ("flush", |cx| Xen::flush(cx), 0, true),
    ("flush, queued", |cx| Xen::flush(cx), 2, true),
    ("leave", |cx| Xen::leave(cx), 0, true),
    ("leave, queued", |cx| Xen::leave(cx), 2, true),
];

#[test]
fn every_hook_of_table_10_7() {
    for &(row, hook, queued, flushes) in ROWS {
        let mut cx = Mock::<Xen>::new();
        cx.counters(1, 0);
        Xen::set_ptes(&mut cx, page(1, 0), 1, queued);
        cx.take();
        hook(&mut cx);
        let mut expected = Vec::new();
        if flushes {
            expected.extend([Event::Preempt(1), Event::Note(Note::McFlush((queued > 0).into(), queued * 16))]);
            expected.extend((queued > 0).then_some(Event::Op(Op::HcMmuUpdate, 0, queued.into())));
            expected.push(Event::Preempt(-1));
        }
        assert_eq!(cx.take(), expected, "{row}");
        assert_eq!(Xen::arch_mode(&cx), None, "{row}");
    }
}

/// A task inside a section is paused and resumed: its updates are out, its counters as they were.
#[test]
fn a_switch_pauses_prev_and_resumes_next() {
    let mut cx = Mock::<Xen>::new();
    lazy_mmu_mode_enable(&mut cx);
    Xen::set_ptes(&mut cx, page(1, 0), 1, 3);
    cx.take();
    Xen::start_context_switch(&mut cx, 0);
    assert_eq!(cx.states[0].pause_count.get(), 1);
    assert!(cx.cpus[0].cpu_lazy.get());
    let leave =
        [Event::Preempt(1), Event::Note(Note::McFlush(1, 48)), Event::Op(Op::HcMmuUpdate, 0, 3), Event::Preempt(-1)];
    assert_eq!(cx.take(), leave);
    // The counters of the other task are those of a task that was switched out: paused once.
    cx.states[1].pause_count.set(1);
    Xen::end_context_switch(&mut cx, 1);
    cx.current = 1;
    assert_eq!((cx.states[0].pause_count.get(), cx.states[1].pause_count.get()), (1, 0));
    assert!(!cx.cpus[0].cpu_lazy.get());
    assert_eq!(cx.take(), [Event::Note(Note::McFlush(0, 0))]);
    cx.switch_to(0);
    assert_eq!((cx.states[0].enable_count.get(), cx.states[0].pause_count.get()), (1, 0));
    assert!(cx.is_lazy_mmu_mode_active());
}

/// All five windows are harmless: enter is empty, leave is a flush, and the switch's own flush is unconditional.
#[test]
fn a_switch_between_half_steps() {
    for (enable, pause, half) in [(1, 0, "enter"), (0, 0, "leave"), (1, 1, "leave"), (2, 0, "none"), (2, 0, "flush")] {
        let mut cx = Mock::<Xen>::new();
        cx.states[1].pause_count.set(1);
        cx.counters(1, 0);
        Xen::set_ptes(&mut cx, page(1, 0), 1, 3);
        cx.counters(enable, pause);
        cx.switch_to(1);
        assert_eq!(cx.cpus[0].fill(), (0, 0), "nothing stays behind: {half} at {enable}/{pause}");
        assert_eq!(cx.memory.len(), 3);
        cx.switch_to(0);
        match half {
            "enter" => Xen::enter(&mut cx),
            "leave" => Xen::leave(&mut cx),
            "flush" => Xen::flush(&mut cx),
            _ => {}
        }
        assert_eq!(cx.take_bugs(), []);
        assert_eq!((cx.states[0].enable_count.get(), cx.states[0].pause_count.get()), (enable, pause));
    }
}

/// `xen-mc-issue-mode`: between the switch hooks descriptor operations wait; MMU operations do not ask that flag.
#[test]
fn an_update_in_the_switch_window_does_not_wait() {
    let mut cx = Mock::<Xen>::new();
    cx.cpus[0].cpu_lazy.set(true);
    Xen::set_ptes(&mut cx, page(1, 0), 1, 1);
    assert_eq!(cx.take()[0], Event::Note(Note::MmuImmediate));
    assert_eq!((cx.memory.len(), cx.cpus[0].fill()), (1, (0, 0)));
}

/// An interrupt's update is a hypercall of its own, and it drains nothing of the interrupted task's.
#[test]
fn an_interrupt_inside_a_section() {
    let mut cx = Mock::<Xen>::new();
    lazy_mmu_mode_enable(&mut cx);
    Xen::set_ptes(&mut cx, page(1, 0), 1, 3);
    cx.interrupt = true;
    Xen::set_ptes(&mut cx, page(0, 9), 1, 1);
    assert_eq!(cx.memory.len(), 1);
    assert_eq!(cx.cpus[0].fill(), (1, 48));
    cx.interrupt = false;
    lazy_mmu_mode_disable(&mut cx);
    assert_eq!(cx.memory.len(), 4);
}
