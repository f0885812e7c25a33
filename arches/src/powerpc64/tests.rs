//! A context that records, and what every form does on it: table 10.7, row by row; the forms before are in `earlier.rs`.
//!
//! Not here: any model of a machine. Memory is a map, instructions are written down.

extern crate std;
use std::collections::HashMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use lazy_mmu_core::hooks::Token::{Default as D, Nested as N};
use lazy_mmu_core::kernel::{BugSite, Kernel};

use super::queue::TlbBatch;
use super::{Hash, HashStateless, HashToken, Radix, pte};
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};
use crate::page::{HIGH_PAGE, LINEAR_PAGE, Mm, PteFlags, PteRef, Range, Size};

pub(super) const U: Mm = Mm(1);
const V: Mm = Mm(2);

/// Records; one task, one CPU that runs it.
pub(super) struct Mock<B: Backend> {
    cpu: B::PerCpu,
    thread: B::Thread,
    ptes: HashMap<(Mm, u16), u64>,
    /// The answer to the one question, unless the form itself has one.
    active: bool,
    local: bool,
    pub(super) interrupt: bool,
    pub(super) preempt: i32,
    pub(super) log: Vec<String>,
    /// Every change of preemption and, between them, that the batch or the hardware was touched: with what
    /// `preempt_count` and, where the form keeps it, whether the mode was on.
    order: Vec<String>,
}

impl<B: Backend> Mock<B> {
    pub(super) fn new(active: bool) -> Mock<B> {
        Mock {
            cpu: B::PerCpu::default(),
            thread: B::Thread::default(),
            ptes: HashMap::new(),
            active,
            local: false,
            interrupt: false,
            preempt: 0,
            log: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Maps a page and uses it, so that the translation is known to the hash table. Nothing is recorded.
    pub(super) fn touch(&mut self, mm: Mm, page: u16, size: Size) -> PteRef {
        let flags = PteFlags { valid: true, write: true, user: !mm.is_kernel(), ..PteFlags::default() };
        self.ptes.insert((mm, page), B::touched(B::pte_word(flags, u32::from(page), size)));
        PteRef { mm, page, size }
    }

    pub(super) fn touch_and_clear(&mut self, mm: Mm, page: u16, size: Size) {
        let at = self.touch(mm, page, size);
        B::clear_pte(self, at);
    }

    pub(super) fn count(&self, start: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(start)).count()
    }

    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.log).join("; ")
    }

    /// What was done in which order since the last time.
    pub(super) fn take_order(&mut self) -> String {
        std::mem::take(&mut self.order).join(" ")
    }

    fn step(&mut self, what: &str) {
        let mode = B::arch_mode(self).map_or("", |on| if on { "+" } else { "-" });
        let step = format!("{what}{}{mode}", self.preempt);
        if self.order.last() != Some(&step) {
            self.order.push(step);
        }
    }
}

impl<B: Backend> Kernel for Mock<B> {
    type Task = u8;

    fn current(&self) -> u8 {
        0
    }

    fn in_interrupt(&self) -> bool {
        self.interrupt
    }

    fn preempt_disable(&mut self) {
        self.preempt += 1;
        self.step("off");
    }

    fn preempt_enable(&mut self) {
        self.preempt -= 1;
        self.step("on");
    }

    fn bug(&mut self, site: BugSite) {
        panic!("{site:?}");
    }
}

impl<B: Backend> Context for Mock<B> {
    type PerCpu = B::PerCpu;
    type Thread = B::Thread;

    fn this_cpu(&self) -> &B::PerCpu {
        &self.cpu
    }

    fn thread(&self, _task: u8) -> &B::Thread {
        &self.thread
    }

    fn is_lazy_mmu_mode_active(&mut self) -> bool {
        B::arch_mode(self).unwrap_or(self.active && !self.interrupt)
    }

    fn task_lazy_mmu_mode_active(&mut self, _task: u8) -> bool {
        self.active
    }

    fn task_lazy_mmu_mode_pause(&mut self, _task: u8) {}

