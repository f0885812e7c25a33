//! What a set of runs exercised, counted from their events: a check that never nested a pause must not pass as if it
//! had (rule 8).
//!
//! Not a judgement of any run. Called by `lazymmu check`, which fails if a kind stayed at zero.

use lazy_mmu_arches::context::Note;

use crate::program::{Block, CPUS, Op, TASKS};
use crate::trace::{Call, Event, Late, Point, What};
use lazy_mmu_arches::page::Mm;

/// Kinds of event that a check must have met.
pub const KINDS: [&str; 21] = [
    "nested sections",
    "nested pauses",
    "sections in a pause",
    "calls in interrupt context",
    "interrupts",
    "injections between halves",
    "switches between halves",
    "switches in a section",
    "batches at capacity",
    "hypercalls at capacity",
    "immediate updates",
    "warnings",
    "deferred changes",
    "old translations found",
    "pages freed",
    "runs judged in part",
    "address spaces taken up in mid-section",
    "address spaces left in mid-section",
    "threads of one address space on both CPUs",
    "moves to another CPU in mid-section",
    "allocations in a section",
];

/// Entries with which a kernel's batch is full (`PPC64_TLB_BATCH_NR`, `TLB_BATCH_NR`).
const BATCH: u16 = 192;

/// How often each of [`KINDS`] was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exercised {
    /// In the order of [`KINDS`].
    pub counts: [u64; KINDS.len()],
    /// Entries with which a batch is full.
    full: u16,
}

impl Default for Exercised {
    fn default() -> Exercised {
        Exercised::of_batches(BATCH)
    }
}

impl Exercised {
    /// Nothing yet, of a subject whose batches are full with so many entries.
    #[must_use]
    pub fn of_batches(full: u16) -> Exercised {
        Exercised { counts: [0; KINDS.len()], full }
    }

    /// Adds one run.
    pub fn add(&mut self, events: &[Event]) {
        self.add_since(events, 0);
    }

    /// Adds the events of a run from `since` on; those before say where the run stands there.
    pub fn add_since(&mut self, events: &[Event], since: usize) {
        let mut course = Course::default();
        let before = self.counts;
        for (at, event) in events.iter().enumerate() {
            if at == since {
                self.counts = before;
            }
            self.add_event(event, &mut course);
        }
        if since >= events.len() {
            self.counts = before;
        }
    }

    /// Adds one event of a run that stands at `course`.
    #[inline(always)]
    pub fn add_event(&mut self, event: &Event, course: &mut Course) {
        self.count(event, course);
        self.follow(event, course);
    }

    /// Adds what the event is by itself.
    #[inline(always)]
    pub(crate) fn count(&mut self, event: &Event, course: &mut Course) {
        if let Some(kind) = kind(event, course, self.full) {
            self.counts[kind] += 1;
        }
    }

    /// What goes on across events: who has changed what in a section, and which CPU uses which address space.
    #[inline(always)]
    pub(crate) fn follow(&mut self, event: &Event, course: &mut Course) {
        let task = usize::from(event.task % TASKS);
        match event.what {
            What::Asked(at, ..) if !event.interrupt => course.changed[task] |= course.active[task] << (at.mm.0 % 3),
            What::Return(call, after) if !event.interrupt => {
                let about = usize::from(call.subject_of(event.task) % TASKS);
                course.active[about] = u8::from(after.active);
                // What was changed before is in effect.
                if !after.active || call == Call::Disable {
                    course.changed[about] = 0;
                }
            }
            What::Walk(at, _) => self.counts[TAKEN_UP] += u64::from(course.uses(event.cpu, at.mm, event.task)),
            What::SwitchOut { counters, .. } => course.left[task] = counters.active.then_some(event.cpu),
            What::SwitchIn { prev, counters } => {
                course.active[task] = u8::from(counters.active);
                let (mine, old) = (course.space[task], course.space[usize::from(prev % TASKS)]);
                self.counts[TAKEN_UP] += u64::from(course.uses(event.cpu, mine, event.task));
                self.counts[LEFT] += u64::from(old != mine && course.is_changed(old, [event.task, prev]));
                course.running[usize::from(event.cpu % CPUS)] = event.task;
                let [here, there] = course.running.map(|task| course.space[usize::from(task % TASKS)]);
                self.counts[THREADS] += u64::from(here == there);
                let moved = counters.active && course.left[task].is_some_and(|cpu| cpu != event.cpu);
                self.counts[MOVED] += u64::from(moved);
            }
            What::Fork { child, .. } => course.space[usize::from(child % TASKS)] = course.space[task],
            What::Op(Op::Alloc(..) | Op::Free(..)) if !event.interrupt => {
                self.counts[ALLOCATED] += u64::from(course.active[task]);
            }
            _ => {}
        }
    }

