//! PTE words of x86_64, and the two write paths: plain stores, and Xen's updates.
//!
//! Under Xen **the backend never stores a PTE**: memory changes when the hypervisor executes the update. A read in
//! between returns the old word. The kernel's `ptep_get_and_clear()` and `ptep_set_wrprotect()` are native exchanges
//! even under Xen, which traps and emulates them; here they take the same path as a set, so that every change of an
//! entry is one update, in order. Kernel entries are not global (Xen PV masks that bit), so that a reload of CR3
//! drops them too.
//!
//! The functions over a [`Context`] serve every form; each passes the question it asks. `xen_pte_path!` makes them
//! its methods.
//!
//! Refs: Intel SDM vol. 3A 4.5, "4-level paging"; 4.10.4, "Invalidation of TLBs". Kernel:
//! `arch/x86/include/asm/{pgtable,pgtable_types}.h`, `arch/x86/mm/tlb.c`, `arch/x86/xen/mmu_pv.c`, 7.2.

use super::decode::{INVLPG_MULTI, TLB_FLUSH_MULTI, Update, update_pointer};
use super::queue::{self, PerCpuOf};
use super::{SLOT_SHIFT, page_shift, virtual_address};
use crate::bits::disjoint;
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};
use crate::page::{PteFlags, PteRef, Range, Size};

/// A walker may use the entry.
pub const PRESENT: u64 = 1;
/// Stores are allowed.
pub const RW: u64 = 1 << 1;
/// User mode may use it.
pub const USER: u64 = 1 << 2;
/// Accessed.
pub const ACCESSED: u64 = 1 << 5;
/// Written through. With [`RW`] clear it would mean a shadow stack, so a protected entry keeps [`SAVED_DIRTY`].
pub const DIRTY: u64 = 1 << 6;
/// The entry is a PMD that maps 2M (a [`Size::Huge`] mapping).
pub const PSE: u64 = 1 << 7;
/// Software: dirty, and not writable.
pub const SAVED_DIRTY: u64 = 1 << 58;
/// No instruction may be fetched.
pub const NX: u64 = 1 << 63;

/// The frame field of an entry.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const _: () = assert!(disjoint(&[PRESENT, RW, USER, ACCESSED, DIRTY, PSE, SAVED_DIRTY, NX, ADDRESS]));
// A slot's address and a number of pages, in `b` of a `flush_tlb_ipi`.
const _: () = assert!(disjoint(&[!0 << SLOT_SHIFT, u16::MAX as u64]));

/// Up to so many steps one `invlpg` each, beyond that everything: `tlb_single_page_flush_ceiling`.
///
/// Source: `arch/x86/mm/tlb.c`, 7.2.
pub const FLUSH_CEILING: u64 = 33;

/// The size a PTE word was made for: there is no middle one.
#[inline(always)]
#[must_use]
pub const fn size(word: u64) -> Size {
    if word & PSE != 0 { Size::Huge } else { Size::Small }
}

/// What the frame number is shifted by: an entry says its size itself.
#[inline(always)]
const fn frame_shift(word: u64) -> u32 {
    page_shift(size(word))
}

/// The PTE word for `frame` with `flags`: `Backend::pte_word`. A frame is as large as the mapping.
///
/// Source: `pte_mkdirty()`, `mksaveddirty_shift()` of `arch/x86/include/asm/pgtable.h`.
#[inline]
#[must_use]
pub fn word(flags: PteFlags, frame: u32, size: Size) -> u64 {
    let bit = |on: bool, bits: u64| if on { bits } else { 0 };
    let bits = bit(flags.valid, PRESENT)
        | bit(flags.write, RW)
        | bit(flags.user, USER)
        | bit(flags.accessed, ACCESSED)
        | bit(flags.dirty, if flags.write { DIRTY } else { SAVED_DIRTY })
        | bit(size == Size::Huge, PSE)
        | bit(!flags.exec, NX);
    bits | (u64::from(frame) << frame_shift(bits)) & ADDRESS
}

