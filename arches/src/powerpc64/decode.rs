//! Instruction words and operands: what RB and RS say, and which word is which [`Op`].
//!
//! Not here: execution (`asm.rs`), and the old form of `tlbie` (before ISA 2.06, with an L field instead of RS).
//! Called by the write path (operands), by the harness's machine (what an operand names) and by its trap handler
//! (words). Refs: Power ISA 3.0B, book III, 5.9.3.3 (tlbie, tlbiel, tlbsync), book II, 4.6 (sync, eieio, isync).

use super::queue::Segment;
use crate::bits::disjoint;
use crate::insn::{Insn, Op};
use crate::page::Size;

/// `R`, `PRS` and `RIC` in operand `b` of [`Op::Tlbie`], at the places they have in the instruction's word. RS has
/// a process id in its high half and an LPID, here 0, in its low half, so they do not meet.
pub const R: u64 = 1 << 16;
/// Process scoped.
pub const PRS: u64 = 1 << 17;
/// `RIC` = 2: the page-walk cache and the process table too.
pub const RIC_ALL: u64 = 2 << 18;
/// `IS` = 1 in RB: everything of the process in RS.
pub const IS_PID: u64 = 1 << 10;
const FORM: u64 = 0xf << 16;

// The form in `b`, under a process id; the fields of an RB: address (from the smallest page on that has a size in it),
// size, segment size and, of a page number, AVAL and L; on radix address and AP.
const _: () = assert!(disjoint(&[R, PRS, RIC_ALL]) && disjoint(&[!0 << 32, FORM]));
const _: () = assert!(disjoint(&[!0 << 16, penc(Size::Large) << 12, (Segment::T1 as u64) << 8, 0xfe, 1]));
const _: () = assert!(disjoint(&[!0 << 12, (Segment::T1 as u64) << 8]) && disjoint(&[!0 << 12, 7 << 5]));
// The page number and the segment size in a hash entry's first word.
const _: () = assert!(disjoint(&[!0 >> 11 << 7, (Segment::T1 as u64) << 62]));

/// The page-size encoding of an actual page as large as its base page (`penc`): POWER7+ firmware's values.
const fn penc(size: Size) -> u64 {
    match size {
        Size::Small => 0,
        Size::Large => 1,
        Size::Huge => 0,
    }
}

/// RB of `tlbie` and `tlbiel` for a page of the hash MMU.
///
/// Source: `___tlbie()` in `arch/powerpc/mm/book3s64/hash_native.c`, base page and actual page of one size.
#[must_use]
pub const fn hash_rb(vpn: u64, psize: Size, ssize: Segment) -> u64 {
    let va = vpn << 12;
    let shift = super::page_shift(psize);
    let va = va & !((1 << shift) - 1) | (ssize as u64) << 8;
    match psize {
        Size::Small => va, // sllp of a 4K page is 0
        Size::Large | Size::Huge => va | penc(psize) << 12 | vpn & 0xfe | 1,
    }
}

/// RB of `tlbie` for a page of the radix MMU: its address and its AP field.
///
/// Source: `__tlbie_va()` in `arch/powerpc/mm/book3s64/radix_tlb.c`; AP values of `mmu_get_ap()` on POWER9.
#[must_use]
pub const fn radix_rb(address: u64, size: Size) -> u64 {
    let ap = match size {
        Size::Small => 0,
        Size::Large => 5,
        Size::Huge => 1,
    };
    address & !0xfff | ap << 5
}

/// Operand `b` of a radix `tlbie`: RS with the process id, and the form's bits.
#[must_use]
pub const fn radix_b(pid: u64, form: u64) -> u64 {
    pid << 32 | form & FORM
}

/// The index of a hash entry's group, before it is masked by the table's size.
///
/// Source: `hpt_hash()` in `arch/powerpc/include/asm/book3s/64/mmu-hash.h`.
#[must_use]
pub const fn hash(vpn: u64, psize: Size, ssize: Segment) -> u64 {
    let drop = super::page_shift(psize) - 12;
    let value = match ssize {
        Segment::M256 => vpn >> 16 ^ (vpn & 0xffff) >> drop,
        Segment::T1 => {
            let vsid = vpn >> 28;
            vsid ^ vsid << 25 ^ (vpn & 0xfff_ffff) >> drop
        }
    };
    value & 0x7f_ffff_ffff
}

