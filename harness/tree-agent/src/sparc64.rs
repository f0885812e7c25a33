//! sparc64: TSB entries, demaps and cross calls in the machine's words.
//!
//! `mm/ultra.S` is not compiled: what its functions are asked for arrives here, and the streams are those of our backend
//! (`lazy_mmu_arches::sparc64::queue`), whose source it is. Addresses are mapped page by page: the tree's lie side by side.

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PteRef, Size};
use lazy_mmu_arches::sparc64::queue::{PAGE_SHIFT, REAL_HPAGE_SHIFT};
use lazy_mmu_arches::sparc64::{decode, page_shift, virtual_address};
use lazy_mmu_border::numbers::insn as number;

use crate::border::read;
use crate::tree::Tree;

/// The secondary context's register.
const SECONDARY: u64 = decode::operand(decode::ASI_DMMU, decode::SECONDARY_CONTEXT);

/// A function of the tree's: its number and operands as the header has them.
pub fn insn(tree: &Tree, which: u64, b: u64, c: u64, d: u64) -> u64 {
    match which {
        number::TSB_FLUSH => tsb_flush(tree, b, c),
        number::FLUSH_PAGE => flush(tree, b, std::iter::once(c)),
        number::FLUSH_PENDING => flush(tree, b, (0..d).rev().map(|n| read(c + 8 * n))),
        number::FLUSH_KERNEL => flush_kernel(tree, b, c),
        number::CROSS_CALL => cross_call(tree, b, c, d),
        _ => {}
    }
    0
}

/// An address of the tree's as the machine's: the page, and the address in it. Bit 0 stays what it is.
fn translate(tree: &Tree, mm: u64, address: u64) -> Option<(PteRef, u64)> {
    let (at, into) = tree.page_in(Mm(mm as u8), address & !1)?;
    Some((at, (virtual_address(at) + into) | (address & 1)))
}

/// Bits of a page offset in the TLB.
fn tlb_shift(size: Size) -> u32 {
    page_shift(size).min(REAL_HPAGE_SHIFT)
}

/// `c`: hash shift, and the address space from bit 8 on. The tree has the kernel's huge pages in one table with the others,
/// by parts of the base size; the machine has an entry for each page of the TLB.
fn tsb_flush(tree: &Tree, address: u64, c: u64) {
    let (mut shift, mm) = (c & 0xff, c >> 8);
    let a = match translate(tree, mm, address) {
        Some((at, a)) if mm == 0 && at.size == Size::Huge => {
            if a & ((1 << REAL_HPAGE_SHIFT) - 1) != 0 {
                return;
            }
            shift = REAL_HPAGE_SHIFT.into();
            a
        }
        Some((_, a)) => a,
        None => return,
    };
    tree.env().execute(Insn { op: Op::TsbFlush, a, b: shift | mm << 8 });
}

/// `__flush_tlb_page()` and `__flush_tlb_pending()`.
fn flush(tree: &Tree, context: u64, addresses: impl Iterator<Item = u64>) {
    let addresses = addresses.map(|address| translate(tree, context, address).map_or(address, |(_, a)| a));
    if tree.form.mmu == Mmu::Sun4v {
        addresses.for_each(|address| unmap(tree, context, address));
        return;
    }
    let pstate = tree.env().execute(Insn::plain(Op::RdprPstate));
    tree.env().execute(Insn::with(Op::WrprPstate, pstate & !decode::PSTATE_IE));
    let secondary = tree.env().execute(Insn::with(Op::Ldxa, SECONDARY));
    tree.env().execute(Insn { op: Op::Stxa, a: SECONDARY, b: context });
    for address in addresses {
        let operand = decode::demap_address(address, decode::DEMAP_SECONDARY);
        if address & 1 != 0 {
            demap(tree, decode::ASI_IMMU_DEMAP, operand);
        }
        demap(tree, decode::ASI_DMMU_DEMAP, operand);
        tree.env().execute(Insn::plain(Op::MembarSync));
    }
    tree.env().execute(Insn { op: Op::Stxa, a: SECONDARY, b: secondary });
    tree.env().execute(Insn::with(Op::Flush, decode::KERNBASE));
    tree.env().execute(Insn::with(Op::WrprPstate, pstate));
}

fn demap(tree: &Tree, asi: u8, operand: u64) {
    tree.env().execute(Insn::with(Op::Stxa, decode::operand(asi, operand)));
}

/// The hypervisor removes one translation.
fn unmap(tree: &Tree, context: u64, address: u64) {
    let a = decode::operand(decode::MMU_UNMAP_ADDR, address & !0x1fff);
    tree.env().execute(Insn { op: Op::Ta, a, b: decode::trap_arguments(context, decode::HV_MMU_ALL) });
}

/// `__flush_tlb_kernel_range()`: each page of the TLB, from the last.
fn flush_kernel(tree: &Tree, start: u64, end: u64) {
    let pages = end.wrapping_sub(start) >> PAGE_SHIFT;
    let mut before = u64::MAX;
    for n in (0..pages).rev() {
        let Some((at, a)) = translate(tree, 0, start.wrapping_add(n << PAGE_SHIFT)) else { continue };
        let page = a >> tlb_shift(at.size) << tlb_shift(at.size);
        if page == before {
            continue;
        }
        before = page;
        if tree.form.mmu == Mmu::Sun4v {
            unmap(tree, 0, page);
            continue;
        }
        let operand = decode::demap_address(page, decode::DEMAP_NUCLEUS);
        demap(tree, decode::ASI_DMMU_DEMAP, operand);
        demap(tree, decode::ASI_IMMU_DEMAP, operand);
        tree.env().execute(Insn::plain(Op::MembarSync));
    }
    if tree.form.mmu != Mmu::Sun4v {
        tree.env().execute(Insn::with(Op::Flush, decode::KERNBASE));
    }
}

/// Each other CPU of the mask runs the function on so many addresses of the stream to come.
fn cross_call(tree: &Tree, function: u64, mask: u64, addresses: u64) {
    for cpu in (0..u64::from(tree.env().cpus())).filter(|cpu| mask >> cpu & 1 != 0) {
        tree.env().execute(Insn { op: Op::Xcall, a: cpu, b: function | addresses << 8 });
    }
}
