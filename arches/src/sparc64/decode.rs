//! Instruction words and operands: ASIs, demap addresses, TSB tags, and which word is which [`Op`].
//!
//! Not here: execution (`asm.rs`), the `%asi` form of loads and stores, MMU registers that no stream touches.
//! Called by the write path (operands), by the harness's machine (what an operand names) and by its trap handler
//! (words). Refs: The SPARC Architecture Manual V9, A.20 (flush), A.31 (membar), A.42 and A.62 (rdpr, wrpr), A.25
//! and A.57 (ldxa, stxa), A.61 (Tcc); UltraSPARC User's Manual, 15.10 (MMU demap) and table 8-1 (ASIs); UltraSPARC
//! Virtual Machine Specification, MMU_UNMAP_ADDR.

use crate::bits::disjoint;
use crate::insn::{Insn, Op};

/// `ASI_IMMU_DEMAP`.
pub const ASI_IMMU_DEMAP: u8 = 0x57;
/// `ASI_DMMU`: the data MMU's registers, among them the contexts.
pub const ASI_DMMU: u8 = 0x58;
/// `ASI_DMMU_DEMAP`.
pub const ASI_DMMU_DEMAP: u8 = 0x5f;
/// The secondary context's register in [`ASI_DMMU`].
pub const SECONDARY_CONTEXT: u64 = 0x10;
/// In a demap's address: the page in the secondary context.
pub const DEMAP_SECONDARY: u64 = 0x10;
/// In a demap's address: the page in the nucleus context, the kernel's.
pub const DEMAP_NUCLEUS: u64 = 0x20;
/// `PSTATE_IE`: interrupts are taken.
pub const PSTATE_IE: u64 = 0x2;
/// `KERNBASE`, which the streams flush to make a demap take effect.
pub const KERNBASE: u64 = 0x40_0000;
/// `HV_MMU_UNMAP_ADDR_TRAP`: the hypervisor's fast trap that removes one translation.
pub const MMU_UNMAP_ADDR: u8 = 0x84;
/// `HV_MMU_ALL`: of instructions and of data.
pub const HV_MMU_ALL: u64 = 3;

// A number and an address, in an operand; a page and a context; %o1 and %o2.
const _: () = assert!(disjoint(&[(u8::MAX as u64) << 56, (1 << 56) - 1]) && disjoint(&[!0 << 8, 0xff]));
const _: () = assert!(disjoint(&[!0x1fff, DEMAP_SECONDARY]) && disjoint(&[!0x1fff, DEMAP_NUCLEUS]));

/// An address in the low 56 bits of an operand, under a number (an ASI or a trap's) in the high 8.
///
/// Virtual addresses have 44 bits, those above are copies of the highest: nothing is lost ([`address`]).
#[must_use]
pub const fn operand(number: u8, address: u64) -> u64 {
    (number as u64) << 56 | address & ((1 << 56) - 1)
}

/// The number in an operand `a` of [`Op::Stxa`], [`Op::Ldxa`] and [`Op::Ta`].
#[must_use]
pub const fn number(a: u64) -> u8 {
    (a >> 56) as u8
}

/// The address in an operand `a` of [`Op::Stxa`], [`Op::Ldxa`] and [`Op::Ta`].
#[must_use]
pub const fn address(a: u64) -> u64 {
    ((a << 8) as i64 >> 8) as u64
}

/// The address of a page's demap: the page, and the context it is demapped from.
#[must_use]
pub const fn demap_address(vaddr: u64, context: u64) -> u64 {
    vaddr & !0x1fff | context
}

/// `b` of [`Op::Ta`]: %o1 and %o2.
#[must_use]
pub const fn trap_arguments(o1: u64, o2: u64) -> u64 {
    o1 << 8 | o2 & 0xff
}

/// The entry of a TSB of `entries` (a power of two) that an address may be in.
///
/// Source: `tsb_hash()` in `arch/sparc/mm/tsb.c`; bit 0 of a batch's address is no part of it.
#[must_use]
pub const fn tsb_index(vaddr: u64, hash_shift: u32, entries: u64) -> u64 {
    (vaddr & !1) >> hash_shift & (entries - 1)
}

