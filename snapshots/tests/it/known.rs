//! The known findings: each program breaks what its finding says and is as small as it can be, and legal programs break
//! nothing that no finding explains.

use std::collections::BTreeSet;

use lazy_mmu_engine::contract::{Invariant, Violation};
use lazy_mmu_engine::program::generate::Random;
use lazy_mmu_engine::program::mutate::mutate;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Op, Program, generate};
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{CUT, MISUSED, Runner, broken_text};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::workload::{self, Parameters};
use lazy_mmu_snapshots::known::{Finding, KNOWN, Kind, judged, left, left_of_any, list, matches};
use lazy_mmu_snapshots::{Entry, PROGRAMS};

use crate::settings;

fn program(finding: &Finding) -> Program {
    let entry = finding.entry().unwrap_or_else(|| panic!("programs/known/{}.lmm is not there", finding.name));
    parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.name))
}

/// The subjects that a finding names, with their places.
fn subjects(finding: &Finding) -> impl Iterator<Item = (usize, &'static str)> {
    SUBJECTS.iter().enumerate().map(|(at, subject)| (at, subject.name)).filter(|(_, name)| finding.is_on(name))
}

#[test]
fn every_finding_has_its_program_and_every_program_its_finding() {
    let names: BTreeSet<_> = KNOWN.iter().map(|finding| finding.name).collect();
    let programs: BTreeSet<_> = PROGRAMS.iter().filter_map(|entry| entry.name.strip_prefix("known/")).collect();
    assert_eq!(names, programs);
    assert_eq!(names.len(), KNOWN.len(), "a name is there twice");
    for finding in KNOWN {
        let named: Vec<_> = subjects(finding).map(|(_, name)| name).collect();
        for pattern in finding.subjects {
            assert!(named.iter().any(|name| matches(pattern, name)), "{}: {pattern} names nobody", finding.name);
        }
        assert!(!named.is_empty() && finding.why.len() <= 120, "{}: {named:?}", finding.name);
        let lines = finding.entry().map(Entry::about_lines).into_iter().flatten().count();
        assert!((2..=7).contains(&lines), "{}: {lines} lines of explanation", finding.name);
    }
}

/// On every subject it names, whatever else runs there.
#[test]
fn programs_break_what_their_findings_say() {
    let mut runner = Runner::new();
    for finding in KNOWN {
        let program = program(finding);
        for (at, subject) in subjects(finding) {
            let broken = runner.summary(at, Port::Model, &program).broken;
            let name = format!("{} on {subject}", finding.name);
            assert_eq!(broken_text(broken), broken_text(finding.broken()), "{name}");
            assert_eq!(broken & MISUSED != 0, finding.kind == Kind::Misuse, "{name}: misuse");
            // What cannot happen on a backend shows nothing there.
            assert_eq!(broken & CUT, 0, "{name}: judged to its end");
        }
    }
}

/// The condition still holds over the finding's own program, wherever it is named; and nothing in that program is left.
#[test]
fn conditions_hold_over_their_own_programs() {
    let mut runner = Runner::new();
    for finding in KNOWN.iter().filter(|finding| finding.kind != Kind::Invisible) {
        let program = program(finding);
        for (at, subject) in subjects(finding) {
            let judged = judged(&mut runner, at, &program);
            let end = runner.events().len();
            // A program that ends in a section of its own leaves its counters, whatever else is known.
            let own = |violation: &Violation| violation.invariant == Invariant::I1 && violation.event == end;
            for (violation, by) in judged.iter().filter(|(violation, _)| !own(violation)) {
                let (invariant, text) = (violation.invariant.id(), &violation.text);
                assert!(by.is_some(), "{} on {subject}: {invariant} is not explained: {text}", finding.name);
            }
            let named = judged.iter().any(|(_, by)| by.is_some_and(|by| by.name == finding.name));
            assert!(named, "{} on {subject}: its condition explains nothing any more", finding.name);
        }
    }
}

/// A subject that breaks the same by the same program belongs to the finding, unless others explain all of it there.
#[test]
fn findings_name_every_subject_that_breaks_the_same() {
    let mut runner = Runner::new();
    for finding in KNOWN.iter().filter(|finding| !matches!(finding.kind, Kind::Misuse | Kind::Invisible)) {
        let program = self::program(finding);
        for (at, subject) in SUBJECTS.iter().enumerate().filter(|(_, subject)| !finding.is_on(subject.name)) {
            let broken = runner.summary(at, Port::Model, &program).broken;
            let alike = broken & !(MISUSED | CUT) == finding.broken();
            let by_others = alike && left(&mut runner, at, &program) == 0;
            assert!(!alike || by_others, "{}: {} breaks the same", finding.name, subject.name);
        }
    }
}

