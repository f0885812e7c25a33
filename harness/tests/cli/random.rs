//! Random input at fixed seeds: whatever the bytes, nothing panics, and the exit code is one of the three.
//!
//! Most of it goes to the library functions that the command calls, because a process per input is slow; a few inputs
//! of each kind go through the binary. A failure prints seed, number and input.
//!
//! What it is not: a fuzzer. The inputs are the same on every run.
//!
//! Who calls it: `cargo test`.

use std::fs::File;
use std::io::Read as _;

use lazy_mmu_engine::program::generate::Random;
use lazy_mmu_engine::program::text::{parse, parse_bytes};
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::replay::{Rejection, Replay, Summary};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lzma_rust2::XzReader;

use crate::TRACE;
use crate::folder::{Folder, root};

const SEEDS: [u64; 3] = [1, 20_251_120, 0xdead_beef];

/// Inputs of a kind and seed that go to the library.
const MANY: u32 = 300;

/// Inputs of a kind and seed that go through the binary.
const FEW: u32 = 6;

/// One input; if the test panics while it is looked at, it is printed.
struct Case {
    seed: u64,
    number: u32,
    bytes: Vec<u8>,
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}, input {}: {}", self.seed, self.number, self.bytes.escape_ascii());
        }
    }
}

/// How inputs of a kind are made.
type Make = fn(&mut Random) -> Vec<u8>;

/// Hands `count` inputs of every seed to `f`.
fn each(make: Make, count: u32, mut f: impl FnMut(&Case, &mut Random)) {
    for seed in SEEDS {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        for number in 0..count {
            let case = Case { seed, number, bytes: make(&mut random) };
            f(&case, &mut random);
        }
    }
}

fn any_bytes(random: &mut Random) -> Vec<u8> {
    (0..random.below(200)).map(|_| random.next() as u8).collect()
}

/// Words of the program language in any order: they come further than bytes do.
fn words(random: &mut Random) -> Vec<u8> {
    const WORDS: [&str; 32] = [
        "enable",
        "disable",
        "pause",
        "resume",
        "between",
        "between {",
        "irq {",
        "nmi {",
        "repeat",
        "repeat 3 {",
        "}",
        "set",
        "K",
        "U 5",
        "x193",
        "huge",
        "exec",
        "switch",
        "T1",
        "T9",
        "fork T4",
        "exit T0",
        "cpu",
        "0",
        "1",
        "-1",
        "99999",
        "alloc 3 debug",
        ";",
        "\n",
        "\r\n",
        "# {",
    ];
    let words = (0..random.below(40)).map(|_| WORDS[random.below(32) as usize]);
    words.collect::<Vec<_>>().join(if random.below(2) == 0 { " " } else { "\n" }).into_bytes()
}

/// Lines of seven fields or so, some of them what a recorder writes.
fn fields(random: &mut Random) -> Vec<u8> {
    const EVENTS: [&str; 12] = [
        "enable",
        "disable",
        "pause",
        "resume",
        "arch_enter",
        "arch_flush",
        "arch_leave",
        "queue_deferred",
        "barriers",
        "batch_add",
        "mc_flush",
        "events",
    ];
    let mut text = String::new();
    for seq in 0..random.below(20) {
        let [cpu, pid, irq, enable, pause] = [2, 3, 2, 3, 2].map(|limit| random.below(limit));
        let event = EVENTS[random.below(12) as usize];
        let extra = ["", "", " 1", " 1 2"][random.below(4) as usize];
        text.push_str(&format!("{seq} {cpu} {pid} {irq} {event} {enable} {pause}{extra}\n"));
    }
    text.into_bytes()
}

