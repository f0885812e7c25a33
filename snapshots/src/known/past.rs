//! What has happened in a run, as far as it is the cause of something: one pass over its events.
//!
//! It follows the calls by the tables of the generation ([`super::layer`]) and of the backend's hooks ([`super::hooks`]),
//! and what the callers have open by [`Legality`]; where the two differ about the mode, it remembers what made them differ.
//! A run that is not the one that the tables tell (another hook, another counter, a death that did not come) has left
//! them: from there on nothing is explained. Not here: the violations ([`super::explain`]).

mod switch;

use lazy_mmu_arches::page::{Mm, PteRef};
use lazy_mmu_core::kernel::BugSite;
use lazy_mmu_engine::contract::legality::Legality;
use lazy_mmu_engine::program::{Allocation, Block, CPUS, Op, TASKS};
use lazy_mmu_engine::trace::{Ask, Call, Counters, Event, Hook, Point, Refusal, What};

use super::cause::{Cause, Causes};
use super::form::{Form, Keeps, Layer, Switch};
use super::hooks::{Cpu, Thread};
use super::layer::{Plan, State};
use super::memory::Memory;

/// A call in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct InCall {
    pub(super) call: Call,
    /// Who makes it, and whose counters it moves.
    task: u8,
    about: u8,
    plan: Plan,
    /// Why it does what the contract does not expect.
    pub(super) cause: Causes,
    /// Its hook has run.
    hooked: bool,
    /// Its task was switched out before its end.
    switched: bool,
    bug: Option<BugSite>,
}

#[derive(Clone, Debug)]
struct Handler {
    cpu: u8,
    called: bool,
    cause: Causes,
    /// v2: its own state.
    state: State,
}

#[derive(Clone, Debug, Default)]
struct Task {
    state: State,
    thread: Thread,
    /// The `preempt_count` that the trace has shown.
    shown: i32,
    mm: u8,
    /// It has never run.
    new: bool,
    /// Why its mode, or its CPU's, is not what its callers expect.
    label: Causes,
    /// The same of its hooks and of its preempt_count.
    entered: bool,
    unpaired: Causes,
    preempt: Causes,
    /// Its counters as I1 takes them, and why they are not 0.
    last: (u8, u8),
    left: Causes,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) form: Form,
    tasks: Vec<Task>,
    cpus: [Cpu; CPUS as usize],
    /// Labels of CPUs, where the mode is the CPU's.
    labels: [Causes; CPUS as usize],
    /// Whether a CPU was left with the mode on when it was looked at last, and why.
    on: [(bool, Causes); CPUS as usize],
    calls: Vec<InCall>,
    handlers: Vec<Handler>,
    pub(super) legality: Legality,
    pub(super) memory: Memory,
    op: Option<(u32, Op)>,
    /// The task that was switched out last.
    pub(super) left_by: u8,
    /// The operation that empties a CPU's batch outside a section, and why what was in the batch had waited.
    emptied: Option<(u32, Causes)>,
    /// The operation that acts forces its change out, once the change itself has been looked at.
    forced: Option<u32>,
    /// A death that a switch must bring.
    bug: Option<(BugSite, Causes)>,
    stopped: bool,
    /// The run has left the tables.
    pub(super) astray: bool,
    /// The cause of what this event shows by itself.
    pub(super) now: Causes,
    /// The call that returns here has run no hook.
    pub(super) hookless: bool,
}

impl Past {
    pub(super) fn new(form: Form) -> Past {
        let task = |n: u8| Task { mm: 1 + n % 2, new: n >= 4, ..Task::default() };
        let mut memory = Memory::default();
        // T0, T1 and T2 belong to CPU 0, T3 to CPU 1; the even ones work in U, the odd ones in V.
        [(0, 1), (0, 2), (1, 2)].into_iter().for_each(|(cpu, mm)| memory.uses(cpu, Mm(mm)));
        Past {
            form,
            tasks: (0..TASKS).map(task).collect(),
            cpus: Default::default(),
            labels: Default::default(),
            on: Default::default(),
            calls: Vec::new(),
            handlers: Vec::new(),
            legality: Legality::default(),
            memory,
            op: None,
            left_by: 0,
            emptied: None,
            forced: None,
            bug: None,
            stopped: false,
            astray: false,
            now: Causes::NONE,
            hookless: false,
        }
    }

