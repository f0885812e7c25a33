//! The words, the native stores and TLB streams, and the three fates of an update under Xen.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::backend::Backend;
use crate::page::{LINEAR_PAGE, Mm};
use crate::x86_64::tests::{Event, Mock, page};
use crate::x86_64::{ON_STACK, PerCpu, Thread, X86Native, Xen, Xen70, Xen71, XenNested, XenStateless, XenToken};

fn all_flags() -> impl Iterator<Item = PteFlags> {
    (0..64).map(|n| PteFlags {
        valid: n & 1 != 0,
        write: n & 2 != 0,
        user: n & 4 != 0,
        exec: n & 8 != 0,
        accessed: n & 16 != 0,
        dirty: n & 32 != 0,
    })
}

#[test]
fn a_word_says_what_was_put_in() {
    for size in [Size::Small, Size::Large, Size::Huge] {
        for said in all_flags() {
            for page_frame in [1, 511, 2047, 0x7fff_ffff] {
                let word = word(said, page_frame, size);
                assert_eq!((flags(word), frame(word)), (said, page_frame), "{said:?} {size:?} {word:#x}");
            }
        }
    }
    assert_eq!(flags(0), PteFlags::default());
}

/// A valid word says its size, in every form, write-protected and touched too. There is no middle size.
#[test]
fn a_valid_word_says_its_size() {
    fn check<B: Backend>() {
        let sizes = [(Size::Small, Size::Small), (Size::Large, Size::Small), (Size::Huge, Size::Huge)];
        for (asked, size) in sizes {
            for said in all_flags().filter(|said| said.valid) {
                for frame in [0, 1, 2047, 0x7fff_ffff] {
                    let word = B::pte_word(said, frame, asked);
                    assert_eq!(B::pte_flags(word), said, "{word:#x}");
                    for word in [word, B::touched(word), write_protected(word)] {
                        assert_eq!((B::pte_size(word), B::pte_frame(word)), (size, frame), "{said:?} {word:#x}");
                    }
                }
            }
        }
    }
    check::<X86Native>();
    check::<Xen>();
    check::<Xen71>();
    check::<Xen70>();
    check::<XenToken>();
    check::<XenNested>();
    check::<XenStateless>();
}

/// Bits of the architecture: a kernel page, a user page that may be executed, a protected dirty one, a PMD.
#[test]
fn words_are_those_of_the_hardware() {
    let kernel = PteFlags { valid: true, write: true, accessed: true, dirty: true, ..PteFlags::default() };
    assert_eq!(word(kernel, 0x123, Size::Small), 0x8000_0000_0012_3063);
    assert_eq!(word(PteFlags { user: true, exec: true, ..kernel }, 0x123, Size::Small), 0x0000_0000_0012_3067);
    assert_eq!(word(PteFlags { write: false, ..kernel }, 0x123, Size::Small), 0x8400_0000_0012_3021);
    assert_eq!(word(kernel, 1, Size::Huge), 0x8000_0000_0020_00e3);
}

#[test]
fn write_protection_keeps_the_dirty_state_and_makes_no_shadow_stack() {
    for said in all_flags() {
        let protected = write_protected(word(said, 9, Size::Small));
        assert_eq!(flags(protected), PteFlags { write: false, ..said });
        assert_eq!(protected & (RW | DIRTY), 0);
    }
    assert_eq!(write_protected(0), 0);
    assert_eq!(write_protected(PRESENT | RW | DIRTY | SAVED_DIRTY), PRESENT | SAVED_DIRTY, "dirty twice over");
    assert_eq!(write_protected(PRESENT | SAVED_DIRTY), PRESENT | SAVED_DIRTY, "protected already");
}

fn kernel_word(frame: u32) -> u64 {
    word(PteFlags { valid: true, write: true, ..PteFlags::default() }, frame, Size::Small)
}

