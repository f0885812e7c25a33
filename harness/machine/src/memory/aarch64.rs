//! aarch64: a store is invisible to walkers until a `dsb`, a fault may be remembered until an `isb`, and a cached
//! translation stays until a TLBI of its address is complete.
//!
//! Walkers may see a store earlier in reality; the machine takes the latest moment that the architecture allows. A user
//! entry gets no barrier: the fault that its absence may cost is spurious, and is repaired here as in the kernel. A
//! TLBI is complete at the `dsb ish` behind it, on the other CPUs and for user addresses; for the kernel's own
//! fetches at the `isb` after that. Of the 16 entries of a contiguous range a CPU caches the one it used, so that each
//! must be invalidated.
//! Refs: Arm ARM (DDI 0487) D8.2.6 "Ordering of memory accesses from translation table walks", D8.16 "TLB maintenance",
//! B2.6.9 (ISB). Called by the memory.

use std::hash::{Hash, Hasher};

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PAGES, PteRef, Size};

use super::fingerprint::as_set;
use super::slot::BARRIER;
use super::{Memory, Table, place, reference, table};
use crate::codec::aarch64::{Operand, address_of, asid, offset_bits, page_at};
use crate::mutant::Mutant;
use lazy_mmu_abi::trace::Why;
use lazy_mmu_program::CPUS;

/// What has not reached walkers.
#[derive(Debug)]
pub(super) struct Barriers {
    /// What walkers see of an entry stored to since, while [`UNORDERED`].
    seen: Table<u64>,
    marks: Table<u8>,
    unordered: [Vec<u16>; CPUS as usize],
    unsynchronised: [Vec<u16>; CPUS as usize],
    /// TLBIs of each CPU that are not complete.
    invalidations: [Vec<Insn>; CPUS as usize],
    /// Kernel entries whose invalidation is complete but for this CPU's own fetches.
    own: [Vec<u16>; CPUS as usize],
}

/// Stored to, no `dsb` since.
const UNORDERED: u8 = 1;
/// Shifted by the CPU: a new valid entry, no `isb` there since.
const UNSYNCHRONISED: u8 = 2;

impl Barriers {
    pub(super) fn new() -> Barriers {
        Barriers {
            seen: table(),
            marks: table(),
            unordered: Default::default(),
            unsynchronised: Default::default(),
            invalidations: Default::default(),
            own: Default::default(),
        }
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.marks[slot] = 0;
    }

    pub(super) fn reset(&mut self) {
        self.unordered.iter_mut().for_each(Vec::clear);
        self.unsynchronised.iter_mut().for_each(Vec::clear);
        self.invalidations.iter_mut().for_each(Vec::clear);
        self.own.iter_mut().for_each(Vec::clear);
    }

    /// What walkers see of an unordered entry, and its marks.
    pub(super) fn entry(&self, slot: usize) -> (u64, u8) {
        (if self.is_unordered(slot) { self.seen[slot] } else { 0 }, self.marks[slot])
    }