    fn task_lazy_mmu_mode_resume(&mut self, _task: u8) {}

    fn pte_load(&mut self, at: PteRef) -> u64 {
        self.ptes.get(&(at.mm, at.page)).copied().unwrap_or(0)
    }

    fn pte_store(&mut self, at: PteRef, word: u64) {
        self.ptes.insert((at.mm, at.page), word);
        self.log.push(format!("store {}:{}", at.mm.0, at.page));
    }

    fn execute(&mut self, insn: Insn) -> u64 {
        self.step("at");
        self.log.push(match insn.op {
            Op::HpteInvalidate | Op::Tlbie if insn.b != 0 => {
                format!("{} {:x} {:x}", insn.op.mnemonic(), insn.a, insn.b)
            }
            Op::HpteInvalidate | Op::Tlbie | Op::Tlbiel => format!("{} {:x}", insn.op.mnemonic(), insn.a),
            _ => insn.op.mnemonic().to_string(),
        });
        0
    }

    fn local_irq_save(&mut self) {}

    fn local_irq_restore(&mut self) {}

    fn is_thread_local(&self, _mm: Mm) -> bool {
        self.local
    }

    fn is_context_valid(&self, _mm: Mm) -> bool {
        panic!("sparc64 alone asks that");
    }

    fn cpus(&self) -> u8 {
        2
    }

    fn cpu(&self) -> u8 {
        0
    }

    fn note(&mut self, note: Note) {
        self.step("at");
        self.log.push(match note {
            Note::BatchAdd(n) => format!("add {n}"),
            Note::FlushPending(n) => format!("flush {n}"),
            Note::FlushImmediate => "immediate".into(),
            other => panic!("{other:?}"),
        });
    }
}

/// Context 0x101 in units of 4K, page 1 of it: 0x1000_0000 + 16M.
const VPN1: &str = "202000011000";
const RB1: &str = "202000011000000";

/// Table 10.7, row "ppc hash": enter, flush, leave, with and without entries.
#[test]
fn hooks_of_7_2() {
    let mut cx = Mock::<Hash>::new(true);
    Hash::enter(&mut cx);
    assert_eq!((cx.preempt, cx.take().as_str()), (1, ""));
    Hash::flush(&mut cx);
    assert_eq!((cx.preempt, cx.take().as_str()), (1, ""));
    cx.touch_and_clear(U, 1, Size::Small);
    assert_eq!((cx.preempt, cx.take().as_str()), (1, "store 1:1; add 1"));
    let one = format!("flush 1; hpte_invalidate {VPN1}; ptesync; tlbie {RB1}; eieio; tlbsync; ptesync");
    Hash::flush(&mut cx);
    assert_eq!((cx.preempt, cx.take()), (1, one.clone()));
    cx.touch_and_clear(U, 1, Size::Small);
    cx.take();
    Hash::leave(&mut cx);
    assert_eq!((cx.preempt, cx.take()), (0, one));
    assert_eq!(Hash::deferred(&cx.cpu, &()), Deferred::default());
    assert_eq!(Hash::arch_mode(&cx), None);
}

/// The batch is this CPU's: it is touched with preemption off, and off it is until the last entry is out.
#[test]
fn preemption_is_off_while_the_batch_is_touched() {
    let mut cx = Mock::<Hash>::new(false);
    cx.touch_and_clear(U, 1, Size::Small);
    assert_eq!(cx.take_order(), "off1 at1 on0", "at once");
    cx.active = true;
    Hash::enter(&mut cx);
    cx.touch_and_clear(U, 1, Size::Small);
    assert_eq!(cx.take_order(), "off1 off2 at2 on1", "batched");
    Hash::leave(&mut cx);
    assert_eq!(cx.take_order(), "at1 on0", "the leave's flush comes first");
    cx.touch_and_clear(U, 1, Size::Small);
    cx.take_order();
    Hash::gather_flush(&mut cx, Range { first: PteRef { mm: U, page: 1, size: Size::Small }, pages: 1 });
    assert_eq!(cx.take_order(), "off1 at1 on0", "the drain of an mmu_gather");
}

