//! What is explained and what is not, violation by violation: on faithful subjects, and on those with a fault.

use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::registry;
use lazy_mmu_engine::zoo::older::OLDER;

use super::*;

fn at(subject: &str) -> usize {
    SUBJECTS.iter().position(|known| known.name == subject).expect("a subject of the registry")
}

/// `I2 nesting-pause-outside`, or `I3 -` where nothing explains it; each once, in order.
fn said(judged: Vec<(Violation, Option<&'static Finding>)>) -> Vec<String> {
    let one = |(violation, by): (Violation, Option<&'static Finding>)| {
        format!("{} {}", violation.invariant.id(), by.map_or("-", |finding| finding.name))
    };
    let mut all: Vec<_> = judged.into_iter().map(one).collect();
    all.dedup();
    all
}

#[test]
fn a_violation_is_explained_where_its_cause_has_happened() {
    let mut runner = Runner::new();
    for (subject, program, expected) in [
        // The same operations without the cause, and on a subject that no finding names.
        ("counted/x86_64-xen", "set U 0; enable; clear U 0; gather_flush U 0; disable", "I14 xen-gather-in-section"),
        ("counted/x86_64-xen", "set U 0; clear U 0; gather_flush U 0", ""),
        ("counted/aarch64", "set U 0; enable; clear U 0; gather_flush U 0; disable", ""),
        ("counted/x86_64-native", "alloc 3 debug; cpu 1; access K 1027; cpu 0; free 3 debug", "I14 pagealloc-one-cpu"),
        ("stateless/aarch64", "pause; resume; set K 0", "I2 early-pause-outside,I12 early-pause-outside"),
        ("counted/none", "enable; fork T4; disable", "I12 fork-in-section,I1 fork-in-section"),
    ] {
        let program = parse(program).expect("a program");
        let all = said(judged(&mut runner, at(subject), &program));
        let expected: Vec<_> = expected.split(',').filter(|one| !one.is_empty()).collect();
        let begins = all.iter().map(String::as_str).take(expected.len()).collect::<Vec<_>>() == expected;
        assert!(begins && all.is_empty() == expected.is_empty(), "{subject}: {program}: {all:?}");
    }
}

/// A fault is not explained by what else the program shows, before it or behind it.
#[test]
fn what_is_known_hides_no_fault() {
    let mut runner = Runner::new();
    for (base, fault, program, expected) in [
        ("nesting-v4/aarch64", "Lost([DsbIshst", "pause; resume; enable; disable; enable; set K 0; disable", "I3 -"),
        ("nesting-v4/aarch64", "Lost([DsbIshst", "enable; set K 0; disable; pause; resume", "I3 -"),
        (
            "stateless/powerpc64-hash",
            "OneOfTwo",
            "set V 0 x4; access V 0 x4; enable; enable; disable; disable; enable; clear V 0 x4; disable",
            "I3 -",
        ),
        ("counted/x86_64-xen@7.0", "Lost([HcMmuextOp", "set U 0; access U 0; clear U 0; tlb_flush U 0", "I9 -"),
    ] {
        let row = OLDER.iter().find(|row| row.base == base && format!("{:?}", row.fault).starts_with(fault));
        let row = row.unwrap_or_else(|| panic!("{base} with {fault}"));
        let program = parse(program).expect("a program");
        runner.run_on(&*row.make(), row.base().rules(), &program);
        let violations = runner.judge_every(row.base().rules(), true).violations;
        let findings = explain_all(base, runner.events(), &violations);
        let all = said(violations.into_iter().zip(findings).collect());
        assert!(all.iter().any(|one| one == expected), "{base} {fault}: {program}: {all:?}");
    }
}

/// A name that is none, and no violation at all.
#[test]
fn nothing_explains_what_is_not_there() {
    let mut runner = Runner::new();
    let program = parse("disable").expect("a program");
    let (events, verdict) = runner.run(at("counted/none"), Port::Model, &program);
    let first = &verdict.violations[0];
    assert_eq!(explain("counted/none", events, first).map(|by| by.name), Some("wrap-disable"));
    assert!(explain("zoo/none", events, first).is_none());
    assert!(explain_all("counted/none", events, &[]).is_empty());
    assert!(registry::find("counted/none").is_some());
}

/// Causes that act far from where they happened: each program is what a search has left.
#[test]
fn what_a_cause_leads_to_later_is_explained() {
    let mut runner = Runner::new();
    for (subject, program) in [
        // An update that should not wait goes out over, or under, a change that was made at once.
        ("stateless/x86_64-xen@6.6", "enable; enable; pause; set U 0; enable; wrprot U 0; disable"),
        ("token/x86_64-xen", "enable; pause; enable; clear U 0; bh_off; set U 0; bh_on; flush"),
        (
            "stateless/x86_64-xen",
            "enable; pause; enable; set U 0; irq { set U 0 }; disable; resume; wrprot U 0; disable",
        ),
        // Another task empties the batch.
        ("nesting-v4/powerpc64-hash", "pause; resume; set K 0; access K 0; set K 0; switch T1; flush"),
        ("nesting-v4/powerpc64-hash", "set U 0; access U 0; kasan_populate K 0; clear U 0; switch T1; fault 0"),
        // A token that was NESTED on another CPU.
        (
            "token/sparc64",
            "pause; resume; switch T1; enable; pause between { switch T0; migrate T1 1 }; resume; disable",
        ),
        // Bottom halves off for one end.
        ("stateless/x86_64-xen", "bh_off; enable; bh_on; set U 0"),
        ("token/x86_64-xen", "enable; bh_off; pause; bh_on; clear U 0"),
        ("nesting-v3/x86_64-xen", "enable; pause; enable; bh_off; disable; bh_on; resume; disable"),
        ("nesting-v3/x86_64-xen", "enable; pause; enable; bh_off; disable; bh_on; resume; disable; set U 0"),
        ("nesting-v4/sparc64", "enable; pause; bh_off; enable; bh_on; disable; resume"),
        ("nesting-v3/powerpc64-hash", "pause; bh_off; enable; bh_on; disable; resume; enable"),
        // A handler in a handler; a page freed, or an entry read, while an entry is late.
        ("stateless/sparc64", "enable; irq { set U 0 }; irq { irq { set U 0 } }"),
        ("token/powerpc64-hash", "set U 0; access U 0; enable; irq { irq { wrprot U 0 } }"),
        (
            "stateless/powerpc64-hash",
            "set U 0; access U 0; bh_off; kasan_depopulate K 0; set U 0; cpu 1; gather_flush U 0",
        ),
        (
            "token/x86_64-xen",
            "enable; pause; enable; set U 0; cpu 1; set U 0; cpu 0; alloc 0 debug; get U 0; disable; resume; disable",
        ),
        // Another task has begun and ended a section since; a section in which the task can be preempted.
        ("stateless/sparc64", "enable; bh_off; pause; bh_on; preempt T1; enable; disable; switch T0; disable"),
        ("stateless/powerpc64-hash", "set U 0; access U 0; bh_off; pause; bh_on; enable; wrprot U 0; preempt T1"),
        ("token/sparc64", "bh_off; pause; bh_on; enable; disable; enable between { preempt T1 }; disable"),
        // The 256th token.
        ("token/aarch64", "repeat 86 { pause; enable; disable; enable; enable; enable }"),
    ] {
        let program = parse(program).expect("a program");
        assert_eq!(left_of_any(&mut runner, at(subject), &program), 0, "{subject}: {program}");
    }
}

/// The mode was reported before the call that ends it, and nothing is reported while bottom halves are off.
#[test]
fn what_was_reported_before_a_call_is_not_left_on() {
    let program = parse("enable; disable between { bh_off }").expect("a program");
    assert!(judged(&mut Runner::new(), at("stateless/x86_64-xen"), &program).is_empty());
}
