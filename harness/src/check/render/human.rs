//! The report for people: what failed, the smallest program first; then the matrix, how each target ran, and, where nothing
//! failed, the known findings.
//!
//! What it is not: nothing appears before the end; what goes on meanwhile is on standard error. `failures` words what failed.

mod failures;

use std::fmt::Write as _;

use lazy_mmu_arches::insn::Isa;

use super::Sink;
use crate::check::cause::Causes;
use crate::check::event::{Event, Kind, Renderer};
use crate::check::{Case, Failure, Suite};
use crate::error::Result;
use crate::setup::Missing;
use crate::table;
use crate::target::Target;

/// The report.
#[derive(Debug)]
pub struct Human {
    sink: Sink,
    /// What was closed at the top.
    top: Vec<Part>,
    open: Vec<Group>,
    heading: String,
    /// Prints everything that was looked into, and the known findings whatever failed.
    verbose: bool,
}

/// What stands at the top.
#[derive(Debug)]
enum Part {
    Group(Group),
    Skipped(String, Missing),
}

/// A group with all that is in it.
#[derive(Debug)]
struct Group {
    kind: Kind,
    name: String,
    about: String,
    seconds: f64,
    cases: Vec<Case>,
    suites: Vec<Group>,
}

impl Group {
    /// Its own cases and those of its suites.
    fn all_cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().chain(self.suites.iter().flat_map(|suite| &suite.cases))
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.all_cases().flat_map(|case| &case.failures)
    }

    fn failed(&self) -> bool {
        self.all_cases().any(|case| !case.holds())
    }

    /// A suite as the matrix has it: how much ran and how long, or how much of it failed, here or in the host's own runs.
    fn cell(&self, of_host: u64) -> String {
        let count: u64 = self.cases.iter().map(|case| case.count).sum();
        let failed: u64 = self.cases.iter().map(|case| case.failed).sum::<u64>().max(of_host);
        match (failed, count) {
            (0, _) => format!("{count} {:.2}s", self.seconds),
            (_, 0) => "FAILED".to_owned(),
            // A suite whose agent died has failed by more than its runs.
            (failed, count) => format!("{} of {count} FAILED", failed.min(count)),
        }
    }
}

impl Human {
    /// A report that goes there.
    #[must_use]
    pub fn new(sink: Sink, verbose: bool) -> Human {
        Human { sink, top: Vec::new(), open: Vec::new(), heading: String::new(), verbose }
    }

    fn close(&mut self, about: &str, seconds: f64) {
        let Some(mut group) = self.open.pop() else { return };
        (group.about, group.seconds) = (about.to_owned(), seconds);
        match self.open.last_mut() {
            Some(parent) => parent.suites.push(group),
            None => self.top.push(Part::Group(group)),
        }
    }

    fn groups(&self, kind: Kind) -> impl Iterator<Item = &Group> {
        self.top.iter().filter_map(move |part| match part {
            Part::Group(group) if group.kind == kind => Some(group),
            _ => None,
        })
    }

