//! The hooks of aarch64 in 7.2: enter does nothing, flush and leave execute the barriers if they are owed.
//!
//! The task's flag is all the state; preemption stays as it is. Not here: the counters, which the one question
//! answers from (`queue`), nor the forms before (`earlier`). Called by the subjects of `lazy-mmu-engine`.

use super::pte::{self, pte_path};
use super::queue::{self, ThreadFlags};
use crate::backend::{Backend, Deferred};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// aarch64 as Linux 7.2 has it; 7.0 and 7.1 are the same.
///
/// Source: `arch_{enter,flush,leave}_lazy_mmu_mode()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[derive(Clone, Copy, Debug)]
pub struct Aarch64;

impl Backend for Aarch64 {
    const NAME: &'static str = "aarch64";

    #[inline(always)]
    fn enter<C: Context<PerCpu = (), Thread = ThreadFlags>>(_cx: &mut C) {}

    #[inline(always)]
    fn flush<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        queue::flush_pending(cx);
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C) {
        Self::flush(cx);
    }

    pte_path!();
}

#[cfg(test)]
mod tests;
