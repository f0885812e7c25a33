//! That each function holds the instruction it is named after, and that user mode may execute it.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::aarch64::decode::{RET, decode};
use crate::insn::{Isa, Reach};

const FUNCTIONS: [(Op, fn()); 5] = [
    (Op::DsbIshst, dsb_ishst),
    (Op::DsbIsh, dsb_ish),
    (Op::DsbNshst, dsb_nshst),
    (Op::DsbNsh, dsb_nsh),
    (Op::Isb, isb),
];

/// The words of a function, its `ret` excluded.
fn words(function: fn()) -> Vec<u32> {
    let start = function as *const u32;
    // SAFETY: the pointer is that of a function of section `privop`, which is mapped for reading; every such function
    // ends in a `ret`, and nothing behind the first one is read.
    (0..64).map(|i| unsafe { start.add(i).read() }).take_while(|&word| word != RET).collect()
}

#[test]
fn each_function_holds_its_instruction_and_no_other() {
    for (op, function) in FUNCTIONS {
        let held: Vec<Op> = words(function).into_iter().filter_map(decode).map(|decoded| decoded.op).collect();
        assert_eq!(held, [op]);
    }
}

#[test]
fn each_executes() {
    for &op in Op::ALL {
        let ours = op.isa() == Isa::Aarch64 && op.reach() == Reach::Unprivileged;
        assert_eq!(execute(Insn::plain(op)), ours, "{op:?}");
        assert_eq!(crate::asm::execute(Insn::plain(op)), ours, "{op:?}");
        assert_eq!(FUNCTIONS.iter().any(|entry| entry.0 == op), ours, "{op:?}");
    }
}