/// Table 10.7, row "ppc radix", and 10.2, 10.3: nothing from any hook, native stores, explicit flushes.
#[test]
fn radix_defers_nothing() {
    for (active, interrupt) in [(false, false), (true, false), (true, true)] {
        let mut cx = Mock::<Radix>::new(active);
        cx.interrupt = interrupt;
        for _ in 0..2 {
            Radix::enter(&mut cx);
            Radix::flush(&mut cx);
            assert_eq!(Radix::token_enter(&mut cx), D);
        }
        cx.touch_and_clear(U, 1, Size::Small);
        let at = cx.touch(U, 2, Size::Small);
        Radix::wrprotect_pte(&mut cx, at);
        Radix::wrprotect_pte(&mut cx, at); // not writable: nothing
        Radix::leave(&mut cx);
        Radix::token_leave(&mut cx, N);
        Radix::token_leave(&mut cx, D);
        assert_eq!((cx.preempt, cx.take().as_str()), (0, "store 1:1; store 1:2"));
        let word = Radix::pte_word(PteFlags { valid: true, ..PteFlags::default() }, 40, Size::Small);
        Radix::set_ptes(&mut cx, PteRef { page: 4, ..at }, word, 2);
        assert_eq!((cx.take().as_str(), Radix::pte_frame(cx.ptes[&(U, 5)])), ("store 1:4; store 1:5", 41));
        assert_eq!(Radix::clear_pte(&mut cx, PteRef { page: 4, ..at }), word);
        assert_eq!(cx.ptes[&(U, 4)], 0);
        assert!(Radix::ignores_hooks(&cx) && !Hash::ignores_hooks(&Mock::<Hash>::new(active)));
        assert_eq!(Radix::deferred(&(), &()), Deferred::default());
    }
}

/// A word and an address mean on radix what they mean on hash.
#[test]
fn words_and_addresses_of_radix() {
    let flags = PteFlags { valid: true, user: true, dirty: true, ..PteFlags::default() };
    let word = Radix::pte_word(flags, 40, Size::Small);
    assert_eq!((word, Radix::pte_flags(word)), (Hash::pte_word(flags, 40, Size::Small), flags));
    for (mm, page, address) in [(U, 1, 0x1100_0000), (Mm::KERNEL, 1, 0xc008_0000_0100_0000)] {
        let at = PteRef { mm, page, size: Size::Small };
        assert_eq!((Radix::virtual_address(at), Hash::virtual_address(at)), (address, address));
    }
}

#[test]
fn radix_flushes_ranges() {
    let mut cx = Mock::<Radix>::new(true);
    let first = PteRef { mm: U, page: 1, size: Size::Small };
    Radix::flush_tlb_range(&mut cx, Range { first, pages: 2 });
    let two = "ptesync; tlbie 11000000 100030000; tlbie 12000000 100030000; eieio; tlbsync; ptesync";
    assert_eq!(cx.take(), two);
    Radix::gather_flush(&mut cx, Range { first: PteRef { size: Size::Huge, ..first }, pages: 1 });
    assert_eq!(cx.take(), "ptesync; tlbie 11000020 100030000; eieio; tlbsync; ptesync");
    Radix::flush_tlb_range(&mut cx, Range { first, pages: 34 });
    assert_eq!(cx.take(), "ptesync; tlbie 400 100030000; eieio; tlbsync; ptesync");
    Radix::flush_tlb_range(&mut cx, Range { first: PteRef { mm: Mm::KERNEL, ..first }, pages: 1 });
    assert_eq!(cx.take(), "ptesync; tlbie 400 b0000; eieio; tlbsync; ptesync");
    cx.local = true; // still global here
    Radix::flush_tlb_range(&mut cx, Range { first, pages: 33 });
    assert_eq!((cx.count("tlbie"), cx.count("tlbiel")), (33, 0));
}

