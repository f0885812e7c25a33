//! The command is killed at random moments: no process is left, no file is half written, the next run is fine.
//!
//! The moments are drawn from a fixed seed, from the start of the command or from the moment when its child is there;
//! which instruction that is, the machine decides.
//!
//! What it is not: what the first Ctrl-C of a fuzzing run does is its own affair, here it ends like any other.
//!
//! Who calls it: `cargo test`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use lazy_mmu_engine::fuzz::find;
use lazy_mmu_engine::program::generate::Random;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_harness::setup::packages::which;
use rustix::process::Signal;

use crate::place::{BENT, BROKEN, Ended, Place, rounds};

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::KILL];

/// What kills came to.
#[derive(Default)]
struct Counts {
    killed: u32,
    /// Runs that were over before the signal came.
    ended: u32,
    /// The command's children that ran when the signal came.
    children: usize,
    /// Files that were looked at afterwards.
    files: usize,
}

impl Counts {
    fn print(&self, what: &str) {
        let Counts { killed, ended, children, files } = self;
        println!(
            "{what}: killed {killed} times ({ended} ended before), with {children} children running: 0 processes left, \
             0 of {files} files half written"
        );
    }
}

/// Kills a command with every signal, `rounds` times each. Half of the times the moment counts from when `child` runs.
/// `after` looks at what is left and says how many files it looked at.
fn kill(
    place: &Place,
    rounds: u32,
    child: &str,
    longest: u32,
    command: impl Fn() -> Command,
    after: impl Fn(&Ended) -> usize,
) -> Counts {
    let mut random = Random::new(20_251_120);
    let mut counts = Counts::default();
    for round in 0..rounds {
        for signal in SIGNALS {
            let mut running = place.start(command());
            // A child may be there for a short time only.
            let child_runs = (round % 2 == 1 || child == GUARDED) && place.wait_for(child, &mut running);
            let longest = if child_runs { longest / 10 } else { longest };
            thread::sleep(Duration::from_millis(random.below(longest).into()));
            counts.children += place.processes().len().saturating_sub(1);
            if running.has_ended() {
                counts.ended += 1;
            } else {
                counts.killed += 1;
            }
            running.signal(signal);
            let ended = running.end();
            place.is_empty();
            counts.files += after(&ended);
        }
    }
    assert!(counts.killed > 0, "a signal came in time");
    counts
}

