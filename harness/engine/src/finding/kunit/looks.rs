//! Looks that a program does not make itself: behind each change of kernel pages, and behind each `disable`, `pause` and
//! explicit flush, an `access` of what was set before it.
//!
//! A program needs none to break the contract: the oracles see what is late. A case does. The looks are operations like
//! the others, so that the reference runs say whether every backend has the change in effect there; where one has not,
//! the emitter leaves them out. Called by [`super::render`].

use lazy_mmu_arches::page::Mm;

use crate::contract::Invariant;
use crate::program::{Block, Op, Pages, Program, Protection};

/// Longer programs are not looked into.
const LONGEST: usize = 1024;

/// Pages changed before a look that are looked at.
const MOST: usize = 8;

/// Whether what breaks with the invariant can show in memory.
fn shows(invariant: Invariant) -> bool {
    use Invariant::{I3, I4, I6, I8, I9, I11, I14};
    matches!(invariant, I3 | I4 | I6 | I8 | I9 | I11 | I14)
}

/// The program with looks, and which operations these are.
pub(super) fn added(program: &Program, invariant: Invariant) -> (Program, Vec<bool>) {
    let none = || (program.clone(), vec![false; program.ops().len()]);
    if !shows(invariant) || program.ops().len() > LONGEST {
        return none();
    }
    let (mut ops, mut added) = (Vec::new(), Vec::new());
    let mut changed: Vec<Pages> = Vec::new();
    let mut between = Vec::new();
    for (at, op) in program.ops().iter().enumerate() {
        ops.push(*op);
        match op {
            Op::Open(block) => between.push(*block == Block::Between),
            Op::Close => {
                between.pop();
            }
            _ => {}
        }
        // The block between the halves belongs to the call.
        let halved = program.ops().get(at + 1) == Some(&Op::Open(Block::Between)) && op.has_halves();
        if !between.contains(&true) && !halved {
            ops.extend(looks(*op, &mut changed).into_iter().map(Op::Access));
        }
        added.push(false);
        added.resize(ops.len(), true);
    }
    Program::new(ops).map_or_else(|_| none(), |program| (program, added))
}

/// What is looked at behind an operation; `changed` is what was set since the last one that forces out.
fn looks(op: Op, changed: &mut Vec<Pages>) -> Vec<Pages> {
    match op {
        Op::Set(pages, protection) if pages.mm == Mm::KERNEL && protection != Protection::Invalid => {
            changed.push(pages);
            changed.drain(..changed.len().saturating_sub(MOST));
            vec![pages]
        }
        Op::Disable | Op::Pause | Op::Flush => std::mem::take(changed),
        _ => Vec::new(),
    }
}
