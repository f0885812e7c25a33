//! Signatures, smallest programs and the artefacts' text.

use super::*;
use crate::contract::legality::{How, Misuse};
use crate::program::generate;
use crate::program::text::parse;
use crate::subject::Env;
use crate::trace::Call;
use crate::zoo::bent::{Bend, Bent};

fn violation(invariant: Invariant, event: usize) -> Violation {
    Violation { invariant, event, text: String::new() }
}

/// The signature of a program's run on a faithful backend, had it broken these invariants at these events.
fn signed(text: &str, violations: &[(Invariant, usize)], misuse: Option<u32>) -> Option<String> {
    let program = parse(text).unwrap();
    let suspect = Suspect::find("counted/none").unwrap();
    let mut runner = Runner::new();
    let (events, _) = suspect.run(&mut runner, &program);
    let violations = violations.iter().map(|&(invariant, event)| violation(invariant, event)).collect();
    let misuse = misuse.map(|op| Misuse { op, how: How::Underflow });
    let since = misuse.and_then(|misuse| events.iter().position(|event| event.op == misuse.op));
    let verdict = Verdict { violations, misuse, since, ..Verdict::default() };
    signature("counted/none", &program, events, &verdict).map(|signature| signature.to_string())
}

/// The first event of an operation.
fn event_of(text: &str, op: u32) -> usize {
    let mut runner = Runner::new();
    let (events, _) = Suspect::find("counted/none").unwrap().run(&mut runner, &parse(text).unwrap());
    events.iter().position(|event| event.op == op).unwrap()
}

#[test]
fn the_earliest_violation_that_is_the_subjects_own_counts() {
    use Invariant::{I2, I3, I9, Model};
    let text = "enable; query; disable; disable; query";
    let at = |op| event_of(text, op);
    for (violations, misuse, expected) in [
        (vec![(I3, at(2)), (I9, at(1))], None, Some("I9 at query on counted/none")),
        (vec![(I9, at(1)), (I3, at(1))], None, Some("I3 at query on counted/none")),
        (vec![(I2, at(4)), (Model, at(4))], Some(3), Some("model at query on counted/none")),
        (vec![(I2, at(3)), (I3, at(4))], Some(3), None),
        (vec![(I2, at(2)), (I3, at(4))], Some(3), Some("I2 at disable on counted/none")),
        (vec![(I2, 999)], None, Some("I2 at end on counted/none")),
        (vec![], None, None),
    ] {
        assert_eq!(signed(text, &violations, misuse).as_deref(), expected, "{violations:?} {misuse:?}");
    }
}

/// A program that ends in a section of its own leaves the counters where they are: no fault of the subject. One whose
/// calls balance, and whose counters do not, is.
#[test]
fn what_the_program_left_open_is_its_own() {
    let mut runner = Runner::new();
    for (subject, text) in [
        ("counted/none", "enable"),
        ("counted/sparc64", "enable; pause"),
        ("counted/none", "enable; exit T0"),
        ("counted/none", "switch T1; pause; switch T0; exit T1"),
    ] {
        let found = Suspect::find(subject).unwrap().signature(&mut runner, &parse(text).unwrap());
        assert_eq!(found, None, "{subject}: {text}");
    }
    let base = registry::find("nesting-v4/none").unwrap();
    let program = parse("enable; enable; disable; disable").unwrap();
    let subject = Bent::new(base.make(Port::Model), InnerEndLost);
    let (events, verdict) = runner.run_on(&subject, base.rules(), &program);
    let found = signature("bent", &program, events, &verdict).map(|signature| signature.to_string());
    assert_eq!(found.as_deref(), Some("I1 at end on bent"));
}

/// The end of a nested section does not reach the generation.
struct InnerEndLost;

impl Bend for InnerEndLost {
    fn call(&self, to: &dyn Subject, env: &mut dyn Env, call: Call) {
        if call != Call::Disable || to.counters(env.current()).enable < 2 {
            to.call(env, call);
        }
    }
}

