//! A program's runs against its reviewed snapshot: verdicts subject by subject, and the generic events.
//!
//! What breaks and was not reviewed as broken is a fault, and is shown as one; any other difference is one to review.
//! Called by [`super::expected`].

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lazy_mmu_engine::contract::Violation;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_snapshots::{Entry, render};

use super::cause::Cause;
use super::difference::difference;
use super::{Case, Failure, blame};

/// The causes that a program was shown for, and whether it was on a subject of 7.2: more of them say nothing new.
pub type Shown = BTreeSet<(Cause, bool)>;

/// Compares, and puts what differs into the case.
pub fn compare(runner: &mut Runner, entry: &Entry, program: &Program, shown: &mut Shown, case: &mut Case) {
    let now = render::program(runner, program);
    let reviewed = entry.reviewed_body().unwrap_or_default();
    if reviewed.trim_end() == now.trim_end() {
        return;
    }
    let Some(body) = entry.reviewed_body() else {
        let what = format!("{} has no reviewed snapshot", entry.name);
        case.fail(Failure { cause: Cause::Review, ..Failure::plain(what) });
        return;
    };
    let verdicts = render::reviewed_verdicts(body);
    let (mut differ, mut subjects, mut faults) = (String::new(), Vec::new(), 0);
    for (at, subject) in SUBJECTS.iter().enumerate() {
        let reviewed = verdicts.get(subject.name).copied().unwrap_or("nothing");
        let (events, verdict) = runner.run(at, Port::Model, program);
        if verdict.to_string() == reviewed {
            continue;
        }
        let is_new = |fault: &&Violation| !reviewed.split([' ', ')']).any(|word| word == fault.invariant.id());
        let wrong: Vec<&Violation> = verdict.faults().filter(is_new).collect();
        if let Some(cause) = blame::cause(program, events, &wrong) {
            faults += 1;
            if shown.insert((cause.clone(), subject.is_current())) {
                case.fail(blame::failure(runner, at, &cause, program, &format!("run {}", entry.name)));
            } else {
                case.also(cause, Some(subject.name), 1);
            }
        } else {
            let _ = writeln!(differ, "{}: reviewed `{reviewed}`, now `{verdict}`", subject.name);
            subjects.push(subject.name);
        }
    }
    let events = |body: &str| body.split("\nverdicts\n").next().unwrap_or_default().trim_end().to_owned();
    let (before, after) = (events(body), events(&now));
    if faults > 0 {
        // Its events differ by the fault; only subjects whose verdicts differ in another way are left to be said.
        if subjects.is_empty() {
            return;
        }
    } else if before != after {
        let _ = writeln!(differ, "events: {}", difference(&before, &after));
        subjects.clear();
    } else if differ.is_empty() {
        differ = difference(body, &now);
    }
    let what = format!("{} is not as reviewed", entry.name);
    let failure = Failure { detail: differ, cause: Cause::Review, ..Failure::plain(what) };
    case.fail_on(failure, &subjects);
}
