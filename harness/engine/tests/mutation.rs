//! What mutations alone lead to: from the empty program, without a look at coverage, to every defect of the zoo.
//!
//! It counts runs and no time. A fuzzer that sees coverage needs fewer; a mutator that cannot get there at all is one
//! that no coverage helps.

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::generate::Random;
use lazy_mmu_engine::program::mutate::{crossover, mutate};
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{CUT, Runner};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::zoo::{self, Form, Specimen};

/// Operations of a program, programs that are kept to be changed further, and runs after which one gives up.
const LENGTH: usize = 32;
const POOL: u32 = 512;
const RUNS: u32 = 40_000;

/// Changes programs that misuse and break nothing, until one breaks what the specimen breaks and its faithful subject
/// does not; after how many runs.
fn found(specimen: &Specimen, seed: u64, runner: &mut Runner) -> Option<u32> {
    let subject = specimen.make(Port::Model);
    let faithful = SUBJECTS.iter().position(|subject| subject.name == specimen.base().name)?;
    let mut random = Random::new(seed);
    let mut pool = vec![Program::default()];
    for runs in 1..=RUNS {
        let mut drawn = || random.below(pool.len() as u32) as usize;
        let (a, b) = (drawn(), drawn());
        let program = if random.below(8) == 0 {
            crossover(&pool[a], &pool[b], &mut random, LENGTH)
        } else {
            mutate(&pool[a], &mut random, LENGTH)
        };
        let (_, verdict) = runner.run_on(&*subject, specimen.rules(), &program);
        let breaks = verdict.violations.iter().any(|violation| violation.invariant == specimen.breaks);
        if breaks && runner.summary(faithful, Port::Model, &program).broken & !CUT == 0 {
            return Some(runs);
        }
        if verdict.misuse.is_none() && verdict.holds() {
            if pool.len() as u32 == POOL {
                pool[random.below(POOL) as usize] = program;
            } else {
                pool.push(program);
            }
        }
    }
    None
}

#[test]
fn mutations_alone_lead_to_every_defect_of_the_zoo() {
    let mut runner = Runner::new();
    for specimen in zoo::all().filter(|specimen| matches!(specimen.form, Form::Bent(_))) {
        for seed in [1, 2] {
            let runs = found(specimen, seed, &mut runner);
            println!("{}, seed {seed}: {runs:?} runs", specimen.name);
            assert!(runs.is_some(), "{}, seed {seed}: not found in {RUNS} runs", specimen.name);
        }
    }
}
