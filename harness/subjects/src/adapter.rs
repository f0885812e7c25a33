//! Our generations and backends behind the [`Subject`] interface.
//!
//! [`Ours`] holds a generation's and a backend's state; for the length of one call a [`Cx`] joins it with the machine,
//! and is the `Kernel`, the `Hooks` and the `Context` that `core` and `arches` ask for. Nothing is decided here: each
//! method hands one question to whom it belongs.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;

use lazy_mmu_arches::asm;
use lazy_mmu_arches::backend::{Backend, Deferred};
use lazy_mmu_arches::context::{Context, Note};
use lazy_mmu_arches::insn::{Insn, Isa};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PteFlags, PteRef, Range, Size};
use lazy_mmu_core::hooks::Hooks;
use lazy_mmu_core::kernel::{BugSite, Kernel, TaskState, WarnSite};

use lazy_mmu_abi::subject::{Env, Port, Subject};
use lazy_mmu_abi::trace::{Call, Counters, Hook};
use lazy_mmu_program::{CPUS, TASKS};

/// How a generation is driven: its per-task state and its calls.
pub trait Generation<B: Backend>: Sized {
    /// Its state per task.
    type State: Default;
    /// Whether that state says if the mode is active.
    const KEEPS_COUNTERS: bool;

    /// One call of the API. `task` is whom `task_pause` and `task_resume` name, else the running task.
    fn call(cx: &mut Cx<'_, '_, Self, B>, call: Call);
    /// The activity query.
    fn is_active(cx: &Cx<'_, '_, Self, B>) -> bool;
    /// A task's own activity, interrupt context not asked.
    fn task_active(cx: &Cx<'_, '_, Self, B>, task: u8) -> bool;
    /// A state as counters.
    fn counters(state: &Self::State) -> Counters;
    /// What a state holds beside its counters, as far as what follows depends on it.
    fn beside_counters(_state: &Self::State) -> [u64; 4] {
        [0; 4]
    }
    /// `to` becomes a copy of `from`; `None` is the state at boot.
    fn copy(from: Option<&Self::State>, to: &Self::State);
}

/// A generation on one of our backends.
pub struct Ours<G: Generation<B>, B: Backend> {
    states: [G::State; TASKS as usize],
    threads: [B::Thread; TASKS as usize],
    per_cpu: [B::PerCpu; CPUS as usize],
    /// What a caller's stack holds while a handler runs: up to four handlers deep on each CPU.
    handlers: [[Handler<G::State>; 4]; CPUS as usize],
    port: Port,
    executed: Cell<u64>,
    has_one_base_size: bool,
}

/// A handler's own state, and whose it is.
#[derive(Default)]
struct Handler<S> {
    number: Cell<u32>,
    state: S,
}

impl<G: Generation<B>, B: Backend> Ours<G, B> {
    /// A subject as at boot.
    #[must_use]
    pub fn new(port: Port) -> Self {
        Ours {
            states: std::array::from_fn(|_| G::State::default()),
            threads: std::array::from_fn(|_| B::Thread::default()),
            per_cpu: std::array::from_fn(|_| B::PerCpu::default()),
            handlers: Default::default(),
            port,
            executed: Cell::new(0),
            // powerpc64 is in the registry as with 64K pages.
            has_one_base_size: false,
        }
    }

    /// The same, as of a kernel that maps small and large pages alike.
    #[must_use]
    pub fn with_one_base_size(self) -> Self {
        Ours { has_one_base_size: true, ..self }
    }

    fn cx<'s, 'e>(&'s self, env: &'e mut dyn Env) -> Cx<'s, 'e, G, B> {
        Cx { ours: self, env, generation: PhantomData }
    }
}

/// A subject joined with the machine for the length of a call.
pub struct Cx<'s, 'e, G: Generation<B>, B: Backend> {
    ours: &'s Ours<G, B>,
    env: &'e mut dyn Env,
    generation: PhantomData<G>,
}

