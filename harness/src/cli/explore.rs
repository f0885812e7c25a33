//! `lazymmu explore`: every sequence of steps up to a depth, or the whole space of the counters.
//!
//! What it is not: exploring and what is printed are [`crate::explore`].
//!
//! Who calls it: a person who has changed a generation or a backend, and CI.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_engine::subject::registry::{Descriptor, SMALL};
use lazy_mmu_engine::subject::{Port, Subject};

use crate::error::{Error, Exit, Result};
use crate::explore::alphabet::Alphabet;
use crate::explore::space::{Failure, Judged, MAX_DEPTH, Space};
use crate::explore::{Bounds, End, closed, explore, report};
use crate::process;
use crate::show::{Named, subject};

/// Explores every sequence of an alphabet's steps up to a depth, equal states once, and judges each step; or, for the
/// counted generation on `none`, the whole reachable space of its counters.
///
/// Without --alphabet: `full`, and for a subject that keeps a batch `batch` besides, where it can be with a batch of 3
/// entries (its name then ends in +small), so that a few steps fill it.
///
/// A step counts as broken unless the program misused the API before it or a known finding explains it. The first
/// failing path has as few steps as any, and is printed as a program. Exits 0 if nothing broke, 1 if something did, 2 if
/// an argument is wrong, 3 if not all was explored (--max-states, Ctrl-C).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu explore --depth 4 --subject counted/sparc64")]
pub struct Explore {
    /// Steps of the longest path, 1 to 24 [default: 4; with the alphabet `batch` 5, where batches are large 4]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_DEPTH)))]
    depth: Option<u8>,
    /// What it runs on: generation/backend, or a specimen of the zoo [default: counted/aarch64; with --closed counted/none]
    #[arg(long)]
    subject: Option<String>,
    /// The steps, which are printed [default: full, and batch where there is a batch]
    #[arg(long, value_enum)]
    alphabet: Option<Alphabet>,
    /// The whole space of the counters, and no alphabet [default for counted/none without --depth]
    #[arg(long, conflicts_with_all = ["depth", "alphabet", "max_states"])]
    closed: bool,
    /// States that are kept; about 100 bytes each
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
        Ok(exit(ends.last().copied().unwrap_or_default()))
    }

    /// One alphabet on one subject.
    fn stage(&self, named: Named, alphabet: Alphabet) -> Result<End> {
        let made = named.make(Port::Model);
        let plain = named.descriptor();
        let judged = judged(&*made, plain);
        // A subject without a batch is asked for one of the kernel's size: its steps are the same.
        let full = updates(plain).unwrap_or(judged.rules.room.batch);
        let many = u8::from(alphabet == Alphabet::Batch && full > SMALL);
        let depth = self.depth.unwrap_or(alphabet.depth() - many);
        outln!("{}", report::alphabet(alphabet, full))?;
        let mut space = Space::new(judged, alphabet.steps(full), true);
        let progress = Progress::new();
        let bounds = Bounds { depth, states: self.max_states as usize };
        let explored = explore(&mut space, bounds, |explored| progress.say(|| report::progress(explored)));
        progress.done();
        outln!("{}", report::explored(&explored, named.name()))?;
        self.failed(explored.failure.as_ref(), judged, plain, named.name())?;
        outln!("{}", report::conclusion(explored.end, Some(depth), explored.states, explored.time))?;
        Ok(explored.end)
    }

    fn close(&self, named: Named, judged: Judged<'_>) -> Result<Exit> {
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
        let progress = Progress::new();
        let closed = closed::close(judged.subject, |closed| progress.say(|| report::progress_closed(closed)));
        progress.done();
        outln!("{}", report::closed(&closed, named.name()))?;
        self.failed(closed.failure.as_ref(), judged, plain, named.name())?;
        outln!("{}", report::conclusion(closed.end, None, 0, closed.time))?;
        Ok(exit(closed.end))
    }

    /// Prints the failing path, if there is one, and writes it where it was asked for. What cannot be written is printed
    /// all the same.
    fn failed(&self, found: Option<&Failure>, judged: Judged<'_>, plain: &Descriptor, name: &str) -> Result<()> {
        let Some(found) = found else { return Ok(()) };
        let written = self.out.as_ref().map(|path| {
            let about = format!("# {name} breaks {}: {}\n", found.invariant.name(), found.text);
            let written = crate::output::file(path, about + &found.program.to_string());
            written.map(|()| path.display().to_string()).map_err(Error::io("write", path))
        });
        let file = written.as_ref().and_then(|written| written.as_ref().ok());
        outln!("{}", report::failure(found, judged, plain, name, file.map(String::as_str)))?;
        written.transpose().map(drop)
    }
}

fn judged<'s>(subject: &'s dyn Subject, plain: &Descriptor) -> Judged<'s> {
    Judged { subject, rules: plain.rules(), faithful: plain.faithful() }
}

/// With how many updates a batch of the subject is full, if it keeps one.
fn updates(plain: &Descriptor) -> Option<u16> {
    let rules = plain.rules();
    rules.room.updates(rules.mmu)
}

fn exit(end: End) -> Exit {
    match end {
        End::Complete => Exit::Holds,
        End::Broken => Exit::Broke,
        End::States | End::Interrupted => Exit::Environment,
    }
}

/// Where the exploration stands, on standard error: in one line on a terminal, elsewhere a line every few seconds.
struct Progress {
    bar: Option<ProgressBar>,
    said: std::cell::Cell<Instant>,
}

const EVERY: Duration = Duration::from_secs(5);

impl Progress {
    fn new() -> Progress {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let (Some(bar), Ok(style)) = (&bar, ProgressStyle::with_template("{spinner} {elapsed} {msg}")) {
            bar.set_style(style);
        }
        Progress { bar, said: std::cell::Cell::new(Instant::now()) }
    }

    /// Says it now and then; breaks if a signal came.
    fn say(&self, what: impl FnOnce() -> String) -> ControlFlow<()> {
        let every = if self.bar.is_some() { Duration::from_millis(120) } else { EVERY };
        if self.said.get().elapsed() >= every {
            self.said.set(Instant::now());
            match &self.bar {
                Some(bar) => {
                    bar.set_message(what());
                    bar.tick();
                }
                None => eprintln!("{}", what()),
            }
        }
        if process::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
