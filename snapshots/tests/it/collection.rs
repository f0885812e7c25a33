//! Each program of the collection: its generic events, every subject's verdict, and what each backend does.

use std::collections::{BTreeMap, BTreeSet};

use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Block, Op, Program};
use lazy_mmu_engine::registry::{Descriptor, GenerationName, SUBJECTS};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::Event;
use lazy_mmu_snapshots::known::KNOWN;
use lazy_mmu_snapshots::{Entry, PROGRAMS, render};

use crate::settings;

fn each(mut f: impl FnMut(&Entry, &Program, &mut Runner)) {
    let mut runner = Runner::new();
    for entry in PROGRAMS {
        let program = parse(entry.text).unwrap_or_else(|error| panic!("programs/{}.lmm:{error}", entry.name));
        f(entry, &program, &mut runner);
    }
}

#[test]
fn generic_events_and_verdicts_are_as_reviewed() {
    each(|entry, program, runner| {
        let name = entry.name.replace('/', "__");
        settings().bind(|| insta::assert_snapshot!(name, render::program(runner, program)));
    });
}

#[test]
fn backends_do_what_is_reviewed() {
    each(|entry, program, runner| {
        let own = render::architectures(runner, program, entry.name.starts_with("streams/"));
        if !own.is_empty() {
            let name = format!("arch__{}", entry.name.replace('/', "__"));
            settings().bind(|| insta::assert_snapshot!(name, own));
        }
    });
}

/// Programs whose generic events differ on a backend, and why. Each must still differ.
const EXEMPT: &[(&str, &str, &str)] = &[
    ("consequences/4-task-forms-act-on-this-cpu", "x86_64-xen", PAUSED_AWAY),
    ("rows/tp-task-pause", "x86_64-xen", PAUSED_AWAY),
    ("rows/tp-task-pause-another-task", "x86_64-xen", PAUSED_AWAY),
    ("rows/tq-task-query", "x86_64-xen", PAUSED_AWAY),
    ("chains/08-preemptible-kernel-sections", "x86_64-xen", RESUMED_NEW),
    ("known/xen-new-task", "x86_64-xen", RESUMED_NEW),
    ("tasks/fork-outside", "x86_64-xen", RESUMED_NEW),
    ("tasks/fork-of-a-fork", "x86_64-xen", RESUMED_NEW),
    ("tasks/fork-inside", "x86_64-xen", RESUMED_NEW),
];
const PAUSED_AWAY: &str = "the switch hooks of 7.2 keep a task paused while it is away, and the program looks there";
const RESUMED_NEW: &str = "a new task is resumed without ever having been paused (known/xen-new-task)";

/// Rule 9: the same program gives the same generic events on every backend of a generation. Where the program has blocks
/// that some architectures leave out, it is the same program only where the same ones are left out.
#[test]
fn generic_events_are_the_same_on_every_backend() {
    each(|entry, program, runner| {
        for generation in [GenerationName::Counted, GenerationName::NestingV3, GenerationName::NestingV4] {
            let mut first: BTreeMap<Vec<bool>, (Vec<Event>, &str)> = BTreeMap::new();
            for (at, subject) in SUBJECTS.iter().enumerate().filter(|(_, s)| s.generation == generation) {
                let (events, _) = runner.run(at, Port::Model, program);
                if events.iter().any(|event| matches!(event.what, lazy_mmu_engine::trace::What::Bug(_))) {
                    continue; // A dead kernel does nothing more.
                }
                let generic: Vec<Event> = events.iter().filter(|event| event.is_generic()).copied().collect();
                match first.get(&done_blocks(program, subject)) {
                    None => {
                        first.insert(done_blocks(program, subject), (generic, subject.backend));
                    }
                    Some((expected, backend)) => {
                        let exempt = generation == GenerationName::Counted
                            && EXEMPT.iter().any(|e| (e.0, e.1) == (entry.name, subject.backend));
                        let same = &generic == expected;
                        assert_eq!(same, !exempt, "{}: {} and {backend}, exempt: {exempt}", entry.name, subject.name);
                    }
                }
            }
        }
    });
}

/// Which of the program's `on` blocks the subject does.
fn done_blocks(program: &Program, subject: &Descriptor) -> Vec<bool> {
    let mmu = subject.make(Port::Model).mmu();
    let blocks = program.ops().iter().filter_map(|op| if let Op::Open(Block::On(of)) = op { Some(*of) } else { None });
    blocks.map(|of| of == mmu).collect()
}

#[test]
fn negative_controls_are_silent_on_every_backend_of_the_counted_generation() {
    let mut seen = 0;
    each(|entry, program, runner| {
        if entry.name.starts_with("negative/") {
            seen += 1;
            for (at, subject) in SUBJECTS.iter().enumerate() {
                let current = subject.generation == GenerationName::Counted && !subject.backend.contains('@');
                if current {
                    let (_, verdict) = runner.run(at, Port::Model, program);
                    assert!(verdict.holds(), "{} on {}: {verdict:?}", entry.name, subject.name);
                }
            }
        }
    });
    assert_eq!(seen, 12, "the twelve negative controls of the specification");
}

#[test]
fn the_collection_holds_what_it_must() {
    let family = |name: &str| PROGRAMS.iter().filter(|entry| entry.name.starts_with(name)).count();
    // Rows E1-E5, D1-D5, P1-P5, R1-R5, Q1, Q2, TQ, TP and TR, these in task and in interrupt context, and on a task that is away.
    assert_eq!(family("rows/"), 26);
    assert_eq!(family("consequences/"), 9);
    assert_eq!(family("vectors/"), 7);
    assert_eq!(family("kunit/"), 1);
    assert_eq!(family("known/"), KNOWN.len());
    let chains: BTreeSet<_> =
        PROGRAMS.iter().filter_map(|entry| entry.name.strip_prefix("chains/")?.get(..2)).collect();
    assert_eq!(chains.len(), 10);
}

#[test]
fn every_program_says_what_it_is_about() {
    for entry in PROGRAMS {
        assert!(entry.about().ends_with('.'), "programs/{}.lmm has no leading comment", entry.name);
    }
}
