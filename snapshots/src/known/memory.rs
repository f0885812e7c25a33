//! Which entries the mode holds back, which flushes wait in Xen's queue, and what is left behind by them.
//!
//! As the tables have it, not as the subject does it: what a subject holds back beyond that, nothing explains. It holds
//! too much rather than too little where a batch is full or of another kind. Called by [`super::past`].

use lazy_mmu_arches::page::{Mm, PteRef};
use lazy_mmu_engine::program::Pages;

use super::cause::{Cause, Causes};

/// Consecutive entries.
#[derive(Clone, Copy, Debug)]
struct Span {
    mm: Mm,
    page: u16,
    n: u16,
}

impl Span {
    fn new(at: PteRef, n: u16) -> Span {
        Span { mm: at.mm, page: at.page, n }
    }

    fn has(self, at: PteRef) -> bool {
        self.mm == at.mm && at.page >= self.page && at.page - self.page < self.n
    }
}

/// A change that waits.
#[derive(Clone, Copy, Debug)]
struct Held {
    span: Span,
    /// Whose flag or batch it waits for: a task, or a CPU.
    owner: u8,
    /// Why it waits though its callers may not expect that.
    cause: Causes,
}

/// A flush in Xen's queue.
#[derive(Clone, Debug)]
struct Flush {
    spans: Vec<Span>,
    cpu: u8,
    /// The CPUs it goes to, a bit each.
    mask: u8,
    /// Why it waits though its callers may not expect that.
    cause: Causes,
    /// What other CPUs have taken since.
    took: Vec<(u8, Span)>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    held: Vec<Held>,
    flushes: Vec<Flush>,
    /// Flushed while their change waited.
    early: Vec<(Span, Causes)>,
    /// Of two changes one is lost, because the first waited: the entry is wrong until it gets a new word.
    lost: Vec<(Span, Causes)>,
    /// What a queued flush has missed, by CPU.
    missed: Vec<(u8, Span)>,
    /// Freed while somebody reaches them: through which entries, by which CPU (all, if none is named).
    freed: Vec<(Span, Option<u8>, Cause)>,
    /// `mm_cpumask()` of each address space.
    used_by: [u8; 4],
}

impl Memory {
    /// A task of the address space runs on the CPU, or a walker uses it there.
    pub(super) fn uses(&mut self, cpu: u8, mm: Mm) {
        self.used_by[usize::from(mm.0) % 4] |= 1 << cpu;
    }

    pub(super) fn hold(&mut self, owner: u8, at: PteRef, n: u16, cause: Causes) {
        self.held.push(Held { span: Span::new(at, n), owner, cause });
    }

    /// Entries get new words, whatever they said.
    pub(super) fn renews(&mut self, at: PteRef, n: u16) {
        let new = Span::new(at, n);
        self.lost.retain(|(span, _)| !(0..span.n).all(|i| new.has(PteRef { mm: span.mm, page: span.page + i, ..at })));
    }

    /// Entries are changed out of order with an update that waits though it should not.
    pub(super) fn loses(&mut self, at: PteRef, n: u16) {
        let waits = |at: PteRef| self.held.iter().filter(move |held| held.span.has(at));
        let each = (0..n).map(|i| at.step(i));
        let lost = each.map(|at| (Span::new(at, 1), waits(at).fold(Causes::NONE, |all, held| all.and(held.cause))));
        let lost: Vec<_> = lost.filter(|(_, cause)| !cause.is_none()).collect();
        self.lost.extend(lost);
    }

    /// What waits for this task or CPU is in effect.
    pub(super) fn release(&mut self, owner: u8) {
        self.held.retain(|held| held.owner != owner);
        let missed = &mut self.missed;
        self.flushes.retain_mut(|flush| {
            if flush.cpu == owner {
                missed.append(&mut flush.took);
            }
            flush.cpu != owner
        });
    }

    /// What waits for this CPU should be in effect, and is not.
    pub(super) fn keeps(&mut self, owner: u8, cause: Cause) {
        let waiting = self.held.iter_mut().filter(|held| held.owner == owner);
        waiting.for_each(|held| held.cause = held.cause.and(cause));
    }

    /// A flush of the TLB begins; `queued` says whether it waits in the CPU's queue, and `cause` why, if it should not.
    pub(super) fn flush(&mut self, cpu: u8, pages: Pages, queued: bool, cause: Causes) {
        let mut spans = Vec::new();
        pages.each_run(|at, n| spans.push(Span::new(at, n)));
        if queued {
            let mask = if pages.mm.is_kernel() { 0xff } else { self.used_by[usize::from(pages.mm.0) % 4] };
            let mask = if mask & !(1 << cpu) == 0 { 1 << cpu } else { 0xff };
            self.flushes.push(Flush { spans, cpu, mask, cause, took: Vec::new() });
            return;
        }
        let covered = |span: Span| {
            let at = |page| PteRef { mm: span.mm, page, size: pages.size };
            spans.iter().any(|flushed| flushed.has(at(span.page)) && flushed.has(at(span.page + span.n - 1)))
        };
        self.early.retain(|(span, _)| !covered(*span));
        self.missed.retain(|(_, span)| !covered(*span));
        let waiting = self.held.iter().filter(|held| !held.cause.is_none());
        self.early.extend(waiting.map(|held| (held.span, held.cause)));
    }

    /// A walker uses an entry.
    pub(super) fn walk(&mut self, cpu: u8, at: PteRef) {
        for flush in self.flushes.iter_mut().filter(|flush| flush.mask >> cpu & 1 == 0) {
            if flush.spans.iter().any(|span| span.has(at)) {
                flush.took.push((cpu, Span::new(at, 1)));
            }
        }
        self.uses(cpu, at.mm);
    }

    /// Pages behind these entries are freed.
    pub(super) fn frees(&mut self, at: PteRef, n: u16, cpu: Option<u8>, cause: Cause) {
        self.freed.push((Span::new(at, n), cpu, cause));
    }

    /// Why the entry's change is not in effect, though it should be.
    pub(super) fn late(&self, at: PteRef) -> Causes {
        let held =
            self.held.iter().filter(|held| held.span.has(at)).fold(Causes::NONE, |all, held| all.and(held.cause));
        let waiting = self.flushes.iter().filter(|flush| flush.spans.iter().any(|span| span.has(at)));
        let held = waiting.fold(held, |all, flush| all.and(flush.cause));
        let left = self.early.iter().chain(&self.lost).filter(|(span, _)| span.has(at));
        left.fold(held, |all, (_, cause)| all.and(*cause))
    }

    /// Whether the entry's change waits.
    pub(super) fn waits(&self, at: PteRef) -> bool {
        self.held.iter().any(|held| held.span.has(at))
    }

    /// Whether a queued flush has missed the translation that the CPU has there.
    pub(super) fn missed(&self, cpu: u8, at: PteRef) -> bool {
        self.missed.iter().any(|(by, span)| *by == cpu && span.has(at))
    }

    /// Why the CPU reaches a freed page through the entry.
    pub(super) fn reaches_freed(&self, cpu: u8, at: PteRef) -> Causes {
        let known = |by: Option<u8>| by.is_none_or(|by| by == cpu);
        self.freed.iter().find(|(span, by, _)| span.has(at) && known(*by)).map(|(_, _, cause)| *cause).into()
    }

    /// Why something waits for this task or CPU that should be in effect.
    pub(super) fn waits_for(&self, owner: u8) -> Causes {
        self.held.iter().filter(|held| held.owner == owner).fold(Causes::NONE, |all, held| all.and(held.cause))
    }
}
