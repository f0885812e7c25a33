//! A judged tree as the stream of events that `check`'s JUnit and KTAP are made from: a group for each target and page size, in it one for
//! each subject, in it a case for each suite; all of them below a group for each patch where a series is judged.
//!
//! A case fails by what the command fails by: findings that the base does not have, and with `--strict` what is known and
//! unexplained differences. A tree that does not build or start is a failed case, a target that the machine lacks a skip.

use std::time::Duration;

use super::human::compared;
use super::{Begun, Judgement, Renderer};
use crate::check::cause::Cause;
use crate::check::event::{self, Event, Kind};
use crate::check::{Case, Failure};
use crate::error::{Error, Exit, Result};
use crate::judge::findings::{Finding, What};
use crate::judge::{Counts, Judged, Outcome, Row, Suite};
use crate::target::Target;

/// The report.
pub struct Cases {
    to: Box<dyn event::Renderer>,
    conclusion: String,
}

impl Cases {
    /// A report made by one of `check`'s.
    #[must_use]
    pub fn new(to: Box<dyn event::Renderer>) -> Cases {
        Cases { to, conclusion: String::new() }
    }

    fn rows(&mut self, judgement: &Judgement<'_>) -> Result<()> {
        judgement.report.rows.iter().try_for_each(|row| match &row.outcome {
            Outcome::Skipped(missing) => self.to.event(&Event::Skip { name: row.recipe.name, missing }),
            Outcome::Ran(judged, how) if !judged.is_empty() => self.target(judgement, row, judged, how),
            Outcome::Ran(..) => self.failed(row, "start", "the tree's code has no subject"),
            Outcome::Refused(error) => self.failed(row, "build", &said(&Error::from(error.clone()))),
            Outcome::Unknown(what) => self.failed(row, "start", what),
        })
    }

    fn target(&mut self, judgement: &Judgement<'_>, row: &Row, judged: &[Judged], how: &str) -> Result<()> {
        let name = row.recipe.name;
        self.to.event(&Event::Group { kind: Kind::Target, name, tests: judged.len() })?;
        for judged in judged {
            let group = Event::Group { kind: Kind::Subject, name: &judged.form.name, tests: Suite::ALL.len() };
            self.to.event(&group)?;
            let cases = of_subject(judgement, row.target, judged);
            cases.iter().try_for_each(|case| self.to.event(&Event::Case(case)))?;
            self.to.event(&Event::End { about: "", took: judged.took })?;
        }
        let took = judged.iter().map(|judged| judged.took).sum();
        self.to.event(&Event::End { about: &format!("{name}: {how}"), took })
    }

    /// A target whose subject there is not: one case of that name, which fails.
    fn failed(&mut self, row: &Row, name: &str, text: &str) -> Result<()> {
        self.to.event(&Event::Group { kind: Kind::Target, name: row.recipe.name, tests: 1 })?;
        self.to.event(&Event::Case(&failed(name, text)))?;
        self.to.event(&Event::End { about: "", took: Duration::ZERO })
    }
}

impl Renderer for Cases {
    fn begin(&mut self, begun: Begun) -> Result<()> {
        let Begun { profile, seed, targets, patches } = begun;
        self.to.event(&Event::Begin { command: "judge", profile, seed, tests: patches.unwrap_or(targets) })
    }

    fn tree(&mut self, judgement: &Judgement<'_>) -> Result<()> {
        let conclusion = judgement.conclusion();
        let Some(patch) = judgement.patch else {
            self.rows(judgement)?;
            let compared = judgement.base.map(|base| compared(judgement, base)).unwrap_or_default();
            self.conclusion = format!("{compared}{conclusion}");
            return Ok(());
        };
        let (name, tests) = (format!("patch {}", patch.number), judgement.report.rows.len());
        self.to.event(&Event::Group { kind: Kind::Patch, name: &name, tests })?;
        self.rows(judgement)?;
        let about = format!("{name}: {}\n{conclusion}", patch.subject);
        self.to.event(&Event::End { about: &about, took: Duration::ZERO })
    }

