//! `lazymmu zoo`: how long the search for each seeded defect takes.
//!
//! What it is not: hunting, and what is printed of it, are [`crate::zoo`].
//!
//! Who calls it: a person who has changed the generator, the mutator or an oracle, and CI.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use lazy_mmu_engine::finding::program;
use lazy_mmu_engine::finding::report::violation;
use lazy_mmu_engine::fuzz::{ZOO, signature};
use lazy_mmu_engine::zoo::{self as specimens, PREFIX, Specimen};

use super::fuzz::duration;
use crate::error::{Error, Exit, Result};
use crate::fuzz::build::{self, Sanitizer};
use crate::setup::Missing;
use crate::show::shown;
use crate::zoo::hunt::trial;
use crate::zoo::state::{State, build_of};
use crate::zoo::summary::{Row, rows};
use crate::zoo::{Plan, Ran, Searcher, plot, report, run};
use crate::{process, workspace};

/// Searches each specimen of the zoo from an empty corpus, with several seeds, until its own invariant breaks, and says
/// how long that took: seconds of one core, the start of the process included.
///
/// Exits 0 if every seed found every specimen and each median is within the budget, 1 if not, 2 if an argument is wrong,
/// 3 if the machine lacks something or a signal ended it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu zoo --baselines all --plot=target/zoo")]
pub struct Zoo {
    /// The specimens, with or without zoo/ [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How many seeds, from 1
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,
    /// What the median of a specimen's hunts may take, and when baselines are given up: 10s, 1m
    #[arg(long, default_value = "10s", value_parser = duration)]
    budget: Duration,
    /// When a hunt is given up
    #[arg(long, default_value = "60s", value_parser = duration)]
    limit: Duration,
    /// Hunts at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// The searcher that is measured
    #[arg(long, value_enum, default_value_t = Searcher::Fuzzer)]
    search: Searcher,
    /// Other searchers to compare it with, on the same specimens with the same oracles: names, or all
    #[arg(long, value_name = "NAME|all", value_delimiter = ',', value_parser = baseline)]
    baselines: Vec<Baseline>,
    /// Goes on where a run of this build was interrupted: hunts that are done are not made again
    #[arg(long)]
    resume: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Draws the share found over time, as survival.svg and survival.png in a folder [default: plots of --out]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    plot: Option<Option<PathBuf>>,
    /// Where programs and the hunts that are done are kept [default: fuzz/runs/zoo of the project]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables
    Human,
    /// One JSON document, its schema in docs/json.md
    Json,
}

/// See [`Zoo::baselines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Baseline {
    All,
    One(Searcher),
}

fn baseline(text: &str) -> std::result::Result<Baseline, String> {
    if text == "all" {
        return Ok(Baseline::All);
    }
    let names = || Searcher::value_variants().iter().map(|searcher| searcher.name()).collect::<Vec<_>>().join(", ");
    Searcher::from_str(text, false).map(Baseline::One).map_err(|_| format!("one of {}, or all", names()))
}

impl Zoo {
    /// Hunts, and prints what came of it.
    ///
    /// # Errors
    /// An unknown name, a folder that cannot be written, cargo-fuzz that is not there or does not build.
    pub fn run(&self) -> Result<Exit> {
        let plan = self.plan()?;
        let state_file = plan.out.join("hunts.jsonl");
        let mut state = State::open(&state_file, &build_of(plan.binary.as_deref())?, self.resume)?;
        // Ctrl-C ends the processes; what was done until then is kept.
        process::note_first_signal();
        let ran = run(&plan, &mut state)?;
        let rows = rows(&plan, &ran.hunts);
        let programs = plan.out.join("programs");
        keep(&rows, &programs)?;
        match self.format {
            Format::Json => outln!("{}", report::document(&plan, &ran, &rows, &programs))?,
            Format::Human => print(&plan, &ran, &rows, &programs)?,
        }
        if let Some(place) = &self.plot {
            let place = place.clone().unwrap_or_else(|| plan.out.join("plots"));
            let [svg, png] = plot::write(&plan, &rows, &place)?;
            eprintln!("drawn: {} and {}", svg.display(), png.display());
        }
        if ran.interrupted {
            return Err(Error::Missing(Missing {
                what: "the zoo was interrupted".to_owned(),
                why: "a signal ended it before its time".to_owned(),
                remedy: "the same command with --resume goes on from there".to_owned(),
            }));
        }
        let good = rows.iter().all(|row| row.is_good(plan.budget));
        Ok(if good { Exit::Holds } else { Exit::Broke })
    }

