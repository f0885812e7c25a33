//! The printed forms: lines as data, digests that tell events apart.

use lazy_mmu_arches::insn::Op as InsnOp;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, Size};

use super::*;

const OFF: Counters = Counters { enable: 0, pause: 0, active: false };
const ON: Counters = Counters { enable: 1, pause: 0, active: true };

fn at(mm: u8, page: u16) -> PteRef {
    PteRef { mm: Mm(mm), page, size: Size::Small }
}

fn held(pending: bool, entries: u16, digest: u64) -> What {
    What::Held(Deferred { pending, entries, digest })
}

const fn entry(frame: u32, write: bool) -> Option<Translation> {
    Some(Translation { frame, write })
}

fn read(at: PteRef, found: Option<Translation>, asked: Option<Translation>) -> What {
    What::Read { at, found, asked }
}

fn walk(at: PteRef, found: Option<Translation>, asked: Option<Translation>, unflushed: bool, freed: bool) -> What {
    What::Walk(at, Walked { found, asked, unflushed, freed })
}

fn late(count: u16, why: Why) -> What {
    What::Late(Late { point: Point::Settle, count, at: at(1, 9), why })
}

const BURST: Burst = Burst {
    updates: 3,
    calls: 0,
    entries: 0,
    bytes: 0,
    idle: false,
    mixed: false,
    other: false,
    surplus: 0,
    borrowed: false,
};

fn insn(op: InsnOp, a: u64, b: u64) -> What {
    What::Insn(Insn { op, a, b })
}

#[test]
fn lines() {
    #[rustfmt::skip]
    let rows = [
        (What::Call(Call::Enable, OFF), "enable at 0/0"),
        (What::Call(Call::TaskPause(3), ON), "task_pause T3 at 1/0 active"),
        (What::Hook(Hook::Leave, false), "hook leave"),
        (What::Hook(Hook::Flush, true), "hook flush (active)"),
        (What::Return(Call::Pause, Counters { enable: 2, pause: 1, active: false }), "pause done, 2/1"),
        (What::Store(at(0, 1), 0x1f), "store K[1] = 0x1f"),
        (held(false, 0, 0), "held back: nothing"),
        (held(true, 0, 0), "held back: the barriers"),
        (held(false, 192, 7), "held back: 192 entries"),
        (insn(InsnOp::Isb, 0, 0), "isb"),
        (insn(InsnOp::Tlbie, 0x10, 0), "tlbie 0x10"),
        (insn(InsnOp::Tlbie, 0x10, 3), "tlbie 0x10, 0x3"),
        (insn(InsnOp::HcMulticall, 0, 2), "hypercall multicall 0x0, 0x2"),
        (What::Mode { arch: true, task: Some(false) }, "mode: architecture on, task off"),
        (What::Mode { arch: false, task: None }, "mode: off"),
        (What::IdleHook(Hook::Enter), "hook enter, without effect on the mode"),
        (What::Atomic { count: -1, voluntary: true }, "scheduling while atomic: preempt_count -1"),
        (What::Atomic { count: 1, voluntary: false }, "preempted with preemption off: preempt_count 1"),
        (What::PreemptCount(-1), "preempt_count -1"),
        (What::Preemptible(InsnOp::Tlbiel), "`tlbiel` with preemption on"),
        (What::Left(Deferred { pending: false, entries: 5, digest: 7 }), "the switch leaves 5 entries in the batch"),
        (What::Open(Block::On(Mmu::Sun4v), OFF), "on sun4v { at 0/0"),
        (What::Refused(Refusal::NotPreemptible), "refused: preemption is off here"),
        (What::Refused(Refusal::OtherArchitecture), "refused: another architecture's code"),
        (What::Note(Note::McFlush(2, 48)), "mc_flush 2 48"),
        (What::Note(Note::FlushImmediate), "flush_immediate 1"),
        (What::Note(Note::BatchAdd(7)), "batch_add 7"),
    ];
    for (what, text) in rows {
        assert_eq!(line(&what), text);
    }
}

