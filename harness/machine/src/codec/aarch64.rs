//! aarch64: stage 1 descriptors of the VMSAv8-64 format (4K granule, 48 bits), and what a TLBI names.
//!
//! Refs: Arm ARM (DDI 0487): D8.3.1 "VMSAv8-64 descriptor formats" (valid, block and page, output address), D8.3.2
//! (Contiguous), D8.4 (AP\[2:1\], DBM, PXN, UXN), D8.16 "TLB maintenance"; C5.5, the TLBI instructions' Xt: ASID in
//! 63:48, TTL in 47:44, VA\[55:12\] in 43:0. `Documentation/arch/arm64/memory.rst` for the addresses.

use lazy_mmu_arches::page::{Mm, PteRef, Size};

use super::{Format, Layout, space};

/// Descriptor bits.
const VALID: u64 = 1 << 0;
/// Bit 1: 1 in a page descriptor of the last level, 0 in a block descriptor above it.
const NOT_BLOCK: u64 = 1 << 1;
/// AP\[1\]: unprivileged access.
const AP_1: u64 = 1 << 6;
/// AP\[2\]: read-only, unless DBM lets the hardware clear it at the first store.
const AP_2: u64 = 1 << 7;
const DBM: u64 = 1 << 51;
const CONTIGUOUS: u64 = 1 << 52;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;

pub(super) const FORMAT: Format = Format {
    valid: VALID,
    write: DBM,
    read_only: AP_2,
    user: (AP_1, AP_1),
    exec: [(UXN, 0), (PXN, 0)],
    touched: 0,
    // OA[47:12].
    frame: (1 << 48) - (1 << 12),
    inverted: 0,
    sizes: [(CONTIGUOUS, CONTIGUOUS, Size::Large, 16), (NOT_BLOCK, 0, Size::Huge, 21), (0, 0, Size::Small, 12)],
};

/// 2M slots; user space from 256M and from 1T on, the kernel's regions of a 48-bit kernel.
const LAYOUT: Layout = Layout {
    user: [0x1000_0000, 1 << 40],
    kernel: [0xffff_8000_8000_0000, 0xffff_0000_0000_0000, 0xffff_7000_0000_0000],
    slot: 21,
};

/// Bits of an offset in a mapping: a page, 16 contiguous pages, a block of the second level.
pub(crate) const fn offset_bits(size: Size) -> u32 {
    match size {
        Size::Small => 12,
        Size::Large => 12 + 4,
        Size::Huge => 12 + 9,
    }
}

/// The address of a page.
pub(crate) fn address_of(at: PteRef) -> u64 {
    LAYOUT.slot_of(at.mm, at.page).0
}

/// The page of an address space that an address lies in.
pub(crate) fn page_at(mm: Mm, address: u64) -> Option<PteRef> {
    LAYOUT.page_at(mm, address)
}

/// What the register of a TLBI by address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    /// The address, sign-extended from bit 55, its offset in 4K gone.
    pub(crate) address: u64,
    /// Whose; none of ours where no address space has that ASID.
    pub(crate) asid: Option<Mm>,
    /// The level that the entry is said to be at: hardware may do nothing for one at another.
    level: Option<u8>,
}

impl Operand {
    /// The register taken apart.
    pub(crate) fn new(register: u64) -> Operand {
        let address = (register << 20) as i64 >> 20 << 12;
        let ttl = register >> 44 & 0xf;
        // TTL is the granule (01: 4K) and the level; a granule of 00 says nothing.
        let level = (ttl >> 2 != 0).then_some(if ttl >> 2 == 1 { ttl as u8 & 3 } else { u8::MAX });
        Operand { address: address as u64, asid: asid(register), level }
    }

    /// Whether it may be of an entry that maps so much.
    pub(crate) fn is_of(self, size: Size) -> bool {
        let level = if size == Size::Huge { 2 } else { 3 };
        self.level.is_none_or(|said| said == level)
    }
}

/// The address space that the register of a TLBI names by its ASID. The kernel's entries are global: no ASID's.
pub(crate) fn asid(register: u64) -> Option<Mm> {
    space(register >> 48).filter(|mm| !mm.is_kernel())
}
