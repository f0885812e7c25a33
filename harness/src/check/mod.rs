//! The main job: the whole collection, the kernel's own scenario, its call sites, the tables, the traces and generated
//! programs, on every target and generation.
//!
//! [`expected`] runs everything natively in this process and holds it against what is reviewed; [`suites`] has each
//! target's agent do the same and compares; [`silent`] runs many more legal programs natively, beside the targets;
//! [`known`] says what faithful subjects break all the same; [`report`] prints the matrix and what failed. Not here: set-up, processes.
//! Called by `lazymmu check`.

pub mod build;
pub mod expected;
pub mod known;
pub mod report;
pub mod silent;
pub mod suites;

use std::path::Path;
use std::time::Duration;

use lazy_mmu_arches::backend::mix;
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

    /// Its heading.
    #[must_use]
    pub fn name(self) -> &'static str {
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
}

impl Failure {
    /// A failure with nothing but its line.
    #[must_use]
    pub fn plain(what: String) -> Failure {
        Failure { what, detail: String::new(), replay: None, program: None }
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

/// One suite on one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Runs, or trace lines, or table rows.
    pub count: u64,
    /// Instructions executed for real, in the asm port's suite.
    pub executed: u64,
    /// How long.
    pub took: Duration,
    /// What broke.
    pub failures: Vec<Failure>,
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
    /// Everything that broke there.
    pub fn failures_mut(&mut self) -> impl Iterator<Item = &mut Failure> {
        let cells = match &mut self.state {
            RowState::Ran(cells, _) => cells.as_mut_slice(),
            RowState::Skipped(_) => &mut [],
        };
        cells.iter_mut().flat_map(|cell| &mut cell.failures)
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
