//! The checker on traces kept as data (`cases/*.txt`), on streams cut anywhere, and on every small change of a legal
//! trace (`mutants`).

mod cuts;
mod machine;
mod mutants;
mod xen;

use super::{Breach, Cause, Kind, MAX_LINE, Outcome, Rejection, Replay, Summary};
use std::fmt::Write;

/// The traces, by what they are about. Each has a name, its lines, and the verdict as [`verdict`] prints it.
const FILES: [&str; 7] = [
    include_str!("cases/aarch64.txt"),
    include_str!("cases/batched.txt"),
    include_str!("cases/xen.txt"),
    include_str!("cases/lines.txt"),
    include_str!("cases/calls.txt"),
    include_str!("cases/partial.txt"),
    include_str!("cases/judged.txt"),
];

/// One trace and what must become of it.
struct Case {
    name: &'static str,
    trace: &'static str,
    verdict: &'static str,
}

fn cases() -> impl Iterator<Item = Case> {
    FILES.into_iter().flat_map(|file| file.split("=== ").skip(1)).map(|case| {
        let (name, rest) = case.split_once('\n').expect("a name ends its line");
        let (trace, verdict) = rest.split_once("--- ").expect("a verdict follows the trace");
        Case { name, trace, verdict: verdict.trim_end() }
    })
}

fn replay(trace: &[u8]) -> Result<Summary, Rejection> {
    let mut replay = Replay::new("case");
    replay.feed(trace)?;
    replay.finish()
}

/// The verdict as the case files have it: what was counted, or where it is wrong and how that is worded.
fn verdict(result: &Result<Summary, Rejection>) -> String {
    match result {
        Ok(summary) => accepted(summary),
        Err(Rejection { kind, line, column, expected, found }) => {
            let kind = match kind {
                Kind::NoTrace => "no trace",
                Kind::Malformed => "malformed",
                Kind::Impossible => "impossible",
            };
            format!("{kind} {line}:{column}\nexpected {expected}\nfound {found}")
        }
    }
}

fn accepted(summary: &Summary) -> String {
    let arch = summary.arch.map_or("no architecture".to_owned(), |arch| arch.to_string());
    let mut text = format!("accepted: {arch}");
    for (what, count) in [
        ("sections", summary.sections),
        ("nested", summary.nested),
        ("pauses", summary.pauses),
        ("idle pauses", summary.idle_pauses),
        ("calls while paused", summary.calls_while_paused),
        ("calls in interrupt", summary.calls_in_interrupt),
        ("deferred", summary.deferred),
        ("completions", summary.completions),
        ("immediate", summary.immediate),
        ("direct barriers", summary.direct_barriers),
        ("recorded early", summary.recorded_early),
        ("switches", summary.switches),
        ("new tasks", summary.new_tasks),
    ] {
        if count > 0 {
            write!(text, ", {count} {what}").expect("a string takes everything");
        }
    }
    let mut line = |line: String| write!(text, "\n{line}").expect("a string takes everything");
    summary.warnings.first.iter().for_each(|warning| line(warning.to_string()));
    summary.unusual.first.iter().for_each(|note| line(format!("unusual: {note}")));
    summary.assumed.first.iter().for_each(|note| line(format!("assumed: {note}")));
    if summary.gaps > 0 {
        line(format!("lost: {} in {}", summary.lost, summary.gaps));
    }
    summary.open_ends.iter().for_each(|open| line(format!("ends {open}")));
    if summary.longer_lines > 0 {
        line(format!("longer lines: {}", summary.longer_lines));
    }
    for (invariant, verdict) in summary.verdicts.all() {
        for Breach { cause, line: at, text, times, tasks } in &verdict.breaches {
            let known = cause.map_or("no known finding", Cause::finding);
            line(format!("{} breaks at line {at}, {times} lines, {tasks} tasks, {known}: {text}", invariant.id()));
        }
    }
    text
}

