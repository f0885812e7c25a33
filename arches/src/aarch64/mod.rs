//! aarch64: what the mode defers there, and where the pages of programs lie.
//!
//! A PTE is stored at once, lazy or not. What waits is the pair of barriers after a *valid kernel* entry, `dsb ishst`
//! (the walkers see the store) and `isb` (this CPU refetches): while the mode is active the task's pending flag is
//! set instead, and flush and leave execute the pair once. User entries get no barrier at all, their faults repair
//! themselves; TLB invalidations are never deferred.
//!
//! Not here: 16K and 64K granules, KPTI's second TLBI, range TLBIs. 4K granule, 48-bit addresses.
//!
//! | file | what |
//! | --- | --- |
//! | `asm` | the unprivileged instructions, executed |
//! | [`decode`] | instruction words and TLBI operands |
//! | [`earlier`] | the hooks of 6.16 (stateless) and of v2 (token) |
//! | [`hooks`] | the hooks of 7.2 |
//! | [`pte`] | PTE words and the write path |
//! | [`queue`] | the pending flag and the barriers |

#[cfg(target_arch = "aarch64")]
pub mod asm;
pub mod decode;
pub mod earlier;
pub mod hooks;
pub mod pte;
pub mod queue;

#[cfg(test)]
mod tests;

pub use earlier::{Aarch64Stateless, Aarch64Token};
pub use hooks::Aarch64;
pub use queue::ThreadFlags;

use crate::page::{HIGH_PAGE, LINEAR_PAGE, Mm, PAGES, PteRef, SHADOW_PAGE, Size};

/// Log2 of the bytes a mapping of `size` covers: 4K, 64K (16 PTEs with the contiguous bit), 2M (a block entry).
///
/// Source: `PAGE_SHIFT`, `CONT_PTE_SHIFT`, `PMD_SHIFT` of a 4K kernel (`arch/arm64/include/asm/pgtable-hwdef.h`).
#[inline(always)]
#[must_use]
pub const fn page_shift(size: Size) -> u32 {
    match size {
        Size::Small => 12,
        Size::Large => 16,
        Size::Huge => 21,
    }
}

/// Each slot of an address space is 2M apart from the next: room, and the alignment, for a page of every size.
pub const SLOT_SHIFT: u32 = 21;

/// Where the regions begin: user slots below 1 TiB and from there on; vmalloc, linear map, KASAN's shadow.
///
/// Source: `Documentation/arch/arm64/memory.rst`, 48-bit addresses.
const fn region(mm: Mm, page: u16) -> (u64, u16) {
    match (mm.0, page) {
        (0, SHADOW_PAGE..) => (0xffff_7000_0000_0000, SHADOW_PAGE),
        (0, LINEAR_PAGE..) => (0xffff_0000_0000_0000, LINEAR_PAGE),
        (0, _) => (0xffff_8000_8000_0000, 0),
        (_, HIGH_PAGE..) => (1 << 40, HIGH_PAGE),
        (_, _) => (0x1000_0000, 0),
    }
}

/// The virtual address of a page, whatever is mapped there.
///
/// User address spaces overlap, as they do in a kernel: the ASID tells them apart, which is why a TLBI names it.
#[inline]
#[must_use]
pub fn virtual_address(at: PteRef) -> u64 {
    let (base, first) = region(at.mm, at.page);
    base + (u64::from(at.page - first) << SLOT_SHIFT)
}

/// The page that an address of `mm` lies in: what a TLBI's operand names. Its size is not known there.
#[must_use]
pub fn page_at(mm: Mm, address: u64) -> Option<PteRef> {
    [0, LINEAR_PAGE, SHADOW_PAGE].into_iter().find_map(|start| {
        let (base, first) = region(mm, start);
        let slot = u16::try_from(address.checked_sub(base)? >> SLOT_SHIFT).ok()?;
        let at = PteRef { mm, page: first.checked_add(slot).filter(|&page| page < PAGES)?, size: Size::Small };
        (virtual_address(at) == address >> SLOT_SHIFT << SLOT_SHIFT).then_some(at)
    })
}
