//! A fuzzing run on all targets: one agent for each is fed what comes into the corpus, and must come to what the host does.
//!
//! | module | what |
//! | --- | --- |
//! | here | the corpus watched, the targets' threads, what they compared |
//! | [`lane`] | one target: batches, comparison, the smallest program that differs |
//! | [`tree`] | one target with a kernel tree's C: judged as `judge` does |
//!
//! Not here: libFuzzer ([`super::job`]) and agents as such ([`crate::agent`]). Called by the supervisor for
//! `lazymmu fuzz --cross`, and with a kernel tree `--cross --tree`.

pub mod lane;
pub mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lazy_mmu_engine::fuzz::Description;
use lazy_mmu_engine::registry::SUBJECTS;

use crate::check::build;
use crate::error::{Error, Result};
use crate::judge::start;
use crate::process;
use crate::setup::{self, Missing, Options};
use crate::target::Target;
use crate::tree::{Session, Source, Store};
use lane::{Entry, Lane};

/// How long an agent may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long what is queued when the run ends is fed on.
const AFTERWARDS: Duration = Duration::from_secs(20);

/// What a target's agent is fed, and where its findings go.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The fuzz target.
    pub target: &'static Description,
    /// The only subject, as a place in the registry.
    pub only: Option<usize>,
    /// The folders of the corpus.
    pub corpora: Vec<PathBuf>,
    /// Where findings go.
    pub findings: PathBuf,
}

impl Feed {
    /// Where an entry runs: on the subject that its first byte chooses where the fuzz target takes it so, else on every
    /// subject of 7.2.
    fn subjects(&self, chosen: &[u8]) -> Vec<usize> {
        if let Some(only) = self.only {
            return vec![only];
        }
        if ["contract", "transitions"].contains(&self.target.name) {
            return vec![usize::from(chosen.first().copied().unwrap_or(0)) % SUBJECTS.len()];
        }
        (0..SUBJECTS.len()).filter(|&at| SUBJECTS[at].is_current()).collect()
    }

    fn entry(&self, data: Vec<u8>) -> Option<Entry> {
        let (chosen, program) = self.target.input.split(&data)?;
        let subjects = self.subjects(chosen);
        Some(Entry { program, subjects, data })
    }
}

/// What became of one target in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which.
    pub target: Target,
    /// How its programs run, or why they do not and what to do.
    pub how: Result<String, Missing>,
    /// Entries of the corpus that ran there as here, or did not.
    pub entries: u64,
    /// Runs of them: one for each subject and port.
    pub runs: u64,
    /// Runs that came to something else.
    pub differences: u64,
    /// Entries that were still queued when the time was up.
    pub left: u64,
    /// Why the agent could not go on.
    pub lost: Option<String>,
    /// Where it is a tree's C that runs there: its subjects, and what came of their runs besides.
    pub judged: Option<tree::Judged>,
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compared { target, entries, runs, differences, left, .. } = self;
        match (&self.how, &self.judged) {
            (Err(missing), _) => return write!(f, "cross {target}: SKIPPED: {missing}; to do: {}", missing.remedy),
            (Ok(how), Some(judged)) => write!(
                f,
                "cross {target} ({how}): {entries} entries judged in {runs} runs on {judged}, {differences} break what is not known"
            )?,
            (Ok(how), None) => write!(
                f,
                "cross {target} ({how}): {entries} entries compared in {runs} runs, {differences} differences"
            )?,
        }
        if *left > 0 {
            write!(f, "; {left} entries were NOT compared, the time was up")?;
        }
        self.lost.as_ref().map_or(Ok(()), |why| write!(f, "; the agent was lost: {why}"))?;
        self.judged.iter().flat_map(|judged| &judged.notes).try_for_each(|note| write!(f, "\n  {note}"))
    }
}

/// Where a finding was kept, and whether it is new.
pub type Kept = (PathBuf, bool);

/// A target's thread, and the end of its queue.
struct Running {
    queue: Sender<Arc<Entry>>,
    thread: JoinHandle<(Lane, Compared)>,
    target: Target,
}

/// See the module. Agents live from one fuzz target to the next.
pub struct Cross {
    lanes: Vec<Lane>,
    skipped: Vec<(Target, Missing)>,
    running: Vec<Running>,
    feed: Option<Feed>,
    /// Files that were fed, with their lengths: one that was being written is fed again.
    fed: BTreeMap<PathBuf, u64>,
    found: Option<Receiver<Result<Kept>>>,
    until: Arc<OnceLock<Instant>>,
}

impl Cross {
    /// Sets all targets up and builds their agents, as `check` does.
    ///
    /// # Errors
    /// No target can be set up, or the agent does not build.
    pub fn prepare(root: &Path) -> Result<Cross> {
        let (mut lanes, mut skipped) = (Vec::new(), Vec::new());
        for (target, ready) in setup::prepare(&Target::ALL, Options { allow_install: true, ..Options::default() }) {
            match ready {
                Ok(ready) => {
                    eprintln!("{target}: building the agent");
                    let agent = build::start(&ready, root)?.with_patience(PATIENCE);
                    lanes.push(Lane::new(target, ready.runner_text(), Box::new(agent)));
                }
                Err(missing) => {
                    eprintln!("{target} is skipped: {missing}\n  to do: {}", missing.remedy);
                    skipped.push((target, missing));
                }
            }
        }
        match skipped.first() {
            Some((_, missing)) if lanes.is_empty() => Err(missing.clone().into()),
            _ => Ok(Cross::of(lanes, skipped)),
        }
    }

