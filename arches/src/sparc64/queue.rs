//! What is deferred: a per-CPU batch of user addresses to remove from TSB and TLBs, and how it is forced out.
//!
//! First the TSB, always; then, if the address space has a context number, the TLBs: the other CPUs' by a cross call,
//! this CPU's by the stream of its family ([`Family`]), from the last address to the first.
//!
//! Not here: what decides that an address must go (`pte.rs`), the hooks (`hooks.rs`, `earlier.rs`), the TSB's lock.
//! Called by those two; the machine uses [`context`]. A cross call names the function and how many addresses it has:
//! which, and whose, says the stream that follows here.

use core::cell::Cell;
use core::hash::{Hash, Hasher};

use super::decode::{self, DEMAP_NUCLEUS, DEMAP_SECONDARY};
use super::pte::{self, Layout};
use super::virtual_address;
use crate::backend::{Deferred, mix};
use crate::bits::disjoint;
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};
use crate::page::{Mm, PteRef, Range, Size};

/// How many addresses a batch has: `TLB_BATCH_NR` (`arch/sparc/include/asm/tlbflush_64.h`, 7.2).
pub const BATCH: u16 = 192;

/// `PAGE_SHIFT`.
pub const PAGE_SHIFT: u32 = 13;
/// `REAL_HPAGE_SHIFT`: the largest page the hardware knows, 4M; half a huge page.
pub const REAL_HPAGE_SHIFT: u32 = 22;

/// `b` of [`Op::Xcall`]: `xcall_flush_tlb_page`, one address.
pub const XCALL_PAGE: u64 = 1;
/// `b` of [`Op::Xcall`]: `tlb_pending_func()`, the whole batch.
pub const XCALL_PENDING: u64 = 2;
/// `b` of [`Op::Xcall`]: `xcall_flush_tlb_kernel_range`.
pub const XCALL_KERNEL_RANGE: u64 = 3;

// A page's address and the mark of an executable one; a hash shift and a context, a function and a count.
const _: () = assert!(disjoint(&[!0 << PAGE_SHIFT, 1]) && disjoint(&[u8::MAX as u64, !0 << 8]));
const _: () = assert!(REAL_HPAGE_SHIFT <= u8::MAX as u32 && XCALL_KERNEL_RANGE <= u8::MAX as u64);

/// `struct tlb_batch` (`tlbflush_64.h`), one per CPU: touched with preemption off only.
///
/// It is full with `ROOM` addresses, the kernel's [`BATCH`] unless a search wants a batch that fills sooner. It has memory
/// for [`BATCH`] of them in any case.
#[derive(Debug)]
pub struct BatchOf<const ROOM: u16> {
    /// Before 7.0: whether this CPU batches. The 7.2 form neither reads nor writes it.
    pub active: Cell<bool>,
    /// Which TSB entries an address has; means nothing while `tlb_nr` is 0.
    pub hugepage_shift: Cell<u32>,
    /// Whose addresses they are; means nothing while `tlb_nr` is 0.
    pub mm: Cell<Mm>,
    /// How many addresses wait.
    pub tlb_nr: Cell<u16>,
    /// Each address, page aligned; bit 0 says that it was executable.
    pub vaddrs: [Cell<u64>; BATCH as usize],
}

impl<const ROOM: u16> Default for BatchOf<ROOM> {
    fn default() -> Self {
        BatchOf {
            active: Cell::new(false),
            hugepage_shift: Cell::new(PAGE_SHIFT),
            mm: Cell::new(Mm::KERNEL),
            tlb_nr: Cell::new(0),
            vaddrs: [const { Cell::new(0) }; BATCH as usize],
        }
    }
}

/// The kernel's.
pub type TlbBatch = BatchOf<BATCH>;

/// What the rest of a run depends on: of the entries those in use.
impl<const ROOM: u16> Hash for BatchOf<ROOM> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let BatchOf { active, hugepage_shift, mm, tlb_nr, vaddrs } = self;
        let entries = usize::from(tlb_nr.get());
        (active.get(), entries, (entries > 0).then(|| (hugepage_shift.get(), mm.get()))).hash(state);
        vaddrs.iter().take(entries).for_each(|vaddr| vaddr.get().hash(state));
    }
}

