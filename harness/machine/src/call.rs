//! Calls of the generic API, their scheduling point, and the `between` block that runs there.
//!
//! A call that reaches no scheduling point (it bailed out, or its generation has none) runs its block right after.

use super::Run;
use super::mutant::Mutant;
use lazy_mmu_abi::trace::{Call, Refusal, What};
use lazy_mmu_program::{Block, Op};

impl Run<'_> {
    /// The call at `at`, and its `between` block if one follows. Yields where the program goes on.
    pub(super) fn call_at(&mut self, at: usize, call: Call) -> usize {
        let block = at + 1;
        let between = matches!(self.program.ops().get(block), Some(Op::Open(Block::Between)))
            .then(|| (block + 1, self.program.close_of(block)));
        let after = between.map_or(block, |(_, close)| close + 1);
        match self.refused_call(call) {
            Some(why) => {
                self.emit(What::Refused(why));
                // Its block is then an ordinary one.
                block
            }
            None => {
                self.call(call, between);
                after
            }
        }
    }

    fn refused_call(&self, call: Call) -> Option<Refusal> {
        match call {
            Call::TaskPause(task) | Call::TaskResume(task) if !self.machine.tasks[usize::from(task)].exists => {
                Some(Refusal::NoSuchTask)
            }
            _ => self.refused_mid_call(),
        }
    }

    /// A task between the halves of a call does nothing else; an interrupt on its CPU does.
    pub(super) fn refused_mid_call(&self) -> Option<Refusal> {
        (self.task().mid_call > 0 && !self.in_handler()).then_some(Refusal::MidCall)
    }

    /// One call by the running task, with what happens between its halves.
    pub(super) fn call(&mut self, call: Call, between: Option<(usize, usize)>) {
        let subject = self.subject;
        let (cpu, task) = (self.cpu, self.current_task());
        let about = call.subject_of(task);
        let outer = std::mem::replace(&mut self.between, between);
        self.emit(What::Call(call, subject.counters(about)));
        // A handler's call does not hold the interrupted task up: it is over before the task goes on.
        let in_handler = self.in_handler();
        self.machine.tasks[usize::from(task)].mid_call += u16::from(!in_handler);
        let held = self.machine.tasks[usize::from(task)].arch_preempt;
        self.machine.memory.nothing_at_hand();
        subject.call(self, call);
        self.machine.memory.stream_ends(self.cpu);
        self.out();
        self.machine.tasks[usize::from(task)].mid_call -= u16::from(!in_handler);
        let holds = self.machine.tasks[usize::from(task)].arch_preempt;
        if holds != held && !self.machine.memory.is(Mutant::PreemptCountUnnoticed) {
            self.emit(What::PreemptCount(holds));
        }
        if matches!(call, Call::Disable | Call::Pause) {
            self.settled();
        }
        self.emit(What::Return(call, subject.counters(about)));
        if let Some(range) = self.between.take() {
            self.run_between(range, cpu, task);
        }
        self.between = outer;
        self.emit_mode();
    }

    /// A point at which what the running task has changed must be in effect: what is not.
    pub(super) fn settled(&mut self) {
        if !self.stopped {
            let late = self.machine.memory.late_of(self.cpu, self.by());
            self.emit_late(late);
        }
    }

    /// The scheduling point of the call in progress.
    pub(super) fn point(&mut self) {
        if self.below || self.machine.memory.is(Mutant::PointsLost) {
            return;
        }
        if let Some(range) = self.between.take() {
            let (cpu, task) = (self.cpu, self.current_task());
            self.out();
            self.emit(What::Point(self.subject.counters(task)));
            self.run_between(range, cpu, task);
        }
    }

    /// Runs a block, and brings the task that made the call back to where it goes on.
    fn run_between(&mut self, (start, close): (usize, usize), cpu: u8, task: u8) {
        let op = self.op;
        self.range(start, close);
        self.bring_back(cpu, task);
        self.op = op;
    }

    /// What the architecture keeps as "the mode is on" beside what the running task's counters say. Asked only when
    /// no task on this CPU stands between halves: in between the two may differ.
    pub(super) fn emit_mode(&mut self) {
        if self.task().mid_call > 0 || self.interrupted() || self.stopped {
            return;
        }
        let subject = self.subject;
        if let Some(arch) = subject.arch_mode(self) {
            let task = subject.keeps_counters().then(|| subject.counters(self.current_task()).active);
            self.emit(What::Mode { arch, task });
        }
    }
}
