//! Where the events of a tree's C are not those of our Rust of its generation: by kind, each with the smallest program.
//!
//! A difference is no verdict: our Rust is wrong until shown otherwise, and the contract judges the tree's own events. Two
//! programs differ in one kind if the first lines that differ are alike but for numbers. Called by [`super::run`].

use std::collections::BTreeSet;

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::listing;

use super::Form;
use super::material::Item;
use super::run::Asked;
use crate::agent::AgentError;
use crate::target::Target;

/// Programs of one form whose events are looked at, of each class.
const LOOKED_AT: usize = 40;

/// One kind of difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Whether generic events differ; else only the architecture's.
    pub is_generic: bool,
    /// Our Rust's line, numbers left out; empty where it has ended.
    pub ours: String,
    /// The tree's.
    pub theirs: String,
    /// The subjects that show it.
    pub subjects: BTreeSet<(Target, String)>,
    /// How many of the programs that were looked at show it.
    pub runs: u64,
    /// The smallest of them.
    pub program: Program,
    /// The lines around the place: three of both, then what each has.
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
    let mut runner = Runner::new();
    let mut kinds: Vec<Difference> = Vec::new();
    for (class, programs) in differ.iter().enumerate() {
        let mut smallest = programs.clone();
        smallest.sort_by_key(|&at| items[at].program.ops().len());
        for &at in smallest.iter().take(LOOKED_AT) {
            let Some(theirs) = asked.listing(form.index, &items[at].bytes)? else { continue };
            let ours = listing(runner.run(twin, Port::Model, &items[at].program).0);
            let Some((ours, theirs, place)) = first(&ours, &theirs) else { continue };
            let found = Difference {
                is_generic: class == 0,
                ours: plain(ours),
                theirs: plain(theirs),
                subjects: BTreeSet::from([(target, form.name.clone())]),
                runs: 1,
                program: items[at].program.clone(),
                place,
            };
            add(&mut kinds, found);
        }
    }
    Ok(kinds)
}

/// Adds a difference to the kinds: a kind that is there counts it.
fn add(kinds: &mut Vec<Difference>, found: Difference) {
    let same = |kind: &&mut Difference| (&kind.ours, &kind.theirs) == (&found.ours, &found.theirs);
    match kinds.iter_mut().find(same) {
        Some(kind) => {
            kind.runs += found.runs;
            kind.subjects.extend(found.subjects);
            kind.is_generic |= found.is_generic;
            if found.program.ops().len() < kind.program.ops().len() {
                kind.program = found.program;
                kind.place = found.place;
            }
        }
        None => kinds.push(found),
    }
}

/// The kinds of all targets together: generic ones first, then the most frequent.
#[must_use]
pub fn merged(all: Vec<Difference>) -> Vec<Difference> {
    let mut kinds = Vec::new();
    all.into_iter().for_each(|found| add(&mut kinds, found));
    kinds.sort_by_key(|kind| (!kind.is_generic, std::cmp::Reverse(kind.runs), kind.program.ops().len()));
    kinds
}

/// The first lines that differ, and the lines around them. The verdict at the end of the tree's listing is no event.
fn first<'t>(ours: &'t str, theirs: &'t str) -> Option<(&'t str, &'t str, String)> {
    let (ours, mut theirs): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
    theirs.pop();
    let at = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at))?;
    let line = |lines: &[&'t str], at: usize| lines.get(at).copied().unwrap_or("");
    let before = ours[at.saturating_sub(3)..at.min(ours.len())].iter().map(|line| format!("  {line}\n"));
    let after = |lines: &[&str], mark: char| {
        let rest = lines.iter().skip(at).take(3);
        rest.map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    let place = format!("{}{}{}", before.collect::<String>(), after(&ours, '-'), after(&theirs, '+'));
    Some((line(&ours, at), line(&theirs, at), place))
}

/// A line without its numbers.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut in_number = false;
    for c in line.trim().chars() {
        let is_number = c.is_ascii_digit() || (in_number && (c.is_ascii_hexdigit() || c == 'x'));
        if !is_number {
            plain.push(c);
        } else if !in_number {
            plain.push('N');
        }
        in_number = is_number;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_no_numbers() {
        assert_eq!(plain("  3 cpu0 T1 store K[16] 0x1f"), "N cpuN TN store K[N] N");
        assert_eq!(plain("hook enter (active)"), "hook enter (active)");
    }

    #[test]
    fn the_first_lines_that_differ_are_found_with_what_is_before_them() {
        let (ours, theirs) = ("a\nb\nc\nd\n", "a\nb\nc\nx\nholds\n");
        assert_eq!(first(ours, theirs), Some(("d", "x", "  a\n  b\n  c\n- d\n+ x\n".to_owned())));
        assert_eq!(first("a\nb\n", "a\nholds\n"), Some(("b", "", "  a\n- b\n".to_owned())));
        assert_eq!(first("a\n", "a\nholds\n"), None);
    }
}
