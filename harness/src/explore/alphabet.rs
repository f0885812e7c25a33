//! The alphabets: the steps that an exploration puts one behind the other in every order.
//!
//! A step is one or a few operations in the program language that belong together: a call with what happens between its
//! halves, a handler with what it does. Not here: what a step does. Called by the exploration and by its command.

use clap::ValueEnum;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Op, Program};
use lazy_mmu_engine::registry::SMALL;

/// Which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Alphabet {
    /// Calls, what comes between their halves, tasks and handlers; one kernel entry, so that something is deferred
    Generic,
    /// Calls, and the lives of pages in three address spaces and two sizes, with handlers and the other CPU
    Memory,
    /// What matters most of both
    Full,
    /// Batches about to be full, full, and of several kinds, and who comes in the middle; for subjects that keep a batch
    Batch,
}

const GENERIC: &[&str] = &[
    "enable",
    "disable",
    "pause",
    "resume",
    "set K 0",
    "access K 0",
    "flush",
    "irq { enable; disable }",
    "irq { pause; resume }",
    "enable between { irq { enable; disable } }",
    "disable between { irq { pause; resume } }",
    "pause between { irq { enable; disable } }",
    "enable between { preempt T1; preempt T0 }",
    "disable between { preempt T1; preempt T0 }",
    "pause between { preempt T1; preempt T0 }",
    "resume between { preempt T1; preempt T0 }",
    "preempt T1",
    "preempt T0",
    "switch T1",
    "switch T0",
    "sleep",
    "bh_off",
    "bh_on",
];

const MEMORY: &[&str] = &[
    "enable",
    "disable",
    "pause",
    "resume",
    "flush",
    "set K 0",
    "clear K 0",
    "get K 0",
    "access K 0",
    "tlb_flush K 0",
    "set U 0",
    "clear U 0",
    "wrprot U 0",
    "get U 0",
    "access U 0",
    "tlb_flush U 0",
    "gather_flush U 0",
    "set U 40 x2 large; get U 40 x2 large",
    "access U 40 x2",
    "clear U 40 x2",
    "set V 0; access V 0",
    "clear V 0",
    "irq { set K 40; access K 40 }",
    "set U 8; access U 8",
    "irq { clear U 8 }",
    "cpu 1; access U 0; cpu 0",
];

const FULL: &[&str] = &[
    "enable",
    "disable",
    "pause",
    "resume",
    "flush",
    "set K 0",
    "set K 1",
    "get K 0",
    "access K 0",
    "set U 0; access U 0",
    "clear U 0",
    "wrprot U 0",
    "tlb_flush U 0",
    "gather_flush U 0",
    "set V 0; access V 0",
    "clear V 0",
    "set U 40 x2 large; get U 40 x2 large",
    "set U 8; access U 8",
    "irq { clear U 8 }",
    "softirq { enable; set K 40; access K 40; disable }",
    "irq { pause; set K 41; access K 41; resume; enable; set K 42; disable }",
    "softirq { pause; resume }",
    "nmi { enable; pause; set K 43; resume; disable }",
    "bh_off; pause; set K 44; resume; bh_on",
    "enable between { irq { enable; disable } }",
    "disable between { preempt T1; preempt T0 }",
    "preempt T1",
    "switch T1",
    "switch T0",
];

/// Of a batch that is full with FULL updates: LESS is one less than that, BELOW two less, MORE one more.
const BATCH: &[&str] = &[
    "enable",
    "disable",
    "pause",
    "flush",
    "set U 0 xMORE; access U 0 xMORE",
    "clear U 0",
    "clear U 1 xBELOW",
    "clear U LESS x2",
    "wrprot U 0 xMORE",
    "set V 0 x2; access V 0 x2",
    "clear V 0 x2",
    "set U 600 x2 large; access U 600 x2 large",
    "clear U 600 x2",
    "set K 0 xMORE",
    "tlb_flush U 0 xMORE",
    "cpu 1; access U 0 xMORE; cpu 0",
    "irq { pause; set U 700; access U 700; clear U 700; resume }",
];

impl Alphabet {
    /// Its steps as text, one line each, for a subject whose batches are full with so many updates.
    #[must_use]
    pub fn lines(self, full: u16) -> Vec<String> {
        let lines = match self {
            Alphabet::Generic => GENERIC,
            Alphabet::Memory => MEMORY,
            Alphabet::Full => FULL,
            Alphabet::Batch => BATCH,
        };
        let numbers = [("MORE", full + 1), ("LESS", full - 1), ("BELOW", full - 2)];
        let line =
            |line: &&str| numbers.iter().fold((*line).to_owned(), |line, (word, n)| line.replace(word, &n.to_string()));
        lines.iter().map(line).collect()
    }

    /// Steps of the longest path, unless told otherwise: what takes seconds.
    #[must_use]
    pub fn depth(self) -> u8 {
        match self {
            Alphabet::Generic | Alphabet::Memory | Alphabet::Full => 4,
            Alphabet::Batch => 5,
        }
    }

    /// The same for a subject whose batches are full with so many updates: with many, a step takes long.
    #[must_use]
    pub fn depth_of(self, full: u16) -> u8 {
        self.depth() - u8::from(self == Alphabet::Batch && full > SMALL)
    }

    /// Its steps as operations, in the same order.
    ///
    /// # Panics
    /// If a line is no program, which a test excludes.
    #[must_use]
    pub fn steps(self, full: u16) -> Vec<Vec<Op>> {
        let step = |line: &String| parse(line).map(|program: Program| program.ops().to_vec());
        self.lines(full).iter().map(|line| step(line).expect("a step is a program")).collect()
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Alphabet::Generic => "generic",
            Alphabet::Memory => "memory",
            Alphabet::Full => "full",
            Alphabet::Batch => "batch",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lazy_mmu_engine::space::{MAX_STEPS, Path};

    use super::*;

    #[test]
    fn steps_are_programs_each_once_and_fit_into_a_path() {
        for (alphabet, full) in
            Alphabet::value_variants().iter().flat_map(|alphabet| [3, 31, 192].map(|n| (alphabet, n)))
        {
            let steps = alphabet.steps(full);
            let lines = alphabet.lines(full);
            let distinct: BTreeSet<_> = lines.iter().collect();
            assert_eq!(distinct.len(), steps.len(), "{alphabet:?}");
            assert!(steps.len() <= MAX_STEPS && steps.iter().all(|step| !step.is_empty()), "{alphabet:?}");
            let last = (steps.len() - 1) as u8;
            assert_eq!(Path::default().with(last).with(0).steps().collect::<Vec<_>>(), [last, 0]);
        }
    }
}
