//! Bending at the object's boundary: between machine and subject ([`Bent`]), and between subject and machine
//! ([`Filter`]).
//!
//! A [`Bend`] has one method for each that a subject offers and for each that it asks of the machine; by default each
//! hands on. A specimen overrides one of them, and wraps a faithful subject without that subject knowing. Not here:
//! bending inside a generation or a backend (`types`), and what is bent (the families). Used by the families alone.

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Isa};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PteFlags, PteRef, Range, Size};
use lazy_mmu_core::kernel::{BugSite, WarnSite};

use lazy_mmu_abi::subject::{Depths, Env, Subject};
use lazy_mmu_abi::trace::{Call, Counters, Hook};

/// What is bent: by default nothing.
///
/// `to` is the faithful subject, `env` what it gets for a machine, or the machine itself. What a bend keeps between its
/// methods it puts back in [`Bend::reset`]; a call may come while another is in progress, so it is kept in cells.
pub trait Bend {
    /// Before each run: what the bend keeps goes back to how it was made.
    fn reset(&self) {}

    /// A digest of what the bend keeps, for [`Subject::fingerprint`].
    fn fingerprint(&self) -> u64 {
        0
    }

    /// [`Subject::fork`]
    fn fork(&self, to: &dyn Subject, parent: u8, child: u8) {
        to.fork(parent, child);
    }

    /// [`Subject::call`]
    fn call(&self, to: &dyn Subject, env: &mut dyn Env, call: Call) {
        to.call(env, call);
    }

    /// [`Subject::is_active`]
    fn is_active(&self, to: &dyn Subject, env: &mut dyn Env) -> bool {
        to.is_active(env)
    }

    /// [`Subject::counters`]
    fn counters(&self, to: &dyn Subject, task: u8) -> Counters {
        to.counters(task)
    }

    /// [`Subject::flush`]
    fn flush(&self, to: &dyn Subject, env: &mut dyn Env) {
        to.flush(env);
    }

    /// [`Subject::set_ptes`]
    fn set_ptes(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        to.set_ptes(env, at, word, n);
    }

    /// [`Subject::clear_pte`]
    fn clear_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) -> u64 {
        to.clear_pte(env, at)
    }

    /// [`Subject::wrprotect_pte`]
    fn wrprotect_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) {
        to.wrprotect_pte(env, at);
    }

    /// [`Subject::get_pte`]
    fn get_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) -> u64 {
        to.get_pte(env, at)
    }

    /// [`Subject::flush_tlb_range`]
    fn flush_tlb_range(&self, to: &dyn Subject, env: &mut dyn Env, range: Range) {
        to.flush_tlb_range(env, range);
    }

    /// [`Subject::gather_flush`]
    fn gather_flush(&self, to: &dyn Subject, env: &mut dyn Env, range: Range) {
        to.gather_flush(env, range);
    }

    /// [`Subject::map_linear_page`]
    fn map_linear_page(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, word: Option<u64>) {
        to.map_linear_page(env, at, word);
    }

    /// [`Subject::start_context_switch`]
    fn start_context_switch(&self, to: &dyn Subject, env: &mut dyn Env, prev: u8) {
        to.start_context_switch(env, prev);
    }

    /// [`Subject::end_context_switch`]
    fn end_context_switch(&self, to: &dyn Subject, env: &mut dyn Env, next: u8) {
        to.end_context_switch(env, next);
    }

    /// [`Subject::arch_mode`]
    fn arch_mode(&self, to: &dyn Subject, env: &mut dyn Env) -> Option<bool> {
        to.arch_mode(env)
    }

    /// [`Subject::guest_load`]
    fn guest_load(&self, to: &dyn Subject, cpu: u8, address: u64) -> u64 {
        to.guest_load(cpu, address)
    }

    /// [`Subject::pte_word`]
    fn pte_word(&self, to: &dyn Subject, flags: PteFlags, frame: u32, size: Size) -> u64 {
        to.pte_word(flags, frame, size)
    }

    /// [`Env::in_interrupt`]
    fn in_interrupt(&self, env: &dyn Env) -> bool {
        env.in_interrupt()
    }

    /// [`Env::preempt_disable`]
    fn preempt_disable(&self, env: &mut dyn Env) {
        env.preempt_disable();
    }

    /// [`Env::preempt_enable`]
    fn preempt_enable(&self, env: &mut dyn Env) {
        env.preempt_enable();
    }

    /// [`Env::warn_once`]
    fn warn_once(&self, env: &mut dyn Env, site: WarnSite) {
        env.warn_once(site);
    }

    /// [`Env::hook`]: it can only be watched; to leave it out is another trace and not another subject.
    fn hook(&self, hook: Hook) {
        let _ = hook;
    }

    /// [`Env::pte_load`]
    fn pte_load(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        env.pte_load(at)
    }

    /// [`Env::pte_store`]
    fn pte_store(&self, env: &mut dyn Env, at: PteRef, word: u64) {
        env.pte_store(at, word);
    }

    /// [`Env::execute`]
    fn execute(&self, env: &mut dyn Env, insn: Insn) -> u64 {
        env.execute(insn)
    }

    /// [`Env::is_thread_local`]
    fn is_thread_local(&self, env: &dyn Env, mm: Mm) -> bool {
        env.is_thread_local(mm)
    }

    /// [`Env::is_context_valid`]
    fn is_context_valid(&self, env: &dyn Env, mm: Mm) -> bool {
        env.is_context_valid(mm)
    }
}

