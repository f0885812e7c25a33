//! `none`: an architecture without the mode. Hooks do nothing, every PTE is a plain store.
//!
//! It is the yardstick of rule 9 (the same program, the same generic events on every backend) and what a kernel
//! without `CONFIG_ARCH_HAS_LAZY_MMU_MODE` would run, had it the counters. It keeps no state at all.

use lazy_mmu_core::hooks::Token;

use crate::backend::{Backend, Deferred, TokenBackend};
use crate::context::Context;
use crate::insn::Isa;
use crate::page::{PteFlags, PteRef, Range, Size};

/// The backend that defers nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoMode;

const VALID: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const EXEC: u64 = 1 << 3;
const ACCESSED: u64 = 1 << 4;
const DIRTY: u64 = 1 << 5;
const FRAME_SHIFT: u32 = 12;

impl Backend for NoMode {
    const NAME: &'static str = "none";
    const ISA: Option<Isa> = None;
    type PerCpu = ();
    type Thread = ();

    #[inline(always)]
    fn enter<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn flush<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    #[inline(always)]
    fn leave<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) {}

    fn set_ptes<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        for i in 0..n {
            cx.pte_store(at.step(i), word + (u64::from(i) << FRAME_SHIFT));
        }
    }

    fn clear_pte<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef) -> u64 {
        let old = cx.pte_load(at);
        cx.pte_store(at, 0);
        old
    }

    fn wrprotect_pte<C: Context<PerCpu = (), Thread = ()>>(cx: &mut C, at: PteRef) {
        let old = cx.pte_load(at);
        cx.pte_store(at, old & !WRITE);
    }

    fn flush_tlb_range<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C, _range: Range) {}

    fn deferred(_cpu: &(), _thread: &()) -> Deferred {
        Deferred::default()
    }

    fn reset_cpu(_cpu: &()) {}

    fn reset_thread(_thread: &()) {}

    fn pte_word(flags: PteFlags, frame: u32, _size: Size) -> u64 {
        let bit = |on: bool, bit: u64| if on { bit } else { 0 };
        u64::from(frame) << FRAME_SHIFT
            | bit(flags.valid, VALID)
            | bit(flags.write, WRITE)
            | bit(flags.user, USER)
            | bit(flags.exec, EXEC)
            | bit(flags.accessed, ACCESSED)
            | bit(flags.dirty, DIRTY)
    }

    fn pte_flags(word: u64) -> PteFlags {
        PteFlags {
            valid: word & VALID != 0,
            write: word & WRITE != 0,
            user: word & USER != 0,
            exec: word & EXEC != 0,
            accessed: word & ACCESSED != 0,
            dirty: word & DIRTY != 0,
        }
    }

    fn pte_frame(word: u64) -> u32 {
        (word >> FRAME_SHIFT) as u32
    }

    fn virtual_address(at: PteRef) -> u64 {
        u64::from(at.mm.0) << 40 | u64::from(at.page) << FRAME_SHIFT
    }

    #[inline(always)]
    fn ignores_hooks<C: Context<PerCpu = (), Thread = ()>>(_cx: &C) -> bool {
        true
    }
}

impl TokenBackend for NoMode {
    fn token_enter<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C) -> Token {
        Token::Default
    }

    fn token_leave<C: Context<PerCpu = (), Thread = ()>>(_cx: &mut C, _token: Token) {}
}
