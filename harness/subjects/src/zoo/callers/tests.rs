//! Call sites: what they leave alone, that the right form is right, and that a rewritten input is what it says.

use super::*;
use lazy_mmu_abi::subject::Port;
use lazy_mmu_machine::Machine;
use lazy_mmu_program::text::parse;
use lazy_mmu_program::{Op, Program, generate};

fn callers() -> impl Iterator<Item = (&'static Specimen, Caller)> {
    FAMILY.iter().filter_map(|specimen| match specimen.form {
        Form::Caller(caller) => Some((specimen, caller)),
        _ => None,
    })
}

fn right(caller: Caller, input: &Program) -> Program {
    caller.right.expect("each has one")(input)
}

fn text(program: &str) -> Program {
    parse(program).expect("a program")
}

#[test]
fn the_two_forms_of_a_call_site() {
    for (name, input, wrong, correct) in [
        (
            "zoo/call-vmalloc-error-return",
            "set K 5; set K 4 x3",
            "enable; get K 5; set K 5; disable; enable; get K 4; set K 4; get K 5",
            "enable; get K 5; set K 5; disable; enable; get K 4; set K 4; get K 5; disable",
        ),
        (
            "zoo/call-kasan-shadow-pause",
            "enable; kasan_populate K 1536; cpu 1; kasan_populate K 1536; cpu 0; disable",
            "enable; lock 3; get K 1536; set K 1536; unlock 3; cpu 1; enable; lock 3; get K 1536; unlock 3; disable; cpu 0; \
             disable",
            "enable; pause; lock 3; get K 1536; set K 1536; unlock 3; resume; cpu 1; enable; pause; lock 3; get K 1536; \
             unlock 3; resume; disable; cpu 0; disable",
        ),
        (
            "zoo/call-early-return-uffd",
            "set U 0; set U 1 read; clear U 0 x3",
            "set U 0; set U 1 read; lock 0; lock 1; enable; clear U 0; set U 512; clear U 1; set U 1 read; \
             tlb_flush U 0 x3; unlock 1; unlock 0",
            "set U 0; set U 1 read; lock 0; lock 1; enable; clear U 0; set U 512; clear U 1; set U 1 read; disable; \
             tlb_flush U 0 x3; unlock 1; unlock 0",
        ),
    ] {
        let (_, caller) = callers().find(|(specimen, _)| specimen.name == name).expect("a specimen");
        assert_eq!((caller.wrong)(&text(input)), text(wrong), "{name}");
        assert_eq!(right(caller, &text(input)), text(correct), "{name}");
    }
}

/// An input that does not do what the function does stays itself, and no form loses an operation of the others.
#[test]
fn what_is_no_call_is_left_alone() {
    let others = text(
        "enable; set V 3 large; irq { set K 1024; access K 1024 }; tlb_flush V 3 large; disable; repeat 2 { sleep }",
    );
    for (specimen, caller) in callers() {
        assert_eq!((caller.wrong)(&others), others, "{}", specimen.name);
        assert_eq!(right(caller, &others), others, "{}", specimen.name);
        for seed in 0..100 {
            let input = generate::any(seed, 40);
            for program in [(caller.wrong)(&input), right(caller, &input)] {
                let blocks = |program: &Program| program.ops().iter().filter(|op| matches!(op, Op::Open(_))).count();
                assert_eq!(blocks(&program), blocks(&input), "{}, seed {seed}", specimen.name);
            }
        }
    }
}

/// With nothing around it, a call in its right form breaks nothing, whatever it meets.
#[test]
fn the_right_form_holds_whatever_it_meets() {
    let calls = [
        "set K 0 x20",
        "kasan_populate K 1536 x3",
        "kasan_depopulate K 1536 x3",
        "clear U 0 x20",
        "wrprot U 0 x20",
        "set U 0 x20 invalid",
        "set U 30 x3 large invalid",
    ];
    let met = [
        "",
        "set K 3",
        "set K 1537",
        "set U 0 x20; access U 0 x20",
        "set U 0 x5; set U 6 x3 read",
        "set U 30 x3 large",
        "set U 4 x2 invalid",
    ];
    let mut machine = Machine::new();
    for (specimen, caller) in callers() {
        let subject = specimen.make_fixed(Port::Model);
        for (met, call) in met.iter().flat_map(|met| calls.iter().map(move |call| (met, call))) {
            if right(caller, &text(call)) == text(call) {
                continue;
            }
            let program = right(caller, &text(&format!("{met}\n{call}")));
            let verdict = lazy_mmu_contract::judge(machine.run(&*subject, &program), specimen.fixed().rules());
            assert!(
                verdict.holds() && verdict.misuse.is_none(),
                "{}: {met}; {call}: {verdict}\n{program}",
                specimen.name
            );
        }
    }
}
