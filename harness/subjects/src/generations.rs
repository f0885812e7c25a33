//! The four generations as the adapter drives them: which call of a program is which function of `core`.
//!
//! Nothing is decided here either. What needs saying: programs know one vocabulary, and a generation that lacks a
//! word does what kernels of its time did instead. `token` keeps the tokens of the open sections on the task's stack
//! (a `disable` without one gives DEFAULT, as KASAN's pause does); task-level calls exist in `counted` alone.

use std::cell::Cell;
use std::marker::PhantomData;

use lazy_mmu_arches::backend::{Backend, TokenBackend};
use lazy_mmu_core::generation::nesting::{V3, V4, Version};
use lazy_mmu_core::generation::{counted, nesting, stateless, token};
use lazy_mmu_core::hooks::{Token, TokenHooks};
use lazy_mmu_core::state::{LazyMmuState, NestingState};

use crate::adapter::{Cx, Generation};
use lazy_mmu_abi::trace::{Call, Counters, Hook};

/// v5, v6, Linux 7.0 to 7.2.
#[derive(Debug)]
pub enum Counted {}

impl<B: Backend> Generation<B> for Counted {
    type State = LazyMmuState;
    const KEEPS_COUNTERS: bool = true;

    fn call(cx: &mut Cx<'_, '_, Self, B>, call: Call) {
        match call {
            Call::Enable => counted::lazy_mmu_mode_enable(cx),
            Call::Disable => counted::lazy_mmu_mode_disable(cx),
            Call::Pause => counted::lazy_mmu_mode_pause(cx),
            Call::Resume => counted::lazy_mmu_mode_resume(cx),
            Call::TaskPause(task) => counted::task_lazy_mmu_mode_pause(cx, task),
            Call::TaskResume(task) => counted::task_lazy_mmu_mode_resume(cx, task),
        }
    }

    fn is_active(cx: &Cx<'_, '_, Self, B>) -> bool {
        counted::is_lazy_mmu_mode_active(cx)
    }

    fn task_active(cx: &Cx<'_, '_, Self, B>, task: u8) -> bool {
        counted::task_lazy_mmu_mode_active(cx, task)
    }

    fn counters(state: &LazyMmuState) -> Counters {
        Counters { enable: state.enable_count.get(), pause: state.pause_count.get(), active: state.is_active() }
    }

    fn copy(from: Option<&LazyMmuState>, to: &LazyMmuState) {
        let (enable, pause) = from.map_or((0, 0), |from| (from.enable_count.get(), from.pause_count.get()));
        to.enable_count.set(enable);
        to.pause_count.set(pause);
    }
}

/// v3 or v4.
#[derive(Debug)]
pub struct Nesting<V>(PhantomData<V>);

/// v3.
pub type NestingV3 = Nesting<V3>;
/// v4.
pub type NestingV4 = Nesting<V4>;

impl<V: Version, B: Backend> Generation<B> for Nesting<V> {
    type State = NestingState;
    const KEEPS_COUNTERS: bool = true;

    fn call(cx: &mut Cx<'_, '_, Self, B>, call: Call) {
        match call {
            Call::Enable => nesting::lazy_mmu_mode_enable::<V, _>(cx),
            Call::Disable => nesting::lazy_mmu_mode_disable::<V, _>(cx),
            Call::Pause => nesting::lazy_mmu_mode_pause::<V, _>(cx),
            Call::Resume => nesting::lazy_mmu_mode_resume::<V, _>(cx),
            Call::TaskPause(_) | Call::TaskResume(_) => {}
        }
    }

    fn is_active(cx: &Cx<'_, '_, Self, B>) -> bool {
        nesting::in_lazy_mmu_mode(cx)
    }

    fn task_active(cx: &Cx<'_, '_, Self, B>, task: u8) -> bool {
        cx.state(task).enabled.get()
    }

    fn counters(state: &NestingState) -> Counters {
        let active = state.enabled.get();
        Counters { enable: state.count.get(), pause: u8::from(state.is_paused()), active }
    }

    fn copy(from: Option<&NestingState>, to: &NestingState) {
        let (count, enabled) = from.map_or((0, false), |from| (from.count.get(), from.enabled.get()));
        to.count.set(count);
        to.enabled.set(enabled);
    }
}

/// Before 7.0: the backend keeps what there is to keep.
#[derive(Debug)]
pub enum Stateless {}

