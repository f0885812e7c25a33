//! Timelines as a whole: a program on a subject, and what a person reads of it.

use super::cases::CASES;
use super::fold::{Line, Piece, Who, fold};
use super::*;
use crate::contract::{Invariant, Violation, judge};
use crate::machine::Machine;
use crate::program::generate;
use crate::program::text::parse;
use crate::registry;
use crate::subject::Port;
use crate::trace::{Point, Translation, Walked, Why};
use lazy_mmu_arches::page::{Mm, PteRef, Size};

fn rendered(program: &Program, subject: &dyn Subject, rules: crate::contract::Rules) -> (Vec<Event>, String) {
    let events = Machine::new().run(subject, program).to_vec();
    let verdict = judge(&events, rules);
    let text = render(program, subject, &events, &verdict);
    (events, text)
}

#[test]
fn timelines() {
    for case in CASES {
        let program = parse(case.program).expect("a program");
        let descriptor = registry::find(case.subject).expect("a known subject");
        let (_, text) = rendered(&program, &*descriptor.make(Port::Model), descriptor.rules());
        assert_eq!(text, case.timeline, "{} on {}", case.program, case.subject);
    }
}

/// The mark stands below the event at which an invariant broke, whichever that is: no fold, no join and nothing that is
/// left out hides it. Else all is as without it.
#[test]
fn a_mark_is_never_folded_away() {
    let program =
        parse("set K 0 x4; enable; clear K 0 x2; irq { set K 9; query }; repeat 4 { query }; disable; access K 0");
    let program = program.expect("a program");
    for name in ["aarch64", "powerpc64-hash", "xen", "sparc64", "stateless/aarch64"] {
        let subject = registry::find(name).expect("a known subject").make(Port::Model);
        let events = Machine::new().run(&*subject, &program).to_vec();
        let plain = render(&program, &*subject, &events, &Verdict::default());
        for (at, event) in events.iter().enumerate() {
            let violation = Violation { invariant: Invariant::I2, event: at, text: "here".to_owned() };
            let verdict = Verdict { violations: vec![violation], ..Verdict::default() };
            let text = render(&program, &*subject, &events, &verdict);
            let (before, after) = text.split_once("\n>>> I2 pairing broken: here\n").expect("a mark");
            let marked = before.lines().last().expect("a line").split_once("| ").expect("columns").1.trim_start();
            assert_eq!(
                marked.contains(".."),
                matches!(event.what, What::Asked(_, 2.., _)),
                "{name}, event {at}: {marked}"
            );
            assert!(!marked.ends_with("times:"), "{name}, event {at}: {marked}");
            if let What::Store(at, _) = event.what {
                let alone = format!("store {} = ", crate::trace::place(at));
                assert!(marked.starts_with(&alone) && !marked.contains("queued"), "{name}: {marked}");
            }
            assert!(!after.contains(">>>") && text.lines().count() > plain.lines().count(), "{name}, event {at}");
        }
    }
}

#[test]
fn a_mark_breaks_a_range_in_three() {
    let program = parse("set U 0 x8").expect("a program");
    let subject = registry::find("x86_64").expect("a known subject").make(Port::Model);
    let events = Machine::new().run(&*subject, &program).to_vec();
    let event =
        events.iter().position(|event| matches!(event.what, What::Store(at, _) if at.page == 3)).expect("a store");
    let violations = vec![Violation { invariant: Invariant::I1, event, text: "here".to_owned() }];
    let text = render(&program, &*subject, &events, &Verdict { violations, ..Verdict::default() });
    let expected = "\
cpu0 | counters are enable/pause
T0   | set U 0 x8
T0   |   store U[0..2] = frames 512..514 rw
T0   |   store U[3] = frame 515 rw (0x8000000000203007)
>>> I1 balance broken: here
T0   |   store U[4..7] = frames 516..519 rw
";
    assert_eq!(text, expected);
}

