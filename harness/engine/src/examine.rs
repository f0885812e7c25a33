//! A subject under examination: what of a run nothing known explains, with the timeline, the smallest program and the costs.
//!
//! It is what a judge of a subject asks where the subject runs, so that traces need not cross a wire: in the agent with a
//! kernel tree's code. Not here: the known findings (handed in as [`Explain`]), processes, reports.

use std::collections::BTreeSet;

use crate::alike;
use crate::contract::{Invariant, Rules, Violation};
use crate::costs::Costs;
use crate::finding::signed;
use crate::fuzz::Explain;
use crate::program::Program;
use crate::program::minimise::within;
use crate::runner::{Runner, summed};
use crate::subject::Subject;
use crate::timeline;
use crate::trace::{Complaint, Event, What};
use crate::wire::Summary;

/// One violation of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which invariant.
    pub invariant: Invariant,
    /// The operation's name, as [`crate::finding::keyword`] says it.
    pub op: String,
    /// What was expected and what was found.
    pub text: String,
    /// Where a tree's code complains of it, as [`crate::trace::Site::text`] has it: of a WARN or a BUG.
    pub place: Option<String>,
    /// The known finding that explains it, if one does.
    pub known: Option<String>,
}

/// All that is said of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// The subject's own faults, in the order of their events; the program's misuse and what follows it are none.
    pub faults: Vec<Fault>,
    /// Whether the program misuses the API, by what it leaves open too.
    pub misuses: bool,
    /// The timeline.
    pub timeline: String,
    /// The verdict in words.
    pub conclusion: String,
}

/// A subject, how it is judged, and what is known of its kind.
#[derive(Clone, Copy)]
pub struct Examiner<'s> {
    /// The subject.
    pub subject: &'s dyn Subject,
    /// What its oracles may expect.
    pub rules: Rules,
    /// The faithful subject of the registry that it is one of; findings are known of that. Empty: nothing is known.
    pub kind: &'s str,
    /// What is known.
    pub explain: Explain,
}

/// What minimising one program may cost: a tree's code under an emulator runs some 2,000 programs a second.
const WORK: u64 = 400_000;