/// (entries, flushes while the section is open, the one at its end).
const BATCHES: [(u16, &[u16], Option<u16>); 8] = [
    (0, &[], None),
    (1, &[], Some(1)),
    (2, &[], Some(2)),
    (191, &[], Some(191)),
    (192, &[192], None),
    (193, &[192], Some(1)),
    (384, &[192, 192], None),
    (385, &[192, 192], Some(1)),
];

#[test]
fn batches_of_every_size() {
    for (entries, full, rest) in BATCHES {
        let mut cx = Mock::<Hash>::new(true);
        Hash::enter(&mut cx);
        for page in 0..entries {
            cx.touch_and_clear(U, page, Size::Small);
            assert_eq!(
                cx.log.iter().rfind(|line| line.starts_with("add")).unwrap(),
                &format!("add {}", page % 192 + 1)
            );
        }
        Hash::leave(&mut cx);
        let flushes: Vec<_> = full.iter().chain(&rest).map(|n| format!("flush {n}")).collect();
        let seen: Vec<_> = cx.log.iter().filter(|line| line.starts_with("flush")).cloned().collect();
        assert_eq!(seen, flushes, "{entries}");
        assert_eq!(cx.count("hpte_invalidate"), usize::from(entries));
        assert_eq!(cx.count("tlbie"), usize::from(entries));
        assert_eq!(cx.count("tlbsync"), flushes.len());
        assert_eq!(cx.count("ptesync"), 2 * flushes.len());
        assert_eq!(cx.preempt, 0);
    }
}

/// Two passes: first the hash table, then the TLB, in the order of the batch.
#[test]
fn streams_of_a_range() {
    let mut cx = Mock::<Hash>::new(true);
    let fill = |cx: &mut Mock<Hash>, size| {
        cx.touch_and_clear(U, 1, size);
        cx.touch_and_clear(U, HIGH_PAGE - 1, size);
        cx.take();
        Hash::flush(cx);
        cx.take()
    };
    let global = "flush 2; hpte_invalidate 202000011000; hpte_invalidate 20200040f000; ptesync; \
                  tlbie 202000011000000; tlbie 20200040f000000; eieio; tlbsync; ptesync";
    assert_eq!(fill(&mut cx, Size::Small), global);
    cx.local = true;
    let local = "flush 2; hpte_invalidate 202000011000; hpte_invalidate 20200040f000; ptesync; \
                 tlbiel 202000011000000; tlbiel 20200040f000000; ptesync";
    assert_eq!(fill(&mut cx, Size::Small), local);
    // A huge page cannot be invalidated locally. Its RB has L and, from the page number, AVAL.
    let huge = "flush 2; hpte_invalidate 202000011000 2; hpte_invalidate 20200040f000 2; ptesync; \
                tlbie 202000011000001; tlbie 20200040f000001; eieio; tlbsync; ptesync";
    assert_eq!(fill(&mut cx, Size::Huge), huge);
    // Inactive, known elsewhere too.
    (cx.active, cx.local) = (false, false);
    cx.touch_and_clear(U, 1, Size::Small);
    let page = format!("store 1:1; immediate; hpte_invalidate {VPN1}; ptesync; tlbie {RB1}; eieio; tlbsync; ptesync");
    assert_eq!(cx.take(), page);
    cx.local = true;
    // Inactive, thread-local, 1 TiB segment.
    cx.active = false;
    cx.touch_and_clear(U, HIGH_PAGE, Size::Large);
    let page = "store 1:1024; immediate; hpte_invalidate 202010000000 101; ptesync; tlbiel 202010000001101; ptesync";
    assert_eq!(cx.take(), page);
}

/// Another address space, page size or segment size in the middle of a batch: what waits goes first.
#[test]
fn one_shape_per_batch() {
    let changes = [(V, 1, Size::Small), (U, 2, Size::Large), (U, 2, Size::Huge), (U, HIGH_PAGE, Size::Small)];
    for (mm, page, size) in changes {
        let mut cx = Mock::<Hash>::new(true);
        for page in 0..191 {
            cx.touch_and_clear(U, page, Size::Small);
        }
        cx.take();
        cx.touch_and_clear(mm, page, size);
        assert_eq!((cx.count("flush 191"), cx.count("add 1"), cx.count("add")), (1, 1, 1), "{mm:?} {page} {size:?}");
        assert_eq!(cx.log.last().unwrap(), "add 1");
        assert_eq!(Hash::deferred(&cx.cpu, &()).entries, 1);
    }
}

