//! Context switches of a recording in which no architecture is known: the task forms of pause and resume, with the hooks
//! they call, and nothing that says what became of an update.
//!
//! Such a trace has calls alone (its recorder knows no more), or is Xen's and has not shown it yet. As long as nobody
//! knows, the flush that Xen demands in a switch is missed only once, at the first event that Xen alone records.
//!
//! Not here: Xen's own switches ([`super::switch`]).

use super::check::Checker;
use super::expect::{self, Hook, Refusal, wrong_counts, wrong_outcome};
use super::line::Line;
use super::switch::{Step, Switch};
use super::task::{Call, Whereabouts};

impl Checker {
    /// `task_pause`: a task is about to leave its CPU.
    pub(super) fn paused_loosely(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        let before = self.tasks[i].counts();
        let outcome = self.pause_prev(line, at, i);
        let task = &mut self.tasks[i];
        let after = task.counts();
        if line.counts != after {
            return wrong_outcome(line, Call::TaskPause, before, after, task);
        }
        task.whereabouts = Whereabouts::Out;
        task.switch_hook = outcome.hook;
        self.switched_out(line, at, i, &outcome);
        let step = Step { prev: i, at };
        let loose = &mut self.cpus[usize::from(line.cpu)].loose;
        *loose = if outcome.hook.is_some() { Switch::Leaving(step) } else { Switch::Between(step) };
        Ok(())
    }

    /// `task_resume`: a task is about to run.
    pub(super) fn resumed_loosely(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        if self.tasks[i].switch_hook.is_some() {
            return expect::not_owed_line(&self.tasks[i]);
        }
        let outcome = self.switched_in(line, at, i)?;
        let task = &mut self.tasks[i];
        task.switch_hook = outcome.hook;
        task.owed_at = if outcome.hook.is_some() { at } else { task.owed_at };
        task.whereabouts = Whereabouts::On(line.cpu);
        let cpu = &mut self.cpus[usize::from(line.cpu)];
        let begun = match std::mem::take(&mut cpu.loose) {
            Switch::Leaving(step) | Switch::LeaveFlush(step) | Switch::Between(step) => Some(step.at),
            _ => None,
        };
        if begun.is_some() || !cpu.unsure {
            self.unflushed_at.get_or_insert(begun.unwrap_or(at));
        }
        cpu.unsure = false;
        Ok(())
    }

    /// The hook that a switch calls for task `i`: it is not the task's own, so it pairs with none of those.
    pub(super) fn switch_hook(&mut self, line: &Line, i: usize, hook: Hook) -> Result<(), Refusal> {
        let task = &mut self.tasks[i];
        if task.switch_hook != Some(hook) {
            return expect::not_owed_line(task);
        }
        if line.counts != task.counts() {
            return wrong_counts(line, task);
        }
        task.switch_hook = None;
        self.summary.hook(hook);
        let loose = &mut self.cpus[usize::from(line.cpu)].loose;
        if let Switch::Leaving(step) = *loose {
            *loose = Switch::LeaveFlush(step);
        }
        Ok(())
    }

    /// The trace turns out to be Xen's: every switch that goes on is held to what Xen's hooks do.
    pub(super) fn tighten(&mut self) {
        for (i, task) in self.tasks.all().iter().enumerate() {
            if let Whereabouts::On(cpu) = task.whereabouts {
                self.cpus[usize::from(cpu)].current.get_or_insert(i);
            }
        }
        for (number, cpu) in self.cpus.iter_mut().enumerate() {
            cpu.switch = std::mem::take(&mut cpu.loose);
            if let Switch::Leaving(step) | Switch::LeaveFlush(step) | Switch::Between(step) = cpu.switch {
                let prev = &mut self.tasks[step.prev];
                prev.switch_hook = None;
                prev.whereabouts = Whereabouts::On(number as u16); // a CPU that a line named
                cpu.current = Some(step.prev);
            }
        }
    }
}
