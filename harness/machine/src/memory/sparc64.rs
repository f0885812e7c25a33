//! sparc64: software fills a CPU's TLB from the address space's TSB, and the TSB from the page table; a translation
//! stays in both until its TSB entry is invalidated and its address demapped on every CPU.
//!
//! An address space has a TSB for pages below 4M and one for the others, the kernel one of its own. A page that may be
//! executed is cached by both TLBs of a CPU. A demap by a store is complete at `membar #Sync` or `flush`; a hypervisor's
//! at once. A cross call names how many of the demaps that follow are made on the other CPU too, and is answered before
//! the sender goes on. `mm_cpumask()` is the machine's.
//! Refs: UltraSPARC User's Manual, 6.9 and 15.10 (MMU demap); UltraSPARC Virtual Machine Specification, MMU_UNMAP_ADDR;
//! `arch/sparc/kernel/tsb.S`. Called by the memory.

use std::hash::{Hash, Hasher};

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PteRef, Size};

use super::fingerprint::as_set;
use super::{Memory, Table, place, reference, table};
use crate::codec::sparc64::{
    self as codec, Access, BASE_BITS, DATA, INSTRUCTION, LARGEST_BITS, PSTATE, Which, address_of, offset_bits, page_at,
};
use crate::mutant::Mutant;
use lazy_mmu_program::CPUS;

/// Entries of a user TSB, and of the kernel's.
const ENTRIES: u64 = 512;
const KERNEL_ENTRIES: u64 = 2048;
/// Beside the sides of a CPU's TLB that have a translation: it is of the second half of a huge page.
const UPPER_HALF: u8 = 4;

#[derive(Clone, Copy, Debug, Default, Hash)]
struct TsbEntry {
    tag: u64,
    /// Whose, plus 1; 0 is an empty entry.
    slot: u16,
}

/// A demap that waits for its barrier.
#[derive(Clone, Copy, Debug, Hash)]
struct Demap {
    tlb: u8,
    context: u64,
    address: u64,
}

#[derive(Debug, Default, Hash)]
struct Cpu {
    /// The secondary context register.
    secondary: u64,
    pstate: u64,
    demaps: Vec<Demap>,
    /// How many addresses of the sender's stream this CPU still has to remove.
    called_for: u16,
}

/// TSBs, and the CPUs' MMU registers.
#[derive(Debug)]
pub(super) struct Tables {
    /// Per address space: first those of small pages, then the huge ones'.
    tsbs: [Vec<TsbEntry>; 3],
    used: Vec<(u8, u16)>,
    /// The word each entry's translation in a TSB was made of; 0 where there is none.
    words: Table<u64>,
    /// The size of the page that each entry's last store replaced.
    sizes: Table<Size>,
    cpus: [Cpu; CPUS as usize],
    /// The last address whose TSB entry was invalidated in this burst, and how many followed one another.
    run: Option<(u64, u32)>,
}

impl Tables {
    pub(super) fn new() -> Tables {
        let user = vec![TsbEntry::default(); 2 * ENTRIES as usize];
        Tables {
            tsbs: [vec![TsbEntry::default(); (KERNEL_ENTRIES + ENTRIES) as usize], user.clone(), user],
            used: Vec::new(),
            words: table(),
            sizes: table(),
            cpus: Default::default(),
            run: None,
        }
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.words[slot] = 0;
        self.sizes[slot] = Size::Small;
    }

    pub(super) fn reset(&mut self) {
        for (mm, index) in self.used.drain(..) {
            self.tsbs[usize::from(mm)][usize::from(index)] = TsbEntry::default();
        }
        for cpu in &mut self.cpus {
            cpu.secondary = 0;
            cpu.pstate = PSTATE;
            cpu.demaps.clear();
            cpu.called_for = 0;
        }
        self.run = None;
    }

    /// What an entry has here: its word in a TSB, and the size that was replaced.
    pub(super) fn entry(&self, slot: usize) -> (u64, Size) {
        (self.words[slot], self.sizes[slot])
    }

    /// A store replaced a page of this size.
    pub(super) fn replaced(&mut self, slot: usize, size: Size) {
        self.sizes[slot] = size;
    }

