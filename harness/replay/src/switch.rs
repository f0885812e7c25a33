//! A context switch as Xen PV records it (7.2).
//!
//! `xen_start_context_switch(prev)` pauses prev (which leaves the mode if prev was in it) and `xen_end_context_switch(
//! next)` flushes the multicall buffer and resumes next (which enters the mode if next was in it). Interrupts are off
//! all the while and prev is current to the end, so on one CPU the lines come without a gap:
//!
//! ```text
//! task_pause prev
//! arch_leave prev, mc_flush prev      only if prev was active
//! mc_flush prev                       of xen_end_context_switch()
//! task_resume next
//! arch_enter                          only if next is active again
//! ```
//!
//! Calls that are not recorded share the buffer, so before the last `mc_flush` there may be others, and updates that
//! are issued at once. The `arch_enter` belongs to next, but prev is still current: either pid is accepted.
//!
//! Not here: that no task runs on two CPUs, which [`super::cpu`] asks of every other line.

use super::check::Checker;
use super::expect::{Hook, Owed, Refusal, refuse, wrong_counts, wrong_outcome};
use super::line::{Event, Field, Line};
use super::task::{Call, Outcome, Whereabouts};

/// How far a CPU's context switch has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// No switch is going on.
    #[default]
    Idle,
    /// prev was paused while active: its leave hook comes next.
    Leaving(Step),
    /// That hook's flush comes next.
    LeaveFlush(Step),
    /// prev is off; the CPU's buffer may still fill.
    Between(Step),
    /// The buffer was flushed by the line before: next may be resumed.
    Flushed(Step),
    /// next was resumed and is active again: its enter hook comes next, under next's pid or prev's, if that is known.
    Entering(Option<usize>, usize),
}

/// Whose switch it is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The task that leaves the CPU.
    pub prev: usize,
    /// The line of its `task_pause`.
    pub at: u64,
}

impl Checker {
    /// `task_pause`: a switch starts.
    pub(super) fn switch_starts(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        if line.irq {
            return refuse(Field::Irq, "0: a context switch is never recorded in an interrupt".into());
        }
        let seen_ahead = self.tasks[i].counts();
        let outcome = self.pause_prev(line, at, i);
        let after = self.tasks[i].counts();
        if line.counts != after {
            return wrong_outcome(line, Call::TaskPause, seen_ahead, after, &self.tasks[i]);
        }
        self.switched_out(line, at, i, &outcome);
        let step = Step { prev: i, at };
        let leaves = outcome.hook == Some(Hook::Leave);
        self.cpus[usize::from(line.cpu)].switch = if leaves { Switch::Leaving(step) } else { Switch::Between(step) };
        Ok(())
    }

    /// prev is paused, and leaves its CPU.
    pub(super) fn switched_out(&mut self, line: &Line, at: u64, i: usize, outcome: &Outcome) {
        self.summary.switches += 1;
        self.tasks[i].own.away = Some(outcome.before);
        self.count_call(line, at, i, Call::TaskPause, outcome);
    }

    /// Pauses prev. It may have been preempted between a counter update and that call's line: then the call comes
    /// first, and its line is prev's next.
    pub(super) fn pause_prev(&mut self, line: &Line, at: u64, i: usize) -> Outcome {
        let task = &self.tasks[i];
        let plain = Call::TaskPause.before(line.counts) == task.counts();
        let can_be_early = task.early.is_none() && matches!(task.owed, Owed::Nothing);
        if !plain
            && can_be_early
            && let Some(call) = task.foresee(line.counts, true)
        {
            self.note_early(call, at, i);
        }
        self.tasks[i].drive(Call::TaskPause, false)
    }

    /// A line on a CPU that is in the middle of a context switch.
    pub(super) fn during_switch(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        let c = usize::from(line.cpu);
        if line.irq {
            return refuse(Field::Irq, "0: interrupts are off during a context switch".into());
        }
        match self.cpus[c].switch {
            Switch::Idle => Ok(()),
            Switch::Leaving(step) => {
                self.next_in_switch(line, i, step, Event::ArchLeave)?;
                self.summary.hook(Hook::Leave);
                self.cpus[c].switch = Switch::LeaveFlush(step);
                Ok(())
            }
            Switch::LeaveFlush(step) => {
                self.next_in_switch(line, i, step, Event::McFlush)?;
                self.buffer_event(line, at, i)?;
                self.cpus[c].switch = Switch::Between(step);
                Ok(())
            }
            Switch::Between(step) | Switch::Flushed(step) => self.between(line, at, i, step),
            Switch::Entering(prev, next) => self.enters(line, i, prev, next),
        }
    }

    /// prev is off and next not yet on.
    fn between(&mut self, line: &Line, at: u64, i: usize, step: Step) -> Result<(), Refusal> {
        let c = usize::from(line.cpu);
        let flushed = matches!(self.cpus[c].switch, Switch::Flushed(_));
        match line.event {
            Event::TaskResume if flushed => self.next_is_resumed(line, at, i, step),
            Event::McFlush | Event::MmuQueued | Event::MmuIssued | Event::MmuImmediate if i == step.prev => {
                if line.counts != self.tasks[i].counts() {
                    return wrong_counts(line, &self.tasks[i]);
                }
                self.buffer_event(line, at, i)?;
                self.tasks[i].issued = false; // The flush that ends the switch issues it in any case.
                let flush = line.event == Event::McFlush;
                self.cpus[c].switch = if flush { Switch::Flushed(step) } else { Switch::Between(step) };
                Ok(())
            }
            _ => {
                let prev = self.tasks[step.prev].name();
                let due = if flushed { "`task_resume` of the next task" } else { "`mc_flush`" };
                refuse(
                    Field::Event,
                    format!("{due} on CPU {}, which switches from {prev} since line {}", line.cpu, step.at),
                )
            }
        }
    }

