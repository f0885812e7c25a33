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
use lazy_mmu_arches::page::{Mm, PAGES, PteRef, Size};
use lazy_mmu_arches::powerpc64::queue::{Segment, address_space, segment, vpn};
use lazy_mmu_arches::powerpc64::{decode, page_at, virtual_address};

use super::fingerprint::as_set;
use super::slot::{self, EARLY, FLUSHING};
use super::{Memory, Table, place, reference, table};
use crate::program::CPUS;
use crate::subject::Subject;

/// Groups of the hash table, a power of two.
const GROUPS: u64 = 256;
/// Entries of a group.
const GROUP: usize = 8;

/// A hash entry: the page, what the low bits of its RB depend on, and whose it is.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Hpte {
    valid: bool,
    vpn: u64,
    size: Size,
    segment: Segment,
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
    fn groups_of(vpn: u64, size: Size, segment: Segment) -> [usize; 2] {
        let hash = decode::hash(vpn, size, segment);
        [(hash & (GROUPS - 1)) as usize, (!hash & (GROUPS - 1)) as usize]
    }

    /// Enters a translation; where both groups are full, one entry of the first goes.
    fn insert(&mut self, hpte: Hpte, word: u64) {
        let groups = Self::groups_of(hpte.vpn, hpte.size, hpte.segment);
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

    /// Makes the entry of that page, page size and segment size invalid, if the table has it; whose it was.
    fn remove(&mut self, vpn: u64, size: Size, segment: Segment) -> Option<u16> {
        let wanted = |entry: &&mut Hpte| entry.valid && (entry.vpn, entry.size, entry.segment) == (vpn, size, segment);
        Self::groups_of(vpn, size, segment).into_iter().find_map(|group| {
            let entry = self.groups[group].iter_mut().find(wanted)?;
            entry.valid = false;
            self.entries[usize::from(entry.slot)] = 0;
            Some(entry.slot)
        })
    }
}

impl Memory {
    /// The hash fault: `__hash_page_4K()` and its kin.
    pub(super) fn hash_refill(&mut self, subject: &dyn Subject, cpu: u8, at: PteRef, slot: usize) -> u64 {
        let mut word = self.powerpc64.hash_entry(slot);
        if word == 0 {
            if !slot::is_valid(subject, self.words[slot]) {
                return self.words[slot];
            }
            word = subject.touched(self.words[slot]);
            self.words[slot] = word;
            let address = virtual_address(at);
            let (size, segment) = (subject.pte_size(word), segment(address));
            let hpte = Hpte { valid: true, vpn: vpn(at.mm, address), size, segment, slot: slot as u16 };
            self.powerpc64.insert(hpte, word);
        }
        self.tlbs[usize::from(cpu)].fill(slot, word, 0);
        word
    }

    pub(super) fn powerpc64_insn(&mut self, subject: &dyn Subject, cpu: u8, insn: Insn) {
        let pending = &mut self.powerpc64.cpus[usize::from(cpu)];
        match insn.op {
            Op::HpteInvalidate => self.hpte_invalidate(cpu, insn),
            Op::Tlbie => {
                pending.eieio = false;
                pending.tlbsync = false;
                pending.global.push(insn);
                self.tlbie_issued(subject, cpu, insn);
            }
            Op::Tlbiel => {
                pending.local.push(insn);
                self.tlbie_issued(subject, cpu, insn);
            }
            Op::Eieio => pending.eieio = true,
            Op::Tlbsync => pending.tlbsync = pending.eieio,
            Op::Ptesync => self.ptesync(subject, cpu),
            _ => {}
        }
    }

    fn hpte_invalidate(&mut self, cpu: u8, insn: Insn) {
        let size = [Size::Small, Size::Large, Size::Huge][usize::from(insn.b as u8 % 3)];
        let segment = if insn.b >> 8 == 0 { Segment::M256 } else { Segment::T1 };
        if let Some(slot) = self.powerpc64.remove(insn.a, size, segment) {
            self.powerpc64.cpus[usize::from(cpu)].unordered.push(slot);
        }
        let whose = address_space(insn.a);
        let at = whose.and_then(|(mm, address)| page_at(mm, address));
        let surplus = at.is_some_and(|at| self.slots[place(at)].goes_out());
        self.bursts.updates(1, surplus);
        let mm = whose.map_or(Mm::KERNEL, |(mm, _)| mm);
        self.bursts.shape((mm, size, segment as u8), |at| self::segment(virtual_address(at)) as u8);
    }

