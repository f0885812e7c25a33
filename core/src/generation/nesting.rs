//! `nesting`: v3 and v4 of the series (October 2025, not merged). One nesting level and one activity flag per task.
//!
//! Pausing outside a section, pausing twice, and opening or closing a section while paused all warn **and still
//! act**: that is why v5 replaced the flag by a second counter. Kept as it was, the wrapping level included.
//!
//! v3 and v4 differ in two points, and [`Version`] is exactly these: what a limit does (v3 dies, v4 warns), and
//! whether level and flag are set before the enter hook (v4) or after it (v3): there the scheduling point lies. The series' last patch of each makes calls in interrupt
//! context do nothing, and so they do here. Source: tables 10.4 (compiled from the posted diff) and 10.5 (read).

use crate::hooks::Hooks;
use crate::kernel::{Kernel, TaskState, WarnSite};
use crate::state::NestingState;

/// What tells v3 from v4.
pub trait Version {
    /// The activity flag is set before the enter hook runs (v4), not after (v3).
    const MARKS_FIRST: bool;

    /// The level is at its limit: 255 at enable, 0 at disable.
    fn at_limit<C: Kernel>(cx: &mut C, site: WarnSite);
}

/// v3, 2025-10-15: `VM_BUG_ON` at the limits, hook first, then the mark.
#[derive(Clone, Copy, Debug)]
pub struct V3;

impl Version for V3 {
    const MARKS_FIRST: bool = false;

    #[inline(always)]
    fn at_limit<C: Kernel>(cx: &mut C, site: WarnSite) {
        cx.vm_bug(site);
    }
}

/// v4, 2025-10-29: `VM_WARN_ON_ONCE` at the limits, the mark first, then the hook.
#[derive(Clone, Copy, Debug)]
pub struct V4;

impl Version for V4 {
    const MARKS_FIRST: bool = true;

    #[inline(always)]
    fn at_limit<C: Kernel>(cx: &mut C, site: WarnSite) {
        cx.warn_once(site);
    }
}

/// Opens a section, or one more inside another; while paused it warns and counts all the same.
#[inline(always)]
pub fn lazy_mmu_mode_enable<V: Version, C: TaskState<NestingState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() {
        return;
    }
    let old = cx.current_state().count.get();
    if old == u8::MAX {
        V::at_limit(cx, WarnSite::Enable);
    }
    if cx.current_state().is_paused() {
        cx.warn_once(WarnSite::Enable);
    }
    if V::MARKS_FIRST || old > 0 {
        cx.current_state().count.set(old.wrapping_add(1));
    }
    if old == 0 {
        enter::<V, C>(cx);
    } else {
        cx.schedule_point();
    }
    if !V::MARKS_FIRST && old == 0 {
        cx.current_state().count.set(1);
    }
}

/// Closes the innermost section; while paused it warns, counts and runs its hook all the same.
#[inline(always)]
pub fn lazy_mmu_mode_disable<V: Version, C: TaskState<NestingState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() {
        return;
    }
    let old = cx.current_state().count.get();
    if old == 0 {
        V::at_limit(cx, WarnSite::Disable);
    }
    if !cx.current_state().enabled.get() {
        cx.warn_once(WarnSite::Disable);
    }
    let new = old.wrapping_sub(1);
    cx.current_state().count.set(new);
    if new == 0 {
        cx.current_state().enabled.set(false);
    }
    cx.schedule_point();
    if new == 0 {
        cx.arch_leave_lazy_mmu_mode();
    } else {
        cx.arch_flush_lazy_mmu_mode();
    }
}

/// Suspends the mode. Outside a section, or a second time, it warns and leaves all the same.
#[inline(always)]
pub fn lazy_mmu_mode_pause<V: Version, C: TaskState<NestingState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() {
        return;
    }
    let state = cx.current_state();
    if state.count.get() == 0 || !state.enabled.get() {
        cx.warn_once(WarnSite::Pause);
    }
    cx.current_state().enabled.set(false);
    cx.schedule_point();
    cx.arch_leave_lazy_mmu_mode();
}

/// Ends a pause. Outside a section, or unpaused, it warns and enters all the same.
#[inline(always)]
pub fn lazy_mmu_mode_resume<V: Version, C: TaskState<NestingState> + Hooks>(cx: &mut C) {
    if cx.in_interrupt() {
        return;
    }
    let state = cx.current_state();
    if state.count.get() == 0 || state.enabled.get() {
        cx.warn_once(WarnSite::Resume);
    }
    enter::<V, C>(cx);
}

/// v4 `in_lazy_mmu_mode()`, v3's test of `enabled`: may the running code's updates be deferred?
#[inline(always)]
pub fn in_lazy_mmu_mode<C: TaskState<NestingState>>(cx: &C) -> bool {
    !cx.in_interrupt() && cx.current_state().enabled.get()
}

/// The mark and the enter hook, in the version's order, with the scheduling point between them.
#[inline(always)]
fn enter<V: Version, C: TaskState<NestingState> + Hooks>(cx: &mut C) {
    if V::MARKS_FIRST {
        cx.current_state().enabled.set(true);
        cx.schedule_point();
        cx.arch_enter_lazy_mmu_mode();
    } else {
        cx.arch_enter_lazy_mmu_mode();
        cx.schedule_point();
        cx.current_state().enabled.set(true);
    }
}

#[cfg(test)]
mod tests;
