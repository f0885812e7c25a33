//! What every target must come to: everything run natively in this process, and held against what is reviewed.
//!
//! The host's run is no authority by itself: its generic events, verdicts and tables are compared with the snapshots
//! first. Called by `lazymmu check`, before any target is asked.

use std::path::{Path, PathBuf};
use std::time::Instant;

use lazy_mmu_engine::exercise::{Exercised, KINDS};
use lazy_mmu_engine::machine::Machine;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::registry::{GenerationName, SUBJECTS};
use lazy_mmu_engine::replay::Outcome;
use lazy_mmu_engine::runner::{CUT, Generated, MISUSED, Runner, summarise};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::table;
use lazy_mmu_engine::wire::Summary;
use lazy_mmu_engine::workload;
use lazy_mmu_snapshots::{PROGRAMS, known};

use super::cause::Cause;
use super::difference::difference;
use super::known::Shown;
use super::{Case, Cell, Failure, Profile, Suite, blame, family, guards, reviewed, silent};
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

/// What the host's runs are held against, a suite each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSuite {
    /// The collection's timelines against their snapshots, by family.
    Programs,
    /// The call sites on the backends of 7.2, which hold.
    Workloads,
    /// The transition tables against theirs.
    Tables,
    /// Generated programs: their digests, and what breaks on legal ones.
    Generated,
    /// The recorded traces, which no kernel's rules refuse.
    Traces,
    /// The known findings, each of which the collection shows.
    Findings,
    /// What a check must have met to prove anything.
    Exercised,
    /// The differences that the machine must make, for a verdict to be believed.
    Machine,
}

impl HostSuite {
    /// All, in the order of reports.
    pub const ALL: [HostSuite; 8] = [
        HostSuite::Programs,
        HostSuite::Workloads,
        HostSuite::Tables,
        HostSuite::Generated,
        HostSuite::Traces,
        HostSuite::Findings,
        HostSuite::Exercised,
        HostSuite::Machine,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            HostSuite::Programs => "programs",
            HostSuite::Workloads => "workloads",
            HostSuite::Tables => "tables",
            HostSuite::Generated => "generated",
            HostSuite::Traces => "traces",
            HostSuite::Findings => "findings",
            HostSuite::Exercised => "exercised",
            HostSuite::Machine => "machine",
        }
    }
}

/// What targets are compared with.
#[derive(Debug, Default)]
pub struct Expected {
    /// The collection.
    pub programs: Vec<Known>,
    /// The kernel's call sites, under each of their variants.
    pub workloads: Vec<Known>,
    /// The generated batches and what each subject makes of them.
    pub generated: Vec<(Generated, Vec<Summary>)>,
    /// The tables, as the agent renders them.
    pub tables: String,
    /// The traces: path, and the summary's text or the rejection's.
    pub traces: Vec<(PathBuf, Result<String, String>)>,
    /// The causes that a program was shown for.
    pub shown: reviewed::Shown,
    /// What the host's own runs met.
    pub exercised: Exercised,
    /// The known findings, and how many runs of the collection show each.
    pub known: Shown,
    /// How the host's own runs compare with what is reviewed, in the order of [`HostSuite::ALL`].
    pub host: [Cell; HostSuite::ALL.len()],
    /// What there is to say of each of them besides.
    pub said: [String; HostSuite::ALL.len()],
}

impl Expected {
    /// Runs everything.
    #[must_use]
    pub fn compute(root: &Path, profile: Profile, seed: u64) -> Expected {
        let mut expected =
            Expected { tables: GenerationName::ALL.map(table::render).join("\n"), ..Expected::default() };
        let mut runner = Runner::new();
        expected.timed(HostSuite::Machine, Expected::guards);
        expected.timed(HostSuite::Programs, |expected| expected.collection(&mut runner));
        expected.timed(HostSuite::Workloads, |expected| expected.workloads(&mut runner));
        expected.timed(HostSuite::Tables, Expected::compare_tables);
        expected.timed(HostSuite::Generated, |expected| {
            expected.compare_digests(&mut runner);
            profile.generated(seed).into_iter().for_each(|batch| expected.generate(&mut runner, batch));
        });
        expected.timed(HostSuite::Traces, |expected| expected.replay(root));
        expected.findings();
        expected.exercise();
        expected
    }

