//! That each function holds the instruction it is named after, and that user mode may execute it.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::insn::{Isa, Reach};
use crate::x86_64::decode::{Found, decode};

const FUNCTIONS: [(Op, fn()); 4] =
    [(Op::Mfence, mfence), (Op::Lfence, lfence), (Op::Sfence, sfence), (Op::LockXadd, lock_xadd)];

/// Where a function ends.
const RET: u8 = 0xc3;

/// The bytes of a function up to its first `ret`; none of these functions has that byte inside an instruction.
fn code(function: fn()) -> Vec<u8> {
    let start = function as *const u8;
    // SAFETY: the pointer is that of a function of section `privop`, which is mapped for reading; every such function
    // ends in a `ret`, and nothing behind the first one is read.
    (0..64).map(|i| unsafe { start.add(i).read() }).take_while(|&byte| byte != RET).collect()
}

#[test]
fn each_function_holds_its_instruction_and_no_other() {
    for (op, function) in FUNCTIONS {
        let code = code(function);
        // A LOCK prefix may be missed by reading on: an instruction that was found is skipped as a whole.
        let (mut at, mut held) = (0, Vec::new());
        while at < code.len() {
            match decode(&code[at..]) {
                Some((found, length)) => {
                    held.push(found);
                    at += length;
                }
                None => at += 1,
            }
        }
        assert_eq!(held, [Found::Op(op)], "{code:x?}");
    }
}

#[test]
fn each_executes() {
    for &op in Op::ALL {
        let ours = op.isa() == Isa::X86_64 && op.reach() == Reach::Unprivileged;
        assert_eq!(execute(Insn::plain(op)), ours, "{op:?}");
        assert_eq!(crate::asm::execute(Insn::plain(op)), ours, "{op:?}");
        assert_eq!(FUNCTIONS.iter().any(|entry| entry.0 == op), ours, "{op:?}");
    }
}
