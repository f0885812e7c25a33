//! What the minimiser leaves, and what it may cost.

use super::super::text::parse;
use super::*;

#[test]
fn what_matters_is_left() {
    let program = parse(
        "set U 1 x7 huge; irq { enable; set K 300 x90 }; enable; repeat 9 { pause; resume }; switch T1; access U 3",
    )
    .unwrap();
    let has = |p: &Program| {
        let many = p.ops().iter().any(|op| matches!(op, Op::Set(pages, _) if pages.count >= 5));
        many && p.ops().contains(&Op::Open(Block::Irq))
    };
    assert_eq!(minimise(&program, has).to_string(), "set U 0 x5\nirq {\n}\n");
}

#[test]
fn a_block_that_does_not_matter_goes_and_what_is_in_it_stays() {
    let program = parse("irq { enable; repeat 3 { query; pause } }; set K 900 x7 huge").unwrap();
    let pauses = |p: &Program| p.ops().contains(&Op::Pause);
    assert_eq!(minimise(&program, pauses).to_string(), "pause\n");
    let far = |p: &Program| p.ops().iter().any(|op| matches!(op, Op::Set(pages, _) if pages.first >= 800));
    assert_eq!(minimise(&program, far).to_string(), "set K 900\n");
}

#[test]
fn a_pair_that_is_all_the_rest_goes() {
    let program = parse("enable; irq { query }; disable").unwrap();
    let only = parse("enable").unwrap();
    assert_eq!(minimise(&program, |program| *program == only), only);
}

#[test]
fn an_empty_program_is_never_the_answer() {
    let program = parse("enable; disable").unwrap();
    assert_eq!(minimise(&program, |_| true).ops().len(), 1);
    assert_eq!(minimise(&program, |_| false), program);
}

/// Two operations that must be about the same page, lock, task or frame are renamed together.
#[test]
fn what_belongs_together_is_renamed_together() {
    let program = parse("cpu 1; set V 77 x3 read; nmi { clear V 78 }; lock 2; unlock 2; fork T6; preempt T6").unwrap();
    let kept = |p: &Program| {
        let set = p.ops().iter().find_map(|op| if let Op::Set(pages, _) = op { Some(*pages) } else { None });
        let clear = p.ops().iter().find_map(|op| if let Op::Clear(pages) = op { Some(*pages) } else { None });
        let locks = p.ops().iter().filter_map(|op| if let Op::Lock(n) | Op::Unlock(n) = op { Some(n) } else { None });
        let locks: Vec<_> = locks.collect();
        let same = set.zip(clear).is_some_and(|(s, c)| s.mm == c.mm && c.first == s.first + 1 && s.count == 3);
        same && locks.len() == 2 && locks[0] == locks[1] && p.ops().contains(&Op::Cpu(1))
    };
    assert_eq!(minimise(&program, kept).to_string(), "cpu 1\nset U 0 x3\nclear U 1\nlock 0\nunlock 0\n");
}

/// A defect at the end of 4,096 operations that needs two of them costs far less than the bound; where all of them
/// matter, the bound holds.
#[test]
fn the_work_is_bounded() {
    let mut ops = vec![Op::Query; 4096];
    (ops[1000], ops[3000]) = (Op::Pause, Op::Resume);
    let program = Program::new(ops).unwrap();
    let (mut runs, mut operations) = (0u64, 0u64);
    let small = minimise(&program, |p| {
        (runs, operations) = (runs + 1, operations + p.ops().len() as u64);
        let at = p.ops().iter().position(|op| *op == Op::Pause);
        at.is_some_and(|at| p.ops()[at..].contains(&Op::Resume))
    });
    assert_eq!(small.to_string(), "pause\nresume\n");
    assert!(runs < 200 && operations < 40_000, "{runs} runs of {operations} operations");

    let all = Program::new(vec![Op::Query; 65_536]).unwrap();
    let mut operations = 0u64;
    let same = within(&all, 1_000_000, |p| {
        operations += p.ops().len() as u64;
        false
    });
    assert!(same == all && operations <= 1_000_000, "{operations}");
}

#[test]
fn a_repeated_block_weighs_what_it_runs() {
    for (text, expected) in
        [("enable", 1), ("repeat 3 { set K 0 x9 }", 1 + 3 * 10 + 1), ("repeat 1000 { repeat 1000 { query } }", 65_536)]
    {
        let found = weight(&parse(text).unwrap());
        assert!(found.abs_diff(expected) <= 3, "{text}: {found}");
    }
}
