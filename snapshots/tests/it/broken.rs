//! The zoo against its programs: on each specimen its program breaks the invariant that it must, and shows it; on its fix
//! that holds. The table of them all is `snaps/zoo__table.snap`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lazy_mmu_engine::contract::{Invariant, Verdict};
use lazy_mmu_engine::finding::keyword;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::timeline;
use lazy_mmu_engine::zoo::judge::{Found, Trial};
use lazy_mmu_engine::zoo::{self, Specimen};
use lazy_mmu_snapshots::PROGRAMS;

use crate::settings;

/// Specimens that break something else first, what, and why no program avoids it.
const SOMETHING_FIRST: &[(&str, Invariant, &str)] = &[];

/// Each specimen with its program.
fn each(mut f: impl FnMut(&'static Specimen, &Program)) {
    for specimen in zoo::all() {
        let entry = lazy_mmu_snapshots::find(specimen.program);
        let entry = entry.unwrap_or_else(|| panic!("{}: no program {}", specimen.name, specimen.program));
        let program = parse(entry.text).unwrap_or_else(|error| panic!("programs/{}.lmm:{error}", entry.name));
        f(specimen, &program);
    }
}

/// How its program kills it: by the invariant that the specimen names.
fn killed(specimen: &'static Specimen, program: &Program) -> Found {
    let found = Trial::new(specimen).of(program, specimen.breaks);
    found.unwrap_or_else(|| panic!("{} survives {}", specimen.name, specimen.program))
}

/// What its program, or what the caller makes of it when it is right, breaks on its fix.
fn on_fix(runner: &mut Runner, specimen: &Specimen, program: &Program) -> Verdict {
    let program = specimen.fixed_program_of(program);
    runner.run_on(&*specimen.make_fixed(Port::Model), specimen.fixed().rules(), &program).1
}

/// The name of the operation at which it was found.
fn at(specimen: &Specimen, program: &Program, found: Found) -> String {
    found.op.map_or_else(|| "end".to_owned(), |op| keyword(&specimen.program_of(program), op as usize))
}

#[test]
fn what_breaks_on_a_specimen_is_as_reviewed() {
    let mut runner = Runner::new();
    each(|specimen, program| {
        let program = specimen.program_of(program);
        let (events, verdict) = runner.run_on(&*specimen.make(Port::Model), specimen.rules(), &program);
        let reader = specimen.base().make(Port::Model);
        let shown = timeline::render(&program, &*reader, events, &verdict);
        let text = format!("{}\n\n{shown}\n{}", specimen.name, timeline::conclusion(&verdict, program.ops()));
        let name = specimen.name.replace('/', "__");
        settings().bind(|| insta::assert_snapshot!(name, text));
    });
}

/// Which program kills which defect, by what and where; and where the defect comes from.
#[test]
fn the_table_is_as_reviewed() {
    let mut text = format!(
        "{:45} {:45} {:9} {:16} {:13} {:5} generation\n",
        "defect", "program", "invariant", "operation", "status", "grade"
    );
    each(|specimen, program| {
        let found = killed(specimen, program);
        let history = specimen.history;
        let _ = writeln!(
            text,
            "{:45} {:45} {:9} {:16} {:13} {:5} {}",
            specimen.name,
            specimen.program,
            found.invariant.id(),
            at(specimen, program, found),
            history.status.name(),
            history.grade.name(),
            history.lived
        );
    });
    settings().bind(|| insta::assert_snapshot!("zoo__table", text));
}

#[test]
fn each_specimen_breaks_its_invariant_first() {
    each(|specimen, program| {
        let first = Trial::new(specimen).run(program).map(|found| found.invariant);
        let other = SOMETHING_FIRST.iter().find(|other| other.0 == specimen.name);
        let expected = other.map_or(specimen.breaks, |other| other.1);
        assert_eq!(first, Some(expected), "{}", specimen.name);
        let on_the_way = killed(specimen, program);
        assert_eq!(on_the_way.invariant, specimen.breaks, "{}", specimen.name);
    });
}

#[test]
fn the_fix_holds() {
    let mut runner = Runner::new();
    each(|specimen, program| {
        let verdict = on_fix(&mut runner, specimen, program);
        assert_eq!(verdict, Verdict::default(), "{} on {}", specimen.program, specimen.fixed);
    });
}

#[test]
fn every_broken_program_belongs_to_a_specimen() {
    let shown: BTreeSet<_> = zoo::all().map(|specimen| specimen.program).collect();
    let there: BTreeSet<_> = PROGRAMS.iter().map(|entry| entry.name).filter(|n| n.starts_with("broken/")).collect();
    assert_eq!(shown, there);
}
