//! A context that records, and what the forms of 7.2 do on it: table 10.7, row by row; the forms before are in
//! `earlier.rs`.
//!
//! Not here: any model of a machine. Memory is a map, instructions are written down.

extern crate std;
use std::collections::HashMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use lazy_mmu_core::kernel::{BugSite, Kernel};

use super::queue::TlbBatch;
use super::{Sparc64, SparcStateless, SparcToken, Sun4v, decode};
use crate::backend::{Backend, Deferred};
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};
use crate::page::{LINEAR_PAGE, Mm, PteFlags, PteRef, Range, Size};

pub(super) const U: Mm = Mm(1);
pub(super) const V: Mm = Mm(2);

/// Records; one task, one CPU of three that runs it.
pub(super) struct Mock<B: Backend> {
    cpu: B::PerCpu,
    thread: B::Thread,
    ptes: HashMap<(Mm, u16), u64>,
    /// The answer to the one question, unless the form itself has one.
    active: bool,
    local: bool,
    valid: bool,
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
            local: true,
            valid: true,
            interrupt: false,
            preempt: 0,
            log: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Maps a page. Nothing is recorded.
    fn map(&mut self, mm: Mm, page: u16, size: Size, exec: bool) -> PteRef {
        let flags = PteFlags { valid: true, write: true, user: !mm.is_kernel(), exec, ..PteFlags::default() };
        self.ptes.insert((mm, page), B::pte_word(flags, u32::from(page), size));
        PteRef { mm, page, size }
    }

    pub(super) fn map_and_clear(&mut self, mm: Mm, page: u16, size: Size) {
        let at = self.map(mm, page, size, false);
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
        let Insn { op, a, b } = insn;
        let (number, address) = (decode::number(a), decode::address(a));
        assert!(self.log.len() < 100_000, "a stream without an end");
        self.log.push(match op {
            Op::Stxa => format!("stxa {address:x} {number:x} {b:x}"),
            Op::Ldxa => format!("ldxa {address:x} {number:x}"),
            Op::WrprPstate => format!("wrpr {a:x}"),
            Op::RdprPstate => "rdpr".into(),
            Op::Flush => format!("flush {a:x}"),
            Op::TsbFlush => format!("tsb {a:x} {} {}", b & 0xff, b >> 8),
            Op::Xcall => format!("xcall {a} {} {}", b & 0xff, b >> 8),
            Op::Ta => format!("ta {number:x} {address:x} {:x} {:x}", b >> 8, b & 0xff),
            _ => op.mnemonic().to_string(),
        });
        match op {
            Op::RdprPstate => 0x16,
            Op::Ldxa => 0x99,
            _ => 0,
        }
    }

    fn local_irq_save(&mut self) {}

    fn local_irq_restore(&mut self) {}

    fn is_thread_local(&self, _mm: Mm) -> bool {
        self.local
    }

    fn is_context_valid(&self, _mm: Mm) -> bool {
        self.valid
    }

    fn cpus(&self) -> u8 {
        3
    }

    fn cpu(&self) -> u8 {
        1
    }

    fn note(&mut self, note: Note) {
        self.step("at");
        self.log.push(match note {
            Note::BatchAdd(n) => format!("add {n}"),
            Note::FlushPending(n) => format!("pending {n}"),
            Note::FlushImmediate => "immediate".into(),
            other => panic!("{other:?}"),
        });
    }
}

const PROLOGUE: &str = "rdpr; wrpr 14; ldxa 10 58; stxa 10 58 1";
const EPILOGUE: &str = "stxa 10 58 99; flush 400000; wrpr 16";

/// Table 10.7, row "sparc64": enter, flush, leave, with and without addresses.
#[test]
fn hooks_of_7_2() {
    let mut cx = Mock::<Sparc64>::new(true);
    Sparc64::enter(&mut cx);
    assert_eq!((cx.preempt, cx.take().as_str()), (1, ""));
    Sparc64::flush(&mut cx);
    assert_eq!((cx.preempt, cx.take().as_str()), (1, ""));
    cx.map_and_clear(U, 1, Size::Small);
    assert_eq!((cx.preempt, cx.take().as_str()), (1, "store 1:1; add 1"));
    let one = format!("pending 1; tsb 70802000 13 1; {PROLOGUE}; stxa 70802010 5f 0; membar #Sync; {EPILOGUE}");
    Sparc64::flush(&mut cx);
    assert_eq!((cx.preempt, cx.take()), (1, one.clone()));
    cx.map_and_clear(U, 1, Size::Small);
    cx.take();
    Sparc64::leave(&mut cx);
    assert_eq!((cx.preempt, cx.take()), (0, one));
    assert_eq!(Sparc64::deferred(&cx.cpu, &()), Deferred::default());
    assert_eq!(Sparc64::arch_mode(&cx), None);
}

