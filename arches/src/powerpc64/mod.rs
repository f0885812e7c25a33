//! powerpc64 (Book3S-64, big-endian): the hash MMU, which the mode exists for, and the radix MMU, which ignores it.
//!
//! What is deferred: never a PTE. A PTE is stored at once; what waits, on the hash MMU, is the eviction of the hash
//! table's copy of the old PTE and of the TLB's copy of that, up to 192 of them per CPU ([`queue`]). The radix MMU
//! walks the page table itself: nothing is deferred, TLB invalidation is explicit.
//!
//! Page sizes: Small is 4K, Large 64K, Huge 16M (on radix 2M). They can be mixed as in a kernel with 64K pages,
//! where a PTE says that its hash entry is a 4K one; but one PTE has one hash entry here, never sixteen.
//!
//! Not here: the hash table itself and the faults that fill it (the machine), hypervisor calls of a logical
//! partition (`H_BULK_REMOVE` and its kin: the streams are those of bare metal, POWER7+, no errata fixups).
//! Who calls it: the subjects of `lazy-mmu-engine`, and any kernel that links it.

use crate::page::{HIGH_PAGE, LINEAR_PAGE, Mm, PAGES, PteRef, SHADOW_PAGE, Size};

#[cfg(target_arch = "powerpc64")]
pub mod asm;
pub mod decode;
pub mod earlier;
pub mod hooks;
pub mod pte;
pub mod queue;
#[cfg(test)]
mod tests;

pub use earlier::{HashGather, HashPreemptible, HashStateless, HashToken};
pub use hooks::{Hash, HashOf, Radix};

/// Each slot of an address space is 16M apart from the next: room, and the alignment, for a page of every size.
pub const SLOT_SHIFT: u32 = 24;

/// The first user slots, below 1 TiB: 256 MiB segments.
const USER_LOW: u64 = 0x1000_0000;
/// The user slots from [`HIGH_PAGE`] on: 1 TiB segments.
const USER_HIGH: u64 = 1 << 40;
/// `H_VMALLOC_START` of a kernel with 64K pages.
const VMALLOC: u64 = 0xc008_0000_0000_0000;
/// `PAGE_OFFSET`, the linear map.
const LINEAR: u64 = 0xc000_0000_0000_0000;
/// Where KASAN's shadow lies (`KASAN_SHADOW_START` region, radix only in reality).
const SHADOW: u64 = 0xc00e_0000_0000_0000;

/// Bits of a page offset in a page of the hash MMU: `mmu_psize_defs[].shift`.
#[must_use]
pub const fn page_shift(size: Size) -> u32 {
    match size {
        Size::Small => 12,
        Size::Large => 16,
        Size::Huge => 24,
    }
}

/// Where a slot's region begins, and with which slot.
const fn region(mm: Mm, page: u16) -> (u64, u16) {
    match (mm.0, page) {
        (0, SHADOW_PAGE..) => (SHADOW, SHADOW_PAGE),
        (0, LINEAR_PAGE..) => (LINEAR, LINEAR_PAGE),
        (0, _) => (VMALLOC, 0),
        (_, HIGH_PAGE..) => (USER_HIGH, HIGH_PAGE),
        (_, _) => (USER_LOW, 0),
    }
}

/// The virtual address of a page: the same whatever its size, because every slot has room for a huge page.
///
/// User address spaces have the same addresses; what tells them apart is the context ([`queue::context`]).
#[must_use]
pub const fn virtual_address(at: PteRef) -> u64 {
    let (base, first) = region(at.mm, at.page);
    base + (((at.page - first) as u64) << SLOT_SHIFT)
}

/// The page of `mm` that an address lies in, if it lies in one: the inverse of [`virtual_address`]. Its size is not
/// known there.
#[must_use]
pub fn page_at(mm: Mm, address: u64) -> Option<PteRef> {
    [0, HIGH_PAGE, SHADOW_PAGE].into_iter().find_map(|first| {
        let (base, first) = region(mm, first);
        let page = u64::from(first) + (address.checked_sub(base)? >> SLOT_SHIFT);
        let page = u16::try_from(page).ok().filter(|page| *page < PAGES)?;
        (region(mm, page).0 == base).then_some(PteRef { mm, page, size: Size::Small })
    })
}