impl<const ROOM: u16> BatchOf<ROOM> {
    /// What waits here, for oracles and reports.
    #[must_use]
    pub fn deferred(&self) -> Deferred {
        let entries = self.tlb_nr.get();
        let waiting = self.vaddrs.iter().take(usize::from(entries));
        Deferred { pending: false, entries, digest: waiting.fold(0, |digest, vaddr| mix(digest, vaddr.get())) }
    }

    /// Back to how a CPU boots: off and empty. What lies in unused entries means nothing.
    pub fn reset(&self) {
        self.active.set(false);
        self.tlb_nr.set(0);
    }
}

/// The context number of an address space: `CTX_HWBITS(mm->context)`; 0 is the kernel's.
#[must_use]
pub const fn context(mm: Mm) -> u64 {
    mm.0 as u64
}

/// How a family removes translations from its TLB, and where it has its PTE bits.
pub trait Family {
    /// The PTE bits.
    const LAYOUT: Layout;
    /// What the prologue changes and the epilogue puts back.
    type Saved;

    /// The prologue: makes `context` the one that demaps name.
    fn begin<C: Context>(cx: &mut C, context: u64) -> Self::Saved;

    /// Removes one address of a batch.
    fn demap<C: Context>(cx: &mut C, context: u64, vaddr: u64);

    /// The epilogue.
    fn end<C: Context>(cx: &mut C, saved: Self::Saved);

    /// Removes one kernel page.
    fn demap_kernel<C: Context>(cx: &mut C, vaddr: u64);

    /// After the last kernel page.
    fn end_kernel<C: Context>(cx: &mut C);
}

/// sun4u with UltraSPARC I or II: TLB entries are demapped by stores to the MMUs, in the secondary context.
///
/// Source: `__flush_tlb_page()`, `__flush_tlb_pending()`, `__flush_tlb_kernel_range()` in
/// `arch/sparc/mm/ultra.S`, 7.2.
#[derive(Clone, Copy, Debug)]
pub struct Spitfire;

const SECONDARY: u64 = decode::operand(decode::ASI_DMMU, decode::SECONDARY_CONTEXT);

impl Family for Spitfire {
    const LAYOUT: Layout = pte::SUN4U;
    /// %pstate and the secondary context.
    type Saved = (u64, u64);

    fn begin<C: Context>(cx: &mut C, context: u64) -> (u64, u64) {
        let pstate = cx.execute(Insn::plain(Op::RdprPstate));
        cx.execute(Insn::with(Op::WrprPstate, pstate & !decode::PSTATE_IE));
        let secondary = cx.execute(Insn::with(Op::Ldxa, SECONDARY));
        cx.execute(Insn { op: Op::Stxa, a: SECONDARY, b: context });
        (pstate, secondary)
    }

    fn demap<C: Context>(cx: &mut C, _context: u64, vaddr: u64) {
        let address = decode::demap_address(vaddr, DEMAP_SECONDARY);
        if vaddr & 1 != 0 {
            demap_in(cx, decode::ASI_IMMU_DEMAP, address);
        }
        demap_in(cx, decode::ASI_DMMU_DEMAP, address);
        cx.op(Op::MembarSync);
    }

    fn end<C: Context>(cx: &mut C, (pstate, secondary): (u64, u64)) {
        cx.execute(Insn { op: Op::Stxa, a: SECONDARY, b: secondary });
        cx.execute(Insn::with(Op::Flush, decode::KERNBASE));
        cx.execute(Insn::with(Op::WrprPstate, pstate));
    }

    fn demap_kernel<C: Context>(cx: &mut C, vaddr: u64) {
        let address = decode::demap_address(vaddr, DEMAP_NUCLEUS);
        demap_in(cx, decode::ASI_DMMU_DEMAP, address);
        demap_in(cx, decode::ASI_IMMU_DEMAP, address);
        cx.op(Op::MembarSync);
    }

    fn end_kernel<C: Context>(cx: &mut C) {
        cx.execute(Insn::with(Op::Flush, decode::KERNBASE));
    }
}

fn demap_in<C: Context>(cx: &mut C, asi: u8, address: u64) {
    cx.execute(Insn::with(Op::Stxa, decode::operand(asi, address)));
}

/// sun4v: one hypervisor trap per page. The kernel panics if the hypervisor refuses; it has no reason to.
///
/// Source: `__hypervisor_flush_tlb_page()`, `__hypervisor_flush_tlb_pending()` and their kin in `ultra.S`, 7.2.
#[derive(Clone, Copy, Debug)]
pub struct Hypervisor;

