//! A program while it is being changed: what belongs together in it, and drawing places and runs.
//!
//! An *item* is an operation, a block, or a call with its `between`. A *unit* is an item, or all from one that begins
//! something (`enable`, `lock 0`, `switch T1`) to the one that ends it. Taking units away, moving and copying them
//! keeps blocks balanced, and sections mostly. Not here: what is done with them. Called by the mutator alone.

use std::ops::Range;

use crate::generate::Random;
use crate::{Block, Op};

/// The operations, and what limits and drives their change.
pub(super) struct Draft<'r> {
    /// The operations: blocks are balanced between two changes.
    pub(super) ops: Vec<Op>,
    pub(super) random: &'r mut Random,
    limit: usize,
}

/// How often something that does not suit is drawn again.
const DRAWS: u32 = 6;

impl<'r> Draft<'r> {
    pub(super) fn new(random: &'r mut Random, limit: usize) -> Draft<'r> {
        Draft { ops: Vec::new(), random, limit }
    }

    /// How many more operations there may be.
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.ops.len())
    }

    /// One of them.
    pub(super) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.below(of.len() as u32) as usize]
    }

    /// A number below `limit`; 0 if there is none.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit.max(1) as u32) as usize
    }

    /// The first place at or after a drawn one, going round, whose operation suits.
    pub(super) fn find(&mut self, suits: impl Fn(&Draft<'_>, usize) -> bool) -> Option<usize> {
        let length = self.ops.len();
        let start = self.below(length);
        (start..length).chain(0..start).find(|&at| suits(self, at))
    }

    /// Whether an item begins here.
    fn begins_item(&self, at: usize) -> bool {
        self.ops[at] != Op::Close && !self.is_joined(at)
    }

    /// Whether this is the `between` of the call before it.
    pub(super) fn is_joined(&self, at: usize) -> bool {
        self.ops.get(at) == Some(&Op::Open(Block::Between)) && at > 0 && self.ops[at - 1].has_halves()
    }

    /// The end of the block that is opened here.
    pub(super) fn block_end(&self, at: usize) -> usize {
        let mut depth = 0;
        for (further, op) in self.ops[at..].iter().enumerate() {
            match op {
                Op::Open(_) => depth += 1,
                Op::Close => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at + further + 1;
            }
        }
        self.ops.len()
    }

    /// The end of the item that begins here.
    pub(super) fn item_end(&self, at: usize) -> usize {
        match self.ops[at] {
            Op::Open(_) => self.block_end(at),
            call if call.has_halves() && self.is_joined(at + 1) => self.block_end(at + 1),
            _ => at + 1,
        }
    }

    /// The end of the unit that begins here.
    pub(super) fn unit_end(&self, at: usize) -> usize {
        self.partner(at).map_or_else(|| self.item_end(at), |end| self.item_end(end))
    }

    /// The operation in the same block that ends what this one begins.
    pub(super) fn partner(&self, at: usize) -> Option<usize> {
        let begin = self.ops[at];
        let mut open = 0;
        let mut next = self.item_end(at);
        if !begins(begin) {
            return None;
        }
        while next < self.ops.len() && self.ops[next] != Op::Close {
            let op = self.ops[next];
            if ends(begin, op) {
                if open == 0 {
                    return Some(next);
                }
                open -= 1;
            } else if op == begin {
                open += 1;
            }
            next = self.item_end(next);
        }
        None
    }

    /// A drawn unit. An end of something without its beginning is drawn rarely.
    pub(super) fn unit(&mut self) -> Option<Range<usize>> {
        for _ in 0..DRAWS {
            let at = self.find(|draft, at| draft.begins_item(at))?;
            if !is_end(self.ops[at]) || self.random.one_in(12) {
                return Some(at..self.unit_end(at));
            }
        }
        None
    }

    /// A drawn run of units in one block: one of them often, all of a block rarely.
    pub(super) fn run(&mut self) -> Option<Range<usize>> {
        let Range { start, mut end } = self.unit()?;
        while end < self.ops.len() && self.begins_item(end) && !is_end(self.ops[end]) && !self.random.one_in(2) {
            end = self.unit_end(end);
        }
        Some(start..end)
    }

    /// A drawn place where something can be put: not between a call and its block.
    pub(super) fn gap(&mut self) -> usize {
        let at = self.below(self.ops.len() + 1);
        if self.is_joined(at) { at - 1 } else { at }
    }

    /// Puts operations at a place, if there is room.
    pub(super) fn insert(&mut self, at: usize, ops: &[Op]) -> bool {
        if ops.is_empty() || ops.len() > self.room() {
            return false;
        }
        self.ops.splice(at..at, ops.iter().copied());
        true
    }

    /// Takes a run away, unless nothing would be left.
    pub(super) fn remove(&mut self, run: Range<usize>) -> bool {
        if run.is_empty() || run.len() == self.ops.len() {
            return false;
        }
        self.ops.drain(run);
        true
    }
}

/// Whether the operation begins something that another one ends.
fn begins(op: Op) -> bool {
    use Op::{BhOff, Cpu, Enable, IrqOff, Kmap, Lock, MutexLock, Pause, Preempt, PreemptOff, Switch, TaskPause};
    matches!(op, Enable | Pause | TaskPause(_) | Lock(_) | MutexLock | BhOff | IrqOff | PreemptOff | Kmap(_))
        || matches!(op, Cpu(_) | Switch(_) | Preempt(_))
}

/// Whether the operation is an end, whatever of.
fn is_end(op: Op) -> bool {
    use Op::{BhOn, Disable, IrqOn, Kunmap, MutexUnlock, PreemptOn, Resume, TaskResume, Unlock};
    matches!(op, Disable | Resume | TaskResume(_) | Unlock(_) | MutexUnlock | BhOn | IrqOn | PreemptOn | Kunmap(_))
}

/// Whether `end` ends what `begin` begins. Who gave the CPU away comes back with the next switch.
fn ends(begin: Op, end: Op) -> bool {
    match (begin, end) {
        (Op::Enable, Op::Disable)
        | (Op::Pause, Op::Resume)
        | (Op::MutexLock, Op::MutexUnlock)
        | (Op::BhOff, Op::BhOn)
        | (Op::IrqOff, Op::IrqOn)
        | (Op::PreemptOff, Op::PreemptOn)
        | (Op::Cpu(_), Op::Cpu(_))
        | (Op::Switch(_) | Op::Preempt(_), Op::Switch(_) | Op::Preempt(_)) => true,
        (Op::TaskPause(a), Op::TaskResume(b)) | (Op::Lock(a), Op::Unlock(b)) => a == b,
        (Op::Kmap(a), Op::Kunmap(b)) => a == b,
        _ => false,
    }
}