/// What the first word of a hash entry must say, its low 7 bits aside, to be the one of `vpn`.
///
/// Source: `hpte_encode_avpn()`, same file; the page sizes here leave no AVPN bit out but Huge's lowest.
#[must_use]
pub const fn hash_match(vpn: u64, psize: Size, ssize: Segment) -> u64 {
    let avpnm = match psize {
        Size::Small | Size::Large => 0,
        Size::Huge => 1,
    };
    (vpn >> 11 & !avpnm) << 7 | (ssize as u64) << 62
}

/// One instruction word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Which instruction.
    pub op: Op,
    /// The register that holds RB; 0 where there is none.
    pub rb: u8,
    /// The register that holds RS; 0 where there is none.
    pub rs: u8,
    /// `RIC`, `PRS` and `R`, where they lie in the word.
    pub form: u32,
}

const PLAIN: [(u32, Op); 5] = [
    (0x7c40_04ac, Op::Ptesync),
    (0x7c00_06ac, Op::Eieio),
    (0x4c00_012c, Op::Isync),
    (0x7c20_04ac, Op::Lwsync),
    (0x7c00_046c, Op::Tlbsync),
];
const WITH_RB: [(u32, Op); 2] = [(0x7c00_0264, Op::Tlbie), (0x7c00_0224, Op::Tlbiel)];
const WITH_RB_MASK: u32 = !(0x1f << 21 | FORM as u32 | 0x1f << 11);

// RS, the form and RB, in a word that has zeros there.
const _: () = assert!(disjoint(&[0x1f << 21, FORM, 0x1f << 11, (WITH_RB[0].0 | WITH_RB[1].0) as u64]));

/// What a word is, if it is one of the instructions this backend uses.
#[must_use]
pub fn decode(word: u32) -> Option<Decoded> {
    if let Some((_, op)) = PLAIN.iter().find(|(plain, _)| *plain == word) {
        return Some(Decoded { op: *op, rb: 0, rs: 0, form: 0 });
    }
    let (_, op) = WITH_RB.iter().find(|(base, _)| *base == word & WITH_RB_MASK)?;
    let register = |shift: u32| (word >> shift & 0x1f) as u8;
    Some(Decoded { op: *op, rb: register(11), rs: register(21), form: word & FORM as u32 })
}

impl Decoded {
    /// The word this is, if `op` has one.
    #[must_use]
    pub fn word(self) -> Option<u32> {
        if let Some((word, _)) = PLAIN.iter().find(|(_, op)| *op == self.op) {
            return Some(*word);
        }
        let (base, _) = WITH_RB.iter().find(|(_, op)| *op == self.op)?;
        Some(base | u32::from(self.rs & 0x1f) << 21 | self.form & FORM as u32 | u32::from(self.rb & 0x1f) << 11)
    }

    /// The instruction with its operands, `register` telling what each general register holds.
    #[must_use]
    pub fn insn(self, register: impl Fn(u8) -> u64) -> Insn {
        let form = u64::from(self.form) & FORM;
        match self.op {
            Op::Tlbie => Insn { op: self.op, a: register(self.rb), b: register(self.rs) & !FORM | form },
            Op::Tlbiel => Insn { op: self.op, a: register(self.rb), b: form },
            _ => Insn::plain(self.op),
        }
    }

    /// The register that receives a result: none of these yields one.
    #[must_use]
    pub fn destination(self) -> Option<u8> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::Segment::{M256, T1};
    use super::super::queue::vpn_of;
    use super::*;

