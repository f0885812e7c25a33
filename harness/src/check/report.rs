//! The matrix, what failed, and what was exercised: what `check` prints.
//!
//! Called by `lazymmu check` when everything has run. Nothing is decided here but wording.

use std::fmt::Write as _;

use lazy_mmu_engine::exercise::KINDS;

use super::expected::Expected;
use super::silent::Silent;
use super::{Cell, Failure, Row, RowState, Suite};
use crate::error::Exit;
use crate::table;

/// Everything `check` found, as text.
#[must_use]
pub fn render(rows: &[Row], expected: &Expected, silent: &Silent) -> String {
    let mut text = table::render(&matrix(rows));
    text.push('\n');
    let reviewed = expected.failures.len();
    let as_reviewed = if reviewed == 0 { "as reviewed" } else { "NOT all as reviewed" };
    let _ = writeln!(
        text,
        "host: {} programs, {} workloads, 5 transition tables and {} traces, {as_reviewed}",
        expected.programs.len(),
        expected.workloads.len(),
        expected.traces.len()
    );
    let _ = writeln!(text, "{}", silence(silent));
    let _ = writeln!(text, "exercised: {}", exercised(expected));
    for row in rows {
        match &row.state {
            RowState::Ran(cells, how) => {
                let executed: u64 = cells.iter().map(|cell| cell.executed).sum();
                let _ = writeln!(text, "{}: {how}; asm port: {executed} instructions executed for real", row.target);
            }
            RowState::Skipped(missing) => {
                let (why, remedy) = (&missing.why, &missing.remedy);
                let _ = writeln!(text, "{}: SKIPPED: {missing}\n  why: {why}\n  to do: {remedy}", row.target);
            }
        }
    }
    let _ = write!(text, "{}", expected.known.render());
    for failure in failures(rows, expected, silent) {
        let _ = write!(text, "\nFAILED: {}\n{}", failure.what, indented(&failure.detail));
        if let Some(replay) = &failure.replay {
            let _ = writeln!(text, "  again: {replay}");
        }
    }
    for kind in expected.exercised.missing() {
        let _ = writeln!(text, "\nFAILED: the check met no {kind}: it proves nothing about them");
    }
    let _ = writeln!(text, "\n{}", conclusion(rows, expected, silent));
    text
}

/// What the command ends with: a failure outweighs a skipped target, and that is no success.
#[must_use]
pub fn exit(rows: &[Row], expected: &Expected, silent: &Silent) -> Exit {
    if failures(rows, expected, silent).next().is_some() || expected.exercised.missing().next().is_some() {
        Exit::Broke
    } else if rows.iter().any(|row| matches!(row.state, RowState::Skipped(_))) {
        Exit::Environment
    } else {
        Exit::Holds
    }
}

fn conclusion(rows: &[Row], expected: &Expected, silent: &Silent) -> String {
    let failed = failures(rows, expected, silent).count() + expected.exercised.missing().count();
    let skipped = rows.iter().filter(|row| matches!(row.state, RowState::Skipped(_))).count();
    let ran = rows.len() - skipped;
    match (failed, skipped) {
        (0, 0) => format!("holds on {ran} of {ran} targets, nothing skipped"),
        (0, skipped) => format!("holds on {ran} targets; {skipped} skipped"),
        (failed, skipped) => format!("{failed} failures on {ran} targets; {skipped} skipped"),
    }
}

fn matrix(rows: &[Row]) -> Vec<Vec<String>> {
    let heading = std::iter::once("target").chain(Suite::ALL.map(Suite::name)).chain(["state"]).map(str::to_owned);
    let mut matrix = vec![heading.collect::<Vec<_>>()];
    for row in rows {
        let mut cells = vec![row.target.to_string()];
        match &row.state {
            RowState::Ran(suites, _) => {
                cells.extend(suites.iter().map(cell));
                let failed = suites.iter().any(|cell| !cell.failures.is_empty());
                cells.push(if failed { "FAILED" } else { "ok" }.to_owned());
            }
            RowState::Skipped(_) => {
                cells.extend(Suite::ALL.map(|_| "-".to_owned()));
                cells.push("SKIPPED".to_owned());
            }
        }
        matrix.push(cells);
    }
    matrix
}