    /// A tlbie that comes before the invalid entry is out of walkers' reach can be undone by a walker.
    fn tlbie_issued(&mut self, subject: &dyn Subject, cpu: u8, insn: Insn) {
        if self.mmu == Mmu::Radix {
            self.each_of_radix(insn, |memory, slot| {
                memory.flushed(subject, slot);
                memory.flushed_unordered(cpu, slot);
            });
            return;
        }
        self.bursts.tell();
        if let Some(slot) = slot_of_rb(insn.a) {
            let unordered = &self.powerpc64.cpus[usize::from(cpu)].unordered;
            let early = unordered.contains(&(slot as u16));
            self.slots[slot].set(EARLY, early);
        }
    }

    /// The same of a store: a tlbie that is not behind its ptesync.
    fn flushed_unordered(&mut self, cpu: u8, slot: usize) {
        let unordered = &self.powerpc64.cpus[usize::from(cpu)].unordered;
        if self.slots[slot].flags & FLUSHING != 0 && unordered.contains(&(slot as u16)) {
            self.slots[slot].set(EARLY, true);
        }
    }

    fn ptesync(&mut self, subject: &dyn Subject, cpu: u8) {
        let pending = &mut self.powerpc64.cpus[usize::from(cpu)];
        pending.unordered.clear();
        let mut local = std::mem::take(&mut pending.local);
        local.drain(..).for_each(|insn| self.tlbie_complete(subject, cpu, insn));
        let pending = &mut self.powerpc64.cpus[usize::from(cpu)];
        pending.local = local;
        if pending.tlbsync {
            pending.tlbsync = false;
            let mut global = std::mem::take(&mut pending.global);
            for insn in global.drain(..) {
                (0..CPUS).for_each(|other| self.tlbie_complete(subject, other, insn));
            }
            self.powerpc64.cpus[usize::from(cpu)].global = global;
        }
    }

    fn tlbie_complete(&mut self, subject: &dyn Subject, cpu: u8, insn: Insn) {
        if self.mmu == Mmu::Radix {
            self.radix_complete(subject, cpu, insn);
        } else if let Some(slot) = slot_of_rb(insn.a) {
            let address = virtual_address(reference(slot));
            let (vpn, segment) = (vpn(reference(slot).mm, address), segment(address));
            self.invalidate(subject, cpu, slot, |size, _| decode::hash_rb(vpn, size, segment) == insn.a);
        }
    }

    fn radix_complete(&mut self, subject: &dyn Subject, cpu: u8, insn: Insn) {
        if insn.a & decode::IS_PID != 0 {
            let first = usize::from((insn.b >> 32) as u8) * usize::from(PAGES);
            self.tlbs[usize::from(cpu)].drop_range(first..first + usize::from(PAGES));
            return;
        }
        self.each_of_radix(insn, |memory, slot| {
            let address = virtual_address(reference(slot));
            memory.invalidate(subject, cpu, slot, |size, _| decode::radix_rb(address, size) == insn.a);
        });
    }

    /// The entries that a radix tlbie names and that are to be flushed or looked at.
    fn each_of_radix(&mut self, insn: Insn, mut f: impl FnMut(&mut Memory, usize)) {
        let mm = Mm((insn.b >> 32) as u8);
        if insn.a & decode::IS_PID != 0 {
            for i in 0..self.flushing.len() {
                let slot = usize::from(self.flushing[i]);
                if reference(slot).mm == mm {
                    f(self, slot);
                }
            }
        } else if let Some(at) = page_at(mm, insn.a & !0xfff) {
            f(self, place(at));
        }
    }
}

/// The entry whose page an RB of the hash MMU names: the bits below a page's number say its sizes.
fn slot_of_rb(rb: u64) -> Option<usize> {
    let (mm, address) = address_space(rb >> 12)?;
    page_at(mm, address & !0xf_ffff).map(place)
}