impl Examiner<'_> {
    /// Runs a program and sums the run up; `left` has the invariants whose violations nothing explains, and `all` is of
    /// the events as subjects' are compared ([`alike`]).
    pub fn summary(&self, runner: &mut Runner, program: &Program) -> Summary {
        let (events, verdict) = runner.run_on(self.subject, self.rules, program);
        let summary = summed(alike::digests(self.subject, events), events.len(), &verdict);
        if verdict.faults().next().is_none() {
            return Summary { left: 0, ..summary };
        }
        let (every, explained) = self.explained(runner);
        let unknown = every.iter().zip(explained).filter(|(_, known)| known.is_none());
        Summary { left: unknown.fold(0, |bits, (violation, _)| bits | 1 << violation.invariant as u32), ..summary }
    }

    /// Runs a program and says all of it.
    pub fn examine(&self, runner: &mut Runner, program: &Program) -> Examined {
        let verdict = runner.run_on(self.subject, self.rules, program).1;
        let (every, explained) = self.explained(runner);
        let events = runner.events();
        let faults = every.iter().zip(explained).map(|(violation, known)| Fault {
            invariant: violation.invariant,
            op: signed("", program, events, violation).op,
            text: violation.text.clone(),
            place: place(events, violation),
            known: known.map(str::to_owned),
        });
        let mut faults: Vec<Fault> = faults.collect();
        faults.dedup_by(|next, first| {
            (next.invariant, &next.op, &next.known) == (first.invariant, &first.op, &first.known)
        });
        Examined {
            faults,
            misuses: verdict.first_misuse().is_some(),
            timeline: timeline::render(program, self.subject, events, &verdict),
            conclusion: timeline::conclusion(&verdict, program),
        }
    }

    /// Runs a program and names the findings that explain what it breaks, each once.
    pub fn known(&self, runner: &mut Runner, program: &Program) -> BTreeSet<&'static str> {
        runner.run_on(self.subject, self.rules, program);
        self.explained(runner).1.into_iter().flatten().collect()
    }

    /// The smallest program with an unexplained violation of this invariant at this operation. A program that uses the API
    /// as it is meant stays so: a misuse that is smaller says less.
    pub fn reduce(&self, runner: &mut Runner, program: &Program, invariant: Invariant, op: &str) -> Program {
        let may_misuse = runner.run_on(self.subject, self.rules, program).1.first_misuse().is_some();
        within(program, WORK, |candidate| {
            let verdict = runner.run_on(self.subject, self.rules, candidate).1;
            let is_wanted = verdict.faults().next().is_some() && (may_misuse || verdict.first_misuse().is_none());
            is_wanted && self.unknown(runner, candidate, invariant, op)
        })
    }

    /// What a program costs.
    pub fn costs(&self, runner: &mut Runner, program: &Program) -> Costs {
        Costs::of(runner.run_on(self.subject, self.rules, program).0)
    }

    /// Whether the last run, of this program, has an unexplained violation of the invariant at the operation.
    fn unknown(&self, runner: &mut Runner, program: &Program, invariant: Invariant, op: &str) -> bool {
        let (every, explained) = self.explained(runner);
        let events: &[Event] = runner.events();
        let mut unknown = every.iter().zip(explained).filter(|(_, known)| known.is_none());
        unknown
            .any(|(violation, _)| violation.invariant == invariant && signed("", program, events, violation).op == op)
    }

    /// The subject's faults in the last run, in the order of their events, each with the finding that explains it.
    fn explained(&self, runner: &mut Runner) -> (Vec<Violation>, Vec<Option<&'static str>>) {
        let every: Vec<Violation> = runner.judge_every(self.rules, false).faults().cloned().collect();
        let explained = self.names(runner.events(), &every);
        (every, explained)
    }

    /// The finding that explains each of a run's violations, which are in the order of their events.
    pub fn names(&self, events: &[Event], violations: &[Violation]) -> Vec<Option<&'static str>> {
        if self.kind.is_empty() {
            return vec![None; violations.len()];
        }
        (self.explain)(self.kind, events, violations)
    }
}

/// Where the tree's code is that complained: at the violation's event, or told right after a warning that is ours.
fn place(events: &[Event], violation: &Violation) -> Option<String> {
    let complaint = |at: usize| match events.get(at)?.what {
        What::Complaint(complaint, site) => Some((complaint, site.text())),
        _ => None,
    };
    let told = || complaint(violation.event + 1).filter(|(complaint, _)| *complaint == Complaint::Place);
    complaint(violation.event).or_else(told).map(|(_, text)| text)
}

/// The earliest fault that nothing explains.
#[must_use]
pub fn first_unknown(examined: &Examined) -> Option<&Fault> {
    examined.faults.iter().find(|fault| fault.known.is_none())
}

#[cfg(test)]
mod tests {
    use lazy_mmu_core::kernel::WarnSite;

    use super::*;
    use crate::trace::Site;

    #[test]
    fn a_fault_has_the_place_that_complains() {
        let site = Site::of("mm/lazy.c", 7, "f", "x");
        let event = |what| Event { op: 0, cpu: 0, task: 0, interrupt: false, below: false, what };
        let warned = event(What::Complaint(Complaint::Warn, site));
        let told = event(What::Complaint(Complaint::Place, site));
        let ours = event(What::Warn(WarnSite::Disable));
        let of = |events: &[Event], event| {
            place(events, &Violation { invariant: Invariant::I15, event, text: String::new() })
        };
        let there = Some("mm/lazy.c:7, f(): x".to_owned());
        assert_eq!(of(&[warned], 0), there);
        assert_eq!(of(&[ours, told], 0), there);
        // A complaint of another event does not belong to this event.
        assert_eq!(of(&[ours, warned], 0), None);
        assert_eq!(of(&[ours], 1), None);
    }
}
