//! The zoo: subjects with one thing bent each, to show that the oracles catch it.
//!
//! A specimen wraps a faithful subject and overrides one method of it; faithful code carries no switch for a defect. It
//! says which invariant it breaks first, and a program of the collection (`snapshots/programs/broken/`) breaks that on the
//! specimen and nothing on the faithful one. Where a defect of the public record fits, the specimen has its name.
//!
//! | file | what |
//! | --- | --- |
//! | `bent` | bending at the object's boundary: what a subject offers, and what it asks of the machine |
//! | `types` | bending inside: a call of the generation, a method of a backend |
//! | `arm64`, `callers`, `generic`, `powerpc`, `sparc`, `xen` | the families of defects |
//!
//! Not here: judgement. A target's agent does not know the zoo: specimens run on the host. Called by `lazymmu run` and
//! by tests.

mod arm64;
pub mod bent;
mod callers;
mod generic;
mod powerpc;
mod sparc;
pub mod types;
mod xen;

use crate::contract::{Invariant, Rules};
use crate::subject::registry::{self, Descriptor};
use crate::subject::{Port, Subject};

/// What specimens' names begin with.
pub const PREFIX: &str = "zoo/";

/// One specimen.
#[derive(Clone, Copy, Debug)]
pub struct Specimen {
    /// `zoo/` and what is bent.
    pub name: &'static str,
    /// The program of the collection that shows it.
    pub program: &'static str,
    /// The registry's name of the faithful subject that it wraps.
    pub faithful: &'static str,
    /// What breaks first.
    pub breaks: Invariant,
    /// What is bent, and what comes of it.
    pub about: &'static str,
    make: fn(Port) -> Box<dyn Subject>,
}

impl Specimen {
    /// The faithful subject that it wraps.
    ///
    /// # Panics
    /// If the registry has none of that name, which a test excludes.
    #[must_use]
    pub fn base(&self) -> &'static Descriptor {
        registry::find(self.faithful).expect("the faithful subject is in the registry")
    }

    /// What its oracles may expect: what they expect of the faithful one.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.base().rules()
    }

    /// Makes the subject.
    #[must_use]
    pub fn make(&self, port: Port) -> Box<dyn Subject> {
        (self.make)(port)
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

/// A faithful subject of the registry, with a bend.
fn bend<B: bent::Bend + 'static>(faithful: &str, port: Port, bend: B) -> Box<dyn Subject> {
    let inner = registry::find(faithful).expect("the faithful subject is in the registry").make(port);
    Box::new(bent::Bent::new(inner, bend))
}

#[cfg(test)]
mod tests;
