//! The report for people: the matrix, how each target ran, the known findings, and what failed with how to see it again.
//!
//! What it is not: nothing appears before the end; what goes on meanwhile is on standard error.

use std::fmt::Write as _;

use super::Sink;
use crate::check::event::{Event, Kind, Renderer};
use crate::check::{Case, Failure, Suite};
use crate::error::Result;
use crate::setup::Missing;
use crate::table;

/// The report.
#[derive(Debug)]
pub struct Human {
    sink: Sink,
    /// What was closed at the top.
    top: Vec<Part>,
    open: Vec<Group>,
    heading: String,
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
    fn failures(&self) -> impl Iterator<Item = &Failure> {
        let suites = self.suites.iter().flat_map(|suite| &suite.cases);
        self.cases.iter().chain(suites).flat_map(|case| &case.failures)
    }

    fn failed(&self) -> bool {
        self.suites.iter().flat_map(|suite| &suite.cases).any(|case| !case.holds())
    }

    /// A suite as the matrix has it: how much ran and how long, or how much of it failed.
    fn cell(&self) -> String {
        let count: u64 = self.cases.iter().map(|case| case.count).sum();
        let failed: u64 = self.cases.iter().map(|case| case.failed).sum();
        if failed == 0 { format!("{count} {:.2}s", self.seconds) } else { format!("{failed} of {count} FAILED") }
    }
}

impl Human {
    /// A report that goes there.
    #[must_use]
    pub fn new(sink: Sink) -> Human {
        Human { sink, top: Vec::new(), open: Vec::new(), heading: String::new() }
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
        let mut text = format!("{}\n\n{}\n", self.heading, table::render(&self.matrix()));
        // The host's own line, its silence, and then what its suites have to say: the findings come last.
        let of_host: Vec<&Group> = self.groups(Kind::Host).flat_map(|host| &host.suites).collect();
        let said = |name: &str| of_host.iter().find(|suite| suite.name == name).map_or("", |suite| &suite.about);
        let host = self.groups(Kind::Host).chain(self.groups(Kind::Silent)).map(|group| group.about.as_str());
        for line in host.chain([said("exercised")]).filter(|line| !line.is_empty()) {
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
        text.push_str(said("findings"));
        let own = self.groups(Kind::Host).chain(self.groups(Kind::Silent));
        for failure in own.chain(self.groups(Kind::Target)).flat_map(Group::failures) {
            let _ = write!(text, "\nFAILED: {failure}");
        }
        let _ = writeln!(text, "\n{conclusion}");
        text
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

    fn matrix(&self) -> Vec<Vec<String>> {
        let heading = std::iter::once("target").chain(Suite::ALL.map(Suite::heading)).chain(["state"]);
        let mut matrix = vec![heading.map(str::to_owned).collect::<Vec<_>>()];
        for part in self.sorted() {
            matrix.push(match part {
                Part::Group(target) => {
                    let state = if target.failed() { "FAILED" } else { "ok" };
                    let cells = target.suites.iter().map(Group::cell);
                    [target.name.clone()].into_iter().chain(cells).chain([state.to_owned()]).collect()
                }
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
