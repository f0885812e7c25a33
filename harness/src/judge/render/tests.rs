//! One judged tree with every kind of outcome, and the four reports of it, which are recorded in `harness/tests/data/judge`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::text::parse;
use serde_json::Value;

use super::*;
use crate::judge::base::Change;
use crate::judge::differences::Difference;
use crate::judge::findings::What;
use crate::judge::run::Found;
use crate::judge::{Cause, Counts, Form, Judged, Outcome, Row, Suite};
use crate::setup::Missing;
use crate::target::Target;
use crate::tree::tools::Compiler;
use crate::tree::{Api, TreeError};

fn program(text: &str) -> Program {
    parse(text).expect("a program")
}

fn item() -> Item {
    let program = program("enable\nset K 0\ndisable");
    Item::new(Suite::Programs, "halves/enable".to_owned(), program)
}

fn judged(name: &str, twin: Option<usize>, failed: u64, known: u64) -> Judged {
    let mut counts = [Counts { ran: 7, ..Counts::default() }; 4];
    counts[0] = Counts { ran: 273, failed, known, in_part: 2, misused: 1, other_generic: 3, other_events: 4 };
    counts[3].failed = failed;
    Judged {
        form: Form { index: 0, name: name.to_owned(), twin, mmu: Mmu::Xen, unproven: Vec::new() },
        counts,
        unexplained: u64::from(twin.is_some()),
        took: Duration::from_millis(1500),
    }
}

fn finding(op: &str, place: Option<&str>) -> Finding {
    let subject = (Target::X86_64, "tree/xen".to_owned());
    Finding {
        what: BTreeSet::from([What::Breaks(Cause { invariant: Invariant::I15, op: op.to_owned() })]),
        subjects: BTreeSet::from([subject.clone()]),
        runs: 5,
        program: program("enable\npause\ndisable"),
        misuses: false,
        shown_on: subject,
        text: "WARN Disable on a legal sequence <&>".to_owned(),
        place: place.map(str::to_owned),
        timeline: "cpu0  # Subtest: none\n>>> I15 broken\n".to_owned(),
    }
}

fn difference() -> Difference {
    let subjects = BTreeSet::from([(Target::X86_64, "tree/native".to_owned())]);
    let (ours, theirs, place) = ("hook enter".to_owned(), String::new(), "- hook enter\n".to_owned());
    Difference {
        is_generic: true,
        behind: "enable".to_owned(),
        row: None,
        ours,
        theirs,
        subjects,
        runs: 3,
        program: program("enable"),
        place,
    }
}

/// Every kind of outcome once, and findings: a warning with its place, and a crash.
fn report(findings: Vec<Finding>) -> Report {
    let missing = Missing {
        what: "aarch64 lacks qemu-user".to_owned(),
        why: "only root may install packages".to_owned(),
        remedy: "sudo apt-get install qemu-user".to_owned(),
    };
    let error = TreeError::NoArchitecture { arch_dir: "arch/sparc".to_owned(), path: "/src/linux".into() };
    let failed = if findings.is_empty() { 0 } else { 5 };
    let x86 = vec![judged("tree/native", Some(0), 0, 0), judged("tree/xen", None, failed, 2)];
    let ran = Outcome::Ran(x86, "native; 40 of 40 objects compiled, 9.0 s".to_owned());
    let unknown = Outcome::Unknown("the agent does not answer".to_owned());
    let rows = [
        (Target::Aarch64, Outcome::Skipped(missing)),
        (Target::Powerpc64, unknown),
        (Target::Sparc64, Outcome::Refused(error)),
        (Target::X86_64, ran),
    ];
    let found = Found { form: "tree/xen".to_owned(), item: 0, runs: 2 };
    Report {
        path: "/src/linux".to_owned(),
        compiler: Compiler::Gcc,
        release: "7.2.13+edited".to_owned(),
        api: Api::Counted,
        rows: rows
            .into_iter()
            .map(|(target, outcome)| Row { target, recipe: crate::tree::usual(&[target])[0], outcome })
            .collect(),
        findings,
        known: BTreeMap::from([("xen-new-task".to_owned(), found)]),
        corrected: BTreeMap::new(),
        differences: vec![difference()],
    }
}

fn findings() -> Vec<Finding> {
    let crash = BTreeSet::from([What::Crashes("xen_mc_flush() does not end".to_owned())]);
    let crash = Finding { what: crash, text: String::new(), timeline: String::new(), ..finding("", None) };
    vec![finding("disable", Some("include/linux/pgtable.h:301, lazy_mmu_mode_disable(): !state->active")), crash]
}

const BEGUN: Begun = Begun { profile: Profile::Quick, seed: 1, targets: 4, patches: None };

fn written(format: Format, write: impl FnOnce(&mut dyn Renderer) -> Result<()>) -> String {
    let text = Arc::new(Mutex::new(String::new()));
    let mut report = renderer(format, Sink::Memory(Arc::clone(&text)), true);
    write(&mut *report).expect("memory can be written");
    text.lock().expect("nobody panicked").clone()
}

