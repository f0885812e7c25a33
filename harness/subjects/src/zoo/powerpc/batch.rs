//! The hash batch with another idea of its room: `ppc-batch-192`, whose mutants get its limits wrong by one.
//!
//! [`Batching`] is the batch of `lazy_mmu_arches::powerpc64::queue` with room to spare and its three limits as constants:
//! what is written past the array's end lies behind it, and is read from there. With the limits as they are it is the
//! faithful batch, event by event, which a test holds. Everything else is the faithful code's. Used by the family alone.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use lazy_mmu_arches::backend::{Backend, Deferred, mix};
use lazy_mmu_arches::context::{Context, Note};
use lazy_mmu_arches::insn::Isa;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PteFlags, PteRef, Range, Size};
use lazy_mmu_arches::powerpc64::queue::{self, BATCH, Segment, Shape};
use lazy_mmu_arches::powerpc64::{Hash as Faithful, pte};

/// Memory for a batch and what lies behind it.
const ROOM: usize = 2048;

/// Where a batch ends, by default where it does.
pub trait Limits {
    /// With so many entries it is full, and flushed at once.
    const FULL: u16 = BATCH;

    /// Whether a batch of `index` entries takes one more; one that does not is flushed, and has lost it.
    fn takes(_index: u16) -> bool {
        true
    }

    /// Whether a batch of `n` entries takes the path of a single page.
    fn is_single(n: u16) -> bool {
        n == 1
    }
}

/// One CPU's.
#[derive(Debug)]
pub struct Batch {
    index: Cell<u16>,
    shape: Cell<Shape>,
    entries: Box<[Cell<(u64, u64)>; ROOM]>,
}

impl Default for Batch {
    fn default() -> Batch {
        let entries = Box::new([const { Cell::new((0, 0)) }; ROOM]);
        let shape = Shape { mm: Mm::KERNEL, psize: Size::Small, ssize: Segment::M256 };
        Batch { index: Cell::new(0), shape: Cell::new(shape), entries }
    }
}

impl Batch {
    fn waiting(&self) -> impl Iterator<Item = (u64, u64)> {
        self.entries.iter().take(usize::from(self.index.get())).map(Cell::get)
    }
}

impl Hash for Batch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let entries = self.index.get();
        (entries, (entries > 0).then(|| self.shape.get())).hash(state);
        self.waiting().for_each(|entry| entry.hash(state));
    }
}

/// The hash MMU of 7.2 on a batch with such limits.
pub struct Batching<L>(PhantomData<L>);

/// As `hpte_need_flush()`.
fn need_flush<L: Limits, C: Context<PerCpu = Batch>>(cx: &mut C, at: PteRef, old: u64) {
    let (shape, vpn) = queue::entry_of(at, old);
    cx.preempt_disable();
    if cx.is_lazy_mmu_mode_active() {
        add::<L, C>(cx, shape, (vpn, old));
    } else {
        cx.note(Note::FlushImmediate);
        let local = cx.is_thread_local(shape.mm);
        queue::flush_hash_page(cx, shape, vpn, local);
    }
    cx.preempt_enable();
}

fn add<L: Limits, C: Context<PerCpu = Batch>>(cx: &mut C, shape: Shape, entry: (u64, u64)) {
    let batch = cx.this_cpu();
    if batch.index.get() != 0 && batch.shape.get() != shape {
        flush_pending::<L, C>(cx);
    }
    let batch = cx.this_cpu();
    let index = batch.index.get();
    if !L::takes(index) {
        return flush_pending::<L, C>(cx);
    }
    if index == 0 {
        batch.shape.set(shape);
    }
    batch.entries[usize::from(index) % ROOM].set(entry);
    batch.index.set(index + 1);
    cx.note(Note::BatchAdd(index + 1));
    if index + 1 >= L::FULL || usize::from(index + 1) == ROOM {
        flush_pending::<L, C>(cx);
    }
}

