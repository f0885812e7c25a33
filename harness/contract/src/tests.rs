//! Oracles on whole programs: which invariants a program breaks on a subject. Each oracle's own breaking and
//! non-breaking programs are in the table; what needs a subject that misbehaves is done to the trace itself.

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::insn::{Insn, Op as InsnOp};
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_arches::sparc64::decode;
use lazy_mmu_arches::sparc64::queue::{PAGE_SHIFT, REAL_HPAGE_SHIFT};

use super::*;
use lazy_mmu_abi::subject::{Env, Port, Subject};
use lazy_mmu_abi::trace::{Call, Counters, Hook, What};
use lazy_mmu_machine::Machine;
use lazy_mmu_program::Block;
use lazy_mmu_program::text::parse;
use lazy_mmu_subjects::registry;
use lazy_mmu_subjects::zoo::{self, bent};

mod answers;
mod codec;
mod misuse;

fn trace(subject: &str, program: &str) -> (Vec<Event>, Rules) {
    let descriptor = registry::find(subject).expect("a known subject");
    let program = parse(program).expect("a program");
    let events = Machine::new().run(&*descriptor.make(Port::Model), &program).to_vec();
    (events, descriptor.rules())
}

/// What breaks, whoever is to blame.
fn verdict(subject: &str, program: &str) -> String {
    let (events, rules) = trace(subject, program);
    let ids: Vec<_> = judge(&events, rules).violations.iter().map(|violation| violation.invariant.id()).collect();
    if ids.is_empty() { "holds".to_owned() } else { format!("breaks {}", ids.join(" ")) }
}

/// A subject whose instructions of one name get lost, or come twice.
struct Instructions {
    mnemonic: String,
    times: usize,
}

impl bent::Bend for Instructions {
    fn execute(&self, env: &mut dyn Env, insn: Insn) -> u64 {
        let times = if insn.op.mnemonic() == self.mnemonic { self.times } else { 1 };
        (0..times).fold(0, |_, _| env.execute(insn))
    }
}

/// What is executed in an instruction's place, if anything is.
type Change = fn(Insn) -> Option<Insn>;

/// A subject that executes other instructions than it should.
struct Other(Change);

impl bent::Bend for Other {
    fn execute(&self, env: &mut dyn Env, insn: Insn) -> u64 {
        (self.0)(insn).map_or(0, |insn| env.execute(insn))
    }
}

/// A subject by its name: of the registry, of the zoo, or one of the registry `without` an instruction, or that makes
/// one `twice`: `counted/aarch64 without isb`.
fn made(name: &str) -> (Box<dyn Subject>, Rules) {
    if let Some(specimen) = zoo::find(name) {
        return (specimen.make(Port::Model), specimen.rules());
    }
    let bends = [(" without ", 0), (" twice ", 2)];
    let bend = bends.into_iter().find_map(|(word, times)| Some((name.split_once(word)?, times)));
    let descriptor = registry::find(bend.map_or(name, |bend| bend.0.0)).expect("a known subject");
    let plain = descriptor.make(Port::Model);
    let subject = match bend {
        None => plain,
        Some(((_, mnemonic), times)) => {
            assert!(InsnOp::ALL.iter().any(|op| op.mnemonic() == mnemonic), "{mnemonic} is an instruction");
            Box::new(bent::Bent::new(plain, Instructions { mnemonic: mnemonic.to_owned(), times }))
        }
    };
    (subject, descriptor.rules())
}