/// The batch is this CPU's: it is touched with preemption off, and off it is until the last address is out.
#[test]
fn preemption_is_off_while_the_batch_is_touched() {
    fn sequence<B: Backend<PerCpu = TlbBatch, Thread = ()>>() -> [String; 5] {
        let mut cx = Mock::<B>::new(false);
        cx.map_and_clear(U, 1, Size::Small);
        let at_once = cx.take_order();
        cx.active = true;
        B::enter(&mut cx);
        cx.map_and_clear(U, 1, Size::Small);
        let batched = cx.take_order();
        B::leave(&mut cx);
        let leave = cx.take_order();
        cx.map_and_clear(U, 1, Size::Small);
        cx.take_order();
        B::gather_flush(&mut cx, Range { first: PteRef { mm: U, page: 1, size: Size::Small }, pages: 1 });
        let gather = cx.take_order();
        cx.map_and_clear(U, 1, Size::Small);
        cx.take_order();
        cx.map_and_clear(V, 1, Size::Small);
        [at_once, batched, leave, gather, cx.take_order()]
    }
    let expected = [
        "off1 at1 on0",
        "off1 off2 at2 on1",
        "off2 at2 on1 on0", // the leave's flush comes first
        "off1 at1 on0",
        "off1 off2 at2 on1 at1 on0", // another address space: one stay on this CPU for the flush and the new address
    ];
    assert_eq!(sequence::<Sparc64>(), expected);
    assert_eq!(sequence::<Sun4v>(), expected);
}

/// The same on sun4v: one trap per page, no barrier of its own.
#[test]
fn hooks_of_sun4v() {
    let mut cx = Mock::<Sun4v>::new(true);
    Sun4v::enter(&mut cx);
    cx.map_and_clear(U, 1, Size::Small);
    cx.map_and_clear(U, 2, Size::Small);
    cx.take();
    Sun4v::flush(&mut cx);
    let two = "pending 2; tsb 70802000 13 1; tsb 71004000 13 1; ta 84 71004000 1 3; ta 84 70802000 1 3";
    assert_eq!((cx.preempt, cx.take().as_str()), (1, two));
    let at = cx.map(U, 1, Size::Small, true);
    Sun4v::wrprotect_pte(&mut cx, at);
    cx.take();
    Sun4v::leave(&mut cx);
    // The executable mark is no part of what the hypervisor is told.
    assert_eq!((cx.preempt, cx.take().as_str()), (0, "pending 1; tsb 70802000 13 1; ta 84 70802000 1 3"));
    Sun4v::leave(&mut cx);
    assert_eq!((cx.preempt, cx.take().as_str()), (-1, ""));
}

/// (addresses, flushes while the section is open, the one at its end).
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
        let mut cx = Mock::<Sparc64>::new(true);
        Sparc64::enter(&mut cx);
        for page in 0..entries {
            cx.map_and_clear(U, page, Size::Small);
            let added = cx.log.iter().rfind(|line| line.starts_with("add")).unwrap();
            assert_eq!(added, &format!("add {}", page % 192 + 1));
        }
        Sparc64::leave(&mut cx);
        let flushes: Vec<_> = full.iter().chain(&rest).map(|n| format!("pending {n}")).collect();
        let seen: Vec<_> = cx.log.iter().filter(|line| line.starts_with("pending")).cloned().collect();
        assert_eq!(seen, flushes, "{entries}");
        assert_eq!(cx.count("tsb"), usize::from(entries));
        assert_eq!(cx.count("membar #Sync"), usize::from(entries));
        assert_eq!((cx.count("rdpr"), cx.count("flush")), (flushes.len(), flushes.len()));
        assert_eq!(cx.preempt, 0);
    }
}

