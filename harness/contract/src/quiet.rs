//! I15 quiet: no warning on a legal sequence, a warning on an illegal one, and death on neither.
//!
//! Watches warnings and BUGs against what callers may do ([`super::legality`]). A missing warning is judged at the
//! first misuse alone, where it ends what was never begun or opens the 256th (crossings and asymmetries are not
//! visible to the helpers until a counter wraps), and only of a generation that has warnings. After a misuse any
//! warning may come.

use super::legality::{How, Legality};
use super::{Findings, Invariant, Rules};
use lazy_mmu_abi::trace::{Complaint, Event, What};

/// See the module.
#[derive(Debug, Default, Hash)]
pub struct Quiet {
    rules: Rules,
    /// The misuse's call is in progress and has not warned: how deep it lies among open calls.
    owed: Option<usize>,
    misused: bool,
    depth: usize,
}

impl Quiet {
    /// Before the first event.
    pub fn reset(&mut self, rules: Rules) {
        *self = Quiet { rules, ..Quiet::default() };
    }

    /// Takes the next event in; `legality` has seen it already.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, legality: &Legality, findings: &mut Findings) {
        match event.what {
            What::Call(..) => {
                self.depth += 1;
                let mut judged = legality.unpaired().is_none();
                if let Some(misuse) = legality.unpaired().filter(|_| !self.misused) {
                    self.misused = true;
                    judged = self.rules.counters && matches!(misuse.how, How::Underflow | How::Overflow);
                    self.owed = judged.then_some(self.depth);
                }
                if judged {
                    findings.judged(Invariant::I15);
                }
            }
            What::Warn(site) => {
                self.owed = None;
                if legality.unpaired().is_none() {
                    findings.report(Invariant::I15, at, || format!("WARN {site:?} on a legal sequence"));
                }
            }
            What::VmBug(site) => {
                self.owed = None;
                findings
                    .report(Invariant::I15, at, || format!("VM_BUG {site:?}: the kernel dies where a warning will do"));
            }
            What::Denied(entry) => findings.report(Invariant::I15, at, || {
                format!("the update of {} is refused: the kernel warns", lazy_mmu_abi::trace::place(entry))
            }),
            What::Complaint(Complaint::Warn, site) => {
                findings.report(Invariant::I15, at, || format!("WARN at {}", site.text()));
            }
            What::Complaint(Complaint::Bug, site) => {
                findings.report(Invariant::I15, at, || format!("BUG at {}: the kernel dies", site.text()));
            }
            What::Bug(site) => findings.report(Invariant::I15, at, || format!("BUG {site:?}: the kernel dies")),
            What::Return(call, _) => {
                if self.owed == Some(self.depth) {
                    self.owed = None;
                    findings
                        .report(Invariant::I15, at, || format!("{} was illegal here, and nothing warned", call.name()));
                }
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
    }
}
