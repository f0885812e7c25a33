//! Instruction bytes both ways, and the structures of hypercalls.

use super::*;
use crate::insn::{Isa, Reach};

#[test]
fn every_instruction_of_the_architecture_has_bytes_and_they_decode() {
    for &op in Op::ALL {
        let Some(code) = bytes(op) else {
            assert!(op.isa() != Isa::X86_64 || op.reach() == Reach::Table, "{op:?} has no bytes");
            continue;
        };
        assert_eq!(op.isa(), Isa::X86_64);
        let (found, length) = decode(code).expect("bytes that were encoded");
        assert_eq!(length, code.len());
        let hypercall = [Hypercall::MmuUpdate, Hypercall::MmuextOp, Hypercall::Multicall].map(Hypercall::op);
        assert_eq!(found, if hypercall.contains(&op) { Found::Syscall } else { Found::Op(op) });
    }
}

/// Code that an assembler made, what is in it, how long it is; a `ret` follows each.
#[rustfmt::skip]
const CODE: &[(&[u8], Found, usize)] = &[
    (&[0x0f, 0xae, 0xf0, 0xc3], Found::Op(Op::Mfence), 3),
    // lock xadd [rsp - 8], rax; lock xadd [rax], ecx; lock xadd [rip + 16], r8
    (&[0xf0, 0x48, 0x0f, 0xc1, 0x44, 0x24, 0xf8, 0xc3], Found::Op(Op::LockXadd), 7),
    (&[0xf0, 0x0f, 0xc1, 0x08, 0xc3], Found::Op(Op::LockXadd), 4),
    (&[0xf0, 0x4c, 0x0f, 0xc1, 0x05, 0x10, 0x00, 0x00, 0x00, 0xc3], Found::Op(Op::LockXadd), 9),
    // invlpg [rax]; [r8]; [rax + 8 * rcx + 0x1000]; [8 * rcx + 0x1000]
    (&[0x0f, 0x01, 0x38, 0xc3], Found::Op(Op::Invlpg), 3),
    (&[0x41, 0x0f, 0x01, 0x38, 0xc3], Found::Op(Op::Invlpg), 4),
    (&[0x0f, 0x01, 0xbc, 0xc8, 0x00, 0x10, 0x00, 0x00, 0xc3], Found::Op(Op::Invlpg), 8),
    (&[0x0f, 0x01, 0x3c, 0xcd, 0x00, 0x10, 0x00, 0x00, 0xc3], Found::Op(Op::Invlpg), 8),
    // mov cr3, rdi; mov cr3, r9
    (&[0x0f, 0x22, 0xdf, 0xc3], Found::Op(Op::MovCr3), 3),
    (&[0x41, 0x0f, 0x22, 0xd9, 0xc3], Found::Op(Op::MovCr3), 4),
    (&[0x0f, 0x05, 0xc3], Found::Syscall, 2),
];

#[test]
fn code_of_an_assembler() {
    for &(code, found, length) in CODE {
        assert_eq!(decode(code), Some((found, length)), "{code:x?}");
        assert_eq!(decode(&code[..length - 1]), None, "cut short: {code:x?}");
    }
}

/// Nothing, ret, mov cr4, mov r, cr3, xadd without lock, lock cmpxchg, lock xadd of a register (which faults), swapgs,
/// invlpgb, tlbsync, clflush, a fence with a prefix that it has no use for, pause, sgdt.
#[test]
fn other_code_is_nothing() {
    let others: [&[u8]; 14] = [
        &[],
        &[0xc3],
        &[0x0f, 0x22, 0xe0],
        &[0x0f, 0x20, 0xd8],
        &[0x48, 0x0f, 0xc1, 0x07],
        &[0xf0, 0x48, 0x0f, 0xb1, 0x07],
        &[0xf0, 0x48, 0x0f, 0xc1, 0xc7],
        &[0x0f, 0x01, 0xf8],
        &[0x0f, 0x01, 0xfe],
        &[0x0f, 0x01, 0xff],
        &[0x0f, 0xae, 0x3f],
        &[0x48, 0x0f, 0xae, 0xf0],
        &[0xf3, 0x90],
        &[0x0f, 0x01, 0x00],
    ];
    for code in others {
        assert_eq!(decode(code), None, "{code:x?}");
    }
}

#[test]
fn hypercalls_have_their_numbers() {
    for (number, call, op) in [
        (1, Hypercall::MmuUpdate, Op::HcMmuUpdate),
        (13, Hypercall::Multicall, Op::HcMulticall),
        (26, Hypercall::MmuextOp, Op::HcMmuextOp),
    ] {
        assert_eq!((call.number(), call.op(), Hypercall::from_number(number)), (number, op, Some(call)));
    }
    assert_eq!(Hypercall::from_number(14), None);
}

#[test]
fn an_update_comes_apart_as_it_was_put_together() {
    for address in [0, 8, 0x8_0000, 0x000f_ffff_ffff_fff8] {
        for update in [Update::Normal, Update::MachPhys, Update::PreserveAd, Update::NoTranslate] {
            assert_eq!(update_parts(update_pointer(address, update)), (address, update));
        }
    }
    assert_eq!(update_pointer(0x1238, Update::PreserveAd), 0x123a);
}
