//! Small user entries of arm64 in groups of 16: what of the tree's folds and unfolds the machine hears, and what is checked.
//!
//! The machine has small pages without the contiguous bit. So a call on small user entries loads the whole groups that it
//! touches, the bit as the tree left it, and compares them: what it left in any of the 16 is told without the bit. While
//! entries are taken away that the call does not name, a conversion is under way, and nothing is told, nor are its
//! barriers and invalidations: the old words are back before anybody looks, and a walker that comes right then finds them
//! as they were, which is the worst that the architecture allows. `contiguous` judges the conversion instead.
//! The machine's large page is a group of its own: one word there, 16 here. Called by `tree`, `arm64` and `took`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use lazy_mmu_arches::backend::mix;
use lazy_mmu_arches::insn::Op;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{PteRef, Size};
use lazy_mmu_border::numbers::entry;
use lazy_mmu_engine::trace::{Complaint, Site};

use crate::border::{enter, read, write};
use crate::contiguous::{CONT, Fault, Folios, GROUP, Group, Step, Words, advanced, is_block, is_folded, is_small};
use crate::tree::{Open, Tree, packed};

/// What a tree with contpte is, by its fact.
#[derive(Clone, Copy, Debug)]
pub struct Contpte {
    needs_break: bool,
    folios: Folios,
}

impl Contpte {
    /// Of `FACT_CONTPTE`; nothing where the tree folds nothing.
    pub fn of(fact: u64) -> Option<Contpte> {
        let folios = Folios { period: fact >> 8 & 0xff, lone: fact >> 16 & 0xff };
        (fact & 1 != 0).then_some(Contpte { needs_break: fact & 2 == 0, folios })
    }
}

/// What a run has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// A group was folded when its last entry was set.
    pub fold: bool,
    /// A group was set at once, with the bit.
    pub batch: bool,
    /// A group lost the bit and no more.
    pub unfold: bool,
}

/// One group of the call in progress.
#[derive(Debug)]
struct Watched {
    group: Group,
    first: PteRef,
    /// Which of its entries the call names.
    named: u16,
    /// What the machine knows of it.
    told: Words,
}

/// The groups of the call in progress, and which are folded.
#[derive(Debug, Default)]
pub struct State {
    watched: RefCell<Vec<Watched>>,
    folded: RefCell<BTreeSet<(u8, u16)>>,
    seen: Cell<Seen>,
    /// Which entries have been invalidated while the adapter plays hardware.
    playing: Cell<Option<u16>>,
}

impl State {
    /// A run begins.
    pub fn reset(&self) {
        self.watched.borrow_mut().clear();
        self.folded.borrow_mut().clear();
        self.seen.set(Seen::default());
        self.playing.set(None);
    }

    /// What this run has shown.
    pub fn seen(&self) -> Seen {
        self.seen.get()
    }

    /// Which entries have been invalidated since `forget_flushed`.
    pub fn flushed(&self) -> u16 {
        self.playing.get().unwrap_or(0)
    }

    /// What comes now is looked at by itself.
    pub fn forget_flushed(&self) {
        self.playing.set(Some(0));
    }

    /// The bits, which are state that no arena and no word of the machine has.
    pub fn digest(&self, digest: u64) -> u64 {
        let folded = self.folded.borrow();
        folded.iter().fold(digest, |digest, &(mm, page)| mix(digest, u64::from(mm) << 16 | u64::from(page)))
    }
}

impl Tree {
    /// Whether an entry is one that the tree may fold.
    fn may_fold(&self, at: PteRef) -> bool {
        self.folds() && at.size == Size::Small && !at.mm.is_kernel()
    }

    /// Whether the tree's code folds entries of this form at all.
    pub fn folds(&self) -> bool {
        self.form.mmu == Mmu::Aarch64 && self.facts.contpte.is_some()
    }

    /// A word of an entry as the machine has it: the bit leaks through the tree's getters.
    pub fn plain(&self, at: PteRef, word: u64) -> u64 {
        if self.may_fold(at) { word & !CONT } else { word }
    }

    /// The 16 words from an entry on.
    pub fn words_at(&self, first: PteRef) -> Words {
        let place = self.place(first);
        std::array::from_fn(|n| read(place + 8 * n as u64))
    }

    /// Puts the words of a group where the tree's code looks.
    pub fn put_words(&self, first: PteRef, words: &Words) {
        let place = self.place(first);
        words.iter().enumerate().for_each(|(n, &word)| write(place + 8 * n as u64, word));
    }

    /// Whether a group is folded.
    pub fn is_folded(&self, first: PteRef) -> bool {
        self.may_fold(first) && self.groups.folded.borrow().contains(&(first.mm.0, first.page))
    }

