//! The zoo against its programs: on each specimen its program breaks the invariant that it must, first, and shows it; on
//! the faithful subject it breaks nothing.

use std::collections::BTreeSet;

use lazy_mmu_engine::contract::Verdict;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::{Event, timeline};
use lazy_mmu_engine::zoo::{self, Specimen};
use lazy_mmu_snapshots::PROGRAMS;

use crate::settings;

/// Each specimen with its program.
fn each(mut f: impl FnMut(&Specimen, &Program)) {
    for specimen in zoo::all() {
        let entry = lazy_mmu_snapshots::find(specimen.program);
        let entry = entry.unwrap_or_else(|| panic!("{}: no program {}", specimen.name, specimen.program));
        let program = parse(entry.text).unwrap_or_else(|error| panic!("programs/{}.lmm:{error}", entry.name));
        f(specimen, &program);
    }
}

fn run<'r>(runner: &'r mut Runner, specimen: &Specimen, program: &Program) -> (&'r [Event], Verdict) {
    runner.run_on(&*specimen.make(Port::Model), specimen.rules(), program)
}

#[test]
fn what_breaks_on_a_specimen_is_as_reviewed() {
    let mut runner = Runner::new();
    each(|specimen, program| {
        let (events, verdict) = run(&mut runner, specimen, program);
        let reader = specimen.base().make(Port::Model);
        let shown = timeline::render(program, &*reader, events, &verdict);
        let text = format!("{}\n\n{shown}\n{}", specimen.name, timeline::conclusion(&verdict, program.ops()));
        let name = format!("zoo__{}", specimen.program.replace('/', "__"));
        settings().bind(|| insta::assert_snapshot!(name, text));
    });
}

/// Of what breaks at the same event the first in the order of the invariants counts.
#[test]
fn each_specimen_breaks_its_invariant_first() {
    let mut runner = Runner::new();
    each(|specimen, program| {
        let (_, verdict) = run(&mut runner, specimen, program);
        let first = verdict.violations.iter().min_by_key(|violation| (violation.event, violation.invariant));
        assert_eq!(first.map(|first| first.invariant), Some(specimen.breaks), "{}: {verdict}", specimen.name);
        assert_eq!((verdict.misuse, verdict.cut), (None, None), "{}", specimen.name);
    });
}

#[test]
fn the_faithful_subject_holds() {
    let mut runner = Runner::new();
    each(|specimen, program| {
        let faithful = specimen.base().make(Port::Model);
        let (_, verdict) = runner.run_on(&*faithful, specimen.rules(), program);
        assert_eq!(verdict, Verdict::default(), "{} on {}", specimen.program, specimen.faithful);
    });
}

#[test]
fn every_broken_program_belongs_to_a_specimen() {
    let shown: BTreeSet<_> = zoo::all().map(|specimen| specimen.program).collect();
    let there: BTreeSet<_> = PROGRAMS.iter().map(|entry| entry.name).filter(|n| n.starts_with("broken/")).collect();
    assert_eq!(shown, there);
}
