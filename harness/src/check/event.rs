//! What `check` comes to, as one stream of events that every report is made from.
//!
//! A stream is a tree written in order: a group begins, holds groups or cases, and ends. At the top are the host, then each
//! target as it is done, then the many silent programs; below the host and the targets are suites, and in them cases.
//!
//! What it is not: it runs nothing and words nothing but the last line; reports are [`super::render`]'s.
//!
//! Who calls it: `lazymmu check`, as soon as a part is done.

use std::path::Path;
use std::time::Duration;

use lazy_mmu_engine::trace::counted;

use super::cause::Causes;
use super::expected::{Expected, HostSuite};
use super::silent::Silent;
use super::{Case, Cell, Profile, Row, RowState, Suite};
use crate::error::{Exit, Result};
use crate::setup::Missing;

/// What a group is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The host's own runs against what is reviewed.
    Host,
    /// A target.
    Target,
    /// Many legal programs, which nothing may break.
    Silent,
    /// One of the suites of the host or of a target.
    Suite,
    /// A kernel tree's code on a target (`judge`).
    Subject,
    /// A tree after a patch of a series (`judge`).
    Patch,
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// The first: how much is run, and how many groups or skips will stand at the top.
    Begin {
        /// The subcommand.
        command: &'e str,
        /// The profile.
        profile: Profile,
        /// The first seed of what is generated.
        seed: u64,
        /// Groups and skips at the top.
        tests: usize,
    },
    /// A group begins.
    Group {
        /// What it is of.
        kind: Kind,
        /// Its name, of its parent's only.
        name: &'e str,
        /// Groups or cases in it.
        tests: usize,
    },
    /// A case of the innermost open group.
    Case(&'e Case),
    /// A target that could not be set up.
    Skip {
        /// Its name.
        name: &'e str,
        /// What is missing, why, and what mends it.
        missing: &'e Missing,
    },
    /// The innermost open group ends.
    End {
        /// What there is to say of it, in lines; may be empty.
        about: &'e str,
        /// How long it took; zero where nobody looked.
        took: Duration,
    },
    /// The last.
    Finish {
        /// What the command ends with.
        exit: Exit,
        /// The same in words.
        conclusion: &'e str,
    },
}

/// What makes a report of a stream.
pub trait Renderer {
    /// Takes the next event.
    ///
    /// # Errors
    /// The report cannot be written.
    fn event(&mut self, event: &Event<'_>) -> Result<()>;
}

/// Sends events on to reports, and counts what the command's end depends on.
pub struct Stream {
    renderers: Vec<Box<dyn Renderer + Send>>,
    causes: Causes,
    failed: bool,
    ran: usize,
    skipped: usize,
}

impl Stream {
    /// A stream into these reports.
    #[must_use]
    pub fn new(renderers: Vec<Box<dyn Renderer + Send>>) -> Stream {
        Stream { renderers, causes: Causes::default(), failed: false, ran: 0, skipped: 0 }
    }

    /// Begins. So many targets will follow.
    ///
    /// # Errors
    /// A report cannot be written; so everywhere here.
    pub fn begin(&mut self, profile: Profile, seed: u64, targets: usize) -> Result<()> {
        self.send(Event::Begin { command: "check", profile, seed, tests: targets + 2 })
    }

    /// The host's own runs.
    ///
    /// # Errors
    /// See [`Stream::begin`].
    pub fn host(&mut self, expected: &Expected) -> Result<()> {
        let cells = expected.said.iter().zip(&expected.host);
        let suites =
            HostSuite::ALL.iter().zip(cells).map(|(suite, (about, cell))| (suite.name(), about.as_str(), cell));
        self.group(Kind::Host, "host", &expected.summary(), suites)
    }