    fn lost(&mut self, number: usize, _of: usize, error: &Error) -> Result<()> {
        self.to.event(&Event::Group { kind: Kind::Patch, name: &format!("patch {number}"), tests: 1 })?;
        self.to.event(&Event::Case(&failed("apply", &said(error))))?;
        self.to.event(&Event::End { about: "the series ends here", took: Duration::ZERO })
    }

    fn finish(&mut self, exit: Exit) -> Result<()> {
        let conclusion = std::mem::take(&mut self.conclusion);
        self.to.event(&Event::Finish { exit, conclusion: &conclusion })
    }
}

/// A case that failed as a whole.
fn failed(name: &str, text: &str) -> Case {
    let (what, detail) = text.split_once('\n').unwrap_or((text, ""));
    let mut case = Case { count: 1, ..Case::new(name) };
    case.fail(Failure { detail: detail.to_owned(), ..Failure::plain(what.to_owned()) });
    case
}

/// An error with its place and remedy.
fn said(error: &Error) -> String {
    error.render().trim_start_matches("error: ").to_owned()
}

/// The suites of a subject. What breaks is told in the first that fails.
fn of_subject(judgement: &Judgement<'_>, target: Target, judged: &Judged) -> Vec<Case> {
    let on_it = |finding: &&Finding| finding.subjects.contains(&(target, judged.form.name.clone()));
    let findings: Vec<&Finding> = judgement.report.findings.iter().filter(on_it).collect();
    let is_new = |finding: &&&Finding| judgement.is_strict || !judgement.is_old(finding);
    let new: Vec<&Finding> = findings.iter().filter(is_new).copied().collect();
    let mut told: Option<Suite> = None;
    let case = |(suite, counts): (Suite, &Counts)| {
        let Counts { ran, failed, known, in_part, misused, .. } = *counts;
        let mut case = Case { count: ran, known, answers: [0, 0, misused, in_part], ..Case::new(suite.name()) };
        // A failure of which no finding came is no less one.
        if failed > 0 && (findings.is_empty() || !new.is_empty()) {
            case.failed = failed;
            match told {
                Some(first) => case.failures.extend(again(&new, first)),
                None => case.failures.extend(new.iter().map(|finding| failure(judgement, finding))),
            }
            told.get_or_insert(suite);
        }
        if judgement.is_strict && known > 0 {
            case.failed += known;
            case.failures.push(Failure::plain(format!("{known} runs break what is known (--strict)")));
        }
        case
    };
    let mut cases: Vec<Case> = Suite::ALL.into_iter().zip(&judged.counts).map(case).collect();
    if let (true, kinds @ 1.., Some(first)) = (judgement.is_strict, judged.unexplained, cases.first_mut()) {
        first.failed += 1;
        first
            .failures
            .push(Failure::plain(format!("{kinds} unexplained kinds of difference from our Rust (--strict)")));
    }
    // Nothing breaks, and that says nothing: the subject may be silent where no proof looks.
    if let (true, Some(first)) = (judged.is_unknown(), cases.first_mut()) {
        first.failed += 1;
        first.failures.extend(judged.form.unproven.iter().map(|message| Failure::plain(format!("unknown: {message}"))));
    }
    cases
}

/// A finding, whole.
fn failure(judgement: &Judgement<'_>, finding: &Finding) -> Failure {
    let cause = match finding.what.first() {
        Some(What::Breaks(cause)) => Cause::Breaks(cause.invariant, cause.op.clone()),
        _ => Cause::Other("crash".to_owned()),
    };
    Failure {
        detail: finding.detail(),
        replay: Some(judgement.report.replay(&finding.program, &finding.shown_on)),
        program: Some(finding.program.to_string()),
        cause,
        size: Some(finding.program.ops().len()),
        ..Failure::plain(finding.title())
    }
}

/// That a suite fails too, by causes that are told in another.
fn again(new: &[&Finding], told: Suite) -> Option<Failure> {
    let titles: Vec<String> = new.iter().map(|finding| finding.title()).collect();
    let what = format!("see {}: {}", told.name(), titles.join(", "));
    (!titles.is_empty()).then(|| Failure::plain(what))
}
