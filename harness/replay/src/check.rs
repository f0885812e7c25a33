//! The checker: what every line is held against, in the order in which a line can be wrong.
//!
//! First whether the line can stand here at all (the sequence, the architecture, the CPU), then whether its task may
//! record it now (what it owes), then what it says (the counters, by the specification's own functions; the deferral,
//! by the architecture's automaton). Whatever is refused is a line that no kernel could have recorded there.
//!
//! Not here: what the contract says of an accepted line ([`super::judge`]), text ([`super::line`], [`super::expect`]) and
//! streams ([`super::Replay`]).

use super::cpu::{self, Cpu};
use super::expect::{self, Hook, Owed, Refusal, refuse};
use super::header::{Arch, Header};
use super::line::{Event, Field, Line};
use super::queue::{self, Habits, Scene};
use super::summary::{Summary, Warning};
use super::switch::Switch;
use super::task::{Call, Early, Known, Outcome, Tasks};

/// All that is known of the recorded kernel.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// What the comments have told.
    pub header: Header,
    /// What has been counted.
    pub summary: Summary,
    pub(super) tasks: Tasks,
    pub(super) cpus: Vec<Cpu>,
    pub(super) arch: Option<Arch>,
    /// What tasks and CPUs had before their first lines is unknown: the recording began, or lost events, in the middle.
    pub(super) open: bool,
    first_seq: u64,
    pub(super) next_seq: Option<u64>,
    /// No architecture is known yet, and at this line a hook or a context switch was not followed by the flush that
    /// Xen's is.
    pub(super) unflushed_at: Option<u64>,
    habits: Habits,
}

impl Checker {
    /// Checks one line, number `at` of the file.
    pub fn line(&mut self, line: &Line, at: u64) -> Result<(), Refusal> {
        self.sequence(line)?;
        self.recognise(line)?;
        let i = self.locate(line, at)?;
        if self.tasks[i].known != Known::All {
            self.begin(line, at, i);
        }
        match self.arch {
            Some(Arch::XenPv) => {
                if line.event == Event::NewTask {
                    return self.new_task(line, i);
                }
                if self.cpus[usize::from(line.cpu)].switch != Switch::Idle {
                    return self.during_switch(line, at, i);
                }
                if line.event == Event::TaskResume {
                    return self.resumed_unseen(line, at, i);
                }
                if self.cpus[usize::from(line.cpu)].unsure && line.event == Event::ArchEnter && !line.irq {
                    return self.entered_unseen(line, i);
                }
            }
            None | Some(Arch::CallsOnly) => match line.event {
                Event::NewTask => return self.new_task(line, i),
                Event::TaskPause => return self.paused_loosely(line, at, i),
                Event::TaskResume => return self.resumed_loosely(line, at, i),
                _ => {}
            },
            _ => {}
        }
        cpu::place(line, i, self.arch, &mut self.tasks, &mut self.cpus)?;
        if self.tasks[i].amid_call && !line.irq {
            self.goes_on(line, at, i);
        }
        match line.event {
            Event::Enable => self.call(line, at, i, Call::Enable)?,
            Event::Disable => self.call(line, at, i, Call::Disable)?,
            Event::Pause => self.call(line, at, i, Call::Pause)?,
            Event::Resume => self.call(line, at, i, Call::Resume)?,
            Event::ArchEnter => self.hook(line, at, i, Hook::Enter)?,
            Event::ArchFlush => self.hook(line, at, i, Hook::Flush)?,
            Event::ArchLeave => self.hook(line, at, i, Hook::Leave)?,
            Event::TaskPause => return self.switch_starts(line, at, i),
            _ => self.deferral(line, at, i)?,
        }
        if line.irq {
            self.summary.verdicts.interrupt();
        } else {
            self.tasks[i].last = Some(line.event);
        }
        Ok(())
    }

    /// The recorder says that events were lost: what they were, nobody knows, nor what they left behind.
    pub fn lost(&mut self, events: u64) {
        if self.summary.events == 0 {
            self.header.open_start = true; // Lost before the first line: the recording begins in the middle.
            return;
        }
        self.summary.lost = self.summary.lost.saturating_add(events);
        self.summary.gaps += 1;
        self.open = true;
        self.next_seq = None;
        self.tasks.forget();
        for cpu in &mut self.cpus {
            *cpu = Cpu { seen: cpu.seen, unsure: true, ..Cpu::default() };
        }
    }

    /// The recorder counts every line of every CPU with one counter.
    #[inline]
    fn sequence(&mut self, line: &Line) -> Result<(), Refusal> {
        if let Some(next) = self.next_seq {
            if next != line.seq {
                return self.out_of_sequence(line, next);
            }
        } else if self.summary.events == 0 {
            self.first_seq = line.seq;
            self.summary.first_seq = line.seq;
            self.open = !self.header.is_beginning(line.seq);
            self.summary.begun_amid = self.open;
        }
        self.next_seq = line.seq.checked_add(1);
        self.summary.events += 1;
        Ok(())
    }

