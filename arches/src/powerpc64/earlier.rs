//! The hash hooks before 7.0: without a generic counter, the batch itself says whether the mode is on.
//!
//! Two forms switch preemption per call, without any test for interrupt context: the last stateless one, where an inner
//! leave ends batching for the outer section too, and v2's with a token. Their PTE path is that of 7.2: where 7.2 asks
//! the task's counters, these ask `active` of the batch, which is [`Backend::arch_mode`].
//!
//! Two leave preemption as it is, for the mode was for whoever holds a page-table lock. Until 2.6.21 there was no mode:
//! the batch collected every change, and the flush of a TLB sent it out. From 2.6.22 to 6.0 the batch is active in a
//! section; a context switch flushes it, takes a note in the task's flags, and makes the batch of wherever the task comes
//! back active again. Neither is a subject of the registry, which has the last stateless form: the zoo runs them, as the
//! forms in which defects lived.
//!
//! Not here: radix, which had no other form ([`super::Radix`]). Called through [`Backend`].

use core::cell::Cell;
use core::hash::{Hash as Digest, Hasher};

use lazy_mmu_core::hooks::Token;

use super::Hash;
use super::pte::{self, pte_path, pte_words};
use super::queue::{self, TlbBatch};
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// The hash MMU from 6.1 (b9ef323ea168) to 6.19: table 10.2.
///
/// Source: `arch_enter_lazy_mmu_mode()` and its kin in `tlbflush-hash.h`, before 313a05a15a1b and c3f0778ffeca.
#[derive(Clone, Copy, Debug)]
pub struct HashStateless;

/// The hash MMU in v2 of the nesting series, not merged: table 10.3.
#[derive(Clone, Copy, Debug)]
pub struct HashToken;

impl Backend for HashStateless {
    const NAME: &'static str = "powerpc64-hash@6.1";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Hash;
    type PerCpu = TlbBatch;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
        cx.this_cpu().active.set(true);
    }

    /// Empty until c3f0778ffeca.
    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Hash::flush(cx);
        cx.this_cpu().active.set(false);
        cx.preempt_enable();
    }

    /// No test for interrupt context: interrupt code finds the mode as the interrupted task left it.
    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &C) -> Option<bool> {
        Some(cx.this_cpu().active.get())
    }

    fn reset_thread(_thread: &()) {}

    pte_path!();
}

impl TokenBackend for HashToken {
    #[inline(always)]
    fn token_enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) -> Token {
        cx.preempt_disable();
        if cx.this_cpu().active.replace(true) { Token::Nested } else { Token::Default }
    }

    #[inline(always)]
    fn token_leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, token: Token) {
        Hash::flush(cx);
        if token != Token::Nested {
            cx.this_cpu().active.set(false);
        }
        cx.preempt_enable();
    }
}

/// Its hooks without a token are those with the token thrown away, as KASAN called them.
impl Backend for HashToken {
    const NAME: &'static str = "powerpc64-hash@v2";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Hash;
    type PerCpu = TlbBatch;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Self::token_enter(cx);
    }

    /// v2 had no other flush than that of a leave.
    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Self::token_leave(cx, Token::Default);
    }

    /// No test for interrupt context here either.
    #[inline(always)]
    fn arch_mode<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &C) -> Option<bool> {
        Some(cx.this_cpu().active.get())
    }

    fn reset_thread(_thread: &()) {}

    pte_path!();
}

/// The hash MMU before 2.6.22 (a741e6796957): one batch per CPU, filled by every change, sent out by `flush_tlb_range()`
/// and by the end of an mmu_gather. There is no hook.
///
/// Source: `hpte_update()` (`arch/powerpc/mm/tlb_64.c`) and `flush_tlb_pending()` (`asm-powerpc/tlbflush.h`), 2.6.21. A
/// switch flushes here, so that no batch is left to another task.
#[derive(Clone, Copy, Debug)]
pub struct HashGather;

