//! Merging is sound and loses nothing, and what is seeded is found.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum as _;
use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::program::generate::{Random, any};
use lazy_mmu_engine::program::minimise::minimise;
use lazy_mmu_engine::program::{Op, Program};
use lazy_mmu_engine::registry::{Descriptor, SUBJECTS};
use lazy_mmu_engine::subject::{Port, Subject};
use lazy_mmu_engine::trace::{Event, What};
use lazy_mmu_engine::zoo;

use lazy_mmu_engine::examine::Examiner;

use lazy_mmu_engine::space::{self, Node};
use lazy_mmu_snapshots::known;
use pathfinding::directed::bfs::bfs_reach;

use super::alphabet::Alphabet;
use super::*;

mod planted;

/// With how many entries a batch is full in the kernel.
const FULL: u16 = 192;

/// Every subject and every specimen, with its name.
fn everything() -> Vec<(&'static str, Box<dyn Subject>, &'static lazy_mmu_engine::registry::Descriptor)> {
    let faithful = SUBJECTS.iter().map(|subject| (subject.name, subject.make(Port::Model), subject));
    let bent =
        zoo::all().filter(is_listed).map(|specimen| (specimen.name, specimen.make(Port::Model), specimen.base()));
    faithful.chain(bent).collect()
}

/// Whether the exploration looks for it: one of [`FOUND`]. What an older generation is known to do is no finding here, and
/// a caller's defect is in the program.
fn is_listed(specimen: &&'static zoo::Specimen) -> bool {
    alphabet_of(specimen).is_some()
}

/// The alphabet that [`FOUND`] says finds it.
fn alphabet_of(specimen: &zoo::Specimen) -> Option<Alphabet> {
    let line = FOUND.lines().find(|line| line.ends_with(&format!(" {}", specimen.name)))?;
    Alphabet::value_variants().iter().copied().find(|alphabet| line.starts_with(&format!("{} ", alphabet.name())))
}

fn judged<'s>(subject: &'s dyn Subject, base: &lazy_mmu_engine::registry::Descriptor) -> Examiner<'s> {
    Examiner { subject, rules: base.rules(), kind: base.name, explain: known::names }
}

/// What follows a program: events with operations counted from its end, what they broke that was whole before, and
/// whether the program misused the API or was cut by the end of it.
#[derive(Debug, PartialEq)]
struct Continuation {
    events: Vec<Event>,
    broken: Vec<(Invariant, usize)>,
    by_the_end: (bool, bool, bool),
}

/// Runs a program and its continuation. `whole` says which invariants count.
fn continued(
    space: &mut Space<'_>,
    first: &Program,
    then: &Program,
    whole: impl Fn(Invariant) -> bool,
) -> Continuation {
    let before = first.ops().len();
    // A `between` at the start would belong to the call before it.
    let ops: Vec<Op> = first.ops().iter().chain(&[Op::Query]).chain(then.ops()).copied().collect();
    let (_, prefix) = space.run(&Program::new(ops).expect("two programs are one"), before);
    // Whom a switch hook put aside at boot says no program, not even one without operations.
    let boot = space.events().iter().take_while(|event| matches!(event.what, What::Away { .. })).count();
    let start = space.events().partition_point(|event| (event.op as usize) < before).max(boot);
    let shifted = |event: &Event| Event { op: event.op.wrapping_sub(before as u32), ..*event };
    let verdict = prefix.ended.as_ref().unwrap_or(&prefix.so_far);
    let broken = verdict.violations.iter().filter(|found| whole(found.invariant));
    Continuation {
        events: space.events()[start..].iter().map(shifted).collect(),
        broken: broken.map(|found| (found.invariant, found.event.wrapping_sub(start))).collect(),
        by_the_end: (verdict.misuse.is_some(), verdict.cut.is_some(), prefix.ended.is_some()),
    }
}

