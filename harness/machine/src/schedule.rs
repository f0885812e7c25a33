//! Tasks and CPUs: switch, migrate, fork, exit, and the way back after a `between` block.
//!
//! A switch happens even where preemption is off: a kernel would print "scheduling while atomic" and do it all the
//! same, and so the generic events stay those of every backend. The machine records it; an oracle may judge it.

use super::Run;
use super::mutant::Mutant;
use lazy_mmu_abi::trace::{Refusal, What};
use lazy_mmu_program::TASKS;

impl Run<'_> {
    pub(super) fn switch(&mut self, next: u8) -> Result<(), Refusal> {
        self.may_schedule()?;
        self.may_run(next)?;
        // Between the halves of a call it can only have been preempted.
        let voluntary = self.task().mid_call == 0;
        self.switch_to(next, voluntary);
        Ok(())
    }

    /// The scheduler takes the CPU away. It cannot where the program keeps preemption off; where only a backend does, it
    /// is done all the same and the trace says that it could not happen.
    pub(super) fn preempt(&mut self, next: u8) -> Result<(), Refusal> {
        self.may_schedule()?;
        let task = self.task();
        let anyone = self.machine.memory.is(Mutant::PreemptsAnyone);
        if !anyone && (task.preempt_count() != task.arch_preempt || task.irq_off > 0) {
            return Err(Refusal::NotPreemptible);
        }
        self.may_run(next)?;
        self.switch_to(next, false);
        Ok(())
    }

    /// Scheduling is for tasks.
    fn may_schedule(&self) -> Result<(), Refusal> {
        if self.in_handler() { Err(Refusal::InInterrupt) } else { Ok(()) }
    }

    fn may_run(&self, next: u8) -> Result<(), Refusal> {
        let task = &self.machine.tasks[usize::from(next)];
        if !task.exists {
            Err(Refusal::NoSuchTask)
        } else if self.runs(next) {
            Err(Refusal::Running)
        } else if task.cpu != self.cpu {
            Err(Refusal::Elsewhere)
        } else {
            Ok(())
        }
    }

    fn runs(&self, task: u8) -> bool {
        self.machine.cpus.iter().any(|cpu| cpu.current == task)
    }

    /// `context_switch()` on this CPU: the hooks run with preemption off, the second while `prev` still is current
    /// (`__switch_to()` of arch/x86/kernel/process_64.c, 7.2).
    fn switch_to(&mut self, next: u8, voluntary: bool) {
        let subject = self.subject;
        let prev = self.current_task();
        self.emit_atomic(voluntary);
        self.emit(What::SwitchOut { next, counters: subject.counters(prev) });
        let outer = std::mem::replace(&mut self.below, true);
        self.task_mut().arch_preempt += 1;
        subject.start_context_switch(self, prev);
        subject.end_context_switch(self, next);
        self.out();
        self.task_mut().arch_preempt -= 1;
        self.below = outer;
        self.run_on(self.cpu, next);
        self.machine.memory.context_switch(self.cpu);
        self.machine.memory.runs(self.cpu, self.task().mm);
        self.emit(What::SwitchIn { prev, counters: subject.counters(next) });
        let left = subject.deferred(self.cpu, prev);
        if left.entries > 0 && !self.machine.memory.is(Mutant::LeftUnnoticed) {
            self.emit(What::Left(left));
        }
        self.emit_mode();
    }

    /// Scheduling with preemption or interrupts off.
    pub(super) fn emit_atomic(&mut self, voluntary: bool) {
        let count = self.task().preempt_count();
        if (count != 0 || self.task().irq_off > 0) && !self.machine.memory.is(Mutant::AtomicUnnoticed) {
            self.emit(What::Atomic { count, voluntary });
        }
    }

    pub(super) fn migrate(&mut self, task: u8, cpu: u8) -> Result<(), Refusal> {
        self.may_schedule()?;
        if !self.machine.tasks[usize::from(task)].exists {
            return Err(Refusal::NoSuchTask);
        }
        if self.runs(task) {
            return Err(Refusal::Running);
        }
        let there = &self.machine.cpus[usize::from(cpu)];
        if there.hardirq + there.softirq + there.nmi > 0 {
            // It could not be switched in there before the handler ends, and a call in progress must go on.
            return Err(Refusal::InInterrupt);
        }
        self.machine.tasks[usize::from(task)].cpu = cpu;
        Ok(())
    }

    pub(super) fn fork(&mut self, child: u8) -> Result<(), Refusal> {
        self.may_schedule()?;
        if self.machine.tasks[usize::from(child)].exists {
            return Err(Refusal::NoSuchTask);
        }
        let parent = self.current_task();
        let fresh = super::Task { exists: true, mm: self.task().mm, cpu: self.cpu, ..super::Task::default() };
        self.machine.tasks[usize::from(child)] = fresh;
        self.subject.fork(parent, child);
        self.emit(What::Fork { child, counters: self.subject.counters(child) });
        Ok(())
    }

    /// The task ends. If it runs, the lowest-numbered task that can run here is next.
    pub(super) fn exit(&mut self, task: u8) -> Result<(), Refusal> {
        self.may_schedule()?;
        let ending = &self.machine.tasks[usize::from(task)];
        if !ending.exists {
            return Err(Refusal::NoSuchTask);
        }
        if ending.mid_call > 0 {
            return Err(Refusal::MidCall);
        }
        if self.runs(task) {
            if task != self.current_task() {
                return Err(Refusal::Running);
            }
            let next = (0..TASKS).find(|&next| self.may_run(next).is_ok()).ok_or(Refusal::NoSuccessor)?;
            self.emit(What::Exit { task, counters: self.subject.counters(task) });
            self.switch_to(next, true);
        } else {
            self.emit(What::Exit { task, counters: self.subject.counters(task) });
        }
        let mm = self.machine.tasks[usize::from(task)].mm;
        self.machine.tasks[usize::from(task)].exists = false;
        if !self.machine.tasks.iter().any(|left| left.exists && left.mm == mm) {
            self.machine.memory.space_ends(mm);
        }
        Ok(())
    }

    /// After a `between` block: the task whose call is in progress goes on, on the CPU it belongs to now.
    pub(super) fn bring_back(&mut self, cpu: u8, task: u8) {
        let home = if self.runs(task) { cpu } else { self.machine.tasks[usize::from(task)].cpu };
        self.act_on(home);
        if self.runs(task) && self.current_task() != task {
            // It runs, but was switched in on the other CPU.
            self.act_on(1 - home);
        }
        if self.current_task() != task && !self.stopped {
            self.switch_to(task, false);
        }
    }
}
