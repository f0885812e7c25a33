//! The whole space holds on the faithful subject, and what is seeded in the counters is found in it.

use lazy_mmu_engine::contract::judge;
use lazy_mmu_engine::machine::Machine;
use lazy_mmu_engine::registry::find;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::zoo;

use super::*;

/// Every value of both counters in each place, and nothing that the model or the table does not know.
#[test]
fn the_whole_space_of_the_counted_generation() {
    let subject = find("counted/none").expect("a known subject").make(Port::Model);
    let closed = close(&*subject, |_| ControlFlow::Continue(()));
    assert_eq!((closed.failure, closed.end), (None, End::Complete));
    assert_eq!(closed.values, (256, 256));
    let all = 256 * 256;
    // A section's calls have two halves outside pauses alone; the four that pause and resume always.
    let halves = 2 * 256 + 4 * all;
    assert_eq!(closed.states, [all, all, OTHERS.len() * all, halves, injections().count() * halves]);
    // Each call of the table in every state of its two contexts, and those with two halves once more when they go on.
    assert_eq!(closed.rows, (6 * 2 * all + halves) as u64);
}

/// What is bent in the counters alone.
fn bent_on_none() -> impl Iterator<Item = &'static zoo::Specimen> {
    zoo::all().filter(|specimen| {
        matches!(specimen.form, zoo::Form::Bent(_)) && specimen.rules().counted && specimen.base().backend == "none"
    })
}

/// A specimen is found in the space, by a program that shows it on the machine as well; one that is bent elsewhere is not.
#[test]
fn what_is_seeded_in_the_counters_is_found() {
    let mut found = Vec::new();
    for specimen in bent_on_none() {
        let subject = specimen.make(Port::Model);
        let closed = close(&*subject, |_| ControlFlow::Continue(()));
        let failure = closed.failure.unwrap_or_else(|| panic!("{} is not found", specimen.name));
        let mut machine = Machine::new();
        let verdict = judge(machine.run(&*subject, &failure.program), specimen.rules());
        let model = verdict.violations.iter().any(|violation| violation.invariant == Invariant::Model);
        assert!(model, "{}: {verdict}\n{}", specimen.name, failure.program);
        found.push(specimen.name);
    }
    assert_eq!(found, ["zoo/gen-pause-twice-mutant", "zoo/arm64-paused-enable-warn-mutant", "zoo/gen-order-v3-mutant"]);
}

/// The program of a transition makes that call in that state.
#[test]
fn a_transition_is_a_program() {
    let call = |call, task, interrupt, injection| Made { call, task, interrupt, injection };
    for (place, made, expected) in [
        (Place::Task, call(Call::Disable, SELF, false, None), "repeat 3 { enable }; repeat 2 { pause }; disable"),
        (
            Place::Interrupt,
            call(Call::TaskPause(SELF), SELF, true, None),
            "repeat 3 { enable }; repeat 2 { pause }; irq { task_pause T0 }",
        ),
        (
            Place::Away(1, 0),
            call(Call::Pause, OTHER, false, None),
            "repeat 3 { enable }; repeat 2 { pause }; switch T1; repeat 1 { enable }; pause",
        ),
        (
            Place::Between(Call::Pause, Some(Injection::Preempted(Call::TaskResume(SELF)))),
            call(Call::Pause, SELF, false, Some(Injection::Preempted(Call::TaskResume(SELF)))),
            "repeat 3 { enable }; repeat 2 { pause }; pause between { preempt T1; task_resume T0; preempt T0 }",
        ),
    ] {
        let state = State { enable: 3, pause: 2, place };
        assert_eq!(program(state, made), text::parse(expected).expect("a program"));
    }
}

/// A table that lacks a row, or says something else, is noticed.
#[test]
fn the_table_is_read_and_compared() {
    let text = lazy_mmu_snapshots::table("counted").expect("the reviewed table");
    assert!(Table::read(text).is_some());
    let lines: Vec<&str> = text.lines().collect();
    assert!(Table::read(&lines[..lines.len() - 1].join("\n")).is_none(), "a row is missing");
    let subject = find("counted/none").expect("a known subject").make(Port::Model);
    let mut walk = Walk {
        bench: Bench::new(&*subject),
        model: Model::default(),
        table: Table::read(&text.replacen("enter (active)  +1", "leave (active)  +1", 1)).expect("a table"),
        closed: Closed::default(),
        at: None,
    };
    walk.expand(&Node { state: State { enable: 0, pause: 0, place: Place::Task }, depth: 0 });
    let failure = walk.closed.failure.expect("a row that is another");
    assert!(failure.text.contains("leave (active)") && failure.text.contains("enter (active)"), "{}", failure.text);
}