#[test]
fn lines_about_memory() {
    #[rustfmt::skip]
    let rows = [
        (What::Asked(at(0, 1), 1, Ask::Map(Translation { frame: 7, write: true })), "asked K[1]: frame 7"),
        (What::Asked(at(0, 1), 3, Ask::Map(Translation { frame: 7, write: false })), "asked K[1] x3: frame 7, read-only"),
        (What::Asked(at(1, 1), 2, Ask::Mark(7)), "asked U[1] x2: frame 7, not valid"),
        (What::Asked(at(2, 1), 1, Ask::Clear), "asked V[1]: no entry"),
        (What::Asked(at(2, 1), 1, Ask::Wrprotect), "asked V[1]: read-only"),
        (read(at(1, 2), None, None), "read U[2] -> no entry"),
        (read(at(1, 2), entry(7, true), entry(7, true)), "read U[2] -> frame 7"),
        (read(at(1, 2), entry(7, true), entry(7, false)), "read U[2] -> frame 7 (asked for: frame 7, read-only)"),
        (read(at(1, 2), entry(7, true), None), "read U[2] -> frame 7 (asked for: no entry)"),
        (walk(at(2, 3), entry(0, true), entry(0, true), false, false), "walk V[3] -> frame 0"),
        (walk(at(2, 3), entry(0, false), entry(0, false), true, true), "walk V[3] -> frame 0, read-only, which is freed"),
        (walk(at(2, 3), None, entry(4, true), false, false), "walk V[3] -> no entry (asked for: frame 4)"),
        (walk(at(2, 3), entry(3, true), None, true, false), "walk V[3] -> frame 3 (asked for: no entry), not flushed yet"),
        (walk(at(2, 3), entry(3, true), None, true, true),
            "walk V[3] -> frame 3, which is freed (asked for: no entry), not flushed yet"),
        (late(1, Why::Table), "not in effect: U[9]: the page table does not say it"),
        (late(2, Why::Unordered), "not in effect: U[9] and 1 more: no barrier made the store visible to walkers"),
        (late(1, Why::Unsynchronised), "not in effect: U[9]: no isb made this CPU refetch"),
        (late(1, Why::Hash), "not in effect: U[9]: the hash table has the old translation"),
        (late(1, Why::Tsb), "not in effect: U[9]: a TSB has the old translation"),
        (late(9, Why::Tlb(1)), "not in effect: U[9] and 8 more: the TLB of CPU 1 has the old translation"),
        (late(1, Why::FlushedEarly), "not in effect: U[9]: it was flushed before it was changed"),
        (What::Burst(BURST), "went out: 3 updates"),
        (What::Burst(Burst { calls: 2, entries: 3, bytes: 496, ..BURST }),
            "went out: 3 updates in 2 hypercalls, at most 496 bytes"),
        (What::Burst(Burst { borrowed: true, ..BURST }), "went out: 3 updates, registers not given back"),
        (What::Burst(Burst { updates: 0, idle: true, ..BURST }), "went out: 0 updates, none was needed"),
        (What::Burst(Burst { mixed: true, other: true, ..BURST }),
            "went out: 3 updates, of several kinds, of another kind than the entry at hand"),
        (What::Burst(Burst { calls: 1, bytes: 32, surplus: 2, ..BURST }),
            "went out: 3 updates in 1 hypercalls, at most 32 bytes, some of them twice"),
        (What::Freed(at(0, 4), 6), "freed 6 frames, unmapped at K[4] and on"),
        (What::Reachable { at: at(1, 4), cpu: 1, frame: 88 },
            "freed frame 88 can still be reached by CPU 1 through U[4]"),
        (What::Denied(at(0, 4)), "the update of K[4] is refused"),
    ];
    for (what, text) in rows {
        assert_eq!(line(&what), text);
        let event = Event { op: 0, cpu: 0, task: 0, interrupt: false, below: false, what };
        assert!(event.is_memory() && !event.is_generic(), "{what:?}");
    }
}