impl<'s, G: Generation<B>, B: Backend> Cx<'s, '_, G, B> {
    /// The state of a task, free of this borrow.
    pub fn state(&self, task: u8) -> &'s G::State {
        &self.ours.states[usize::from(task)]
    }

    /// The query where the backend itself keeps the answer (before 7.0).
    pub fn arch_mode(&self) -> bool {
        B::arch_mode(self).unwrap_or(false)
    }

    /// Tells the machine that a hook of the backend runs.
    pub fn record_hook(&mut self, hook: Hook) {
        if !G::KEEPS_COUNTERS && B::ignores_hooks(self) {
            // Where the backend alone knows whether the mode is on, a hook that it ignores is none.
            self.env.idle_hook(hook);
            return;
        }
        let active = G::is_active(self);
        self.env.hook(hook, active);
    }

    /// Tells the machine that an enter hook ran, and what the query answered before it.
    pub fn record_entered(&mut self, active: bool) {
        self.env.hook(Hook::Enter, active);
    }

    /// Tells the machine that a hook ran which left the mode as it was.
    pub fn record_idle_hook(&mut self, hook: Hook) {
        self.env.idle_hook(hook);
    }

    /// The state of whoever calls: the running task's, or the handler's own if one runs.
    pub fn callers_state(&self) -> &'s G::State {
        let Some((depth, number)) = self.env.handler() else { return self.state(self.env.current()) };
        let open = &self.ours.handlers[usize::from(self.env.cpu())];
        let handler = &open[usize::from(depth - 1).min(open.len() - 1)];
        if handler.number.replace(number) != number {
            G::copy(None, &handler.state);
        }
        &handler.state
    }
}

impl<G: Generation<B>, B: Backend> Kernel for Cx<'_, '_, G, B> {
    type Task = u8;

    #[inline]
    fn current(&self) -> u8 {
        self.env.current()
    }

    #[inline]
    fn in_interrupt(&self) -> bool {
        self.env.in_interrupt()
    }

    fn preempt_disable(&mut self) {
        self.env.preempt_disable();
    }

    fn preempt_enable(&mut self) {
        self.env.preempt_enable();
    }

    fn warn_once(&mut self, site: WarnSite) {
        self.env.warn_once(site);
    }

    fn vm_bug(&mut self, site: WarnSite) {
        self.env.vm_bug(site);
    }

    fn bug(&mut self, site: BugSite) {
        self.env.bug(site);
    }

    #[inline]
    fn schedule_point(&mut self) {
        self.env.schedule_point();
    }
}

impl<G: Generation<B>, B: Backend> TaskState<G::State> for Cx<'_, '_, G, B> {
    #[inline]
    fn task_state(&self, task: u8) -> &G::State {
        self.state(task)
    }
}

impl<G: Generation<B>, B: Backend> Hooks for Cx<'_, '_, G, B> {
    fn arch_enter_lazy_mmu_mode(&mut self) {
        self.record_hook(Hook::Enter);
        B::enter(self);
    }

    fn arch_flush_lazy_mmu_mode(&mut self) {
        self.record_hook(Hook::Flush);
        B::flush(self);
    }

    fn arch_leave_lazy_mmu_mode(&mut self) {
        self.record_hook(Hook::Leave);
        B::leave(self);
    }
}

impl<G: Generation<B>, B: Backend> Context for Cx<'_, '_, G, B> {
    type PerCpu = B::PerCpu;
    type Thread = B::Thread;

    #[inline]
    fn this_cpu(&self) -> &B::PerCpu {
        &self.ours.per_cpu[usize::from(self.env.cpu())]
    }

    fn thread(&self, task: u8) -> &B::Thread {
        &self.ours.threads[usize::from(task)]
    }

    #[inline]
    fn is_lazy_mmu_mode_active(&mut self) -> bool {
        G::is_active(self)
    }

    fn task_lazy_mmu_mode_active(&mut self, task: u8) -> bool {
        G::task_active(self, task)
    }

    fn task_lazy_mmu_mode_pause(&mut self, task: u8) {
        self.env.nested_call(Call::TaskPause(task));
        G::call(self, Call::TaskPause(task));
        self.env.nested_return(Call::TaskPause(task));
    }

    fn task_lazy_mmu_mode_resume(&mut self, task: u8) {
        self.env.nested_call(Call::TaskResume(task));
        G::call(self, Call::TaskResume(task));
        self.env.nested_return(Call::TaskResume(task));
    }

    fn pte_load(&mut self, at: PteRef) -> u64 {
        self.env.pte_load(at)
    }

    fn pte_store(&mut self, at: PteRef, word: u64) {
        self.env.pte_store(at, word);
    }

    fn execute(&mut self, insn: Insn) -> u64 {
        if self.ours.port == Port::Asm && asm::execute(insn) {
            self.ours.executed.set(self.ours.executed.get() + 1);
        }
        self.env.execute(insn)
    }

    fn local_irq_save(&mut self) {
        self.env.local_irq_save();
    }

    fn local_irq_restore(&mut self) {
        self.env.local_irq_restore();
    }

    fn is_thread_local(&self, mm: Mm) -> bool {
        self.env.is_thread_local(mm)
    }

