//! What the machine does with programs, on the backend that defers nothing.

use super::*;
use crate::program::MAX_OPS;
use crate::program::text::parse;
use crate::subject::{Port, registry};
use crate::trace::{Event, line};

/// The generic events of a program, one per line, `op cpu task event`.
fn generic(subject: &str, program: &str) -> Vec<String> {
    let subject = registry::find(subject).expect("a known subject").make(Port::Model);
    let program = parse(program).expect("a program");
    let mut machine = Machine::new();
    let events = machine.run(&*subject, &program);
    let show =
        |e: &Event| format!("{} c{} T{}{} {}", e.op, e.cpu, e.task, if e.interrupt { "!" } else { "" }, line(&e.what));
    events.iter().filter(|event| event.is_generic()).map(show).collect()
}

#[test]
fn a_section_and_its_half_steps() {
    assert_eq!(
        generic("counted/none", "enable between { switch T1; query; switch T0 }; disable"),
        [
            "0 c0 T0 enable at 0/0",
            "0 c0 T0 between the halves, at 1/0 active",
            "2 c0 T0 switch T1",
            "2 c0 T0 switch out, to T1, at 1/0 active",
            "2 c0 T1 switch in, from T0, at 0/0",
            "3 c0 T1 query",
            "3 c0 T1 answer false",
            "4 c0 T1 switch T0",
            "4 c0 T1 switch out, to T0, at 0/0",
            "4 c0 T0 switch in, from T1, at 1/0 active",
            "0 c0 T0 hook enter (active)",
            "0 c0 T0 enable done, 1/0 active",
            "6 c0 T0 disable at 1/0 active",
            "6 c0 T0 hook leave",
            "6 c0 T0 disable done, 0/0",
        ]
    );
}

#[test]
fn a_call_in_progress_goes_on_where_its_task_is() {
    let events = generic("counted/none", "enable between { switch T1; migrate T0 1; cpu 1; query }; query");
    assert!(events.contains(&"0 c1 T0 hook enter (active)".to_owned()), "{events:#?}");
    assert_eq!(events.last().map(String::as_str), Some("7 c1 T0 answer true"));
}

#[test]
fn a_call_in_progress_goes_on_where_its_task_was_switched_in() {
    let events = generic("counted/none", "enable between { switch T1; migrate T0 1; cpu 1; switch T0; cpu 0 }; query");
    assert!(events.contains(&"0 c1 T0 hook enter (active)".to_owned()), "{events:#?}");
    assert_eq!(events.last().map(String::as_str), Some("8 c1 T0 answer true"));
}

#[test]
fn a_forked_task_has_its_parents_address_space_and_cpu() {
    // T3 works in V on CPU 1; so does its child, and CPU 0 must tell it when a translation of V goes.
    let program = "cpu 1; fork T4; switch T4; cpu 0; set V 0; access V 0; clear V 0";
    let subject = registry::find("powerpc64-hash").expect("a known subject").make(Port::Model);
    let mut machine = Machine::new();
    let events = machine.run(&*subject, &parse(program).expect("a program"));
    let lines: Vec<_> = events.iter().map(|event| line(&event.what)).collect();
    assert!(lines.iter().any(|line| line.starts_with("switch in, from T3")), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "tlbsync"), "{lines:#?}");
}

#[test]
fn what_no_kernel_could_do_is_refused() {
    #[rustfmt::skip]
    let cases = [
        ("irq { switch T1 }", "not possible in interrupt context"),
        ("enable between { pause }", "the task stands between the halves of a call"),
        ("enable between { switch T1; exit T0 }", "the task stands between the halves of a call"),
        ("exit T1; switch T1", "no such task, or it exists already"),
        ("fork T1", "no such task, or it exists already"),
        ("lock 1; switch T1; lock 1", "held already"),
        ("lock 1; switch T1; unlock 1", "not held, or not off"),
        ("cpu 1; irq { cpu 0; migrate T1 1 }", "not possible in interrupt context"),
        ("cpu 1; softirq { cpu 0; migrate T1 1 }", "not possible in interrupt context"),
        ("cpu 1; nmi { cpu 0; migrate T1 1 }", "not possible in interrupt context"),
        ("switch T5", "no such task, or it exists already"),
        ("switch T3", "the task is running"),
        ("migrate T1 1; switch T1", "the task belongs to the other CPU"),
        ("lock 1; lock 1", "held already"),
        ("preempt_on", "not held, or not off"),
        ("bh_off; softirq { query }", "this interrupt is masked here"),
        ("nmi { irq { query } }", "this interrupt is masked here"),
        ("cpu 1; exit T3", "no other task could run here"),
    ];
    for (program, why) in cases {
        let events = generic("counted/none", program);
        assert!(events.iter().any(|event| event.ends_with(why)), "{program}: {events:#?}");
        assert!(!events.iter().any(|event| event.contains("answer")), "{program}: {events:#?}");
    }
}