    /// Takes the next event in.
    pub(super) fn watch(&mut self, event: &Event) {
        self.now = Causes::NONE;
        if self.stopped {
            return;
        }
        let looked_at = matches!(event.what, What::Late(late) if late.point == Point::Use);
        if self.forced.is_some_and(|op| op != event.op || looked_at || matches!(event.what, What::Read { .. })) {
            self.forced = None;
            self.flush(event);
        }
        let was_active = self.legality.active(event.task);
        let was_paused = !was_active && !self.legality.is_outside(event.task);
        self.legality.watch(event);
        match event.what {
            What::Call(call, before) => self.begins(event, call, before, was_active, was_paused),
            What::Hook(hook, active) => self.hook(event, hook, Some(active)),
            What::IdleHook(hook) => self.hook(event, hook, None),
            What::Warn(_) | What::VmBug(_) => self.now = self.warned(),
            What::Bug(site) => self.died(site),
            What::Return(call, after) => self.ends(event, call, after),
            What::PreemptCount(count) => {
                let task = &mut self.tasks[usize::from(event.task)];
                task.shown = count;
                self.astray |= task.thread.preempt != count;
            }
            What::Op(op) => self.operation(event, op),
            What::Asked(at, n, ask) => self.asked(event, at, n, ask),
            What::Walk(at, _) => self.memory.walk(event.cpu, at),
            What::Reachable { at, cpu, .. } => self.reachable(event, at, cpu),
            What::Open(Block::Irq | Block::Softirq | Block::Nmi, _) => {
                self.handlers.push(Handler {
                    cpu: event.cpu,
                    called: false,
                    cause: Causes::NONE,
                    state: State::default(),
                });
            }
            What::Refused(Refusal::Masked) => {
                self.handlers.pop();
            }
            What::Close(Block::Irq | Block::Softirq | Block::Nmi, _) => self.handler_ends(),
            What::SwitchOut { next, counters } => self.switch_out(event, next, counters),
            What::SwitchIn { counters, .. } => self.switch_in(event, counters),
            What::Away { task, counters } => {
                self.tasks[usize::from(task)].state.pause = 1;
                self.check(task, counters);
            }
            What::Fork { child, counters } => self.fork(event, child, counters),
            What::Exit { task, counters } => {
                self.check(task, counters);
                let ending = &mut self.tasks[usize::from(task)];
                self.now = ending.label.and(ending.left);
                ending.last = (0, 0);
            }
            What::Mode { arch, task } => self.mode(event, arch, task),
            What::Stop(_) => self.stopped = true,
            _ => {}
        }
    }

    fn check(&mut self, task: u8, counters: Counters) {
        self.astray |= self.tasks[usize::from(task)].state.counters(self.form.layer) != counters;
    }

    /// Whether the mode is the CPU's and not the task's.
    fn is_cpus(&self) -> bool {
        self.form.keeps == Keeps::Batch && !self.form.layer.counts()
    }

    /// Why the mode that the task finds here is not what its callers expect.
    pub(super) fn label(&self, event: &Event) -> Causes {
        self.label_of(event.task, event.cpu)
    }

    fn label_of(&self, task: u8, cpu: u8) -> Causes {
        if self.is_cpus() { self.labels[usize::from(cpu)] } else { self.tasks[usize::from(task)].label }
    }

    fn label_mut(&mut self, task: u8, cpu: u8) -> &mut Causes {
        if self.is_cpus() { &mut self.labels[usize::from(cpu)] } else { &mut self.tasks[usize::from(task)].label }
    }

    fn in_handler(&self, cpu: u8) -> bool {
        self.handlers.iter().any(|handler| handler.cpu == cpu)
    }

