//! Bending inside: a generation with one call of its own ([`Other`]), a backend with one method of its own ([`Form`]).
//!
//! For what never crosses the object's boundary: which hook a call runs, what the one question answers, what a hook or a
//! PTE operation does to the batch. A specimen implements [`Counting`] or [`Hooked`] and overrides one method; the rest is
//! the faithful code's. Not here: what is bent (the families). Used by the families, and by [`crate::corrected`].

use std::marker::PhantomData;

use lazy_mmu_arches::backend::{Backend, Deferred};
use lazy_mmu_arches::context::Context;
use lazy_mmu_arches::insn::Isa;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{PteFlags, PteRef, Range, Size};
use lazy_mmu_core::generation::counted;
use lazy_mmu_core::hooks::Hooks;
use lazy_mmu_core::kernel::TaskState;
use lazy_mmu_core::state::LazyMmuState;

use crate::adapter::{Cx, Generation, Ours};
use crate::generations::Counted;
use lazy_mmu_abi::subject::{Port, Subject};
use lazy_mmu_abi::trace::{Call, Counters};

/// The counted generation, by default as it is.
pub trait Counting {
    /// `lazy_mmu_mode_enable()`
    fn enable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        counted::lazy_mmu_mode_enable(cx);
    }

    /// `lazy_mmu_mode_disable()`
    fn disable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        counted::lazy_mmu_mode_disable(cx);
    }

    /// `lazy_mmu_mode_pause()`
    fn pause<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        counted::lazy_mmu_mode_pause(cx);
    }

    /// `lazy_mmu_mode_resume()`
    fn resume<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
        counted::lazy_mmu_mode_resume(cx);
    }

    /// `is_lazy_mmu_mode_active()`
    fn is_active<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
        counted::is_lazy_mmu_mode_active(cx)
    }
}

/// The counted generation as `W` has it.
pub struct Other<W>(PhantomData<W>);

impl<W: Counting, B: Backend> Generation<B> for Other<W> {
    type State = LazyMmuState;
    const KEEPS_COUNTERS: bool = true;

    fn call(cx: &mut Cx<'_, '_, Self, B>, call: Call) {
        match call {
            Call::Enable => W::enable(cx),
            Call::Disable => W::disable(cx),
            Call::Pause => W::pause(cx),
            Call::Resume => W::resume(cx),
            Call::TaskPause(task) => counted::task_lazy_mmu_mode_pause(cx, task),
            Call::TaskResume(task) => counted::task_lazy_mmu_mode_resume(cx, task),
        }
    }

    fn is_active(cx: &Cx<'_, '_, Self, B>) -> bool {
        W::is_active(cx)
    }

    fn task_active(cx: &Cx<'_, '_, Self, B>, task: u8) -> bool {
        counted::task_lazy_mmu_mode_active(cx, task)
    }

    fn counters(state: &LazyMmuState) -> Counters {
        <Counted as Generation<B>>::counters(state)
    }

    fn copy(from: Option<&LazyMmuState>, to: &LazyMmuState) {
        <Counted as Generation<B>>::copy(from, to);
    }
}

/// A subject of the counted generation as `W` has it.
pub fn counting<W: Counting + 'static, B: Backend + 'static>(port: Port) -> Box<dyn Subject> {
    Box::new(Ours::<Other<W>, B>::new(port))
}

/// A backend, by default [`Hooked::Base`].
pub trait Hooked {
    /// The faithful one.
    type Base: Backend;

    /// [`Backend::enter`]
    fn enter<C: At<Self::Base>>(cx: &mut C) {
        Self::Base::enter(cx);
    }

    /// [`Backend::flush`]
    fn flush<C: At<Self::Base>>(cx: &mut C) {
        Self::Base::flush(cx);
    }

    /// [`Backend::leave`]
    fn leave<C: At<Self::Base>>(cx: &mut C) {
        Self::Base::leave(cx);
    }

    /// [`Backend::set_ptes`]
    fn set_ptes<C: At<Self::Base>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        Self::Base::set_ptes(cx, at, word, n);
    }

    /// [`Backend::clear_pte`]
    fn clear_pte<C: At<Self::Base>>(cx: &mut C, at: PteRef) -> u64 {
        Self::Base::clear_pte(cx, at)
    }

    /// [`Backend::wrprotect_pte`]
    fn wrprotect_pte<C: At<Self::Base>>(cx: &mut C, at: PteRef) {
        Self::Base::wrprotect_pte(cx, at);
    }

    /// [`Backend::gather_flush`]
    fn gather_flush<C: At<Self::Base>>(cx: &mut C, range: Range) {
        Self::Base::gather_flush(cx, range);
    }

    /// [`Backend::map_linear_page`]
    fn map_linear_page<C: At<Self::Base>>(cx: &mut C, at: PteRef, word: Option<u64>) {
        Self::Base::map_linear_page(cx, at, word);
    }

    /// [`Backend::guest_load`]
    fn guest_load(cpu: &<Self::Base as Backend>::PerCpu, address: u64) -> u64 {
        Self::Base::guest_load(cpu, address)
    }

    /// [`Backend::flush_tlb_range`]
    fn flush_tlb_range<C: At<Self::Base>>(cx: &mut C, range: Range) {
        Self::Base::flush_tlb_range(cx, range);
    }

    /// [`Backend::start_context_switch`]
    fn start_context_switch<C: At<Self::Base>>(cx: &mut C, prev: C::Task) {
        Self::Base::start_context_switch(cx, prev);
    }

    /// [`Backend::end_context_switch`]
    fn end_context_switch<C: At<Self::Base>>(cx: &mut C, next: C::Task) {
        Self::Base::end_context_switch(cx, next);
    }

    /// [`Backend::arch_mode`]
    fn arch_mode<C: At<Self::Base>>(cx: &C) -> Option<bool> {
        Self::Base::arch_mode(cx)
    }

    /// [`Backend::ignores_hooks`]
    fn ignores_hooks<C: At<Self::Base>>(cx: &C) -> bool {
        Self::Base::ignores_hooks(cx)
    }
}

