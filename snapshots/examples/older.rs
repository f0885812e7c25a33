//! How long a blind search takes to find the fault of each older subject with one, though what is known of the faithful
//! subject is applied: programs judged and time, the median of five searches. `docs/known-findings.md` has its table.
//!
//! `cargo run --release -p lazy-mmu-snapshots --example older`

use std::time::{Duration, Instant};

use lazy_mmu_engine::contract::Violation;
use lazy_mmu_engine::fuzz::LIMIT;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::generate::{self, Random};
use lazy_mmu_engine::program::mutate::mutate;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::zoo::older::{OLDER, Older};
use lazy_mmu_snapshots::known;

/// Programs of one search.
const PATIENCE: u64 = 100_000;

fn main() {
    println!("| subject | fault | breaks | programs | time |\n| --- | --- | --- | ---: | ---: |");
    for row in OLDER {
        let mut searches: Vec<_> = (0..5).map(|start| search(row, start * 1_000_000)).collect();
        searches.sort_unstable();
        let (programs, took) = searches[2];
        let found = if programs > PATIENCE { "not found".to_owned() } else { programs.to_string() };
        let took = format!("{:.1} ms", took.as_secs_f64() * 1e3);
        println!("| {} | {:?} | {} | {found} | {took} |", row.base, row.fault, row.breaks.id());
    }
}

/// Programs until the fault is reported, and how long that took.
fn search(row: &Older, start: u64) -> (u64, Duration) {
    let (subject, base) = (row.make(), row.base());
    let mut runner = Runner::new();
    runner.set_limit(LIMIT);
    let begin = Instant::now();
    for n in 0..PATIENCE {
        let program = program(start + n);
        if runner.run_to_misuse(&*subject, base.rules(), &program).faults().next().is_none() {
            continue;
        }
        let verdict = runner.judge_every(base.rules(), true);
        let faults: Vec<Violation> = verdict.faults().cloned().collect();
        let by = known::names(base.name, runner.events(), &faults);
        if faults.iter().zip(by).any(|(fault, by)| by.is_none() && fault.invariant == row.breaks) {
            return (n + 1, begin.elapsed());
        }
    }
    (PATIENCE + 1, begin.elapsed())
}

/// Legal programs, arbitrary ones, and mutants of both.
fn program(seed: u64) -> Program {
    let base = if seed.is_multiple_of(2) { generate::legal(seed, 24) } else { generate::any(seed, 24) };
    let mut random = Random::new(seed);
    let times = if seed % 4 < 2 { 0 } else { 1 + seed % 5 };
    (0..times).fold(base, |program, _| mutate(&program, &mut random, 200))
}