#[test]
fn a_warning_comes_once_per_call_site() {
    let events = generic("counted/none", "repeat 3 { disable; enable }; disable");
    let warnings: Vec<_> = events.iter().filter(|event| event.contains("WARN")).collect();
    assert_eq!(warnings, ["1 c0 T0 WARN Disable", "2 c0 T0 WARN Enable", "4 c0 T0 WARN Disable"]);
}

#[test]
fn a_run_is_limited_and_says_so() {
    let events = generic("counted/none", "repeat 1000 { repeat 1000 { set K 0 x500 } }");
    assert_eq!(events.last().map(|event| event.ends_with("limit is reached: it stops")), Some(true));
    let answers = events.iter().filter(|event| event.contains("set K 0")).count();
    assert!((100..MAX_OPS / 500 + 1).contains(&answers), "{answers} sets of 500 pages within the limit");
    let deep = format!("{}query{}", "repeat 1 {".repeat(4000), "}".repeat(4000));
    assert!(generic("counted/none", &deep).iter().any(|event| event.ends_with("answer false")));
}

#[test]
fn a_run_does_not_depend_on_the_one_before() {
    let subject = registry::find("counted/none").expect("a known subject").make(Port::Model);
    let mut used = Machine::new();
    for seed in 0..200 {
        let program = crate::program::generate::any(seed, 60);
        let fresh = Machine::new().run(&*subject, &program).to_vec();
        assert_eq!(used.run(&*subject, &program), fresh, "seed {seed}:\n{program}");
    }
}

/// Rule 9, on arbitrary programs. Xen's hooks of 7.2 move the counters of tasks that are away, and a program may look
/// there: that backend is compared where nobody is forked, ends, or is named by a task form. Under v3 and v4 the section
/// of its own in which aarch64 changes the linear map moves the flag of a task that resumed outside any section: there
/// programs without DEBUG_PAGEALLOC are compared.
#[test]
fn generic_events_are_the_same_on_every_backend() {
    use crate::program::{Allocation, Op};
    use crate::subject::registry::{GenerationName, SUBJECTS};
    let mut machine = Machine::new();
    let mut compared = 0;
    for generation in [GenerationName::Counted, GenerationName::NestingV3, GenerationName::NestingV4] {
        let of_generation = SUBJECTS.iter().filter(|subject| subject.generation == generation);
        let subjects: Vec<_> = of_generation.map(|subject| (subject.backend, subject.make(Port::Model))).collect();
        for seed in 0..400 {
            let program = crate::program::generate::any(seed, 40);
            let looks_away = |op: &Op| {
                matches!(op, Op::Fork(_) | Op::Exit(_) | Op::TaskPause(_) | Op::TaskResume(_) | Op::TaskQuery(_))
            };
            let looks_away = program.ops().iter().any(looks_away);
            let debug = |op: &Op| matches!(op, Op::Alloc(_, Allocation::Debug) | Op::Free(_, Allocation::Debug));
            if generation != GenerationName::Counted && program.ops().iter().any(debug) {
                continue;
            }
            let mut first: Option<Vec<Event>> = None;
            for (backend, subject) in &subjects {
                let events = machine.run(&**subject, &program);
                let dead = events.iter().any(|event| matches!(event.what, What::Bug(_)));
                if dead || (*backend == "x86_64-xen" && looks_away) {
                    continue;
                }
                let generic: Vec<Event> = events.iter().filter(|event| event.is_generic()).copied().collect();
                match &first {
                    None => first = Some(generic),
                    Some(expected) => {
                        compared += 1;
                        assert_eq!(&generic, expected, "{backend}, {}, seed {seed}:\n{program}", generation.name());
                    }
                }
            }
        }
    }
    assert!(compared > 4000, "{compared}");
}
