//! Page-table memory: one word per page and address space, as the walker finds it.
//!
//! Plain memory, without TLB, hash table or TSB. Kept between runs; a reset undoes only what was written.

use lazy_mmu_arches::page::{PAGES, PteRef};

const SPACES: usize = 3;

/// The page tables of K, U and V.
#[derive(Debug)]
pub(super) struct Memory {
    words: Vec<u64>,
    written: Vec<u16>,
}

impl Memory {
    pub(super) fn new() -> Memory {
        Memory { words: vec![0; SPACES * usize::from(PAGES)], written: Vec::new() }
    }

    pub(super) fn reset(&mut self) {
        for slot in self.written.drain(..) {
            self.words[usize::from(slot)] = 0;
        }
    }

    pub(super) fn load(&self, at: PteRef) -> u64 {
        self.words[slot(at)]
    }

    pub(super) fn store(&mut self, at: PteRef, word: u64) {
        let slot = slot(at);
        if self.words[slot] == 0 && word != 0 {
            self.written.push(slot as u16);
        }
        self.words[slot] = word;
    }
}

/// Any reference is in range: a subject that names a page beyond the end wraps.
fn slot(at: PteRef) -> usize {
    usize::from(at.mm.0) % SPACES * usize::from(PAGES) + usize::from(at.page % PAGES)
}
