//! One event as JSON: its kind, its fields, typed, and its text. Every kind is documented in docs/json.md, and a test
//! compares the two.
//!
//! Numbers of 64 bits (PTE words, operands, digests) are strings in hexadecimal, because JSON's numbers are not exact
//! there. Names are those of the trace's types in snake_case. Called for a run's document.

use std::fmt::Debug;

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::page::PteRef;
use lazy_mmu_engine::program::{Block, Op};
use lazy_mmu_engine::subject::Subject;
use lazy_mmu_engine::trace::{Ask, Call, Counters, Event, Translation, What, Why, line};
use serde_json::{Value, json};

/// The event. `reader` says what PTE words mean.
pub(super) fn event(event: &Event, reader: &dyn Subject) -> Value {
    let (kind, mut value) = fields(event, reader);
    // `kind` and the others are names that no kind has among its own.
    value["kind"] = json!(kind);
    value["op"] = json!(event.op);
    value["cpu"] = json!(event.cpu);
    value["task"] = json!(event.task);
    value["interrupt"] = json!(event.interrupt);
    value["generic"] = json!(event.is_generic());
    value["text"] = json!(line(&event.what));
    value
}

/// Its kind and its own fields. One table, so that the compiler asks for each kind of event.
fn fields(event: &Event, reader: &dyn Subject) -> (&'static str, Value) {
    match &event.what {
        What::Call(call, counters) => ("call", called(*call, event.task, counters)),
        What::Point(at) => ("point", json!({"counters": counters(at)})),
        What::Hook(hook, active) => ("hook", json!({"hook": hook.name(), "active": active})),
        What::Warn(site) => ("warn", json!({"site": snake(site)})),
        What::VmBug(site) => ("vm_bug", json!({"site": snake(site)})),
        What::Bug(site) => ("bug", json!({"site": snake(site)})),
        What::Return(call, counters) => ("return", called(*call, event.task, counters)),
        What::Answer(active) => ("answer", json!({"active": active})),
        What::Op(op) => ("op", json!({"operation": op.to_string()})),
        What::Open(block, at) => ("open", json!({"block": block_name(*block), "counters": counters(at)})),
        What::Close(block, at) => ("close", json!({"block": block_name(*block), "counters": counters(at)})),
        What::SwitchOut { next, counters: at } => ("switch_out", json!({"next": next, "counters": counters(at)})),
        What::SwitchIn { prev, counters: at } => ("switch_in", json!({"prev": prev, "counters": counters(at)})),
        What::Away { task, counters: at } => ("away", json!({"of": task, "counters": counters(at)})),
        What::Fork { child, counters: at } => ("fork", json!({"of": child, "counters": counters(at)})),
        What::Exit { task, counters: at } => ("exit", json!({"of": task, "counters": counters(at)})),
        What::Refused(why) => ("refused", json!({"reason": snake(why)})),
        What::Stop(stop) => ("stop", json!({"reason": snake(stop)})),
        What::PreemptCount(count) => ("preempt_count", json!({"count": count})),
        What::Atomic { count, voluntary } => ("atomic", json!({"count": count, "voluntary": voluntary})),
        What::Mode { arch, task } => ("mode", json!({"architecture": arch, "counters_say": task})),
        What::IdleHook(hook) => ("idle_hook", json!({"hook": hook.name()})),
        What::Note(note) => ("note", noted(*note)),
        What::Insn(insn) => ("insn", json!({"insn": insn.op.mnemonic(), "a": hex(insn.a), "b": hex(insn.b)})),
        What::Store(at, word) => {
            ("store", json!({"at": place(*at), "word": hex(*word), "entry": entry(*word, reader)}))
        }
        What::Asked(at, pages, ask) => {
            let (ask, frame, write) = match *ask {
                Ask::Map(Translation { frame, write }) => ("map", Some(frame), Some(write)),
                Ask::Mark(frame) => ("mark", Some(frame), None),
                Ask::Clear => ("clear", None, None),
                Ask::Wrprotect => ("wrprotect", None, None),
            };
            ("asked", json!({"at": place(*at), "pages": pages, "ask": ask, "frame": frame, "write": write}))
        }
        What::Read { at, found, asked } => {
            ("read", json!({"at": place(*at), "found": translation(*found), "asked": translation(*asked)}))
        }
        What::Walk(at, walked) => (
            "walk",
            json!({
                "at": place(*at),
                "found": translation(walked.found),
                "asked": translation(walked.asked),
                "unflushed": walked.unflushed,
                "freed": walked.freed,
            }),
        ),
        What::Late(late) => {
            let by = if let Why::Tlb(cpu) = late.why { Some(cpu) } else { None };
            let (point, why) = (snake(&late.point), snake(&late.why));
            ("late", json!({"at": place(late.at), "count": late.count, "point": point, "why": why, "of_cpu": by}))
        }
        What::Burst(burst) => (
            "burst",
            json!({
                "updates": burst.updates,
                "calls": burst.calls,
                "entries": burst.entries,
                "bytes": burst.bytes,
                "idle": burst.idle,
                "mixed": burst.mixed,
                "other": burst.other,
                "surplus": burst.surplus,
                "borrowed": burst.borrowed,
            }),
        ),
        What::Freed(at, frames) => ("freed", json!({"at": place(*at), "frames": frames})),
        What::Reachable { at, cpu, frame } => ("reachable", json!({"at": place(*at), "of_cpu": cpu, "frame": frame})),
        What::Denied(at) => ("denied", json!({"at": place(*at)})),
        What::Complaint(complaint, site) => ("complaint", json!({"complaint": snake(complaint), "site": site.text()})),
        What::Preemptible(op) => ("preemptible", json!({"insn": op.mnemonic()})),
        What::Left(held) => ("left", deferred(held)),
        What::Held(held) => ("held", deferred(held)),
    }
}

