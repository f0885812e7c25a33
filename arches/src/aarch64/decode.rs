//! Instruction words of aarch64, and the operands of its TLB invalidations: data to instruction and back.
//!
//! Only what a backend asks for ([`Op`]). Not here: executing (`asm`), range operands, whole programs. Called by the
//! harness that reads words out of memory (patch-to-trap, disassembly) and by the write path for operands.
//!
//! Refs: Arm ARM (DDI 0487) C5.1, "System instruction class encoding overview"; C6.2, DSB and ISB; C5.5, "A64 System
//! instructions for TLB maintenance", for each operand. Kernel: `__TLBI_VADDR()`, `TLBI_TTL_MASK` of
//! `arch/arm64/include/asm/tlbflush.h`, 7.2.

use crate::bits::disjoint;
use crate::insn::Op;

/// An instruction word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Which instruction.
    pub op: Op,
    /// The register that holds its operand, 0 to 30, or 31 for `xzr`; none where it takes no operand.
    pub register: Option<u8>,
}

/// Word with `x0` where there is a register, and whether there is one.
const WORDS: [(Op, u32, bool); 10] = [
    (Op::DsbIshst, 0xd503_3a9f, false),
    (Op::DsbIsh, 0xd503_3b9f, false),
    (Op::DsbNshst, 0xd503_369f, false),
    (Op::DsbNsh, 0xd503_379f, false),
    (Op::Isb, 0xd503_3fdf, false),
    (Op::TlbiVale1is, 0xd508_83a0, true),
    (Op::TlbiVae1is, 0xd508_8320, true),
    (Op::TlbiVaale1is, 0xd508_83e0, true),
    (Op::TlbiAside1is, 0xd508_8340, true),
    (Op::TlbiVmalle1is, 0xd508_831f, false),
];

/// The register field of a system instruction, Rt.
const REGISTER: u32 = 0x1f;

/// `ret`: where the functions of `asm` end.
pub const RET: u32 = 0xd65f_03c0;

/// The instruction a word is, if it is one that a backend asks for.
///
/// An instruction without an operand must have 31 in its register field, as an assembler writes it.
#[must_use]
pub fn decode(word: u32) -> Option<Decoded> {
    WORDS.iter().find_map(|&(op, pattern, has_register)| {
        let ignored = if has_register { REGISTER } else { 0 };
        (word & !ignored == pattern).then(|| Decoded { op, register: has_register.then_some((word & REGISTER) as u8) })
    })
}

/// The word of an instruction, its operand in `x0`; none for another architecture's.
#[must_use]
pub fn word(op: Op) -> Option<u32> {
    WORDS.iter().find(|entry| entry.0 == op).map(|entry| entry.1)
}

/// A TTL of 0: the operand says nothing about granule and level.
pub const NO_LEVEL: u8 = 0;

/// What the operand of a TLBI by VA says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Whose translation; ignored by the forms for every ASID.
    pub asid: u16,
    /// Granule << 2 | level, or [`NO_LEVEL`].
    pub ttl: u8,
    /// The page's address: bits 55:12, the bits above a copy of bit 55.
    pub va: u64,
}

/// VA\[55:12\] in bits 43:0.
const VA_FIELD: u64 = (1 << 44) - 1;

// ASID, TTL and VA; granule and level in a TTL.
const _: () = assert!(disjoint(&[(u16::MAX as u64) << 48, 0xf << 44, VA_FIELD]) && disjoint(&[1 << 2, 3]));

/// The TTL value of a level in a granule of 4K.
///
/// Source: `__tlbi_level()`, `arch/arm64/include/asm/tlbflush.h`, 7.2. The backend gives no hint: `flush_tlb_range()`
/// does not know the level.
#[must_use]
pub const fn ttl_4k(level: u8) -> u8 {
    1 << 2 | level & 3
}

/// The operand of a TLBI by VA: ASID in 63:48, TTL in 47:44, VA\[55:12\] in 43:0.
#[inline(always)]
#[must_use]
pub const fn operand_va(va: u64, asid: u16, ttl: u8) -> u64 {
    (asid as u64) << 48 | ((ttl & 0xf) as u64) << 44 | va >> 12 & VA_FIELD
}

/// The operand of a TLBI by ASID: bits 63:48.
#[inline(always)]
#[must_use]
pub const fn operand_asid(asid: u16) -> u64 {
    (asid as u64) << 48
}

/// An operand taken apart again. The page's offset is gone, and so are the address bits above 55.
#[must_use]
pub const fn operand(value: u64) -> Operand {
    let va = (value & VA_FIELD) << 20;
    Operand { asid: (value >> 48) as u16, ttl: (value >> 44 & 0xf) as u8, va: (va as i64 >> 8) as u64 }
}

#[cfg(test)]
mod tests;
