//! What arm64 demands of 16 small entries that carry the contiguous bit, checked by the adapter itself: the machine has
//! small pages without that bit, and hears nothing of a fold or an unfold.
//!
//! Two demands. At the end of a call all 16 carry the bit or none does; those that carry it map one aligned block of frames
//! with equal attributes, access and dirty aside. And where the bit of a valid entry has changed, the entry was broken
//! before it was made: invalid, that ordered by a barrier, invalidated, and the invalidation complete by `dsb ish`, before
//! it was valid again. What it is not: it reads no memory and knows no machine; `groups` brings the words and the
//! instructions, and tells what is found.
//! Refs: Arm ARM (DDI 0487) D8.7.1 "The Contiguous bit", D8.16.1 "Using break-before-make".

/// Entries of a group.
pub const GROUP: usize = 16;

/// The words of a group.
pub type Words = [u64; GROUP];

/// Valid.
const VALID: u64 = 1;
/// Bit 1: of a page's descriptor, valid or not; a block's has it clear.
const NOT_BLOCK: u64 = 1 << 1;
/// Hardware's read-only bit: in a writable entry it says that the page is clean.
pub const RDONLY: u64 = 1 << 7;
/// The access flag.
pub const ACCESSED: u64 = 1 << 10;
/// DBM: writable, whether clean or dirty.
pub const WRITE: u64 = 1 << 51;
/// Contiguous.
pub const CONT: u64 = 1 << 52;
/// The kernel's own dirty bit.
pub const DIRTY: u64 = 1 << 55;
/// OA\[47:12\].
const FRAME: u64 = (1 << 48) - (1 << PAGE_SHIFT);
const PAGE_SHIFT: u32 = 12;

/// Whether a word says something of a small page: what else lies at a slot of the machine is no entry of this table.
pub fn is_small(word: u64) -> bool {
    word & NOT_BLOCK != 0 && word & CONT == 0
}

/// The entry `n` further on in a block of frames.
pub fn advanced(word: u64, n: usize) -> u64 {
    word.wrapping_add((n as u64) << PAGE_SHIFT)
}

/// Without what may differ in a group.
fn alike(word: u64) -> u64 {
    (word & !(CONT | ACCESSED | DIRTY)) | RDONLY
}

/// Whether the words are those of one block: each maps the frame behind the one before it, and nothing else differs.
pub fn is_block(words: &Words) -> bool {
    words.iter().enumerate().all(|(n, &word)| alike(word) == alike(advanced(words[0], n)))
}

/// Whether a whole group carries the bit.
pub fn is_folded(words: &Words) -> bool {
    words.iter().all(|word| word & CONT != 0)
}

/// What an instruction does for the entries of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `dsb ishst`: walkers see what was stored.
    Ordered,
    /// A TLBI that every CPU takes, of these entries: a bit each.
    Invalidated(u16),
    /// `dsb ish`: that, and TLBIs are complete.
    Complete,
}

/// How far an invalid entry is on its way to be made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Broken {
    #[default]
    Not,
    /// Walkers find it invalid.
    Ordered,
    /// And a TLBI of it was executed.
    Invalidated,
    /// Which is complete: no CPU has a translation of it.
    Gone,
}

/// What is wrong with a group at the end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bit changed while a CPU could use the entry.
    Unbroken,
    /// Some of the 16 carry the bit.
    Mixed,
    /// They carry it, and one is not valid.
    Invalid,
    /// They carry it, and map no block of frames, or differ in attributes.
    Differ,
    /// They carry it, and their frames' block is not where such a block may begin.
    Unaligned,
    /// They were folded one by one, and their frames are not of one folio.
    NoFolio,
}

impl Fault {
    /// What is said of it.
    pub fn text(self) -> &'static str {
        match self {
            Fault::Unbroken => "the contiguous bit of a valid entry changed without break-before-make",
            Fault::Mixed => "some of 16 entries carry the contiguous bit, and others do not",
            Fault::Invalid => "an entry carries the contiguous bit and is not valid",
            Fault::Differ => "entries that carry the contiguous bit differ in more than access and dirty",
            Fault::Unaligned => "entries that carry the contiguous bit map frames that begin no block of 16",
            Fault::NoFolio => "entries were folded whose frames are of no common folio",
        }
    }
}

/// Where folios are among page frames, as the glue has made them up.
#[derive(Clone, Copy, Debug)]
pub struct Folios {
    /// Frames after which it is all the same again.
    pub period: u64,
    /// From here on, in each period, frames are in no folio of several.
    pub lone: u64,
}

