//! What a KUnit case may expect of a program: the reference run, operation by operation.
//!
//! Never taken from the run that failed. Counters and queries are those of the faithful counted generation of 7.2, in a
//! run in which the reference model found nothing to object to; what a walk or a read finds is expected only if it is
//! what was asked for on every backend of 7.2. An operation that runs more than once (`repeat`) has a fact only if it is
//! the same each time. Called by the emitter.

use super::super::Suspect;
use crate::contract::Invariant;
use crate::program::{Op, Program};
use crate::registry::SUBJECTS;
use crate::runner::Runner;
use crate::subject::Port;
use crate::trace::{Event, Refusal, Translation, What};

/// The task that is the case; it is T0 of the program.
pub(super) const OWN: u8 = 0;

/// Something seen once, or often and always the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Seen<T> {
    #[default]
    Never,
    Same(T),
    Varies,
}

impl<T: PartialEq> Seen<T> {
    fn see(&mut self, value: T) {
        *self = match std::mem::take(self) {
            Seen::Never => Seen::Same(value),
            Seen::Same(before) if before == value => Seen::Same(before),
            _ => Seen::Varies,
        };
    }
}

impl<T> Seen<T> {
    /// What it always was.
    pub(super) fn always(self) -> Option<T> {
        if let Seen::Same(value) = self { Some(value) } else { None }
    }
}

/// What an operation did in the reference run.
#[derive(Clone, Debug, Default)]
pub(super) struct Fact {
    /// Who did it.
    pub(super) task: Seen<u8>,
    /// Why it was not done, if it was not.
    pub(super) refused: Seen<Option<Refusal>>,
    /// A call's counters after it, and whether the mode is active there.
    pub(super) after: Seen<(u8, u8, bool)>,
    /// The same, the last time.
    pub(super) last: (u8, u8, bool),
    /// A query's answer.
    pub(super) answer: Seen<bool>,
    /// Whether it warned, at least once.
    pub(super) warns: bool,
    /// Whether interrupts were off.
    pub(super) irq_off: Seen<bool>,
    /// What was asked for at each page it looked at, the same every time; a page's place is its place in the walk.
    looks: Vec<Seen<Option<Translation>>>,
    /// Whether some backend found something else there.
    differs: bool,
    /// Looks in the round at hand.
    round: usize,
}

impl Fact {
    /// Whether a translation is to be found at the `n`th page that it looks at; none if a case may not expect that.
    pub(super) fn shows(&self, n: usize) -> Option<bool> {
        let look = self.looks.get(n).filter(|_| !self.differs)?;
        look.always().map(|asked| asked.is_some())
    }
}

/// What the case's task has turned off, or holds, at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    pub(super) irq: i32,
    pub(super) bh: i32,
    pub(super) preempt: i32,
    pub(super) locks: Vec<u8>,
    pub(super) mutex: bool,
    pub(super) counters: (u8, u8),
}

/// All of them.
pub(super) struct Facts {
    pub(super) each: Vec<Fact>,
    pub(super) left: Left,
    /// Whether the reference model agrees with the counters here.
    pub(super) agreed: bool,
}

/// Makes the reference runs. An `on` block of the MMU of `subject` counts as the case's own.
pub(super) fn of(program: &Program, subject: &str) -> Facts {
    let mmu = Suspect::find(subject).map(|suspect| suspect.base.mmu);
    let current = || SUBJECTS.iter().enumerate().filter(|(_, subject)| subject.is_current());
    let reference = current()
        .find(|(_, subject)| Some(subject.mmu) == mmu)
        .or_else(|| current().find(|(_, subject)| subject.backend == "none"));
    let mut facts = Facts { each: vec![Fact::default(); program.ops().len()], left: Left::default(), agreed: false };
    let mut runner = Runner::new();
    if let Some((at, _)) = reference {
        let (events, verdict) = runner.run(at, Port::Model, program);
        facts.agreed = verdict.violations.iter().all(|violation| violation.invariant != Invariant::Model);
        (0..events.len()).for_each(|at| facts.take(events, at));
    }
    for (at, _) in current() {
        let (events, _) = runner.run(at, Port::Model, program);
        for event in events {
            let other = match event.what {
                What::Walk(_, walked) => walked.found != walked.asked,
                What::Read { found, asked, .. } => found != asked,
                _ => false,
            };
            facts.each[event.op as usize].differs |= other;
        }
    }
    facts
}

impl Facts {
    fn take(&mut self, events: &[Event], at: usize) {
        let event = &events[at];
        // A call that is refused begins with no event of its own.
        let refused = match events.get(at + 1) {
            Some(next) if next.op == event.op => refusal(next),
            _ => None,
        };
        let begun = at.checked_sub(1).is_some_and(|before| events[before].op == event.op);
        let irq_off = self.left.irq > 0;
        let Some(fact) = self.each.get_mut(event.op as usize) else { return };
        match event.what {
            _ if event.below => {}
            What::Op(_) | What::Call(..) | What::Open(..) => {
                fact.task.see(event.task);
                fact.refused.see(refused);
                fact.irq_off.see(irq_off);
                fact.round = 0;
                if let (What::Op(op), OWN, None) = (event.what, event.task, refused) {
                    self.left.done(op);
                }
            }
            What::Refused(why) if !begun => {
                fact.task.see(event.task);
                fact.refused.see(Some(why));
            }
            What::Return(_, after) => {
                if event.task == OWN {
                    self.left.counters = (after.enable, after.pause);
                }
                fact.last = (after.enable, after.pause, after.active && !event.interrupt);
                fact.after.see(fact.last);
            }
            What::Answer(answer) => fact.answer.see(answer),
            What::Warn(_) | What::VmBug(_) => fact.warns = true,
            What::Walk(_, walked) => fact.look(walked.asked),
            What::Read { asked, .. } => fact.look(asked),
            _ => {}
        }
    }
}

fn refusal(event: &Event) -> Option<Refusal> {
    if let What::Refused(why) = event.what { Some(why) } else { None }
}

impl Fact {
    fn look(&mut self, asked: Option<Translation>) {
        if self.looks.len() == self.round {
            self.looks.push(Seen::Never);
        }
        self.looks[self.round].see(asked);
        self.round += 1;
    }
}

impl Left {
    fn done(&mut self, op: Op) {
        match op {
            Op::IrqOff => self.irq += 1,
            Op::IrqOn => self.irq -= 1,
            Op::BhOff => self.bh += 1,
            Op::BhOn => self.bh -= 1,
            Op::PreemptOff => self.preempt += 1,
            Op::PreemptOn => self.preempt -= 1,
            Op::Lock(lock) => self.locks.push(lock),
            Op::Unlock(lock) => self.locks.retain(|held| *held != lock),
            Op::MutexLock => self.mutex = true,
            Op::MutexUnlock => self.mutex = false,
            _ => {}
        }
    }
}
