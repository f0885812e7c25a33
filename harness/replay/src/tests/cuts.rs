//! Traces cut at any line and damaged at any byte: the reader answers, and a cut alone is no fault.
//!
//! The traces are the legal cases. Whatever a cut leaves is a partial capture, which some beginning and some end explain.

use super::{cases, replay};
use crate::Replay;
use lazy_mmu_program::generate::Random;

/// Damaged variants of each case.
const MANY: u32 = 60;

/// The whole legal cases: header and event lines.
fn legal() -> impl Iterator<Item = (&'static str, String, Vec<&'static str>)> {
    let whole = cases().filter(|case| case.verdict.starts_with("accepted") && !case.verdict.contains("\nassumed"));
    whole.map(|case| {
        let (header, events): (Vec<_>, Vec<_>) =
            case.trace.lines().partition(|line| line.trim_start().starts_with('#'));
        let arch = header.iter().filter(|line| line.contains("trace:") || line.contains("arch:"));
        (case.name, arch.map(|line| format!("{line}\n")).collect(), events)
    })
}

#[test]
fn a_trace_that_is_cut_at_both_ends_is_accepted() {
    let mut cuts = 0;
    for (name, header, events) in legal() {
        for begin in 0..events.len() {
            for end in begin + 1..=events.len() {
                // What begins at 0 is whole.
                let part = events[begin..end].join("\n");
                if begin > 0 && part.split(' ').next().is_some_and(|seq| seq != "0") && !part.trim().is_empty() {
                    let text = format!("{header}{part}\n");
                    replay(text.as_bytes()).unwrap_or_else(|rejection| panic!("{name}: {rejection}\n{text}"));
                    cuts += 1;
                }
            }
        }
    }
    assert!(cuts > 3000, "{cuts}");
}

#[test]
fn whatever_is_damaged_the_reader_answers() {
    let seed = 0x7ace;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    for case in cases() {
        for number in 0..MANY {
            let mut bytes = case.trace.as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len() as u32) as usize;
                match random.below(4) {
                    0 => bytes[at] = random.next() as u8,
                    1 => bytes.insert(at, b"0129 \n#\r\xff\0"[random.below(10) as usize]),
                    2 => drop(bytes.drain(at..(at + random.below(30) as usize).min(bytes.len()))),
                    _ => bytes.truncate(at.max(1)),
                }
                if bytes.is_empty() {
                    bytes.push(b'\n');
                }
            }
            let whole = replay(&bytes);
            let mut pieces = Replay::new("case");
            let fed = bytes.chunks(1 + number as usize).try_for_each(|chunk| pieces.feed(chunk));
            let cut = fed.and_then(|()| pieces.finish());
            assert_eq!(cut, whole, "{}, variant {number}: {}", case.name, bytes.escape_ascii());
            if let Ok(summary) = whole {
                assert!(summary.to_string().contains("verdict"), "{}", case.name);
            }
        }
    }
}
