//! What one CPU has cached: at most one translation per entry, and no limit to how many. A real TLB forgets; one that
//! never does shows every translation that somebody forgot to invalidate.
//!
//! Not here: who may invalidate what. Called by the memory.

use super::{Table, table};

/// See the module.
#[derive(Debug)]
pub(super) struct Tlb {
    /// The word a translation was made of; 0 where there is none.
    words: Table<u64>,
    /// What an architecture remembers besides.
    notes: Table<u8>,
    /// Where translations are, or were.
    filled: Vec<u16>,
}

impl Tlb {
    pub(super) fn new() -> Tlb {
        Tlb { words: table(), notes: table(), filled: Vec::new() }
    }

    pub(super) fn word(&self, slot: usize) -> u64 {
        self.words[slot]
    }

    pub(super) fn note(&self, slot: usize) -> u8 {
        self.notes[slot]
    }

    /// The word and the note of what is cached.
    pub(super) fn cached(&self, slot: usize) -> (u64, u8) {
        if self.words[slot] == 0 { (0, 0) } else { (self.words[slot], self.notes[slot]) }
    }

    pub(super) fn set_note(&mut self, slot: usize, note: u8) {
        self.notes[slot] = note;
    }

    pub(super) fn fill(&mut self, slot: usize, word: u64, note: u8) {
        self.words[slot] = word;
        self.notes[slot] = note;
        self.filled.push(slot as u16);
    }

    pub(super) fn drop(&mut self, slot: usize) {
        self.words[slot] = 0;
    }

    pub(super) fn drop_all(&mut self) {
        for slot in self.filled.drain(..) {
            self.words[usize::from(slot)] = 0;
        }
    }

    /// Drops the translations of a range of slots: an address space.
    pub(super) fn drop_range(&mut self, slots: std::ops::Range<usize>) {
        let words = &mut self.words;
        self.filled.retain(|&slot| {
            let slot = usize::from(slot);
            if slots.contains(&slot) {
                words[slot] = 0;
            }
            words[slot] != 0
        });
    }
}
