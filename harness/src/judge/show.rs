//! One program on a tree's own C: the timeline and the verdict, as `lazymmu run` prints them for our Rust.
//!
//! Not here: judging a tree on everything ([`super::run`]). Called by `lazymmu run --tree`.

use std::path::Path;

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::bytes::encode;

use super::run::Asked;
use super::start;
use crate::agent::AgentError;
use crate::error::{Exit, Result};
use crate::setup::{self, Options};
use crate::tree::tools::Compiler;
use crate::tree::{self, Session, Source, Store};
use crate::workspace;

/// Builds the tree for the form's target, runs the program there, and prints what came of it.
///
/// # Errors
/// A form or tree that does not exist; a tree that cannot be built; code that crashes.
pub fn show(path: &Path, form: &str, program: &Program, compiler: Compiler) -> Result<Exit> {
    let recipe = start::recipe_of(form)?;
    let target = tree::target_of(recipe);
    let (root, store) = (workspace::root()?, Store::find()?);
    let source = Source::open(path, &store)?;
    let (_, ready) =
        setup::prepare(&[target], Options { allow_install: true, tree: true, ..Options::default() }).remove(0);
    let built = start::build(&source, recipe, ready, &Session::new(&store, 1).with(compiler), &root)?;
    let (mut agent, forms) = built.start().map_err(|error| start::died(&error))?;
    let found = start::form_of(&forms, form, path)?;
    let examined = Asked { agent: &mut agent }.examine(found.index, &encode(program));
    let examined = examined.map_err(|error| start::died(&error))?;
    let examined = examined
        .ok_or_else(|| start::died(&AgentError::Garbled("the tree's code crashed on this program".to_owned())))?;
    outln!("{form} of {} (Linux {}), on {target}\n", source.root().display(), source.describe())?;
    outln!("{}\n{}", examined.timeline, examined.conclusion)?;
    for message in &found.unproven {
        outln!("note: not proven of {form}: {message}")?;
    }
    let mut named: Vec<&str> = examined.faults.iter().filter_map(|fault| fault.known.as_deref()).collect();
    named.sort_unstable();
    named.dedup();
    for known in named {
        outln!("known: {known}: {}", super::report::why(known))?;
    }
    let is_broken = |invariant: Invariant| examined.faults.iter().any(|fault| fault.invariant == invariant);
    let is_proven = found.unproven.is_empty();
    Ok(match Invariant::ALL.into_iter().any(is_broken) {
        true => Exit::Broke,
        false if is_proven => Exit::Holds,
        false => Exit::Environment,
    })
}
