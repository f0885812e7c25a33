//! The hooks of 7.2: hash defers through this CPU's batch and keeps preemption off meanwhile; radix has none.
//!
//! Not here: the forms before (`earlier.rs`), any counter. "Is the mode active" is asked of the context, and only
//! where a PTE changes. Called through [`Backend`].
//! Source: `arch/powerpc/include/asm/book3s/64/tlbflush-hash.h`, 7.2.

use lazy_mmu_core::hooks::Token;

use super::pte::{self, pte_path};
use super::queue::{self, BatchOf};
use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// The hash MMU: one batch of up to `ROOM` hash entries per CPU, 192 in the kernel.
#[derive(Clone, Copy, Debug)]
pub struct HashOf<const ROOM: u16>;

/// The hash mmu, with the kernel's room.
pub type Hash = HashOf<{ queue::BATCH }>;

/// The radix MMU: the hooks return at once, whatever is asked.
#[derive(Clone, Copy, Debug)]
pub struct Radix;

impl<const ROOM: u16> Backend for HashOf<ROOM> {
    const NAME: &'static str = "powerpc64-hash";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Hash;
    type PerCpu = BatchOf<ROOM>;
    type Thread = ();

    /// Kernel page tables are changed with preemption on: the batch is this CPU's, so stay here.
    #[inline(always)]
    fn enter<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
    }

    #[inline(always)]
    fn flush<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        if cx.this_cpu().index.get() != 0 {
            queue::flush_pending(cx);
        }
    }

    #[inline(always)]
    fn leave<C: Context<PerCpu = BatchOf<ROOM>, Thread = ()>>(cx: &mut C) {
        Self::flush(cx);
        cx.preempt_enable();
    }

    fn reset_thread(_thread: &()) {}

    pte_path!();
}

impl Backend for Radix {
    const NAME: &'static str = "powerpc64-radix";
    const ISA: Option<Isa> = Some(Isa::Powerpc64);
    const MMU: Mmu = Mmu::Radix;
    type PerCpu = ();
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn flush<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    fn set_ptes<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        pte::radix_set_ptes(cx, at, word, n);
    }

    fn clear_pte<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef) -> u64 {
        pte::radix_clear(cx, at)
    }

    fn wrprotect_pte<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef) {
        pte::radix_wrprotect(cx, at);
    }

    fn flush_tlb_range<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, range: Range) {
        queue::radix_flush_range(cx, range);
    }

    fn deferred(_cpu: &(), _thread: &()) -> Deferred {
        Deferred::default()
    }

    fn reset_cpu(_cpu: &()) {}

    fn reset_thread(_thread: &()) {}

    #[inline]
    fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64 {
        pte::pte_word(flags, frame, size)
    }

    #[inline]
    fn pte_flags(word: u64) -> PteFlags {
        pte::pte_flags(word)
    }

    #[inline]
    fn pte_frame(word: u64) -> u32 {
        pte::pte_frame(word)
    }

    #[inline]
    fn pte_size(word: u64) -> Size {
        pte::size(word)
    }

    fn virtual_address(at: PteRef) -> u64 {
        super::virtual_address(at)
    }

    #[inline]
    fn touched(word: u64) -> u64 {
        pte::radix_touched(word)
    }

    #[inline(always)]
    fn ignores_hooks<C: Context<PerCpu = (), Thread = ()>>(_cx: &C) -> bool {
        true
    }
}

/// v2 had no radix form of its own: its hooks return before they do anything, enter with DEFAULT.
impl TokenBackend for Radix {
    #[inline(always)]
    fn token_enter<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) -> Token {
        Token::Default
    }

    #[inline(always)]
    fn token_leave<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C, _token: Token) {}
}