    fn is_context_valid(&self, mm: Mm) -> bool {
        self.env.is_context_valid(mm)
    }

    fn cpus(&self) -> u8 {
        self.env.cpus()
    }

    fn cpu(&self) -> u8 {
        self.env.cpu()
    }

    fn note(&mut self, note: Note) {
        self.env.note(note);
    }
}

impl<G: Generation<B>, B: Backend> Subject for Ours<G, B> {
    fn isa(&self) -> Option<Isa> {
        B::ISA
    }

    fn mmu(&self) -> Mmu {
        B::MMU
    }

    fn has_one_base_size(&self) -> bool {
        self.has_one_base_size
    }

    fn reset(&self) {
        self.states.iter().for_each(|state| G::copy(None, state));
        self.threads.iter().for_each(B::reset_thread);
        self.handlers.iter().flatten().for_each(|handler| handler.number.set(0));
        self.reset_cpus();
    }

    fn reset_cpus(&self) {
        self.per_cpu.iter().for_each(B::reset_cpu);
    }

    fn keeps_counters(&self) -> bool {
        G::KEEPS_COUNTERS
    }

    fn fork(&self, parent: u8, child: u8) {
        G::copy(Some(&self.states[usize::from(parent)]), &self.states[usize::from(child)]);
        B::reset_thread(&self.threads[usize::from(child)]);
    }

    /// The handlers' own states are left out: the next handler begins with a fresh one.
    fn fingerprint(&self) -> u64 {
        let Ours { states, threads, per_cpu, handlers: _, port: _, executed: _, has_one_base_size: _ } = self;
        let mut state = DefaultHasher::new();
        states.iter().for_each(|task| (G::counters(task), G::beside_counters(task)).hash(&mut state));
        (threads, per_cpu).hash(&mut state);
        state.finish()
    }

    fn executed(&self) -> u64 {
        self.executed.get()
    }

    fn call(&self, env: &mut dyn Env, call: Call) {
        G::call(&mut self.cx(env), call);
    }

    fn is_active(&self, env: &mut dyn Env) -> bool {
        G::is_active(&self.cx(env))
    }

    fn counters(&self, task: u8) -> Counters {
        G::counters(&self.states[usize::from(task)])
    }

    fn flush(&self, env: &mut dyn Env) {
        B::flush(&mut self.cx(env));
    }

    fn set_ptes(&self, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        B::set_ptes(&mut self.cx(env), at, word, n);
    }

    fn clear_pte(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        B::clear_pte(&mut self.cx(env), at)
    }

    fn wrprotect_pte(&self, env: &mut dyn Env, at: PteRef) {
        B::wrprotect_pte(&mut self.cx(env), at);
    }

    fn get_pte(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        B::get_pte(&mut self.cx(env), at)
    }

    fn flush_tlb_range(&self, env: &mut dyn Env, range: Range) {
        B::flush_tlb_range(&mut self.cx(env), range);
    }

    fn gather_flush(&self, env: &mut dyn Env, range: Range) {
        B::gather_flush(&mut self.cx(env), range);
    }

    fn map_linear_page(&self, env: &mut dyn Env, at: PteRef, word: Option<u64>) {
        B::map_linear_page(&mut self.cx(env), at, word);
    }

    fn start_context_switch(&self, env: &mut dyn Env, prev: u8) {
        B::start_context_switch(&mut self.cx(env), prev);
    }

    fn end_context_switch(&self, env: &mut dyn Env, next: u8) {
        B::end_context_switch(&mut self.cx(env), next);
    }

    fn arch_mode(&self, env: &mut dyn Env) -> Option<bool> {
        B::arch_mode(&self.cx(env))
    }

    fn deferred(&self, cpu: u8, task: u8) -> Deferred {
        B::deferred(&self.per_cpu[usize::from(cpu)], &self.threads[usize::from(task)])
    }

    fn guest_load(&self, cpu: u8, address: u64) -> u64 {
        B::guest_load(&self.per_cpu[usize::from(cpu)], address)
    }

    fn guest_store(&self, cpu: u8, address: u64, value: u64) {
        B::guest_store(&self.per_cpu[usize::from(cpu)], address, value);
    }

    fn pte_word(&self, flags: PteFlags, frame: u32, size: Size) -> u64 {
        B::pte_word(flags, frame, size)
    }

    fn pte_flags(&self, word: u64) -> PteFlags {
        B::pte_flags(word)
    }

    fn pte_frame(&self, word: u64) -> u32 {
        B::pte_frame(word)
    }

    fn pte_size(&self, word: u64) -> Size {
        B::pte_size(word)
    }
}
