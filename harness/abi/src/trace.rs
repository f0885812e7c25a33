//! The trace: the ordered events of one run. No address of this process, no time, no host order is in it.
//!
//! Events are of two kinds. *Generic* ones tell what the program did and what the generic layer answered: of one
//! generation they are the same on every backend (rule 9). *Architecture* ones tell what the backend did with it:
//! deferrals, instructions, stores, what a walker saw. Written by the machine, read by the oracles; [`digests`] and
//! [`line()`] are its two printed forms. The timeline is `crate::timeline`.

mod digest;
mod memory;
mod site;

pub use digest::digests;
pub use memory::{Ask, Burst, Late, Point, Translation, Walked, Why};
pub use site::{Complaint, Site};

use std::fmt::Write as _;

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::Insn;
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_core::kernel::{BugSite, WarnSite};

use lazy_mmu_program::{Block, Op};

/// A task's counters as its generation keeps them, and whether they say that updates may be deferred.
///
/// `nesting` shows its level, and 1 for a paused section; `token` shows how many tokens are out; `stateless` has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// `enable_count`, or the nesting level.
    pub enable: u8,
    /// `pause_count`.
    pub pause: u8,
    /// What the task's own state says, interrupt context not asked.
    pub active: bool,
}

/// A call of the generic API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `lazy_mmu_mode_enable()`
    Enable,
    /// `lazy_mmu_mode_disable()`
    Disable,
    /// `lazy_mmu_mode_pause()`
    Pause,
    /// `lazy_mmu_mode_resume()`
    Resume,
    /// `__task_lazy_mmu_mode_pause(task)`
    TaskPause(u8),
    /// `__task_lazy_mmu_mode_resume(task)`
    TaskResume(u8),
}

impl Call {
    /// Its name in programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Call::Enable => "enable",
            Call::Disable => "disable",
            Call::Pause => "pause",
            Call::Resume => "resume",
            Call::TaskPause(_) => "task_pause",
            Call::TaskResume(_) => "task_resume",
        }
    }

    /// The task whose counters it moves, when `current` runs it.
    #[must_use]
    pub fn subject_of(self, current: u8) -> u8 {
        match self {
            Call::TaskPause(task) | Call::TaskResume(task) => task,
            _ => current,
        }
    }
}

/// A hook that the generic layer called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// `arch_enter_lazy_mmu_mode()`
    Enter,
    /// `arch_flush_lazy_mmu_mode()`
    Flush,
    /// `arch_leave_lazy_mmu_mode()`
    Leave,
}

impl Hook {
    /// Its short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Hook::Enter => "enter",
            Hook::Flush => "flush",
            Hook::Leave => "leave",
        }
    }
}

/// Why the machine did not do an operation: no kernel could have come there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Tasks do not do that in interrupt context.
    InInterrupt,
    /// The running task stands between the halves of a call: it does nothing else until that is done.
    MidCall,
    /// The task does not exist, or exists already (`fork`).
    NoSuchTask,
    /// The task runs, here or on the other CPU.
    Running,
    /// The task belongs to the other CPU; `migrate` moves it.
    Elsewhere,
    /// The lock or mutex is held; the machine does not spin.
    Held,
    /// It was not taken (or bottom halves, interrupts, preemption were not off).
    NotHeld,
    /// That interrupt cannot come now: masked, or a more urgent one runs.
    Masked,
    /// No other task could run here.
    NoSuccessor,
    /// The program itself keeps preemption off: a lock, bottom halves, interrupts.
    NotPreemptible,
    /// The block is another architecture's code.
    OtherArchitecture,
}

impl Refusal {
    /// The reason in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Refusal::InInterrupt => "not possible in interrupt context",
            Refusal::MidCall => "the task stands between the halves of a call",
            Refusal::NoSuchTask => "no such task, or it exists already",
            Refusal::Running => "the task is running",
            Refusal::Elsewhere => "the task belongs to the other CPU",
            Refusal::Held => "held already",
            Refusal::NotHeld => "not held, or not off",
            Refusal::Masked => "this interrupt is masked here",
            Refusal::NoSuccessor => "no other task could run here",
            Refusal::NotPreemptible => "preemption is off here",
            Refusal::OtherArchitecture => "another architecture's code",
        }
    }
}

