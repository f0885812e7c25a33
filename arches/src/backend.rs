//! The shape every backend has: hooks, PTE path, switch hooks, and what it can say about itself.
//!
//! It is an interface of associated functions over a [`Context`], so that a call compiles to the backend's code and
//! nothing else. What is not here: any counter, any judgement. Implemented once per form in each architecture's
//! folder; used by the subjects of `lazy-mmu-engine`.

use core::hash::Hash;

use lazy_mmu_core::hooks::Token;

use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// What a backend holds back at this moment: for oracles and reports, never for the backend itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deferred {
    /// The task's own pending flag (aarch64).
    pub pending: bool,
    /// Entries in this CPU's batch or multicall buffer.
    pub entries: u16,
    /// A digest of those entries, in order; 0 when there are none.
    pub digest: u64,
}

/// One architecture's hooks and PTE path, in one of its forms.
///
/// `C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>` throughout: the context keeps the form's state.
pub trait Backend {
    /// The name programs and reports use, such as `powerpc64-hash`.
    const NAME: &'static str;
    /// Whose instructions it uses; none for `none`.
    const ISA: Option<Isa>;
    /// The MMU it drives.
    const MMU: Mmu;
    /// What it keeps per CPU.
    type PerCpu: Default + Hash;
    /// What it keeps per task.
    type Thread: Default + Hash;

    /// `arch_enter_lazy_mmu_mode()`.
    fn enter<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C);

    /// `arch_flush_lazy_mmu_mode()`.
    fn flush<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C);

    /// `arch_leave_lazy_mmu_mode()`.
    fn leave<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C);

    /// `set_ptes()`: `n` consecutive PTEs from `at` on, the first with `word`, each next one frame further.
    fn set_ptes<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef, word: u64, n: u16);

    /// `ptep_get_and_clear()`: the old word.
    fn clear_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef) -> u64;

    /// `ptep_set_wrprotect()`.
    fn wrprotect_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef);

    /// `ptep_get()`.
    #[inline(always)]
    fn get_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef) -> u64 {
        cx.pte_load(at)
    }

    /// `flush_tlb_range()` or, for `init_mm`, `flush_tlb_kernel_range()`.
    fn flush_tlb_range<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, range: Range);

    /// `tlb_flush()` at the end of an mmu_gather: as [`Backend::flush_tlb_range`] where nothing else is said.
    #[inline(always)]
    fn gather_flush<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, range: Range) {
        Self::flush_tlb_range(cx, range);
    }

    /// `__kernel_map_pages()` of one page of the linear map (DEBUG_PAGEALLOC): maps it with `word`, or takes it away and
    /// flushes. By the ordinary PTE path where nothing else is said; a section around the change, which arm64 has, is
    /// its caller's, and so is the flush of the mode after it, which x86 has.
    fn map_linear_page<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(
        cx: &mut C,
        at: PteRef,
        word: Option<u64>,
    ) {
        match word {
            Some(word) => Self::set_ptes(cx, at, word, 1),
            None => {
                Self::clear_pte(cx, at);
                Self::flush_tlb_range(cx, Range { first: at, pages: 1 });
            }
        }
    }

    /// `arch_start_context_switch(prev)`: before the CPU leaves `prev`, which is current. Preemption is off.
    #[inline(always)]
    fn start_context_switch<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(_cx: &mut C, _prev: C::Task) {}

    /// `arch_end_context_switch(next)`: the CPU is about to run `next`. Preemption is off.
    #[inline(always)]
    fn end_context_switch<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(_cx: &mut C, _next: C::Task) {}

    /// What the architecture itself keeps as "the mode is on", where a form keeps such a thing; else nothing.
    /// Before 7.0 it is the answer to the one question.
    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(_cx: &C) -> Option<bool> {
        None
    }

    /// Whether a hook called now returns at once: the form has the mode switched off (I13), or bails out in interrupt
    /// context by itself, as arm64's did before 7.0.
    #[inline(always)]
    fn ignores_hooks<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(_cx: &C) -> bool {
        false
    }

    /// What is held back on a CPU and for a task.
    fn deferred(cpu: &Self::PerCpu, thread: &Self::Thread) -> Deferred;

    /// What a hypervisor reads at `address` of the guest memory that a hypercall of this CPU names (Xen; the
    /// layout is in `x86_64/queue.rs`).
    fn guest_load(_cpu: &Self::PerCpu, _address: u64) -> u64 {
        0
    }

    /// What a hypervisor writes there: the results of a multicall.
    fn guest_store(_cpu: &Self::PerCpu, _address: u64, _value: u64) {}

    /// Back to how a CPU boots.
    fn reset_cpu(cpu: &Self::PerCpu);

    /// Back to how a task starts.
    fn reset_thread(thread: &Self::Thread);

    /// The PTE word for `frame` with `flags`, as a mapping of `size` in user or kernel space (`flags.user`).
    fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64;

    /// What a PTE word says; `None` for an empty one.
    fn pte_flags(word: u64) -> PteFlags;

    /// The frame a PTE word names.
    fn pte_frame(word: u64) -> u32;

    /// The size of the mapping that a valid PTE word makes.
    fn pte_size(word: u64) -> Size;

    /// The virtual address of a page.
    fn virtual_address(at: PteRef) -> u64;

    /// A hardware walk or fault handler used the translation: what it writes back into the PTE word. On hash-table
    /// architectures this is where the entry becomes known to the table. Unchanged where nothing is written.
    #[inline(always)]
    fn touched(word: u64) -> u64 {
        word
    }
}

/// A backend in the form it had under the token generation (v2).
pub trait TokenBackend: Backend {
    /// `arch_enter_lazy_mmu_mode()` of v2.
    fn token_enter<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C) -> Token;

    /// `arch_leave_lazy_mmu_mode(token)` of v2.
    fn token_leave<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, token: Token);
}

/// Mixes `value` into a digest: order matters, and an empty digest is 0.
#[inline(always)]
#[must_use]
pub fn mix(digest: u64, value: u64) -> u64 {
    (digest.rotate_left(5) ^ value.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A digest whose bits are all set still takes in what follows.
    #[test]
    fn a_mixed_value_counts_whatever_came_before() {
        for before in [0, 1, u64::MAX] {
            let mixed = [0, 1, 2, 0xff, 1 << 63].map(|value| mix(before, value));
            assert!(mixed.iter().enumerate().all(|(n, one)| !mixed[..n].contains(one)), "{before:#x}: {mixed:x?}");
        }
        assert_ne!(mix(mix(0, 1), 2), mix(mix(0, 2), 1));
    }
}