    #[test]
    fn operands_of_the_specification() {
        // (vsid, address, segment, size) -> vpn, hash, match, RB: spec/arch.md 3.3.
        let vectors = [
            (0x5a5a5, 0x1000_3000, M256, Size::Small, 0x5_a5a5_0003, 0x5a5a6, 0x5a5a_5000, 0x5a5a_5000_3000),
            (
                0x123_4567,
                0x3fff_1234_5000,
                T1,
                Size::Small,
                0x12_3456_7ff1_2345,
                0xa_c0d2_6622,
                0x4001_2345_67ff_1200,
                0x2345_67ff_1234_5100,
            ),
            (
                0x123_4567,
                0x3fff_1234_0000,
                T1,
                Size::Large,
                0x12_3456_7ff1_2340,
                0xa_cfdc_5753,
                0x4001_2345_67ff_1200,
                0x2345_67ff_1234_1141,
            ),
        ];
        for (vsid, ea, ssize, size, vpn, group, matches, rb) in vectors {
            assert_eq!(vpn_of(vsid, ea, ssize), vpn, "{ea:#x}");
            assert_eq!(hash(vpn, size, ssize), group, "{ea:#x}");
            assert_eq!(hash_match(vpn, size, ssize), matches, "{ea:#x}");
            assert_eq!(hash_rb(vpn, size, ssize), rb, "{ea:#x}");
        }
        assert_eq!(hash_rb(0x1_0001, Size::Huge, M256), 0x1000_0001);
        assert_eq!(hash_match(0x1800, Size::Huge, M256), 0x100);
        // A group is told by the page's number in its segment, in units of its size.
        assert_eq!(hash(0x5_a5a5_1230, Size::Large, M256), 0x5_a5a5 ^ 0x123);
        assert_eq!(hash(0x5_a5a5_3000, Size::Huge, M256), 0x5_a5a5 ^ 0x3);
        assert_eq!(radix_rb(0x1_0000_2345, Size::Large), 0x1_0000_20a0);
        assert_eq!(radix_b(7, R | PRS | RIC_ALL), 0x7_000b_0000);
    }

    #[test]
    fn words_of_the_specification() {
        let words = [
            (0x7c40_04ac, Op::Ptesync),
            (0x7c00_046c, Op::Tlbsync),
            (0x7c20_04ac, Op::Lwsync),
            (0x7c00_06ac, Op::Eieio),
            (0x4c00_012c, Op::Isync),
            (0x7cc0_2a64, Op::Tlbie),  // tlbie 5,6
            (0x7ccb_2a64, Op::Tlbie),  // tlbie 5,6,2,1,1
            (0x7c00_2a24, Op::Tlbiel), // tlbiel 5
        ];
        for (word, op) in words {
            let decoded = decode(word).unwrap();
            assert_eq!((decoded.op, decoded.word()), (op, Some(word)), "{word:#x}");
        }
        // sync (a Linux system call's barrier, not ours), sc 1, nop, cpabort, and an old tlbie's reserved bit.
        for word in [0x7c00_04ac, 0x4400_0022, 0x6000_0000, 0x7c00_068c, 0x7c10_2a64 | 1, 0] {
            assert_eq!(decode(word), None, "{word:#x}");
        }
        assert_eq!(Decoded { op: Op::DsbIsh, rb: 0, rs: 0, form: 0 }.word(), None);
    }

    #[test]
    fn registers_become_operands() {
        let register = |n: u8| u64::from(n) << 32 | 0x1000;
        let radix = decode(0x7ccb_2a64).unwrap().insn(register);
        assert_eq!(radix, Insn { op: Op::Tlbie, a: 5 << 32 | 0x1000, b: 6 << 32 | 0x1000 | R | PRS | RIC_ALL });
        let local = decode(0x7c00_2a24).unwrap().insn(register);
        assert_eq!(local, Insn::with(Op::Tlbiel, 5 << 32 | 0x1000));
        // What lies outside its place in the word is no part of the form, and RS has none.
        let decoded = Decoded { op: Op::Tlbie, rb: 0, rs: 1, form: !0x2_0000 };
        assert_eq!(decoded.insn(|_| u64::MAX).b, !PRS);
        assert_eq!(decode(0x7c00_046c).unwrap().insn(register), Insn::plain(Op::Tlbsync));
        assert_eq!(decode(0x7c00_046c).unwrap().destination(), None);
    }
}
