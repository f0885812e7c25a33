//! What a context switch and a fork leave: who runs, with what counters, and why the architecture's mark differs.
//!
//! Not here: calls and entries ([`super`]). Called by the pass over the events.

use super::*;

impl Past {
    pub(super) fn switch_out(&mut self, event: &Event, next: u8, counters: Counters) {
        self.check(event.task, counters);
        self.left_by = event.task;
        self.calls.iter_mut().filter(|call| call.task == event.task).for_each(|call| call.switched = true);
        if self.is_cpus() {
            self.leaves_cpu(event);
        }
        if !self.form.has_cpu_mode() || next == event.task {
            return;
        }
        let nested = self.cpus[usize::from(event.cpu)].is_nested();
        let active = self.tasks[usize::from(next)].state.active(self.form.layer);
        let (prev, coming) = (usize::from(event.task), usize::from(next));
        let mut threads = (self.tasks[prev].thread, self.tasks[coming].thread);
        let bug = self.form.switch(&mut self.cpus[usize::from(event.cpu)], (&mut threads.0, &mut threads.1), active);
        (self.tasks[prev].thread, self.tasks[coming].thread) = threads;
        self.memory.release(event.cpu);
        let cause = Causes::from(nested.then_some(Cause::NestedSwitch)).and(self.tasks[prev].label);
        self.bug = bug.map(|bug| (bug, cause));
    }

    /// The mode is the CPU's: the next task finds it as this one leaves it, and this one may find it otherwise when it comes back.
    fn leaves_cpu(&mut self, event: &Event) {
        let Task { thread, preempt, .. } = &self.tasks[usize::from(event.task)];
        let is_on = self.form.mode_is_on(&self.cpus[usize::from(event.cpu)], thread, event.interrupt);
        // With the mode on, the task can be switched out only if its preempt_count is not what it should be.
        let left_on = preempt.only_if(is_on);
        if !self.legality.is_outside(event.task) {
            self.tasks[usize::from(event.task)].label = self.label(event);
        }
        let label = self.label_mut(event.task, event.cpu);
        *label = label.and(left_on);
    }

    pub(super) fn switch_in(&mut self, event: &Event, counters: Counters) {
        self.check(event.task, counters);
        self.astray |= self.bug.is_some();
        if self.is_cpus() {
            // The task is in a section that began or went on as it should not; other tasks have come and gone since.
            let own = std::mem::take(&mut self.tasks[usize::from(event.task)].label);
            let label = self.label_mut(event.task, event.cpu);
            *label = label.and(own);
        }
        self.now = self.label(event);
        if self.form.keeps == Keeps::Queue(Switch::Pauses) {
            self.memory.release(event.cpu);
        }
        let task = &mut self.tasks[usize::from(event.task)];
        task.new = false;
        self.memory.uses(event.cpu, Mm(task.mm));
    }

    pub(super) fn fork(&mut self, event: &Event, child: u8, counters: Counters) {
        let parent = self.tasks[usize::from(event.task)].clone();
        let layer = self.form.layer;
        let state = if layer.counts() { parent.state } else { State::default() };
        let counts = state.counters(layer) != Counters::default();
        let label = parent.label.and(Cause::ForkInSection).only_if(counts);
        self.tasks[usize::from(child)] = Task {
            state,
            mm: parent.mm,
            new: true,
            label,
            last: (counters.enable, counters.pause),
            left: label,
            ..Task::default()
        };
        self.check(child, counters);
        self.now = label;
    }
}
