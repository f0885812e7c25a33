//! powerpc64 (Book3S-64): Linux's entries on the hash MMU and the radix MMU's own, virtual page numbers, hash groups,
//! and what RB and RS of `tlbie` name.
//!
//! On radix an entry is the hardware's: V, L, R, C, EAA. On hash the hardware knows hash entries alone, and the machine
//! stands in for the kernel's hash fault, which reads the same bits and two software marks for the size of the hash
//! entry. A virtual page number holds the context plain, not scrambled (`get_vsid()` spreads it over the table).
//! Refs: Power ISA 3.0B, book III: 5.7.10.2 and figure 44 "Page Table Entry" (radix), 5.7.9 "Hashed page table search",
//! 5.9.3.3 "TLB management instructions" (RB: AVA, L, LP, AVAL, B, AP; IS; RIC, PRS, R; RS). Kernel:
//! `arch/powerpc/include/asm/book3s/64/{pgtable,hash-64k,mmu-hash}.h`, 7.2, for the software marks and the contexts.

use lazy_mmu_arches::insn::Insn;
use lazy_mmu_arches::page::{Mm, PteRef, Size};

use super::{Format, Layout, space};

/// EAA: privileged, read, read and write, execute.
const EAA_PRIVILEGED: u64 = 0x8;
const EAA_WRITE: u64 = 0x2;
const EAA_EXECUTE: u64 = 0x1;
/// R, reference.
const REFERENCE: u64 = 0x100;
/// Software: the hash entry is a 4K one; a huge one.
const COMBO: u64 = 0x1000;
const THP_HUGE: u64 = 0x2000;
/// Software: a page without a `struct page` (`_PAGE_SPECIAL`), which the border gives to small pages of a kernel tree.
const SPECIAL: u64 = 0x400;
/// Software: the hash table knows the entry (`H_PAGE_HASHPTE`).
const HASHED: u64 = 1 << 55;
/// V.
const VALID: u64 = 1 << 63;

/// The entries of the radix MMU.
pub(super) const RADIX: Format = Format {
    valid: VALID,
    write: EAA_WRITE,
    read_only: 0,
    user: (EAA_PRIVILEGED, 0),
    exec: [(EAA_EXECUTE, EAA_EXECUTE); 2],
    touched: REFERENCE,
    // RPN of pages of 64K and more: bits 52:16.
    frame: (1 << 53) - (1 << 16),
    inverted: 0,
    // Small by either mark: the second stands in a tree's entry that no fault has seen.
    sizes: [(THP_HUGE, THP_HUGE, Size::Huge, 24), (COMBO | SPECIAL, 0, Size::Large, 16), (0, 0, Size::Small, 16)],
};

/// The entries that the hash fault reads, and marks.
pub(super) const HASH: Format = Format { touched: REFERENCE | HASHED, ..RADIX };

/// 16M slots; user space from 256M and from 1T on; the regions of a kernel with 64K pages.
const LAYOUT: Layout = Layout {
    user: [0x1000_0000, 1 << 40],
    kernel: [0xc008_0000_0000_0000, 0xc000_0000_0000_0000, 0xc00e_0000_0000_0000],
    slot: 24,
};

/// Bits of an offset in a page of the hash MMU.
const fn offset_bits(size: Size) -> u32 {
    match size {
        Size::Small => 12,
        Size::Large => 16,
        Size::Huge => 24,
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

/// A segment's size, by its value in the B field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    /// B = 0.
    #[default]
    M256,
    /// B = 1.
    T1,
}

impl Segment {
    fn from_field(b: u64) -> Option<Segment> {
        match b {
            0 => Some(Segment::M256),
            1 => Some(Segment::T1),
            _ => None,
        }
    }

    /// The segment that an address lies in: 256M below 1T, where the user's first slots are.
    pub(crate) fn of(address: u64) -> Segment {
        if address < 1 << 40 { Segment::M256 } else { Segment::T1 }
    }

    const fn bits(self) -> u32 {
        match self {
            Segment::M256 => 28,
            Segment::T1 => 40,
        }
    }
}

/// Bits of an address within one context: 512T.
const CONTEXT_BITS: u32 = 49;
/// The first context of a user address space.
const USER_CONTEXT: u64 = 0x100;

/// A page of the hash MMU: where its virtual page number begins, in units of 4K, with its size and its segment's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct HashPage {
    /// The virtual page number.
    pub(crate) vpn: u64,
    /// The page's size.
    pub(crate) size: Size,
    /// Its segment's.
    pub(crate) segment: Segment,
}

impl HashPage {
    /// The page of an entry, mapped as `size`.
    ///
    /// A virtual address is a context's number and 49 bits of an address. User contexts begin at 256; the kernel has one
    /// for each 512T of its addresses, from 1 on.
    pub(crate) fn of(at: PteRef, size: Size) -> HashPage {
        let address = address_of(at);
        let context = match at.mm {
            Mm::KERNEL => 1 + (address >> CONTEXT_BITS & 7),
            user => USER_CONTEXT + u64::from(user.0),
        };
        let within = address & ((1 << CONTEXT_BITS) - 1);
        HashPage { vpn: (context << CONTEXT_BITS | within) >> 12, size, segment: Segment::of(address) }
    }