    /// What the rest of a run depends on, the entries' own apart.
    pub(super) fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Barriers { seen: _, marks: _, unordered, unsynchronised, invalidations, own } = self;
        invalidations.hash(state);
        [unordered, unsynchronised, own].into_iter().flatten().for_each(|list| as_set(list).hash(state));
    }

    /// A store over `old`.
    pub(super) fn store(&mut self, cpu: u8, slot: usize, old: u64) {
        if self.marks[slot] & UNORDERED == 0 {
            self.marks[slot] |= UNORDERED;
            self.seen[slot] = old;
        }
        self.unordered[usize::from(cpu)].push(slot as u16);
    }

    pub(super) fn is_unordered(&self, slot: usize) -> bool {
        self.marks[slot] & UNORDERED != 0
    }

    /// What a walker on the CPU sees of an entry that says `word`.
    pub(super) fn visible(&self, cpu: u8, slot: usize, word: u64) -> u64 {
        if self.is_unordered(slot) {
            self.seen[slot]
        } else if self.marks[slot] & UNSYNCHRONISED << cpu != 0 {
            0
        } else {
            word
        }
    }

    /// A fault on a user entry that walkers need not see yet: the handler finds it valid, and the retry sees it.
    pub(super) fn spurious_fault(&mut self, slot: usize) {
        self.marks[slot] &= !UNORDERED;
    }

    /// What a new kernel entry lacks to be in effect for the CPU.
    pub(super) fn lacks(&self, cpu: u8, slot: usize) -> Option<Why> {
        if self.is_unordered(slot) {
            Some(Why::Unordered)
        } else {
            (self.marks[slot] & UNSYNCHRONISED << cpu != 0).then_some(Why::Unsynchronised)
        }
    }

    /// This CPU refetches.
    pub(super) fn synchronise(&mut self, cpu: u8) {
        for &slot in &self.unsynchronised[usize::from(cpu)] {
            self.marks[usize::from(slot)] &= !(UNSYNCHRONISED << cpu);
        }
        self.unsynchronised[usize::from(cpu)].clear();
    }
}

impl Memory {
    pub(super) fn aarch64_insn(&mut self, cpu: u8, insn: Insn) {
        match insn.op {
            Op::DsbIshst => self.order(cpu),
            Op::DsbNshst | Op::DsbNsh if self.is(Mutant::AnyDomain) => {
                self.order(cpu);
                self.complete_invalidations(cpu);
            }
            // They reach this CPU's walker alone: nothing is in effect by them.
            Op::DsbNshst | Op::DsbNsh => self.bursts.barriers(0),
            Op::DsbIsh => {
                self.order(cpu);
                self.complete_invalidations(cpu);
            }
            Op::Isb => {
                self.bursts.barriers(0);
                self.aarch64.synchronise(cpu);
                for i in 0..self.aarch64.own[usize::from(cpu)].len() {
                    let slot = self.aarch64.own[usize::from(cpu)][i];
                    self.tlbs[usize::from(cpu)].drop(slot.into());
                }
                self.aarch64.own[usize::from(cpu)].clear();
            }
            Op::TlbiVale1is | Op::TlbiVae1is | Op::TlbiVaale1is | Op::TlbiAside1is | Op::TlbiVmalle1is => {
                self.each_of_tlbi(insn, |memory, slot, _| memory.flushed(slot));
                match insn.op {
                    Op::TlbiAside1is => {
                        if let Some(mm) = asid(insn.a) {
                            self.flushed_all(Some(mm));
                        }
                    }
                    Op::TlbiVmalle1is => self.flushed_all(None),
                    _ => {}
                }
                self.aarch64.invalidations[usize::from(cpu)].push(insn);
                if self.is(Mutant::InvalidatedAtOnce) {
                    self.complete_invalidations(cpu);
                }
            }
            _ => {}
        }
    }

    /// The stores of this CPU become visible to walkers; and those, whoever made them, of the entries whose flush is
    /// asked for: who asks has seen them.
    fn order(&mut self, cpu: u8) {
        let mut updates = 0;
        let mut waiting = std::mem::take(&mut self.aarch64.unordered[usize::from(cpu)]);
        waiting.extend_from_slice(&self.flushing);
        for &slot in &waiting {
            let at = usize::from(slot);
            if !self.aarch64.is_unordered(at) {
                continue;
            }
            self.aarch64.marks[at] &= !UNORDERED;
            updates += u16::from(self.slots[at].flags & BARRIER != 0);
            let (seen, word) = (self.aarch64.seen[at], self.words[at]);
            let kernel = at < usize::from(PAGES);
            let synchronises = !self.is(Mutant::NoRefetch);
            if kernel && synchronises && !self.format.is_valid(seen) && self.format.is_valid(word) {
                self.aarch64.marks[at] |= UNSYNCHRONISED << cpu;
                self.aarch64.unsynchronised[usize::from(cpu)].push(slot);
            }
        }
        waiting.clear();
        self.aarch64.unordered[usize::from(cpu)] = waiting;
        self.bursts.barriers(updates);
    }

