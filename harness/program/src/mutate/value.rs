//! Changing what an operation says: its numbers, its pages, who it is about, what it is.
//!
//! Each function makes another operation of one, or says that there is none; places and runs are drawn elsewhere. Values
//! stay in the ranges of the language. Called by the mutator alone.

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PAGES, Size};

use crate::generate::Random;
use crate::{Allocation, Block, FRAMES, LOCKS, MAX_PAGES, MAX_REPEAT, Op, Pages, Protection, TASKS};

/// Numbers of pages at which something fills: arm64's contiguous entries (8, 16), Xen's multicall buffer (32 calls) and
/// its argument bytes, the batches of powerpc64 and sparc64 (192), and a whole page table; each with its neighbours.
pub const CAPACITIES: [u16; 20] = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 191, 192, 193, 256, 384, 385, 512];

/// Numbers of repetitions at which a counter of 8 bits is full, or a batch is.
pub const REPEATS: [u16; 9] = [0, 1, 2, 32, 192, 193, 254, 255, 256];

/// The pages of an operation that is about some.
pub(super) fn pages_of(op: Op) -> Option<Pages> {
    match op {
        Op::Set(pages, _)
        | Op::Clear(pages)
        | Op::Wrprotect(pages)
        | Op::Get(pages)
        | Op::RawGet(pages)
        | Op::Access(pages)
        | Op::TlbFlush(pages)
        | Op::GatherFlush(pages)
        | Op::KasanPopulate(pages)
        | Op::KasanDepopulate(pages) => Some(pages),
        Op::Fault(page) | Op::Kmap(page) | Op::Kunmap(page) => Some(Pages::one(Mm::KERNEL, page)),
        _ => None,
    }
}

/// The same operation on other pages; as much of them as it can be about.
pub(super) fn on(op: Op, pages: Pages) -> Op {
    let shadow = Pages { mm: Mm::KERNEL, size: Size::Small, ..pages };
    match op {
        Op::Set(_, protection) => Op::Set(pages, protection),
        Op::Clear(_) => Op::Clear(pages),
        Op::Wrprotect(_) => Op::Wrprotect(pages),
        Op::Get(_) => Op::Get(pages),
        Op::RawGet(_) => Op::RawGet(pages),
        Op::Access(_) => Op::Access(pages),
        Op::TlbFlush(_) => Op::TlbFlush(pages),
        Op::GatherFlush(_) => Op::GatherFlush(pages),
        Op::KasanPopulate(_) => Op::KasanPopulate(shadow),
        Op::KasanDepopulate(_) => Op::KasanDepopulate(shadow),
        Op::Fault(_) => Op::Fault(pages.first),
        Op::Kmap(_) => Op::Kmap(pages.first),
        Op::Kunmap(_) => Op::Kunmap(pages.first),
        op => op,
    }
}

/// Another one of a few.
fn other<T: Copy + PartialEq>(random: &mut Random, now: T, of: &[T]) -> T {
    let start = random.below(of.len() as u32) as usize;
    let after = of[start..].iter().chain(&of[..start]).find(|&&value| value != now);
    after.copied().unwrap_or(now)
}

/// A count or a number of times brought to an edge.
pub(super) fn stretched(random: &mut Random, op: Op) -> Option<Op> {
    match op {
        Op::Open(Block::Repeat(times)) => Some(Op::Open(Block::Repeat(other(random, times, &REPEATS)))),
        Op::Fault(_) | Op::Kmap(_) | Op::Kunmap(_) => None,
        op => pages_of(op).map(|pages| on(op, Pages { count: other(random, pages.count, &CAPACITIES), ..pages })),
    }
}

/// The operation on pages of another: the same, the next, the one before, or with an end in common.
pub(super) fn met(random: &mut Random, op: Op, others: Pages) -> Option<Op> {
    let mine = pages_of(op)?;
    let count = if random.one_in(3) { others.count } else { mine.count };
    let first = match random.below(8) {
        0 => others.first + others.count,
        1 => others.first + others.count.max(1) - 1,
        2 => others.first + PAGES - 1,
        3 => others.first + PAGES + 1 - count.max(1),
        _ => others.first,
    };
    let size = if random.one_in(4) { mine.size } else { others.size };
    Some(on(op, Pages { mm: others.mm, first: first % PAGES, count, size }))
}

/// One more or one less of something.
pub(super) fn nudged(random: &mut Random, op: Op) -> Option<Op> {
    let up = random.one_in(2);
    let step = |n: u16, below: u16| if up { (n + 1) % below } else { (n + below - 1) % below };
    Some(match op {
        Op::Open(Block::Repeat(times)) => Op::Open(Block::Repeat(step(times, MAX_REPEAT + 1))),
        Op::Alloc(frame, how) => Op::Alloc(step(frame, FRAMES), how),
        Op::Free(frame, how) => Op::Free(step(frame, FRAMES), how),
        op => {
            let pages = pages_of(op)?;
            let by_count = random.one_in(2) && !matches!(op, Op::Fault(_) | Op::Kmap(_) | Op::Kunmap(_));
            let count = if by_count { step(pages.count, MAX_PAGES + 1) } else { pages.count };
            let first = if by_count { pages.first } else { step(pages.first, PAGES) };
            on(op, Pages { first, count, ..pages })
        }
    })
}