    /// Whether a change made now waits, by the tables.
    pub(super) fn defers(&self, event: &Event) -> bool {
        let task = &self.tasks[usize::from(event.task)];
        let Form { layer, keeps } = self.form;
        match keeps {
            Keeps::Nothing => false,
            _ if !layer.counts() || self.form.has_cpu_mode() => {
                self.form.mode_is_on(&self.cpus[usize::from(event.cpu)], &task.thread, event.interrupt)
            }
            _ => task.state.active(layer) && !event.interrupt,
        }
    }

    /// Whose flag or batch a change waits for.
    pub(super) fn owner(&self, event: &Event) -> u8 {
        if self.form.keeps == Keeps::Flag { event.task } else { event.cpu }
    }

    // Calls.

    fn begins(&mut self, event: &Event, call: Call, before: Counters, was_active: bool, was_paused: bool) {
        let about = call.subject_of(event.task);
        self.check(about, before);
        let own = self.cause_of(event, call, was_active, was_paused);
        let layer = self.form.layer;
        let plan = self.state_of(event, about).call(layer, call, event.interrupt);
        let new = std::mem::take(&mut self.tasks[usize::from(about)].new);
        self.tasks[usize::from(about)].new = new && !event.below;
        let label = self.label_of(about, event.cpu);
        let own = own.and((new && event.below).then_some(Cause::NewTask)).and(plan.misled);
        let limit = plan.limit && !label.has(Cause::NewTask) && !own.has(Cause::NewTask);
        let cause = own.and(limit.then_some(Cause::Limit)).and(label);
        if !own.is_none() || limit {
            *self.label_mut(about, event.cpu) = cause;
        }
        if let Some(handler) = self.handlers.last_mut().filter(|handler| handler.cpu == event.cpu) {
            handler.called = true;
            handler.cause = cause.and(handler.cause);
        }
        let in_call = InCall { call, task: event.task, about, plan, cause, hooked: false, switched: false, bug: None };
        self.calls.push(in_call);
    }

    /// The state that a call moves: v2's tokens are on the callers' stacks, and a handler has its own.
    fn state_of(&mut self, event: &Event, about: u8) -> &mut State {
        let token = self.form.layer == Layer::Token;
        match self.handlers.iter_mut().rfind(|handler| token && handler.cpu == event.cpu) {
            Some(handler) => &mut handler.state,
            None => &mut self.tasks[usize::from(about)].state,
        }
    }

    /// What the call itself does that the generation does not expect of its callers.
    fn cause_of(&self, event: &Event, call: Call, was_active: bool, was_paused: bool) -> Causes {
        let Form { layer, keeps } = self.form;
        let active = self.legality.active(event.task);
        if layer == Layer::Counted || matches!(call, Call::TaskPause(_) | Call::TaskResume(_)) {
            return Causes::NONE;
        }
        if event.interrupt {
            let acts = !layer.counts() && !self.form.ignores(true);
            let cause = if self.in_handler(event.cpu) { Cause::HandlerCall } else { Cause::BottomHalves };
            return acts.then_some(cause).into();
        }
        let deep =
            keeps == Keeps::Batch && layer == Layer::Token && self.tasks[usize::from(event.task)].thread.preempt > 1;
        // To the hooks a section in a pause is one, and a pause in it is one in a section.
        let in_section = !layer.counts() && self.label(event).has(Cause::SectionInPause);
        let outside = Causes::from(Cause::PauseOutside).and(in_section.then_some(Cause::SectionInPause));
        let nested = keeps == Keeps::Queue(Switch::MarksNested) && self.cpus[usize::from(event.cpu)].is_nested();
        match call {
            Call::Enable | Call::Disable if was_paused => Cause::SectionInPause.into(),
            Call::Enable if was_active && layer == Layer::Stateless => Cause::InnerSection.into(),
            Call::Disable if active && layer == Layer::Stateless => Cause::InnerSection.into(),
            Call::Pause if !was_active => outside,
            Call::Resume if !active => outside,
            Call::Pause if nested || deep => Cause::NestedPause.into(),
            _ => Causes::NONE,
        }
    }

