//! The checker on traces kept as data (`cases/*.txt`), on streams cut anywhere, and on every small change of a legal
//! trace (`mutants`).

mod machine;
mod mutants;

use super::{Kind, MAX_LINE, Rejection, Replay, Summary};
use std::fmt::Write;

/// The traces, by what they are about. Each has a name, its lines, and the verdict as [`verdict`] prints it.
const FILES: [&str; 4] = [
    include_str!("cases/aarch64.txt"),
    include_str!("cases/batched.txt"),
    include_str!("cases/xen.txt"),
    include_str!("cases/lines.txt"),
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
            let kind = if *kind == Kind::Malformed { "malformed" } else { "impossible" };
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
    for warning in &summary.warnings.first {
        write!(text, "\n{warning}").expect("a string takes everything");
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
    let rows: [(&str, &[u8], &str); 8] = [
        (
            "a truncated last line",
            b"0 0 5 1 enable 0 0",
            "malformed 1:19\nexpected a newline at the end of the last line",
        ),
        ("truncated after a whole line", b"0 0 5 1 enable 0 0\n1 0", "malformed 2:4\nexpected a newline"),
        ("a NUL byte", b"0 0 5 1 enable\0 0 0\n", "malformed 1:9\nexpected the name of an event\nfound `enable\\x00`"),
        ("a NUL byte in a comment", b"# a\0b\n", "malformed 1:4\nexpected text in UTF-8 without NUL bytes"),
        ("a comment that is not UTF-8", b"# a\xffb\n", "malformed 1:4\nexpected text in UTF-8 without NUL bytes"),
        ("a name that is not ASCII", b"0 0 5 1 \xc3\xa9 0 0\n", "malformed 1:9\nexpected the name of an event"),
        ("an overlong line", &long, "malformed 1:4097\nexpected a line of at most 4096 bytes\nfound a longer line"),
        ("the longest line", &longest, "accepted: no architecture, 1 calls in interrupt"),
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

/// A recorder of Xen PV that has flushed after `mmu_issued` 64 times does so the 65th time.
#[test]
fn what_a_recorder_has_always_done_it_does_again() {
    let mut trace = String::from("# lazy MMU mode trace: x86_64 (Xen PV)\n");
    for seq in 0..64 {
        let pair = (2 * seq, 2 * seq + 1);
        writeln!(trace, "{} 0 5 0 mmu_issued 0 0\n{} 0 5 0 mc_flush 0 0 1 16", pair.0, pair.1)
            .expect("a string takes everything");
    }
    trace += "128 0 5 0 mmu_issued 0 0\n129 0 5 0 mmu_immediate 0 0\n";
    let verdict = verdict(&replay(trace.as_bytes()));
    let expected = "impossible 131:11\nexpected `mc_flush`: in this recording it follows every `mmu_issued`";
    assert!(verdict.starts_with(expected), "{verdict}");
}
