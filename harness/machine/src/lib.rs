//! The machine: CPUs, tasks, interrupts and page tables that a program runs on, everything deterministic.
//!
//! It is the kernel under the subject (what `core` asks for) and the processor under the port (what `arches` asks
//! for), and it writes the trace. It knows for every address what a walker may see at this moment ([`memory`]), and
//! puts into the trace what is not as the kernel asked. It judges nothing: the oracles read the trace. What an operation
//! does when it cannot happen is said in `docs/program-language.md`.
//!
//! [`Machine`] is kept between runs, so that a run allocates nothing once its buffers have grown. Called by the agent,
//! the host command and the tests.

mod call;
mod codec;
mod environment;
mod fingerprint;
mod memory;
mod mutant;
mod operation;
mod schedule;

use lazy_mmu_abi::subject::Subject;
use lazy_mmu_abi::trace::{Counters, Event, Late, What};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::Mm;
use lazy_mmu_program::{CPUS, LOCKS, MAX_OPS, Program, TASKS};
use memory::Memory;
pub use mutant::Mutant;

/// One task.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Task {
    exists: bool,
    /// Its address space.
    mm: Mm,
    /// The CPU it runs on, or ran on last, or was moved to.
    cpu: u8,
    /// How many calls of it stand between their halves.
    mid_call: u16,
    bh_off: u16,
    irq_off: u16,
    /// What the program took: locks and `preempt_off`.
    locks: u16,
    preempt_off: u16,
    /// What the backend took. Apart from the program's, so that what is refused is the same on every backend.
    arch_preempt: i32,
    arch_irq_off: u16,
}

impl Task {
    fn preempt_count(&self) -> i32 {
        i32::from(self.locks) + i32::from(self.preempt_off) + i32::from(self.bh_off) + self.arch_preempt
    }
}

/// One processor.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Cpu {
    current: u8,
    hardirq: u16,
    softirq: u16,
    nmi: u16,
}

/// An open block.
#[derive(Clone, Copy, Debug)]
struct Frame {
    block: lazy_mmu_program::Block,
    start: u32,
    /// What is left of a repeat.
    again: u16,
    /// A handler's number, from 1; 0 for other blocks.
    handler: u32,
    cpu: u8,
    task: u8,
}

/// Where the program's last operation left the run: more of it would go on from here.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    events: usize,
    cpu: u8,
    stopped: bool,
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Machine {
    events: Vec<Event>,
    memory: Memory,
    tasks: [Task; TASKS as usize],
    cpus: [Cpu; CPUS as usize],
    locks: [Option<u8>; LOCKS as usize],
    mutex: Option<u8>,
    frames: Vec<Frame>,
    /// Call sites that warned, as `operation << 2 | site`.
    warned: Vec<u64>,
    /// Operations and pages that a run may take.
    limit: usize,
    left: Left,
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}

impl Machine {
    /// A machine before its first run.
    #[must_use]
    pub fn new() -> Machine {
        Machine {
            events: Vec::new(),
            memory: Memory::new(),
            tasks: Default::default(),
            cpus: Default::default(),
            locks: Default::default(),
            mutex: None,
            frames: Vec::new(),
            warned: Vec::new(),
            limit: MAX_OPS,
            left: Left::default(),
        }
    }

    /// Sets how many operations and pages a run may take, [`MAX_OPS`] unless told: a fuzzer's runs are short.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(MAX_OPS);
    }

    /// Takes a behaviour away from the machine, or gives it back: for the test of the guards.
    pub fn mutate(&mut self, mutant: Option<Mutant>) {
        self.memory.mutate(mutant);
    }

    /// Runs a program on a subject from boot, and yields the trace. The same arguments give the same trace, whatever
    /// ran before.
    pub fn run(&mut self, subject: &dyn Subject, program: &Program) -> &[Event] {
        self.reset(subject);
        subject.reset();
        let mut run = Run {
            machine: self,
            subject,
            program,
            cpu: 0,
            current: 0,
            interrupted: false,
            op: 0,
            below: false,
            between: None,
            steps: 0,
            handlers: 0,
            stopped: false,
        };
        run.boot();
        run.range(0, program.ops().len());
        run.machine.left = Left { events: run.machine.events.len(), cpu: run.cpu, stopped: run.stopped };
        run.end();
        &self.events
    }

    /// The trace of the last run.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// A task's `preempt_count` after the last run, the bottom halves' part included; below 0 where a leave came
    /// without its enter.
    #[must_use]
    pub fn preempt_count(&self, task: u8) -> i32 {
        self.tasks[usize::from(task % TASKS)].preempt_count()
    }

    fn reset(&mut self, subject: &dyn Subject) {
        self.events.clear();
        self.memory.reset(subject.mmu());
        if subject.has_one_base_size() {
            self.memory.know_one_base();
        }
        self.frames.clear();
        self.warned.clear();
        self.locks = Default::default();
        self.mutex = None;
        // T0, T1 and T2 belong to CPU 0, T3 to CPU 1; the even ones work in U, the odd ones in V.
        for (n, task) in self.tasks.iter_mut().enumerate() {
            let mm = Mm(1 + (n % 2) as u8);
            *task = Task { exists: n < 4, mm, cpu: u8::from(n == 3), ..Task::default() };
        }
        self.cpus = [Cpu { current: 0, ..Cpu::default() }, Cpu { current: 3, ..Cpu::default() }];
    }
}