    /// A hook is called, with what the query answers there; with none it is one that changes nothing.
    fn hook(&mut self, event: &Event, hook: Hook, active: Option<bool>) {
        let Some(mut call) = self.calls.pop() else {
            self.astray = true;
            return;
        };
        let Form { layer, .. } = self.form;
        let by_switch = event.below && matches!(call.call, Call::TaskPause(_) | Call::TaskResume(_));
        let (task, cpu) = (&mut self.tasks[usize::from(event.task)], &mut self.cpus[usize::from(event.cpu)]);
        let preempt = task.thread.preempt;
        let was_on = self.form.mode_is_on(cpu, &task.thread, event.interrupt);
        let shown = if layer.counts() { task.state.active(layer) && !event.interrupt } else { was_on };
        let ignored = !layer.counts() && self.form.ignores(event.interrupt);
        let done = self.form.hook(hook, call.plan.nested, cpu, &mut task.thread, event.interrupt);
        let idle = ignored || (done.nested && layer == Layer::Token);
        self.astray |= call.hooked || call.plan.hook != Some(hook) || idle != active.is_none();
        self.astray |= active.is_some_and(|active| active != shown);
        call.hooked = true;
        call.plan.nested = done.nested;
        call.bug = done.bug;
        if call.switched && call.bug.is_some() {
            call.cause = Causes::from(Cause::BetweenHalves).and(call.cause);
        }
        self.released(event, done.released, done.kept);
        if active.is_some() && !by_switch {
            self.paired(event, hook, shown, &call);
        }
        let task = &mut self.tasks[usize::from(event.task)];
        if task.thread.preempt != preempt {
            task.preempt = call.cause.and(task.preempt);
        }
        self.calls.push(call);
    }

    /// As I2 sees hooks: which have no partner, and why.
    fn paired(&mut self, event: &Event, hook: Hook, shown: bool, call: &InCall) {
        let label = self.label_of(call.about, event.cpu);
        let task = &mut self.tasks[usize::from(call.about)];
        let cause = call.cause.and(label).and(task.unpaired);
        let enters = hook == Hook::Enter;
        if task.entered == enters || (!self.form.layer.counts() && shown == enters) || !call.cause.is_none() {
            task.unpaired = cause;
        }
        self.now = cause;
        task.entered = if hook == Hook::Flush { task.entered } else { enters };
    }

    fn released(&mut self, event: &Event, released: bool, kept: bool) {
        let owner = self.owner(event);
        if released {
            self.memory.release(owner);
        }
        if kept {
            self.memory.keeps(owner, Cause::EmptyFlush);
        }
    }

    fn warned(&self) -> Causes {
        let call = self.calls.last().filter(|call| call.plan.limit || call.plan.warns);
        call.map(|call| call.cause).unwrap_or_default()
    }

    fn died(&mut self, site: BugSite) {
        let by_call = self.calls.last().filter(|call| call.bug == Some(site)).map(|call| call.cause);
        self.now = match self.bug.take() {
            Some((bug, cause)) if bug == site => cause,
            _ => by_call.unwrap_or_default(),
        };
    }

    fn ends(&mut self, event: &Event, call: Call, after: Counters) {
        let Some(done) = self.calls.pop().filter(|begun| begun.call == call) else {
            self.astray = true;
            return;
        };
        let layer = self.form.layer;
        let about = usize::from(done.about);
        self.astray |= done.hooked != done.plan.hook.is_some() || done.bug.is_some();
        if done.plan.marks_later {
            self.tasks[about].state.mark(call);
        }
        if layer == Layer::Token && call == Call::Enable {
            let why = self.label_of(done.about, event.cpu).only_if(done.plan.nested);
            let tokens = &mut self.state_of(event, done.about).tokens;
            // More are not kept.
            if tokens.len() < 255 {
                tokens.push((done.plan.nested, why));
            }
        }
        self.check(done.about, after);
        let task = &mut self.tasks[usize::from(done.task)];
        // Of a call of a handler between the halves of the task's own, the count is shown at the end of that.
        let outermost = self.calls.iter().all(|call| call.task != done.task);
        self.astray |= outermost && task.shown != task.thread.preempt;
        if done.switched && self.form.has_cpu_mode() {
            let label = self.label_mut(done.about, event.cpu);
            *label = Causes::from(Cause::BetweenHalves).and(*label);
        }
        (self.now, self.hookless) = (done.cause, !done.hooked);
        if !event.below {
            self.settle(done.about, event);
            let label = self.label_of(done.about, event.cpu);
            let task = &mut self.tasks[about];
            (task.last, task.left) = ((after.enable, after.pause), label.and(done.cause));
        }
    }

