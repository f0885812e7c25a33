//! `model`: the counted generation against the independent model, through any misuse.
//!
//! Runs on the backend that defers nothing, where a run is short. Not here: the model ([`crate::contract::model`]).
//! One of the [`super::TARGETS`].

use super::subjects::Subjects;
use super::{Description, Found, Guide, Input, Settings, Stats, Target};
use crate::contract::Invariant;
use crate::finding;
use crate::program::bytes;

pub(super) const DESCRIPTION: Description = Description {
    name: "model",
    about: "the counted generation against the independent model, misuse included",
    input: Input::Program(0),
    guide: Guide::Functions,
    kinds: &[
        "nested sections",
        "nested pauses",
        "sections in a pause",
        "calls in interrupt context",
        "injections between halves",
        "warnings",
    ],
    make: |settings| {
        let only = Settings { subject: Some(settings.subject.unwrap_or("counted/none")), ..*settings };
        Ok(Box::new(Model { subjects: Subjects::new(&only)?, stats: Stats::default() }))
    },
};

struct Model {
    subjects: Subjects,
    stats: Stats,
}

impl Target for Model {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let program = bytes::decode(data);
        let (chosen, events, verdict, _) = self.subjects.run(0, &program);
        let program = &*chosen.program_of(&program);
        self.stats.run(program, events, hit);
        let model = verdict.violations.iter().find(|violation| violation.invariant == Invariant::Model);
        let Some(first) = model else { return Ok(()) };
        let signature = finding::signed(chosen.name, program, events, first);
        Err(Found {
            slug: signature.slug(),
            what: format!("{signature}: {}", first.text),
            subject: Some(chosen.name),
            signature: Some(signature),
        })
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
