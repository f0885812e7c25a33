//! One small stream, and the four reports of it, which are recorded in `harness/tests/data/check`.

use std::sync::{Arc, Mutex};

use lazy_mmu_engine::contract::Invariant;

use super::*;
use crate::check::Failure;
use crate::check::cause::Cause;
use crate::check::render::{Sink, human::Human, json::Json, junit::Junit, ktap::Ktap};
use crate::target::Target;

fn failure() -> Failure {
    let replay = Some("cargo lazymmu run halves/enable --subject counted/x86_64-xen --target sparc64".to_owned());
    let detail = "line 3, after   enable\n  expected  hook enter\n  found     # Subtest: none <&>".to_owned();
    let cause = Cause::Differs(false);
    let what = "sparc64: halves/enable differs from the host's run".to_owned();
    Failure { detail, replay, cause, subject: Some("counted/x86_64-xen"), size: Some(3), ..Failure::plain(what) }
}

/// A subject breaks an invariant.
fn fault(subject: &'static str, size: usize) -> Failure {
    let cause = Cause::Breaks(Invariant::I3, "disable".to_owned());
    let what = format!("{subject} breaks {cause}: K[{size}] is late");
    let detail = format!("the program\n>>> I3 visible-at-exit broken: K[{size}] is late");
    let replay = Some(format!("cargo lazymmu run PROGRAM --subject {subject}"));
    let program = Some("set K 0\n".repeat(size));
    Failure { what, detail, replay, program, cause, subject: Some(subject), size: Some(size) }
}

fn not_as_reviewed() -> Failure {
    let detail = "counted/sparc64: reviewed `holds`, now `in part (cut at 1)`".to_owned();
    Failure { detail, cause: Cause::Review, ..Failure::plain("halves/enable is not as reviewed".to_owned()) }
}

/// Two cases in each suite; the first suite has so many failures in its second case.
fn row(target: Target, failures: u64) -> Row {
    let mut cell = Cell { took: Duration::from_millis(1500), executed: 2, ..Cell::default() };
    cell.case("halves").count = 7;
    cell.case("nesting").count = 3;
    let mut cells = vec![cell; Suite::ALL.len()];
    let broken = cells[0].case("nesting");
    if failures > 0 {
        broken.fail(failure());
        broken.also(failure().cause, failure().subject, failures - 1);
    }
    let how = format!("{}; rustc 1.95.0, its own std", target.spec().emulator.program);
    Row { target, state: RowState::Ran(cells, how) }
}

fn skipped() -> Row {
    let (what, why) = ("aarch64 lacks qemu-user".to_owned(), "only root may install packages".to_owned());
    let remedy = "sudo apt-get install --yes --no-install-recommends qemu-user".to_owned();
    Row { target: Target::Aarch64, state: RowState::Skipped(Missing { what, why, remedy }) }
}

fn expected(failures: Vec<Failure>) -> Expected {
    let mut expected = Expected::default();
    for (suite, cell) in HostSuite::ALL.iter().zip(&mut expected.host) {
        cell.case(&format!("a {} case", suite.name())).count = 5;
    }
    expected.host[0].case("a programs case").answers = [3, 0, 1, 1];
    for failure in failures {
        let case = expected.host[0].case("halves");
        case.column = Some(Suite::Kunit);
        case.fail(failure);
    }
    expected
}

fn silent(failures: Vec<Failure>) -> Silent {
    let mut case = Case { count: 10, ..Case::new("counted/sparc64") };
    failures.into_iter().for_each(|failure| case.fail(failure));
    Silent { programs: 10, cases: vec![case], to_the_end: 9, known: 2, took: Duration::ZERO }
}

/// Sends a whole stream to one report; what it wrote, and the exit code.
fn report(
    make: impl FnOnce(Sink) -> Box<dyn Renderer + Send>,
    (host, rows, silent): (&Expected, &[Row], &Silent),
) -> (String, Exit) {
    let text = Arc::new(Mutex::new(String::new()));
    let mut stream = Stream::new(vec![make(Sink::Memory(Arc::clone(&text)))]);
    let all = |stream: &mut Stream| {
        stream.begin(Profile::Quick, 1, rows.len())?;
        stream.host(host)?;
        rows.iter().try_for_each(|row| stream.target(row))?;
        stream.silent(silent)
    };
    all(&mut stream).expect("memory can be written");
    let exit = stream.finish().expect("memory can be written");
    let text = text.lock().expect("nobody panicked").clone();
    (text, exit)
}

fn human(host: &Expected, rows: &[Row], silent: &Silent) -> (String, Exit) {
    report(|sink| Box::new(Human::new(sink, false)), (host, rows, silent))
}

