//! Makes a program small and plain while it still does what was found.
//!
//! The predicate decides what "still" means (the same signature, say); an empty program is never the answer. The big
//! cuts come first: half of it, quarters and so on, then single operations and whole blocks, then two that belong together,
//! then blocks without their braces; then plainer operations (`plainer`), and plainer names throughout (`rename`); again until nothing helps.
//! Every step makes the program smaller in one fixed order, so it ends, and the same program gives the same answer.
//!
//! What it costs is bounded by [`WORK`]: a program of 65,536 operations in which everything matters is cut as far as
//! that goes, and no further. Called by whoever reports a failure.

mod plainer;
mod rename;

use lazy_mmu_arches::page::Size;

use super::{Block, MAX_OPS, Op, Pages, Program};

/// Operations and pages that all trials together may run, about: some ten seconds of one core.
pub const WORK: u64 = 40_000_000;

/// What one trial costs besides its operations.
const TRIAL: u64 = 64;

/// Operations of a program that is short: its pairs are tried too.
const SHORT: usize = 32;

/// Operations of a program whose names are worth to be made plainer.
const READABLE: usize = 256;

/// The smallest program found for which `still` is true; `program` itself if nothing smaller is.
#[must_use]
pub fn minimise(program: &Program, still: impl FnMut(&Program) -> bool) -> Program {
    within(program, WORK, still)
}

/// The same, with `work` in place of [`WORK`].
#[must_use]
pub fn within(program: &Program, work: u64, still: impl FnMut(&Program) -> bool) -> Program {
    let mut search = Search { best: program.clone(), left: work, still };
    loop {
        let before = search.best.clone();
        search.cut();
        search.pair_off();
        search.unwrap_blocks();
        search.simplify();
        search.rename();
        if search.best == before || search.left == 0 {
            return search.best;
        }
    }
}

/// The smallest program so far, and what may still be spent on smaller ones.
struct Search<S> {
    best: Program,
    left: u64,
    still: S,
}

impl<S: FnMut(&Program) -> bool> Search<S> {
    /// Keeps the operations if they are a program, not empty, and still do it.
    fn accept(&mut self, ops: Vec<Op>) -> bool {
        if ops.is_empty() {
            return false;
        }
        let Ok(candidate) = Program::new(ops) else { return false };
        let cost = TRIAL + weight(&candidate);
        if cost > self.left {
            self.left = 0;
            return false;
        }
        self.left -= cost;
        let accepted = (self.still)(&candidate);
        if accepted {
            self.best = candidate;
        }
        accepted
    }

    /// Leaves out runs of operations, from the back, in ever smaller lengths.
    fn cut(&mut self) {
        let mut length = self.best.ops().len().div_ceil(2);
        while length > 0 && self.left > 0 {
            let mut end = self.best.ops().len();
            // What is short is worth to be looked at from every place.
            let step = if end <= SHORT { 1 } else { length };
            while end > 0 {
                let at = end.saturating_sub(length);
                if let Some((from, to)) = neighbours(&self.best, at, length) {
                    let mut ops = self.best.ops().to_vec();
                    ops.drain(from..to);
                    self.accept(ops);
                }
                end = end.saturating_sub(step).min(self.best.ops().len());
            }
            length /= 2;
        }
    }

    /// Leaves out two operations that are of no use without each other, such as a pause and its resume.
    fn pair_off(&mut self) {
        if self.best.ops().len() > SHORT {
            return;
        }
        let mut first = 0;
        while first < self.best.ops().len() {
            let mut second = self.best.after(first);
            while second < self.best.ops().len() && self.best.ops()[first] != Op::Close {
                let mut ops = self.best.ops().to_vec();
                let to = self.best.after(second);
                let removes = ops[second] != Op::Close && {
                    ops.drain(second..to);
                    ops.drain(first..self.best.after(first));
                    self.accept(ops)
                };
                second = if removes { self.best.ops().len() } else { second + 1 };
            }
            first += 1;
        }
    }

    /// Leaves a block's braces out, and a repeat's repetition with them; or all of a block but what is in it.
    fn unwrap_blocks(&mut self) {
        let mut at = 0;
        while at < self.best.ops().len() && self.left > 0 {
            if matches!(self.best.ops()[at], Op::Open(_)) {
                let mut ops = self.best.ops().to_vec();
                ops.remove(self.best.close_of(at));
                ops.remove(at);
                if self.accept(ops) {
                    continue;
                }
            }
            at += 1;
        }
    }

    /// Tries plainer operations, one by one.
    fn simplify(&mut self) {
        for at in 0..self.best.ops().len() {
            while plainer::of(self.best.ops()[at]).into_iter().any(|op| {
                let mut ops = self.best.ops().to_vec();
                ops[at] = op;
                self.accept(ops)
            }) {}
        }
    }

    /// Tries plainer names throughout, each until it is as plain as it gets.
    fn rename(&mut self) {
        // What is longer is not read by anybody, and has too many names to try.
        if self.best.ops().len() > READABLE {
            return;
        }
        while rename::candidates(&self.best).into_iter().any(|ops| self.accept(ops)) {}
    }
}

/// About `length` operations from `at` on that go together: whole blocks, up to the end of the block they are in. None
/// where only closing braces are.
fn neighbours(program: &Program, at: usize, length: usize) -> Option<(usize, usize)> {
    let ops = program.ops();
    let last = ops.len().min(at + length);
    let from = (at..last).find(|&at| ops[at] != Op::Close)?;
    let mut to = from;
    while to < last && ops[to] != Op::Close {
        to = program.after(to);
    }
    Some((from, to))
}

/// What a huge page counts: kernels flush it part by part.
const HUGE: u64 = 16;

/// How many operations and pages a run takes, about, if the machine does not end it before.
#[must_use]
pub fn weight(program: &Program) -> u64 {
    const LIMIT: u64 = MAX_OPS as u64;
    let mut times = vec![1u64];
    let mut sum = 0;
    for op in program.ops() {
        let now = times.last().copied().unwrap_or(1);
        let each = match op {
            Op::Open(block) => {
                let again = if let Block::Repeat(n) = block { u64::from(*n) } else { 1 };
                times.push((now * again).min(LIMIT));
                1
            }
            Op::Close => {
                times.pop();
                1
            }
            op => {
                let each = |pages: Pages| u64::from(pages.count) * if pages.size == Size::Huge { HUGE } else { 1 };
                1 + plainer::pages(*op).map_or(0, each)
            }
        };
        sum += now * each;
        if sum >= LIMIT {
            return LIMIT;
        }
    }
    sum
}

#[cfg(test)]
mod tests;