#[test]
fn every_case_has_its_verdict() {
    let wrong: Vec<String> = cases()
        .filter_map(|case| {
            let actual = verdict(&replay(case.trace.as_bytes()));
            (actual != case.verdict).then(|| format!("=== {}\n--- {actual}\ninstead of\n{}", case.name, case.verdict))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(cases().count() > 90, "the case files have lost cases");
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    for case in cases() {
        let whole = replay(case.trace.as_bytes());
        for size in [1, 2, 3, 7, 64] {
            let mut replay = Replay::new("case");
            let fed = case.trace.as_bytes().chunks(size).try_for_each(|chunk| replay.feed(chunk));
            let cut = fed.and_then(|()| replay.finish());
            assert_eq!(cut, whole, "{} in chunks of {size}", case.name);
        }
    }
}

/// What one case cannot hold as a line of text.
#[test]
fn bytes_that_are_no_line() {
    let long = [b"# ".to_vec(), vec![b'x'; MAX_LINE]].concat();
    let longest = [b"#".to_vec(), vec![b'x'; MAX_LINE - 1], b"\n0 0 5 1 enable 0 0\n".to_vec()].concat();
    let rows: [(&str, &[u8], &str); 15] = [
        ("no newline at the end", b"0 0 5 1 enable 0 0", "accepted: no architecture, 1 calls in interrupt"),
        ("cut in its last line", b"0 0 5 1 enable 0 0\n1 0", "accepted: no architecture, 1 calls in interrupt"),
        (
            "cut in its last number",
            b"0 0 5 0 enable 1 0\n1 0 5 0 arch_enter 1 2",
            "accepted: no architecture, 1 sections",
        ),
        ("cut, and impossible before the cut", b"0 0 5 0 enable 2 0", "impossible 1:16\nexpected `enable 1 0`"),
        ("a NUL byte", b"0 0 5 1 enable\0 0 0\n", "no trace 1:1\nexpected a kernel trace, with lines such as `0 0 5 0"),
        (
            "a NUL byte later",
            b"0 0 5 1 enable 0 0\n1 0 5 1 dis\0ble 0 0\n",
            "malformed 2:9\nexpected the name of an event\nfound bytes that are no text",
        ),
        (
            "a NUL byte in a comment",
            b"# a\0b\n",
            "malformed 1:4\nexpected text in UTF-8 without control characters\nfound bytes",
        ),
        ("a comment in Latin-1", b"# a\xffb\n0 0 5 1 enable 0 0\n", "accepted: no architecture"),
        ("a name that is not ASCII", "0 0 5 1 \u{e9} 0 0\n".as_bytes(), "no trace 1:1"),
        (
            "a name that is not ASCII later",
            "0 0 5 1 enable 0 0\n1 0 5 1 \u{e9} 0 0\n".as_bytes(),
            "malformed 2:9\nexpected the name of an event\nfound `\u{e9}`",
        ),
        ("an overlong line", &long, "malformed 1:4097\nexpected a line of at most 4096 bytes\nfound a longer line"),
        ("the longest line", &longest, "accepted: no architecture, 1 calls in interrupt"),
        (
            "a byte order mark",
            b"\xef\xbb\xbf# lazy MMU mode trace: arm64\n0 0 5 1 enable 0 0\n",
            "accepted: aarch64, 1 calls",
        ),
        ("a mark and no header", b"\xef\xbb\xbf0 0 5 1 enable 0 0\n", "accepted: no architecture, 1 calls"),
        ("nothing", b"", "no trace 1:1\nexpected a kernel trace, with lines such as"),
    ];
    for (name, bytes, expected) in rows {
        for size in [1, 5, 4096, 10_000] {
            let mut replay = Replay::new(name);
            let fed = bytes.chunks(size).try_for_each(|chunk| replay.feed(chunk));
            let actual = verdict(&fed.and_then(|()| replay.finish()));
            assert!(actual.starts_with(expected), "{name} in chunks of {size}: {actual}");
        }
    }
}

#[test]
fn a_rejected_replay_stays_rejected() {
    let mut replay = Replay::new("case");
    let first = replay.feed(b"0 0 5 0 enable 2 0\n").expect_err("no enable adds two");
    assert_eq!(replay.feed(b"0 0 5 0 enable 1 0\n"), Err(first.clone()));
    assert_eq!(replay.finish(), Err(first));
}

/// 256 sections inside each other wrap the count; the specification says when the kernel warns, and then the mode is
/// not active although the hook was never run again.
#[test]
fn the_256th_nested_section_wraps() {
    let mut trace = String::from("# lazy MMU mode trace: arm64\n0 0 5 0 enable 1 0\n1 0 5 0 arch_enter 1 0\n");
    for depth in 2..=256u32 {
        writeln!(trace, "{depth} 0 5 0 enable {} 0", depth % 256).expect("a string takes everything");
    }
    trace += "257 0 5 0 queue_emitted 0 0\n258 0 5 0 barriers 0 0\n";
    let summary = replay(trace.as_bytes()).expect("wrapping is what the helpers do");
    assert_eq!((summary.sections, summary.nested, summary.warnings.total), (1, 255, 1));
    assert_eq!(summary.warnings.first[0].to_string(), "line 258: `enable 0 0` of pid 5 warns (row E5)");
}

/// A recorder of Xen PV that has flushed after `mmu_issued` 64 times does so the 65th time; if it does not, no rule breaks.
#[test]
fn a_habit_that_is_broken_is_shown_and_not_refused() {
    let mut trace = String::from("# lazy MMU mode trace: x86_64 (Xen PV)\n");
    for seq in 0..64 {
        let pair = (2 * seq, 2 * seq + 1);
        writeln!(trace, "{} 0 5 0 mmu_issued 0 0\n{} 0 5 0 mc_flush 0 0 1 16", pair.0, pair.1)
            .expect("a string takes everything");
    }
    trace += "128 0 5 0 mmu_issued 0 0\n129 0 5 0 mmu_immediate 0 0\n130 0 5 0 mmu_issued 0 0\n131 0 5 0 enable 1 0\n";
    let summary = replay(trace.as_bytes()).expect("a habit is no rule");
    assert_eq!(summary.unusual.first, ["line 131: no `mc_flush` follows `mmu_issued`, against all before"]);
    assert_eq!((summary.unusual.total, summary.outcome()), (1, Outcome::Holds), "a broken habit is none any more");
    assert!(summary.to_string().contains("\n  unusual:       line 131: no `mc_flush` follows"), "{summary}");
}
