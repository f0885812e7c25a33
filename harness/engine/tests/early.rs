//! Who decides too early where the translations of an address space may be: generated programs and mutated ones find each.
//!
//! The defect shows only if the other CPU begins to use the address space after the decision and before the flush that
//! goes by it. Every bend here is one that a backend could have: the decision at the batch's first entry, at the section's
//! beginning, or kept from a section for the flush behind it.

use std::cell::Cell;

use lazy_mmu_arches::page::{Mm, PteRef};

use lazy_mmu_engine::contract::{Judge, Rules};
use lazy_mmu_engine::exercise::{Exercised, KINDS};
use lazy_mmu_engine::machine::Machine;
use lazy_mmu_engine::program::generate::{Random, legal};
use lazy_mmu_engine::program::mutate::{crossover, mutate};
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{CPUS, Program};
use lazy_mmu_engine::registry;
use lazy_mmu_engine::subject::{Env, Port, Subject};
use lazy_mmu_engine::trace::Call;
use lazy_mmu_engine::zoo::bent::{Bend, Bent};

/// When it is decided whether an address space is this CPU's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// With the batch's first entry.
    FirstEntry,
    /// When the outermost section begins, until it ends.
    Enter,
    /// When the outermost section begins, until the next one does.
    Kept,
}

struct Early {
    when: When,
    decided: [[Cell<Option<bool>>; 3]; CPUS as usize],
}

impl Early {
    fn new(when: When) -> Early {
        Early { when, decided: Default::default() }
    }

    fn decide(&self, env: &dyn Env, mm: Mm) {
        self.decided[usize::from(env.cpu())][usize::from(mm.0)].set(Some(env.is_thread_local(mm)));
    }

    fn forget(&self, cpu: u8) {
        self.decided[usize::from(cpu)].iter().for_each(|decided| decided.set(None));
    }

    /// An operation that may put the first entry into the batch.
    fn entry<T>(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, then: impl FnOnce(&mut dyn Env) -> T) -> T {
        let (cpu, task) = (env.cpu(), env.current());
        let is_empty = || to.deferred(cpu, task).entries == 0;
        let first = self.when == When::FirstEntry && is_empty();
        let local = env.is_thread_local(at.mm);
        if first {
            self.forget(cpu);
        }
        let done = then(env);
        if first && !is_empty() {
            self.decided[usize::from(cpu)][usize::from(at.mm.0)].set(Some(local));
        }
        done
    }
}

impl Bend for Early {
    fn reset(&self) {
        (0..CPUS).for_each(|cpu| self.forget(cpu));
    }

    fn call(&self, to: &dyn Subject, env: &mut dyn Env, call: Call) {
        let before = to.counters(env.current()).active;
        to.call(env, call);
        let after = to.counters(env.current()).active;
        match self.when {
            When::Enter | When::Kept if after && !before => (1..3).for_each(|mm| self.decide(env, Mm(mm))),
            When::Enter if before && !after => self.forget(env.cpu()),
            _ => {}
        }
    }

    fn clear_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) -> u64 {
        self.entry(to, env, at, |env| to.clear_pte(env, at))
    }

    fn wrprotect_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) {
        self.entry(to, env, at, |env| to.wrprotect_pte(env, at));
    }

    fn set_ptes(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        self.entry(to, env, at, |env| to.set_ptes(env, at, word, n));
    }

    fn is_thread_local(&self, env: &dyn Env, mm: Mm) -> bool {
        let decided = self.decided[usize::from(env.cpu())].get(usize::from(mm.0)).and_then(Cell::get);
        decided.filter(|_| !mm.is_kernel()).unwrap_or_else(|| env.is_thread_local(mm))
    }
}

/// A bent subject beside the faithful one.
struct Pair {
    machine: Machine,
    judge: Judge,
    rules: Rules,
    bent: Box<dyn Subject>,
    faithful: Box<dyn Subject>,
}

