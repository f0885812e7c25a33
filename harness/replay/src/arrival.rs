//! How tasks come into a trace: at their first line, announced by `new_task`, or in the middle of what they do.
//!
//! Where the recording began in the middle, or lost events, a task's first line shows what it must have had before: the
//! counts that its call changed, the hook or flush that the line is. Only a line from an interrupt leaves that open, as it
//! may show a call that is not yet recorded; then the task's own first line tells.
//!
//! What a task had before is known on every architecture but Xen, where a task that is not running is paused by the
//! switch that took it off, and where a new task starts with the counts that the fork copied. The first switch-in
//! resumes it too: unless somebody has paused it before, its pause count wraps (row R2), it is not active from then on,
//! and what it forks starts from the wrapped count. All of that is what the helpers do and is accepted, with its
//! warnings.
//!
//! Not here: where a task runs once it is known ([`super::cpu`], [`super::switch`]).

use super::check::Checker;
use super::expect::{Hook, Owed, Refusal, refuse};
use super::header::Arch;
use super::line::{Event, Field, Line};
use super::task::{Call, Early, Known, Own, Whereabouts};

impl Checker {
    /// A task starts at (0,0), except where nobody can know: in the middle of things; and where context switches are
    /// recorded, since a task that does not run is paused then, and may not have been new when the recording started.
    #[cold]
    pub(super) fn first_sight(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        if self.open {
            self.tasks[i].known = Known::Nothing;
            return Ok(());
        }
        let of_switch = matches!(line.event, Event::TaskPause | Event::TaskResume | Event::NewTask);
        let unnamed = matches!(self.arch, None | Some(Arch::CallsOnly));
        if self.arch != Some(Arch::XenPv) && !(unnamed && (of_switch || self.summary.switches > 0)) {
            return Ok(());
        }
        let before = before(line);
        if before.0 > 0 && line.event != Event::NewTask {
            let text = format!("counts of a task outside any section: pid {} was not seen before", line.pid);
            return refuse(Field::Enable, text);
        }
        self.tasks[i].adopt(before);
        if !matches!(line.event, Event::TaskResume | Event::NewTask) {
            self.summary.verdicts.arrives(line, at, &mut self.tasks[i]);
        }
        Ok(())
    }

    /// The task was not seen since the recording began in the middle, or lost events: `line` shows what it had before.
    #[cold]
    pub(super) fn begin(&mut self, line: &Line, at: u64, i: usize) {
        let task = &mut self.tasks[i];
        let call = Call::of_event(line.event).filter(|_| !line.irq);
        if line.irq {
            if task.known == Known::Nothing {
                task.adopt(line.counts);
                task.known = Known::ByInterrupt;
                task.own.adopt(line.counts, is_active(line.counts));
                task.vague = is_active(line.counts);
            }
            return;
        }
        let seen = match (task.known, call) {
            (Known::ByInterrupt, None) => task.counts(),
            // What interrupts have shown was this call's doing, if the line fits so and not otherwise.
            (Known::ByInterrupt, Some(call)) if task.would_leave(call, line.counts) => task.counts(),
            (Known::ByInterrupt, Some(_)) if task.counts() != line.counts => task.counts(),
            _ => before(line),
        };
        task.known = Known::All;
        task.adopt(seen);
        self.amid(line, at, i, seen);
    }

    /// The task is in the middle of something: what it owes, what it holds, and what is said of it.
    fn amid(&mut self, line: &Line, at: u64, i: usize, (enable, pause): (u8, u8)) {
        let task = &mut self.tasks[i];
        // What a task has while it is switched out is not its own doing, where the switch pauses it.
        let running = if line.event == Event::TaskResume { line.counts } else { (enable, pause) };
        let active = is_active(running);
        task.owed = match line.event {
            Event::ArchEnter => Owed::Hook(Hook::Enter),
            Event::ArchFlush => Owed::Hook(Hook::Flush),
            Event::ArchLeave => Owed::Hook(Hook::Leave),
            Event::Barriers if !active => Owed::Barriers,
            _ => Owed::Nothing,
        };
        task.owed_at = at;
        let of_switch = matches!(line.event, Event::TaskPause | Event::TaskResume | Event::ArchEnter);
        let switches = self.arch.is_none_or(|arch| arch.records(Event::TaskPause));
        task.amid_call = switches && (of_switch || line.counts.1 > 0);
        let entered = match task.owed {
            Owed::Hook(hook) => hook != Hook::Enter,
            _ => active,
        };
        task.vague = entered;
        task.own.adopt(running, entered);
        if entered {
            task.holds = 1;
            task.binding = task.bound.is_none();
        }
        if line.event != Event::TaskResume && pause > task.own.pauses {
            self.summary.verdicts.arrives(line, at, task);
        }
        // On Xen a task that does not run is paused.
        let paused = pause > 0 && line.event != Event::TaskResume;
        let what = match (enable, paused, task.owed) {
            (0, false, Owed::Nothing) => return,
            (0, false, _) => format!("{} owed `{}`, at {enable} {pause}", task.name(), line.event.name()),
            (0, true, _) => format!("{} was paused, at pause_count {pause}", task.name()),
            (_, true, _) => {
                format!("{} was paused in a section, at enable_count {enable}, pause_count {pause}", task.name())
            }
            (_, false, _) => format!("{} was in a section, at enable_count {enable}", task.name()),
        };
        self.summary.assumed(format!("{what} (line {at})"));
    }