/// First the TSB, forwards; then the TLB, backwards; an executable page from both MMUs.
#[test]
fn streams_of_a_batch() {
    let mut cx = Mock::<Sparc64>::new(true);
    let fill = |cx: &mut Mock<Sparc64>| {
        for (page, exec) in [(1, false), (2, true), (3, false)] {
            let at = cx.map(U, page, Size::Small, exec);
            Sparc64::clear_pte(cx, at);
        }
        cx.take();
        Sparc64::flush(cx);
        cx.take()
    };
    let tsb = "pending 3; tsb 70802000 13 1; tsb 71004000 13 1; tsb 71806000 13 1";
    let tlb = format!(
        "{PROLOGUE}; stxa 71806010 5f 0; membar #Sync; stxa 71004010 57 0; stxa 71004010 5f 0; membar #Sync; \
         stxa 70802010 5f 0; membar #Sync; {EPILOGUE}"
    );
    assert_eq!(fill(&mut cx), format!("{tsb}; {tlb}"));
    cx.local = false;
    assert_eq!(fill(&mut cx), format!("{tsb}; xcall 0 2 3; xcall 2 2 3; {tlb}"));
    cx.valid = false; // the TSB even so
    assert_eq!(fill(&mut cx), tsb);
    // A batch of one takes the page's path, which shows in what the other CPUs are asked.
    cx.valid = true;
    cx.map_and_clear(U, 1, Size::Small);
    Sparc64::flush(&mut cx);
    assert_eq!((cx.count("xcall 0 1 1"), cx.count("xcall 2 1 1"), cx.count("xcall")), (1, 1, 2));
}

/// While the mode is not active: TSB and TLB now, whatever the context.
#[test]
fn immediate_flushes() {
    let mut cx = Mock::<Sparc64>::new(false);
    cx.local = false;
    cx.valid = false;
    cx.map_and_clear(U, 1, Size::Small);
    let tlb = format!("xcall 0 1 1; xcall 2 1 1; {PROLOGUE}; stxa 70802010 5f 0; membar #Sync; {EPILOGUE}");
    assert_eq!(cx.take(), format!("store 1:1; immediate; tsb 70802000 13 1; {tlb}"));
    assert_eq!(cx.preempt, 0);
}

/// 8K: one entry; 64K: eight in the base TSB; 8M: two addresses, each one entry of the huge TSB.
#[test]
fn entries_of_every_size() {
    let mut cx = Mock::<Sparc64>::new(false);
    cx.map_and_clear(U, 9, Size::Large);
    let tsb: Vec<_> = cx.log.iter().filter(|line| line.starts_with("tsb")).cloned().collect();
    let expected: Vec<_> = (0..8).map(|i| format!("tsb {:x} 13 1", 0x7481_0000 + (i << 13))).collect();
    assert_eq!((tsb, cx.count("stxa 74810010 5f")), (expected, 1));
    cx.take();
    cx.map_and_clear(U, 9, Size::Huge);
    assert_eq!((cx.count("immediate"), cx.count("tsb"), cx.count("rdpr")), (2, 2, 2));
    assert_eq!((cx.count("tsb 74800000 22 1"), cx.count("tsb 74c00000 22 1")), (1, 1));
    assert_eq!((cx.count("stxa 74800010 5f"), cx.count("stxa 74c00010 5f")), (1, 1));
    // A huge page at the end of a batch: its halves may part.
    cx.active = true;
    cx.take();
    for page in 0..96 {
        cx.map_and_clear(U, page, Size::Huge);
    }
    assert_eq!((cx.count("add"), cx.count("pending 192")), (192, 1));
}

