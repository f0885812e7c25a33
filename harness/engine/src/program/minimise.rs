//! Makes a program small while it still does what was found: fewer operations, fewer pages, lower numbers.
//!
//! The predicate decides what "still" means (the same invariant at the same operation, say); an empty program is
//! never the answer. Tries the big cuts first: halves, quarters and so on, then single operations and whole blocks,
//! then blocks without their braces, then smaller arguments; again until nothing more helps.

use super::{Block, Op, Pages, Program};

/// The smallest program found for which `still` is true; `program` itself if nothing smaller is.
#[must_use]
pub fn minimise(program: &Program, mut still: impl FnMut(&Program) -> bool) -> Program {
    let mut best = program.clone();
    loop {
        let before = best.clone();
        cut(&mut best, &mut still);
        unwrap_blocks(&mut best, &mut still);
        simplify(&mut best, &mut still);
        if best == before {
            return best;
        }
    }
}

/// Keeps the operations if they are a program, not empty, and `still` holds.
fn accept(best: &mut Program, ops: Vec<Op>, still: &mut impl FnMut(&Program) -> bool) -> bool {
    if ops.is_empty() {
        return false;
    }
    match Program::new(ops) {
        Ok(candidate) if still(&candidate) => {
            *best = candidate;
            true
        }
        _ => false,
    }
}

/// Leaves out runs of operations, from the back, in ever smaller lengths.
fn cut(best: &mut Program, still: &mut impl FnMut(&Program) -> bool) {
    let mut length = best.ops().len().div_ceil(2);
    while length > 0 {
        let mut at = best.ops().len();
        while at > 0 {
            at = at.min(best.ops().len()).saturating_sub(1);
            // A block goes as a whole.
            let end = best.after(at).max((at + length).min(best.ops().len()));
            let mut ops = best.ops().to_vec();
            ops.drain(at..end);
            accept(best, ops, still);
        }
        length /= 2;
    }
}

/// Leaves a block's braces out, and a repeat's repetition with them.
fn unwrap_blocks(best: &mut Program, still: &mut impl FnMut(&Program) -> bool) {
    let mut at = 0;
    while at < best.ops().len() {
        if matches!(best.ops()[at], Op::Open(_)) {
            let mut ops = best.ops().to_vec();
            ops.remove(best.close_of(at));
            ops.remove(at);
            if accept(best, ops, still) {
                continue;
            }
        }
        at += 1;
    }
}

/// Tries lower numbers for each operation.
fn simplify(best: &mut Program, still: &mut impl FnMut(&Program) -> bool) {
    for at in 0..best.ops().len() {
        while simpler(best.ops()[at]).into_iter().any(|op| {
            let mut ops = best.ops().to_vec();
            ops[at] = op;
            accept(best, ops, still)
        }) {}
    }
}

/// Operations that do less than `op`, the simplest first.
fn simpler(op: Op) -> Vec<Op> {
    let fewer = |pages: Pages| {
        let counts = [1, pages.count / 2, pages.count.saturating_sub(1)];
        let by_count = counts.into_iter().filter(move |&n| n > 0 && n < pages.count);
        let by_count = by_count.map(move |count| Pages { count, ..pages });
        let small = Pages { size: Default::default(), ..pages };
        let first = Pages { first: 0, ..pages };
        by_count.chain([small, first].into_iter().filter(move |p| *p != pages)).collect::<Vec<_>>()
    };
    let on = |pages: Pages, make: fn(Pages) -> Op| fewer(pages).into_iter().map(make).collect::<Vec<_>>();
    match op {
        Op::Set(pages, protection) => fewer(pages).into_iter().map(|pages| Op::Set(pages, protection)).collect(),
        Op::Clear(pages) => on(pages, Op::Clear),
        Op::Wrprotect(pages) => on(pages, Op::Wrprotect),
        Op::Get(pages) => on(pages, Op::Get),
        Op::RawGet(pages) => on(pages, Op::RawGet),
        Op::Access(pages) => on(pages, Op::Access),
        Op::TlbFlush(pages) => on(pages, Op::TlbFlush),
        Op::GatherFlush(pages) => on(pages, Op::GatherFlush),
        Op::KasanPopulate(pages) => on(pages, Op::KasanPopulate),
        Op::KasanDepopulate(pages) => on(pages, Op::KasanDepopulate),
        Op::Open(Block::Repeat(times)) if times > 1 => {
            [times / 2, times - 1].into_iter().map(|times| Op::Open(Block::Repeat(times))).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::parse;
    use super::*;

    #[test]
    fn what_matters_is_left() {
        let program = parse(
            "set U 1 x7 huge; irq { enable; set K 300 x90 }; enable; repeat 9 { pause; resume }; switch T1; access U 3",
        )
        .unwrap();
        let has = |p: &Program| {
            let many = p.ops().iter().any(|op| matches!(op, Op::Set(pages, _) if pages.count >= 5));
            many && p.ops().contains(&Op::Open(Block::Irq))
        };
        assert_eq!(minimise(&program, has).to_string(), "set U 0 x5\nirq {\n}\n");
    }

    #[test]
    fn a_block_that_does_not_matter_goes_and_what_is_in_it_stays() {
        let program = parse("irq { enable; repeat 3 { query; pause } }; set K 900 x7 huge").unwrap();
        let pauses = |p: &Program| p.ops().contains(&Op::Pause);
        assert_eq!(minimise(&program, pauses).to_string(), "pause\n");
        let far = |p: &Program| p.ops().iter().any(|op| matches!(op, Op::Set(pages, _) if pages.first >= 800));
        assert_eq!(minimise(&program, far).to_string(), "set K 900\n");
    }

    #[test]
    fn an_empty_program_is_never_the_answer() {
        let program = parse("enable; disable").unwrap();
        assert_eq!(minimise(&program, |_| true).ops().len(), 1);
        assert_eq!(minimise(&program, |_| false), program);
    }
}
