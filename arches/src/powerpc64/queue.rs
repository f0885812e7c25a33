//! What is deferred on the hash MMU: a per-CPU batch of hash entries to evict, and how it is forced out.
//!
//! The instruction streams are those of bare metal (`hash_native.c`): first every hash entry is made invalid, then
//! every TLB entry, global (`tlbie`) or local (`tlbiel`). The radix MMU's explicit flush is here too.
//!
//! Not here: what decides that an entry must go (`pte.rs`), the hooks (`hooks.rs`, `earlier.rs`), the locks around
//! the real streams (an entry's lock bit is part of [`Op::HpteInvalidate`], `native_tlbie_lock` is for CPUs before
//! POWER4+), and `cpabort` of ISA 3.1. Called by those two; the machine uses [`vpn`] and [`address_space`].

use core::cell::Cell;
use core::hash::{Hash, Hasher};

use super::{decode, page_shift, pte, virtual_address};
use crate::backend::{Deferred, mix};
use crate::bits::disjoint;
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};
use crate::page::{Mm, PteRef, Range, Size};

/// How many entries a batch has: `PPC64_TLB_BATCH_NR` (`arch/powerpc/include/asm/book3s/64/tlbflush-hash.h`, 7.2).
pub const BATCH: u16 = 192;

/// Above so many pages a radix flush takes the whole process: `tlb_single_page_flush_ceiling` (`radix_tlb.c`).
pub const SINGLE_PAGES: u16 = 33;

/// A segment's size: `MMU_SEGSIZE_256M` and `MMU_SEGSIZE_1T`, by their numbers in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Segment {
    /// 256 MiB: user addresses below 1 TiB.
    #[default]
    M256 = 0,
    /// 1 TiB: the other user addresses, and the kernel's.
    T1 = 1,
}

/// What all entries of one batch have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Whose entries they are: decides between a local and a global flush.
    pub mm: Mm,
    /// The page size.
    pub psize: Size,
    /// The segment size.
    pub ssize: Segment,
}

/// `struct ppc64_tlb_batch` (`tlbflush-hash.h`), one per CPU: touched with preemption off only.
///
/// It is full with `ROOM` entries, the kernel's [`BATCH`] unless a search wants a batch that fills sooner. It has memory
/// for [`BATCH`] of them in any case.
#[derive(Debug)]
pub struct BatchOf<const ROOM: u16> {
    /// Before 7.0: whether this CPU batches. The 7.2 form neither reads nor writes it.
    pub active: Cell<bool>,
    /// How many entries wait.
    pub index: Cell<u16>,
    /// What they have in common; means nothing while `index` is 0.
    pub shape: Cell<Shape>,
    /// The old PTE of each.
    pub pte: [Cell<u64>; BATCH as usize],
    /// The virtual page number of each.
    pub vpn: [Cell<u64>; BATCH as usize],
}

impl<const ROOM: u16> Default for BatchOf<ROOM> {
    fn default() -> Self {
        BatchOf {
            active: Cell::new(false),
            index: Cell::new(0),
            shape: Cell::new(Shape { mm: Mm::KERNEL, psize: Size::Small, ssize: Segment::M256 }),
            pte: [const { Cell::new(0) }; BATCH as usize],
            vpn: [const { Cell::new(0) }; BATCH as usize],
        }
    }
}

/// The kernel's.
pub type TlbBatch = BatchOf<BATCH>;

/// What the rest of a run depends on: of the entries those in use.
impl<const ROOM: u16> Hash for BatchOf<ROOM> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let BatchOf { active, index, shape, pte, vpn } = self;
        let entries = usize::from(index.get());
        (active.get(), entries, (entries > 0).then(|| shape.get())).hash(state);
        vpn.iter().zip(pte).take(entries).for_each(|(vpn, pte)| (vpn.get(), pte.get()).hash(state));
    }
}