#[test]
fn operations_are_named_as_the_language_spells_them() {
    let program = parse(
        "set K 0 x3; irq { query }; enable between { preempt T1; irq { access K 0 }; switch T0 }; \
         between { query }; repeat 2 { tlb_flush K 0 }; task_pause T0 between { flush }",
    )
    .unwrap();
    let found: Vec<_> = (0..program.ops().len()).map(|at| keyword(&program, at)).collect();
    let between = ["enable-between"; 6];
    let expected: Vec<&str> = ["set", "irq", "query", "irq", "enable", "between"]
        .into_iter()
        .chain(between)
        .chain(["between", "query", "between", "repeat", "tlb_flush", "repeat"])
        .chain(["task_pause", "between", "task_pause-between", "task_pause-between"])
        .collect();
    assert_eq!(found, expected);
    assert_eq!(keyword(&program, 999), "end");
}

#[test]
fn names_are_safe_for_files_and_languages() {
    let signature =
        |subject: &str, op: &str| Signature { subject: subject.into(), invariant: Invariant::I3, op: op.into() };
    let plain = signature("counted/aarch64", "disable");
    assert_eq!(
        (plain.to_string().as_str(), plain.slug().as_str()),
        ("I3 at disable on counted/aarch64", "I3-disable-counted-aarch64")
    );
    let odd = signature("counted/x86_64-xen@7.0", "enable-between");
    assert_eq!(odd.slug(), "I3-enable-between-counted-x86_64-xen-7.0");
    assert_eq!(odd.identifier(), "i3_enable_between_counted_x86_64_xen_7_0");
}

/// A program that a specimen breaks, hidden among random operations, comes out small and with the same signature.
#[test]
fn what_is_found_in_the_zoo_becomes_small() {
    let mut runner = Runner::new();
    for (name, most) in [
        ("zoo/gen-nested-disable-no-flush", 6),
        ("zoo/sparc-batch-in-interrupt", 12),
        ("zoo/arm64-softirq-pte-mutant", 8),
        ("zoo/xen-mc-issue-mode-no-switch-flush", 8),
    ] {
        let suspect = Suspect::find(name).unwrap();
        let mut seen = 0;
        for seed in 0..4000 {
            let program = if seed % 2 == 0 { generate::legal(seed, 48) } else { generate::any(seed, 48) };
            let Some(before) = suspect.signature(&mut runner, &program) else { continue };
            let (small, signature) = suspect.minimised(&mut runner, &program).expect("it broke before");
            assert_eq!(signature, before, "{name}, seed {seed}");
            assert_eq!(suspect.signature(&mut runner, &small), Some(before), "{name}, seed {seed}:\n{small}");
            assert!(small.ops().len() <= most && !small.ops().is_empty(), "{name}, seed {seed}, {signature}:\n{small}");
            seen += 1;
            if seen == 6 {
                break;
            }
        }
        assert!(seen > 0, "{name}: no program broke it");
    }
}

#[test]
fn a_subject_that_remembers_gets_its_program_back() {
    let program = parse("enable; query; disable").unwrap();
    let mut runs = 0;
    // Fails in its first two runs alone.
    let found = minimised(&program, |_| {
        runs += 1;
        (runs <= 2).then(|| Signature { subject: "it".into(), invariant: Invariant::I1, op: "end".into() })
    });
    assert_eq!(found.map(|found| found.0), Some(program.clone()));
    assert_eq!(minimised(&program, |_| None), None);
}

#[test]
fn the_program_file_parses_back_and_says_what_it_is() {
    let small = parse("enable; irq { set K 0 }; disable").unwrap();
    let signature = Signature { subject: "zoo/x".into(), invariant: Invariant::I3, op: "disable".into() };
    let text = program::render(&small, &signature, "I3 visible-at-exit: K 0 is late.", "contract");
    assert_eq!(parse(&text).unwrap(), small);
    assert!(text.starts_with("# I3 visible-at-exit: K 0 is late.\n# Signature: I3 at disable on zoo/x. "), "{text}");
    assert_eq!(program::suggested_name(&signature), "found/I3-disable-zoo-x");
    // A long verdict is wrapped, every line of it a comment.
    let long = program::render(&small, &signature, &"word ".repeat(60), "contract");
    assert!(parse(&long).unwrap() == small && long.lines().all(|line| line.len() <= report::WIDTH), "{long}");
}