    /// What the host did, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        // What was met and what was found is no review.
        let reviewed = self.host.iter().take(HostSuite::Findings as usize + 1).flat_map(|cell| &cell.cases);
        let as_reviewed = if reviewed.into_iter().all(Case::holds) { "as reviewed" } else { "NOT all as reviewed" };
        let (programs, workloads, traces) = (self.programs.len(), self.workloads.len(), self.traces.len());
        format!(
            "host: {programs} programs, {workloads} workloads, 5 transition tables and {traces} traces, {as_reviewed}"
        )
    }

    /// All cases of the host.
    pub fn cases_mut(&mut self) -> impl Iterator<Item = &mut Case> {
        self.host.iter_mut().flat_map(|cell| &mut cell.cases)
    }

    fn case(&mut self, suite: HostSuite, name: &str) -> &mut Case {
        self.host[suite as usize].case(name)
    }

    fn timed(&mut self, suite: HostSuite, run: impl FnOnce(&mut Expected)) {
        let begin = Instant::now();
        run(self);
        self.host[suite as usize].took = begin.elapsed();
    }

    fn guards(&mut self) {
        let cell = guards::check(Machine::new());
        self.said[HostSuite::Machine as usize] = guards::summary(&cell);
        self.host[HostSuite::Machine as usize] = cell;
    }

    /// A finding whose program breaks nothing visible is shown by no run, and says so.
    fn findings(&mut self) {
        self.said[HostSuite::Findings as usize] = self.known.render();
        let counts: Vec<_> = self.known.counts().map(|(finding, runs)| (finding.name, runs as u64)).collect();
        let missing: Vec<_> = self.known.missing().map(|finding| finding.name).collect();
        for (name, runs) in counts {
            let case = self.case(HostSuite::Findings, name);
            case.count = runs;
            if missing.contains(&name) {
                let what = format!("the finding {name} is shown by no program of the collection any more");
                case.fail(Failure::plain(what));
            }
        }
    }

    /// A kind of event that was never met fails: nothing is proved about it.
    pub(super) fn exercise(&mut self) {
        let counts = KINDS.iter().zip(self.exercised.counts).map(|(kind, count)| format!("{count} {kind}"));
        let counts = format!("exercised: {}", counts.collect::<Vec<_>>().join(", "));
        self.said[HostSuite::Exercised as usize] = counts;
        for (kind, count) in KINDS.iter().zip(self.exercised.counts) {
            let case = self.case(HostSuite::Exercised, kind);
            case.count = count;
            if count == 0 {
                let what = format!("the check met no {kind}: it proves nothing about them");
                let cause = Cause::Other("the check met nothing of a kind".to_owned());
                case.fail(Failure { cause, ..Failure::plain(what) });
            }
        }
    }

    fn collection(&mut self, runner: &mut Runner) {
        for entry in PROGRAMS {
            let is_kunit = entry.name.starts_with("kunit/");
            let case = self.host[HostSuite::Programs as usize].case(family(entry.name));
            case.column = Some(if is_kunit { Suite::Kunit } else { Suite::Programs });
            let program = match parse(entry.text) {
                Ok(program) => program,
                Err(error) => {
                    let what = format!("snapshots/programs/{}.lmm:{error}", entry.name);
                    case.fail(Failure::plain(what));
                    continue;
                }
            };
            case.count += SUBJECTS.len() as u64;
            reviewed::compare(runner, entry, &program, &mut self.shown, case);
            let known = known(runner, format!("run {}", entry.name), program, false, case);
            for subject in 0..SUBJECTS.len() {
                self.exercised.add(runner.run(subject, Port::Model, &known.program).0);
            }
            self.known.add(runner, &known.program, &known.summaries);
            self.programs.push(known);
        }
    }

    /// Call sites are legal: on 7.2 they hold but for the findings that the table names, and nothing in them is refused.
    fn workloads(&mut self, runner: &mut Runner) {
        for workload in workload::all() {
            for parameters in workload.variants() {
                let command = format!("workload {}{parameters}", workload.name);
                let case = self.host[HostSuite::Workloads as usize].case(workload.name);
                case.column = Some(Suite::Workloads);
                case.count += SUBJECTS.iter().filter(|subject| subject.is_current()).count() as u64;
                let program = match workload.program(&parameters) {
                    Ok(program) => program,
                    Err(bad) => {
                        case.fail(Failure::plain(format!("{command}: {bad}")));
                        continue;
                    }
                };
                let known = known(runner, command, program, parameters.len() > workload::DEFAULT_LEN, case);
                for (at, subject) in SUBJECTS.iter().enumerate().filter(|(_, subject)| subject.is_current()) {
                    let is_there = workload.mmus.is_empty() || workload.mmus.contains(&subject.rules().mmu);
                    judge_workload(runner, &known, (at, is_there), &mut self.shown, case);
                }
                self.workloads.push(known);
            }
        }
    }

    fn compare_tables(&mut self) {
        for generation in GenerationName::ALL {
            let reviewed = lazy_mmu_snapshots::table(generation.name()).unwrap_or("(no snapshot)\n");
            let now = table::render(generation);
            let case = self.case(HostSuite::Tables, generation.name());
            case.column = Some(Suite::Tables);
            case.count = now.lines().count() as u64;
            if reviewed.trim_end() != now.trim_end() {
                let what = format!("the transition table of {} is not as reviewed", generation.name());
                let detail = difference(reviewed, &now);
                case.fail(Failure { detail, cause: Cause::Review, ..Failure::plain(what) });
            }
        }
    }

    fn compare_digests(&mut self, runner: &mut Runner) {
        let reviewed = lazy_mmu_snapshots::generated_digests().unwrap_or("(no snapshot)\n");
        let now = lazy_mmu_snapshots::generated::render(runner);
        let case = self.case(HostSuite::Generated, "digests");
        case.column = Some(Suite::Generated);
        case.count = now.lines().count() as u64;
        if reviewed.trim_end() != now.trim_end() {
            let what = "generated programs do something else than they did (snapshots/src/generated.rs says how to find \
                        out what)";
            let detail = difference(reviewed, &now);
            case.fail(Failure { detail, cause: Cause::Review, ..Failure::plain(what.to_owned()) });
        }
    }

    /// Legal programs must break nothing that no finding explains; other programs nothing that is the subject's own fault.
    /// A program that broke something is run once more and judged, violation by violation.
    fn generate(&mut self, runner: &mut Runner, batch: Generated) {
        let mut summaries = Vec::with_capacity(SUBJECTS.len());
        for (subject, descriptor) in SUBJECTS.iter().enumerate() {
            let bad = |runner: &mut Runner, program: &Program| {
                let left = if batch.legal { known::left } else { known::left_of_any };
                left(runner, subject, program)
            };
            let mut broke = Vec::new();
            summaries.push(runner.each_generated(subject, Port::Model, batch, |seed, broken| {
                if broken & !(MISUSED | CUT) != 0 {
                    broke.push(seed);
                }
            }));
            let first = broke.into_iter().find(|&seed| bad(runner, &batch.program(seed)) != 0);
            let case = self.case(HostSuite::Generated, descriptor.name);
            case.column = Some(Suite::Generated);
            case.count += u64::from(batch.count);
            if let Some(seed) = first {
                case.fail(silent::failure(runner, subject, (seed, &batch.program(seed)), bad));
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
            let what = format!("{} holds no trace", folder.display());
            self.case(HostSuite::Traces, "none").fail(Failure::plain(what));
        }
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let case = self.case(HostSuite::Traces, &name);
            case.column = Some(Suite::Traces);
            case.count += 1;
            let replay = Some(format!("cargo lazymmu replay {}", path.display()));
            let replayed = trace_file::replay(&path, &name);
            let wrong = match &replayed {
                Ok(summary) if summary.outcome() == Outcome::Holds => None,
                Ok(summary) => Some((format!("{name}: {}", summary.in_short()), summary.to_string())),
                Err(error) => Some((format!("{name} is rejected"), error.to_string())),
            };
            if let Some((what, detail)) = wrong {
                case.fail(Failure { detail, replay, ..Failure::plain(what) });
            }
            let replayed = replayed.map(|summary| summary.to_string()).map_err(|error| error.to_string());
            self.traces.push((path, replayed));
        }
    }
}

