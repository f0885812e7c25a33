//! What `check` and `judge` print with `--format ktap`, held against the rules of the parser that a kernel's CI reads it with.
//!
//! The rules are those of `tools/testing/kunit/kunit_parser.py`, written anew in `ktap/reader.rs` and tried on recorded
//! logs, good ones and broken ones, of `data/ktap`; `ktap/strict.rs` asks what that parser lets pass and the document of
//! the format (Documentation/dev-tools/ktap.rst) does not.
//!
//! What it is not: what the reports say is tested where they are made (`check/event/tests.rs`, `judge/render/tests.rs`),
//! which record them.
//!
//! Who calls it: `cargo test`, on the host alone.

#[path = "ktap/reader.rs"]
mod reader;
#[path = "ktap/strict.rs"]
mod strict;

use reader::{Found, read};

/// The report of a small check: one target that holds, one that is skipped, one that fails.
const CHECK: &str = include_str!("data/check/check.ktap");

/// The report of a judged tree: a target that is skipped, two that have no subject, two subjects of which one fails.
const JUDGE: &str = include_str!("data/judge/tree.ktap");

/// The report of a series: a patch that breaks nothing new, one that does, one that does not apply.
const SERIES: &str = include_str!("data/judge/series.ktap");

/// A recorded log, what the parser counts in it and what it complains of.
struct Sample {
    name: &'static str,
    text: &'static str,
    /// Passed, failed, skipped, crashed.
    counts: [usize; 4],
    errors: &'static [&'static str],
}

macro_rules! sample {
    ($name:literal, $counts:expr, $errors:expr) => {
        Sample {
            name: $name,
            text: include_str!(concat!("data/ktap/", $name, ".ktap")),
            counts: $counts,
            errors: $errors,
        }
    };
}

const GOOD: &[Sample] = &[
    sample!("plain", [2, 0, 0, 0], &[]),
    sample!("nested", [3, 0, 0, 0], &[]),
    sample!("failed", [1, 1, 0, 0], &[]),
    sample!("skip_with_reason", [1, 0, 1, 0], &[]),
    sample!("skip_without_reason", [1, 0, 1, 0], &[]),
    sample!("diagnostics", [2, 0, 0, 0], &[]),
    sample!("console_prefix", [1, 0, 0, 0], &[]),
];

const BROKEN: &[Sample] = &[
    sample!("no_version", [0, 0, 0, 0], &["could not find any KTAP output"]),
    sample!("version_too_high", [1, 0, 0, 0], &["version higher than expected"]),
    sample!("no_plan", [2, 0, 0, 0], &[]),
    sample!("plan_too_high", [2, 0, 0, 1], &["missing expected subtest"]),
    sample!("plan_too_low", [1, 0, 0, 0], &[]),
    sample!("plan_of_none", [0, 0, 0, 0], &["0 tests run"]),
    sample!("wrong_number", [2, 0, 0, 0], &["expected test number 2 but found 3"]),
    sample!("nested_without_version", [3, 0, 0, 0], &["expected test number 2 but found 1"]),
    sample!("nested_without_result", [2, 0, 0, 0], &["missing subtest result line"]),
    sample!(
        "cut_in_a_suite",
        [1, 0, 0, 2],
        &["missing expected subtest", "missing subtest result line", "missing expected subtest"]
    ),
    sample!(
        "result_named_as_its_group",
        [1, 0, 0, 1],
        &["missing expected subtest", "expected test number 2 but found 1"]
    ),
    sample!("parent_passes_alone", [1, 1, 0, 0], &[]),
    sample!("name_with_directive", [1, 0, 0, 1], &["missing expected subtest"]),
];

#[test]
fn recorded_logs_are_read_as_the_kernel_reads_them() {
    for Sample { name, text, counts, errors } in GOOD.iter().chain(BROKEN) {
        let Found { passed, failed, skipped, crashed, errors: found } = read(text);
        assert_eq!([passed, failed, skipped, crashed], *counts, "{name}: {found:?}");
        assert_eq!(found.len(), errors.len(), "{name}: {found:?}");
        for (found, part) in found.iter().zip(*errors) {
            assert!(found.contains(part), "{name}: `{part}` in {found}");
        }
    }
}

#[test]
fn good_logs_keep_to_the_format_and_broken_ones_do_not() {
    for Sample { name, text, .. } in GOOD {
        // A skip may have no reason; ours have one. The console's prefix is taken off by the parser.
        if !["skip_without_reason", "console_prefix"].contains(name) {
            assert_eq!(strict::faults(text), Vec::<String>::new(), "{name}");
        }
    }
    for Sample { name, text, .. } in BROKEN {
        assert!(!strict::faults(text).is_empty(), "{name} is broken, and nothing is found");
    }
}

#[test]
fn every_recorded_log_is_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ktap");
    let mut there: Vec<_> = folder.read_dir().expect("it is there").flatten().map(|e| e.file_name()).collect();
    let mut named: Vec<_> = GOOD.iter().chain(BROKEN).map(|sample| format!("{}.ktap", sample.name)).collect();
    there.sort();
    named.sort();
    assert!(there.iter().eq(named.iter().map(std::ffi::OsStr::new)), "{there:?}, not {named:?}");
}

#[test]
fn the_report_of_a_check_is_read_without_complaint() {
    let Found { passed, failed, skipped, crashed, errors } = read(CHECK);
    assert_eq!(errors, Vec::<String>::new());
    // Eight suites of the host with a case each, fourteen cases of each target, the silent backend.
    assert_eq!([passed, failed, skipped, crashed], [8 + 14 + 13 + 1, 1, 1, 0]);
    assert_eq!(strict::faults(CHECK), Vec::<String>::new());
}

#[test]
fn the_reports_of_judge_are_read_without_complaint() {
    // Of each tree: a skip, a build and a start that fail, two subjects of four suites.
    for (text, counts) in [(JUDGE, [6, 2 + 2, 1, 0]), (SERIES, [8 + 6, 2 + 2 + 2 + 1, 2, 0])] {
        let Found { passed, failed, skipped, crashed, errors } = read(text);
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!([passed, failed, skipped, crashed], counts);
        assert_eq!(strict::faults(text), Vec::<String>::new());
    }
}

/// Wherever a run is cut short, the log must not look like one that passed.
#[test]
fn a_report_that_was_cut_short_is_never_taken_for_a_whole_one() {
    let lines: Vec<&str> = CHECK.lines().collect();
    let whole = lines.iter().rposition(|line| line.starts_with("ok ")).expect("the last result");
    for length in 1..whole {
        let text = lines[..length].join("\n");
        let found = read(&text);
        assert!(found.crashed > 0 || !found.errors.is_empty(), "cut after {length} lines: {found:?}\n{text}");
    }
}
