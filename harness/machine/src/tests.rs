//! What the machine does with programs, on the backend that defers nothing.

use super::*;
use lazy_mmu_abi::subject::Port;
use lazy_mmu_abi::trace::{Event, line};
use lazy_mmu_program::text::parse;
use lazy_mmu_subjects::registry;

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
        ("irq { migrate T1 1 }", "not possible in interrupt context"),
        ("irq { sleep }", "not possible in interrupt context"),
        ("irq { bh_off }", "not possible in interrupt context"),
        ("enable between { set K 1 }", "the task stands between the halves of a call"),
        ("enable between { switch T1; exit T0 }", "the task stands between the halves of a call"),
        ("task_pause T5", "no such task, or it exists already"),
        ("task_resume T5", "no such task, or it exists already"),
        ("fork T1", "no such task, or it exists already"),
        ("exit T1; switch T1", "no such task, or it exists already"),
        ("migrate T3 0", "the task is running"),
        ("exit T3", "the task is running"),
        ("lock 1; switch T1; lock 1", "held already"),
        ("lock 1; switch T1; unlock 1", "not held, or not off"),
        ("mutex_lock; switch T1; mutex_unlock", "not held, or not off"),
        ("irq_off; irq { query }", "this interrupt is masked here"),
        ("irq_off; irq_off; irq_on; irq { query }", "this interrupt is masked here"),
        ("irq_off; softirq { query }", "this interrupt is masked here"),
        ("irq { softirq { query } }", "this interrupt is masked here"),
        ("nmi { nmi { query } }", "this interrupt is masked here"),
    ];
    for (program, why) in cases {
        let events = generic("counted/none", program);
        assert!(events.iter().any(|event| event.ends_with(why)), "{program}: {events:#?}");
        assert!(!events.iter().any(|event| event.contains("answer")), "{program}: {events:#?}");
    }
}

/// Each ends in a query that must be answered, and nothing in it is refused.
#[test]
fn what_a_kernel_does_is_done() {
    for program in [
        "bh_off; switch T1; query",
        "bh_off; bh_on; softirq { query }",
        "irq_off; irq_on; irq { query }",
        "irq_off; nmi { query }",
        "softirq { irq { nmi { query } } }",
        "irq { irq { query } }",
        "lock 1; unlock 1; lock 1; query",
        "mutex_lock; mutex_unlock; mutex_lock; query",
        "cpu 1; fork T4; switch T4; query",
        "exit T1; fork T1; switch T1; query",
        "migrate T1 1; cpu 1; switch T1; query",
    ] {
        let events = generic("counted/none", program);
        assert!(events.iter().any(|event| event.contains("answer")), "{program}: {events:#?}");
        assert!(!events.iter().any(|event| event.contains("refused")), "{program}: {events:#?}");
    }
}

/// A handler that cannot come is skipped as a whole, and so is a block that is repeated no times; what surrounds it
/// goes on as it was.
#[test]
fn what_is_skipped_leaves_the_blocks_around_it_alone() {
    let answers = |program: &str| listed("none", program, &["answer"]);
    assert_eq!(answers("nmi { irq { query }; query }; query"), ["4 c0 T0! answer false", "6 c0 T0 answer false"]);
    assert_eq!(answers("irq { repeat 0 { query }; query }; query"), ["4 c0 T0! answer false", "6 c0 T0 answer false"]);
    assert_eq!(answers("repeat 3 { repeat 2 { query } }").len(), 6);
}

/// Every event of a program whose line has one of `words`, as the trace lists it.
fn listed(subject: &str, program: &str, words: &[&str]) -> Vec<String> {
    let subject = registry::find(subject).expect("a known subject").make(Port::Model);
    let program = parse(program).expect("a program");
    let mut machine = Machine::new();
    let text = lazy_mmu_abi::trace::listing(machine.run(&*subject, &program));
    text.lines().filter(|line| words.iter().any(|word| line.contains(word))).map(str::to_owned).collect()
}

const MEMORY: &[&str] = &["store ", "read ", "walk "];

