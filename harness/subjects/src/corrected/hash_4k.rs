//! The batch of powerpc64 hash with 4K pages: the machine's small and large pages are one size there, `MMU_PAGE_4K`, so that a
//! batch may hold both; each goes out as the machine knows it.
//!
//! Source: `pte_pagesize_index()` (`hash-4k.h`), `hpte_need_flush()` and `__flush_tlb_pending()` (`hash_tlb.c`),
//! `native_flush_hash_range()` (`hash_native.c`), 7.2. Not here: what decides that an entry must go. Called by `powerpc64`.

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{PteRef, Size};
use lazy_mmu_arches::powerpc64::queue::{self, BATCH, Shape};
use lazy_mmu_arches::powerpc64::{Hash, decode, pte};

use crate::zoo::types::At;

/// The entry of a PTE that was `old` goes now, or joins the batch.
pub fn need_flush<C: At<Hash>>(cx: &mut C, at: PteRef, old: u64) {
    let (shape, vpn) = queue::entry_of(at, old);
    cx.preempt_disable();
    if cx.is_lazy_mmu_mode_active() {
        add(cx, shape, vpn, old);
    } else {
        cx.note(Note::FlushImmediate);
        let local = cx.is_thread_local(shape.mm);
        queue::flush_hash_page(cx, shape, vpn, local);
    }
    cx.preempt_enable();
}

fn add<C: At<Hash>>(cx: &mut C, shape: Shape, vpn: u64, old: u64) {
    let base = if shape.psize == Size::Large { Size::Small } else { shape.psize };
    let shape = Shape { psize: base, ..shape };
    if cx.this_cpu().index.get() != 0 && cx.this_cpu().shape.get() != shape {
        flush(cx);
    }
    let batch = cx.this_cpu();
    let index = batch.index.get();
    batch.shape.set(shape);
    batch.pte[usize::from(index)].set(old);
    batch.vpn[usize::from(index)].set(vpn);
    batch.index.set(index + 1);
    cx.note(Note::BatchAdd(index + 1));
    if index + 1 >= BATCH {
        flush(cx);
    }
}

/// What this CPU's batch holds goes out.
pub fn flush<C: At<Hash>>(cx: &mut C) {
    let (count, shape) = (cx.this_cpu().index.get(), cx.this_cpu().shape.get());
    if count == 0 {
        return;
    }
    cx.note(Note::FlushPending(count));
    let local = cx.is_thread_local(shape.mm);
    let entry = |cx: &C, n: u16| {
        let batch = cx.this_cpu();
        let (old, vpn) = (batch.pte[usize::from(n)].get(), batch.vpn[usize::from(n)].get());
        (Shape { psize: pte::size(old), ..shape }, vpn)
    };
    if count == 1 {
        let (shape, vpn) = entry(cx, 0);
        queue::flush_hash_page(cx, shape, vpn, local);
        return cx.this_cpu().index.set(0);
    }
    for n in 0..count {
        let (Shape { psize, ssize, .. }, vpn) = entry(cx, n);
        cx.execute(Insn { op: Op::HpteInvalidate, a: vpn, b: psize as u64 | (ssize as u64) << 8 });
    }
    let op = if local && shape.psize != Size::Huge { Op::Tlbiel } else { Op::Tlbie };
    cx.op(Op::Ptesync);
    for n in 0..count {
        let (Shape { psize, ssize, .. }, vpn) = entry(cx, n);
        cx.execute(Insn::with(op, decode::hash_rb(vpn, psize, ssize)));
    }
    if op == Op::Tlbie {
        cx.op(Op::Eieio);
        cx.op(Op::Tlbsync);
    }
    cx.op(Op::Ptesync);
    cx.this_cpu().index.set(0);
}
