//! The four answers: what each is said of, and that "holds" is said of nothing that was not looked at.

use super::*;
use crate::Answer;

/// The answer in a line, on a subject of the registry or the zoo.
fn answer(subject: &str, program: &str) -> String {
    let (made, rules) = made(subject);
    let parsed = parse(program).unwrap_or_else(|error| panic!("{program}: {error}"));
    judge(Machine::new().run(&*made, &parsed), rules).to_string()
}

#[test]
fn programs_and_their_answers() {
    #[rustfmt::skip]
    let cases = [
        ("counted/aarch64", "enable; set K 0; disable", "holds"),
        ("counted/x86_64-xen@7.0", "enable between { preempt T1; switch T0 }; disable", "breaks I2 I15 (dead at 0)"),
        // What is left open is the program's doing; the operation is the one that opened it.
        ("counted/aarch64", "enable", "misuses at 0 (then breaks I1)"),
        ("counted/aarch64", "query; pause; resume; enable; pause", "misuses at 3 (then breaks I1)"),
        ("counted/none", "switch T1; enable; preempt T0", "misuses at 1 (then breaks I1)"),
        ("counted/none", "bh_off; enable; bh_on", "misuses at 1"),
        // The first misuse is named, not what is open besides.
        ("counted/aarch64", "disable; enable; enable", "misuses at 0 (then breaks I1 I2)"),
        ("counted/aarch64", "enable; sleep; disable", "misuses at 1"),
        // Refused, wherever the machine refuses.
        ("counted/aarch64", "migrate T0 1", "in part (refused at 0)"),
        ("counted/aarch64", "lock 0; preempt T1; unlock 0", "in part (refused at 1)"),
        ("counted/aarch64", "lock 0; lock 0; unlock 0; unlock 0", "in part (refused at 1)"),
        ("counted/aarch64", "mutex_unlock", "in part (refused at 0)"),
        ("counted/aarch64", "bh_on", "in part (refused at 0)"),
        ("counted/aarch64", "irq_off; irq { set K 0 }; irq_on", "in part (refused at 1)"),
        ("counted/aarch64", "irq { switch T1 }", "misuses at 1 (refused at 1)"),
        ("counted/aarch64", "irq { preempt T1; migrate T1 1 }", "in part (refused at 1)"),
        ("counted/aarch64", "exit T6", "in part (refused at 0)"),
        ("counted/aarch64", "enable between { set K 0 }; disable", "in part (refused at 2)"),
        ("counted/aarch64", "enable; disable; task_pause T7", "in part (refused at 2)"),
        // Code of another architecture is no part of a program that has a block for this one.
        ("counted/aarch64", "on xen { enable; set K 0; disable }", "in part (refused at 0)"),
        ("counted/aarch64", "on aarch64 { enable; disable }; on xen { query }", "holds"),
        ("counted/x86_64-xen", "on aarch64 { enable; disable }; on xen { query }", "holds"),
        ("counted/sparc64", "query; on aarch64 { enable; disable }; on xen { query }", "in part (refused at 1)"),
        // Cut, and stopped.
        ("counted/powerpc64-hash", "enable; preempt T1; preempt T0; disable", "in part (cut at 1)"),
        ("counted/powerpc64-hash", "bh_on; enable; preempt T1; preempt T0; disable", "in part (refused at 0, cut at 2)"),
        ("counted/aarch64", "repeat 1023 { repeat 70 { query } }; enable; enable; disable", "in part (limit at 2)"),
        ("counted/aarch64", "enable; repeat 200 { set U 0 x512 }; disable", "in part (limit at 2)"),
        // A run that stops does not show that the program leaves anything open.
        ("counted/aarch64", "enable; repeat 1023 { repeat 70 { query } }", "in part (limit at 4)"),
        // A fault outweighs both, and what was not judged is said all the same.
        ("zoo/gen-nested-disable-no-flush", "bh_on; enable; enable; set K 16; disable; access K 16; disable", "breaks I3 model (refused at 0)"),
        ("zoo/gen-nested-disable-no-flush", "enable; enable; set K 16; disable; access K 16; disable; disable", "breaks I1 I2 I3 model"),
    ];
    for (subject, program, expected) in cases {
        assert_eq!(answer(subject, program), expected, "{subject}: {program}");
    }
}

/// Whatever runs: "holds" is said only where nothing broke, nothing was misused and all was judged; and without a fault
/// or a misuse nothing breaks.
#[test]
fn answers_are_consistent() {
    let mut machine = Machine::new();
    let mut seen = [0; 4];
    for name in ["counted/aarch64", "counted/x86_64-xen", "stateless/powerpc64-hash", "nesting-v4/sparc64"] {
        let (subject, rules) = made(name);
        for seed in 0..400 {
            let program = lazy_mmu_program::generate::any(seed, 1 + seed as usize % 12);
            let verdict = judge(machine.run(&*subject, &program), rules);
            let answer = verdict.answer();
            seen[answer as usize] += 1;
            let whole = verdict.parts().next().is_none() && verdict.first_misuse().is_none();
            assert_eq!(answer == Answer::Holds, whole && verdict.holds(), "{name}: {program}\n{verdict:?}");
            assert_eq!(answer == Answer::Breaks, verdict.faults().next().is_some(), "{name}: {program}");
            assert_eq!(verdict.faults().count() + verdict.consequences().count(), verdict.violations.len());
            assert!(verdict.to_string().starts_with(["holds", "breaks", "misuses", "in part"][answer as usize]));
            let ops = program.ops().len() as u32;
            let places = verdict.parts().map(|part| part.op).chain(verdict.first_misuse().map(|misuse| misuse.op));
            assert!(
                places.into_iter().all(|op| op < ops && program.line_of(op) <= program.to_string().lines().count())
            );
        }
    }
    assert!(seen.iter().all(|times| *times > 2), "each answer was met: {seen:?}");
}