/// Each subject and program, and whether the invariant breaks there. Others may.
#[track_caller]
pub(super) fn check(invariant: Invariant, cases: &[(&str, &str, bool)]) {
    for (name, program, expected) in cases {
        let (subject, rules) = made(name);
        let parsed = parse(program).unwrap_or_else(|error| panic!("{program}: {error}"));
        let verdict = judge(Machine::new().run(&*subject, &parsed), rules);
        let breaks = verdict.violations.iter().any(|violation| violation.invariant == invariant);
        assert_eq!(breaks, *expected, "{} on {name}: {program}\n{verdict:?}", invariant.name());
    }
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
        // An architecture's own section is none of its callers'.
        ("stateless/aarch64", "alloc 7 debug", "holds"),
        ("token/aarch64", "enable; alloc 7 debug; pause; free 7 debug; resume; disable", "holds"),
        ("stateless/aarch64", "enable; alloc 7 debug; disable", "breaks I2 I12"),
        // Nobody is left in the mode, whoever was to blame; a mode that is gated off is nobody's.
        ("stateless/aarch64", "enable; bh_off; disable; bh_on", "breaks I1"),
        ("stateless/powerpc64-hash", "irq { enable }", "breaks I1"),
        ("stateless/powerpc64-hash", "enable; switch T1; enable; disable; switch T0; disable", "breaks I2 I7 I12"),
        ("stateless/none", "enable; enable; disable; disable", "holds"),
        ("token/powerpc64-hash", "enable; enable; disable; disable", "holds"),
        ("token/aarch64", "enable; irq { enable; disable }; disable", "holds"),
        // A handler's token is its own: the task leaves with the one it got; the count its enter took stays.
        ("token/powerpc64-hash", "enable; irq { enable }; disable; query", "breaks I7"),
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
        ("counted/none", "pause; fork T4; resume", "breaks I1 I12"),
        ("counted/none", "pause", "breaks I1"),
        // A number is given again: what is said of the dead is not said of the new task, and is not forgotten.
        ("counted/none", "switch T1; enable; exit T1; fork T1", "breaks I1"),
        ("counted/none", "fork T4; switch T4; enable; exit T4; fork T4; switch T4; switch T0", "breaks I1"),
        // A task form pauses the task it names, whose own resume then enters again.
        ("counted/none", "switch T1; enable; switch T0; task_pause T1; switch T1; resume; disable", "holds"),
    ];
    for (subject, program, expected) in cases {
        assert_eq!(verdict(subject, program), expected, "{subject}: {program}");
    }
}

/// Changes a good trace, and names what must break.
fn broken(program: &str, change: impl FnOnce(&mut Vec<Event>)) -> Vec<Invariant> {
    broken_on("counted/none", program, change)
}

fn broken_on(subject: &str, program: &str, change: impl FnOnce(&mut Vec<Event>)) -> Vec<Invariant> {
    let (mut events, rules) = trace(subject, program);
    assert!(judge(&events, rules).holds(), "{program}");
    change(&mut events);
    judge(&events, rules).violations.iter().map(|violation| violation.invariant).collect()
}

/// Changes what the machine reports at the end of the last handler.
fn left_behind(subject: &str, program: &str, change: impl FnOnce(&mut Deferred)) -> Vec<Invariant> {
    broken_on(subject, program, |events| {
        let last = events.iter_mut().rev().find_map(|event| match &mut event.what {
            What::Held(held) => Some(held),
            _ => None,
        });
        change(last.expect("a report"));
    })
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
    let outside = broken(section, |events| {
        let hook = Event { what: What::Hook(Hook::Flush, false), ..events[0] };
        events.push(hook);
    });
    assert_eq!(outside, [Invariant::Model], "a flush from outside the generic layer pairs with nothing");
    let twice = broken(section, |events| {
        let at = find(events, |what| matches!(what, What::Hook(Hook::Flush, _)));
        events.insert(at, events[at]);
    });
    assert_eq!(twice, [Invariant::Model]);
    let query = broken(section, |events| {
        let at = find(events, |what| matches!(what, What::Hook(Hook::Enter, _)));
        events[at].what = What::Hook(Hook::Enter, false);
    });
    assert_eq!(query, [Invariant::Model]);
    for wrong in [Counters { enable: 1, pause: 0, active: true }, Counters { enable: 0, pause: 1, active: false }] {
        let before = broken("enable; disable", |events| {
            let at = find(events, |what| matches!(what, What::Call(Call::Enable, _)));
            events[at].what = What::Call(Call::Enable, wrong);
        });
        assert_eq!(before, [Invariant::Model]);
    }
    let after = broken("enable; disable", |events| {
        let at = find(events, |what| matches!(what, What::Return(Call::Enable, _)));
        events[at].what = What::Return(Call::Enable, Counters { enable: 1, pause: 1, active: false });
    });
    assert_eq!(after, [Invariant::Model]);
}

