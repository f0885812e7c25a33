//! A kernel tree's own C judged: built for each target, run on everything, held against the contract, against what is known
//! of that kernel, against our Rust of its generation, and against another tree.
//!
//! | file | what |
//! | --- | --- |
//! | [`material`] | the programs, and what the Rust twin makes of them |
//! | [`run`] | one target: build, start, run |
//! | [`findings`] | what breaks: by cause, smallest programs, ranked |
//! | [`differences`] | where the tree's events are not our Rust's, by kind |
//! | [`base`] | two trees: findings new and gone, costs before and after |
//! | [`report`] | all of a tree, and its text for people |
//! | [`render`] | the four reports, and where they go |
//! | [`show`] | one program on one subject of a tree |
//! | [`start`] | a tree's C made a program and started |
//!
//! What it is not: building a tree is [`crate::tree`]; the oracles are the engine's and run where the tree's code runs.
//!
//! Who calls it: `lazymmu judge`.

pub mod base;
pub mod differences;
pub mod findings;
pub mod material;
pub mod render;
pub mod report;
pub mod run;
pub mod show;
pub mod start;
#[cfg(test)]
mod tests;

use std::time::Duration;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_border::Recipe;
use lazy_mmu_engine::contract::Invariant;

pub use crate::check::Profile;
use crate::setup::Missing;
use crate::target::Target;
use crate::tree::TreeError;

/// What is run on each subject, in the order of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// The collection.
    Programs,
    /// The kernel's KUnit scenario.
    Kunit,
    /// The kernel's call sites.
    Workloads,
    /// Generated programs, legal and arbitrary.
    Generated,
}

impl Suite {
    /// All, in the order of the matrix.
    pub const ALL: [Suite; 4] = [Suite::Programs, Suite::Kunit, Suite::Workloads, Suite::Generated];

    /// Its heading, and its name for machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Suite::Programs => "programs",
            Suite::Kunit => "kunit",
            Suite::Workloads => "workloads",
            Suite::Generated => "generated",
        }
    }
}

/// What makes two violations one: the same invariant at the same kind of operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// Which invariant.
    pub invariant: Invariant,
    /// The operation's name.
    pub op: String,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.invariant.name(), self.op)
    }
}

/// A form of the tree's code in a built subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its number in the agent.
    pub index: u8,
    /// `tree/xen`.
    pub name: String,
    /// Our Rust of the same generation and backend, by place in the registry; none: the contract alone judges.
    pub twin: Option<usize>,
    /// What it drives.
    pub mmu: Mmu,
    /// What the form was to show at its start and did not, and what its programs used that nobody models. A form with such
    /// a message never holds: a violation is a finding, and without one the verdict is "unknown".
    pub unproven: Vec<String>,
}

/// What came of one suite on one form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Programs that ran.
    pub ran: u64,
    /// Of them: something broke that nothing known explains, or the code crashed.
    pub failed: u64,
    /// Something broke, and known findings explain all of it.
    pub known: u64,
    /// The run stopped, was cut, or an operation was refused.
    pub in_part: u64,
    /// The program misuses the API.
    pub misused: u64,
    /// The generic events are not our Rust's.
    pub other_generic: u64,
    /// The generic events are our Rust's, the architecture's are not.
    pub other_events: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.ran += other.ran;
        self.failed += other.failed;
        self.known += other.known;
        self.in_part += other.in_part;
        self.misused += other.misused;
        self.other_generic += other.other_generic;
        self.other_events += other.other_events;
    }
}

/// One form on its target, judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The form.
    pub form: Form,
    /// Counts by suite, in the order of [`Suite::ALL`].
    pub counts: [Counts; 4],
    /// Kinds of difference from our Rust that nothing explains.
    pub unexplained: u64,
    /// How long it ran.
    pub took: Duration,
}

impl Judged {
    /// Whether nothing broke on a form that did not prove to be looked at: no verdict.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        !self.form.unproven.is_empty() && self.total().failed == 0
    }

    /// All suites together.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.counts.iter().fold(Counts::default(), |mut sum, &counts| {
            sum += counts;
            sum
        })
    }
}

/// What came of a recipe on its target.
#[derive(Debug)]
pub enum Outcome {
    /// The subject was built and ran; its forms, how it was built, and how programs run there.
    Ran(Vec<Judged>, String),
    /// The machine lacks something.
    Skipped(Missing),
    /// The tree could not be made a subject.
    Refused(TreeError),
    /// The subject does not start or answer.
    Unknown(String),
}

/// One target with one of its page sizes.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub target: Target,
    /// How its subject was made: its name is the target's, but with another page size than the usual one.
    pub recipe: &'static Recipe,
    /// What came of it.
    pub outcome: Outcome,
}
