//! A JSON document per event, each on a line; docs/json.md has the schema.
//!
//! What it is not: the documents of `run` and `doctor` are elsewhere, with versions of their own.

use serde_json::{Value, json};

use super::Sink;
use crate::check::cause::{Cause, Seen};
use crate::check::event::{Event, Kind, Renderer};
use crate::check::{Case, Failure};
use crate::error::Result;

/// The schema's version: a field that is there stays, a change of meaning changes it.
pub const SCHEMA: u32 = 1;

/// The report.
#[derive(Debug)]
pub struct Json {
    sink: Sink,
    /// The names of the open groups.
    path: Vec<String>,
}

impl Json {
    /// A report that goes there.
    #[must_use]
    pub fn new(sink: Sink) -> Json {
        Json { sink, path: Vec::new() }
    }

    fn below(&self, name: &str) -> Vec<String> {
        self.path.iter().cloned().chain([name.to_owned()]).collect()
    }

    fn document(&mut self, event: &Event<'_>) -> Value {
        match *event {
            Event::Begin { profile, seed, tests, .. } => {
                let profile = format!("{profile:?}").to_lowercase();
                json!({"schema": SCHEMA, "kind": "begin", "profile": profile, "seed": seed, "tests": tests})
            }
            Event::Group { kind, name, tests } => {
                self.path.push(name.to_owned());
                json!({"kind": "group", "path": self.path, "of": of(kind), "tests": tests})
            }
            Event::Case(case) => self.case(case),
            Event::Skip { name, missing } => json!({
                "kind": "skip",
                "path": self.below(name),
                "what": missing.what,
                "why": missing.why,
                "remedy": missing.remedy,
            }),
            Event::End { about, took } => {
                let path = self.path.clone();
                self.path.pop();
                json!({"kind": "end", "path": path, "about": about, "seconds": took.as_secs_f64()})
            }
            Event::Finish { exit, conclusion } => {
                json!({"kind": "finish", "exit": exit as u8, "conclusion": conclusion})
            }
        }
    }

    fn case(&self, case: &Case) -> Value {
        let failure = |failure: &Failure| {
            let Failure { what, detail, replay, program, cause, subject, size: _ } = failure;
            json!({
                "what": what,
                "detail": detail,
                "replay": replay,
                "program": program,
                "cause": named(cause),
                "subject": subject,
            })
        };
        let seen = |seen: &Seen| json!({"cause": named(&seen.cause), "subject": seen.subject, "runs": seen.runs});
        let [holds, breaks, misuses, in_part] = case.answers;
        json!({
            "kind": "case",
            "path": self.below(&case.name),
            "holds": case.holds(),
            "count": case.count,
            "failed": case.failed,
            "failures": case.failures.iter().map(failure).collect::<Vec<_>>(),
            "causes": case.seen.iter().map(seen).collect::<Vec<_>>(),
            "answers": {"holds": holds, "breaks": breaks, "misuses": misuses, "in_part": in_part},
        })
    }
}

impl Renderer for Json {
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        let document = self.document(event);
        self.sink.write(&format!("{document}\n"))
    }
}

fn named(cause: &Cause) -> Value {
    let (invariant, op) = match cause {
        Cause::Breaks(invariant, op) => (Some(invariant.id()), Some(op)),
        Cause::Differs(_) | Cause::Other(_) | Cause::Review => (None, None),
    };
    json!({"kind": cause.name(), "invariant": invariant, "op": op})
}

fn of(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "host",
        Kind::Target => "target",
        Kind::Silent => "silent",
        Kind::Suite => "suite",
        Kind::Subject => "subject",
        Kind::Patch => "patch",
    }
}
