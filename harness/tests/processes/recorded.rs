//! What others print is read as it was recorded, cut anywhere, and garbled: agents' frames, test binaries' and libFuzzer's
//! logs, kernels' traces. Whatever is cut off is noticed; nothing panics, nothing is read that was not there.
//!
//! The logs below `logs/` are real: of `cross test` for sparc64, and of the fuzz target `contract` on a subject of the zoo.
//!
//! What it is not: the formats' own tests, which stand beside their parsers.
//!
//! Who calls it: `cargo test`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::generate::Random;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::subjects_digest;
use lazy_mmu_engine::wire::{self, Frame, VERSION, WireError};
use lazy_mmu_harness::agent::{Agent, AgentError, Batch};
use lazy_mmu_harness::fuzz::pulse::{death, pulse};
use lazy_mmu_harness::process::Child;
use lazy_mmu_harness::tally::Tally;
use lazy_mmu_harness::trace_file;

use crate::place::{Place, agent, root};

const TESTS: &str = include_str!("logs/tests-sparc64.log");
const FUZZER: &str = include_str!("logs/libfuzzer.log");

/// Garbled variants of a record.
const MANY: u32 = 400;

/// Changes a few bytes, leaves some out, puts some in.
fn garbled(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() as u32) as usize;
        match random.below(4) {
            0 => bytes[at] = random.next() as u8,
            1 => bytes.insert(at, random.next() as u8),
            2 => drop(bytes.drain(at..(at + random.below(40) as usize).min(bytes.len()))),
            _ => bytes[at] ^= 1 << random.below(8),
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

fn hello() -> Frame {
    Frame::Hello { version: VERSION, arch: String::new(), subjects: subjects_digest() }
}

/// Three programs, as a batch has them.
fn programs() -> Vec<Vec<u8>> {
    ["query", "enable; set K 1 x3; disable", "enable; enable; pause; resume; disable; disable"]
        .map(|text| encode(&parse(text).expect("a program")))
        .to_vec()
}

/// The real agent's answers, byte for byte: a greeting, a batch, the tables, a listing.
fn session() -> Vec<u8> {
    let show = Frame::Show { subject: 0, port: 0, program: programs()[1].clone() };
    let questions = [hello(), Frame::Batch { subject: 0, port: 0, programs: programs() }, Frame::Tables, show];
    let mut child = Command::new(agent()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("an agent");
    let mut stdin = child.stdin.take().expect("a pipe");
    for question in &questions {
        wire::write(&mut stdin, question).expect("it reads");
    }
    drop(stdin);
    child.wait_with_output().expect("it ends").stdout
}

/// Every whole frame, and how the stream ended.
fn frames(mut bytes: &[u8]) -> (Vec<Frame>, WireError) {
    let mut read = Vec::new();
    loop {
        match wire::read(&mut bytes) {
            Ok(frame) => read.push(frame),
            Err(error) => return (read, error),
        }
    }
}

#[test]
fn an_agents_answers_are_whole_frames_or_an_error() {
    let recorded = session();
    let (whole, _) = frames(&recorded);
    assert!(
        matches!(&whole[..], [Frame::Hello { .. }, Frame::Results(_), Frame::Text(_), Frame::Text(_)]),
        "a good record is four answers: {whole:?}"
    );
    let cuts: Vec<usize> = (0..recorded.len()).filter(|&cut| cut < 600 || cut % 53 == 0).collect();
    for &cut in &cuts {
        let (read, _) = frames(&recorded[..cut]);
        assert!(read.len() < whole.len() && whole.starts_with(&read), "{cut} bytes: what was cut off is not there");
    }
    let mut random = Random::new(1);
    let mut refused = 0;
    for _ in 0..MANY {
        let (read, _) = frames(&garbled(&recorded, &mut random));
        refused += u32::from(read != whole);
    }
    assert!(refused > MANY / 2, "what is garbled is seldom what was said");
    println!("agent: 1 good session, {} cut, {MANY} garbled ({refused} told apart)", cuts.len());
}

/// The same through the host's end: whatever a child plays, the answer is an answer or an error, and the child is gone.
#[test]
fn an_agent_that_plays_a_bad_record_is_refused() {
    let place = Place::new("recorded");
    let recorded = session();
    let mut random = Random::new(2);
    let greeted = wire::bytes(&hello()).len();
    let greeting = wire::bytes(&frames(&recorded).0[0]).len();
    let cuts = [0, 1, 3, 4, greeting - 1, greeting, greeting + 1, greeting + 4, greeting + 9];
    let mut records: Vec<Vec<u8>> = cuts.map(|cut| recorded[..cut].to_vec()).to_vec();
    // Only what the batch is answered with is garbled: the length, the kind, the number of results.
    for at in greeting..greeting + 9 {
        let mut bytes = recorded.clone();
        bytes[at] ^= 1 << (random.below(7) + 1);
        records.push(bytes);
    }
    let count = records.len();
    for record in records {
        place.write("record", &record);
        let file = place.path("record");
        let start = move || {
            let mut command = Command::new("sh");
            // What the host says is read first: a child that is gone before that would be another test.
            let script = format!("head -c {greeted} > /dev/null; cat {}; cat > /dev/null", file.display());
            command.arg("-c").arg(script).stderr(Stdio::piped());

            command
        };
        let mut agent = Agent::new(start).with_patience(Duration::from_millis(400));
        let asked = agent.ask(&Frame::Batch { subject: 0, port: 0, programs: programs() });
        let is_good = matches!(&asked, Ok(Frame::Results(results)) if results.len() == programs().len());
        assert!(!is_good, "{}: {asked:?}", record.escape_ascii());
        let whole = agent.batch(Batch { subject: 0, port: 0, programs: &programs() });
        let is_good = matches!(&whole, Ok(outcomes) if outcomes.len() != programs().len());
        assert!(!is_good, "an outcome for each program, or none: {whole:?}");
        if let Err(AgentError::Garbled(what)) = whole {
            assert!(what.len() < 200, "{what}");
        }
    }
    println!("agent: {count} records played by a child: every one refused, none waited for longer than its deadline");
}

fn tally(bytes: &[u8], chunk: usize) -> Tally {
    let mut tally = Tally::default();
    bytes.chunks(chunk).for_each(|chunk| tally.feed(chunk));
    tally
}

#[test]
fn a_test_log_counts_what_it_says_and_shows_where_it_was_cut() {
    let whole = tally(TESTS.as_bytes(), usize::MAX);
    assert_eq!((whole.ran(), whole.failed, whole.cut_short(), whole.begun), (35, 0, 0, 8));
    let last = TESTS.trim_end().len();
    for cut in 0..last {
        let found = tally(&TESTS.as_bytes()[..cut], usize::MAX);
        assert!(found.ended < whole.ended && found.ran() <= whole.ran(), "{cut} bytes: {found:?}");
        let inside = found.begun > found.ended;
        assert_eq!(found.cut_short() > 0, inside, "{cut} bytes: a binary without a result is noticed");
    }
    let mut random = Random::new(3);
    for number in 0..MANY {
        let bytes = garbled(TESTS.as_bytes(), &mut random);
        let found = tally(&bytes, usize::MAX);
        assert_eq!(tally(&bytes, 1 + random.below(50) as usize), found, "{number}: however it is cut into chunks");
        assert!(found.begun <= whole.begun && found.ended <= whole.ended, "{number}: {found:?}");
    }
    println!("test log: 1 good, {last} cut, {MANY} garbled");
}

#[test]
fn a_fuzzers_log_says_how_far_it_came_and_how_it_died() {
    let cause = "panicked at src/output.rs:56:9 found I4-enable-between-zoo-arm64-softirq-pte";
    let whole = death(FUZZER).expect("a death");
    assert_eq!(whole.what, cause);
    assert_eq!(whole.artifact.as_deref(), Some("./crash-d32b30188c25eaf0647518e2c7f3fd987a93978d"));
    let last = |text: &str| text.lines().filter_map(pulse).next_back();
    let far = last(FUZZER).expect("a status");
    assert_eq!((far.executions, far.coverage, far.features, far.corpus), (13, 719, 1485, 12));
    for cut in 0..FUZZER.len() {
        let text = &FUZZER[..cut];
        // The line that is being written is not looked at.
        let lines = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        assert!(last(lines).is_none_or(|pulse| pulse.executions <= far.executions), "{cut} bytes");
        let artifact = death(lines).and_then(|death| death.artifact);
        assert!(artifact.is_none() || artifact == whole.artifact, "{cut} bytes: {artifact:?}");
    }
    let mut random = Random::new(4);
    for _ in 0..MANY {
        let bytes = garbled(FUZZER.as_bytes(), &mut random);
        let text = String::from_utf8_lossy(&bytes);
        let _ = (death(&text), last(&text));
    }
    println!("libFuzzer's log: 1 good, {} cut, {MANY} garbled", FUZZER.len());
}

/// What kernels recorded: a compressed file that was cut is none, wherever the cut is.
#[test]
fn a_recorded_trace_that_was_cut_or_garbled_is_refused() {
    let place = Place::new("traces");
    let folder = fs::read_dir(root().join("harness/traces")).expect("the traces").flatten();
    let files = folder.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "xz"));
    let mut random = Random::new(5);
    let (mut good, mut cut, mut bad) = (0, 0, 0);
    for path in files {
        let whole = trace_file::replay(&path, "whole").expect("a good trace").to_string();
        good += 1;
        let bytes = fs::read(&path).expect("a file");
        let file = place.path("trace");
        let replay = |bytes: &[u8]| {
            fs::write(&file, bytes).expect("a file");
            trace_file::replay(&file, "whole").map(|summary| summary.to_string())
        };
        for at in [0, 1, 5, 6, 12, bytes.len() / 3, bytes.len() - 1] {
            let error = replay(&bytes[..at]).expect_err("what was cut is no trace").to_string();
            assert!(!error.is_empty());
            cut += 1;
        }
        for _ in 0..3 {
            let mut bytes = bytes.clone();
            let at = random.below(bytes.len() as u32) as usize;
            bytes[at] ^= 1 << random.below(8);
            // Some bits of the format say nothing: then it is the same trace.
            assert!(replay(&bytes).map_or(true, |summary| summary == whole), "byte {at}");
            bad += 1;
        }
    }
    assert_eq!(good, 4, "every recorded trace");
    println!("kernel traces: {good} good, {cut} cut, {bad} garbled");
}

/// What a child says last, when it is cut in the middle of a line or a character, is text all the same.
#[test]
fn a_line_that_is_no_text_is_read_as_one() {
    let mut command = Command::new("printf");
    command.arg("one\\n\\377\\376two\\nthr");
    let mut child = Child::spawn(command).expect("it starts");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let mut line = || child.read_line(deadline).expect("a line");
    assert_eq!(line().as_deref(), Some("one"));
    assert_eq!(line().as_deref(), Some("\u{fffd}\u{fffd}two"));
    assert_eq!(line().as_deref(), Some("thr"));
    assert_eq!(line(), None);
}