    /// One target.
    ///
    /// # Errors
    /// See [`Stream::begin`].
    pub fn target(&mut self, row: &Row) -> Result<()> {
        let name = row.target.short();
        match &row.state {
            RowState::Skipped(missing) => {
                self.skipped += 1;
                self.send(Event::Skip { name, missing })
            }
            RowState::Ran(cells, how) => {
                self.ran += 1;
                let executed: u64 = cells.iter().map(|cell| cell.executed).sum();
                let about = format!("{name}: {how}; asm port: {executed} instructions executed for real");
                let suites = Suite::ALL.iter().zip(cells).map(|(suite, cell)| (suite.name(), "", cell));
                self.group(Kind::Target, name, &about, suites)
            }
        }
    }

    /// What nothing may break.
    ///
    /// # Errors
    /// See [`Stream::begin`].
    pub fn silent(&mut self, silent: &Silent) -> Result<()> {
        self.send(Event::Group { kind: Kind::Silent, name: "silent", tests: silent.cases.len() })?;
        self.cases("silent", &silent.cases)?;
        self.send(Event::End { about: &silent.summary(), took: silent.took })
    }

    /// Ends: a failure outweighs a skipped target, and that is no success.
    ///
    /// # Errors
    /// See [`Stream::begin`].
    pub fn finish(mut self) -> Result<Exit> {
        let exit = match (self.failed, self.skipped) {
            (true, _) => Exit::Broke,
            (false, 0) => Exit::Holds,
            (false, _) => Exit::Environment,
        };
        let conclusion = self.conclusion();
        self.send(Event::Finish { exit, conclusion: &conclusion })?;
        Ok(exit)
    }

    /// The last line: how much failed, and what to do about snapshots. Only where nothing else failed is accepting them an
    /// answer.
    fn conclusion(&self) -> String {
        let (ran, skipped) = (self.ran, self.skipped);
        let runs = self.causes.runs();
        let causes = self.causes.ranked().len();
        match (self.failed, self.causes.has_faults(), self.causes.not_as_reviewed().is_some(), skipped) {
            (false, _, _, 0) => format!("holds on {ran} of {ran} targets, nothing skipped"),
            (false, ..) => format!("holds on {ran} targets; {skipped} skipped"),
            (true, false, ..) => format!(
                "{runs} runs are not as reviewed, on {ran} targets; {skipped} skipped; if each is meant: \
                 INSTA_UPDATE=new cargo test -p lazy-mmu-snapshots; cargo insta review"
            ),
            (true, true, review, _) => {
                let first = if review { "; look at what broke before any snapshot" } else { "" };
                let causes = counted(causes as u64, ["cause", "causes"]);
                format!("{runs} runs failed by {causes}, on {ran} targets; {skipped} skipped{first}")
            }
        }
    }

    fn group<'c>(
        &mut self,
        kind: Kind,
        name: &str,
        about: &str,
        suites: impl ExactSizeIterator<Item = (&'c str, &'c str, &'c Cell)>,
    ) -> Result<()> {
        self.send(Event::Group { kind, name, tests: suites.len() })?;
        let mut took = Duration::ZERO;
        for (suite, about, cell) in suites {
            self.send(Event::Group { kind: Kind::Suite, name: suite, tests: cell.cases.len() })?;
            self.cases(name, &cell.cases)?;
            self.send(Event::End { about, took: cell.took })?;
            took += cell.took;
        }
        self.send(Event::End { about, took })
    }

    /// Cases below the group of this name at the top.
    fn cases(&mut self, top: &str, cases: &[Case]) -> Result<()> {
        for case in cases {
            self.causes.add(top, case);
            self.failed |= !case.holds();
            self.send(Event::Case(case))?;
        }
        Ok(())
    }

    fn send(&mut self, event: Event<'_>) -> Result<()> {
        self.renderers.iter_mut().try_for_each(|renderer| renderer.event(&event))
    }
}

/// Puts the programs of failures into files below `folder`, so that replay commands can be pasted.
pub fn save<'c>(cells: impl IntoIterator<Item = &'c mut Case>, folder: &Path) {
    cells.into_iter().flat_map(|case| &mut case.failures).for_each(|failure| failure.save(folder));
}

#[cfg(test)]
mod tests;
