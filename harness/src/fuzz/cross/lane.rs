//! One target of a `--cross` run: entries run there in batches, and must come to what the host makes of them.
//!
//! A difference is a finding: minimised as long as the target differs in the same way, and kept with both listings' first
//! difference. So is a program that kills or hangs the agent. Not here: which entries ([`super`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::minimise::{minimise, weight};
use lazy_mmu_engine::program::{Program, bytes};
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{Runner, broken_text};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::listing;
use lazy_mmu_engine::wire::{Frame, Summary};

use super::tree::Tree;
use super::{Compared, Feed, Kept};
use crate::agent::{Agent, AgentError, Batch, Outcome};
use crate::check::difference::difference;
use crate::error::Result;
use crate::fuzz::found;
use crate::process;
use crate::show::quoted;
use crate::target::Target;

/// Entries of one batch at most.
const BATCH: usize = 64;

/// Operations and pages that one batch runs on a subject, about, so that an answer comes soon.
const STEPS: u64 = 50_000;

/// How long a finding is made smaller: each step asks the agent.
const MINIMISING: Duration = Duration::from_secs(60);

/// What a lane talks to: an agent, and in tests what behaves as a bad one.
pub trait Remote: Send {
    /// Runs programs; see [`Agent::batch`].
    ///
    /// # Errors
    /// It cannot be talked to.
    fn batch(&mut self, batch: Batch<'_>) -> Result<Vec<Outcome>, AgentError>;

    /// A program's events and verdict, as text.
    ///
    /// # Errors
    /// It does not answer.
    fn show(&mut self, subject: usize, port: Port, program: &Program) -> Result<String, AgentError>;
}

impl Remote for Agent {
    fn batch(&mut self, batch: Batch<'_>) -> Result<Vec<Outcome>, AgentError> {
        Agent::batch(self, batch)
    }

    fn show(&mut self, subject: usize, port: Port, program: &Program) -> Result<String, AgentError> {
        match self.ask(&Frame::Show { subject: subject as u8, port: port as u8, program: encode(program) })? {
            Frame::Text(text) => Ok(text),
            other => Err(AgentError::Garbled(format!("{other:?}").chars().take(80).collect())),
        }
    }
}

/// An entry of the corpus.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As the fuzzer has it.
    pub data: Vec<u8>,
    /// Its program.
    pub program: Program,
    /// The subjects it runs on, as places in the registry.
    pub subjects: Vec<usize>,
}

/// How a target's run differs from the host's. Equal ones are one finding while a program is made smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Difference {
    /// The agent died of it, or did not answer.
    Killed,
    /// The engine panicked, there or here and not in the other.
    Panicked,
    /// Another summary: whether the generic digest differs, whether that of all events does, and the invariants that one
    /// of the two runs broke and the other did not.
    Differs { generic: bool, all: bool, broken: u32 },
}

impl Difference {
    /// What a target's outcome and the host's differ in, none where the engine panics in both. How much was executed for
    /// real is no part of a run.
    fn of(host: Option<Summary>, outcome: &Outcome) -> Option<Difference> {
        match (outcome, host) {
            (Outcome::Ran(there), Some(host)) if Summary { executed: host.executed, ..*there } == host => None,
            (Outcome::Ran(there), Some(host)) => Some(Difference::Differs {
                generic: there.generic != host.generic,
                all: there.all != host.all,
                broken: there.broken ^ host.broken,
            }),
            (Outcome::Panicked(_), None) => None,
            (Outcome::Ran(_), None) | (Outcome::Panicked(_), Some(_)) => Some(Difference::Panicked),
            (Outcome::Crashed(_), _) => Some(Difference::Killed),
        }
    }
}

/// What is on a target: its agent with our Rust, or a tree's C.
enum Side {
    Rust(Box<dyn Remote>),
    Tree(Box<Tree>),
}

/// One target with its agent.
pub struct Lane {
    /// Which.
    pub target: Target,
    how: String,
    side: Side,
}

/// What a lane does with entries while one fuzz target runs.
pub(super) trait Compare {
    /// Runs entries there and tells what is found.
    ///
    /// # Errors
    /// The agent does not answer.
    fn compare(
        &mut self,
        entries: &[Arc<Entry>],
        tell: &Sender<Result<Kept>>,
        compared: &mut Compared,
    ) -> Result<(), AgentError>;
}

impl Lane {
    /// A target that is reached through `remote`; `how` it runs programs, in words.
    #[must_use]
    pub fn new(target: Target, how: String, remote: Box<dyn Remote>) -> Lane {
        Lane { target, how, side: Side::Rust(remote) }
    }

