//! PTE words of Book3S-64 and the path a PTE update takes, on the hash MMU and on the radix MMU.
//!
//! The bits are those of a kernel with 64K pages, where a PTE says which size its hash entry has: a 4K one
//! (`H_PAGE_COMBO`), a 64K one (neither mark), a huge one (`H_PAGE_THP_HUGE`). The kernel's hash fault sets the first
//! mark; here the word has it from the start, so that the size is known.
//!
//! Not here: the batch (`queue.rs`), the loop on `H_PAGE_BUSY` (a kernel's updates are atomic against its hash
//! faults, the machine's by construction). Called by the `Backend` impls of `hooks.rs` and `earlier.rs`.
//! Source: `arch/powerpc/include/asm/book3s/64/{pgtable,hash,hash-64k}.h`, 7.2.

use super::queue::{self, BatchOf};
use crate::bits::disjoint;
use crate::context::Context;
use crate::page::{PteFlags, PteRef, Range, Size};

const EXEC: u64 = 0x1;
const WRITE: u64 = 0x2;
const READ: u64 = 0x4;
const PRIVILEGED: u64 = 0x8;
const DIRTY: u64 = 0x80;
const ACCESSED: u64 = 0x100;
const COMBO: u64 = 0x1000;
const THP_HUGE: u64 = 0x2000;
/// The hash table has, or had, an entry for this PTE.
pub const HASHPTE: u64 = 0x0080_0000_0000_0000;
/// Tells an entry from a pointer to a lower table.
const PTE: u64 = 0x4000_0000_0000_0000;
const PRESENT: u64 = 0x8000_0000_0000_0000;
/// Bits 16 to 52: page frames are counted in units of their own size, but never less than 64K.
const RPN: u64 = 0x001f_ffff_ffff_0000;

const _: () =
    assert!(disjoint(&[EXEC, WRITE, READ, PRIVILEGED, DIRTY, ACCESSED, COMBO, THP_HUGE, HASHPTE, PTE, PRESENT, RPN,]));

/// The size a PTE word was made for: `pte_pagesize_index()` (`hash-64k.h`).
#[inline]
#[must_use]
pub const fn size(word: u64) -> Size {
    if word & COMBO != 0 {
        Size::Small
    } else if word & THP_HUGE != 0 {
        Size::Huge
    } else {
        Size::Large
    }
}

const fn frame_shift(size: Size) -> u32 {
    match size {
        Size::Small | Size::Large => 16,
        Size::Huge => 24,
    }
}

/// The word for a frame; the hash table does not know it yet. Frames of huge pages are below 2^29.
#[inline]
#[must_use]
pub fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64 {
    let bit = |on: bool, bit: u64| if on { bit } else { 0 };
    let mark = match size {
        Size::Small => COMBO,
        Size::Large => 0,
        Size::Huge => THP_HUGE,
    };
    PTE | mark
        | u64::from(frame) << frame_shift(size) & RPN
        | bit(flags.valid, PRESENT | READ)
        | bit(flags.write, WRITE)
        | bit(!flags.user, PRIVILEGED)
        | bit(flags.exec, EXEC)
        | bit(flags.accessed, ACCESSED)
        | bit(flags.dirty, DIRTY)
}

/// What a word says.
#[inline]
#[must_use]
pub fn pte_flags(word: u64) -> PteFlags {
    if word == 0 {
        return PteFlags::default();
    }
    PteFlags {
        valid: word & PRESENT != 0,
        write: word & WRITE != 0,
        user: word & PRIVILEGED == 0,
        exec: word & EXEC != 0,
        accessed: word & ACCESSED != 0,
        dirty: word & DIRTY != 0,
    }
}

/// The frame a word names.
#[inline]
#[must_use]
pub fn pte_frame(word: u64) -> u32 {
    ((word & RPN) >> frame_shift(size(word))) as u32
}

/// On hash, an access that misses enters the translation in the hash table and marks the PTE so: this stands in
/// for the hash fault (`__hash_page_4K()` and its kin, `arch/powerpc/mm/book3s64/hash_4k.c`).
#[inline]
#[must_use]
pub const fn hash_touched(word: u64) -> u64 {
    if word & PRESENT != 0 { word | ACCESSED | HASHPTE } else { word }
}

/// On radix, the walker itself marks the PTE accessed.
#[inline]
#[must_use]
pub const fn radix_touched(word: u64) -> u64 {
    if word & PRESENT != 0 { word | ACCESSED } else { word }
}

