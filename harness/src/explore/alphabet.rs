//! The alphabets: the steps that an exploration puts one behind the other in every order.
//!
//! A step is one or a few operations in the program language that belong together: a call with what happens between its
//! halves, a handler with what it does. Not here: what a step does. Called by the exploration and by its command.

use clap::ValueEnum;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Op, Program};

/// Which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Alphabet {
    /// Calls, what comes between their halves, tasks and handlers; one kernel entry, so that something is deferred
    Generic,
    /// Calls, and the lives of pages in three address spaces and two sizes, with handlers and the other CPU
    Memory,
    /// What matters most of both
    Full,
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
    "enable between { irq { enable; disable } }",
    "disable between { preempt T1; preempt T0 }",
    "preempt T1",
    "switch T1",
    "switch T0",
];

impl Alphabet {
    /// Its steps as text, one line each.
    #[must_use]
    pub fn lines(self) -> &'static [&'static str] {
        match self {
            Alphabet::Generic => GENERIC,
            Alphabet::Memory => MEMORY,
            Alphabet::Full => FULL,
        }
    }

    /// Its steps as operations, in the same order.
    ///
    /// # Panics
    /// If a line is no program, which a test excludes.
    #[must_use]
    pub fn steps(self) -> Vec<Vec<Op>> {
        let step = |line: &&str| parse(line).map(|program: Program| program.ops().to_vec());
        self.lines().iter().map(|line| step(line).expect("a step is a program")).collect()
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Alphabet::Generic => "generic",
            Alphabet::Memory => "memory",
            Alphabet::Full => "full",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::space::{MAX_STEPS, Path};
    use super::*;

    #[test]
    fn steps_are_programs_each_once_and_fit_into_a_path() {
        for alphabet in Alphabet::value_variants() {
            let steps = alphabet.steps();
            let distinct: BTreeSet<_> = alphabet.lines().iter().collect();
            assert_eq!(distinct.len(), steps.len(), "{alphabet:?}");
            assert!(steps.len() <= MAX_STEPS && steps.iter().all(|step| !step.is_empty()), "{alphabet:?}");
            let last = (steps.len() - 1) as u8;
            assert_eq!(Path::default().with(last).with(0).steps().collect::<Vec<_>>(), [last, 0]);
        }
    }
}
