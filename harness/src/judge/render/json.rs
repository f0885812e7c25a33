//! A JSON document for each judged tree, on a line; docs/json.md has the schema.
//!
//! What it is not: nothing is decided here. A test holds each field against the manual.

use std::collections::BTreeSet;

use lazy_mmu_engine::registry::SUBJECTS;
use serde_json::{Value, json};

use super::{Begun, Beside, Judgement, Renderer};
use crate::check::render::Sink;
use crate::error::{Error, Exit, Result};
use crate::judge::base;
use crate::judge::differences::Difference;
use crate::judge::findings::{Finding, What};
use crate::judge::report::{Report, state, why};
use crate::judge::{Counts, Judged, Outcome, Row, Suite};
use crate::target::Target;
use crate::tree::tools::Compiler;

/// The schema's version: a field that is there stays, a change of meaning changes it.
pub const SCHEMA: u32 = 1;

/// The report.
#[derive(Debug)]
pub struct Json {
    sink: Sink,
    begun: Option<Begun>,
}

impl Json {
    /// A report that goes there.
    #[must_use]
    pub fn new(sink: Sink) -> Json {
        Json { sink, begun: None }
    }
}

impl Renderer for Json {
    fn begin(&mut self, begun: Begun) -> Result<()> {
        self.begun = Some(begun);
        Ok(())
    }

    fn tree(&mut self, judgement: &Judgement<'_>) -> Result<()> {
        let mut document = document(judgement);
        if let Some(begun) = self.begun {
            document["profile"] = json!(format!("{:?}", begun.profile).to_lowercase());
            document["seed"] = json!(begun.seed);
        }
        self.sink.write(&format!("{document}\n"))
    }

    fn lost(&mut self, number: usize, of: usize, error: &Error) -> Result<()> {
        let document = json!({
            "schema": SCHEMA,
            "kind": "lost",
            "patch": {"number": number, "of": of},
            "what": error.to_string(),
            "remedy": error.remedy(),
            "exit": error.exit() as u8,
        });
        self.sink.write(&format!("{document}\n"))
    }

    fn finish(&mut self, _exit: Exit) -> Result<()> {
        Ok(())
    }
}

fn document(judgement: &Judgement<'_>) -> Value {
    let Judgement { report, patch, base, .. } = judgement;
    json!({
        "schema": SCHEMA,
        "kind": "judge",
        "patch": patch.map(|step| json!({"number": step.number, "of": step.of, "subject": step.subject})),
        "tree": report.path,
        "release": report.release,
        "api": report.api.name(),
        "compiler": if report.compiler == Compiler::Clang { "clang" } else { "gcc" },
        "exit": judgement.exit() as u8,
        "conclusion": judgement.conclusion(),
        "programs": report.programs(),
        "targets": report.rows.iter().map(target).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(|found| finding(judgement, found)).collect::<Vec<_>>(),
        "known": known(judgement),
        "differences": report.differences.iter().map(difference).collect::<Vec<_>>(),
        "base": base.map(|base| beside(report, base)),
    })
}

/// A target with one of its page sizes: the same fields whatever came of it.
fn target(row: &Row) -> Value {
    let (mut how, mut subjects, mut problem) = (None, Vec::new(), None);
    let outcome = match &row.outcome {
        Outcome::Ran(judged, built) => {
            how = Some(built);
            subjects = judged.iter().map(subject).collect();
            "ran"
        }
        Outcome::Skipped(missing) => {
            problem = Some((missing.what.clone(), Some(missing.why.clone()), Some(missing.remedy.clone())));
            "skipped"
        }
        Outcome::Refused(error) => {
            let error = Error::from(error.clone());
            problem = Some((error.to_string(), error.place(), Some(error.remedy())));
            "refused"
        }
        Outcome::Unknown(what) => {
            problem = Some((what.clone(), None, None));
            "unknown"
        }
    };
    let (what, why, remedy) = problem.map_or((None, None, None), |(what, why, remedy)| (Some(what), why, remedy));
    json!({
        "target": row.target.short(),
        "pages": row.recipe.pages,
        "outcome": outcome,
        "how": how,
        "what": what,
        "why": why,
        "remedy": remedy,
        "subjects": subjects,
    })
}