/// A few steps of all alphabets, now and then an operation of any kind.
fn walk(random: &mut Random, steps: &[Vec<Op>], most: u32) -> Program {
    let mut ops = Vec::new();
    for _ in 0..1 + random.below(most) {
        if random.below(6) == 0 {
            ops.extend_from_slice(any(random.next(), 2).ops());
        } else {
            ops.extend_from_slice(&steps[random.below(steps.len() as u32) as usize]);
        }
    }
    Program::new(ops).expect("steps one behind the other")
}

/// Programs with one fingerprint go on alike, event by event and verdict by verdict, whatever comes.
#[test]
fn programs_with_one_fingerprint_go_on_alike() {
    let steps: Vec<Vec<Op>> = Alphabet::value_variants().iter().flat_map(|alphabet| alphabet.steps(FULL)).collect();
    let mut compared = 0;
    for (at, (name, subject, base)) in everything().into_iter().enumerate() {
        let mut space = Space::new(judged(&*subject, base), steps.clone(), true);
        let seed = 0x5eed + at as u64;
        let mut random = Random::new(seed);
        let mut first: BTreeMap<u64, Program> = BTreeMap::new();
        for _ in 0..1500 {
            let program = walk(&mut random, &steps, 4);
            let (fingerprint, _) = space.run(&program, 0);
            let Some(known) = first.get(&fingerprint).filter(|known| **known != program) else {
                first.entry(fingerprint).or_insert(program);
                continue;
            };
            let mut differ = |then: &Program| {
                let broken: BTreeSet<Invariant> = [known, &program]
                    .into_iter()
                    .flat_map(|program| space.run(program, 0).1.so_far.violations)
                    .map(|violation| violation.invariant)
                    .collect();
                let whole = |invariant| !broken.contains(&invariant);
                continued(&mut space, known, then, whole) != continued(&mut space, &program, then, whole)
            };
            let then = walk(&mut random, &steps, 5);
            if differ(&then) {
                let then = minimise(&then, differ);
                panic!(
                    "{name}, seed {seed}: these have one fingerprint\n{known}\n{program}\nand go on differently:\n{then}"
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 10_000, "only {compared} pairs were compared");
}

/// What any path of a few steps comes to: what broke, and what the paths end with otherwise, each by its last step.
fn comes_to(judged: Examiner<'_>, alphabet: Alphabet, depth: u8, merge: bool) -> (BTreeSet<String>, usize) {
    let mut space = Space::new(judged, alphabet.steps(FULL), merge);
    let root = space.root();
    let mut found = BTreeSet::new();
    let mut counts = (Exercised::default(), space::Counts::default());
    let states = bfs_reach(root, |&node| {
        let mut next = Vec::new();
        for step in (0..space.width()).filter(|_| node.path.len() < depth) {
            let what = match space.step(node.path, step, &mut counts.0, &mut counts.1) {
                Reached::State(fingerprint) => {
                    next.push(Node { fingerprint, path: node.path.with(step) });
                    continue;
                }
                Reached::Misuse => "misuse".to_owned(),
                Reached::Cut => "cut".to_owned(),
                Reached::Known(findings) => findings,
                Reached::Broken(broken) => broken.invariant.name().to_owned(),
            };
            found.insert(format!("{what} at {}", alphabet.lines(FULL)[usize::from(step)]));
        }
        next
    });
    let states = states.count();
    (found, states)
}

/// Without merging, the same is found.
#[test]
fn merging_loses_nothing() {
    for (name, subject, base) in everything() {
        for alphabet in [Alphabet::Generic, Alphabet::Memory] {
            let judged = judged(&*subject, base);
            let (merged, fewer) = comes_to(judged, alphabet, 3, true);
            let (all, more) = comes_to(judged, alphabet, 3, false);
            assert_eq!(merged, all, "{name}, {alphabet:?}");
            assert!(fewer < more, "{name}, {alphabet:?}: nothing was merged");
        }
    }
}

/// The same of what is explored: it does not depend on the run before it, and is the same each time.
#[test]
fn an_exploration_is_repeatable() {
    let subject = SUBJECTS.iter().find(|subject| subject.name == "counted/x86_64-xen").expect("a known subject");
    let made = subject.make(Port::Model);
    let bounds = Bounds { depth: 3, states: 1_000_000 };
    let mut space = Space::new(judged(&*made, subject), Alphabet::Full.steps(FULL), true);
    let numbers = |explored: Explored| (explored.states, explored.transitions, explored.misuses, explored.known);
    let first = numbers(explore(&mut space, bounds, |_| ControlFlow::Continue(())));
    assert_eq!(numbers(explore(&mut space, bounds, |_| ControlFlow::Continue(()))), first);
    assert!(first.0 > 1000, "{first:?}");
}

/// A bound on states ends it, and so does whoever watches.
#[test]
fn bounds_are_kept() {
    let subject = SUBJECTS.iter().find(|subject| subject.name == "counted/aarch64").expect("a known subject");
    let made = subject.make(Port::Model);
    let mut space = Space::new(judged(&*made, subject), Alphabet::Full.steps(FULL), true);
    let few = explore(&mut space, Bounds { depth: 24, states: 500 }, |_| ControlFlow::Continue(()));
    assert_eq!(few.end, End::States);
    assert!((500..500 + space::MAX_STEPS).contains(&few.states), "{}", few.states);
    let stopped = explore(&mut space, Bounds { depth: 24, states: usize::MAX }, |_| ControlFlow::Break(()));
    assert_eq!((stopped.end, stopped.expanded), (End::Interrupted, EVERY));
}

/// What is seeded is found, with the steps that the shortest path needs: by the alphabet `full`, or, what needs pages of two
/// sizes or address spaces cleared in few steps, by `memory`. Not here: callers, which are no subjects, older generations, whose defects are known findings
/// here, and batches of 191 entries and more. The whole zoo is searched by `lazymmu zoo --baselines exhaustive`.
#[test]
fn what_is_seeded_is_found() {
    let mut found = String::new();
    for specimen in zoo::all().filter(is_listed) {
        let subject = specimen.make(Port::Model);
        let base = specimen.base();
        let bounds = Bounds { depth: 5, states: 1_000_000 };
        let alphabet = alphabet_of(specimen).expect("it is listed");
        let mut space = Space::new(judged(&*subject, base), alphabet.steps(FULL), true);
        let explored = explore(&mut space, bounds, |_| ControlFlow::Continue(()));
        let Some(failure) = explored.failure else { panic!("{} is not found", specimen.name) };
        let Some(invariant) = failure.invariant else { panic!("{} crashes", specimen.name) };
        let steps = failure.steps;
        found.push_str(&format!("{} {steps} {} {}\n", alphabet.name(), invariant.id(), specimen.name));
        // The program breaks it on the specimen, and nothing of the kind on its fix.
        let on = |subject: &dyn Subject, base| {
            let (_, prefix) = Space::new(judged(subject, base), Vec::new(), true).run(&failure.program, 0);
            let verdict = prefix.ended.unwrap_or(prefix.so_far);
            verdict.violations.iter().any(|violation| violation.invariant == invariant)
        };
        assert!(on(&*subject, base), "{}:\n{}", specimen.name, failure.program);
        assert!(!on(&*specimen.make_fixed(Port::Model), specimen.fixed()), "{}:\n{}", specimen.name, failure.program);
    }
    assert_eq!(found, FOUND);
}

/// A subject with small batches, explored by the alphabet `batch` to its own depth.
fn batches(subject: &dyn Subject, base: &Descriptor) -> Explored {
    let judged = Examiner { subject, rules: base.rules(), kind: base.faithful(), explain: known::names };
    let full = base.rules().room.updates(base.mmu).expect("a batch");
    let mut space = Space::new(judged, Alphabet::Batch.steps(full), true);
    let bounds = Bounds { depth: Alphabet::Batch.depth(), states: 5_000_000 };
    explore(&mut space, bounds, |_| ControlFlow::Continue(()))
}

/// What goes wrong where a batch of a few entries fills, or another address space comes, is found within the alphabet's depth;
/// a batch without a fault is clean, and is the faithful one.
#[test]
fn faults_of_batches_are_found_where_batches_are_small() {
    use planted::{HALF, LOSES_LAST, MIXED, NONE, ONE_TOO_MANY, planted};
    let hash = SUBJECTS.iter().find(|subject| subject.name == "counted/powerpc64-hash").and_then(Descriptor::small);
    let hash = hash.expect("a small form");
    let mut machine = lazy_mmu_engine::machine::Machine::new();
    let (faithful, same) = (hash.make(Port::Model), planted::<NONE>());
    for seed in 0..200 {
        let program = lazy_mmu_engine::program::generate::legal(seed, 40);
        let expected = machine.run(&*faithful, &program).to_vec();
        assert_eq!(machine.run(&*same, &program), expected, "seed {seed}:\n{program}");
    }
    for (subject, what) in [
        (planted::<ONE_TOO_MANY>(), "one too many"),
        (planted::<MIXED>(), "mixed"),
        (planted::<LOSES_LAST>(), "loses the last"),
        (planted::<HALF>(), "by half"),
    ] {
        let explored = batches(&*subject, hash);
        let failure = explored.failure.unwrap_or_else(|| panic!("{what} is not found in {} states", explored.states));
        println!(
            "{what}: {} in {} steps, {} states",
            failure.invariant.map_or("none", Invariant::id),
            failure.steps,
            explored.states
        );
        assert!(failure.steps <= Alphabet::Batch.depth(), "{what}");
    }
    for name in ["counted/powerpc64-hash", "counted/sparc64", "counted/sparc64-sun4v"] {
        let small = SUBJECTS.iter().find(|subject| subject.name == name).and_then(Descriptor::small);
        let small = small.expect("a small form");
        let explored = batches(&*small.make(Port::Model), small);
        println!("{name}: {} states, {} transitions", explored.states, explored.transitions);
        assert_eq!((explored.end, explored.failure), (End::Complete, None), "{name}");
        let missing: Vec<_> = explored.exercised.missing().collect();
        assert!(!missing.contains(&"batches at capacity"), "{name}: {missing:?}");
        assert!(!missing.contains(&"address spaces taken up in mid-section"), "{name}: {missing:?}");
    }
}

/// The alphabet, steps, what breaks first, and the specimen.
const FOUND: &str = "\
full 2 I4 zoo/arm64-softirq-pte-mutant
full 1 I8 zoo/arm64-contpte-get
full 3 I2 zoo/gen-pause-twice-mutant
full 3 model zoo/gen-nested-disable-no-flush
full 2 I15 zoo/arm64-paused-enable-warn-mutant
full 1 model zoo/gen-order-v3-mutant
full 1 I7 zoo/ppc-flush-missing-radix
full 4 I14 zoo/ppc-mmu-gather-flush
full 1 I7 zoo/sparc-no-preempt-disable
full 3 I4 zoo/sparc-batch-in-interrupt
memory 5 I10 zoo/sparc-mm-change-mid-batch
memory 5 I10 zoo/sparc-hugepage-shift-mid-batch
full 3 I6 zoo/xen-mc-issue-mode-no-switch-flush
full 1 I12 zoo/xen-switch-no-resume
";

/// Judging what may go on is judging: where the program has ended, the verdict is the one that every run gets.
#[test]
fn an_ended_prefix_has_the_verdict_of_the_run() {
    let steps = Alphabet::Full.steps(FULL);
    let mut ended = 0;
    for (at, (name, subject, base)) in everything().into_iter().enumerate() {
        let mut space = Space::new(judged(&*subject, base), steps.clone(), true);
        let mut random = Random::new(0xe4d + at as u64);
        for _ in 0..300 {
            let program = walk(&mut random, &steps, 5);
            let (_, prefix) = space.run(&program, 0);
            let verdict = lazy_mmu_engine::contract::judge(space.events(), base.rules());
            assert_eq!((prefix.so_far.cut, prefix.so_far.misuse), (verdict.cut, verdict.misuse), "{name}:\n{program}");
            if let Some(of_prefix) = prefix.ended {
                assert_eq!(of_prefix, verdict, "{name}:\n{program}");
                ended += 1;
            }
        }
    }
    assert!(ended > 1000, "{ended}");
}