/// A section of 512 pages, on every subject, is a page.
#[test]
fn a_large_section_is_short() {
    let program = parse("set U 0 x192; access U 0 x192; enable; set U 0 x512; disable; tlb_flush U 0 x512");
    let program = program.expect("a program");
    for descriptor in registry::SUBJECTS {
        let (events, text) = rendered(&program, &*descriptor.make(Port::Model), descriptor.rules());
        assert!(events.len() > 512, "{}: {} events", descriptor.name, events.len());
        let (_, section) = text.split_once("| enable\n").expect("the section");
        assert!(section.lines().count() < 36, "{}:\n{text}", descriptor.name);
        assert!(text.lines().all(|line| line.len() <= 100), "{}:\n{text}", descriptor.name);
    }
}

/// What is said of a program: what broke, its own misuse, and where judging stopped.
#[test]
fn conclusions() {
    let misuses = "\
verdict: misuses
  the program misuses the API at operation 0, line 1 (`disable`): it ends what was never begun
  behind that, perhaps the program's own: I1 balance: disable: enable_count wrapped, from 0/0 to 255/0
  behind that, perhaps the program's own: I2 pairing: hook flush for T0, which has not entered
";
    let open = "\
verdict: misuses
  the program misuses the API at operation 4, line 4 (`enable`): it opens a section or a pause that is never closed
  behind that, perhaps the program's own: I1 balance: T0 is left with enable_count 1 and pause_count 0
";
    let cut = "\
verdict: judged in part
  judged in part: operation 1, line 2 (`preempt T1`): nothing is judged from here on: with preemption off this cannot happen
";
    let refused = "\
verdict: judged in part
  judged in part: operation 0, line 1 (`migrate T0 1`): the operation was not done: the task is running; 1 more operation was refused
";
    let limit = "\
verdict: judged in part
  judged in part: operation 2, line 3 (`query`): the run stopped here: it took as many operations and pages as a run may
";
    for (subject, program, expected) in [
        ("aarch64", "query", "verdict: holds\n"),
        ("aarch64", "disable", misuses),
        ("aarch64", "pause between { }; resume; enable", open),
        ("powerpc64", "enable; preempt T1; preempt T0; disable", cut),
        ("aarch64", "migrate T0 1; query; unlock 0", refused),
        ("aarch64", "repeat 1023 { repeat 70 { query } }", limit),
    ] {
        let program = parse(program).expect("a program");
        let descriptor = registry::find(subject).expect("a known subject");
        let events = Machine::new().run(&*descriptor.make(Port::Model), &program).to_vec();
        let verdict = judge(&events, descriptor.rules());
        assert_eq!(conclusion(&verdict, &program), expected, "{program}");
    }
}

/// Whatever happens, lines are narrow, marks are there, and no task's lines are indented by what another has left open.
#[test]
fn generated_programs() {
    for (seed, name) in
        (0..60).zip(["aarch64", "xen", "counted/xen@7.0", "stateless/sparc64", "token/powerpc64"].iter().cycle())
    {
        let descriptor = registry::find(name).expect("a known subject");
        let subject = descriptor.make(Port::Model);
        let program = if seed % 2 == 0 { generate::any(seed, 80) } else { generate::legal(seed, 80) };
        let events = Machine::new().run(&*subject, &program).to_vec();
        let verdict = judge(&events, descriptor.rules());
        let text = render(&program, &*subject, &events, &verdict);
        let (marks, lines): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with(">>> "));
        assert_eq!(marks.len(), verdict.violations.len(), "{name}, seed {seed}");
        assert!(lines.iter().all(|line| line.len() <= 100), "{name}, seed {seed}:\n{text}");
        assert!(lines.iter().all(|line| !line.ends_with(' ')), "{name}, seed {seed}:\n{text}");
    }
}

fn at(page: u16) -> PteRef {
    PteRef { mm: Mm(1), page, size: Size::Small }
}

