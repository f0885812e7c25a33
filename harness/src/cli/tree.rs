//! `lazymmu tree`: a kernel tree's own code as a program, for whoever works on overlay, glue or recipes.
//!
//! What it is not: nothing is judged. The work is [`crate::tree`]'s. [`Named`] is how every subcommand names a tree.
//!
//! Who calls it: a developer of this project; a person with a patch wants a verdict instead.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use lazy_mmu_border::Recipe;

use super::place::Place;
use crate::error::{Error, Exit, Result};
use crate::setup::{Missing, Ready};
use crate::tree::pages::{Pages, recipes};
use crate::tree::series::Series;
use crate::tree::tools::Compiler;
use crate::tree::{self, Built, Session, Source, Store, agent, debian, revision};
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

/// Which tree.
#[derive(Debug, Args)]
pub struct Named {
    /// The root of a Linux tree, or with --rev a git repository of one
    #[arg(value_name = "TREE", required_unless_present = "debian")]
    tree: Option<PathBuf>,
    /// This revision of the repository, whatever the work tree holds
    #[arg(long, value_name = "REV", conflicts_with = "debian")]
    rev: Option<String>,
    /// The tree after each patch of a series, as `b4 am` saves it
    #[arg(long, value_name = "FILE")]
    mbox: Option<PathBuf>,
    /// Debian's sources of a release (7.2, 7.3, 6.12) instead of a tree, fetched once
    #[arg(long, value_name = "RELEASE", conflicts_with = "tree")]
    debian: Option<String>,
}

impl Named {
    /// The tree without any patch of a series.
    ///
    /// # Errors
    /// There is no such tree, revision or release.
    pub fn base(&self, store: &Store) -> tree::Result<Source> {
        match (&self.debian, &self.rev, &self.tree) {
            (Some(release), ..) => debian::open(release, store),
            (None, Some(revision), Some(tree)) => revision::open(tree, revision, store),
            (None, _, tree) => Source::open(tree.as_deref().unwrap_or(".".as_ref()), store),
        }
    }

    /// The series on a tree, if there is one.
    ///
    /// # Errors
    /// The mailbox holds none.
    pub fn series<'s>(&self, base: &Source, store: &'s Store) -> tree::Result<Option<Series<'s>>> {
        self.mbox.as_ref().map(|mailbox| Series::open(base, mailbox, store)).transpose()
    }
}

/// Prepares, compiles and links the subjects of a tree; prints where each is and what it took.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu tree build ~/linux --target aarch64 --target x86_64")]
pub struct Build {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    place: Place,
    /// Compile the tree by clang instead of gcc
    #[arg(long)]
    llvm: bool,
    /// The page sizes of powerpc64
    #[arg(long, value_enum, default_value_t = Pages::Usual)]
    pages: Pages,
    /// Link this instead of the adapter and the machine; it needs lazymmu_main() and lazymmu_machine()
    #[arg(long, value_name = "FILE", requires = "targets")]
    host: Vec<PathBuf>,
    /// Copy each subject to DIR/TARGET, or with 4K pages DIR/TARGET-4k
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// What is built, and what each is linked with.
type Wanted = Vec<(&'static Recipe, tree::Result<Vec<PathBuf>>)>;

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
        let base = self.named.base(&store)?;
        let series = self.named.series(&base, &store)?;
        let wanted: Wanted =
            self.place.prepare_for_trees()?.into_iter().flat_map(|(target, ready)| self.of(target, ready)).collect();
        let Some(series) = series else { return self.one(&base, &wanted, &store) };
        let (mut exit, count) = (Exit::Holds, series.len());
        for (number, step) in series.enumerate() {
            let (patch, source) = step?;
            outln!("patch {} of {count}: {}", number + 1, patch.subject)?;
            exit = exit.max(self.one(&source, &wanted, &store)?);
        }
        Ok(exit)
    }

    /// The subjects of one tree.
    fn one(&self, source: &Source, wanted: &Wanted, store: &Store) -> Result<Exit> {
        let facts = source.facts();
        outln!("{}: Linux {}, the {} API", source.name(), source.describe(), facts.api.name())?;
        let mut exit = Exit::Holds;
        for (recipe, result) in
            tree::build_all(source, wanted, &Session::new(store, wanted.len()).with(Compiler::of(self.llvm)))
        {
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

    fn of(&self, target: crate::target::Target, ready: Result<Ready, Missing>) -> Wanted {
        let host = self.hosts(ready);
        recipes(&[target], self.pages).into_iter().map(|recipe| (recipe, host.clone())).collect()
    }

    /// What the subjects of a target are linked with.
    fn hosts(&self, ready: Result<Ready, Missing>) -> tree::Result<Vec<PathBuf>> {
        let ready = ready?;
        if !self.host.is_empty() {
            // The linker runs in a folder of the cache.
            let absolute = |path: &PathBuf| path.canonicalize().map_err(tree::TreeError::unreadable(path));
            return self.host.iter().map(absolute).collect();
        }
        let library = workspace::root().and_then(|root| agent::library(&ready, &root));
        library.map(|library| vec![library]).map_err(|error| {
            let why = error.place().unwrap_or_else(|| "it is linked with a tree's code".to_owned());
            Missing { what: error.to_string(), why, remedy: error.remedy() }.into()
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
        "{:<12} {prepared}, compiled {compiled} of {objects} objects in {}, {link}, {} in all\n             {}\n",
        recipe.name,
        seconds(times.compile),
        seconds(times.all),
        subject.display(),
    );
    if !stubs.is_empty() {
        text += &format!("             {} names that its code has, reachable or not, are not modelled\n", stubs.len());
    }
    if !refused.is_empty() {
        text += &format!("             Kconfig did not take: {}\n", refused.join(" "));
    }
    text
}
