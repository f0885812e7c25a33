//! A kernel small enough to read: one CPU, one task, and a log of all that was asked of it. The tests of the modules
//! beside it run on this; layout tests are here.

extern crate std;

use core::marker::PhantomData;
use std::collections::BTreeMap;
use std::vec::Vec;

use lazy_mmu_core::kernel::{BugSite, Kernel};

use super::*;
use crate::backend::Backend;
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};

/// What a backend asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Op(Op, u64),
    Store(u16, u64),
    Note(Note),
}

/// The barrier pair, with its note.
pub(super) const PAIR: [Event; 3] = [Event::Op(Op::DsbIshst, 0), Event::Op(Op::Isb, 0), Event::Note(Note::Barriers)];

/// What a flush that finds the flag set does: clears it, then the pair.
pub(super) const FLUSHED: [Event; 4] = [Event::Op(Op::FlagClear, 0), PAIR[0], PAIR[1], PAIR[2]];

/// The kernel. `active` answers the one question, unless the form keeps the mode itself.
pub(super) struct Mock<B> {
    pub flags: ThreadFlags,
    pub interrupt: bool,
    pub active: bool,
    pub events: Vec<Event>,
    /// Both flags as each instruction found them: active, pending.
    pub found: Vec<(bool, bool)>,
    memory: BTreeMap<u16, u64>,
    form: PhantomData<B>,
}

impl<B: Backend<PerCpu = (), Thread = ThreadFlags>> Mock<B> {
    pub fn new() -> Self {
        let flags = ThreadFlags::default();
        let (events, found, memory) = (Vec::new(), Vec::new(), BTreeMap::new());
        Mock { flags, interrupt: false, active: false, events, found, memory, form: PhantomData }
    }

    /// What was asked for since the last time.
    pub fn take(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    /// The instructions asked for since the last time.
    pub fn take_ops(&mut self) -> Vec<(Op, u64)> {
        let only_ops = |event| if let Event::Op(op, a) = event { Some((op, a)) } else { None };
        self.take().into_iter().filter_map(only_ops).collect()
    }
}

impl<B: Backend<PerCpu = (), Thread = ThreadFlags>> Kernel for Mock<B> {
    type Task = ();

    fn current(&self) {}

    fn in_interrupt(&self) -> bool {
        self.interrupt
    }

    fn preempt_disable(&mut self) {
        panic!("aarch64 leaves preemption alone");
    }

    fn preempt_enable(&mut self) {
        panic!("aarch64 leaves preemption alone");
    }

    fn bug(&mut self, site: BugSite) {
        panic!("aarch64 has no BUG_ON, yet {site:?} fired");
    }
}

impl<B: Backend<PerCpu = (), Thread = ThreadFlags>> Context for Mock<B> {
    type PerCpu = ();
    type Thread = ThreadFlags;

    fn this_cpu(&self) -> &() {
        &()
    }

    fn thread(&self, (): ()) -> &ThreadFlags {
        &self.flags
    }

    fn is_lazy_mmu_mode_active(&mut self) -> bool {
        B::arch_mode(self).unwrap_or(self.active && !self.interrupt)
    }

    fn task_lazy_mmu_mode_active(&mut self, (): ()) -> bool {
        self.active
    }

    fn task_lazy_mmu_mode_pause(&mut self, (): ()) {}

    fn task_lazy_mmu_mode_resume(&mut self, (): ()) {}

    fn pte_load(&mut self, at: PteRef) -> u64 {
        self.memory.get(&at.page).copied().unwrap_or(0)
    }

    fn pte_store(&mut self, at: PteRef, word: u64) {
        self.memory.insert(at.page, word);
        self.events.push(Event::Store(at.page, word));
    }

    fn execute(&mut self, insn: Insn) -> u64 {
        self.events.push(Event::Op(insn.op, insn.a));
        self.found.push((self.flags.active.get(), self.flags.pending.get()));
        0
    }

    fn local_irq_save(&mut self) {}

    fn local_irq_restore(&mut self) {}

    fn is_thread_local(&self, _mm: Mm) -> bool {
        true
    }

    fn is_context_valid(&self, _mm: Mm) -> bool {
        panic!("sparc64 alone asks that");
    }

    fn cpus(&self) -> u8 {
        1
    }

    fn cpu(&self) -> u8 {
        0
    }

    fn note(&mut self, note: Note) {
        self.events.push(Event::Note(note));
    }
}

/// A base page.
pub(super) fn page(mm: u8, page: u16) -> PteRef {
    PteRef { mm: Mm(mm), page, size: Size::Small }
}

#[test]
fn a_page_has_one_address_and_an_address_one_page() {
    for mm in [0, 1, 7, 255] {
        for n in 0..PAGES {
            let at = page(mm, n);
            let (mm, va) = (at.mm, virtual_address(at));
            for size in [Size::Small, Size::Large, Size::Huge] {
                assert_eq!(virtual_address(PteRef { size, ..at }), va);
                assert_eq!(va % (1 << page_shift(size)), 0, "{at:?} is aligned for {size:?}");
            }
            assert_eq!(page_at(mm, va), Some(at));
            assert_eq!(page_at(mm, va + (1 << SLOT_SHIFT) - 1), Some(at));
            assert_eq!(va >> 48, if mm.is_kernel() { 0xffff } else { 0 }, "{at:?} is in the right half");
            assert!(va >= 1 << 40 || n < HIGH_PAGE, "{at:?} is above 1 TiB if it should be");
        }
    }
    let at = |mm, n| virtual_address(page(mm, n));
    assert_eq!([at(0, 0), at(0, LINEAR_PAGE + 2)], [0xffff_8000_8000_0000, 0xffff_0000_0040_0000]);
    assert_eq!(at(0, SHADOW_PAGE + 1), 0xffff_7000_0020_0000);
    assert_eq!([at(1, 1), at(3, HIGH_PAGE)], [0x1020_0000, 1 << 40]);
    assert_eq!(page_at(Mm(1), 0), None);
    // Behind the last page of a region that ends with the last of all.
    assert_eq!([0, 1].map(|mm| page_at(Mm(mm), at(mm, PAGES - 1) + (1 << SLOT_SHIFT))), [None; 2]);
    assert_eq!(page_at(Mm::KERNEL, virtual_address(page(1, 5))), None);
}
