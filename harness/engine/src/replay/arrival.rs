//! How tasks come into a trace: at their first line, or announced by `new_task`.
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
use super::task::{Call, Whereabouts};

impl Checker {
    /// A task starts at (0,0), except where nobody can know: on Xen a task may have been switched out, or new, when the
    /// recording started, and switched-out tasks are paused; an open start hides everything.
    #[cold]
    pub(super) fn first_sight(&mut self, line: &Line, i: usize) -> Result<(), Refusal> {
        let open = self.header.open_start;
        if !(open || self.arch == Some(Arch::XenPv)) {
            return Ok(());
        }
        let call = [Call::Enable, Call::Disable, Call::Pause, Call::Resume, Call::TaskPause, Call::TaskResume]
            .into_iter()
            .find(|call| call.event() == line.event && !line.irq);
        let before = call.map_or(line.counts, |call| call.before(line.counts));
        if before.0 > 0 && !open && line.event != Event::NewTask {
            let text = format!("counts of a task outside any section: pid {} was not seen before", line.pid);
            return refuse(Field::Enable, text);
        }
        self.tasks[i].adopt(before);
        if open {
            self.amid(line, i);
        }
        Ok(())
    }

    /// The recording starts amid sections: the task may owe its very first line, and a batch may hold something.
    fn amid(&mut self, line: &Line, i: usize) {
        let (task, cpu) = (&mut self.tasks[i], &mut self.cpus[usize::from(line.cpu)]);
        task.vague = true;
        match line.event {
            Event::ArchEnter => task.owed = Owed::Hook(Hook::Enter),
            Event::ArchFlush => task.owed = Owed::Hook(Hook::Flush),
            Event::ArchLeave => task.owed = Owed::Hook(Hook::Leave),
            Event::Barriers if !line.irq => task.owed = Owed::Barriers,
            Event::BatchAdd if !cpu.seen => cpu.level = line.nr[0].saturating_sub(1),
            Event::FlushPending if !cpu.seen => cpu.level = line.nr[0],
            _ => {}
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

/// A new task has a pid that an older one still has.
#[cold]
fn pid_in_use(line: &Line, why: String) -> Result<(), Refusal> {
    refuse(Field::Pid, format!("a pid that is not in use: of pid {}, {why}", line.pid))
}
