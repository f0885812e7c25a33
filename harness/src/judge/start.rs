//! A tree's C made a program and started: the part that every command with `--tree` shares.
//!
//! Not here: building as such ([`crate::tree`]), what is asked of the agent ([`super::run`]). Called by `lazymmu judge`,
//! `run --tree`, `explore --tree` and `fuzz --cross --tree`.

use std::path::{Path, PathBuf};

use super::Form;
use super::run::Asked;
use crate::agent::{Agent, AgentError};
use crate::check::build::command;
use crate::error::{Error, Result};
use crate::setup::{Missing, Ready};
use crate::target::Target;
use crate::tree::{self, Session, Source, agent};

/// The subjects that a tree may have, each with its target.
const FORMS: [(&str, Target); 7] = [
    ("tree/aarch64", Target::Aarch64),
    ("tree/powerpc64-hash", Target::Powerpc64),
    ("tree/powerpc64-radix", Target::Powerpc64),
    ("tree/sparc64", Target::Sparc64),
    ("tree/sparc64-sun4v", Target::Sparc64),
    ("tree/native", Target::X86_64),
    ("tree/xen", Target::X86_64),
];

/// The target of a tree's subject.
///
/// # Errors
/// No tree has such a subject.
pub fn target_of(subject: &str) -> Result<Target> {
    let found = FORMS.iter().find(|(name, _)| *name == subject);
    found.map(|(_, target)| *target).ok_or_else(|| Error::Input {
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

/// Builds a tree's C for a target.
///
/// # Errors
/// The machine lacks something, the adapter does not build, or the tree cannot be made a subject.
pub fn build(
    source: &Source,
    target: Target,
    ready: Result<Ready, Missing>,
    session: &Session<'_>,
    root: &Path,
) -> Result<Built> {
    let ready = ready?;
    let library = agent::library(&ready, root)?;
    let recipe = tree::usual(&[target]).first().copied().ok_or_else(|| Error::Broke {
        what: format!("there is no recipe for {target}"),
        place: None,
        remedy: "this is a defect of lazymmu".to_owned(),
    })?;
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
