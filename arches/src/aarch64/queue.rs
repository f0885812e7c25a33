//! What aarch64 defers: the barriers after a valid kernel entry, as one flag in the task.
//!
//! The flag belongs to the task and not to the CPU: a switch executes a full `dsb` anyway, so that the stores are
//! never late, and the `isb` is owed to the task alone. Not here: which entries need the barriers (`pte`).
//! Called by the write path and by the hooks of every form.

use core::cell::Cell;
use core::hash::{Hash, Hasher};

use crate::backend::Deferred;
use crate::context::{Context, Note};
use crate::insn::Op;

/// The two thread flags, `TIF_LAZY_MMU` (6.16 to 6.19 and v2) and `TIF_LAZY_MMU_PENDING`.
///
/// From 7.0 on the first is gone: the counters of the generic layer answer in its place. Cells, because an
/// interrupt may look at them at any time.
/// Source: `arch/arm64/include/asm/thread_info.h`.
#[derive(Debug, Default)]
pub struct ThreadFlags {
    /// The mode is on. Written by the forms of [`super::earlier`] alone.
    pub active: Cell<bool>,
    /// The barrier pair is owed.
    pub pending: Cell<bool>,
}

impl Hash for ThreadFlags {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.active.get(), self.pending.get()).hash(state);
    }
}

impl ThreadFlags {
    /// How a task starts, whatever its parent was doing.
    pub fn reset(&self) {
        self.active.set(false);
        self.pending.set(false);
    }

    /// What is held back for the task: the flag, nothing else.
    #[must_use]
    pub fn deferred(&self) -> Deferred {
        Deferred { pending: self.pending.get(), ..Deferred::default() }
    }
}

/// The barriers are due: now, or by the flag when the mode is active.
///
/// The flag is tested before it is set: setting it is an atomic operation, and one per section is enough.
/// Source: `queue_pte_barriers()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline(always)]
pub fn queue_pte_barriers<C: Context<Thread = ThreadFlags>>(cx: &mut C) {
    if cx.is_lazy_mmu_mode_active() {
        let flags = cx.thread(cx.current());
        if !flags.pending.get() {
            flags.pending.set(true);
            cx.op(Op::FlagSet);
        }
        cx.note(Note::QueueDeferred);
    } else {
        cx.note(Note::QueueEmitted);
        emit_pte_barriers(cx);
    }
}

/// The barrier pair: the walkers see the stores, then this CPU refetches.
///
/// Source: `emit_pte_barriers()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline(always)]
pub fn emit_pte_barriers<C: Context>(cx: &mut C) {
    cx.op(Op::DsbIshst);
    cx.op(Op::Isb);
    cx.note(Note::Barriers);
}

/// Executes the pair if it is owed, and only then: flush and leave of every form. The atomic comes in any case:
/// `test_and_clear_bit()` has not looked first since 2022 (415d83249709).
///
/// Source: `arch_flush_lazy_mmu_mode()`, `arch/arm64/include/asm/pgtable.h`, 7.2 (`test_and_clear_thread_flag`).
#[inline(always)]
pub fn flush_pending<C: Context<Thread = ThreadFlags>>(cx: &mut C) {
    let pending = cx.thread(cx.current()).pending.take();
    cx.op(Op::FlagClear);
    if pending {
        emit_pte_barriers(cx);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::hash::BuildHasher;

    use super::*;

    /// Tasks that differ in a flag are not taken for one another where states are merged.
    #[test]
    fn both_flags_are_in_the_hash() {
        let builder = std::hash::RandomState::new();
        let hash = |(active, pending)| {
            builder.hash_one(ThreadFlags { active: Cell::new(active), pending: Cell::new(pending) })
        };
        let all = [(false, false), (false, true), (true, false), (true, true)];
        let hashes = all.map(hash);
        assert_eq!(hashes, all.map(hash));
        assert!(hashes.iter().enumerate().all(|(n, one)| !hashes[..n].contains(one)));
    }
}
