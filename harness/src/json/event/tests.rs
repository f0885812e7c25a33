//! Every kind of event against its row in docs/json.md: the same kinds, the same fields, no more on either side.

use std::collections::{BTreeMap, BTreeSet};

use lazy_mmu_arches::insn::{Insn, Op as InsnOp};
use lazy_mmu_arches::page::{Mm, Size};
use lazy_mmu_core::kernel::{BugSite, WarnSite};
use lazy_mmu_engine::registry;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::{Burst, Complaint, Hook, Late, Point, Refusal, Site, Stop, Walked};

use super::*;

const AT: PteRef = PteRef { mm: Mm(1), page: 7, size: Size::Huge };
const ON: Counters = Counters { enable: 2, pause: 1, active: false };
const FOUND: Option<Translation> = Some(Translation { frame: 512, write: true });
const HELD: Deferred = Deferred { pending: true, entries: 3, digest: 0xffff_ffff_ffff_ffff };

/// One event of each kind, and others of a kind whose fields depend on it. A new kind has no arm here: it is to be added
/// below too, and to the manual.
fn samples() -> Vec<What> {
    let all = vec![
        What::Call(Call::TaskPause(3), ON),
        What::Point(ON),
        What::Hook(Hook::Enter, true),
        What::Warn(WarnSite::Enable),
        What::VmBug(WarnSite::Resume),
        What::Bug(BugSite::EnterLazy),
        What::Return(Call::Enable, ON),
        What::Answer(true),
        What::Op(Op::Cpu(1)),
        What::Open(Block::Repeat(3), ON),
        What::Close(Block::Irq, ON),
        What::SwitchOut { next: 1, counters: ON },
        What::SwitchIn { prev: 1, counters: ON },
        What::Away { task: 1, counters: ON },
        What::Fork { child: 4, counters: ON },
        What::Exit { task: 4, counters: ON },
        What::Refused(Refusal::NoSuchTask),
        What::Stop(Stop::Limit),
        What::IdleHook(Hook::Leave),
        What::Note(Note::QueueDeferred),
        What::Note(Note::BatchAdd(192)),
        What::Note(Note::McFlush(2, 496)),
        What::Insn(Insn { op: InsnOp::Tlbie, a: 1 << 60, b: 2 }),
        What::Store(AT, 0),
        What::Asked(AT, 4, Ask::Map(Translation { frame: 9, write: false })),
        What::Asked(AT, 1, Ask::Mark(9)),
        What::Asked(AT, 1, Ask::Clear),
        What::Asked(AT, 1, Ask::Wrprotect),
        What::Read { at: AT, found: FOUND, asked: None },
        What::Walk(AT, Walked { found: FOUND, asked: None, unflushed: true, freed: false }),
        What::Late(Late { point: Point::Settle, count: 2, at: AT, why: Why::Tlb(1) }),
        What::Burst(Burst { updates: 31, calls: 1, ..Burst::default() }),
        What::Freed(AT, 4),
        What::Reachable { at: AT, cpu: 1, frame: 512 },
        What::Denied(AT),
        What::Complaint(Complaint::Warn, Site::of("mm/a.c", 7, "f", "x")),
        What::PreemptCount(-1),
        What::Preemptible(InsnOp::HcMulticall),
        What::Left(HELD),
        What::Held(HELD),
        What::Mode { arch: true, task: None },
        What::Atomic { count: 1, voluntary: false },
    ];
    all.iter().for_each(|what| match what {
        What::Call(..) | What::Point(_) | What::Hook(..) | What::Warn(_) | What::VmBug(_) | What::Bug(_) => {}
        What::Return(..) | What::Answer(_) | What::Op(_) | What::Open(..) | What::Close(..) => {}
        What::SwitchOut { .. } | What::SwitchIn { .. } | What::Away { .. } | What::Fork { .. } => {}
        What::Exit { .. } | What::Refused(_) | What::Stop(_) | What::IdleHook(_) | What::Note(_) => {}
        What::Insn(_) | What::Store(..) | What::Asked(..) | What::Read { .. } | What::Walk(..) => {}
        What::Late(_) | What::Burst(_) | What::Freed(..) | What::Reachable { .. } | What::Denied(_) => {}
        What::Complaint(..) => {}
        What::PreemptCount(_) | What::Preemptible(_) | What::Left(_) | What::Held(_) => {}
        What::Mode { .. } | What::Atomic { .. } => {}
    });
    all
}

fn as_json(what: What) -> Value {
    let subject = registry::find("aarch64").expect("a known subject").make(Port::Model);
    event(&Event { op: 5, cpu: 1, task: 3, interrupt: true, below: false, what }, &*subject)
}