/// What a PTE word says; an empty one says nothing.
#[inline]
#[must_use]
pub fn flags(word: u64) -> PteFlags {
    PteFlags {
        valid: word & PRESENT != 0,
        write: word & RW != 0,
        user: word & USER != 0,
        exec: word != 0 && word & NX == 0,
        accessed: word & ACCESSED != 0,
        dirty: word & (DIRTY | SAVED_DIRTY) != 0,
    }
}

/// The frame a PTE word names.
#[inline]
#[must_use]
pub fn frame(word: u64) -> u32 {
    ((word & ADDRESS) >> frame_shift(word)) as u32
}

/// The write-protected form of a word: the dirty bit moves, as it would mean a shadow stack.
///
/// Source: `pte_wrprotect()`, `arch/x86/include/asm/pgtable.h`, 7.2.
#[inline]
#[must_use]
pub const fn write_protected(word: u64) -> u64 {
    let saved = if word & DIRTY != 0 { SAVED_DIRTY } else { 0 };
    word & !(RW | DIRTY) | saved
}

/// `set_ptes()` on bare hardware: plain stores, nothing deferred.
///
/// Source: `set_ptes()`, `include/linux/pgtable.h`; `native_set_pte()`, `arch/x86/include/asm/pgtable_64.h`, 7.2.
#[inline]
pub fn native_set_ptes<C: Context>(cx: &mut C, at: PteRef, word: u64, n: u16) {
    let step = 1 << frame_shift(word);
    for i in 0..n {
        cx.pte_store(at.step(i), word + u64::from(i) * step);
    }
}

/// `ptep_get_and_clear()` on bare hardware: an exchange with 0.
///
/// Source: `native_ptep_get_and_clear()`, `arch/x86/include/asm/pgtable_64.h`, 7.2.
#[inline]
pub fn native_clear<C: Context>(cx: &mut C, at: PteRef) -> u64 {
    let old = cx.pte_load(at);
    cx.pte_store(at, 0);
    old
}

/// `ptep_set_wrprotect()` on bare hardware: a compare-and-exchange loop in the kernel.
///
/// Source: `arch/x86/include/asm/pgtable.h`, 7.2.
#[inline]
pub fn native_wrprotect<C: Context>(cx: &mut C, at: PteRef) {
    let old = cx.pte_load(at);
    cx.pte_store(at, write_protected(old));
}

/// `flush_tlb_mm_range()`, and for the kernel `flush_tlb_kernel_range()`, on bare hardware.
///
/// A user mm's generation is counted up first (a full barrier); then this CPU flushes, and every other one that may
/// hold translations: all of them for the kernel. A kernel range steps by base pages whatever it maps. `b` of a
/// `flush_tlb_ipi` says what: the first address | pages, or 0 for everything.
/// Source: `arch/x86/mm/tlb.c`, 7.2.
pub fn native_flush_tlb_range<C: Context>(cx: &mut C, range: Range) {
    let mm = range.first.mm;
    cx.preempt_disable();
    if !mm.is_kernel() {
        cx.op(Op::LockXadd);
    }
    let everything = steps(range) > FLUSH_CEILING;
    if everything {
        cx.execute(Insn::with(Op::MovCr3, u64::from(mm.0) << 12));
    } else {
        for page in 0..range.pages {
            cx.execute(Insn::with(Op::Invlpg, virtual_address(range.first.step(page))));
        }
    }
    if mm.is_kernel() || !cx.is_thread_local(mm) {
        let what = if everything { 0 } else { virtual_address(range.first) | u64::from(range.pages) };
        let here = cx.cpu();
        for cpu in (0..cx.cpus()).filter(|&cpu| cpu != here) {
            cx.execute(Insn { op: Op::FlushIpi, a: cpu.into(), b: what });
        }
    }
    cx.preempt_enable();
}