    #[cold]
    fn out_of_sequence(&self, line: &Line, next: u64) -> Result<(), Refusal> {
        if line.seq == 0 || (line.seq == self.first_seq && self.summary.events > 1) {
            return expect::second_recording();
        }
        let gap = match line.seq.checked_sub(next) {
            Some(missing) => format!("before it a line says `lost {missing} events`"),
            None => "each line has the next number".to_owned(),
        };
        refuse(Field::Seq, format!("seq {next}: the recorder leaves none out, unless {gap}"))
    }

    /// Some events only one architecture records: the first one tells, unless the header has.
    #[inline]
    fn recognise(&mut self, line: &Line) -> Result<(), Refusal> {
        if self.arch.is_none() {
            self.arch = self.header.arch;
        }
        match self.arch {
            Some(arch) if arch.records(line.event) => Ok(()),
            Some(arch) => expect::foreign_event(line, arch),
            None => match Arch::of_event(line.event) {
                None => Ok(()),
                Some(of_event) => self.recognised(of_event),
            },
        }
    }

    /// The first event that only one architecture records.
    #[cold]
    fn recognised(&mut self, of_event: Arch) -> Result<(), Refusal> {
        self.arch = Some(of_event);
        if of_event != Arch::XenPv {
            return Ok(());
        }
        if let Some(at) = self.unflushed_at {
            return refuse(Field::Event, format!("no event of {of_event}: what line {at} began had no `mc_flush`"));
        }
        self.tighten();
        Ok(())
    }

    /// Finds the line's task and CPU, and makes them if they are new.
    #[inline]
    fn locate(&mut self, line: &Line, at: u64) -> Result<usize, Refusal> {
        let c = usize::from(line.cpu);
        if c >= self.cpus.len() {
            let unsure = self.open;
            self.cpus.resize_with(c + 1, || Cpu { unsure, ..Cpu::default() });
        }
        if let Some((_, i)) = self.cpus[c].recent.filter(|&(pid, _)| pid == line.pid) {
            return Ok(i);
        }
        let (i, new) = self.tasks.index(line.pid, line.cpu);
        if new {
            self.first_sight(line, at, i)?;
        }
        if self.cpus[c].recent.is_some() && self.arch != Some(Arch::XenPv) {
            self.summary.verdicts.changed_task();
        }
        self.cpus[c].seen = true;
        self.cpus[c].recent = Some((line.pid, i));
        Ok(i)
    }

    /// A call of the API by the code that runs, or by an interrupt.
    fn call(&mut self, line: &Line, at: u64, i: usize, call: Call) -> Result<(), Refusal> {
        if line.irq {
            return self.call_in_interrupt(line, at, i, call);
        }
        self.settle(line, at, i)?;
        let task = &mut self.tasks[i];
        if task.owed != Owed::Nothing || task.early.is_some_and(|early| early.call != call) {
            return expect::not_owed_line(task);
        }
        let outcome = match task.early {
            Some(early) if line.counts == task.counts() => early.outcome,
            Some(_) => return expect::not_owed_line(task),
            None => task.drive(call, false),
        };
        if line.counts != task.counts() {
            return expect::wrong_outcome(line, call, outcome.before, task.counts(), task);
        }
        task.early = None;
        if let Some(hook) = outcome.hook {
            task.owed = Owed::Hook(hook);
            task.owed_at = at;
        }
        self.count_call(line, at, i, call, &outcome);
        Ok(())
    }

    /// Rows E1, D1, P1 and R1: no effect. The specification's functions are asked all the same.
    fn call_in_interrupt(&mut self, line: &Line, at: u64, i: usize, call: Call) -> Result<(), Refusal> {
        self.shows_counts(line, at, i)?;
        let outcome = self.tasks[i].drive(call, true);
        let cpu = &mut self.cpus[usize::from(line.cpu)];
        match call {
            Call::Enable => cpu.irq_sections = cpu.irq_sections.saturating_add(1),
            Call::Disable => cpu.irq_sections = cpu.irq_sections.saturating_sub(1),
            _ => {}
        }
        if line.counts != self.tasks[i].counts() {
            return expect::wrong_outcome(line, call, outcome.before, self.tasks[i].counts(), &self.tasks[i]);
        }
        self.summary.call(call, true, &outcome);
        Ok(())
    }

    /// Counts a call, and its warning.
    #[inline]
    pub(super) fn count_call(&mut self, line: &Line, at: u64, i: usize, call: Call, outcome: &Outcome) {
        self.summary.call(call, false, outcome);
        let task = &mut self.tasks[i];
        let by_switch = matches!(call, Call::TaskPause | Call::TaskResume);
        self.summary.verdicts.call(line, at, task, call, outcome, by_switch);
        if call == Call::Enable && self.arch.is_none_or(|arch| arch == Arch::CallsOnly) {
            self.summary.verdicts.section(line, at, task);
        }
        if outcome.warned {
            task.warned = true;
            let row = call.row(false, outcome.before);
            self.summary.warn(Warning { line: at, pid: line.pid, event: line.event, row, counts: line.counts });
        }
    }

