//! I6 CPU-local: what waits in a CPU's batch or buffer belongs to the task that runs there; at a switch nothing is left.
//!
//! Watches what the machine finds in the batch after each switch. It may not judge aarch64's flag, which is the task's
//! and goes where the task goes.

use super::{Findings, Invariant};
use crate::trace::{Event, What};

/// Takes the next event in: there is no state.
pub fn watch(at: usize, event: &Event, findings: &mut Findings) {
    if let What::Left(left) = event.what {
        findings.report(Invariant::I6, at, || {
            format!("the switch to T{} leaves {} entries in the batch of CPU {}", event.task, left.entries, event.cpu)
        });
    }
}