/// A faithful subject with one thing bent.
pub struct Bent<B: Bend> {
    to: Box<dyn Subject>,
    bend: B,
}

impl<B: Bend> Bent<B> {
    /// Wraps a subject.
    #[must_use]
    pub fn new(to: Box<dyn Subject>, bend: B) -> Bent<B> {
        Bent { to, bend }
    }

    fn filter<'a>(&'a self, env: &'a mut dyn Env) -> Filter<'a> {
        Filter { env, bend: &self.bend }
    }
}

impl<B: Bend> Subject for Bent<B> {
    fn isa(&self) -> Option<Isa> {
        self.to.isa()
    }

    fn mmu(&self) -> Mmu {
        self.to.mmu()
    }

    fn has_one_base_size(&self) -> bool {
        self.to.has_one_base_size()
    }

    fn reset(&self) {
        self.bend.reset();
        self.to.reset();
    }

    fn reset_cpus(&self) {
        self.to.reset_cpus();
    }

    fn keeps_counters(&self) -> bool {
        self.to.keeps_counters()
    }

    fn fork(&self, parent: u8, child: u8) {
        self.bend.fork(&*self.to, parent, child);
    }

    fn fingerprint(&self) -> u64 {
        lazy_mmu_arches::backend::mix(self.to.fingerprint(), self.bend.fingerprint())
    }

    fn executed(&self) -> u64 {
        self.to.executed()
    }

    fn call(&self, env: &mut dyn Env, call: Call) {
        self.bend.call(&*self.to, &mut self.filter(env), call);
    }

    fn is_active(&self, env: &mut dyn Env) -> bool {
        self.bend.is_active(&*self.to, &mut self.filter(env))
    }

    fn counters(&self, task: u8) -> Counters {
        self.bend.counters(&*self.to, task)
    }

    fn flush(&self, env: &mut dyn Env) {
        self.bend.flush(&*self.to, &mut self.filter(env));
    }

    fn set_ptes(&self, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        self.bend.set_ptes(&*self.to, &mut self.filter(env), at, word, n);
    }

    fn clear_pte(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        self.bend.clear_pte(&*self.to, &mut self.filter(env), at)
    }

    fn wrprotect_pte(&self, env: &mut dyn Env, at: PteRef) {
        self.bend.wrprotect_pte(&*self.to, &mut self.filter(env), at);
    }

    fn get_pte(&self, env: &mut dyn Env, at: PteRef) -> u64 {
        self.bend.get_pte(&*self.to, &mut self.filter(env), at)
    }

    fn flush_tlb_range(&self, env: &mut dyn Env, range: Range) {
        self.bend.flush_tlb_range(&*self.to, &mut self.filter(env), range);
    }

    fn gather_flush(&self, env: &mut dyn Env, range: Range) {
        self.bend.gather_flush(&*self.to, &mut self.filter(env), range);
    }