#[test]
fn native_writes_are_stores_in_and_out_of_a_section() {
    for depth in [0, 1] {
        let mut cx = Mock::<X86Native>::new();
        cx.counters(depth, 0);
        X86Native::set_ptes(&mut cx, page(0, 3), kernel_word(7), 2);
        let stored = |n, word| Event::Store(page(0, n).machine_address(), word);
        assert_eq!(cx.take(), [stored(3, kernel_word(7)), stored(4, kernel_word(8))]);
        X86Native::wrprotect_pte(&mut cx, page(0, 3));
        assert_eq!(cx.take(), [stored(3, write_protected(kernel_word(7)))]);
        assert_eq!(X86Native::clear_pte(&mut cx, page(0, 3)), write_protected(kernel_word(7)));
        assert_eq!(cx.take(), [stored(3, 0)]);
    }
}

/// Address space, size, pages, alone on this CPU; counted up, instructions here (none: everything), IPIs.
type Stream = ((u8, Size, u16, bool), (bool, Option<u16>, bool));

const STREAMS: &[Stream] = &[
    ((1, Size::Small, 1, true), (true, Some(1), false)),
    ((1, Size::Small, 33, true), (true, Some(33), false)),
    ((1, Size::Small, 34, true), (true, None, false)),
    ((1, Size::Small, 2, false), (true, Some(2), true)),
    ((1, Size::Large, 33, false), (true, Some(33), true)),
    ((1, Size::Huge, 33, true), (true, Some(33), false)),
    ((1, Size::Small, 34, false), (true, None, true)),
    ((0, Size::Small, 33, true), (false, Some(33), true)),
    ((0, Size::Small, 34, true), (false, None, true)),
    ((0, Size::Huge, 1, true), (false, None, true)),
];

#[test]
fn native_tlb_streams() {
    for &((mm, size, pages, thread_local), (counted, here, remote)) in STREAMS {
        let mut cx = Mock::<X86Native>::new();
        cx.thread_local = thread_local;
        let first = PteRef { mm: Mm(mm), page: 1020, size };
        X86Native::flush_tlb_range(&mut cx, Range { first, pages });
        let mut expected = Vec::from_iter(counted.then_some((Op::LockXadd, 0, 0)));
        match here {
            Some(n) => expected.extend((0..n).map(|i| (Op::Invlpg, virtual_address(first.step(i)), 0))),
            None => expected.push((Op::MovCr3, u64::from(mm) << 12, 0)),
        }
        let what = here.map_or(0, |n| virtual_address(first) + u64::from(n));
        expected.extend(remote.then_some((Op::FlushIpi, 1, what)));
        assert_eq!(cx.take_ops(), expected, "mm {mm}, {size:?} x {pages}");
        assert_eq!(cx.preempt, 0);
        X86Native::flush_tlb_range(&mut cx, Range { first, pages });
        assert!(cx.take_pinned(), "mm {mm}, {size:?} x {pages}");
    }
    // From the other CPU, the first one is the other.
    let mut cx = Mock::<X86Native>::new();
    cx.cpu = 1;
    X86Native::flush_tlb_range(&mut cx, Range { first: page(0, 3), pages: 1 });
    let va = virtual_address(page(0, 3));
    assert_eq!(cx.take_ops(), [(Op::Invlpg, va, 0), (Op::FlushIpi, 0, va | 1)]);
}

#[test]
fn an_update_outside_a_section_is_a_hypercall_of_its_own() {
    let mut cx = Mock::<Xen>::new();
    Xen::set_ptes(&mut cx, page(1, 3), kernel_word(7), 2);
    let one = [Event::Note(Note::MmuImmediate), Event::Op(Op::HcMmuUpdate, ON_STACK, 1)];
    assert_eq!(cx.take(), [one, one].concat());
    assert_eq!(Xen::get_pte(&mut cx, page(1, 4)), kernel_word(8));
    assert_eq!(cx.cpus[0].fill(), (0, 0), "the buffer is left alone");
}

#[test]
fn an_update_inside_a_section_waits_and_memory_keeps_the_old_word() {
    let mut cx = Mock::<Xen>::new();
    cx.counters(1, 0);
    Xen::set_ptes(&mut cx, page(1, 3), kernel_word(7), 2);
    assert_eq!(cx.take(), [Event::Note(Note::MmuQueued); 2]);
    assert_eq!(Xen::get_pte(&mut cx, page(1, 3)), 0);
    assert_eq!(cx.cpus[0].fill(), (1, 32));
    assert_ne!(Xen::deferred(&cx.cpus[0], &cx.threads[0]).digest, 0);
    cx.counters(0, 0);
    Xen::leave(&mut cx);
    assert_eq!(Xen::get_pte(&mut cx, page(1, 3)), kernel_word(7));
    assert_eq!(Xen::get_pte(&mut cx, page(1, 4)), kernel_word(8));
    assert_eq!(Xen::deferred(&cx.cpus[0], &cx.threads[0]), Default::default());
}

