//! powerpc64: instructions of the hash table's and the radix MMU's code in the machine's words.
//!
//! The tree scrambles segment numbers and lays pages side by side; the machine has addresses of its own. The glue says
//! which page an operand names, and the same operand is made for the machine's address of that page. An operand that names
//! no page names none there either.

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{PteRef, Size};
use lazy_mmu_arches::powerpc64::queue::{Segment, segment, vpn};
use lazy_mmu_arches::powerpc64::{decode, virtual_address};
use lazy_mmu_border::numbers::insn as number;

use crate::tree::{Tree, unpacked};

/// A virtual page number of no address space.
const NO_PAGE: u64 = u64::MAX >> 12;

/// An instruction of the tree's code: its number and operands as the header has them.
pub fn insn(tree: &Tree, which: u64, b: u64, c: u64, d: u64) -> u64 {
    let at = unpacked(d);
    let insn = match which {
        number::HPTE_INVALIDATE => hpte_invalidate(at, c),
        number::TLBIE => invalidation(tree, Op::Tlbie, at, b, c),
        number::TLBIEL => invalidation(tree, Op::Tlbiel, at, b, c),
        number::PTESYNC => Insn::plain(Op::Ptesync),
        number::TLBSYNC => Insn::plain(Op::Tlbsync),
        number::EIEIO => Insn::plain(Op::Eieio),
        _ => return 0,
    };
    tree.env().execute(insn)
}

/// `c` has the segment's size from bit 16 on.
fn hpte_invalidate(at: Option<PteRef>, c: u64) -> Insn {
    let ssize = c >> 16 & 0xff;
    let (a, size) = at.map_or((NO_PAGE, Size::Small), |at| (vpn(at.mm, virtual_address(at)), at.size));
    Insn { op: Op::HpteInvalidate, a, b: size as u64 | ssize << 8 }
}

fn invalidation(tree: &Tree, op: Op, at: Option<PteRef>, rb: u64, c: u64) -> Insn {
    if tree.form.mmu == Mmu::Radix {
        return radix(tree, op, at, rb, c);
    }
    let a = at.map_or(0, |at| {
        let address = virtual_address(at);
        let ssize = if rb >> 8 & 3 == 0 { Segment::M256 } else { Segment::T1 };
        // A page is found by its own segment's size: another one names another page.
        if ssize == segment(address) { decode::hash_rb(vpn(at.mm, address), at.size, ssize) } else { 0 }
    });
    Insn::with(op, a)
}

/// `c` is RS with RIC, PRS and R from bit 8 on. A base page of the tree stands for both of the machine's smaller sizes.
fn radix(tree: &Tree, op: Op, at: Option<PteRef>, rb: u64, c: u64) -> Insn {
    let bit = |from: u64, to: u64| if c & from != 0 { to } else { 0 };
    let form = bit(1 << 11, decode::R) | bit(1 << 10, decode::PRS) | (c >> 8 & 3) << 18;
    let b = decode::radix_b(c >> 32, form);
    if rb & decode::IS_PID != 0 {
        return Insn { op, a: decode::IS_PID, b };
    }
    let flushed = tree.open.get().flushing.map(|range| range.first.size);
    // A range of base pages is flushed by huge ones, too: there the address is a base page's.
    if at.is_some_and(|at| at.size == Size::Huge) && flushed.is_some_and(|size| size != Size::Huge) {
        let mm = lazy_mmu_arches::page::Mm((c >> 32) as u8);
        let address = tree.page_in(mm, rb & !0xfff).map_or(0, |(at, into)| virtual_address(at) + into);
        return Insn { op, a: decode::radix_rb(address, Size::Huge), b };
    }
    let a = at.map_or(0, |at| {
        let size = if at.size == Size::Huge { at.size } else { flushed.unwrap_or(at.size) };
        decode::radix_rb(virtual_address(at), size)
    });
    Insn { op, a, b }
}

#[cfg(test)]
mod tests {
    use lazy_mmu_arches::page::Mm;

    use super::*;

    #[test]
    fn an_entry_is_named_by_the_machines_page_number() {
        let at = PteRef { mm: Mm(1), page: 3, size: Size::Large };
        let insn = hpte_invalidate(Some(at), 0x01_0202);
        assert_eq!((insn.op, insn.a), (Op::HpteInvalidate, vpn(Mm(1), virtual_address(at))));
        assert_eq!(insn.b, Size::Large as u64 | 1 << 8);
        let none = hpte_invalidate(None, 0);
        assert_eq!(lazy_mmu_arches::powerpc64::queue::address_space(none.a), None);
    }
}
