//! Every workload, at the lengths where something ends and at each of its exits: complete, legal, and what it says.

use std::collections::BTreeSet;

use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Block, MAX_OPS, Op, Pages, Program};
use lazy_mmu_engine::registry::{Descriptor, SUBJECTS};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::{Refusal, What};
use lazy_mmu_engine::workload::*;

/// Every workload under each of its cases.
fn cases() -> impl Iterator<Item = (&'static Workload, Parameters)> {
    all().flat_map(|workload| workload.cases().map(move |parameters| (workload, parameters)))
}

fn program(workload: &Workload, parameters: &Parameters) -> Program {
    workload.program(parameters).unwrap_or_else(|bad| panic!("{}{parameters}: {bad}", workload.name))
}

/// 7.2's subjects, with their places.
fn current() -> impl Iterator<Item = (usize, &'static Descriptor)> {
    SUBJECTS.iter().enumerate().filter(|(_, subject)| subject.is_current())
}

#[test]
fn the_table_says_what_everything_is() {
    let mut names = BTreeSet::new();
    for workload in all() {
        let Workload { name, source, about, takes, .. } = workload;
        assert!(names.insert(name), "{name} is there twice");
        assert!(find(name).is_some_and(|found| std::ptr::eq(found, workload)), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        assert!(source.contains(['/', ':']) && !about.is_empty() && about.len() <= 120, "{name}: {}", about.len());
        assert!(takes.contains(&Parameter::Len), "{name}");
        assert!(workload.to_string().starts_with(&format!("# {name} (")), "{name}");
    }
    assert_eq!(all().filter(|workload| workload.name.starts_with("chain_")).count(), 10);
    assert!(find("vmap").is_none() && find("").is_none());
}

#[test]
fn a_name_that_is_none_has_neighbours() {
    assert_eq!(near("vmap_pte_rang")[0], "vmap_pte_range");
    assert_eq!(near("zap_pte"), ["zap_pte_range"]);
    assert_eq!(near("the mm/memory.c zap_pte_range()"), ["zap_pte_range"]);
    assert_eq!(near("chain_0").len(), 5);
    for name in ["", "x", "frobnicate", &"x".repeat(100_000)] {
        assert_eq!(near(name), [""; 0], "{}", name.len());
    }
}

/// Text and bytes keep a program exactly, and its calls pair off.
#[test]
fn programs_are_balanced_and_come_back_from_their_text() {
    for (workload, parameters) in cases() {
        let program = program(workload, &parameters);
        let name = format!("{}{parameters}", workload.name);
        assert!(program.ops().len() < MAX_OPS, "{name}: {}", program.ops().len());
        assert_eq!(parse(&program.to_string()).as_ref(), Ok(&program), "{name}");
        assert_eq!(parse(&format!("{workload}{program}")).as_ref(), Ok(&program), "{name}: with its comment");
        assert_eq!(
            lazy_mmu_engine::program::bytes::decode(&lazy_mmu_engine::program::bytes::encode(&program)),
            program,
            "{name}"
        );
        let count = |op: Op| program.ops().iter().filter(|&&found| found == op).count();
        // A section for each entry is none for no entry.
        assert!(count(Op::Enable) > 0 || parameters.len() == 0, "{name}");
        for (begin, end) in [
            (Op::Enable, Op::Disable),
            (Op::Pause, Op::Resume),
            (Op::IrqOff, Op::IrqOn),
            (Op::MutexLock, Op::MutexUnlock),
        ] {
            assert_eq!(count(begin), count(end), "{name}: {begin}");
        }
        for lock in 0..4 {
            assert_eq!(count(Op::Lock(lock)), count(Op::Unlock(lock)), "{name}: lock {lock}");
        }
    }
}

#[test]
fn every_parameter_that_is_taken_changes_the_program_and_no_other_is() {
    for workload in all() {
        for parameter in Parameter::ALL {
            let told = Parameters::default().with(parameter, 1);
            if workload.takes.contains(&parameter) {
                assert_ne!(program(workload, &told), program(workload, &Parameters::default()), "{told}");
            } else {
                assert_eq!(workload.program(&told), Err(BadParameter::NotTaken(parameter)), "{}", workload.name);
            }
        }
    }
}

/// What `check` runs is accepted, and nothing is run twice.
#[test]
fn variants_are_accepted_and_differ() {
    for workload in all() {
        let programs: Vec<_> = workload.variants().map(|parameters| program(workload, &parameters)).collect();
        assert_eq!(programs.len(), 5 + workload.takes.len(), "{}", workload.name);
        for (at, program) in programs.iter().enumerate() {
            assert!(!programs[..at].contains(program), "{}: variant {at}", workload.name);
        }
    }
}

#[test]
fn values_out_of_range_are_refused() {
    use Parameter::{BusyAt, FailAt, Len, ReschedEvery, Size};
    let refuses = |name: &str, parameters: Parameters| {
        let workload = find(name).unwrap_or_else(|| panic!("{name}"));
        workload.accepts(&parameters).expect_err("it is out of range").to_string()
    };
    let some = Parameters::default();
    assert_eq!(refuses("vmap_pte_range", some.with(Len, 513)), "--len 513: expected 0 to 512");
    assert_eq!(refuses("vmap_pte_range", some.with(BusyAt, 16)), "--busy-at 16: expected 0 to 15");
    assert_eq!(refuses("vmap_pte_range", some.with(Size, 3)), "--size 3: expected 0 to 2");
    assert_eq!(refuses("vmap_pte_range", some.with(Len, 0).with(BusyAt, 0)), "--busy-at 0: there is no such page");
    assert_eq!(refuses("copy_pte_range", some.with(ReschedEvery, 0)), "--resched-every 0: expected 1 to 512");
    assert_eq!(refuses("vunmap_pte_range", some.with(FailAt, 1)), "--fail-at means nothing for it");
    let all = some.with(BusyAt, 7).with(Size, 2).with(Len, 193);
    assert_eq!(all.to_string(), " --len 193 --size huge --busy-at 7");
}

/// On every backend of 7.2 the program misuses nothing, and the machine refuses nothing but other architectures' code.
/// That the contract holds there is `lazy-mmu-snapshots`' to test, which knows the findings.
#[test]
fn workloads_are_legal() {
    let mut runner = Runner::new();
    for (workload, parameters) in cases() {
        let program = program(workload, &parameters);
        for (at, subject) in current() {
            let name = format!("{}{parameters} on {}", workload.name, subject.name);
            let (events, verdict) = runner.run(at, Port::Model, &program);
            assert!(verdict.misuse.is_none(), "{name}: {:?}", verdict.misuse);
            for event in events {
                assert!(!matches!(event.what, What::Atomic { .. } | What::Stop(_)), "{name}: {:?}", event.what);
                if let What::Refused(why) = event.what {
                    assert_eq!(why, Refusal::OtherArchitecture, "{name}: operation {}", event.op);
                }
            }
        }
    }
}

/// Under Xen the tables change late: nobody may look at an entry that its own section has changed and not forced out.
/// The rule is read off the program, task by task, not off any subject.
#[test]
fn no_section_reads_what_it_has_written() {
    for (workload, parameters) in cases() {
        let program = program(workload, &parameters);
        let name = format!("{}{parameters}", workload.name);
        let mut tasks = [0u8; 2];
        let mut cpu = 0;
        let mut open = [(0u32, 0u32); 8];
        let mut written: [BTreeSet<(u8, u16)>; 8] = Default::default();
        let mut handlers = Vec::new();
        let slots = |pages: Pages| (0..pages.count).map(move |i| (pages.mm.0, pages.first + i));
        for (at, &op) in program.ops().iter().enumerate() {
            let in_handler = handlers.contains(&true);
            let task = usize::from(tasks[cpu]);
            let active = open[task].0 > 0 && open[task].1 == 0 && !in_handler;
            match op {
                Op::Enable if !in_handler && open[task].1 == 0 => open[task].0 += 1,
                Op::Disable if !in_handler && open[task].1 == 0 => {
                    open[task].0 -= 1;
                    written[task].clear();
                }
                Op::Pause => {
                    open[task].1 += 1;
                    written[task].clear();
                }
                Op::Resume => open[task].1 -= 1,
                Op::Open(block) => {
                    handlers.push(matches!(block, Block::Irq | Block::Softirq | Block::Nmi));
                    if matches!(block, Block::On(_)) {
                        tasks = [0, 3];
                    }
                }
                Op::Close => drop(handlers.pop()),
                Op::Switch(next) | Op::Preempt(next) => tasks[cpu] = next,
                Op::Cpu(next) => cpu = usize::from(next),
                Op::Get(p) | Op::RawGet(p) => assert!(
                    written.iter().all(|set| slots(p).all(|slot| !set.contains(&slot))),
                    "{name}: operation {at}, {op}"
                ),
                Op::Wrprotect(p) | Op::Clear(p) => {
                    for slot in slots(p) {
                        assert!(written.iter().all(|set| !set.contains(&slot)), "{name}: operation {at}, {op}");
                        if active {
                            written[task].insert(slot);
                        }
                    }
                }
                Op::Set(p, _) => {
                    for slot in slots(p) {
                        let own = |other: usize| other == task && !in_handler;
                        let mut others = written.iter().enumerate().filter(|&(other, _)| !own(other));
                        assert!(!others.any(|(_, set)| set.contains(&slot)), "{name}: operation {at}, {op}");
                        if active {
                            written[task].insert(slot);
                        }
                    }
                }
                _ => {}
            }
        }
        assert!(open.iter().all(|&counts| counts == (0, 0)), "{name}: {open:?}");
        assert_eq!(tasks[..1], [0], "{name}: T0 runs at the end, on CPU 0");
    }
}
