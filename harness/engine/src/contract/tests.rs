//! Oracles on whole programs: which invariants a program breaks on a subject. Each oracle's own breaking and
//! non-breaking programs are in the table; what needs a subject that misbehaves is done to the trace itself.

use super::*;
use crate::machine::Machine;
use crate::program::text::parse;
use crate::subject::{Port, registry};
use crate::trace::{Counters, Hook, What};

fn trace(subject: &str, program: &str) -> (Vec<Event>, Rules) {
    let descriptor = registry::find(subject).expect("a known subject");
    let program = parse(program).expect("a program");
    let events = Machine::new().run(&*descriptor.make(Port::Model), &program).to_vec();
    (events, descriptor.generation.rules())
}

fn verdict(subject: &str, program: &str) -> String {
    let (events, rules) = trace(subject, program);
    judge(&events, rules).to_string()
}

#[test]
fn programs_and_what_they_break() {
    #[rustfmt::skip]
    let cases = [
        ("counted/none", "enable; enable; disable; pause; resume; disable", "holds"),
        ("counted/none", "irq { enable; disable }; bh_off; enable; disable; bh_on", "holds"),
        // I1: left open, and wrapped. The warning came, so I15 holds.
        ("counted/none", "enable; set K 1", "breaks I1"),
        ("counted/none", "disable", "breaks I1 I2"),
        ("counted/none", "resume; pause", "breaks I1"),
        ("counted/none", "repeat 256 { enable }", "breaks I1"),
        // I2, I12 and I15 by design of other generations.
        ("stateless/aarch64", "enable; enable; disable; disable", "breaks I2 I12"),
        ("stateless/aarch64", "enable; set K 1; disable", "holds"),
        ("stateless/aarch64", "enable; irq { enable; disable }; disable", "holds"),
        ("stateless/powerpc64-hash", "enable; irq { enable; disable }; disable", "breaks I2 I12"),
        // Nobody is left in the mode, whoever was to blame; a mode that is gated off is nobody's.
        ("stateless/aarch64", "enable; bh_off; disable; bh_on", "breaks I1"),
        ("stateless/powerpc64-hash", "irq { enable }", "breaks I1"),
        ("stateless/powerpc64-hash", "enable; switch T1; enable; disable; switch T0; disable", "breaks I2 I12"),
        ("stateless/none", "enable; enable; disable; disable", "holds"),
        ("token/powerpc64-hash", "enable; enable; disable; disable", "holds"),
        ("token/aarch64", "enable; irq { enable; disable }; disable", "holds"),
        // A handler's token is its own: the task leaves with the one it got.
        ("token/powerpc64-hash", "enable; irq { enable }; disable; query", "holds"),
        ("token/none", "enable; enable; disable; disable", "holds"),
        ("nesting-v3/none", "pause; resume", "breaks I2 I15"),
        ("nesting-v4/none", "enable; pause; enable; disable; resume; disable", "breaks I2 I15"),
        ("nesting-v4/none", "enable; pause; resume; disable", "holds"),
        ("nesting-v3/none", "disable", "breaks I1 I2 I15"),
        // Consequence 5: a crossing is caught by the checker alone, until the counter wraps.
        ("counted/none", "enable; pause; enable; resume; disable; disable", "breaks I1 I2"),
        // I12: a task forked inside a section starts inside it.
        ("counted/none", "enable; fork T4; disable", "breaks I1 I12"),
        ("counted/none", "fork T4; switch T4; switch T0", "holds"),
    ];
    for (subject, program, expected) in cases {
        assert_eq!(verdict(subject, program), expected, "{subject}: {program}");
    }
}

/// Changes a good trace, and names what must break.
fn broken(program: &str, change: impl FnOnce(&mut Vec<Event>)) -> Vec<Invariant> {
    let (mut events, rules) = trace("counted/none", program);
    assert!(judge(&events, rules).holds(), "{program}");
    change(&mut events);
    judge(&events, rules).violations.iter().map(|violation| violation.invariant).collect()
}

