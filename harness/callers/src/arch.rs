//! Call sites in `arch/arm64` and `arch/powerpc`: each stands in a block of its own architecture.
//!
//! arm64's may sleep in a section, which no generic code may. powerpc's of the hash MMU only queue: an update that
//! changes nothing, for which `wrprot` of a read-only entry stands. Called by the table and by the chains.

use lazy_mmu_arches::mmu::Mmu;

use super::builder::{Builder, LINEAR, PTL, PTL2, USER, VMALLOC};
use super::parameter::Parameter::Len;
use super::{Parameters, Workload};
use lazy_mmu_program::{Allocation, Protection};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "split_kernel_leaf_mapping",
        "arch/arm64/mm/mmu.c: split_kernel_leaf_mapping (844-866)",
        "fills new tables of the linear map under a mutex; allocates them, and may sleep, inside",
        &[Len],
        split_kernel_leaf_mapping,
    )
    .on(&[Mmu::Aarch64]),
    Workload::generic(
        "range_split_to_ptes",
        "arch/arm64/mm/mmu.c: range_split_to_ptes (927-930)",
        "splits all of the linear map at boot: a table is allocated, then filled, then the next (64 entries each here)",
        &[Len],
        range_split_to_ptes,
    )
    .on(&[Mmu::Aarch64]),
    Workload::generic(
        "update_range_prot",
        "arch/arm64/mm/pageattr.c: update_range_prot (118-127)",
        "changes the linear map without a lock; a range of more than one page is split first, in a section of its own",
        &[Len],
        update_range_prot,
    )
    .on(&[Mmu::Aarch64]),
    Workload::generic(
        "efi_set_mapping_permissions",
        "arch/arm64/kernel/efi.c: set_permissions, by apply_to_page_range()",
        "changes efi_mm, whose entries are kernel ones, under a page-table lock",
        &[Len],
        efi_set_mapping_permissions,
    )
    .on(&[Mmu::Aarch64]),
    Workload::generic(
        "change_page_attr",
        "arch/powerpc/mm/pageattr.c: change_page_attr (102)",
        "changes kernel entries, flushing each; preemption is on at entry, and the mode turns it off on hash",
        &[Len],
        change_page_attr,
    )
    .on(&[Mmu::Hash, Mmu::Radix]),
    Workload::generic(
        "hpte_flush_range",
        "arch/powerpc/mm/book3s64/subpage_prot.c: hpte_flush_range (76-82)",
        "queues user entries without a change, under the page-table lock",
        &[Len],
        hpte_flush_range,
    )
    .on(&[Mmu::Hash]),
    Workload::generic(
        "__flush_hash_table_range",
        "arch/powerpc/mm/book3s64/hash_tlb.c: __flush_hash_table_range (210-222)",
        "queues kernel entries without a change, interrupts off",
        &[Len],
        flush_hash_table_range,
    )
    .on(&[Mmu::Hash]),
    Workload::generic(
        "flush_hash_table_pmd_range",
        "arch/powerpc/mm/book3s64/hash_tlb.c: flush_hash_table_pmd_range (242-254)",
        "the same for a user's page table; where that is missing (length 0) the section is empty",
        &[Len],
        flush_hash_table_pmd_range,
    )
    .on(&[Mmu::Hash]),
];

/// Entries of a new table, few enough that a short range has several tables.
const TABLE: u16 = 64;

fn split_kernel_leaf_mapping(b: &mut Builder, p: &Parameters) {
    split(b, p.len());
    b.access(LINEAR.take(p.len()));
}

/// The section, with its mutex.
fn split(b: &mut Builder, len: u16) {
    b.mutex_lock().enable().alloc(0, Allocation::Sleep);
    for i in 0..len {
        b.set(LINEAR.at(i));
    }
    b.disable().mutex_unlock();
}

fn range_split_to_ptes(b: &mut Builder, p: &Parameters) {
    b.enable();
    for i in 0..p.len() {
        if i % TABLE == 0 {
            b.alloc(i / TABLE, Allocation::Plain);
        }
        b.set(LINEAR.at(i));
    }
    b.disable().access(LINEAR.take(p.len()));
}

fn update_range_prot(b: &mut Builder, p: &Parameters) {
    let all = LINEAR.take(p.len());
    if p.len() == 1 {
        // DEBUG_PAGEALLOC and KFENCE: mapped by pages from the start.
        b.set(all);
    } else {
        split(b, p.len());
    }
    b.access(all).enable();
    for i in 0..p.len() {
        b.get(LINEAR.at(i)).set_as(LINEAR.at(i), Protection::Read);
    }
    b.disable().tlb_flush(all).access(all);
}

fn efi_set_mapping_permissions(b: &mut Builder, p: &Parameters) {
    let all = VMALLOC.take(p.len());
    b.used(all).lock(PTL2).enable();
    for i in 0..p.len() {
        b.get(VMALLOC.at(i)).set_as(VMALLOC.at(i), Protection::Read);
    }
    b.disable().unlock(PTL2).tlb_flush(all).access(all);
}

fn change_page_attr(b: &mut Builder, p: &Parameters) {
    b.used(VMALLOC.take(p.len())).enable();
    for i in 0..p.len() {
        b.get(VMALLOC.at(i)).wrprot(VMALLOC.at(i)).tlb_flush(VMALLOC.at(i));
    }
    b.disable().access(VMALLOC.take(p.len()));
}

fn hpte_flush_range(b: &mut Builder, p: &Parameters) {
    let all = USER.take(p.len());
    b.used_read_only(all).lock(PTL).enable();
    for i in 0..p.len() {
        b.wrprot(USER.at(i));
    }
    b.disable().unlock(PTL).access(all);
}

fn flush_hash_table_range(b: &mut Builder, p: &Parameters) {
    let all = VMALLOC.take(p.len());
    b.used_read_only(all).irq_off().enable();
    for i in 0..p.len() {
        b.wrprot(VMALLOC.at(i));
    }
    b.disable().irq_on().access(all);
}

fn flush_hash_table_pmd_range(b: &mut Builder, p: &Parameters) {
    let all = USER.take(p.len());
    b.used_read_only(all).irq_off().enable();
    for i in 0..p.len() {
        b.wrprot(USER.at(i));
    }
    b.disable().irq_on().access(all);
}