    /// Where all is as the callers expect again, the past is forgotten.
    fn settle(&mut self, task: u8, event: &Event) {
        let outside = self.legality.is_outside(task);
        let state = &self.tasks[usize::from(task)];
        let counters = state.state.counters(self.form.layer);
        let zero = self.form.layer == Layer::Token || counters == Counters::default();
        let on = self.form.mode_is_on(&self.cpus[usize::from(event.cpu)], &state.thread, false);
        let preempted = state.thread.preempt != 0;
        // A token that was given while the mode was left on is still out.
        let out = self.form.layer == Layer::Token && self.tasks.iter().any(|task| !task.state.tokens.is_empty());
        if outside && zero && !on && !out && !event.interrupt {
            *self.label_mut(task, event.cpu) = Causes::NONE;
        }
        let state = &mut self.tasks[usize::from(task)];
        if outside && !preempted {
            state.preempt = Causes::NONE;
        }
        if outside && !state.entered {
            state.unpaired = Causes::NONE;
        }
    }

    // Operations.

    fn operation(&mut self, event: &Event, op: Op) {
        self.op = Some((event.op, op));
        let mid_call = self.calls.iter().any(|call| call.task == event.task) && !self.in_handler(event.cpu);
        if mid_call {
            return;
        }
        match op {
            Op::Flush => self.flush(event),
            Op::TlbFlush(pages) | Op::GatherFlush(pages) => {
                let queue = matches!(self.form.keeps, Keeps::Queue(_));
                let queued = queue && self.defers(event);
                if queue && !queued {
                    self.memory.release(event.cpu);
                }
                let cause = if queued { self.deferring(event) } else { Causes::NONE };
                self.memory.flush(event.cpu, pages, queued, cause);
            }
            _ => {}
        }
    }

    /// `arch_flush_lazy_mmu_mode()` from outside the generic layer.
    fn flush(&mut self, event: &Event) {
        let (task, cpu) = (&mut self.tasks[usize::from(event.task)], &mut self.cpus[usize::from(event.cpu)]);
        let done = self.form.hook(Hook::Flush, false, cpu, &mut task.thread, event.interrupt);
        self.emptied = Some((event.op, self.memory.waits_for(self.owner(event))));
        self.released(event, done.released, done.kept);
    }

    /// Why what the event's operation takes from a batch had waited there.
    pub(super) fn emptied(&self, event: &Event) -> Causes {
        if self.forced == Some(event.op) {
            return self.memory.waits_for(self.owner(event));
        }
        self.emptied.filter(|(at, _)| *at == event.op).map(|(_, causes)| causes).unwrap_or_default()
    }

    fn acting(&self, event: &Event) -> Option<Op> {
        self.op.filter(|(at, _)| *at == event.op).map(|(_, op)| op)
    }