    /// The same with a kernel tree's C: its subjects of all targets, or the one named.
    ///
    /// # Errors
    /// No target can be set up, or the tree cannot be made a subject.
    pub fn prepare_tree(root: &Path, path: &Path, subject: Option<&str>) -> Result<Cross> {
        let targets =
            subject.map_or_else(|| Ok(Target::ALL.to_vec()), |name| start::target_of(name).map(|at| vec![at]))?;
        let store = Store::find()?;
        let source = Source::open(path, &store)?;
        let session = Session::new(&store, 1);
        let (mut lanes, mut skipped) = (Vec::new(), Vec::new());
        for (target, ready) in setup::prepare(&targets, Options { allow_install: true, ..Options::default() }) {
            eprintln!("{target}: building the tree's subjects");
            match start::build(&source, start::recipe(target, subject)?, ready, &session, root) {
                Ok(built) => {
                    let tree = tree::Tree::start(&built, &source, path, subject)?;
                    lanes.push(Lane::of_tree(target, built.how, tree));
                }
                Err(Error::Missing(missing)) => {
                    eprintln!("{target} is skipped: {missing}\n  to do: {}", missing.remedy);
                    skipped.push((target, missing));
                }
                Err(error) => return Err(error),
            }
        }
        match skipped.first() {
            Some((_, missing)) if lanes.is_empty() => Err(missing.clone().into()),
            _ => Ok(Cross::of(lanes, skipped)),
        }
    }

    fn of(lanes: Vec<Lane>, skipped: Vec<(Target, Missing)>) -> Cross {
        let (running, fed) = (Vec::new(), BTreeMap::new());
        Cross { lanes, skipped, running, feed: None, fed, found: None, until: Arc::default() }
    }

    /// Starts a thread for each target, which waits for entries.
    pub fn begin(&mut self, feed: Feed) {
        let (tell, found) = mpsc::channel();
        (self.found, self.until) = (Some(found), Arc::default());
        self.fed.clear();
        for lane in self.lanes.drain(..) {
            let (queue, entries) = mpsc::channel();
            let (feed, tell, until, target) = (feed.clone(), tell.clone(), Arc::clone(&self.until), lane.target);
            let thread = std::thread::spawn(move || lane.run(&feed, &entries, &tell, &until));
            self.running.push(Running { queue, thread, target });
        }
        self.feed = Some(feed);
    }

    /// Queues what is new in the corpus, and yields what was found since the last look.
    ///
    /// # Errors
    /// A finding could not be kept; its report is in the message.
    pub fn look(&mut self) -> Result<Vec<Kept>> {
        let Some(feed) = &self.feed else { return Ok(Vec::new()) };
        let listed = feed.corpora.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let mut paths: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            // libFuzzer takes away what it has replaced: what is gone is nothing to compare.
            let Ok(length) = fs::metadata(&path).map(|metadata| metadata.len()) else { continue };
            if self.fed.get(&path) == Some(&length) {
                continue;
            }
            let Some(entry) = fs::read(&path).ok().and_then(|data| feed.entry(data)) else { continue };
            self.fed.insert(path, entry.data.len() as u64);
            let entry = Arc::new(entry);
            for running in &self.running {
                // A thread that is gone is told of at the end.
                let _ = running.queue.send(Arc::clone(&entry));
            }
        }
        self.found.iter().flat_map(Receiver::try_iter).collect()
    }

    /// Ends the run: what is queued is fed for a while, unless a signal came, and what is not compared then is counted.
    ///
    /// # Errors
    /// As [`Cross::look`].
    pub fn end(&mut self) -> Result<(Vec<Kept>, Vec<Compared>)> {
        let mut kept = self.look()?;
        let while_longer = if process::interrupted() { Duration::ZERO } else { AFTERWARDS };
        self.until.get_or_init(|| Instant::now() + while_longer);
        let mut compared: Vec<Compared> =
            self.skipped.iter().map(|(target, missing)| Compared::new(*target, Err(missing.clone()))).collect();
        let ending: Vec<_> = self.running.drain(..).map(|running| (running.target, running.thread)).collect();
        for (target, thread) in ending {
            let (lane, of) = thread.join().map_err(|_| Error::Broke {
                what: format!("the thread that compares with {target} panicked; what it said is above"),
                place: None,
                remedy: "this is a defect of lazymmu: report it with the text of the panic".to_owned(),
            })?;
            self.lanes.push(lane);
            compared.push(of);
        }
        compared.sort_by_key(|compared| compared.target);
        self.feed = None;
        for found in self.found.take().iter().flat_map(Receiver::try_iter) {
            kept.push(found?);
        }
        Ok((kept, compared))
    }
}

impl Compared {
    fn new(target: Target, how: Result<String, Missing>) -> Compared {
        Compared { target, how, entries: 0, runs: 0, differences: 0, left: 0, lost: None, judged: None }
    }

    /// What is wrong with it besides the differences: the agent was lost, or nothing was compared.
    #[must_use]
    pub fn wrong(&self) -> Option<String> {
        let target = self.target;
        let nothing = self.how.is_ok() && self.entries == 0;
        self.lost
            .as_ref()
            .map(|why| format!("cross {target}: {why}"))
            .or_else(|| nothing.then(|| format!("cross {target}: not one entry was compared")))
    }
}

#[cfg(test)]
mod tests;
