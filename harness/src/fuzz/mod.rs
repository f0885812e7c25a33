//! Fuzzing runs: libFuzzer processes on one target, watched until their time is up.
//!
//! | module | what |
//! | --- | --- |
//! | [`build`] | the binaries, by cargo-fuzz |
//! | [`job`] | one libFuzzer process |
//! | [`pulse`] | what its log says |
//! | [`counts`] | what the processes exercised |
//! | [`state`] | how far a run has come |
//! | [`again`] | one input again, as a person asks for it |
//! | [`found`] | a finding: confirmed, minimised, kept |
//! | [`cross`] | the corpus on all four targets |
//! | [`plot`] | a run as a picture |
//! | [`speed`] | executions per second, against a target that does nothing |
//!
//! What it is not: what is fuzzed is the engine's (`lazy_mmu_engine::fuzz`), mutation too. Called by `lazymmu fuzz`.

pub mod again;
pub mod build;
pub mod counts;
pub mod cross;
pub mod found;
pub mod job;
pub mod plot;
pub mod pulse;
pub mod speed;
pub mod state;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lazy_mmu_engine::fuzz::{Description, Input};
use lazy_mmu_engine::registry::SUBJECTS;

use crate::error::{Error, Result};
use crate::output;
use crate::process;
use cross::{Compared, Cross, Feed};
use found::Look;
use job::{Folders, Job};
use pulse::Pulse;
use state::State;

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long a process may take to end when its time is up.
const GRACE: Duration = Duration::from_secs(30);

/// How many times a target's processes may die before it is given up.
const DEATHS: usize = 20;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The target.
    pub target: &'static Description,
    /// Its binary.
    pub binary: PathBuf,
    /// The folder `fuzz` of the workspace.
    pub fuzz: PathBuf,
    /// For how long.
    pub time: Duration,
    /// How many processes.
    pub jobs: usize,
    /// The first one's seed.
    pub seed: u32,
    /// The only subject.
    pub subject: Option<&'static str>,
    /// Whether an interrupted run goes on.
    pub resume: bool,
    /// Where findings go.
    pub findings: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Counts and samples, those of the runs that this one goes on with included.
    pub state: State,
    /// What earlier runs had come to, if this one goes on with them.
    pub resumed: Option<State>,
    /// Folders of findings, and whether each is new.
    pub found: Vec<(PathBuf, bool)>,
    /// What the target must meet and did not.
    pub missing: Vec<&'static str>,
    /// The same of a run on one subject, whose backend may never meet them.
    pub not_met: Vec<&'static str>,
    /// Deaths that no input explained.
    pub died: Vec<String>,
    /// A signal ended it before its time.
    pub interrupted: bool,
    /// What was compared with each target.
    pub crossed: Vec<Compared>,
}

impl Ran {
    /// Nothing was found, nothing died, something was executed, and every kind that must be met was.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found.is_empty() && self.died.is_empty() && self.missing.is_empty() && self.executions() > 0
    }

    /// Executions, those of the runs that this one goes on with included.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.state.executions()
    }
}

impl Plan {
    /// The run's own folder: what is subject to `--subject` is a run of its own.
    fn folder(&self) -> PathBuf {
        let of = self.subject.map(|name| format!("-{}", name.replace(['/', '@'], "-"))).unwrap_or_default();
        self.fuzz.join("runs").join(format!("{}{of}", self.target.name))
    }