/// One run in progress: the machine with its subject and program.
///
/// In the order of an [`Event`]'s own first: what stamps an event is then copied in one piece (2 % of a run).
#[repr(C)]
struct Run<'r> {
    /// The operation that acts.
    op: u32,
    /// The CPU that acts.
    cpu: u8,
    /// Who runs there, and whether `in_interrupt()` is true: asked at every event, so kept ([`Run::refresh`]).
    current: u8,
    interrupted: bool,
    /// Below the generic layer: in switch hooks, in an architecture's own section.
    below: bool,
    machine: &'r mut Machine,
    subject: &'r dyn Subject,
    program: &'r Program,
    /// The `between` block of the call in progress that has not run yet.
    between: Option<(usize, usize)>,
    steps: usize,
    /// Handlers that have run.
    handlers: u32,
    stopped: bool,
}

impl Run<'_> {
    /// T1 and T2 have run before: they were switched out of CPU 0 as the backend does it.
    fn boot(&mut self) {
        for task in &self.machine.tasks[..4] {
            self.machine.memory.runs(task.cpu, task.mm);
        }
        for task in [1, 2] {
            self.run_on(0, task);
            // As in a switch: preemption is off.
            self.task_mut().arch_preempt += 1;
            self.subject.start_context_switch(self, task);
            self.subject.reset_cpus();
        }
        self.run_on(0, 0);
        self.machine.tasks.iter_mut().for_each(|task| task.arch_preempt = 0);
        let _ = self.machine.memory.take_burst();
        self.machine.events.clear();
        for task in [1, 2] {
            let counters = self.subject.counters(task);
            if counters != Counters::default() {
                self.emit(What::Away { task, counters });
            }
        }
    }

    /// What each CPU is left with.
    fn end(&mut self) {
        for cpu in 0..CPUS {
            self.act_on(cpu);
            self.emit_mode();
        }
    }

    fn task(&self) -> &Task {
        &self.machine.tasks[usize::from(self.current_task())]
    }

    fn task_mut(&mut self) -> &mut Task {
        let current = self.current_task();
        &mut self.machine.tasks[usize::from(current)]
    }

    #[inline]
    fn current_task(&self) -> u8 {
        self.current
    }

    /// From here on this CPU acts.
    fn act_on(&mut self, cpu: u8) {
        self.cpu = cpu;
        self.refresh();
    }

    /// From here on the CPU runs the task.
    fn run_on(&mut self, cpu: u8, task: u8) {
        self.machine.cpus[usize::from(cpu)].current = task;
        self.refresh();
    }

    /// Who runs, or what interrupts, may be another now.
    fn refresh(&mut self) {
        self.current = self.machine.cpus[usize::from(self.cpu)].current;
        self.interrupted = self.in_handler() || self.task().bh_off > 0;
        if self.machine.memory.is(Mutant::InterruptsAreTasks) {
            self.interrupted = false;
        }
    }

    /// Whether an interrupt handler runs on this CPU; unlike `in_interrupt()`, not true of a task with bottom halves
    /// off.
    fn in_handler(&self) -> bool {
        let cpu = &self.machine.cpus[usize::from(self.cpu)];
        cpu.hardirq + cpu.softirq + cpu.nmi > 0
    }

    #[inline]
    fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// Who asks for a change of memory: the running task, or with bit 7 a handler on it.
    fn by(&self) -> u8 {
        self.current_task() | if self.in_handler() { 0x80 } else { 0 }
    }

    /// What has gone out to the hardware goes into the trace. It is asked before every store, and mostly there is none.
    #[inline(always)]
    fn out(&mut self) {
        if !self.machine.memory.burst_is_empty() {
            self.emit_burst();
        }
    }

    #[inline(never)]
    fn emit_burst(&mut self) {
        if let Some(burst) = self.machine.memory.take_burst() {
            self.emit(What::Burst(burst));
        }
    }

    /// What is not in effect, if anything, goes into the trace.
    fn emit_late(&mut self, late: Option<Late>) {
        if let Some(late) = late.filter(|_| !self.machine.memory.is(Mutant::LateUnnoticed)) {
            self.emit(What::Late(late));
        }
    }

    #[inline]
    fn emit(&mut self, what: What) {
        let event = Event {
            op: self.op,
            cpu: self.cpu,
            task: self.current_task(),
            interrupt: self.interrupted(),
            below: self.below,
            what,
        };
        self.machine.events.push(event);
    }
}

/// What an entry of an MMU says once its translation has been used.
#[must_use]
pub fn touched(mmu: Mmu, word: u64) -> u64 {
    codec::Format::of(mmu).touched(word)
}

#[cfg(test)]
mod tests;
