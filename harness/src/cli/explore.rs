//! `lazymmu explore`: every sequence of steps up to a depth, or the whole space of the counters.
//!
//! What it is not: exploring and what is printed are [`crate::explore`].
//!
//! Who calls it: a person who has changed a generation or a backend, and CI.

use std::path::PathBuf;

use clap::Args;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::registry::Descriptor;
use lazy_mmu_engine::space::{MAX_DEPTH, Space};
use lazy_mmu_engine::subject::{Port, Subject};
use lazy_mmu_snapshots::known;

use super::place::Place;
use crate::error::{Error, Exit, Result};
use crate::explore::alphabet::Alphabet;
use crate::explore::progress::Progress;
use crate::explore::tree::{self, Plan};
use crate::explore::{Bounds, End, Failure, closed, explore, report, write};
use crate::process;
use crate::show::{Named, subject};
use crate::tree::{Source, Store};

/// Explores every sequence of an alphabet's steps up to a depth, equal states once, and judges each step; or, for the
/// counted generation on `none`, the whole reachable space of its counters.
///
/// Without --alphabet: `full`, and for a subject that keeps a batch `batch` besides, where it can be with a batch of 3
/// entries (its name then ends in +small), so that a few steps fill it.
///
/// With --tree the subjects are a kernel tree's own C, each explored where it runs: --subject tree/xen and its like, or all
/// of the targets.
///
/// A step counts as broken unless the program misused the API before it or a known finding explains it. The first
/// failing path has as few steps as any, and is printed as a program. Exits 0 if nothing broke, 1 if something did, 2 if
/// an argument is wrong, 3 if it was interrupted or a target lacks something, 4 if --max-states ended it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu explore --depth 4 --subject counted/sparc64")]
pub struct Explore {
    /// Steps of the longest path, 1 to 24 [default: 4; with the alphabet `batch` 5, where batches are large 4]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_DEPTH)))]
    depth: Option<u8>,
    /// What it runs on: generation/backend, a specimen of the zoo, or with --tree tree/FORM [default: counted/aarch64; with --closed counted/none]
    #[arg(long)]
    subject: Option<String>,
    /// A kernel tree: what is explored is its own C, each subject where it runs (--target, --emulated and --cpu say where)
    #[arg(long, value_name = "TREE", conflicts_with = "closed")]
    tree: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// The steps, which are printed [default: full, and batch where there is a batch]
    #[arg(long, value_enum)]
    alphabet: Option<Alphabet>,
    /// The whole space of the counters, and no alphabet [default for counted/none without --depth]
    #[arg(long, conflicts_with_all = ["depth", "alphabet", "max_states"])]
    closed: bool,
    /// States that are kept; about 50 bytes each
    #[arg(long, value_name = "N", default_value_t = 5_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_states: u32,
    /// Where the first failing path is written, as a program
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Explore {
    /// Explores and prints.
    ///
    /// # Errors
    /// A subject that does not exist or has no closed space; a file that cannot be written.
    pub fn run(&self) -> Result<Exit> {
        if let Some(tree) = &self.tree {
            return self.tree(tree);
        }
        self.is_of_rust()?;
        let default = if self.closed { "counted/none" } else { "counted/aarch64" };
        let named = subject(self.subject.as_deref().unwrap_or(default))?;
        process::note_first_signal();
        if self.closed || (named.name() == "counted/none" && self.depth.is_none() && self.alphabet.is_none()) {
            let made = named.make(Port::Model);
            return self.close(named, judged(&*made, named.descriptor()));
        }
        let keeps_a_batch = updates(named.descriptor()).is_some();
        let stages = match self.alphabet {
            Some(alphabet) => vec![(named, alphabet)],
            None if keeps_a_batch => vec![(named, Alphabet::Full), (named.small().unwrap_or(named), Alphabet::Batch)],
            None => vec![(named, Alphabet::Full)],
        };
        let mut ends = Vec::new();
        for (at, (named, alphabet)) in stages.into_iter().enumerate() {
            if at > 0 {
                outln!("")?;
            }
            let end = self.stage(named, alphabet)?;
            ends.push(end);
            if end != End::Complete {
                break;
            }
        }
        Ok(ends.last().copied().unwrap_or_default().exit())
    }

    /// The subjects of a tree.
    fn tree(&self, tree: &std::path::Path) -> Result<Exit> {
        self.place.check()?;
        let subject = self.subject.as_deref();
        let targets = tree::targets(subject, &self.place.targets())?;
        let store = Store::find()?;
        let source = Source::open(tree, &store)?;
        let prepared = self.place.prepare_of(&targets)?;
        process::note_first_signal();
        let states = self.max_states as usize;
        let plan = Plan { tree, subject, alphabet: self.alphabet, depth: self.depth, states, out: self.out.as_deref() };
        plan.run(&source, &store, prepared)
    }

    /// Refuses what only a tree has.
    fn is_of_rust(&self) -> Result<()> {
        let bad = |what: &str, place: &str| {
            let remedy = "give --tree TREE besides, or leave it out".to_owned();
            Err(Error::Input { what: what.to_owned(), place: place.to_owned(), remedy })
        };
        if self.place.is_given() {
            return bad("our Rust is explored here, and on no target", "--target, --emulated, --cpu");
        }
        match &self.subject {
            Some(name) if name.starts_with("tree/") => {
                bad(&format!("{name} is a subject of a kernel tree"), "--subject")
            }
            _ => Ok(()),
        }
    }

    /// One alphabet on one subject.
    fn stage(&self, named: Named, alphabet: Alphabet) -> Result<End> {
        let made = named.make(Port::Model);
        let plain = named.descriptor();
        let judged = judged(&*made, plain);
        // A subject without a batch is asked for one of the kernel's size: its steps are the same.
        let full = updates(plain).unwrap_or(judged.rules.room.batch);
        let depth = self.depth.unwrap_or(alphabet.depth_of(full));
        outln!("{}", report::alphabet(alphabet, full))?;
        let mut space = Space::new(judged, alphabet.steps(full), true);
        let progress = Progress::default();
        let bounds = Bounds { depth, states: self.max_states as usize };
        let explored = explore(&mut space, bounds, |explored| progress.say(|| report::progress(explored)));
        progress.done();
        outln!("{}", report::explored(&explored, named.name()))?;
        self.failed(explored.failure.as_ref(), judged, plain, named.name())?;
        outln!("{}", report::conclusion(explored.end, Some(depth), explored.states, explored.time))?;
        Ok(explored.end)
    }

    fn close(&self, named: Named, judged: Examiner<'_>) -> Result<Exit> {
        let plain = named.descriptor();
        if !(judged.rules.counted && judged.rules.mmu == Mmu::Plain) {
            return Err(Error::Input {
                what: format!(
                    "{} has more state than the counters of 7.0 to 7.2: its space is not closed",
                    named.name()
                ),
                place: "--closed".to_owned(),
                remedy: "give --subject counted/none, or a specimen that wraps it; or --depth in place of --closed"
                    .to_owned(),
            });
        }
        let progress = Progress::default();
        let closed = closed::close(judged.subject, |closed| progress.say(|| report::progress_closed(closed)));
        progress.done();
        outln!("{}", report::closed(&closed, named.name()))?;
        self.failed(closed.failure.as_ref(), judged, plain, named.name())?;
        outln!("{}", report::conclusion(closed.end, None, 0, closed.time))?;
        Ok(closed.end.exit())
    }

    /// Prints the failing path, if there is one, and writes it where it was asked for. What cannot be written is printed
    /// all the same.
    fn failed(&self, found: Option<&Failure>, judged: Examiner<'_>, plain: &Descriptor, name: &str) -> Result<()> {
        let Some(found) = found else { return Ok(()) };
        let written = self.out.as_ref().map(|path| write(path, found, name));
        let file = written.as_ref().and_then(|written| written.as_ref().ok());
        let shown = report::shown(&found.program, judged, plain);
        outln!("{}", report::failure(found, &shown, &format!("--subject {name}"), file.map(String::as_str)))?;
        written.transpose().map(drop)
    }
}

fn judged<'s>(subject: &'s dyn Subject, plain: &Descriptor) -> Examiner<'s> {
    Examiner { subject, rules: plain.rules(), kind: plain.faithful(), explain: known::names }
}

/// With how many updates a batch of the subject is full, if it keeps one.
fn updates(plain: &Descriptor) -> Option<u16> {
    let rules = plain.rules();
    rules.room.updates(rules.mmu)
}