impl Folios {
    fn has(self, word: u64) -> bool {
        let frame = (word & FRAME) >> PAGE_SHIFT;
        frame % self.period.max(1) < self.lone
    }
}

/// A group during one call.
#[derive(Clone, Debug)]
pub struct Group {
    before: Words,
    broken: [Broken; GROUP],
}

impl Group {
    /// A call begins.
    pub fn begin(before: Words) -> Group {
        Group { before, broken: [Broken::Not; GROUP] }
    }

    /// Whether the group carried the bit when the call began.
    pub fn was_folded(&self) -> bool {
        is_folded(&self.before)
    }

    /// Whether one of the entries in the mask was valid when the call began.
    pub fn was_valid(&self, mask: u16) -> bool {
        self.before.iter().enumerate().any(|(n, word)| mask & 1 << n != 0 && word & VALID != 0)
    }

    /// Whether entries that the call does not name (those outside the mask) have been taken away for now: a fold or an
    /// unfold is under way.
    pub fn is_converting(&self, now: &Words, named: u16) -> bool {
        let gone = |n: usize| self.before[n] & VALID != 0 && now[n] & VALID == 0;
        (0..GROUP).any(|n| named & 1 << n == 0 && gone(n))
    }

    /// An instruction is executed while the words are these.
    pub fn step(&mut self, now: &Words, step: Step) {
        for (n, broken) in self.broken.iter_mut().enumerate() {
            // Valid again too early: a CPU may have found it since.
            if now[n] & VALID != 0 {
                if *broken != Broken::Gone {
                    *broken = Broken::Not;
                }
                continue;
            }
            *broken = match (*broken, step) {
                (Broken::Not, Step::Ordered | Step::Complete) => Broken::Ordered,
                (Broken::Ordered, Step::Invalidated(mask)) if mask & 1 << n != 0 => Broken::Invalidated,
                (Broken::Invalidated, Step::Complete) => Broken::Gone,
                (broken, _) => broken,
            };
        }
    }