    /// What the tree's code does meanwhile is not the program's: the machine does not hear of it.
    pub fn while_playing<R>(&self, play: impl FnOnce() -> R) -> R {
        self.groups.playing.set(Some(0));
        let result = play();
        self.groups.playing.set(None);
        result
    }

    /// Loads the groups that the call in progress touches; false where it touches none.
    pub fn load_groups(&self) -> bool {
        let mut watched = self.groups.watched.borrow_mut();
        watched.clear();
        let Open { at: Some(at), pages: pages @ 1.., .. } = self.open.get() else { return false };
        if !self.may_fold(at) {
            return false;
        }
        let end = at.page + pages;
        for page in (at.page & !(GROUP as u16 - 1)..end).step_by(GROUP) {
            let first = PteRef { page, ..at };
            let is_named = |n: &u16| (at.page..end).contains(&(page + n));
            let named = (0..GROUP as u16).filter(is_named).fold(0, |mask, n| mask | 1 << n);
            let words = self.load_group(first, named);
            watched.push(Watched { group: Group::begin(words), first, named, told: words.map(|word| word & !CONT) });
        }
        true
    }

    /// Loads one group: with the bit where the tree has folded it and the machine has said nothing else of it since.
    fn load_group(&self, first: PteRef, named: u16) -> Words {
        let at = |n: usize| first.step(n as u16);
        let machine: Words = std::array::from_fn(|n| self.env().pte_load(at(n)));
        let memory = self.words_at(first);
        let key = (first.mm.0, first.page);
        let is_kept = self.groups.folded.borrow().contains(&key)
            && memory.iter().zip(machine).all(|(&here, there)| here ^ there == CONT);
        if is_kept {
            return memory;
        }
        self.groups.folded.borrow_mut().remove(&key);
        // A page of another size at a slot is a neighbour's affair: it lies at an address of its own.
        let seen = |n: usize| if is_small(machine[n]) || named & 1 << n != 0 { machine[n] & !CONT } else { 0 };
        let words: Words = std::array::from_fn(seen);
        for (n, &word) in words.iter().enumerate() {
            self.use_entry(at(n));
            if memory[n] != word {
                write(self.place(at(n)), word);
            }
        }
        words
    }

    /// Tells what differs in the groups of the call in progress, unless a conversion is under way; false where there are
    /// none.
    pub fn settle_groups(&self) -> bool {
        let mut watched = self.groups.watched.borrow_mut();
        if self.groups.playing.get().is_none() && !self.is_converting(&watched) {
            watched.iter_mut().for_each(|watched| self.tell(watched));
        }
        !watched.is_empty()
    }

    fn tell(&self, watched: &mut Watched) {
        let now = self.words_at(watched.first);
        for (n, (told, word)) in watched.told.iter_mut().zip(now).enumerate() {
            let word = word & !CONT;
            if std::mem::replace(told, word) != word {
                self.env().pte_store(watched.first.step(n as u16), word);
            }
        }
    }

    fn is_converting(&self, watched: &[Watched]) -> bool {
        watched.iter().any(|one| one.group.is_converting(&self.words_at(one.first), one.named))
    }

    /// An instruction of the call in progress, with the register of a TLBI. Whether it is a conversion's own.
    pub fn step_groups(&self, op: Op, register: u64) -> bool {
        let mut watched = self.groups.watched.borrow_mut();
        for one in watched.iter_mut() {
            let step = match op {
                Op::DsbIshst => Step::Ordered,
                Op::DsbIsh => Step::Complete,
                Op::TlbiVale1is | Op::TlbiVae1is | Op::TlbiVaale1is | Op::TlbiAside1is | Op::TlbiVmalle1is => {
                    let address = enter(entry::ADDRESS, packed(one.first), 0, 0);
                    Step::Invalidated(invalidated(op, register, one.first.mm.0, address))
                }
                _ => continue,
            };
            match (self.groups.playing.get(), step) {
                (None, step) => one.group.step(&self.words_at(one.first), step),
                (Some(flushed), Step::Invalidated(mask)) => self.groups.playing.set(Some(flushed | mask)),
                _ => {}
            }
        }
        if self.groups.playing.get().is_some() {
            return true;
        }
        self.is_converting(&watched)
    }

    /// The call in progress is over: what it left is told and judged. What is wrong, or follows from a call that the kernel
    /// does not make, is unfolded here, so that it is found once.
    pub fn end_groups(&self) {
        self.end_blocks();
        let (Some(contpte), Open { pages, updating, died, .. }) = (self.facts.contpte, self.open.get()) else { return };
        for mut one in self.groups.watched.take() {
            self.tell(&mut one);
            let now = self.words_at(one.first);
            // set_ptes() of several entries wants none of them present.
            let is_misused = updating && pages > 1 && one.group.was_valid(one.named);
            let folios = (pages == 1).then_some(contpte.folios);
            let fault = one.group.end(&now, contpte.needs_break, folios).filter(|_| !is_misused && !died);
            if let Some(fault) = fault {
                self.complain(fault.text());
            }
            if is_misused || died || fault.is_some() {
                self.unfold(one.first, &now);
            } else {
                self.remember(&one, &now, pages);
            }
        }
    }