    /// A target with a tree's C.
    #[must_use]
    pub fn of_tree(target: Target, how: String, tree: Tree) -> Lane {
        Lane { target, how, side: Side::Tree(Box::new(tree)) }
    }

    /// Compares what comes until the queue is closed and empty, or, once `until` is set, that time has come.
    pub(super) fn run(
        mut self,
        feed: &Feed,
        entries: &Receiver<Arc<Entry>>,
        tell: &Sender<Result<Kept>>,
        until: &OnceLock<Instant>,
    ) -> (Lane, Compared) {
        let mut compared = Compared::new(self.target, Ok(self.how.clone()));
        let Lane { target, how, side } = &mut self;
        let mut run: Box<dyn Compare + '_> = match side {
            Side::Rust(remote) => {
                let (target, how, remote) = (*target, how.as_str(), &mut **remote);
                Box::new(Run { target, how, remote, feed, runner: Runner::new(), met: Vec::new() })
            }
            Side::Tree(tree) => Box::new(tree.begin(*target, feed, &mut compared)),
        };
        let mut waiting = Waiting::default();
        while let Some(batch) = waiting.batch(entries) {
            if compared.lost.is_some() || until.get().is_some_and(|until| Instant::now() > *until) {
                compared.left += batch.len() as u64;
                continue;
            }
            match run.compare(&batch, tell, &mut compared) {
                Ok(()) => compared.entries += batch.len() as u64,
                Err(error) => {
                    compared.left += batch.len() as u64;
                    compared.lost = Some(error.to_string());
                }
            }
        }
        drop(run);
        (self, compared)
    }
}

/// Entries that wait, those whose runs are short first: one that runs for ever and ever would hold up hundreds of others.
#[derive(Default)]
struct Waiting(BTreeMap<(u64, u64), Arc<Entry>>, u64);

impl Waiting {
    /// The next batch, once there is something; none when the queue is closed and nothing waits.
    fn batch(&mut self, entries: &Receiver<Arc<Entry>>) -> Option<Vec<Arc<Entry>>> {
        let first = if self.0.is_empty() { Some(entries.recv().ok()?) } else { None };
        for entry in first.into_iter().chain(entries.try_iter()) {
            self.1 += 1;
            self.0.insert((weight(&entry.program), self.1), entry);
        }
        let (mut batch, mut steps) = (Vec::new(), 0);
        while let Some(((weight, _), _)) = self.0.first_key_value() {
            steps += weight;
            if batch.len() == BATCH || (steps > STEPS && !batch.is_empty()) {
                break;
            }
            batch.extend(self.0.pop_first().map(|(_, entry)| entry));
        }
        Some(batch)
    }
}

/// A lane while one fuzz target runs.
struct Run<'l> {
    target: Target,
    how: &'l str,
    remote: &'l mut dyn Remote,
    feed: &'l Feed,
    /// The host's own.
    runner: Runner,
    /// Findings so far: a second one of a name says nothing new.
    met: Vec<String>,
}

