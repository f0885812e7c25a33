//! Programs as bytes: six per operation, so that a fuzzer's byte mutations move whole operations.
//!
//! A record is `kind, detail, first, first, count, count` (16-bit values little-endian). Decoding is total: values
//! wrap into range, a block that would be too deep and a close without a block are left out, blocks that stay open
//! are closed at the end, and a last partial record is padded with zeros. Encoding gives the canonical bytes:
//! `decode(encode(p)) == p` for every program. Called by the agent's wire, the fuzz targets and the corpus.

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PAGES, Size};

use super::{
    Allocation, Block, CPUS, FRAMES, LOCKS, MAX_OPS, MAX_PAGES, MAX_REPEAT, Op, Pages, Program, Protection, TASKS,
};

/// Bytes of one record.
pub const RECORD: usize = 6;

/// Kinds of record.
pub const KINDS: u8 = 49;

/// Decodes any bytes.
#[must_use]
pub fn decode(bytes: &[u8]) -> Program {
    let (whole, rest) = bytes.as_chunks::<RECORD>();
    let last = (!rest.is_empty()).then(|| {
        let mut record = [0; RECORD];
        record[..rest.len()].copy_from_slice(rest);
        record
    });
    Program::fitted(whole.iter().copied().chain(last).map(decode_op), MAX_OPS)
}

/// The canonical bytes of a program.
#[must_use]
pub fn encode(program: &Program) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.ops().len() * RECORD);
    program.ops().iter().for_each(|&op| bytes.extend_from_slice(&record(op)));
    bytes
}

/// The operation of one record: every record has one.
pub fn decode_op([kind, detail, f0, f1, c0, c1]: [u8; RECORD]) -> Op {
    let first = u16::from_le_bytes([f0, f1]);
    let count = u16::from_le_bytes([c0, c1]);
    let (task, page) = (detail % TASKS, first % PAGES);
    let pages = || Pages {
        mm: Mm(detail % 3),
        first: page,
        count: count % (MAX_PAGES + 1),
        size: [Size::Small, Size::Large, Size::Huge][usize::from(detail / 3 % 3)],
    };
    let allocation = || [Allocation::Plain, Allocation::Debug, Allocation::Sleep][usize::from(detail % 3)];
    match kind % KINDS {
        0 => Op::Enable,
        1 => Op::Disable,
        2 => Op::Pause,
        3 => Op::Resume,
        4 => Op::Query,
        5 => Op::TaskPause(task),
        6 => Op::TaskResume(task),
        7 => Op::TaskQuery(task),
        8 => Op::Flush,
        9 => Op::Set(pages(), protection(detail / 9)),
        10 => Op::Clear(pages()),
        11 => Op::Wrprotect(pages()),
        12 => Op::Get(pages()),
        13 => Op::RawGet(pages()),
        14 => Op::Access(pages()),
        15 => Op::TlbFlush(pages()),
        16 => Op::GatherFlush(pages()),
        17 => Op::Fault(page),
        18 => Op::Switch(task),
        19 => Op::Migrate(task, detail / TASKS % CPUS),
        20 => Op::Fork(task),
        21 => Op::Exit(task),
        22 => Op::Cpu(detail % CPUS),
        23 => Op::Sleep,
        24 => Op::Lock(detail % LOCKS),
        25 => Op::Unlock(detail % LOCKS),
        26 => Op::MutexLock,
        27 => Op::MutexUnlock,
        28 => Op::BhOff,
        29 => Op::BhOn,
        30 => Op::IrqOff,
        31 => Op::IrqOn,
        32 => Op::PreemptOff,
        33 => Op::PreemptOn,
        34 => Op::Alloc(first % FRAMES, allocation()),
        35 => Op::Free(first % FRAMES, allocation()),
        36 => Op::Open(Block::Irq),
        37 => Op::Open(Block::Softirq),
        38 => Op::Open(Block::Nmi),
        39 => Op::Open(Block::Between),
        40 => Op::Open(Block::Repeat(count % (MAX_REPEAT + 1))),
        43 => Op::Preempt(task),
        44 => Op::Kmap(page),
        45 => Op::Kunmap(page),
        46 => Op::KasanPopulate(Pages { mm: Mm::KERNEL, size: Size::Small, ..pages() }),
        47 => Op::KasanDepopulate(Pages { mm: Mm::KERNEL, size: Size::Small, ..pages() }),
        48 => Op::Open(Block::On(Mmu::ALL[usize::from(detail) % Mmu::ALL.len()])),
        // Two kinds of close: blocks that stay open for ever are the commonest waste of a random program.
        _ => Op::Close,
    }
}

