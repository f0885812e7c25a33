//! `lazymmu tree`: a kernel tree's own code as a program, for whoever works on overlay, glue or recipes.
//!
//! What it is not: nothing is judged. The work is [`crate::tree`]'s.
//!
//! Who calls it: a developer of this project; a person with a patch wants a verdict instead.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::place::Place;
use crate::error::{Error, Exit, Result};
use crate::setup::{Missing, Ready};
use crate::tree::{self, Built, Source, Store, agent};
use crate::workspace;

/// Builds a kernel tree's own code of the lazy MMU mode, without judging it.
#[derive(Debug, Args)]
#[command(hide = true, after_help = "Example:\n  cargo lazymmu tree build ~/linux --target aarch64")]
pub struct Tree {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Build(Build),
}

/// Prepares, compiles and links the subjects of a tree; prints where each is and what it took.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu tree build ~/linux --target aarch64 --target x86_64")]
pub struct Build {
    /// The root of a Linux tree
    #[arg(value_name = "TREE")]
    tree: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Link this object or library in place of the adapter and the machine; it needs `lazymmu_main` and `lazymmu_machine`
    #[arg(long, value_name = "FILE", requires = "targets")]
    host: Vec<PathBuf>,
    /// Copy each subject to DIR/TARGET
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Tree {
    /// Runs what was asked for.
    ///
    /// # Errors
    /// What is wrong with the tree, the machine or the output.
    pub fn run(&self) -> Result<Exit> {
        match &self.what {
            What::Build(build) => build.run(),
        }
    }
}

impl Build {
    fn run(&self) -> Result<Exit> {
        self.place.check()?;
        let store = Store::find()?;
        let source = Source::open(&self.tree, &store)?;
        let facts = source.facts();
        let name = if facts.release.name.is_empty() { String::new() } else { format!(" ({})", facts.release.name) };
        outln!("{}: Linux {}{name}, the {} API", source.root().display(), source.describe(), facts.api.name())?;
        let wanted = self.place.prepare()?.into_iter().flat_map(|(target, ready)| {
            let host = self.hosts(ready);
            tree::usual(&[target]).into_iter().map(move |recipe| (recipe, host.clone()))
        });
        let wanted: Vec<_> = wanted.collect();
        let mut exit = Exit::Holds;
        for (recipe, result) in tree::build_all(&source, &wanted, &store) {
            match result {
                Ok(built) => {
                    out!("{}", report(&built))?;
                    self.copy(&built)?;
                }
                Err(error) => {
                    let error = Error::from(error);
                    eprintln!("{}: {}", recipe.name, error.render());
                    exit = exit.max(error.exit());
                }
            }
        }
        Ok(exit)
    }

    /// What the subjects of a target are linked with.
    fn hosts(&self, ready: Result<Ready, Missing>) -> tree::Result<Vec<PathBuf>> {
        if !self.host.is_empty() {
            return Ok(self.host.clone());
        }
        let ready = ready?;
        let library = workspace::root().and_then(|root| agent::library(&ready, &root));
        library.map(|library| vec![library]).map_err(|error| {
            Missing {
                what: error.to_string(),
                why: "the adapter is linked with a tree's code".to_owned(),
                remedy: error.remedy(),
            }
            .into()
        })
    }

    fn copy(&self, built: &Built) -> Result<()> {
        let Some(folder) = &self.output else { return Ok(()) };
        fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        let place = folder.join(built.recipe.name);
        fs::copy(&built.subject, &place).map(drop).map_err(Error::io("write", &place))
    }
}

/// One subject in a few lines.
fn report(built: &Built) -> String {
    let Built { recipe, subject, stubs, refused, objects, compiled, linked, times } = built;
    let seconds = |time: std::time::Duration| format!("{:.2} s", time.as_secs_f64());
    let prepared =
        times.kbuild.map_or_else(|| "prepared before".to_owned(), |time| format!("prepared in {}", seconds(time)));
    let link = if *linked { format!("linked in {}", seconds(times.link)) } else { "linked before".to_owned() };
    let mut text = format!(
        "{:<10} {prepared}, compiled {compiled} of {objects} objects in {}, {link}, {} in all\n           {}\n",
        recipe.name,
        seconds(times.compile),
        seconds(times.all),
        subject.display(),
    );
    if !stubs.is_empty() {
        text += &format!("           {} names are not modelled: {}\n", stubs.len(), stubs.join(" "));
    }
    if !refused.is_empty() {
        text += &format!("           Kconfig did not take: {}\n", refused.join(" "));
    }
    text
}
