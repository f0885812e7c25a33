//! What makes failures one: the same invariant broken at the same kind of operation, whatever the generation, the backend
//! and the target; and how many runs each cause fails.
//!
//! What it is not: nothing is run here, and nothing is printed. Called by who finds failures, and by the reports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lazy_mmu_arches::insn::Isa;
use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::registry::find;

use super::{Case, Failure};

/// What makes failures one, in the order of reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A subject breaks an invariant at a kind of operation.
    Breaks(Invariant, String),
    /// A target does something else than the host; `true`: in the asm port alone.
    Differs(bool),
    /// Anything else, in its own words.
    Other(String),
    /// The host does something else than what was reviewed, and breaks nothing by it.
    Review,
}

impl Cause {
    /// One word for machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Cause::Breaks(..) => "breaks",
            Cause::Differs(_) => "differs",
            Cause::Other(_) => "other",
            Cause::Review => "review",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Breaks(invariant, op) => write!(f, "{} at {op}", invariant.name()),
            Cause::Differs(false) => f.write_str("a target differs from the host"),
            Cause::Differs(true) => f.write_str("the asm port differs from the host's model"),
            Cause::Other(what) => f.write_str(what),
            Cause::Review => f.write_str("not as reviewed"),
        }
    }
}

/// Runs of a case that failed by one cause on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Why.
    pub cause: Cause,
    /// On which subject of the registry; none: it concerns them all, or there is none.
    pub subject: Option<&'static str>,
    /// How many.
    pub runs: u64,
}

impl Seen {
    /// Whether a target of this architecture has to do with it: it is about the architecture's code, or about everybody's.
    #[must_use]
    pub fn concerns(&self, isa: Isa) -> bool {
        let of = self.subject.and_then(find).and_then(|subject| subject.isa);
        of.is_none_or(|of| of == isa)
    }
}

/// All that one cause failed.
#[derive(Clone, Debug, Default)]
pub struct Failed {
    /// How many runs.
    pub runs: u64,
    /// On which subjects.
    pub subjects: BTreeSet<&'static str>,
    /// Where: `host`, targets, `silent`.
    pub places: BTreeSet<String>,
    /// The failures that were looked into, the smallest program first; those on subjects of 7.2 before others.
    pub failures: Vec<Failure>,
}

impl Failed {
    /// How large the smallest program is; failures without any come last.
    #[must_use]
    pub fn size(&self) -> usize {
        self.failures.first().and_then(|failure| failure.size).unwrap_or(usize::MAX)
    }
}

/// The causes of a check's failures.
#[derive(Clone, Debug, Default)]
pub struct Causes(BTreeMap<Cause, Failed>);

impl Causes {
    /// Takes a case in that stands in a group of this name.
    pub fn add(&mut self, place: &str, case: &Case) {
        for seen in &case.seen {
            let failed = self.0.entry(seen.cause.clone()).or_default();
            failed.runs += seen.runs;
            failed.subjects.extend(seen.subject);
            failed.places.insert(place.to_owned());
        }
        for failure in &case.failures {
            let failures = &mut self.0.entry(failure.cause.clone()).or_default().failures;
            let rank = |failure: &Failure| {
                let is_current = failure.subject.and_then(find).is_none_or(|subject| subject.is_current());
                (!is_current, failure.size.unwrap_or(usize::MAX))
            };
            let at = failures.partition_point(|other| rank(other) <= rank(failure));
            failures.insert(at, failure.clone());
        }
    }

    /// Every cause, what breaks first, the smallest program of a kind first; what was not as reviewed last.
    #[must_use]
    pub fn ranked(&self) -> Vec<(&Cause, &Failed)> {
        let mut ranked: Vec<_> = self.0.iter().collect();
        let kind = |cause: &Cause| match cause {
            Cause::Breaks(..) => 0,
            Cause::Differs(_) => 1,
            Cause::Other(_) => 2,
            Cause::Review => 3,
        };
        ranked.sort_by_key(|(cause, failed)| (kind(cause), failed.size(), std::cmp::Reverse(failed.runs)));
        ranked
    }

    /// How many runs failed.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.0.values().map(|failed| failed.runs).sum()
    }

    /// Whether something failed besides what was not as reviewed.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.0.keys().any(|cause| *cause != Cause::Review)
    }

    /// What was not as reviewed, if anything was not.
    #[must_use]
    pub fn not_as_reviewed(&self) -> Option<&Failed> {
        self.0.get(&Cause::Review)
    }
}
