//! What a defect's record says: where it comes from, how sure that is, what became of it, and when it lived.
//!
//! Not here: the defect itself (the families), nor what finds it. Read by the zoo's table and by reports.

/// How sure the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// The commit or mail was read.
    C,
    /// Checked against the source of Linux 7.2.13.
    S,
    /// Derived from the source: nobody is known to have said so.
    D,
    /// Partly from memory.
    M,
}

impl Grade {
    /// Its letter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Grade::C => "C",
            Grade::S => "S",
            Grade::D => "D",
            Grade::M => "M",
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Merged, then reported by users or testers.
    BrokeUsers,
    /// Merged, found later by review or CI.
    MergedLatent,
    /// Never merged in that form.
    Review,
    /// No historical bug: a rule of the design, broken.
    Hazard,
    /// Still so in 7.2.13.
    Open,
}

impl Status {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::BrokeUsers => "broke-users",
            Status::MergedLatent => "merged-latent",
            Status::Review => "review",
            Status::Hazard => "hazard",
            Status::Open => "open",
        }
    }
}

/// The record of a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Commits (12 digits, or as many as are known) and mails, introduction and fix; for a mutant, where the rule stands.
    pub ids: &'static str,
    /// What became of it.
    pub status: Status,
    /// How sure that is.
    pub grade: Grade,
    /// The generation of the API, and the kernel versions or series, that it lived in.
    pub lived: &'static str,
}
