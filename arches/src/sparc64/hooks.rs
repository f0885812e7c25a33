//! The hooks of 7.2: this CPU's batch collects user addresses, and preemption stays off meanwhile.
//!
//! Not here: the forms before (`earlier.rs`), any counter. "Is the mode active" is asked of the context, and only
//! where a PTE changes. Called through [`Backend`].
//! Source: `arch/sparc/mm/tlb.c`, 7.2.

use super::pte::{self, pte_path};
use super::queue::{self, Family, Hypervisor, Spitfire, TlbBatch};
use crate::backend::{Backend, Deferred};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// sun4u: the kernel removes TLB entries itself.
#[derive(Clone, Copy, Debug)]
pub struct Sparc64;

/// sun4v: the hypervisor removes TLB entries.
#[derive(Clone, Copy, Debug)]
pub struct Sun4v;

/// `arch_flush_lazy_mmu_mode()`.
#[inline(always)]
pub(super) fn flush_batch<M: Family, C: Context<PerCpu = TlbBatch>>(cx: &mut C) {
    if cx.this_cpu().tlb_nr.get() != 0 {
        queue::flush_pending::<M, C>(cx);
    }
}

impl Backend for Sparc64 {
    const NAME: &'static str = "sparc64";
    const ISA: Option<Isa> = Some(Isa::Sparc64);
    const MMU: Mmu = Mmu::Sun4u;
    type PerCpu = TlbBatch;
    type Thread = ();

    /// Kernel page tables are changed with preemption on: the batch is this CPU's, so stay here.
    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        flush_batch::<Spitfire, C>(cx);
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Self::flush(cx);
        cx.preempt_enable();
    }

    pte_path!(Spitfire);
}

impl Backend for Sun4v {
    const NAME: &'static str = "sparc64-sun4v";
    const ISA: Option<Isa> = Some(Isa::Sparc64);
    const MMU: Mmu = Mmu::Sun4v;
    type PerCpu = TlbBatch;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        flush_batch::<Hypervisor, C>(cx);
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = TlbBatch, Thread = ()>>(cx: &mut C) {
        Self::flush(cx);
        cx.preempt_enable();
    }

    pte_path!(Hypervisor);
}