/// Every two of these differ in the digest of all events; that of the generic ones knows those alone.
#[test]
fn digests_tell_events_apart() {
    let enable = Event { op: 0, cpu: 0, task: 0, interrupt: false, below: false, what: What::Call(Call::Enable, OFF) };
    let whats = [
        What::Call(Call::Disable, OFF),
        What::Call(Call::Enable, ON),
        What::Return(Call::Enable, OFF),
        What::Call(Call::TaskPause(1), OFF),
        What::Call(Call::TaskPause(2), OFF),
        What::Call(Call::TaskResume(1), OFF),
        What::Point(OFF),
        What::Hook(Hook::Enter, false),
        What::Hook(Hook::Enter, true),
        What::Warn(WarnSite::Enable),
        What::VmBug(WarnSite::Enable),
        What::Answer(true),
        What::Answer(false),
        What::Refused(Refusal::Held),
        What::Refused(Refusal::NotHeld),
        What::Open(Block::Repeat(2), OFF),
        What::Open(Block::Repeat(3), OFF),
        What::SwitchOut { next: 1, counters: OFF },
        What::SwitchIn { prev: 1, counters: OFF },
        What::Fork { child: 1, counters: OFF },
        What::Exit { task: 1, counters: OFF },
        What::Store(at(0, 1), 0),
        What::Store(at(1, 1), 0),
        What::Store(at(0, 1), 7),
        What::Store(PteRef { size: Size::Huge, ..at(0, 1) }, 0),
        What::Note(Note::QueueDeferred),
        What::Note(Note::QueueEmitted),
        What::Note(Note::BatchAdd(1)),
        What::Note(Note::FlushPending(1)),
        What::Note(Note::McFlush(1, 16)),
        What::Note(Note::McFlush(1, 32)),
        insn(InsnOp::Tlbie, 1, 0),
        insn(InsnOp::Tlbie, 2, 0),
        insn(InsnOp::Tlbie, 0, 1),
        insn(InsnOp::Tlbiel, 1, 0),
        held(false, 1, 1),
        held(false, 1, 2),
        held(true, 1, 1),
        What::Mode { arch: true, task: Some(true) },
        What::Mode { arch: true, task: Some(false) },
        What::Mode { arch: true, task: None },
        What::IdleHook(Hook::Enter),
        What::IdleHook(Hook::Flush),
        What::Away { task: 1, counters: OFF },
        What::Atomic { count: 1, voluntary: true },
        What::Atomic { count: -1, voluntary: true },
        What::Atomic { count: 1, voluntary: false },
        What::PreemptCount(1),
        What::PreemptCount(-1),
        What::Preemptible(InsnOp::Tlbie),
        What::Preemptible(InsnOp::Tlbiel),
        What::Left(Deferred { pending: false, entries: 1, digest: 1 }),
        What::Left(Deferred { pending: false, entries: 2, digest: 1 }),
        What::Left(Deferred { pending: false, entries: 1, digest: 2 }),
        What::Open(Block::On(Mmu::Hash), OFF),
        What::Open(Block::On(Mmu::Xen), OFF),
        What::Close(Block::On(Mmu::Xen), OFF),
        What::Op(Op::Preempt(1)),
        What::Op(Op::Switch(1)),
    ];
    let whats = || whats.into_iter().chain(about_memory());
    let contexts = [
        enable,
        Event { op: 1, ..enable },
        Event { cpu: 1, ..enable },
        Event { task: 1, ..enable },
        Event { interrupt: true, ..enable },
        Event { below: true, ..enable },
    ];
    let events: Vec<Event> = contexts.into_iter().chain(whats().map(|what| Event { what, ..enable })).collect();
    let alls: std::collections::BTreeSet<u64> = events.iter().map(|event| digests([*event]).1).collect();
    assert_eq!(alls.len(), events.len());
    for event in &events {
        let (generic, all) = digests([*event]);
        assert_eq!(generic, if event.is_generic() { all } else { 0 }, "{event:?}");
    }
    // The order counts.
    assert_ne!(digests([events[0], events[1]]), digests([events[1], events[0]]));
    let architecture = ["Store", "Note", "Insn", "Held", "Mode", "Away", "Atomic", "IdleHook", "Preempt", "Left"];
    let memory = ["Asked", "Read", "Walk", "Late", "Burst", "Freed", "Reachable", "Denied"];
    for what in whats() {
        let name = format!("{what:?}");
        let is_one_of = |names: &[&str]| names.iter().any(|start| name.starts_with(start));
        assert_eq!(Event { what, ..enable }.is_memory(), is_one_of(&memory), "{name}");
        assert_eq!(Event { what, ..enable }.is_generic(), !is_one_of(&memory) && !is_one_of(&architecture), "{name}");
    }
}