fn cell(cell: &Cell) -> String {
    let seconds = cell.took.as_secs_f64();
    let failed = cell.failures.len();
    if failed == 0 { format!("{} {seconds:.2}s", cell.count) } else { format!("{failed} of {} FAILED", cell.count) }
}

fn exercised(expected: &Expected) -> String {
    let counts = KINDS.iter().zip(expected.exercised.counts);
    counts.map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}

/// What the programs came to that nothing may break.
fn silence(silent: &Silent) -> String {
    let Silent { programs, backends, to_the_end, known, failures } = silent;
    let loud = if failures.is_empty() { "silent" } else { "NOT silent" };
    format!(
        "{loud}: {programs} legal programs on each of {backends} current backends ({to_the_end} judged to their end; {known} known/xen-new-task)"
    )
}

fn failures<'r>(rows: &'r [Row], expected: &'r Expected, silent: &'r Silent) -> impl Iterator<Item = &'r Failure> {
    let cells = rows.iter().flat_map(|row| match &row.state {
        RowState::Ran(cells, _) => cells.as_slice(),
        RowState::Skipped(_) => &[],
    });
    expected.failures.iter().chain(&silent.failures).chain(cells.flat_map(|cell| &cell.failures))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::known::Shown;
    use crate::setup::Missing;
    use crate::target::Target;
    use lazy_mmu_engine::exercise::Exercised;

    fn expected() -> Expected {
        Expected {
            programs: Vec::new(),
            workloads: Vec::new(),
            generated: Vec::new(),
            tables: String::new(),
            traces: Vec::new(),
            exercised: Exercised { counts: [1; KINDS.len()] },
            known: Shown::default(),
            failures: Vec::new(),
        }
    }

    fn row(failures: Vec<Failure>) -> Row {
        let mut cells = vec![Cell { count: 7, ..Cell::default() }; Suite::ALL.len()];
        cells[0].failures = failures;
        Row { target: Target::Sparc64, state: RowState::Ran(cells, "qemu-sparc64".into()) }
    }

    fn skipped() -> Row {
        let missing = Missing { what: "no linker".into(), why: "not root".into(), remedy: "install it".into() };
        Row { target: Target::Aarch64, state: RowState::Skipped(missing) }
    }

    fn failure() -> Failure {
        Failure { detail: "a\nb".into(), replay: Some("run it".into()), ..Failure::plain("it broke".into()) }
    }

    #[test]
    fn exit_codes_follow_the_worst_that_happened() {
        let (good, silent) = (expected(), Silent::default());
        assert_eq!(exit(&[row(vec![])], &good, &silent), Exit::Holds);
        assert_eq!(exit(&[row(vec![]), skipped()], &good, &silent), Exit::Environment);
        assert_eq!(exit(&[row(vec![failure()]), skipped()], &good, &silent), Exit::Broke);
        let loud = Silent { failures: vec![failure()], ..Silent::default() };
        assert_eq!(exit(&[row(vec![])], &good, &loud), Exit::Broke);
        let vacuous = Expected { exercised: Exercised::default(), ..expected() };
        assert_eq!(exit(&[row(vec![])], &vacuous, &silent), Exit::Broke, "a check that met nothing does not pass");
    }

    #[test]
    fn a_failure_says_what_and_how_to_see_it_again() {
        let text = render(&[row(vec![failure()]), skipped()], &expected(), &Silent::default());
        for part in ["1 of 7 FAILED", "FAILED: it broke\n  a\n  b\n  again: run it\n", "aarch64: SKIPPED: no linker"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn what_was_to_be_silent_is_said_to_be_so_or_not() {
        let silent = Silent { programs: 10, backends: 8, to_the_end: 70, known: 2, failures: Vec::new() };
        let text = render(&[row(vec![])], &expected(), &silent);
        assert!(text.contains(
            "\nsilent: 10 legal programs on each of 8 current backends (70 judged to their end; 2 known/xen-new-task)\n"
        ));
        let loud = Silent { failures: vec![failure()], ..silent };
        let text = render(&[row(vec![])], &expected(), &loud);
        assert!(text.contains("\nNOT silent: 10") && text.contains("\nFAILED: it broke\n"), "{text}");
    }
}
