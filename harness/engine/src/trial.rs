//! A program on both sides of a specimen: what breaks on the defect and not on its fix.
//!
//! The defective side runs first, and the fix only if something broke that could count: most programs show nothing. A
//! violation counts if
//!
//! - it is the subject's own fault ([`Verdict::faults`]), or a death: a kernel that dies of a misuse it could have
//!   reported. Of a caller's defect every violation counts, since its misuse is the defect;
//! - the fix does not break the same invariant anywhere with the same input. So what an older generation is known to do
//!   besides, on both sides, is not taken for the defect;
//! - for a caller: the input misuses nothing by itself, where the caller is right.
//!
//! What a CPU's task cannot do on the fix's backend (a verdict that is cut) breaks nothing there: that it cannot happen is
//! then how the fix mends it. Not here: minimising, texts ([`crate::finding`]), the search. Called by `lazymmu zoo`, the
//! fuzzer and tests. Nothing is allocated for a program that breaks nothing, once buffers have grown.

use crate::contract::{Invariant, Judge, Rules, Verdict, Violation};
use crate::machine::Machine;
use crate::program::{Op, Program};
use crate::subject::{Port, Subject};
use crate::trace::{Event, What};
use crate::zoo::Specimen;

/// What counts as found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kill {
    /// What broke.
    pub invariant: Invariant,
    /// The event, as an index into the trace of the defective side; the trace's length for its end.
    pub event: usize,
    /// The operation during which it broke, of the program that ran ([`Specimen::program_of`]); none for its end.
    pub op: Option<u32>,
}

/// One side: a subject and how it is judged.
struct Side {
    subject: Box<dyn Subject>,
    rules: Rules,
}

impl Side {
    fn run(&self, machine: &mut Machine, judge: &mut Judge, program: &Program) -> Verdict {
        let events = machine.run(&*self.subject, program);
        judge.judge_briefly(events, self.rules)
    }
}

/// A specimen and its fix, ready to run many programs.
pub struct Trial {
    specimen: &'static Specimen,
    machine: Machine,
    /// The fix runs on a machine of its own: the trace of the defective side stays.
    other: Machine,
    judge: Judge,
    defect: Side,
    fix: Side,
}

impl Trial {
    /// Makes both sides, on the model port.
    #[must_use]
    pub fn new(specimen: &'static Specimen) -> Trial {
        Trial {
            specimen,
            machine: Machine::new(),
            other: Machine::new(),
            judge: Judge::default(),
            defect: Side { subject: specimen.make(Port::Model), rules: specimen.rules() },
            fix: Side { subject: specimen.make_fixed(Port::Model), rules: specimen.fixed().rules() },
        }
    }

    /// Sets how many operations and pages a run may take ([`Machine::set_limit`]).
    pub fn set_limit(&mut self, limit: usize) {
        self.machine.set_limit(limit);
        self.other.set_limit(limit);
    }