#[test]
fn the_first_violation_of_an_invariant_is_the_one_reported() {
    let (events, rules) = trace("counted/none", "repeat 256 { enable }; disable");
    let first = find(&events, |what| matches!(what, What::Return(Call::Enable, Counters { enable: 0, .. })));
    let verdict = judge(&events, rules);
    assert_eq!((verdict.violations[0].invariant, verdict.violations[0].event), (Invariant::I1, first));
}

#[test]
fn an_interrupt_that_disturbs_its_task_is_caught() {
    for (handler, block) in [("irq", Block::Irq), ("softirq", Block::Softirq), ("nmi", Block::Nmi)] {
        let counters = broken(&format!("enable; {handler} {{ query }}; disable"), |events| {
            let at = find(events, |what| matches!(what, What::Close(..)));
            events[at].what = What::Close(block, Counters { enable: 2, pause: 0, active: true });
        });
        assert_eq!(counters, [Invariant::I11], "{handler}");
    }
    let held = left_behind("counted/none", "enable; irq { query }; disable", |held| {
        *held = Deferred { pending: false, entries: 3, digest: 5 };
    });
    assert_eq!(held, [Invariant::I11]);
}

/// What a handler may do with what is held back: nothing, or force all of it out, which shows.
#[test]
fn a_handler_that_disturbs_what_is_held_back_is_caught() {
    let batch = "set U 0 x9; access U 0 x9; enable; clear U 0 x3; irq { query }; disable";
    for (how, change) in [
        ("an entry more", (|held| held.entries += 1) as fn(&mut Deferred)),
        ("another entry", |held| held.digest ^= 1),
        ("none left, and no flush", |held| *held = Deferred::default()),
    ] {
        assert_eq!(left_behind("sparc64", batch, change), [Invariant::I11], "{how}");
    }
    // An update of another address space forces the batch out, in the handler and on its CPU.
    let other =
        "set U 0 x9; access U 0 x9; set V 0 x9; access V 0 x9; enable; clear U 0 x3; irq { clear V 8 }; disable";
    assert_eq!(left_behind("sparc64", other, |_| {}), []);
    assert_eq!(left_behind("sparc64", other, |held| held.entries = 2), [Invariant::I11]);
    let elsewhere = "set U 0 x9; access U 0 x9; enable; clear U 0 x3; \
                     irq { cpu 1; enable; clear U 8; disable; cpu 0 }; disable";
    assert_eq!(left_behind("sparc64", elsewhere, |held| *held = Deferred::default()), [Invariant::I11]);
    // The pending flag: neither cleared without the barriers, nor set.
    let pending = "enable; set K 1; irq { query }; disable";
    assert_eq!(left_behind("aarch64", pending, |held| held.pending = false), [Invariant::I11]);
    let early = "enable; set K 1; irq { set K 2 }; disable";
    assert_eq!(left_behind("aarch64", early, |held| held.pending = false), [], "the barriers were executed");
    assert_eq!(
        left_behind("aarch64", "enable; irq { set K 2 }; disable", |held| held.pending = true),
        [Invariant::I11]
    );
}

