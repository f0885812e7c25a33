//! Words of page-table entries, where the tree's are not the machine's: a powerpc64 kernel of 4K pages.
//!
//! The machine reads entries as a kernel of 64K pages lays them out. One of 4K pages has its marks elsewhere, keeps the slot of
//! the hash entry in the PTE itself and says no size. So a word goes over the border by what it says: the glue asks the
//! tree's own helpers, and [`pte`] has the machine's layout. The slot stays with the tree: while an entry says to the machine
//! what the machine has, the tree's word is left as it is.
//!
//! Not here: which entries go over, and when (`tree`). Called by `tree` and `subject`.

use lazy_mmu_arches::page::{PteFlags, Size};
use lazy_mmu_arches::powerpc64::pte;
use lazy_mmu_border::numbers::{entry, pte_flag};

use crate::border::enter;

/// Whose layout a form's words have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The machine's.
    Machine,
    /// Those of powerpc64 with 4K pages.
    Powerpc4k,
}

impl Words {
    /// The machine's word for one of the tree's, which lies in a slot of that size.
    pub fn told(self, word: u64, slot: Size) -> u64 {
        if self == Words::Machine || word == 0 {
            return word;
        }
        let bits = enter(entry::PTE_FLAGS, word, 0, 0);
        let frame = enter(entry::PTE_FRAME, word, slot as u64, 0) as u32;
        machine_word(bits, frame, size(enter(entry::PTE_SIZE, word, slot as u64, 0)))
    }

    /// The tree's word for one of the machine's; a hash entry that it may have is nowhere yet.
    pub fn meant(self, word: u64) -> u64 {
        if self == Words::Machine || word == 0 {
            return word;
        }
        enter(entry::PTE_WORD, bits_of(word), pte::pte_frame(word).into(), pte::size(word) as u64)
    }
}

/// The machine's word that says this.
fn machine_word(bits: u64, frame: u32, size: Size) -> u64 {
    let hashed = if bits & pte_flag::HASHED != 0 { pte::HASHPTE } else { 0 };
    pte::pte_word(flags(bits), frame, size) | hashed
}

/// What a word of the machine's says but for frame and size, as bits of the border.
fn bits_of(word: u64) -> u64 {
    bits(pte::pte_flags(word)) | if word & pte::HASHPTE != 0 { pte_flag::HASHED } else { 0 }
}

/// A size class by its number in the border.
pub fn size(number: u64) -> Size {
    match number {
        0 => Size::Small,
        1 => Size::Large,
        _ => Size::Huge,
    }
}

/// Flags as the border has them.
pub fn bits(flags: PteFlags) -> u64 {
    let PteFlags { valid, write, user, exec, accessed, dirty } = flags;
    let bit = |on: bool, bit: u64| if on { bit } else { 0 };
    bit(valid, pte_flag::VALID)
        | bit(write, pte_flag::WRITE)
        | bit(user, pte_flag::USER)
        | bit(exec, pte_flag::EXEC)
        | bit(accessed, pte_flag::ACCESSED)
        | bit(dirty, pte_flag::DIRTY)
}

/// The same taken apart.
pub fn flags(bits: u64) -> PteFlags {
    let has = |bit: u64| bits & bit != 0;
    PteFlags {
        valid: has(pte_flag::VALID),
        write: has(pte_flag::WRITE),
        user: has(pte_flag::USER),
        exec: has(pte_flag::EXEC),
        accessed: has(pte_flag::ACCESSED),
        dirty: has(pte_flag::DIRTY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_the_machines_says_what_it_was_made_of() {
        for n in 0..128 {
            for size in [Size::Small, Size::Large, Size::Huge] {
                let word = machine_word(n, 5, size);
                assert_eq!((bits_of(word), pte::pte_frame(word), pte::size(word)), (n, 5, size), "{n} {size:?}");
            }
        }
    }

    #[test]
    fn where_the_layout_is_one_a_word_is_itself() {
        assert_eq!(Words::Machine.told(7, Size::Small), 7);
        assert_eq!(Words::Machine.meant(7), 7);
        // An empty entry is empty everywhere.
        assert_eq!(Words::Powerpc4k.told(0, Size::Huge), 0);
        assert_eq!(Words::Powerpc4k.meant(0), 0);
    }
}