    /// The kinds that were never met.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().zip(self.counts).filter(|(_, count)| *count == 0).map(|(kind, _)| kind)
    }
}

/// Places in [`KINDS`] of what only the course of a run tells: from here on.
pub const TAKEN_UP: usize = 16;
const LEFT: usize = 17;
const THREADS: usize = 18;
const MOVED: usize = 19;
const ALLOCATED: usize = 20;

/// Where a run stands, as far as kinds depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Calls that stand at their scheduling point.
    at_point: u32,
    /// Each task's address space.
    space: [Mm; TASKS as usize],
    /// Who runs on each CPU.
    running: [u8; CPUS as usize],
    /// Whether each task is in an active section: 0 or 1.
    active: [u8; TASKS as usize],
    /// Address spaces of which each task's open section has changed entries, bit by bit.
    changed: [u8; TASKS as usize],
    /// The CPUs that have used each address space, bit by bit.
    used: [u8; 3],
    /// The CPU on which each task was switched out in an active section.
    left: [Option<u8>; TASKS as usize],
}

impl Default for Course {
    /// A machine at boot: T0 and T2 work in U, T1 and T3 in V; T0 runs on CPU 0 and T3 on CPU 1.
    fn default() -> Course {
        let [k, u, v] = [Mm(0), Mm(1), Mm(2)];
        Course {
            at_point: 0,
            space: [u, v, u, v, k, k, k, k],
            running: [0, 3],
            active: [0; TASKS as usize],
            changed: [0; TASKS as usize],
            used: [3, 1, 3],
            left: [None; TASKS as usize],
        }
    }
}

impl Course {
    /// The CPU uses the address space; whether it does so for the first time and in the middle of another task's section that
    /// has changed entries of it.
    fn uses(&mut self, cpu: u8, mm: Mm, task: u8) -> bool {
        let used = &mut self.used[usize::from(mm.0 % 3)];
        let first = *used & 1 << cpu == 0;
        *used |= 1 << cpu;
        first && self.is_changed(mm, [task; 2])
    }

    /// Whether a section of another task than these has changed entries of the address space.
    fn is_changed(&self, mm: Mm, but: [u8; 2]) -> bool {
        let changed =
            (0..).zip(self.changed).any(|(task, spaces)| !but.contains(&task) && spaces >> (mm.0 % 3) & 1 == 1);
        changed && !mm.is_kernel()
    }
}

