//! Which size of page each entry is mapped with: callers change, and flush, an entry by its own size alone.
//!
//! No architecture lets a mapping's size change under a valid translation: it is cleared, flushed by the size it had, and
//! set anew (arch.md; `flush_pmd_tlb_range()` beside `flush_tlb_range()`). A program that does otherwise misuses the API,
//! and what its flushes miss is its own. Not an oracle. Called by [`super::legality`].

use std::hash::{Hash, Hasher};

use lazy_mmu_abi::trace::Ask;
use lazy_mmu_arches::page::{PAGES, PteRef};
use lazy_mmu_program::Pages;

/// Address spaces.
const SPACES: usize = 3;

/// The mark of an entry that is valid; below it its size, from 1.
const VALID: u8 = 0x80;

/// See the module.
#[derive(Clone, Debug)]
pub struct Sizes {
    of: Box<[u8; SPACES * PAGES as usize]>,
    /// Slots that are not 0, or were.
    touched: Vec<u16>,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { of: Box::new([0; SPACES * PAGES as usize]), touched: Vec::new() }
    }
}

impl Sizes {
    /// Before the first event.
    pub fn reset(&mut self) {
        for slot in self.touched.drain(..) {
            self.of[usize::from(slot)] = 0;
        }
    }

    /// The kernel asks for a change of so many entries; whether one that is to be set is mapped with another size. What
    /// is cleared or changed in place has the size that it has.
    pub fn ask(&mut self, at: PteRef, n: u16, ask: Ask) -> bool {
        let own = at.size as u8 + 1;
        let first = slot(at);
        let mut other = false;
        for place in first..first + usize::from(n) {
            let Some(known) = self.of.get_mut(place) else { break };
            let before = *known & !VALID;
            match ask {
                Ask::Map(_) | Ask::Mark(_) => {
                    other |= before != 0 && before != own;
                    if before == 0 {
                        self.touched.push(place as u16);
                    }
                    *known = own | if matches!(ask, Ask::Map(_)) { VALID } else { 0 };
                }
                Ask::Clear => *known &= !VALID,
                Ask::Wrprotect => {}
            }
        }
        other
    }

    /// Whether one of so many entries is mapped with another size.
    #[must_use]
    pub fn differ(&self, at: PteRef, n: u16) -> bool {
        let own = at.size as u8 + 1;
        let known = self.of.iter().skip(slot(at)).take(usize::from(n));
        !self.touched.is_empty() && known.map(|known| known & !VALID).any(|size| size != 0 && size != own)
    }

    /// These pages are flushed; whether one of them is mapped, or was, with another size. What was cleared before may be
    /// mapped with any size now.
    pub fn flush(&mut self, pages: Pages) -> bool {
        if self.touched.is_empty() {
            return false;
        }
        let own = pages.size as u8 + 1;
        let mut other = false;
        pages.each_run(|at, n| {
            let first = slot(at);
            for known in self.of.iter_mut().skip(first).take(usize::from(n)) {
                let before = *known & !VALID;
                other |= before != 0 && before != own;
                if *known == own {
                    *known = 0;
                }
            }
        });
        other
    }

    /// What later answers depend on.
    pub fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let mut known: Vec<_> = self.touched.iter().map(|&at| (at, self.of[usize::from(at)])).collect();
        known.retain(|(_, size)| *size != 0);
        known.sort_unstable();
        known.dedup();
        known.hash(state);
    }
}

fn slot(at: PteRef) -> usize {
    usize::from(at.mm.0 % SPACES as u8) * usize::from(PAGES) + usize::from(at.page)
}
