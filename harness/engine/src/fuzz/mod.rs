//! What the fuzz targets do with their input: run it, judge it, count what it exercised.
//!
//! A target is a [`Target`]: total over bytes, deterministic in them, and kept between executions. What it finds is a
//! [`Found`], whose slug says when two are the same. Where the bytes are a program, [`Input`] says how, so that mutators,
//! minimisers and seeds need not know the target.
//!
//! Not here: libFuzzer (package `fuzz`), processes and files (`lazymmu fuzz`), mutation ([`crate::program::mutate`]).
//! Called by the fuzz targets, by `lazymmu fuzz` to confirm and minimise what they found, and by tests.

mod architectures;
mod contract;
mod features;
mod generations;
mod model;
mod parsers;
mod session;
mod stats;
mod subjects;
mod transitions;
mod zoo;

pub use session::{Explain, Session, Settings};
pub use stats::Stats;
pub use subjects::unexplained;
pub use zoo::signature;

use crate::finding::Signature;
use crate::program::{Program, bytes};

/// Operations and pages one execution may take: enough to wrap a counter twice or to fill a batch of 192 five times, and few
/// enough that there are many executions.
pub const LIMIT: usize = 1024;

/// What a target's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// So many bytes that choose a subject, then a program as bytes.
    Program(usize),
    /// The text of a program.
    Text,
    /// A recorded kernel trace.
    Trace,
    /// Frames between the host command and the agent.
    Frames,
}

impl Input {
    /// The choosing bytes and the program, where there is one.
    #[must_use]
    pub fn split(self, data: &[u8]) -> Option<(&[u8], Program)> {
        match self {
            Input::Program(prefix) => {
                let (chosen, rest) = data.split_at(prefix.min(data.len()));
                Some((chosen, bytes::decode(rest)))
            }
            _ => None,
        }
    }

    /// The bytes of a program after its choosing bytes, which are filled up with zeros.
    #[must_use]
    pub fn join(self, chosen: &[u8], program: &Program) -> Vec<u8> {
        let Input::Program(prefix) = self else { return Vec::new() };
        let mut data = chosen.to_vec();
        data.resize(prefix, 0);
        data.extend(bytes::encode(program));
        data
    }
}

/// What tells libFuzzer that an input is worth keeping, besides the features of a run ([`features`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guide {
    /// Which functions ran: where programs run, states are many and code is little, and a thousand edges that every
    /// program runs through would be most of an execution.
    Functions,
    /// Which edges ran, how often, and what was compared: a reader's states are its code.
    Edges,
}

/// A target as the lists of them show it.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Its name: the binary's and the folders'.
    pub name: &'static str,
    /// What it checks, in a line.
    pub about: &'static str,
    /// What its bytes are.
    pub input: Input,
    /// What guides it.
    pub guide: Guide,
    /// What a run must have met ([`Stats::lines`]); a run in which one stayed at zero has not tested what it says.
    pub kinds: &'static [&'static str],
    make: fn(&Settings) -> Result<Box<dyn Target>, String>,
}

impl Description {
    /// Makes the target.
    ///
    /// # Errors
    /// The settings name a subject that does not exist, or a table that cannot be read.
    pub fn make(&self, settings: &Settings) -> Result<Box<dyn Target>, String> {
        (self.make)(settings)
    }
}

/// Every target, in the order in which lists show them.
pub const TARGETS: [Description; 9] = [
    transitions::DESCRIPTION,
    contract::DESCRIPTION,
    architectures::DESCRIPTION,
    generations::DESCRIPTION,
    model::DESCRIPTION,
    parsers::TEXT,
    parsers::BYTES,
    parsers::TRACE,
    parsers::FRAMES,
];

/// What searches the zoo: it needs a specimen to be named, and is in no list.
pub const ZOO: Description = zoo::DESCRIPTION;

/// Finds a target by its name: one of [`TARGETS`], or [`ZOO`].
#[must_use]
pub fn find(name: &str) -> Option<&'static Description> {
    TARGETS.iter().chain([&ZOO]).find(|target| target.name == name)
}

/// What a target found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What makes two findings one, fit for a file's name: `I3-disable-counted-aarch64`.
    pub slug: String,
    /// What is wrong, in a line or more.
    pub what: String,
    /// The subject it was found on, if there is one.
    pub subject: Option<&'static str>,
    /// What makes it one of the contract's findings; none where something else was compared.
    pub signature: Option<Signature>,
}

/// What is fuzzed. See the module.
pub trait Target {
    /// Runs and judges one input; `hit` is told of each feature of the run, numbers below [`features::COUNT`].
    ///
    /// # Errors
    /// What it found.
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found>;

    /// What was done so far.
    fn stats(&self) -> &Stats;
}

/// How many features there are.
pub const FEATURES: usize = features::COUNT;

#[cfg(test)]
mod tests;
