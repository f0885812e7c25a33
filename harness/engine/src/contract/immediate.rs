//! I4 immediate-outside: a change made while the mode is not active (outside any section, while paused, in interrupt
//! context) is in effect at once; and what an operation maps for its own use (a kmap, a fault's entry, a page of
//! DEBUG_PAGEALLOC) is in effect when it returns, wherever it was called.
//!
//! Watches what the machine finds late at the end of such operations. It may not judge a change that an active section
//! may defer, nor an architecture's own section below an operation: its end is looked at instead.

use super::legality::Legality;
use super::{Findings, Invariant};
use crate::trace::{Event, Late, Point, What, Why, place};

/// Takes the next event in: there is no state.
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