/// `__kernel_map_pages()` of one page on bare hardware: the entry changes, and this CPU forgets everything. **This CPU
/// alone**: the kernel's comment says that an interrupt to the others could deadlock.
///
/// Source: `__kernel_map_pages()`, `arch/x86/mm/pat/set_memory.c`; `__flush_tlb_all()`, 7.2.
pub fn native_map_linear_page<C: Context>(cx: &mut C, at: PteRef, word: Option<u64>) {
    cx.pte_store(at, word.unwrap_or(0));
    cx.preempt_disable();
    cx.execute(Insn::with(Op::MovCr3, 0));
    cx.preempt_enable();
}

/// The same under Xen: an update and a flush of this CPU, queued if the mode is active; the caller forces them out.
pub fn xen_map_linear_page<const CALLS: u8, const BYTES: u16, C, A>(
    cx: &mut C,
    at: PteRef,
    word: Option<u64>,
    active: A,
) where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
    A: Fn(&mut C) -> bool + Copy,
{
    xen_set_pte(cx, at, word.unwrap_or(0), active);
    cx.preempt_disable();
    let here = 1 << cx.cpu();
    queue::queue_tlb_flush(cx, TLB_FLUSH_MULTI, 0, here);
    if !active(cx) {
        queue::flush(cx);
    }
    cx.preempt_enable();
}

/// How many `invlpg` a range would take.
///
/// Source: `get_flush_tlb_info()`: a user range steps by its own page size (hugetlb), a kernel range by 4K.
fn steps(range: Range) -> u64 {
    let size = if range.first.mm.is_kernel() { Size::Small } else { range.first.size };
    u64::from(range.pages) << (page_shift(range.first.size) - page_shift(size))
}

/// One PTE under Xen: queued while the mode is active, else a hypercall of its own.
///
/// The question is asked twice, as the kernel does: whether to queue, and whether to leave it queued.
/// Source: `xen_batched_set_pte()`, `__xen_set_pte()`, `xen_mc_issue()`, 7.2.
#[inline]
fn xen_set_pte<const CALLS: u8, const BYTES: u16, C>(cx: &mut C, at: PteRef, word: u64, active: impl Fn(&mut C) -> bool)
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let pointer = update_pointer(at.machine_address(), Update::Normal);
    if !active(cx) {
        cx.note(Note::MmuImmediate);
        return queue::mmu_update_now(cx, pointer, word);
    }
    cx.local_irq_save(); // xen_mc_batch()
    queue::extend_mmu_update(cx, pointer, word);
    if active(cx) {
        cx.note(Note::MmuQueued);
    } else {
        cx.note(Note::MmuIssued);
        queue::flush(cx);
    }
    cx.local_irq_restore();
}

/// `set_ptes()` under Xen: each PTE an update.
///
/// Source: `set_ptes()`, `include/linux/pgtable.h`; `xen_set_pte()`, `arch/x86/xen/mmu_pv.c`, 7.2.
#[inline]
pub fn xen_set_ptes<const CALLS: u8, const BYTES: u16, C, A>(cx: &mut C, at: PteRef, word: u64, n: u16, active: A)
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
    A: Fn(&mut C) -> bool + Copy,
{
    let step = 1 << frame_shift(word);
    for i in 0..n {
        xen_set_pte(cx, at.step(i), word + u64::from(i) * step, active);
    }
}

/// `ptep_get_and_clear()` under Xen: the word in memory, then an update to 0 (see the module's text).
///
/// An update that is still queued is not seen: the old word comes back.
#[inline]
pub fn xen_clear<const CALLS: u8, const BYTES: u16, C>(cx: &mut C, at: PteRef, active: impl Fn(&mut C) -> bool) -> u64
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let old = cx.pte_load(at);
    xen_set_pte(cx, at, 0, active);
    old
}