fn subject(judged: &Judged) -> Value {
    let suite = |(suite, counts): (Suite, &Counts)| {
        let Counts { ran, failed, known, in_part, misused, other_generic, other_events } = counts;
        json!({
            "suite": suite.name(),
            "ran": ran,
            "failed": failed,
            "known": known,
            "in_part": in_part,
            "misused": misused,
            "other_generic": other_generic,
            "other_events": other_events,
        })
    };
    json!({
        "subject": judged.form.name,
        "twin": judged.form.twin.map(|at| SUBJECTS[at].name),
        "state": state(judged),
        "unproven": judged.form.unproven,
        "unexplained": judged.unexplained,
        "seconds": judged.took.as_secs_f64(),
        "suites": Suite::ALL.into_iter().zip(&judged.counts).map(suite).collect::<Vec<_>>(),
    })
}

fn finding(judgement: &Judgement<'_>, finding: &Finding) -> Value {
    let what = |what: &What| {
        let (kind, invariant, op, text) = match what {
            What::Breaks(cause) => ("breaks", Some(cause.invariant.id()), Some(&cause.op), None),
            What::Crashes(text) => ("crashes", None, None, Some(text)),
        };
        json!({"kind": kind, "invariant": invariant, "op": op, "text": text})
    };
    let Finding { subjects, runs, program, shown_on, text, place, timeline, .. } = finding;
    json!({
        "title": finding.title(),
        "what": finding.what.iter().map(what).collect::<Vec<_>>(),
        "subjects": names(subjects),
        "runs": runs,
        "program": program.to_string(),
        "ops": program.ops().len(),
        "shown_on": name(shown_on),
        "text": text,
        "place": place.as_deref().map(located),
        "timeline": timeline,
        "replay": judgement.report.replay(program, shown_on),
        "new": judgement.base.map(|_| !judgement.is_old(finding)),
    })
}

/// A place in the tree, from `file:line, function(): condition`.
fn located(text: &str) -> Value {
    let (at, rest) = text.split_once(", ").unwrap_or((text, ""));
    let (file, line) = at.rsplit_once(':').unwrap_or((at, ""));
    let (function, condition) = rest.split_once("(): ").unwrap_or((rest, ""));
    json!({"file": file, "line": line.parse::<u64>().ok(), "function": function, "condition": condition})
}

fn known(judgement: &Judgement<'_>) -> Vec<Value> {
    let entry = |(name, found): (&String, &crate::judge::run::Found)| {
        let item = judgement.items.get(found.item);
        json!({
            "name": name,
            "why": why(name),
            "subject": found.form,
            "run": item.map(|item| &item.name),
            "program": item.map(|item| item.program.to_string()),
            "runs": found.runs,
        })
    };
    judgement.report.known.iter().map(entry).collect()
}

fn difference(difference: &Difference) -> Value {
    let Difference { is_generic, behind, ours, theirs, row, subjects, runs, program, place } = difference;
    json!({
        "generic": is_generic,
        "explained": row.map(|row| row.name),
        "behind": behind,
        "ours": ours,
        "theirs": theirs,
        "subjects": names(subjects),
        "runs": runs,
        "program": program.to_string(),
        "lines": place,
    })
}

fn beside(report: &Report, Beside { report: base, prices }: Beside<'_>) -> Value {
    let compared = base::compare(&report.findings, &base.findings);
    let cost = |change: &base::Change| {
        let base::Change { subject, workload, count, before, after } = change;
        let workload = (workload != base::ALL).then_some(workload);
        json!({"subject": subject, "workload": workload, "count": count, "before": before, "after": after})
    };
    json!({
        "tree": base.path,
        "release": base.release,
        "targets": base.rows.iter().map(target).collect::<Vec<_>>(),
        "new": compared.new,
        "gone": compared.gone,
        "same": compared.same,
        "costs": prices.changes.iter().map(cost).collect::<Vec<_>>(),
        "workloads": prices.workloads,
        "compared": prices.subjects,
        "unchanged": prices.same,
    })
}

fn names(subjects: &BTreeSet<(Target, String)>) -> Vec<Value> {
    subjects.iter().map(name).collect()
}

fn name((target, subject): &(Target, String)) -> Value {
    json!({"target": target.short(), "subject": subject})
}