/// The manual's rows of a section: the names in their first cells, and those in their second.
fn rows(section: &str) -> BTreeMap<String, BTreeSet<String>> {
    let manual = include_str!("../../../../docs/json.md");
    let (_, rest) = manual.split_once(&format!("\n## {section}\n")).expect("the manual has the section");
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let names = |cell: &str| -> BTreeSet<String> {
        // Names stand in backticks: every second part.
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        (names(cells[0]).into_iter().next().unwrap_or_default(), names(cells[1]))
    });
    rows.collect()
}

#[test]
fn every_kind_of_event_is_documented_with_its_fields() {
    let common: BTreeSet<String> =
        ["kind", "op", "cpu", "task", "interrupt", "generic", "text"].map(str::to_owned).into();
    let documented = rows("Events");
    let mut found = BTreeMap::new();
    for what in samples() {
        let value = as_json(what);
        let kind = value["kind"].as_str().expect("a kind").to_owned();
        let keys: BTreeSet<String> = value.as_object().expect("an object").keys().cloned().collect();
        assert!(keys.is_superset(&common), "{what:?}: {keys:?}");
        let own: BTreeSet<String> = keys.difference(&common).cloned().collect();
        assert_eq!(documented.get(&kind), Some(&own), "`{kind}` in docs/json.md");
        // A kind has the same fields whatever it says.
        assert_eq!(found.entry(kind).or_insert_with(|| own.clone()), &own, "{what:?}");
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
}

/// The kind is the variant's name; fields are typed, and nothing that JSON's numbers cannot hold is a number.
#[test]
fn fields() {
    for what in samples() {
        assert_eq!(as_json(what)["kind"], json!(snake(&what)), "{what:?}");
    }
    #[rustfmt::skip]
    let rows = [
        (What::Call(Call::TaskPause(1), ON), json!({"call": "task_pause", "of": 1, "counters": {"enable": 2, "pause": 1, "active": false}})),
        (What::Return(Call::Enable, ON), json!({"call": "enable", "of": 3})),
        (What::Bug(BugSite::EnterLazy), json!({"site": "enter_lazy"})),
        (What::Op(Op::Cpu(1)), json!({"operation": "cpu 1", "op": 5, "cpu": 1, "task": 3, "interrupt": true, "generic": true})),
        (What::Open(Block::Repeat(3), ON), json!({"block": "repeat 3"})),
        (What::Refused(Refusal::NoSuchTask), json!({"reason": "no_such_task", "text": "refused: no such task, or it exists already"})),
        (What::Note(Note::McFlush(2, 496)), json!({"note": "mc_flush", "entries": 2, "bytes": 496})),
        (What::Note(Note::QueueDeferred), json!({"note": "queue_deferred", "entries": null, "bytes": null})),
        (What::Insn(Insn { op: InsnOp::Tlbie, a: 1 << 60, b: 2 }), json!({"insn": "tlbie", "a": "0x1000000000000000", "b": "0x2"})),
        (What::Store(AT, 0), json!({"at": {"mm": "U", "page": 7, "size": "huge"}, "word": "0x0", "entry": null, "generic": false})),
        (What::Store(AT, 0x0068_0000_0020_0bc3), json!({"word": "0x68000000200bc3", "entry": {"valid": true, "frame": 512, "write": true, "exec": false}})),
        (What::Asked(AT, 4, Ask::Mark(9)), json!({"pages": 4, "ask": "mark", "frame": 9, "write": null})),
        (What::Read { at: AT, found: FOUND, asked: None }, json!({"found": {"frame": 512, "write": true}, "asked": null})),
        (What::Late(Late { point: Point::Settle, count: 2, at: AT, why: Why::Tlb(1) }), json!({"point": "settle", "count": 2, "why": "tlb", "of_cpu": 1})),
        (What::Late(Late { point: Point::Write, count: 1, at: AT, why: Why::FlushedEarly }), json!({"why": "flushed_early", "of_cpu": null})),
        (What::Held(HELD), json!({"pending": true, "entries": 3, "digest": "0xffffffffffffffff"})),
        (What::Mode { arch: true, task: Some(false) }, json!({"architecture": true, "counters_say": false})),
        (What::PreemptCount(-1), json!({"count": -1})),
    ];
    for (what, expected) in rows {
        let value = as_json(what);
        for (key, expected) in expected.as_object().expect("an object") {
            assert_eq!(&value[key], expected, "{key} of {what:?}");
        }
    }
}