/// `ptep_set_wrprotect()` under Xen: an update to the protected form of the word in memory (see the module's text).
#[inline]
pub fn xen_wrprotect<const CALLS: u8, const BYTES: u16, C>(cx: &mut C, at: PteRef, active: impl Fn(&mut C) -> bool)
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let old = cx.pte_load(at);
    xen_set_pte(cx, at, write_protected(old), active);
}

/// `flush_tlb_mm_range()` under Xen: one operation on all CPUs of the mm, queued behind the updates before it.
///
/// One base page is named by its address, anything larger is everything. A kernel range takes the same way here; the
/// kernel interrupts every CPU, and each asks for its own.
/// Source: `xen_flush_tlb_multi()`, `arch/x86/xen/mmu_pv.c`, 7.2.
pub fn xen_flush_tlb_range<const CALLS: u8, const BYTES: u16, C>(
    cx: &mut C,
    range: Range,
    active: impl Fn(&mut C) -> bool,
) where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let mm = range.first.mm;
    cx.preempt_disable();
    if !mm.is_kernel() {
        cx.op(Op::LockXadd);
    }
    let mask = if !mm.is_kernel() && cx.is_thread_local(mm) { 1 << cx.cpu() } else { all_cpus(cx.cpus()) };
    let one_page = range.pages == 1 && page_shift(range.first.size) == page_shift(Size::Small);
    let (command, address) = if one_page { (INVLPG_MULTI, virtual_address(range.first)) } else { (TLB_FLUSH_MULTI, 0) };
    queue::queue_tlb_flush(cx, command, address, mask);
    if !active(cx) {
        queue::flush(cx);
    }
    cx.preempt_enable();
}

/// One bit per CPU, of at most 64.
const fn all_cpus(cpus: u8) -> u64 {
    u64::MAX >> (64 - cpus as u32)
}

/// The methods and types that every Xen form shares: the write path above, `$active` being the question it asks.
macro_rules! xen_pte_path {
    ($per_cpu:ty, $active:expr) => {
        const ISA: Option<Isa> = Some(Isa::X86_64);
        const MMU: Mmu = Mmu::Xen;
        type PerCpu = $per_cpu;
        type Thread = Thread;

        #[inline(always)]
        fn set_ptes<C: Context<PerCpu = $per_cpu, Thread = Thread>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
            pte::xen_set_ptes(cx, at, word, n, $active);
        }

        #[inline(always)]
        fn clear_pte<C: Context<PerCpu = $per_cpu, Thread = Thread>>(cx: &mut C, at: PteRef) -> u64 {
            pte::xen_clear(cx, at, $active)
        }

        #[inline(always)]
        fn wrprotect_pte<C: Context<PerCpu = $per_cpu, Thread = Thread>>(cx: &mut C, at: PteRef) {
            pte::xen_wrprotect(cx, at, $active);
        }

        #[inline(always)]
        fn flush_tlb_range<C: Context<PerCpu = $per_cpu, Thread = Thread>>(cx: &mut C, range: Range) {
            pte::xen_flush_tlb_range(cx, range, $active);
        }

        fn map_linear_page<C: Context<PerCpu = $per_cpu, Thread = Thread>>(cx: &mut C, at: PteRef, word: Option<u64>) {
            pte::xen_map_linear_page(cx, at, word, $active);
        }

        fn deferred(cpu: &$per_cpu, _thread: &Thread) -> Deferred {
            cpu.deferred()
        }

        fn guest_load(cpu: &$per_cpu, address: u64) -> u64 {
            cpu.guest_load(address)
        }

        fn guest_store(cpu: &$per_cpu, address: u64, value: u64) {
            cpu.guest_store(address, value);
        }

        fn reset_cpu(cpu: &$per_cpu) {
            cpu.reset();
        }

        fn reset_thread(thread: &Thread) {
            thread.lazy_mmu_updates.set(false);
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
pub(super) use xen_pte_path;

#[cfg(test)]
mod tests;
