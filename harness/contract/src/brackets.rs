//! The sections and pauses that a task has open: how a call nests with them.
//!
//! How many of each kind are open is counted, because programs nest hundreds deep and every call asks. Not here: whose
//! they are, and in which handler. Called by [`super::legality`].

use std::hash::{Hash, Hasher};

use super::legality::How;

/// One that was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bracket {
    /// The operation that began it, for messages: no verdict goes by it, and no hash.
    pub(super) op: u32,
    pub(super) pause: bool,
    /// Made in interrupt context: by a handler, or with bottom halves off.
    pub(super) interrupt: bool,
    /// Made while paused: a section there has no effect.
    pub(super) paused: bool,
}

impl Hash for Bracket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Bracket { op: _, pause, interrupt, paused } = self;
        (pause, interrupt, paused).hash(state);
    }
}

impl Bracket {
    fn has_effect(self) -> bool {
        !self.interrupt && (self.pause || !self.paused)
    }
}

/// A task's, innermost last.
#[derive(Debug, Default, Hash)]
pub(super) struct Brackets {
    open: Vec<Bracket>,
    /// How many of them are sections and pauses, without and with an effect.
    counts: [[usize; 2]; 2],
}

impl Brackets {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The operation that began the outermost.
    pub(super) fn outermost(&self) -> Option<u32> {
        self.open.first().map(|bracket| bracket.op)
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.counts = Default::default();
    }

    /// Forgets all but the outermost.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.open.len() > len {
            self.remove(self.open.len() - 1);
        }
    }

    /// Whether a section or pause is open that has an effect.
    pub(super) fn has_effect(&self) -> bool {
        self.counts[0][1] + self.counts[1][1] > 0
    }

    /// Whether a pause is open that has an effect.
    pub(super) fn is_paused(&self) -> bool {
        self.counts[1][1] > 0
    }

    /// Whether a section is open that has an effect and is not paused.
    pub(super) fn is_active(&self) -> bool {
        !self.is_paused() && self.counts[0][1] > 0
    }

    /// Whether as many sections, or pauses, that have an effect are open as may be.
    pub(super) fn is_full(&self, pause: bool) -> bool {
        self.counts[usize::from(pause)][1] >= 255
    }

    fn remove(&mut self, at: usize) {
        let bracket = self.open.remove(at);
        self.counts[usize::from(bracket.pause)][usize::from(bracket.has_effect())] -= 1;
    }

    /// A section or pause begins.
    pub(super) fn begin(&mut self, bracket: Bracket) -> Option<How> {
        let count = &mut self.counts[usize::from(bracket.pause)][usize::from(bracket.has_effect())];
        *count += 1;
        self.open.push(bracket);
        (bracket.has_effect() && *count > 255).then_some(How::Overflow)
    }

    /// The innermost that is such a pause or section, with or without an effect, and is no further out than `floor`.
    fn place(&self, floor: usize, pause: bool, effective: bool) -> Option<usize> {
        if self.counts[usize::from(pause)][usize::from(effective)] == 0 {
            return None;
        }
        let mine = |bracket: &Bracket| bracket.pause == pause && bracket.has_effect() == effective;
        // A handler's task may have come to run on, below a handler of the other CPU, and have closed what was open then.
        self.open.get(floor..)?.iter().rposition(mine).map(|at| at + floor)
    }

    /// One ends, by a call made as `end` says; those further out than `floor` are another's.
    pub(super) fn end(&mut self, floor: usize, end: Bracket) -> Option<How> {
        let effective = end.has_effect();
        // A pair, if nothing opened since is still open.
        if let Some(at) = self.place(floor, end.pause, effective) {
            let innermost = at + 1 == self.len();
            self.remove(at);
            return (!innermost).then_some(How::Crossing);
        }
        match self.place(floor, end.pause, !effective) {
            // One end has an effect and the other has none. What has none moves no counter.
            Some(at) => {
                let innermost = at + 1 == self.len();
                if effective {
                    self.remove(at);
                }
                Some(if innermost { How::Asymmetric } else { How::Crossing })
            }
            None if self.len() > floor => Some(How::Crossing),
            None => Some(if effective { How::Underflow } else { How::Asymmetric }),
        }
    }
}
