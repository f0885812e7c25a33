//! Access and dirty of a folded group: hardware marks whichever of the 16 entries it used, and the tree's code answers for
//! all of them. Checked by the adapter, for no program of the machine looks at these bits.
//!
//! When a program reads an entry of a folded group, the adapter plays hardware on the tree's own table, calls what reclaim
//! and the fault handler call, looks at the 16 words, and puts them back as they were. The machine hears nothing of it.
//! What it is not: the entries that this needs are in the glue (`lz_arch_age()`). Called by `subject`.

use lazy_mmu_arches::page::PteRef;
use lazy_mmu_border::numbers::{age, entry, pte_flag};

use crate::border::enter;
use crate::contiguous::{ACCESSED, CONT, GROUP, RDONLY, WRITE, Words, is_block};
use crate::tree::{Tree, packed};

/// What was played, and what is said where the tree's code does not answer for the whole group.
const UNSEEN_YOUNG: &str = "ptep_get() does not see the access flag that hardware set in another entry of the group";
const UNSEEN_DIRTY: &str = "ptep_get() does not see that hardware made another entry of the group dirty";
const CHANGED: &str = "aging or a fault changes more of contiguous entries than access and dirty";
const NOT_YOUNG: &str = "an access flag in another entry of the group is not answered by clearing it";
const LEFT_YOUNG: &str = "the access flag is cleared in some of 16 contiguous entries, and others keep it";
const LEFT_DIRTY: &str = "dirty is cleared in some of 16 contiguous entries, and others keep it";
const LEFT_OLD: &str = "a fault sets the access flag in some of 16 contiguous entries, and others lack it";
const NOT_FLUSHED: &str = "clearing the access flag with a flush leaves contiguous entries in the TLB";

/// An answer that there is no such function in the tree.
const ABSENT: u64 = 2;

impl Tree {
    /// Plays hardware on the group that an entry lies in, if it is folded. A call that names the entry is in progress.
    pub fn play_access(&self, at: PteRef) {
        let first = PteRef { page: at.page & !(GROUP as u16 - 1), ..at };
        if !self.is_folded(first) {
            return;
        }
        let before = self.words_at(first);
        let found = self.while_playing(|| self.played(at, first, &before));
        self.put_words(first, &before);
        if let Some(text) = found {
            self.complain(text);
        }
    }

    fn played(&self, at: PteRef, first: PteRef, before: &Words) -> Option<&'static str> {
        let other = (usize::from(at.page) + 5) % GROUP;
        let old = before.map(|word| word & !ACCESSED);
        let put = |words: &Words| self.put_words(first, words);
        let ask = |how| enter(entry::AGE, packed(at), how, 0);
        // One entry is accessed: the tree sees it, and clears it.
        let mut one = old;
        one[other] |= ACCESSED;
        put(&one);
        if self.flags_of(at) & pte_flag::ACCESSED == 0 {
            return Some(UNSEEN_YOUNG);
        }
        for how in [age::TEST_YOUNG, age::FLUSH_YOUNG] {
            put(&one);
            self.groups.forget_flushed();
            let answer = ask(how);
            let now = self.words_at(first);
            let wrong = [
                (answer == 0, NOT_YOUNG),
                (now.iter().any(|word| word & ACCESSED != 0), LEFT_YOUNG),
                (how == age::FLUSH_YOUNG && self.groups.flushed() != u16::MAX, NOT_FLUSHED),
                (!is_same(&now, &old), CHANGED),
            ];
            if let Some(text) = first_of(&wrong) {
                return Some(text);
            }
        }
        // A fault without a write, where the hardware sets no access flags.
        for words in [&old, &one] {
            put(words);
            ask(age::FAULT);
            let now = self.words_at(first);
            let wrong = [(now.iter().any(|word| word & ACCESSED == 0), LEFT_OLD), (!is_same(&now, &old), CHANGED)];
            if let Some(text) = first_of(&wrong) {
                return Some(text);
            }
        }
        self.played_dirty(at, first, &old, other)
    }

    /// One entry is written to: a writable one is dirty where hardware has taken its read-only bit away.
    fn played_dirty(&self, at: PteRef, first: PteRef, old: &Words, other: usize) -> Option<&'static str> {
        if old[0] & WRITE == 0 {
            return None;
        }
        let mut one = old.map(|word| word | RDONLY);
        one[other] = one[other] & !RDONLY | ACCESSED;
        self.put_words(first, &one);
        if self.flags_of(at) & pte_flag::DIRTY == 0 {
            return Some(UNSEEN_DIRTY);
        }
        if enter(entry::AGE, packed(at), age::CLEAN, 0) == ABSENT {
            return None;
        }
        let now = self.words_at(first);
        let wrong = [
            (now.iter().any(|word| word & RDONLY == 0), LEFT_DIRTY),
            (now.iter().any(|word| word & ACCESSED != 0), LEFT_YOUNG),
            (!is_same(&now, old), CHANGED),
        ];
        first_of(&wrong)
    }

    /// What the tree's `ptep_get()` says of an entry.
    fn flags_of(&self, at: PteRef) -> u64 {
        enter(entry::PTE_FLAGS, enter(entry::GET, packed(at), 0, 0), 0, 0)
    }
}

/// Whether the group is the same but for access and dirty.
fn is_same(now: &Words, old: &Words) -> bool {
    let alike = |word: u64| word & !(ACCESSED | RDONLY | crate::contiguous::DIRTY);
    is_block(now) && alike(now[0]) == alike(old[0]) && now.iter().all(|word| word & CONT != 0)
}

/// What is said of the first that is wrong.
fn first_of(wrong: &[(bool, &'static str)]) -> Option<&'static str> {
    wrong.iter().find(|(is_wrong, _)| *is_wrong).map(|&(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contiguous::advanced;

    #[test]
    fn a_group_is_the_same_whatever_its_access_and_dirty_are() {
        let old: Words = std::array::from_fn(|n| advanced(0x00f8_0000_0020_0bc3, n));
        assert!(is_same(&old, &old));
        assert!(is_same(&old.map(|word| (word | ACCESSED) & !RDONLY), &old));
        let mut now = old;
        now[3] &= !CONT;
        assert!(!is_same(&now, &old));
        assert!(!is_same(&old.map(|word| word ^ WRITE), &old));
    }

    #[test]
    fn the_first_that_is_wrong_is_said() {
        assert_eq!(first_of(&[(false, CHANGED), (true, LEFT_OLD), (true, LEFT_YOUNG)]), Some(LEFT_OLD));
        assert_eq!(first_of(&[(false, CHANGED)]), None);
    }
}
