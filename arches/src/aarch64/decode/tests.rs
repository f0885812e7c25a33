//! Every word both ways, and the operand vectors of the specification.

use super::*;
use crate::insn::{Isa, Reach};

/// An operation on something in memory is many instructions, and has no word: the atomics on a thread flag.
#[test]
fn every_instruction_of_the_architecture_has_a_word_and_it_decodes() {
    for &op in Op::ALL {
        let ours = op.isa() == Isa::Aarch64 && op.reach() != Reach::Table;
        assert_eq!(word(op).is_some(), ours, "{op:?}");
        let Some(word) = word(op) else { continue };
        let decoded = decode(word).expect("a word that was encoded");
        assert_eq!(decoded.op, op);
        assert!(matches!(decoded.register, None | Some(0)));
    }
}

/// Words that an assembler made: instruction, its word, the register.
#[test]
fn words_of_an_assembler() {
    for (word, op, register) in [
        (0xd503_3a9f, Op::DsbIshst, None),
        (0xd503_3b9f, Op::DsbIsh, None),
        (0xd503_369f, Op::DsbNshst, None),
        (0xd503_379f, Op::DsbNsh, None),
        (0xd503_3fdf, Op::Isb, None),
        (0xd508_83a0, Op::TlbiVale1is, Some(0)),
        (0xd508_8329, Op::TlbiVae1is, Some(9)),
        (0xd508_83ff, Op::TlbiVaale1is, Some(31)),
        (0xd508_8345, Op::TlbiAside1is, Some(5)),
        (0xd508_831f, Op::TlbiVmalle1is, None),
    ] {
        assert_eq!(decode(word), Some(Decoded { op, register }), "{word:#x}");
    }
}

/// dmb ish, dsb sy, tlbi vmalle1, tlbi rvae1is, ret, a nop, udf: not what a backend asks for.
#[test]
fn other_words_are_nothing() {
    for word in [0xd503_3bbf, 0xd503_3f9f, 0xd508_871f, 0xd508_8220, RET, 0xd503_201f, 7, 0xd508_8300] {
        assert_eq!(decode(word), None, "{word:#x}");
    }
}

#[test]
fn operand_vectors() {
    let va = 0x0000_ffff_8765_4000;
    assert_eq!(operand_va(va, 0x22, NO_LEVEL), 0x0022_000f_fff8_7654);
    assert_eq!(operand_va(va, 0x22, ttl_4k(3)), 0x0022_700f_fff8_7654);
    assert_eq!(operand_va(va, 0x23, ttl_4k(3)), 0x0023_700f_fff8_7654);
    assert_eq!(operand_va(0x0040_0000 + (66 << 12), 0x22, ttl_4k(3)), 0x0022_7000_0000_0442);
    assert_eq!(operand_asid(0x22), 0x0022_0000_0000_0000);
    assert_eq!([1, 2, 3].map(ttl_4k), [0b0101, 0b0110, 0b0111]);
}

#[test]
fn an_operand_comes_apart_as_it_was_put_together() {
    for va in [0, 0x1000, 0x0000_ffff_8765_4000, 0xffff_8000_8123_4000, 0xffff_ffff_ffff_f000] {
        for asid in [0, 1, 0x22, u16::MAX] {
            for ttl in [NO_LEVEL, ttl_4k(1), ttl_4k(3)] {
                assert_eq!(operand(operand_va(va | 0xabc, asid, ttl)), Operand { asid, ttl, va });
            }
        }
    }
}