    /// A finding of the adapter's own.
    pub fn complain(&self, text: &str) {
        self.env().complain(Complaint::Warn, Site::of("lazymmu", 0, "contpte", text));
    }

    fn unfold(&self, first: PteRef, now: &Words) {
        self.groups.folded.borrow_mut().remove(&(first.mm.0, first.page));
        for (n, word) in now.iter().enumerate().filter(|(_, word)| *word & CONT != 0) {
            write(self.place(first.step(n as u16)), word & !CONT);
        }
    }

    fn remember(&self, one: &Watched, now: &Words, pages: u16) {
        let key = (one.first.mm.0, one.first.page);
        let (was, is) = (one.group.was_folded(), is_folded(now));
        let seen = self.groups.seen.get();
        let seen = Seen {
            fold: seen.fold || !was && is && pages == 1,
            batch: seen.batch || !was && is && pages > 1,
            unfold: seen.unfold || was && !is,
        };
        self.groups.seen.set(seen);
        if is {
            self.groups.folded.borrow_mut().insert(key);
        } else if was {
            self.groups.folded.borrow_mut().remove(&key);
        }
    }

    /// Loads a large page: the word of the first entry is the machine's, and the others follow.
    pub fn load_block(&self, at: PteRef, word: u64) {
        let place = self.place(at);
        let entries = if self.folds() && at.size == Size::Large { GROUP } else { 1 };
        for n in 0..entries {
            let (place, word) = (place + 8 * n as u64, if word == 0 { 0 } else { advanced(word, n) });
            if read(place) != word {
                write(place, word);
            }
        }
    }

    /// The 16 entries of each large page that the call has changed say the same.
    fn end_blocks(&self) {
        let Open { at: Some(at), pages, updating: true, died: false, .. } = self.open.get() else { return };
        if !self.folds() || at.size != Size::Large {
            return;
        }
        let differs = |n: u16| {
            let words = self.words_at(at.step(n));
            !is_block(&words) && words != [0; GROUP] || words.iter().any(|word| (word ^ words[0]) & CONT != 0)
        };
        if (0..pages).any(differs) {
            self.complain(Fault::Differ.text());
        }
    }
}

/// Which entries of a group, by the address of its first, a TLBI invalidates.
fn invalidated(op: Op, register: u64, mm: u8, address: u64) -> u16 {
    let is_of_space = register >> 48 == u64::from(mm);
    match op {
        Op::TlbiVmalle1is => return u16::MAX,
        Op::TlbiAside1is => return if is_of_space { u16::MAX } else { 0 },
        Op::TlbiVaale1is => {}
        _ if !is_of_space => return 0,
        _ => {}
    }
    // TTL: the granule in its upper half, 0 where nothing is said; else 4K and the last level, or other entries are meant.
    let ttl = register >> 44 & 0xf;
    let page = ((register << 20) as i64 >> 8) as u64;
    let n = page.wrapping_sub(address) >> 12;
    if n < GROUP as u64 && (ttl >> 2 == 0 || ttl == 0b0111) { 1 << n } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_says_whether_and_how_a_tree_folds() {
        assert!(Contpte::of(0).is_none());
        let Contpte { needs_break, folios } = Contpte::of(1 | 64 << 8 | 48 << 16).expect("it folds");
        assert_eq!((needs_break, folios.period, folios.lone), (true, 64, 48));
        assert!(!Contpte::of(3).expect("it folds").needs_break);
    }

    #[test]
    fn a_tlbi_by_address_invalidates_one_entry_of_its_space_and_level() {
        let address = 2 << 41 | 0x10_0000;
        let (mm, third) = (2 << 48, (address >> 12) + 3);
        let level = |n: u64| (0b0100 | n) << 44;
        let rows = [
            (Op::TlbiVale1is, mm | third, 1 << 3),
            (Op::TlbiVae1is, mm | third | level(3), 1 << 3),
            (Op::TlbiVale1is, mm | third | level(2), 0),
            (Op::TlbiVale1is, 1 << 48 | third, 0),
            (Op::TlbiVaale1is, third, 1 << 3),
            (Op::TlbiVale1is, mm | (third + 13), 0),
            (Op::TlbiVale1is, mm | (third - 4), 0),
            (Op::TlbiAside1is, mm, u16::MAX),
            (Op::TlbiAside1is, 1 << 48, 0),
            (Op::TlbiVmalle1is, 0, u16::MAX),
        ];
        for (op, register, expected) in rows {
            assert_eq!(invalidated(op, register, 2, address), expected, "{op:?} {register:#x}");
        }
    }
}
