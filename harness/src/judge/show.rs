//! One program on a tree's own C: the timeline and the verdict, as `lazymmu run` prints them for our Rust.
//!
//! Not here: judging a tree on everything ([`super::run`]). Called by `lazymmu run --tree`.

use std::path::Path;

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::bytes::encode;

use super::run::Asked;
use crate::agent::{Agent, AgentError};
use crate::check::build::command;
use crate::error::{Error, Exit, Result};
use crate::setup::{self, Options};
use crate::target::Target;
use crate::tree::tools::Compiler;
use crate::tree::{self, Session, Source, Store, agent};
use crate::workspace;

/// The subjects that a tree may have, each with its target.
const FORMS: [(&str, &str); 7] = [
    ("tree/aarch64", "aarch64"),
    ("tree/powerpc64-hash", "powerpc64"),
    ("tree/powerpc64-radix", "powerpc64"),
    ("tree/sparc64", "sparc64"),
    ("tree/sparc64-sun4v", "sparc64"),
    ("tree/native", "x86_64"),
    ("tree/xen", "x86_64"),
];

/// Builds the tree for the form's target, runs the program there, and prints what came of it.
///
/// # Errors
/// A form or tree that does not exist; a tree that cannot be built; code that crashes.
pub fn show(tree: &Path, form: &str, program: &Program, compiler: Compiler) -> Result<Exit> {
    let name = FORMS.iter().find(|(name, _)| *name == form);
    let Some(target) = name.and_then(|(_, target)| Target::parse(target).ok()) else {
        return Err(Error::Input {
            what: format!("a tree has no subject {form}"),
            place: "--subject".to_owned(),
            remedy: format!("give one of {}", FORMS.map(|(name, _)| name).join(", ")),
        });
    };
    let (root, store) = (workspace::root()?, Store::find()?);
    let source = Source::open(tree, &store)?;
    let (_, ready) =
        setup::prepare(&[target], Options { allow_install: true, tree: true, ..Options::default() }).remove(0);
    let ready = ready?;
    let library = agent::library(&ready, &root)?;
    let recipe = tree::usual(&[target])[0];
    let built = tree::build(&source, recipe, &[library], &Session::new(&store, 1).with(compiler))?;
    let mut agent = Agent::new(move || command(&ready, &built.subject));
    let mut asked = Asked { agent: &mut agent };
    let died = |error: AgentError| Error::Broke {
        what: error.to_string(),
        place: None,
        remedy: "the message names the function of the tree; docs/judge.md says what is modelled".to_owned(),
    };
    let facts = asked.facts().map_err(died)?;
    let found = facts.subjects.iter().find(|subject| subject.name == form);
    let index = found.map(|subject| subject.index).ok_or_else(|| Error::Input {
        what: format!("this tree has no {form}"),
        place: tree.display().to_string(),
        remedy: "`cargo lazymmu judge` lists what it has".to_owned(),
    })?;
    let examined = asked.examine(index, &encode(program)).map_err(died)?;
    let examined =
        examined.ok_or_else(|| died(AgentError::Garbled("the tree's code crashed on this program".to_owned())))?;
    outln!("{form} of {} (Linux {}), on {target}\n", source.root().display(), source.describe())?;
    outln!("{}\n{}", examined.timeline, examined.conclusion)?;
    for message in found.iter().flat_map(|subject| &subject.unproven) {
        outln!("note: not proven of {form}: {message}")?;
    }
    let mut named: Vec<&str> = examined.faults.iter().filter_map(|fault| fault.known.as_deref()).collect();
    named.sort_unstable();
    named.dedup();
    for known in named {
        outln!("known: {known}: {}", super::report::why(known))?;
    }
    let is_broken = |invariant: Invariant| examined.faults.iter().any(|fault| fault.invariant == invariant);
    let is_proven = found.is_some_and(|subject| subject.unproven.is_empty());
    Ok(match Invariant::ALL.into_iter().any(is_broken) {
        true => Exit::Broke,
        false if is_proven => Exit::Holds,
        false => Exit::Environment,
    })
}
