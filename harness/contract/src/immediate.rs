//! I4 immediate-outside: a change made while the mode is not active (outside any section, while paused, in interrupt
//! context) is in effect at once; and what an operation maps for its own use (a kmap, a fault's entry, a page of
//! DEBUG_PAGEALLOC) is in effect when it returns, wherever it was called.
//!
//! Watches what the machine finds late at the end of such operations. It may not judge a change that an active section
//! may defer, nor an architecture's own section below an operation: its end is looked at instead.

use super::legality::Legality;
use super::{Findings, Invariant};
use lazy_mmu_abi::trace::{Event, Late, Point, What, Why, place};

/// A change is asked for. Either it may not wait, or I5 says that it does; what it does instead comes as an event of its
/// own.
pub fn asked(event: &Event, legality: &Legality, findings: &mut Findings) {
    let waits = legality.may_defer(event) && !event.below && !legality.sees_to_its_own();
    findings.judged(if waits { Invariant::I5 } else { Invariant::I4 });
}

/// Takes the next event in: there is no state.
#[inline(always)]
pub fn watch(at: usize, event: &Event, legality: &Legality, findings: &mut Findings) {
    let What::Late(Late { point, at: entry, why, .. }) = event.what else { return };
    let due = match point {
        Point::Write => !event.below && !legality.may_defer(event),
        Point::Use => true,
        Point::Settle | Point::Flush => false,
    };
    if due && why != Why::FlushedEarly {
        findings.report(Invariant::I4, at, || {
            let context = match (point, event.interrupt) {
                (Point::Use, _) => "and is used at once",
                (_, true) => "in interrupt context",
                (_, false) => "with the mode not active",
            };
            format!("{} was changed {context}, and that is not in effect: {}", place(entry), why.text())
        });
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
            ("counted/aarch64 without isb", "set K 0", true),
            ("counted/aarch64", "set K 0", false),
            ("counted/aarch64 without isb", "enable; pause; set K 0; resume; disable", true),
            ("zoo/arm64-softirq-pte-mutant", "enable; softirq { set K 40 }; disable", true),
            ("counted/aarch64", "enable; softirq { set K 40 }; disable", false),
            ("counted/sparc64 without tsb_flush", "set U 0; access U 0; clear U 0", true),
            ("counted/x86_64-xen without hypercall mmu_update", "set U 0", true),
            // What is used at once, wherever it is made.
            ("counted/x86_64-xen without hypercall mmu_update", "enable; kmap 5; disable", true),
            ("counted/x86_64-xen", "enable; kmap 5; disable", false),
            ("counted/x86_64-xen without hypercall mmu_update", "enable; fault 5; disable", true),
            // An active section may defer it.
            ("counted/aarch64 without isb", "enable; set K 0; disable", false),
            ("counted/x86_64-xen", "enable; set K 0; disable", false),
            // An architecture's own section is looked at when it ends.
            ("counted/aarch64", "alloc 3 debug", false),
            ("counted/aarch64 without isb", "alloc 3 debug", true),
        ];
        check(Invariant::I4, &cases);
    }
}
