//! What breaks on a tree: violations that nothing known explains, merged by cause, each with its smallest program.
//!
//! A defect breaks many programs on many subjects. Causes are merged in two steps: the same invariant at the same kind of
//! operation is one cause, and causes with one smallest program are one finding. What is not looked into is counted.
//! Called by [`super::run`] for one target, and by `lazymmu judge` for all of them together.

use std::collections::{BTreeMap, BTreeSet};

use lazy_mmu_engine::examine::{Examined, first_unknown};
use lazy_mmu_engine::program::{Program, bytes};
use lazy_mmu_engine::trace::counted;

use super::material::Item;
use super::run::{Asked, Found};
use super::{Cause, Form};
use crate::agent::AgentError;
use crate::target::Target;

/// Programs of one form that are examined for their causes; more of them say nothing new.
const EXAMINED: usize = 48;

/// Causes of one target that are minimised.
const MINIMISED: usize = 10;

/// What broke on a form: a cause, or a crash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An invariant broke.
    Breaks(Cause),
    /// The tree's code crashed, looped, or used what is not modelled: in its words, without addresses.
    Crashes(String),
}

/// A finding, ready to be read and replayed.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What breaks; several where one smallest program shows them all.
    pub what: BTreeSet<What>,
    /// The subjects, `aarch64: tree/aarch64`.
    pub subjects: BTreeSet<(Target, String)>,
    /// How many runs.
    pub runs: u64,
    /// The smallest program.
    pub program: Program,
    /// Whether it misuses the API: no program was found that shows the same and does not. Not known of a crash.
    pub misuses: bool,
    /// The subject that the timeline is of.
    pub shown_on: (Target, String),
    /// The first violation in words.
    pub text: String,
    /// Where the tree complains of it, `file:line, function(): condition`.
    pub place: Option<String>,
    /// The timeline and the verdict.
    pub timeline: String,
}

impl Finding {
    /// Where it stands among others: a misuse says less of the tree than any program that uses the API as it is meant.
    fn rank(&self) -> (bool, usize) {
        (self.misuses, self.program.ops().len())
    }

