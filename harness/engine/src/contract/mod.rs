//! The contract: oracles that read a trace and say which invariants it breaks.
//!
//! Each oracle is a file: what it watches, when it may not judge, and unit tests with a breaking and a non-breaking
//! program. They share no code with subjects, nor with the machine: a trace is all they see. [`judge`] runs them all.
//! Reported is the first violation of each invariant; what comes after it is usually its consequence.
//!
//! | id | oracle | watches |
//! | --- | --- | --- |
//! | I1 | [`balance`] | counters return to their entry values, neither wraps |
//! | I2 | [`pairing`] | enter and leave alternate, flush only between them |
//! | I11 | [`isolation`] | an interrupt leaves the interrupted task's counters and deferrals alone |
//! | I12 | [`neutrality`] | a switch leaves the task as it was; the architecture's mark says what the counters say |
//! | I15 | [`quiet`] | no warning on a legal sequence, one on an illegal one |
//! | model | [`model`] | every call against the reference model of the counted generation |
//!
//! I3 to I10, I13 and I14 are about memory; they need a machine that knows what a walker sees, and are not judged yet.

pub mod balance;
pub mod isolation;
pub mod legality;
pub mod model;
pub mod neutrality;
pub mod pairing;
pub mod quiet;

use std::fmt;

use crate::trace::{Event, What};
use legality::{Legality, Misuse};

/// What is kept or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Balance.
    I1,
    /// Pairing.
    I2,
    /// Interrupt isolation.
    I11,
    /// Switch neutrality.
    I12,
    /// Quiet.
    I15,
    /// Agreement with the reference model of the counted generation.
    Model,
}

impl Invariant {
    /// All that are judged, in reporting order.
    pub const ALL: [Invariant; 6] =
        [Invariant::I1, Invariant::I2, Invariant::I11, Invariant::I12, Invariant::I15, Invariant::Model];

    /// Its id and name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Invariant::I1 => "I1 balance",
            Invariant::I2 => "I2 pairing",
            Invariant::I11 => "I11 irq-isolation",
            Invariant::I12 => "I12 switch-neutral",
            Invariant::I15 => "I15 quiet",
            Invariant::Model => "model",
        }
    }

    /// Its id alone.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.name().split(' ').next().unwrap_or_default()
    }
}

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

/// What to expect of the subject's generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The reference model of the counted generation applies.
    pub counted: bool,
    /// The generation keeps counters per task, and has warnings to give; else the architecture alone knows the mode.
    pub counters: bool,
}

/// What the oracles say of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The first violation of each invariant, in the order of the invariants.
    pub violations: Vec<Violation>,
    /// Where the program itself misused the API, if it did: the violations may then be its own.
    pub misuse: Option<Misuse>,
}

impl Verdict {
    /// Whether nothing was broken.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Verdict {
    /// The broken invariants' ids, or `holds`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holds() {
            return f.write_str("holds");
        }
        f.write_str("breaks")?;
        self.violations.iter().try_for_each(|violation| write!(f, " {}", violation.invariant.id()))
    }
}

/// Where the oracles put what they find: the first of each invariant.
#[derive(Debug, Default)]
pub struct Findings {
    found: [Option<Violation>; Invariant::ALL.len()],
}

impl Findings {
    /// Reports a violation at an event, unless its invariant broke before. The text is made only if it is kept.
    pub fn report(&mut self, invariant: Invariant, event: usize, text: impl FnOnce() -> String) {
        let slot = &mut self.found[invariant as usize];
        if slot.is_none() {
            *slot = Some(Violation { invariant, event, text: text() });
        }
    }
}

/// Judges a whole trace, once. Who judges many keeps a [`Judge`].
#[must_use]
pub fn judge(events: &[Event], rules: Rules) -> Verdict {
    Judge::default().judge(events, rules)
}

/// The oracles, kept between traces so that judging allocates nothing once their buffers have grown.
#[derive(Debug, Default)]
pub struct Judge {
    legality: Legality,
    balance: balance::Balance,
    pairing: pairing::Pairing,
    isolation: isolation::Isolation,
    neutrality: neutrality::Neutrality,
    quiet: quiet::Quiet,
    model: model::Model,
}

impl Judge {
    /// Judges a whole trace; what was judged before does not matter.
    #[must_use]
    pub fn judge(&mut self, events: &[Event], rules: Rules) -> Verdict {
        let mut findings = Findings::default();
        self.reset(rules);
        for (at, event) in events.iter().enumerate() {
            // What no oracle watches yet is most of a long trace; of the notes only those that force something out
            // matter, and those to one oracle.
            match event.what {
                What::Insn(_) | What::Store(..) | What::Read(..) | What::Walk(..) | What::Op(_) => continue,
                What::Note(_) => {
                    self.isolation.watch(at, event, &mut findings);
                    continue;
                }
                _ => {}
            }
            self.legality.watch(event);
            self.balance.watch(at, event, &mut findings);
            self.pairing.watch(at, event, rules, &mut findings);
            self.isolation.watch(at, event, &mut findings);
            self.neutrality.watch(at, event, &self.legality, &mut findings);
            self.quiet.watch(at, event, &self.legality, &mut findings);
            if rules.counted {
                self.model.watch(at, event, &mut findings);
            }
        }
        self.balance.finish(events, &mut findings);
        Verdict { violations: findings.found.into_iter().flatten().collect(), misuse: self.legality.misuse() }
    }

    fn reset(&mut self, rules: Rules) {
        self.legality.reset();
        self.balance.reset();
        self.pairing.reset();
        self.isolation.reset();
        self.neutrality.reset();
        self.quiet.reset(rules);
        self.model.reset();
    }
}

#[cfg(test)]
pub(crate) mod tests;
