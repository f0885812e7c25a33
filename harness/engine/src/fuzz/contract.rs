//! `contract`: a program on the subject that the first byte chooses, all oracles on.
//!
//! A finding is a violation that is the subject's own fault ([`crate::contract::Verdict::faults`]) and that no known finding explains.
//! A specimen of the zoo is judged beside its fix instead ([`crate::zoo::judge`]): there a caller's misuse counts, and nothing
//! needs to be known. Not here: the oracles. One of the [`super::TARGETS`].

use super::session::Unexplained;
use super::subjects::Subjects;
use super::zoo::Zoo;
use super::{Description, Found, Guide, Input, Settings, Stats, Target};
use crate::contract::{Invariant, Violation};
use crate::finding;
use crate::program::{Op, bytes};
use crate::runner::{CUT, MISUSED, summarise};

pub(super) const DESCRIPTION: Description = Description {
    name: "contract",
    about: "all oracles, on the subject that the first byte chooses",
    input: Input::Program(1),
    guide: Guide::Functions,
    kinds: &crate::exercise::KINDS,
    make: |settings| match settings.subject.and_then(crate::zoo::find) {
        Some(specimen) => Ok(Box::new(Zoo::new(specimen, DESCRIPTION.input))),
        None => Ok(Box::new(Contract::new(settings)?)),
    },
};

struct Contract {
    subjects: Subjects,
    unexplained: Unexplained,
    is_open: fn(&str, Invariant, &Op) -> bool,
    stats: Stats,
}

impl Contract {
    fn new(settings: &Settings) -> Result<Contract, String> {
        let Settings { unexplained, is_open, .. } = *settings;
        Ok(Contract { subjects: Subjects::new(settings)?, unexplained, is_open, stats: Stats::default() })
    }
}

impl Target for Contract {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let Some((&choice, rest)) = data.split_first() else { return Ok(()) };
        let program = bytes::decode(rest);
        let (chosen, events, verdict, judged) = self.subjects.run(choice, &program);
        self.stats.run(&program, events, hit);
        self.stats.judged(&verdict, &judged);
        if verdict.holds() {
            return Ok(());
        }
        // The whole run tells which known findings it meets: their signs may lie behind a misuse. A program that leaves
        // something open shows as little of them as one that was cut.
        let part = if verdict.open.is_some() || verdict.misuse.is_some() { CUT } else { 0 };
        let whole = summarise(&[], &verdict).broken & !MISUSED | part;
        let left = (self.unexplained)(chosen.faithful, &program, whole);
        let is_open = |violation: &&Violation| {
            let op = events.get(violation.event).and_then(|event| program.ops().get(event.op as usize));
            op.is_some_and(|op| (self.is_open)(chosen.faithful, violation.invariant, op))
        };
        let unknown = verdict.faults().filter(|violation| left >> violation.invariant as u32 & 1 == 1);
        let unknown = unknown.filter(|violation| !is_open(violation));
        let Some(first) = finding::first(unknown) else {
            self.stats.add("runs that show a known finding", u64::from(verdict.faults().next().is_some()));
            return Ok(());
        };
        let signature = finding::signed(chosen.name, &program, events, first);
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
