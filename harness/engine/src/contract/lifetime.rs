//! I14 lifetime: a page is freed, and taken again, only when no CPU can reach it through the mapping it had.
//!
//! Watches every freeing of unmapped pages, and every access that ends in a page freed since. It may not judge pages that
//! are unmapped and not freed.

use super::{Findings, Invariant};
use crate::trace::{Event, What, place};

/// Takes the next event in: there is no state.
pub fn watch(at: usize, event: &Event, findings: &mut Findings) {
    match event.what {
        What::Reachable { at: entry, cpu, frame } => findings.report(Invariant::I14, at, || {
            format!("frame {frame} is freed while CPU {cpu} still reaches it through {}", place(entry))
        }),
        What::Walk(entry, walked) if walked.freed => findings.report(Invariant::I14, at, || {
            let frame = walked.found.map_or(0, |found| found.frame);
            format!("an access through {} ends in frame {frame}, which was freed and may be another's", place(entry))
        }),
        _ => {}
    }
}