    /// What it is, in one line.
    #[must_use]
    pub fn title(&self) -> String {
        let words = self.what.iter().map(|what| match what {
            What::Breaks(cause) => cause.to_string(),
            What::Crashes(message) => message.clone(),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    /// The rest: the first violation, where it shows, the smallest program and its timeline.
    #[must_use]
    pub fn detail(&self) -> String {
        let Finding { subjects, runs, program, shown_on, text, timeline, .. } = self;
        let (on, runs) = (names(subjects), counted(*runs, ["run", "runs"]));
        let shown = &shown_on.1;
        format!("  {text}\n  on {on}; {runs}\n\nthe smallest program, on {shown}:\n\n{program}\n{timeline}")
    }
}

/// The names of subjects.
#[must_use]
pub fn names(subjects: &BTreeSet<(Target, String)>) -> String {
    subjects.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" ")
}

/// A program that broke what nothing explains.
#[derive(Clone, Copy, Debug)]
pub struct Unknown {
    /// Its place in the material.
    pub at: usize,
    /// A bit for each such invariant.
    pub bits: u32,
    /// Whether it misuses the API.
    pub misuses: bool,
}

/// What one form broke, before it is looked into.
#[derive(Clone, Debug, Default)]
pub struct Broke {
    /// Programs that broke what nothing explains.
    pub unknown: Vec<Unknown>,
    /// Programs that broke what is known.
    pub known: Vec<usize>,
    /// Programs on which the tree's code crashed, with what it said.
    pub crashed: Vec<(usize, String)>,
}

/// The findings of one form on its target, but for what was met before.
///
/// # Errors
/// The agent does not answer.
pub fn of_form(
    asked: &mut Asked<'_>,
    target: Target,
    form: &Form,
    items: &[Item],
    broke: &Broke,
    met: &BTreeSet<What>,
) -> Result<Vec<Finding>, AgentError> {
    let mut findings = crashes(target, form, items, broke);
    findings.retain(|finding| !finding.what.is_subset(met));
    for crash in &mut findings {
        let again = asked.examine(form.index, &bytes::encode(&crash.program));
        // The agent itself may die of it: then it did so again.
        if matches!(again, Ok(Some(_))) {
            crash.text.push_str("\n  It did so behind other programs, and not when it ran alone.");
        }
    }
    let mut causes: BTreeMap<Cause, (u64, Unknown)> = BTreeMap::new();
    for mut chosen in chosen(items, broke) {
        let Some(examined) = asked.examine(form.index, &items[chosen.at].bytes)? else { continue };
        // A summary does not know of sections that are left open.
        chosen.misuses = examined.misuses;
        if let Some(cause) = cause_of(&examined) {
            let found = causes.entry(cause).or_insert((0, chosen));
            found.0 += 1;
            if found.1.misuses && !chosen.misuses {
                found.1 = chosen;
            }
        }
    }
    let looked_into: u64 = causes.values().map(|found| found.0).sum();
    let beside = (broke.unknown.len() as u64).saturating_sub(looked_into);
    let is_new = |(cause, _): &(Cause, _)| !met.contains(&What::Breaks(cause.clone()));
    let mut ranked: Vec<_> = causes.into_iter().filter(is_new).collect();
    ranked.sort_by_key(|(_, (_, Unknown { at, misuses, .. }))| (*misuses, items[*at].program.ops().len()));
    for (n, (cause, (runs, Unknown { at, .. }))) in ranked.into_iter().enumerate() {
        let runs = runs + if n == 0 { beside } else { 0 };
        let small = if n < MINIMISED { asked.reduce(form.index, &items[at].bytes, &cause)? } else { None };
        let small = small.unwrap_or_else(|| items[at].bytes.clone());
        let Some(examined) = asked.examine(form.index, &small)? else { continue };
        let first = first_unknown(&examined);
        let text = first.map(|fault| fault.text.clone()).unwrap_or_default();
        let place = first.and_then(|fault| fault.place.clone());
        findings.push(Finding {
            what: BTreeSet::from([What::Breaks(cause)]),
            subjects: BTreeSet::from([(target, form.name.clone())]),
            runs,
            program: bytes::decode(&small),
            misuses: examined.misuses,
            shown_on: (target, form.name.clone()),
            text,
            place,
            timeline: format!("{}\n{}", examined.timeline, examined.conclusion),
        });
    }
    Ok(findings)
}

/// The programs that are examined: those that use the API as it is meant first, then the smallest; and every invariant that
/// broke is looked into, however rare.
fn chosen(items: &[Item], broke: &Broke) -> Vec<Unknown> {
    let mut smallest = broke.unknown.clone();
    smallest.sort_by_key(|unknown| (unknown.misuses, items[unknown.at].program.ops().len()));
    let (mut chosen, mut covered) = (Vec::new(), 0);
    for unknown in smallest {
        if chosen.len() < EXAMINED || unknown.bits & !covered != 0 {
            covered |= unknown.bits;
            chosen.push(unknown);
        }
    }
    chosen
}

fn cause_of(examined: &Examined) -> Option<Cause> {
    let fault = first_unknown(examined)?;
    Some(Cause { invariant: fault.invariant, op: fault.op.clone() })
}

/// What a crash said, without addresses and offsets: the same mistake reaches another address in each program.
fn cause_of_crash(message: &str) -> String {
    let words = message.split(' ').map(|word| word.split_once("+0x").map_or(word, |(function, _)| function));
    let text = words.collect::<Vec<_>>().join(" ");
    match text.split_once(" at address 0x") {
        Some((before, behind)) => format!("{before}{}", behind.trim_start_matches(|c: char| c.is_ascii_hexdigit())),
        None => text,
    }
}

/// A finding for each thing that a crash said.
fn crashes(target: Target, form: &Form, items: &[Item], broke: &Broke) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (at, message) in &broke.crashed {
        let what = BTreeSet::from([What::Crashes(cause_of_crash(message))]);
        let program = &items[*at].program;
        match findings.iter_mut().find(|finding| finding.what == what) {
            Some(finding) => {
                finding.runs += 1;
                if program.ops().len() < finding.program.ops().len() {
                    finding.program = program.clone();
                }
            }
            None => findings.push(Finding {
                what,
                subjects: BTreeSet::from([(target, form.name.clone())]),
                runs: 1,
                program: program.clone(),
                misuses: false,
                shown_on: (target, form.name.clone()),
                text: message.clone(),
                place: None,
                timeline: String::new(),
            }),
        }
    }
    findings
}

/// The findings of all targets, merged and ranked: crashes first, then programs that use the API as it is meant, then the
/// smallest.
#[must_use]
pub fn merged(all: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in all {
        let same = merged.iter_mut().find(|known| {
            known.what.iter().any(|what| finding.what.contains(what)) || known.program == finding.program
        });
        match same {
            Some(known) => {
                let is_better = finding.rank() < known.rank();
                known.what.extend(finding.what);
                known.subjects.extend(finding.subjects);
                known.runs += finding.runs;
                if is_better {
                    known.misuses = finding.misuses;
                    known.program = finding.program;
                    known.shown_on = finding.shown_on;
                    known.text = finding.text;
                    known.place = finding.place;
                    known.timeline = finding.timeline;
                }
            }
            None => merged.push(finding),
        }
    }
    let is_crash = |finding: &Finding| finding.what.iter().any(|what| matches!(what, What::Crashes(_)));
    merged.sort_by_key(|finding| (!is_crash(finding), finding.rank(), finding.title()));
    merged
}

/// The names of the known findings that a form shows, each with the number of runs that were looked into.
///
/// # Errors
/// The agent does not answer.
pub fn known(
    asked: &mut Asked<'_>,
    form: &Form,
    items: &[Item],
    broke: &Broke,
) -> Result<BTreeMap<String, Found>, AgentError> {
    let mut smallest = broke.known.clone();
    smallest.sort_by_key(|&at| items[at].program.ops().len());
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    smallest.truncate(EXAMINED);
    let programs: Vec<Vec<u8>> = smallest.iter().map(|&at| items[at].bytes.clone()).collect();
    for (&at, names) in smallest.iter().zip(asked.known(form.index, &programs)?) {
        for name in names.unwrap_or_default().split_whitespace() {
            let first = || Found { form: form.name.clone(), item: at, runs: 0 };
            found.entry(name.to_owned()).or_insert_with(first).runs += 1;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_the_same_at_every_address() {
        for (message, cause) in [
            (
                "signal 11 at address 0x3ffc7ec450: a wild access or a full stack, in set_ptes+0x1c",
                "signal 11: a wild access or a full stack, in set_ptes",
            ),
            ("an endless loop in call+0x230", "an endless loop in call"),
            (
                "the tree's code uses kfree, which is not modelled; f+0x8 does so",
                "the tree's code uses kfree, which is not modelled; f does so",
            ),
            ("killed by signal 9", "killed by signal 9"),
        ] {
            assert_eq!(cause_of_crash(message), cause);
        }
    }
}
