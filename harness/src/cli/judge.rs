//! `lazymmu judge`: a kernel tree's own C of the mode, on four architectures.
//!
//! What it is not: building and judging are [`crate::tree`]'s and [`crate::judge`]'s.
//!
//! Who calls it: a developer who changed a tree, a reviewer with a series, CI.

use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;
use lazy_mmu_border::Recipe;

use super::place::Place;
use super::tree::Named;
use crate::agent::AgentError;
use crate::check::render::Format;
use crate::error::{Error, Exit, Result};
use crate::judge::material::{self, Item, Twins};
use crate::judge::render::{Begun, Beside, Judgement, Renderer as _, Reports, Step};
use crate::judge::report::Report;
use crate::judge::{Outcome, Profile, Row, base, run, start};
use crate::setup::{Missing, Ready};
use crate::target::Target;
use crate::tree::pages::{Pages, recipes};
use crate::tree::tools::{self, Compiler};
use crate::tree::{self, Session, Source, Store, series::Series};
use crate::workspace;

/// Judges a kernel tree's own C of the lazy MMU mode: compiles it for each architecture, unmodified, runs it as a subject of
/// the machine under the oracles, and says what breaks, with the smallest program and its timeline.
///
/// Nothing is written below the tree. The first run prepares the tree by kbuild, once; later ones compile what changed.
/// Exits 0 if it holds but for what is known of that kernel, 1 if something else breaks, 2 if the tree is unusable, 3 if the
/// machine lacks something or the tree's shape is unknown.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu judge ~/linux --base ~/linux-before")]
pub struct Judge {
    #[command(flatten)]
    named: Named,
    /// Another tree: says which findings are new or gone, and what each workload costs before and after
    #[arg(long, value_name = "TREE0", conflicts_with = "mbox")]
    base: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// How much is generated
    #[arg(long, value_enum, default_value_t = Profile::Quick)]
    profile: Profile,
    /// The page sizes of powerpc64 [default: 64k; with --profile full: all]
    #[arg(long, value_enum)]
    pages: Option<Pages>,
    /// The first seed of the generated programs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Compile the tree by clang instead of gcc
    #[arg(long)]
    llvm: bool,
    /// Exit 1 for known findings and for unexplained differences from our Rust, too
    #[arg(long)]
    strict: bool,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Write that report to a file; standard output gets the human one
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show every kind of difference between the tree's events and our Rust's, explained or not
    #[arg(long)]
    verbose: bool,
}

impl Judge {
    /// Builds, runs, prints.
    ///
    /// # Errors
    /// What is wrong with the tree or the machine, before anything runs.
    pub fn run(&self) -> Result<Exit> {
        self.place.check()?;
        // A file that cannot be written is said before anything is built.
        let mut reports = Reports::open(self.format, self.output.as_deref(), self.verbose)?;
        let compiler = self.compiler();
        if self.llvm {
            tools::clang()?;
        }
        let root = workspace::root()?;
        let store = Store::find()?;
        let source = self.named.base(&store)?;
        let base = self.base.as_ref().map(|base| Source::open(base, &store)).transpose()?;
        let prepared = self.wanted(self.place.prepare_for_trees()?);
        let items = material::items(self.profile, self.seed);
        let twins = Twins::new(&items);
        let place = Where { root: &root, store: &store, prepared: &prepared, items: &items, twins: &twins, compiler };
        if let Some(series) = self.named.series(&source, &store)? {
            return self.series(&place, series, &mut reports);
        }
        reports.begin(self.begun(prepared.len(), None))?;
        let before = base.as_ref().map(|base| place.judge(base, true));
        let (rows, results) = place.judge(&source, base.is_some());
        let prices = before.as_ref().map(|(_, before)| {
            let before: Vec<_> = before.iter().collect();
            base::costs(&items, &before, &results.iter().collect::<Vec<_>>())
        });
        let report = Report::new(&source, source.root().display().to_string(), self.compiler(), (rows, results));
        let before = before.zip(base.as_ref()).map(|((rows, results), source)| {
            let path = self.base.as_deref().unwrap_or(Path::new("")).display().to_string();
            Report::new(source, path, self.compiler(), (rows, results))
        });
        let base = before.as_ref().zip(prices.as_ref()).map(|(report, prices)| Beside { report, prices });
        let is_strict = self.strict;
        let judgement = Judgement { report: &report, items: &items, is_strict, patch: None, base };
        reports.tree(&judgement)?;
        reports.finish(judgement.exit())?;
        Ok(judgement.exit())
    }