#[test]
fn words_of_what_programs_seldom_do() {
    let subject = registry::find("x86_64").expect("a known subject").make(Port::Model);
    let program = parse("enable").expect("a program");
    let found = Some(Translation { frame: 512, write: false });
    let late = |point, count, why| What::Late(crate::trace::Late { point, count, at: at(7), why });
    #[rustfmt::skip]
    let rows = [
        (What::Walk(at(1), Walked { found, asked: None, unflushed: true, freed: true }), "walk U[1] -> frame 512 ro, freed; asked: none (not flushed yet)"),
        (What::Walk(at(1), Walked { found: None, asked: found, unflushed: false, freed: false }), "walk U[1] -> none; asked: frame 512 ro (not in effect yet)"),
        (What::Read { at: at(2), found, asked: None }, "read U[2] = frame 512 ro; asked: none"),
        (What::Store(at(3), 2), "store U[3] = frame 0 not valid (0x2)"),
        (late(Point::Write, 1, Why::Hash), "not in effect: U[7]: the hash table has the old translation"),
        (late(Point::Settle, 3, Why::Tsb), "not in effect at the end of the call: U[7] and 2 more: a TSB has the old translation"),
        (late(Point::Flush, 1, Why::Tlb(1)), "not in effect after the flush: U[7]: the TLB of CPU 1 has the old translation"),
        (late(Point::Use, 1, Why::Unsynchronised), "not in effect when it is used: U[7]: no isb made this CPU refetch"),
        (What::Left(Deferred { pending: false, entries: 1, digest: 0 }), "still queued after the switch: 1 entry"),
        (What::Denied(at(4)), "the update of U[4] is refused"),
    ];
    for (what, expected) in rows {
        let event = Event { op: 0, cpu: 0, task: 0, interrupt: false, below: false, what };
        let text = render(&program, &*subject, &[event], &Verdict::default());
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), [format!("T0   | {expected}")], "{what:?}");
    }
}

/// Lines of one number: what they fold to.
#[test]
fn ranges() {
    let who = Who { cpu: 0, task: 0, interrupt: false };
    let line = |piece: Piece| Line { who, depth: 0, pieces: vec![piece], alone: false, marks: Vec::new() };
    let folded = |pieces: Vec<Piece>| {
        let text = print::print(&fold(pieces.into_iter().map(line).collect()));
        text.lines().skip(1).map(|line| line.replace("T0   | ", "")).collect::<Vec<_>>().join("|")
    };
    let numbers = |numbers: &[u64]| folded(numbers.iter().map(|&n| Piece::Number(n, 1)).collect());
    for (given, expected) in [
        (&[7][..], "7"),
        (&[7, 8], "7..8"),
        (&[7, 7, 7], "7 x3"),
        (&[7, 9], "7|9"),
        (&[7, 9, 11], "7..11 by 2"),
        (&[9, 8, 7], "9..7"),
        (&[9, 7, 5], "9..5 by -2"),
        (&[0, 5, 6, 7], "0|5..7"),
        (&[1, 9, 2, 9], "1|9|2|9"),
        (&[1, 9, 2, 9, 3, 9], "3 times:|  1..3|  9"),
        (&[255, 0, 1], "255|0..1"),
    ] {
        assert_eq!(numbers(given), expected, "{given:?}");
    }
    let named = [4, 5].map(|n| Piece::Named(["frame", "frames"], n, 1));
    assert_eq!(folded(named.into()), "frames 4..5");
    let pages = [0, 4, 8].map(|n| Piece::Number(n, 4));
    assert_eq!(folded(pages.into()), "0..11");
    let counts = [1, 2].map(|n| Piece::Count(n, ["update", "updates"]));
    assert_eq!(folded(counts.into()), "3 updates");
    let either = || Piece::Either("tlbie 0x1".to_owned(), "tlbie".to_owned());
    assert_eq!(folded(vec![either()]), "tlbie 0x1");
    assert_eq!(folded(vec![either(), either()]), "tlbie x2");
}
