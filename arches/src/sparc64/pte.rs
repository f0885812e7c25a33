//! PTE words of sun4u and sun4v and the path a PTE update takes.
//!
//! A word is a TTE, as the TLB takes it; only the positions of the bits differ between the families ([`Layout`]). It
//! says its page's size, which is what an update goes by: the old word's size, not the new one's.
//!
//! Not here: the batch (`queue.rs`), and the flush of the data cache when a dirty file page goes (sun4u). Called by
//! the `Backend` impls of `hooks.rs` and `earlier.rs`. Nothing writes an accessed mark: a PTE that is not accessed
//! is not valid either, and the fault sets both.
//! Source: `arch/sparc/include/asm/pgtable_64.h`, 7.2.

use super::queue::{self, BatchOf, Family};
use crate::context::Context;
use crate::page::{PteFlags, PteRef, Range, Size};

/// Valid, for walkers and for `pte_accessible()`: the same bit in both families.
const VALID: u64 = 1 << 63;
/// A PMD's entry, that is, half of a huge page is one TTE.
const PMD_HUGE: u64 = 1 << 56;

/// Where a family has its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// In every word: present, cacheable.
    base: u64,
    /// Readable, a software bit.
    read: u64,
    /// Writable, a software bit: what `pte_write()` says.
    write: u64,
    /// Writable for the TLB: only if it is dirty too.
    hw_write: u64,
    exec: u64,
    accessed: u64,
    dirty: u64,
    privileged: u64,
    /// A page of 64K.
    sz64k: u64,
    /// A page of 4M.
    sz4m: u64,
    /// The physical address.
    paddr: u64,
}

/// UltraSPARC I to IV: sizes at the top, 41 bits of physical address as on the first of them and two more.
pub const SUN4U: Layout = Layout {
    base: 0x80 | 0x20 | 0x10,
    read: 0x200,
    write: 0x100,
    hw_write: 0x2,
    exec: 0x1000,
    accessed: 0x400,
    dirty: 0x800,
    privileged: 0x4,
    sz64k: 0x2000_0000_0000_0000,
    sz4m: 0x6000_0000_0000_0000,
    paddr: 0x0000_07ff_ffff_e000,
};

/// The hypervisor's TTE: sizes at the bottom.
pub const SUN4V: Layout = Layout {
    base: 0x10 | 0x400 | 0x200,
    read: 0x0800_0000_0000_0000,
    write: 0x0400_0000_0000_0000,
    hw_write: 0x40,
    exec: 0x80,
    accessed: 0x1000_0000_0000_0000,
    dirty: 0x2000_0000_0000_0000,
    privileged: 0x100,
    sz64k: 0x1,
    sz4m: 0x3,
    paddr: 0x00ff_ffff_ffff_e000,
};

impl Layout {
    /// The size a word was made for: `huge_tte_to_shift()` (`arch/sparc/mm/hugetlbpage.c`).
    #[inline]
    #[must_use]
    pub const fn size(&self, word: u64) -> Size {
        if word & self.sz4m == self.sz4m {
            Size::Huge
        } else if word & self.sz4m == self.sz64k {
            Size::Large
        } else {
            Size::Small
        }
    }

    /// `pte_exec()`.
    #[must_use]
    pub const fn is_exec(&self, word: u64) -> bool {
        word & self.exec != 0
    }

    /// The word for a frame, counted in units of its own size; on sun4u 2^20 huge ones fit.
    #[inline]
    #[must_use]
    pub fn word(&self, flags: PteFlags, frame: u32, size: Size) -> u64 {
        let bit = |on: bool, bit: u64| if on { bit } else { 0 };
        let size_bits = match size {
            Size::Small => 0,
            Size::Large => self.sz64k,
            Size::Huge => self.sz4m | PMD_HUGE,
        };
        self.base
            | size_bits
            | u64::from(frame) << super::page_shift(size) & self.paddr
            | bit(flags.valid, VALID | self.read)
            | bit(flags.write, self.write)
            | bit(flags.write && flags.dirty, self.hw_write)
            | bit(!flags.user, self.privileged)
            | bit(flags.exec, self.exec)
            | bit(flags.accessed, self.accessed)
            | bit(flags.dirty, self.dirty)
    }

    /// What a word says.
    #[inline]
    #[must_use]
    pub fn flags(&self, word: u64) -> PteFlags {
        if word == 0 {
            return PteFlags::default();
        }
        PteFlags {
            valid: word & VALID != 0,
            write: word & self.write != 0,
            user: word & self.privileged == 0,
            exec: self.is_exec(word),
            accessed: word & self.accessed != 0,
            dirty: word & self.dirty != 0,
        }
    }

    /// The frame a word names.
    #[inline]
    #[must_use]
    pub fn frame(&self, word: u64) -> u32 {
        ((word & self.paddr) >> super::page_shift(self.size(word))) as u32
    }