    fn asked(&mut self, event: &Event, at: PteRef, n: u16, ask: Ask) {
        let queue = matches!(self.form.keeps, Keeps::Queue(_));
        // What is mapped for use at once is forced out before its operation ends.
        let forced = match self.acting(event) {
            Some(Op::Fault(_)) => true,
            Some(Op::Kmap(_) | Op::Kunmap(_)) => queue,
            Some(Op::Alloc(_, Allocation::Debug) | Op::Free(_, Allocation::Debug)) => queue,
            _ => false,
        };
        let waits = self.defers(event);
        if ask != Ask::Wrprotect {
            self.memory.renews(at, n);
        }
        // What waits is older: this change was made from what memory said, or is made before that.
        if queue && (ask == Ask::Wrprotect || !waits) {
            self.memory.loses(at, n);
        }
        self.forced = forced.then_some(event.op);
        let barriers = at.mm.is_kernel() && matches!(ask, Ask::Map(_));
        if !waits || (self.form.keeps == Keeps::Flag && !barriers) {
            return;
        }
        let cause = self.deferring(event);
        if let Some(handler) = self.handlers.last_mut().filter(|handler| handler.cpu == event.cpu) {
            handler.cause = handler.cause.and(cause);
        }
        self.memory.hold(self.owner(event), at, n, cause);
    }

    /// Why a change waits though its callers may not expect that.
    fn deferring(&self, event: &Event) -> Causes {
        if self.legality.may_defer(event) {
            return Causes::NONE;
        }
        let label = self.label(event);
        if event.interrupt {
            let handler = self.handlers.last().filter(|handler| handler.cpu == event.cpu);
            let own = match handler {
                Some(handler) if handler.called => Cause::HandlerCall,
                Some(_) => Cause::HandlerChange,
                None => Cause::BottomHalves,
            };
            return label.and(own);
        }
        let left_on = self.form.layer.counts() && (label.has(Cause::PauseOutside) || label.has(Cause::SectionInPause));
        if left_on { Causes::from(Cause::LeftOn).and(label) } else { label }
    }

    fn reachable(&mut self, event: &Event, at: PteRef, cpu: u8) {
        let queue = matches!(self.form.keeps, Keeps::Queue(_));
        match self.acting(event) {
            Some(Op::GatherFlush(pages)) if queue && self.defers(event) => {
                self.now = Cause::QueuedGather.into();
                pages.each_run(|at, n| self.memory.frees(at, n, None, Cause::QueuedGather));
            }
            _ if event.below && cpu != event.cpu && at.mm.is_kernel() => {
                self.now = Cause::OneCpuFlush.into();
                self.memory.frees(at, 1, Some(cpu), Cause::OneCpuFlush);
            }
            _ => {}
        }
    }

    /// What a handler leaves behind, the handler that it interrupted leaves behind too.
    fn handler_ends(&mut self) {
        let Some(ended) = self.handlers.pop() else { return };
        if let Some(outer) = self.handlers.last_mut().filter(|outer| outer.cpu == ended.cpu) {
            outer.cause = outer.cause.and(ended.cause);
        }
        self.now = ended.cause;
    }

    // Tasks.

    fn mode(&mut self, event: &Event, arch: bool, task: Option<bool>) {
        let state = &self.tasks[usize::from(event.task)];
        let keeps_mode = !self.form.layer.counts() || self.form.has_cpu_mode();
        let on = self.form.mode_is_on(&self.cpus[usize::from(event.cpu)], &state.thread, event.interrupt);
        self.astray |= keeps_mode && on != arch;
        self.astray |= task.is_some_and(|task| task != state.state.active(self.form.layer));
        self.now = self.label(event);
        if task.is_none() {
            self.on[usize::from(event.cpu)] = (arch, self.label(event));
        }
    }

    // What the violations are asked of.

    /// The innermost call in progress.
    pub(super) fn in_call(&self) -> Option<&InCall> {
        self.calls.last()
    }

    /// Why the task's preempt_count is not what its callers expect.
    pub(super) fn preempted(&self, task: u8) -> Causes {
        self.tasks[usize::from(task)].preempt
    }

    /// Why tasks and CPUs are left as they are at the end of the program: only if all have a reason.
    pub(super) fn left(&self) -> Causes {
        let tasks = self.tasks.iter().filter(|task| task.last != (0, 0)).map(|task| task.left);
        let cpus = self.on.iter().filter(|on| on.0).map(|on| on.1);
        let all: Vec<Causes> = tasks.chain(cpus).collect();
        let known = all.iter().all(|causes| !causes.is_none());
        all.into_iter().fold(Causes::NONE, Causes::and).only_if(known)
    }
}