/// What every subject makes of a program here; the case counts the answers.
fn known(runner: &mut Runner, command: String, program: Program, is_long: bool, case: &mut Case) -> Known {
    let mut summary = |subject| {
        let (events, verdict) = runner.run(subject, Port::Model, &program);
        case.answered(verdict.answer());
        summarise(events, &verdict)
    };
    let summaries = (0..SUBJECTS.len()).map(&mut summary).collect();
    Known { command, bytes: encode(&program), program, summaries, is_long }
}

/// A call site on a subject of 7.2: what breaks there and no known finding explains, and what was not done of it.
fn judge_workload(
    runner: &mut Runner,
    known: &Known,
    (at, is_there): (usize, bool),
    shown: &mut reviewed::Shown,
    case: &mut Case,
) {
    let name = SUBJECTS[at].name;
    let found = known::judged(runner, at, &known.program);
    let wrong: Vec<_> = found.iter().filter(|(_, finding)| finding.is_none()).map(|(violation, _)| violation).collect();
    let (events, verdict) = runner.run(at, Port::Model, &known.program);
    let again = || Some(format!("cargo lazymmu {} --subject {name}", known.command));
    if let Some(cause) = blame::cause(&known.program, events, &wrong) {
        if shown.insert((cause.clone(), true)) {
            case.fail(blame::failure(runner, at, &cause, &known.program, &known.command));
        } else {
            case.also(cause, Some(name), 1);
        }
    } else if let Some(misuse) = verdict.first_misuse() {
        let what = format!("{} on {name} misuses the API: it {}", known.name(), misuse.how.text());
        let cause = Cause::Other("a call site misuses the API".to_owned());
        case.fail(Failure { replay: again(), subject: Some(name), cause, ..Failure::plain(what) });
    } else if is_there && (verdict.refused.is_some() || verdict.stopped.is_some()) {
        let parts: Vec<_> = verdict.parts().map(|part| format!("operation {}: {}", part.op, part.text())).collect();
        let what = format!("{} on {name} is judged in part: {}", known.name(), parts.join("; "));
        let cause = Cause::Other("a call site is judged in part".to_owned());
        case.fail(Failure { replay: again(), subject: Some(name), cause, ..Failure::plain(what) });
    }
}