#[test]
fn clear_and_write_protect_are_updates_too() {
    let mut cx = Mock::<Xen>::new();
    let dirty = PteFlags { valid: true, write: true, dirty: true, ..PteFlags::default() };
    Xen::set_ptes(&mut cx, page(1, 9), word(dirty, 7, Size::Small), 1);
    Xen::wrprotect_pte(&mut cx, page(1, 9));
    let protected = word(PteFlags { write: false, ..dirty }, 7, Size::Small);
    assert_eq!(Xen::get_pte(&mut cx, page(1, 9)), protected, "no shadow stack");
    Xen::set_ptes(&mut cx, page(1, 3), kernel_word(7), 1);
    cx.counters(1, 0);
    Xen::wrprotect_pte(&mut cx, page(1, 3));
    assert_eq!(Xen::clear_pte(&mut cx, page(1, 3)), kernel_word(7), "the queued update is not seen");
    assert_eq!(cx.cpus[0].fill(), (1, 32));
    assert_eq!(Xen::get_pte(&mut cx, page(1, 3)), kernel_word(7));
    Xen::flush(&mut cx);
    assert_eq!(Xen::get_pte(&mut cx, page(1, 3)), 0);
    assert!(!cx.take().iter().any(|event| matches!(event, Event::Store(..))), "the backend stores nothing itself");
}

/// The activity ends between the two questions: queued, and out at once, with what waited before.
#[test]
fn an_update_that_is_queued_and_issued() {
    let mut cx = Mock::<Xen>::new();
    let asked = core::cell::Cell::new(0);
    xen_set_ptes(&mut cx, page(1, 3), kernel_word(7), 1, |_cx| asked.replace(asked.get() + 1) == 0);
    let flushed = [Event::Note(Note::McFlush(1, 16)), Event::Op(Op::HcMmuUpdate, 0, 1)];
    assert_eq!(cx.take(), [&[Event::Note(Note::MmuIssued)][..], &flushed].concat());
    assert_eq!((cx.preemptible_flushes, cx.irqs_off), (0, 0), "interrupts are off from the entry to its flush");
}

/// Address space, size, pages, alone on this CPU; command, whether the address is named, CPUs.
const XEN_FLUSHES: &[(u8, Size, u16, bool, u64, bool, u64)] = &[
    (1, Size::Small, 1, true, INVLPG_MULTI, true, 0b01),
    (1, Size::Small, 1, false, INVLPG_MULTI, true, 0b11),
    (1, Size::Large, 1, false, INVLPG_MULTI, true, 0b11),
    (1, Size::Small, 2, true, TLB_FLUSH_MULTI, false, 0b01),
    (1, Size::Huge, 1, false, TLB_FLUSH_MULTI, false, 0b11),
    (0, Size::Small, 1, true, INVLPG_MULTI, true, 0b11),
];

#[test]
fn xen_tlb_flushes() {
    for &(mm, size, pages, thread_local, command, named, mask) in XEN_FLUSHES {
        let mut cx = Mock::<Xen>::new();
        cx.thread_local = thread_local;
        let first = PteRef { mm: Mm(mm), page: 8, size };
        Xen::flush_tlb_range(&mut cx, Range { first, pages });
        let counted = (mm != 0).then_some((Op::LockXadd, 0, 0));
        assert_eq!(cx.take_ops(), Vec::from_iter(counted.into_iter().chain([(Op::HcMmuextOp, 0, 1)])));
        let words = [0, 8, 16, 24].map(|address| Xen::guest_load(&cx.cpus[0], address));
        let address = if named { virtual_address(first) } else { 0 };
        assert_eq!(words, [command, address, 24, mask], "mm {mm}, {size:?} x {pages}");
        assert_eq!((cx.preempt, cx.cpus[0].fill()), (0, (0, 0)));
        Xen::flush_tlb_range(&mut cx, Range { first, pages });
        assert!(cx.take_pinned(), "mm {mm}, {size:?} x {pages}");
    }
    let mut cx = Mock::<Xen>::new();
    (cx.cpu, cx.thread_local) = (1, true);
    Xen::flush_tlb_range(&mut cx, Range { first: page(1, 8), pages: 1 });
    assert_eq!(Xen::guest_load(&cx.cpus[1], 24), 0b10, "the other CPU alone");
}