/// The one way a PTE changes on hash: stored at once, and whatever the hash table knew of the old one must go.
///
/// Source: `hash__pte_update()` (`hash.h`). `change` acts on the old word, which is returned; `need_flush` says what
/// becomes of its hash entry: [`queue::hpte_need_flush`], in every form since the mode exists.
pub fn update_by<C: Context>(
    cx: &mut C,
    at: PteRef,
    change: impl FnOnce(u64) -> u64,
    need_flush: impl FnOnce(&mut C, PteRef, u64),
) -> u64 {
    let old = cx.pte_load(at);
    cx.pte_store(at, change(old));
    if old & HASHPTE != 0 {
        need_flush(cx, at, old);
    }
    old
}

/// `set_ptes()` on hash. The new words are unknown to the hash table, whatever `word` says (`set_pte_filter()`).
///
/// 7.2 warns if an entry to be set still is valid, and would forget its hash entry: such an entry goes through
/// `pte_update()` in a correct kernel, and so it does here.
pub fn set_ptes_by<C: Context>(cx: &mut C, at: PteRef, word: u64, n: u16, need_flush: impl Fn(&mut C, PteRef, u64)) {
    for i in 0..n {
        update_by(cx, at.step(i), |_| nth(word & !HASHPTE, i), &need_flush);
    }
}

/// `ptep_set_wrprotect()` on hash: nothing if it is not writable. The hash entry goes, the mark stays, as in the
/// kernel: it means "may have an entry".
pub fn wrprotect_by<C: Context>(cx: &mut C, at: PteRef, need_flush: impl FnOnce(&mut C, PteRef, u64)) {
    if cx.pte_load(at) & WRITE != 0 {
        update_by(cx, at, |old| old & !WRITE, need_flush);
    }
}

/// `set_ptes()` of every form since the mode exists.
pub fn hash_set_ptes<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef, word: u64, n: u16) {
    set_ptes_by(cx, at, word, n, queue::hpte_need_flush);
}

/// `ptep_get_and_clear()` on hash.
pub fn hash_clear<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef) -> u64 {
    update_by(cx, at, |_| 0, queue::hpte_need_flush)
}

/// `ptep_set_wrprotect()`, the same.
pub fn hash_wrprotect<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef) {
    wrprotect_by(cx, at, queue::hpte_need_flush);
}

/// `flush_tlb_range()` and `flush_tlb_kernel_range()` on hash: nothing, each PTE update sees to its own entry
/// (`tlbflush-hash.h`).
pub fn hash_flush_tlb_range<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(_cx: &mut C, _range: Range) {}

/// `tlb_flush()` on hash: pages are about to be freed, so nothing may be left in the batch (`hash__tlb_flush()`).
pub fn hash_gather_flush<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, range: Range) {
    let _ = range;
    cx.preempt_disable(); // get_cpu_var()
    if cx.this_cpu().index.get() != 0 {
        queue::flush_pending(cx);
    }
    cx.preempt_enable();
}

/// `__kernel_map_pages()` of one page on hash: the entry goes at once, past the batch, whatever the mode.
///
/// The kernel keeps the slots of the linear map's hash entries apart from its page table; here the PTE stands for
/// them. Source: `hash__kernel_map_pages()`, `kernel_unmap_linear_page()`, `arch/powerpc/mm/book3s64/hash_utils.c`, 7.2.
pub fn hash_map_linear_page<C: Context>(cx: &mut C, at: PteRef, word: Option<u64>) {
    let old = cx.pte_load(at);
    cx.pte_store(at, word.unwrap_or(0) & !HASHPTE);
    if old & HASHPTE != 0 {
        queue::flush_hash_pte(cx, at, old);
    }
}

/// `set_ptes()` on radix: plain stores.
pub fn radix_set_ptes<C: Context>(cx: &mut C, at: PteRef, word: u64, n: u16) {
    for i in 0..n {
        cx.pte_store(at.step(i), nth(word & !HASHPTE, i));
    }
}

/// `ptep_get_and_clear()` on radix.
pub fn radix_clear<C: Context>(cx: &mut C, at: PteRef) -> u64 {
    let old = cx.pte_load(at);
    cx.pte_store(at, 0);
    old
}

/// `ptep_set_wrprotect()` on radix: nothing if it is not writable.
pub fn radix_wrprotect<C: Context>(cx: &mut C, at: PteRef) {
    let old = cx.pte_load(at);
    if old & WRITE != 0 {
        cx.pte_store(at, old & !WRITE);
    }
}

/// The word for the `i`-th page of a run: the same, so many frames further.
fn nth(word: u64, i: u16) -> u64 {
    word.wrapping_add(u64::from(i) << frame_shift(size(word)))
}

