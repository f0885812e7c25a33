//! What of the kernel's changes is not in effect, where the mode or a flush promises it; and who still reaches a page
//! that is freed.
//!
//! Facts only: whether something may be late here is the oracles' affair. Called by the machine, at those points.

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{PAGES, PteRef};

use super::slot::{self, BARRIER, EARLY, FLUSHING, OPEN, UNFLUSHED};
use super::{Memory, place, reference};
use crate::mutant::Mutant;
use lazy_mmu_abi::trace::{Late, Point, Why};
use lazy_mmu_program::CPUS;

impl Memory {
    /// Of the entries from `at` on, those whose change is not in effect for this CPU.
    pub(crate) fn late_among(&mut self, cpu: u8, point: Point, at: PteRef, n: u16) -> Option<Late> {
        let mut late = None;
        for i in 0..n {
            let slot = place(at.step(i));
            match self.status(cpu, slot) {
                Some(why) => note(&mut late, point, slot, why),
                None => self.slots[slot].flags &= !OPEN,
            }
        }
        late
    }

    /// Of all changes the task asked for, those that are not in effect for this CPU.
    pub(crate) fn late_of(&mut self, cpu: u8, task: u8) -> Option<Late> {
        let mut late = None;
        let mut kept = 0;
        for i in 0..self.open.len() {
            let slot = self.open[i];
            let state = &self.slots[usize::from(slot)];
            if state.flags & OPEN == 0 {
                self.slots[usize::from(slot)].unlist();
                continue;
            }
            if state.by == task {
                match self.status(cpu, slot.into()) {
                    Some(why) => note(&mut late, Point::Settle, slot.into(), why),
                    None => {
                        self.slots[usize::from(slot)].unlist();
                        continue;
                    }
                }
            }
            self.open[kept] = slot;
            kept += 1;
        }
        self.open.truncate(kept);
        late
    }

    /// What is missing for the entry's change to be in effect for this CPU.
    #[inline(always)]
    fn status(&self, cpu: u8, slot: usize) -> Option<Why> {
        let state = &self.slots[slot];
        if slot::entry(self.format, self.words[slot]) != state.asked {
            return Some(Why::Table);
        }
        let kernel = slot < usize::from(PAGES);
        let invalidates = self.mmu.update_invalidates(kernel);
        // Most entries need no more than that.
        if !invalidates && state.flags & (EARLY | BARRIER | FLUSHING) == 0 {
            None
        } else {
            self.lacks(cpu, slot, invalidates)
        }
    }

    /// The same of an entry whose word is right.
    #[inline(never)]
    fn lacks(&self, cpu: u8, slot: usize, invalidates: bool) -> Option<Why> {
        let state = &self.slots[slot];
        if state.flags & EARLY != 0 {
            return Some(Why::FlushedEarly);
        }
        if state.flags & BARRIER != 0
            && let Some(why) = self.aarch64.lacks(cpu, slot)
        {
            return Some(why);
        }
        let due = invalidates || state.flags & FLUSHING != 0;
        if due { self.stale(slot) } else { None }
    }

    /// Where an old translation of the entry still is.
    fn stale(&self, slot: usize) -> Option<Why> {
        let now = self.words[slot];
        let old = |word: u64| slot::is_stale(self.format, word, now);
        if old(self.powerpc64.hash_entry(slot)) {
            Some(Why::Hash)
        } else if old(self.sparc64.tsb_entry(slot)) {
            Some(Why::Tsb)
        } else {
            let cpu = self.tlbs.iter().position(|tlb| old(tlb.word(slot)))?;
            Some(Why::Tlb(cpu as u8))
        }
    }

    /// A TLB flush of `n` pages from `at` on is asked for.
    pub(crate) fn flush_begins(&mut self, at: PteRef, n: u16) {
        for i in 0..n {
            let slot = place(at.step(i));
            let state = &mut self.slots[slot];
            if state.flags & (UNFLUSHED | FLUSHING) == UNFLUSHED {
                state.flags |= FLUSHING;
                self.flushing.push(slot as u16);
            }
        }
    }

    /// Its call has returned: what of it is not in effect.
    pub(crate) fn flush_ends(&mut self, cpu: u8, at: PteRef, n: u16, by: u8) -> Option<Late> {
        let mut late = None;
        for i in 0..n {
            let slot = place(at.step(i));
            if self.slots[slot].flags & FLUSHING == 0 {
                continue;
            }
            match self.status(cpu, slot) {
                Some(why) => {
                    note(&mut late, Point::Flush, slot, why);
                    // Whoever asked for it may rely on it at the end of the section.
                    let state = &mut self.slots[slot];
                    state.by = by;
                    if state.open() {
                        self.open.push(slot as u16);
                    }
                }
                None => self.slots[slot].flags &= !(FLUSHING | UNFLUSHED),
            }
        }
        let slots = &self.slots;
        self.flushing.retain(|&slot| slots[usize::from(slot)].flags & FLUSHING != 0);
        late
    }

    /// The frames unmapped at `n` pages from `at` on are freed: how many, and a translation that still leads to one.
    pub(crate) fn free_unmapped(&mut self, at: PteRef, n: u16) -> (u16, Option<(PteRef, u8, u32)>) {
        let mut freed = 0;
        let mut reachable = None;
        for i in 0..n {
            let slot = place(at.step(i));
            let Some(frame) = self.slots[slot].take_unmapped() else { continue };
            self.frames.free(frame);
            self.slots[slot].frees(frame);
            freed += 1;
            if reachable.is_none() {
                reachable = self.reaches(slot, frame).map(|cpu| (at.step(i), cpu, frame));
            }
        }
        (freed, reachable)
    }

    /// A frame of the allocator is freed; its page of the linear map is `at`. A CPU that still reaches it there.
    pub(crate) fn free_linear(&mut self, at: PteRef, frame: u32) -> Option<u8> {
        let slot = self.use_slot(at);
        self.slots[slot].frees(frame);
        self.reaches(slot, frame)
    }

    /// A CPU that can reach the frame through the entry's address: by what is cached, or by the page table as its walker
    /// sees it.
    fn reaches(&self, slot: usize, frame: u32) -> Option<u8> {
        if self.is(Mutant::FreedUnnoticed) {
            return None;
        }
        let leads = |word: u64| slot::translation(self.format, word).is_some_and(|found| found.frame == frame);
        if leads(self.powerpc64.hash_entry(slot)) || leads(self.sparc64.tsb_entry(slot)) {
            return Some(0);
        }
        let seen = |cpu| match self.mmu {
            Mmu::Aarch64 => self.aarch64.visible(cpu, slot, self.words[slot]),
            _ => self.words[slot],
        };
        (0..CPUS).find(|&cpu| leads(self.tlbs[usize::from(cpu)].word(slot)) || leads(seen(cpu)))
    }
}

fn note(late: &mut Option<Late>, point: Point, slot: usize, why: Why) {
    match late {
        Some(late) => late.count = late.count.saturating_add(1),
        None => *late = Some(Late { point, count: 1, at: reference(slot), why }),
    }
}
