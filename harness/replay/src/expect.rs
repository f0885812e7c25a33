//! What must come next, what may not come at all, and how a reader is told.
//!
//! A refusal says what a kernel would have recorded instead, in the recorder's own words, and since which line that has
//! been due: whoever reads it has the trace open beside it. All text is made here and only for a refusal; a line that
//! is accepted allocates nothing.
//!
//! Not here: the decisions ([`super::check`], [`super::queue`], [`super::switch`]).

use super::Kind;
use super::header::Arch;
use super::line::{Event, Field, Line, LineFault};
use super::task::{Call, Task};

/// A hook of the generic layer, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `arch_enter_lazy_mmu_mode()`.
    Enter,
    /// `arch_flush_lazy_mmu_mode()`.
    Flush,
    /// `arch_leave_lazy_mmu_mode()`.
    Leave,
}

impl Hook {
    /// The hook that `event` records.
    pub fn of_event(event: Event) -> Option<Hook> {
        match event {
            Event::ArchEnter => Some(Hook::Enter),
            Event::ArchFlush => Some(Hook::Flush),
            Event::ArchLeave => Some(Hook::Leave),
            _ => None,
        }
    }

    /// The event that records it.
    pub fn event(self) -> Event {
        match self {
            Hook::Enter => Event::ArchEnter,
            Hook::Flush => Event::ArchFlush,
            Hook::Leave => Event::ArchLeave,
        }
    }
}

/// The one line a task must record next, in task context: nothing else of that task may come before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// Anything may come.
    Nothing,
    /// The hook that the last call demands.
    Hook(Hook),
    /// aarch64: the barriers of `queue_emitted`, or of a hook that found the pending flag set.
    Barriers,
    /// powerpc64 and sparc64: the flush of this many entries, by a full batch or by a hook that found it not empty.
    FlushPending(u32),
    /// Xen: the multicall flush that every leave and every flush is.
    McFlush,
    /// As [`Owed::McFlush`] if the trace turns out to be Xen's, else nothing: no line has told yet.
    McFlushIfXen,
}

impl Owed {
    /// The event that pays the debt.
    pub fn event(self) -> Option<Event> {
        match self {
            Owed::Nothing | Owed::McFlushIfXen => None,
            Owed::Hook(hook) => Some(hook.event()),
            Owed::Barriers => Some(Event::Barriers),
            Owed::FlushPending(_) => Some(Event::FlushPending),
            Owed::McFlush => Some(Event::McFlush),
        }
    }
}

/// No kernel could have recorded the line: the field that gives it away, and what a kernel would have recorded.
#[derive(Debug)]
pub struct Refusal {
    /// [`Kind::Impossible`], or [`Kind::Malformed`] where the file is at fault and no kernel.
    pub kind: Kind,
    /// The field to point at.
    pub field: Field,
    /// What should have stood there.
    pub expected: String,
}

/// A refusal; `expected` ends a sentence that begins "expected".
#[cold]
pub fn refuse<T>(field: Field, expected: String) -> Result<T, Refusal> {
    Err(Refusal { kind: Kind::Impossible, field, expected })
}

/// A second recording begins at the line.
#[cold]
pub fn second_recording<T>() -> Result<T, Refusal> {
    let expected = format!("{}: a second one begins here", LineFault::Second);
    Err(Refusal { kind: Kind::Malformed, field: Field::Seq, expected })
}

/// The line does not bear the counts its task has.
#[cold]
pub fn wrong_counts<T>(line: &Line, task: &Task) -> Result<T, Refusal> {
    let (enable, pause) = task.counts();
    let field = if line.counts.0 == enable { Field::Pause } else { Field::Enable };
    refuse(field, format!("`{} {enable} {pause}`: the counts of {}", line.event.name(), task.name()))
}

/// A call's line does not bear the counts that the specification's row gives.
#[cold]
pub fn wrong_outcome<T>(line: &Line, call: Call, before: (u8, u8), after: (u8, u8), task: &Task) -> Result<T, Refusal> {
    let field = if line.counts.0 == after.0 { Field::Pause } else { Field::Enable };
    let row = call.row(line.irq, before);
    let who = task.name();
    let text =
        format!("`{} {} {}`: row {row}, {who} was at {} {}", line.event.name(), after.0, after.1, before.0, before.1);
    refuse(field, text)
}

/// What `task` owes, for a refusal of another line or of the end of the file.
#[cold]
pub fn owed_by(task: &Task) -> String {
    let event = task.switch_hook.map(Hook::event).or(task.owed.event());
    let name = event.map_or("nothing", Event::name);
    let (enable, pause) = task.counts();
    let numbers = match task.owed {
        Owed::FlushPending(entries) => format!(" {entries}"),
        Owed::McFlush => " <entries> <argument bytes>".to_owned(),
        _ => String::new(),
    };
    format!("`{name} {enable} {pause}{numbers}` from {}, owed since line {}", task.name(), task.owed_at)
}

/// The call that an interrupt's line showed before it was recorded, and that must be the task's next line.
#[cold]
pub fn early_call(task: &Task) -> String {
    let Some(early) = task.early else { return String::new() };
    let (enable, pause) = task.counts();
    let call = early.call.event().name();
    let who = task.name();
    format!("`{call} {enable} {pause}` from {who}, whose counts line {} showed before the call was recorded", early.at)
}

/// A task-context line that is not the one its task must record next.
#[cold]
pub fn not_owed_line<T>(task: &Task) -> Result<T, Refusal> {
    let expected = if task.early.is_some() { early_call(task) } else { owed_by(task) };
    refuse(Field::Event, expected)
}

/// A hook that no call demands.
#[cold]
pub fn unowed_hook<T>(line: &Line, task: &Task) -> Result<T, Refusal> {
    let who = task.name();
    if line.irq {
        return refuse(Field::Irq, "no hook from an interrupt: the calls have no effect there".into());
    }
    let text = format!("no `{}`: the last call of {who} demands none", line.event.name());
    refuse(Field::Event, text)
}

/// The event belongs to another architecture than the header, or an earlier line, names.
#[cold]
pub fn foreign_event<T>(line: &Line, arch: Arch) -> Result<T, Refusal> {
    let what = if arch == Arch::CallsOnly { "a call or a hook".to_owned() } else { format!("an event of {arch}") };
    refuse(Field::Event, format!("{what}, which `{}` is not", line.event.name()))
}

/// The mode is (or is not) active for the line, and the event is possible only the other way round.
#[cold]
pub fn wrong_activity<T>(line: &Line, task: &Task, instead: &str) -> Result<T, Refusal> {
    let (enable, pause) = task.counts();
    let why = if line.irq { "in an interrupt" } else { "at these counts" };
    let state = if !line.irq && task.is_active() { "active" } else { "not active" };
    refuse(Field::Event, format!("`{instead} {enable} {pause}`: the mode is {state} {why}"))
}