    /// A hook that the generic layer is about to run.
    fn hook(&mut self, line: &Line, at: u64, i: usize, hook: Hook) -> Result<(), Refusal> {
        if !line.irq {
            self.settle(line, at, i)?;
        }
        let task = &mut self.tasks[i];
        if task.switch_hook.is_some() && !line.irq {
            return self.switch_hook(line, i, hook);
        }
        if line.irq || (task.owed == Owed::Nothing && task.early.is_none()) {
            return expect::unowed_hook(line, task);
        }
        if task.owed != Owed::Hook(hook) {
            return expect::not_owed_line(task);
        }
        if line.counts != task.counts() {
            return expect::wrong_counts(line, task);
        }
        task.owed = Owed::Nothing;
        self.summary.hook(hook);
        self.summary.verdicts.hook(line, at, task, hook);
        queue::hook(self.arch, hook, &mut self.scene(line, at, i));
        Ok(())
    }

    /// A line that records what became of an update.
    fn deferral(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        if !line.irq {
            self.settle(line, at, i)?;
            let task = &self.tasks[i];
            let pays = task.owed.event().is_none_or(|owed| owed == line.event);
            if !pays || task.early.is_some() {
                return expect::not_owed_line(task);
            }
        }
        self.shows_counts(line, at, i)?;
        self.buffer_event(line, at, i)?;
        let task = &mut self.tasks[i];
        if !line.irq && line.event == Event::McFlush && task.owed == Owed::McFlush {
            task.owed = Owed::Nothing; // A context switch's flush goes another way and pays nothing.
        }
        Ok(())
    }

    /// Hands the line to the architecture's automaton.
    pub(super) fn buffer_event(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        let Some(arch) = self.arch else { return Ok(()) };
        queue::event(arch, &mut self.scene(line, at, i))
    }

    fn scene<'a>(&'a mut self, line: &'a Line, at: u64, i: usize) -> Scene<'a> {
        let (task, cpu) = (&mut self.tasks[i], &mut self.cpus[usize::from(line.cpu)]);
        Scene { line, at, i, task, cpu, summary: &mut self.summary, habits: &mut self.habits }
    }

    /// The line bears its task's counts; or it is an interrupt's and shows those of a call that is not yet recorded.
    #[inline]
    fn shows_counts(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        let task = &self.tasks[i];
        if line.counts == task.counts() {
            self.summary.recorded_early += u64::from(line.irq && task.early.is_some());
            return Ok(());
        }
        // Whatever the task owes is recorded before its next call changes a counter.
        let can_be_early = line.irq && task.early.is_none() && task.owed.event().is_none();
        match task.foresee(line.counts, false).filter(|_| can_be_early) {
            Some(call) => {
                self.note_early(call, at, i);
                Ok(())
            }
            None => expect::wrong_counts(line, task),
        }
    }

    /// Makes `call`, whose own line is still to come.
    pub(super) fn note_early(&mut self, call: Call, at: u64, i: usize) {
        let task = &mut self.tasks[i];
        let outcome = task.drive(call, false);
        task.early = Some(Early { call, outcome, at });
        self.summary.recorded_early += 1;
    }

    /// What the task's last line left undecided, its next one, `line`, decides.
    #[inline]
    fn settle(&mut self, line: &Line, at: u64, i: usize) -> Result<(), Refusal> {
        let task = &mut self.tasks[i];
        if task.owed == Owed::McFlushIfXen {
            task.owed = if self.arch == Some(Arch::XenPv) { Owed::McFlush } else { Owed::Nothing };
            if self.arch.is_none() {
                self.unflushed_at.get_or_insert(task.owed_at);
            }
        }
        let is_hook = matches!(line.event, Event::ArchEnter | Event::ArchFlush | Event::ArchLeave);
        if task.switch_hook.is_some() && !is_hook {
            return expect::not_owed_line(task);
        }
        let flushed = line.event == Event::McFlush;
        if std::mem::take(&mut task.issued) && !self.habits.issue_then_flush.keeps(flushed) {
            self.summary.unusual(at, "no `mc_flush` follows `mmu_issued`".to_owned());
        }
        let cpu = &mut self.cpus[usize::from(line.cpu)];
        if cpu.unsure && line.event != Event::FlushPending && self.arch.is_some_and(Arch::is_batched) {
            // A hook that leaves a batch flushes it, unless it is empty.
            cpu.unsure = !matches!(task.last, Some(Event::ArchFlush | Event::ArchLeave));
        }
        Ok(())
    }
}
