//! The timeline: a trace for people who know the kernel, short enough to be pasted in a mail.
//!
//! One column for each CPU that takes part, with the task that acts there (`T0!` in interrupt context); then what
//! happened, indented by the calls and handlers of that task. Events that repeat others are left out, runs of
//! equal-shaped ones folded (`store K[16..47] = frames 512..543 rw`). The first violation of each invariant is marked
//! right below the line at which it broke; that line is never left out, joined to another, or folded. Events one by
//! one, with everything in them, are in [`crate::trace::listing`] and the host command's JSON.
//!
//! | file | what |
//! | --- | --- |
//! | here | which events become lines, how deep, and what is joined |
//! | `words` | what an event says |
//! | `fold` | runs of lines become one |
//! | `print` | columns and width |
//!
//! Called by `lazymmu run` and by whoever reports a failure.

mod fold;
mod print;
mod words;

use std::fmt::Write as _;

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::Insn;

use crate::contract::{Answer, Verdict, Violation};
use crate::program::{Block, CPUS, Op, Program, TASKS};
use crate::subject::Subject;
use crate::trace::{Event, Hook, Refusal, What};
use fold::{Line, Piece, Who};

/// Renders the trace of a program with its verdict's marks. The subject, which need not be the one that ran, only one of
/// its kind, is asked what PTEs say.
#[must_use]
pub fn render(program: &Program, subject: &dyn Subject, events: &[Event], verdict: &Verdict) -> String {
    let mut reader = Reader {
        program,
        subject,
        events,
        lines: Vec::new(),
        last: None,
        depths: [0; TASKS as usize],
        common: 0,
        below: [None; TASKS as usize],
        blocks: Vec::new(),
        lazy: [false; TASKS as usize],
        modes: [false; CPUS as usize],
        stopped: false,
    };
    let marks = |at: usize| -> Vec<String> {
        let here = verdict.violations.iter().filter(|violation| violation.event == at);
        here.map(|violation| format!(">>> {} broken: {}", violation.invariant.name(), violation.text)).collect()
    };
    for (at, event) in events.iter().enumerate() {
        reader.read(at, event, marks(at));
    }
    reader.settle();
    let mut text = print::print(&fold::fold(reader.lines));
    marks(events.len()).iter().for_each(|mark| {
        let _ = writeln!(text, "{mark}");
    });
    text
}

/// The verdict in words: the answer, what broke, and with their operations and lines the program's misuse and what was not
/// judged. Lines are those of the program's canonical text.
#[must_use]
pub fn conclusion(verdict: &Verdict, program: &Program) -> String {
    let mut text = format!("verdict: {}\n", in_words(verdict));
    for violation in verdict.faults() {
        let _ = writeln!(text, "  {}", said(violation));
    }
    if let Some(misuse) = verdict.first_misuse() {
        let at = at(program, misuse.op);
        let _ = writeln!(text, "  the program misuses the API at {at}: it {}", misuse.how.text());
        for violation in verdict.consequences() {
            let _ = writeln!(text, "  behind that, perhaps the program's own: {}", said(violation));
        }
    }
    for part in verdict.parts() {
        let _ = writeln!(text, "  judged in part: {}: {}", at(program, part.op), part.text());
    }
    text
}

/// The answer with the ids of what broke.
fn in_words(verdict: &Verdict) -> String {
    let ids: Vec<_> = verdict.faults().map(|violation| violation.invariant.id()).collect();
    let in_part = if verdict.parts().next().is_some() { ", judged in part" } else { "" };
    match verdict.answer() {
        Answer::Holds => "holds".to_owned(),
        Answer::InPart => "judged in part".to_owned(),
        Answer::Misuses => format!("misuses{in_part}"),
        Answer::Breaks => format!("breaks {}{in_part}", ids.join(" ")),
    }
}

/// An operation by its number, its line and its text.
fn at(program: &Program, op: u32) -> String {
    let named = program.ops().get(op as usize).map(ToString::to_string).unwrap_or_default();
    format!("operation {op}, line {} (`{}`)", program.line_of(op), named.trim_end_matches(" {"))
}

fn said(violation: &Violation) -> String {
    format!("{}: {}", violation.invariant.name(), violation.text)
}

/// What the last line was made of, and what may be joined to it.
#[derive(Debug)]
enum Last {
    Call,
    /// An operation that is no call, or a block.
    Op,
    Store,
    Insns(Vec<Insn>),
}

