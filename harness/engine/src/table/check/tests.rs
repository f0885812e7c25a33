//! Every row is read; generated programs keep to the tables, and bent generations do not.

use super::*;
use crate::machine::Machine;
use crate::program::generate;
use crate::program::text::parse;
use crate::registry::{GenerationName, SUBJECTS};
use crate::subject::Port;
use crate::table::render;
use crate::zoo;

#[test]
fn every_row_of_every_table_is_read() {
    for generation in GenerationName::ALL {
        let text = render(generation);
        let rows = text.lines().filter(|line| CALLS.iter().any(|call| line.trim_start().starts_with(call)));
        let table = Table::parse(&text).unwrap_or_else(|bad| panic!("{bad}"));
        // The second heading begins with the word "call", no call's name.
        assert_eq!(table.rows(), rows.count(), "{}", generation.name());
    }
    assert!(Table::parse("counted:\ncall\nenable 0 0 nowhere - = = no -").is_err());
    assert!(Table::parse("token:\n\naarch64\n  enable somewhere task hook enter on +0").is_err());
    assert!(Table::parse("").is_err());
}

/// Whatever the program, every step of a faithful generation is its table's.
#[test]
fn generated_programs_keep_to_the_tables() {
    let mut machine = Machine::new();
    let tables = GenerationName::ALL.map(|generation| (generation, Table::parse(&render(generation))));
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..150 {
        let programs = [generate::any(seed, 40), generate::legal(seed, 40)];
        for (program, subject) in programs.iter().flat_map(|program| SUBJECTS.iter().map(move |s| (program, s))) {
            let (_, table) = tables.iter().find(|(generation, _)| *generation == subject.generation).expect("a table");
            let table = table.as_ref().unwrap_or_else(|bad| panic!("{bad}"));
            let events = machine.run(&*subject.make(Port::Model), program);
            let mismatch = table.check(subject.backend, events, &mut |row| {
                met.insert((subject.generation.name(), row));
            });
            assert_eq!(mismatch, None, "seed {seed}, {}:\n{program}", subject.name);
        }
    }
    assert!(met.len() > 150, "{} rows met", met.len());
}

/// A specimen whose generation is bent does not keep to the table.
#[test]
fn a_bent_generation_does_not_keep_to_its_table() {
    let mut machine = Machine::new();
    let mut caught = Vec::new();
    for specimen in zoo::all() {
        let base = specimen.base();
        let table = Table::parse(&render(base.generation)).unwrap_or_else(|bad| panic!("{bad}"));
        let subject = specimen.make(Port::Model);
        let found = (0..300).any(|seed| {
            let events = machine.run(&*subject, &generate::any(seed, 40));
            table.check(base.backend, events, &mut |_| {}).is_some()
        });
        if found {
            caught.push(specimen.name);
        }
    }
    assert!(caught.len() >= 2, "{caught:?}");
}

/// It keeps quiet too where the first time another task came between its halves, and no row was asked.
#[test]
fn a_warning_of_a_disturbed_call_is_spent() {
    let table = Table::parse(&render(GenerationName::Counted)).unwrap_or_else(|bad| panic!("{bad}"));
    let subject = SUBJECTS.iter().find(|s| s.name == "counted/x86_64-xen").expect("a known subject").make(Port::Model);
    for text in [
        "enable; repeat 2 { enable; bh_off; task_resume T0 between { switch T1 }; switch T1 }",
        // The switch hooks' call warns where the call that they came into did, and before it returns.
        "resume between { switch T1; resume }",
        "enable between { switch T1; resume; kasan_depopulate K 0 }",
        "task_resume T1; task_resume T1; repeat 2 { disable between { switch T1; pause } }",
        "disable; disable; task_resume T0 between { switch T1; resume }",
    ] {
        let events = Machine::new().run(&*subject, &parse(text).expect("a program")).to_vec();
        assert_eq!(table.check("x86_64-xen", &events, &mut |_| {}), None, "{text}");
    }
}

/// A call site that warned keeps quiet the next time; one that never did may not.
#[test]
fn a_warning_comes_once_per_call_site() {
    let table = Table::parse(&render(GenerationName::Counted)).unwrap_or_else(|bad| panic!("{bad}"));
    let subject = SUBJECTS.iter().find(|s| s.name == "counted/none").expect("a known subject").make(Port::Model);
    let program = parse("repeat 3 { disable; enable }").expect("a program");
    let mut machine = Machine::new();
    let events = machine.run(&*subject, &program).to_vec();
    assert_eq!(table.check("none", &events, &mut |_| {}), None);
    let silent: Vec<_> = events.into_iter().filter(|event| !matches!(event.what, What::Warn(_))).collect();
    let mismatch = table.check("none", &silent, &mut |_| {}).expect("the missing warning");
    assert_eq!(mismatch.state, "disable-0-0-task");
}
