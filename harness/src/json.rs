//! What `run --format json` prints: one document, its schema in docs/json.md, versioned.
//!
//! Called by `lazymmu run`. Nothing is decided here; a field that is there stays, a change of meaning changes
//! [`SCHEMA`]. An event's own fields are in `event`.

mod event;

use lazy_mmu_engine::contract::{Answer, Part, Reason, Verdict};
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::subject::Subject;
use lazy_mmu_engine::trace::Event;
use serde_json::{Value, json};

use crate::explained::Explained;

/// The schema's version.
pub const SCHEMA: u32 = 3;

/// What a run's document is made of.
pub struct RunReport<'r> {
    /// The program.
    pub program: &'r Program,
    /// The subject's name.
    pub subject: &'r str,
    /// One of its kind, which says what PTE words mean.
    pub reader: &'r dyn Subject,
    /// `model` or `asm`.
    pub port: &'r str,
    /// The target's short name; none for this machine.
    pub target: Option<&'r str>,
    /// The trace.
    pub events: &'r [Event],
    /// The verdict.
    pub verdict: &'r Verdict,
    /// What known findings explain of it.
    pub known: &'r Explained,
    /// Where the target's trace differs from the one here, if it does.
    pub difference: Option<&'r str>,
}

/// The document, on one line.
#[must_use]
pub fn run(report: &RunReport<'_>) -> Value {
    let verdict = report.verdict;
    json!({
        "schema": SCHEMA,
        "kind": "run",
        "subject": report.subject,
        "port": report.port,
        "target": report.target,
        "program": report.program.to_string(),
        "events": report.events.iter().map(|one| event::event(one, report.reader)).collect::<Vec<_>>(),
        "answer": verdict.answer().name(),
        "holds": verdict.answer() == Answer::Holds && report.difference.is_none(),
        "violations": verdict.violations.iter().zip(&report.known.of).map(|(violation, known)| json!({
            "invariant": violation.invariant.id(),
            "event": violation.event,
            "text": violation.text,
            "fault": verdict.faults().any(|fault| fault == violation),
            "known": known.map(|finding| json!({"name": finding.name, "kind": finding.kind.text(), "why": finding.why})),
        })).collect::<Vec<_>>(),
        "hidden": report.known.hidden.iter().map(|violation| json!({
            "invariant": violation.invariant.id(),
            "event": violation.event,
            "text": violation.text,
        })).collect::<Vec<_>>(),
        "misuse": verdict.first_misuse().map(|misuse| json!({
            "op": misuse.op,
            "line": report.program.line_of(misuse.op),
            "text": misuse.how.text(),
        })),
        "parts": verdict.parts().map(|part| not_judged(part, report.program)).collect::<Vec<_>>(),
        "difference": report.difference,
    })
}

/// A part of the program that was not judged.
fn not_judged(part: Part, program: &Program) -> Value {
    let (refusal, times) = match part.why {
        Reason::Refused(why, times) => (Some(event::snake(&why)), Some(times)),
        Reason::Cut | Reason::Stopped(_) => (None, None),
    };
    json!({
        "reason": part.name(),
        "op": part.op,
        "line": program.line_of(part.op),
        "refusal": refusal,
        "times": times,
        "text": part.text(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lazy_mmu_engine::program::text::parse;
    use lazy_mmu_engine::registry::SUBJECTS;
    use lazy_mmu_engine::runner::Runner;
    use lazy_mmu_engine::subject::Port;

    #[test]
    fn a_run_is_one_document_with_its_schema() {
        let program = parse("disable").expect("a program");
        let mut runner = Runner::new();
        let (events, verdict) = runner.run(0, Port::Model, &program);
        let (subject, port) = ("stateless/aarch64", "model");
        let reader = &*SUBJECTS[0].make(Port::Model);
        let (target, difference, verdict) = (None, None, &verdict);
        let known = &Explained::new(subject, events, verdict, &verdict.violations);
        let report = RunReport { program: &program, subject, reader, port, target, events, verdict, known, difference };
        let document = run(&report);
        assert_eq!(document["schema"], 3);
        assert_eq!(document["answer"], "misuses");
        assert_eq!(document["holds"], false);
        assert_eq!(document["violations"][0]["invariant"], "I2");
        assert_eq!(document["violations"][0]["fault"], false);
        assert_eq!((&document["misuse"]["op"], &document["misuse"]["line"]), (&json!(0), &json!(1)));
        assert_eq!(document["parts"], json!([]));
        assert_eq!(document["events"].as_array().map(Vec::len), Some(events.len()));
        assert_eq!(document["program"], "disable\n");
    }
}
