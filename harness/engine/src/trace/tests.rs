//! The printed forms: lines as data, digests that tell events apart, the timeline of a program as a whole.

use lazy_mmu_arches::insn::Op as InsnOp;
use lazy_mmu_arches::page::{Mm, Size};

use super::*;
use crate::contract::judge;
use crate::machine::Machine;
use crate::program::text::parse;
use crate::subject::{Port, registry};

const OFF: Counters = Counters { enable: 0, pause: 0, active: false };
const ON: Counters = Counters { enable: 1, pause: 0, active: true };

fn at(mm: u8, page: u16) -> PteRef {
    PteRef { mm: Mm(mm), page, size: Size::Small }
}

fn held(pending: bool, entries: u16, digest: u64) -> What {
    What::Held(Deferred { pending, entries, digest })
}

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
        (What::Read(at(1, 2), None), "read U[2] -> no entry"),
        (What::Walk(at(2, 3), Some(0)), "walk V[3] -> frame 0"),
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
        (What::Atomic(-1), "scheduling while atomic: preempt_count -1"),
        (What::Note(Note::McFlush(2, 48)), "mc_flush 2 48"),
        (What::Note(Note::FlushImmediate), "flush_immediate 1"),
        (What::Note(Note::BatchAdd(7)), "batch_add 7"),
    ];
    for (what, text) in rows {
        assert_eq!(line(&what), text);
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
        What::Read(at(0, 1), None),
        What::Read(at(0, 1), Some(0)),
        What::Walk(at(0, 1), None),
        What::Walk(at(0, 1), Some(0)),
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
        What::Atomic(1),
        What::Atomic(-1),
    ];
    let contexts = [
        enable,
        Event { op: 1, ..enable },
        Event { cpu: 1, ..enable },
        Event { task: 1, ..enable },
        Event { interrupt: true, ..enable },
        Event { below: true, ..enable },
    ];
    let events: Vec<Event> = contexts.into_iter().chain(whats.map(|what| Event { what, ..enable })).collect();
    let alls: std::collections::BTreeSet<u64> = events.iter().map(|event| digests(&[*event]).1).collect();
    assert_eq!(alls.len(), events.len());
    for event in &events {
        let (generic, all) = digests(&[*event]);
        assert_eq!(generic, if event.is_generic() { all } else { 0 }, "{event:?}");
    }
    // The order counts.
    assert_ne!(digests(&[events[0], events[1]]), digests(&[events[1], events[0]]));
    let architecture = ["Store", "Read", "Walk", "Note", "Insn", "Held", "Mode", "Away", "Atomic", "IdleHook"];
    for what in whats {
        let name = format!("{what:?}");
        let own = architecture.iter().any(|start| name.starts_with(start));
        assert_eq!(Event { what, ..enable }.is_generic(), !own, "{name}");
    }
}

fn rendered(program: &str) -> (String, String) {
    let program = parse(program).expect("a program");
    let subject = registry::find("aarch64").expect("a known subject");
    let events = Machine::new().run(&*subject.make(Port::Model), &program).to_vec();
    let verdict = judge(&events, subject.generation.rules());
    (timeline::render(&events, &verdict), timeline::conclusion(&verdict, program.ops()))
}

/// Indentation, the mark where an invariant broke, and the conclusion.
#[test]
fn a_timeline() {
    let (text, conclusion) = rendered("enable between { switch T1; switch T0 }; irq { set K 1 }; disable; disable");
    let expected = "\
cpu0 T0  | enable
cpu0 T0  |   between the halves, at 1/0 active
cpu0 T0  |   switch T1
cpu0 T0  |   switch out, to T1, at 1/0 active
cpu0 T0  |     . dsb ish
cpu0 T1  |   switch in, from T0, at 0/0
cpu0 T1  |   switch T0
cpu0 T1  |   switch out, to T0, at 0/0
cpu0 T1  |     . dsb ish
cpu0 T0  |   switch in, from T1, at 1/0 active
cpu0 T0  |   hook enter (active)
cpu0 T0  | = 1/0 active
cpu0 T0  | irq { at 1/0 active
cpu0 T0! |   . held back: nothing
cpu0 T0! |   set K 1
cpu0 T0! |   . store K[1] = 0x68000000001383
cpu0 T0! |   . queue_emitted
cpu0 T0! |   . dsb ishst
cpu0 T0! |   . isb
cpu0 T0! |   . barriers
cpu0 T0! |   . held back: nothing
cpu0 T0  | }
cpu0 T0  | disable
cpu0 T0  |   hook leave
cpu0 T0  | = 0/0
cpu0 T0  | disable
cpu0 T0  |   WARN Disable
cpu0 T0  |   hook flush (active)
>>> I2 pairing broken: hook flush for T0, which has not entered
cpu0 T0  | = 255/0 active
>>> I1 balance broken: disable: enable_count wrapped, from 0/0 to 255/0
";
    assert_eq!(text, expected);
    assert_eq!(
        conclusion,
        "verdict: breaks I1 I2\n  I1 balance: disable: enable_count wrapped, from 0/0 to 255/0\n  \
         I2 pairing: hook flush for T0, which has not entered\n  \
         the program misuses the API at operation 9 (`disable`): it ends what was never begun; what breaks from there \
         on may be its own\n"
    );
}

/// What only the end of the program shows is marked there.
#[test]
fn a_timeline_with_a_mark_at_its_end() {
    let (text, conclusion) = rendered("enable");
    let mark = "\n>>> I1 balance broken: T0 is left with enable_count 1 and pause_count 0\n";
    assert!(text.ends_with(mark), "{text}");
    assert_eq!(conclusion, "verdict: breaks I1\n  I1 balance: T0 is left with enable_count 1 and pause_count 0\n");
    assert_eq!(rendered("query").1, "verdict: holds\n");
}