    fn plan(&self) -> Result<Plan> {
        let specimens = self.specimens()?;
        let baselines = self.baselines();
        let is_process = self.search.is_process() || baselines.iter().any(|searcher| searcher.is_process());
        let root = || workspace::root();
        let out = self.out.clone().map_or_else(|| root().map(|root| root.join("fuzz/runs/zoo")), Ok)?;
        fs::create_dir_all(&out).map_err(Error::io("make the folder", &out))?;
        let binary = if is_process { Some(binary(&root()?)?) } else { None };
        let (seeds, budget, limit, jobs) = (self.seeds, self.budget, self.limit, self.jobs.into());
        Ok(Plan { specimens, search: self.search, baselines, seeds, budget, limit, jobs, out, binary })
    }

    fn specimens(&self) -> Result<Vec<&'static Specimen>> {
        if self.names.is_empty() {
            return Ok(specimens::all().collect());
        }
        let known = |name: &String| {
            let full = format!("{PREFIX}{}", name.trim_start_matches(PREFIX));
            specimens::find(&full).ok_or_else(|| Error::Input {
                what: format!("there is no specimen {}", shown(name)),
                place: "the command line".to_owned(),
                remedy: format!("one of {}", specimens::all().map(|one| one.name).collect::<Vec<_>>().join(", ")),
            })
        };
        self.names.iter().map(known).collect()
    }

    /// Each once, and not the one that is measured.
    fn baselines(&self) -> Vec<Searcher> {
        let asked = |searcher: &Searcher| {
            *searcher != self.search
                && self.baselines.iter().any(|one| *one == Baseline::All || *one == Baseline::One(*searcher))
        };
        Searcher::value_variants().iter().copied().filter(asked).collect()
    }
}

/// The fuzz target, built.
fn binary(root: &Path) -> Result<PathBuf> {
    Ok(build::targets(root, Sanitizer::None, &[&ZOO])?.of(&ZOO))
}

/// The smallest program of each specimen that was found, as a file of the collection.
fn keep(rows: &[Row], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    for row in rows {
        let Some(small) = row.own.program() else { continue };
        let mut trial = trial(row.specimen);
        let Some(found) = trial.hunt(small) else { continue };
        let signature = signature(&trial, small, found);
        let path = folder.join(format!("{}.lmm", row.specimen.name.trim_start_matches(PREFIX)));
        let verdict = violation(small, &signature);
        let text = program::render(small, &signature, &verdict, ZOO.name);
        fs::write(&path, text).map_err(Error::io("write a program", &path))?;
    }
    Ok(())
}

fn print(plan: &Plan, ran: &Ran, rows: &[Row], programs: &Path) -> Result<()> {
    outln!("{}", report::table(plan, rows))?;
    if !plan.baselines.is_empty() {
        outln!("{}", report::comparison(plan, rows))?;
    }
    let others = report::others(rows);
    if !others.is_empty() {
        outln!("{others}")?;
    }
    outln!("the smallest program of each: {}; see one with", programs.display())?;
    outln!("  cargo lazymmu run {}/NAME.lmm --subject {PREFIX}NAME", programs.display())?;
    for line in report::complaints(plan, rows) {
        outln!("{line}")?;
    }
    let good = rows.iter().filter(|row| row.is_good(plan.budget)).count();
    outln!(
        "{good} of {} specimens found by every seed, with a median of at most {} s; {:.0} s in all",
        rows.len(),
        plan.budget.as_secs_f64(),
        ran.wall.as_secs_f64()
    )
}
