//! I11 irq-isolation: an interrupt changes neither the interrupted task's counters, nor its pending flag, nor the
//! batch of its CPU.
//!
//! Watches what the machine reports at both edges of each handler. Forcing out early is allowed (Xen's issue flushes
//! the whole queue, in order): then nothing may be held back any more, and a flush must be seen inside. It may not
//! judge a handler that did not end.

use std::hash::{Hash, Hasher};

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::context::Note;

use super::{Findings, Invariant};
use crate::program::Block;
use crate::trace::{Counters, Event, Refusal, What, counted};

#[derive(Debug, Hash)]
struct Handler {
    cpu: u8,
    counters: Counters,
    held: Deferred,
    flushed: bool,
    barriers: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Isolation {
    handlers: Vec<Handler>,
    /// What was held back when the innermost handler was about to end.
    leaving: Deferred,
}

/// Whether a note says that something was forced out.
#[inline]
#[must_use]
pub fn concerns(note: Note) -> bool {
    matches!(note, Note::FlushPending(_) | Note::McFlush(..) | Note::Barriers)
}

impl Isolation {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.handlers.clear();
        self.leaving = Deferred::default();
    }

    /// What later verdicts depend on: what was held back is the innermost open handler's, if one is open.
    pub fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Isolation { handlers, leaving } = self;
        (handlers, (!handlers.is_empty()).then_some(leaving)).hash(state);
    }

    /// Takes the next event in.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, findings: &mut Findings) {
        match event.what {
            What::Open(Block::Irq | Block::Softirq | Block::Nmi, counters) => {
                let held = Deferred::default();
                self.handlers.push(Handler { cpu: event.cpu, counters, held, flushed: false, barriers: false });
                self.leaving = UNKNOWN;
            }
            What::Refused(Refusal::Masked) => {
                self.handlers.pop();
            }
            What::Held(held) => match self.handlers.last_mut() {
                // The first report of a handler is what it found.
                Some(handler) if self.leaving == UNKNOWN => {
                    handler.held = held;
                    self.leaving = held;
                }
                _ => self.leaving = held,
            },
            What::Note(Note::FlushPending(_) | Note::McFlush(..)) => {
                self.handlers.iter_mut().filter(|handler| handler.cpu == event.cpu).for_each(|h| h.flushed = true);
            }
            What::Note(Note::Barriers) => {
                self.handlers.iter_mut().filter(|handler| handler.cpu == event.cpu).for_each(|h| h.barriers = true);
            }
            What::Close(Block::Irq | Block::Softirq | Block::Nmi, counters) => {
                if let Some(handler) = self.handlers.pop() {
                    check(&handler, counters, self.leaving, at, findings);
                }
            }
            _ => {}
        }
    }
}

/// No state a backend reports: the handler's first report is still to come.
const UNKNOWN: Deferred = Deferred { pending: true, entries: u16::MAX, digest: u64::MAX };

fn check(found: &Handler, counters: Counters, left: Deferred, at: usize, findings: &mut Findings) {
    findings.judged(Invariant::I11);
    if counters != found.counters {
        findings.report(Invariant::I11, at, || {
            let was = found.counters;
            let (e, p) = (counters.enable, counters.pause);
            format!("the interrupted task had {}/{} and has {e}/{p} after the handler", was.enable, was.pause)
        });
    }
    let batch_same = (left.entries, left.digest) == (found.held.entries, found.held.digest);
    let forced_out = left.entries == 0 && found.flushed;
    if !batch_same && !forced_out {
        findings.report(Invariant::I11, at, || {
            format!(
                "the handler found {} held back and left {}, others than these",
                counted(found.held.entries, ["entry", "entries"]),
                left.entries
            )
        });
    }
    if left.pending != found.held.pending && !(found.held.pending && found.barriers) {
        findings.report(Invariant::I11, at, || {
            format!("the task's pending flag was {} and is {} after the handler", found.held.pending, left.pending)
        });
    }
}
