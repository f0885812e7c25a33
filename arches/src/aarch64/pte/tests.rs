//! The words, the barriers after a store, and the TLB streams of `docs` table 2.2.

extern crate std;

use std::vec;
use std::vec::Vec;

use super::*;
use crate::aarch64::Aarch64;
use crate::aarch64::earlier::{Aarch64Stateless, Aarch64Token};
use crate::aarch64::tests::{Event, Mock, PAIR, page};
use crate::backend::Backend;
use crate::context::Note;
use crate::page::Mm;

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
            for page_frame in [0, 1, 511, 2047, 0x7ff_ffff] {
                let word = word(said, page_frame, size);
                assert_eq!((flags(word), frame(word)), (said, page_frame), "{said:?} {size:?} {word:#x}");
                assert_eq!(is_valid_kernel(word), said.valid && !said.user, "{said:?}");
            }
        }
    }
    assert_eq!(flags(0), PteFlags::default());
    // An entry without a mark has no size to tell, unless it is a block that a walker may use.
    assert_eq!([0, USER, VALID, VALID | USER].map(size), [Size::Small, Size::Small, Size::Huge, Size::Huge]);
    // What the hardware's state says where the software bit does not.
    let dirty = [(0, false), (WRITE, true), (RDONLY, false), (WRITE | RDONLY, false), (WRITE | RDONLY | DIRTY, true)];
    for (bits, dirty) in dirty {
        assert_eq!(flags(VALID | PAGE | bits).dirty, dirty, "{bits:#x}");
    }
    assert!(!is_valid_kernel(VALID | PAGE | PXN), "execute-only for user mode: AP[1] is clear, UXN too");
}

/// Bits of the architecture: a kernel page, a user page, a clean one, a block.
#[test]
fn words_are_those_of_the_hardware() {
    let kernel = PteFlags { valid: true, write: true, accessed: true, dirty: true, ..PteFlags::default() };
    assert_eq!(word(kernel, 0x123, Size::Small), 0x00e8_0000_0012_3703);
    let user = PteFlags { user: true, ..kernel };
    assert_eq!(word(user, 0x123, Size::Small), 0x00e8_0000_0012_3f43);
    let clean = PteFlags { dirty: false, exec: true, ..user };
    assert_eq!(word(clean, 0x123, Size::Small), 0x0028_0000_0012_3fc3);
    assert_eq!(word(kernel, 1, Size::Huge), 0x00e8_0000_0020_0701);
    assert_eq!(word(kernel, 1, Size::Large), 0x00f8_0000_0001_0703);
}

/// A valid word says its size, in every form and whatever else it says, write-protected and touched too.
#[test]
fn a_valid_word_says_its_size() {
    fn check<B: Backend>() {
        for size in [Size::Small, Size::Large, Size::Huge] {
            for said in all_flags().filter(|said| said.valid) {
                for frame in [0, 1, 2047, 0x7ff_ffff] {
                    let word = B::pte_word(said, frame, size);
                    assert_eq!(B::pte_flags(word), said, "{word:#x}");
                    for word in [word, B::touched(word), write_protected(word)] {
                        assert_eq!((B::pte_size(word), B::pte_frame(word)), (size, frame), "{said:?} {word:#x}");
                    }
                }
            }
        }
    }
    check::<Aarch64>();
    check::<Aarch64Stateless>();
    check::<Aarch64Token>();
}

#[test]
fn write_protection_keeps_the_dirty_state() {
    for said in all_flags() {
        let protected = flags(write_protected(word(said, 9, Size::Small)));
        assert_eq!(protected, PteFlags { write: false, ..said });
    }
    // Dirty by the hardware's state alone, no software bit yet.
    assert_eq!(write_protected(VALID | PAGE | USER | WRITE), VALID | PAGE | USER | RDONLY | DIRTY);
    assert_eq!(write_protected(VALID | PAGE | USER | WRITE | RDONLY), VALID | PAGE | USER | RDONLY, "clean");
    assert_eq!(write_protected(0), 0);
    for said in all_flags() {
        let once = write_protected(word(said, 9, Size::Small));
        assert_eq!(write_protected(once), once, "{said:?}");
    }
    assert_eq!(write_protected(VALID | PAGE | WRITE | DIRTY), VALID | PAGE | RDONLY | DIRTY, "dirty twice over");
}

/// Whether a store calls for barriers is the last word's affair, and once per call; so is the flag that owes them.
#[test]
fn barriers_after_valid_kernel_entries_only() {
    for said in all_flags() {
        for active in [false, true] {
            for n in [0, 1, 2, 16] {
                let mut cx = Mock::<Aarch64>::new();
                cx.active = active;
                let first = word(said, 5, Size::Small);
                set_ptes(&mut cx, page(0, 3), first, n);
                let mut expected: Vec<Event> =
                    (0..n).map(|i| Event::Store(3 + i, word(said, 5 + u32::from(i), Size::Small))).collect();
                if n > 0 && said.valid && !said.user {
                    match active {
                        true => expected.extend([Event::Op(Op::FlagSet, 0), Event::Note(Note::QueueDeferred)]),
                        false => {
                            expected.push(Event::Note(Note::QueueEmitted));
                            expected.extend(PAIR);
                        }
                    }
                }
                assert_eq!(cx.take(), expected, "{said:?}, active: {active}, {n} entries");
                assert_eq!(cx.flags.pending.get(), active && n > 0 && said.valid && !said.user);
            }
        }
    }
}

