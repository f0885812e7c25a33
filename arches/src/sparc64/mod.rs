//! sparc64: the sun4u family with its own TLB (UltraSPARC I and II, "spitfire"), and sun4v under its hypervisor.
//!
//! What is deferred: never a PTE. A PTE is stored at once; what waits is the removal of the old user translation from
//! the address space's TSB (the software cache of PTEs in memory) and from the TLBs, up to 192 addresses per CPU
//! ([`queue`]). Kernel PTEs never wait: nothing is removed until `flush_tlb_kernel_range()` says so.
//!
//! Page sizes: Small is 8K, Large 64K. Huge is a PMD's 8M, which the hardware knows as two pages of 4M: it counts as
//! two addresses.
//!
//! Not here: the TSBs and the traps that fill them and the TLB (the machine), the data cache's aliases that sun4u also
//! flushes when a dirty file page goes, the cheetah variants of the TLB flush (same operations, primary context).
//! Who calls it: the subjects of `lazy-mmu-engine`, and any kernel that links it.

use crate::page::{HIGH_PAGE, LINEAR_PAGE, Mm, PAGES, PteRef, SHADOW_PAGE, Size};

#[cfg(target_arch = "sparc64")]
pub mod asm;
pub mod decode;
pub mod earlier;
pub mod hooks;
pub mod pte;
pub mod queue;
#[cfg(test)]
mod tests;

pub use earlier::{SparcPreemptible, SparcStateless, SparcToken};
pub use hooks::{Sparc64, Sun4uOf, Sun4v, Sun4vOf};

/// Each slot of an address space has 8M of it: room, and the alignment, for a page of every size.
pub const SLOT_SHIFT: u32 = 23;

/// The first user slots, below 1 TiB.
const USER_LOW: u64 = 0x7000_0000;
/// The user slots from [`HIGH_PAGE`] on.
const USER_HIGH: u64 = 1 << 40;
/// `VMALLOC_START`.
const VMALLOC: u64 = 0x1_0000_0000;
/// `PAGE_OFFSET`, the linear map.
const LINEAR: u64 = 0xffff_f800_0000_0000;
/// Where KASAN's shadow would lie: sparc64 has none, programs have.
const SHADOW: u64 = 0xffff_fc00_0000_0000;

/// Bits of a page offset: `PAGE_SHIFT`, 16 for a 64K page, `HPAGE_SHIFT` (a PMD's 8M).
#[must_use]
pub const fn page_shift(size: Size) -> u32 {
    match size {
        Size::Small => 13,
        Size::Large => 16,
        Size::Huge => 23,
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

/// The virtual address of a page: within its slot of 8M, whatever its size.
///
/// A small page lies one page further into its slot than its neighbour into its own, so that neighbours do not
/// share one TSB entry; a larger page is the one around that address. User address spaces have the same addresses:
/// what tells them apart is the context ([`queue::context`]).
#[must_use]
pub const fn virtual_address(at: PteRef) -> u64 {
    let (base, first) = region(at.mm, at.page);
    let n = (at.page - first) as u64;
    let small = base + (n << SLOT_SHIFT) + ((n & 0x3ff) << 13);
    small & !((1 << page_shift(at.size)) - 1)
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
