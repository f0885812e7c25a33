//! The hash batch with a fault, on batches of a few entries: what the alphabet `batch` must find within its depth.
//!
//! [`Planted`] is the batch of `lazy_mmu_arches::powerpc64::queue` with one rule changed; everything else is the faithful
//! code's, and without a fault it is the faithful batch, which a test holds. Called by the exploration's tests.

use lazy_mmu_arches::backend::{Backend, Deferred};
use lazy_mmu_arches::context::{Context, Note};
use lazy_mmu_arches::insn::Isa;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{PteFlags, PteRef, Range, Size};
use lazy_mmu_arches::powerpc64::queue::{self, BatchOf};
use lazy_mmu_arches::powerpc64::{HashOf, pte};
use lazy_mmu_engine::adapter::Ours;
use lazy_mmu_engine::generations::Counted;
use lazy_mmu_engine::registry::SMALL;
use lazy_mmu_engine::subject::Subject;

use super::*;

/// No fault.
pub const NONE: u8 = 0;
/// A batch is flushed when it has one entry more than it has room for: `>` where `>=` should be.
pub const ONE_TOO_MANY: u8 = 1;
/// An entry of another address space or size joins the batch.
pub const MIXED: u8 = 2;
/// A batch that fills loses its last entry.
pub const LOSES_LAST: u8 = 3;
/// A batch that fills is flushed by half.
pub const HALF: u8 = 4;

type Batch = BatchOf<SMALL>;
type Faithful = HashOf<SMALL>;

/// A subject with the fault.
pub fn planted<const FAULT: u8>() -> Box<dyn Subject> {
    Box::new(Ours::<Counted, Planted<FAULT>>::new(Port::Model))
}

/// The hash MMU of 7.2 with a fault.
pub struct Planted<const FAULT: u8>;

/// As `hpte_need_flush()`.
fn need_flush<const FAULT: u8, C: Context<PerCpu = Batch>>(cx: &mut C, at: PteRef, old: u64) {
    let (shape, vpn) = queue::entry_of(at, old);
    cx.preempt_disable();
    if cx.is_lazy_mmu_mode_active() {
        if cx.this_cpu().index.get() != 0 && cx.this_cpu().shape.get() != shape && FAULT != MIXED {
            queue::flush_pending(cx);
        }
        let batch = cx.this_cpu();
        let index = batch.index.get();
        batch.shape.set(shape);
        batch.pte[usize::from(index)].set(old);
        batch.vpn[usize::from(index)].set(vpn);
        batch.index.set(index + 1);
        cx.note(Note::BatchAdd(index + 1));
        if index + u16::from(FAULT != ONE_TOO_MANY) >= SMALL {
            let sent = match FAULT {
                LOSES_LAST => index,
                HALF => index.div_ceil(2),
                _ => index + 1,
            };
            cx.this_cpu().index.set(sent);
            queue::flush_pending(cx);
        }
    } else {
        cx.note(Note::FlushImmediate);
        let local = cx.is_thread_local(shape.mm);
        queue::flush_hash_page(cx, shape, vpn, local);
    }
    cx.preempt_enable();
}

impl<const FAULT: u8> Backend for Planted<FAULT> {
    const NAME: &'static str = Faithful::NAME;
    const ISA: Option<Isa> = Faithful::ISA;
    const MMU: Mmu = Faithful::MMU;
    type PerCpu = Batch;
    type Thread = ();

    fn enter<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C) {
        Faithful::enter(cx);
    }

    fn flush<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C) {
        Faithful::flush(cx);
    }

    fn leave<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C) {
        Faithful::leave(cx);
    }

    fn set_ptes<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        pte::set_ptes_by(cx, at, word, n, need_flush::<FAULT, C>);
    }

    fn clear_pte<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef) -> u64 {
        pte::update_by(cx, at, |_| 0, need_flush::<FAULT, C>)
    }

    fn wrprotect_pte<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef) {
        pte::wrprotect_by(cx, at, need_flush::<FAULT, C>);
    }

    fn flush_tlb_range<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, range: Range) {
        Faithful::flush_tlb_range(cx, range);
    }

    fn gather_flush<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, range: Range) {
        Faithful::gather_flush(cx, range);
    }

    fn map_linear_page<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef, word: Option<u64>) {
        Faithful::map_linear_page(cx, at, word);
    }

    fn deferred(cpu: &Batch, thread: &()) -> Deferred {
        Faithful::deferred(cpu, thread)
    }

    fn reset_cpu(cpu: &Batch) {
        Faithful::reset_cpu(cpu);
    }

    fn reset_thread(_thread: &()) {}

    fn pte_word(flags: PteFlags, frame: u32, size: Size) -> u64 {
        Faithful::pte_word(flags, frame, size)
    }

    fn pte_flags(word: u64) -> PteFlags {
        Faithful::pte_flags(word)
    }

    fn pte_frame(word: u64) -> u32 {
        Faithful::pte_frame(word)
    }

    fn pte_size(word: u64) -> Size {
        Faithful::pte_size(word)
    }

    fn virtual_address(at: PteRef) -> u64 {
        Faithful::virtual_address(at)
    }

    fn touched(word: u64) -> u64 {
        Faithful::touched(word)
    }
}
