//! x86_64: what the mode defers there, and where the pages of programs lie.
//!
//! A native x86 defers nothing: a PTE is a plain store, and the hooks are patched to nothing. Under Xen PV the page
//! tables are read-only for the kernel, and each update is an entry of a hypercall. While the mode is active updates
//! collect in the CPU's multicall buffer, **and memory does not change until the hypercall runs**; flush, leave, a
//! full buffer and a context switch force them out. TLB flushes go through the same buffer, in order.
//!
//! Not here: PTI, PCIDs, `invpcid` and `invlpgb`; the descriptor operations that share Xen's buffer; translation
//! between guest frames and machine frames (the two are the same number here).
//!
//! | file | what |
//! | --- | --- |
//! | `asm` | the unprivileged instructions, executed |
//! | [`decode`] | instruction bytes, hypercall numbers and their structures |
//! | [`earlier`] | the hooks before 7.2: Xen stateless, nested, token, 7.0 and 7.1 |
//! | [`hooks`] | the hooks of 7.2, native and Xen PV |
//! | [`pte`] | PTE words and the two write paths |
//! | [`queue`] | the multicall buffer |

#[cfg(target_arch = "x86_64")]
pub mod asm;
pub mod decode;
pub mod earlier;
pub mod hooks;
pub mod pte;
pub mod queue;

#[cfg(test)]
mod tests;

pub use earlier::{Xen70, Xen71, XenNested, XenStateless, XenToken};
pub use hooks::{X86Native, Xen, XenOf};
pub use queue::{ENTRIES, Mode, ON_STACK, PerCpu, Thread};

use crate::page::{HIGH_PAGE, LINEAR_PAGE, Mm, PAGES, PteRef, SHADOW_PAGE, Size};

/// Log2 of the bytes a mapping of `size` covers: 4K, and 2M for a PMD. There is no middle size.
///
/// Source: `PAGE_SHIFT`, `PMD_SHIFT` (`arch/x86/include/asm/pgtable_64_types.h`).
#[inline(always)]
#[must_use]
pub const fn page_shift(size: Size) -> u32 {
    match size {
        Size::Small | Size::Large => 12,
        Size::Huge => 21,
    }
}

/// Each slot of an address space is 2M apart from the next: room, and the alignment, for a page of every size.
pub const SLOT_SHIFT: u32 = 21;

/// Where the number of a user address space is put: six bits, up to the end of the lower half.
const MM_SHIFT: u32 = 41;
const MM_MASK: u8 = 0x3f;

/// Where the regions begin: user slots below 1 TiB and from there on; vmalloc, direct map, KASAN's shadow.
///
/// Source: `Documentation/arch/x86/x86_64/mm.rst`, four levels.
const fn region(mm: Mm, page: u16) -> (u64, u16) {
    let user = ((mm.0 & MM_MASK) as u64) << MM_SHIFT;
    match (mm.0, page) {
        (0, SHADOW_PAGE..) => (0xffff_ec00_0000_0000, SHADOW_PAGE),
        (0, LINEAR_PAGE..) => (0xffff_8880_0000_0000, LINEAR_PAGE),
        (0, _) => (0xffff_c900_0000_0000, 0),
        (_, HIGH_PAGE..) => (user + (1 << 40), HIGH_PAGE),
        (_, _) => (user + 0x1000_0000, 0),
    }
}

/// The virtual address of a page, whatever is mapped there; there are 63 user address spaces.
///
/// Each has its own part of the lower half. A kernel's overlap, and an `invlpg` means the loaded one: there the
/// loaded mm and the mm's generation count say whose translation it is, and here the address does.
#[inline]
#[must_use]
pub fn virtual_address(at: PteRef) -> u64 {
    let (base, first) = region(at.mm, at.page);
    base + (u64::from(at.page - first) << SLOT_SHIFT)
}

/// The page that an address lies in: what an `invlpg` names. Its size is not known there.
#[must_use]
pub fn page_at(address: u64) -> Option<PteRef> {
    let mm = if address >> 63 != 0 { Mm::KERNEL } else { Mm((address >> MM_SHIFT) as u8 & MM_MASK) };
    [0, LINEAR_PAGE, SHADOW_PAGE].into_iter().find_map(|start| {
        let (base, first) = region(mm, start);
        let slot = u16::try_from(address.checked_sub(base)? >> SLOT_SHIFT).ok()?;
        let at = PteRef { mm, page: first.checked_add(slot).filter(|&page| page < PAGES)?, size: Size::Small };
        (virtual_address(at) == address >> SLOT_SHIFT << SLOT_SHIFT).then_some(at)
    })
}
