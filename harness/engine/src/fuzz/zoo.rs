//! `zoo`: a program on one specimen of the zoo, judged beside its faithful side.
//!
//! What the faithful side shows too is no finding, so that nothing needs to be known of either. Not one of the
//! [`super::TARGETS`]: it runs the specimen that the settings name, and is there to be measured. Called by `lazymmu zoo`,
//! and by `contract` where its subject is a specimen.

use super::{Description, Found, Guide, Input, Stats, Target};
use crate::finding::{Signature, keyword};
use crate::program::Program;
use crate::trial::{Kill, Trial};
use crate::zoo::{self, Specimen};

pub(super) const DESCRIPTION: Description = Description {
    name: "zoo",
    about: "all oracles, on the specimen that is named",
    input: Input::Program(0),
    guide: Guide::Functions,
    kinds: &[],
    make: |settings| {
        let name = settings.subject.ok_or("the fuzz target zoo needs LAZYMMU_FUZZ_SUBJECT, a specimen's name")?;
        let specimen = zoo::find(name).ok_or_else(|| format!("there is no specimen {name}"))?;
        Ok(Box::new(Zoo::new(specimen, DESCRIPTION.input)))
    },
};

pub(super) struct Zoo {
    input: Input,
    trial: Trial,
    stats: Stats,
}

impl Zoo {
    /// Judges inputs of this form, whose choosing bytes choose nothing.
    pub(super) fn new(specimen: &'static Specimen, input: Input) -> Zoo {
        let mut trial = Trial::new(specimen);
        trial.set_limit(super::LIMIT);
        Zoo { input, trial, stats: Stats::default() }
    }
}

impl Target for Zoo {
    fn judge(&mut self, data: &[u8], hit: &mut dyn FnMut(u32)) -> Result<(), Found> {
        self.stats.execution();
        let Some((_, program)) = self.input.split(data) else { return Ok(()) };
        let found = self.trial.hunt(&program);
        self.stats.run(&program, self.trial.events(), hit);
        let Some(found) = found else { return Ok(()) };
        let signature = signature(&self.trial, &program, found);
        Err(Found {
            slug: signature.slug(),
            what: signature.to_string(),
            subject: Some(self.trial.specimen().name),
            signature: Some(signature),
        })
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// The signature of what a trial found: the operation is of the program that ran.
#[must_use]
pub fn signature(trial: &Trial, input: &Program, found: Kill) -> Signature {
    let specimen = trial.specimen();
    let ran = specimen.program_of(input);
    let op = found.op.map_or_else(|| "end".to_owned(), |at| keyword(&ran, at as usize));
    Signature { subject: specimen.name.to_owned(), invariant: found.invariant, op }
}
