//! A program's pages as a scratch range, and what a case knows of each.
//!
//! Pages are numbered by their order, so that the range is as short as it can be and neighbours stay neighbours. Known
//! is what the case itself did last; whatever it could not do makes the pages unknown. Called by the emitter.

use std::collections::{BTreeMap, BTreeSet};

use lazy_mmu_arches::page::{LINEAR_PAGE, Mm};

use crate::program::{Allocation, Op, Pages, Program};

/// No translation.
pub(super) const NONE: i32 = -1;

/// The scratch ranges.
#[derive(Default)]
pub(super) struct Scratch {
    places: BTreeMap<(u8, u16), usize>,
    frames: BTreeMap<u16, usize>,
    /// Which frame each page leads to; none if unknown. A page that is not there leads nowhere yet.
    known: BTreeMap<(u8, u16), Option<i32>>,
}

impl Scratch {
    pub(super) fn new(program: &Program) -> Scratch {
        let mut scratch = Scratch::default();
        for mm in [Mm::KERNEL.0, 1] {
            let mut all = BTreeSet::new();
            for pages in program.ops().iter().filter_map(|op| pages(*op)).filter(|pages| pages.mm.0 == mm) {
                all.extend(pages.runs().flat_map(|(at, n)| at.page..at.page + n));
            }
            scratch.places.extend(all.into_iter().enumerate().map(|(place, page)| ((mm, page), place)));
        }
        let frame = |op: &Op| if let Op::Alloc(frame, _) | Op::Free(frame, _) = op { Some(*frame) } else { None };
        let frames: BTreeSet<u16> = program.ops().iter().filter_map(frame).collect();
        scratch.frames = frames.into_iter().enumerate().map(|(place, frame)| (frame, place)).collect();
        scratch
    }

    /// How many pages of an address space there are.
    pub(super) fn count(&self, mm: Mm) -> usize {
        self.places.keys().filter(|place| place.0 == mm.0).count()
    }

    /// How many page frames the program allocates.
    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Where a page of the allocator is kept.
    pub(super) fn frame(&self, frame: u16) -> usize {
        self.frames.get(&frame).copied().unwrap_or_default()
    }

    /// Whether pages of the linear map or of KASAN's shadow are among them.
    pub(super) fn stands_in(&self) -> bool {
        self.places.keys().any(|&(mm, page)| mm == Mm::KERNEL.0 && page >= LINEAR_PAGE)
    }

    /// The runs of neighbours in the scratch range: their first and how many.
    pub(super) fn runs(&self, pages: Pages) -> Vec<(usize, u16)> {
        let place = |page| self.places.get(&(pages.mm.0, page)).copied().unwrap_or_default();
        pages.runs().map(|(at, n)| (place(at.page), n)).collect()
    }

    /// The pages lead to this frame now; if `f` says so of what they led to before.
    pub(super) fn lead(&mut self, pages: Pages, f: impl Fn(Option<i32>) -> Option<i32>) {
        for page in pages.runs().flat_map(|(at, n)| at.page..at.page + n) {
            let known = self.known.entry((pages.mm.0, page)).or_insert(Some(NONE));
            *known = f(*known);
        }
    }

    /// What each page leads to, as far as it is known, in the order of a walk.
    pub(super) fn led(&self, pages: Pages) -> Vec<Option<i32>> {
        let known = |page| self.known.get(&(pages.mm.0, page)).copied().unwrap_or(Some(NONE));
        pages.runs().flat_map(|(at, n)| at.page..at.page + n).map(known).collect()
    }

    /// What an operation changes that the case does not do.
    pub(super) fn forget(&mut self, op: Op) {
        let one = match op {
            Op::Fault(page) | Op::Kmap(page) | Op::Kunmap(page) => Some(Pages::one(Mm::KERNEL, page)),
            Op::Alloc(frame, Allocation::Debug) | Op::Free(frame, Allocation::Debug) => {
                Some(Pages::one(Mm::KERNEL, LINEAR_PAGE + frame))
            }
            Op::Set(pages, _) | Op::Clear(pages) | Op::KasanPopulate(pages) | Op::KasanDepopulate(pages) => Some(pages),
            _ => None,
        };
        if let Some(pages) = one {
            self.lead(pages, |_| None);
        }
    }
}

/// An operation's pages.
pub(super) fn pages(op: Op) -> Option<Pages> {
    match op {
        Op::Set(pages, _)
        | Op::Clear(pages)
        | Op::Wrprotect(pages)
        | Op::Get(pages)
        | Op::RawGet(pages)
        | Op::Access(pages)
        | Op::TlbFlush(pages)
        | Op::GatherFlush(pages)
        | Op::KasanPopulate(pages)
        | Op::KasanDepopulate(pages) => Some(pages),
        _ => None,
    }
}
