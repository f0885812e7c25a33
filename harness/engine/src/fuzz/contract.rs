//! `contract`: a program on the subject that the first byte chooses, all oracles on.
//!
//! A finding is a violation that is the subject's own fault ([`crate::contract::Verdict::faults`]) and that no known finding explains.
//! A specimen of the zoo is judged beside its fix instead ([`crate::trial`]): there a caller's misuse counts, and nothing
//! needs to be known. Not here: the oracles. One of the [`super::TARGETS`].

use super::session::Explain;
use super::subjects::Subjects;
use super::zoo::Zoo;
use super::{Description, Found, Guide, Input, Settings, Stats, Target};
use crate::finding;
use crate::program::bytes;

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
    explain: Explain,
    stats: Stats,
}

impl Contract {
    fn new(settings: &Settings) -> Result<Contract, String> {
        Ok(Contract { subjects: Subjects::new(settings)?, explain: settings.explain, stats: Stats::default() })
    }
}

impl Target for Contract {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let Some((&choice, rest)) = data.split_first() else { return Ok(()) };
        let program = bytes::decode(rest);
        let (_, events, verdict, judged) = self.subjects.run(choice, &program);
        self.stats.run(&program, events, hit);
        self.stats.judged(&verdict, &judged);
        if verdict.faults().next().is_none() {
            return Ok(());
        }
        let Some(first) = self.subjects.unexplained(choice, self.explain) else {
            self.stats.add("runs that show a known finding", 1);
            return Ok(());
        };
        let (chosen, events) = self.subjects.last(choice);
        let signature = finding::signed(chosen.name, &program, events, &first);
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