/// Why a run ended before its program did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A `BUG_ON` of the backend: the kernel is dead.
    Bug,
    /// The run took as many operations and pages as a run may.
    Limit,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A call begins; the counters before it, of the task it is about.
    Call(Call, Counters),
    /// The scheduling point of the call, where the `between` block runs; the counters there.
    Point(Counters),
    /// The generic layer calls a hook; the answer of the activity query there.
    Hook(Hook, bool),
    /// `VM_WARN_ON_ONCE` fires, the first time at this call site.
    Warn(WarnSite),
    /// v3's `VM_BUG_ON` fires; the machine goes on as a kernel without DEBUG_VM.
    VmBug(WarnSite),
    /// A backend's `BUG_ON` fires.
    Bug(BugSite),
    /// The call ends; the counters after it.
    Return(Call, Counters),
    /// A query is answered.
    Answer(bool),
    /// An operation that is no call begins.
    Op(Op),
    /// A block begins; the running task's counters.
    Open(Block, Counters),
    /// It ends.
    Close(Block, Counters),
    /// The CPU is about to leave this task for `next`; its counters before any hook.
    SwitchOut {
        /// Who comes.
        next: u8,
        /// Who goes: its counters.
        counters: Counters,
    },
    /// The CPU now runs this task, after `prev`; its counters after every hook.
    SwitchIn {
        /// Who went.
        prev: u8,
        /// Who came: its counters.
        counters: Counters,
    },
    /// Architecture: at boot, a task that is off the CPUs and was put there by a hook that moves counters (Xen 7.2).
    Away {
        /// Who.
        task: u8,
        /// With what counters.
        counters: Counters,
    },
    /// The task forked `child`, which starts with these counters.
    Fork {
        /// Who is new.
        child: u8,
        /// With what counters.
        counters: Counters,
    },
    /// The task `task` ended with these counters.
    Exit {
        /// Who.
        task: u8,
        /// With what counters.
        counters: Counters,
    },
    /// The operation was not done.
    Refused(Refusal),
    /// The run ends here.
    Stop(Stop),

    /// Architecture: a hook was called that leaves the mode as it is.
    IdleHook(Hook),
    /// Architecture: what became of an update.
    Note(Note),
    /// Architecture: an instruction reached the hardware.
    Insn(Insn),
    /// Architecture: a PTE changed in memory.
    Store(PteRef, u64),
    /// Memory: the kernel asks for a change of so many entries from here on.
    Asked(PteRef, u16, Ask),
    /// Memory: what was read of a PTE, by its accessor or round it, and what the kernel asked for last.
    Read {
        /// Where.
        at: PteRef,
        /// What the reader got.
        found: Option<Translation>,
        /// What the entry should say.
        asked: Option<Translation>,
    },
    /// Memory: what a walker sees there.
    Walk(PteRef, Walked),
    /// Memory: changes that are not in effect yet.
    Late(Late),
    /// Memory: a batch, a hypercall or barriers went out.
    Burst(Burst),
    /// Memory: so many page frames, unmapped at pages from here on, were freed.
    Freed(PteRef, u16),
    /// Memory: a CPU still has a translation to a frame that has just been freed.
    Reachable {
        /// Through which entry.
        at: PteRef,
        /// Which CPU.
        cpu: u8,
        /// The frame.
        frame: u32,
    },
    /// Memory: the hypervisor, or the MMU's write protection, refused an update of this entry.
    Denied(PteRef),
    /// Architecture: a place in a kernel tree's code, where the WARN or BUG before it stands or where another one is.
    Complaint(Complaint, Site),
    /// Architecture: preempt_count as a call of the running task leaves it, if its hook changed it.
    PreemptCount(i32),
    /// Architecture: this instruction worked on per-CPU state while the task could have been moved to another CPU.
    Preemptible(lazy_mmu_arches::insn::Op),
    /// Architecture: what a switch left behind in this CPU's batch.
    Left(Deferred),
    /// Architecture: what is held back on this CPU and for this task, at the edges of an interrupt.
    Held(Deferred),
    /// Architecture: what the backend itself keeps as "the mode is on", and what the query says.
    Mode {
        /// The architecture's own mark.
        arch: bool,
        /// The running task's counters' view; none where its generation keeps no counters.
        task: Option<bool>,
    },
    /// Architecture: the task was scheduled away, or might sleep, in atomic context.
    Atomic {
        /// Its preempt_count; below 0 where a leave came without its enter.
        count: i32,
        /// Of its own will; else the scheduler took the CPU away, which cannot happen where preemption is off.
        voluntary: bool,
    },
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The operation of the program during which it happened, from 0.
    pub op: u32,
    /// The CPU.
    pub cpu: u8,
    /// The task that runs there.
    pub task: u8,
    /// Whether `in_interrupt()` was true.
    pub interrupt: bool,
    /// Whether it happened below the generic layer: in a context switch hook, or in an architecture's own section.
    pub below: bool,
    /// What.
    pub what: What,
}

