//! I3 visible-at-exit: after `disable` at any depth, and after a `pause`, what the task changed before is in effect: the
//! page table says it, its barriers and invalidations are done.
//!
//! Watches what the machine finds late at the end of those calls, and what walkers see. It may not judge a call in
//! interrupt context, which has no effect; nor an access to an entry that another task, or the interrupted one, has changed
//! in a section that is still open; nor one to an entry that was changed and not flushed, where the architecture leaves the
//! flush to the caller. A task that uses what its own section has changed misuses the mode, and the verdict says so.

use lazy_mmu_arches::mmu::Mmu;

use super::legality::Legality;
use super::{Findings, Invariant, Rules};
use crate::trace::{Event, Late, Point, Walked, What, Why, place};

/// Takes the next event in: there is no state.
pub fn watch(at: usize, event: &Event, rules: Rules, legality: &Legality, findings: &mut Findings) {
    match event.what {
        What::Late(Late { point: Point::Settle, at: entry, count, why })
            if !event.interrupt && why != Why::FlushedEarly =>
        {
            findings.report(Invariant::I3, at, || {
                let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
                format!("T{}'s change of {}{more} is not in effect: {}", event.task, place(entry), why.text())
            });
        }
        What::Walk(entry, walked) if walked.found != walked.asked => {
            let kernel = entry.mm.is_kernel();
            let deferral = legality.deferral();
            let others =
                deferral.by_another(event.task, entry, 1) || (event.interrupt && deferral.by(event.task, entry, 1));
            if !others && !is_allowed(walked, kernel, rules.mmu) {
                findings.report(Invariant::I3, at, || {
                    let found = if walked.found.is_some() { "an old translation" } else { "no translation" };
                    format!("a walker on CPU {} finds {found} at {}", event.cpu, place(entry))
                });
            }
        }
        _ => {}
    }
}

/// Whether a walker may find something else than what was asked for, though nobody defers it.
fn is_allowed(walked: Walked, kernel: bool, mmu: Mmu) -> bool {
    walked.found.is_some() && walked.unflushed && !mmu.update_invalidates(kernel)
}