    fn text(&self, conclusion: &str) -> String {
        let causes = self.causes();
        let failed = causes.runs() > 0;
        let mut text = failures::text(&causes);
        if failed {
            text.push('\n');
        }
        let _ = write!(text, "{}\n\n{}\n", self.heading, table::render(&self.matrix()));
        // The host's own line, its silence, and then what its suites have to say: the findings come last.
        let of_host: Vec<&Group> = self.groups(Kind::Host).flat_map(|host| &host.suites).collect();
        let said = |name: &str| of_host.iter().find(|suite| suite.name == name).map_or("", |suite| &suite.about);
        let host = self.groups(Kind::Host).chain(self.groups(Kind::Silent)).map(|group| group.about.as_str());
        for line in host.chain([said("machine"), said("exercised")]).filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "{line}");
        }
        for part in self.sorted() {
            let _ = match part {
                Part::Group(target) => writeln!(text, "{}", target.about),
                Part::Skipped(name, missing) => {
                    let (why, remedy) = (&missing.why, &missing.remedy);
                    writeln!(text, "{name}: SKIPPED: {missing}\n  why: {why}\n  to do: {remedy}")
                }
            };
        }
        // Where something failed, what is known to break anyway is not what is looked for.
        if !failed || self.verbose {
            text.push_str(said("findings"));
        }
        if self.verbose {
            for failure in self.top_groups().flat_map(Group::failures) {
                let _ = write!(text, "\nFAILED: {failure}");
            }
        }
        let _ = writeln!(text, "\n{conclusion}");
        text
    }

    /// The host and what is beside it, then the targets.
    fn top_groups(&self) -> impl Iterator<Item = &Group> {
        self.groups(Kind::Host).chain(self.groups(Kind::Silent)).chain(self.groups(Kind::Target))
    }

    fn causes(&self) -> Causes {
        let mut causes = Causes::default();
        self.top_groups().for_each(|group| group.all_cases().for_each(|case| causes.add(&group.name, case)));
        causes
    }

    /// How many of the host's own runs failed that belong into this column of an architecture's row.
    fn of_host(&self, column: Suite, isa: Isa) -> u64 {
        let own = self.groups(Kind::Host).chain(self.groups(Kind::Silent)).flat_map(Group::all_cases);
        let seen = own.filter(|case| case.column == Some(column)).flat_map(|case| &case.seen);
        seen.filter(|seen| seen.concerns(isa)).map(|seen| seen.runs).sum()
    }

    /// The targets in the order of their names, which is that of tables; they were done in another.
    fn sorted(&self) -> Vec<&Part> {
        let is_target = |part: &&Part| !matches!(part, Part::Group(group) if group.kind != Kind::Target);
        let mut parts: Vec<_> = self.top.iter().filter(is_target).collect();
        parts.sort_by_key(|part| match part {
            Part::Group(group) => &group.name,
            Part::Skipped(name, _) => name,
        });
        parts
    }

    /// A target's row: it is ok if neither the target nor the host failed in anything that concerns its architecture.
    fn row(&self, target: &Group) -> Vec<String> {
        let isa = target.name.parse::<Target>().ok().map(Target::isa);
        let of_host = Suite::ALL.map(|column| isa.map_or(0, |isa| self.of_host(column, isa)));
        let cells = target.suites.iter().zip(of_host).map(|(suite, of_host)| suite.cell(of_host));
        let failed = target.failed() || of_host.iter().any(|runs| *runs > 0);
        let state = if failed { "FAILED" } else { "ok" };
        [target.name.clone()].into_iter().chain(cells).chain([state.to_owned()]).collect()
    }

    fn matrix(&self) -> Vec<Vec<String>> {
        let heading = std::iter::once("target").chain(Suite::ALL.map(Suite::heading)).chain(["state"]);
        let mut matrix = vec![heading.map(str::to_owned).collect::<Vec<_>>()];
        for part in self.sorted() {
            matrix.push(match part {
                Part::Group(target) => self.row(target),
                Part::Skipped(name, _) => {
                    let cells = Suite::ALL.map(|_| "-".to_owned());
                    [name.clone()].into_iter().chain(cells).chain(["SKIPPED".to_owned()]).collect()
                }
            });
        }
        matrix
    }
}

impl Renderer for Human {
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        match *event {
            Event::Begin { profile, seed, .. } => self.heading = format!("profile {profile:?}, seed {seed}"),
            Event::Group { kind, name, .. } => self.open.push(Group {
                kind,
                name: name.to_owned(),
                about: String::new(),
                seconds: 0.0,
                cases: Vec::new(),
                suites: Vec::new(),
            }),
            Event::Case(case) => {
                if let Some(group) = self.open.last_mut() {
                    group.cases.push(case.clone());
                }
            }
            Event::Skip { name, missing } => self.top.push(Part::Skipped(name.to_owned(), missing.clone())),
            Event::End { about, took } => self.close(about, took.as_secs_f64()),
            Event::Finish { conclusion, .. } => {
                let text = self.text(conclusion);
                self.sink.write(&text)?;
            }
        }
        Ok(())
    }
}