impl<const ROOM: u16> BatchOf<ROOM> {
    /// What waits here, for oracles and reports.
    #[must_use]
    pub fn deferred(&self) -> Deferred {
        let entries = self.index.get();
        let waiting = self.vpn.iter().zip(&self.pte).take(usize::from(entries));
        let digest = waiting.fold(0, |digest, (vpn, pte)| mix(mix(digest, vpn.get()), pte.get()));
        Deferred { pending: false, entries, digest }
    }

    /// Back to how a CPU boots: off and empty. What lies in unused entries means nothing.
    pub fn reset(&self) {
        self.active.set(false);
        self.index.set(0);
    }
}

/// The segment size of an address: `user_segment_size()` and `mmu_kernel_ssize` (`mmu-hash.h`).
#[must_use]
pub const fn segment(address: u64) -> Segment {
    if address >= 1 << 40 { Segment::T1 } else { Segment::M256 }
}

/// The context number of an address: 1 for the linear map, 5 for vmalloc, 8 for the shadow as in
/// `get_kernel_context()` (`mmu-hash.h`); user space `mm` has 256 + its number.
#[must_use]
pub const fn context(mm: Mm, address: u64) -> u64 {
    if mm.0 != 0 {
        return 0x100 | mm.0 as u64;
    }
    (address >> CONTEXT_SHIFT & 7) + 1
}

/// Bits of an address that lie within one context: 512 TiB.
const CONTEXT_SHIFT: u32 = 49;

// A user's context number; the context and the segment in a VSID, the VSID and the page in a VPN, for both segment
// sizes; a kernel address; both sizes in `b` of `hpte_invalidate`.
const _: () = assert!(disjoint(&[0x100, u8::MAX as u64]));
const _: () = assert!(disjoint(&[!0 << (CONTEXT_SHIFT - 28), ((1 << CONTEXT_SHIFT) - 1) >> 28]));
const _: () = assert!(disjoint(&[!0 << (CONTEXT_SHIFT - 40), ((1 << CONTEXT_SHIFT) - 1) >> 40]));
const _: () = assert!(disjoint(&[!0 << 16, (1 << 16) - 1]) && disjoint(&[!0 << 28, (1 << 28) - 1]));
const _: () = assert!(disjoint(&[0xc << 60, 7 << CONTEXT_SHIFT, (1 << CONTEXT_SHIFT) - 1]));
const _: () = assert!(disjoint(&[u8::MAX as u64, (u8::MAX as u64) << 8]));

/// The segment's id: context number and segment number side by side.
///
/// The kernel's `get_vsid()` scrambles this proto-VSID, one to one, to spread the hash table; here it stays plain,
/// so that a virtual page number says whose it is ([`address_space`]).
#[must_use]
pub const fn vsid(mm: Mm, address: u64) -> u64 {
    let shift = segment_shift(segment(address));
    context(mm, address) << (CONTEXT_SHIFT - shift) | (address & ((1 << CONTEXT_SHIFT) - 1)) >> shift
}

/// Bits of an address that lie within one segment.
const fn segment_shift(ssize: Segment) -> u32 {
    match ssize {
        Segment::M256 => 28,
        Segment::T1 => 40,
    }
}

/// The virtual page number of an address in a segment: `hpt_vpn()` (`mmu-hash.h`), in units of 4K for every size.
#[must_use]
pub const fn vpn_of(vsid: u64, address: u64, ssize: Segment) -> u64 {
    let bits = segment_shift(ssize) - 12;
    vsid << bits | address >> 12 & ((1 << bits) - 1)
}

/// The virtual page number of an address of `mm`.
#[must_use]
pub const fn vpn(mm: Mm, address: u64) -> u64 {
    vpn_of(vsid(mm, address), address, segment(address))
}