/// A subject that says a batch is flushed, and sends nothing out.
#[test]
fn a_flush_that_is_only_noted_is_no_flush() {
    struct Mute;
    impl bent::Bend for Mute {
        fn execute(&self, env: &mut dyn Env, insn: Insn) -> u64 {
            let out = matches!(insn.op, InsnOp::HcMmuUpdate | InsnOp::TsbFlush | InsnOp::Stxa | InsnOp::Isb);
            if out && env.in_interrupt() { 0 } else { env.execute(insn) }
        }
    }
    let other =
        "set U 0 x9; access U 0 x9; set V 0 x9; access V 0 x9; enable; clear U 0 x3; irq { clear V 8 }; disable";
    for (subject, program) in [("sparc64", other), ("x86_64-xen", "enable; set K 0 x3; irq { kmap 9 }; disable")] {
        let descriptor = registry::find(subject).expect("a known subject");
        let program = parse(program).expect("a program");
        let plain = descriptor.make(Port::Model);
        let broken = |subject: &dyn Subject| {
            let verdict = judge(Machine::new().run(subject, &program), descriptor.rules());
            verdict.violations.iter().any(|violation| violation.invariant == Invariant::I11)
        };
        assert!(!broken(&*plain), "{subject}");
        assert!(broken(&bent::Bent::new(plain, Mute)), "{subject}");
    }
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
    let unwarned = |program: &str| {
        let (mut events, rules) = trace("counted/none", program);
        events.retain(|event| !matches!(event.what, What::Warn(_)));
        let verdict = judge(&events, rules);
        let quiet = verdict.violations.into_iter().find(|violation| violation.invariant == Invariant::I15);
        quiet.map(|violation| violation.text)
    };
    for call in ["enable", "pause"] {
        let text = unwarned(&format!("repeat 256 {{ {call} }}"));
        assert_eq!(text, Some(format!("{call} was illegal here, and nothing warned")));
    }
    // Calls of others while it is in progress do not answer for it.
    let text = unwarned("disable between { switch T1; enable; disable; switch T0 }");
    assert_eq!(text.as_deref(), Some("disable was illegal here, and nothing warned"));
}

/// How often each invariant is judged in a program, and that it is judged wherever it breaks.
fn judged(name: &str, program: &str) -> Judged {
    let (subject, rules) = made(name);
    let program = parse(program).unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut judge = Judge::default();
    let verdict = judge.judge(Machine::new().run(&*subject, &program), rules);
    for violation in verdict.violations {
        assert!(judge.judged()[violation.invariant as usize] > 0, "{name}: {violation:?}");
    }
    *judge.judged()
}

