//! A tree's C made a program and started: the part that every command with `--tree` shares.
//!
//! Not here: building as such ([`crate::tree`]), what is asked of the agent ([`super::run`]). Called by `lazymmu judge`,
//! `run --tree`, `explore --tree` and `fuzz --cross --tree`.

use std::path::{Path, PathBuf};

use lazy_mmu_border::{RECIPES, Recipe};

use super::Form;
use super::run::Asked;
use crate::agent::{Agent, AgentError};
use crate::check::build::command;
use crate::error::{Error, Result};
use crate::setup::{Missing, Ready};
use crate::target::Target;
use crate::tree::{self, Session, Source, agent};

/// The subjects that a tree may have, each with the name of its recipe.
const FORMS: [(&str, &str); 9] = [
    ("tree/aarch64", "aarch64"),
    ("tree/powerpc64-hash", "powerpc64"),
    ("tree/powerpc64-radix", "powerpc64"),
    ("tree/powerpc64-hash-4k", "powerpc64-4k"),
    ("tree/powerpc64-radix-4k", "powerpc64-4k"),
    ("tree/sparc64", "sparc64"),
    ("tree/sparc64-sun4v", "sparc64"),
    ("tree/native", "x86_64"),
    ("tree/xen", "x86_64"),
];

/// The target of a tree's subject.
///
/// # Errors
/// No tree has such a subject.
pub fn target_of(subject: &str) -> Result<Target> {
    recipe_of(subject).map(tree::target_of)
}

/// How a tree's subject is made.
///
/// # Errors
/// No tree has such a subject.
pub fn recipe_of(subject: &str) -> Result<&'static Recipe> {
    let found = FORMS.iter().find(|(name, _)| *name == subject);
    let found = found.and_then(|(_, recipe)| RECIPES.iter().find(|one| one.name == *recipe));
    found.copied().ok_or_else(|| Error::Input {
        what: format!("a tree has no subject {subject}"),
        place: "--subject".to_owned(),
        remedy: format!("give one of {}", FORMS.map(|(name, _)| name).join(", ")),
    })
}

/// A tree's C of one target, built.
#[derive(Clone, Debug)]
pub struct Built {
    ready: Ready,
    subject: PathBuf,
    /// How programs run there, and what building took.
    pub how: String,
}

/// How the subjects of a target are made that are used when none is named, or of the one that is.
///
/// # Errors
/// No tree has such a subject.
pub fn recipe(target: Target, subject: Option<&str>) -> Result<&'static Recipe> {
    let usual = || tree::usual(&[target]).first().copied();
    subject.map_or_else(|| usual().ok_or_else(|| no_recipe(target)), recipe_of)
}

fn no_recipe(target: Target) -> Error {
    Error::Broke {
        what: format!("there is no recipe for {target}"),
        place: None,
        remedy: "this is a defect of lazymmu".to_owned(),
    }
}

/// Builds a tree's C by a recipe, whose target is ready.
///
/// # Errors
/// The machine lacks something, the adapter does not build, or the tree cannot be made a subject.
pub fn build(
    source: &Source,
    recipe: &'static Recipe,
    ready: Result<Ready, Missing>,
    session: &Session<'_>,
    root: &Path,
) -> Result<Built> {
    let ready = ready?;
    let library = agent::library(&ready, root)?;
    let built = tree::build(source, recipe, &[library], session)?;
    let how = format!(
        "{}; {} of {} objects compiled, {:.1} s",
        ready.runner_text(),
        built.compiled,
        built.objects,
        built.times.all.as_secs_f64()
    );
    Ok(Built { ready, subject: built.subject, how })
}

impl Built {
    /// Starts it and asks which subjects it has.
    ///
    /// # Errors
    /// It does not start: its shape is unknown, or it crashed.
    pub fn start(&self) -> Result<(Agent, Vec<Form>), AgentError> {
        let (ready, subject) = (self.ready.clone(), self.subject.clone());
        let mut agent = Agent::new(move || command(&ready, &subject));
        let facts = Asked { agent: &mut agent }.facts()?;
        let forms = facts.subjects.iter().map(Form::from).collect();
        Ok((agent, forms))
    }
}

/// A tree's code that crashes or does not answer, as an error.
#[must_use]
pub fn died(error: &AgentError) -> Error {
    Error::Broke {
        what: error.to_string(),
        place: None,
        remedy: "the message names the function of the tree; docs/judge.md says what is modelled".to_owned(),
    }
}

/// The form of a name.
///
/// # Errors
/// This tree has no such subject.
pub fn form_of(forms: &[Form], name: &str, tree: &Path) -> Result<Form> {
    forms.iter().find(|form| form.name == name).cloned().ok_or_else(|| Error::Input {
        what: format!("this tree has no {name}"),
        place: tree.display().to_string(),
        remedy: "`cargo lazymmu judge` lists what it has".to_owned(),
    })
}
