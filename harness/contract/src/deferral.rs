//! Which entries each task's callers have changed in a section since the last point at which the mode promises that
//! changes are in effect. Not an oracle, but what legality and oracles ask: an entry in here may say the old or the new.
//!
//! From the program's own operations alone, so the same on every backend: an architecture that defers nothing gives no
//! right to read back what another would have deferred.

use std::hash::{Hash, Hasher};

use lazy_mmu_arches::page::{PAGES, PteRef};

use lazy_mmu_program::TASKS;

const WORDS: usize = 3 * PAGES as usize / 64;

/// A set of entries.
#[derive(Debug)]
struct Entries {
    words: [u64; WORDS],
    is_empty: bool,
}

impl Default for Entries {
    fn default() -> Entries {
        Entries { words: [0; WORDS], is_empty: true }
    }
}

impl Entries {
    fn clear(&mut self) {
        if !self.is_empty {
            self.words = [0; WORDS];
            self.is_empty = true;
        }
    }

    fn add(&mut self, at: PteRef, n: u16) {
        self.is_empty &= n == 0;
        each_word(at, n, |word, mask| {
            self.words[word] |= mask;
            false
        });
    }

    fn meets(&self, at: PteRef, n: u16) -> bool {
        !self.is_empty && each_word(at, n, |word, mask| self.words[word] & mask != 0)
    }
}

/// The words of a run of entries with its bits in them, until `f` is true; whether it was.
fn each_word(at: PteRef, n: u16, mut f: impl FnMut(usize, u64) -> bool) -> bool {
    let first = usize::from(at.mm.0 % 3) * usize::from(PAGES) + usize::from(at.page % PAGES);
    let end = (first + usize::from(n)).min(WORDS * 64);
    let mut bit = first;
    while bit < end {
        let upto = (bit / 64 * 64 + 64).min(end);
        let mask = (u64::MAX >> (64 - (upto - bit))) << (bit % 64);
        if f(bit / 64, mask) {
            return true;
        }
        bit = upto;
    }
    false
}

/// See the module.
#[derive(Debug, Default)]
pub struct Deferral {
    tasks: [Entries; TASKS as usize],
    /// Bit per task that defers anything.
    some: u8,
}

impl Deferral {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.tasks.iter_mut().for_each(Entries::clear);
        self.some = 0;
    }

    /// What later verdicts depend on: the entries that are in.
    pub fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Deferral { tasks, some: _ } = self;
        for (task, Entries { words, is_empty }) in tasks.iter().enumerate() {
            if !is_empty {
                (task, words).hash(state);
            }
        }
    }

    /// The task changes `n` entries in its section.
    pub fn defer(&mut self, task: u8, at: PteRef, n: u16) {
        self.tasks[usize::from(task)].add(at, n);
        self.some |= 1 << task;
    }

    /// What the task has changed is in effect; whether that was anything.
    pub fn settle(&mut self, task: u8) -> bool {
        let any = self.some & 1 << task != 0;
        if any {
            self.tasks[usize::from(task)].clear();
            self.some &= !(1 << task);
        }
        any
    }

    /// Whether nobody defers anything.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.some == 0
    }

    /// Whether the task defers one of these entries.
    #[must_use]
    pub fn by(&self, task: u8, at: PteRef, n: u16) -> bool {
        self.tasks[usize::from(task)].meets(at, n)
    }

    /// Whether another task does.
    #[must_use]
    pub fn by_another(&self, task: u8, at: PteRef, n: u16) -> bool {
        self.some & !(1 << task) != 0 && (0..TASKS).any(|other| other != task && self.by(other, at, n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lazy_mmu_arches::page::{Mm, Size};

    fn at(mm: u8, page: u16) -> PteRef {
        PteRef { mm: Mm(mm), page, size: Size::Small }
    }

    #[test]
    fn a_run_of_entries_is_in_and_its_neighbours_are_not() {
        let mut deferral = Deferral::default();
        for (first, n) in [(0, 1), (63, 2), (5, 59), (64, 64), (100, 385), (2047, 1), (1536, 512)] {
            deferral.reset();
            deferral.defer(1, at(1, first), n);
            for page in 0..PAGES {
                let inside = page >= first && page < first + n;
                assert_eq!(deferral.by(1, at(1, page), 1), inside, "{first} x{n}: {page}");
                assert!(!deferral.by(1, at(0, page), 1) && !deferral.by(1, at(2, page), 1));
                assert_eq!((deferral.by(2, at(1, page), 1), deferral.by_another(2, at(1, page), 1)), (false, inside));
            }
            assert!(deferral.by_another(0, at(1, 0), PAGES));
            deferral.settle(1);
            assert!(!deferral.by(1, at(1, 0), PAGES) && !deferral.by_another(0, at(1, 0), PAGES));
        }
        deferral.defer(3, at(2, 9), 0);
        assert!(!deferral.by(3, at(2, 0), PAGES));
    }
}
