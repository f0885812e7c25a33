//! A bench for one call of the counted generation at a time: the least kernel that the generic layer can run on.
//!
//! It answers what the generic layer asks (who runs, whether in interrupt context), lets one thing happen at a call's
//! scheduling point, and writes down calls, hooks and warnings as events. There is no memory and no processor: the
//! backend `none` asks for neither between the halves of a call. Not here: which calls, and what is right. Called by the
//! closed space.

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::Insn;
use lazy_mmu_arches::page::{Mm, PteRef};
use lazy_mmu_core::kernel::{BugSite, WarnSite};
use lazy_mmu_engine::subject::{Depths, Env, Subject};
use lazy_mmu_engine::trace::{Call, Counters, Event, Hook, What};

/// The task whose counters are followed.
pub(super) const SELF: u8 = 0;
/// The one that runs while that is switched out.
pub(super) const OTHER: u8 = 1;

/// What happens at a call's scheduling point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Injection {
    /// An interrupt whose handler makes the call.
    Interrupt(Call),
    /// The task is preempted by another, which makes the call and goes.
    Preempted(Call),
}

/// See the module.
pub(super) struct Bench<'s> {
    subject: &'s dyn Subject,
    task: u8,
    interrupt: bool,
    injection: Option<Injection>,
    /// How deep in calls.
    depth: u32,
    /// Whether the outermost call came to its scheduling point.
    reached: bool,
    /// What the backend took of preempt_count, which `none` leaves alone.
    preempt: i32,
    events: Vec<Event>,
}

impl<'s> Bench<'s> {
    pub(super) fn new(subject: &'s dyn Subject) -> Bench<'s> {
        subject.reset();
        Bench {
            subject,
            task: SELF,
            interrupt: false,
            injection: None,
            depth: 0,
            reached: false,
            preempt: 0,
            events: Vec::new(),
        }
    }

    /// Brings a task's counters to these values by its own calls, the shortest way; whether they are there.
    pub(super) fn bring(&mut self, task: u8, enable: u8, pause: u8) -> bool {
        let subject = self.subject;
        (self.task, self.interrupt, self.injection) = (task, false, None);
        let at = subject.counters(task);
        if at.enable != enable {
            // Sections count outside pauses alone.
            self.times(Call::Resume, at.pause);
            self.times(Call::Enable, enable.saturating_sub(at.enable));
            self.times(Call::Disable, at.enable.saturating_sub(enable));
        }
        let at = subject.counters(task);
        self.times(Call::Pause, pause.saturating_sub(at.pause));
        self.times(Call::Resume, at.pause.saturating_sub(pause));
        let at = subject.counters(task);
        self.task = SELF;
        self.events.clear();
        (at.enable, at.pause) == (enable, pause)
    }

    fn times(&mut self, call: Call, n: u8) {
        for _ in 0..n {
            self.subject.call(self, call);
        }
    }

    /// One call by a task in a context; whether it came to its scheduling point. Its events are kept.
    pub(super) fn make(&mut self, call: Call, task: u8, interrupt: bool, injection: Option<Injection>) -> bool {
        (self.task, self.interrupt, self.injection) = (task, interrupt, injection);
        (self.depth, self.reached) = (0, false);
        // What the model knows of the counters is what they are.
        for task in [SELF, OTHER] {
            self.emit(What::Away { task, counters: self.subject.counters(task) });
        }
        self.call(call);
        (self.task, self.interrupt) = (SELF, false);
        self.reached
    }

    fn call(&mut self, call: Call) {
        let subject = self.subject;
        let about = call.subject_of(self.task);
        self.depth += 1;
        self.emit(What::Call(call, subject.counters(about)));
        subject.call(self, call);
        self.emit(What::Return(call, subject.counters(about)));
        self.depth -= 1;
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(super) fn counters(&self, task: u8) -> Counters {
        self.subject.counters(task)
    }

    fn emit(&mut self, what: What) {
        // Each call is a site of its own: no warning is kept quiet because it came before.
        let op = self.events.len() as u32;
        self.events.push(Event { op, cpu: 0, task: self.task, interrupt: self.interrupt, below: false, what });
    }
}

impl Env for Bench<'_> {
    fn cpu(&self) -> u8 {
        0
    }

    fn cpus(&self) -> u8 {
        1
    }

    fn current(&self) -> u8 {
        self.task
    }

    fn in_interrupt(&self) -> bool {
        self.interrupt
    }

    fn depths(&self) -> Depths {
        let interrupt = self.interrupt.into();
        Depths {
            preempt: self.preempt.clamp(0, 255) as u8,
            hardirq: interrupt,
            irqs_off: interrupt,
            ..Depths::default()
        }
    }

    fn preempt_disable(&mut self) {
        self.preempt += 1;
    }

    fn preempt_enable(&mut self) {
        self.preempt -= 1;
    }

    fn local_irq_save(&mut self) {}

    fn local_irq_restore(&mut self) {}

    fn warn_once(&mut self, site: WarnSite) {
        self.emit(What::Warn(site));
    }

    fn vm_bug(&mut self, site: WarnSite) {
        self.emit(What::VmBug(site));
    }

    fn bug(&mut self, site: BugSite) {
        self.emit(What::Bug(site));
    }

    fn schedule_point(&mut self) {
        if self.depth != 1 {
            return;
        }
        self.reached = true;
        let (task, interrupt) = (self.task, self.interrupt);
        match self.injection.take() {
            Some(Injection::Interrupt(call)) => {
                self.interrupt = true;
                self.call(call);
            }
            Some(Injection::Preempted(call)) => {
                self.task = OTHER;
                self.call(call);
            }
            None => {}
        }
        (self.task, self.interrupt) = (task, interrupt);
    }

    fn hook(&mut self, hook: Hook, active: bool) {
        self.emit(What::Hook(hook, active));
    }

    fn idle_hook(&mut self, hook: Hook) {
        self.emit(What::IdleHook(hook));
    }

    fn handler(&self) -> Option<(u16, u32)> {
        None
    }

    fn nested_call(&mut self, call: Call) {
        self.emit(What::Call(call, self.subject.counters(call.subject_of(self.task))));
    }

    fn nested_return(&mut self, call: Call) {
        self.emit(What::Return(call, self.subject.counters(call.subject_of(self.task))));
    }

    fn pte_load(&mut self, _at: PteRef) -> u64 {
        0
    }

    fn pte_store(&mut self, _at: PteRef, _word: u64) {}

    fn execute(&mut self, _insn: Insn) -> u64 {
        0
    }

    fn is_thread_local(&self, _mm: Mm) -> bool {
        false
    }

    fn is_context_valid(&self, _mm: Mm) -> bool {
        true
    }

    fn note(&mut self, _note: Note) {}
}
