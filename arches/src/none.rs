//! `none`: an architecture without the mode. Hooks do nothing, every PTE is a plain store.
//!
//! It is the yardstick of rule 9 (the same program, the same generic events on every backend) and what a kernel
//! without `CONFIG_ARCH_HAS_LAZY_MMU_MODE` would run, had it the counters. It keeps no state at all.

use lazy_mmu_core::hooks::Token;

use crate::backend::{Backend, Deferred, TokenBackend};
use crate::bits::disjoint;
use crate::context::Context;
use crate::insn::Isa;
use crate::mmu::Mmu;
use crate::page::{PteFlags, PteRef, Range, Size};

/// The backend that defers nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoMode;

const VALID: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const EXEC: u64 = 1 << 3;
const ACCESSED: u64 = 1 << 4;
const DIRTY: u64 = 1 << 5;
const FRAME_SHIFT: u32 = 12;
// The flags and the frame; the number of an address space and a page's in an address.
const _: () = assert!(disjoint(&[VALID, WRITE, USER, EXEC, ACCESSED, DIRTY, (u32::MAX as u64) << FRAME_SHIFT]));
const _: () = assert!(disjoint(&[(u8::MAX as u64) << 40, (u16::MAX as u64) << FRAME_SHIFT]));

impl Backend for NoMode {
    const NAME: &'static str = "none";
    const ISA: Option<Isa> = None;
    const MMU: Mmu = Mmu::Plain;
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

    #[inline]
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

    #[inline]
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

    #[inline]
    fn pte_frame(word: u64) -> u32 {
        (word >> FRAME_SHIFT) as u32
    }

    #[inline]
    fn pte_size(_word: u64) -> Size {
        Size::Small
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

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use lazy_mmu_core::kernel::{BugSite, Kernel};

    use super::*;
    use crate::insn::Insn;
    use crate::page::{LINEAR_PAGE, Mm};

    /// One page of memory, and what was stored to it. Anything else that is asked for is a fault.
    #[derive(Default)]
    struct Page {
        word: u64,
        stores: Vec<(PteRef, u64)>,
    }

    impl Kernel for Page {
        type Task = ();

        fn current(&self) {}

        fn in_interrupt(&self) -> bool {
            panic!("no question is asked");
        }

        fn preempt_disable(&mut self) {
            panic!("preemption is left alone");
        }

        fn preempt_enable(&mut self) {
            panic!("preemption is left alone");
        }

        fn bug(&mut self, site: BugSite) {
            panic!("{site:?}");
        }
    }

    impl Context for Page {
        type PerCpu = ();
        type Thread = ();

        fn this_cpu(&self) -> &() {
            &()
        }

        fn thread(&self, (): ()) -> &() {
            &()
        }

        fn is_lazy_mmu_mode_active(&mut self) -> bool {
            panic!("no question is asked");
        }

        fn task_lazy_mmu_mode_active(&mut self, (): ()) -> bool {
            panic!("no question is asked");
        }

        fn task_lazy_mmu_mode_pause(&mut self, (): ()) {}

        fn task_lazy_mmu_mode_resume(&mut self, (): ()) {}

        fn pte_load(&mut self, _at: PteRef) -> u64 {
            self.word
        }

        fn pte_store(&mut self, at: PteRef, word: u64) {
            self.word = word;
            self.stores.push((at, word));
        }

        fn execute(&mut self, insn: Insn) -> u64 {
            panic!("{insn:?}");
        }

        fn local_irq_save(&mut self) {}

        fn local_irq_restore(&mut self) {}

        fn is_thread_local(&self, _mm: Mm) -> bool {
            false
        }

        fn is_context_valid(&self, _mm: Mm) -> bool {
            panic!("no question is asked");
        }

        fn cpus(&self) -> u8 {
            2
        }

        fn cpu(&self) -> u8 {
            0
        }
    }

    /// The default of DEBUG_PAGEALLOC, where nothing has to be flushed: a store when it comes, one when it goes.
    #[test]
    fn the_linear_map_is_plain_stores() {
        let mut cx = Page::default();
        let at = PteRef { mm: Mm::KERNEL, page: LINEAR_PAGE + 5, size: Size::Small };
        let word = NoMode::pte_word(PteFlags { valid: true, ..PteFlags::default() }, 5, Size::Small);
        NoMode::map_linear_page(&mut cx, at, Some(word));
        NoMode::map_linear_page(&mut cx, at, None);
        assert_eq!(cx.stores, [(at, word), (at, 0)]);
    }

    /// A run is consecutive frames; a write protection clears one flag.
    #[test]
    fn updates_are_stores_of_words() {
        let mut cx = Page::default();
        let at = PteRef { mm: Mm(3), page: 5, size: Size::Small };
        let all = PteFlags { valid: true, write: true, user: true, exec: true, accessed: true, dirty: true };
        let word = NoMode::pte_word(all, 7, Size::Small);
        NoMode::set_ptes(&mut cx, at, word, 3);
        let stored = [(5, 7), (6, 8), (7, 9)];
        let stored = stored.map(|(page, frame)| (PteRef { page, ..at }, NoMode::pte_word(all, frame, Size::Small)));
        assert_eq!(core::mem::take(&mut cx.stores), stored);
        NoMode::wrprotect_pte(&mut cx, at);
        assert_eq!(NoMode::get_pte(&mut cx, at), cx.stores[0].1);
        let protected = NoMode::pte_word(PteFlags { write: false, ..all }, 9, Size::Small);
        assert_eq!(cx.stores, [(at, protected)]);
        NoMode::wrprotect_pte(&mut cx, at);
        assert_eq!(cx.stores[1], (at, protected), "protected already");
    }

    #[test]
    fn addresses() {
        for (mm, page, address) in [(0, 0, 0), (0, 1, 0x1000), (1, 0, 1 << 40), (255, 2047, 0xff << 40 | 0x7f_f000)] {
            assert_eq!(NoMode::virtual_address(PteRef { mm: Mm(mm), page, size: Size::Small }), address);
        }
    }

    /// What a backend has that says nothing else, and what a port has.
    #[test]
    fn defaults() {
        let mut cx = Page::default();
        assert!(NoMode::ignores_hooks(&cx));
        assert_eq!((NoMode::arch_mode(&cx), NoMode::guest_load(&(), 0)), (None, 0));
        assert_eq!((NoMode::token_enter(&mut cx), NoMode::deferred(&(), &())), (Token::Default, Deferred::default()));
    }

    /// Every combination of flags: what goes in comes out. There is one size.
    #[test]
    fn words_say_what_they_were_made_of() {
        for bits in 0..64u8 {
            let on = |n: u8| bits >> n & 1 != 0;
            let flags =
                PteFlags { valid: on(0), write: on(1), user: on(2), exec: on(3), accessed: on(4), dirty: on(5) };
            for size in [Size::Small, Size::Large, Size::Huge] {
                for frame in [0, 1, 511, u32::MAX] {
                    let word = NoMode::pte_word(flags, frame, size);
                    assert_eq!((NoMode::pte_flags(word), NoMode::pte_frame(word)), (flags, frame));
                    assert_eq!(NoMode::pte_size(word), Size::Small);
                }
            }
        }
    }
}
