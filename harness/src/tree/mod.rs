//! From a kernel tree to a subject: the tree's own C of the mode, compiled by kbuild's flags and linked with the machine.
//!
//! One function does it for every architecture, [`build`]: prepare ([`prepare`], once), compile what changed
//! ([`compile`]), link ([`link`]). Several architectures go at once ([`build_all`]); an error of one stops no other.
//! What is compiled is data: the recipes of `lazy-mmu-border`.
//!
//! What it is not: nothing is judged here, and nothing is written below the tree. Words: docs/architecture.md.
//!
//! Who calls it: `lazymmu tree build` and whatever judges a tree.

pub mod agent;
pub mod compile;
pub mod debian;
pub mod error;
pub mod facts;
pub mod farm;
pub mod flags;
pub mod inputs;
pub mod link;
pub mod pages;
pub mod part;
pub mod prepare;
pub mod revision;
pub mod run;
pub mod series;
pub mod source;
pub mod stamp;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod tools;

pub use self::error::{Result, TreeError};
pub use self::facts::{Api, Facts};
pub use self::pages::Pages;
pub use self::source::Source;
pub use self::store::Store;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lazy_mmu_border::{RECIPES, Recipe};

use self::run::Jobs;
use self::stamp::Looks;
use self::tools::{Compiler, Tools};
use crate::target::Target;

/// A subject that was built, and what it took.
#[derive(Clone, Debug)]
pub struct Built {
    /// The recipe it was made by.
    pub recipe: &'static Recipe,
    /// The program: the agent with the tree's code.
    pub subject: PathBuf,
    /// Names that the tree's code may touch and that nothing provides: a touch of one ends the program that does it.
    pub stubs: Vec<String>,
    /// Options of the Kconfig fragment that the tree did not take.
    pub refused: Vec<String>,
    /// How many objects there are, and how many had to be compiled.
    pub objects: usize,
    /// How many of them had to be compiled.
    pub compiled: usize,
    /// Whether it had to be linked.
    pub linked: bool,
    /// What it took.
    pub times: Times,
}

/// How long the steps took, each with what it waited for a processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Kbuild; none where what it made was there.
    pub kbuild: Option<Duration>,
    /// Finding out what has changed, and compiling it.
    pub compile: Duration,
    /// Linking.
    pub link: Duration,
    /// All of it.
    pub all: Duration,
}

/// What builds have in common.
pub struct Session<'s> {
    /// The cache.
    pub store: &'s Store,
    /// How many programs may run.
    pub jobs: Jobs,
    /// How many recipes are built at once.
    at_once: usize,
    /// Who compiles.
    compiler: Compiler,
}

impl<'s> Session<'s> {
    /// A session for so many recipes at once, on all processors.
    #[must_use]
    pub fn new(store: &'s Store, at_once: usize) -> Self {
        Self { store, jobs: Jobs::of_this_machine(), at_once: at_once.max(1), compiler: Compiler::Gcc }
    }

    /// The same with this compiler.
    #[must_use]
    pub fn with(self, compiler: Compiler) -> Self {
        Self { compiler, ..self }
    }
}

/// The target of a recipe.
///
/// # Panics
/// A recipe names no target: a test of this module sees to it that none does.
#[must_use]
pub fn target_of(recipe: &Recipe) -> Target {
    Target::parse(recipe.target).expect("every recipe's target is one of the four")
}

/// The recipes that are judged when nothing else is asked for: one of each target.
#[must_use]
pub fn usual(targets: &[Target]) -> Vec<&'static Recipe> {
    let first = |target: &Target| RECIPES.iter().copied().find(|recipe| recipe.target == target.short());
    targets.iter().filter_map(first).collect()
}

/// Builds one subject; `host` is the library with machine and adapter, and whatever else the program is made of.
///
/// # Errors
/// [`TreeError`] says which step refused and why. No subject is there then: not an old one either.
pub fn build(source: &Source, recipe: &'static Recipe, host: &[PathBuf], session: &Session<'_>) -> Result<Built> {
    let began = Instant::now();
    let tools = Tools::find(target_of(recipe), session.compiler)?;
    let variant = format!("{}{}", recipe.name, session.compiler.suffix());
    let place = source.place().join(&variant);
    fs::create_dir_all(&place).map_err(TreeError::cache(&place))?;
    let name = source.place().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let _lock = session.store.lock(&format!("{name}-{variant}"))?;
    let result = steps(source, recipe, host, session, &tools, &place);
    if result.is_err() {
        // Whatever refused, no old subject must be there to be judged.
        let _ = fs::remove_file(place.join("subject"));
    }
    result.map(|built| Built { times: Times { all: began.elapsed(), ..built.times }, ..built })
}

/// The three steps, in a folder that is locked.
fn steps(
    source: &Source,
    recipe: &'static Recipe,
    host: &[PathBuf],
    session: &Session<'_>,
    tools: &Tools,
    place: &Path,
) -> Result<Built> {
    let Session { store, jobs, at_once, .. } = session;
    let (looks, border) = (&Looks::default(), &store.border()?);
    let prepared = prepare::Task { source, recipe, tools, store, place, jobs, at_once: *at_once }.prepared(looks)?;
    let from = Instant::now();
    let task = compile::Task { source, recipe, tools, prepared: &prepared, border, place, jobs, looks };
    let objects = compile::objects(&task)?;
    let (compile, from) = (from.elapsed(), Instant::now());
    let task = link::Task { source, recipe, tools, place, objects: &objects.paths, host, jobs, looks };
    let linked = link::link(&task)?;
    Ok(Built {
        recipe,
        subject: linked.subject,
        stubs: linked.stubs,
        refused: prepared.refused,
        objects: objects.paths.len(),
        compiled: objects.compiled,
        linked: linked.fresh,
        times: Times { kbuild: prepared.took, compile, link: from.elapsed(), all: Duration::ZERO },
    })
}

/// Builds several at once, each with its host; the results have the order of the arguments.
pub fn build_all(
    source: &Source,
    wanted: &[(&'static Recipe, Result<Vec<PathBuf>>)],
    session: &Session<'_>,
) -> Vec<(&'static Recipe, Result<Built>)> {
    thread::scope(|scope| {
        let one = |(recipe, host): &(&'static Recipe, Result<Vec<PathBuf>>)| {
            build(source, recipe, host.as_ref().map_err(Clone::clone)?, session)
        };
        let running: Vec<_> = wanted.iter().map(|pair| (pair.0, scope.spawn(move || one(pair)))).collect();
        let joined = running.into_iter().map(|(recipe, thread)| (recipe, thread.join()));
        joined
            .map(|(recipe, result)| (recipe, result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_has_a_target_and_every_target_a_recipe() {
        for recipe in RECIPES {
            assert_eq!(target_of(recipe).short(), recipe.target);
        }
        assert_eq!(usual(&Target::ALL).len(), Target::ALL.len());
    }
}
