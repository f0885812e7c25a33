//! One task of a recording, and the specification's own functions driven with every call it made.
//!
//! The counters are never computed here: each recorded call runs `lazy_mmu_core::generation::counted` on the task's
//! state, in a kernel whose `in_interrupt()` is the line's `irq` field and whose hooks note what was asked. What the
//! trace shows is compared with that.
//!
//! Not here: what follows a hook ([`super::queue`]), who runs where ([`super::cpu`]).

use super::expect::{Hook, Owed};
use super::line::Event;
use lazy_mmu_core::generation::counted;
use lazy_mmu_core::hooks::Hooks;
use lazy_mmu_core::kernel::{BugSite, Kernel, TaskState, WarnSite};
use lazy_mmu_core::state::LazyMmuState;
use std::cell::Cell;
use std::collections::HashMap;

/// A call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `lazy_mmu_mode_enable()`.
    Enable,
    /// `lazy_mmu_mode_disable()`.
    Disable,
    /// `lazy_mmu_mode_pause()`.
    Pause,
    /// `lazy_mmu_mode_resume()`.
    Resume,
    /// `__task_lazy_mmu_mode_pause()`.
    TaskPause,
    /// `__task_lazy_mmu_mode_resume()`.
    TaskResume,
}

impl Call {
    /// The call that `event` records.
    pub fn of_event(event: Event) -> Option<Call> {
        match event {
            Event::Enable => Some(Call::Enable),
            Event::Disable => Some(Call::Disable),
            Event::Pause => Some(Call::Pause),
            Event::Resume => Some(Call::Resume),
            Event::TaskPause => Some(Call::TaskPause),
            Event::TaskResume => Some(Call::TaskResume),
            _ => None,
        }
    }

    /// The event that records the call.
    pub fn event(self) -> Event {
        match self {
            Call::Enable => Event::Enable,
            Call::Disable => Event::Disable,
            Call::Pause => Event::Pause,
            Call::Resume => Event::Resume,
            Call::TaskPause => Event::TaskPause,
            Call::TaskResume => Event::TaskResume,
        }
    }

    /// The row of table 10.6 that decides the call at the counts `before`.
    pub fn row(self, irq: bool, before: (u8, u8)) -> &'static str {
        match (self, irq, before) {
            (Call::Enable, true, _) => "E1",
            (Call::Enable, _, (_, 1..)) => "E2",
            (Call::Enable, _, (0, 0)) => "E3",
            (Call::Enable, _, (255, 0)) => "E5",
            (Call::Enable, ..) => "E4",
            (Call::Disable, true, _) => "D1",
            (Call::Disable, _, (_, 1..)) => "D2",
            (Call::Disable, _, (1, 0)) => "D3",
            (Call::Disable, _, (0, 0)) => "D5",
            (Call::Disable, ..) => "D4",
            (Call::Pause, true, _) => "P1",
            (Call::Pause | Call::TaskPause, _, (0, 0)) => "P2",
            (Call::Pause | Call::TaskPause, _, (_, 0)) => "P3",
            (Call::Pause | Call::TaskPause, _, (_, 255)) => "P5",
            (Call::Pause | Call::TaskPause, ..) => "P4",
            (Call::Resume, true, _) => "R1",
            (Call::Resume | Call::TaskResume, _, (_, 0)) => "R2",
            (Call::Resume | Call::TaskResume, _, (0, 1)) => "R3",
            (Call::Resume | Call::TaskResume, _, (_, 1)) => "R4",
            (Call::Resume | Call::TaskResume, ..) => "R5",
        }
    }

    /// The counts that this call left as `after`: what a task of which nothing is known had before its first line.
    pub fn before(self, after: (u8, u8)) -> (u8, u8) {
        match (self, after) {
            (Call::Enable, (enable, 0)) => (enable.wrapping_sub(1), 0),
            (Call::Disable, (enable, 0)) => (enable.wrapping_add(1), 0),
            (Call::Enable | Call::Disable, _) => after,
            (Call::Pause | Call::TaskPause, (enable, pause)) => (enable, pause.wrapping_sub(1)),
            (Call::Resume | Call::TaskResume, (enable, pause)) => (enable, pause.wrapping_add(1)),
        }
    }
}

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The counts it found.
    pub before: (u8, u8),
    /// The hook it asked for.
    pub hook: Option<Hook>,
    /// Whether the specification says that the kernel warns.
    pub warned: bool,
}

/// A call that a line from an interrupt showed before it was recorded. The task's state is already that after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// The call that explains the line.
    pub call: Call,
    /// What it did.
    pub outcome: Outcome,
    /// The line that showed it.
    pub at: u64,
}