/// Frames are counted from 512, behind the page allocator's; a word of `none` is the frame << 12, then dirty, accessed, exec, user, write, valid.
#[test]
fn what_is_stored_is_what_is_read_and_walked() {
    let program = "set U 2047 x2; set V 1 read; set K 1 exec; set U 3 invalid; set V 2 x3; wrprot V 2 x3; access U 2047; \
                   access U 3; access V 3 x2; wrprot U 2047 x2; clear U 2047 x2; get K 1 x2; get V 1; raw_get U 3; \
                   raw_get U 2047; raw_get V 4; fault 5";
    assert_eq!(
        listed("counted/none", program, MEMORY),
        [
            "0 c0 T0 store U[2047] = 0x200007",
            "0 c0 T0 store U[0] = 0x201007",
            "1 c0 T0 store V[1] = 0x202005",
            "2 c0 T0 store K[1] = 0x20300b",
            "3 c0 T0 store U[3] = 0x204004",
            "4 c0 T0 store V[2] = 0x205007",
            "4 c0 T0 store V[3] = 0x206007",
            "4 c0 T0 store V[4] = 0x207007",
            "5 c0 T0 store V[2] = 0x205005",
            "5 c0 T0 store V[3] = 0x206005",
            "5 c0 T0 store V[4] = 0x207005",
            "6 c0 T0 walk U[2047] -> frame 512",
            "7 c0 T0 walk U[3] -> no entry",
            "8 c0 T0 walk V[3] -> frame 518, read-only",
            "8 c0 T0 walk V[4] -> frame 519, read-only",
            "9 c0 T0 store U[2047] = 0x200005",
            "9 c0 T0 store U[0] = 0x201005",
            "10 c0 T0 store U[2047] = 0x0",
            "10 c0 T0 store U[0] = 0x0",
            "11 c0 T0 read K[1] -> frame 515",
            "11 c0 T0 read K[2] -> no entry",
            "12 c0 T0 read V[1] -> frame 514, read-only",
            "13 c0 T0 read U[3] -> no entry",
            "14 c0 T0 read U[2047] -> no entry",
            "15 c0 T0 read V[4] -> frame 519, read-only",
            "16 c0 T0 store K[5] = 0x208003",
            "16 c0 T0 read K[5] -> frame 520",
        ]
    );
}

/// Under Xen a table changes when the hypervisor executes the update, and not before: in a hypercall of its own, in one
/// of many updates, in a multicall.
#[test]
fn under_xen_memory_changes_with_the_hypercall() {
    assert_eq!(
        listed(
            "xen",
            "set K 9; enable; set U 3 x2; get U 3; tlb_flush U 3; set V 4; disable; access V 4",
            &["store ", "read ", "walk ", "hypercall "]
        ),
        [
            "0 c0 T0 hypercall mmu_update 0x2000, 0x1",
            "0 c0 T0 store K[9] = 0x8000000000200003",
            "3 c0 T0 read U[3] -> no entry (asked for: frame 513)",
            "6 c0 T0 hypercall multicall 0x0, 0x3",
            "6 c0 T0 store U[3] = 0x8000000000201007",
            "6 c0 T0 store U[4] = 0x8000000000202007",
            "6 c0 T0 store V[4] = 0x8000000000203007",
            "7 c0 T0 walk V[4] -> frame 515",
        ]
    );
    let walks = listed("xen", "enable; set K 0 x40; disable; access K 0 x40", &["walk"]);
    let expected: Vec<_> = (0..40).map(|n| format!("3 c0 T0 walk K[{n}] -> frame {}", n + 512)).collect();
    assert_eq!(walks, expected);
}

/// What the edges of a handler report is the interrupted task's and the CPU's: a child has no pending flag of its parent.
#[test]
fn what_is_held_back_at_the_edges_of_a_handler() {
    let program = "enable; set K 1; nmi { query }; fork T4; switch T4; irq { query }; switch T1; enable; set K 2; \
                   softirq { query }";
    assert_eq!(
        listed("aarch64", program, &["held"]),
        [
            "2 c0 T0! held back: the barriers",
            "4 c0 T0! held back: the barriers",
            "7 c0 T4! held back: nothing",
            "9 c0 T4! held back: nothing",
            "13 c0 T1! held back: the barriers",
            "15 c0 T1! held back: the barriers",
        ]
    );
}

/// The architecture's mark is reported after each call, each handler and each switch, but not while the task that runs stands between
/// halves, and not in a handler.
#[test]
fn when_the_mode_is_reported() {
    let program = "enable; irq { enable }; switch T1; switch T0; disable between { switch T1; switch T0 }";
    assert_eq!(
        listed("xen@7.0", program, &["mode", "BUG"]),
        [
            "0 c0 T0 mode: architecture on, task on",
            "3 c0 T0 mode: architecture on, task on",
            "4 c0 T1 mode: architecture off, task off",
            "5 c0 T0 mode: architecture on, task on",
            "8 c0 T1 mode: architecture off, task off",
            "6 c0 T0 BUG LeaveLazy",
        ]
    );
}

/// What holds preemption off: locks, bottom halves, `preempt_off`, and what the backend took or gave back too often.
#[test]
fn scheduling_with_preemption_off_is_reported() {
    for (subject, program, count) in [
        ("none", "lock 1; sleep", 1),
        ("none", "bh_off; sleep", 1),
        ("none", "preempt_off; alloc 3 sleep", 1),
        ("none", "lock 1; lock 2; bh_off; preempt_off; preempt_off; preempt_on; mutex_lock", 4),
        ("none", "lock 1; switch T1", 1),
        ("sparc64", "enable; enable; sleep", 1),
        ("sparc64", "enable; lock 0; switch T1", 2),
        ("stateless/sparc64", "enable; enable; sleep", 2),
        ("stateless/sparc64", "disable; switch T1", -1),
        ("powerpc64-hash", "enable; pause; lock 1; unlock 1; preempt_off; sleep", 1),
    ] {
        let lines = listed(subject, program, &["atomic"]);
        assert!(lines.len() == 1 && lines[0].ends_with(&format!("preempt_count {count}")), "{program}: {lines:?}");
    }
    assert_eq!(listed("none", "lock 1; unlock 1; bh_off; bh_on; preempt_off; preempt_on; sleep", &["atomic"]).len(), 0);
}