/// The tag of an address in a TSB: `tag_compare()`, same file. The context is no part of it.
#[must_use]
pub const fn tsb_tag(vaddr: u64) -> u64 {
    vaddr >> 22
}

/// `TSB_TAG_INVALID_BIT` (`arch/sparc/include/asm/tsb.h`): the tag that matches nothing.
pub const TSB_INVALID: u64 = 1 << 46;

/// The second operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// A register.
    Register(u8),
    /// A number of 13 bits, sign-extended.
    Immediate(i16),
}

/// One instruction word, taken apart. Registers are 0 to 31: %g, %o, %l, %i.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Which instruction.
    pub op: Op,
    /// `rd`: what is stored or loaded.
    pub rd: u8,
    /// `rs1`.
    pub rs1: u8,
    /// `rs2` or a constant.
    pub second: Second,
    /// The ASI, or the trap's number.
    pub number: u8,
}

/// What an instruction's word has besides its fixed bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing.
    Fixed,
    /// `rd`, and the fixed rest: rdpr.
    Rd,
    /// `rs1` and the second operand, a register or a constant: flush, wrpr.
    Address,
    /// `rd`, `rs1`, `rs2` and the ASI: ldxa, stxa.
    Asi,
    /// A trap's number.
    Trap,
}

const RD: u32 = 0x1f << 25;
const RS1: u32 = 0x1f << 14;
const I: u32 = 1 << 13;
const LOW: u32 = 0x1fff;

// The fields of a word: with a constant, with an ASI and a register, with a trap's number. The places of the registers
// have room for all that fits in `rs1`.
const _: () = assert!(disjoint(&[RD as u64, RS1 as u64, I as u64, LOW as u64]));
const _: () = assert!(disjoint(&[RD as u64, (u8::MAX as u64) << 14, I as u64, (u8::MAX as u64) << 5, 0x1f]));

const WORDS: [(u32, Form, Op); 9] = [
    (0x8143_e040, Form::Fixed, Op::MembarSync),
    (0x8143_e002, Form::Fixed, Op::MembarStoreLoad),
    (0x81d8_0000, Form::Address, Op::Flush),
    (0xc0f0_0000, Form::Asi, Op::Stxa),
    (0xc0d8_0000, Form::Asi, Op::Ldxa),
    (0x8151_8000, Form::Rd, Op::RdprPstate),
    (0x8d90_0000, Form::Address, Op::WrprPstate),
    (0x8f90_0000, Form::Address, Op::WrprTl),
    (0x91d0_2000, Form::Trap, Op::Ta),
];

impl Form {
    /// The bits that are an operand's.
    const fn operands(self) -> u32 {
        match self {
            Form::Fixed => 0,
            Form::Rd => RD,
            Form::Address => RS1 | I | LOW,
            Form::Asi => RD | RS1 | LOW,
            Form::Trap => 0xff,
        }
    }
}

/// What a word is, if it is one of the instructions this backend uses.
#[must_use]
pub fn decode(word: u32) -> Option<Decoded> {
    let (_, form, op) = WORDS.iter().find(|(base, form, _)| *base == word & !form.operands())?;
    let mut decoded = Decoded { op: *op, rd: 0, rs1: 0, second: Second::Register(0), number: 0 };
    let fields = word & form.operands();
    match form {
        Form::Fixed => {}
        Form::Rd | Form::Asi | Form::Address => {
            decoded.rd = (fields >> 25) as u8;
            decoded.rs1 = (fields >> 14 & 0x1f) as u8;
            decoded.second = match fields & I {
                0 => Second::Register((fields & 0x1f) as u8),
                _ => Second::Immediate(((fields << 3) as i16) >> 3),
            };
            decoded.number = (fields >> 5) as u8;
        }
        Form::Trap => decoded.number = fields as u8,
    }
    if *form != Form::Asi && *form != Form::Trap {
        decoded.number = 0;
    }
    // Bits 12 to 5 of a register operand are zero where they are no ASI.
    (decoded.word() == Some(word)).then_some(decoded)
}