    /// Whose trial it is.
    #[must_use]
    pub fn specimen(&self) -> &'static Specimen {
        self.specimen
    }

    /// The trace of the defective side's last run.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.machine.events()
    }

    /// The first violation that counts: by its event, then in the order of the invariants.
    pub fn run(&mut self, input: &Program) -> Option<Kill> {
        self.first(input, |_| true, |_| false)
    }

    /// The violation of what the specimen breaks, if it counts; else the first that does. One defect may break an invariant on
    /// every way to the one that it is known by, so that a search that took the first alone would never be done.
    pub fn hunt(&mut self, input: &Program) -> Option<Kill> {
        let breaks = self.specimen.breaks;
        self.first(input, |_| true, |violation| violation.invariant == breaks)
    }

    /// The violation of this invariant, if it counts.
    pub fn of(&mut self, input: &Program, invariant: Invariant) -> Option<Kill> {
        self.first(input, |violation| violation.invariant == invariant, |_| false)
    }

    /// The operation at which it was found, of the program that ran.
    #[must_use]
    pub fn op(&self, input: &Program, found: Kill) -> Option<Op> {
        found.op.map(|at| self.specimen.program_of(input).ops()[at as usize])
    }

    /// The first that is wanted and counts: by what is preferred, by its event, in the order of the invariants.
    fn first(
        &mut self,
        input: &Program,
        wanted: impl Fn(&Violation) -> bool,
        preferred: impl Fn(&Violation) -> bool,
    ) -> Option<Kill> {
        let program = self.specimen.program_of(input);
        let verdict = self.defect.run(&mut self.machine, &mut self.judge, &program);
        if !verdict.violations.iter().any(|violation| wanted(violation) && self.may_count(&verdict, violation)) {
            return None;
        }
        let fixed_program = self.specimen.fixed_program_of(input);
        let fixed = self.fix.run(&mut self.other, &mut self.judge, &fixed_program);
        if self.specimen.is_caller() && fixed.misuse.is_some() {
            return None;
        }
        let counts = verdict.violations.iter().filter(|violation| {
            let on_both = fixed.violations.iter().any(|other| other.invariant == violation.invariant);
            !on_both && wanted(violation) && self.may_count(&verdict, violation)
        });
        let first = counts.min_by_key(|violation| (!preferred(violation), violation.event, violation.invariant))?;
        let op = self.machine.events().get(first.event).map(|event| event.op);
        Some(Kill { invariant: first.invariant, event: first.event, op })
    }

    /// Whether a violation could be the defect's, as far as the defective side alone can say.
    fn may_count(&self, verdict: &Verdict, violation: &Violation) -> bool {
        let dies = || {
            let event = self.machine.events().get(violation.event);
            event.is_some_and(|event| matches!(event.what, What::VmBug(_)))
        };
        self.specimen.is_caller() || verdict.faults().any(|fault| fault == violation) || dies()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::text::parse;
    use crate::zoo;

    fn found(specimen: &str, program: &str) -> Option<(Invariant, Option<u32>)> {
        let mut trial = Trial::new(zoo::find(specimen).expect("a specimen"));
        let program = parse(program).expect("a program");
        trial.run(&program).map(|found| (found.invariant, found.op))
    }

    #[test]
    fn what_counts_breaks_on_the_defect_alone_and_is_not_the_programs_own_fault() {
        for (specimen, program, expected) in [
            (
                "zoo/gen-pause-twice-mutant",
                "enable; pause; pause; resume; resume; disable",
                Some((Invariant::I2, Some(2))),
            ),
            ("zoo/gen-pause-twice-mutant", "enable; pause; resume; disable", None),
            // The program's own misuse, and what the fix breaks as well.
            ("zoo/gen-pause-twice-mutant", "disable", None),
            ("zoo/gen-pause-twice-mutant", "disable; enable; pause; pause; resume; resume; disable", None),
            ("zoo/gen-pause-twice-mutant", "enable; fork T4; pause; resume; disable", None),
            // The model says what happens then, too.
            ("zoo/gen-pause-twice-mutant", "enable; fork T4; pause; pause", Some((Invariant::Model, Some(3)))),
            // The end of the trace is no operation.
            ("zoo/call-vmalloc-error-return", "set K 0; set K 0", Some((Invariant::I1, None))),
            ("zoo/call-vmalloc-error-return", "set K 0; set K 1", None),
        ] {
            assert_eq!(found(specimen, program), expected, "{specimen}: {program}");
        }
    }

    /// What every program that shows the defect breaks before it is not taken for it.
    #[test]
    fn a_hunt_prefers_what_the_specimen_breaks() {
        let mut trial = Trial::new(zoo::find("zoo/arm64-paused-enable-activates").expect("a specimen"));
        let mut both = |program: &str| {
            let program = parse(program).expect("a program");
            [trial.run(&program), trial.hunt(&program)].map(|found| found.map(|found| (found.invariant, found.op)))
        };
        let (at_enable, at_set) = (Some((Invariant::Model, Some(1))), Some((Invariant::I4, Some(2))));
        assert_eq!(both("pause; enable; set K 0; disable; resume"), [at_enable, at_set]);
        assert_eq!(both("pause; enable; disable; resume")[1].map(|found| found.0 == Invariant::I4), Some(false));
        assert_eq!(both("enable; disable"), [None, None]);
    }

    /// A trial does not depend on the one before it.
    #[test]
    fn a_trial_is_repeatable() {
        let specimen = zoo::find("zoo/arm64-softirq-pte-mutant").expect("a specimen");
        let mut kept = Trial::new(specimen);
        for seed in 0..200 {
            let program = crate::program::generate::any(seed, 24);
            assert_eq!(kept.run(&program), Trial::new(specimen).run(&program), "seed {seed}:\n{program}");
        }
    }
}
