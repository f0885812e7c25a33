//! One entry of a page table: what the kernel asked for, and what is known of the way there.
//!
//! Not here: the page table's own word, and what walkers find. Called by the memory.

use lazy_mmu_arches::page::Size;

use crate::codec::Format;
use lazy_mmu_abi::trace::{Ask, Translation};

/// Was touched in this run.
const USED: u8 = 1;
/// Its change may not be in effect.
pub(super) const OPEN: u8 = 2;
/// Its change is in effect only after barriers (aarch64, a valid entry of the kernel).
pub(super) const BARRIER: u8 = 4;
/// A TLB flush of it was asked for and is not known to be complete.
pub(super) const FLUSHING: u8 = 8;
/// The invalidation came before the change.
pub(super) const EARLY: u8 = 16;
/// A valid translation was changed and no flush has covered it since.
pub(super) const UNFLUSHED: u8 = 32;
/// Is in the memory's list of open entries, open or not any more.
const LISTED: u8 = 64;

/// An entry, free of any architecture's bits: nothing, not valid, or valid; a valid one with its rights and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Entry(u64);

const SOME: u64 = 1;
const VALID: u64 = 2;
const WRITE: u64 = 4;
const USER: u64 = 8;
const EXEC: u64 = 16;
const SIZE: u32 = 5;
const FRAME: u32 = 8;

/// What a mapping that is asked for is like, its frame and the right to store aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) user: bool,
    pub(super) exec: bool,
    pub(super) size: Size,
}

impl Entry {
    /// An entry that is not valid.
    fn mark(frame: u32) -> Entry {
        Entry(SOME | u64::from(frame) << FRAME)
    }

    #[inline(always)]
    fn mapping(frame: u32, write: bool, Kind { user, exec, size }: Kind) -> Entry {
        let bit = |on: bool, bit: u64| if on { bit } else { 0 };
        let rights = bit(write, WRITE) | bit(user, USER) | bit(exec, EXEC);
        Entry(SOME | VALID | rights | (size as u64) << SIZE | u64::from(frame) << FRAME)
    }

    fn is_valid(self) -> bool {
        self.0 & VALID != 0
    }

    fn frame(self) -> u32 {
        (self.0 >> FRAME) as u32
    }

    pub(super) fn translation(self) -> Option<Translation> {
        self.is_valid().then(|| Translation { frame: self.frame(), write: self.0 & WRITE != 0 })
    }

    fn after(self, ask: Ask, kind: Kind, i: u16) -> Entry {
        match ask {
            Ask::Map(Translation { frame, write }) => Entry::mapping(frame + u32::from(i), write, kind),
            Ask::Mark(frame) => Entry::mark(frame + u32::from(i)),
            Ask::Clear => Entry::default(),
            // The kernel asks for that on present entries only.
            Ask::Wrprotect => Entry(self.0 & !WRITE),
        }
    }
}

/// What a word says.
#[inline(always)]
pub(super) fn entry(format: &Format, word: u64) -> Entry {
    if word == 0 {
        Entry::default()
    } else if format.is_valid(word) {
        let kind = Kind { user: format.is_user(word), exec: format.is_executable(word), size: format.size(word) };
        Entry::mapping(format.frame(word), format.is_writable(word), kind)
    } else {
        Entry::mark(format.frame(word))
    }
}

/// What a word lets a walker find.
#[inline(always)]
pub(super) fn translation(format: &Format, word: u64) -> Option<Translation> {
    let found = || Translation { frame: format.frame(word), write: format.is_writable(word) };
    format.is_valid(word).then(found)
}

/// Whether a store of `now` over `was` takes the right to store, and nothing else.
#[cold]
pub(super) fn loses_write(format: &Format, was: u64, now: u64) -> bool {
    let same = format.is_valid(was) && format.is_valid(now) && format.frame(was) == format.frame(now);
    same && format.is_writable(was) && !format.is_writable(now)
}

/// Whether a cached word allows what the page table's does not: another frame, a page that is gone, a store.
pub(super) fn is_stale(format: &Format, cached: u64, now: u64) -> bool {
    if cached == 0 || cached == now {
        return false;
    }
    let lost_write = format.is_writable(cached) && !format.is_writable(now);
    !format.is_valid(now) || format.frame(now) != format.frame(cached) || lost_write
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) asked: Entry,
    /// The frame that was unmapped here and is not freed, plus 1.
    unmapped: u32,
    /// The frame that was unmapped here and freed last, plus 1, unless it was mapped here again.
    freed: u32,
    /// How many changes must still reach the hardware one by one.
    due: u16,
    /// Who asked last: a task, with bit 7 a handler on it.
    pub(super) by: u8,
    pub(super) flags: u8,
}

impl Slot {
    /// The same, whether it was touched in this run or not.
    pub(super) fn without_use(mut self) -> Slot {
        self.flags &= !USED;
        self
    }

    pub(super) fn use_once(&mut self, slot: usize, used: &mut Vec<u16>) {
        if self.flags & USED == 0 {
            self.flags |= USED;
            used.push(slot as u16);
        }
    }

    pub(super) fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    /// A change is asked for, the `i`-th of a run; `barrier` is [`BARRIER`] if it needs one. Yields whether the entry was
    /// not open before.
    pub(super) fn ask(&mut self, ask: Ask, kind: Kind, i: u16, by: u8, counted: bool, barrier: u8) -> bool {
        let (old, new) = (self.asked, self.asked.after(ask, kind, i));
        if ask == Ask::Wrprotect && !old.is_valid() {
            return false;
        }
        self.asked = new;
        if new.is_valid() && self.freed == new.frame() + 1 {
            self.freed = 0;
        }
        self.by = by;
        self.due = self.due.saturating_add(u16::from(counted));
        // What an earlier flush still owed is owed by the next one.
        self.flags = self.flags & !(FLUSHING | EARLY | BARRIER) | barrier;
        if old.is_valid() && old != new {
            self.flags |= UNFLUSHED;
            if !new.is_valid() || new.frame() != old.frame() {
                self.unmapped = old.frame() + 1;
            }
        }
        self.open()
    }

    /// Its change may not be in effect from here on; yields whether it must be listed.
    pub(super) fn open(&mut self) -> bool {
        let listed = self.flags & LISTED != 0;
        self.flags |= OPEN | LISTED;
        !listed
    }

    /// It leaves the list.
    pub(super) fn unlist(&mut self) {
        self.flags &= !(OPEN | LISTED);
    }

    /// Whether one change is asked for that has not reached the hardware.
    pub(super) fn is_due_once(&self) -> bool {
        self.due == 1
    }

    /// One change reaches the hardware; yields whether nobody had asked for it.
    pub(super) fn goes_out(&mut self) -> bool {
        let surplus = self.due == 0;
        self.due = self.due.saturating_sub(1);
        surplus
    }

    pub(super) fn take_unmapped(&mut self) -> Option<u32> {
        std::mem::take(&mut self.unmapped).checked_sub(1)
    }

    /// The frame, which was unmapped here, is freed.
    pub(super) fn frees(&mut self, frame: u32) {
        self.freed = frame + 1;
    }

    /// Whether the frame was freed after it was unmapped here, and not mapped here again.
    pub(super) fn has_freed(&self, frame: u32) -> bool {
        self.freed == frame + 1
    }
}