    /// The page that a search of the hash table is for: operand `b` holds the sizes of page and segment.
    pub(crate) fn searched(insn: Insn) -> Option<HashPage> {
        let size = match insn.b & 0xff {
            0 => Size::Small,
            1 => Size::Large,
            2 => Size::Huge,
            _ => return None,
        };
        Some(HashPage { vpn: insn.a, size, segment: Segment::from_field(insn.b >> 8)? })
    }

    /// The page that a `tlbie` or `tlbiel` names, if its operands are of the hash MMU's form.
    ///
    /// Without L the AP field, here of 4K, says the size. With L, LP does: its low four bits, 1 for a base and actual
    /// page of 64K, and of 16M all of them 0; AVAL has the low bits of the page number.
    pub(crate) fn invalidated(insn: Insn) -> Option<HashPage> {
        let rb = insn.a;
        if insn.b & (RIC | PRS | R) != 0 {
            return None;
        }
        let segment = Segment::from_field(rb >> 8 & 3)?;
        let number = |bits: u32| rb >> bits << (bits - 12);
        let page = |size: Size| HashPage { vpn: number(offset_bits(size)), size, segment };
        if rb & 1 == 0 {
            return (rb & 0xcff == 0).then(|| page(Size::Small));
        }
        // AVAL repeats what LP leaves of the page number's low bits, and IS is 0.
        let (lp, low) = (rb >> 12 & 0xff, rb & 0xcfe);
        match lp & 0xf {
            1 if low == lp & 0xf0 => Some(page(Size::Large)),
            0 if lp == 0 && low == 0 => Some(page(Size::Huge)),
            _ => None,
        }
    }

    /// Whether a `tlbie` of `named` is of this page: its number is known as far as the operand has it.
    pub(crate) fn is(self, named: HashPage) -> bool {
        let drop = offset_bits(self.size) - 12;
        // An operand has the low 52 bits of a page number.
        let known = (1 << 52) - 1;
        (self.size, self.segment) == (named.size, named.segment) && (self.vpn & known) >> drop == named.vpn >> drop
    }

    /// The page's place in the page tables: of whom, and where.
    pub(crate) fn entry(self) -> Option<PteRef> {
        let within = self.vpn << 12 & ((1 << CONTEXT_BITS) - 1);
        let (mm, address) = match self.vpn >> (CONTEXT_BITS - 12) {
            context @ 1..=8 => (Mm::KERNEL, 0xc << 60 | (context - 1) << CONTEXT_BITS | within),
            context => (space(context.checked_sub(USER_CONTEXT)?).filter(|mm| !mm.is_kernel())?, within),
        };
        page_at(mm, address)
    }

    /// The hash of the search, before it is masked: the segment's id and the page's number in the segment.
    pub(crate) fn hash(self) -> u64 {
        let in_segment = self.segment.bits() - 12;
        let vsid = self.vpn >> in_segment;
        let page = (self.vpn & ((1 << in_segment) - 1)) >> (offset_bits(self.size) - 12);
        let hash = match self.segment {
            Segment::M256 => vsid ^ page,
            Segment::T1 => vsid ^ vsid << 25 ^ page,
        };
        hash & ((1 << 39) - 1)
    }
}

/// RIC, PRS and R of a `tlbie`, where they lie in its word, in operand `b`.
const RIC: u64 = 3 << 18;
const PRS: u64 = 1 << 17;
const R: u64 = 1 << 16;

/// What a `tlbie` of the radix MMU names: the pages of its tables are 4K, 64K and 2M.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RadixOperand {
    /// One page of a process: its address and size.
    Page(Mm, u64, Size),
    /// All of a process.
    Process(Mm),
}

impl RadixOperand {
    /// The operands taken apart, if they name something of ours.
    pub(crate) fn new(insn: Insn) -> Option<RadixOperand> {
        if insn.b & (R | PRS) != R | PRS {
            return None;
        }
        let process = space(insn.b >> 32)?;
        let ric = (insn.b & RIC) >> 18;
        match (insn.a >> 10 & 3, insn.a >> 5 & 7) {
            // RIC = 1 leaves the TLB alone: the walk cache goes.
            _ if ric == 1 || ric == 3 => None,
            (0, 0) => Some(RadixOperand::Page(process, insn.a & !0xfff, Size::Small)),
            (0, 5) => Some(RadixOperand::Page(process, insn.a & !0xfff, Size::Large)),
            (0, 1) => Some(RadixOperand::Page(process, insn.a & !0xfff, Size::Huge)),
            (1, _) => Some(RadixOperand::Process(process)),
            _ => None,
        }
    }

    /// Whether it is of a page that is mapped as `size` at an address of that process.
    pub(crate) fn is_page_at(self, address: u64, size: Size) -> bool {
        let bits = match size {
            Size::Small => 12,
            Size::Large => 16,
            Size::Huge => 21,
        };
        matches!(self, RadixOperand::Page(_, named, of) if of == size && named >> bits == address >> bits)
    }
}