impl<B: Backend> Generation<B> for Stateless {
    type State = ();
    const KEEPS_COUNTERS: bool = false;

    fn call(cx: &mut Cx<'_, '_, Self, B>, call: Call) {
        match call {
            Call::Enable => stateless::lazy_mmu_mode_enable(cx),
            Call::Disable => stateless::lazy_mmu_mode_disable(cx),
            Call::Pause => stateless::lazy_mmu_mode_pause(cx),
            Call::Resume => stateless::lazy_mmu_mode_resume(cx),
            Call::TaskPause(_) | Call::TaskResume(_) => {}
        }
    }

    fn is_active(cx: &Cx<'_, '_, Self, B>) -> bool {
        cx.arch_mode()
    }

    fn task_active(cx: &Cx<'_, '_, Self, B>, _task: u8) -> bool {
        cx.arch_mode()
    }

    fn counters((): &()) -> Counters {
        Counters::default()
    }

    fn copy(_from: Option<&()>, (): &()) {}
}

/// v2: tokens on the caller's stack.
#[derive(Debug)]
pub enum Tokens {}

/// The tokens a task's callers hold, the innermost last; beyond 255 the newest are forgotten.
#[derive(Debug, Default)]
pub struct Held {
    depth: Cell<u8>,
    /// Bit set: NESTED.
    nested: [Cell<u64>; 4],
}

impl Held {
    fn push(&self, token: Token) {
        let depth = self.depth.get();
        let (word, bit) = (&self.nested[usize::from(depth / 64)], 1 << (depth % 64));
        word.set(if token == Token::Nested { word.get() | bit } else { word.get() & !bit });
        self.depth.set(depth.saturating_add(1));
    }

    fn pop(&self) -> Token {
        let Some(depth) = self.depth.get().checked_sub(1) else { return Token::Default };
        self.depth.set(depth);
        let nested = self.nested[usize::from(depth / 64)].get() >> (depth % 64) & 1 == 1;
        if nested { Token::Nested } else { Token::Default }
    }
}

impl<B: TokenBackend> TokenHooks for Cx<'_, '_, Tokens, B> {
    fn arch_enter_lazy_mmu_mode(&mut self) -> Token {
        if B::ignores_hooks(self) {
            self.record_idle_hook(Hook::Enter);
            return B::token_enter(self);
        }
        // Whether this entered anything only the backend knows: it is recorded by what came back.
        let active = self.arch_mode();
        let token = B::token_enter(self);
        match token {
            Token::Default => self.record_entered(active),
            Token::Nested => self.record_idle_hook(Hook::Enter),
        }
        token
    }

    fn arch_leave_lazy_mmu_mode(&mut self, token: Token) {
        // A leave with NESTED only flushes: it is recorded as what it does.
        self.record_hook(if token == Token::Nested { Hook::Flush } else { Hook::Leave });
        B::token_leave(self, token);
    }
}

impl<B: TokenBackend> Generation<B> for Tokens {
    type State = Held;
    const KEEPS_COUNTERS: bool = false;

    fn call(cx: &mut Cx<'_, '_, Self, B>, call: Call) {
        let held = cx.callers_state();
        match call {
            Call::Enable => held.push(token::lazy_mmu_mode_enable(cx)),
            Call::Disable => token::lazy_mmu_mode_disable(cx, held.pop()),
            Call::Pause => token::lazy_mmu_mode_pause(cx),
            Call::Resume => token::lazy_mmu_mode_resume(cx),
            Call::TaskPause(_) | Call::TaskResume(_) => {}
        }
    }

    fn is_active(cx: &Cx<'_, '_, Self, B>) -> bool {
        cx.arch_mode()
    }

    fn task_active(cx: &Cx<'_, '_, Self, B>, _task: u8) -> bool {
        cx.arch_mode()
    }

    fn counters(state: &Held) -> Counters {
        Counters { enable: state.depth.get(), pause: 0, active: false }
    }

    /// The tokens below the depth.
    fn beside_counters(state: &Held) -> [u64; 4] {
        let depth = u32::from(state.depth.get());
        std::array::from_fn(|word| {
            let held = depth.saturating_sub(64 * word as u32);
            state.nested[word].get() & 1u64.checked_shl(held).map_or(u64::MAX, |bit| bit - 1)
        })
    }

    /// Tokens are on their callers' stacks: a new task has none of its parent's.
    fn copy(_from: Option<&Held>, to: &Held) {
        to.depth.set(0);
    }
}
