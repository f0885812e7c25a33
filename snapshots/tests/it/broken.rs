//! The zoo against its programs: on each specimen its program breaks the invariant that it must, and shows it; on its fix
//! that holds. The table of them all is `snaps/zoo__table.snap`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lazy_mmu_arches::x86_64::XenStateless;
use lazy_mmu_engine::adapter::Ours;
use lazy_mmu_engine::contract::{Invariant, Verdict};
use lazy_mmu_engine::finding::keyword;
use lazy_mmu_engine::generations::Counted;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::minimise::minimise;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::registry;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::{Port, Subject};
use lazy_mmu_engine::timeline;
use lazy_mmu_engine::trial::{Kill, Trial};
use lazy_mmu_engine::zoo::{self, Specimen};
use lazy_mmu_snapshots::PROGRAMS;

use crate::settings;

/// Specimens that break something else first, what, and why no program avoids it.
const SOMETHING_FIRST: &[(&str, Invariant, &str)] = &[
    (
        "zoo/xen-cpa-irq-in-lazy",
        Invariant::I4,
        "the entry is used before the handler ends, where the batch is looked at",
    ),
    ("zoo/arm64-nest-debug-pagealloc", Invariant::I2, "before 7.0 a nested enter is no pair"),
    ("zoo/arm64-inner-leave-kills-batching", Invariant::I2, "before 7.0 a nested enter is no pair"),
    ("zoo/arm64-paused-enable-activates", Invariant::Model, "the model has no count that a pause lets through"),
    ("zoo/gen-u8-overflow-disable", Invariant::I2, "its flush comes outside a section"),
    ("zoo/gen-double-disable", Invariant::I2, "its flush comes outside a section"),
    ("zoo/gen-pause-outside-section", Invariant::I15, "it warns before it leaves"),
    ("zoo/xen-flush-preempt-window", Invariant::I6, "the batch is left behind before the flush misses it"),
    ("zoo/gen-pause-twice", Invariant::I15, "it warns of the second pause before it leaves again"),
    ("zoo/gen-helpers-before-counters", Invariant::I2, "the second leave comes before the resume that enters"),
];

/// Whose program is a misuse: the defect is how its subject takes that, and the fix takes it otherwise.
const ABOUT_MISUSE: &[&str] = &["zoo/gen-vmbugon"];

/// Whose program is longer than what kills it, and what the rest is for.
const TOLD_WHOLE: &[(&str, &str)] = &[
    ("zoo/gen-pause-twice", "outside a section one pause does as well: that is gen-pause-outside-section"),
    ("zoo/gen-helpers-before-counters", "as gen-pause-twice, with which it shares the program"),
];

/// What a fix breaks itself, and why.
const FIX_BREAKS: &[(&str, Invariant, &str)] = &[
    ("zoo/ppc-switch-reactivate-lost", Invariant::I7, "before 6.1 preemption was on in a section"),
    ("zoo/ppc-switch-reactivate-unflushed", Invariant::I7, "before 6.1 preemption was on in a section"),
];

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
fn killed(specimen: &'static Specimen, program: &Program) -> Kill {
    let found = Trial::new(specimen).of(program, specimen.breaks);
    found.unwrap_or_else(|| panic!("{} survives {}", specimen.name, specimen.program))
}

/// What its program, or what the caller makes of it when it is right, breaks on its fix.
fn on_fix(runner: &mut Runner, specimen: &Specimen, program: &Program) -> Verdict {
    let program = specimen.fixed_program_of(program);
    runner.run_on(&*specimen.make_fixed(Port::Model), specimen.fixed().rules(), &program).1
}

/// Whether nothing broke on the fix, but for what it is known to break itself, and what the program misuses where the defect
/// is about that.
fn is_silent(specimen: &Specimen, verdict: &Verdict) -> bool {
    if ABOUT_MISUSE.contains(&specimen.name) {
        return verdict.violations.iter().all(|violation| violation.invariant != specimen.breaks);
    }
    let known = |invariant| FIX_BREAKS.iter().any(|known| known.0 == specimen.name && known.1 == invariant);
    let mut left = verdict.clone();
    left.violations.retain(|violation| !known(violation.invariant));
    left == Verdict::default()
}

