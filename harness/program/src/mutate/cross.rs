//! One program of two: cut and joined, a run of one put into the other, or in turns.
//!
//! Two programs are joined where the same is going on in both (who runs, what is open), so that what one has opened the
//! other closes. Called by the fuzz targets, as [`super::mutate`] is.

use super::draft::Draft;
use super::scene::Scene;
use super::{ATTEMPTS, UNSEEN, mutate};
use crate::generate::Random;
use crate::{MAX_OPS, Op, Program};

/// A program of at most `max_ops` operations with some of `a` and some of `b`, within every limit.
///
/// It is none of the two if that can be avoided; where one is empty, the other is mutated.
#[must_use]
pub fn crossover(a: &Program, b: &Program, random: &mut Random, max_ops: usize) -> Program {
    let max_ops = max_ops.min(MAX_OPS);
    if a.ops().is_empty() || b.ops().is_empty() {
        let whole = if a.ops().is_empty() { b } else { a };
        return mutate(whole, random, max_ops);
    }
    let looked_at = !random.one_in(UNSEEN) && Scene::is_plausible(a.ops()) && Scene::is_plausible(b.ops());
    let mut made = Program::default();
    for _ in 0..ATTEMPTS {
        let ops = match random.below(10) {
            0..5 => joined(a, b, random, max_ops).unwrap_or_else(|| inserted(a, b, random, max_ops)),
            5..9 => inserted(a, b, random, max_ops),
            _ => in_turns(a, b, random),
        };
        made = Program::fitted(ops, max_ops);
        if made != *a && made != *b && !made.ops().is_empty() && (!looked_at || Scene::is_plausible(made.ops())) {
            return made;
        }
    }
    if made == *a || made == *b || made.ops().is_empty() { mutate(a, random, max_ops) } else { made }
}

/// The beginning of `a` and the end of `b`, from where the same is going on; none if it never is.
fn joined(a: &Program, b: &Program, random: &mut Random, max_ops: usize) -> Option<Vec<Op>> {
    let (a, b) = (a.ops(), b.ops());
    let mut cut = 1 + random.below(a.len().min(max_ops.saturating_sub(1)).max(1) as u32) as usize;
    let mut here = Scene::at(a, cut);
    while here.in_block() && cut < a.len() {
        here.step(a[cut]);
        cut += 1;
    }
    // Of the places in `b` that suit each is drawn with the same probability.
    let mut there = Scene::new();
    let (mut from, mut seen) = (None, 0);
    for (at, &op) in b.iter().enumerate() {
        if there.joins(&here) {
            seen += 1;
            if random.one_in(seen) {
                from = Some(at);
            }
        }
        there.step(op);
    }
    from.map(|from| [&a[..cut], &b[from..]].concat())
}

/// `a` with a run of `b` somewhere in it, where a run of that kind may stand.
fn inserted(a: &Program, b: &Program, random: &mut Random, max_ops: usize) -> Vec<Op> {
    let mut from = Draft::new(random, max_ops);
    from.ops.extend_from_slice(b.ops());
    let Some(run) = from.run() else { return Vec::new() };
    let place = Scene::at(b.ops(), run.start).place();
    let mut into = Draft::new(random, max_ops);
    into.ops.extend_from_slice(a.ops());
    while into.room() < run.len() {
        // What is put in takes the place of something.
        if !into.run().is_some_and(|run| into.remove(run)) {
            break;
        }
    }
    let mut at = into.gap();
    for _ in 0..2 {
        if Scene::at(&into.ops, at).place() == place {
            break;
        }
        at = into.gap();
    }
    into.ops.splice(at..at, b.ops()[run].iter().copied());
    into.ops
}

/// Units of both in turns, as two callers would go on at the same time.
fn in_turns(a: &Program, b: &Program, random: &mut Random) -> Vec<Op> {
    let mut parts = [a, b].map(|program| (program.ops().to_vec(), 0));
    let mut ops = Vec::with_capacity(parts[0].0.len() + parts[1].0.len());
    let mut turn = 0;
    while parts.iter().any(|(part, at)| *at < part.len()) {
        let (part, at) = &mut parts[turn];
        if *at < part.len() {
            let mut draft = Draft::new(random, MAX_OPS);
            std::mem::swap(&mut draft.ops, part);
            let end = draft.unit_end(*at);
            ops.extend_from_slice(&draft.ops[*at..end]);
            *at = end;
            std::mem::swap(&mut draft.ops, part);
        }
        if random.one_in(2) || parts[turn].1 == parts[turn].0.len() {
            turn = 1 - turn;
        }
    }
    ops
}