/// What differs in two places at once: one change must not undo the other in the digest.
#[test]
fn digests_tell_combinations_apart() {
    let store = Event { op: 0, cpu: 0, task: 0, interrupt: false, below: false, what: What::Denied(at(0, 0)) };
    let mut events = Vec::new();
    for n in 0..8 * 3 * 64 {
        let (task, mm, page) = ((n % 8) as u8, (n / 8 % 3) as u8, n / 24);
        let at = at(mm, page);
        events.extend([What::Store(at, 0), What::Denied(at), What::Freed(at, 0)].map(|what| Event {
            task,
            what,
            ..store
        }));
    }
    for op in 0..64 {
        let count =
            |count| What::Op(Op::Get(lazy_mmu_program::Pages { count, ..lazy_mmu_program::Pages::one(Mm(0), 0) }));
        events.extend((0..64).map(|n| Event { op, what: count(n), ..store }));
    }
    let entries = || (0..64).flat_map(|frame| [entry(frame, false), entry(frame, true)]).chain([None]);
    let of = |what| Event { what, ..store };
    for found in entries() {
        events.extend(entries().map(|asked| of(read(at(0, 0), found, asked))));
        events.extend(entries().map(|asked| of(walk(at(0, 0), found, asked, false, true))));
    }
    for (n, frame) in (0..64 * 64).map(|n| (n / 64, u32::from(n % 64))) {
        events.extend([false, true].map(|write| of(What::Asked(at(0, 0), n, Ask::Map(Translation { frame, write })))));
        events.push(of(What::Asked(at(0, 0), n, Ask::Mark(frame))));
    }
    for op in InsnOp::ALL {
        events.extend((0..64).map(|b| of(insn(*op, 0, b))));
    }
    let own: std::collections::BTreeSet<u64> = events.iter().map(|event| digests([*event]).1).collect();
    assert_eq!(own.len(), events.len());
}

/// The events about memory, each with every operand once another.
fn about_memory() -> Vec<What> {
    let page = at(0, 1);
    let entries = [None, entry(0, false), entry(0, true), entry(1, true)];
    let mut whats = vec![
        What::Asked(page, 1, Ask::Mark(0)),
        What::Asked(page, 1, Ask::Mark(1)),
        What::Asked(page, 1, Ask::Clear),
        What::Asked(page, 2, Ask::Clear),
        What::Asked(at(1, 1), 1, Ask::Clear),
        What::Asked(page, 1, Ask::Wrprotect),
        read(at(1, 1), None, None),
        walk(at(1, 1), None, None, false, false),
        walk(page, None, None, true, false),
        walk(page, None, None, false, true),
        What::Freed(page, 1),
        What::Freed(page, 2),
        What::Freed(at(1, 1), 1),
        What::Denied(page),
        What::Denied(at(1, 1)),
        What::Burst(BURST),
        What::Burst(Burst { updates: 4, ..BURST }),
        What::Burst(Burst { calls: 1, ..BURST }),
        What::Burst(Burst { entries: 1, ..BURST }),
        What::Burst(Burst { bytes: 1, ..BURST }),
        What::Burst(Burst { idle: true, ..BURST }),
        What::Burst(Burst { mixed: true, ..BURST }),
        What::Burst(Burst { other: true, ..BURST }),
        What::Burst(Burst { surplus: 1, ..BURST }),
        What::Burst(Burst { borrowed: true, ..BURST }),
    ];
    whats.extend(entries.into_iter().flatten().map(|to| What::Asked(page, 1, Ask::Map(to))));
    for found in entries {
        whats.extend(entries.map(|asked| read(page, found, asked)));
        whats.extend(entries.map(|asked| walk(page, found, asked, false, false)));
    }
    for (mm, cpu, frame) in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)] {
        whats.push(What::Reachable { at: at(mm, 1), cpu, frame });
    }
    let whys = [Why::Table, Why::Unordered, Why::Unsynchronised, Why::Hash, Why::Tsb, Why::Tlb(0), Why::Tlb(1)];
    whats.extend(whys.into_iter().chain([Why::FlushedEarly]).map(|why| late(1, why)));
    for point in [Point::Write, Point::Use, Point::Flush] {
        whats.push(What::Late(Late { point, count: 1, at: at(1, 9), why: Why::Table }));
    }
    whats.extend([late(2, Why::Table), What::Late(Late { point: Point::Settle, count: 1, at: page, why: Why::Table })]);
    whats
}