/// What its program breaks first.
fn breaks_first(specimen: &Specimen) -> Invariant {
    let other = SOMETHING_FIRST.iter().find(|other| other.0 == specimen.name);
    other.map_or(specimen.breaks, |other| other.1)
}

/// The name of the operation at which it was found.
fn at(specimen: &Specimen, program: &Program, found: Kill) -> String {
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
        let text = format!("{}\n\n{shown}\n{}", specimen.name, timeline::conclusion(&verdict, &program));
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
        assert_eq!(first, Some(breaks_first(specimen)), "{}", specimen.name);
        let on_the_way = killed(specimen, program);
        assert_eq!(on_the_way.invariant, specimen.breaks, "{}", specimen.name);
    });
}

#[test]
fn the_fix_holds() {
    let mut runner = Runner::new();
    each(|specimen, program| {
        let verdict = on_fix(&mut runner, specimen, program);
        assert!(is_silent(specimen, &verdict), "{} on {}: {verdict}", specimen.program, specimen.fixed);
        for (_, known, _) in FIX_BREAKS.iter().filter(|known| known.0 == specimen.name) {
            let broken = verdict.violations.iter().any(|violation| violation.invariant == *known);
            assert!(broken, "{}: its fix holds", specimen.name);
        }
    });
}

/// No operation can be left out, but where the whole story is told: what is left would not kill it there, or would break something else before, or something on
/// the fix.
#[test]
fn the_programs_are_minimal() {
    let mut too_long = String::new();
    each(|specimen, program| {
        let (mut trial, mut runner) = (Trial::new(specimen), Runner::new());
        let where_it_is = at(specimen, program, killed(specimen, program));
        let small = minimise(program, |candidate| {
            let found = trial.of(candidate, specimen.breaks);
            let there = found.is_some_and(|found| at(specimen, candidate, found) == where_it_is);
            let first = trial.run(candidate).is_some_and(|found| found.invariant == breaks_first(specimen));
            there && first && is_silent(specimen, &on_fix(&mut runner, specimen, candidate))
        });
        let whole = TOLD_WHOLE.iter().any(|told| told.0 == specimen.name);
        if (small.ops().len() != program.ops().len()) != whole {
            too_long.push_str(&format!("{}, {}:\n{small}\n", specimen.program, specimen.name));
        }
    });
    assert!(too_long.is_empty(), "these do as well:\n{too_long}");
}

/// Both merged fixes of 2026 are silent on the four windows, and so is the thread flag of its own that Xen had before 7.0.
#[test]
fn every_fix_of_the_windows_holds() {
    let mut runner = Runner::new();
    for call in ["enable", "disable", "pause", "resume"] {
        let entry = lazy_mmu_snapshots::find(&format!("broken/xen-switch-mid{call}")).expect("a program");
        let program = parse(entry.text).expect("a program");
        let own_flag: Box<dyn Subject> = Box::new(Ours::<Counted, XenStateless>::new(Port::Model));
        let merged =
            ["counted/x86_64-xen@7.1", "counted/x86_64-xen"].map(|name| registry::find(name).expect("a subject"));
        let fixes = merged.map(|fix| (fix.name, fix.make(Port::Model), fix.rules()));
        for (name, fix, rules) in fixes.into_iter().chain([("its own flag", own_flag, merged[0].rules())]) {
            let verdict = runner.run_on(&*fix, rules, &program).1;
            assert_eq!(verdict, Verdict::default(), "{call} on {name}");
        }
    }
}

#[test]
fn every_broken_program_belongs_to_a_specimen() {
    let shown: BTreeSet<_> = zoo::all().map(|specimen| specimen.program).collect();
    let there: BTreeSet<_> = PROGRAMS.iter().map(|entry| entry.name).filter(|n| n.starts_with("broken/")).collect();
    assert_eq!(shown, there);
}
