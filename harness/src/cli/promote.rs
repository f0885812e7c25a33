//! `lazymmu corpus promote`: what fuzzing has found becomes programs of the collection.
//!
//! What it is not: the steps are [`crate::promote`].
//!
//! Who calls it: a person, now and then after long fuzzing; what it writes is reviewed and committed.

use std::path::Path;

use clap::Args;
use lazy_mmu_engine::fuzz::{Description, Input, TARGETS, find};

use crate::error::{Error, Exit, Result};
use crate::promote::{self, Plan, Promoted, write};
use crate::{table, workspace};

/// Minimises the corpora of fuzz targets whose input is a program by coverage, and puts those programs into the collection
/// that add most to what it exercises, each made small, with its snapshots.
///
/// The programs go to snapshots/programs/corpus, and the collection's tests are run to make their snapshots; no reviewed
/// snapshot is changed. Review and commit them: `check` then holds every target to them. Promoting again changes nothing.
/// Exits 0 if all went well, 1 if a test of the collection fails, 2 if there is no corpus, 3 if the machine lacks something.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu corpus promote contract --most 24")]
pub struct Promote {
    /// Whose corpora [default: every target's that has one]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How many promoted programs the collection may have, those that are there counted
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    most: u16,
}

impl Promote {
    /// Promotes, makes the snapshots and says what was done.
    ///
    /// # Errors
    /// A target that is none or has no corpus; what [`promote::run`] says.
    pub fn run(&self) -> Result<Exit> {
        let root = workspace::root()?;
        let plan = Plan { targets: self.targets(&root)?, most: self.most.into(), root };
        let promoted = promote::run(&plan)?;
        report(&plan, &promoted)?;
        if !promoted.written.is_empty() {
            write::snapshots(&plan.root)?;
            outln!("review them: git diff and git status below snapshots/; then cargo lazymmu check")?;
        }
        Ok(Exit::Holds)
    }

    /// Those that are named and must have a corpus, or all that have one.
    fn targets(&self, root: &Path) -> Result<Vec<&'static Description>> {
        let of_programs = || TARGETS.iter().filter(|target| matches!(target.input, Input::Program(_)));
        let known = |name: &String| {
            let target = find(name).filter(|target| matches!(target.input, Input::Program(_)));
            target.ok_or_else(|| Error::Input {
                what: format!("`{}` is no fuzz target whose input is a program", crate::show::shown(name)),
                place: "the command line".to_owned(),
                remedy: format!("one of {}", of_programs().map(|target| target.name).collect::<Vec<_>>().join(", ")),
            })
        };
        let named: Vec<_> = self.targets.iter().map(known).collect::<Result<_>>()?;
        let wanted = if named.is_empty() { of_programs().collect() } else { named };
        let (with, without): (Vec<&Description>, Vec<&Description>) =
            wanted.into_iter().partition(|target| promote::has_corpus(root, target));
        match without.first() {
            Some(target) if with.is_empty() || !self.targets.is_empty() => Err(Error::Input {
                what: format!("the fuzz target {} has no corpus", target.name),
                place: root.join("fuzz/corpus").join(target.name).display().to_string(),
                remedy: format!("run `cargo lazymmu fuzz {}` first", target.name),
            }),
            _ => {
                without.iter().for_each(|target| eprintln!("{}: no corpus, left out", target.name));
                Ok(with)
            }
        }
    }
}

/// What was merged, and what was written.
fn report(plan: &Plan, promoted: &Promoted) -> Result<()> {
    if promoted.merged.is_empty() {
        return outln!(
            "nothing is promoted: the collection has {} promoted programs, and --most is {}",
            promoted.before,
            plan.most
        );
    }
    let heading = ["corpus", "inputs", "by coverage"].map(str::to_owned).to_vec();
    let row = |one: &promote::Merged| vec![one.target.to_owned(), one.inputs.to_string(), one.kept.to_string()];
    let rows: Vec<_> = [heading].into_iter().chain(promoted.merged.iter().map(row)).collect();
    out!("{}", table::render(&rows))?;
    let (before, after) = promoted.features;
    outln!(
        "{} programs add something; features covered by the collection: {before} before, {after} now",
        promoted.candidates
    )?;
    for (path, adds) in &promoted.written {
        outln!("new: {} (+{adds})", path.strip_prefix(&plan.root).unwrap_or(path).display())?;
    }
    outln!("{} programs promoted, {} were there", promoted.written.len(), promoted.before)
}
