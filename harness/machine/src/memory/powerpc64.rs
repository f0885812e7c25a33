//! powerpc64: an access that misses enters the translation in the hash table, and there and in TLBs it stays until
//! its hash entry is made invalid and a tlbie of its page, page size and segment size is complete. On radix the walker
//! reads the page table, and only the TLB must be told.
//!
//! The hash table has [`GROUPS`] groups of eight entries; an entry lies in its primary or its secondary group. Where
//! both are full another entry is evicted, and its TLB entries stay, as in the kernel. A `tlbie` is complete at
//! `eieio; tlbsync; ptesync`, a `tlbiel` at `ptesync`, and an entry made invalid, or on radix changed, is out of
//! walkers' reach at the next `ptesync`.
//! Refs: Power ISA 3.0B, book III, 5.7.9 "Hashed page table search", 5.9.3.3, 5.10. Called by the memory.

use std::hash::{Hash, Hasher};

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PAGES, PteRef};

use super::fingerprint::as_set;
use super::slot::{EARLY, FLUSHING};
use super::{Memory, Table, place, reference, table};
use crate::codec::powerpc64::{HashPage, RadixOperand, Segment, address_of, page_at};
use crate::mutant::Mutant;
use lazy_mmu_program::CPUS;

/// Groups of the hash table, a power of two.
const GROUPS: u64 = 256;
/// Entries of a group.
const GROUP: usize = 8;

/// A hash entry: the page, and whose it is.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Hpte {
    valid: bool,
    page: HashPage,
    slot: u16,
}

/// The hash table, and what each CPU has issued that is not complete.
#[derive(Debug)]
pub(super) struct Invalidations {
    groups: Vec<[Hpte; GROUP]>,
    /// The word each entry's translation was made of, where the table has one; else 0.
    entries: Table<u64>,
    used: Vec<u16>,
    cpus: [Pending; CPUS as usize],
}

#[derive(Debug, Default)]
struct Pending {
    /// Entries made invalid, or on radix stored to, no ptesync since.
    unordered: Vec<u16>,
    /// `tlbie`s issued.
    global: Vec<Insn>,
    /// `tlbiel`s issued.
    local: Vec<Insn>,
    eieio: bool,
    tlbsync: bool,
}

impl Invalidations {
    pub(super) fn new() -> Invalidations {
        Invalidations {
            groups: vec![Default::default(); GROUPS as usize],
            entries: table(),
            used: Vec::new(),
            cpus: Default::default(),
        }
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.entries[slot] = 0;
    }

    pub(super) fn reset(&mut self) {
        for group in self.used.drain(..) {
            self.groups[usize::from(group)] = Default::default();
        }
        for pending in &mut self.cpus {
            pending.unordered.clear();
            pending.global.clear();
            pending.local.clear();
            pending.eieio = false;
            pending.tlbsync = false;
        }
    }

    /// What the rest of a run depends on, the entries' own apart. What an invalid hash entry says means nothing.
    pub(super) fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Invalidations { groups, entries: _, used, cpus } = self;
        for group in as_set(used) {
            let valid = groups[usize::from(group)].iter().enumerate().filter(|(_, hpte)| hpte.valid);
            valid.for_each(|hpte| (group, hpte).hash(state));
        }
        for Pending { unordered, global, local, eieio, tlbsync } in cpus {
            (as_set(unordered), global, local, eieio, tlbsync).hash(state);
        }
    }

    /// A store to a radix page table: a tlbie before the next ptesync can be undone by a walker.
    pub(super) fn store(&mut self, cpu: u8, slot: usize) {
        self.cpus[usize::from(cpu)].unordered.push(slot as u16);
    }

    /// The CPU's stores are ordered before what follows.
    pub(super) fn order(&mut self, cpu: u8) {
        self.cpus[usize::from(cpu)].unordered.clear();
    }

    /// The word of the entry's translation in the hash table; 0 where there is none.
    pub(super) fn hash_entry(&self, slot: usize) -> u64 {
        self.entries[slot]
    }

    /// The groups an entry may lie in.
    fn groups_of(page: HashPage) -> [usize; 2] {
        let hash = page.hash();
        [(hash & (GROUPS - 1)) as usize, (!hash & (GROUPS - 1)) as usize]
    }

    /// Enters a translation; where both groups are full, one entry of the first goes.
    fn insert(&mut self, hpte: Hpte, word: u64) {
        let groups = Self::groups_of(hpte.page);
        let free = groups.into_iter().find_map(|group| {
            let at = self.groups[group].iter().position(|entry| !entry.valid)?;
            Some((group, at))
        });
        let (group, at) = free.unwrap_or((groups[0], usize::from(hpte.slot) % GROUP));
        let entry = &mut self.groups[group][at];
        if entry.valid {
            self.entries[usize::from(entry.slot)] = 0;
        }
        *entry = hpte;
        self.entries[usize::from(hpte.slot)] = word;
        self.used.push(group as u16);
    }

    /// Makes the entry of that page, page size and segment size invalid, if the table has it in the first of so many
    /// groups; whose it was.
    fn remove(&mut self, page: HashPage, groups: usize) -> Option<u16> {
        let wanted = |entry: &&mut Hpte| entry.valid && entry.page == page;
        Self::groups_of(page).into_iter().take(groups).find_map(|group| {
            let entry = self.groups[group].iter_mut().find(wanted)?;
            entry.valid = false;
            self.entries[usize::from(entry.slot)] = 0;
            Some(entry.slot)
        })
    }
}