#[test]
fn exit_codes_follow_the_worst_that_happened() {
    let (good, quiet) = (expected(vec![]), silent(vec![]));
    let exit = |host: &Expected, rows: &[Row], silent: &Silent| human(host, rows, silent).1;
    let good_row = || row(Target::Sparc64, 0);
    assert_eq!(exit(&good, &[good_row()], &quiet), Exit::Holds);
    assert_eq!(exit(&good, &[good_row(), skipped()], &quiet), Exit::Environment);
    assert_eq!(exit(&good, &[row(Target::Sparc64, 1), skipped()], &quiet), Exit::Broke);
    assert_eq!(exit(&good, &[good_row()], &silent(vec![failure()])), Exit::Broke);
    assert_eq!(exit(&expected(vec![failure()]), &[good_row()], &quiet), Exit::Broke);
}

#[test]
fn a_check_that_met_nothing_of_a_kind_does_not_pass() {
    let mut vacuous = Expected::default();
    vacuous.exercise();
    let (text, exit) = human(&vacuous, &[row(Target::Sparc64, 0)], &silent(vec![]));
    assert_eq!(exit, Exit::Broke);
    assert!(text.starts_with("FAILED: the check met no nested sections: it proves nothing about them\n"), "{text}");
    assert!(text.contains("\nalso: the check met no nested pauses: it proves nothing about them\n"), "{text}");
}

#[test]
fn what_was_to_be_silent_is_said_to_be_so_or_not() {
    let rows = [row(Target::Sparc64, 0)];
    let (text, _) = human(&expected(vec![]), &rows, &silent(vec![]));
    let line =
        "silent: 10 legal programs on each of 1 current backends (9 judged to their end; 2 of a known finding)\n";
    assert!(text.contains(&format!("\n{line}")), "{text}");
    let (text, _) = human(&expected(vec![]), &rows, &silent(vec![failure()]));
    assert!(text.contains("\nNOT silent: 10") && text.starts_with("FAILED: sparc64: halves/enable differs"), "{text}");
}

#[test]
fn targets_stand_in_the_order_of_tables_whichever_was_done_first() {
    let rows = [row(Target::X86_64, 0), row(Target::Powerpc64, 0), skipped()];
    let (text, _) = human(&expected(vec![]), &rows, &silent(vec![]));
    let first: Vec<_> = text.lines().skip(3).take(3).map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(first, ["aarch64", "powerpc64", "x86_64"], "{text}");
}

/// What failed comes first, the smallest program of 7.2 before all; one cause is said once, wherever it was met.
#[test]
fn the_smallest_program_comes_first_and_causes_are_merged() {
    let faults = vec![fault("stateless/sparc64", 1), fault("counted/sparc64", 9), fault("counted/aarch64", 2)];
    let host = expected([faults, vec![not_as_reviewed()]].concat());
    let (text, exit) = human(&host, &[row(Target::Sparc64, 2)], &silent(vec![fault("counted/sparc64", 4)]));
    assert_eq!(exit, Exit::Broke);
    assert!(
        text.starts_with("FAILED: counted/aarch64 breaks I3 visible-at-exit at disable: K[2] is late\n\n"),
        "{text}"
    );
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[..6].iter().any(|line| line.starts_with(">>> I3 ")), "{text}");
    let more = "and 3 more runs like this on counted/aarch64, counted/sparc64, stateless/sparc64 (by host, silent)";
    assert!(lines.contains(&more), "{text}");
    assert!(text.contains("\n2. sparc64: halves/enable differs from the host's run\n"), "{text}");
    assert_eq!(text.matches("breaks I3").count(), 1, "{text}");
    assert!(text.contains("\n1 reviewed snapshots differ besides. Look at the faults above first"), "{text}");
    assert!(
        text.ends_with("7 runs failed by 3 causes, on 1 targets; 0 skipped; look at what broke before any snapshot\n"),
        "{text}"
    );
    assert!(!text.contains("INSTA_UPDATE"), "{text}");
}

/// Ten causes are shown; the others are counted.
#[test]
fn what_is_more_than_ten_causes_is_folded() {
    let of =
        |n: usize| Failure { cause: Cause::Breaks(Invariant::I3, format!("op{n}")), ..fault("counted/none", 20 - n) };
    let (text, _) = human(&expected((0..13).map(of).collect()), &[row(Target::Sparc64, 0)], &silent(vec![]));
    assert!(text.starts_with("FAILED: counted/none breaks I3 visible-at-exit at disable: K[8] is late\n"), "{text}");
    assert!(text.contains("\n10. ") && !text.contains("\n11. "), "{text}");
    assert!(text.contains("\nand 3 more causes in 3 runs: --verbose"), "{text}");
}