/// The report of one tree, beside a base that has the first of its findings too.
fn single(format: Format) -> String {
    let (items, report, before) = ([item()], self::report(findings()), self::report(vec![finding("disable", None)]));
    let subject = "tree/xen".to_owned();
    let change = |workload: &str| {
        let (subject, workload) = (subject.clone(), workload.to_owned());
        Change { subject, workload, count: "hypercalls", before: 2, after: 8 }
    };
    let changes = vec![change("vmap_pages_pte_range"), change(base::ALL)];
    let prices = Prices { changes, workloads: 1, same: 1, subjects: 2 };
    let base = Some(Beside { report: &before, prices: &prices });
    let judgement = Judgement { report: &report, items: &items, is_strict: false, patch: None, base };
    written(format, |to| {
        to.begin(BEGUN)?;
        to.tree(&judgement)?;
        to.finish(judgement.exit())
    })
}

/// A series whose second patch breaks something and whose third does not apply.
fn series(format: Format) -> String {
    let (items, good, bad) = ([item()], report(vec![]), report(findings()));
    let (of, said) = (3, "error: patch failed: mm/vmalloc.c:9".to_owned());
    let lost = Error::from(TreeError::Patch { number: 3, of, subject: "mm: no".to_owned(), said, file: None });
    written(format, |to| {
        to.begin(Begun { patches: Some(of), ..BEGUN })?;
        for (number, report) in [(1, &good), (2, &bad)] {
            let patch = Some(Step { number, of, subject: "mm: lazy: # a subject" });
            to.tree(&Judgement { report, items: &items, is_strict: false, patch, base: None })?;
        }
        to.lost(3, of, &lost)?;
        to.finish(lost.exit())
    })
}

/// Compares with what is recorded; `LAZYMMU_RECORD=1` records anew, to be read before it is committed.
#[track_caller]
fn is_as_recorded(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/judge").join(name);
    if std::env::var_os("LAZYMMU_RECORD").is_some() {
        std::fs::write(&path, now).expect("the sample can be written");
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(then, now, "{} is recorded otherwise", path.display());
}

#[test]
fn every_report_is_as_recorded() {
    for (format, end) in
        [(Format::Human, "txt"), (Format::Json, "jsonl"), (Format::Junit, "xml"), (Format::Ktap, "ktap")]
    {
        is_as_recorded(&format!("tree.{end}"), &single(format).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
        is_as_recorded(&format!("series.{end}"), &series(format).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}

/// What is a failure in a report is what the command fails by.
#[test]
fn a_subject_fails_by_what_its_base_does_not_have() {
    let (items, report) = ([item()], report(vec![finding("disable", None)]));
    let prices = Prices::default();
    let failures = |is_strict, base: Option<&Report>| {
        let base = base.map(|report| Beside { report, prices: &prices });
        let judgement = Judgement { report: &report, items: &items, is_strict, patch: None, base };
        let text = written(Format::Junit, |to| {
            to.begin(BEGUN)?;
            to.tree(&judgement)?;
            to.finish(judgement.exit())
        });
        let report = quick_junit::Report::deserialize_from_str(&text).expect("JUnit");
        let of_subject = report.test_suites.iter().find(|suite| suite.name.as_str() == "x86_64.tree/xen");
        (of_subject.map(|suite| suite.failures), judgement.exit())
    };
    assert_eq!(failures(false, None), (Some(2), Exit::Broke));
    // The refused target's exit is all that is left.
    assert_eq!(failures(false, Some(&report)), (Some(0), Exit::Environment));
    assert_eq!(failures(true, Some(&report)), (Some(2), Exit::Broke));
}

#[test]
fn junit_is_read_by_the_crate_and_has_a_suite_for_each_subject() {
    let report = quick_junit::Report::deserialize_from_str(&single(Format::Junit)).expect("JUnit");
    let names: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["aarch64", "powerpc64", "sparc64", "x86_64.tree/native", "x86_64.tree/xen", "x86_64"]);
    let suites = [Suite::ALL.len(), Suite::ALL.len()];
    assert_eq!([report.test_suites[3].tests, report.test_suites[4].tests], suites);
    let report = quick_junit::Report::deserialize_from_str(&series(Format::Junit)).expect("JUnit");
    assert!(report.test_suites.iter().any(|suite| suite.name.as_str() == "patch 2.x86_64.tree/xen"));
}

/// The names of all fields of a document, each with those it is in: `targets[].subject`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields_of_it) => fields_of_it.iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            found.insert(path.clone());
            fields(value, &path, found);
        }),
        Value::Array(values) => values.iter().for_each(|value| fields(value, &format!("{path}[]"), found)),
        _ => {}
    }
}

#[test]
fn every_field_of_a_document_is_in_the_manual_and_no_other() {
    let mut found = BTreeSet::new();
    for text in [single(Format::Json), series(Format::Json)] {
        for line in text.lines() {
            fields(&serde_json::from_str(line).expect("JSON"), "", &mut found);
        }
    }
    // A base's targets are as the tree's.
    found.retain(|field| !field.starts_with("base.targets[]."));
    let manual = include_str!("../../../../docs/json.md");
    let (_, rest) = manual.split_once("\n## `cargo lazymmu judge`: schema 1\n").expect("the manual has the section");
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let names = cells.flat_map(|cell| cell.split('`').step_by(2));
    // A cell names a field in full, then others beside it by their own names.
    let mut documented = BTreeSet::new();
    let mut parent = String::new();
    for name in names.filter(|name| !name.is_empty()) {
        let whole = name.strip_prefix('.').map_or_else(|| name.to_owned(), |name| format!("{parent}.{name}"));
        parent = whole.rsplit_once('.').map_or("", |(parent, _)| parent).to_owned();
        documented.insert(whole);
    }
    assert_eq!(found, documented);
}