impl Backend for HashGather {
    const NAME: &'static str = "powerpc64-hash@2.6.21";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Hash;
    type PerCpu = TlbBatch;
    type Thread = ();

    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &mut C) {}

    fn ignores_hooks<C: Context<PerCpu = TlbBatch, Thread = ()>>(_cx: &C) -> bool {
        true
    }

    fn start_context_switch<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, _prev: C::Task) {
        Hash::flush(cx);
    }

    fn set_ptes<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        pte::set_ptes_by(cx, at, word, n, queue::hpte_update);
    }

    fn clear_pte<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, at: PteRef) -> u64 {
        pte::update_by(cx, at, |_| 0, queue::hpte_update)
    }

    fn wrprotect_pte<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, at: PteRef) {
        pte::wrprotect_by(cx, at, queue::hpte_update);
    }

    /// `flush_tlb_range()` and its kin were all `flush_tlb_pending()`.
    fn flush_tlb_range<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C, range: Range) {
        pte::hash_gather_flush(cx, range);
    }

    fn reset_thread(_thread: &()) {}

    pte_words!();
}

/// `thread_info.local_flags`, as far as the mode goes.
#[derive(Debug, Default)]
pub struct LocalFlags {
    /// `_TLF_LAZY_MMU`: the task was switched out in a section.
    pub lazy_mmu: Cell<bool>,
}

impl Digest for LocalFlags {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lazy_mmu.get().hash(state);
    }
}

/// The hash MMU from 2.6.22 to 6.0, before b9ef323ea168.
///
/// Source: `arch_enter_lazy_mmu_mode()` and its kin in `tlbflush-hash.h`, `__switch_to()` in
/// `arch/powerpc/kernel/process.c`, 6.0. The switch code stayed, dead, until 58852f24f956 (7.0).
#[derive(Clone, Copy, Debug)]
pub struct HashPreemptible;

impl Backend for HashPreemptible {
    const NAME: &'static str = "powerpc64-hash@6.0";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Hash;
    type PerCpu = TlbBatch;
    type Thread = LocalFlags;

    fn enter<C: Context<PerCpu = TlbBatch, Thread = LocalFlags>>(cx: &mut C) {
        cx.this_cpu().active.set(true);
    }

    /// Empty until c3f0778ffeca.
    fn flush<C: Context<PerCpu = TlbBatch, Thread = LocalFlags>>(_cx: &mut C) {}

    fn leave<C: Context<PerCpu = TlbBatch, Thread = LocalFlags>>(cx: &mut C) {
        flush(cx);
        cx.this_cpu().active.set(false);
    }

    /// `__switch_to()` before `_switch()`.
    fn start_context_switch<C: Context<PerCpu = TlbBatch, Thread = LocalFlags>>(cx: &mut C, prev: C::Task) {
        if cx.this_cpu().active.get() {
            cx.thread(prev).lazy_mmu.set(true);
            flush(cx);
            cx.this_cpu().active.set(false);
        }
    }

    /// `__switch_to()` after it, on whatever CPU the task is now.
    fn end_context_switch<C: Context<PerCpu = TlbBatch, Thread = LocalFlags>>(cx: &mut C, next: C::Task) {
        if cx.thread(next).lazy_mmu.take() {
            cx.this_cpu().active.set(true);
        }
    }

    fn arch_mode<C: Context<PerCpu = TlbBatch, Thread = LocalFlags>>(cx: &C) -> Option<bool> {
        Some(cx.this_cpu().active.get())
    }

    fn reset_thread(thread: &LocalFlags) {
        thread.lazy_mmu.set(false);
    }

    pte_path!();
}

fn flush<C: Context<PerCpu = TlbBatch>>(cx: &mut C) {
    if cx.this_cpu().index.get() != 0 {
        queue::flush_pending(cx);
    }
}

#[cfg(test)]
mod tests;
