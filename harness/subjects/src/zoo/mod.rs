//! The zoo: the defects of the public record, and mutants that break its rules, each with the program that kills it.
//!
//! A specimen is one defect. It wraps a faithful subject and overrides one method of it, or is a faithful subject of the
//! generation that had the defect, or is code of a caller around a faithful one ([`Form`]); faithful code carries no switch
//! for a defect. It says what breaks first, and a program of the collection (`snapshots/programs/broken/`) breaks that on
//! the specimen and not on its fix. [`judge::Trial`] compares the two sides.
//!
//! | file | what |
//! | --- | --- |
//! | `history` | what a defect's record says |
//! | `judge` | a program on both sides: what counts as found |
//! | `bent` | bending at the object's boundary: what a subject offers, and what it asks of the machine |
//! | `rewrite` | what callers make of an input |
//! | `older` | older subjects with a fault: what their known findings must not hide |
//! | `types` | bending inside: a call of the generation, a method of a backend |
//! | `arm64`, `callers`, `generic`, `powerpc`, `sparc`, `xen` | the families of defects |
//!
//! Not here: oracles. A target's agent does not know the zoo: specimens run on the host. Called by `lazymmu run`, `fuzz`
//! and `zoo`, and by tests.

mod arm64;
pub mod bent;
mod callers;
mod generic;
pub mod history;
pub mod older;
mod powerpc;
mod rewrite;
mod sparc;
pub mod types;
mod xen;

use std::borrow::Cow;
use std::fmt;

use crate::registry::{self, Descriptor};
pub use history::{Grade, History, Status};
use lazy_mmu_abi::rules::{Invariant, Rules};
use lazy_mmu_abi::subject::{Port, Subject};
use lazy_mmu_program::Program;

/// What specimens' names begin with.
pub const PREFIX: &str = "zoo/";

/// One specimen.
#[derive(Clone, Copy, Debug)]
pub struct Specimen {
    /// `zoo/`, the defect's name, and behind a dash which mutant of it.
    pub name: &'static str,
    /// The program of the collection that kills it.
    pub program: &'static str,
    /// What breaks there, and nothing that counts before it.
    pub breaks: Invariant,
    /// Where it comes from.
    pub history: History,
    /// What is wrong, and what comes of it.
    pub about: &'static str,
    /// What it is made of.
    pub form: Form,
    /// The registry's name of the faithful subject that is its fix: what a bent one wraps, what a caller calls.
    pub fixed: &'static str,
}

/// What a specimen is made of.
#[derive(Clone, Copy)]
pub enum Form {
    /// The faithful subject with one thing bent.
    Bent(fn(Port) -> Box<dyn Subject>),
    /// A subject of the registry, by its name there, with one thing bent: an older generation than the fix's.
    BentOlder(&'static str, fn(Port) -> Box<dyn Subject>),
    /// A subject of the registry that had the defect itself, by its name there.
    Older(&'static str),
    /// A faithful form that the registry does not have, with one thing bent: that form is its fix.
    Mutant {
        /// Makes the defect.
        mutant: fn(Port) -> Box<dyn Subject>,
        /// Makes what it is a mutant of.
        of: fn(Port) -> Box<dyn Subject>,
    },
    /// The faithful subject, with code of a caller around the input.
    Caller(Caller),
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Bent(_) => f.write_str("Bent"),
            Form::BentOlder(name, _) => f.debug_tuple("BentOlder").field(name).finish(),
            Form::Mutant { .. } => f.write_str("Mutant"),
            Form::Older(name) => f.debug_tuple("Older").field(name).finish(),
            Form::Caller(_) => f.write_str("Caller"),
        }
    }
}

/// A caller: what it makes of an input. Both ways make a program of every program, and both are pure functions.
#[derive(Clone, Copy)]
pub struct Caller {
    /// The program of a caller with the defect.
    pub wrong: fn(&Program) -> Program,
    /// That of the same caller without it; the input as it is, if there is none.
    pub right: Option<fn(&Program) -> Program>,
    /// Makes what both run on, where no subject of the registry can show the defect.
    pub on: Option<fn(Port) -> Box<dyn Subject>>,
}

impl Specimen {
    /// The subject of the registry that the defect is in: its rules are the specimen's, and it says what its words mean.
    ///
    /// # Panics
    /// If the registry has none of that name, which a test excludes.
    #[must_use]
    pub fn base(&self) -> &'static Descriptor {
        match self.form {
            Form::Older(name) | Form::BentOlder(name, _) => named(name),
            Form::Bent(_) | Form::Mutant { .. } | Form::Caller(_) => named(self.fixed),
        }
    }

    /// The subject that is its fix.
    ///
    /// # Panics
    /// As [`Specimen::base`].
    #[must_use]
    pub fn fixed(&self) -> &'static Descriptor {
        named(self.fixed)
    }

    /// What its oracles may expect: of an older generation that breaks the model, what its fix's may.
    #[must_use]
    pub fn rules(&self) -> Rules {
        if self.breaks == Invariant::Model { self.fixed().rules() } else { self.base().rules() }
    }

    /// Makes what is judged.
    #[must_use]
    pub fn make(&self, port: Port) -> Box<dyn Subject> {
        match self.form {
            Form::Bent(make)
            | Form::BentOlder(_, make)
            | Form::Mutant { mutant: make, .. }
            | Form::Caller(Caller { on: Some(make), .. }) => make(port),
            Form::Older(_) | Form::Caller(_) => self.base().make(port),
        }
    }

    /// Makes its fix.
    #[must_use]
    pub fn make_fixed(&self, port: Port) -> Box<dyn Subject> {
        match self.form {
            Form::Mutant { of: make, .. } | Form::Caller(Caller { on: Some(make), .. }) => make(port),
            _ => self.fixed().make(port),
        }
    }

    /// What is run for an input: the input, or what the caller with the defect makes of it.
    #[must_use]
    pub fn program_of<'p>(&self, input: &'p Program) -> Cow<'p, Program> {
        match self.form {
            Form::Caller(caller) => Cow::Owned((caller.wrong)(input)),
            _ => Cow::Borrowed(input),
        }
    }

    /// What is run for it on the side of the fix.
    #[must_use]
    pub fn fixed_program_of<'p>(&self, input: &'p Program) -> Cow<'p, Program> {
        match self.form {
            Form::Caller(Caller { right: Some(right), .. }) => Cow::Owned(right(input)),
            _ => Cow::Borrowed(input),
        }
    }

    /// Whether the defect is a caller's: its misuse is then what is looked for.
    #[must_use]
    pub fn is_caller(&self) -> bool {
        matches!(self.form, Form::Caller(_))
    }
}

/// The families.
const FAMILIES: [&[Specimen]; 6] =
    [arm64::FAMILY, callers::FAMILY, generic::FAMILY, powerpc::FAMILY, sparc::FAMILY, xen::FAMILY];

/// Every specimen, by family.
pub fn all() -> impl Iterator<Item = &'static Specimen> {
    FAMILIES.into_iter().flatten()
}

/// Finds a specimen by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Specimen> {
    all().find(|specimen| specimen.name == name)
}

/// A subject that the zoo names.
fn named(name: &str) -> &'static Descriptor {
    registry::find(name).expect("the zoo names subjects of the registry")
}

/// A faithful subject of the registry, with a bend.
fn bend<B: bent::Bend + 'static>(faithful: &str, port: Port, bend: B) -> Box<dyn Subject> {
    Box::new(bent::Bent::new(named(faithful).make(port), bend))
}

#[cfg(test)]
mod tests;
