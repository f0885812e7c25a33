//! What failed, for people: the smallest program with its timeline, the next causes by size, and how much is folded.
//!
//! What it is not: causes are found and ranked elsewhere ([`crate::check::cause`]). Called by the report for people.

use std::fmt::Write as _;

use crate::check::Failure;
use crate::check::cause::{Cause, Causes, Failed};

/// Causes that are shown, the first with its timeline.
const MOST: usize = 10;

/// Snapshots that are named.
const NAMED: usize = 5;

/// Operations of a program that is shown in a line.
const SHORT: usize = 8;

/// Names of subjects that are listed.
const LISTED: usize = 4;

/// The text; empty where nothing failed.
pub(super) fn text(causes: &Causes) -> String {
    let ranked: Vec<_> = causes.ranked().into_iter().filter(|(cause, _)| **cause != Cause::Review).collect();
    let mut text = String::new();
    for (n, (cause, failed)) in ranked.iter().take(MOST).enumerate() {
        if n == 0 { first(&mut text, cause, failed) } else { next(&mut text, n + 1, cause, failed) }
    }
    let folded: u64 = ranked.iter().skip(MOST).map(|(_, failed)| failed.runs).sum();
    if let Some(more) = ranked.len().checked_sub(MOST).filter(|more| *more > 0) {
        let _ = writeln!(text, "\nand {more} more causes in {folded} runs: --verbose shows all that was looked into");
    }
    if let Some(review) = causes.not_as_reviewed() {
        reviewed(&mut text, review, !ranked.is_empty());
    }
    text
}

/// The smallest program of the first cause, whole.
fn first(text: &mut String, cause: &Cause, failed: &Failed) {
    match failed.failures.first() {
        Some(failure) => {
            let _ = writeln!(text, "FAILED: {}\n", failure.what);
            if !failure.detail.is_empty() {
                let _ = writeln!(text, "{}\n", failure.detail.trim_end());
            }
            again(text, failure, "");
            also(text, cause, failed, "");
        }
        None => {
            let _ = writeln!(text, "FAILED: {cause}");
        }
    }
    let _ = writeln!(text, "{}", more(failed));
}

/// A further cause, in a few lines.
fn next(text: &mut String, number: usize, cause: &Cause, failed: &Failed) {
    let Some(failure) = failed.failures.first() else {
        let _ = writeln!(text, "\n{number}. {cause}: {}", more(failed));
        return;
    };
    let _ = writeln!(text, "\n{number}. {}", failure.what);
    match (&failure.program, failure.size) {
        (Some(program), Some(size)) if size <= SHORT => {
            let _ = writeln!(text, "   {}", in_a_line(program));
        }
        (Some(_), Some(size)) => {
            let _ = writeln!(text, "   {size} operations");
        }
        // A difference has lines to show.
        _ => failure.detail.lines().for_each(|line| {
            let _ = writeln!(text, "   {line}");
        }),
    }
    again(text, failure, "   ");
    also(text, cause, failed, "   ");
    let _ = writeln!(text, "   {}", more(failed));
}

fn again(text: &mut String, failure: &Failure, before: &str) {
    if let Some(replay) = &failure.replay {
        let _ = writeln!(text, "{before}again: {replay}");
    }
}

/// Other failures that are one only in kind: without a program in common they say something each.
fn also(text: &mut String, cause: &Cause, failed: &Failed, before: &str) {
    if !matches!(cause, Cause::Other(_)) {
        return;
    }
    for failure in failed.failures.iter().skip(1).take(LISTED) {
        let _ = writeln!(text, "{before}also: {}", failure.what);
    }
}

/// How many runs are like it, and where.
fn more(failed: &Failed) -> String {
    let Failed { runs, subjects, places, .. } = failed;
    let names = |names: Vec<&str>| {
        let listed = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(LISTED);
        if more > 0 { format!("{listed} and {more} more") } else { listed }
    };
    let on =
        if subjects.is_empty() { String::new() } else { format!(" on {}", names(subjects.iter().copied().collect())) };
    let others = match runs.saturating_sub(1) {
        0 => "this run alone".to_owned(),
        1 => "and 1 more run like this".to_owned(),
        others => format!("and {others} more runs like this"),
    };
    format!("{others}{on} (by {})", names(places.iter().map(String::as_str).collect()))
}

/// A program's text in a line.
fn in_a_line(program: &str) -> String {
    let lines: Vec<&str> = program.lines().map(str::trim).collect();
    let joined = lines.join("; ");
    joined.replace("{; ", "{ ").replace("; }", " }")
}

/// Snapshots that differ. Nobody is told to accept one while something is broken.
fn reviewed(text: &mut String, review: &Failed, has_faults: bool) {
    let number = review.failures.len();
    if has_faults {
        let _ = writeln!(
            text,
            "\n{number} reviewed snapshots differ besides. Look at the faults above first: a snapshot that is accepted now hides them."
        );
        return;
    }
    let _ = writeln!(text, "NOT AS REVIEWED, though nothing that was judged broke:");
    for failure in review.failures.iter().take(NAMED) {
        let _ = write!(text, "\n{failure}");
    }
    if number > NAMED {
        let _ = writeln!(text, "\nand {} more: --verbose shows them", number - NAMED);
    }
}
