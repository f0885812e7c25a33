//! Round trips at fixed seeds, and what a bad text is answered.

use super::generate::Random;
use super::*;

fn random_bytes(random: &mut Random, records: usize) -> Vec<u8> {
    (0..records * bytes::RECORD).map(|_| random.next() as u8).collect()
}

#[test]
fn every_byte_string_decodes_and_both_ways_back_are_exact() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let length = random.below(120) as usize;
        let mut input = random_bytes(&mut random, length);
        input.truncate(input.len().saturating_sub(random.below(6) as usize));
        let program = bytes::decode(&input);
        assert_eq!(bytes::decode(&bytes::encode(&program)), program, "bytes, seed {seed}");
        assert_eq!(text::parse(&program.to_string()), Ok(program), "text, seed {seed}");
    }
}

#[test]
fn every_operation_has_its_own_record_and_text() {
    let mut kinds = std::collections::BTreeSet::new();
    for kind in 0..=u8::MAX {
        let program = bytes::decode(&[kind, 13, 7, 1, 3, 0]);
        if let Some(op) = program.ops().first() {
            kinds.insert(op.to_string());
        }
    }
    assert_eq!(kinds.len(), 41, "{kinds:?}");
}

#[test]
fn limits_hold_for_any_bytes() {
    let deep = [39, 0, 0, 0, 0, 0].repeat(100);
    assert_eq!(bytes::decode(&deep).ops().len(), 2 * MAX_BETWEEN);
    let deeper = [36, 0, 0, 0, 0, 0].repeat(MAX_DEPTH + 9);
    assert_eq!(bytes::decode(&deeper).ops().len(), 2 * MAX_DEPTH);
    let long = [0, 0, 0, 0, 0, 0].repeat(MAX_OPS + 9);
    assert!(bytes::decode(&long).ops().len() <= MAX_OPS);
}

#[test]
fn a_text_may_be_dense_or_airy() {
    let dense = text::parse("enable between{switch T1;switch T0};set K 5 x193 huge read;irq{query}disable").unwrap();
    let airy = "# a comment\nenable between {\n  switch T1 # there\n  switch T0\n}\n\nset K 5 read huge x193\nirq {\n  query\n}\ndisable\n";
    assert_eq!(text::parse(airy).unwrap(), dense);
    assert_eq!(
        dense.to_string(),
        "enable between {\n  switch T1\n  switch T0\n}\nset K 5 x193 huge read\nirq {\n  query\n}\ndisable\n"
    );
}

#[test]
fn a_bad_text_is_answered_with_its_place() {
    let long = format!("enable\n{}", "x".repeat(90));
    #[rustfmt::skip]
    let cases: &[(&str, (usize, usize), &str)] = &[
        ("enable\nenabel", (2, 1), "unknown operation `enabel`; did you mean `enable`?"),
        ("set K", (1, 6), "`set` needs a page"),
        ("set Q 1", (1, 5), "`Q` is no address space: expected K, U or V"),
        ("set K 2048", (1, 7), "`2048` is no page: expected a number in 0..=2047"),
        ("set K 1 x513", (1, 9), "`513` is no number of pages: expected a number in 0..=512"),
        ("set K -1", (1, 7), "`-1` is no page: expected a number in 0..=2047"),
        ("clear K 1 read", (1, 11), "a protection is for `set` alone"),
        ("  switch T8", (1, 10), "`T8` is no task: expected T0 to T7"),
        ("migrate T1 2", (1, 12), "`2` is no CPU: expected a number in 0..=1"),
        ("enable disable", (1, 8), "`disable` was not expected: the operation ended before it"),
        ("irq {\n enable", (1, 1), "this block is never closed: a `}` is missing"),
        ("enable\n  }", (2, 3), "this `}` closes no block"),
        ("irq enable", (1, 5), "`irq` opens a block: a `{` is missing"),
        ("alloc 3 often", (1, 9), "`often` is none of plain, debug, sleep"),
        (&long, (2, 1), "unknown operation `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...`"),
    ];
    for (text, (line, column), message) in cases {
        let error = text::parse(text).unwrap_err();
        assert_eq!((error.line, error.column, error.message.as_str()), (*line, *column, *message), "{text}");
    }
}

#[test]
fn what_is_no_text_is_refused() {
    let nul = text::parse_bytes(b"enable\nset\0K").unwrap_err();
    assert_eq!((nul.line, nul.column, nul.message.as_str()), (2, 4, "byte 0x00 is not text"));
    let long = text::parse_bytes(&vec![b'e'; 10 << 20]).unwrap_err();
    assert_eq!((long.line, long.message.len() < 100), (1, true));
    let latin = text::parse_bytes(b"enable\n# \xe9").unwrap_err();
    assert_eq!((latin.line, latin.column), (2, 3));
    let many = "enable\n".repeat(MAX_OPS + 1);
    assert_eq!(text::parse(&many).unwrap_err().message, "a program has at most 65536 operations");
}