    /// The call ends with these words. `needs_break`: hardware has no level of break-before-make that needs no break.
    /// `folios`, where the tree had to find a folio to fold.
    pub fn end(&self, now: &Words, needs_break: bool, folios: Option<Folios>) -> Option<Fault> {
        let changed = |n: usize| {
            let was = self.before[n];
            was & now[n] & VALID != 0 && (was ^ now[n]) & CONT != 0 && self.broken[n] != Broken::Gone
        };
        let carry = now.iter().filter(|&&word| word & CONT != 0).count();
        if carry != 0 && carry != GROUP {
            Some(Fault::Mixed)
        } else if needs_break && (0..GROUP).any(changed) {
            Some(Fault::Unbroken)
        } else if carry == 0 {
            None
        } else if now.iter().any(|word| word & VALID == 0) {
            Some(Fault::Invalid)
        } else if !is_block(now) {
            Some(Fault::Differ)
        } else if now[0] & FRAME & ((GROUP as u64) << PAGE_SHIFT).wrapping_sub(1) != 0 {
            Some(Fault::Unaligned)
        } else {
            let folded = !self.was_folded() && folios.is_some_and(|folios| !folios.has(now[0]));
            folded.then_some(Fault::NoFolio)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user's writable, clean page of frame 512.
    const WORD: u64 = 0x00e8_0000_0020_0fc3 & !ACCESSED;
    const FOLIOS: Folios = Folios { period: 64, lone: 48 };
    const ALL: u16 = u16::MAX;

    fn block(word: u64) -> Words {
        std::array::from_fn(|n| advanced(word, n))
    }

    fn with(mut words: Words, n: usize, word: u64) -> Words {
        words[n] = word;
        words
    }

    /// What a group is judged after being invalid during these steps.
    fn converted(steps: &[Step], before: Words, after: &Words) -> Option<Fault> {
        let mut group = Group::begin(before);
        steps.iter().for_each(|&step| group.step(&[0; GROUP], step));
        group.end(after, true, Some(FOLIOS))
    }

    #[test]
    fn all_carry_the_bit_or_none() {
        let (plain, cont) = (block(WORD), block(WORD | CONT));
        let rows = [
            (plain, None),
            (cont, None),
            ([0; GROUP], None),
            (with(cont, 3, plain[3]), Some(Fault::Mixed)),
            (with(plain, 15, cont[15]), Some(Fault::Mixed)),
            (with(cont, 0, 0), Some(Fault::Mixed)),
            (with(cont, 7, cont[7] & !VALID), Some(Fault::Invalid)),
            (with(cont, 7, cont[8]), Some(Fault::Differ)),
            (with(cont, 7, cont[7] ^ 1 << 51), Some(Fault::Differ)),
            (with(cont, 7, cont[7] ^ (ACCESSED | DIRTY | RDONLY)), None),
            (block(advanced(WORD | CONT, 1)), Some(Fault::Unaligned)),
        ];
        for (words, expected) in rows {
            // They were not there before: nothing has to be broken.
            assert_eq!(Group::begin([0; GROUP]).end(&words, true, Some(FOLIOS)), expected, "{words:x?}");
        }
    }

    #[test]
    fn a_bit_that_changes_needs_each_step_in_its_order() {
        use Step::{Complete, Invalidated, Ordered};
        let (plain, cont) = (block(WORD), block(WORD | CONT));
        let rows: [(&[Step], Option<Fault>); 8] = [
            (&[Ordered, Invalidated(ALL), Complete], None),
            (&[Complete, Invalidated(0xff), Invalidated(0xff00), Complete], None),
            (&[], Some(Fault::Unbroken)),
            (&[Ordered, Complete], Some(Fault::Unbroken)),
            (&[Invalidated(ALL), Complete], Some(Fault::Unbroken)),
            (&[Ordered, Invalidated(ALL)], Some(Fault::Unbroken)),
            (&[Ordered, Invalidated(ALL), Ordered], Some(Fault::Unbroken)),
            (&[Ordered, Invalidated(ALL ^ 0x10), Complete], Some(Fault::Unbroken)),
        ];
        for (steps, expected) in rows {
            assert_eq!(converted(steps, cont, &plain), expected, "unfold by {steps:?}");
            assert_eq!(converted(steps, plain, &cont), expected, "fold by {steps:?}");
        }
        // Hardware that takes the change as it is; and entries that keep their bit.
        assert_eq!(Group::begin(cont).end(&plain, false, Some(FOLIOS)), None);
        assert_eq!(Group::begin(cont).end(&block(WORD | CONT | ACCESSED), true, Some(FOLIOS)), None);
    }

    #[test]
    fn an_entry_that_is_valid_meanwhile_is_not_broken() {
        let (plain, cont) = (block(WORD), block(WORD | CONT));
        let mut group = Group::begin(cont);
        group.step(&[0; GROUP], Step::Ordered);
        group.step(&with([0; GROUP], 4, cont[4]), Step::Invalidated(ALL));
        group.step(&[0; GROUP], Step::Complete);
        assert_eq!(group.end(&plain, true, None), Some(Fault::Unbroken));
        // What is valid after all of it stays broken and made.
        let mut group = Group::begin(cont);
        [Step::Ordered, Step::Invalidated(ALL), Step::Complete]
            .into_iter()
            .for_each(|step| group.step(&[0; GROUP], step));
        group.step(&plain, Step::Ordered);
        assert_eq!(group.end(&plain, true, None), None);
    }

    #[test]
    fn a_fold_needs_a_folio_and_a_batch_says_that_there_is_one() {
        let steps = [Step::Ordered, Step::Invalidated(ALL), Step::Complete];
        let lone = advanced(WORD, 48);
        assert_eq!(converted(&steps, block(lone), &block(lone | CONT)), Some(Fault::NoFolio));
        assert_eq!(Group::begin([0; GROUP]).end(&block(lone | CONT), true, None), None);
        // It was folded before the call.
        assert_eq!(Group::begin(block(lone | CONT)).end(&block(lone | CONT), true, Some(FOLIOS)), None);
    }

    #[test]
    fn a_conversion_takes_away_what_the_call_does_not_name() {
        let cont = block(WORD | CONT);
        let group = Group::begin(cont);
        assert!(group.is_converting(&[0; GROUP], 1 << 3));
        assert!(!group.is_converting(&with(cont, 3, 0), 1 << 3), "the call's own entry");
        assert!(group.is_converting(&with(cont, 4, 0), 1 << 3));
        assert!(!Group::begin([0; GROUP]).is_converting(&[0; GROUP], 1 << 3), "there was nothing");
        assert!(group.was_valid(1 << 3) && !Group::begin(with(cont, 3, 0)).was_valid(1 << 3));
    }

    #[test]
    fn a_small_word_is_told_from_other_sizes() {
        assert!(is_small(WORD) && is_small(WORD & !VALID));
        assert!(!is_small(0) && !is_small(WORD | CONT) && !is_small(WORD & !NOT_BLOCK));
    }
}
