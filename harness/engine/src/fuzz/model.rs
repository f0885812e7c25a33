//! `model`: the counted generation against the independent model, through any misuse.
//!
//! Runs on the backend that defers nothing, where a run is short. Not here: the model ([`crate::contract::model`]).
//! One of the [`super::TARGETS`].

use super::subjects::Subjects;
use super::{Description, Found, Input, Settings, Stats, Target, features};
use crate::contract::Invariant;
use crate::program::bytes;

pub(super) const DESCRIPTION: Description = Description {
    name: "model",
    about: "the counted generation against the independent model, misuse included",
    input: Input::Program(0),
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
        let (chosen, events, verdict) = self.subjects.run(0, &program);
        self.stats.run(&program, events);
        features::of(events, hit);
        let Some(first) = verdict.violations.iter().find(|violation| violation.invariant == Invariant::Model) else {
            return Ok(());
        };
        let op = events.get(first.event).and_then(|event| program.ops().get(event.op as usize));
        let op = op.map_or_else(|| "end".to_owned(), super::contract::word);
        Err(Found {
            slug: format!("model-{op}-{}", chosen.name.replace(['/', '@'], "-")),
            what: format!("{} at {op} is not what the model does: {}", chosen.name, first.text),
            subject: Some(chosen.name),
        })
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