/// A result is on standard output whole or not at all. Says that one file was looked at.
fn whole(ended: &Ended, last: &str) -> usize {
    let is_whole = ended.stdout.trim_end().lines().next_back().is_some_and(|line| line.contains(last));
    assert!(ended.stdout.is_empty() || is_whole, "half a result: {ended:#?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
    1
}

#[test]
fn check_is_killed_at_any_moment() {
    let place = Place::new("kill-check");
    place.good_agent();
    let arguments = ["check", "--target", "x86_64"];
    let counts = kill(
        &place,
        rounds("check", 2, 4),
        "debug/lazy-mmu-agent",
        3000,
        || place.command(&arguments),
        |ended| {
            // What is printed before the matrix is a line of its own.
            let result = ended.stdout.lines().skip_while(|line| !line.starts_with("target ")).collect::<Vec<_>>();
            assert!(result.is_empty() || result.last().is_some_and(|line| line.contains(" targets, ")), "{ended:#?}");
            1
        },
    );
    counts.print("check");
    let last = place.run(&arguments);
    assert_eq!(last.code, Some(0), "the next run is fine: {last:#?}");
    place.is_empty();
}

/// The test that never ends. It is killed from when it runs on: its guard (`setpriv`) is one only then, and what cargo has
/// started in the very moment in which it is killed itself is not under it yet.
const GUARDED: &str = "sleep 1000";

/// Cargo and what it has started: a test that never ends.
#[test]
fn test_is_killed_at_any_moment() {
    if which("setpriv").is_none() {
        println!("skipped: there is no setpriv here (util-linux), with which a runner ends when cargo does");
        return;
    }
    let place = Place::new("kill-test");
    place.program(
        "bin/cargo",
        "echo 'running 3 tests'; eval \"runner=\\$CARGO_TARGET_$(uname -m | tr a-z A-Z)_UNKNOWN_LINUX_GNU_RUNNER\"\n\
         $runner sleep 1000",
    );
    let native = std::env::consts::ARCH;
    let counts = kill(
        &place,
        rounds("test", 4, 20),
        GUARDED,
        400,
        || place.command(&["test", "--target", native]),
        |ended| {
            assert!(!ended.stdout.contains("state"), "there is no table of a run that was killed: {ended:#?}");
            1
        },
    );
    counts.print("test");
}

/// What libFuzzer does, as far as the command sees: findings, counts, a log; until it is killed.
const FUZZER: &str = r#"
i=0
while :; do
    i=$((i + 1))
    cp "${0%/*}/data$((i % 3))" "$LAZYMMU_FINDINGS/.part" && mv "$LAZYMMU_FINDINGS/.part" "$LAZYMMU_FINDINGS/slug-$i"
    printf '%s\texecutions\n' $i > "$LAZYMMU_STATS"
    printf '#%s\tNEW cov: 11 ft: 12 corp: 3/40b\n' $i >&2
    sleep 0.05
done"#;

#[test]
fn fuzz_is_killed_at_any_moment() {
    let place = Place::new("kill-fuzz");
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let binaries = format!("target/fuzz/{host}/release");
    let target = find("contract").expect("a target");
    for (at, text) in BROKEN.iter().enumerate() {
        place.write(&format!("{binaries}/data{at}"), target.input.join(&[0], &parse(text).expect("a program")));
    }
    place.program(&format!("{binaries}/contract"), FUZZER);
    let fuzz = ["fuzz", "contract", "--time", "60s", "--subject", BENT, "--resume"];
    let counts = kill(
        &place,
        rounds("fuzz", 2, 8),
        "release/contract",
        2000,
        || place.command(&fuzz),
        |ended| {
            assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
            is_state_whole(&place) + are_findings_whole(&place)
        },
    );
    counts.print("fuzz");
    assert!(are_findings_whole(&place) > 5, "something was found meanwhile");
    // What was counted before the last kill is counted still.
    let before = elapsed(&place);
    let rest = ["fuzz", "contract", "--time", &format!("{}s", before / 1000 + 3), "--subject", BENT];
    place.program(&format!("{binaries}/contract"), "exit 0");
    let last = place.run(&[&rest[..], &["--resume"]].concat());
    assert_eq!(last.code, Some(1), "the findings are reported again: {last:#?}");
    whole(&last, "NOT CLEAN");
    assert!(elapsed(&place) > before, "the run went on from {before} ms");
}

const STATE: &str = "fuzz/runs/contract-zoo-arm64-softirq-pte/state";

fn is_state_whole(place: &Place) -> usize {
    let Ok(text) = fs::read_to_string(place.path(STATE)) else { return 0 };
    assert!(text.ends_with("end\n"), "half a state: {text}");
    1
}

/// How long the run has taken, as its state says.
fn elapsed(place: &Place) -> u64 {
    let text = fs::read_to_string(place.path(STATE)).expect("a state");
    let samples = text.lines().take_while(|line| *line != "counts");
    samples.last().and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// A finding's folder holds all of its files, none of them empty. How many files there are.
fn are_findings_whole(place: &Place) -> usize {
    let folders = place.names("fuzz/findings").into_iter().filter(|name| !name.starts_with('.'));
    folders
        .map(|name| {
            let files = place.names(&format!("fuzz/findings/{name}"));
            assert_eq!(files, ["input", "kunit.c", "program.lmm", "report.txt", "test.rs"], "{name}");
            let length =
                |file: &String| fs::metadata(place.path(&format!("fuzz/findings/{name}/{file}"))).map(|m| m.len());
            assert!(files.iter().all(|file| length(file).is_ok_and(|length| length > 0)), "{name}");
            files.len()
        })
        .sum()
}

/// Every file below a folder, hidden ones left out.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else if !name.starts_with('.') {
            found.insert(name, fs::read(&path).expect("a file"));
        }
    }
    found
}

#[test]
fn corpus_is_killed_at_any_moment() {
    let place = Place::new("kill-corpus");
    let corpus = |out: &str| place.command(&["corpus", "--out", out, "--dictionaries", &format!("{out}/dictionaries")]);
    let undisturbed = place.start(corpus("whole")).end();
    assert_eq!(undisturbed.code, Some(0), "{undisturbed:#?}");
    let whole = files(&place.path("whole"));
    let counts = kill(
        &place,
        rounds("corpus", 2, 8),
        "lazymmu corpus",
        600,
        || corpus("killed"),
        |_| {
            let there = files(&place.path("killed"));
            for (name, bytes) in &there {
                assert_eq!(Some(bytes), whole.get(name), "{name} is not what it should be");
            }
            there.len()
        },
    );
    counts.print("corpus");
    let last = place.start(corpus("killed")).end();
    assert_eq!(last.code, Some(0), "{last:#?}");
    assert!(files(&place.path("killed")) == whole, "the next run completes what was killed");
}
