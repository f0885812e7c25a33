//! I10 batch-shape: a batch holds entries of one address space, one page size and one segment size, never more than it
//! has room for, and each change once.
//!
//! Watches what goes out in one go. It may not judge an entry that is missing: I3 does.

use lazy_mmu_arches::mmu::Mmu;

use super::{Findings, Invariant, Rules};
use crate::trace::{Burst, Event, What};

/// Takes the next event in: there is no state.
pub fn watch(at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
    let What::Burst(burst) = event.what else { return };
    if let Some(what) = wrong(burst, rules.mmu) {
        findings.report(Invariant::I10, at, || what);
    }
}

fn wrong(burst: Burst, mmu: Mmu) -> Option<String> {
    let batch = matches!(mmu, Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v);
    if burst.mixed {
        Some("entries of several address spaces or sizes in one batch".to_owned())
    } else if batch && burst.updates > 192 {
        Some(format!("{} entries in a batch of 192", burst.updates))
    } else if burst.entries > 32 || burst.bytes > 512 {
        Some(format!("{} calls with {} bytes of arguments in a buffer of 32 and 512", burst.entries, burst.bytes))
    } else if burst.surplus > 0 {
        Some(format!("{} changes went out that nobody had asked for, or twice", burst.surplus))
    } else {
        None
    }
}