    /// What the rest of a run depends on, the entries' own apart.
    pub(super) fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Tables { tsbs, used, words: _, sizes: _, cpus, run } = self;
        for (mm, index) in as_set(used) {
            let entry = tsbs[usize::from(mm)][usize::from(index)];
            if entry.slot != 0 {
                (mm, index, entry).hash(state);
            }
        }
        (cpus, run).hash(state);
    }

    /// The word of the entry's translation in a TSB; 0 where there is none.
    pub(super) fn tsb_entry(&self, slot: usize) -> u64 {
        self.words[slot]
    }

    fn index(mm: Mm, address: u64, page_bits: u32) -> usize {
        let small = if mm.is_kernel() { KERNEL_ENTRIES } else { ENTRIES };
        if page_bits < LARGEST_BITS {
            codec::tsb_place(address, page_bits, small) as usize
        } else {
            (small + codec::tsb_place(address, page_bits, ENTRIES)) as usize
        }
    }

    fn fill(&mut self, mm: Mm, address: u64, page_bits: u32, slot: usize, word: u64) {
        let index = Self::index(mm, address, page_bits);
        let entry = &mut self.tsbs[usize::from(mm.0)][index];
        if let Some(before) = entry.slot.checked_sub(1) {
            self.words[usize::from(before)] = 0;
        }
        *entry = TsbEntry { tag: codec::tsb_tag(address), slot: slot as u16 + 1 };
        self.words[slot] = word;
        self.used.push((mm.0, index as u16));
    }

    /// `flush_tsb_user_page()`: the entry goes if it has the tag.
    fn flush(&mut self, mm: Mm, address: u64, page_bits: u32) {
        let index = Self::index(mm, address, page_bits);
        let entry = &mut self.tsbs[usize::from(mm.0)][index];
        if let Some(slot) = entry.slot.checked_sub(1).filter(|_| entry.tag == codec::tsb_tag(address)) {
            self.words[usize::from(slot)] = 0;
            *entry = TsbEntry::default();
        }
    }
}

/// Where in its page an access goes: not always to the first part, so that each part must be invalidated.
fn address_in(at: PteRef, size: Size) -> u64 {
    let address = address_of(PteRef { size, ..at });
    match size {
        Size::Small => address,
        Size::Large => address + (u64::from(at.page & 7) << BASE_BITS),
        Size::Huge => address + (u64::from(at.page & 1) << LARGEST_BITS),
    }
}

impl Memory {
    /// The TLB miss: the TSB, else the page table, which fills the TSB.
    pub(super) fn tsb_refill(&mut self, cpu: u8, at: PteRef, slot: usize) -> u64 {
        let mut word = self.sparc64.tsb_entry(slot);
        if word == 0 || self.is(Mutant::TsbNeverHit) {
            word = self.words[slot];
            if !self.format.is_valid(word) {
                return word;
            }
            let size = self.format.size(word);
            let page_bits = if size == Size::Huge { LARGEST_BITS } else { BASE_BITS };
            if !self.is(Mutant::TableNeverFilled) {
                self.sparc64.fill(at.mm, address_in(at, size), page_bits, slot, word);
            }
        }
        let upper = self.format.size(word) == Size::Huge && at.page & 1 == 1;
        let exec = if self.format.is_executable(word) { INSTRUCTION } else { 0 };
        let note = DATA | exec | if upper { UPPER_HALF } else { 0 };
        self.fill(cpu, slot, word, note);
        word
    }

    pub(super) fn sparc64_insn(&mut self, cpu: u8, insn: Insn) -> u64 {
        let state = &mut self.sparc64.cpus[usize::from(cpu)];
        match insn.op {
            Op::RdprPstate => return state.pstate,
            Op::WrprPstate => state.pstate = insn.a,
            Op::Ldxa | Op::Stxa | Op::Ta => match codec::access(insn) {
                Access::SecondaryContext if insn.op == Op::Ldxa => return state.secondary,
                Access::SecondaryContext => state.secondary = insn.b,
                Access::Demap(tlb, which, address) => {
                    let context = match which {
                        Which::Secondary => state.secondary,
                        Which::Number(number) => number,
                    };
                    state.demaps.push(Demap { tlb, context, address });
                    // A hypervisor's is complete when the trap returns.
                    if insn.op == Op::Ta || self.mutant == Some(Mutant::InvalidatedAtOnce) {
                        self.complete_demaps(cpu);
                    }
                }
                Access::Other => {}
            },
            Op::MembarSync | Op::Flush => self.complete_demaps(cpu),
            Op::TsbFlush => self.tsb_flush(insn),
            Op::Xcall if self.mutant == Some(Mutant::CrossCallsLost) => {}
            Op::Xcall => {
                let (number, addresses) = codec::cross_call(insn);
                if let Some(other) = self.sparc64.cpus.get_mut(number) {
                    let left = std::mem::replace(&mut other.called_for, addresses);
                    if left > 0 {
                        self.bursts.announced(left);
                    }
                }
            }
            _ => {}
        }
        0
    }

