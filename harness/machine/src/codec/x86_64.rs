//! x86-64: entries of 4-level paging, and what addresses name.
//!
//! Refs: Intel SDM vol. 3A, 4.5.4, tables 4-17 "page-directory entry that maps a 2-MByte page" and 4-20 "page-table
//! entry" (P 0, R/W 1, U/S 2, PS 7, address 51:12, XD 63); 4.10.4.1 (INVLPG). `Documentation/arch/x86/x86_64/mm.rst`.

use lazy_mmu_arches::page::{Mm, PteRef, Size};

use super::{Format, Layout, space};

/// PS: the entry maps a page of 2M.
const PS: u64 = 1 << 7;
/// XD.
const XD: u64 = 1 << 63;

pub(super) const FORMAT: Format = Format {
    valid: 1 << 0,
    write: 1 << 1,
    read_only: 0,
    user: (1 << 2, 1 << 2),
    exec: [(XD, 0); 2],
    touched: 0,
    frame: (1 << 52) - (1 << 12),
    // The highest bit of the address: frames are few. Kernel: `__pte_needs_invert()`, `arch/x86/include/asm/pgtable-invert.h`.
    inverted: 1 << 51,
    sizes: [(PS, PS, Size::Huge, 21), (0, 0, Size::Small, 12), (0, 0, Size::Small, 12)],
};

/// Accessed and dirty.
pub(crate) const ACCESSED_DIRTY: u64 = 1 << 5 | 1 << 6;

/// 2M slots; user space from 256M and from 1T on in its 2T; vmalloc, the direct map and the shadow of four levels.
const LAYOUT: Layout = Layout {
    user: [0x1000_0000, 1 << 40],
    kernel: [0xffff_c900_0000_0000, 0xffff_8880_0000_0000, 0xffff_ec00_0000_0000],
    slot: 21,
};

/// Bits of an address within the part of the lower half that a user address space has.
const SPACE_BITS: u32 = 41;

/// Bits of an offset in a page.
pub(crate) const fn offset_bits(size: Size) -> u32 {
    match size {
        Size::Small | Size::Large => 12,
        Size::Huge => 21,
    }
}

/// The address of a page.
pub(crate) fn address_of(at: PteRef) -> u64 {
    let address = LAYOUT.slot_of(at.mm, at.page).0;
    if at.mm.is_kernel() { address } else { address + (u64::from(at.mm.0) << SPACE_BITS) }
}

/// The page that an address lies in: the address says whose.
pub(crate) fn page_at(address: u64) -> Option<PteRef> {
    if address >> 63 != 0 {
        return LAYOUT.page_at(Mm::KERNEL, address);
    }
    let mm = space(address >> SPACE_BITS).filter(|mm| !mm.is_kernel())?;
    LAYOUT.page_at(mm, address & ((1 << SPACE_BITS) - 1))
}

/// What another CPU is interrupted to flush: so many slots from an address on, or everything.
pub(crate) fn flush_ipi(what: u64) -> Option<(PteRef, u64, u16)> {
    let pages = (what & 0xfff) as u16;
    let address = what - u64::from(pages);
    let first = page_at(address).filter(|_| pages > 0)?;
    Some((first, address - address_of(first), pages))
}
