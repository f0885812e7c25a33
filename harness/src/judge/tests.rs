//! What a report concludes of forms that did not prove to be looked at, and of page sizes that were not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::program::text::parse;

use super::findings::{Finding, What};
use super::report::Report;
use super::run::FormFacts;
use super::{Cause, Counts, Form, Judged, Outcome, Row};
use crate::error::Exit;
use crate::target::Target;
use crate::tree::Api;
use crate::tree::pages::{Pages, recipes};

const MESSAGE: &str = "`enable; disable`: no enter hook; look at pgtable.h";

/// A form on which so many programs of 10 failed.
fn judged(name: &str, failed: u64, is_proven: bool) -> Judged {
    let unproven = if is_proven { Vec::new() } else { vec![MESSAGE.to_owned()] };
    let form = Form { index: 0, name: name.to_owned(), twin: None, mmu: Mmu::Xen, unproven };
    let counts = Counts { ran: 10, failed, ..Counts::default() };
    Judged {
        form,
        counts: [counts, Counts::default(), Counts::default(), Counts::default()],
        unexplained: 0,
        took: Duration::ZERO,
    }
}

fn finding(name: &str) -> Finding {
    Finding {
        what: BTreeSet::from([What::Breaks(Cause { invariant: Invariant::ALL[2], op: "disable".to_owned() })]),
        subjects: BTreeSet::from([(Target::X86_64, name.to_owned())]),
        runs: 1,
        misuses: false,
        program: parse("enable; disable").expect("a program"),
        shown_on: (Target::X86_64, name.to_owned()),
        text: "a text".to_owned(),
        place: None,
        timeline: String::new(),
    }
}

fn report(forms: Vec<Judged>, findings: Vec<Finding>) -> Report {
    Report {
        path: "linux".to_owned(),
        release: "7.2".to_owned(),
        api: Api::Counted,
        compiler: crate::tree::tools::Compiler::Gcc,
        rows: vec![Row {
            target: Target::X86_64,
            recipe: crate::tree::usual(&[Target::X86_64])[0],
            outcome: Outcome::Ran(forms, "natively".to_owned()),
        }],
        findings,
        known: BTreeMap::new(),
        corrected: BTreeMap::new(),
        differences: Vec::new(),
    }
}

/// What a report exits with and says, where all findings are new.
fn said(report: &Report) -> (Exit, String, String) {
    let exit = report.exit(false, |_| false);
    (exit, report.text(&[], false), report.conclusion(exit))
}

#[test]
fn a_form_that_is_not_proven_and_does_not_break_is_unknown() {
    let (exit, text, conclusion) = said(&report(vec![judged("tree/xen", 0, false)], Vec::new()));
    assert_eq!(exit, Exit::Environment);
    assert!(text.contains("UNKNOWN") && text.contains(MESSAGE), "{text}");
    assert!(conclusion.contains("nothing is known") && !conclusion.contains("holds"), "{conclusion}");
}

#[test]
fn a_form_that_is_not_proven_and_breaks_is_a_finding_with_a_note() {
    let (exit, text, conclusion) = said(&report(vec![judged("tree/xen", 3, false)], vec![finding("tree/xen")]));
    assert_eq!(exit, Exit::Broke);
    assert!(text.contains("FAILED") && text.contains(&format!("note: not proven of tree/xen: {MESSAGE}")), "{text}");
    assert!(!text.contains("UNKNOWN") && conclusion.contains("1 finding "), "{text}{conclusion}");
}

#[test]
fn one_form_without_a_verdict_leaves_the_others_theirs() {
    let forms = || vec![judged("tree/native", 0, true), judged("tree/xen", 0, false)];
    let (exit, text, conclusion) = said(&report(forms(), Vec::new()));
    assert_eq!(exit, Exit::Environment);
    assert!(text.contains("ok") && conclusion.contains("holds; unknown: tree/xen"), "{text}{conclusion}");

    let mut forms = forms();
    forms[0] = judged("tree/native", 1, true);
    let (exit, text, conclusion) = said(&report(forms, vec![finding("tree/native")]));
    assert_eq!(exit, Exit::Broke);
    assert!(!text.contains("note:"), "the finding is of the other form: {text}");
    assert!(conclusion.contains("1 finding; unknown: tree/xen"), "{conclusion}");
}

/// What was not looked at is said, whatever came of the rest.
#[test]
fn page_sizes_that_were_judged_and_that_were_not_are_named() {
    let of = |pages: Pages| {
        let row = |recipe| Row {
            target: Target::Powerpc64,
            recipe,
            outcome: Outcome::Ran(vec![judged("tree/powerpc64-hash", 0, true)], String::new()),
        };
        let rows = recipes(&[Target::Powerpc64], pages).into_iter().map(row).collect();
        said(&Report { rows, ..report(Vec::new(), Vec::new()) })
    };
    let (_, usual, conclusion) = of(Pages::Usual);
    let line = "powerpc64: judged with pages of 64k; pages of 4k were not looked at (--pages all)";
    assert!(usual.contains(line), "{usual}");
    assert!(conclusion.contains("lazymmu judge: powerpc64: holds"), "{conclusion}");
    let (_, all, conclusion) = of(Pages::All);
    assert!(all.contains("powerpc64: judged with pages of 64k and 4k\n"), "{all}");
    assert!(conclusion.contains("lazymmu judge: powerpc64 powerpc64-4k: holds"), "{conclusion}");
}

#[test]
fn findings_that_a_base_has_too_prove_nothing() {
    let report = report(vec![judged("tree/xen", 3, false)], vec![finding("tree/xen")]);
    assert_eq!(report.exit(false, |_| true), Exit::Environment);
    assert_eq!(report.exit(true, |_| true), Exit::Broke);
}

#[test]
fn the_agents_facts_name_what_is_not_proven() {
    let json = r#"{"index":9,"name":"tree/xen","mmu":"xen","twin":"","bytes":0,"unproven":["a \"b\""]}"#;
    let facts: FormFacts = serde_json::from_str(json).expect("facts");
    assert_eq!(Form::from(&facts).unproven, ["a \"b\""]);
}