/// A name of the trace's types in snake_case, its operands left out.
pub(super) fn snake(value: &impl Debug) -> String {
    let name = format!("{value:?}");
    let mut text = String::new();
    for c in name.chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}

fn counters(c: &Counters) -> Value {
    json!({"enable": c.enable, "pause": c.pause, "active": c.active})
}

fn called(call: Call, current: u8, at: &Counters) -> Value {
    json!({"call": call.name(), "of": call.subject_of(current), "counters": counters(at)})
}

/// As in programs, without its brace.
fn block_name(block: Block) -> String {
    Op::Open(block).to_string().trim_end_matches([' ', '{']).to_owned()
}

fn place(at: PteRef) -> Value {
    let mm = ["K", "U", "V"][usize::from(at.mm.0 % 3)];
    json!({"mm": mm, "page": at.page, "size": snake(&at.size)})
}

fn translation(found: Option<Translation>) -> Value {
    found.map_or(Value::Null, |found| json!({"frame": found.frame, "write": found.write}))
}

/// What a PTE word says; null for none.
fn entry(word: u64, reader: &dyn Subject) -> Value {
    if word == 0 {
        return Value::Null;
    }
    let flags = reader.pte_flags(word);
    json!({"valid": flags.valid, "frame": reader.pte_frame(word), "write": flags.write, "exec": flags.exec})
}

fn deferred(held: &Deferred) -> Value {
    json!({"pending": held.pending, "entries": held.entries, "digest": hex(held.digest)})
}

fn noted(note: Note) -> Value {
    let (entries, bytes) = match note {
        Note::BatchAdd(n) | Note::FlushPending(n) => (Some(n), None),
        Note::McFlush(entries, bytes) => (Some(entries.into()), Some(bytes)),
        _ => (None, None),
    };
    json!({"note": snake(&note), "entries": entries, "bytes": bytes})
}

#[cfg(test)]
mod tests;
