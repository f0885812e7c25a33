//! `counted`: the merged API (v5, v6, Linux 7.0 to 7.2). Two counters per task, `enable_count` and `pause_count`.
//!
//! Order inside a call: the warning's test on the old value, the counter's update, the scheduling point, the hook.
//! Calls in interrupt context, and `enable` and `disable` while paused, have no effect at all.
//!
//! Not here: any check that a call is legal. The counters wrap modulo 256, warn (once per call site) and go on.
//! Source: `lazy_mmu_mode_enable()` and its kin in `include/linux/pgtable.h` (7.2.13). Rows of the specification's
//! table 10.6 are named where they are decided.

use crate::hooks::Hooks;
use crate::kernel::{Kernel, TaskState, WarnSite};
use crate::state::LazyMmuState;

/// Opens a section, or one more inside another.
///
/// Runs the enter hook when the outermost section opens; does nothing in interrupt context or while paused.
#[inline(always)]
pub fn lazy_mmu_mode_enable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() || cx.current_state().pause_count.get() > 0 {
        return; // E1, E2
    }
    let old = cx.current_state().enable_count.get();
    if old == u8::MAX {
        cx.warn_once(WarnSite::Enable); // E5
    }
    cx.current_state().enable_count.set(old.wrapping_add(1));
    cx.schedule_point();
    if old == 0 {
        cx.arch_enter_lazy_mmu_mode(); // E3
    }
}

/// Closes the innermost section.
///
/// Runs the leave hook when the outermost section closes, else the flush hook: whoever closes a section may rely on
/// its writes being visible. Does nothing in interrupt context or while paused.
#[inline(always)]
pub fn lazy_mmu_mode_disable<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() || cx.current_state().pause_count.get() > 0 {
        return; // D1, D2
    }
    let old = cx.current_state().enable_count.get();
    if old == 0 {
        cx.warn_once(WarnSite::Disable); // D5
    }
    let new = old.wrapping_sub(1);
    cx.current_state().enable_count.set(new);
    cx.schedule_point();
    if new == 0 {
        cx.arch_leave_lazy_mmu_mode(); // D3
    } else {
        cx.arch_flush_lazy_mmu_mode(); // D4, D5
    }
}

/// Suspends the mode until the matching [`lazy_mmu_mode_resume`]; legal anywhere, and nests.
///
/// Runs the leave hook on the first pause inside a section; does nothing in interrupt context.
#[inline(always)]
pub fn lazy_mmu_mode_pause<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() {
        return; // P1
    }
    task_lazy_mmu_mode_pause(cx, cx.current());
}

/// Ends the innermost pause.
///
/// Runs the enter hook when the last pause inside a section ends; does nothing in interrupt context.
#[inline(always)]
pub fn lazy_mmu_mode_resume<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() {
        return; // R1
    }
    task_lazy_mmu_mode_resume(cx, cx.current());
}

/// `__task_lazy_mmu_mode_pause(task)` (7.2): as pause, on the counters of `task`, in any context.
///
/// The hook acts on the CPU it runs on, so this is legal only while `task` is current or switched out.
#[inline(always)]
pub fn task_lazy_mmu_mode_pause<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C, task: C::Task) {
    let old = cx.task_state(task).pause_count.get();
    if old == u8::MAX {
        cx.warn_once(WarnSite::Pause); // P5
    }
    cx.task_state(task).pause_count.set(old.wrapping_add(1));
    cx.schedule_point();
    if old == 0 && cx.task_state(task).enable_count.get() > 0 {
        cx.arch_leave_lazy_mmu_mode(); // P3; P2 and P4 have no hook
    }
}

/// `__task_lazy_mmu_mode_resume(task)` (7.2): as resume, on the counters of `task`, in any context.
///
/// The hook acts on the CPU it runs on, so this is legal only while `task` is current or about to be switched in.
#[inline(always)]
pub fn task_lazy_mmu_mode_resume<C: TaskState<LazyMmuState> + Hooks>(cx: &mut C, task: C::Task) {
    let old = cx.task_state(task).pause_count.get();
    if old == 0 {
        cx.warn_once(WarnSite::Resume); // R2
    }
    let new = old.wrapping_sub(1);
    cx.task_state(task).pause_count.set(new);
    cx.schedule_point();
    if new == 0 && cx.task_state(task).enable_count.get() > 0 {
        cx.arch_enter_lazy_mmu_mode(); // R4; R3 and R5 have no hook
    }
}

/// The one question backends ask: may the running code's PTE updates be deferred? Never in interrupt context.
#[inline(always)]
pub fn is_lazy_mmu_mode_active<C: TaskState<LazyMmuState>>(cx: &C) -> bool {
    !cx.in_interrupt() && cx.current_state().is_active() // Q1, Q2
}

/// `__task_lazy_mmu_mode_active(task)`: the same of any task, interrupt context not asked (row TQ).
#[inline(always)]
pub fn task_lazy_mmu_mode_active<C: TaskState<LazyMmuState>>(cx: &C, task: <C as Kernel>::Task) -> bool {
    cx.task_state(task).is_active()
}

#[cfg(test)]
mod tests;
