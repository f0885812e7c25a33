//! I9 order: a flush of a range does not come before the changes made there, and when it is over no CPU has an old
//! translation.
//!
//! Watches what is late at the end of flushes and, where a flush may be deferred like the changes before it, at the end
//! of the section. It may not judge a flush that an active section may defer before that section ends.

use super::legality::Legality;
use super::{Findings, Invariant};
use crate::trace::{Event, Late, Point, What, Why, place};

/// Takes the next event in: there is no state.
pub fn watch(at: usize, event: &Event, legality: &Legality, findings: &mut Findings) {
    let What::Late(Late { point, at: entry, why, .. }) = event.what else { return };
    let settled = point != Point::Flush || (!event.below && !legality.may_defer(event));
    if settled && (point == Point::Flush || why == Why::FlushedEarly) && !(point == Point::Settle && event.interrupt) {
        findings.report(Invariant::I9, at, || format!("the flush of {} has no effect: {}", place(entry), why.text()));
    }
}
