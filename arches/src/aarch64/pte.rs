//! PTE words of aarch64 (4K granule, stage 1), and the write path.
//!
//! Bit numbers are the architecture's and the kernel's. Not here: when the barriers after a store execute (`queue`),
//! nor table entries. The functions over a [`Context`] serve every form of the backend: `pte_path!` makes them its
//! methods.
//!
//! Refs: Arm ARM (DDI 0487) D8.3, "Translation table descriptor formats"; D8.13, "TLB maintenance".
//! Kernel: `arch/arm64/include/asm/{pgtable,pgtable-hwdef,pgtable-prot,tlbflush}.h`, 7.2.

use super::queue::{self, ThreadFlags};
use super::{decode, page_shift, virtual_address};
use crate::bits::disjoint;
use crate::context::Context;
use crate::insn::{Insn, Op};
use crate::page::{PteFlags, PteRef, Range, Size};

/// A walker may use the entry.
pub const VALID: u64 = 1;
/// Set in a page entry, clear in a block entry (a [`Size::Huge`] mapping).
pub const PAGE: u64 = 1 << 1;
/// AP\[1\]: user mode may use it.
pub const USER: u64 = 1 << 6;
/// AP\[2\]: stores fault; with [`WRITE`] the first one only makes the entry dirty.
pub const RDONLY: u64 = 1 << 7;
/// SH: inner shareable.
pub const SHARED: u64 = 3 << 8;
/// Accessed.
pub const AF: u64 = 1 << 10;
/// Not global: the translation is tagged with the ASID.
pub const NG: u64 = 1 << 11;
/// DBM, the kernel's `PTE_WRITE`: stores are allowed.
pub const WRITE: u64 = 1 << 51;
/// One of 16 entries that map 64K together (a [`Size::Large`] mapping).
pub const CONT: u64 = 1 << 52;
/// The kernel may not execute.
pub const PXN: u64 = 1 << 53;
/// User mode may not execute; kernel entries have it set, all of them.
pub const UXN: u64 = 1 << 54;
/// Software: dirty, where the hardware's state (WRITE without RDONLY) cannot say so.
pub const DIRTY: u64 = 1 << 55;

/// The output address of an entry.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

const _: () = assert!(disjoint(&[VALID, PAGE, USER, RDONLY, SHARED, AF, NG, WRITE, CONT, PXN, UXN, DIRTY, ADDRESS]));

/// From so many steps on, one instruction for the whole address space takes the place of one per step.
///
/// Source: `MAX_DVM_OPS` (`PTRS_PER_PTE`) and `__flush_tlb_range_limit_excess()`, `arch/arm64/include/asm/tlbflush.h`,
/// 7.2, on a CPU without range TLBIs.
pub const MAX_TLBI: u64 = 512;

/// The size a PTE word was made for; an entry that is not valid does not tell a block.
#[inline(always)]
#[must_use]
pub const fn size(word: u64) -> Size {
    if word & CONT != 0 {
        Size::Large
    } else if word & PAGE == 0 && word & VALID != 0 {
        Size::Huge
    } else {
        Size::Small
    }
}

/// What the frame number is shifted by: an entry says its size itself.
#[inline(always)]
const fn frame_shift(word: u64) -> u32 {
    page_shift(size(word))
}

/// The PTE word for `frame` with `flags`: `Backend::pte_word`.
///
/// A frame is as large as the mapping. An entry that is not valid says only "small" or "large".
/// Source: `PAGE_KERNEL` and `_PAGE_SHARED` (`pgtable-prot.h`), `pte_mkdirty()` (`pgtable.h`).
#[inline]
#[must_use]
pub fn word(flags: PteFlags, frame: u32, size: Size) -> u64 {
    let bit = |on: bool, bits: u64| if on { bits } else { 0 };
    let never = if flags.user { PXN } else { UXN };
    let exec = if flags.user { UXN } else { PXN };
    let kind = match size {
        Size::Small => PAGE,
        Size::Large => PAGE | CONT,
        Size::Huge => bit(!flags.valid, PAGE),
    };
    let bits = bit(flags.valid, VALID)
        | bit(flags.user, USER | NG)
        | bit(flags.write, WRITE)
        | bit(!(flags.write && flags.dirty), RDONLY)
        | bit(flags.accessed, AF)
        | bit(flags.dirty, DIRTY)
        | bit(!flags.exec, exec);
    let bits = bits | kind | never | SHARED;
    bits | (u64::from(frame) << frame_shift(bits)) & ADDRESS
}