    fn map_linear_page(&self, env: &mut dyn Env, at: PteRef, word: Option<u64>) {
        self.bend.map_linear_page(&*self.to, &mut self.filter(env), at, word);
    }

    fn start_context_switch(&self, env: &mut dyn Env, prev: u8) {
        self.bend.start_context_switch(&*self.to, &mut self.filter(env), prev);
    }

    fn end_context_switch(&self, env: &mut dyn Env, next: u8) {
        self.bend.end_context_switch(&*self.to, &mut self.filter(env), next);
    }

    fn arch_mode(&self, env: &mut dyn Env) -> Option<bool> {
        self.bend.arch_mode(&*self.to, &mut self.filter(env))
    }

    fn deferred(&self, cpu: u8, task: u8) -> Deferred {
        self.to.deferred(cpu, task)
    }

    fn guest_load(&self, cpu: u8, address: u64) -> u64 {
        self.bend.guest_load(&*self.to, cpu, address)
    }

    fn guest_store(&self, cpu: u8, address: u64, value: u64) {
        self.to.guest_store(cpu, address, value);
    }

    fn pte_word(&self, flags: PteFlags, frame: u32, size: Size) -> u64 {
        self.bend.pte_word(&*self.to, flags, frame, size)
    }

    fn pte_flags(&self, word: u64) -> PteFlags {
        self.to.pte_flags(word)
    }

    fn pte_frame(&self, word: u64) -> u32 {
        self.to.pte_frame(word)
    }

    fn pte_size(&self, word: u64) -> Size {
        self.to.pte_size(word)
    }
}

/// The machine as a bent subject's inner one sees it.
pub struct Filter<'a> {
    env: &'a mut dyn Env,
    bend: &'a dyn Bend,
}

impl Env for Filter<'_> {
    fn cpu(&self) -> u8 {
        self.env.cpu()
    }

    fn cpus(&self) -> u8 {
        self.env.cpus()
    }

    fn current(&self) -> u8 {
        self.env.current()
    }

    fn in_interrupt(&self) -> bool {
        self.bend.in_interrupt(self.env)
    }

    fn depths(&self) -> Depths {
        self.env.depths()
    }

    fn preempt_disable(&mut self) {
        self.bend.preempt_disable(self.env);
    }

    fn preempt_enable(&mut self) {
        self.bend.preempt_enable(self.env);
    }

    fn local_irq_save(&mut self) {
        self.env.local_irq_save();
    }

    fn local_irq_restore(&mut self) {
        self.env.local_irq_restore();
    }

    fn warn_once(&mut self, site: WarnSite) {
        self.bend.warn_once(self.env, site);
    }

    fn vm_bug(&mut self, site: WarnSite) {
        self.env.vm_bug(site);
    }

    fn bug(&mut self, site: BugSite) {
        self.env.bug(site);
    }

    fn schedule_point(&mut self) {
        self.env.schedule_point();
    }

    fn hook(&mut self, hook: Hook, active: bool) {
        self.env.hook(hook, active);
        self.bend.hook(hook);
    }

    fn idle_hook(&mut self, hook: Hook) {
        self.env.idle_hook(hook);
    }

    fn handler(&self) -> Option<(u16, u32)> {
        self.env.handler()
    }

    fn nested_call(&mut self, call: Call) {
        self.env.nested_call(call);
    }

    fn nested_return(&mut self, call: Call) {
        self.env.nested_return(call);
    }

    fn pte_load(&mut self, at: PteRef) -> u64 {
        self.bend.pte_load(self.env, at)
    }

    fn pte_store(&mut self, at: PteRef, word: u64) {
        self.bend.pte_store(self.env, at, word);
    }

    fn execute(&mut self, insn: Insn) -> u64 {
        self.bend.execute(self.env, insn)
    }

    fn is_thread_local(&self, mm: Mm) -> bool {
        self.bend.is_thread_local(self.env, mm)
    }

    fn is_context_valid(&self, mm: Mm) -> bool {
        self.bend.is_context_valid(self.env, mm)
    }

    fn note(&mut self, note: Note) {
        self.env.note(note);
    }
}
