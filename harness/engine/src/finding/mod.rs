//! Findings: what makes two failures one, and what is made of one for those who repair it.
//!
//! | file | what |
//! | --- | --- |
//! | here | the signature of a failure, and its smallest program |
//! | [`report`] | the text to paste into a mail |
//! | [`rust_test`] | a test function for this project, and for those that depend on the engine |
//! | [`kunit`] | a KUnit case in C |
//! | [`program`] | the program file for the collection |
//!
//! Not here: files and processes (the host command's `findings`), and where programs come from. Everything is a pure
//! function of the program, the subject's name and what was found. Called by the fuzzer and by the host command.

pub mod kunit;
pub mod program;
pub mod report;
pub mod rust_test;

use std::borrow::Cow;
use std::fmt;

use crate::contract::{Invariant, Rules, Verdict, Violation};
use crate::program::minimise::minimise;
use crate::program::{Block, Op, Program};
use crate::registry::{self, Descriptor};
use crate::runner::Runner;
use crate::subject::{Port, Subject};
use crate::trace::Event;
use crate::zoo::{self, Specimen};

/// What makes two findings one: the same subject breaks the same invariant at the same kind of operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// The subject's name, of the registry or the zoo.
    pub subject: String,
    /// What broke first.
    pub invariant: Invariant,
    /// The operation's name in programs, `end` for the end of the trace; `disable-between` is between the halves of one.
    pub op: String,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} on {}", self.invariant.id(), self.op, self.subject)
    }
}

impl Signature {
    /// Its name as a file's: letters, digits, `.`, `_` and `-` alone.
    #[must_use]
    pub fn slug(&self) -> String {
        let name = format!("{}-{}-{}", self.invariant.id(), self.op, self.subject);
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
    }

    /// Its name as a function's, in Rust and in C.
    #[must_use]
    pub fn identifier(&self) -> String {
        self.slug().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
    }
}

/// The signature of a run: of the earliest violation that is the subject's own fault ([`Verdict::faults`]).
#[must_use]
pub fn signature(subject: &str, program: &Program, events: &[Event], verdict: &Verdict) -> Option<Signature> {
    Some(signed(subject, program, events, first(verdict.faults())?))
}

/// The earliest of some violations; at the same event the first in the order of the invariants.
pub fn first<'v>(violations: impl Iterator<Item = &'v Violation>) -> Option<&'v Violation> {
    violations.min_by_key(|violation| (violation.event, violation.invariant))
}

/// The signature of a run with this violation.
#[must_use]
pub fn signed(subject: &str, program: &Program, events: &[Event], violation: &Violation) -> Signature {
    let op = match events.get(violation.event) {
        Some(event) => keyword(program, event.op as usize),
        None => "end".to_owned(),
    };
    Signature { subject: subject.to_owned(), invariant: violation.invariant, op }
}

/// The name of the operation at `at`; of the call that it stands between the halves of, marked, if it does.
#[must_use]
pub fn keyword(program: &Program, at: usize) -> String {
    let ops = program.ops();
    let mut open = Vec::new();
    for (before, op) in ops.iter().enumerate().take(at) {
        match op {
            Op::Open(_) => open.push(before),
            Op::Close => {
                open.pop();
            }
            _ => {}
        }
    }
    let halves = |at: usize| {
        let call = at.checked_sub(1).map(|before| ops[before]).filter(|op| op.has_halves());
        call.filter(|_| ops[at] == Op::Open(Block::Between))
    };
    if let Some(call) = open.iter().rev().find_map(|&at| halves(at)) {
        return format!("{}-between", name(call));
    }
    match ops.get(at) {
        // The end of a block is named after the block.
        Some(Op::Close) => open.last().map_or_else(|| "end".to_owned(), |&at| name(ops[at])),
        Some(op) => name(*op),
        None => "end".to_owned(),
    }
}

/// An operation's name without its arguments.
fn name(op: Op) -> String {
    op.to_string().split(' ').next().unwrap_or_default().to_owned()
}

/// The smallest program with the same signature, and that; `still` runs a program and says its signature. Never empty;
/// a last run confirms it, and if that run differs (a subject that remembers) the answer is the program as it was given.
/// None if the program has no signature.
pub fn minimised(
    program: &Program,
    mut still: impl FnMut(&Program) -> Option<Signature>,
) -> Option<(Program, Signature)> {
    let signature = still(program)?;
    let small = minimise(program, |candidate| still(candidate).as_ref() == Some(&signature));
    let confirmed = still(&small).as_ref() == Some(&signature);
    Some((if confirmed { small } else { program.clone() }, signature))
}

/// A subject by name, of the registry or the zoo, with what is needed to judge it.
pub struct Suspect {
    /// Its name.
    pub name: &'static str,
    /// The subject of the registry: itself, or that which the specimen's defect is in.
    pub base: &'static Descriptor,
    specimen: Option<&'static Specimen>,
    subject: Box<dyn Subject>,
}

impl Suspect {
    /// Finds and makes it, on the model port.
    #[must_use]
    pub fn find(name: &str) -> Option<Suspect> {
        if let Some(specimen) = zoo::find(name) {
            let subject = specimen.make(Port::Model);
            return Some(Suspect { name: specimen.name, base: specimen.base(), specimen: Some(specimen), subject });
        }
        let base = registry::find(name)?;
        Some(Suspect { name: base.name, base, specimen: None, subject: base.make(Port::Model) })
    }

    /// The subject itself.
    #[must_use]
    pub fn subject(&self) -> &dyn Subject {
        &*self.subject
    }

    /// What its oracles may expect.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.base.rules()
    }

    /// What is run for a program: it, or what a caller with a defect makes of it.
    #[must_use]
    pub fn program_of<'p>(&self, program: &'p Program) -> Cow<'p, Program> {
        self.specimen.map_or(Cow::Borrowed(program), |specimen| specimen.program_of(program))
    }

    /// Runs and judges a program, as it is.
    pub fn run<'r>(&self, runner: &'r mut Runner, program: &Program) -> (&'r [Event], Verdict) {
        runner.run_on(self.subject(), self.rules(), program)
    }

    /// Runs and judges what it makes of a program, and says its signature.
    pub fn signature(&self, runner: &mut Runner, program: &Program) -> Option<Signature> {
        let program = self.program_of(program);
        let (events, verdict) = self.run(runner, &program);
        signature(self.name, &program, events, &verdict)
    }

    /// The smallest program with the signature of this one, and that.
    pub fn minimised(&self, runner: &mut Runner, program: &Program) -> Option<(Program, Signature)> {
        minimised(program, |candidate| self.signature(runner, candidate))
    }
}

#[cfg(test)]
mod tests;