impl Pair {
    fn new(name: &str, when: When) -> Pair {
        let subject = registry::find(name).expect("a known subject");
        let bent = Box::new(Bent::new(subject.make(Port::Model), Early::new(when)));
        let faithful = subject.make(Port::Model);
        Pair { machine: Machine::new(), judge: Judge::default(), rules: subject.rules(), bent, faithful }
    }

    /// Whether the bent subject breaks what the faithful one keeps.
    fn shows(&mut self, program: &Program) -> bool {
        let verdict = self.judge.judge(self.machine.run(&*self.bent, program), self.rules);
        if verdict.faults().next().is_none() {
            return false;
        }
        let broken: Vec<_> = verdict.faults().map(|found| found.invariant).collect();
        let verdict = self.judge.judge(self.machine.run(&*self.faithful, program), self.rules);
        let too: Vec<_> = verdict.faults().map(|found| found.invariant).collect();
        broken.iter().any(|invariant| !too.contains(invariant))
    }
}

const BENT: [(&str, When); 8] = [
    ("counted/powerpc64-hash", When::FirstEntry),
    ("counted/powerpc64-hash", When::Enter),
    ("counted/sparc64", When::FirstEntry),
    ("counted/sparc64-sun4v", When::FirstEntry),
    ("counted/sparc64", When::Enter),
    ("counted/x86_64-xen", When::Kept),
    ("counted/x86_64-native", When::Kept),
    ("nesting-v4/powerpc64-hash", When::FirstEntry),
];

/// Programs that one search may take.
const MOST: u32 = 20_000;

#[test]
fn a_decision_that_comes_too_early_is_found_by_legal_programs() {
    for (name, when) in BENT {
        let mut pair = Pair::new(name, when);
        for first in [0, 1_000_000, 2_000_000] {
            let found = (0..MOST).find(|&n| pair.shows(&legal(first + u64::from(n), 32)));
            println!("{name}, {when:?}: legal programs from seed {first} on: {found:?}");
            assert!(found.is_some(), "{name}, {when:?}: no legal program of seeds {first} and {MOST} further shows it");
        }
    }
}

/// From one plain program, by mutation and crossing alone, without any guide.
#[test]
fn a_decision_that_comes_too_early_is_found_by_mutation() {
    let base = parse("set U 0 x3; access U 0 x3; enable; clear U 0; clear U 1; clear U 2; disable; tlb_flush U 0 x3");
    let base = base.expect("a program");
    for (name, when) in BENT {
        let mut pair = Pair::new(name, when);
        for seed in 0..3 {
            let mut random = Random::new(seed);
            let mut pool = vec![base.clone(); 8];
            let found = (0..MOST).find(|_| {
                let [at, other] = [(); 2].map(|()| random.below(8) as usize);
                let mut made = mutate(&pool[at], &mut random, 48);
                if random.below(4) == 0 {
                    made = crossover(&made, &pool[other], &mut random, 48);
                }
                let found = pair.shows(&made);
                // A program goes back to where it came from now and then: without a guide it drifts away.
                pool[at] = if random.below(6) == 0 { base.clone() } else { made };
                found
            });
            println!("{name}, {when:?}: mutants of seed {seed}: {found:?}");
            assert!(found.is_some(), "{name}, {when:?}: no mutant of seed {seed} shows it");
        }
    }
}

/// That it is these kinds of event which the programs need, and that legal ones meet each of them.
#[test]
fn legal_programs_meet_what_the_other_cpu_does_in_mid_section() {
    let subject = registry::find("counted/aarch64").expect("a known subject").make(Port::Model);
    let mut machine = Machine::new();
    let mut exercised = Exercised::default();
    let programs = 2000;
    (0..programs).for_each(|seed| exercised.add(machine.run(&*subject, &legal(seed, 32))));
    for (kind, count) in KINDS.into_iter().zip(exercised.counts).skip(16) {
        println!("{kind}: {count} in {programs} programs");
        assert!(count > 50, "{kind}: {count} in {programs} programs");
    }
}
