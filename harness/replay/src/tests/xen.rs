//! A recording of Linux 7.2 as a Xen PV guest, made from what its switch hooks do: each new task is resumed before
//! anybody has paused it.
//!
//! No such recording is in the project. Two stand in for it: runs of the machine with forks, written down as a recorder
//! would ([`super::machine`]), and a boot of any length that is made here, task by task, from tables 10.6 and 10.8 of the
//! specification.

use std::fmt::Write as _;

use super::super::{Cause, Outcome, Summary};
use super::machine::recording;
use super::replay;
use lazy_mmu_contract::Invariant;

/// A guest with one CPU that boots: the idle task, then tasks that fork each other.
struct Boot {
    text: String,
    seq: u64,
    /// The counts of each task while it runs, by pid.
    running: Vec<u8>,
    /// The changes made, and those of them that waited.
    changes: u64,
    deferred: u64,
}

impl Boot {
    /// The idle task alone; it makes three changes in a section, which wait.
    fn new() -> Self {
        let text = "# lazy MMU mode trace: x86_64 (Xen PV)\n".to_owned();
        let mut boot = Boot { text, seq: 0, running: vec![0], changes: 0, deferred: 0 };
        boot.section(0, 3);
        boot
    }

    fn line(&mut self, pid: usize, event: &str, counts: (u8, u8), rest: &str) {
        let (seq, (enable, pause)) = (self.seq, counts);
        writeln!(self.text, "{seq} 0 {pid} 0 {event} {enable} {pause}{rest}").expect("a string takes everything");
        self.seq += 1;
    }

    /// A section of `pid` with so many changes.
    fn section(&mut self, pid: usize, changes: u64) {
        let pause = self.running[pid];
        self.changes += changes;
        if pause > 0 {
            self.line(pid, "enable", (0, pause), "");
            (0..changes).for_each(|_| self.line(pid, "mmu_immediate", (0, pause), ""));
            return self.line(pid, "disable", (0, pause), "");
        }
        self.deferred += changes;
        self.line(pid, "enable", (1, 0), "");
        self.line(pid, "arch_enter", (1, 0), "");
        (0..changes).for_each(|_| self.line(pid, "mmu_queued", (1, 0), ""));
        self.line(pid, "disable", (0, 0), "");
        self.line(pid, "arch_leave", (0, 0), "");
        self.line(pid, "mc_flush", (0, 0), &format!(" 1 {}", 16 * changes));
    }

    /// `from` is switched out, and a task that it copies runs for the first time: resumed, and never paused.
    fn fork(&mut self, from: usize) -> usize {
        let child = self.running.len();
        let copied = self.running[from];
        self.line(child, "new_task", (0, copied), &format!(" {from}"));
        self.out(from);
        self.running.push(copied.wrapping_sub(1));
        self.line(child, "task_resume", (0, copied.wrapping_sub(1)), "");
        child
    }

    fn out(&mut self, pid: usize) {
        let out = self.running[pid].wrapping_add(1);
        self.line(pid, "task_pause", (0, out), "");
        self.line(pid, "mc_flush", (0, out), " 0 0");
    }

    fn switch(&mut self, from: usize, to: usize) {
        self.out(from);
        self.line(to, "task_resume", (0, self.running[to]), "");
    }
}

/// A boot with so many changes, by 40 tasks.
fn boot(changes: u64) -> Boot {
    let mut boot = Boot::new();
    let mut current = boot.fork(0);
    while boot.changes < changes {
        boot.section(current, 7);
        if boot.running.len() <= 40 && boot.changes.is_multiple_of(5) {
            current = boot.fork(current);
        } else {
            let next = 1 + boot.seq as usize % (boot.running.len() - 1);
            if next != current {
                boot.switch(current, next);
                current = next;
            }
        }
    }
    boot
}

fn broken(summary: &Summary) -> Vec<(Invariant, Option<Cause>)> {
    let all = summary.verdicts.all();
    all.flat_map(|(id, verdict)| verdict.breaches.iter().map(move |breach| (id, breach.cause))).collect()
}

#[test]
fn a_large_recording_reads_as_tasks_that_are_paused_for_life() {
    let boot = boot(50_000);
    let summary = replay(boot.text.as_bytes()).unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!((summary.deferred, summary.deferred + summary.immediate), (3, boot.changes));
    assert_eq!((boot.deferred, summary.outcome()), (3, Outcome::Breaks));
    use Invariant::{I1, I5, I12, I15};
    assert_eq!(broken(&summary), [I1, I5, I12, I15].map(|id| (id, Some(Cause::NewTask))));
    assert_eq!(summary.paused_for_life.len(), boot.running.len() - 1, "every task but the idle task");
    let text = summary.to_string();
    let said = format!(
        "known/xen-new-task paused for life since its first switch-in, {} tasks (pid 1, 2, 3, 4, 5, 6, 7, 8 and {} more); 3 of {} changes deferred",
        boot.running.len() - 1,
        boot.running.len() - 9,
        boot.changes
    );
    assert!(text.contains(&said), "{said}\n{text}");
    assert!(summary.warnings.total > 0 && text.contains("known findings explain all of it"), "{text}");
}

/// What a kernel without DEBUG_VM would show, or one whose boot is not in the recording: no count wraps, nothing warns.
#[test]
fn without_a_single_warning_the_finding_is_seen_all_the_same() {
    let whole = boot(5_000);
    // The lines of the tasks of the third generation and below, whose counts never wrap.
    let quiet: Vec<usize> = (0..whole.running.len()).filter(|&pid| (1..255).contains(&whole.running[pid])).collect();
    let mut boot =
        Boot { text: "# lazy MMU mode trace: x86_64 (Xen PV)\n".into(), seq: 0, changes: 0, deferred: 0, ..whole };
    boot.out(quiet[0]);
    boot.line(quiet[1], "task_resume", (0, boot.running[quiet[1]]), "");
    boot.section(quiet[1], 20);
    boot.switch(quiet[1], quiet[2]);
    boot.section(quiet[2], 20);
    let summary = replay(boot.text.as_bytes()).unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!((summary.warnings.total, summary.deferred, summary.immediate), (0, 0, 40));
    assert_eq!(broken(&summary), [Invariant::I5, Invariant::I12].map(|id| (id, Some(Cause::NewTask))));
    assert_eq!(summary.paused_for_life.len(), 3);
}

/// The same finding in what the machine does on the backend of 7.2, and none where new tasks start paused once.
#[test]
fn the_machines_own_new_tasks_are_paused_for_life() {
    let program = "fork T4; switch T4; enable; set U 0; set U 1; disable; switch T0; enable; set U 2; disable";
    let text = recording("counted/x86_64-xen", "x86_64 xen", program);
    let summary = replay(text.as_bytes()).unwrap_or_else(|rejection| panic!("{rejection}\n{text}"));
    assert_eq!((summary.deferred, summary.immediate, summary.new_tasks), (1, 2, 1), "{text}");
    use Invariant::{I1, I5, I12, I15};
    assert_eq!(broken(&summary), [I1, I5, I12, I15].map(|id| (id, Some(Cause::NewTask))), "{text}");
    assert_eq!(summary.paused_for_life, [(14, 0)]);
}