/// What a PTE word says; an empty one says nothing.
#[inline]
#[must_use]
pub fn flags(word: u64) -> PteFlags {
    if word == 0 {
        return PteFlags::default();
    }
    let user = word & USER != 0;
    PteFlags {
        valid: word & VALID != 0,
        write: word & WRITE != 0,
        user,
        exec: word & if user { UXN } else { PXN } == 0,
        accessed: word & AF != 0,
        dirty: word & DIRTY != 0 || is_hardware_dirty(word),
    }
}

/// Dirty by the hardware's state: `pte_hw_dirty()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline(always)]
const fn is_hardware_dirty(word: u64) -> bool {
    word & (WRITE | RDONLY) == WRITE
}

/// The frame a PTE word names.
#[inline]
#[must_use]
pub fn frame(word: u64) -> u32 {
    ((word & ADDRESS) >> frame_shift(word)) as u32
}

/// Whether the barriers are due after the store of `word`: a valid entry of the kernel.
///
/// Source: `pte_valid_not_user()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline(always)]
#[must_use]
pub const fn is_valid_kernel(word: u64) -> bool {
    word & (VALID | USER | UXN) == VALID | UXN
}

/// The write-protected form of a word: what the hardware's dirty state said moves to the software bit.
///
/// An empty entry stays empty; the kernel calls this on present ones only.
/// Source: `pte_wrprotect()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline]
#[must_use]
pub const fn write_protected(word: u64) -> u64 {
    if word == 0 {
        return 0;
    }
    let dirty = if is_hardware_dirty(word) { DIRTY } else { 0 };
    (word | dirty | RDONLY) & !WRITE
}

/// `set_ptes()`: `n` stores, then the barriers once, if the last word stored calls for them.
///
/// Source: `__set_ptes_anysz()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline]
pub fn set_ptes<C: Context<Thread = ThreadFlags>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
    let step = 1 << frame_shift(word);
    let mut last = 0;
    for i in 0..n {
        last = word + u64::from(i) * step;
        cx.pte_store(at.step(i), last);
    }
    if is_valid_kernel(last) {
        queue::queue_pte_barriers(cx);
    }
}

/// `ptep_get_and_clear()`: an exchange with 0. No barrier: the caller's TLB invalidation begins with one.
///
/// Source: `__ptep_get_and_clear_anysz()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline]
pub fn clear<C: Context>(cx: &mut C, at: PteRef) -> u64 {
    let old = cx.pte_load(at);
    cx.pte_store(at, 0);
    old
}

/// `ptep_set_wrprotect()`: a compare-and-exchange loop in the kernel, no barrier.
///
/// Source: `___ptep_set_wrprotect()`, `arch/arm64/include/asm/pgtable.h`, 7.2.
#[inline]
pub fn wrprotect<C: Context>(cx: &mut C, at: PteRef) {
    let old = cx.pte_load(at);
    cx.pte_store(at, write_protected(old));
}

/// `flush_tlb_range()`, and for the kernel `flush_tlb_kernel_range()`: never deferred.
///
/// A user range keeps its ASID and drops the walk cache too (`vae1is`); a kernel range names every ASID, last level
/// only (`vaale1is`), and ends in an `isb`. A kernel range steps by base pages whatever it maps, and so does a
/// 64K one; a user range of blocks steps by blocks. Too many steps: everything of the ASID, or of the machine.
/// Source: `__flush_tlb_range()`, `flush_tlb_kernel_range()`, `flush_tlb_mm()`, `flush_tlb_all()` of
/// `arch/arm64/include/asm/tlbflush.h`, and `flush_hugetlb_tlb_range()` of `hugetlb.h`, 7.2.
pub fn flush_tlb_range<C: Context>(cx: &mut C, range: Range) {
    flush(cx, range, false);
}