/// The task whose call is in progress may have been switched in elsewhere; a block of its own brings back whoever ran.
#[test]
fn who_goes_on_after_a_between_block() {
    let moved = generic("counted/none", "enable between { switch T1; migrate T0 1; cpu 1; switch T0; cpu 0 }; query");
    assert_eq!(moved.iter().filter(|event| event.contains("switch out")).count(), 2, "{moved:#?}");
    assert_eq!(moved.last().map(String::as_str), Some("8 c1 T0 answer true"));
    let own = generic("counted/none", "between { switch T1; query }; query");
    assert_eq!(own.last().map(String::as_str), Some("4 c0 T0 answer false"));
}

/// A child has its parent's address space: the other CPU runs it, so U's translations may be there too. Tokens are on
/// their callers' stacks, and it has none of them: it leaves with DEFAULT.
#[test]
fn what_a_child_takes_over() {
    let tlbie = |program: &str| listed("powerpc64-hash", program, &["tlbie"]);
    let alone = tlbie("set U 1; access U 1; clear U 1");
    assert!(alone[0].contains("tlbiel"), "{alone:?}");
    let shared = tlbie("fork T4; migrate T4 1; cpu 1; switch T4; cpu 0; set U 1; access U 1; clear U 1");
    assert!(shared[0].contains("tlbie "), "{shared:?}");
    let kernel = tlbie("set K 1; access K 1; clear K 1");
    assert!(kernel[0].contains("tlbie "), "the kernel's are everywhere: {kernel:?}");
    assert_eq!(
        listed("token/sparc64", "enable; enable; fork T4; switch T4; disable; disable", &["hook"]),
        [
            "0 c0 T0 hook enter",
            "1 c0 T0 hook enter, without effect on the mode",
            "4 c0 T4 hook leave (active)",
            "5 c0 T4 hook leave",
        ]
    );
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
    let stores = listed("none", "repeat 1000 { repeat 1000 { set K 0 x500 } }", &["store"]).len();
    assert!((lazy_mmu_program::MAX_OPS - 1000..lazy_mmu_program::MAX_OPS).contains(&stores), "{stores}");
    let deep = format!("{}query{}", "repeat 1 {".repeat(4000), "}".repeat(4000));
    assert!(generic("counted/none", &deep).iter().any(|event| event.ends_with("answer false")));
}

#[test]
fn a_run_does_not_depend_on_the_one_before() {
    for subject in registry::SUBJECTS {
        let kept = subject.make(Port::Model);
        let mut used = Machine::new();
        for seed in 0..60 {
            let program = lazy_mmu_program::generate::any(seed, 60);
            let fresh = Machine::new().run(&*subject.make(Port::Model), &program).to_vec();
            assert_eq!(used.run(&*kept, &program), fresh, "{}, seed {seed}:\n{program}", subject.name);
        }
    }
}

/// Rule 9, on arbitrary programs. Xen's hooks of 7.2 move the counters of tasks that are away, and a program may look
/// there: that backend is compared where nobody is forked, ends, or is named by a task form. Under v3 and v4 the section
/// of its own in which aarch64 changes the linear map moves the flag of a task that resumed outside any section: there
/// programs without DEBUG_PAGEALLOC are compared.
#[test]
fn generic_events_are_the_same_on_every_backend() {
    use lazy_mmu_program::{Allocation, Block, Op};
    use lazy_mmu_subjects::registry::{GenerationName, SUBJECTS};
    let mut machine = Machine::new();
    let mut compared = 0;
    for generation in [GenerationName::Counted, GenerationName::NestingV3, GenerationName::NestingV4] {
        let of_generation = SUBJECTS.iter().filter(|subject| subject.generation == generation);
        let subjects: Vec<_> = of_generation.map(|subject| (subject.backend, subject.make(Port::Model))).collect();
        for seed in 0..600 {
            let program = lazy_mmu_program::generate::any(seed, 40);
            let looks_away = |op: &Op| {
                matches!(op, Op::Fork(_) | Op::Exit(_) | Op::TaskPause(_) | Op::TaskResume(_) | Op::TaskQuery(_))
            };
            let looks_away = program.ops().iter().any(looks_away);
            let debug = |op: &Op| matches!(op, Op::Alloc(_, Allocation::Debug) | Op::Free(_, Allocation::Debug));
            // An `on` block is code that only one architecture has.
            let private = |op: &Op| matches!(op, Op::Open(Block::On(_)));
            if generation != GenerationName::Counted && program.ops().iter().any(debug)
                || program.ops().iter().any(private)
            {
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
