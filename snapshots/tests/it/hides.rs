//! What is known hides nothing else: every specimen of the zoo and every older subject with a fault, through the path of
//! `fuzz contract`, with the known findings of the faithful subject applied.

use std::collections::BTreeSet;

use lazy_mmu_engine::contract::{Invariant, Violation};
use lazy_mmu_engine::fuzz::{LIMIT, unexplained};
use lazy_mmu_engine::program::generate::{self, Random};
use lazy_mmu_engine::program::mutate::mutate;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Program, minimise};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::What;
use lazy_mmu_engine::zoo::{self, Form, Specimen};
use lazy_mmu_snapshots::{find, known};

/// What is reported of a specimen by its own program, and what is explained.
struct Reported {
    /// The subject's own faults that nothing explains.
    unknown: BTreeSet<Invariant>,
    /// The findings that explain the others.
    known: BTreeSet<&'static str>,
    /// The program misuses the API, or leaves a section or pause open: its fault, which the verdict names.
    misuse: bool,
    dies: bool,
}

fn reported(runner: &mut Runner, specimen: &Specimen) -> Reported {
    let entry = find(specimen.program).unwrap_or_else(|| panic!("{}: {}", specimen.name, specimen.program));
    let program = parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
    let program = specimen.program_of(&program);
    runner.run_on(&*specimen.make(Port::Model), specimen.rules(), &program);
    let verdict = runner.judge_every(specimen.rules(), true);
    let faults: Vec<Violation> = verdict.faults().cloned().collect();
    let explained = known::names(specimen.base().name, runner.events(), &faults);
    let unknown = faults.iter().zip(&explained).filter(|(_, by)| by.is_none()).map(|(fault, _)| fault.invariant);
    let dies = runner.events().iter().any(|event| matches!(event.what, What::VmBug(_)));
    Reported {
        unknown: unknown.collect(),
        known: explained.iter().copied().flatten().collect(),
        misuse: verdict.misuse.is_some() || verdict.open.is_some(),
        dies,
    }
}

/// A specimen that is bent, a mutant, or bent of an older subject is reported by what it breaks; one that is an older
/// faithful subject, or a caller on one, is reported, or its finding is named; a caller's is reported, or its misuse is. Those
/// that are named are the snapshot `hides__zoo`.
#[test]
fn every_killer_of_the_zoo_is_reported() {
    let (mut runner, mut bad) = (Runner::new(), Vec::new());
    let (mut by_name, mut by_misuse) = (Vec::new(), Vec::new());
    for specimen in zoo::all() {
        let found = reported(&mut runner, specimen);
        let is_reported = found.unknown.contains(&specimen.breaks);
        let (name, breaks) = (specimen.name, specimen.breaks.id());
        match specimen.form {
            _ if is_reported => {}
            Form::Older(_) | Form::Caller(_) if !found.known.is_empty() => by_name.push((name, breaks, found.known)),
            // It dies of a misuse that it could have reported.
            Form::Older(_) if found.dies && found.misuse => by_misuse.push((name, breaks)),
            Form::Caller(_) if found.misuse => by_misuse.push((name, breaks)),
            _ => bad
                .push(format!("{name}: {breaks} is not reported; {:?}; explained by {:?}", found.unknown, found.known)),
        }
    }
    let lines = |name: &str, text: String| insta::assert_snapshot!(name, text);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    crate::settings().bind(|| {
        let named = by_name.iter().map(|(name, breaks, known)| {
            format!("{name} {breaks}: {}\n", known.iter().copied().collect::<Vec<_>>().join(", "))
        });
        let misused = by_misuse.iter().map(|(name, breaks)| format!("{name} {breaks}: misuse\n"));
        lines("hides__zoo", named.chain(misused).collect());
    });
}

/// A program of a search that starts from nothing: legal, arbitrary, and mutants of both.
fn program(seed: u64) -> Program {
    let base = if seed.is_multiple_of(2) { generate::legal(seed, 24) } else { generate::any(seed, 24) };
    let mut random = Random::new(seed);
    let times = if seed % 4 < 2 { 0 } else { 1 + seed % 5 };
    (0..times).fold(base, |program, _| mutate(&program, &mut random, 200))
}

/// Programs until a fault must be found.
const PATIENCE: u64 = 4000;

/// Every older subject with a fault breaks what its row says, in a program of a blind search, and what is known of the
/// faithful subject does not hide it; the smallest such program does not break it on the faithful subject.
#[test]
fn every_older_subject_with_a_fault_is_reported() {
    let mut runner = Runner::new();
    runner.set_limit(LIMIT);
    let mut missed = Vec::new();
    for row in zoo::older::OLDER {
        let (subject, base) = (row.make(), row.base());
        let mut breaks = |program: &Program| {
            if runner.run_to_misuse(&*subject, base.rules(), program).faults().next().is_none() {
                return false;
            }
            let verdict = runner.judge_every(base.rules(), true);
            let faults: Vec<Violation> = verdict.faults().cloned().collect();
            let by = known::names(base.name, runner.events(), &faults);
            faults.iter().zip(by).any(|(fault, by)| by.is_none() && fault.invariant == row.breaks)
        };
        let Some(first) = (0..PATIENCE).map(program).find(|program| breaks(program)) else {
            missed.push(format!("{} {:?}: {}", row.base, row.fault, row.breaks.id()));
            continue;
        };
        let small = minimise::minimise(&first, breaks);
        runner.run_on(&*base.make(Port::Model), base.rules(), &small);
        let faithful = unexplained(&mut runner, base.rules(), base.name, known::names);
        assert_eq!(faithful, None, "{} without its fault breaks something in\n{small}", row.base);
    }
    assert!(missed.is_empty(), "not found in {PATIENCE} programs:\n{}", missed.join("\n"));
}