impl Event {
    /// Whether it is the same on every backend of a generation.
    #[must_use]
    pub fn is_generic(&self) -> bool {
        !self.below
            && !matches!(
                self.what,
                What::IdleHook(_)
                    | What::Note(_)
                    | What::Insn(_)
                    | What::Store(..)
                    | What::Held(_)
                    | What::Mode { .. }
                    | What::Away { .. }
                    | What::Atomic { .. }
                    | What::PreemptCount(_)
                    | What::Preemptible(_)
                    | What::Left(_)
                    | What::Complaint(..)
            )
            && !self.is_memory()
    }

    /// Whether it is about what memory and walkers do with the program's changes: facts for the oracles, of which the
    /// snapshots show what a walker saw and what was late.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        matches!(
            self.what,
            What::Asked(..)
                | What::Read { .. }
                | What::Walk(..)
                | What::Late(_)
                | What::Burst(_)
                | What::Freed(..)
                | What::Reachable { .. }
                | What::Denied(_)
        )
    }
}

/// A whole trace, one line per event with its context: what a target and the host compare when their digests differ.
#[must_use]
pub fn listing(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let interrupt = if event.interrupt { "!" } else { "" };
        let below = if event.below { "_" } else { "" };
        let _ = writeln!(text, "{} c{} T{}{interrupt}{below} {}", event.op, event.cpu, event.task, line(&event.what));
    }
    text
}

