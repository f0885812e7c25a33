//! What a PTE operation is about: an address space, a page in it, a size class, and what a PTE says.
//!
//! These are the architecture-neutral names that programs use. Each backend maps them to its own addresses, page
//! sizes and PTE bits (its `mod.rs` and `pte.rs`); nothing here knows those.

/// An address space: [`Mm::KERNEL`] is `init_mm`, the others belong to user processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Mm(pub u8);

impl Mm {
    /// `init_mm`, named `K` in programs.
    pub const KERNEL: Mm = Mm(0);

    /// Whether this is `init_mm`.
    #[inline(always)]
    pub fn is_kernel(self) -> bool {
        self == Mm::KERNEL
    }
}

/// A page-size class. What it is in bytes is the architecture's affair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Size {
    /// The base page: 4K, on sparc64 8K.
    #[default]
    Small,
    /// The middle size, 64K where there is one: aarch64 contiguous PTEs, powerpc64 and sparc64; else the base page.
    Large,
    /// A huge page mapped by a PMD: 2M on aarch64, x86_64 and powerpc64 radix, 16M on powerpc64 hash, 8M on sparc64
    /// (there two pages of 4M).
    Huge,
}

/// One PTE: entry `page` of address space `mm`, as a mapping of `size`.
///
/// Each `page` number is one slot of the address space whatever its size; the backend turns it into an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PteRef {
    /// Whose page table.
    pub mm: Mm,
    /// Which slot, in `0..PAGES`.
    pub page: u16,
    /// The size class mapped there.
    pub size: Size,
}

/// Slots in each address space. User pages from [`HIGH_PAGE`] on lie at or above 1 TiB, in segments of 1 TiB on
/// powerpc64; the others lie in segments of 256 MiB.
pub const PAGES: u16 = 2048;

/// The first user page at or above 1 TiB.
pub const HIGH_PAGE: u16 = 1024;

/// The first kernel page of the linear map: page `LINEAR_PAGE + f` maps page frame `f`.
pub const LINEAR_PAGE: u16 = 1024;

/// The first kernel page of KASAN's shadow.
pub const SHADOW_PAGE: u16 = 1536;

// An address space's number and a page's, side by side in a machine address.
const _: () = assert!(crate::bits::disjoint(&[(u8::MAX as u64) << 16, u16::MAX as u64]));

impl PteRef {
    /// The slot `n` further on.
    #[inline(always)]
    #[must_use]
    pub fn step(self, n: u16) -> PteRef {
        PteRef { page: self.page + n, ..self }
    }

    /// Where the entry lies in the machine's memory, 8 bytes each: what a hypercall names it by.
    #[inline(always)]
    #[must_use]
    pub fn machine_address(self) -> u64 {
        (u64::from(self.mm.0) << 16 | u64::from(self.page)) << 3
    }

    /// The entry at a machine address, its low three bits (a hypercall's type) aside; its size is not known there.
    #[must_use]
    pub fn at_machine_address(address: u64) -> PteRef {
        let slot = address >> 3;
        PteRef { mm: Mm((slot >> 16) as u8), page: slot as u16, size: Size::Small }
    }
}

/// What a PTE says, free of any architecture's bit positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PteFlags {
    /// A walker may use it.
    pub valid: bool,
    /// Stores are allowed.
    pub write: bool,
    /// User mode may use it.
    pub user: bool,
    /// Instructions may be fetched through it.
    pub exec: bool,
    /// It was accessed (`young`).
    pub accessed: bool,
    /// It was written through.
    pub dirty: bool,
}

/// A range of pages of one size: what a TLB flush covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first page.
    pub first: PteRef,
    /// How many pages, at least 1.
    pub pages: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_one_machine_address_and_an_address_one_entry() {
        for (mm, page, address) in [(0, 0, 0), (0, 1, 8), (1, 0, 0x8_0000), (2, 5, 0x10_0028), (255, 2047, 0x7f8_3ff8)]
        {
            let at = PteRef { mm: Mm(mm), page, size: Size::Small };
            assert_eq!(at.machine_address(), address);
            for kind in 0..8 {
                assert_eq!(PteRef::at_machine_address(address + kind), at, "a hypercall's type is no part of it");
            }
        }
    }
}