fn find(events: &[Event], is: impl Fn(&What) -> bool) -> usize {
    events.iter().position(|event| is(&event.what)).expect("the event is there")
}

#[test]
fn a_subject_that_misbehaves_is_caught() {
    let section = "enable; enable; disable; disable";
    let wrong_hook = broken(section, |events| {
        let at = find(events, |what| matches!(what, What::Hook(Hook::Flush, _)));
        events[at].what = What::Hook(Hook::Leave, true);
    });
    assert_eq!(wrong_hook, [Invariant::I2, Invariant::Model]);
    let no_flush = broken(section, |events| {
        let at = find(events, |what| matches!(what, What::Hook(Hook::Flush, _)));
        events.remove(at);
    });
    assert_eq!(no_flush, [Invariant::Model]);
    let noisy = broken(section, |events| {
        let warning = Event { what: What::Warn(lazy_mmu_core::kernel::WarnSite::Enable), ..events[0] };
        events.insert(1, warning);
    });
    assert_eq!(noisy, [Invariant::I15, Invariant::Model]);
}

#[test]
fn an_interrupt_that_disturbs_its_task_is_caught() {
    let counters = broken("enable; irq { query }; disable", |events| {
        let at = find(events, |what| matches!(what, What::Close(..)));
        events[at].what = What::Close(crate::program::Block::Irq, Counters { enable: 2, pause: 0, active: true });
    });
    assert_eq!(counters, [Invariant::I11]);
    let held = broken("enable; irq { query }; disable", |events| {
        let at = events.iter().rposition(|event| matches!(event.what, What::Held(_))).expect("a report");
        events[at].what = What::Held(lazy_mmu_arches::backend::Deferred { pending: false, entries: 3, digest: 5 });
    });
    assert_eq!(held, [Invariant::I11]);
}

#[test]
fn a_switch_that_changes_its_task_is_caught() {
    let changed = broken("enable; switch T1; switch T0; disable", |events| {
        let at = events.iter().rposition(|event| matches!(event.what, What::SwitchIn { .. })).expect("a switch");
        events[at].what = What::SwitchIn { prev: 1, counters: Counters { enable: 1, pause: 1, active: false } };
    });
    assert_eq!(changed, [Invariant::I12]);
    let mode = broken("enable; disable", |events| {
        let mark = Event { what: What::Mode { arch: true, task: Some(false) }, ..events[0] };
        events.push(mark);
    });
    assert_eq!(mode, [Invariant::I12]);
}

#[test]
fn a_missing_warning_is_caught() {
    let (mut events, rules) = trace("counted/none", "disable");
    let at = find(&events, |what| matches!(what, What::Warn(_)));
    events.remove(at);
    let broken: Vec<_> = judge(&events, rules).violations.iter().map(|violation| violation.invariant).collect();
    assert_eq!(broken, [Invariant::I1, Invariant::I2, Invariant::I15, Invariant::Model]);
}

#[test]
fn legal_programs_hold_where_nothing_is_deferred() {
    let subject = registry::find("counted/none").expect("a known subject");
    let made = subject.make(Port::Model);
    let mut machine = Machine::new();
    for seed in 0..2000 {
        let program = crate::program::generate::legal(seed, 40);
        let verdict = judge(machine.run(&*made, &program), subject.generation.rules());
        assert_eq!(verdict, Verdict::default(), "seed {seed}:\n{program}");
    }
}

#[test]
fn the_model_agrees_on_any_program() {
    let subject = registry::find("counted/none").expect("a known subject");
    let made = subject.make(Port::Model);
    let mut machine = Machine::new();
    for seed in 0..2000 {
        let program = crate::program::generate::any(seed, 60);
        let verdict = judge(machine.run(&*made, &program), subject.generation.rules());
        let model = verdict.violations.iter().find(|violation| violation.invariant == Invariant::Model);
        assert_eq!(model, None, "seed {seed}:\n{program}");
    }
}
