//! Generated programs against what judges them: legal ones are judged legal, and do all that is legal.

use lazy_mmu_engine::contract;
use lazy_mmu_engine::exercise::Exercised;
use lazy_mmu_engine::machine::Machine;
use lazy_mmu_engine::program::Op;
use lazy_mmu_engine::program::generate::legal;
use lazy_mmu_engine::registry;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::What;

/// What is generated as legal is judged to be legal on every backend of today, whatever the other CPU does meanwhile.
#[test]
fn legal_programs_are_judged_legal() {
    let mut machine = Machine::new();
    for subject in registry::SUBJECTS.iter().filter(|subject| subject.is_current()) {
        let made = subject.make(Port::Model);
        for seed in 0..1500 {
            let program = legal(seed, 32);
            let verdict = contract::judge(machine.run(&*made, &program), subject.rules());
            assert_eq!(verdict.first_misuse(), None, "{}, seed {seed}:\n{program}", subject.name);
        }
    }
}

/// Whatever callers may do occurs in legal programs, and each ends on T0.
#[test]
fn legal_programs_do_all_that_is_legal() {
    let subject = registry::find("sparc64").expect("a known subject").make(Port::Model);
    let mut machine = Machine::new();
    let mut exercised = Exercised::default();
    let mut counts = std::collections::BTreeSet::new();
    let mut life = [0; 3];
    for seed in 0..800 {
        let program = legal(seed, 40);
        let events = machine.run(&*subject, &program);
        exercised.add(events);
        for event in events {
            match event.what {
                What::Fork { .. } => life[0] += 1,
                What::SwitchIn { .. } if event.task >= 4 => life[1] += 1,
                What::Exit { .. } => life[2] += 1,
                What::Refused(why) => {
                    let op = program.ops()[event.op as usize];
                    let of_a_child = matches!(op, Op::Fork(_) | Op::Exit(_) | Op::Switch(4..));
                    assert!(!of_a_child, "seed {seed}: {op} refused: {why:?}\n{program}");
                }
                _ => {}
            }
        }
        assert_eq!(program.ops().last(), Some(&Op::Switch(0)), "seed {seed}");
        counts.extend(program.ops().iter().filter_map(|op| match op {
            Op::Set(pages, _) | Op::Clear(pages) | Op::Access(pages) => Some(pages.count),
            _ => None,
        }));
    }
    let [made, ran, ended] = life;
    assert!(made > 50 && made == ended && ran > made, "{made} tasks made, {ran} runs of theirs, {ended} ended");
    let missing: Vec<_> = exercised.missing().collect();
    // It takes Xen to fill its buffer.
    assert_eq!(missing, ["hypercalls at capacity", "warnings"]);
    assert!([1, 8, 31, 32, 63, 191, 192, 193, 385].iter().all(|count| counts.contains(count)), "{counts:?}");
}