/// Another address space or page size in the middle of a batch: what waits goes first.
#[test]
fn one_mm_and_size_per_batch() {
    for (mm, page, size, adds) in [(V, 1, Size::Small, 1), (U, 2, Size::Large, 1), (U, 2, Size::Huge, 2)] {
        let mut cx = Mock::<Sparc64>::new(true);
        for page in 0..191 {
            cx.map_and_clear(U, page, Size::Small);
        }
        cx.take();
        cx.map_and_clear(mm, page, size);
        assert_eq!((cx.count("pending 191"), cx.count("pending"), cx.count("add")), (1, 1, adds), "{mm:?} {size:?}");
        assert_eq!(Sparc64::deferred(&cx.cpu, &()).entries, adds as u16);
        Sparc64::flush(&mut cx);
        let tsb = cx.log.iter().rfind(|line| line.starts_with("tsb")).unwrap();
        let shift = if size == Size::Huge { 22 } else { 13 };
        assert!(tsb.ends_with(&format!(" {shift} {}", mm.0)), "{tsb}");
    }
    let mut cx = Mock::<Sparc64>::new(true);
    cx.map_and_clear(U, 2, Size::Large);
    assert_eq!(cx.take_order(), "off1 at1 on0", "an empty batch takes any size: nothing is flushed");
}

/// An interrupt finds a batch: of the same address space it is left alone; of another it is flushed, because that
/// test comes before the question.
#[test]
fn interrupted_batches() {
    for (mm, flushed) in [(U, 0), (V, 1)] {
        let mut cx = Mock::<Sparc64>::new(true);
        cx.map_and_clear(U, 1, Size::Small);
        let before = Sparc64::deferred(&cx.cpu, &());
        cx.interrupt = true;
        cx.take();
        cx.map_and_clear(mm, 2, Size::Small);
        assert_eq!((cx.count("pending 1"), cx.count("immediate"), cx.count("add")), (flushed, 1, 0));
        assert_eq!(Sparc64::deferred(&cx.cpu, &()) == before, flushed == 0);
    }
}

/// What counts is the old word: not accessible, or the kernel's, and nothing happens; the size is the old word's.
#[test]
fn old_words_decide() {
    let mut cx = Mock::<Sparc64>::new(false);
    let at = cx.map(U, 9, Size::Large, true);
    let word = cx.ptes[&(U, 9)];
    Sparc64::wrprotect_pte(&mut cx, PteRef { size: Size::Small, ..at });
    assert_eq!((cx.count("immediate"), cx.count("tsb"), cx.count("stxa 74810010 57")), (1, 8, 1));
    assert!(!Sparc64::pte_flags(Sparc64::get_pte(&mut cx, at)).write);
    assert_eq!(Sparc64::touched(word), word);
    cx.take();
    Sparc64::clear_pte(&mut cx, at);
    assert_eq!(cx.count("immediate"), 1);
    cx.take();
    Sparc64::set_ptes(&mut cx, at, word, 3);
    assert_eq!(cx.take(), "store 1:9; store 1:10; store 1:11");
    assert_eq!(Sparc64::pte_frame(cx.ptes[&(U, 11)]), 11);
    Sparc64::set_ptes(&mut cx, at, word, 1);
    assert_eq!(cx.count("immediate"), 1);
    cx.take();
    for active in [false, true] {
        cx.active = active;
        let at = cx.map(Mm::KERNEL, 7, Size::Small, false);
        Sparc64::wrprotect_pte(&mut cx, at);
        Sparc64::clear_pte(&mut cx, at);
        assert_eq!(cx.take(), "store 0:7; store 0:7");
    }
}

