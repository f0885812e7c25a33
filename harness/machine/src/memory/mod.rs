//! Page tables and everything between them and an access: what the hardware of each architecture would have seen.
//!
//! For every entry it keeps three things apart: what the kernel **asked** for last, what the **page table** says, and
//! what **walkers** may find (TLBs, hash table, TSBs, stores no walker need see yet). An access asks the third; at the
//! points where the mode promises something the three are compared, and what is not in effect becomes a fact of the
//! trace ([`Late`]). Nothing is judged here.
//!
//! | file | what |
//! | --- | --- |
//! | `slot` | one entry's state, and what it means that a translation is stale |
//! | `frames` | page frames: taken, freed, taken again |
//! | `effect` | what is not in effect, and who reaches a page that is freed |
//! | `tlb` | translations a CPU has cached, without limit: what is not invalidated stays |
//! | `burst` | what goes out to the hardware in one go |
//! | `aarch64`, `powerpc64`, `sparc64`, `x86_64` | each architecture's rules |
//!
//! Kept between runs; a reset undoes only what was used. Called by the machine.

mod aarch64;
mod burst;
mod effect;
mod fingerprint;
mod frames;
mod powerpc64;
mod slot;
mod sparc64;
mod tlb;
mod x86_64;

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PAGES, PteRef, Size};

use super::codec::Format;
use super::mutant::Mutant;
use burst::Bursts;
use frames::Frames;
use lazy_mmu_abi::trace::{Ask, Burst, Translation, Walked};
use lazy_mmu_program::CPUS;
use slot::{BARRIER, EARLY, FLUSHING, Kind, Slot, UNFLUSHED};
use tlb::Tlb;

/// Address spaces.
pub(super) const SPACES: usize = 3;
/// Entries.
const SLOTS: usize = SPACES * PAGES as usize;

/// Something of every entry. Its length is known to the compiler: a place in it needs no check.
type Table<T> = Box<[T; SLOTS]>;

fn table<T: Clone + Default>() -> Table<T> {
    let table = vec![T::default(); SLOTS].into_boxed_slice();
    table.try_into().unwrap_or_else(|_| unreachable!("it is as long as it was made"))
}

/// The page tables of K, U and V, and what the hardware has of them.
#[derive(Debug)]
pub(super) struct Memory {
    mmu: Mmu,
    /// What its words say.
    format: &'static Format,
    /// The subject's kernel has one page size for the two smaller ones here: in a batch they are one.
    one_base: bool,
    /// What this machine does not do, if a test took it away.
    mutant: Option<Mutant>,
    /// The page tables, as a load of this CPU finds them.
    words: Table<u64>,
    slots: Table<Slot>,
    /// Entries that were touched in this run.
    used: Vec<u16>,
    /// Entries with a change that may not be in effect: flagged so. Others in it are left over.
    open: Vec<u16>,
    /// Entries of TLB flushes that were asked for: flagged so. Others in it are left over.
    flushing: Vec<u16>,
    tlbs: [Tlb; CPUS as usize],
    frames: Frames,
    bursts: Bursts,
    aarch64: aarch64::Barriers,
    powerpc64: powerpc64::Invalidations,
    sparc64: sparc64::Tables,
    /// `mm_cpumask()`: the CPUs that may have translations of each address space.
    cpus: [u8; SPACES],
    /// The address spaces that have a number in the TLB, one bit each: from when a task of one first runs until its last
    /// task ends (sparc64).
    contexts: u8,
}

impl Memory {
    pub(super) fn new() -> Memory {
        Memory {
            mmu: Mmu::Plain,
            format: Format::of(Mmu::Plain),
            one_base: false,
            mutant: None,
            words: table(),
            slots: table(),
            used: Vec::new(),
            open: Vec::new(),
            flushing: Vec::new(),
            tlbs: [Tlb::new(), Tlb::new()],
            frames: Frames::new(),
            bursts: Bursts::default(),
            aarch64: aarch64::Barriers::new(),
            powerpc64: powerpc64::Invalidations::new(),
            sparc64: sparc64::Tables::new(),
            cpus: [0; SPACES],
            contexts: 0,
        }
    }