/// Without any one operation, or a whole block, or a block's braces, it is not the same any more on some subject.
#[test]
fn programs_are_minimal() {
    let mut runner = Runner::new();
    for finding in KNOWN.iter().filter(|finding| finding.kind != Kind::Invisible) {
        let program = program(finding);
        for (at, smaller) in smaller(&program) {
            let still = subjects(finding).all(|(subject, _)| {
                let broken = runner.summary(subject, Port::Model, &smaller).broken;
                broken == runner.summary(subject, Port::Model, &program).broken
            });
            assert!(!still, "{}: operation {at}, {}, does not matter:\n{smaller}", finding.name, program.ops()[at]);
        }
    }
}

/// The program without each of its operations and blocks, and without each block's braces.
fn smaller(program: &Program) -> Vec<(usize, Program)> {
    let ops = program.ops();
    let mut found = Vec::new();
    for (at, op) in ops.iter().enumerate().filter(|(_, op)| !matches!(op, Op::Close)) {
        let whole = [&ops[..at], &ops[program.after(at)..]].concat();
        found.extend(Program::new(whole).ok().map(|program| (at, program)));
        if matches!(op, Op::Open(_)) {
            let close = program.close_of(at);
            let unwrapped = [&ops[..at], &ops[at + 1..close], &ops[close + 1..]].concat();
            found.extend(Program::new(unwrapped).ok().map(|program| (at, program)));
        }
    }
    found
}

/// The kernel's call sites: what breaks is what the findings say that name them.
#[test]
fn call_sites_of_findings_break_what_these_say() {
    let mut runner = Runner::new();
    let mut seen = 0;
    for finding in KNOWN {
        for name in finding.workloads {
            let workload = workload::find(name).unwrap_or_else(|| panic!("{}: {name}", finding.name));
            let program = workload.program(&Parameters::default()).unwrap_or_else(|bad| panic!("{name}: {bad}"));
            for (at, subject) in subjects(finding).filter(|(at, _)| SUBJECTS[*at].is_current()) {
                let judged = judged(&mut runner, at, &program);
                let named = judged.iter().any(|(_, by)| by.is_some_and(|by| by.name == finding.name));
                assert_eq!(named, finding.kind != Kind::Invisible, "{name} on {subject}: {judged:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

/// On every backend of 7.2 the contract holds for all call sites, but for what is known of them.
#[test]
fn call_sites_break_nothing_that_is_not_known() {
    let mut runner = Runner::new();
    for workload in workload::all() {
        for parameters in workload.cases() {
            let program = workload.program(&parameters).unwrap_or_else(|bad| panic!("{}: {bad}", workload.name));
            for (at, subject) in SUBJECTS.iter().enumerate().filter(|(_, subject)| subject.is_current()) {
                let broken = left(&mut runner, at, &program);
                let name = format!("{}{parameters} on {}", workload.name, subject.name);
                assert_eq!(broken, 0, "{name}: {}", broken_text(broken));
            }
        }
    }
}

/// Legal programs on every subject: nothing breaks that is not explained, violation by violation.
#[test]
fn legal_programs_break_nothing_that_is_not_known() {
    let mut runner = Runner::new();
    for (length, count) in [(24, 150), (64, 100)] {
        for seed in 0..count {
            let program = generate::legal(seed, length);
            for (at, subject) in SUBJECTS.iter().enumerate() {
                let broken = runner.summary(at, Port::Model, &program).broken;
                let left = left(&mut runner, at, &program);
                assert_eq!(broken & MISUSED, 0, "seed {seed}, length {length} is legal");
                assert_eq!(left, 0, "seed {seed}, length {length} on {}: {}", subject.name, broken_text(left));
            }
        }
    }
}

/// Programs that keep to no rules, and mutants of legal ones: what is a subject's own fault is explained.
#[test]
fn other_programs_break_nothing_that_is_not_known() {
    let mut runner = Runner::new();
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mutant = mutate(&generate::legal(seed, 24), &mut random, 64);
        for program in [generate::any(seed, 24), mutate(&mutant, &mut random, 64)] {
            for (at, subject) in SUBJECTS.iter().enumerate() {
                let left = left_of_any(&mut runner, at, &program);
                assert_eq!(left, 0, "seed {seed} on {}: {}\n{program}", subject.name, broken_text(left));
            }
        }
    }
}

#[test]
fn the_list_is_as_reviewed() {
    settings().bind(|| insta::assert_snapshot!("known__list", list()));
}
