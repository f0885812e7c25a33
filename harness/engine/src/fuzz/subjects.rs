//! The subjects that an input's first byte chooses among.
//!
//! Not here: what becomes of them. Called by the targets that run one subject at a time.

use std::borrow::Cow;

use super::Settings;
use super::session::Explain;
use crate::contract::{Judged, Rules, Verdict, Violation};
use crate::finding;
use crate::program::Program;
use crate::registry::{self, GenerationName, SUBJECTS};
use crate::runner::Runner;
use crate::subject::{Port, Subject};
use crate::trace::Event;
use crate::zoo::{self, Specimen};

/// One of them.
pub struct Chosen {
    /// Its name: the registry's, or `zoo/` and a specimen.
    pub name: &'static str,
    /// The registry's name: its own, or that of the subject which the specimen's defect is in.
    pub faithful: &'static str,
    /// Its generation.
    pub generation: GenerationName,
    /// Its backend's name, version included.
    pub backend: &'static str,
    rules: Rules,
    specimen: Option<&'static Specimen>,
    subject: Box<dyn Subject>,
}

impl Chosen {
    /// What is run for a program: it, or what a caller with a defect makes of it.
    pub fn program_of<'p>(&self, program: &'p Program) -> Cow<'p, Program> {
        self.specimen.map_or(Cow::Borrowed(program), |specimen| specimen.program_of(program))
    }
}

/// All of them, and the machine they run on.
pub struct Subjects {
    runner: Runner,
    chosen: Vec<Chosen>,
}

impl Subjects {
    /// The subject that the settings name, or the registry's whole list in its order.
    ///
    /// # Errors
    /// There is no such subject.
    pub fn new(settings: &Settings) -> Result<Subjects, String> {
        let mut runner = Runner::new();
        runner.set_limit(super::LIMIT);
        let chosen = match settings.subject {
            None => SUBJECTS.iter().map(of_registry).collect(),
            Some(name) => vec![find(name).ok_or_else(|| format!("there is no subject {name}"))?],
        };
        Ok(Subjects { runner, chosen })
    }

    /// Runs a program ([`Chosen::program_of`]) on the subject that a byte chooses: events, verdict, and how often each
    /// oracle judged. Behind the program's first misuse the model alone judges: half of all runs have nothing more to say
    /// from there on, and judging is a third of a run.
    pub fn run(&mut self, choice: u8, program: &Program) -> (&Chosen, &[Event], Verdict, Judged) {
        let chosen = &self.chosen[usize::from(choice) % self.chosen.len()];
        let program = chosen.program_of(program);
        let verdict = self.runner.run_to_misuse(&*chosen.subject, chosen.rules, &program);
        let (events, judged) = (self.runner.events(), *self.runner.judged());
        (chosen, events, verdict, judged)
    }

    /// The subject that the byte chooses, and the events of the last run.
    pub fn last(&self, choice: u8) -> (&Chosen, &[Event]) {
        (&self.chosen[usize::from(choice) % self.chosen.len()], self.runner.events())
    }

    /// Of the last run, on the subject that the byte chooses: the first violation that is the subject's own fault
    /// ([`Verdict::faults`]) and that no known finding explains.
    pub fn unexplained(&mut self, choice: u8, explain: Explain) -> Option<Violation> {
        let chosen = &self.chosen[usize::from(choice) % self.chosen.len()];
        unexplained(&mut self.runner, chosen.rules, chosen.faithful, explain)
    }
}

/// Of a runner's last run: the first violation that is the subject's own fault and that no known finding of the faithful
/// subject explains. All violations are asked about, not the first of each invariant alone: what is known may come before
/// what is not.
pub fn unexplained(runner: &mut Runner, rules: Rules, faithful: &str, explain: Explain) -> Option<Violation> {
    let verdict = runner.judge_every(rules, true);
    let faults: Vec<Violation> = verdict.faults().cloned().collect();
    let explained = explain(faithful, runner.events(), &faults);
    let unknown = faults.iter().zip(explained).filter(|(_, finding)| finding.is_none()).map(|(violation, _)| violation);
    let first = finding::first(unknown)?.clone();
    // Its text was not made.
    let texts = runner.judge_every(rules, false).violations;
    texts.into_iter().find(|violation| (violation.event, violation.invariant) == (first.event, first.invariant))
}

fn of_registry(descriptor: &'static registry::Descriptor) -> Chosen {
    Chosen {
        name: descriptor.name,
        faithful: descriptor.name,
        generation: descriptor.generation,
        backend: descriptor.backend,
        rules: descriptor.rules(),
        specimen: None,
        subject: descriptor.make(Port::Model),
    }
}

fn find(name: &str) -> Option<Chosen> {
    if let Some(specimen) = zoo::find(name) {
        let base = specimen.base();
        return Some(Chosen {
            name: specimen.name,
            rules: specimen.rules(),
            specimen: Some(specimen),
            subject: specimen.make(Port::Model),
            ..of_registry(base)
        });
    }
    registry::find(name).map(of_registry)
}
