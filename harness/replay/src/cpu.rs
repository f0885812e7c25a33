//! One CPU of a recording, and who may record a line on it.
//!
//! A CPU runs one task at a time and a task runs on one CPU at a time. How much of that a trace shows depends on the
//! architecture: on powerpc64 hash and sparc64 a section keeps preemption off, so between its enter and its leave the
//! CPU records nothing but that task and its interrupts; on Xen every context switch is recorded; on aarch64 only an
//! unfinished interrupt ties a task to a CPU.
//!
//! Not here: what the lines say ([`super::check`]).

use super::expect::{Refusal, refuse};
use super::header::Arch;
use super::line::{Event, Field, Line};
use super::switch::Switch;
use super::task::{Tasks, Whereabouts};

/// What interrupts on a CPU have still to record: lines of one kind, innermost interrupt first.
#[derive(Clone, Copy, Debug)]
pub struct IrqDebt {
    /// How many.
    pub count: u16,
    /// The event that pays one.
    pub event: Event,
    /// The interrupted task.
    pub task: usize,
    /// The line that made the first.
    pub at: u64,
}

/// A CPU as far as the trace has told.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    /// Whether it has recorded a line.
    pub seen: bool,
    /// The last task looked up here, as most lines are of the same task as the one before.
    pub recent: Option<(u32, usize)>,
    /// powerpc64 and sparc64: the task that runs here with preemption off.
    pub owner: Option<usize>,
    /// powerpc64 and sparc64: the entries in the batch.
    pub level: u32,
    /// The recording began, or lost events, in the middle: what the batch holds is not known yet; on Xen, nor is whether
    /// a context switch is going on.
    pub unsure: bool,
    /// powerpc64 and sparc64: how many entries the batch held before the recording began.
    pub begun_at: Option<u32>,
    /// Xen: the updates known to be in the multicall buffer.
    pub queued: u32,
    /// Xen: whether the CPU's last line put an update into the buffer.
    pub just_queued: bool,
    /// Xen: the task that runs here.
    pub current: Option<usize>,
    /// Xen: how far a context switch has come.
    pub switch: Switch,
    /// No architecture is known: how far a context switch has come, should it be Xen's.
    pub loose: Switch,
    /// What interrupts have still to record.
    pub debt: Option<IrqDebt>,
    /// How many sections the code in interrupt context has (without effect) opened.
    pub irq_sections: u8,
}

/// Checks that task `i` can record `line` on its CPU now.
#[inline]
pub fn place(line: &Line, i: usize, arch: Option<Arch>, tasks: &mut Tasks, cpus: &mut [Cpu]) -> Result<(), Refusal> {
    let cpu = &mut cpus[usize::from(line.cpu)];
    if let Some(debt) = cpu.debt
        && (!line.irq || debt.task != i)
    {
        return unpaid(line, debt, tasks);
    }
    if let Some(held) = tasks[i].held_by_irq.filter(|&held| held != line.cpu) {
        let text = format!("CPU {held}, where an interrupt of {} has not ended", tasks[i].name());
        return refuse(Field::Cpu, text);
    }
    if !line.irq {
        cpu.irq_sections = 0;
    }
    match arch {
        Some(arch) if arch.is_batched() => unpreempted(line, i, tasks, cpu),
        Some(Arch::XenPv) => {
            cpu.unsure &= !line.irq && is_of_a_switch(line.event);
            current(line, i, tasks, cpu)
        }
        Some(Arch::Aarch64) => {
            cpu.unsure &= line.irq; // No interrupt goes on.
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Xen: whether the line may be a part of a context switch whose beginning the recording does not show.
fn is_of_a_switch(event: Event) -> bool {
    use Event::{ArchLeave, McFlush, MmuImmediate, MmuIssued, MmuQueued};
    matches!(event, ArchLeave | McFlush | MmuQueued | MmuIssued | MmuImmediate)
}

/// An interrupt ends before anything else runs on its CPU.
#[cold]
fn unpaid(line: &Line, debt: IrqDebt, tasks: &Tasks) -> Result<(), Refusal> {
    let field = if line.irq { Field::Pid } else { Field::Irq };
    let who = tasks[debt.task].name();
    let name = debt.event.name();
    refuse(field, format!("`{name}` from the interrupt over {who} on CPU {}, owed since line {}", line.cpu, debt.at))
}

/// powerpc64 hash and sparc64: from the enter hook to the end of the leave hook preemption is off.
///
/// The hook line is recorded before the hook runs, so the task may still be switched out and moved between them: the
/// task's next line shows where the hook ran.
#[inline]
fn unpreempted(line: &Line, i: usize, tasks: &mut Tasks, cpu: &mut Cpu) -> Result<(), Refusal> {
    if let Some(owner) = cpu.owner.filter(|&owner| owner != i) {
        let text = format!("a line of {}, which runs on CPU {} with preemption off", tasks[owner].name(), line.cpu);
        return refuse(Field::Pid, text);
    }
    let task = &mut tasks[i];
    if let Some(bound) = task.bound.filter(|&bound| bound != line.cpu) {
        return refuse(Field::Cpu, format!("CPU {bound}, which {} cannot leave with preemption off", task.name()));
    }
    if task.binding && !line.irq {
        task.binding = false;
        task.bound = Some(line.cpu);
        cpu.owner = Some(i);
    }
    Ok(())
}

/// Xen: context switches are recorded, so whoever has been switched in here is the one who runs here.
#[inline]
fn current(line: &Line, i: usize, tasks: &mut Tasks, cpu: &mut Cpu) -> Result<(), Refusal> {
    match (cpu.current, tasks[i].whereabouts) {
        (Some(current), _) if current == i => Ok(()),
        (None, Whereabouts::Unknown) => {
            cpu.current = Some(i);
            tasks[i].whereabouts = Whereabouts::On(line.cpu);
            Ok(())
        }
        (_, Whereabouts::On(other)) if other != line.cpu => {
            refuse(Field::Cpu, format!("CPU {other}, where {} runs", tasks[i].name()))
        }
        (Some(current), _) => {
            refuse(Field::Pid, format!("a line of {}, which runs on CPU {}", tasks[current].name(), line.cpu))
        }
        (None, _) => refuse(Field::Pid, format!("`task_resume` of {}, which does not run", tasks[i].name())),
    }
}

impl Cpu {
    /// An interrupt over task `i` has one more line of `event` to record.
    pub fn owe(&mut self, event: Event, i: usize, at: u64) {
        let debt = self.debt.get_or_insert(IrqDebt { count: 0, event, task: i, at });
        debt.count = debt.count.saturating_add(1);
    }

    /// Pays one line of `event`; whether there was one to pay, and whether none is left.
    pub fn pay(&mut self, event: Event) -> (bool, bool) {
        let Some(debt) = self.debt.as_mut().filter(|debt| debt.event == event) else { return (false, false) };
        debt.count -= 1;
        let settled = debt.count == 0;
        if settled {
            self.debt = None;
        }
        (true, settled)
    }
}
