//! `stateless`: the API before 7.0. The generic layer keeps nothing and forwards every call to the hook.
//!
//! Nesting is not allowed, and nothing checks it here: what a nested call does is the backend's affair, and each did
//! something else (table 10.2; the old hooks are the `earlier` modules of `lazy-mmu-arches`). There are no half
//! steps either: the hook is the whole call. Pausing did not exist; KASAN left the mode and entered it again, and
//! that is what [`lazy_mmu_mode_pause`] and [`lazy_mmu_mode_resume`] do here (c519c3c0a113, 6.17).

use crate::hooks::Hooks;

/// `arch_enter_lazy_mmu_mode()` called by generic code.
#[inline(always)]
pub fn lazy_mmu_mode_enable<C: Hooks>(cx: &mut C) {
    cx.arch_enter_lazy_mmu_mode();
}

/// `arch_leave_lazy_mmu_mode()` called by generic code.
#[inline(always)]
pub fn lazy_mmu_mode_disable<C: Hooks>(cx: &mut C) {
    cx.arch_leave_lazy_mmu_mode();
}

/// What KASAN did before it touched a shadow PTE: leave, whatever the depth.
#[inline(always)]
pub fn lazy_mmu_mode_pause<C: Hooks>(cx: &mut C) {
    cx.arch_leave_lazy_mmu_mode();
}

/// What KASAN did after it: enter again.
#[inline(always)]
pub fn lazy_mmu_mode_resume<C: Hooks>(cx: &mut C) {
    cx.arch_enter_lazy_mmu_mode();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::bench_kernel::{Asked, Bench, Hook};

    type Call = fn(&mut Bench);

    /// Every call is its hook and nothing else, in any context.
    #[test]
    fn calls_are_hooks() {
        let rows: [(Call, Hook); 4] = [
            (lazy_mmu_mode_enable, Hook::Enter),
            (lazy_mmu_mode_disable, Hook::Leave),
            (lazy_mmu_mode_pause, Hook::Leave),
            (lazy_mmu_mode_resume, Hook::Enter),
        ];
        for (call, hook) in rows {
            for interrupt in [false, true] {
                let mut bench = Bench::default();
                bench.interrupt.set(interrupt);
                call(&mut bench);
                assert_eq!(bench.asked, Asked { hook: Some(hook), ..Asked::default() });
            }
        }
    }
}