impl Decoded {
    /// The word this is, if `op` has one.
    #[must_use]
    pub fn word(self) -> Option<u32> {
        let (base, form, _) = WORDS.iter().find(|(_, _, op)| *op == self.op)?;
        let second = match self.second {
            Second::Register(rs2) => u32::from(rs2 & 0x1f),
            Second::Immediate(simm) => I | simm as u32 & LOW,
        };
        let fields = match form {
            Form::Trap => u32::from(self.number),
            Form::Asi => u32::from(self.number) << 5 | second & 0x1f,
            _ => second,
        };
        let registers = u32::from(self.rd) << 25 | u32::from(self.rs1) << 14;
        Some(base | (registers | fields) & form.operands())
    }

    /// The instruction with its operands, `register` telling what each holds; %g0 is 0 without being asked.
    #[must_use]
    pub fn insn(self, register: impl Fn(u8) -> u64) -> Insn {
        let register = |n: u8| if n == 0 { 0 } else { register(n) };
        let first = register(self.rs1);
        let second = match self.second {
            Second::Register(rs2) => register(rs2),
            Second::Immediate(simm) => simm as i64 as u64,
        };
        let (a, b) = match self.op {
            Op::Flush => (first.wrapping_add(second), 0),
            Op::Stxa => (operand(self.number, first.wrapping_add(second)), register(self.rd)),
            Op::Ldxa => (operand(self.number, first.wrapping_add(second)), 0),
            Op::WrprPstate | Op::WrprTl => (first ^ second, 0),
            Op::Ta => (operand(self.number, register(8)), trap_arguments(register(9), register(10))),
            _ => (0, 0),
        };
        Insn { op: self.op, a, b }
    }

