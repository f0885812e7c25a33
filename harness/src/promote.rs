//! Corpus promotion: what fuzzing found out becomes programs of the collection, with snapshots that `check` holds every
//! target to.
//!
//! | module | what |
//! | --- | --- |
//! | here | the steps, in order |
//! | [`merge`] | a corpus minimised by coverage: libFuzzer's own merge |
//! | [`weigh`] | what a program exercises, on every subject of 7.2, and whether the collection may have it |
//! | [`select`] | which of them, and how small |
//! | [`write`] | program files with their comments, and their snapshots |
//!
//! The collection on disk counts as covered, so that promoting again changes nothing. What it is not: it fuzzes nothing
//! and reviews nothing. Called by `lazymmu corpus promote`.

pub mod merge;
pub mod select;
pub mod weigh;
pub mod write;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lazy_mmu_engine::fuzz::Description;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::minimise::weight;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::workload;

use crate::error::{Error, Result};
use crate::fuzz::build::{self, Sanitizer};
use select::{Candidate, Room, Selection};
use weigh::{Scales, Weigher as _};

/// The family of promoted programs in the collection.
pub const FAMILY: &str = "corpus";

/// Operations of an input that is looked at, and steps that its run takes: a longer one hardly becomes a program that
/// anybody reads.
const LONGEST: usize = 64;
const HEAVIEST: u64 = 1024;

/// One promoted program in so many may misuse the API, or leave something open.
const ILLEGAL: usize = 4;

/// What is to be promoted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workspace's root.
    pub root: PathBuf,
    /// The fuzz targets whose corpora are read; their inputs are programs.
    pub targets: Vec<&'static Description>,
    /// How many promoted programs the collection may have.
    pub most: usize,
}

/// What became of one corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The fuzz target.
    pub target: &'static str,
    /// Inputs in its corpus.
    pub inputs: usize,
    /// Those that the merge kept.
    pub kept: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Promoted {
    /// The corpora.
    pub merged: Vec<Merged>,
    /// Programs that could be promoted.
    pub candidates: usize,
    /// Features that the collection covered before, and after.
    pub features: (usize, usize),
    /// Promoted programs that were there.
    pub before: usize,
    /// The new programs' files, with how many features each adds.
    pub written: Vec<(PathBuf, usize)>,
}

/// Does all of it but the snapshots.
///
/// # Errors
/// No corpus, cargo-fuzz is not there, a merge that fails, a program of the collection that is none, a full disk.
pub fn run(plan: &Plan) -> Result<Promoted> {
    let fuzz = plan.root.join("fuzz");
    let programs = plan.root.join("snapshots/programs");
    let collection = collection(&programs)?;
    let mut promoted = Promoted::default();
    let there: Vec<_> = collection.iter().filter(|(name, _)| name.starts_with(FAMILY)).collect();
    promoted.before = there.len();
    if promoted.before >= plan.most {
        return Ok(promoted);
    }
    let binaries = build::targets(&plan.root, Sanitizer::None, &plan.targets)?;
    let mut scales = Scales::new();
    let mut selection = Selection::default();
    let known: Vec<Program> = collection.iter().map(|(_, program)| program.clone()).chain(workloads()).collect();
    let mut seen: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
    eprintln!("{} programs of the collection and the kernel's call sites are weighed", known.len());
    known.iter().for_each(|program| selection.cover(&scales.features(program)));
    let illegal = there.iter().filter(|(_, program)| scales.weigh(program).is_some_and(|weight| !weight.legal)).count();
    let room = Room { all: plan.most - promoted.before, illegal: (plan.most / ILLEGAL).saturating_sub(illegal) };
    promoted.features.0 = selection.covered();
    let mut candidates = Vec::new();
    for target in &plan.targets {
        eprintln!("{}: its corpus is merged and weighed", target.name);
        let corpus = fuzz.join("corpus").join(target.name);
        let kept = merge::merge(&binaries.of(target), &corpus, &fuzz.join("runs/promote").join(target.name))?;
        promoted.merged.push(Merged { target: target.name, inputs: files(&corpus)?.len(), kept: kept.len() });
        for data in kept {
            let Some((_, program)) = target.input.split(&data) else { continue };
            let short = program.ops().len() <= LONGEST && weight(&program) <= HEAVIEST;
            if short && seen.insert(program.to_string()) {
                candidates.extend(candidate(&mut scales, &selection, target.name, program));
            }
        }
    }
    promoted.candidates = candidates.len();
    for chosen in selection.select(&mut scales, &candidates, room, &mut seen) {
        let path = write::program(&programs, &collection, &mut scales, &chosen)?;
        eprintln!("promoted: {}", path.display());
        promoted.written.push((path, chosen.adds));
    }
    promoted.features.1 = selection.covered();
    Ok(promoted)
}

/// What might be promoted: it adds something, and may be in the collection.
fn candidate(scales: &mut Scales, selection: &Selection, target: &'static str, program: Program) -> Option<Candidate> {
    let weight = scales.weigh(&program)?;
    let new = selection.new_of(&weight.features);
    (!new.is_empty()).then_some(Candidate { target, program, new, legal: weight.legal })
}

/// The programs of the kernel's call sites, as `check` runs them.
fn workloads() -> impl Iterator<Item = Program> {
    let all = workload::all();
    all.flat_map(|workload| workload.cases().filter_map(|parameters| workload.program(&parameters).ok()))
}

/// The collection as it is on disk, by name: what this binary was built with may be older.
fn collection(folder: &Path) -> Result<Vec<(String, Program)>> {
    let mut programs = Vec::new();
    for family in files(folder)? {
        if !family.is_dir() {
            continue;
        }
        for path in files(&family)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "lmm")) {
            let text = fs::read_to_string(&path).map_err(Error::io("read the program", &path))?;
            let program = parse(&text).map_err(|error| Error::Input {
                what: error.message.clone(),
                place: format!("{}:{}:{}", path.display(), error.line, error.column),
                remedy: "mend the program, or remove it".to_owned(),
            })?;
            let name = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
            programs.push((name.to_string_lossy().into_owned(), program));
        }
    }
    Ok(programs)
}

/// What is in a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).map_err(Error::io("read the folder", folder))?;
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// Whether a target has a corpus: a folder with something in it.
#[must_use]
pub fn has_corpus(root: &Path, target: &Description) -> bool {
    let folder = root.join("fuzz/corpus").join(target.name);
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