    /// The first line of a task's own code after the switch that it was first seen in: it may end a call that the switch
    /// interrupted, before its line or before its hook.
    #[cold]
    pub(super) fn goes_on(&mut self, line: &Line, at: u64, i: usize) {
        let task = &mut self.tasks[i];
        // What it owes already may be the switch's.
        let pays = task.owed != Owed::Nothing || task.early.is_some();
        if pays || line.event == Event::TaskPause || task.switch_hook.is_some() {
            return;
        }
        // Lines that bear a pause may still be the switch's.
        task.amid_call = line.counts.1 > 0 && Call::of_event(line.event).is_none();
        if line.counts != task.counts() {
            return;
        }
        if let Some(call) = Call::of_event(line.event) {
            let outcome = task.hindsight(call).filter(|_| !task.would_leave(call, line.counts));
            task.early = outcome.map(|outcome| Early { call, outcome, at });
        } else if let Some(hook) = Hook::of_event(line.event) {
            let calls = [Call::Enable, Call::Disable, Call::Pause, Call::Resume];
            if !calls.iter().any(|&call| task.hindsight(call).is_some_and(|done| done.hook == Some(hook))) {
                return;
            }
            task.owed = Owed::Hook(hook);
            task.owed_at = at;
            task.own.entered = hook != Hook::Enter;
        }
    }

    /// `new_task`: the task bears the counts it will have when it is first switched in.
    ///
    /// A fork copies the counts of whoever forks, outside any section. The copy may have been made while the parent ran
    /// and be recorded while it is switched out; a kernel that gives a new task counts of its own gives it none, or
    /// the one pause that its first `task_resume` ends.
    pub(super) fn new_task(&mut self, line: &Line, i: usize) -> Result<(), Refusal> {
        if line.irq {
            return refuse(Field::Irq, "0: no task is forked in an interrupt".into());
        }
        if line.pid == 0 {
            return Ok(()); // An idle task, but the line does not say of which CPU.
        }
        let task = &self.tasks[i];
        let just_resumed = task.last.is_none() && line.counts == task.counts();
        match task.whereabouts {
            Whereabouts::On(cpu) if cpu == line.cpu && just_resumed => return Ok(()),
            Whereabouts::On(cpu) => return pid_in_use(line, format!("it runs on CPU {cpu}")),
            Whereabouts::Unborn => return pid_in_use(line, "it has not run yet".into()),
            Whereabouts::Unknown | Whereabouts::Out => {}
        }
        if line.counts.0 != 0 {
            return refuse(Field::Enable, "0: no task is forked inside a section".into());
        }
        if line.counts.1 > 1 && !self.is_copied(line) {
            return refuse(Field::Pause, format!("the pause count of its parent, pid {}, or 0 or 1", line.nr[0]));
        }
        self.summary.new_tasks += 1;
        let task = &mut self.tasks[i];
        task.adopt(line.counts);
        task.owed = Owed::Nothing;
        task.early = None;
        task.last = None;
        task.whereabouts = Whereabouts::Unborn;
        task.known = Known::All;
        task.own = Own::default();
        Ok(())
    }

    /// Whether the pause count of a new task may be a copy: of its parent's, as far as that is known, or of that of the
    /// task that runs where it was forked.
    fn is_copied(&self, line: &Line) -> bool {
        let running = self.cpus[usize::from(line.cpu)].current.map(|current| self.tasks[current].counts().1);
        let Some(parent) = self.tasks.find(line.nr[0]) else { return true };
        let now = parent.counts().1;
        line.counts.1 == now || line.counts.1 == now.wrapping_sub(1) || running == Some(line.counts.1)
    }
}

/// The counts that the line's task had before it.
fn before(line: &Line) -> (u8, u8) {
    let call = Call::of_event(line.event).filter(|_| !line.irq);
    call.map_or(line.counts, |call| call.before(line.counts))
}

fn is_active((enable, pause): (u8, u8)) -> bool {
    enable > 0 && pause == 0
}

/// A new task has a pid that an older one still has.
#[cold]
fn pid_in_use(line: &Line, why: String) -> Result<(), Refusal> {
    refuse(Field::Pid, format!("a pid that is not in use: of pid {}, {why}", line.pid))
}