impl Memory {
    /// The hash fault: `__hash_page_4K()` and its kin.
    pub(super) fn hash_refill(&mut self, cpu: u8, at: PteRef, slot: usize) -> u64 {
        let mut word = self.powerpc64.hash_entry(slot);
        if word == 0 {
            if !self.format.is_valid(self.words[slot]) {
                return self.words[slot];
            }
            word = self.format.touched(self.words[slot]);
            self.words[slot] = word;
            let hpte = Hpte { valid: true, page: HashPage::of(at, self.format.size(word)), slot: slot as u16 };
            if !self.is(Mutant::TableNeverFilled) {
                self.powerpc64.insert(hpte, word);
            }
        }
        self.fill(cpu, slot, word, 0);
        word
    }

    pub(super) fn powerpc64_insn(&mut self, cpu: u8, insn: Insn) {
        let pending = &mut self.powerpc64.cpus[usize::from(cpu)];
        match insn.op {
            Op::HpteInvalidate => self.hpte_invalidate(cpu, insn),
            Op::Tlbie => {
                pending.eieio = false;
                pending.tlbsync = false;
                pending.global.push(insn);
                self.tlbie_issued(cpu, insn);
            }
            Op::Tlbiel => {
                pending.local.push(insn);
                self.tlbie_issued(cpu, insn);
            }
            Op::Eieio => pending.eieio = true,
            Op::Tlbsync => {
                pending.tlbsync = pending.eieio || self.mutant == Some(Mutant::NoEieio);
                if self.is(Mutant::NoPtesync) {
                    self.complete(cpu);
                }
            }
            Op::Ptesync => {
                self.powerpc64.order(cpu);
                self.complete(cpu);
            }
            _ => {}
        }
    }

    fn hpte_invalidate(&mut self, cpu: u8, insn: Insn) {
        let Some(page) = HashPage::searched(insn) else { return };
        let groups = match self.mutant {
            Some(Mutant::TableKeeps) => 0,
            Some(Mutant::SecondaryUnsearched) => 1,
            _ => 2,
        };
        let removed = self.powerpc64.remove(page, groups);
        if let Some(slot) = removed.filter(|_| !self.is(Mutant::NoPtesync)) {
            self.powerpc64.cpus[usize::from(cpu)].unordered.push(slot);
        }
        let at = page.entry();
        let surplus = at.is_some_and(|at| self.slots[place(at)].goes_out());
        self.bursts.updates(1, surplus);
        let mm = at.map_or(Mm::KERNEL, |at| at.mm);
        let size = self.size_in_batch(page.size);
        self.bursts.shape((mm, size, page.segment as u8), |at| Segment::of(address_of(at)) as u8);
    }

