//! The exploration of a kernel tree's own C: each subject built and started, each alphabet explored in its agent.
//!
//! Not here: the search ([`super::explore`]) and questions to the agent ([`super::remote`]). Called by
//! `lazymmu explore --tree`.

use std::path::{Path, PathBuf};

use lazy_mmu_engine::contract::Room;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::wire::Frame;

use super::alphabet::Alphabet;
use super::progress::Progress;
use super::remote::Remote;
use super::{Bounds, End, Failure, explore, report};
use crate::agent::{Agent, AgentError};
use crate::error::{Error, Exit, Result};
use crate::judge::run::Asked;
use crate::judge::{Form, start};
use crate::setup::{Missing, Ready};
use crate::show::quoted;
use crate::target::Target;
use crate::tree::{Session, Source, Store};
use crate::workspace;

/// What is to be explored.
#[derive(Debug)]
pub struct Plan<'p> {
    /// Where the tree is.
    pub tree: &'p Path,
    /// The one subject; else every one of the targets.
    pub subject: Option<&'p str>,
    /// The alphabet; else `full`, and `batch` where there is a batch.
    pub alphabet: Option<Alphabet>,
    /// Steps of the longest path; else the alphabet's.
    pub depth: Option<u8>,
    /// States that are kept.
    pub states: usize,
    /// Where the first failing path is written.
    pub out: Option<&'p Path>,
}

impl Plan<'_> {
    /// Explores every subject of the targets, and prints.
    ///
    /// # Errors
    /// The tree or its one subject cannot be used; the output cannot be written.
    pub fn run(&self, source: &Source, store: &Store, prepared: Vec<(Target, Result<Ready, Missing>)>) -> Result<Exit> {
        let root = workspace::root()?;
        let session = Session::new(store, 1);
        outln!("{}: Linux {}, the {} API", source.name(), source.describe(), source.facts().api.name())?;
        let (mut exit, mut out) = (Exit::Holds, self.out);
        for (target, ready) in prepared {
            let started = start::recipe(target, self.subject)
                .and_then(|recipe| start::build(source, recipe, ready, &session, &root))
                .and_then(|built| built.start().map_err(|error| start::died(&error)));
            let (mut agent, forms) = match started {
                Ok(started) => started,
                Err(error) if self.subject.is_some() => return Err(error),
                Err(error) => {
                    outln!("\n{target}: NOT EXPLORED: {}", error.render())?;
                    exit = worse(exit, error.exit());
                    continue;
                }
            };
            let forms = match self.subject {
                Some(name) => vec![start::form_of(&forms, name, self.tree)?],
                None => forms,
            };
            for form in forms {
                exit = worse(exit, self.form(&mut agent, &form, target, &mut out)?);
            }
        }
        Ok(exit)
    }

    /// Every alphabet on one subject, until one is not complete.
    fn form(&self, agent: &mut Agent, form: &Form, target: Target, out: &mut Option<&Path>) -> Result<Exit> {
        let updates = Room::default().updates(form.mmu);
        let alphabets = match (self.alphabet, updates) {
            (Some(alphabet), _) => vec![alphabet],
            (None, Some(_)) => vec![Alphabet::Full, Alphabet::Batch],
            (None, None) => vec![Alphabet::Full],
        };
        for alphabet in alphabets {
            // A subject without a batch is asked for one of the kernel's size: its steps are the same.
            let full = updates.unwrap_or(Room::default().batch);
            let depth = self.depth.unwrap_or(alphabet.depth_of(full));
            outln!("\n{}", report::alphabet(alphabet, full))?;
            let progress = Progress::default();
            let mut ask = |question: &Frame| agent.ask(question);
            let mut steps = Remote::new(&mut ask, form.index, alphabet.steps(full));
            let bounds = Bounds { depth, states: self.states };
            let explored = explore(&mut steps, bounds, |explored| {
                progress.say(|| format!("{}: {}", form.name, report::progress(explored)))
            });
            progress.done();
            outln!("{}", report::explored(&explored, &format!("{} on {target}", form.name)))?;
            if let Some(failure) = &explored.failure {
                self.failed(agent, form, failure, out.take())?;
            }
            if let Some(lost) = &explored.lost {
                outln!("the agent is lost: {lost}")?;
            }
            outln!("{}", report::conclusion(explored.end, Some(depth), explored.states, explored.time))?;
            if explored.end != End::Complete {
                return Ok(explored.end.exit());
            }
        }
        Ok(Exit::Holds)
    }

    /// Prints the failing path, and writes it where it was asked for.
    fn failed(&self, agent: &mut Agent, form: &Form, failure: &Failure, out: Option<&Path>) -> Result<()> {
        let examined = match failure.invariant {
            Some(_) => Asked { agent }.examine(form.index, &encode(&failure.program)),
            None => Ok(None),
        };
        let examined = examined.map_err(|error: AgentError| start::died(&error))?;
        let shown = examined.map(|examined| format!("{}\n{}", examined.timeline, examined.conclusion));
        let tree: PathBuf = self.tree.canonicalize().unwrap_or_else(|_| self.tree.to_owned());
        let on = format!("--tree {} --subject {}", quoted(&tree.to_string_lossy()), form.name);
        let written = out.map(|path| super::write(path, failure, &form.name));
        let file = written.as_ref().and_then(|written| written.as_ref().ok());
        outln!("{}", report::failure(failure, &shown.unwrap_or_default(), &on, file.map(String::as_str)))?;
        written.transpose().map(drop)
    }
}

/// What breaks outweighs what could not be looked at, and that what holds.
fn worse(one: Exit, other: Exit) -> Exit {
    if one == Exit::Broke || other == Exit::Broke { Exit::Broke } else { one.worse(other) }
}

/// Which targets are to be set up: that of the subject, or those that were asked for.
///
/// # Errors
/// No tree has such a subject, or its target is none of those asked for.
pub fn targets(subject: Option<&str>, asked: &[Target]) -> Result<Vec<Target>> {
    let Some(subject) = subject else { return Ok(asked.to_vec()) };
    let target = start::target_of(subject)?;
    if asked.contains(&target) {
        return Ok(vec![target]);
    }
    Err(Error::Input {
        what: format!("{subject} runs on {target}, which is none of the targets given"),
        place: "--target".to_owned(),
        remedy: format!("leave --target out, or give --target {target}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_chooses_its_target() {
        let all = Target::ALL;
        for (subject, asked, chosen) in [
            (None, &all[..], Some(all.to_vec())),
            (None, &all[..1], Some(all[..1].to_vec())),
            (Some("tree/xen"), &all, Some(vec![Target::X86_64])),
            (Some("tree/powerpc64-hash"), &[Target::Powerpc64], Some(vec![Target::Powerpc64])),
            (Some("tree/powerpc64-hash"), &[Target::X86_64], None),
            (Some("tree/vax"), &all, None),
            (Some("counted/aarch64"), &all, None),
        ] {
            assert_eq!(targets(subject, asked).ok(), chosen, "{subject:?} {asked:?}");
        }
    }

    #[test]
    fn what_breaks_outweighs_what_could_not_be_explored() {
        for (one, other, both) in [
            (Exit::Holds, Exit::InPart, Exit::InPart),
            (Exit::Environment, Exit::InPart, Exit::Environment),
            (Exit::Environment, Exit::Broke, Exit::Broke),
            (Exit::Broke, Exit::Usage, Exit::Broke),
        ] {
            assert_eq!(worse(one, other), both);
        }
    }
}