/// A task as far as the trace has told.
#[derive(Clone, Debug)]
pub struct Task {
    /// The global pid.
    pub pid: u32,
    /// For pid 0, whose CPU's idle task it is; for others, the CPU of the first line.
    pub home: u16,
    counts: (u8, u8),
    /// aarch64: `TIF_LAZY_MMU_PENDING`.
    pub pending: bool,
    /// What the task must record next, in task context.
    pub owed: Owed,
    /// The line that made it owe.
    pub owed_at: u64,
    /// A call already shown by an interrupt.
    pub early: Option<Early>,
    /// The last event recorded in task context.
    pub last: Option<Event>,
    /// Whether a call has warned: what the counters mean after that is nobody's promise.
    pub warned: bool,
    /// powerpc64 and sparc64: the CPU that it cannot leave, with preemption off.
    pub bound: Option<u16>,
    /// How many enter hooks hold preemption off.
    pub holds: u8,
    /// An enter hook was recorded and has perhaps not yet run: no later line of the task has shown where it did.
    pub binding: bool,
    /// Xen: where it runs.
    pub whereabouts: Whereabouts,
    /// The CPU on which an interrupt of it has still to record something.
    pub held_by_irq: Option<u16>,
    /// Xen: its last line is `mmu_issued`.
    pub issued: bool,
    /// The recording began, or lost events, while the task may have been in a section, and nothing has shown yet whether
    /// something is pending.
    pub vague: bool,
    /// What is known of the counts.
    pub known: Known,
    /// It was first seen while it was switched: a call of its own may be half done, and its next line tells.
    pub amid_call: bool,
    /// No architecture is known: the hook that the last context switch of the task demands.
    pub switch_hook: Option<Hook>,
    /// What the task's own code did, as the judge of the invariants needs it.
    pub own: Own,
}

/// What the lines have shown of a task whose beginning is not in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: its next line tells.
    Nothing,
    /// Counts that an interrupt's line bore, which may be those of a call whose line is still to come.
    ByInterrupt,
    /// All that matters.
    All,
}

/// What a task's own code did, whatever came of it. The counters say what the kernel made of that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// Pauses that the task has not resumed.
    pub pauses: u8,
    /// Sections opened outside its own pauses and not ended: those that are meant to batch.
    pub open: u8,
    /// Sections opened inside its own pauses: those that are meant to have no effect.
    pub open_in_pause: u8,
    /// The line that opened the outermost section.
    pub opened_at: u64,
    /// Whether the last hook of its own calls was an enter.
    pub entered: bool,
    /// The counts it had when it was switched out.
    pub away: Option<(u8, u8)>,
    /// Whether it has run.
    pub has_run: bool,
    /// The line at which it came to run paused, though it had paused nothing.
    pub paused_at: Option<u64>,
    /// It has run unpaused since.
    pub recovered: bool,
    /// A call of its own has wrapped a count.
    pub wrapped: bool,
    /// Which of the judged invariants it has broken, a bit each.
    pub broken: u8,
}

/// Where a task runs, on Xen, whose context switches are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// No switch of it has been recorded.
    Unknown,
    /// Announced by `new_task`; it has not run.
    Unborn,
    /// On this CPU.
    On(u16),
    /// Switched out.
    Out,
}

impl Task {
    fn new(pid: u32, home: u16) -> Self {
        Task {
            pid,
            home,
            counts: (0, 0),
            pending: false,
            owed: Owed::Nothing,
            owed_at: 0,
            early: None,
            last: None,
            warned: false,
            bound: None,
            holds: 0,
            binding: false,
            whereabouts: Whereabouts::Unknown,
            held_by_irq: None,
            issued: false,
            vague: false,
            known: Known::All,
            amid_call: false,
            switch_hook: None,
            own: Own::default(),
        }
    }

    /// Forgets what lost events may have changed.
    pub fn forget(&mut self) {
        let (broken, has_run) = (self.own.broken, self.own.has_run);
        *self = Task { known: Known::Nothing, counts: self.counts, ..Task::new(self.pid, self.home) };
        (self.own.broken, self.own.has_run) = (broken, has_run);
    }

    /// Whether `call`, made now in task context, would leave the counts `after`.
    pub fn would_leave(&self, call: Call, after: (u8, u8)) -> bool {
        drive(self.counts, call, false).1 == after
    }

    /// `enable_count` and `pause_count`.
    #[inline]
    pub fn counts(&self) -> (u8, u8) {
        self.counts
    }

    /// Takes over counts that nothing before has shown.
    pub fn adopt(&mut self, counts: (u8, u8)) {
        self.counts = counts;
    }

    /// Whether the mode is active for the task's own code, by the specification's own query.
    #[inline]
    pub fn is_active(&self) -> bool {
        counted::is_lazy_mmu_mode_active(&Driver::new(self.counts, false))
    }

    /// How messages name the task.
    pub fn name(&self) -> String {
        if self.pid == 0 { format!("pid 0 of CPU {}", self.home) } else { format!("pid {}", self.pid) }
    }

