//! What every target must come to: everything run natively in this process, and held against what is reviewed.
//!
//! The host's run is no authority by itself: its generic events, verdicts and tables are compared with the snapshots
//! first. Called by `lazymmu check`, before any target is asked.

use std::path::{Path, PathBuf};

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::exercise::Exercised;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::{CUT, Generated, MISUSED, Runner, broken_text};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::subject::registry::{GenerationName, SUBJECTS};
use lazy_mmu_engine::table;
use lazy_mmu_engine::wire::Summary;
use lazy_mmu_engine::workload;
use lazy_mmu_snapshots::{PROGRAMS, known, render};

use super::known::Shown;
use super::{Failure, Profile, silent};
use crate::trace_file;

/// A program that the host has run, ready for the wire.
#[derive(Debug)]
pub struct Known {
    /// What `cargo lazymmu` is told to run it: `run family/name`, `workload name --len 193`.
    pub command: String,
    /// Itself.
    pub program: Program,
    /// As bytes.
    pub bytes: Vec<u8>,
    /// What each subject makes of it, by place in the registry.
    pub summaries: Vec<Summary>,
    /// Whether it takes long, so that a target runs it on its own architecture's subjects of 7.2 alone.
    pub is_long: bool,
}

impl Known {
    /// Its name: the command without its first word.
    #[must_use]
    pub fn name(&self) -> &str {
        self.command.split_once(' ').map_or(&self.command, |(_, name)| name)
    }
}

/// What targets are compared with.
#[derive(Debug)]
pub struct Expected {
    /// The collection.
    pub programs: Vec<Known>,
    /// The kernel's call sites, under each of their variants.
    pub workloads: Vec<Known>,
    /// The generated batches and what each subject makes of them.
    pub generated: Vec<(Generated, Vec<Summary>)>,
    /// The tables, as the agent renders them.
    pub tables: String,
    /// The traces: path, and the summary's text.
    pub traces: Vec<(PathBuf, String)>,
    /// What the host's own runs met.
    pub exercised: Exercised,
    /// The known findings, and how many runs of the collection show each.
    pub known: Shown,
    /// Where the host's own runs are not as reviewed.
    pub failures: Vec<Failure>,
}

impl Expected {
    /// Runs everything.
    #[must_use]
    pub fn compute(root: &Path, profile: Profile, seed: u64) -> Expected {
        let mut expected = Expected {
            programs: Vec::new(),
            workloads: Vec::new(),
            generated: Vec::new(),
            tables: GenerationName::ALL.map(table::render).join("\n"),
            traces: Vec::new(),
            exercised: Exercised::default(),
            known: Shown::default(),
            failures: Vec::new(),
        };
        let mut runner = Runner::new();
        expected.collection(&mut runner);
        expected.workloads(&mut runner);
        expected.compare_tables();
        expected.compare_digests(&mut runner);
        for batch in profile.generated(seed) {
            expected.generate(&mut runner, batch);
        }
        expected.replay(root);
        expected
    }

    fn collection(&mut self, runner: &mut Runner) {
        for entry in PROGRAMS {
            let program = match parse(entry.text) {
                Ok(program) => program,
                Err(error) => {
                    self.fail(format!("snapshots/programs/{}.lmm:{error}", entry.name), String::new(), None);
                    continue;
                }
            };
            let now = render::program(runner, &program);
            if entry.reviewed_body().map(str::trim_end) != Some(now.trim_end()) {
                let detail = difference(entry.reviewed_body().unwrap_or("(no snapshot)\n"), &now);
                let review = "INSTA_UPDATE=new cargo test -p lazy-mmu-snapshots; cargo insta review";
                self.fail(format!("{} is not as reviewed", entry.name), detail, Some(review.to_owned()));
            }
            for subject in 0..SUBJECTS.len() {
                self.exercised.add(runner.run(subject, Port::Model, &program).0);
            }
            let known = known(runner, format!("run {}", entry.name), program, false);
            self.known.add(&known.summaries);
            self.programs.push(known);
        }
        for finding in self.known.missing() {
            let what = format!("the finding {} is shown by no program of the collection any more", finding.name);
            self.failures.push(Failure::plain(what));
        }
    }