/// What could have broken is counted, broken or not; what could not have is no judgement.
#[test]
fn what_each_oracle_judges_is_counted() {
    use Invariant::*;
    #[rustfmt::skip]
    let cases = [
        // Two calls, and what is left open at the end.
        (I1, "counted/none", "enable; disable", 3),
        (I1, "counted/none", "set K 0; switch T1", 0),
        (I1, "stateless/none", "enable; disable", 0),
        (I1, "stateless/powerpc64-hash", "query", 1),
        (I2, "counted/none", "enable; enable; disable; disable", 3),
        (I2, "counted/none", "pause; enable; disable; resume", 0),
        // A disable behind a change; a use.
        (I3, "counted/aarch64", "enable; set K 0; disable", 1),
        (I3, "counted/aarch64", "enable; set K 0; flush; disable", 1),
        (I3, "counted/aarch64", "enable; set K 0; set K 1; disable; access K 0 x2", 3),
        (I3, "counted/aarch64", "set K 0; enable; disable", 0),
        (I3, "counted/x86_64-xen", "enable; set K 0; irq { access K 0 }; query", 0),
        (I3, "counted/aarch64 without isb", "enable; set K 0; disable", 1),
        (I4, "counted/none", "set K 0; enable; irq { set K 1 }; pause; clear K 0; resume; disable", 3),
        (I4, "counted/none", "enable; set K 0; clear K 2; disable", 0),
        (I4, "counted/sparc64", "enable; alloc 3 debug; disable", 1),
        (I5, "counted/aarch64", "enable; set K 0; disable", 3),
        (I5, "counted/x86_64-xen", "enable; set K 0; tlb_flush K 0; disable", 2),
        (I5, "counted/sparc64", "enable; disable; tlb_flush K 0; set U 0", 0),
        (I6, "counted/x86_64-xen", "switch T1; switch T0", 2),
        (I6, "counted/aarch64", "enable; set K 0; switch T1; switch T0; disable", 0),
        (I7, "counted/aarch64", "enable; enable; disable; disable", 1),
        (I7, "counted/sparc64", "enable; enable; disable; disable", 4),
        (I7, "counted/sparc64", "irq { enable; disable }", 0),
        (I8, "counted/none", "get K 0; raw_get K 0 x2", 3),
        (I8, "counted/none", "set K 0; access K 0; clear K 0", 0),
        (I9, "counted/x86_64-xen", "tlb_flush K 0; enable; clear K 0; tlb_flush K 0; gather_flush U 0; disable", 2),
        (I9, "counted/x86_64-xen", "enable; clear K 0; tlb_flush K 0", 0),
        (I9, "counted/x86_64-xen", "set U 0; clear U 0", 0),
        (I10, "counted/sparc64", "set U 0; access U 0; clear U 0", 1),
        (I10, "counted/sparc64", "enable; set U 0; get U 0; disable", 0),
        (I11, "counted/none", "irq { query }; softirq { irq { set K 0 } }", 3),
        (I11, "counted/none", "irq_off; irq { query }", 0),
        (I12, "counted/none", "fork T4; switch T4; switch T0", 3),
        (I12, "counted/none", "enable; set K 0; disable", 0),
        (I13, "counted/powerpc64-radix", "enable; pause; resume; disable", 4),
        (I13, "counted/powerpc64-hash", "enable; pause; resume; disable", 0),
        (I14, "counted/none", "set U 0; clear U 0; gather_flush U 0; free 3 debug", 2),
        (I14, "counted/none", "set U 0; gather_flush U 0; alloc 3 debug; free 3", 0),
        // After a misuse any warning may come.
        (I15, "counted/none", "enable; disable; disable; enable", 3),
        (I15, "counted/none", "set K 0; fork T4", 0),
        (Model, "counted/none", "enable; irq { enable; disable }; disable", 4),
        (Model, "stateless/none", "enable; disable", 0),
    ];
    for (invariant, subject, program, expected) in cases {
        assert_eq!(
            judged(subject, program)[invariant as usize],
            expected,
            "{} on {subject}: {program}",
            invariant.id()
        );
    }
    for invariant in Invariant::ALL {
        let seen = |none| cases.iter().any(|case| case.0 == invariant && (case.3 == 0) == none);
        assert!(seen(true) && seen(false), "{}: judged in one program, and not in another", invariant.id());
    }
}

