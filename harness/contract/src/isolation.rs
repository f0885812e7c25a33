//! I11 irq-isolation: an interrupt changes neither the interrupted task's counters, nor its pending flag, nor the
//! batch of its CPU.
//!
//! Watches what the machine reports at both edges of each handler. Forcing out early is allowed (Xen's issue flushes
//! the whole queue, in order): then nothing may be held back any more, and as much must have gone out to the hardware
//! inside, as the machine counts it: what a subject notes is not asked. It may not judge a handler that did not end.

use std::hash::{Hash, Hasher};

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::insn::{Insn, Op};

use super::{Findings, Invariant};
use lazy_mmu_abi::trace::{Burst, Counters, Event, Refusal, What, counted};
use lazy_mmu_program::Block;

#[derive(Debug, Hash)]
struct Handler {
    cpu: u8,
    counters: Counters,
    held: Deferred,
    out: Out,
}

/// What has gone out to the hardware on the handler's CPU.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Out {
    /// Changes of entries.
    updates: u32,
    /// Entries of TSBs that were looked for: at least one for each address of a batch.
    tsb: u32,
    /// The most calls in a hypercall that was in the buffer.
    calls: u8,
    /// Walkers see what was stored.
    ordered: bool,
    /// And the CPU has refetched since.
    refetched: bool,
}

impl Out {
    /// Whether so many entries of a batch or of a buffer can be among it.
    fn covers(&self, entries: u16) -> bool {
        let entries = u32::from(entries);
        self.updates >= entries || self.tsb >= entries || u32::from(self.calls) >= entries
    }

    fn insn(&mut self, insn: Insn) {
        match insn.op {
            Op::DsbIshst | Op::DsbIsh => self.ordered = true,
            Op::Isb => self.refetched |= self.ordered,
            Op::TsbFlush => self.tsb += 1,
            _ => {}
        }
    }

    fn burst(&mut self, burst: Burst) {
        if burst.calls == 0 {
            self.updates += u32::from(burst.updates);
        } else if burst.bytes > 1 {
            // One byte of arguments: the update never was in a buffer.
            self.calls = self.calls.max(burst.entries);
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Isolation {
    handlers: Vec<Handler>,
    /// What was held back when the innermost handler was about to end.
    leaving: Deferred,
}

impl Isolation {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.handlers.clear();
        self.leaving = Deferred::default();
    }

    /// Whether a handler runs: what goes out matters.
    #[inline(always)]
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.handlers.is_empty()
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
                self.handlers.push(Handler { cpu: event.cpu, counters, held, out: Out::default() });
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
            What::Insn(insn) => self.on_cpu(event.cpu, |out| out.insn(insn)),
            What::Burst(burst) => self.on_cpu(event.cpu, |out| out.burst(burst)),
            What::Close(Block::Irq | Block::Softirq | Block::Nmi, counters) => {
                if let Some(handler) = self.handlers.pop() {
                    check(&handler, counters, self.leaving, at, findings);
                }
            }
            _ => {}
        }
    }

    /// What goes out on a CPU, goes out in every handler that is open there.
    fn on_cpu(&mut self, cpu: u8, mut f: impl FnMut(&mut Out)) {
        self.handlers.iter_mut().filter(|handler| handler.cpu == cpu).for_each(|handler| f(&mut handler.out));
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
    let forced_out = left.entries == 0 && found.out.covers(found.held.entries);
    if !batch_same && !forced_out {
        findings.report(Invariant::I11, at, || {
            format!(
                "the handler found {} held back and left {}, others than these",
                counted(found.held.entries, ["entry", "entries"]),
                left.entries
            )
        });
    }
    if left.pending != found.held.pending && !(found.held.pending && found.out.refetched) {
        findings.report(Invariant::I11, at, || {
            format!("the task's pending flag was {} and is {} after the handler", found.held.pending, left.pending)
        });
    }
}