    /// A tlbie that comes before the invalid entry is out of walkers' reach can be undone by a walker.
    fn tlbie_issued(&mut self, cpu: u8, insn: Insn) {
        if self.mmu == Mmu::Radix {
            self.each_of_radix(insn, |memory, slot| {
                memory.flushed(slot);
                memory.flushed_unordered(cpu, slot);
            });
            return;
        }
        self.bursts.tell();
        if let Some(slot) = slot_of(insn) {
            let unordered = &self.powerpc64.cpus[usize::from(cpu)].unordered;
            let early = unordered.contains(&(slot as u16)) && self.mutant != Some(Mutant::EarlyUnnoticed);
            self.slots[slot].set(EARLY, early);
        }
    }

    /// The same of a store: a tlbie that is not behind its ptesync.
    fn flushed_unordered(&mut self, cpu: u8, slot: usize) {
        let unordered = &self.powerpc64.cpus[usize::from(cpu)].unordered;
        let early = unordered.contains(&(slot as u16)) && self.mutant != Some(Mutant::EarlyUnnoticed);
        if self.slots[slot].flags & FLUSHING != 0 && early {
            self.slots[slot].set(EARLY, true);
        }
    }

    /// The invalidations that a ptesync waits for are made.
    fn complete(&mut self, cpu: u8) {
        let pending = &mut self.powerpc64.cpus[usize::from(cpu)];
        let mut local = std::mem::take(&mut pending.local);
        for insn in local.drain(..) {
            let everywhere = self.is(Mutant::LocalReachesAll);
            (0..CPUS).filter(|&to| to == cpu || everywhere).for_each(|to| self.tlbie_complete(to, insn));
        }
        let synced = self.is(Mutant::NoTlbsync);
        let pending = &mut self.powerpc64.cpus[usize::from(cpu)];
        pending.local = local;
        if pending.tlbsync || synced {
            pending.tlbsync = false;
            let mut global = std::mem::take(&mut pending.global);
            for insn in global.drain(..) {
                let only_here = self.is(Mutant::InvalidatesHereAlone);
                (0..CPUS).filter(|&to| to == cpu || !only_here).for_each(|to| self.tlbie_complete(to, insn));
            }
            self.powerpc64.cpus[usize::from(cpu)].global = global;
        }
    }

    fn tlbie_complete(&mut self, cpu: u8, insn: Insn) {
        if self.is(Mutant::InvalidatesNothing) {
            return;
        }
        if self.is(Mutant::InvalidatesEverything) {
            return self.tlbs[usize::from(cpu)].drop_all();
        }
        if self.mmu == Mmu::Radix {
            self.radix_complete(cpu, insn);
        } else if let Some(named) = HashPage::invalidated(insn)
            && let Some(at) = named.entry()
        {
            let any_size = self.is(Mutant::AnySize);
            self.invalidate(cpu, place(at), |size, _| any_size || HashPage::of(at, size).is(named));
        }
    }

    fn radix_complete(&mut self, cpu: u8, insn: Insn) {
        match RadixOperand::new(insn) {
            Some(RadixOperand::Process(_)) if self.is(Mutant::WholeFlushesNothing) => {}
            Some(RadixOperand::Process(mm)) => {
                let first = usize::from(mm.0) * usize::from(PAGES);
                self.tlbs[usize::from(cpu)].drop_range(first..first + usize::from(PAGES));
            }
            Some(operand @ RadixOperand::Page(mm, address, _)) => {
                let Some(slot) = page_at(mm, address).map(place) else { return };
                let address = address_of(reference(slot));
                let any_size = self.is(Mutant::AnySize);
                self.invalidate(cpu, slot, |size, _| any_size || operand.is_page_at(address, size));
            }
            None => {}
        }
    }

    /// The entries that a radix tlbie names and that are to be flushed or looked at.
    fn each_of_radix(&mut self, insn: Insn, mut f: impl FnMut(&mut Memory, usize)) {
        match RadixOperand::new(insn) {
            Some(RadixOperand::Process(mm)) => {
                for i in 0..self.flushing.len() {
                    let slot = usize::from(self.flushing[i]);
                    if reference(slot).mm == mm {
                        f(self, slot);
                    }
                }
            }
            Some(RadixOperand::Page(mm, address, _)) => {
                if let Some(at) = page_at(mm, address) {
                    f(self, place(at));
                }
            }
            None => {}
        }
    }
}

/// The entry whose page a `tlbie` of the hash MMU names.
fn slot_of(insn: Insn) -> Option<usize> {
    HashPage::invalidated(insn)?.entry().map(place)
}