    /// Back to how a machine with this MMU boots.
    pub(super) fn reset(&mut self, mmu: Mmu) {
        let Memory { words, slots, used, aarch64, powerpc64, sparc64, .. } = self;
        for slot in used.drain(..) {
            let at = usize::from(slot);
            words[at] = 0;
            slots[at] = Slot::default();
            aarch64.forget(at);
            powerpc64.forget(at);
            sparc64.forget(at);
        }
        self.open.clear();
        self.flushing.clear();
        self.tlbs.iter_mut().for_each(Tlb::drop_all);
        self.frames.reset();
        self.bursts = Bursts::default();
        self.aarch64.reset();
        self.powerpc64.reset();
        self.sparc64.reset();
        self.cpus = [0; SPACES];
        self.contexts = 0;
        self.mmu = mmu;
        self.format = Format::of(mmu);
        self.one_base = false;
    }

    /// From now on the two smaller page sizes are one in a batch, until the next reset.
    pub(super) fn know_one_base(&mut self) {
        self.one_base = true;
    }

    /// What a page size is for a batch, whose entries have one.
    fn size_in_batch(&self, size: Size) -> Size {
        if self.one_base && size == Size::Large { Size::Small } else { size }
    }

    /// Takes something away from what the machine does, from now on.
    pub(super) fn mutate(&mut self, mutant: Option<Mutant>) {
        self.mutant = mutant;
    }

    /// Whether this was taken away. Asked off the hot path.
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// A task of the address space runs on the CPU: from now on the CPU may have translations of it.
    pub(super) fn runs(&mut self, cpu: u8, mm: Mm) {
        self.cpus[usize::from(mm.0) % SPACES] |= 1 << cpu;
        self.contexts |= 1 << (mm.0 % 8);
    }

    /// Whether no other CPU may have translations of the address space.
    pub(super) fn is_thread_local(&self, cpu: u8, mm: Mm) -> bool {
        if self.is(Mutant::CpusForgotten) {
            return !mm.is_kernel();
        }
        !mm.is_kernel() && self.cpus[usize::from(mm.0) % SPACES] & !(1 << cpu) == 0
    }

    /// The CPU goes on in another context: it has refetched since (an exception return does that).
    pub(super) fn context_switch(&mut self, cpu: u8) {
        if !self.is(Mutant::SwitchRefetchesNothing) {
            self.aarch64.synchronise(cpu);
        }
        self.powerpc64.order(cpu);
        if self.is(Mutant::SwitchDropsTlb) {
            self.tlbs[usize::from(cpu)].drop_all();
        }
    }

    pub(super) fn load(&self, at: PteRef) -> u64 {
        self.words[place(at)]
    }

    /// A store by this CPU; refused where the guest's page tables are read-only to it.
    pub(super) fn store(&mut self, cpu: u8, at: PteRef, word: u64) -> bool {
        let slot = self.use_slot(at);
        if self.mmu == Mmu::Xen && !self.is(Mutant::TablesWritable) {
            return false;
        }
        let old = self.write(slot, word);
        match self.mmu {
            Mmu::Aarch64 if self.is(Mutant::StoresSeenAtOnce) => {}
            Mmu::Aarch64 => self.aarch64.store(cpu, slot, old),
            Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v => {
                let size = if old == 0 { at.size } else { self.format.size(old) };
                self.bursts.store(at, self.size_in_batch(size));
                // What replaces nothing leaves what a batch still holds as it is.
                if old != 0 {
                    self.sparc64.replaced(slot, size);
                }
            }
            Mmu::Radix if self.is(Mutant::NoPtesync) => {}
            Mmu::Radix => self.powerpc64.store(cpu, slot),
            _ => {}
        }
        true
    }

    /// What every store to a page table does, whoever makes it: also one that nobody asked for is looked at.
    fn write(&mut self, slot: usize, word: u64) -> u64 {
        if self.slots[slot].open() {
            self.open.push(slot as u16);
        }
        if self.is(Mutant::WriteProtectionSeenAtOnce) && slot::loses_write(self.format, self.words[slot], word) {
            self.tlbs.iter_mut().for_each(|tlb| tlb.drop(slot));
        }
        std::mem::replace(&mut self.words[slot], word)
    }

    /// The entry's place; it is put back at the next reset.
    fn use_slot(&mut self, at: PteRef) -> usize {
        let slot = place(at);
        self.slots[slot].use_once(slot, &mut self.used);
        slot
    }

    /// The kernel asks for a change of `n` entries from `at` on. `by` says who.
    pub(super) fn ask(&mut self, at: PteRef, n: u16, ask: Ask, exec: bool, by: u8) {
        let waits = self.mmu == Mmu::Aarch64 && at.mm.is_kernel() && matches!(ask, Ask::Map(_));
        let barrier = if waits { BARRIER } else { 0 };
        let kind = Kind { user: !at.mm.is_kernel(), exec, size: self.format.size_for(at.size) };
        for i in 0..n {
            let at = at.step(i);
            let slot = self.use_slot(at);
            let counted = self.is_counted(slot, at, ask);
            if self.slots[slot].ask(ask, kind, i, by, counted, barrier) {
                self.open.push(slot as u16);
            }
        }
    }

