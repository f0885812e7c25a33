//! What the machine does, written down as a recorder would: the replay must accept it.
//!
//! Two independent readings of the specification meet here: backends and machine on one side, the replay's automata on
//! the other. Programs are legal ones at fixed seeds, those left out in which preemption was off at a switch (no
//! kernel comes there).

use std::fmt::Write as _;

use lazy_mmu_arches::context::Note;

use crate::{Replay, Summary};
use lazy_mmu_abi::subject::Port;
use lazy_mmu_abi::trace::{Call, Counters, Event, Hook, What};
use lazy_mmu_machine::Machine;
use lazy_mmu_program::text::parse;
use lazy_mmu_program::{Op, Program, generate};
use lazy_mmu_subjects::registry;

/// A recording of a run: pids are task numbers plus 10, so that none is an idle task.
fn recorded(arch: &str, events: &[Event], tells_of_tasks: bool) -> String {
    let mut text = format!("# lazy MMU mode trace: {arch}\n");
    let counts = [Counters::default(); 8];
    let mut recorder = Recorder { counts, calls: Vec::new(), text: String::new(), seq: 0, tells_of_tasks };
    for (at, event) in events.iter().enumerate() {
        recorder.event(event, &events[at + 1..]);
    }
    text.push_str(&recorder.text);
    text
}

struct Recorder {
    counts: [Counters; 8],
    calls: Vec<Call>,
    text: String,
    seq: u32,
    /// It writes `new_task` at a fork, as Xen's recorder does where each pid is used once.
    tells_of_tasks: bool,
}

impl Recorder {
    fn event(&mut self, event: &Event, rest: &[Event]) {
        match event.what {
            What::Fork { child, counters } if self.tells_of_tasks => {
                self.counts[usize::from(child)] = counters;
                self.line(event, child, "new_task", Some((event.task + 10).to_string()));
            }
            What::Away { task, counters } => self.counts[usize::from(task)] = counters,
            What::Call(call, _) => {
                // Nothing but the call itself moves these counters before it returns: its update comes first.
                let about = call.subject_of(event.task);
                self.counts[usize::from(about)] = after(call, event.task, rest);
                self.calls.push(call);
                self.line(event, about, call.name(), None);
            }
            What::Return(..) => {
                self.calls.pop();
            }
            What::Hook(hook, _) => {
                let about = self.calls.last().map_or(event.task, |call| call.subject_of(event.task));
                let name = match hook {
                    Hook::Enter => "arch_enter",
                    Hook::Flush => "arch_flush",
                    Hook::Leave => "arch_leave",
                };
                self.line(event, about, name, None);
            }
            What::Note(note) => {
                let (name, numbers) = note_line(note);
                self.line(event, event.task, name, numbers);
            }
            _ => {}
        }
    }

    fn line(&mut self, event: &Event, about: u8, name: &str, numbers: Option<String>) {
        let Counters { enable, pause, .. } = self.counts[usize::from(about)];
        let irq = u8::from(event.interrupt);
        let numbers = numbers.map(|numbers| format!(" {numbers}")).unwrap_or_default();
        let (seq, cpu, pid) = (self.seq, event.cpu, about + 10);
        let _ = writeln!(self.text, "{seq} {cpu} {pid} {irq} {name} {enable} {pause}{numbers}");
        self.seq += 1;
    }
}

/// The counts after a call: those at its scheduling point, or at its end.
fn after(call: Call, task: u8, rest: &[Event]) -> Counters {
    let mut depth = 0;
    for event in rest {
        match event.what {
            What::Point(counters) if depth == 0 && event.task == task => return counters,
            What::Call(..) => depth += 1,
            What::Return(own, counters) if depth == 0 && own == call => return counters,
            What::Return(..) => depth -= 1,
            _ => {}
        }
    }
    Counters::default()
}

fn note_line(note: Note) -> (&'static str, Option<String>) {
    match note {
        Note::QueueDeferred => ("queue_deferred", None),
        Note::QueueEmitted => ("queue_emitted", None),
        Note::Barriers => ("barriers", None),
        Note::BatchAdd(level) => ("batch_add", Some(level.to_string())),
        Note::FlushPending(n) => ("flush_pending", Some(n.to_string())),
        Note::FlushImmediate => ("flush_immediate", Some("1".to_owned())),
        Note::MmuQueued => ("mmu_queued", None),
        Note::MmuIssued => ("mmu_issued", None),
        Note::MmuImmediate => ("mmu_immediate", None),
        Note::McFlush(entries, bytes) => ("mc_flush", Some(format!("{entries} {bytes}"))),
    }
}

/// What a recorder would write down of a program on a subject.
pub fn recording(subject: &str, arch: &str, program: &str) -> String {
    let subject = registry::find(subject).expect("a known subject").make(Port::Model);
    let program = parse(program).expect("a program");
    recorded(arch, Machine::new().run(&*subject, &program), true)
}

fn replayed(name: &str, text: &str) -> Summary {
    let mut replay = Replay::new(name);
    let fed = replay.feed(text.as_bytes()).and_then(|()| replay.finish());
    fed.unwrap_or_else(|rejection| {
        let line = rejection.line as usize;
        let around: Vec<_> = text.lines().skip(line.saturating_sub(25)).take(27).collect();
        panic!("{name}: {rejection}\n{}", around.join("\n"))
    })
}

#[test]
fn the_replay_accepts_what_the_machine_does() {
    for (name, arch) in [
        ("counted/aarch64", "arm64"),
        ("counted/powerpc64-hash", "powerpc64 (hash)"),
        ("counted/sparc64", "sparc64"),
        ("counted/x86_64-xen", "x86_64 xen"),
    ] {
        let subject = registry::find(name).expect("a known subject").make(Port::Model);
        let mut machine = Machine::new();
        let (mut runs, mut deferred, mut immediate) = (0, 0, 0);
        for seed in 0..1500 {
            // An arch_flush of a recorded trace is a nested disable's: what flushes from outside is left out.
            let recordable = |op: &Op| !matches!(op, Op::Flush | Op::Fault(_) | Op::Kmap(_) | Op::Kunmap(_));
            let ops = generate::legal(seed, 40).ops().iter().copied().filter(recordable).collect();
            let program = Program::new(ops).expect("no block was touched");
            let events = machine.run(&*subject, &program);
            let atomic = events.iter().any(|event| matches!(event.what, What::Atomic { .. }));
            let text = recorded(arch, events, false);
            if atomic || text.lines().count() < 2 {
                continue;
            }
            let summary = replayed(&format!("{name}, seed {seed}\n{program}"), &text);
            runs += 1;
            deferred += summary.deferred;
            immediate += summary.immediate;
        }
        assert!(runs > 300 && deferred > 20 && immediate > 20, "{name}: {runs} {deferred} {immediate}");
    }
}