/// Another size class, address space, protection, task, CPU, allocation, handler: who or what the operation is about.
pub(super) fn changed(random: &mut Random, op: Op) -> Option<Op> {
    use Protection::{Exec, Invalid, Read, Write};
    let task = |random: &mut Random, now: u8| match random.below(4) {
        0 => other(random, now, &[0, 1, 2, 3, 4, 5, 6, TASKS - 1]),
        _ => other(random, now, &[0, 1, 2]),
    };
    let allocation = [Allocation::Plain, Allocation::Debug, Allocation::Sleep];
    Some(match op {
        Op::Set(pages, protection) if random.one_in(3) => {
            Op::Set(pages, other(random, protection, &[Write, Read, Exec, Invalid]))
        }
        Op::Switch(now) => Op::Switch(task(random, now)),
        Op::Preempt(now) => Op::Preempt(task(random, now)),
        Op::Migrate(now, cpu) if random.one_in(2) => Op::Migrate(task(random, now), cpu),
        Op::Migrate(task, cpu) => Op::Migrate(task, 1 - cpu),
        Op::Fork(now) => Op::Fork(task(random, now)),
        Op::Exit(now) => Op::Exit(task(random, now)),
        Op::TaskPause(now) => Op::TaskPause(task(random, now)),
        Op::TaskResume(now) => Op::TaskResume(task(random, now)),
        Op::TaskQuery(now) => Op::TaskQuery(task(random, now)),
        Op::Cpu(cpu) => Op::Cpu(1 - cpu),
        Op::Alloc(frame, how) => Op::Alloc(frame, other(random, how, &allocation)),
        Op::Free(frame, how) => Op::Free(frame, other(random, how, &allocation)),
        Op::Open(block @ (Block::Irq | Block::Softirq | Block::Nmi)) => {
            Op::Open(other(random, block, &[Block::Irq, Block::Softirq, Block::Nmi]))
        }
        Op::Open(Block::On(mmu)) => Op::Open(Block::On(other(random, mmu, &Mmu::ALL))),
        Op::Fault(_) | Op::Kmap(_) | Op::Kunmap(_) | Op::KasanPopulate(_) | Op::KasanDepopulate(_) => return None,
        op => {
            let pages = pages_of(op)?;
            match random.below(2) {
                0 => on(op, Pages { mm: other(random, pages.mm, &[Mm(0), Mm(1), Mm(2)]), ..pages }),
                _ => {
                    on(op, Pages { size: other(random, pages.size, &[Size::Small, Size::Large, Size::Huge]), ..pages })
                }
            }
        }
    })
}

/// Another operation where this one stands: on the same pages or task, or of the same use.
pub(super) fn replaced(random: &mut Random, op: Op) -> Option<Op> {
    use Op::{Access, Clear, GatherFlush, Get, RawGet, TlbFlush, Wrprotect};
    let set = |pages| Op::Set(pages, Protection::Write);
    let swap_entry = |pages| Op::Set(pages, Protection::Invalid);
    let on_pages: [fn(Pages) -> Op; 9] =
        [set, swap_entry, Clear, Wrprotect, Get, RawGet, Access, TlbFlush, GatherFlush];
    Some(match op {
        Op::Switch(task) => Op::Preempt(task),
        Op::Preempt(task) => Op::Switch(task),
        Op::Alloc(frame, how) => Op::Free(frame, how),
        Op::Free(frame, how) => Op::Alloc(frame, how),
        Op::KasanPopulate(pages) => Op::KasanDepopulate(pages),
        Op::KasanDepopulate(pages) => Op::KasanPopulate(pages),
        Op::Fault(page) => Op::Kmap(page),
        Op::Query => Op::Flush,
        Op::Flush => Op::Query,
        Op::Sleep => Op::Alloc(random.below(u32::from(FRAMES)) as u16, Allocation::Sleep),
        Op::Kmap(_) | Op::Kunmap(_) => return None,
        op => {
            let pages = pages_of(op)?;
            let start = random.below(on_pages.len() as u32) as usize;
            let kinds = on_pages[start..].iter().chain(&on_pages[..start]);
            let mut others = kinds.map(|make| make(pages));
            others.find(|&made| made != op && !(pages.mm.is_kernel() && matches!(made, GatherFlush(_))))?
        }
    })
}

/// What a pair begins and ends with instead: sections and pauses, and the ways to turn something off.
pub(super) fn other_pair(random: &mut Random, begin: Op) -> Option<(Op, Op)> {
    let lock = random.below(u32::from(LOCKS)) as u8;
    let counted = [(Op::Enable, Op::Disable), (Op::Pause, Op::Resume)];
    let off = [
        (Op::BhOff, Op::BhOn),
        (Op::IrqOff, Op::IrqOn),
        (Op::PreemptOff, Op::PreemptOn),
        (Op::Lock(lock), Op::Unlock(lock)),
    ];
    let of = if matches!(begin, Op::Enable | Op::Pause) { &counted[..] } else { &off[..] };
    let now = of.iter().copied().find(|&(other, _)| other == begin);
    let is_pair = now.is_some() || matches!(begin, Op::Lock(_));
    is_pair.then(|| other(random, now.unwrap_or((begin, begin)), of))
}