/// One event as one line of text, without its context: the snapshots' and reports' form.
#[must_use]
pub fn line(what: &What) -> String {
    let counters = |c: &Counters| format!("{}/{}{}", c.enable, c.pause, if c.active { " active" } else { "" });
    match what {
        What::Call(call, before) => match call {
            Call::TaskPause(task) | Call::TaskResume(task) => {
                format!("{} T{task} at {}", call.name(), counters(before))
            }
            _ => format!("{} at {}", call.name(), counters(before)),
        },
        What::Point(at) => format!("between the halves, at {}", counters(at)),
        What::Hook(hook, active) => format!("hook {}{}", hook.name(), if *active { " (active)" } else { "" }),
        What::IdleHook(hook) => format!("hook {}, without effect on the mode", hook.name()),
        What::Warn(site) => format!("WARN {site:?}"),
        What::VmBug(site) => format!("VM_BUG {site:?}"),
        What::Bug(site) => format!("BUG {site:?}"),
        What::Return(call, after) => format!("{} done, {}", call.name(), counters(after)),
        What::Answer(active) => format!("answer {active}"),
        What::Op(op) => op.to_string(),
        What::Open(block, at) => format!("{} at {}", Op::Open(*block), counters(at)),
        What::Close(_, at) => format!("}} at {}", counters(at)),
        What::SwitchOut { next, counters: at } => format!("switch out, to T{next}, at {}", counters(at)),
        What::SwitchIn { prev, counters: at } => format!("switch in, from T{prev}, at {}", counters(at)),
        What::Away { task, counters: at } => format!("T{task} is away at {}", counters(at)),
        What::Fork { child, counters: at } => format!("forked T{child} at {}", counters(at)),
        What::Exit { task, counters: at } => format!("T{task} ended at {}", counters(at)),
        What::Refused(why) => format!("refused: {}", why.text()),
        What::Stop(Stop::Bug) => "the kernel is dead: the run stops".to_owned(),
        What::Stop(Stop::Limit) => "the run's limit is reached: it stops".to_owned(),
        What::Note(note) => note_line(*note),
        What::Insn(insn) => insn_line(insn),
        What::Store(at, word) => format!("store {} = {word:#x}", place(*at)),
        What::Asked(at, pages, ask) => format!("asked {}{}: {}", place(*at), times(*pages), memory::ask_text(*ask)),
        What::Read { at, found, asked } => {
            format!("read {} -> {}{}", place(*at), memory::text(*found), memory::unlike(*found, *asked))
        }
        What::Walk(at, walked) => format!("walk {} -> {}", place(*at), memory::walked_text(walked)),
        What::Late(late) => memory::late_text(late),
        What::Burst(burst) => memory::burst_text(burst),
        What::Freed(at, frames) => format!("freed {frames} frames, unmapped at {} and on", place(*at)),
        What::Reachable { at, cpu, frame } => {
            format!("freed frame {frame} can still be reached by CPU {cpu} through {}", place(*at))
        }
        What::Complaint(complaint, site) => format!("{} {}", complaint.name(), site.text()),
        What::Denied(at) => format!("the update of {} is refused", place(*at)),
        What::PreemptCount(count) => format!("preempt_count {count}"),
        What::Preemptible(op) => format!("`{}` with preemption on", op.mnemonic()),
        What::Left(held) => format!("the switch leaves {} in the batch", counted(held.entries, ["entry", "entries"])),
        What::Held(held) => match (held.pending, held.entries) {
            (false, 0) => "held back: nothing".to_owned(),
            (true, 0) => "held back: the barriers".to_owned(),
            (_, n) => format!("held back: {}", counted(n, ["entry", "entries"])),
        },
        What::Mode { arch, task: Some(task) } => format!("mode: architecture {}, task {}", on(*arch), on(*task)),
        What::Mode { arch, task: None } => format!("mode: {}", on(*arch)),
        What::Atomic { count, voluntary: true } => format!("scheduling while atomic: preempt_count {count}"),
        What::Atomic { count, voluntary: false } => format!("preempted with preemption off: preempt_count {count}"),
    }
}

/// A number with its noun, singular or plural.
#[must_use]
pub fn counted(n: impl Into<u64>, [one, more]: [&str; 2]) -> String {
    let n = n.into();
    format!("{n} {}", if n == 1 { one } else { more })
}

fn on(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}

/// An entry by its address space and page.
#[must_use]
pub fn place(at: PteRef) -> String {
    format!("{}[{}]", ["K", "U", "V"][usize::from(at.mm.0 % 3)], at.page)
}

fn times(n: u16) -> String {
    if n == 1 { String::new() } else { format!(" x{n}") }
}

fn note_line(note: Note) -> String {
    match note {
        Note::QueueDeferred => "queue_deferred".to_owned(),
        Note::QueueEmitted => "queue_emitted".to_owned(),
        Note::Barriers => "barriers".to_owned(),
        Note::BatchAdd(level) => format!("batch_add {level}"),
        Note::FlushPending(n) => format!("flush_pending {n}"),
        Note::FlushImmediate => "flush_immediate 1".to_owned(),
        Note::MmuQueued => "mmu_queued".to_owned(),
        Note::MmuIssued => "mmu_issued".to_owned(),
        Note::MmuImmediate => "mmu_immediate".to_owned(),
        Note::McFlush(entries, bytes) => format!("mc_flush {entries} {bytes}"),
    }
}

fn insn_line(insn: &Insn) -> String {
    let mut text = insn.op.mnemonic().to_owned();
    if insn.a != 0 || insn.b != 0 {
        let _ = write!(text, " {:#x}", insn.a);
    }
    if insn.b != 0 {
        let _ = write!(text, ", {:#x}", insn.b);
    }
    text
}

#[cfg(test)]
mod tests;