    /// Whether a change of the entry must reach the hardware as one entry of a batch or of a hypercall.
    fn is_counted(&self, slot: usize, at: PteRef, ask: Ask) -> bool {
        let old = self.words[slot];
        if self.mmu == Mmu::Xen || old == 0 {
            return self.mmu == Mmu::Xen;
        }
        match self.mmu {
            // An entry that the hash table knows is marked so: using it changes nothing more. One that is read-only
            // already is left alone by ptep_set_wrprotect().
            Mmu::Hash => self.format.is_touched(old) && (self.format.is_writable(old) || ask != Ask::Wrprotect),
            Mmu::Sun4u | Mmu::Sun4v => !at.mm.is_kernel() && self.format.is_valid(old),
            _ => false,
        }
    }

    /// What the entry should say.
    pub(super) fn asked(&self, at: PteRef) -> Option<Translation> {
        self.slots[place(at)].asked.translation()
    }

    /// `n` frames of their own, in a row.
    pub(super) fn take_frames(&mut self, n: u16) -> u32 {
        self.frames.take(n, self.mutant == Some(Mutant::FramesNeverReused))
    }

    /// What a reader of an entry finds in its word.
    pub(super) fn reads(&self, at: PteRef, word: u64) -> Option<Translation> {
        if self.is(Mutant::ReadsAsAsked) { self.asked(at) } else { slot::translation(self.format, word) }
    }

    /// Whether the address space has a number in the TLB (sparc64); elsewhere nobody asks.
    pub(super) fn is_context_valid(&self, mm: Mm) -> bool {
        mm.is_kernel() || self.contexts & 1 << (mm.0 % 8) != 0
    }

    /// The last task of the address space has ended: no CPU can find translations of it any more, and where it has a
    /// number in the TLB it gives it up.
    ///
    /// Source: `destroy_context()`, `arch/sparc/mm/tsb.c`; `switch_mm()`, `arch/sparc/include/asm/mmu_context_64.h`,
    /// which gives a new number and empties the TLB of that number.
    pub(super) fn space_ends(&mut self, mm: Mm) {
        if !matches!(self.mmu, Mmu::Sun4u | Mmu::Sun4v) || self.is(Mutant::ContextsKept) {
            return;
        }
        self.contexts &= !(1 << (mm.0 % 8));
        let first = usize::from(mm.0) * usize::from(PAGES);
        self.tlbs.iter_mut().for_each(|tlb| tlb.drop_range(first..first + usize::from(PAGES)));
    }

    /// An access of this CPU through the entry's address.
    pub(super) fn walk(&mut self, cpu: u8, at: PteRef) -> Walked {
        let slot = self.use_slot(at);
        self.runs(cpu, at.mm);
        let cached = self.tlbs[usize::from(cpu)].word(slot);
        let word = if cached != 0 { cached } else { self.refill(cpu, at, slot) };
        let found = slot::translation(self.format, word);
        let state = &self.slots[slot];
        let asked = state.asked.translation();
        let freed = found.is_some_and(|found| state.has_freed(found.frame) && !self.is(Mutant::FreedIsFresh));
        Walked { found, asked, unflushed: state.flags & UNFLUSHED != 0, freed }
    }

    /// What the walker finds, and leaves in the TLB and wherever else translations are kept.
    fn refill(&mut self, cpu: u8, at: PteRef, slot: usize) -> u64 {
        let word = match self.mmu {
            Mmu::Plain => {
                return self.words[slot];
            }
            Mmu::Aarch64 => {
                let repaired = !at.mm.is_kernel() && !self.is(Mutant::FaultsStay);
                if repaired && !self.format.is_valid(self.aarch64.visible(cpu, slot, 0)) {
                    self.aarch64.spurious_fault(slot);
                }
                self.aarch64.visible(cpu, slot, self.words[slot])
            }
            Mmu::Hash => return self.hash_refill(cpu, at, slot),
            Mmu::Sun4u | Mmu::Sun4v => return self.tsb_refill(cpu, at, slot),
            Mmu::Radix | Mmu::Native | Mmu::Xen => self.words[slot],
        };
        if !self.format.is_valid(word) {
            return word;
        }
        let touched = self.format.touched(word);
        if self.words[slot] == word {
            self.words[slot] = touched;
        }
        let part = if self.mmu == Mmu::Aarch64 { aarch64::part_of(at, self.format.size(touched)) } else { 0 };
        self.fill(cpu, slot, touched, part);
        touched
    }