#[test]
fn clear_and_write_protect_are_plain_stores() {
    let mut cx = Mock::<Aarch64>::new();
    let kernel = PteFlags { valid: true, write: true, dirty: true, ..PteFlags::default() };
    let stored = Aarch64::pte_word(kernel, 7, Size::Small);
    cx.active = true;
    set_ptes(&mut cx, page(0, 1), stored, 1);
    cx.take();
    Aarch64::wrprotect_pte(&mut cx, page(0, 1));
    assert_eq!(cx.take(), [Event::Store(1, write_protected(stored))]);
    assert_eq!(Aarch64::clear_pte(&mut cx, page(0, 1)), write_protected(stored));
    assert_eq!(cx.take(), [Event::Store(1, 0)]);
    assert_eq!(Aarch64::get_pte(&mut cx, page(0, 1)), 0);
}

#[test]
fn larger_frames_step_by_their_own_size() {
    let kernel = PteFlags { valid: true, ..PteFlags::default() };
    for size in [Size::Large, Size::Huge] {
        let mut cx = Mock::<Aarch64>::new();
        set_ptes(&mut cx, PteRef { mm: Mm::KERNEL, page: 0, size }, word(kernel, 4, size), 3);
        let stores: Vec<Event> = cx.take().into_iter().filter(|event| matches!(event, Event::Store(..))).collect();
        let expected: Vec<Event> = (0..3).map(|i| Event::Store(i, word(kernel, 4 + u32::from(i), size))).collect();
        assert_eq!(stores, expected);
    }
}

/// Address space, size, pages; the instruction between the barriers, how many, whether an `isb` ends the stream.
const STREAMS: &[(u8, Size, u16, Op, usize, bool)] = &[
    (2, Size::Small, 1, Op::TlbiVae1is, 1, false),
    (2, Size::Small, 511, Op::TlbiVae1is, 511, false),
    (2, Size::Small, 512, Op::TlbiAside1is, 1, false),
    (2, Size::Large, 2, Op::TlbiVae1is, 32, false),
    (2, Size::Large, 32, Op::TlbiAside1is, 1, false),
    (2, Size::Huge, 3, Op::TlbiVae1is, 3, false),
    (2, Size::Huge, 512, Op::TlbiAside1is, 1, false),
    (0, Size::Small, 1, Op::TlbiVaale1is, 1, true),
    (0, Size::Small, 511, Op::TlbiVaale1is, 511, true),
    (0, Size::Small, 512, Op::TlbiVmalle1is, 1, true),
    (0, Size::Huge, 1, Op::TlbiVmalle1is, 1, true),
];

#[test]
fn tlb_streams() {
    for &(mm, size, pages, op, count, isb) in STREAMS {
        for active in [false, true] {
            let mut cx = Mock::<Aarch64>::new();
            cx.active = active;
            flush_tlb_range(&mut cx, Range { first: PteRef { mm: Mm(mm), page: 8, size }, pages });
            let ops: Vec<Op> = cx.take_ops().into_iter().map(|(op, _)| op).collect();
            let mut expected = vec![Op::DsbIshst];
            expected.extend((0..count).map(|_| op));
            expected.push(Op::DsbIsh);
            expected.extend(isb.then_some(Op::Isb));
            assert_eq!(ops, expected, "mm {mm}, {size:?} x {pages}");
        }
    }
}

/// The flush of an mmu_gather keeps the walk cache of a user range; else it is the other's stream.
#[test]
fn gather_streams() {
    for (mm, op, isb) in [(2, Op::TlbiVale1is, false), (0, Op::TlbiVaale1is, true)] {
        let mut cx = Mock::<Aarch64>::new();
        let first = page(mm, 8);
        Aarch64::gather_flush(&mut cx, Range { first, pages: 2 });
        let operand = |n| decode::operand_va(virtual_address(first.step(n)), mm.into(), decode::NO_LEVEL);
        let mut expected = vec![(Op::DsbIshst, 0), (op, operand(0)), (op, operand(1)), (Op::DsbIsh, 0)];
        expected.extend(isb.then_some((Op::Isb, 0)));
        assert_eq!(cx.take_ops(), expected);
    }
}

#[test]
fn operands_name_the_pages_and_the_address_space() {
    let first = PteRef { mm: Mm(0x22), page: 1022, size: Size::Small };
    let mut cx = Mock::<Aarch64>::new();
    flush_tlb_range(&mut cx, Range { first, pages: 4 });
    let tlbis = cx.take_ops();
    for (i, (_, value)) in (0..4).zip(&tlbis[1..5]) {
        let said = decode::operand(*value);
        assert_eq!((said.asid, said.ttl), (0x22, 0));
        assert_eq!(super::super::page_at(Mm(0x22), said.va), Some(first.step(i)));
    }
    // 64K: sixteen base pages.
    let large = PteRef { size: Size::Large, ..first };
    flush_tlb_range(&mut cx, Range { first: large, pages: 1 });
    let steps: Vec<u64> = cx.take_ops()[1..17].iter().map(|(_, value)| decode::operand(*value).va).collect();
    let expected: Vec<u64> = (0..16).map(|i| virtual_address(large) + (i << 12)).collect();
    assert_eq!(steps, expected);
    flush_tlb_range(&mut cx, Range { first, pages: 600 });
    assert_eq!(cx.take_ops()[1], (Op::TlbiAside1is, 0x22 << 48));
}