/// Which kind an event is, as a place in [`KINDS`].
#[inline(always)]
fn kind(event: &Event, course: &mut Course, full: u16) -> Option<usize> {
    let at_point = &mut course.at_point;
    match event.what {
        What::Return(call, after) => {
            *at_point = at_point.saturating_sub(1);
            match call {
                Call::Enable | Call::Disable if event.interrupt => Some(3),
                Call::Enable if after.pause > 0 => Some(2),
                Call::Enable if after.enable > 1 => Some(0),
                Call::Pause if after.pause > 1 => Some(1),
                _ => None,
            }
        }
        What::Open(Block::Irq | Block::Softirq | Block::Nmi, _) => Some(4),
        What::Point(_) => {
            *at_point += 1;
            Some(5)
        }
        What::SwitchOut { .. } if *at_point > 0 => Some(6),
        What::SwitchOut { counters, .. } if counters.active => Some(7),
        What::Note(Note::FlushPending(n)) if n == full => Some(8),
        What::Note(Note::McFlush(_, 496..)) => Some(9),
        What::Note(Note::QueueEmitted | Note::FlushImmediate | Note::MmuImmediate) => Some(10),
        What::Warn(_) => Some(11),
        What::Late(Late { point: Point::Write, .. }) => Some(12),
        What::Walk(_, walked) if walked.found.is_some() && walked.found != walked.asked => Some(13),
        What::Freed(..) => Some(14),
        What::Atomic { voluntary: false, .. } => Some(15),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::program::text::parse;
    use crate::registry;
    use crate::subject::Port;

    #[test]
    fn kinds_are_told_apart() {
        let subject = registry::find("sparc64").expect("a known subject").make(Port::Model);
        let mut machine = Machine::new();
        let mut exercised = Exercised::default();
        let program =
            parse("enable between { irq { enable } }; enable; pause; pause; enable; set U 1; access U 1; clear U 1");
        exercised.add(machine.run(&*subject, &program.expect("a program")));
        assert_eq!(exercised.counts[..16], [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        assert!(exercised.missing().any(|kind| kind == "warnings"));
        assert!(!exercised.missing().any(|kind| kind == "nested sections"));
    }

    /// Each kind by a program that just meets it, and by one that just does not.
    #[test]
    fn kinds_are_met_and_just_missed() {
        #[rustfmt::skip]
        let cases = [
            ("none", "enable; enable", 0, 1),
            ("none", "enable; disable; enable", 0, 0),
            ("none", "pause; pause", 1, 1),
            ("none", "pause; resume; pause", 1, 0),
            ("none", "pause; enable", 2, 1),
            ("none", "irq { enable }; bh_off; disable", 3, 2),
            ("none", "enable; disable", 3, 0),
            ("none", "irq { query }; softirq { query }; nmi { query }; repeat 2 { query }", 4, 3),
            ("none", "enable between { query }; disable between { query }; query", 5, 2),
            ("none", "enable between { switch T1; switch T0 }; disable", 6, 2),
            ("none", "enable between { query }; switch T1; switch T0; disable", 6, 0),
            ("none", "enable; switch T1; switch T0; disable", 7, 1),
            ("none", "enable; pause; switch T1; switch T0", 7, 0),
            ("sparc64", "set U 0 x192; access U 0 x192; enable; clear U 0 x192; disable", 8, 1),
            ("sparc64", "set U 0 x191; access U 0 x191; enable; clear U 0 x191; disable", 8, 0),
            ("xen", "enable; set K 0 x32; disable", 9, 1),
            ("xen", "enable; set K 0 x30; disable", 9, 0),
            ("aarch64", "set K 1; enable; set K 2; disable", 10, 1),
            ("xen", "set K 1; enable; set K 2; disable", 10, 1),
            ("powerpc64", "set U 1; access U 1; clear U 1; set U 1; access U 1; enable; clear U 1; disable", 10, 1),
            ("none", "disable", 11, 1),
            ("none", "enable; disable", 11, 0),
            ("sparc64", "set U 1; access U 1; enable; clear U 1; disable", 12, 1),
            ("sparc64", "set U 1; access U 1; clear U 1; enable; disable", 12, 0),
            ("x86_64-native", "set U 1; access U 1; clear U 1; access U 1; tlb_flush U 1; access U 1", 13, 1),
            ("x86_64-native", "set U 1; access U 1; wrprot U 1; tlb_flush U 1; access U 1; access U 2", 13, 0),
            ("none", "set U 1 x2; clear U 1; gather_flush U 0 x9", 14, 1),
            ("none", "set U 1 x2; clear U 1; tlb_flush U 0 x9; gather_flush U 2 x9", 14, 0),
            ("sparc64", "enable; preempt T1; switch T0; disable", 15, 1),
            ("sparc64", "enable; disable; preempt T1; switch T0", 15, 0),
            // CPU 1 has not used U before, and T0 is in the middle of a section that has changed entries of it.
            ("none", "enable; set U 0; cpu 1; access U 8; access U 9; cpu 0; disable", 16, 1),
            ("none", "enable; set U 0; cpu 1; migrate T2 1; switch T2; switch T3; cpu 0; disable", 16, 1),
            ("none", "enable; set V 0; cpu 1; access U 8; cpu 0; disable", 16, 0),
            ("none", "cpu 1; access U 8; cpu 0; enable; set U 0; cpu 1; access U 8; cpu 0; disable", 16, 0),
            ("none", "enable; set U 0; disable; cpu 1; access U 8", 16, 0),
            ("none", "enable; enable; set U 0; disable; cpu 1; access U 8", 16, 0),
            ("none", "pause; set U 0; cpu 1; access U 8", 16, 0),
            ("none", "enable; set V 0; cpu 1; migrate T2 1; switch T2; switch T3; cpu 0; disable", 17, 1),
            ("none", "enable; set K 0; cpu 1; migrate T2 1; switch T2; switch T3; cpu 0; disable", 17, 0),
            ("none", "enable; set V 0; disable; cpu 1; migrate T2 1; switch T2", 17, 0),
            ("none", "switch T1", 18, 1),
            ("none", "switch T2; cpu 1; migrate T0 1; switch T0", 18, 1),
            ("none", "switch T2; switch T0", 18, 0),
            ("none", "fork T4; cpu 1; migrate T4 1; switch T4", 18, 1),
            ("none", "enable; preempt T1; migrate T0 1; cpu 1; switch T0; disable", 19, 1),
            ("none", "enable; preempt T1; switch T0; disable", 19, 0),
            ("none", "preempt T1; migrate T0 1; cpu 1; switch T0; enable; disable", 19, 0),
            ("none", "enable; alloc 3; free 3; disable", 20, 2),
            ("none", "enable; pause; alloc 3; resume; irq { alloc 4 }; disable; alloc 5", 20, 0),
        ];
        let mut machine = Machine::new();
        for (subject, program, kind, count) in cases {
            let made = registry::find(subject).expect("a known subject").make(Port::Model);
            let mut exercised = Exercised::default();
            exercised.add(machine.run(&*made, &parse(program).expect("a program")));
            assert_eq!(exercised.counts[kind], count, "{}: {program}", KINDS[kind]);
        }
    }
}
