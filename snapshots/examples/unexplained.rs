//! What no known finding explains: generated and mutated programs on every subject, through the path of `fuzz contract`,
//! without libFuzzer. Prints the smallest program of each kind of violation.
//!
//! `cargo run --release -p lazy-mmu-snapshots --example unexplained -- [SECONDS] [PART OF A SUBJECT'S NAME] [FIRST SEED]`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lazy_mmu_engine::contract::Violation;
use lazy_mmu_engine::finding;
use lazy_mmu_engine::fuzz::{LIMIT, unexplained};
use lazy_mmu_engine::program::generate::{self, Random};
use lazy_mmu_engine::program::minimise::minimise;
use lazy_mmu_engine::program::mutate::{crossover, mutate};
use lazy_mmu_engine::program::{Op, Program};
use lazy_mmu_engine::registry::{Descriptor, SUBJECTS};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::{Port, Subject};
use lazy_mmu_snapshots::known;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10);
    let part = arguments.next().unwrap_or_default();
    let first: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let subjects: Vec<_> = SUBJECTS.iter().filter(|subject| subject.name.contains(&part)).collect();
    let each = Duration::from_secs(seconds) / subjects.len().max(1) as u32;
    let mut all = 0;
    for descriptor in subjects {
        all += look(descriptor, first, each);
    }
    println!("{all} kinds of violation that nothing explains");
}

/// Searches one subject for so long; how many kinds of violation were left.
fn look(descriptor: &Descriptor, first: u64, time: Duration) -> usize {
    let subject = descriptor.make(Port::Model);
    let mut runner = Runner::new();
    runner.set_limit(LIMIT);
    let mut kinds: BTreeMap<String, (u64, Program)> = BTreeMap::new();
    let (begin, mut seed) = (Instant::now(), first);
    while begin.elapsed() < time {
        let program = program(seed);
        if let Some(violation) = left(&mut runner, &*subject, descriptor, &program) {
            let kind = finding::signed(descriptor.name, &program, runner.events(), &violation).slug();
            kinds.entry(kind).or_insert_with(|| (0, program)).0 += 1;
        }
        seed += 1;
    }
    println!("{}: {} programs, {} kinds", descriptor.name, seed - first, kinds.len());
    for (kind, (times, program)) in &kinds {
        let invariant = kind.split('-').next().unwrap_or_default();
        let mut same = |program: &Program| {
            left(&mut runner, &*subject, descriptor, program).is_some_and(|left| left.invariant.id() == invariant)
        };
        let small = minimise(program, &mut same);
        let text = left(&mut runner, &*subject, descriptor, &small).map(|left| left.text).unwrap_or_default();
        println!("  {kind}, {times} times: {text}\n    {}", small.to_string().replace('\n', "; "));
    }
    kinds.len()
}

/// The first violation that is the subject's own fault and that nothing explains.
fn left(runner: &mut Runner, subject: &dyn Subject, descriptor: &Descriptor, program: &Program) -> Option<Violation> {
    runner.run_to_misuse(subject, descriptor.rules(), program).faults().next()?;
    unexplained(runner, descriptor.rules(), descriptor.name, known::names)
}

/// Legal programs, arbitrary ones, mutants of both and mixtures, short and long; and legal ones whose calls are made with
/// bottom halves off, each or in pairs.
fn program(seed: u64) -> Program {
    let length = if seed % 16 == 7 { 80 } else { 24 };
    let base = if seed.is_multiple_of(2) { generate::legal(seed, length) } else { generate::any(seed, length) };
    let mut random = Random::new(seed);
    match seed % 7 {
        0 | 1 => base,
        6 => with_bottom_halves_off(&base, &mut random),
        2 => crossover(&base, &generate::legal(seed / 3, length), &mut random, 200),
        _ => (0..1 + seed % 5).fold(base, |program, _| mutate(&program, &mut random, 200)),
    }
}

/// The program with some of its calls between `bh_off` and `bh_on`.
fn with_bottom_halves_off(program: &Program, random: &mut Random) -> Program {
    let mut ops = Vec::new();
    for op in program.ops() {
        let call = matches!(op, Op::Enable | Op::Disable | Op::Pause | Op::Resume);
        if call && random.below(2) == 0 {
            ops.extend([Op::BhOff, *op, Op::BhOn]);
        } else {
            ops.push(*op);
        }
    }
    Program::new(ops).unwrap_or_else(|_| program.clone())
}
