//! What words, operands and addresses mean to the hardware: the machine's own tables.
//!
//! Each file is written from an architecture's manual, or from the interface of its hypervisor, which it names. Nothing
//! here is taken from `lazy_mmu_arches` but the plain types of the border (`Mm`, `PteRef`, `Size`, `Insn`): a backend
//! whose codec is wrong in both directions must not find the machine wrong in the same way. That the two say the same of
//! every word that matters is a test ([`tests`]).
//!
//! | file | what |
//! | --- | --- |
//! | `aarch64`, `powerpc64`, `sparc64`, `x86_64` | an architecture: page-table entries, addresses, operands |
//! | `plain` | the machine without an MMU of its own |
//! | `xen` | hypercalls: numbers, structures, guest memory |
//!
//! Not here: what an instruction does (the memory), or how a subject makes a word. Called by the memory and the
//! machine's environment.

pub(super) mod aarch64;
mod plain;
pub(super) mod powerpc64;
pub(super) mod sparc64;
pub(super) mod x86_64;
pub(super) mod xen;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{HIGH_PAGE, LINEAR_PAGE, Mm, PAGES, PteRef, SHADOW_PAGE, Size};

use super::memory::SPACES;

/// A page size as an entry says it: the bits that say so, their value, the size, and by what its frame number is shifted.
type SizeRow = (u64, u64, Size, u32);

/// The page-table entries of an MMU, as its walker (or the software that stands in for one) reads them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// Set in an entry that a walker may use.
    valid: u64,
    /// Any of these set: stores are allowed.
    write: u64,
    /// Where there is such a bit: clear in an entry that stores are allowed through, whatever `write` says.
    read_only: u64,
    /// User mode may use the entry if it has this value under this mask.
    user: (u64, u64),
    /// Instructions may be fetched by user mode, and by the kernel, if the entry has this value under this mask.
    exec: [(u64, u64); 2],
    /// What a walk, or the fault handler in its place, sets in a valid entry.
    touched: u64,
    /// The physical address.
    frame: u64,
    /// Set in an entry that is not valid: its address is inverted, so that no speculative load finds it (L1TF). 0: none is.
    inverted: u64,
    /// The first that fits is the entry's; the last fits all.
    sizes: [SizeRow; 3],
}

impl Format {
    /// The entries of an MMU.
    pub(super) const fn of(mmu: Mmu) -> &'static Format {
        match mmu {
            Mmu::Plain => &plain::FORMAT,
            Mmu::Aarch64 => &aarch64::FORMAT,
            Mmu::Hash => &powerpc64::HASH,
            Mmu::Radix => &powerpc64::RADIX,
            Mmu::Sun4u => &sparc64::SUN4U,
            Mmu::Sun4v => &sparc64::SUN4V,
            Mmu::Native | Mmu::Xen => &x86_64::FORMAT,
        }
    }

    #[inline(always)]
    fn row(&self, word: u64) -> &SizeRow {
        let [first, second, last] = &self.sizes;
        if word & first.0 == first.1 {
            first
        } else if word & second.0 == second.1 {
            second
        } else {
            last
        }
    }

    /// Whether a walker may use the entry.
    #[inline(always)]
    pub(super) fn is_valid(&self, word: u64) -> bool {
        word & self.valid != 0
    }

    /// Whether stores are allowed.
    #[inline(always)]
    pub(super) fn is_writable(&self, word: u64) -> bool {
        word & self.write != 0 || (self.read_only != 0 && word & self.read_only == 0)
    }

    /// Whether user mode may use it.
    #[inline(always)]
    pub(super) fn is_user(&self, word: u64) -> bool {
        word & self.user.0 == self.user.1
    }

    /// Whether instructions may be fetched, by those who may use it.
    pub(super) fn is_executable(&self, word: u64) -> bool {
        let (mask, value) = self.exec[usize::from(!self.is_user(word))];
        word & mask == value
    }

    /// The entry with its address as it is meant.
    #[inline(always)]
    fn upright(&self, word: u64) -> u64 {
        if word & self.inverted != 0 && !self.is_valid(word) { word ^ self.frame } else { word }
    }

    /// The frame it names, in units of its own size.
    #[inline(always)]
    pub(super) fn frame(&self, word: u64) -> u32 {
        ((self.upright(word) & self.frame) >> self.row(word).3) as u32
    }

    /// The size of the mapping it makes.
    #[inline(always)]
    pub(super) fn size(&self, word: u64) -> Size {
        self.row(word).2
    }

    /// The size that a mapping has where one of `size` is asked for: not every MMU has a middle one.
    pub(super) fn size_for(&self, size: Size) -> Size {
        if self.sizes.iter().any(|row| row.2 == size) { size } else { Size::Small }
    }

    /// What it says when its translation has been used.
    #[inline(always)]
    pub(super) fn touched(&self, word: u64) -> u64 {
        if self.is_valid(word) { word | self.touched } else { word }
    }

    /// Whether using its translation has left its mark already.
    pub(super) fn is_touched(&self, word: u64) -> bool {
        self.is_valid(word) && word & self.touched == self.touched
    }
}

/// Where the pages of programs lie: each region begins with a page and at an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// User pages below 1 TiB, and from there on ([`HIGH_PAGE`]).
    user: [u64; 2],
    /// vmalloc; the linear map, from [`LINEAR_PAGE`] on; KASAN's shadow, from [`SHADOW_PAGE`] on.
    kernel: [u64; 3],
    /// Bits of an address within one page's slot.
    slot: u32,
}

/// The first pages of the regions.
const USER: [u16; 2] = [0, HIGH_PAGE];
const KERNEL: [u16; 3] = [0, LINEAR_PAGE, SHADOW_PAGE];

impl Layout {
    fn regions(&self, mm: Mm) -> (&[u16], &[u64]) {
        if mm.is_kernel() { (&KERNEL, &self.kernel) } else { (&USER, &self.user) }
    }

    /// The address of a page's slot, and how many slots of its region lie before it.
    fn slot_of(&self, mm: Mm, page: u16) -> (u64, u64) {
        let (firsts, bases) = self.regions(mm);
        let region = firsts.iter().rposition(|&first| first <= page).unwrap_or_default();
        let before = u64::from(page - firsts[region]);
        (bases[region] + (before << self.slot), before)
    }

    /// The page whose slot an address of an address space lies in.
    fn page_at(&self, mm: Mm, address: u64) -> Option<PteRef> {
        if usize::from(mm.0) >= SPACES {
            return None;
        }
        let (firsts, bases) = self.regions(mm);
        (0..firsts.len()).find_map(|region| {
            let end = firsts.get(region + 1).copied().unwrap_or(PAGES);
            let slot = address.checked_sub(bases[region])? >> self.slot;
            let page = u16::try_from(slot).ok()?.checked_add(firsts[region]).filter(|&page| page < end)?;
            Some(PteRef { mm, page, size: Size::Small })
        })
    }
}

/// The address space that a number names: an ASID, a process id, a context. There are no others.
fn space(number: u64) -> Option<Mm> {
    u8::try_from(number).ok().filter(|&mm| usize::from(mm) < SPACES).map(Mm)
}

#[cfg(test)]
mod tests;