/// A good trace with a few bytes changed, left out or put in.
fn mutated_trace(random: &mut Random) -> Vec<u8> {
    let mut bytes = TRACE.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() as u32) as usize;
        match random.below(3) {
            0 => bytes[at] = b"0123456789 \n#\0\xff"[random.below(15) as usize],
            1 => bytes.insert(at, random.next() as u8),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

#[test]
fn any_text_is_a_program_that_runs_or_an_error_with_its_place() {
    let mut runner = Runner::new();
    for make in [any_bytes as Make, words] {
        let mut programs = 0;
        each(make, MANY, |case, random| match parse_bytes(&case.bytes) {
            Ok(program) => {
                programs += 1;
                assert_eq!(parse(&program.to_string()), Ok(program.clone()));
                runner.run(random.below(SUBJECTS.len() as u32) as usize, Port::Model, &program);
            }
            Err(error) => {
                let lines: Vec<&[u8]> = case.bytes.split(|&byte| byte == b'\n').collect();
                let line = error.line.checked_sub(1).and_then(|at| lines.get(at)).expect("a line of the text");
                assert!((1..=line.len() + 1).contains(&error.column), "{error}");
                assert!(!error.message.is_empty());
            }
        });
        println!("{programs} of the inputs were programs");
    }
}

/// Feeds a trace in chunks of at most so many bytes.
fn replay(bytes: &[u8], chunk: usize) -> Result<Summary, Rejection> {
    let mut replay = Replay::new("random");
    bytes.chunks(chunk).try_for_each(|chunk| replay.feed(chunk))?;
    replay.finish()
}

#[test]
fn any_bytes_are_a_trace_or_an_error_however_they_are_cut() {
    for make in [any_bytes as Make, fields, mutated_trace] {
        each(make, MANY, |case, random| {
            let whole = replay(&case.bytes, usize::MAX);
            let cut = 1 + random.below(64) as usize;
            // A summary has no other form than its text.
            let text = |outcome: &Result<Summary, Rejection>| format!("{outcome:?}");
            assert_eq!(text(&replay(&case.bytes, cut)), text(&whole), "in chunks of {cut}");
            if let Err(rejection) = whole {
                let lines = case.bytes.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
                assert!((1..=lines).contains(&rejection.line) && rejection.column >= 1, "{rejection}");
                assert!(!rejection.expected.is_empty() && !rejection.found.is_empty(), "{rejection}");
            }
        });
    }
}

#[test]
fn a_recorded_trace_with_a_damaged_line_is_a_trace_or_an_error() {
    let file = File::open(root().join("harness/traces/arm64-debug_pagealloc.trace.xz")).expect("a recorded trace");
    let mut recorded = vec![0; 40_000];
    XzReader::new(file, true).read_exact(&mut recorded).expect("its beginning");
    for seed in SEEDS {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        for number in 0..MANY / 6 {
            let at = random.below(recorded.len() as u32) as usize;
            let before = recorded[at];
            recorded[at] = random.next() as u8;
            let case = Case { seed, number, bytes: format!("byte {at} is {:#04x}", recorded[at]).into_bytes() };
            let text = |outcome: &Result<Summary, Rejection>| format!("{outcome:?}");
            let (whole, cut) = (replay(&recorded, usize::MAX), replay(&recorded, 4096));
            assert_eq!(text(&whole), text(&cut), "{}", case.bytes.escape_ascii());
            // The recording was cut: its header promises more events than there are.
            assert!(whole.is_err() || whole.is_ok_and(|summary| summary.wrote.is_some()));
            recorded[at] = before;
        }
    }
}

#[test]
fn the_command_survives_any_file() {
    let folder = Folder::new("random");
    let kinds: [(&str, Make); 5] =
        [("run", any_bytes), ("run", words), ("replay", any_bytes), ("replay", fields), ("replay", mutated_trace)];
    for (subcommand, make) in kinds {
        each(make, FEW, |case, _| {
            folder.write("input", &case.bytes);
            let ran = folder.run(&[subcommand, "input"]);
            match ran.code {
                Some(0) => ran.is_result(subcommand, 0),
                Some(code @ (1 | 4 | 5)) if subcommand == "run" => ran.is_result(subcommand, code),
                Some(4) if subcommand == "replay" => ran.is_result(subcommand, 4),
                Some(1) if !ran.stdout.is_empty() => ran.is_result(subcommand, 1),
                Some(code @ (1 | 2)) => ran.is_refused(subcommand, code),
                _ => panic!("{ran:#?}"),
            }
        });
    }
}

#[test]
fn the_command_survives_any_file_that_begins_like_a_compressed_one() {
    let folder = Folder::new("random-xz");
    let make: Make = |random| [b"\xfd7zXZ\0", &any_bytes(random)[..]].concat();
    each(make, FEW, |case, _| {
        folder.write("input", &case.bytes);
        folder.run(&["replay", "input"]).is_refused("replay", 2);
    });
}