/// What sparc64's flush borrows it gives back, what it announces comes, and what it says of a page's size is true.
#[test]
fn a_flush_of_sparc64_that_leaves_something_behind_is_caught() {
    fn keeps_interrupts_off(insn: Insn) -> Option<Insn> {
        (insn.op != InsnOp::WrprPstate || insn.a & decode::PSTATE_IE == 0).then_some(insn)
    }
    fn keeps_the_context(insn: Insn) -> Option<Insn> {
        let secondary = decode::operand(decode::ASI_DMMU, decode::SECONDARY_CONTEXT);
        (insn.op != InsnOp::Stxa || insn.a != secondary || insn.b != 0).then_some(insn)
    }
    fn calls_for_one_more(insn: Insn) -> Option<Insn> {
        let more = if insn.op == InsnOp::Xcall { 1 << 8 } else { 0 };
        Some(Insn { b: insn.b + more, ..insn })
    }
    fn takes_all_for_small(insn: Insn) -> Option<Insn> {
        let small = insn.op == InsnOp::TsbFlush && insn.b & 0xff == REAL_HPAGE_SHIFT.into();
        Some(if small { Insn { b: insn.b & !0xff | u64::from(PAGE_SHIFT), ..insn } } else { insn })
    }
    const BATCH: &str = "set U 0 x3; access U 0 x3; enable; clear U 0 x3; disable";
    const ONE: &str = "set U 0; access U 0; clear U 0";
    const SHARED: &str = "set V 0 x3; access V 0 x3; enable; clear V 0 x3; disable";
    const KERNEL: &str = "set K 0 x3; access K 0 x3; clear K 0 x3; tlb_flush K 0 x3";
    const HUGE: &str = "set U 50 huge; enable; clear U 50; disable";
    const USED: &str = "set U 50 huge; access U 50; enable; clear U 50; disable";
    #[rustfmt::skip]
    let cases: [(&str, Change, &str, &[Invariant]); 13] = [
        ("sparc64", Some, BATCH, &[]),
        ("sparc64", Some, SHARED, &[]),
        ("sparc64", keeps_interrupts_off, BATCH, &[Invariant::I7]),
        ("sparc64", keeps_interrupts_off, ONE, &[Invariant::I7]),
        ("sparc64", keeps_interrupts_off, KERNEL, &[]),
        ("sparc64", keeps_the_context, BATCH, &[Invariant::I7]),
        ("sparc64", keeps_the_context, ONE, &[Invariant::I7]),
        ("sparc64", calls_for_one_more, SHARED, &[Invariant::I10]),
        ("sparc64", calls_for_one_more, KERNEL, &[Invariant::I10]),
        ("sparc64-sun4v", calls_for_one_more, SHARED, &[Invariant::I10]),
        ("sparc64", takes_all_for_small, HUGE, &[Invariant::I10]),
        ("sparc64", takes_all_for_small, USED, &[Invariant::I3, Invariant::I10]),
        ("sparc64", Some, HUGE, &[]),
    ];
    for (n, (name, other, program, expected)) in cases.into_iter().enumerate() {
        let descriptor = registry::find(name).expect("a known subject");
        let subject = bent::Bent::new(descriptor.make(Port::Model), Other(other));
        let verdict = judge(Machine::new().run(&subject, &parse(program).expect("a program")), descriptor.rules());
        let broken: Vec<_> = verdict.violations.iter().map(|violation| violation.invariant).collect();
        assert_eq!(broken, expected, "{n}: {name}: {program}\n{verdict:?}");
    }
}

/// `set_ptes()` of a run as one of each entry: outside a section that costs barriers for each.
struct OneByOne;

impl bent::Bend for OneByOne {
    fn set_ptes(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        let (flags, frame) = (to.pte_flags(word), to.pte_frame(word));
        for i in 0..n {
            to.set_ptes(env, at.step(i), to.pte_word(flags, frame + u32::from(i), at.size), 1);
        }
    }
}

#[test]
fn barriers_for_each_entry_of_one_change_are_caught() {
    let cases: [(&str, &str, &[Invariant]); 8] = [
        ("aarch64", "set K 0 x3", &[Invariant::I5]),
        ("aarch64", "enable; pause; set K 0 x2; resume; disable", &[Invariant::I5]),
        ("aarch64", "irq { set K 0 x2 }", &[Invariant::I5]),
        ("aarch64", "set K 0; set K 1; set K 2", &[]),
        // None go out before the end; user entries and entries that are not valid need none.
        ("aarch64", "enable; set K 0 x3; disable", &[]),
        ("aarch64", "set U 0 x3; set K 0 x3 invalid; clear K 0 x3", &[]),
        // Elsewhere each entry is a change of its own.
        ("sparc64", "set U 0 x3; access U 0 x3; set U 0 x3", &[]),
        ("x86_64-xen", "set K 0 x3", &[]),
    ];
    for (name, program, expected) in cases {
        let descriptor = registry::find(name).expect("a known subject");
        let program = parse(program).expect("a program");
        let faithful = descriptor.make(Port::Model);
        let verdict = judge(Machine::new().run(&*faithful, &program), descriptor.rules());
        assert!(verdict.holds(), "{name}: {program}\n{verdict:?}");
        let bent = bent::Bent::new(faithful, OneByOne);
        let verdict = judge(Machine::new().run(&bent, &program), descriptor.rules());
        let broken: Vec<_> = verdict.violations.iter().map(|violation| violation.invariant).collect();
        assert_eq!(broken, expected, "{name}: {program}\n{verdict:?}");
    }
}