fn protection(n: u8) -> Protection {
    [Protection::Write, Protection::Read, Protection::Exec, Protection::Invalid][usize::from(n % 4)]
}

/// The record of one operation.
#[must_use]
pub fn record(op: Op) -> [u8; RECORD] {
    let fields = |kind: u8, detail: u8, first: u16, count: u16| {
        let (first, count) = (first.to_le_bytes(), count.to_le_bytes());
        [kind, detail, first[0], first[1], count[0], count[1]]
    };
    let plain = |kind| fields(kind, 0, 0, 0);
    let one = |kind, detail| fields(kind, detail, 0, 0);
    let pages = |kind, pages: Pages, extra: u8| {
        fields(kind, pages.mm.0 + 3 * pages.size as u8 + 9 * extra, pages.first, pages.count)
    };
    match op {
        Op::Enable => plain(0),
        Op::Disable => plain(1),
        Op::Pause => plain(2),
        Op::Resume => plain(3),
        Op::Query => plain(4),
        Op::TaskPause(task) => one(5, task),
        Op::TaskResume(task) => one(6, task),
        Op::TaskQuery(task) => one(7, task),
        Op::Flush => plain(8),
        Op::Set(p, protection) => pages(9, p, protection as u8),
        Op::Clear(p) => pages(10, p, 0),
        Op::Wrprotect(p) => pages(11, p, 0),
        Op::Get(p) => pages(12, p, 0),
        Op::RawGet(p) => pages(13, p, 0),
        Op::Access(p) => pages(14, p, 0),
        Op::TlbFlush(p) => pages(15, p, 0),
        Op::GatherFlush(p) => pages(16, p, 0),
        Op::Fault(page) => fields(17, 0, page, 0),
        Op::Switch(task) => one(18, task),
        Op::Migrate(task, cpu) => one(19, task + TASKS * cpu),
        Op::Fork(task) => one(20, task),
        Op::Exit(task) => one(21, task),
        Op::Cpu(cpu) => one(22, cpu),
        Op::Sleep => plain(23),
        Op::Lock(lock) => one(24, lock),
        Op::Unlock(lock) => one(25, lock),
        Op::MutexLock => plain(26),
        Op::MutexUnlock => plain(27),
        Op::BhOff => plain(28),
        Op::BhOn => plain(29),
        Op::IrqOff => plain(30),
        Op::IrqOn => plain(31),
        Op::PreemptOff => plain(32),
        Op::PreemptOn => plain(33),
        Op::Alloc(frame, how) => fields(34, how as u8, frame, 0),
        Op::Free(frame, how) => fields(35, how as u8, frame, 0),
        Op::Open(Block::Irq) => plain(36),
        Op::Open(Block::Softirq) => plain(37),
        Op::Open(Block::Nmi) => plain(38),
        Op::Open(Block::Between) => plain(39),
        Op::Open(Block::Repeat(times)) => fields(40, 0, 0, times),
        Op::Close => plain(41),
        Op::Preempt(task) => one(43, task),
        Op::Kmap(page) => fields(44, 0, page, 0),
        Op::Kunmap(page) => fields(45, 0, page, 0),
        Op::KasanPopulate(p) => pages(46, p, 0),
        Op::KasanDepopulate(p) => pages(47, p, 0),
        Op::Open(Block::On(mmu)) => one(48, mmu as u8),
    }
}
