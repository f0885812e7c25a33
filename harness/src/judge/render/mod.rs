//! The four reports of `judge`, and where they go: for people, JSON, and JUnit and KTAP as `check` writes them.
//!
//! | file | what |
//! | --- | --- |
//! | [`human`] | the matrix, findings, differences, and a line for a commit message |
//! | [`json`] | a document for each tree, on a line; docs/json.md has the schema |
//! | [`cases`] | a tree as the stream of events that `check`'s JUnit and KTAP are made from |
//!
//! What it is not: nothing is judged here. Called by `lazymmu judge`.

pub mod cases;
pub mod human;
pub mod json;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::base::{self, Prices};
use super::findings::Finding;
use super::material::Item;
use super::report::Report;
use crate::check::Profile;
use crate::check::render::junit::Junit;
use crate::check::render::ktap::Ktap;
use crate::check::render::{Format, Sink, sinks};
use crate::error::{Error, Exit, Result};

/// What is known before anything is judged.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// How much is generated.
    pub profile: Profile,
    /// The first seed.
    pub seed: u64,
    /// How many targets each tree is judged on.
    pub targets: usize,
    /// How many patches a series has; none: one tree is judged.
    pub patches: Option<usize>,
}

/// Where in a series a tree stands.
#[derive(Clone, Copy, Debug)]
pub struct Step<'s> {
    /// The patch's number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Its subject.
    pub subject: &'s str,
}

/// The tree that another is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'b> {
    /// The base, judged.
    pub report: &'b Report,
    /// What the workloads cost on both.
    pub prices: &'b Prices,
}

/// One tree, judged.
#[derive(Clone, Copy, Debug)]
pub struct Judgement<'j> {
    /// All that came of it.
    pub report: &'j Report,
    /// What it was judged on.
    pub items: &'j [Item],
    /// Whether known findings and generic differences count as failures.
    pub is_strict: bool,
    /// The patch after which it is this tree.
    pub patch: Option<Step<'j>>,
    /// Its base.
    pub base: Option<Beside<'j>>,
}

impl Judgement<'_> {
    /// Whether the base has a finding too, so that the tree does not fail by it.
    #[must_use]
    pub fn is_old(&self, finding: &Finding) -> bool {
        self.base.is_some_and(|base| base::is_old(finding, &base.report.findings))
    }

    /// What the command ends with, if this is the only tree.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.report.exit(self.is_strict, |finding| self.is_old(finding))
    }

    /// The line for a commit message.
    #[must_use]
    pub fn conclusion(&self) -> String {
        self.report.conclusion(self.exit())
    }
}

/// What makes a report of judged trees.
pub trait Renderer {
    /// Begins.
    ///
    /// # Errors
    /// The report cannot be written; so everywhere here.
    fn begin(&mut self, begun: Begun) -> Result<()>;

    /// Takes a tree.
    ///
    /// # Errors
    /// See [`Renderer::begin`].
    fn tree(&mut self, judgement: &Judgement<'_>) -> Result<()>;

    /// A patch of this number after which there is no tree; the series ends with it.
    ///
    /// # Errors
    /// See [`Renderer::begin`].
    fn lost(&mut self, number: usize, of: usize, error: &Error) -> Result<()>;

    /// Ends.
    ///
    /// # Errors
    /// See [`Renderer::begin`].
    fn finish(&mut self, exit: Exit) -> Result<()>;
}

/// The reports that were asked for.
pub struct Reports(Vec<Box<dyn Renderer>>);

impl Reports {
    /// Opens them: to standard output, or to a file and for people to standard output.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn open(format: Format, file: Option<&Path>, is_verbose: bool) -> Result<Reports> {
        let opened = sinks(format, file)?.into_iter().map(|(format, sink)| renderer(format, sink, is_verbose));
        Ok(Reports(opened.collect()))
    }
}

impl Renderer for Reports {
    fn begin(&mut self, begun: Begun) -> Result<()> {
        self.0.iter_mut().try_for_each(|report| report.begin(begun))
    }

    fn tree(&mut self, judgement: &Judgement<'_>) -> Result<()> {
        self.0.iter_mut().try_for_each(|report| report.tree(judgement))
    }

    fn lost(&mut self, number: usize, of: usize, error: &Error) -> Result<()> {
        self.0.iter_mut().try_for_each(|report| report.lost(number, of, error))
    }

    fn finish(&mut self, exit: Exit) -> Result<()> {
        self.0.iter_mut().try_for_each(|report| report.finish(exit))
    }
}

fn renderer(format: Format, sink: Sink, is_verbose: bool) -> Box<dyn Renderer> {
    match format {
        Format::Human => Box::new(human::Human::new(sink, is_verbose)),
        Format::Json => Box::new(json::Json::new(sink)),
        Format::Junit => Box::new(cases::Cases::new(Box::new(Junit::new(sink)))),
        Format::Ktap => Box::new(cases::Cases::new(Box::new(Ktap::new(sink)))),
    }
}