    fn folders(&self) -> Result<Folders> {
        let own = self.folder();
        let corpus = self.fuzz.join("corpus").join(self.target.name);
        let folders = Folders {
            // A bent subject's inputs are of no use to others.
            corpus: if self.subject.is_some() { own.join("corpus") } else { corpus.clone() },
            seeds: if self.subject.is_some() && corpus.is_dir() { vec![corpus] } else { Vec::new() },
            artifacts: self.fuzz.join("artifacts").join(self.target.name),
            raw: own.join("raw"),
            logs: own.clone(),
            dictionary: dictionary(self.target.input).map(|name| self.fuzz.join("dictionaries").join(name)),
        };
        for folder in [&folders.corpus, &folders.artifacts, &folders.raw, &folders.logs, &self.findings] {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
            let probe = folder.join(format!(".{}.tmp", std::process::id()));
            fs::write(&probe, b"x").map_err(Error::io("write into the folder", folder))?;
            fs::remove_file(&probe).map_err(Error::io("remove", &probe))?;
        }
        check_corpus(&folders.corpus)?;
        Ok(Folders { dictionary: folders.dictionary.filter(|path| path.is_file()), ..folders })
    }
}

/// The dictionary that fits an input.
fn dictionary(input: Input) -> Option<&'static str> {
    match input {
        Input::Program(_) => Some("program.dict"),
        Input::Text => Some("text.dict"),
        Input::Trace => Some("trace.dict"),
        Input::Frames => None,
    }
}

/// Every input must be readable: libFuzzer would end without a word. Whatever its bytes are, they are an input.
fn check_corpus(corpus: &Path) -> Result<()> {
    for entry in fs::read_dir(corpus).map_err(Error::io("read the corpus", corpus))?.flatten() {
        let path = entry.path();
        if !path.is_file() {
            return Err(Error::Input {
                what: "the corpus holds what is no file".to_owned(),
                place: path.display().to_string(),
                remedy: "remove it; every file in a corpus is one input".to_owned(),
            });
        }
        fs::File::open(&path).map_err(Error::io("read an input of the corpus", &path))?;
    }
    Ok(())
}

/// Runs the plan to its end, and the corpus on the targets of `cross` meanwhile.
///
/// # Errors
/// A folder cannot be written, or the processes cannot be started. What was found before is kept.
pub fn run(plan: &Plan, mut cross: Option<&mut Cross>) -> Result<Ran> {
    let folders = plan.folders()?;
    let file = plan.folder().join("state");
    let before = if plan.resume { State::load(&file) } else { None };
    if before.is_none() {
        // What is there is of another run: one that is interrupted at once must not be resumed as that.
        output::remove(&file)?;
    }
    if let Some(cross) = &mut cross {
        let only = plan.subject.and_then(|name| SUBJECTS.iter().position(|subject| subject.name == name));
        let corpora = folders.seeds.iter().chain([&folders.corpus]).cloned().collect();
        cross.begin(Feed { target: plan.target, only, corpora, findings: plan.findings.clone() });
    }
    let mut watch = Watch::new(plan, folders, before, cross);
    watch.collect()?;
    let left = plan.time.saturating_sub(watch.ran.state.elapsed());
    if left < Duration::from_secs(1) {
        eprintln!("{}: its time was used up before; nothing is run again", plan.target.name);
    } else {
        watch.go(left, &file)?;
    }
    watch.uncross()?;
    let missing = watch.ran.state.counts.missing(plan.target);
    // What one backend never does is no lack of its run.
    if plan.subject.is_some() {
        watch.ran.not_met = missing
    } else {
        watch.ran.missing = missing
    }
    Ok(watch.ran)
}

/// A run that is going on.
struct Watch<'p> {
    plan: &'p Plan,
    folders: Folders,
    before: State,
    /// What processes that died had counted, and how many executions.
    ended: State,
    jobs: Vec<Job>,
    started: usize,
    seen: BTreeSet<PathBuf>,
    /// Before that, what there is to look at was put down by an earlier run's processes.
    has_begun: bool,
    ran: Ran,
    bar: ProgressBar,
    cross: Option<&'p mut Cross>,
}

