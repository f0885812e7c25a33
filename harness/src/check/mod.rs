//! The main job: the whole collection, the kernel's own scenario, its call sites, the tables, the traces and generated
//! programs, on every target and generation.
//!
//! [`expected`] runs everything natively in this process and holds it against what is reviewed; [`suites`] has each
//! target's agent do the same and compares; [`silent`] runs many more legal programs natively, beside the targets;
//! [`blame`], [`reviewed`] and [`difference`] show what fails, and [`cause`] says which failures are one;
//! [`known`] says what faithful subjects break all the same; what comes of it is a stream of [`event`]s, and [`render`]
//! makes reports of that. Not here: set-up, processes. Called by `lazymmu check`.

pub mod blame;
pub mod build;
pub mod cause;
pub mod difference;
pub mod event;
pub mod expected;
pub mod guards;
pub mod known;
pub mod render;
pub mod reviewed;
pub mod silent;
pub mod suites;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use cause::{Cause, Seen};
use lazy_mmu_arches::backend::mix;
use lazy_mmu_engine::contract::Answer;
use lazy_mmu_engine::runner::Generated;

use crate::setup::Missing;
use crate::target::Target;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Seconds: 300 legal and 300 arbitrary programs per subject
    Quick,
    /// Minutes: 25,000 of each
    Full,
}

impl Profile {
    /// The generated batches, legal programs first; each program has 16 operations, about.
    #[must_use]
    pub fn generated(self, seed: u64) -> [Generated; 2] {
        let count = match self {
            Profile::Quick => 300,
            Profile::Full => 25_000,
        };
        [true, false].map(|legal| Generated { seed, count, length: 16, legal })
    }
}

/// What is run on a target, in the order of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// The collection, every program on every subject.
    Programs,
    /// The kernel's KUnit scenario.
    Kunit,
    /// The kernel's call sites.
    Workloads,
    /// The transition tables.
    Tables,
    /// The recorded kernel traces.
    Traces,
    /// Generated programs.
    Generated,
    /// The collection with instructions executed for real.
    Asm,
}

impl Suite {
    /// All, in the order of the matrix.
    pub const ALL: [Suite; 7] =
        [Suite::Programs, Suite::Kunit, Suite::Workloads, Suite::Tables, Suite::Traces, Suite::Generated, Suite::Asm];

    /// Its name in reports for machines: one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self == Suite::Asm { "asm" } else { self.heading() }
    }

    /// Its heading.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Suite::Programs => "programs",
            Suite::Kunit => "kunit",
            Suite::Workloads => "workloads",
            Suite::Tables => "tables",
            Suite::Traces => "traces",
            Suite::Generated => "generated",
            Suite::Asm => "asm port",
        }
    }
}

/// Something that broke, ready to be read and replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where and what, in one line.
    pub what: String,
    /// The rest: differing lines, the program.
    pub detail: String,
    /// The command that shows it again, where there is one. `PROGRAM` in it stands for the file of `program`.
    pub replay: Option<String>,
    /// A program that is in no file yet: its text.
    pub program: Option<String>,
    /// What makes it one with others.
    pub cause: Cause,
    /// The subject it is on; none: all, or there is none.
    pub subject: Option<&'static str>,
    /// How many operations its program has, if it has one.
    pub size: Option<usize>,
}

impl Failure {
    /// A failure with nothing but its line.
    #[must_use]
    pub fn plain(what: String) -> Failure {
        let cause = Cause::Other(what.clone());
        Failure { what, detail: String::new(), replay: None, program: None, cause, subject: None, size: None }
    }

    /// Writes the program to a file of its own below `folder`, named after its text, so that the replay command can
    /// be pasted. Where that fails the program is printed all the same.
    pub fn save(&mut self, folder: &Path) {
        let Some(program) = &self.program else { return };
        let digest = program.bytes().fold(0, |sum, byte| mix(sum, byte.into()));
        let file = folder.join(format!("{digest:016x}.lmm"));
        let text = format!("# {}\n{program}", self.what.replace('\n', " "));
        let saved = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, text));
        self.replay = match (saved, self.replay.take()) {
            (Ok(()), Some(replay)) => Some(replay.replace("PROGRAM", &file.display().to_string())),
            (_, replay) => replay,
        };
    }
}

impl fmt::Display for Failure {
    /// Lines that end in one: what, the detail and the command that shows it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        self.detail.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        self.replay.iter().try_for_each(|replay| writeln!(f, "  again: {replay}"))
    }
}

