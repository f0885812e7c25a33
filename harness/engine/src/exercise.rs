//! What a set of runs exercised, counted from their events: a check that never nested a pause must not pass as if it
//! had (rule 8).
//!
//! Not a judgement of any run. Called by `lazymmu check`, which fails if a kind stayed at zero.

use lazy_mmu_arches::context::Note;

use crate::program::Block;
use crate::trace::{Call, Event, Late, Point, What};

/// Kinds of event that a check must have met.
pub const KINDS: [&str; 16] = [
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
];

/// How often each of [`KINDS`] was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exercised {
    /// In the order of [`KINDS`].
    pub counts: [u64; KINDS.len()],
}

impl Exercised {
    /// Adds one run.
    pub fn add(&mut self, events: &[Event]) {
        let mut at_point = 0;
        for event in events {
            self.add_event(event, &mut at_point);
        }
    }

    /// Adds one event of a run; `at_point` is 0 before its first.
    #[inline(always)]
    pub fn add_event(&mut self, event: &Event, at_point: &mut u32) {
        if let Some(kind) = kind(event, at_point) {
            self.counts[kind] += 1;
        }
    }

    /// The kinds that were never met.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().zip(self.counts).filter(|(_, count)| *count == 0).map(|(kind, _)| kind)
    }
}

/// Which kind an event is, as a place in [`KINDS`]. `at_point` counts the calls that stand at their scheduling point.
#[inline(always)]
fn kind(event: &Event, at_point: &mut u32) -> Option<usize> {
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
        What::Note(Note::FlushPending(192)) => Some(8),
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
    use crate::subject::{Port, registry};

    #[test]
    fn kinds_are_told_apart() {
        let subject = registry::find("sparc64").expect("a known subject").make(Port::Model);
        let mut machine = Machine::new();
        let mut exercised = Exercised::default();
        let program =
            parse("enable between { irq { enable } }; enable; pause; pause; enable; set U 1; access U 1; clear U 1");
        exercised.add(machine.run(&*subject, &program.expect("a program")));
        assert_eq!(exercised.counts, [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
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
