//! A searcher for comparison: every sequence of `explore`'s steps, the shortest first, equal states once.
//!
//! It needs no seed, so that every seed's hunt is the same but for the machine's noise. What breaks on a path is judged
//! again as every other searcher's programs are. Called by the hunt; states and steps are [`lazy_mmu_engine::space`]'s.

use std::cell::Cell;

use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::exercise::Exercised;
use lazy_mmu_engine::space::{Counts, MAX_DEPTH, Node, Reached, Space};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_snapshots::known;
use pathfinding::directed::bfs::bfs_reach;

use super::hunt::{Hunt, Search};
use crate::explore::alphabet::Alphabet;

/// Explores until the search is over.
pub fn search(search: &mut Search, hunt: &Hunt) {
    let made = hunt.specimen.make(Port::Model);
    let plain = hunt.specimen.base();
    let judged = Examiner { subject: &*made, rules: hunt.specimen.rules(), kind: plain.name, explain: known::names };
    // What a caller makes of a program is judged as a whole: two programs that lead to one state are two for it.
    let of_caller = hunt.specimen.is_caller();
    let mut space = Space::new(judged, Alphabet::Full.steps(hunt.specimen.rules().room.batch), !of_caller);
    let root = space.root();
    let over = Cell::new(false);
    let mut exercised = Exercised::default();
    let mut counts = Counts::default();
    let next = |node: &Node| {
        let mut next = Vec::new();
        if over.get() || node.path.len() >= MAX_DEPTH {
            return next;
        }
        for step in 0..space.width() {
            match space.step(node.path, step, &mut exercised, &mut counts) {
                Reached::State(fingerprint) => {
                    next.push(Node { fingerprint, path: node.path.with(step) });
                    if !of_caller {
                        search.count();
                    } else if search.look(&space.program(node.path.with(step))).is_break() {
                        break;
                    }
                }
                Reached::Misuse | Reached::Cut => search.count(),
                // What a known finding explains may still be the specimen's: the trial knows its faithful side.
                Reached::Known(_) | Reached::Broken(_) => {
                    let program = space.program(node.path.with(step));
                    if search.look(&program).is_break() {
                        break;
                    }
                }
            }
        }
        over.set(search.go_on().is_break());
        next
    };
    let mut reach = bfs_reach(root, next);
    while !over.get() && reach.next().is_some() {}
}