/// What was judged before is not counted again, and nothing is judged in no events.
#[test]
fn counts_are_of_one_trace() {
    let (events, rules) = trace("counted/sparc64", "set U 0; access U 0; enable; clear U 0; disable");
    let mut judge = Judge::default();
    let counts = [0; 2].map(|_| {
        let _ = judge.judge(&events, rules);
        *judge.judged()
    });
    assert_eq!(counts[0], counts[1]);
    let _ = judge.judge(&[], rules);
    assert_eq!(*judge.judged(), [0; 16]);
}

/// A [`Judge`] that has judged says of the next trace what a new one says.
#[test]
fn what_was_judged_before_does_not_matter() {
    let traces: Vec<_> = [
        ("counted/none", "enable; irq { repeat 1000 { repeat 1000 { set K 0 x500 } } }"),
        ("counted/none", "enable; pause"),
        ("counted/none", "disable; repeat 3 { resume }"),
        ("counted/none", "enable; switch T1"),
        ("counted/none", "irq { enable }"),
        ("stateless/none", "disable"),
        ("nesting-v3/none", "pause; resume"),
        ("counted/none", "enable; disable; pause; resume; switch T1; switch T0"),
        ("counted/none", "irq { enable; disable }; fork T4; switch T4; switch T0"),
    ]
    .map(|(subject, program)| trace(subject, program))
    .into();
    for (before, rules_before) in &traces {
        for (events, rules) in &traces {
            let mut used = Judge::default();
            let _ = used.judge(before, *rules_before);
            assert_eq!(used.judge(events, *rules), judge(events, *rules));
        }
    }
}

#[test]
fn legal_programs_hold_where_nothing_is_deferred() {
    let subject = registry::find("counted/none").expect("a known subject");
    let made = subject.make(Port::Model);
    let mut machine = Machine::new();
    for seed in 0..2000 {
        let program = lazy_mmu_program::generate::legal(seed, 40);
        let verdict = judge(machine.run(&*made, &program), subject.rules());
        // An operation may be refused: that is no fault of anybody.
        let judged = Verdict { refused: None, ..verdict };
        assert_eq!(judged, Verdict::default(), "seed {seed}:\n{program}");
    }
}

#[test]
fn the_model_agrees_on_any_program() {
    let subject = registry::find("counted/none").expect("a known subject");
    let made = subject.make(Port::Model);
    let mut machine = Machine::new();
    for seed in 0..2000 {
        let program = lazy_mmu_program::generate::any(seed, 60);
        let verdict = judge(machine.run(&*made, &program), subject.rules());
        let model = verdict.violations.iter().find(|violation| violation.invariant == Invariant::Model);
        assert_eq!(model, None, "seed {seed}:\n{program}");
    }
}

/// Up to a misuse and as a whole: the same faults, but for texts of what the first sees less of.
#[test]
fn judging_up_to_a_misuse_finds_the_same_faults() {
    let mut machine = Machine::new();
    let mut judge = Judge::default();
    let mut misused = 0;
    for (at, subject) in registry::SUBJECTS.iter().enumerate() {
        let made = subject.make(Port::Model);
        for seed in 0..150 {
            let program = lazy_mmu_program::generate::any(1000 * at as u64 + seed, 40);
            let events = machine.run(&*made, &program);
            let whole = judge.judge(events, subject.rules());
            let part = judge.judge_to_misuse(events, subject.rules());
            assert_eq!((part.since, part.cut.is_some() && part.since.is_some()), (whole.since, false), "{program}");
            let faults: Vec<_> = whole.faults().collect();
            assert_eq!(part.faults().collect::<Vec<_>>(), faults, "{}: seed {seed}\n{program}", subject.name);
            misused += usize::from(part.since.is_some());
        }
    }
    assert!(misused > 1000, "{misused}");
}
