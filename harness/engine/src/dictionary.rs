//! Dictionaries for a fuzzer that changes bytes: records of programs, words of their text, words of kernel traces.
//!
//! Each is the text of a file in libFuzzer's form: a line is `name="value"`, where a value is 1 to 64 bytes and what is
//! no plain character of it is `\xNN`. Everything comes from the tables that read or print the format, so that a new
//! operation is in the dictionary by being in the language. Called by `lazymmu corpus`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::program::bytes::{KINDS, decode_op, record};
use crate::program::mutate::{CAPACITIES, REPEATS};
use crate::program::{Block, CPUS, FRAMES, LOCKS, Op, Pages, TASKS, text};
use crate::replay;

/// The longest value that libFuzzer takes.
const LONGEST: usize = 64;

/// Bytes of programs: each operation, and those on pages with each number of them at which something fills.
#[must_use]
pub fn records() -> String {
    let entries = representatives().into_iter().map(|op| (op.to_string(), record(op).to_vec()));
    file("records of programs, six bytes an operation", entries)
}

/// Text of programs: each word, and each operation as a line.
#[must_use]
pub fn words() -> String {
    let numbered = |prefix: &'static str, below: u16| (0..below).map(move |n| format!("{prefix}{n}"));
    let counts = CAPACITIES.into_iter().map(|count| format!("x{count}"));
    let limits = [u16::from(LOCKS), u16::from(CPUS), FRAMES, lazy_mmu_arches::page::PAGES].map(|n| (n - 1).to_string());
    let words = text::words().map(str::to_owned).chain(numbered("T", TASKS.into())).chain(counts).chain(limits);
    let signs = [" {\n", "\n}\n", "; ", "# "].map(str::to_owned);
    let lines = representatives().into_iter().map(|op| match op {
        Op::Open(_) => format!("{op}\n}}\n"),
        op => format!("{op}\n"),
    });
    let all = words.chain(signs).chain(lines);
    file("words and lines of programs", all.map(|word| (word.clone(), word.into_bytes())))
}

/// Text of kernel traces: the events, and what is heeded in a header.
#[must_use]
pub fn trace() -> String {
    let words = replay::words().map(|word| (word.to_owned(), word.as_bytes().to_vec()));
    let ends = ["\n", " 0 0\n", " 1 0\n", " 0 1\n", " 255 0\n", " 0 255\n", "# "];
    let ends = ends.map(|end| (format!("end{end}"), end.as_bytes().to_vec()));
    file("words of kernel traces", words.chain(ends))
}

/// One of each operation, and of those with a number one for each that matters.
fn representatives() -> Vec<Op> {
    let one_of_each = (0..KINDS).map(|kind| decode_op([kind, 0, 0, 0, 1, 0]));
    let mut all: Vec<Op> = Vec::new();
    for op in one_of_each {
        match op {
            Op::Open(Block::Repeat(_)) => all.extend(REPEATS.map(|times| Op::Open(Block::Repeat(times)))),
            Op::Set(one, protection) => {
                all.extend(CAPACITIES.map(|count| Op::Set(Pages { count, ..one }, protection)));
            }
            Op::Clear(one) => all.extend(CAPACITIES.map(|count| Op::Clear(Pages { count, ..one }))),
            op if all.contains(&op) => {}
            op => all.push(op),
        }
    }
    all
}

/// A dictionary's text: each value once, in the order of the entries.
fn file(about: &str, entries: impl Iterator<Item = (String, Vec<u8>)>) -> String {
    let mut text = format!("# {about}; made by `cargo lazymmu corpus`\n");
    let mut seen = BTreeSet::new();
    for (name, value) in entries {
        if (1..=LONGEST).contains(&value.len()) && seen.insert(value.clone()) {
            line(&mut text, &name, &value);
        }
    }
    text
}