    /// `task_resume`: next is about to run.
    fn next_is_resumed(&mut self, line: &Line, at: u64, i: usize, step: Step) -> Result<(), Refusal> {
        if i == step.prev {
            return refuse(Field::Pid, format!("another task than {}, which was switched out", self.tasks[i].name()));
        }
        if let Whereabouts::On(cpu) = self.tasks[i].whereabouts {
            return refuse(
                Field::Pid,
                format!("a task that does not run: {} does, on CPU {cpu}", self.tasks[i].name()),
            );
        }
        let outcome = self.switched_in(line, at, i)?;
        self.tasks[step.prev].whereabouts = Whereabouts::Out;
        self.runs(line, i, Some(step.prev), &outcome);
        Ok(())
    }

    /// `task_resume` on a CPU that the recording has not shown before, or not since it lost events: a switch went on.
    pub(super) fn resumed_unseen(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        let c = usize::from(line.cpu);
        let prev = self.cpus[c].current;
        if !self.cpus[c].unsure || line.irq || prev == Some(i) {
            let text = format!("`task_pause` and `mc_flush` first: CPU {c} is in no context switch");
            return refuse(Field::Event, text);
        }
        let outcome = self.switched_in(line, at, i)?;
        if let Some(prev) = prev {
            self.tasks[prev].whereabouts = Whereabouts::Out;
            let (enable, _) = self.tasks[prev].counts();
            self.tasks[prev].own.adopt((enable, 0), enable > 0); // The pause it was seen in was the switch's.
        }
        self.runs(line, i, prev, &outcome);
        Ok(())
    }

    /// `arch_enter` on such a CPU: of a task's own call, or of a switch that resumed another; then the task whose pid it bears
    /// is paused, and is current for the last time.
    pub(super) fn entered_unseen(&mut self, line: &Line, i: usize) -> Result<(), Refusal> {
        let (cpu, task) = (&mut self.cpus[usize::from(line.cpu)], &mut self.tasks[i]);
        cpu.unsure = false;
        task.owed = Owed::Nothing;
        self.summary.hook(Hook::Enter);
        if line.counts.1 > 0 {
            task.whereabouts = Whereabouts::Out;
            task.own.pauses = 0;
            return Ok(());
        }
        task.own.entered = true;
        task.whereabouts = Whereabouts::On(line.cpu);
        cpu.current = Some(i);
        Ok(())
    }

    /// Resumes next, which the line says is done.
    pub(super) fn switched_in(&mut self, line: &Line, at: u64, i: usize) -> Result<Outcome, Refusal> {
        let task = &mut self.tasks[i];
        let outcome = task.drive(Call::TaskResume, false);
        let after = task.counts();
        if line.counts != after {
            return wrong_outcome(line, Call::TaskResume, outcome.before, after, task);
        }
        self.summary.verdicts.arrives(line, at, task);
        self.count_call(line, at, i, Call::TaskResume, &outcome);
        Ok(outcome)
    }

    /// next runs on the line's CPU.
    fn runs(&mut self, line: &Line, i: usize, prev: Option<usize>, outcome: &Outcome) {
        let cpu = &mut self.cpus[usize::from(line.cpu)];
        self.tasks[i].whereabouts = Whereabouts::On(line.cpu);
        cpu.current = Some(i);
        cpu.unsure = false;
        let enters = outcome.hook == Some(Hook::Enter);
        cpu.switch = if enters { Switch::Entering(prev, i) } else { Switch::Idle };
    }

    /// The enter hook of next, under next's pid or under that of prev, which is current until the switch has ended.
    fn enters(&mut self, line: &Line, i: usize, prev: Option<usize>, next: usize) -> Result<(), Refusal> {
        if line.event != Event::ArchEnter || (i != next && prev.is_some_and(|prev| i != prev)) {
            let (enable, pause) = self.tasks[next].counts();
            let text = format!("`arch_enter {enable} {pause}` of {}, which was resumed", self.tasks[next].name());
            return refuse(Field::Event, text);
        }
        if line.counts != self.tasks[i].counts() {
            return wrong_counts(line, &self.tasks[i]);
        }
        if i != next && prev.is_none() {
            self.tasks[i].owed = Owed::Nothing; // Whoever was not seen before has been taken to owe it.
        }
        self.summary.hook(Hook::Enter);
        self.cpus[usize::from(line.cpu)].switch = Switch::Idle;
        Ok(())
    }

    /// The one line that the switch demands of prev.
    fn next_in_switch(&self, line: &Line, i: usize, step: Step, event: Event) -> Result<(), Refusal> {
        let prev = &self.tasks[step.prev];
        if line.event != event || i != step.prev {
            let (enable, pause) = prev.counts();
            let text = format!("`{} {enable} {pause}` of {}, which leaves CPU {}", event.name(), prev.name(), line.cpu);
            return refuse(Field::Event, text);
        }
        if line.counts != prev.counts() {
            return wrong_counts(line, prev);
        }
        Ok(())
    }
}