impl<'p> Watch<'p> {
    fn new(plan: &'p Plan, folders: Folders, resumed: Option<State>, cross: Option<&'p mut Cross>) -> Watch<'p> {
        let before = resumed.clone().unwrap_or_default();
        let bar = ProgressBar::new(plan.time.as_secs());
        let style = ProgressStyle::with_template("{prefix:14} [{bar:30}] {pos}/{len} s  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.set_prefix(plan.target.name);
        let ran = Ran { state: before.clone(), resumed, ..Ran::default() };
        Watch {
            plan,
            folders,
            before,
            ended: State::default(),
            jobs: Vec::new(),
            started: 0,
            seen: BTreeSet::new(),
            has_begun: false,
            ran,
            bar,
            cross,
        }
    }

    fn go(&mut self, left: Duration, file: &Path) -> Result<()> {
        let begin = Instant::now();
        self.has_begun = true;
        for _ in 0..self.plan.jobs {
            self.start(left)?;
        }
        let mut sampled = begin;
        let mut said = begin;
        while !self.jobs.is_empty() {
            thread::sleep(LOOK);
            self.reap(left.saturating_sub(begin.elapsed()))?;
            if begin.elapsed() > left + GRACE || process::interrupted() {
                self.jobs.iter_mut().for_each(Job::kill);
                self.ran.interrupted = process::interrupted();
            }
            if sampled.elapsed() >= Duration::from_secs(1) || self.jobs.is_empty() {
                sampled = Instant::now();
                self.sample(begin.elapsed());
                self.ran.state.save(file)?;
                self.collect()?;
                self.look_across()?;
            }
            if self.bar.is_hidden() && said.elapsed() >= Duration::from_secs(10) {
                said = Instant::now();
                eprintln!("{}: {} s, {}", self.plan.target.name, begin.elapsed().as_secs(), self.message());
            }
        }
        self.bar.finish_and_clear();
        self.collect()
    }

    fn start(&mut self, time: Duration) -> Result<()> {
        let number = self.started;
        self.started += 1;
        let seed = self.plan.seed.wrapping_add(number as u32);
        self.jobs.push(Job::start(self.plan, &self.folders, number, seed, time)?);
        Ok(())
    }

    /// Takes out the processes that have ended; one that died is followed by another while there is time.
    fn reap(&mut self, left: Duration) -> Result<()> {
        let (done, running): (Vec<_>, Vec<_>) =
            self.jobs.drain(..).map(|mut job| (job.poll(), job)).partition(|(ended, _)| *ended);
        self.jobs = running.into_iter().map(|(_, job)| job).collect();
        for (_, job) in done {
            self.ended.counts.add(&job.counts());
            let mut sum = self.ended.samples.pop().unwrap_or_default();
            sum.pulse.executions += job.pulse.executions;
            sum.pulse.coverage = sum.pulse.coverage.max(job.pulse.coverage);
            sum.pulse.features = sum.pulse.features.max(job.pulse.features);
            sum.pulse.corpus = sum.pulse.corpus.max(job.pulse.corpus);
            self.ended.samples.push(sum);
            if process::interrupted() {
                continue;
            }
            let Some(death) = job.death() else { continue };
            self.crashed(&death)?;
            if left > Duration::from_secs(1) && self.started < self.plan.jobs + DEATHS {
                self.start(left)?;
            }
        }
        Ok(())
    }

    /// A process died: its input is a finding, unless the input alone does nothing.
    fn crashed(&mut self, death: &pulse::Death) -> Result<()> {
        let data = death.artifact.as_deref().and_then(|path| fs::read(path).ok());
        let Some(data) = data else {
            self.ran.died.push(death.what.clone());
            return Ok(());
        };
        let small = match found::look(self.plan.target, self.plan.subject, &data)? {
            // Found again by itself: it goes the way of the others.
            Look::Something(..) => return self.examine(Path::new(death.artifact.as_deref().unwrap_or_default())),
            Look::Panic(_, small) => small,
            Look::Nothing => data.clone(),
        };
        let place: String =
            death.what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
        let what = lazy_mmu_engine::fuzz::Found {
            slug: format!("{}-{}", self.plan.target.name, place.trim_matches('-')),
            what: format!("the target's process died: {}", death.what),
            subject: None,
            signature: None,
        };
        let program = self.plan.target.input.split(&small).map(|(_, program)| program);
        let kept = found::keep(&self.plan.findings, self.plan.target, &data, &what, &small, program.as_ref())?;
        self.say(&kept);
        self.ran.found.push(kept);
        Ok(())
    }