fn line(text: &mut String, name: &str, value: &[u8]) {
    text.extend(name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    text.push_str("=\"");
    for &byte in value {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(byte.into());
            }
            b' '..=b'~' => text.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text.push_str("\"\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::bytes::{RECORD, decode};
    use crate::program::text::parse;

    /// The values of a dictionary, read as libFuzzer reads them: what lies between the first and the last quote.
    fn values(dictionary: &str) -> Vec<Vec<u8>> {
        let entries = dictionary.lines().filter(|line| !line.starts_with('#'));
        entries.map(|line| value(line).unwrap_or_else(|| panic!("no entry of a dictionary: {line}"))).collect()
    }

    fn value(line: &str) -> Option<Vec<u8>> {
        let (name, rest) = line.split_once("=\"")?;
        let mut rest = rest.strip_suffix('"')?;
        let mut value = Vec::new();
        while let Some(c) = rest.chars().next() {
            let (byte, taken) = match c {
                '\\' if rest.starts_with("\\x") => (u8::from_str_radix(rest.get(2..4)?, 16).ok()?, 4),
                '\\' if rest.starts_with("\\\\") || rest.starts_with("\\\"") => (rest.as_bytes()[1], 2),
                '\\' | '"' => return None,
                c if c.is_ascii_graphic() || c == ' ' => (c as u8, 1),
                _ => return None,
            };
            value.push(byte);
            rest = &rest[taken..];
        }
        let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (named && (1..=LONGEST).contains(&value.len())).then_some(value)
    }

    #[test]
    fn every_line_is_one_that_libfuzzer_reads() {
        for dictionary in [records(), words(), trace()] {
            let values = values(&dictionary);
            assert!(values.len() > 25, "{dictionary}");
            let distinct: BTreeSet<_> = values.iter().collect();
            assert_eq!(distinct.len(), values.len(), "{dictionary}");
        }
    }

    #[test]
    fn every_record_is_that_of_its_operation_and_no_operation_is_missing() {
        let ops: Vec<Op> = values(&records()).iter().map(|value| only(value)).collect();
        assert_eq!(ops, representatives());
        for kind in 0..KINDS {
            let name = |op: Op| op.to_string().split(' ').next().unwrap_or_default().to_owned();
            let wanted = name(decode_op([kind, 0, 0, 0, 1, 0]));
            assert!(ops.iter().any(|&op| name(op) == wanted), "{wanted} is missing");
        }
    }

    /// The one operation of a record. A close is the end of whatever is open.
    fn only(value: &[u8]) -> Op {
        assert_eq!(value.len(), RECORD);
        let opened = decode(&[&record(Op::Open(Block::Irq))[..], value].concat());
        let op = opened.ops()[1];
        assert_eq!(record(op), value, "{op}: another record");
        op
    }

    /// Each word of the parser's tables and of the printer's output is there; the lines are lines of programs.
    #[test]
    fn the_words_are_those_of_the_language() {
        let values = values(&words());
        for word in text::words() {
            assert!(values.iter().any(|value| value == word.as_bytes()), "{word}");
        }
        for op in representatives() {
            let printed = op.to_string();
            for word in printed.split(' ').filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit())) {
                let holds = |value: &Vec<u8>| value.windows(word.len()).any(|part| part == word.as_bytes());
                assert!(values.iter().any(holds), "{op}: {word}");
            }
        }
        let lines = values.iter().filter(|value| value.ends_with(b"\n") && value[0].is_ascii_lowercase());
        let lines: Vec<_> = lines.map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        assert!(lines.len() > 80, "{lines:?}");
        lines.iter().for_each(|line| assert!(parse(line).is_ok(), "{line}"));
    }

    #[test]
    fn the_traces_words_are_events_and_labels() {
        let values = values(&trace());
        for word in ["enable", "mc_flush", "queue_emitted", "lazy MMU mode trace:", "kernel:", "sparc64", "radix"] {
            assert!(values.iter().any(|value| value == word.as_bytes()), "{word}");
        }
    }
}