    /// Makes `call` on the task's state.
    #[inline]
    pub fn drive(&mut self, call: Call, irq: bool) -> Outcome {
        let (outcome, after) = drive(self.counts, call, irq);
        self.counts = after;
        outcome
    }

    /// What `call` did, if the task's counts are those that it left.
    pub fn hindsight(&self, call: Call) -> Option<Outcome> {
        let (outcome, after) = drive(call.before(self.counts), call, false);
        (after == self.counts).then_some(outcome)
    }

    /// The one call of the task's own code that would give it the counts `shown`, perhaps with a switch-out after it.
    pub fn foresee(&self, shown: (u8, u8), switched_out: bool) -> Option<Call> {
        [Call::Enable, Call::Disable, Call::Pause, Call::Resume].into_iter().find(|&call| {
            let (_, after) = drive(self.counts, call, false);
            let seen = if switched_out { drive(after, Call::TaskPause, false).1 } else { after };
            after != self.counts && seen == shown
        })
    }
}

/// Runs the specification's function at the counts `before`; what it did, and the counts after it.
#[inline]
fn drive(before: (u8, u8), call: Call, irq: bool) -> (Outcome, (u8, u8)) {
    let mut cx = Driver::new(before, irq);
    match call {
        Call::Enable => counted::lazy_mmu_mode_enable(&mut cx),
        Call::Disable => counted::lazy_mmu_mode_disable(&mut cx),
        Call::Pause => counted::lazy_mmu_mode_pause(&mut cx),
        Call::Resume => counted::lazy_mmu_mode_resume(&mut cx),
        Call::TaskPause => counted::task_lazy_mmu_mode_pause(&mut cx, ()),
        Call::TaskResume => counted::task_lazy_mmu_mode_resume(&mut cx, ()),
    }
    let after = (cx.state.enable_count.get(), cx.state.pause_count.get());
    (Outcome { before, hook: cx.hook, warned: cx.warned }, after)
}

/// The kernel a recorded call runs in: one task, one interrupt flag, hooks that take notes.
struct Driver {
    state: LazyMmuState,
    irq: bool,
    hook: Option<Hook>,
    warned: bool,
}

impl Driver {
    #[inline]
    fn new((enable, pause): (u8, u8), irq: bool) -> Self {
        let state = LazyMmuState { enable_count: Cell::new(enable), pause_count: Cell::new(pause) };
        Driver { state, irq, hook: None, warned: false }
    }
}

impl Kernel for Driver {
    type Task = ();

    fn current(&self) {}

    fn in_interrupt(&self) -> bool {
        self.irq
    }

    fn preempt_disable(&mut self) {}

    fn preempt_enable(&mut self) {}

    fn warn_once(&mut self, _site: WarnSite) {
        self.warned = true;
    }

    fn bug(&mut self, _site: BugSite) {}
}

impl TaskState<LazyMmuState> for Driver {
    fn task_state(&self, _task: ()) -> &LazyMmuState {
        &self.state
    }
}

impl Hooks for Driver {
    fn arch_enter_lazy_mmu_mode(&mut self) {
        self.hook = Some(Hook::Enter);
    }

    fn arch_flush_lazy_mmu_mode(&mut self) {
        self.hook = Some(Hook::Flush);
    }

    fn arch_leave_lazy_mmu_mode(&mut self) {
        self.hook = Some(Hook::Leave);
    }
}

/// Every task seen so far. Tasks are known by pid, and pid 0 by its CPU: each CPU has an idle task of its own.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    all: Vec<Task>,
    by_key: HashMap<u64, usize>,
}

impl Tasks {
    /// The index of the task, and whether this is the first time it is seen.
    pub fn index(&mut self, pid: u32, cpu: u16) -> (usize, bool) {
        let key = if pid == 0 { u64::from(cpu) << 32 } else { u64::from(pid) };
        let next = self.all.len();
        let index = *self.by_key.entry(key).or_insert(next);
        if index == next {
            self.all.push(Task::new(pid, cpu));
        }
        (index, index == next)
    }

    /// The task whose pid is `pid`, which is not 0.
    pub fn find(&self, pid: u32) -> Option<&Task> {
        self.by_key.get(&u64::from(pid)).map(|&index| &self.all[index])
    }

    /// Every task, in the order in which they appeared.
    pub fn all(&self) -> &[Task] {
        &self.all
    }

    /// Forgets what lost events may have changed of every task.
    pub fn forget(&mut self) {
        self.all.iter_mut().for_each(Task::forget);
    }
}

impl std::ops::Index<usize> for Tasks {
    type Output = Task;

    fn index(&self, index: usize) -> &Task {
        &self.all[index]
    }
}

impl std::ops::IndexMut<usize> for Tasks {
    fn index_mut(&mut self, index: usize) -> &mut Task {
        &mut self.all[index]
    }
}
