//! Cells of a huge page: with base pages of 4K a huge page of the hash MMU takes several entries of its table, side by side,
//! and a walker may come by any of them.
//!
//! The machine has one entry for it, which is the first of them. So the others must say the same, each of its own part of the
//! page: where a call leaves one that does not, the machine hears of it as of a warning. Not here: the entries themselves.
//! Called by `tree`.

use lazy_mmu_arches::page::{PteRef, Size};
use lazy_mmu_border::numbers::{entry, pte_flag};
use lazy_mmu_engine::trace::{Complaint, Site};

use crate::border::{enter, read, write};
use crate::tree::{Open, Tree};
use crate::words::Words;

/// What is said where they differ.
const DIFFER: &str = "entries of one huge page say different things";

/// What every cell says: the marks of a use are the first one's.
const SHARED: u64 = pte_flag::VALID | pte_flag::WRITE | pte_flag::USER | pte_flag::EXEC;

impl Tree {
    /// How many entries of a table an entry of the machine's takes.
    fn cells(&self, at: PteRef) -> u64 {
        if self.form.words != Words::Powerpc4k || at.size != Size::Huge {
            return 1;
        }
        // A table's first pages lie side by side.
        let place = |page| self.place(PteRef { page, ..at });
        (place(1) - place(0)) / 8
    }

    /// Bytes of a huge page that one of so many cells maps.
    fn part(&self, cells: u64) -> u64 {
        (1 << self.facts.shifts[Size::Huge as usize]) / cells
    }

    /// Writes all cells of an entry, whose first says `word`.
    pub fn put_cells(&self, at: PteRef, word: u64) {
        let (place, cells) = (self.place(at), self.cells(at));
        for n in 0..cells {
            write(place + 8 * n, if word == 0 { 0 } else { word + n * self.part(cells) });
        }
    }

    /// The entries of the call that ends: all cells of each say the same, or the machine hears of it.
    pub fn settle_cells(&self) {
        let Open { at: Some(at @ PteRef { size: Size::Huge, .. }), pages, updating: true, .. } = self.open.get() else {
            return;
        };
        let is_torn = |at: PteRef| {
            let (place, cells) = (self.place(at), self.cells(at));
            (1..cells).any(|n| said(read(place + 8 * n)) != part_of(said(read(place)), n * self.part(cells)))
        };
        if (0..pages).any(|n| is_torn(at.step(n))) {
            self.env().complain(Complaint::Warn, Site::of("lazymmu", 0, "the call", DIFFER));
        }
    }
}

/// What a cell says: the shared flags, and where in memory its part is, in base pages of 4K; nothing of an empty one.
fn said(word: u64) -> Option<(u64, u64)> {
    let flags = enter(entry::PTE_FLAGS, word, 0, 0) & SHARED;
    (word != 0).then(|| (flags, enter(entry::PTE_FRAME, word, Size::Small as u64, 0)))
}

/// What the cell of a part so many bytes further says.
fn part_of(first: Option<(u64, u64)>, bytes: u64) -> Option<(u64, u64)> {
    first.map(|(flags, frame)| (flags, frame + (bytes >> 12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_behind_the_parts_before_it() {
        assert_eq!(part_of(Some((3, 0x1000)), 2 << 20), Some((3, 0x1200)));
        assert_eq!(part_of(None, 2 << 20), None);
    }
}