/// A part of a suite that passes or fails by itself: a family of programs, a call site, a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// Its name, of its suite's only.
    pub name: String,
    /// Runs, or trace lines, or table rows.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The first that failed, looked into.
    pub failures: Vec<Failure>,
    /// All that failed, by cause and subject.
    pub seen: Vec<Seen>,
    /// How many came to each answer, where that was looked at: holds, breaks, misuses, judged in part.
    pub answers: [u64; 4],
    /// In how many of them everything that broke is known (`judge`).
    pub known: u64,
    /// The column of the matrix in which a failure of the host's own runs counts.
    pub column: Option<Suite>,
}

impl Case {
    /// A case of which nothing ran yet.
    #[must_use]
    pub fn new(name: &str) -> Case {
        Case { name: name.to_owned(), ..Case::default() }
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failed == 0 && self.failures.is_empty()
    }

    /// A run that failed.
    pub fn fail(&mut self, failure: Failure) {
        let subjects: Vec<_> = failure.subject.into_iter().collect();
        self.fail_on(failure, &subjects);
    }

    /// A run that failed on several subjects; on none: whatever the subject.
    pub fn fail_on(&mut self, failure: Failure, subjects: &[&'static str]) {
        let cause = failure.cause.clone();
        self.failures.push(failure);
        if subjects.is_empty() {
            self.also(cause, None, 1);
        } else {
            subjects.iter().for_each(|subject| self.also(cause.clone(), Some(subject), 1));
        }
    }

    /// Runs that failed and are not looked into.
    pub fn also(&mut self, cause: Cause, subject: Option<&'static str>, runs: u64) {
        self.failed += runs;
        match self.seen.iter_mut().find(|seen| seen.cause == cause && seen.subject == subject) {
            Some(seen) => seen.runs += runs,
            None => self.seen.push(Seen { cause, subject, runs }),
        }
    }

    /// Counts a run's answer.
    pub fn answered(&mut self, answer: Answer) {
        self.answers[answer as usize] += 1;
    }

    /// How many runs broke what is known, were judged in part, and in how many the program misuses the API.
    #[must_use]
    pub fn remark(&self) -> String {
        let [_, _, misuses, in_part] = self.answers;
        let said = |n: u64, what: &str| if n > 0 { format!(", {n} {what}") } else { String::new() };
        let known = said(self.known, "break what is known");
        format!("{known}{}{}", said(in_part, "judged in part"), said(misuses, "misuse the API"))
    }
}

/// One suite on one target, or of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Its cases, in the order in which they first ran.
    pub cases: Vec<Case>,
    /// Instructions executed for real, in the asm port's suite.
    pub executed: u64,
    /// How long.
    pub took: Duration,
}

impl Cell {
    /// The case of that name, new if it is not there.
    pub fn case(&mut self, name: &str) -> &mut Case {
        let at = self.cases.iter().position(|case| case.name == name).unwrap_or_else(|| {
            self.cases.push(Case::new(name));
            self.cases.len() - 1
        });
        &mut self.cases[at]
    }

    /// How much failed and was looked into.
    #[must_use]
    pub fn looked_into(&self) -> usize {
        self.cases.iter().map(|case| case.failures.len()).sum()
    }
}

/// What a run belongs to, by its name: `halves/enable` to `halves`, `vmap --len 193` to `vmap`. The kernel's scenario, which
/// is a family of one, is a case of its own.
#[must_use]
pub fn family(name: &str) -> &str {
    name.strip_prefix("kunit/").unwrap_or(name).split(['/', ' ']).next().unwrap_or(name)
}

/// One target.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub target: Target,
    /// What became of it.
    pub state: RowState,
}

impl Row {
    /// All of its cases.
    pub fn cases_mut(&mut self) -> impl Iterator<Item = &mut Case> {
        let cells = match &mut self.state {
            RowState::Ran(cells, _) => cells.as_mut_slice(),
            RowState::Skipped(_) => &mut [],
        };
        cells.iter_mut().flat_map(|cell| &mut cell.cases)
    }
}

/// What became of a target.
#[derive(Debug)]
pub enum RowState {
    /// A cell per suite, in the order of [`Suite::ALL`], and how its programs ran.
    Ran(Vec<Cell>, String),
    /// It could not be set up.
    Skipped(Missing),
}