/// As `__flush_tlb_pending()`.
fn flush_pending<L: Limits, C: Context<PerCpu = Batch>>(cx: &mut C) {
    let batch = cx.this_cpu();
    let (n, shape, first) = (batch.index.get(), batch.shape.get(), batch.entries[0].get().0);
    cx.note(Note::FlushPending(n));
    let local = cx.is_thread_local(shape.mm);
    if L::is_single(n) {
        queue::flush_hash_page(cx, shape, first, local);
    } else {
        queue::flush_hash_vpns(cx, shape, n, local, |cx, i| cx.this_cpu().entries[i].get().0);
    }
    cx.this_cpu().index.set(0);
}

fn flush<L: Limits, C: Context<PerCpu = Batch>>(cx: &mut C) {
    if cx.this_cpu().index.get() != 0 {
        flush_pending::<L, C>(cx);
    }
}

impl<L: Limits> Backend for Batching<L> {
    const NAME: &'static str = Faithful::NAME;
    const ISA: Option<Isa> = Faithful::ISA;
    const MMU: Mmu = Faithful::MMU;
    type PerCpu = Batch;
    type Thread = ();

    fn enter<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C) {
        cx.preempt_disable();
    }

    fn flush<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C) {
        flush::<L, C>(cx);
    }

    fn leave<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C) {
        flush::<L, C>(cx);
        cx.preempt_enable();
    }

    fn set_ptes<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        pte::set_ptes_by(cx, at, word, n, need_flush::<L, C>);
    }

    fn clear_pte<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef) -> u64 {
        pte::update_by(cx, at, |_| 0, need_flush::<L, C>)
    }

    fn wrprotect_pte<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef) {
        pte::wrprotect_by(cx, at, need_flush::<L, C>);
    }

    fn flush_tlb_range<C: Context<PerCpu = Batch, Thread = ()>>(_cx: &mut C, _range: Range) {}

    fn gather_flush<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, _range: Range) {
        cx.preempt_disable();
        flush::<L, C>(cx);
        cx.preempt_enable();
    }

    fn map_linear_page<C: Context<PerCpu = Batch, Thread = ()>>(cx: &mut C, at: PteRef, word: Option<u64>) {
        pte::hash_map_linear_page(cx, at, word);
    }

    fn deferred(cpu: &Batch, _thread: &()) -> Deferred {
        let digest = cpu.waiting().fold(0, |digest, (vpn, pte)| mix(mix(digest, vpn), pte));
        Deferred { pending: false, entries: cpu.index.get(), digest }
    }

    fn reset_cpu(cpu: &Batch) {
        cpu.index.set(0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Ours;
    use crate::generations::Counted;
    use crate::registry;
    use lazy_mmu_abi::subject::{Port, Subject};
    use lazy_mmu_machine::Machine;
    use lazy_mmu_program::generate;
    use lazy_mmu_program::text::parse;

    enum AsTheyAre {}

    impl Limits for AsTheyAre {}

    #[test]
    fn with_the_limits_as_they_are_it_is_the_faithful_batch() {
        let faithful = registry::find("counted/powerpc64-hash").expect("it is there").make(Port::Model);
        let ours = Ours::<Counted, Batching<AsTheyAre>>::new(Port::Model);
        let mut machine = Machine::new();
        let mut same = |program| {
            let expected = machine.run(&*faithful, &program).to_vec();
            assert_eq!(machine.run(&ours as &dyn Subject, &program), expected, "{program}");
        };
        for n in [1, 2, 191, 192, 193, 384, 385] {
            let text = format!("set U 0 x{n}; access U 0 x{n}; enable; clear U 0 x{n}; enable; disable; disable");
            same(parse(&text).expect("a program"));
        }
        for seed in 0..150 {
            same(generate::legal(seed, 40));
            same(generate::any(seed, 40));
        }
    }
}