    /// A stream gives back `%pstate` and the secondary context, and no CPU was called for more addresses than it had.
    pub(super) fn sparc64_stream_ends(&mut self, cpu: u8) {
        for other in 0..CPUS {
            let state = &mut self.sparc64.cpus[usize::from(other)];
            if state.called_for > 0 {
                self.bursts.announced(std::mem::take(&mut state.called_for));
            }
        }
        let state = &mut self.sparc64.cpus[usize::from(cpu)];
        if (state.pstate, state.secondary) != (PSTATE, 0) {
            (state.pstate, state.secondary) = (PSTATE, 0);
            if self.mutant == Some(Mutant::BorrowedUnnoticed) {
                return;
            }
            self.bursts.borrowed();
        }
    }

    /// The demaps of one address are complete, here and on the CPUs that were called for it.
    fn complete_demaps(&mut self, cpu: u8) {
        if self.sparc64.cpus[usize::from(cpu)].demaps.is_empty() {
            return;
        }
        let mut demaps = std::mem::take(&mut self.sparc64.cpus[usize::from(cpu)].demaps);
        for demap in &demaps {
            self.demap(cpu, *demap);
        }
        for other in (0..CPUS).filter(|&other| other != cpu) {
            if self.sparc64.cpus[usize::from(other)].called_for > 0 {
                self.sparc64.cpus[usize::from(other)].called_for -= 1;
                demaps.iter().for_each(|demap| self.demap(other, *demap));
            }
        }
        self.count_demaps(&demaps);
        demaps.clear();
        self.sparc64.cpus[usize::from(cpu)].demaps = demaps;
    }

    fn slot_of(demap: Demap) -> Option<usize> {
        page_at(codec::context(demap.context)?, demap.address).map(place)
    }

    fn demap(&mut self, cpu: u8, demap: Demap) {
        let Some(slot) = Self::slot_of(demap) else { return };
        match self.mutant {
            Some(Mutant::InvalidatesNothing) => return,
            Some(Mutant::InvalidatesEverything) => return self.tlbs[usize::from(cpu)].drop_all(),
            _ => {}
        }
        let sides = if self.is(Mutant::BothSides) { INSTRUCTION | DATA } else { demap.tlb };
        let any_size = self.is(Mutant::AnySize) || self.is(Mutant::HalvesTogether);
        let tlb = &mut self.tlbs[usize::from(cpu)];
        let (word, note) = (tlb.word(slot), tlb.note(slot));
        if word == 0 {
            return;
        }
        let size = self.format.size(word);
        let half = if note & UPPER_HALF != 0 { 1 << LARGEST_BITS } else { 0 };
        let cached = address_of(PteRef { size, ..reference(slot) }) + half;
        if !any_size && cached >> offset_bits(size) != demap.address >> offset_bits(size) {
            return;
        }
        let left = note & !sides;
        tlb.set_note(slot, left);
        if left & (INSTRUCTION | DATA) == 0 {
            tlb.drop(slot);
        }
    }

    /// What of a batch went out: one address, whatever TLBs it was removed from.
    fn count_demaps(&mut self, demaps: &[Demap]) {
        for demap in demaps.iter().filter(|demap| demap.tlb & DATA != 0) {
            let Some(slot) = Self::slot_of(*demap) else { continue };
            self.flushed(slot);
            if demap.context == 0 {
                continue;
            }
            self.bursts.tell();
            // The second half of a huge page is the same entry's.
            let upper = demap.address & 1 << LARGEST_BITS != 0;
            if !upper && self.slots[slot].is_due_once() {
                // What the TSB was told of the size must be true of the page.
                self.bursts.size(self.sparc64.sizes[slot]);
            }
            let surplus = !upper && self.slots[slot].goes_out();
            self.bursts.updates(1, surplus);
        }
    }

    /// One TSB entry. Entries of neighbouring addresses are one 64K page's, of which nothing else tells the size.
    fn tsb_flush(&mut self, insn: Insn) {
        let (address, page_bits, Some(mm)) = codec::tsb_flush(insn) else { return };
        if !self.is(Mutant::TableKeeps) {
            self.sparc64.flush(mm, address, page_bits);
        }
        if mm.is_kernel() {
            return;
        }
        match &mut self.sparc64.run {
            Some((last, n)) if page_bits == BASE_BITS && *last + (1 << BASE_BITS) == address => {
                *last = address;
                *n += 1;
            }
            _ => {
                self.end_run();
                let huge = page_bits == LARGEST_BITS;
                self.sparc64.run = (!huge).then_some((address, 1));
                self.bursts.entry_of(mm, huge.then_some(Size::Huge));
            }
        }
    }

    /// No more neighbours come: the size of the last page is known.
    pub(super) fn end_run(&mut self) {
        if let Some((_, n)) = self.sparc64.run.take() {
            self.bursts.size(if n > 1 { Size::Large } else { Size::Small });
        }
    }
}
