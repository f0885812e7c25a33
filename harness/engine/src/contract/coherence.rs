//! I8 read-coherent: a read of an entry finds what was asked for last.
//!
//! Watches every read of a page table, by the accessor or round it. There is none that it may not judge: a read back in
//! the same section, or by another context while a section defers the change, is a misuse of the callers, and the verdict
//! says so; what is read is old all the same.

use super::{Findings, Invariant};
use crate::trace::{Event, What, place};

/// Takes the next event in: there is no state.
pub fn watch(at: usize, event: &Event, findings: &mut Findings) {
    if let What::Read { at: entry, found, asked } = event.what
        && found != asked
    {
        findings.report(Invariant::I8, at, || format!("a read of {} finds an old entry", place(entry)));
    }
}