/// Whose virtual page number it is, and of which address: the inverse of [`vpn`].
#[must_use]
pub const fn address_space(vpn: u64) -> Option<(Mm, u64)> {
    let address = vpn << 12 & ((1 << CONTEXT_SHIFT) - 1);
    match vpn >> (CONTEXT_SHIFT - 12) {
        context @ 1..=8 => Some((Mm::KERNEL, 0xc << 60 | (context - 1) << CONTEXT_SHIFT | address)),
        context @ 0x101..=0x1ff => Some((Mm(context as u8), address)),
        _ => None,
    }
}

/// A PTE whose translation the hash table knows has changed: its entry goes now, or joins the batch.
///
/// While the mode is not active the batch is left alone, be it an interrupted task's. While it is, entries of
/// another shape are flushed first, and a full batch at once.
/// Source: `hpte_need_flush()`, `arch/powerpc/mm/book3s64/hash_tlb.c`, 7.2.
pub fn hpte_need_flush<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef, old: u64) {
    let (shape, vpn) = entry_of(at, old);
    cx.preempt_disable(); // get_cpu_var()
    if cx.is_lazy_mmu_mode_active() {
        batch_add(cx, shape, vpn, old);
    } else {
        cx.note(Note::FlushImmediate);
        let local = cx.is_thread_local(shape.mm);
        flush_hash_page(cx, shape, vpn, local);
    }
    cx.preempt_enable();
}

/// The same before 2.6.22: the entry joins the batch, whatever the mode, and goes with the next flush of the TLB.
///
/// Source: `hpte_update()`, `arch/powerpc/mm/tlb_64.c`, before a741e6796957.
pub fn hpte_update<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, at: PteRef, old: u64) {
    let (shape, vpn) = entry_of(at, old);
    cx.preempt_disable(); // get_cpu_var(), taken by the page-table lock then
    batch_add(cx, shape, vpn, old);
    cx.preempt_enable();
}

/// The hash entry of a PTE that was `old`: its batch's shape and its virtual page number.
#[must_use]
pub fn entry_of(at: PteRef, old: u64) -> (Shape, u64) {
    let address = virtual_address(at);
    (Shape { mm: at.mm, psize: pte::size(old), ssize: segment(address) }, vpn(at.mm, address))
}

/// Evicts the hash entry of a PTE that was `old`, everywhere and at once, past the batch.
pub fn flush_hash_pte<C: Context>(cx: &mut C, at: PteRef, old: u64) {
    let (shape, vpn) = entry_of(at, old);
    cx.preempt_disable(); // linear_map_hash_lock
    flush_hash_page(cx, shape, vpn, false);
    cx.preempt_enable();
}

fn batch_add<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C, shape: Shape, vpn: u64, old: u64) {
    let batch = cx.this_cpu();
    if batch.index.get() != 0 && batch.shape.get() != shape {
        flush_pending(cx);
    }
    let batch = cx.this_cpu();
    let index = batch.index.get();
    if index == 0 {
        batch.shape.set(shape);
    }
    batch.pte[usize::from(index)].set(old);
    batch.vpn[usize::from(index)].set(vpn);
    batch.index.set(index + 1);
    cx.note(Note::BatchAdd(index + 1));
    if index + 1 >= ROOM {
        flush_pending(cx);
    }
}

/// Forces this CPU's batch out, which is not empty, and leaves it empty. Preemption is off.
///
/// Source: `__flush_tlb_pending()`, `hash_tlb.c`: a batch of one takes the page's path.
pub fn flush_pending<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(cx: &mut C) {
    let batch = cx.this_cpu();
    let (n, shape, first) = (batch.index.get(), batch.shape.get(), batch.vpn[0].get());
    cx.note(Note::FlushPending(n));
    let local = cx.is_thread_local(shape.mm);
    if n == 1 {
        flush_hash_page(cx, shape, first, local);
    } else {
        flush_hash_range(cx, shape, n, local);
    }
    cx.this_cpu().index.set(0);
}