    /// What is built of each target.
    fn wanted(&self, prepared: Vec<(Target, Result<Ready, Missing>)>) -> Vec<Wanted> {
        let usual = if self.profile == Profile::Full { Pages::All } else { Pages::Usual };
        let pages = self.pages.unwrap_or(usual);
        let of_target = |(target, ready): (Target, Result<Ready, Missing>)| {
            recipes(&[target], pages).into_iter().map(move |recipe| (recipe, ready.clone()))
        };
        prepared.into_iter().flat_map(of_target).collect()
    }

    fn compiler(&self) -> Compiler {
        Compiler::of(self.llvm)
    }

    fn begun(&self, targets: usize, patches: Option<usize>) -> Begun {
        Begun { profile: self.profile, seed: self.seed, targets, patches }
    }

    /// The tree after each patch of a series. A patch that does not apply ends it.
    fn series(&self, place: &Where<'_>, series: Series<'_>, reports: &mut Reports) -> Result<Exit> {
        let (mut exit, of) = (Exit::Holds, series.len());
        reports.begin(self.begun(place.prepared.len(), Some(of)))?;
        for (number, step) in (1..).zip(series) {
            let (patch, source) = match step {
                Ok(step) => step,
                Err(error) => {
                    let error = Error::from(error);
                    reports.lost(number, of, &error)?;
                    reports.finish(exit.worse(error.exit()))?;
                    return Err(error);
                }
            };
            let (rows, results) = place.judge(&source, false);
            let report = Report::new(&source, source.root().display().to_string(), self.compiler(), (rows, results));
            let patch = Some(Step { number, of, subject: &patch.subject });
            let is_strict = self.strict;
            let judgement = Judgement { report: &report, items: place.items, is_strict, patch, base: None };
            reports.tree(&judgement)?;
            exit = exit.worse(judgement.exit());
        }
        reports.finish(exit)?;
        Ok(exit)
    }
}

/// A recipe, and whether its target is ready.
type Wanted = (&'static Recipe, Result<Ready, Missing>);

/// What judging trees needs.
struct Where<'w> {
    root: &'w Path,
    store: &'w Store,
    prepared: &'w [Wanted],
    items: &'w [Item],
    twins: &'w Twins<'w>,
    compiler: Compiler,
}

impl Where<'_> {
    /// Judges a tree by every recipe: each is built and run in a thread, as many at once as there are processors.
    fn judge(&self, source: &Source, wants_costs: bool) -> (Vec<Row>, Vec<run::Result>) {
        let session = &Session::new(self.store, self.prepared.len()).with(self.compiler);
        let one = |recipe: &'static Recipe, ready: &Result<Ready, Missing>| {
            let ran = self.target(source, recipe, ready, session, wants_costs);
            let (outcome, result) = match ran {
                Ok((result, how)) => (Outcome::Ran(result.judged.clone(), how), Some(result)),
                Err(outcome) => (outcome, None),
            };
            (Row { target: tree::target_of(recipe), recipe, outcome }, result)
        };
        let done: Vec<_> = thread::scope(|scope| {
            let start = |(recipe, ready): &'_ Wanted| {
                let (recipe, ready) = (*recipe, ready.clone());
                scope.spawn(move || one(recipe, &ready))
            };
            let running: Vec<_> = self.prepared.iter().map(start).collect();
            let joined = running.into_iter().map(thread::ScopedJoinHandle::join);
            joined.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        let (rows, results): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        (rows, results.into_iter().flatten().collect())
    }

    fn target(
        &self,
        source: &Source,
        recipe: &'static Recipe,
        ready: &Result<Ready, Missing>,
        session: &Session<'_>,
        wants_costs: bool,
    ) -> Result<(run::Result, String), Outcome> {
        let target = tree::target_of(recipe);
        let built = start::build(source, recipe, ready.clone(), session, self.root).map_err(outcome)?;
        session.jobs.one(target, || {
            let unknown = |error: AgentError| Outcome::Unknown(error.to_string());
            let (mut agent, forms) = built.start().map_err(unknown)?;
            let result =
                run::target(&mut agent, target, &forms, self.items, self.twins, wants_costs).map_err(unknown)?;
            Ok((result, built.how.clone()))
        })
    }
}

/// A target whose subject was not made.
fn outcome(error: Error) -> Outcome {
    match error {
        Error::Missing(missing) => Outcome::Skipped(missing),
        Error::Tree(error) => Outcome::Refused(error),
        other => Outcome::Unknown(other.render()),
    }
}