    /// `pte_wrprotect()`: not writable, for the kernel and for the TLB.
    const fn wrprotected(&self, word: u64) -> u64 {
        word & !(self.write | self.hw_write)
    }

    /// The word for the `i`-th page of a run: the same, so many frames further.
    fn nth(&self, word: u64, i: u16) -> u64 {
        word.wrapping_add(u64::from(i) << super::page_shift(self.size(word)))
    }
}

/// The one way a PTE changes: stored at once, and if it was a user's and accessible, its address must go.
///
/// Source: `__set_pte_at()` and `maybe_tlb_batch_add()`. Kernel addresses wait for `flush_tlb_kernel_range()`.
fn set<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef, word: u64) -> u64 {
    let old = cx.pte_load(at);
    cx.pte_store(at, word);
    if !at.mm.is_kernel() && old & VALID != 0 {
        queue::tlb_batch_add::<M, C, _>(cx, at, old);
    }
    old
}

/// `set_ptes()`.
pub fn set_ptes<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(
    cx: &mut C,
    at: PteRef,
    word: u64,
    n: u16,
) {
    for i in 0..n {
        set::<M, C, _>(cx, at.step(i), M::LAYOUT.nth(word, i));
    }
}

/// `ptep_get_and_clear()`.
pub fn clear<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef) -> u64 {
    set::<M, C, _>(cx, at, 0)
}

/// `ptep_set_wrprotect()`: the generic one, a read and a set.
pub fn wrprotect<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef) {
    let old = cx.pte_load(at);
    set::<M, C, _>(cx, at, M::LAYOUT.wrprotected(old));
}

/// `flush_tlb_range()`: nothing, each PTE update saw to its own address; `flush_tlb_kernel_range()` for `init_mm`.
pub fn flush_tlb_range<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, range: Range) {
    if range.first.mm.is_kernel() {
        queue::flush_kernel_range::<M, C>(cx, range);
    }
}

/// `__kernel_map_pages()` of one page: the entry changes, and this CPU forgets the old one. **This CPU alone**: the
/// kernel's comment says that an interrupt to the others could deadlock.
///
/// Source: `__kernel_map_pages()`, `arch/sparc/mm/init_64.c`, 7.2.
pub fn map_linear_page<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(
    cx: &mut C,
    at: PteRef,
    word: Option<u64>,
) {
    set::<M, C, _>(cx, at, word.unwrap_or(0));
    queue::flush_kernel_page_here::<M, C>(cx, at);
}

/// `tlb_flush()`: pages are about to be freed, so nothing may be left in the batch (`tlb_64.h`: it is
/// `flush_tlb_pending()`).
pub fn gather_flush<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, range: Range) {
    let _ = range;
    queue::flush_pending::<M, C, _>(cx);
}

/// The part of a `Backend` impl that every form has in common; `$mmu` is the family.
macro_rules! pte_path {
    ($mmu:ty) => {
        fn set_ptes<C: Context<PerCpu = Self::PerCpu, Thread = ()>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
            pte::set_ptes::<$mmu, C, _>(cx, at, word, n);
        }

        fn clear_pte<C: Context<PerCpu = Self::PerCpu, Thread = ()>>(cx: &mut C, at: PteRef) -> u64 {
            pte::clear::<$mmu, C, _>(cx, at)
        }

        fn wrprotect_pte<C: Context<PerCpu = Self::PerCpu, Thread = ()>>(cx: &mut C, at: PteRef) {
            pte::wrprotect::<$mmu, C, _>(cx, at);
        }

        fn flush_tlb_range<C: Context<PerCpu = Self::PerCpu, Thread = ()>>(cx: &mut C, range: Range) {
            pte::flush_tlb_range::<$mmu, C, _>(cx, range);
        }

        fn gather_flush<C: Context<PerCpu = Self::PerCpu, Thread = ()>>(cx: &mut C, range: Range) {
            pte::gather_flush::<$mmu, C, _>(cx, range);
        }

        fn map_linear_page<C: Context<PerCpu = Self::PerCpu, Thread = ()>>(cx: &mut C, at: PteRef, word: Option<u64>) {
            pte::map_linear_page::<$mmu, C, _>(cx, at, word);
        }

        fn deferred(cpu: &Self::PerCpu, _thread: &()) -> Deferred {
            cpu.deferred()
        }

        fn reset_cpu(cpu: &Self::PerCpu) {
            cpu.reset();
        }

        fn reset_thread(_thread: &()) {}

        #[inline]
        fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64 {
            <$mmu>::LAYOUT.word(flags, frame, size)
        }

        #[inline]
        fn pte_flags(word: u64) -> PteFlags {
            <$mmu>::LAYOUT.flags(word)
        }

        #[inline]
        fn pte_frame(word: u64) -> u32 {
            <$mmu>::LAYOUT.frame(word)
        }

        #[inline]
        fn pte_size(word: u64) -> Size {
            <$mmu>::LAYOUT.size(word)
        }

        fn virtual_address(at: PteRef) -> u64 {
            super::virtual_address(at)
        }
    };
}
pub(super) use pte_path;