/// An open block.
struct Open {
    block: Block,
    task: u8,
    /// What was held back when it began, of a handler.
    held: Option<Deferred>,
}

/// Turns events into lines.
struct Reader<'r> {
    program: &'r Program,
    subject: &'r dyn Subject,
    events: &'r [Event],
    lines: Vec<Line>,
    /// Of the event before, or before those that were left out.
    last: Option<Last>,
    /// Open calls and handlers of each task: one that is switched out in a call does not indent another's lines.
    depths: [usize; TASKS as usize],
    /// Open blocks that are the program's own.
    common: usize,
    /// The operation whose events are indented below it.
    below: [Option<u32>; TASKS as usize],
    blocks: Vec<Open>,
    /// Whether the task's updates may be deferred.
    lazy: [bool; TASKS as usize],
    /// The architecture's mark of each CPU, as last seen, where no counters are kept.
    modes: [bool; CPUS as usize],
    stopped: bool,
}

impl Reader<'_> {
    fn read(&mut self, at: usize, event: &Event, marks: Vec<String>) {
        self.close(event);
        let marked = !marks.is_empty();
        let left_out = self.is_left_out(at, event);
        if marked || !(left_out || self.join(at, event)) {
            self.settle();
            let who = Who { cpu: event.cpu, task: event.task, interrupt: event.interrupt };
            self.lines.push(Line {
                who,
                depth: self.depth(event),
                pieces: self.pieces(at, event),
                alone: marked,
                marks,
            });
            // Nothing is joined to a line that is marked: the mark is about what it says.
            self.last = match event.what {
                _ if marked => None,
                What::Call(..) => Some(Last::Call),
                What::Op(_) | What::Open(..) => Some(Last::Op),
                What::Store(..) => Some(Last::Store),
                What::Insn(insn) => Some(Last::Insns(vec![insn])),
                _ => None,
            };
        }
        self.notice(event);
        self.open(at, event, marked || !left_out);
    }

    /// What is joined to a line is complete.
    fn settle(&mut self) {
        if let (Some(Last::Insns(insns)), Some(line)) = (self.last.take(), self.lines.last_mut()) {
            line.pieces = words::insns(&insns);
        }
    }

    /// Whether the event says nothing that its neighbours do not say.
    fn is_left_out(&self, at: usize, event: &Event) -> bool {
        let next = |skipped: usize| self.events.get(at + 1 + skipped).map(|next| next.what);
        match event.what {
            // What unwinds after the end.
            _ if self.stopped => true,
            What::Op(Op::Cpu(_)) => true,
            What::Op(Op::Switch(task) | Op::Preempt(task)) => {
                let skipped = usize::from(matches!(next(0), Some(What::Atomic { .. })));
                matches!(next(skipped), Some(What::SwitchOut { next, .. }) if next == task)
            }
            What::Asked(..) => matches!(next(0), Some(What::Store(..) | What::Denied(_))),
            // The instructions are there.
            What::Note(Note::Barriers) => true,
            What::Burst(burst) => burst.updates == 0 && !burst.mixed && !burst.other && burst.surplus == 0,
            What::Held(held) => held == self.blocks.last().and_then(|open| open.held).unwrap_or_default(),
            What::Mode { arch, task } => arch == task.unwrap_or(self.modes[usize::from(event.cpu % CPUS)]),
            _ => false,
        }
    }

    /// Whether the last line can say this too.
    fn join(&mut self, at: usize, event: &Event) -> bool {
        let (Some(last), Some(line)) = (&mut self.last, self.lines.last_mut()) else { return false };
        if (line.who.cpu, line.who.task) != (event.cpu, event.task) {
            return false;
        }
        let before = at.checked_sub(1).map(|before| self.events[before].what);
        let between = match (last, &event.what, before) {
            (Last::Insns(insns), What::Insn(insn), _) => {
                insns.push(*insn);
                return true;
            }
            (Last::Call, What::Return(..), Some(What::Call(..))) => " ",
            (Last::Op, What::Answer(_), Some(What::Op(_))) => " ",
            (Last::Op, What::Refused(_), Some(What::Op(_))) => ": ",
            (Last::Op, What::Refused(_), Some(What::Open(..))) => " ... } ",
            (Last::Store, What::Note(Note::BatchAdd(_)), Some(What::Store(..))) => "; ",
            _ => return false,
        };
        line.pieces.push(words::text(between));
        line.pieces.extend(words::pieces(&event.what, self.subject, false));
        self.last = None;
        true
    }

    fn pieces(&self, at: usize, event: &Event) -> Vec<Piece> {
        let with = |before: String, counters| {
            let mut pieces = vec![words::text(before)];
            pieces.extend(words::counters(counters));
            pieces
        };
        match &event.what {
            What::Insn(insn) => words::insns(&[*insn]),
            What::SwitchOut { next, counters } => {
                let before = self.events[..at].iter().rev().find(|before| !matches!(before.what, What::Atomic { .. }));
                let preempted = before.is_some_and(|before| before.what == What::Op(Op::Preempt(*next)));
                let how = if preempted { "preempted, by" } else { "switch out, to" };
                with(format!("{how} T{next}, at "), counters)
            }
            What::SwitchIn { prev, counters } => with(format!("switch in, from T{prev}, at "), counters),
            // A call that is refused leaves no other event.
            What::Refused(_) if self.program.ops().get(event.op as usize).is_some_and(|op| op.has_halves()) => {
                let op = self.program.ops()[event.op as usize];
                vec![words::text(format!("{op}: {}", crate::trace::line(&event.what)))]
            }
            what => words::pieces(what, self.subject, self.lazy[usize::from(event.task % TASKS)] && !event.interrupt),
        }
    }

    /// Memory, instructions and the like stand below the operation that made them.
    fn depth(&self, event: &Event) -> usize {
        let task = usize::from(event.task % TASKS);
        let below = !matches!(event.what, What::Op(_)) && self.below[task] == Some(event.op);
        self.common + self.depths[task] + usize::from(below)
    }

    /// What later events are read by.
    fn notice(&mut self, event: &Event) {
        let counted = self.subject.keeps_counters();
        let task = usize::from(event.task % TASKS);
        match event.what {
            What::Call(call, counters) | What::Return(call, counters) if counted => {
                self.lazy[usize::from(call.subject_of(event.task) % TASKS)] = counters.active;
            }
            What::Point(counters) if counted => self.lazy[task] = counters.active,
            What::SwitchIn { counters, .. } if counted => self.lazy[task] = counters.active,
            What::Fork { child, .. } => self.lazy[usize::from(child % TASKS)] = self.lazy[task],
            What::Hook(Hook::Enter, _) if !counted => self.lazy[task] = true,
            What::Hook(Hook::Leave, _) if !counted => self.lazy[task] = false,
            What::Mode { arch, .. } => self.modes[usize::from(event.cpu % CPUS)] = arch,
            What::Held(held) => {
                if let Some(open) = self.blocks.last_mut() {
                    open.held = Some(held);
                }
            }
            What::Stop(_) => self.stopped = true,
            _ => {}
        }
    }

    fn open(&mut self, at: usize, event: &Event, shown: bool) {
        let task = usize::from(event.task % TASKS);
        match event.what {
            What::Op(_) => self.below[task] = shown.then_some(event.op),
            What::Call(..) => self.depths[task] += 1,
            What::SwitchOut { .. } => {
                self.below[task] = None;
                self.depths[task] += 1;
            }
            What::Open(block, _) if self.begins(at, block) => {
                match words::is_common(block) {
                    true => self.common += 1,
                    false => self.depths[task] += 1,
                }
                self.blocks.push(Open { block, task: event.task, held: None });
            }
            _ => {}
        }
    }

    /// Whether the block that is opened there is done, and so will be closed.
    fn begins(&self, at: usize, block: Block) -> bool {
        let next = self.events.get(at + 1).map(|next| next.what);
        let refused = [Refusal::Masked, Refusal::OtherArchitecture].map(|why| Some(What::Refused(why)));
        block != Block::Repeat(0) && !refused.contains(&next)
    }

    fn close(&mut self, event: &Event) {
        let ended = match event.what {
            What::Return(..) => event.task,
            What::SwitchIn { prev, .. } => prev,
            What::Close(..) => match self.blocks.pop() {
                Some(open) if words::is_common(open.block) => {
                    self.common = self.common.saturating_sub(1);
                    return;
                }
                Some(open) => open.task,
                None => return,
            },
            _ => return,
        };
        let depth = &mut self.depths[usize::from(ended % TASKS)];
        *depth = depth.saturating_sub(1);
    }
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