    /// The register that receives the result: `rd`, or %o0 of a trap (its status); none where it is %g0.
    #[must_use]
    pub fn destination(self) -> Option<u8> {
        match self.op {
            Op::RdprPstate | Op::Ldxa => Some(self.rd).filter(|rd| *rd != 0),
            Op::Ta => Some(8),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_of_the_specification() {
        // spec/arch.md 4.2 and 4.3, and the flush of three pages in the probes.
        assert_eq!((tsb_index(0x7000_2001, 13, 512), tsb_tag(0x7000_2001)), (1, 0x1c0));
        assert_eq!(demap_address(0x7000_4001, DEMAP_SECONDARY), 0x7000_4010);
        assert_eq!(operand(ASI_DMMU_DEMAP, 0x7000_4010), 0x5f00_0000_7000_4010);
        assert_eq!(operand(MMU_UNMAP_ADDR, 0x7000_4000), 0x8400_0000_7000_4000);
        for vaddr in [0, 0x7000_4010, 0x7ff_ffff_e000, 0xffff_f800_0000_2020] {
            assert_eq!((number(operand(0x57, vaddr)), address(operand(0x57, vaddr))), (0x57, vaddr));
        }
        assert_eq!(trap_arguments(0x1a5, HV_MMU_ALL), 0x1_a503);
        let index = [0x7000_4000, 0x7000_6001, 0x703f_e000, 0x7040_0000].map(|vaddr| tsb_index(vaddr, 13, 512));
        assert_eq!(index, [2, 3, 511, 0]);
        assert!(TSB_INVALID == 0x4000_0000_0000 && tsb_tag(u64::MAX) < TSB_INVALID, "no address has that tag");
    }

    #[test]
    fn words_of_the_specification() {
        let words = [
            (0x8143_e040, Op::MembarSync),
            (0x8143_e002, Op::MembarStoreLoad),
            (0x81db_0000, Op::Flush),      // flush %o4
            (0x81db_2008, Op::Flush),      // flush %o4 + 8
            (0xc0f2_cbe0, Op::Stxa),       // stxa %g0, [%o3] 0x5f
            (0xd0f3_0b00, Op::Stxa),       // stxa %o0, [%o4] 0x58
            (0xc4db_0b00, Op::Ldxa),       // ldxa [%o4] 0x58, %g2
            (0x8751_8000, Op::RdprPstate), // rdpr %pstate, %g3
            (0x8d90_8000, Op::WrprPstate), // wrpr %g2, %pstate
            (0x8d90_e000, Op::WrprPstate), // wrpr %g3, 0x0, %pstate
            (0x8f90_2001, Op::WrprTl),     // wrpr %g0, 1, %tl
            (0x91d0_2084, Op::Ta),         // ta 0x84
        ];
        for (word, op) in words {
            let decoded = decode(word).unwrap();
            assert_eq!((decoded.op, decoded.word()), (op, Some(word)), "{word:#x}");
        }
        // nop, membar #LoadLoad, retl, rdpr %tl, wrpr %pil, stxa with %asi, ldx, illtrap, flush with stray bits
        let others =
            [0x0100_0000, 0x8143_e001, 0x81c3_e008, 0x8751_c000, 0x9190_2000, 0xc0f2_e010, 0xc45a_c000, 0, 0x81db_0020];
        for word in others {
            assert_eq!(decode(word), None, "{word:#x}");
        }
        // Operands lie where a word's fixed bits are zero.
        assert!(WORDS.iter().all(|(base, form, _)| disjoint(&[u64::from(*base), u64::from(form.operands())])));
        // An ASI has a register beside it, never a constant: what does not fit there is no part of the word.
        for number in 0..=u8::MAX {
            let decoded = Decoded { op: Op::Stxa, rd: 8, rs1: 12, second: Second::Register(5), number };
            let word = 0xd0f3_0005 | u32::from(number) << 5;
            assert_eq!((decoded.word(), decode(word)), (Some(word), Some(decoded)));
            let constant = Decoded { second: Second::Immediate(-27), ..decoded };
            assert_eq!(constant.word(), Some(word));
        }
        let foreign = Decoded { op: Op::Isb, rd: 0, rs1: 0, second: Second::Register(0), number: 0 };
        assert_eq!(foreign.word(), None);
    }

    #[test]
    fn registers_become_operands() {
        let register = |n: u8| match n {
            8 => 0x7000_4000,
            9 => 0x1a5,
            10 => 3,
            n => u64::from(n) << 13,
        };
        let insn = |word: u32| decode(word).unwrap().insn(register);
        assert_eq!(insn(0x91d0_2084), Insn { op: Op::Ta, a: 0x8400_0000_7000_4000, b: 0x1_a503 });
        assert_eq!(insn(0xc0f2_cbe0), Insn::with(Op::Stxa, 0x5f << 56 | 11 << 13));
        assert_eq!(insn(0xd0f3_0b00), Insn { op: Op::Stxa, a: 0x58 << 56 | 12 << 13, b: 0x7000_4000 });
        assert_eq!(insn(0x81db_2008), Insn::with(Op::Flush, (12 << 13) + 8));
        assert_eq!(insn(0x81db_3ff8), Insn::with(Op::Flush, (12 << 13) - 8));
        assert_eq!(insn(0x8f90_2001), Insn::with(Op::WrprTl, 1));
        assert_eq!(insn(0x8d90_8000), Insn::with(Op::WrprPstate, 2 << 13));
        assert_eq!(insn(0x8d92_4008), Insn::with(Op::WrprPstate, 0x7000_41a5), "wrpr %o1, %o0: exclusive or");
        assert_eq!(insn(0x8d92_4009), Insn::plain(Op::WrprPstate), "of one register with itself");
        assert_eq!(insn(0xc4db_0b00), Insn::with(Op::Ldxa, 0x58 << 56 | 12 << 13));
        assert_eq!(insn(0x8143_e040), Insn::plain(Op::MembarSync));
        let destination = |word: u32| decode(word).unwrap().destination();
        assert_eq!(destination(0xc4db_0b00), Some(2));
        assert_eq!(destination(0x8751_8000), Some(3));
        assert_eq!(destination(0x8151_8000), None);
        assert_eq!(destination(0x91d0_2084), Some(8));
        assert_eq!(destination(0x81db_0000), None);
    }
}
