//! Many legal programs on every backend of Linux 7.2, natively: nothing may break there that no known finding explains.
//!
//! No target runs them: a target comes to the same as the host on fewer programs ([`super::suites`]). The programs are the
//! same in every check. Called by `lazymmu check`, on a thread of its own beside the targets.

use std::time::{Duration, Instant};

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::minimise::minimise;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{Generated, MISUSED, Runner, broken_text};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_snapshots::known;

use super::cause::Cause;
use super::{Case, Failure, Suite, blame};

/// The programs: enough that a rare break is met, few enough for seconds.
const BATCH: Generated = Generated { seed: 0, count: 100_000, length: 24, legal: true };

/// What came of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silent {
    /// Programs.
    pub programs: u32,
    /// A case for each backend, with the first program that breaks something there.
    pub cases: Vec<Case>,
    /// Runs that were judged to their end: on some backends a task is not preempted in a section.
    pub to_the_end: u64,
    /// Runs that broke what is known and nothing else.
    pub known: u64,
    /// How long.
    pub took: Duration,
}

impl Silent {
    /// What came of it in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Silent { programs, cases, to_the_end, known, .. } = self;
        let loud = if cases.iter().all(Case::holds) { "silent" } else { "NOT silent" };
        format!(
            "{loud}: {programs} legal programs on each of {} current backends ({to_the_end} judged to their end; {known} of a known finding)",
            cases.len()
        )
    }
}

/// Runs them all.
#[must_use]
pub fn run() -> Silent {
    let begin = Instant::now();
    let silent = silence(BATCH);
    Silent { took: begin.elapsed(), ..silent }
}

fn silence(batch: Generated) -> Silent {
    let mut runner = Runner::new();
    let current: Vec<usize> = (0..SUBJECTS.len()).filter(|&at| SUBJECTS[at].is_current()).collect();
    let cases =
        current.iter().map(|&at| Case { column: Some(Suite::Generated), ..Case::new(SUBJECTS[at].name) }).collect();
    let mut silent = Silent { programs: batch.count, cases, ..Silent::default() };
    // Each with its place in the cases. One that broke something has shown what it has to.
    let mut quiet: Vec<(usize, usize)> = current.into_iter().enumerate().collect();
    for seed in batch.seeds() {
        let program = batch.program(seed);
        quiet.retain(|&(case, subject)| {
            silent.cases[case].count += 1;
            let (_, verdict) = runner.run(subject, Port::Model, &program);
            silent.to_the_end += u64::from(verdict.cut.is_none());
            if verdict.holds() {
                return true;
            }
            let known = known::left(&mut runner, subject, &program) == 0;
            silent.known += u64::from(known);
            if !known {
                let left = |runner: &mut Runner, program: &Program| known::left(runner, subject, program);
                silent.cases[case].fail(failure(&mut runner, subject, (seed, &program), left));
            }
            known
        });
    }
    silent
}

/// A program that breaks what it must not: minimised, with its timeline. `bad` runs a program and says what that is, as bits.
pub fn failure(
    runner: &mut Runner,
    subject: usize,
    (seed, first): (u64, &Program),
    bad: impl Fn(&mut Runner, &Program) -> u32,
) -> Failure {
    let broken = |runner: &mut Runner, program: &Program| runner.summary(subject, Port::Model, program).broken;
    let whole = broken(runner, first);
    let signature = bad(runner, first);
    let small = minimise(first, |program| {
        let now = broken(runner, program);
        now & MISUSED & !whole == 0 && bad(runner, program) == signature
    });
    let (events, verdict) = runner.run(subject, Port::Model, &small);
    let wrong: Vec<_> =
        verdict.violations.iter().filter(|violation| signature >> violation.invariant as u32 & 1 == 1).collect();
    let cause = blame::cause(&small, events, &wrong).unwrap_or_else(|| Cause::Other(broken_text(signature)));
    blame::shown(runner, subject, &cause, &small, &format!("a generated program, seed {seed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_programs_are_silent_and_most_are_judged_to_their_end() {
        let silent = silence(Generated { count: 200, ..BATCH });
        assert!(silent.cases.iter().all(|case| case.count == 200 && case.holds()), "{:?}", silent.cases);
        assert!((1..20).contains(&silent.known), "{} runs of Xen's with new tasks", silent.known);
        let runs = u64::from(silent.programs) * silent.cases.len() as u64;
        assert!(silent.to_the_end > runs / 2 && silent.to_the_end < runs, "{} of {runs}", silent.to_the_end);
    }

    /// Programs that keep to no rules are not silent: each backend gives its first, and only that.
    #[test]
    fn what_breaks_is_found_minimised_and_can_be_replayed() {
        let silent = silence(Generated { legal: false, count: 50, ..BATCH });
        assert!(silent.cases.iter().all(|case| case.failed == 1 && case.failures.len() == 1), "{:?}", silent.cases);
        assert!(silent.summary().starts_with("NOT silent: 50 legal programs on each of 8 "), "{}", silent.summary());
        for failure in silent.cases.into_iter().flat_map(|case| case.failures) {
            let program = failure.program.expect("the program");
            assert!(program.lines().count() <= 6, "{program}");
            assert!(failure.what.contains(" breaks I") && failure.replay.is_some(), "{}", failure.what);
        }
    }
}