impl Family for Hypervisor {
    const LAYOUT: Layout = pte::SUN4V;
    type Saved = ();

    fn begin<C: Context>(_cx: &mut C, _context: u64) {}

    fn demap<C: Context>(cx: &mut C, context: u64, vaddr: u64) {
        let a = decode::operand(decode::MMU_UNMAP_ADDR, vaddr & !0x1fff);
        cx.execute(Insn { op: Op::Ta, a, b: decode::trap_arguments(context, decode::HV_MMU_ALL) });
    }

    fn end<C: Context>(_cx: &mut C, _saved: ()) {}

    fn demap_kernel<C: Context>(cx: &mut C, vaddr: u64) {
        Self::demap(cx, context(Mm::KERNEL), vaddr);
    }

    fn end_kernel<C: Context>(_cx: &mut C) {}
}

/// A user PTE that was accessible has changed: its address goes now, or joins the batch.
///
/// A huge page is two addresses. The shift is the old page's.
/// Source: `tlb_batch_add()` and `__set_pmd_at()`, `arch/sparc/mm/tlb.c`, 7.2.
pub fn tlb_batch_add<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef, old: u64) {
    let size = M::LAYOUT.size(old);
    let vaddr = virtual_address(PteRef { size, ..at }) | u64::from(M::LAYOUT.is_exec(old));
    match size {
        Size::Small => tlb_batch_add_one::<M, C, _>(cx, at.mm, vaddr, PAGE_SHIFT),
        Size::Large => tlb_batch_add_one::<M, C, _>(cx, at.mm, vaddr, super::page_shift(size)),
        Size::Huge => {
            tlb_batch_add_one::<M, C, _>(cx, at.mm, vaddr, REAL_HPAGE_SHIFT);
            tlb_batch_add_one::<M, C, _>(cx, at.mm, vaddr + (1 << REAL_HPAGE_SHIFT), REAL_HPAGE_SHIFT);
        }
    }
}

/// The rules of `tlb_batch_add_one()` (`tlb.c`), in their order: addresses of another address space go first, even
/// while the mode is not active and the batch an interrupted task's; then comes the question.
fn tlb_batch_add_one<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(
    cx: &mut C,
    mm: Mm,
    vaddr: u64,
    shift: u32,
) {
    cx.preempt_disable(); // get_cpu_var()
    let batch = cx.this_cpu();
    if batch.tlb_nr.get() != 0 && batch.mm.get() != mm {
        flush_pending::<M, C, _>(cx);
    }
    if cx.is_lazy_mmu_mode_active() {
        batch_add::<M, C, _>(cx, mm, vaddr, shift);
    } else {
        cx.note(Note::FlushImmediate);
        flush_tsb(cx, context(mm), vaddr, shift);
        flush_tlb_page::<M, C>(cx, mm, vaddr);
    }
    cx.preempt_enable();
}

fn batch_add<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(
    cx: &mut C,
    mm: Mm,
    vaddr: u64,
    shift: u32,
) {
    let batch = cx.this_cpu();
    if batch.tlb_nr.get() == 0 {
        batch.mm.set(mm);
        batch.hugepage_shift.set(shift);
    }
    if batch.hugepage_shift.get() != shift {
        flush_pending::<M, C, _>(cx);
        cx.this_cpu().hugepage_shift.set(shift);
    }
    let batch = cx.this_cpu();
    let nr = batch.tlb_nr.get();
    batch.vaddrs[usize::from(nr)].set(vaddr);
    batch.tlb_nr.set(nr + 1);
    cx.note(Note::BatchAdd(nr + 1));
    if nr + 1 >= ROOM {
        flush_pending::<M, C, _>(cx);
    }
}

/// `flush_tlb_pending()` (`tlb.c`): forces this CPU's batch out, and leaves it empty. Nothing if it is.
///
/// The TSB first and always; the TLBs only if the address space has a context number.
pub fn flush_pending<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C) {
    cx.preempt_disable(); // get_cpu_var()
    let batch = cx.this_cpu();
    let (nr, mm, shift) = (batch.tlb_nr.get(), batch.mm.get(), batch.hugepage_shift.get());
    if nr != 0 {
        cx.note(Note::FlushPending(nr));
        for i in 0..usize::from(nr) {
            let vaddr = cx.this_cpu().vaddrs[i].get();
            flush_tsb(cx, context(mm), vaddr, shift);
        }
        if cx.is_context_valid(mm) {
            if nr == 1 {
                let vaddr = cx.this_cpu().vaddrs[0].get();
                flush_tlb_page::<M, C>(cx, mm, vaddr);
            } else {
                flush_tlb_batch::<M, C, _>(cx, mm, nr);
            }
        }
        cx.this_cpu().tlb_nr.set(0);
    }
    cx.preempt_enable();
}

