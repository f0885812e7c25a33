//! One hunt: one specimen, one searcher and one seed, from nothing to the first program that breaks what the specimen
//! is said to break.
//!
//! Every searcher's programs are judged here, by the zoo's own [`Trial`]; what breaks another invariant alone is noted, and
//! the search goes on. Not here: where programs come from (the searchers), and what many hunts come to (`summary`).

use std::ops::ControlFlow;
use std::time::Duration;

use lazy_mmu_engine::fuzz::LIMIT;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::minimise::within;
use lazy_mmu_engine::trial::Trial;
use lazy_mmu_engine::zoo::Specimen;

use super::Searcher;
use super::clock::{Clock, Took};
use crate::process;

/// Programs between two looks at the clock.
const LOOK: u64 = 16;

/// What minimising one program may cost, in operations and pages: about a second.
const WORK: u64 = 3_000_000;

/// What is hunted, how, and with which luck.
#[derive(Clone, Copy, Debug)]
pub struct Hunt {
    /// What.
    pub specimen: &'static Specimen,
    /// How.
    pub searcher: Searcher,
    /// Its seed, from 1.
    pub seed: u32,
    /// How much processor time it may take.
    pub limit: Duration,
}

/// What came of a hunt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunted {
    /// The smallest program that was made of the one that was found, confirmed; none if the specimen was missed.
    pub found: Option<Program>,
    /// Until it was found, or given up.
    pub took: Took,
    /// Programs that were run until then.
    pub executions: u64,
    /// What broke other invariants first, the invariant's id and the smallest program for each.
    pub others: Vec<(String, Program)>,
    /// Why the search ended early.
    pub broke: Option<String>,
}

/// A search inside this process.
pub struct Search {
    trial: Trial,
    clock: Clock,
    limit: Duration,
    breaks: &'static str,
    /// The program that was found, as it was.
    found: Option<Program>,
    others: Vec<(String, Program)>,
    executions: u64,
    took: Took,
}

impl Search {
    /// Starts the clock, and makes the specimen.
    #[must_use]
    pub fn start(hunt: &Hunt) -> Search {
        let clock = Clock::start();
        Search {
            trial: trial(hunt.specimen),
            clock,
            limit: hunt.limit,
            breaks: hunt.specimen.breaks.id(),
            found: None,
            others: Vec::new(),
            executions: 0,
            took: Took::default(),
        }
    }

    /// Runs and judges a program; breaks where it is what was looked for, the time is up, or a signal came.
    pub fn look(&mut self, program: &Program) -> ControlFlow<()> {
        self.executions += 1;
        match shown(&mut self.trial, program) {
            Some(id) if id == self.breaks => self.found = Some(program.clone()),
            Some(id) if self.others.iter().all(|(known, _)| known != id) => {
                self.others.push((id.to_owned(), program.clone()));
            }
            _ => {}
        }
        if self.found.is_some() || self.executions.is_multiple_of(LOOK) {
            self.go_on()
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Counts a program that was run and judged elsewhere, and broke nothing.
    pub fn count(&mut self) {
        self.executions += 1;
    }

    /// Looks at the clock: breaks where the search is over.
    pub fn go_on(&mut self) -> ControlFlow<()> {
        self.took = self.clock.took();
        let over = self.found.is_some() || self.took.cpu >= self.limit || process::interrupted();
        if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// What came of it.
    #[must_use]
    pub fn end(mut self) -> Hunted {
        if self.found.is_none() {
            self.took = self.clock.took();
        }
        let found = self.found.map(|program| (self.breaks.to_owned(), program));
        let hunted = Hunted { took: self.took, executions: self.executions, ..Hunted::default() };
        hunted.with(&mut self.trial, found, self.others)
    }
}

impl Hunted {
    /// The same with what was found, minimised and confirmed. What cannot be confirmed is said, and is not found.
    #[must_use]
    pub fn with(
        mut self,
        trial: &mut Trial,
        found: Option<(String, Program)>,
        others: Vec<(String, Program)>,
    ) -> Hunted {
        if let Some((id, program)) = found {
            self.found = smallest(trial, &id, &program);
            if self.found.is_none() {
                self.broke = Some(format!("a program that broke {id} does not break it again:\n{program}"));
            }
        }
        let small = others.into_iter().filter_map(|(id, program)| Some((id.clone(), smallest(trial, &id, &program)?)));
        self.others = small.collect();
        self
    }
}

/// A trial of programs as long as a fuzz target's.
#[must_use]
pub fn trial(specimen: &'static Specimen) -> Trial {
    let mut trial = Trial::new(specimen);
    trial.set_limit(LIMIT);
    trial
}

/// The id of the invariant that a program shows to be broken on the specimen, if it does: the specimen's own, if that is one.
fn shown(trial: &mut Trial, program: &Program) -> Option<&'static str> {
    trial.hunt(program).map(|found| found.invariant.id())
}

/// The smallest program that breaks the same; none if this one does not break it.
fn smallest(trial: &mut Trial, id: &str, program: &Program) -> Option<Program> {
    if shown(trial, program) != Some(id) {
        return None;
    }
    let small = within(program, WORK, |candidate| shown(trial, candidate) == Some(id));
    // Run last on a subject that nothing else has touched since: it is confirmed, or the long one is the answer.
    let confirmed = shown(trial, &small) == Some(id);
    Some(if confirmed { small } else { program.clone() })
}
