//! I9 order: a flush of a range does not come before the changes made there, and when it is over no CPU has an old
//! translation.
//!
//! Watches what is late at the end of flushes and, where a flush may be deferred like the changes before it, at the end
//! of the section. It may not judge a flush that an active section may defer before that section ends.

use super::legality::Legality;
use super::{Findings, Invariant};
use lazy_mmu_abi::trace::{Event, Late, Point, What, Why, place};

/// See the module.
#[derive(Debug, Default)]
pub struct Order {
    /// Bit per task: it made a flush that its section may defer, and the section has not ended.
    deferred: u8,
}

impl Order {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.deferred = 0;
    }

    /// A flush of the TLB begins: it is judged at its own end or at that of the section.
    pub fn flush(&mut self, event: &Event, legality: &Legality, findings: &mut Findings) {
        if legality.may_defer(event) {
            self.deferred |= 1 << event.task;
        } else {
            findings.judged(Invariant::I9);
        }
    }

    /// A point at which what the task did is in effect, its flushes too.
    pub fn settles(&mut self, task: u8, findings: &mut Findings) {
        if self.deferred & 1 << task != 0 {
            self.deferred &= !(1 << task);
            findings.judged(Invariant::I9);
        }
    }
}

/// Takes what is late in: there is no state.
#[inline(always)]
pub fn watch(at: usize, event: &Event, legality: &Legality, findings: &mut Findings) {
    let What::Late(Late { point, at: entry, why, .. }) = event.what else { return };
    // With bottom halves off a task is in interrupt context, and what its section has changed may still be deferred.
    let own = || legality.deferral().by(event.task, entry, 1);
    let settled = point != Point::Flush || (!event.below && !legality.may_defer(event) && !own());
    if settled && (point == Point::Flush || why == Why::FlushedEarly) && !(point == Point::Settle && event.interrupt) {
        findings.report(Invariant::I9, at, || format!("the flush of {} has no effect: {}", place(entry), why.text()));
    }
}

#[cfg(test)]
mod tests {
    use crate::Invariant;
    use crate::tests::check;

    #[test]
    fn programs_that_break_it_and_programs_that_do_not() {
        #[rustfmt::skip]
        let cases = [
            ("zoo/call-pagemap-flush-before-disable", "set U 8; access U 8; enable; clear U 8; tlb_flush U 8; disable", true),
            ("counted/x86_64-xen", "set U 8; access U 8; enable; clear U 8; tlb_flush U 8; disable", false),
            ("zoo/call-pagemap-flush-before-disable", "set U 8; access U 8; clear U 8; tlb_flush U 8", false),
            ("counted/aarch64 without dsb ishst", "set U 0; access U 0; clear U 0; tlb_flush U 0", true),
            ("counted/aarch64 without tlbi vae1is", "set U 0; access U 0; clear U 0; tlb_flush U 0", true),
            ("counted/aarch64", "set U 0; access U 0; clear U 0; tlb_flush U 0", false),
            ("counted/powerpc64-hash without ptesync", "set K 0; access K 0; clear K 0; tlb_flush K 0", true),
            ("counted/powerpc64-radix without ptesync", "set U 0; access U 0; clear U 0; tlb_flush U 0", true),
            ("counted/x86_64-native without flush_tlb_ipi", "set K 0; cpu 1; access K 0; cpu 0; clear K 0; tlb_flush K 0", true),
            ("counted/x86_64-native without flush_tlb_ipi", "set K 0; access K 0; clear K 0; tlb_flush K 0", false),
            // It may be deferred with the changes before it, until the section ends.
            ("counted/x86_64-xen", "set U 8; access U 8; enable; wrprot U 8; tlb_flush U 8", false),
            // What nobody has cached needs no flush.
            ("counted/x86_64-native without invlpg", "set U 0; clear U 0; tlb_flush U 0", false),
        ];
        check(Invariant::I9, &cases);
    }
}