    fn complete_invalidations(&mut self, cpu: u8) {
        let mut waiting = std::mem::take(&mut self.aarch64.invalidations[usize::from(cpu)]);
        for insn in waiting.drain(..) {
            match insn.op {
                Op::TlbiAside1is | Op::TlbiVmalle1is if self.is(Mutant::WholeFlushesNothing) => {}
                Op::TlbiAside1is => {
                    if let Some(mm) = asid(insn.a) {
                        let first = usize::from(mm.0) * usize::from(PAGES);
                        self.tlbs.iter_mut().for_each(|tlb| tlb.drop_range(first..first + usize::from(PAGES)));
                    }
                }
                Op::TlbiVmalle1is => self.tlbs.iter_mut().for_each(super::Tlb::drop_all),
                _ if self.is(Mutant::InvalidatesNothing) => {}
                _ if self.is(Mutant::InvalidatesEverything) => self.tlbs.iter_mut().for_each(super::Tlb::drop_all),
                _ => self.each_of_tlbi(insn, |memory, slot, operand| {
                    let only_here = memory.is(Mutant::InvalidatesHereAlone);
                    for other in (0..CPUS).filter(|&other| other == cpu || !only_here) {
                        memory.complete_at(cpu, other, slot, operand);
                    }
                }),
            }
        }
        self.aarch64.invalidations[usize::from(cpu)] = waiting;
    }

    /// A complete TLBI by `cpu` of an address of the entry, as `other` sees it.
    fn complete_at(&mut self, cpu: u8, other: u8, slot: usize, operand: Operand) {
        let offset = operand.address.wrapping_sub(address_of(reference(slot)));
        let any_size = self.is(Mutant::AnySize);
        let covers = |size, part| any_size || (operand.is_of(size) && covers(offset, size, part));
        let own_kernel = other == cpu && slot < usize::from(PAGES) && !self.is(Mutant::NoRefetch);
        let tlb = &self.tlbs[usize::from(other)];
        let (word, part) = (tlb.word(slot), tlb.note(slot));
        if own_kernel && word != 0 && covers(self.format.size(word), part) {
            self.aarch64.own[usize::from(cpu)].push(slot as u16);
        } else if !own_kernel {
            self.invalidate(other, slot, covers);
        }
    }

    /// The entries that a TLBI by address names, with what it says. The kernel's are global: of every ASID.
    fn each_of_tlbi(&mut self, insn: Insn, mut f: impl FnMut(&mut Memory, usize, Operand)) {
        let operand = Operand::new(insn.a);
        let kernel = operand.address >> 63 != 0;
        let spaces = match insn.op {
            Op::TlbiAside1is | Op::TlbiVmalle1is => return,
            _ if kernel => [Some(Mm::KERNEL), None],
            Op::TlbiVale1is | Op::TlbiVae1is if !self.is(Mutant::AnySpace) => [operand.asid, None],
            _ => [Some(Mm(1)), Some(Mm(2))],
        };
        for mm in spaces.into_iter().flatten() {
            if let Some(at) = page_at(mm, operand.address) {
                f(self, place(at), operand);
            }
        }
    }
}

/// Where in a mapping an access goes: which of a contiguous range's entries is cached.
pub(super) fn part_of(at: PteRef, size: Size) -> u8 {
    if size == Size::Large { at.page as u8 & 15 } else { 0 }
}

/// Whether a TLBI so far into a mapping names what is cached of it.
fn covers(offset: u64, size: Size, part: u8) -> bool {
    match size {
        Size::Large => offset >> offset_bits(Size::Small) == part.into(),
        size => offset >> offset_bits(size) == 0,
    }
}
