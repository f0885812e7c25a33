//! What the oracles say of a run, and the answer that follows: holds, breaks, misuses, or judged in part.
//!
//! "Holds" is said of a run that was judged from its first operation to its last. What breaks is the subject's fault,
//! what misuses the program's; a run of which a part was not done, or not judged, names the place and the reason.
//!
//! What it is not: nothing is judged here. [`super::Judge`] makes verdicts, reports print them.

use std::fmt::{self, Write as _};

use super::Invariant;
use super::legality::{How, Misuse};
use lazy_mmu_abi::trace::{Refusal, Stop, counted};

/// One broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// The event at which it broke, as an index into the trace; the trace's length for its end.
    pub event: usize,
    /// What was expected and what was found.
    pub text: String,
}

/// The first operation that the machine refused, and how many operations it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The operation of the program, from 0.
    pub op: u32,
    /// Why it was not done.
    pub why: Refusal,
    /// How many refusals there were, this one included.
    pub times: u32,
}

/// What the oracles say of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The first violation of each invariant, in the order of the invariants; of [`super::Judge::judge_every`] all of them, in
    /// the order in which they come.
    pub violations: Vec<Violation>,
    /// Where the program first misused the API, if it did: the violations may then be its own.
    pub misuse: Option<Misuse>,
    /// The operation from which on nothing is judged, because it cannot happen on this backend.
    pub cut: Option<u32>,
    /// What the machine did not do.
    pub refused: Option<Refused>,
    /// The operation at which the run ended before its program did, and why.
    pub stopped: Option<(u32, Stop)>,
    /// The operation that opened a section or pause which the program leaves open, in a task that ends or at its own end.
    pub open: Option<u32>,
    /// The event at which the program is known to misuse the API, as an index into the trace; of none if it does not.
    pub since: Option<usize>,
}

/// The answer that a verdict comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The whole run was judged, and nothing broke.
    Holds,
    /// The subject broke an invariant.
    Breaks,
    /// The program misuses the API; what broke behind that may be its own doing.
    Misuses,
    /// Nothing broke in what was judged, and that was not all of the program.
    InPart,
}

impl Answer {
    /// One word or two with underscores, for machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Answer::Holds => "holds",
            Answer::Breaks => "breaks",
            Answer::Misuses => "misuses",
            Answer::InPart => "in_part",
        }
    }
}

/// Why a part of a program was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The machine refused operations, this one first.
    Refused(Refusal, u32),
    /// The backend keeps preemption off there: what the program says cannot happen, nor what follows.
    Cut,
    /// The run ended there.
    Stopped(Stop),
}

/// A part of a program that was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The operation, from 0: the only one that is left out if the reason is a refusal, else the first.
    pub op: u32,
    /// Why.
    pub why: Reason,
}

impl Part {
    /// One word for machines: `refused`, `cut`, `limit` or `dead`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.why {
            Reason::Refused(..) => "refused",
            Reason::Cut => "cut",
            Reason::Stopped(Stop::Limit) => "limit",
            Reason::Stopped(Stop::Bug) => "dead",
        }
    }

    /// What was not judged, and why, for people.
    #[must_use]
    pub fn text(self) -> String {
        match self.why {
            Reason::Refused(why, 1) => format!("the operation was not done: {}", why.text()),
            Reason::Refused(why, times) => {
                let more = counted(times - 1, ["more operation was", "more operations were"]);
                format!("the operation was not done: {}; {more} refused", why.text())
            }
            Reason::Cut => "nothing is judged from here on: with preemption off this cannot happen".to_owned(),
            Reason::Stopped(Stop::Limit) => {
                "the run stopped here: it took as many operations and pages as a run may".to_owned()
            }
            Reason::Stopped(Stop::Bug) => "the run stopped here: the kernel is dead".to_owned(),
        }
    }
}

impl Verdict {
    /// Whether no invariant broke, in what was judged. Not the answer: see [`Verdict::answer`].
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }

    /// The answer. A fault of the subject outweighs all; then a misuse, behind which nothing is certain; then that a part
    /// was not judged.
    #[must_use]
    pub fn answer(&self) -> Answer {
        if self.faults().next().is_some() {
            Answer::Breaks
        } else if self.first_misuse().is_some() {
            Answer::Misuses
        } else if self.parts().next().is_some() {
            Answer::InPart
        } else {
            // Without a misuse every violation is a fault.
            Answer::Holds
        }
    }

    /// The violations that are the subject's own fault: those before the program's first misuse, whose consequence later
    /// ones may be, but for balance where the program itself is unbalanced; and any disagreement with the model, which
    /// says what happens under misuse too.
    pub fn faults(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| {
            let before = self.since.is_none_or(|misuse| violation.event < misuse);
            match violation.invariant {
                Invariant::Model => true,
                Invariant::I1 => before && self.open.is_none(),
                _ => before,
            }
        })
    }

    /// The violations that may be the program's own doing.
    pub fn consequences(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| !self.faults().any(|fault| fault == *violation))
    }

    /// The program's first misuse, what it leaves open at its end included: that is known where the run came to the
    /// program's end.
    #[must_use]
    pub fn first_misuse(&self) -> Option<Misuse> {
        let ended = self.cut.is_none() && self.stopped.is_none();
        let open = self.open.filter(|_| ended).map(|op| Misuse { op, how: How::LeavesOpen });
        self.misuse.or(open)
    }

    /// What was not judged, in the order in which it happened.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let refused = self.refused.map(|Refused { op, why, times }| Part { op, why: Reason::Refused(why, times) });
        let cut = self.cut.map(|op| Part { op, why: Reason::Cut });
        let stopped = self.stopped.map(|(op, stop)| Part { op, why: Reason::Stopped(stop) });
        refused.into_iter().chain(cut).chain(stopped)
    }
}

impl fmt::Display for Verdict {
    /// The answer in a line: `holds`, `breaks I2 I15`, `misuses at 3 (then breaks I1)`, `in part (cut at 5)`; what was not
    /// judged stands behind `breaks` too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |f: &mut fmt::Formatter<'_>| {
            self.violations.iter().try_for_each(|violation| write!(f, " {}", violation.invariant.id()))
        };
        match (self.answer(), self.first_misuse()) {
            (Answer::Holds, _) => f.write_str("holds")?,
            (Answer::InPart, _) => f.write_str("in part")?,
            (Answer::Misuses, Some(Misuse { op, .. })) => {
                write!(f, "misuses at {op}")?;
                if !self.holds() {
                    f.write_str(" (then breaks")?;
                    ids(f)?;
                    f.write_char(')')?;
                }
            }
            _ => {
                f.write_str("breaks")?;
                ids(f)?;
            }
        }
        let mut before = " (";
        for part in self.parts() {
            write!(f, "{before}{} at {}", part.name(), part.op)?;
            before = ", ";
        }
        if before == ", " { f.write_char(')') } else { Ok(()) }
    }
}