    /// Call sites are legal: on 7.2 they hold but for the findings that the table names.
    fn workloads(&mut self, runner: &mut Runner) {
        for workload in workload::all() {
            for parameters in workload.variants() {
                let command = format!("workload {}{parameters}", workload.name);
                let program = match workload.program(&parameters) {
                    Ok(program) => program,
                    Err(bad) => {
                        self.fail(format!("{command}: {bad}"), String::new(), None);
                        continue;
                    }
                };
                let known = known(runner, command, program, parameters.len() > workload::DEFAULT_LEN);
                for (subject, summary) in SUBJECTS.iter().zip(&known.summaries) {
                    let unexpected = summary.broken & !known::excused(workload.name, subject.name);
                    if subject.is_current() && unexpected != 0 {
                        let what = format!("{} {} on {}", known.name(), broken_text(summary.broken), subject.name);
                        let again = format!("cargo lazymmu {} --subject {}", known.command, subject.name);
                        self.fail(what, String::new(), Some(again));
                    }
                }
                self.workloads.push(known);
            }
        }
    }

    fn compare_tables(&mut self) {
        for generation in GenerationName::ALL {
            let reviewed = lazy_mmu_snapshots::table(generation.name()).unwrap_or("(no snapshot)\n");
            let now = table::render(generation);
            if reviewed.trim_end() != now.trim_end() {
                let what = format!("the transition table of {} is not as reviewed", generation.name());
                self.fail(what, difference(reviewed, &now), None);
            }
        }
    }

    fn compare_digests(&mut self, runner: &mut Runner) {
        let reviewed = lazy_mmu_snapshots::generated_digests().unwrap_or("(no snapshot)\n");
        let now = lazy_mmu_snapshots::generated::render(runner);
        if reviewed.trim_end() != now.trim_end() {
            let what = "generated programs do something else than they did (snapshots/src/generated.rs says how to find \
                        out what)";
            self.fail(what.to_owned(), difference(reviewed, &now), None);
        }
    }

    /// Legal programs must break nothing that no finding explains, on a backend of 7.2 nothing at all but by new tasks under
    /// Xen; on any program the model must agree.
    fn generate(&mut self, runner: &mut Runner, batch: Generated) {
        let mut summaries = Vec::with_capacity(SUBJECTS.len());
        for (subject, descriptor) in SUBJECTS.iter().enumerate() {
            let bad = |program: &Program, broken: u32| match (descriptor.is_current(), batch.legal) {
                (_, true) => known::left_of_legal(descriptor, program, broken),
                (true, false) => broken & 1 << Invariant::Model as u32,
                (false, false) => 0,
            };
            let mut first = None;
            summaries.push(runner.each_generated(subject, Port::Model, batch, |seed, broken| {
                if first.is_none() && broken & !(MISUSED | CUT) != 0 && bad(&batch.program(seed), broken) != 0 {
                    first = Some(seed);
                }
            }));
            if let Some(seed) = first {
                self.failures.push(silent::failure(runner, subject, (seed, &batch.program(seed)), bad));
            }
        }
        for seed in batch.seeds() {
            for subject in ["counted/x86_64-xen", "counted/sparc64"] {
                if let Some(at) = SUBJECTS.iter().position(|known| known.name == subject) {
                    self.exercised.add(runner.run(at, Port::Model, &batch.program(seed)).0);
                }
            }
        }
        self.generated.push((batch, summaries));
    }

    fn replay(&mut self, root: &Path) {
        let folder = root.join("harness/traces");
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "xz")).collect();
        paths.sort();
        if paths.is_empty() {
            self.fail(format!("{} holds no trace", folder.display()), String::new(), None);
        }
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match trace_file::replay(&path, &name) {
                Ok(summary) => self.traces.push((path, summary.to_string())),
                Err(error) => {
                    let again = format!("cargo lazymmu replay {}", path.display());
                    self.fail(format!("{name} is rejected"), error.to_string(), Some(again));
                }
            }
        }
    }

    fn fail(&mut self, what: String, detail: String, replay: Option<String>) {
        self.failures.push(Failure { what, detail, replay, program: None });
    }
}

/// What every subject makes of a program here.
fn known(runner: &mut Runner, command: String, program: Program, is_long: bool) -> Known {
    let summaries = (0..SUBJECTS.len()).map(|subject| runner.summary(subject, Port::Model, &program)).collect();
    Known { command, bytes: encode(&program), program, summaries, is_long }
}

/// The first lines that differ, with one line before.
#[must_use]
pub fn difference(expected: &str, found: &str) -> String {
    let (mut a, mut b) = (expected.lines(), found.lines());
    let mut before = "";
    for number in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (Some(same), Some(other)) if same == other => before = same,
            (expected, found) => {
                let end = "(the end)";
                let (expected, found) = (expected.unwrap_or(end), found.unwrap_or(end));
                return format!("line {number}, after   {before}\n  expected  {expected}\n  found     {found}");
            }
        }
    }
    "no line differs".to_owned()
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\n"), "line 2, after   a\n  expected  b\n  found     x");
        assert_eq!(difference("a\n", "a\nb\n"), "line 2, after   a\n  expected  (the end)\n  found     b");
    }
}