/// `tlb_flush()` of an mmu_gather that freed no table: as [`flush_tlb_range`], but the walk cache is kept (`vale1is`).
///
/// Source: `tlb_flush()`, `arch/arm64/include/asm/tlb.h`, 7.2.
pub fn gather_flush<C: Context>(cx: &mut C, range: Range) {
    flush(cx, range, true);
}

fn flush<C: Context>(cx: &mut C, range: Range, last_level: bool) {
    let kernel = range.first.mm.is_kernel();
    let steps = steps_per_page(kernel, range.first.size);
    cx.op(Op::DsbIshst);
    match (u64::from(range.pages) * steps >= MAX_TLBI, kernel) {
        (true, true) => cx.op(Op::TlbiVmalle1is),
        (true, false) => {
            cx.execute(Insn::with(Op::TlbiAside1is, decode::operand_asid(range.first.mm.0.into())));
        }
        (false, _) => tlbi_each(cx, range, steps, last_level),
    }
    cx.op(Op::DsbIsh);
    if kernel {
        cx.op(Op::Isb);
    }
}

/// How many instructions one page of `size` takes.
const fn steps_per_page(kernel: bool, size: Size) -> u64 {
    let by_block = matches!(size, Size::Huge) && !kernel;
    if by_block { 1 } else { 1 << (page_shift(size) - page_shift(Size::Small)) }
}

/// One TLBI per step: no level hint, and the ASID is the number of the address space (0 for the kernel).
fn tlbi_each<C: Context>(cx: &mut C, range: Range, steps: u64, last_level: bool) {
    let op = match (range.first.mm.is_kernel(), last_level) {
        (true, _) => Op::TlbiVaale1is,
        (false, true) => Op::TlbiVale1is,
        (false, false) => Op::TlbiVae1is,
    };
    let asid = range.first.mm.0.into();
    for page in 0..range.pages {
        let start = virtual_address(range.first.step(page));
        for step in 0..steps {
            let va = start + (step << page_shift(Size::Small));
            cx.execute(Insn::with(op, decode::operand_va(va, asid, decode::NO_LEVEL)));
        }
    }
}

/// The methods and types that every form of the backend shares: the write path above.
macro_rules! pte_path {
    () => {
        const ISA: Option<Isa> = Some(Isa::Aarch64);
        const MMU: Mmu = Mmu::Aarch64;
        type PerCpu = ();
        type Thread = ThreadFlags;

        #[inline(always)]
        fn set_ptes<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
            pte::set_ptes(cx, at, word, n);
        }

        #[inline(always)]
        fn clear_pte<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C, at: PteRef) -> u64 {
            pte::clear(cx, at)
        }

        #[inline(always)]
        fn wrprotect_pte<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C, at: PteRef) {
            pte::wrprotect(cx, at);
        }

        #[inline(always)]
        fn flush_tlb_range<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C, range: Range) {
            pte::flush_tlb_range(cx, range);
        }

        /// `__switch_to()`, `arch/arm64/kernel/process.c`: a full DSB, so that a store made before the task moves to
        /// another CPU is never lost on the way. The ISB, if it is owed, stays owed to the task.
        #[inline(always)]
        fn end_context_switch<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C, _next: C::Task) {
            cx.op(crate::insn::Op::DsbIsh);
        }

        fn gather_flush<C: Context<PerCpu = (), Thread = ThreadFlags>>(cx: &mut C, range: Range) {
            pte::gather_flush(cx, range);
        }

        fn deferred(_cpu: &(), thread: &ThreadFlags) -> Deferred {
            thread.deferred()
        }

        fn reset_cpu(_cpu: &()) {}

        fn reset_thread(thread: &ThreadFlags) {
            thread.reset();
        }

        #[inline]
        fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64 {
            pte::word(flags, frame, size)
        }

        #[inline]
        fn pte_flags(word: u64) -> PteFlags {
            pte::flags(word)
        }

        #[inline]
        fn pte_frame(word: u64) -> u32 {
            pte::frame(word)
        }

        #[inline]
        fn pte_size(word: u64) -> Size {
            pte::size(word)
        }

        fn virtual_address(at: PteRef) -> u64 {
            super::virtual_address(at)
        }
    };
}
pub(super) use pte_path;

#[cfg(test)]
mod tests;
