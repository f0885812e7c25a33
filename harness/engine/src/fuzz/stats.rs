//! What a fuzz target's runs exercised: so that a run which never nested a pause does not pass as if it had (rule 8).
//!
//! Not a judgement. Filled by the targets, printed by `lazymmu fuzz`.

use super::features::{COUNT, Reader, met};
use crate::contract::{Answer, Invariant, Judged, Verdict};
use crate::exercise::{Course, Exercised, KINDS, TAKEN_UP};
use crate::program::{Op, Program};
use crate::trace::{Event, What};

/// Counts, added up over executions.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    executions: u64,
    operations: u64,
    exercised: Exercised,
    deepest: [u64; 2],
    judged: [u64; Invariant::ALL.len()],
    named: Vec<(&'static str, u64)>,
    features: Seen,
}

/// The features of one run: a bit for each.
#[derive(Clone, Debug)]
struct Seen([u64; COUNT / 64]);

impl Default for Seen {
    fn default() -> Seen {
        Seen([0; COUNT / 64])
    }
}

impl Seen {
    #[inline]
    fn see(&mut self, feature: u32) {
        self.0[feature as usize / 64 % (COUNT / 64)] |= 1 << (feature % 64);
    }

    /// Tells `hit` of each, once, and forgets them.
    fn tell(&mut self, hit: &mut dyn FnMut(u32)) {
        for (at, word) in self.0.iter_mut().enumerate() {
            let mut rest = std::mem::take(word);
            while rest != 0 {
                hit(at as u32 * 64 + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
    }
}

impl Stats {
    /// Counts one execution.
    pub fn execution(&mut self) {
        self.executions += 1;
    }

    /// Counts what a run of a program did, and tells `hit` of its features, of each once; in one pass, because
    /// there are many events.
    pub fn run(&mut self, program: &Program, events: &[Event], hit: &mut dyn FnMut(u32)) {
        self.operations += program.ops().len() as u64;
        let mut course = Course::default();
        let before = self.exercised.counts;
        let mut reader = Reader::default();
        for event in events {
            // All are inlined: where the kind of event is known here, their own `match` costs nothing.
            let Stats { exercised, features, .. } = &mut *self;
            match event.what {
                What::Op(Op::Alloc(..) | Op::Free(..)) | What::Asked(..) | What::SwitchIn { .. } => {
                    exercised.follow(event, &mut course);
                }
                // The most frequent are neither of a kind nor worth a feature.
                What::Op(_)
                | What::Store(..)
                | What::Insn(_)
                | What::Hook(..)
                | What::Read { .. }
                | What::Close(..)
                | What::Away { .. }
                | What::Answer(_) => {}
                What::Call(..) | What::Burst(_) | What::Held(_) | What::Refused(_) => {
                    reader.see(event, |feature| features.see(feature));
                }
                What::Note(_) => {
                    exercised.count(event, &mut course);
                    reader.see(event, |feature| features.see(feature));
                }
                What::Return(_, after) => {
                    exercised.add_event(event, &mut course);
                    reader.see(event, |feature| features.see(feature));
                    self.deepest[0] = self.deepest[0].max(after.enable.into());
                    self.deepest[1] = self.deepest[1].max(after.pause.into());
                }
                _ => {
                    exercised.add_event(event, &mut course);
                    reader.see(event, |feature| features.see(feature));
                }
            }
        }
        // What only the course of a run tells is in no single event.
        for (kind, (now, before)) in self.exercised.counts.iter().zip(before).enumerate().skip(TAKEN_UP) {
            if *now > before {
                self.features.see(met(kind));
            }
        }
        self.features.tell(hit);
    }

    /// Counts what the oracles said of it, and how often each judged.
    pub fn judged(&mut self, verdict: &Verdict, judged: &Judged) {
        for (sum, times) in self.judged.iter_mut().zip(judged) {
            *sum += u64::from(*times);
        }
        for (name, is) in [
            ("runs that hold", verdict.answer() == Answer::Holds),
            ("runs judged up to a misuse", verdict.misuse.is_some()),
            ("runs judged up to a cut", verdict.cut.is_some()),
            ("runs judged up to a stop", verdict.stopped.is_some()),
            ("runs with a refused operation", verdict.refused.is_some()),
        ] {
            self.add(name, u64::from(is));
        }
    }

    /// Adds to a count of the target's own.
    pub fn add(&mut self, name: &'static str, n: u64) {
        match self.named.iter_mut().find(|(known, _)| std::ptr::eq(*known, name) || *known == name) {
            Some((_, count)) => *count += n,
            None => self.named.push((name, n)),
        }
    }

    /// How many executions there were.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// Every count with its name, in the order in which they are printed; those of programs only where there were any.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, u64)> {
        let mut lines = vec![("executions".to_owned(), self.executions)];
        if self.operations > 0 {
            lines.push(("operations".to_owned(), self.operations));
            lines.push(("deepest section".to_owned(), self.deepest[0]));
            lines.push(("deepest pause".to_owned(), self.deepest[1]));
            lines.extend(KINDS.iter().zip(self.exercised.counts).map(|(kind, count)| ((*kind).to_owned(), count)));
        }
        if self.judged.iter().any(|&times| times > 0) {
            let names = Invariant::ALL.map(|invariant| format!("judged {}", invariant.name()));
            lines.extend(names.into_iter().zip(self.judged));
        }
        lines.extend(self.named.iter().map(|(name, count)| ((*name).to_owned(), *count)));
        lines
    }
}
