//! Where the events of a tree's C are not those of our Rust of its generation: by kind, each with the smallest program.
//!
//! A difference is no verdict: our Rust is wrong until shown otherwise, and the contract judges the tree's own events.
//! Every program that differs is looked at to its end ([`aligned`]), beside our Rust with its known differences corrected; a
//! kind that the table has is *explained* ([`explained`]), any other is shown first. Not here: which events are compared
//! (`trace::alike` of the engine). Called by [`super::run`] and the report.

pub mod aligned;
pub mod explained;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use lazy_mmu_engine::alike;
use lazy_mmu_engine::contract::Rules;
use lazy_mmu_engine::corrected::{self, CORRECTIONS};
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::{Port, Subject};

use self::explained::Row;
use super::Form;
use super::material::Item;
use super::run::{Asked, Differs};
use crate::agent::AgentError;
use crate::target::Target;

/// One kind of difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Whether generic events differ; else only the architecture's.
    pub is_generic: bool,
    /// The generic event before it, numbers left out.
    pub behind: String,
    /// Our Rust's events, numbers left out.
    pub ours: String,
    /// The tree's.
    pub theirs: String,
    /// The row that explains it.
    pub row: Option<&'static Row>,
    /// The subjects that show it.
    pub subjects: BTreeSet<(Target, String)>,
    /// How many programs show it, each once.
    pub runs: u64,
    /// The smallest of them.
    pub program: Program,
    /// The events of both sides behind that generic event.
    pub place: String,
}

/// In so many programs a correction is shown to matter; more of them would cost runs and say nothing new.
pub const OFTEN: u64 = 20;

/// What a form's differences come to.
#[derive(Debug, Default)]
pub struct Differences {
    /// The kinds that are left when corrections are made.
    pub kinds: Vec<Difference>,
    /// Corrections that matter, by name: in how many programs, up to [`OFTEN`].
    pub corrected: BTreeMap<&'static str, u64>,
}

/// The differences of one form, in the programs that `differ`. Where our corrected Rust has the tree's digest, corrections explain everything, and the events need not be asked for.
///
/// # Errors
/// The agent does not answer.
pub fn of_form(
    asked: &mut Asked<'_>,
    target: Target,
    form: &Form,
    items: &[Item],
    differ: &[Differs],
) -> Result<Differences, AgentError> {
    let Some(twin) = form.twin else { return Ok(Differences::default()) };
    let mut ours = Ours::new(twin, explained::is_4k(&form.name));
    let mut found = Differences::default();
    let mut left = Vec::new();
    for &Differs { at, digest: theirs, .. } in differ {
        let (digest, mattering) = ours.digest(&items[at].program, &found.corrected);
        mattering.iter().for_each(|name| *found.corrected.entry(name).or_default() += 1);
        if digest != theirs {
            left.push(at);
        }
    }
    for chunk in left.chunks(AT_ONCE) {
        let programs: Vec<Vec<u8>> = chunk.iter().map(|&at| items[at].bytes.clone()).collect();
        for (&at, theirs) in chunk.iter().zip(asked.listings(form.index, &programs)?) {
            let Some(theirs) = theirs else { continue };
            let program = &items[at].program;
            let of_run = of_run((target, form), program, [&ours.listing(program), &theirs]);
            of_run.into_iter().for_each(|kind| add(&mut found.kinds, kind));
        }
    }
    Ok(found)
}

/// Our Rust as a tree is compared with it: with every correction, and with each of them left out.
struct Ours {
    runner: Runner,
    rules: Rules,
    subject: Box<dyn Subject>,
    without: Vec<(&'static str, Box<dyn Subject>)>,
}

impl Ours {
    fn new(twin: usize, is_4k: bool) -> Ours {
        let descriptor = &SUBJECTS[twin];
        let subject = corrected::make(descriptor.name, is_4k, None).unwrap_or_else(|| descriptor.make(Port::Model));
        let without = CORRECTIONS.iter().filter(|one| one.is_of(descriptor.name, is_4k));
        let without = without.filter_map(|&one| Some((one.name, corrected::make(one.of, is_4k, Some(one))?))).collect();
        Ours { runner: Runner::new(), rules: descriptor.rules(), subject, without }
    }