/// Removes the TSB entries of one page: one in the base TSB, eight there for a 64K page, one in the huge TSB for
/// 4M. Source: `flush_tsb_user()` and `flush_tsb_user_page()`, `arch/sparc/mm/tsb.c`, 7.2.
fn flush_tsb<C: Context>(cx: &mut C, context: u64, vaddr: u64, shift: u32) {
    let hash_shift = if shift < REAL_HPAGE_SHIFT { PAGE_SHIFT } else { REAL_HPAGE_SHIFT };
    for i in 0..1u64 << (shift - hash_shift) {
        let a = (vaddr & !1) + (i << hash_shift);
        cx.execute(Insn { op: Op::TsbFlush, a, b: u64::from(hash_shift) | context << 8 });
    }
}

/// `smp_flush_tlb_page()` (`arch/sparc/kernel/smp_64.c`): one address, on every CPU that may hold it.
fn flush_tlb_page<M: Family, C: Context>(cx: &mut C, mm: Mm, vaddr: u64) {
    if !cx.is_thread_local(mm) {
        cross_call(cx, XCALL_PAGE, 1);
    }
    let saved = M::begin(cx, context(mm));
    M::demap(cx, context(mm), vaddr);
    M::end(cx, saved);
}

/// `smp_flush_tlb_pending()`, same file: the batch, from its last address to its first.
fn flush_tlb_batch<M: Family, C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, mm: Mm, nr: u16) {
    if !cx.is_thread_local(mm) {
        cross_call(cx, XCALL_PENDING, nr);
    }
    let saved = M::begin(cx, context(mm));
    for i in (0..usize::from(nr)).rev() {
        let vaddr = cx.this_cpu().vaddrs[i].get();
        M::demap(cx, context(mm), vaddr);
    }
    M::end(cx, saved);
}

/// Every other CPU runs `function` on the addresses of the stream to come, and has answered when this returns.
fn cross_call<C: Context>(cx: &mut C, function: u64, addresses: u16) {
    for cpu in 0..cx.cpus() {
        if cpu != cx.cpu() {
            cx.execute(Insn { op: Op::Xcall, a: u64::from(cpu), b: function | u64::from(addresses) << 8 });
        }
    }
}

/// `flush_tlb_kernel_range()` (`arch/sparc/mm/init_64.c`): the kernel's TSB, then every CPU's TLB, page by page from
/// the last. (Above 256K the real stream looks through the whole TLB instead, with the same effect.)
pub fn flush_kernel_range<M: Family, C: Context>(cx: &mut C, range: Range) {
    let parts = parts(range.first.size);
    let address = |i: u16| {
        let vaddr = virtual_address(range.first.step(i / parts));
        vaddr + (u64::from(i % parts) << REAL_HPAGE_SHIFT)
    };
    let shift = super::page_shift(range.first.size).min(REAL_HPAGE_SHIFT);
    for i in 0..range.pages * parts {
        flush_tsb(cx, context(Mm::KERNEL), address(i), shift);
    }
    cross_call(cx, XCALL_KERNEL_RANGE, range.pages * parts);
    for i in (0..range.pages * parts).rev() {
        M::demap_kernel(cx, address(i));
    }
    M::end_kernel(cx);
}

/// Pages of the TLB in a page: a huge one is two.
const fn parts(size: Size) -> u16 {
    if matches!(size, Size::Huge) { 2 } else { 1 }
}

/// One base page of the kernel, on this CPU alone: `flush_tsb_kernel_range()` and `__flush_tlb_kernel_range()`.
pub fn flush_kernel_page_here<M: Family, C: Context>(cx: &mut C, at: PteRef) {
    let vaddr = virtual_address(at);
    flush_tsb(cx, context(Mm::KERNEL), vaddr, PAGE_SHIFT);
    M::demap_kernel(cx, vaddr);
    M::end_kernel(cx);
}

#[cfg(test)]
mod tests;
