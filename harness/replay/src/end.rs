//! The end of the file: what a whole recording must have finished, and what one that was cut left open.
//!
//! Where the recorder says that it wrote everything, and the file holds all of it, nobody is in a section at the end,
//! nothing is owed and nothing is pending: the recorder stops at such a moment. Any other file may have been cut, and
//! what is open is said, not refused.
//!
//! Called by [`super::Replay::finish`].

use super::check::Checker;
use super::expect;
use super::header::Arch;
use super::switch::Switch;
use super::task::{Known, Task};

/// What the end of the file leaves open.
enum Open {
    /// The section of this task.
    Section(String),
    /// A line that is due, or more than a line.
    Line(String),
}

impl Open {
    /// What a whole recording has before its end.
    fn expected(self) -> String {
        match self {
            Open::Section(whose) => format!("the end of the section of {whose}"),
            Open::Line(line) => line,
        }
    }

    /// Where a recording that was cut ends.
    fn left(self) -> String {
        match self {
            Open::Section(whose) => format!("in mid-section of {whose}"),
            Open::Line(line) => format!("before {line}"),
        }
    }
}

impl Checker {
    /// The file ends: counts what was there, and yields what a whole recording should have had before its end.
    pub fn end(&mut self) -> Result<(), String> {
        self.summary.arch = self.arch.or(self.header.arch);
        self.summary.tasks = self.tasks.all().len() as u64;
        self.summary.cpus = self.cpus.iter().filter(|cpu| cpu.seen).count() as u64;
        self.begun();
        self.lives();
        let last = self.next_seq.map(|next| next - 1);
        let open = self.left_open();
        if !self.header.is_whole(last, self.summary.events) {
            self.summary.wrote = self.header.events.filter(|&wrote| wrote > self.summary.events);
            self.summary.open_ends = open.into_iter().map(Open::left).collect();
            return Ok(());
        }
        open.into_iter().next().map_or(Ok(()), |open| Err(open.expected()))
    }

    /// Whatever is not finished.
    fn left_open(&self) -> Vec<Open> {
        let mut open: Vec<Open> = self.tasks.all().iter().filter_map(|task| self.task_ends(task)).collect();
        let judged = self.summary.warnings.total == 0;
        for (number, cpu) in self.cpus.iter().enumerate() {
            if let Some(debt) = cpu.debt {
                open.push(Open::Line(format!(
                    "`{}` from an interrupt, owed since line {}",
                    debt.event.name(),
                    debt.at
                )));
            }
            // Whoever is in a section has been named.
            if cpu.level > 0 && judged && open.is_empty() {
                open.push(Open::Line(format!("`flush_pending {}` on CPU {number}", cpu.level)));
            }
            if cpu.switch != Switch::Idle {
                open.push(Open::Line(format!("the end of the context switch on CPU {number}")));
            }
        }
        open
    }

    /// What a task has not finished. A count that wrapped below 0 is no open section: it has been warned of.
    fn task_ends(&self, task: &Task) -> Option<Open> {
        if task.known == Known::Nothing {
            return None;
        }
        if task.early.is_some() {
            return Some(Open::Line(expect::early_call(task)));
        }
        if task.owed.event().is_some() {
            return Some(Open::Line(expect::owed_by(task)));
        }
        let (enable, pause) = task.counts();
        let paused = self.arch != Some(Arch::XenPv) && (1..128).contains(&pause) && task.own.pauses > 0;
        if (1..128).contains(&enable) || paused {
            let since = match task.own.opened_at {
                0 => String::new(),
                at => format!(", begun at line {at}"),
            };
            return Some(Open::Section(format!("{}, which is at {enable} {pause}{since}", task.name())));
        }
        if task.pending && !task.warned {
            return Some(Open::Line(format!("`barriers` of {}, whose pending flag is set", task.name())));
        }
        None
    }

    /// The beginning states that the lines have shown and that are not those of a task outside any section.
    fn begun(&mut self) {
        for task in self.tasks.all() {
            let (enable, pause) = task.counts();
            if task.known == Known::ByInterrupt && (enable > 0 || pause > 0) {
                let what = format!("{} was seen in interrupts only, at {enable} {pause}", task.name());
                self.summary.assumed(what);
            }
        }
        for (number, cpu) in self.cpus.iter().enumerate() {
            if let Some(level) = cpu.begun_at {
                self.summary.assumed(format!("the batch of CPU {number} held {level} when the recording began"));
            }
        }
    }

    /// The tasks that were paused by their first switch-in and never ran unpaused after it.
    fn lives(&mut self) {
        for task in self.tasks.all() {
            if task.own.paused_at.is_some() && !task.own.recovered {
                self.summary.paused_for_life.push((task.pid, task.home));
            }
        }
    }
}
