//! `transitions`: each step of every generation against the reviewed transition tables.
//!
//! The tables are the snapshots' text, compiled in. Not here: how a row is held against a step
//! ([`crate::table::check`]). One of the [`super::TARGETS`].

use super::subjects::Subjects;
use super::{Description, Found, Guide, Input, Settings, Stats, Target};
use crate::program::bytes;
use crate::registry::GenerationName;
use crate::table::check::Table;

pub(super) const DESCRIPTION: Description = Description {
    name: "transitions",
    about: "each step of every generation against the reviewed transition tables",
    input: Input::Program(1),
    guide: Guide::Functions,
    kinds: &[
        "steps held against a row",
        "nested sections",
        "nested pauses",
        "calls in interrupt context",
        "warnings",
        "injections between halves",
    ],
    make: |settings| Ok(Box::new(Transitions::new(settings)?)),
};

struct Transitions {
    subjects: Subjects,
    tables: Vec<(GenerationName, Table)>,
    stats: Stats,
}

impl Transitions {
    fn new(settings: &Settings) -> Result<Transitions, String> {
        let tables = GenerationName::ALL.into_iter().map(|generation| {
            let text = (settings.table)(generation.name());
            let text = text.ok_or_else(|| format!("there is no reviewed table of {}", generation.name()))?;
            Ok((generation, Table::parse(text)?))
        });
        Ok(Transitions {
            subjects: Subjects::new(settings)?,
            tables: tables.collect::<Result<_, String>>()?,
            stats: Stats::default(),
        })
    }
}

impl Target for Transitions {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let Some((&choice, rest)) = data.split_first() else { return Ok(()) };
        let program = bytes::decode(rest);
        let (chosen, events, _, _) = self.subjects.run(choice, &program);
        self.stats.run(&chosen.program_of(&program), events, hit);
        let Some((_, table)) = self.tables.iter().find(|(generation, _)| *generation == chosen.generation) else {
            return Ok(());
        };
        let mut steps = 0;
        let mismatch = table.check(chosen.backend, events, &mut |_| steps += 1);
        self.stats.add("steps held against a row", steps);
        match mismatch {
            None => Ok(()),
            Some(mismatch) => Err(Found {
                slug: format!("transitions-{}-{}", mismatch.state, chosen.name.replace(['/', '@'], "-")),
                what: format!("on {}: {}", chosen.name, mismatch.text),
                subject: Some(chosen.name),
                signature: None,
            }),
        }
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
