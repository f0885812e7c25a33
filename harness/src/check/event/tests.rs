//! One small stream, and the four reports of it, which are recorded in `harness/tests/data/check`.

use std::sync::{Arc, Mutex};

use super::*;
use crate::check::Failure;
use crate::check::render::{Sink, human::Human, json::Json, junit::Junit, ktap::Ktap};
use crate::target::Target;

fn failure() -> Failure {
    let replay = Some("cargo lazymmu run halves/enable --subject counted/x86_64-xen --target sparc64".to_owned());
    let detail = "line 3, after   enable\n  expected  hook enter\n  found     # Subtest: none <&>".to_owned();
    Failure { detail, replay, ..Failure::plain("sparc64: halves/enable differs from the host's run".to_owned()) }
}

/// Two cases in each suite; the first suite has so many failures in its second case.
fn row(target: Target, failures: u64) -> Row {
    let mut cell = Cell { took: Duration::from_millis(1500), executed: 2, ..Cell::default() };
    cell.case("halves").count = 7;
    cell.case("nesting").count = 3;
    let mut cells = vec![cell; Suite::ALL.len()];
    let broken = cells[0].case("nesting");
    broken.failures.extend((failures > 0).then(failure));
    broken.failed = failures;
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
    failures.into_iter().for_each(|failure| expected.host[0].case("halves").fail(failure));
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
    report(|sink| Box::new(Human::new(sink)), (host, rows, silent))
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
    assert!(text.contains("\nFAILED: the check met no nested pauses: it proves nothing about them\n"), "{text}");
}

#[test]
fn what_was_to_be_silent_is_said_to_be_so_or_not() {
    let rows = [row(Target::Sparc64, 0)];
    let (text, _) = human(&expected(vec![]), &rows, &silent(vec![]));
    let line =
        "silent: 10 legal programs on each of 1 current backends (9 judged to their end; 2 of a known finding)\n";
    assert!(text.contains(&format!("\n{line}")), "{text}");
    let (text, _) = human(&expected(vec![]), &rows, &silent(vec![failure()]));
    assert!(text.contains("\nNOT silent: 10") && text.contains("\nFAILED: sparc64: halves/enable differs"), "{text}");
}

#[test]
fn targets_stand_in_the_order_of_tables_whichever_was_done_first() {
    let rows = [row(Target::X86_64, 0), row(Target::Powerpc64, 0), skipped()];
    let (text, _) = human(&expected(vec![]), &rows, &silent(vec![]));
    let first: Vec<_> = text.lines().skip(3).take(3).map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(first, ["aarch64", "powerpc64", "x86_64"], "{text}");
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
    is_as_recorded("check.txt", &recorded(|sink| Box::new(Human::new(sink))));
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