/// Evicts one entry. Source: `flush_hash_page()` (`hash_utils.c`) and `native_hpte_invalidate()`.
pub fn flush_hash_page<C: Context>(cx: &mut C, shape: Shape, vpn: u64, local: bool) {
    hpte_invalidate(cx, shape, vpn);
    let tlbie = tlbie_op(shape, local);
    cx.op(Op::Ptesync);
    cx.execute(Insn::with(tlbie, decode::hash_rb(vpn, shape.psize, shape.ssize)));
    complete(cx, tlbie);
}

/// Evicts the `n` entries of this CPU's batch.
pub fn flush_hash_range<C: Context<PerCpu = BatchOf<ROOM>>, const ROOM: u16>(
    cx: &mut C,
    shape: Shape,
    n: u16,
    local: bool,
) {
    flush_hash_vpns(cx, shape, n, local, |cx, i| cx.this_cpu().vpn[i].get());
}

/// Evicts `n` entries, `vpn` says which, in two passes. Every TLB entry is invalidated, also where the hash table no
/// longer had the entry. Source: `flush_hash_range()` and `native_flush_hash_range()`.
pub fn flush_hash_vpns<C: Context>(cx: &mut C, shape: Shape, n: u16, local: bool, vpn: impl Fn(&C, usize) -> u64) {
    for i in 0..usize::from(n) {
        let vpn = vpn(cx, i);
        hpte_invalidate(cx, shape, vpn);
    }
    let tlbie = tlbie_op(shape, local);
    cx.op(Op::Ptesync);
    for i in 0..usize::from(n) {
        let vpn = vpn(cx, i);
        cx.execute(Insn::with(tlbie, decode::hash_rb(vpn, shape.psize, shape.ssize)));
    }
    complete(cx, tlbie);
}

fn hpte_invalidate<C: Context>(cx: &mut C, shape: Shape, vpn: u64) {
    cx.execute(Insn { op: Op::HpteInvalidate, a: vpn, b: shape.psize as u64 | (shape.ssize as u64) << 8 });
}

/// `tlbiel` if no other CPU may hold the translation and the page size allows it: `mmu_psize_defs[].tlbiel`.
fn tlbie_op(shape: Shape, local: bool) -> Op {
    if local && shape.psize != Size::Huge { Op::Tlbiel } else { Op::Tlbie }
}

/// Waits until the invalidations are done: on every CPU, or here.
fn complete<C: Context>(cx: &mut C, tlbie: Op) {
    if tlbie == Op::Tlbie {
        cx.op(Op::Eieio);
        cx.op(Op::Tlbsync);
    }
    cx.op(Op::Ptesync);
}

/// Invalidates the translations of a range on the radix MMU: page by page, or the whole process where the range is
/// long, or is the kernel's (process 0).
///
/// Source: `radix__flush_tlb_range()` and `radix__flush_tlb_kernel_range()`, `radix_tlb.c`, 7.2. Always global: a
/// thread-local address space would use `tlbiel`, with the same effect.
pub fn radix_flush_range<C: Context>(cx: &mut C, range: Range) {
    let pid = u64::from(range.first.mm.0);
    let form = decode::R | decode::PRS;
    cx.op(Op::Ptesync);
    if range.first.mm.is_kernel() {
        cx.execute(Insn { op: Op::Tlbie, a: decode::IS_PID, b: decode::radix_b(pid, form | decode::RIC_ALL) });
    } else if range.pages > SINGLE_PAGES {
        cx.execute(Insn { op: Op::Tlbie, a: decode::IS_PID, b: decode::radix_b(pid, form) });
    } else {
        for i in 0..range.pages {
            let at = range.first.step(i);
            let rb = decode::radix_rb(virtual_address(at), at.size);
            cx.execute(Insn { op: Op::Tlbie, a: rb, b: decode::radix_b(pid, form) });
        }
    }
    complete(cx, Op::Tlbie);
}

// A slot has room for the largest page, so that no two mappings overlap.
const _: () = assert!(page_shift(Size::Huge) <= super::SLOT_SHIFT);

#[cfg(test)]
mod tests;