    /// A translation is cached.
    fn fill(&mut self, cpu: u8, slot: usize, word: u64, note: u8) {
        let never = match self.mutant {
            Some(Mutant::TlbNeverFills) => true,
            Some(Mutant::TlbOfCpu0NeverFills) => cpu == 0,
            Some(Mutant::TlbOfCpu1NeverFills) => cpu == 1,
            _ => false,
        };
        if !never {
            self.tlbs[usize::from(cpu)].fill(slot, word, note);
        }
    }

    /// An instruction of this CPU, Xen's hypercalls aside.
    pub(super) fn execute(&mut self, cpu: u8, insn: Insn) -> u64 {
        match self.mmu {
            Mmu::Aarch64 => self.aarch64_insn(cpu, insn),
            Mmu::Hash | Mmu::Radix => self.powerpc64_insn(cpu, insn),
            Mmu::Sun4u | Mmu::Sun4v => return self.sparc64_insn(cpu, insn),
            Mmu::Native => self.x86_64_insn(cpu, insn),
            Mmu::Plain | Mmu::Xen => {}
        }
        0
    }

    /// What went out since the last time, if anything did.
    pub(super) fn take_burst(&mut self) -> Option<Burst> {
        self.end_run();
        let burst = self.bursts.take();
        if self.is(Mutant::BurstsUncounted) { None } else { burst }
    }

    /// An operation or a call is over on this CPU: what it left behind that it had to give back.
    #[inline]
    pub(super) fn stream_ends(&mut self, cpu: u8) {
        if matches!(self.mmu, Mmu::Sun4u | Mmu::Sun4v) {
            self.sparc64_stream_ends(cpu);
        }
    }

    /// Whether nothing has gone out since the last time.
    pub(super) fn burst_is_empty(&self) -> bool {
        self.bursts.is_empty()
    }

    /// Whether this instruction begins another batch than the one that is going out.
    pub(super) fn begins_another(&self, insn: Insn) -> bool {
        matches!(insn.op, Op::HpteInvalidate | Op::TsbFlush) && self.bursts.is_told()
    }

    /// An operation or a hook begins: no entry is at hand.
    pub(super) fn nothing_at_hand(&mut self) {
        self.bursts.nothing_at_hand();
    }

    /// A CPU drops what it has cached for an entry, whose page as cached `covers` the address at hand.
    fn invalidate(&mut self, cpu: u8, slot: usize, covers: impl Fn(Size, u8) -> bool) {
        let tlb = &mut self.tlbs[usize::from(cpu)];
        let word = tlb.word(slot);
        let size = self.format.size(word);
        let missed = self.mutant == Some(Mutant::LargeMissed) && size != Size::Small;
        if word != 0 && !missed && covers(size, tlb.note(slot)) {
            tlb.drop(slot);
        }
    }

    /// An invalidation reaches an entry: was its change made by then?
    fn flushed(&mut self, slot: usize) {
        if self.slots[slot].flags & FLUSHING == 0 {
            return;
        }
        let changed = slot::entry(self.format, self.words[slot]) == self.slots[slot].asked;
        let early = (!changed || self.aarch64.is_unordered(slot)) && !self.is(Mutant::EarlyUnnoticed);
        self.slots[slot].set(EARLY, early);
    }

    /// The same of every entry that is to be flushed, in one address space or in all.
    fn flushed_all(&mut self, mm: Option<Mm>) {
        for i in 0..self.flushing.len() {
            let slot = usize::from(self.flushing[i]);
            if mm.is_none_or(|mm| slot / usize::from(PAGES) == usize::from(mm.0)) {
                self.flushed(slot);
            }
        }
    }
}

/// Any reference is in range: a subject that names a page beyond the end wraps.
fn place(at: PteRef) -> usize {
    usize::from(at.mm.0) % SPACES * usize::from(PAGES) + usize::from(at.page % PAGES)
}

/// The entry at a place; its size is not known there.
fn reference(slot: usize) -> PteRef {
    let pages = usize::from(PAGES);
    PteRef { mm: Mm((slot / pages) as u8), page: (slot % pages) as u16, size: Size::Small }
}

#[cfg(test)]
mod tests;