/// A context that keeps a backend's state.
pub trait At<B: Backend>: Context<PerCpu = B::PerCpu, Thread = B::Thread> {}

impl<B: Backend, C: Context<PerCpu = B::PerCpu, Thread = B::Thread>> At<B> for C {}

/// The backend as `W` has it.
pub struct Form<W>(PhantomData<W>);

impl<W: Hooked> Backend for Form<W> {
    const NAME: &'static str = W::Base::NAME;
    const ISA: Option<Isa> = W::Base::ISA;
    const MMU: Mmu = W::Base::MMU;
    type PerCpu = <W::Base as Backend>::PerCpu;
    type Thread = <W::Base as Backend>::Thread;

    fn enter<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C) {
        W::enter(cx);
    }

    fn flush<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C) {
        W::flush(cx);
    }

    fn leave<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C) {
        W::leave(cx);
    }

    fn set_ptes<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        W::set_ptes(cx, at, word, n);
    }

    fn clear_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef) -> u64 {
        W::clear_pte(cx, at)
    }

    fn wrprotect_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef) {
        W::wrprotect_pte(cx, at);
    }

    fn get_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef) -> u64 {
        W::Base::get_pte(cx, at)
    }

    fn flush_tlb_range<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, range: Range) {
        W::flush_tlb_range(cx, range);
    }

    fn gather_flush<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, range: Range) {
        W::gather_flush(cx, range);
    }

    fn map_linear_page<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(
        cx: &mut C,
        at: PteRef,
        word: Option<u64>,
    ) {
        W::map_linear_page(cx, at, word);
    }

    fn start_context_switch<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, prev: C::Task) {
        W::start_context_switch(cx, prev);
    }

    fn end_context_switch<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, next: C::Task) {
        W::end_context_switch(cx, next);
    }

    fn arch_mode<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &C) -> Option<bool> {
        W::arch_mode(cx)
    }

    fn ignores_hooks<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &C) -> bool {
        W::ignores_hooks(cx)
    }

    fn deferred(cpu: &Self::PerCpu, thread: &Self::Thread) -> Deferred {
        W::Base::deferred(cpu, thread)
    }

    fn guest_load(cpu: &Self::PerCpu, address: u64) -> u64 {
        W::guest_load(cpu, address)
    }

    fn guest_store(cpu: &Self::PerCpu, address: u64, value: u64) {
        W::Base::guest_store(cpu, address, value);
    }

    fn reset_cpu(cpu: &Self::PerCpu) {
        W::Base::reset_cpu(cpu);
    }

    fn reset_thread(thread: &Self::Thread) {
        W::Base::reset_thread(thread);
    }

    fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64 {
        W::Base::pte_word(flags, frame, size)
    }

    fn pte_flags(word: u64) -> PteFlags {
        W::Base::pte_flags(word)
    }

    fn pte_frame(word: u64) -> u32 {
        W::Base::pte_frame(word)
    }

    fn pte_size(word: u64) -> Size {
        W::Base::pte_size(word)
    }

    fn virtual_address(at: PteRef) -> u64 {
        W::Base::virtual_address(at)
    }

    fn touched(word: u64) -> u64 {
        W::Base::touched(word)
    }
}

/// A subject of the counted generation on the backend as `W` has it.
pub fn hooked<W: Hooked + 'static>(port: Port) -> Box<dyn Subject> {
    hooked_on::<Counted, W>(port)
}

/// The same, as of a kernel that maps small and large pages alike.
pub fn hooked_with_one_base_size<W: Hooked + 'static>(port: Port) -> Box<dyn Subject> {
    Box::new(Ours::<Counted, Form<W>>::new(port).with_one_base_size())
}

/// The same of another generation.
pub fn hooked_on<G: Generation<Form<W>> + 'static, W: Hooked + 'static>(port: Port) -> Box<dyn Subject> {
    subject::<G, Form<W>>(port)
}

/// A generation on a form of a backend that the registry does not have.
pub fn subject<G: Generation<B> + 'static, B: Backend + 'static>(port: Port) -> Box<dyn Subject> {
    Box::new(Ours::<G, B>::new(port))
}
