//! What known findings explain of a run: said behind its verdict, for people and in JSON.
//!
//! Not here: whether they do ([`lazy_mmu_snapshots::known`]). Called by `lazymmu run` and `workload --subject`.

use std::fmt;

use lazy_mmu_engine::contract::{Verdict, Violation};
use lazy_mmu_engine::trace::Event;
use lazy_mmu_snapshots::known::{Finding, explain_all};

/// The violations of a verdict, each with its finding; and what a known violation hides: the first of the same invariant that
/// nothing explains.
#[derive(Debug, Default)]
pub struct Explained {
    /// The finding of each violation of the verdict, in its order.
    pub of: Vec<Option<&'static Finding>>,
    /// Violations behind a known one of the same invariant, which nothing explains.
    pub hidden: Vec<Violation>,
}

impl Explained {
    /// `every` are all violations of the run, in the order of their events.
    #[must_use]
    pub fn new(subject: &str, events: &[Event], verdict: &Verdict, every: &[Violation]) -> Explained {
        let findings = explain_all(subject, events, every);
        let by = |violation: &Violation| {
            let at = every.iter().position(|one| (one.invariant, one.event) == (violation.invariant, violation.event));
            at.and_then(|at| findings[at])
        };
        let of: Vec<_> = verdict.violations.iter().map(by).collect();
        let known = verdict.violations.iter().zip(&of).filter(|(_, finding)| finding.is_some());
        let behind = |(violation, _): (&Violation, _)| {
            let mut later = every.iter().zip(&findings).filter(|(one, _)| one.invariant == violation.invariant);
            later.find(|(_, finding)| finding.is_none()).map(|(one, _)| one.clone())
        };
        let hidden = known.filter_map(behind).collect();
        Explained { of, hidden }
    }
}

impl fmt::Display for Explained {
    /// A line for each finding, for what it leaves unexplained, and for what it would hide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut named: Vec<&Finding> = Vec::new();
        for finding in self.of.iter().flatten() {
            if named.iter().all(|known| known.name != finding.name) {
                named.push(finding);
            }
        }
        for finding in &named {
            writeln!(f, "known: known/{}, {}: {}", finding.name, finding.kind.text(), finding.why)?;
        }
        let unknown = self.of.iter().filter(|finding| finding.is_none()).count();
        if !named.is_empty() && unknown > 0 {
            writeln!(f, "not known: {unknown} of the violations above")?;
        }
        for violation in &self.hidden {
            writeln!(f, "not known: {}, behind a known one: {}", violation.invariant.name(), violation.text)?;
        }
        Ok(())
    }
}