#[cfg(test)]
mod tests {
    use super::super::{Sparc64, SparcStateless, SparcToken, Sun4v};
    use super::*;
    use crate::backend::Backend;
    use crate::bits::disjoint;

    /// What a word is made of, each bit in one of its parts: 64K is one of the two bits of 4M.
    #[test]
    fn the_fields_of_a_layout_do_not_meet() {
        for layout in [SUN4U, SUN4V] {
            let Layout { base, read, write, hw_write, exec, accessed, dirty, privileged, sz64k, sz4m, paddr } = layout;
            let marks = [VALID, PMD_HUGE, base, read, write, hw_write, exec, accessed, dirty, privileged, sz4m, paddr];
            assert!(disjoint(&marks), "{layout:x?}");
            assert!(sz64k & !sz4m == 0 && sz64k != 0 && sz64k != sz4m, "{layout:x?}");
        }
        assert!(disjoint(&[0x80, 0x20, 0x10]) && disjoint(&[0x10, 0x400, 0x200]), "what the bases are made of");
    }

    /// Bits of the hardware: a kernel page, a clean user page that may be executed, a page of 64K, a huge one.
    #[test]
    fn words_are_those_of_the_hardware() {
        let kernel = PteFlags { valid: true, write: true, accessed: true, dirty: true, ..PteFlags::default() };
        let user = PteFlags { user: true, exec: true, dirty: false, ..kernel };
        let words = |layout: Layout| {
            [(kernel, Size::Small), (user, Size::Small), (kernel, Size::Large), (kernel, Size::Huge)]
                .map(|(flags, size)| layout.word(flags, 3, size))
        };
        let sun4u = [0x8000_0000_0000_6fb6, 0x8000_0000_0000_77b0, 0xa000_0000_0003_0fb6, 0xe100_0000_0180_0fb6];
        let sun4v = [0xbc00_0000_0000_6750, 0x9c00_0000_0000_6690, 0xbc00_0000_0003_0751, 0xbd00_0000_0180_0753];
        assert_eq!((words(SUN4U), words(SUN4V)), (sun4u, sun4v));
    }

    /// Every combination of flags, every size, both families: what goes in comes out.
    #[test]
    fn words_say_what_they_were_made_of() {
        for layout in [SUN4U, SUN4V] {
            for bits in 0..64u8 {
                let on = |n: u8| bits >> n & 1 != 0;
                let flags =
                    PteFlags { valid: on(0), write: on(1), user: on(2), exec: on(3), accessed: on(4), dirty: on(5) };
                for size in [Size::Small, Size::Large, Size::Huge] {
                    for frame in [0, 1, 511, 0xffff, (1 << 20) - 1] {
                        let word = layout.word(flags, frame, size);
                        assert_eq!((layout.flags(word), layout.frame(word), layout.size(word)), (flags, frame, size));
                        assert_eq!(word & layout.hw_write != 0, flags.write && flags.dirty);
                        assert_ne!(word, 0);
                        let read_only = PteFlags { write: false, ..flags };
                        assert_eq!(layout.wrprotected(word), layout.word(read_only, frame, size));
                    }
                }
            }
            assert_eq!(layout.flags(0), PteFlags::default());
        }
    }

    /// A valid word says its size, in every form, write-protected too.
    #[test]
    fn valid_words_say_their_size() {
        fn check<B: Backend>(layout: Layout) {
            for bits in 0..32u8 {
                let on = |n: u8| bits >> n & 1 != 0;
                let flags =
                    PteFlags { valid: true, write: on(0), user: on(1), exec: on(2), accessed: on(3), dirty: on(4) };
                for size in [Size::Small, Size::Large, Size::Huge] {
                    let word = B::pte_word(flags, 511, size);
                    assert_eq!(B::pte_flags(word), flags, "{} {word:#x}", B::NAME);
                    for word in [word, B::touched(word), layout.wrprotected(word)] {
                        assert_eq!((B::pte_size(word), B::pte_frame(word)), (size, 511), "{} {word:#x}", B::NAME);
                    }
                }
            }
        }
        check::<Sparc64>(SUN4U);
        check::<SparcStateless>(SUN4U);
        check::<SparcToken>(SUN4U);
        check::<Sun4v>(SUN4V);
        let at = PteRef { mm: crate::page::Mm(1), page: 9, size: Size::Small };
        assert_eq!([Sparc64::virtual_address(at), Sun4v::virtual_address(at)], [0x7481_2000; 2]);
    }

    #[test]
    fn runs_of_pages() {
        let flags = PteFlags { valid: true, ..PteFlags::default() };
        for layout in [SUN4U, SUN4V] {
            for size in [Size::Small, Size::Large, Size::Huge] {
                let word = layout.nth(layout.word(flags, 40, size), 3);
                assert_eq!((layout.frame(word), layout.flags(word)), (43, flags), "{size:?}");
            }
        }
    }
}