/// Interrupt code flushes its own entry at once and leaves the interrupted batch alone.
#[test]
fn interrupted_batches() {
    let mut cx = Mock::<Hash>::new(true);
    cx.touch_and_clear(U, 1, Size::Small);
    let before = Hash::deferred(&cx.cpu, &());
    cx.interrupt = true;
    cx.take();
    cx.touch_and_clear(V, 1, Size::Large);
    assert_eq!((cx.count("immediate"), cx.count("flush"), cx.count("tlbie")), (1, 0, 1));
    assert_eq!(Hash::deferred(&cx.cpu, &()), before);
}

/// What counts is the old word: unknown to the hash table, nothing happens; the size is the old word's.
#[test]
fn old_words_decide() {
    let mut cx = Mock::<Hash>::new(false);
    let at = cx.touch(U, 1, Size::Large);
    let word = cx.ptes[&(U, 1)];
    Hash::wrprotect_pte(&mut cx, PteRef { size: Size::Small, ..at });
    assert_eq!((cx.count("immediate"), cx.count("hpte_invalidate 202000011000 1")), (1, 1));
    assert_eq!(cx.ptes[&(U, 1)], word & !2, "the mark stays");
    cx.take();
    Hash::wrprotect_pte(&mut cx, at);
    assert_eq!(cx.take(), "");
    assert_eq!(Hash::clear_pte(&mut cx, at), word & !2);
    assert_eq!(cx.count("immediate"), 1);
    cx.take();
    Hash::set_ptes(&mut cx, at, word, 3); // the mark in the new word means nothing
    assert_eq!(cx.take(), "store 1:1; store 1:2; store 1:3");
    assert_eq!(cx.ptes[&(U, 3)], (word & !pte::HASHPTE) + (2 << 16));
    assert_eq!(Hash::get_pte(&mut cx, at), word & !pte::HASHPTE);
    let at = cx.touch(Mm::KERNEL, 7, Size::Small);
    Hash::set_ptes(&mut cx, at, 0, 1); // over a live entry: as an update
    assert_eq!((cx.count("immediate"), cx.count("hpte_invalidate")), (1, 1));
}

/// DEBUG_PAGEALLOC on hash: the hash entry goes at once and everywhere, past a batch that waits, in every form.
#[test]
fn the_linear_map_goes_past_the_batch() {
    fn check<B: Backend<PerCpu = TlbBatch, Thread = ()>>() {
        // Context 1, the linear map's, slot 5 of 16M, in a segment of 1 TiB.
        let gone = "hpte_invalidate 2000005000 100; ptesync; tlbie 2000005000100; eieio; tlbsync; ptesync";
        for active in [false, true] {
            let mut cx = Mock::<B>::new(active);
            if active {
                B::enter(&mut cx);
                cx.touch_and_clear(U, 1, Size::Small);
                cx.touch_and_clear(U, 2, Size::Small);
            }
            cx.local = true; // what the kernel maps is never one CPU's
            let (before, preempt) = (B::deferred(&cx.cpu, &()), cx.preempt);
            assert_eq!((before.entries, preempt), if active { (2, 1) } else { (0, 0) }, "{}", B::NAME);
            let at = cx.touch(Mm::KERNEL, LINEAR_PAGE + 5, Size::Small);
            let known = cx.ptes[&(Mm::KERNEL, at.page)];
            cx.take();
            B::map_linear_page(&mut cx, at, None);
            assert_eq!((cx.take(), cx.ptes[&(Mm::KERNEL, at.page)]), (format!("store 0:1029; {gone}"), 0));
            // What the table does not know needs no more than the store, and the mark of the new word means nothing.
            B::map_linear_page(&mut cx, at, Some(known));
            assert_eq!(cx.take(), "store 0:1029");
            assert_eq!(cx.ptes[&(Mm::KERNEL, at.page)], known & !pte::HASHPTE);
            // Another word over one that is known: that one goes.
            cx.touch(Mm::KERNEL, LINEAR_PAGE + 5, Size::Small);
            B::map_linear_page(&mut cx, at, Some(known));
            assert_eq!(cx.take(), format!("store 0:1029; {gone}"));
            assert_eq!((B::deferred(&cx.cpu, &()), cx.preempt), (before, preempt), "{}", B::NAME);
        }
    }
    check::<Hash>();
    check::<HashStateless>();
    check::<HashToken>();
    let mut cx = Mock::<Hash>::new(true);
    Hash::enter(&mut cx);
    let at = cx.touch(Mm::KERNEL, LINEAR_PAGE + 5, Size::Small);
    Hash::map_linear_page(&mut cx, at, None);
    assert_eq!(cx.take_order(), "off1 off2 at2 on1", "on this CPU until it is gone");
}