/// `tlb_flush()` drains the batch; a user range flush does nothing; a kernel one is the only flush of the kernel's.
#[test]
fn explicit_flushes() {
    let mut cx = Mock::<Sparc64>::new(true);
    let user = Range { first: PteRef { mm: U, page: 1, size: Size::Small }, pages: 3 };
    cx.map_and_clear(V, 9, Size::Small);
    cx.take();
    Sparc64::flush_tlb_range(&mut cx, user);
    assert_eq!(cx.take(), "");
    Sparc64::gather_flush(&mut cx, user);
    assert_eq!((cx.count("pending 1"), cx.count("membar"), cx.preempt), (1, 1, 0));
    cx.take();
    Sparc64::gather_flush(&mut cx, user);
    assert_eq!(cx.take(), "");
    let kernel = Range { first: PteRef { mm: Mm::KERNEL, page: 1, size: Size::Small }, pages: 2 };
    Sparc64::flush_tlb_range(&mut cx, kernel);
    let expected = "tsb 100802000 13 0; tsb 101004000 13 0; xcall 0 3 2; xcall 2 3 2; \
                    stxa 101004020 5f 0; stxa 101004020 57 0; membar #Sync; \
                    stxa 100802020 5f 0; stxa 100802020 57 0; membar #Sync; flush 400000";
    assert_eq!(cx.take(), expected);
    let mut cx = Mock::<Sun4v>::new(true);
    Sun4v::flush_tlb_range(&mut cx, kernel);
    let expected = "tsb 100802000 13 0; tsb 101004000 13 0; xcall 0 3 2; xcall 2 3 2; \
                    ta 84 101004000 0 3; ta 84 100802000 0 3";
    assert_eq!(cx.take(), expected);
    // A page of 64K is eight entries of the base TSB and one page to the TLB; a huge one is two pages of 4M to both.
    let large = Range { first: PteRef { size: Size::Large, ..kernel.first }, pages: 2 };
    Sun4v::flush_tlb_range(&mut cx, large);
    assert_eq!((cx.count("tsb"), cx.count("xcall 0 3 2"), cx.count("ta")), (16, 1, 2));
    cx.take();
    let huge = Range { first: PteRef { size: Size::Huge, ..kernel.first }, pages: 2 };
    Sun4v::flush_tlb_range(&mut cx, huge);
    let expected = "tsb 100800000 22 0; tsb 100c00000 22 0; tsb 101000000 22 0; tsb 101400000 22 0; \
                    xcall 0 3 4; xcall 2 3 4; \
                    ta 84 101400000 0 3; ta 84 101000000 0 3; ta 84 100c00000 0 3; ta 84 100800000 0 3";
    assert_eq!(cx.take(), expected);
}

/// DEBUG_PAGEALLOC: the store, the kernel's TSB, this CPU's TLB, whether the entry comes or goes. The other CPUs are
/// not asked, and a batch that waits is left alone.
#[test]
fn the_linear_map_is_flushed_here_alone() {
    fn check<B: Backend<PerCpu = TlbBatch, Thread = ()>>(demap: &str) {
        for active in [false, true] {
            let mut cx = Mock::<B>::new(active);
            cx.local = false;
            if active {
                B::enter(&mut cx);
                cx.map_and_clear(U, 1, Size::Small);
                cx.map_and_clear(U, 2, Size::Small);
            }
            let (before, preempt) = (B::deferred(&cx.cpu, &()), cx.preempt);
            assert_eq!((before.entries, preempt), if active { (2, 1) } else { (0, 0) }, "{}", B::NAME);
            let at = cx.map(Mm::KERNEL, LINEAR_PAGE + 5, Size::Small, false);
            let mapped = cx.ptes[&(Mm::KERNEL, at.page)];
            cx.take();
            for (word, stored) in [(None, 0), (Some(mapped), mapped), (Some(mapped), mapped)] {
                B::map_linear_page(&mut cx, at, word);
                assert_eq!(cx.take(), format!("store 0:1029; tsb fffff8000280a000 13 0; {demap}"), "{}", B::NAME);
                assert_eq!(cx.ptes[&(Mm::KERNEL, at.page)], stored);
            }
            assert_eq!((B::deferred(&cx.cpu, &()), cx.preempt), (before, preempt), "{}", B::NAME);
        }
    }
    let demap = "stxa fffff8000280a020 5f 0; stxa fffff8000280a020 57 0; membar #Sync; flush 400000";
    check::<Sparc64>(demap);
    check::<SparcStateless>(demap);
    check::<SparcToken>(demap);
    check::<Sun4v>("ta 84 fffff8000280a000 0 3");
}

#[test]
fn digests_and_reset() {
    let digest = |pages: &[u16]| {
        let mut cx = Mock::<Sun4v>::new(true);
        for page in pages {
            cx.map_and_clear(U, *page, Size::Small);
        }
        let deferred = Sun4v::deferred(&cx.cpu, &());
        Sun4v::reset_cpu(&cx.cpu);
        assert_eq!(Sun4v::deferred(&cx.cpu, &()), Deferred::default());
        assert_eq!(usize::from(deferred.entries), pages.len());
        deferred.digest
    };
    assert_eq!(digest(&[]), 0);
    assert_ne!(digest(&[1]), digest(&[2]));
    assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
    let cpu = TlbBatch::default();
    cpu.active.set(true);
    SparcStateless::reset_cpu(&cpu);
    assert!(!cpu.active.get());
}