impl Compare for Run<'_> {
    /// Runs some entries on the model port and, where the instructions are the target's own, on the asm port.
    fn compare(
        &mut self,
        entries: &[Arc<Entry>],
        tell: &Sender<Result<Kept>>,
        compared: &mut Compared,
    ) -> Result<(), AgentError> {
        let mut by_subject: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            entry.subjects.iter().for_each(|&at| by_subject.entry(at).or_default().push(entry));
        }
        for (at, entries) in by_subject {
            let programs: Vec<Vec<u8>> = entries.iter().map(|entry| encode(&entry.program)).collect();
            let model = [Port::Model, Port::Asm];
            let ports = if SUBJECTS[at].isa == Some(self.target.isa()) { &model[..] } else { &model[..1] };
            for &port in ports {
                let batch = Batch { subject: at as u8, port: port as u8, programs: &programs };
                let outcomes = self.remote.batch(batch)?;
                compared.runs += outcomes.len() as u64;
                for (entry, outcome) in entries.iter().zip(&outcomes) {
                    let Some(differs) = Difference::of(self.host(at, &entry.program), outcome) else { continue };
                    compared.differences += 1;
                    let place = Place { at, port };
                    let slug = self.slug(&place, &differs);
                    if !self.met.contains(&slug) {
                        let kept = self.look_into(entry, &place, &differs, outcome, &slug)?;
                        self.met.push(slug);
                        // The receiver goes last.
                        let _ = tell.send(kept);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Run<'_> {
    fn slug(&self, place: &Place, differs: &Difference) -> String {
        let port = if place.port == Port::Asm { "-asm" } else { "" };
        let how = if *differs == Difference::Killed { "-killed" } else { "" };
        format!("cross-{}-{}{port}{how}", self.target, place.name().replace(['/', '@'], "-"))
    }

    /// Makes the program smaller while it differs in the same way, and keeps it.
    fn look_into(
        &mut self,
        entry: &Entry,
        place: &Place,
        differs: &Difference,
        outcome: &Outcome,
        slug: &str,
    ) -> Result<Result<Kept>, AgentError> {
        let mut lost = None;
        let deadline = Instant::now() + MINIMISING;
        let mut still = |run: &mut Self, program: &Program| {
            if lost.is_some() || Instant::now() > deadline || process::interrupted() {
                return None;
            }
            match run.differs(place, program) {
                Ok((found, outcome)) => (found.as_ref() == Some(differs)).then_some(outcome),
                Err(error) => {
                    lost = Some(error);
                    None
                }
            }
        };
        let again = still(self, &entry.program);
        let small = match &again {
            Some(_) => minimise(&entry.program, |program| still(self, program).is_some()),
            None => entry.program.clone(),
        };
        if let Some(error) = lost {
            return Err(error);
        }
        let what = self.in_words(place, &small, again.as_ref().unwrap_or(outcome));
        let alone = if again.is_some() { "" } else { "\nIt did so in a batch with others, and not when it ran alone." };
        let folder = self.feed.findings.join(slug);
        let report = self.report(place, &small, &format!("{what}{alone}"), &folder.join("program.lmm"));
        let about = format!("# {} on {} is not what the host makes of it.\n{small}", place.name(), self.target);
        let files: [(&str, &[u8]); 2] = [("program.lmm", about.as_bytes()), ("input", &entry.data)];
        Ok(found::put(&folder, &report, &files))
    }

    /// Runs one program there and here.
    fn differs(&mut self, place: &Place, program: &Program) -> Result<(Option<Difference>, Outcome), AgentError> {
        let programs = [bytes::encode(program)];
        let batch = Batch { subject: place.at as u8, port: place.port as u8, programs: &programs };
        let outcome = self.remote.batch(batch)?.pop();
        let outcome = outcome.ok_or_else(|| AgentError::Garbled("nothing for a program".to_owned()))?;
        Ok((Difference::of(self.host(place.at, program), &outcome), outcome))
    }

    /// What the host makes of a program; nothing where the engine panics, which is the fuzzer's to find.
    fn host(&mut self, at: usize, program: &Program) -> Option<Summary> {
        let runner = &mut self.runner;
        let summary = catch_unwind(AssertUnwindSafe(|| runner.summary(at, Port::Model, program))).ok();
        if summary.is_none() {
            self.runner = Runner::new();
        }
        summary
    }

    /// What the target made of it: how it died, or the first line in which its listing differs from the host's.
    fn in_words(&mut self, place: &Place, program: &Program, outcome: &Outcome) -> String {
        let there = match outcome {
            Outcome::Panicked(message) => return format!("the engine panicked there: {message}"),
            Outcome::Crashed(how) => return how.clone(),
            Outcome::Ran(there) => there,
        };
        let Some(host) = self.host(place.at, program) else {
            return "the engine panics here, and not there".to_owned();
        };
        let (events, verdict) = self.runner.run(place.at, Port::Model, program);
        let here = format!("{}{verdict}\n", listing(events));
        let mut text = String::new();
        for (whose, summary) in [("here", &host), ("there", there)] {
            let Summary { generic, all, events, broken, .. } = summary;
            let _ = writeln!(
                text,
                "{whose:>5}: {events} events, generic {generic:016x}, all {all:016x}, {}",
                broken_text(*broken)
            );
        }
        text.push_str(&match self.remote.show(place.at, place.port, program) {
            Ok(there) => difference(&here, &there),
            Err(error) => error.to_string(),
        });
        text
    }

    /// What a person reads.
    fn report(&self, place: &Place, program: &Program, what: &str, path: &std::path::Path) -> String {
        let (target, how, name) = (self.target, self.how, place.name());
        let port = if place.port == Port::Asm { " --port asm" } else { "" };
        format!(
            "finding: {}\n\nAn entry of the corpus of {} is not on {target} ({how}) what it is on the host, on {name}{port}:\n\
             {what}\n\nprogram:\n\n{program}\nreplay:\n  cargo lazymmu run {} --subject {name} --target {target}{port}\n",
            path.parent().and_then(|folder| folder.file_name()).unwrap_or_default().to_string_lossy(),
            self.feed.target.name,
            quoted(&path.to_string_lossy()),
        )
    }
}

/// A subject and a port.
struct Place {
    at: usize,
    port: Port,
}

impl Place {
    fn name(&self) -> &'static str {
        SUBJECTS[self.at].name
    }
}
