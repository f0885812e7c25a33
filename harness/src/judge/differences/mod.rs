//! Where the events of a tree's C are not those of our Rust of its generation: by kind, each with the smallest program.
//!
//! A difference is no verdict: our Rust is wrong until shown otherwise, and the contract judges the tree's own events.
//! Every program that differs is looked at to its end ([`aligned`]); a kind that the table has is *explained*
//! ([`explained`]), any other is shown first. Not here: which events are compared (`trace::alike` of the engine). Called by
//! [`super::run`] and the report.

pub mod aligned;
pub mod explained;
mod table;

use std::collections::BTreeSet;

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::subject::registry::SUBJECTS;
use lazy_mmu_engine::trace::alike;

use self::explained::Row;
use super::Form;
use super::material::Item;
use super::run::Asked;
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

/// The kinds of one form; `differ` has the programs whose generic events differ, then those whose other events do.
///
/// # Errors
/// The agent does not answer.
pub fn of_form(
    asked: &mut Asked<'_>,
    target: Target,
    form: &Form,
    items: &[Item],
    differ: &[Vec<usize>; 2],
) -> Result<Vec<Difference>, AgentError> {
    let Some(twin) = form.twin else { return Ok(Vec::new()) };
    let (mut runner, subject) = (Runner::new(), SUBJECTS[twin].make(Port::Model));
    let mut kinds: Vec<Difference> = Vec::new();
    let differ: Vec<usize> = differ.iter().flatten().copied().collect();
    for chunk in differ.chunks(AT_ONCE) {
        let programs: Vec<Vec<u8>> = chunk.iter().map(|&at| items[at].bytes.clone()).collect();
        for (&at, theirs) in chunk.iter().zip(asked.listings(form.index, &programs)?) {
            let Some(theirs) = theirs else { continue };
            let program = &items[at].program;
            let ours = alike::listing(&*subject, runner.run_on(&*subject, SUBJECTS[twin].rules(), program).0);
            if let Ok(dir) = std::env::var("LZ_DUMP") {
                let name = format!("{dir}/{}-{at}", form.name.replace('/', "-"));
                std::fs::write(format!("{name}.ours"), &ours).ok();
                std::fs::write(format!("{name}.theirs"), &theirs).ok();
                std::fs::write(format!("{name}.lmm"), program.to_string()).ok();
            }
            of_run((target, form), program, [&ours, &theirs]).into_iter().for_each(|found| add(&mut kinds, found));
        }
    }
    Ok(kinds)
}

/// The kinds of one run, each once.
fn of_run((target, form): (Target, &Form), program: &Program, [ours, theirs]: [&str; 2]) -> Vec<Difference> {
    let (mut kinds, mut run) = (Vec::new(), explained::Run::default());
    for piece in aligned::differing(ours, theirs) {
        let behind = aligned::plain(piece.behind);
        for (ours, theirs) in piece.kinds() {
            let row = run.explain(&form.name, &behind, &ours, &theirs).filter(|_| !piece.is_generic);
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
const AT_ONCE: usize = 64;

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
    let of =
        |kind: &Difference| (kind.row.map(|row| row.name), kind.behind.clone(), kind.ours.clone(), kind.theirs.clone());
    let wanted = of(&found);
    match kinds.iter_mut().find(|kind| of(kind) == wanted) {
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
