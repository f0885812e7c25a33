//! Plainer operations: for each one those that do less, or the same to a reader's eye more simply.
//!
//! "Plainer" is an order: no operation is plainer than itself by any number of steps, or the search would not end.
//! Called by the minimiser, which tries them in turn.

use lazy_mmu_arches::page::{Mm, Size};

use super::super::{Allocation, Block, Op, Pages, Protection};

/// An operation's pages, if it is about pages.
pub(super) fn pages(op: Op) -> Option<Pages> {
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
        _ => None,
    }
}

/// The same operation on other pages.
pub(super) fn on(op: Op, pages: Pages) -> Op {
    match op {
        Op::Set(_, protection) => Op::Set(pages, protection),
        Op::Clear(_) => Op::Clear(pages),
        Op::Wrprotect(_) => Op::Wrprotect(pages),
        Op::Get(_) => Op::Get(pages),
        Op::RawGet(_) => Op::RawGet(pages),
        Op::Access(_) => Op::Access(pages),
        Op::TlbFlush(_) => Op::TlbFlush(pages),
        Op::GatherFlush(_) => Op::GatherFlush(pages),
        Op::KasanPopulate(_) => Op::KasanPopulate(pages),
        Op::KasanDepopulate(_) => Op::KasanDepopulate(pages),
        other => other,
    }
}

/// Operations plainer than `op`, the plainest first.
pub(super) fn of(op: Op) -> Vec<Op> {
    let mut plainer = Vec::new();
    let fewer = |n: u16| [1, n / 2, n.saturating_sub(1)].into_iter().filter(move |&m| m > 0 && m < n);
    match op {
        Op::Set(pages, protection) if protection != Protection::Write => {
            plainer.push(Op::Set(pages, Protection::Write))
        }
        Op::Alloc(frame, how) if how != Allocation::Plain => plainer.push(Op::Alloc(frame, Allocation::Plain)),
        Op::Free(frame, how) if how != Allocation::Plain => plainer.push(Op::Free(frame, Allocation::Plain)),
        // A handler that is less special, a preemption of one's own will.
        Op::Open(Block::Nmi | Block::Softirq) => plainer.push(Op::Open(Block::Irq)),
        Op::Preempt(task) => plainer.push(Op::Switch(task)),
        Op::Fault(page) if page > 0 => plainer.push(Op::Fault(0)),
        Op::Kmap(page) if page > 0 => plainer.push(Op::Kmap(0)),
        Op::Kunmap(page) if page > 0 => plainer.push(Op::Kunmap(0)),
        Op::GatherFlush(pages) => plainer.push(Op::TlbFlush(pages)),
        Op::Open(Block::Repeat(times)) => plainer.extend(fewer(times).map(|n| Op::Open(Block::Repeat(n)))),
        _ => {}
    }
    if let Some(now) = pages(op) {
        let counts = fewer(now.count).map(|count| Pages { count, ..now });
        let sizes = (now.size != Size::Small).then_some(Pages { size: Size::Small, ..now });
        // Page 0 of it, and of the kernel's space the first page of the linear map and of KASAN's shadow.
        let firsts = [0, 1, 1024, 1536].into_iter().filter(|&first| first < now.first);
        let firsts = firsts.filter(|&first| first < 1024 || now.mm == Mm::KERNEL);
        let firsts = firsts.map(|first| Pages { first, ..now });
        plainer.extend(counts.chain(sizes).chain(firsts).map(|pages| on(op, pages)));
    }
    plainer
}

#[cfg(test)]
mod tests {
    use super::super::super::text::parse;
    use super::of;

    #[test]
    fn what_is_plainer_ends_and_keeps_the_kind() {
        for text in
            ["set U 900 x300 huge exec", "kasan_populate K 1600 x9", "repeat 1000 { }", "nmi { }", "alloc 3 sleep"]
        {
            let mut op = parse(text).unwrap().ops()[0];
            let mut steps = 0;
            while let Some(last) = of(op).pop() {
                op = last;
                steps += 1;
                assert!(steps < 2000, "{text}: {op}");
            }
            assert!(of(op).is_empty());
        }
    }
}