/// DEBUG_PAGEALLOC on radix: the ordinary path, a store, and for an entry that goes the kernel's flush.
#[test]
fn the_linear_map_of_radix_takes_the_ordinary_path() {
    let mut cx = Mock::<Radix>::new(true);
    let at = cx.touch(Mm::KERNEL, LINEAR_PAGE + 5, Size::Small);
    let word = cx.ptes[&(Mm::KERNEL, at.page)];
    Radix::map_linear_page(&mut cx, at, None);
    assert_eq!(cx.take(), "store 0:1029; ptesync; tlbie 400 b0000; eieio; tlbsync; ptesync");
    Radix::map_linear_page(&mut cx, at, Some(word));
    assert_eq!((cx.take().as_str(), cx.ptes[&(Mm::KERNEL, at.page)]), ("store 0:1029", word));
}

/// `tlb_flush()` drains the batch; a range flush does nothing at all.
#[test]
fn explicit_flushes() {
    let mut cx = Mock::<Hash>::new(true);
    let first = PteRef { mm: U, page: 1, size: Size::Small };
    let range = Range { first, pages: 3 };
    cx.touch_and_clear(V, 9, Size::Small);
    cx.take();
    Hash::flush_tlb_range(&mut cx, range);
    Hash::flush_tlb_range(&mut cx, Range { first: PteRef { mm: Mm::KERNEL, ..first }, pages: 1 });
    assert_eq!(cx.take(), "");
    Hash::gather_flush(&mut cx, range);
    assert_eq!((cx.count("flush 1"), cx.count("tlbie"), cx.preempt), (1, 1, 0));
    cx.take();
    Hash::gather_flush(&mut cx, range);
    assert_eq!(cx.take(), "");
}

#[test]
fn digests_and_reset() {
    let digest = |pages: &[u16]| {
        let mut cx = Mock::<Hash>::new(true);
        for page in pages {
            cx.touch_and_clear(U, *page, Size::Small);
        }
        let deferred = Hash::deferred(&cx.cpu, &());
        Hash::reset_cpu(&cx.cpu);
        assert_eq!(Hash::deferred(&cx.cpu, &()), Deferred::default());
        assert_eq!(usize::from(deferred.entries), pages.len());
        deferred.digest
    };
    assert_eq!(digest(&[]), 0);
    assert_ne!(digest(&[1]), digest(&[2]));
    assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
    let of_frame = |frame| {
        let mut cx = Mock::<Hash>::new(true);
        cx.touch(U, frame, Size::Small);
        let word = cx.ptes[&(U, frame)];
        cx.ptes.insert((U, 1), word);
        Hash::clear_pte(&mut cx, PteRef { mm: U, page: 1, size: Size::Small });
        Hash::deferred(&cx.cpu, &()).digest
    };
    assert_ne!(of_frame(5), of_frame(6), "the old PTE is part of it");
    let cpu = TlbBatch::default();
    cpu.active.set(true);
    HashStateless::reset_cpu(&cpu);
    assert!(!cpu.active.get());
}
