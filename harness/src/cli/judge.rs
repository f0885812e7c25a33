//! `lazymmu judge`: a kernel tree's own C of the mode, on four architectures.
//!
//! What it is not: building and judging are [`crate::tree`]'s and [`crate::judge`]'s.
//!
//! Who calls it: a developer who changed a tree, a reviewer with a series, CI.

use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;

use super::place::Place;
use super::tree::Named;
use crate::agent::Agent;
use crate::check::build::command;
use crate::error::{Exit, Result};
use crate::judge::material::{self, Item, Twins};
use crate::judge::report::Report;
use crate::judge::run::{self, Asked};
use crate::judge::{Form, Outcome, Profile, Row, base};
use crate::setup::{Missing, Ready};
use crate::target::Target;
use crate::tree::{self, Session, Source, Store, agent, series::Series};
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
    #[arg(long, value_name = "TREE0")]
    base: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// How much is generated
    #[arg(long, value_enum, default_value_t = Profile::Quick)]
    profile: Profile,
    /// The first seed of the generated programs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Exit 1 for known findings and for unexplained differences from our Rust, too
    #[arg(long)]
    strict: bool,
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
        let root = workspace::root()?;
        let store = Store::find()?;
        let source = self.named.base(&store)?;
        let base = self.base.as_ref().map(|base| Source::open(base, &store)).transpose()?;
        let prepared = self.place.prepare()?;
        let items = material::items(self.profile, self.seed);
        let twins = Twins::new(&items);
        let place = Where { root: &root, store: &store, prepared: &prepared, items: &items, twins: &twins };
        if let Some(series) = self.named.series(&source, &store)? {
            return self.series(&place, series);
        }
        let before = base.as_ref().map(|base| place.judge(base, true));
        let (rows, results) = place.judge(&source, base.is_some());
        let costs = before.as_ref().map(|(_, before)| {
            let before: Vec<_> = before.iter().collect();
            base::costs(&items, &before, &results.iter().collect::<Vec<_>>())
        });
        let report = Report::new(&source, source.root().display().to_string(), rows, results);
        let before = before.zip(base.as_ref()).map(|((rows, results), source)| {
            Report::new(source, self.base.as_deref().unwrap_or(Path::new("")).display().to_string(), rows, results)
        });
        out!("{}", report.text(&items, self.verbose))?;
        if let (Some(before), Some(costs)) = (&before, costs) {
            out!("{}", compared(&report, before, &costs))?;
        }
        let old = before.as_ref().map_or(&[][..], |before| &before.findings);
        let exit = report.exit(self.strict, |finding| base::is_old(finding, old));
        outln!("\n{}", report.conclusion(exit))?;
        Ok(exit)
    }
}

impl Judge {
    /// The tree after each patch of a series: a line for each, and the report of the first that breaks something.
    fn series(&self, place: &Where<'_>, series: Series<'_>) -> Result<Exit> {
        let mut exit = Exit::Holds;
        for (number, step) in (1..).zip(series) {
            let (patch, source) = step?;
            let (rows, results) = place.judge(&source, false);
            let report = Report::new(&source, source.root().display().to_string(), rows, results);
            let here = report.exit(self.strict, |_| false);
            outln!("patch {number}: {}\n  {}", patch.subject, report.conclusion(here))?;
            if here == Exit::Broke && exit != Exit::Broke {
                out!("{}", report.text(place.items, self.verbose))?;
            }
            exit = exit.worse(here);
        }
        Ok(exit)
    }
}

/// The tree beside its base.
fn compared(report: &Report, before: &Report, costs: &str) -> String {
    let compared = base::compare(&report.findings, &before.findings);
    let mut text = format!("\nbeside {} (Linux {}):\n", before.path, before.release);
    for (word, titles) in [("new", &compared.new), ("gone", &compared.gone), ("the same", &compared.same)] {
        let titles = if titles.is_empty() { "nothing".to_owned() } else { titles.join("; ") };
        text.push_str(&format!("  {word}: {titles}\n"));
    }
    format!("{text}\n{costs}")
}

/// What judging trees needs.
struct Where<'w> {
    root: &'w Path,
    store: &'w Store,
    prepared: &'w [(Target, Result<Ready, Missing>)],
    items: &'w [Item],
    twins: &'w Twins<'w>,
}

impl Where<'_> {
    /// Judges a tree on every target: each is built and run in a thread, as many at once as there are processors.
    fn judge(&self, source: &Source, wants_costs: bool) -> (Vec<Row>, Vec<run::Result>) {
        let session = &Session::new(self.store, self.prepared.len());
        let one = |target: Target, ready: &Result<Ready, Missing>| {
            let ran = self.target(source, target, ready, session, wants_costs);
            let (outcome, result) = match ran {
                Ok((result, how)) => (Outcome::Ran(result.judged.clone(), how), Some(result)),
                Err(outcome) => (outcome, None),
            };
            (Row { target, outcome }, result)
        };
        let done: Vec<_> = thread::scope(|scope| {
            let start = |(target, ready): &'_ (Target, Result<Ready, Missing>)| {
                let (target, ready) = (*target, ready.clone());
                scope.spawn(move || one(target, &ready))
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
        target: Target,
        ready: &Result<Ready, Missing>,
        session: &Session<'_>,
        wants_costs: bool,
    ) -> Result<(run::Result, String), Outcome> {
        let ready = ready.as_ref().map_err(|missing| Outcome::Skipped(missing.clone()))?;
        let library = agent::library(ready, self.root).map_err(|error| Outcome::Unknown(error.render()))?;
        let recipe = tree::usual(&[target]).first().copied().ok_or_else(|| Outcome::Unknown("no recipe".to_owned()))?;
        let built = tree::build(source, recipe, &[library], session).map_err(Outcome::Refused)?;
        let (ready, subject) = (ready.clone(), built.subject.clone());
        let how = format!(
            "{}; {} of {} objects compiled, {:.1} s",
            ready.runner_text(),
            built.compiled,
            built.objects,
            built.times.all.as_secs_f64()
        );
        session.jobs.one(|| {
            let mut agent = Agent::new(move || command(&ready, &subject));
            let unknown = |error: crate::agent::AgentError| Outcome::Unknown(error.to_string());
            let facts = Asked { agent: &mut agent }.facts().map_err(unknown)?;
            let forms: Vec<Form> = facts.subjects.iter().map(Form::from).collect();
            let result =
                run::target(&mut agent, target, &forms, self.items, self.twins, wants_costs).map_err(unknown)?;
            Ok((result, how))
        })
    }
}
