//! The hooks of 7.2: this CPU's batch collects user addresses, and preemption stays off meanwhile.
//!
//! Not here: the forms before (`earlier.rs`), any counter. "Is the mode active" is asked of the context, and only
//! where a PTE changes. Called through [`Backend`].
//! Source: `arch/sparc/mm/tlb.c`, 7.2.

use super::pte::{self, pte_path};
use super::queue::{self, BatchOf, Family, Hypervisor, Spitfire};
use crate::backend::{Backend, Deferred};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// sun4u: the kernel removes TLB entries itself.
#[derive(Clone, Copy, Debug)]
pub struct Sun4uOf<const ROOM: u16>;

/// sun4u, with the kernel's room.
pub type Sparc64 = Sun4uOf<{ queue::BATCH }>;

/// sun4v: the hypervisor removes TLB entries.
#[derive(Clone, Copy, Debug)]
pub struct Sun4vOf<const ROOM: u16>;

/// sun4v, with the kernel's room.
pub type Sun4v = Sun4vOf<{ queue::BATCH }>;

/// `arch_flush_lazy_mmu_mode()`.
#[inline(always)]
pub(super) fn flush_batch<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C) {
    if cx.this_cpu().tlb_nr.get() != 0 {
        queue::flush_pending::<M, C, _>(cx);
    }
}

impl<const ROOM: u16> Backend for Sun4uOf<ROOM> {
    const NAME: &'static str = "sparc64";
    const ISA: Option<Isa> = Some(Isa::Sparc64);
    const MMU: Mmu = Mmu::Sun4u;
    type PerCpu = BatchOf<ROOM>;
    type Thread = ();

    /// Kernel page tables are changed with preemption on: the batch is this CPU's, so stay here.
    #[inline(always)]
    fn enter<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        flush_batch::<Spitfire, C, _>(cx);
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        Self::flush(cx);
        cx.preempt_enable();
    }

    pte_path!(Spitfire);
}

impl<const ROOM: u16> Backend for Sun4vOf<ROOM> {
    const NAME: &'static str = "sparc64-sun4v";
    const ISA: Option<Isa> = Some(Isa::Sparc64);
    const MMU: Mmu = Mmu::Sun4v;
    type PerCpu = BatchOf<ROOM>;
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        flush_batch::<Hypervisor, C, _>(cx);
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        Self::flush(cx);
        cx.preempt_enable();
    }

    pte_path!(Hypervisor);
}
