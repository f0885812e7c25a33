//! A trace as two numbers: what a target and the host compare first.
//!
//! Events become words by their kind and operands, never by their place in memory, so that the digest is the same on
//! every host and target, whatever its byte order. Called for every run's summary.

use std::borrow::Borrow;

use lazy_mmu_arches::backend::mix;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::page::PteRef;

use super::{Ask, Call, Counters, Event, Translation, What, Why};
use lazy_mmu_program::Block;

/// Digests of a trace, of its generic events and of all of them, in order: equal on every host and target for equal
/// events.
#[must_use]
pub fn digests(events: impl IntoIterator<Item = impl Borrow<Event>>) -> (u64, u64) {
    let (mut generic, mut all) = (0, 0);
    for event in events {
        let event = event.borrow();
        let context = u64::from(event.op) << 32
            | u64::from(event.cpu) << 24
            | u64::from(event.task) << 16
            | u64::from(event.interrupt) << 9
            | u64::from(event.below) << 8;
        let (kind, a, b) = words(&event.what);
        let own = digest([context | kind, a, b]);
        all = mix(all, own);
        if event.is_generic() {
            generic = mix(generic, own);
        }
    }
    (generic, all)
}

/// Numbers as one. Each is mixed into the digest of those before it, never into a number as it is: there a change of one
/// could undo a change of the other.
fn digest<const N: usize>(numbers: [u64; N]) -> u64 {
    numbers.into_iter().fold(0, mix)
}

/// An event's kind and operands as numbers, for [`digests`].
fn words(what: &What) -> (u64, u64, u64) {
    let counters = |c: &Counters| u64::from(c.enable) << 16 | u64::from(c.pause) << 8 | u64::from(c.active);
    let call = |call: &Call| match *call {
        Call::Enable => 0,
        Call::Disable => 1,
        Call::Pause => 2,
        Call::Resume => 3,
        Call::TaskPause(task) => 4 | u64::from(task) << 8,
        Call::TaskResume(task) => 5 | u64::from(task) << 8,
    };
    let at = |at: &PteRef| at.machine_address() << 2 | at.size as u64;
    let entry =
        |found: &Option<Translation>| found.map_or(0, |t| u64::from(t.frame) << 2 | u64::from(t.write) << 1 | 1);
    let block = |block: &Block| match *block {
        Block::Irq => 0,
        Block::Softirq => 1,
        Block::Nmi => 2,
        Block::Between => 3,
        Block::Repeat(n) => 4 | u64::from(n) << 8,
        Block::On(mmu) => 5 | (mmu as u64) << 8,
    };
    match what {
        What::Call(c, before) => (1, call(c), counters(before)),
        What::Point(at) => (2, 0, counters(at)),
        What::Hook(hook, active) => (3, *hook as u64, u64::from(*active)),
        What::Warn(site) => (4, *site as u64, 0),
        What::VmBug(site) => (5, *site as u64, 0),
        What::Bug(site) => (6, *site as u64, 0),
        What::Return(c, after) => (7, call(c), counters(after)),
        What::Answer(active) => (8, u64::from(*active), 0),
        What::Op(op) => {
            let record = lazy_mmu_program::bytes::record(*op);
            let mut wide = [0; 8];
            wide[..record.len()].copy_from_slice(&record);
            (9, u64::from_le_bytes(wide), 0)
        }
        What::Open(b, at) => (10, block(b), counters(at)),
        What::Close(b, at) => (11, block(b), counters(at)),
        What::SwitchOut { next, counters: c } => (12, u64::from(*next), counters(c)),
        What::SwitchIn { prev, counters: c } => (13, u64::from(*prev), counters(c)),
        What::Fork { child, counters: c } => (14, u64::from(*child), counters(c)),
        What::Exit { task, counters: c } => (15, u64::from(*task), counters(c)),
        What::Refused(why) => (16, *why as u64, 0),
        What::Stop(stop) => (17, *stop as u64, 0),
        What::Note(note) => match *note {
            Note::QueueDeferred => (18, 0, 0),
            Note::QueueEmitted => (18, 1, 0),
            Note::Barriers => (18, 2, 0),
            Note::BatchAdd(n) => (18, 3, u64::from(n)),
            Note::FlushPending(n) => (18, 4, u64::from(n)),
            Note::FlushImmediate => (18, 5, 0),
            Note::MmuQueued => (18, 6, 0),
            Note::MmuIssued => (18, 7, 0),
            Note::MmuImmediate => (18, 8, 0),
            Note::McFlush(entries, bytes) => (18, 9, u64::from(entries) << 16 | u64::from(bytes)),
        },
        What::Insn(insn) => (19, insn.a, digest([insn.op as u64, insn.b])),
        What::Store(p, word) => (20, at(p), *word),
        What::Read { at: p, found, asked } => (21, at(p), digest([entry(found), entry(asked)])),
        What::Walk(p, w) => {
            let flags = u64::from(w.unflushed) << 1 | u64::from(w.freed);
            (22, at(p), digest([entry(&w.found), entry(&w.asked), flags]))
        }
        What::Asked(p, n, ask) => {
            let (kind, operand) = match ask {
                Ask::Map(translation) => (0, entry(&Some(*translation))),
                Ask::Mark(frame) => (1, u64::from(*frame)),
                Ask::Clear => (2, 0),
                Ask::Wrprotect => (3, 0),
            };
            (28, at(p), digest([u64::from(*n) << 8 | kind, operand]))
        }
        What::Late(late) => {
            let why = match late.why {
                Why::Table => 0,
                Why::Unordered => 1,
                Why::Unsynchronised => 2,
                Why::Hash => 3,
                Why::Tsb => 4,
                Why::Tlb(cpu) => 5 | u64::from(cpu) << 8,
                Why::FlushedEarly => 6,
            };
            (29, at(&late.at), u64::from(late.count) << 32 | (late.point as u64) << 24 | why)
        }
        What::Burst(b) => {
            let flags =
                u64::from(b.borrowed) << 3 | u64::from(b.idle) << 2 | u64::from(b.mixed) << 1 | u64::from(b.other);
            let counts = u64::from(b.updates) << 32 | u64::from(b.surplus) << 16 | u64::from(b.bytes);
            (30, counts, u64::from(b.calls) << 16 | u64::from(b.entries) << 8 | flags)
        }
        What::Freed(p, n) => (31, at(p), u64::from(*n)),
        What::Reachable { at: p, cpu, frame } => (32, at(p), u64::from(*frame) << 8 | u64::from(*cpu)),
        What::Denied(p) => (33, at(p), 0),
        What::Complaint(complaint, site) => (37, *complaint as u64, site.digest()),
        What::PreemptCount(count) => (34, i64::from(*count) as u64, 0),
        What::Preemptible(op) => (35, *op as u64, 0),
        What::Left(held) => (36, u64::from(held.entries), held.digest),
        What::Held(held) => (23, u64::from(held.pending) << 16 | u64::from(held.entries), held.digest),
        What::Mode { arch, task } => (24, u64::from(*arch), task.map_or(2, u64::from)),
        What::IdleHook(hook) => (27, *hook as u64, 0),
        What::Away { task, counters: c } => (26, u64::from(*task), counters(c)),
        What::Atomic { count, voluntary } => (25, i64::from(*count) as u64, u64::from(*voluntary)),
    }
}