/// A snapshot is offered for review only where nothing else failed.
#[test]
fn a_difference_alone_may_be_reviewed() {
    let (text, exit) = human(&expected(vec![not_as_reviewed()]), &[row(Target::Sparc64, 0)], &silent(vec![]));
    assert_eq!(exit, Exit::Broke);
    assert!(
        text.starts_with("NOT AS REVIEWED, though nothing that was judged broke:\n\nhalves/enable is not"),
        "{text}"
    );
    assert!(text.contains("INSTA_UPDATE=new"), "{text}");
}

/// A row is ok only if nothing failed that is about its architecture, in the target's runs or the host's own; the column is
/// that of what failed.
#[test]
fn a_row_is_ok_only_if_nothing_of_it_failed() {
    let rows = [row(Target::Sparc64, 0), row(Target::X86_64, 0)];
    let states = |host: &Expected, silent: &Silent| -> Vec<String> {
        let (text, _) = human(host, &rows, silent);
        let lines = text.lines().filter(|line| line.starts_with("sparc64  ") || line.starts_with("x86_64  "));
        lines.map(|line| line.split("  ").filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("|")).collect()
    };
    let found = states(&expected(vec![fault("counted/sparc64", 1)]), &silent(vec![]));
    assert!(found[0].contains("|1 of 10 FAILED|") && found[0].ends_with("|FAILED"), "{found:?}");
    assert!(found[1].ends_with("|ok") && !found[1].contains("FAILED"), "{found:?}");
    // The second column is KUnit's.
    assert_eq!(found[0].split('|').nth(2), Some("1 of 10 FAILED"), "{found:?}");
    // What is no architecture's concerns all.
    let found = states(&expected(vec![fault("counted/none", 1)]), &silent(vec![]));
    assert!(found.iter().all(|row| row.ends_with("|FAILED")), "{found:?}");
    let found = states(&expected(vec![not_as_reviewed()]), &silent(vec![]));
    assert!(found.iter().all(|row| row.ends_with("|FAILED")), "{found:?}");
    // Many legal programs count in the column of the generated.
    let mut loud = silent(vec![fault("counted/x86_64-xen", 1)]);
    loud.cases[0].column = Some(Suite::Generated);
    let found = states(&expected(vec![]), &loud);
    assert!(found[0].ends_with("|ok") && found[1].ends_with("|FAILED"), "{found:?}");
    assert_eq!(found[1].split('|').nth(6), Some("1 of 10 FAILED"), "{found:?}");
}

/// A suite of which nothing ran does not say how much of nothing failed.
#[test]
fn nothing_of_nothing_is_not_said() {
    let mut row = row(Target::Sparc64, 0);
    if let RowState::Ran(cells, _) = &mut row.state {
        cells[4] = Cell::default();
        cells[4].case("nothing").fail(Failure::plain("sparc64: traces: nothing ran".to_owned()));
    }
    let (text, _) = human(&expected(vec![]), &[row], &silent(vec![]));
    assert!(!text.contains("of 0 FAILED") && text.contains("  FAILED  "), "{text}");
}

/// Every kind of result once: a suite that fails, one that was not looked into whole, a target that holds, one skipped.
fn recorded(make: impl FnOnce(Sink) -> Box<dyn Renderer + Send>) -> String {
    let rows = [row(Target::X86_64, 0), skipped(), row(Target::Sparc64, 2)];
    report(make, (&expected(vec![]), &rows, &silent(vec![]))).0
}

/// Compares with what is recorded; `LAZYMMU_RECORD=1` records anew, to be read before it is committed.
#[track_caller]
fn is_as_recorded(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check").join(name);
    if std::env::var_os("LAZYMMU_RECORD").is_some() {
        std::fs::write(&path, now).expect("the sample can be written");
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(then, now, "{} is recorded otherwise", path.display());
}

#[test]
fn the_human_report_is_as_recorded() {
    is_as_recorded("check.txt", &recorded(|sink| Box::new(Human::new(sink, false))));
}

#[test]
fn the_json_report_is_as_recorded_and_each_line_is_a_document() {
    let text = recorded(|sink| Box::new(Json::new(sink)));
    let documents: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&documents[0]["kind"], &documents[0]["schema"]), (&"begin".into(), &1.into()));
    let last = documents.last().expect("a line");
    assert_eq!((&last["kind"], &last["exit"]), (&"finish".into(), &1.into()));
    is_as_recorded("check.jsonl", &text);
}

#[test]
fn the_junit_report_is_as_recorded() {
    is_as_recorded("check.xml", &recorded(|sink| Box::new(Junit::new(sink))));
}

#[test]
fn the_ktap_report_is_as_recorded() {
    is_as_recorded("check.ktap", &recorded(|sink| Box::new(Ktap::new(sink))));
}
