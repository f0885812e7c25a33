//! `contract`: a program on the subject that the first byte chooses, all oracles on.
//!
//! A finding is a violation that is the subject's own fault ([`Verdict::faults`]) and that no known finding explains.
//! Not here: the oracles. One of the [`super::TARGETS`].

use super::subjects::Subjects;
use super::{Description, Found, Input, Settings, Stats, Target, features};
use crate::contract::Verdict;
use crate::program::bytes;
use crate::runner::{CUT, summarise};

pub(super) const DESCRIPTION: Description = Description {
    name: "contract",
    about: "all oracles, on the subject that the first byte chooses",
    input: Input::Program(1),
    kinds: &crate::exercise::KINDS,
    make: |settings| Ok(Box::new(Contract::new(settings)?)),
};

struct Contract {
    subjects: Subjects,
    unexplained: fn(&str, u32) -> u32,
    stats: Stats,
}

impl Contract {
    fn new(settings: &Settings) -> Result<Contract, String> {
        Ok(Contract { subjects: Subjects::new(settings)?, unexplained: settings.unexplained, stats: Stats::default() })
    }
}

impl Target for Contract {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let Some((&choice, rest)) = data.split_first() else { return Ok(()) };
        let program = bytes::decode(rest);
        let (chosen, events, verdict) = self.subjects.run(choice, &program);
        self.stats.run(&program, events);
        self.stats.judged(&verdict);
        features::of(events, hit);
        if verdict.holds() {
            return Ok(());
        }
        let own = Verdict { violations: verdict.faults(events).cloned().collect(), ..verdict.clone() };
        // The whole run tells which known findings it meets; their signs may lie behind a misuse.
        let whole = summarise(&[], &verdict).broken;
        let left = (self.unexplained)(chosen.faithful, whole & (CUT | CUT - 1)) & summarise(&[], &own).broken;
        let unknown = own.violations.iter().filter(|violation| left >> violation.invariant as u32 & 1 == 1);
        let Some(first) = unknown.min_by_key(|violation| violation.event) else {
            self.stats.add("runs that show a known finding", u64::from(!own.violations.is_empty()));
            return Ok(());
        };
        let op = events.get(first.event).and_then(|event| program.ops().get(event.op as usize));
        let op = op.map_or_else(|| "end".to_owned(), word);
        let subject = chosen.name;
        Err(Found {
            slug: format!("{}-{op}-{}", first.invariant.id(), subject.replace(['/', '@'], "-")),
            what: format!("{} at {op} on {subject}: {}", first.invariant.name(), first.text),
            subject: Some(subject),
        })
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// An operation's first word.
pub(super) fn word(op: &crate::program::Op) -> String {
    let text = op.to_string();
    text.split([' ', '{']).find(|word| !word.is_empty()).unwrap_or("block").replace('}', "block")
}