/// The part of a `Backend` impl that every form on the hash MMU has in common since the mode exists.
macro_rules! pte_path {
    () => {
        fn set_ptes<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(
            cx: &mut C,
            at: PteRef,
            word: u64,
            n: u16,
        ) {
            pte::hash_set_ptes(cx, at, word, n);
        }

        fn clear_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef) -> u64 {
            pte::hash_clear(cx, at)
        }

        fn wrprotect_pte<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, at: PteRef) {
            pte::hash_wrprotect(cx, at);
        }

        fn flush_tlb_range<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, range: Range) {
            pte::hash_flush_tlb_range(cx, range);
        }

        $crate::powerpc64::pte::pte_words!();
    };
}
pub(super) use pte_path;

/// What every form on the hash MMU has in common: words, and what does not depend on the mode.
macro_rules! pte_words {
    () => {
        fn gather_flush<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(cx: &mut C, range: Range) {
            pte::hash_gather_flush(cx, range);
        }

        fn map_linear_page<C: Context<PerCpu = Self::PerCpu, Thread = Self::Thread>>(
            cx: &mut C,
            at: PteRef,
            word: Option<u64>,
        ) {
            pte::hash_map_linear_page(cx, at, word);
        }

        fn deferred(cpu: &Self::PerCpu, _thread: &Self::Thread) -> Deferred {
            cpu.deferred()
        }

        fn reset_cpu(cpu: &Self::PerCpu) {
            cpu.reset();
        }

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
            $crate::powerpc64::virtual_address(at)
        }

        #[inline]
        fn touched(word: u64) -> u64 {
            pte::hash_touched(word)
        }
    };
}
pub(super) use pte_words;

#[cfg(test)]
mod tests {
    use super::super::{Hash, HashStateless, HashToken, Radix};
    use super::*;
    use crate::backend::Backend;

    /// Every combination of flags, every size: what goes in comes out.
    #[test]
    fn words_say_what_they_were_made_of() {
        for bits in 0..64u8 {
            let on = |n: u8| bits >> n & 1 != 0;
            let flags =
                PteFlags { valid: on(0), write: on(1), user: on(2), exec: on(3), accessed: on(4), dirty: on(5) };
            for size in [Size::Small, Size::Large, Size::Huge] {
                for frame in [0, 1, 511, 0xffff, (1 << 29) - 1] {
                    let word = pte_word(flags, frame, size);
                    assert_eq!((pte_flags(word), pte_frame(word), super::size(word)), (flags, frame, size));
                    assert_eq!(word & HASHPTE, 0);
                    assert_eq!(pte_flags(hash_touched(word)).accessed, flags.accessed || flags.valid);
                    assert_eq!(hash_touched(word) & HASHPTE != 0, flags.valid);
                    assert_eq!(radix_touched(word) & HASHPTE, 0);
                    assert_eq!(hash_touched(hash_touched(word)), hash_touched(word), "a second access changes nothing");
                    assert_eq!(radix_touched(radix_touched(word)), radix_touched(word));
                }
            }
        }
        assert_eq!(pte_flags(0), PteFlags::default());
        assert_eq!((hash_touched(0), radix_touched(0)), (0, 0));
    }

    /// A valid word says its size, in every form, touched and write-protected too.
    #[test]
    fn valid_words_say_their_size() {
        fn check<B: Backend>() {
            for bits in 0..32u8 {
                let on = |n: u8| bits >> n & 1 != 0;
                let flags =
                    PteFlags { valid: true, write: on(0), user: on(1), exec: on(2), accessed: on(3), dirty: on(4) };
                for size in [Size::Small, Size::Large, Size::Huge] {
                    let word = B::pte_word(flags, 511, size);
                    assert_eq!(B::pte_flags(word), flags, "{} {word:#x}", B::NAME);
                    for word in [word, B::touched(word), B::touched(word) & !WRITE] {
                        assert_eq!((B::pte_size(word), B::pte_frame(word)), (size, 511), "{} {word:#x}", B::NAME);
                    }
                }
            }
        }
        check::<Hash>();
        check::<HashStateless>();
        check::<HashToken>();
        check::<Radix>();
    }

    #[test]
    fn runs_of_pages() {
        let flags = PteFlags { valid: true, ..PteFlags::default() };
        for size in [Size::Small, Size::Large, Size::Huge] {
            let word = pte_word(flags, 40, size);
            assert_eq!(pte_frame(nth(word, 3)), 43, "{size:?}");
            assert_eq!(pte_flags(nth(word, 3)), flags, "{size:?}");
        }
    }
}