/// DEBUG_PAGEALLOC on bare hardware: the store, then this CPU forgets everything. No interrupt to the others, which
/// could deadlock; the section, if there is one, changes nothing.
#[test]
fn the_native_linear_map_is_flushed_here_alone() {
    for depth in [0, 1] {
        let mut cx = Mock::<X86Native>::new();
        cx.counters(depth, 0);
        let at = page(0, LINEAR_PAGE + 5);
        for word in [Some(kernel_word(5)), None] {
            X86Native::map_linear_page(&mut cx, at, word);
            let store = Event::Store(at.machine_address(), word.unwrap_or(0));
            assert_eq!(cx.take(), [store, Event::Preempt(1), Event::Op(Op::MovCr3, 0, 0), Event::Preempt(-1)]);
        }
    }
}

/// The same under Xen: an update and a flush of this CPU, which wait while the mode is active. What forces them out is
/// the flush of the mode that the caller ends with.
#[test]
fn the_linear_map_under_xen_waits_for_the_callers_flush() {
    let at = page(0, LINEAR_PAGE + 5);
    for word in [Some(kernel_word(5)), None] {
        let mut cx = Mock::<Xen>::new();
        cx.cpu = 1;
        cx.memory.insert(at.machine_address(), kernel_word(4));
        cx.counters(1, 0);
        Xen::map_linear_page(&mut cx, at, word);
        assert_eq!(cx.take(), [Event::Note(Note::MmuQueued), Event::Preempt(1), Event::Preempt(-1)]);
        assert_eq!((cx.cpus[1].fill(), Xen::get_pte(&mut cx, at)), ((2, 16 + 32), kernel_word(4)));
        let flush = [16, 24, 32, 40].map(|address| Xen::guest_load(&cx.cpus[1], address));
        assert_eq!(flush, [TLB_FLUSH_MULTI, 0, 40, 0b10], "this CPU alone");
        Xen::flush(&mut cx);
        let out = [Event::Note(Note::McFlush(2, 48)), Event::Op(Op::HcMulticall, 0, 2)];
        assert_eq!(cx.take(), [&[Event::Preempt(1)], &out[..], &[Event::Preempt(-1)]].concat());
        assert_eq!((cx.cpus[1].fill(), Xen::get_pte(&mut cx, at)), ((0, 0), word.unwrap_or(0)));
    }
}

/// While the mode is not active both go at once, each by itself, in every form.
#[test]
fn the_linear_map_under_xen_outside_a_section() {
    fn check<B: Backend<PerCpu = PerCpu, Thread = Thread>>() {
        let mut cx = Mock::<B>::new();
        let at = page(0, LINEAR_PAGE + 5);
        for word in [Some(kernel_word(5)), None] {
            B::map_linear_page(&mut cx, at, word);
            let expected = [
                Event::Note(Note::MmuImmediate),
                Event::Op(Op::HcMmuUpdate, ON_STACK, 1),
                Event::Preempt(1),
                Event::Note(Note::McFlush(1, 32)),
                Event::Op(Op::HcMmuextOp, 0, 1),
                Event::Preempt(-1),
            ];
            assert_eq!(cx.take(), expected, "{}", B::NAME);
            let flush = [0, 8, 16, 24].map(|address| B::guest_load(&cx.cpus[0], address));
            assert_eq!(flush, [TLB_FLUSH_MULTI, 0, 24, 0b01], "{}", B::NAME);
            assert_eq!((cx.cpus[0].fill(), cx.pte_load(at)), ((0, 0), word.unwrap_or(0)), "{}", B::NAME);
        }
    }
    check::<Xen>();
    check::<Xen71>();
    check::<Xen70>();
    check::<XenToken>();
    check::<XenNested>();
    check::<XenStateless>();
}
