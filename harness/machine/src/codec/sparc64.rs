//! sparc64: TTEs of sun4u and sun4v, the TSB's tags and places, and what a demap names.
//!
//! A TTE is what the TLB takes; Linux's entries are TTEs with software bits in the places left for them. Writable is an
//! entry whose W bit is set, or whose software bit lets the fault handler set it.
//! Refs: UltraSPARC User's Manual: 6.2 "Translation Table Entry" (V 63, Size 62:61, Soft 12:7, P 2, W 1), 6.9.10 "MMU
//! demap" (address: VA 63:13, type 6, context 5:4), table 8-1 (ASIs 0x57, 0x58, 0x5f). UltraSPARC Architecture 2005,
//! 14.2 (sun4v TTE: V 63, ep 7, w 6, p 8, size 3:0); Virtual Machine Specification, MMU_UNMAP_ADDR (trap 0x84: vaddr,
//! context, 1 data and 2 instructions). Kernel: `arch/sparc/include/asm/{pgtable_64,tsb}.h`, `arch/sparc/mm/tsb.c`, 7.2.

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PteRef, Size};

use super::{Format, Layout};

/// V of both.
const VALID: u64 = 1 << 63;

/// A TTE of sun4u. Soft bits: writable 8, executable 12.
pub(super) const SUN4U: Format = Format {
    valid: VALID,
    write: 1 << 8 | 1 << 1,
    read_only: 0,
    user: (1 << 2, 0),
    exec: [(1 << 12, 1 << 12); 2],
    touched: 0,
    // PA[42:13].
    frame: (1 << 43) - (1 << 13),
    inverted: 0,
    sizes: [(3 << 61, 3 << 61, Size::Huge, 23), (3 << 61, 1 << 61, Size::Large, 16), (0, 0, Size::Small, 13)],
};

/// A TTE of sun4v. The software's writable bit is 58.
pub(super) const SUN4V: Format = Format {
    valid: VALID,
    write: 1 << 58 | 1 << 6,
    read_only: 0,
    user: (1 << 8, 0),
    exec: [(1 << 7, 1 << 7); 2],
    touched: 0,
    // PA[55:13].
    frame: (1 << 56) - (1 << 13),
    inverted: 0,
    sizes: [(0xf, 3, Size::Huge, 23), (0xf, 1, Size::Large, 16), (0, 0, Size::Small, 13)],
};

/// 8M slots; user space below and from 1T on; `VMALLOC_START`, `PAGE_OFFSET`, and a place for a shadow.
const LAYOUT: Layout = Layout {
    user: [0x7000_0000, 1 << 40],
    kernel: [0x1_0000_0000, 0xffff_f800_0000_0000, 0xffff_fc00_0000_0000],
    slot: 23,
};

/// Bits of an offset in a base page.
pub(crate) const BASE_BITS: u32 = 13;
/// Bits of an offset in the largest page that the TLB has: half a huge page.
pub(crate) const LARGEST_BITS: u32 = 22;

/// Bits of an offset in a page of the TLB.
pub(crate) const fn offset_bits(size: Size) -> u32 {
    match size {
        Size::Small => BASE_BITS,
        Size::Large => 16,
        Size::Huge => LARGEST_BITS,
    }
}

/// The address of a page mapped as its reference says: a base page lies as many pages into its slot as slots lie before
/// it, modulo 1024, so that neighbours do not meet in the TSB; a larger page is the one around that.
pub(crate) fn address_of(at: PteRef) -> u64 {
    let (slot, before) = LAYOUT.slot_of(at.mm, at.page);
    let address = slot + ((before % 1024) << BASE_BITS);
    // A huge page is a PMD's: 8M.
    let bits = if at.size == Size::Huge { 23 } else { offset_bits(at.size) };
    address >> bits << bits
}

/// The page of an address space that an address lies in.
pub(crate) fn page_at(mm: Mm, address: u64) -> Option<PteRef> {
    LAYOUT.page_at(mm, address)
}

/// The place of an address in a TSB of so many entries.
pub(crate) const fn tsb_place(address: u64, page_bits: u32, entries: u64) -> u64 {
    (address >> page_bits) % entries
}

/// The tag of an address in a TSB: VA\[63:22\].
pub(crate) const fn tsb_tag(address: u64) -> u64 {
    address >> 22
}

/// The data side of a TLB, and that of instructions.
pub(crate) const DATA: u8 = 2;
pub(crate) const INSTRUCTION: u8 = 1;

/// PSTATE.IE.
const INTERRUPTS_ON: u64 = 1 << 1;
/// PSTATE of a kernel with interrupts on: PRIV, PEF, IE.
pub(crate) const PSTATE: u64 = 1 << 2 | 1 << 4 | INTERRUPTS_ON;

/// The context that a demap takes: a number, or that in the secondary context register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    /// The register's.
    Secondary,
    /// This one.
    Number(u64),
}

/// What an access to the MMU's registers, or a trap, asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The secondary context register.
    SecondaryContext,
    /// A page leaves TLBs: which, of what context, at what address.
    Demap(u8, Which, u64),
    /// Nothing that the machine has.
    Other,
}

/// The number in the high eight bits of an operand, an ASI's or a trap's, and the address in the others, sign-extended.
const fn parts(operand: u64) -> (u64, u64) {
    (operand >> 56, ((operand << 8) as i64 >> 8) as u64)
}

/// What a load or store with an ASI, or a fast trap, asks for.
pub(crate) fn access(insn: Insn) -> Access {
    let (number, address) = parts(insn.a);
    match (insn.op, number) {
        (Op::Ta, 0x84) => {
            let sides = (if insn.b & 1 != 0 { DATA } else { 0 }) | (if insn.b & 2 != 0 { INSTRUCTION } else { 0 });
            Access::Demap(sides, Which::Number(insn.b >> 8), page_of(address))
        }
        (Op::Stxa | Op::Ldxa, 0x58) if address == 0x10 => Access::SecondaryContext,
        (Op::Stxa, 0x57) => demap(INSTRUCTION, address),
        (Op::Stxa, 0x5f) => demap(DATA, address),
        _ => Access::Other,
    }
}

/// A demap by a store: bit 6 clear demaps a page; bits 5:4 say whose, 01 the secondary context's, 10 the nucleus'.
fn demap(side: u8, address: u64) -> Access {
    match (address >> 6 & 1, address >> 4 & 3) {
        (0, 1) => Access::Demap(side, Which::Secondary, page_of(address)),
        (0, 2) => Access::Demap(side, Which::Number(0), page_of(address)),
        _ => Access::Other,
    }
}

const fn page_of(address: u64) -> u64 {
    address >> BASE_BITS << BASE_BITS
}

/// What the software asks of a TSB: the address, the bits of a page there, and whose it is.
pub(crate) fn tsb_flush(insn: Insn) -> (u64, u32, Option<Mm>) {
    (insn.a, (insn.b & 0xff) as u32, super::space(insn.b >> 8))
}

/// A cross call: which CPU, and for how many addresses of the stream that follows.
pub(crate) fn cross_call(insn: Insn) -> (usize, u16) {
    (insn.a as usize, (insn.b >> 8) as u16)
}

/// Whose translation a context's number is of.
pub(crate) fn context(number: u64) -> Option<Mm> {
    super::space(number)
}