    /// Everything that the target has put down since the last look.
    fn collect(&mut self) -> Result<()> {
        let entries = fs::read_dir(&self.folders.raw).map_err(Error::io("read", &self.folders.raw))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
        paths.sort();
        for path in paths {
            if self.seen.insert(path.clone()) {
                self.examine(&path)?;
            }
        }
        Ok(())
    }

    fn examine(&mut self, path: &Path) -> Result<()> {
        let data = fs::read(path).map_err(Error::io("read what was found", path))?;
        match found::look(self.plan.target, self.plan.subject, &data)? {
            Look::Something(small, program, found) => {
                let kept = found::keep(&self.plan.findings, self.plan.target, &data, &found, &small, program.as_ref())?;
                self.say(&kept);
                self.ran.found.push(kept);
            }
            Look::Panic(said, _) => self.ran.died.push(format!("{}: panics: {said}", path.display())),
            // A build that finds nothing in it any more is no fault of this run.
            Look::Nothing if !self.has_begun => output::remove(path)?,
            Look::Nothing => self.ran.died.push(format!("{}: found by the target, and not again here", path.display())),
        }
        Ok(())
    }

    /// Feeds the targets what is new, and hears what they found.
    fn look_across(&mut self) -> Result<()> {
        let found = self.cross.as_mut().map_or_else(|| Ok(Vec::new()), |cross| cross.look())?;
        found.iter().for_each(|kept| self.say(kept));
        self.ran.found.extend(found);
        Ok(())
    }

    /// Waits for the targets, and says what they compared.
    fn uncross(&mut self) -> Result<()> {
        let Some(cross) = self.cross.take() else { return Ok(()) };
        let (found, crossed) = cross.end()?;
        found.iter().for_each(|kept| self.say(kept));
        self.ran.found.extend(found);
        self.ran.died.extend(crossed.iter().filter_map(Compared::wrong));
        self.ran.crossed = crossed;
        Ok(())
    }

    fn say(&self, (folder, new): &(PathBuf, bool)) {
        let text = if *new { "a new finding" } else { "a finding that is known by its folder" };
        let target = self.plan.target.name;
        self.bar.suspend(|| eprintln!("{target}: {text}: {}", folder.display()));
    }

    /// Adds up what all processes did.
    fn sample(&mut self, since: Duration) {
        let mut counts = self.before.counts.clone();
        counts.add(&self.ended.counts);
        let mut sum = self.before.samples.last().copied().unwrap_or_default();
        let ended = self.ended.samples.last().copied().unwrap_or_default().pulse;
        let mut executions = sum.pulse.executions;
        for (pulse, own) in self.jobs.iter().map(|job| (job.pulse, job.counts())).chain([(ended, Default::default())]) {
            let own_executions = own.of("executions").max(pulse.executions);
            executions += own_executions;
            counts.add(&own);
            sum.pulse.coverage = sum.pulse.coverage.max(pulse.coverage);
            sum.pulse.features = sum.pulse.features.max(pulse.features);
            sum.pulse.corpus = sum.pulse.corpus.max(pulse.corpus);
        }
        sum.pulse.executions = executions;
        sum.at = (self.before.elapsed() + since).as_millis() as u64;
        self.ran.state.counts = counts;
        self.ran.state.samples.push(sum);
        self.bar.set_position(since.as_secs());
        self.bar.set_message(self.message());
    }

    fn message(&self) -> String {
        let Pulse { executions, coverage, features, corpus } =
            self.ran.state.samples.last().copied().unwrap_or_default().pulse;
        let found = self.ran.found.len();
        format!("{executions} executions, {coverage} covered, {features} features, {corpus} inputs, {found} findings")
    }
}

#[cfg(test)]
mod tests;