    /// The digest of the events, and the corrections without which they are others. What has been `seen` often enough is
    /// not asked again.
    fn digest(&mut self, program: &Program, seen: &BTreeMap<&'static str, u64>) -> (u64, Vec<&'static str>) {
        let Ours { runner, rules, subject, without } = self;
        let mut run = |subject: &dyn Subject| alike::digests(subject, runner.run_on(subject, *rules, program).0).1;
        let digest = run(&**subject);
        let asked = without.iter().filter(|(name, _)| seen.get(name).is_none_or(|&seen| seen < OFTEN));
        let mattering = asked.filter(|(_, other)| run(&**other) != digest).map(|(name, _)| *name).collect();
        (digest, mattering)
    }

    /// The events.
    fn listing(&mut self, program: &Program) -> String {
        alike::listing(&*self.subject, self.runner.run_on(&*self.subject, self.rules, program).0)
    }
}

/// The kinds of one run, each once.
fn of_run((target, form): (Target, &Form), program: &Program, [ours, theirs]: [&str; 2]) -> Vec<Difference> {
    let mut kinds = Vec::new();
    for piece in aligned::differing(ours, theirs) {
        let behind = aligned::plain(piece.behind);
        for (ours, theirs) in piece.kinds() {
            let row = explained::explain(&form.name, &behind, &ours, &theirs).filter(|_| !piece.is_generic);
            let found = Difference {
                is_generic: piece.is_generic,
                behind: behind.clone(),
                ours,
                theirs,
                row,
                subjects: BTreeSet::from([(target, form.name.clone())]),
                runs: 1,
                program: program.clone(),
                place: place(&piece),
            };
            add(&mut kinds, found);
        }
    }
    kinds.into_iter().map(|kind| Difference { runs: 1, ..kind }).collect()
}

/// How many programs' events are asked for at once.
const AT_ONCE: usize = 1024;

/// How many events of a side are shown.
const SHOWN: usize = 24;

fn place(piece: &aligned::Piece<'_>) -> String {
    let mut text = format!("  {}\n", piece.behind);
    for (lines, mark) in [(&piece.ours, '-'), (&piece.theirs, '+')] {
        lines.iter().take(SHOWN).for_each(|line| text.push_str(&format!("{mark} {line}\n")));
        if lines.len() > SHOWN {
            text.push_str(&format!("{mark} ... {} more\n", lines.len() - SHOWN));
        }
    }
    text
}

/// Adds a difference to the kinds: a kind that is there counts it.
fn add(kinds: &mut Vec<Difference>, found: Difference) {
    let row = |kind: &Difference| kind.row.map(|row| row.name);
    let is_same = |kind: &&mut Difference| {
        row(kind) == row(&found)
            && (&kind.behind, &kind.ours, &kind.theirs) == (&found.behind, &found.ours, &found.theirs)
    };
    match kinds.iter_mut().find(is_same) {
        Some(kind) => {
            kind.runs += found.runs;
            kind.subjects.extend(found.subjects);
            if found.program.ops().len() < kind.program.ops().len() {
                kind.program = found.program;
                kind.place = found.place;
            }
        }
        None => kinds.push(found),
    }
}

/// The kinds of all targets together: generic ones first, then unexplained ones, then the most frequent.
#[must_use]
pub fn merged(all: Vec<Difference>) -> Vec<Difference> {
    let mut kinds = Vec::new();
    all.into_iter().for_each(|found| add(&mut kinds, found));
    kinds.sort_by_key(|kind| {
        (!kind.is_generic, kind.row.is_some(), std::cmp::Reverse(kind.runs), kind.program.ops().len())
    });
    kinds
}
