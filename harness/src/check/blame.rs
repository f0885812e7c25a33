//! The failure of a subject that breaks what it must not: one violation, its smallest program, and the timeline.
//!
//! What it is not: who may break what is not decided here. Called by the host's runs ([`super::expected`]) and by
//! [`super::silent`].

use lazy_mmu_engine::contract::{Verdict, Violation};
use lazy_mmu_engine::finding::{first, signed};
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::minimise::minimise;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::timeline;
use lazy_mmu_engine::trace::Event;

use super::Failure;
use super::cause::Cause;

/// Why a run fails: the earliest of the violations that are wrong, and at which kind of operation it is.
#[must_use]
pub fn cause(program: &Program, events: &[Event], wrong: &[&Violation]) -> Option<Cause> {
    let violation = first(wrong.iter().copied())?;
    Some(Cause::Breaks(violation.invariant, signed("", program, events, violation).op))
}

/// The subject's faults in a run of this cause.
fn shows<'v>(cause: &Cause, program: &Program, events: &[Event], verdict: &'v Verdict) -> Option<&'v Violation> {
    let Cause::Breaks(invariant, op) = cause else { return None };
    let mut faults = verdict.faults();
    faults.find(|fault| fault.invariant == *invariant && signed("", program, events, fault).op == *op)
}

/// The smallest program of this cause on the subject at `at` of the registry, shown. `by` names what was run.
pub fn failure(runner: &mut Runner, at: usize, cause: &Cause, program: &Program, by: &str) -> Failure {
    // A legal program is made smaller only to legal programs: a misuse would draw attention to itself.
    let is_legal = runner.run(at, Port::Model, program).1.first_misuse().is_none();
    let small = minimise(program, |candidate| {
        let (events, verdict) = runner.run(at, Port::Model, candidate);
        shows(cause, candidate, events, &verdict).is_some() && !(is_legal && verdict.first_misuse().is_some())
    });
    shown(runner, at, cause, &small, by)
}

/// A program of this cause as it is.
pub fn shown(runner: &mut Runner, at: usize, cause: &Cause, program: &Program, by: &str) -> Failure {
    let subject = &SUBJECTS[at];
    let (events, verdict) = runner.run(at, Port::Model, program);
    let text = shows(cause, program, events, &verdict).map_or_else(String::new, |fault| format!(": {}", fault.text));
    let reader = subject.make(Port::Model);
    let timeline = timeline::render(program, &*reader, events, &verdict);
    let conclusion = timeline::conclusion(&verdict, program);
    Failure {
        what: format!("{} breaks {cause}{text}", subject.name),
        detail: format!("found by {by}; the smallest program:\n\n{program}\n{timeline}\n{conclusion}"),
        replay: Some(format!("cargo lazymmu run PROGRAM --subject {}", subject.name)),
        program: Some(program.to_string()),
        cause: cause.clone(),
        subject: Some(subject.name),
        size: Some(program.ops().len()),
    }
}
