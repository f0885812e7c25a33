//! Which programs are promoted: greedily, those that add most for their length, each made small while it adds enough.
//!
//! Legal programs come first; others have a room of their own. A program that adds a lot is cut down
//! to what adds [`ENOUGH`], so that it can be read; what it did besides may be another program's to add. The same
//! candidates and the same covered features give the same answer. Not here: what a feature is ([`super::weigh`]).

use std::collections::BTreeSet;

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::minimise::within;

use super::weigh::{Features, Weigher, subjects_of};

/// Features that a program need not add more than.
pub const ENOUGH: usize = 8;

/// A program that adds fewer is not worth its snapshot.
pub const FEWEST: usize = 4;

/// Operations that a promoted program may have.
const MOST_OPS: usize = 24;

/// What making one program smaller may cost, in operations run on one subject.
const WORK: u64 = 1_500_000;

/// A program that might be promoted.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The fuzz target in whose corpus it was.
    pub target: &'static str,
    /// Itself.
    pub program: Program,
    /// What it adds.
    pub new: Features,
    /// Whether it is legal.
    pub legal: bool,
}

/// A program that is promoted.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The fuzz target in whose corpus it was.
    pub target: &'static str,
    /// The smallest one.
    pub program: Program,
    /// How many features it adds.
    pub adds: usize,
    /// The subjects that some of these are of alone, by place.
    pub on: BTreeSet<usize>,
    /// Whether it is legal.
    pub legal: bool,
}

/// How many programs may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all.
    pub all: usize,
    /// Of those that are not legal.
    pub illegal: usize,
}

impl Room {
    fn is_left(self, chosen: &[Chosen], legal: bool) -> bool {
        let illegal = chosen.iter().filter(|chosen| !chosen.legal).count();
        chosen.len() < self.all && (legal || illegal < self.illegal)
    }
}

/// What is covered.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    covered: Features,
}

impl Selection {
    /// Takes features for covered.
    pub fn cover(&mut self, features: &Features) {
        self.covered.extend(features);
    }

    /// How many are covered.
    #[must_use]
    pub fn covered(&self) -> usize {
        self.covered.len()
    }

    /// Those that are not covered.
    #[must_use]
    pub fn new_of(&self, features: &Features) -> Features {
        features.difference(&self.covered).copied().collect()
    }

    /// Chooses candidates while there is room, and covers what they do. `seen` are programs that are not chosen again, as
    /// text. What was passed over is asked again once more is covered, until nothing is chosen: then the same candidates
    /// give nothing the next time.
    pub fn select(
        &mut self,
        weigher: &mut dyn Weigher,
        candidates: &[Candidate],
        room: Room,
        seen: &mut BTreeSet<String>,
    ) -> Vec<Chosen> {
        let mut chosen: Vec<Chosen> = Vec::new();
        loop {
            let before = chosen.len();
            for legal in [true, false] {
                let mut left: Vec<Candidate> = candidates.iter().filter(|one| one.legal == legal).cloned().collect();
                while room.is_left(&chosen, legal) {
                    let Some(at) = self.best(&mut left) else { break };
                    match self.smallest(weigher, &left[at], seen) {
                        // It stays: what it did besides can be another program's to add.
                        Some(found) => chosen.push(found),
                        None => drop(left.swap_remove(at)),
                    }
                }
            }
            if chosen.len() == before {
                return chosen;
            }
        }
    }

    /// The candidate that adds most for its length; those that add too little are dropped. Of equal ones the first in the
    /// order of their texts.
    fn best(&self, candidates: &mut Vec<Candidate>) -> Option<usize> {
        for candidate in &mut *candidates {
            candidate.new.retain(|feature| !self.covered.contains(feature));
        }
        candidates.retain(|candidate| candidate.new.len() >= FEWEST);
        // Per thousand: floating point would do, and compare worse.
        let score = |candidate: &Candidate| candidate.new.len() * 1000 / (candidate.program.ops().len() + MOST_OPS);
        let best = candidates.iter().enumerate().max_by(|(_, a), (_, b)| {
            score(a).cmp(&score(b)).then_with(|| b.program.to_string().cmp(&a.program.to_string()))
        });
        best.map(|(at, _)| at)
    }

    /// The smallest program that adds enough and is as legal, if the collection may have it; it is covered then.
    fn smallest(
        &mut self,
        weigher: &mut dyn Weigher,
        candidate: &Candidate,
        seen: &mut BTreeSet<String>,
    ) -> Option<Chosen> {
        let want = candidate.new.len().min(ENOUGH);
        let mut adding = |program: &Program| {
            let weight = weigher.weigh(program).filter(|weight| weight.legal >= candidate.legal)?;
            // Of its own: what the minimiser makes of it besides is not why it was chosen.
            let own = candidate.new.intersection(&weight.features).count();
            (own >= want).then(|| (self.new_of(&weight.features), weight))
        };
        let program = within(&candidate.program, WORK, |program| adding(program).is_some());
        let (adds, weight) = adding(&program)?;
        let fits = program.ops().len() <= MOST_OPS && weigher.may_be_kept(&program);
        if !fits || !seen.insert(program.to_string()) {
            return None;
        }
        self.cover(&weight.features);
        Some(Chosen {
            target: candidate.target,
            program,
            adds: adds.len(),
            on: subjects_of(&adds),
            legal: weight.legal,
        })
    }
}

#[cfg(test)]
mod tests;
