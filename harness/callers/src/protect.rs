//! `mm/mprotect.c`, `mm/mremap.c`, `mm/migrate_device.c`, `mm/userfaultfd.c` and `fs/proc/task_mmu.c`: changing and
//! moving entries of user space.
//!
//! Two of them flush the TLB inside the section, before what it deferred is out. That is how 7.2 is, and is kept so; on
//! today's architectures nothing comes of it (they queue both, or defer no user entries). Called by the table.

use super::builder::{Builder, MOVED, PTL, PTL2, USER};
use super::parameter::Parameter::{HoleAt, Len, PinnedAt, SplitAt};
use super::{Parameters, Workload};
use lazy_mmu_program::Protection;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "change_pte_range",
        "mm/mprotect.c: change_pte_range (340-412)",
        "reads, clears and writes each entry (ptep_modify_prot); where there is none it leaves a marker; flushed later",
        &[Len, HoleAt],
        change_pte_range,
    ),
    Workload::generic(
        "move_ptes",
        "mm/mremap.c: move_ptes (263-308)",
        "moves entries; the flush of the old range comes before both locks are dropped",
        &[Len, HoleAt],
        move_ptes,
    ),
    Workload::generic(
        "migrate_vma_collect_pmd",
        "mm/migrate_device.c: migrate_vma_collect_pmd (268-483)",
        "replaces entries by migration entries, starts again after a split, and flushes before it closes its section",
        &[Len, SplitAt],
        migrate_vma_collect_pmd,
    ),
    Workload::generic(
        "move_present_ptes",
        "mm/userfaultfd.c: move_present_ptes (1274-1311)",
        "moves entries (UFFDIO_MOVE); the entry of a pinned page is put back, and the walk ends",
        &[Len, PinnedAt],
        move_present_ptes,
    ),
    Workload::generic(
        "pagemap_scan_pmd_entry",
        "fs/proc/task_mmu.c: pagemap_scan_pmd_entry (2855-2925)",
        "write-protects what it reports, marks holes, and flushes before it closes its section",
        &[Len, HoleAt],
        pagemap_scan_pmd_entry,
    ),
];

/// Used entries, with one missing where the parameter says so.
fn with_hole(b: &mut Builder, p: &Parameters) {
    match (0..p.len()).find(|&i| p.is(HoleAt, i)) {
        Some(hole) => b.used(USER.take(hole)).used(USER.skip(hole + 1).take(p.len() - hole - 1)),
        None => b.used(USER.take(p.len())),
    };
}

fn change_pte_range(b: &mut Builder, p: &Parameters) {
    let all = USER.take(p.len());
    with_hole(b, p);
    b.lock(PTL).enable();
    for i in 0..p.len() {
        b.get(USER.at(i));
        if p.is(HoleAt, i) {
            b.set_as(USER.at(i), Protection::Invalid);
        } else {
            b.clear(USER.at(i)).set_as(USER.at(i), Protection::Read);
        }
    }
    b.disable().unlock(PTL).tlb_flush(all).access(all);
}

fn move_ptes(b: &mut Builder, p: &Parameters) {
    with_hole(b, p);
    b.lock(PTL).lock(PTL2);
    move_all(b, p);
    b.tlb_flush(USER.take(p.len())).unlock(PTL2).unlock(PTL);
    b.access(MOVED.take(p.len())).access(USER.take(p.len()));
}

/// The section of mremap.
pub(super) fn move_all(b: &mut Builder, p: &Parameters) {
    b.enable();
    for i in 0..p.len() {
        b.get(USER.at(i));
        if !p.is(HoleAt, i) {
            b.clear(USER.at(i)).set(MOVED.at(i));
        }
    }
    b.disable();
}

fn migrate_vma_collect_pmd(b: &mut Builder, p: &Parameters) {
    b.used(USER.take(p.len())).lock(PTL).enable();
    let mut from = 0;
    for i in 0..p.len() {
        b.get(USER.at(i));
        if p.is(SplitAt, i) {
            // It closes its section, and flushes what is unmapped so far, before it drops the lock and splits.
            b.disable().tlb_flush(USER.take(i)).unlock(PTL).sleep().lock(PTL).enable();
            b.get(USER.at(i));
            from = i;
        }
        b.clear(USER.at(i)).set_as(USER.at(i), Protection::Invalid);
    }
    b.tlb_flush(USER.skip(from).take(p.len() - from)).disable().unlock(PTL).access(USER.take(p.len()));
}

fn move_present_ptes(b: &mut Builder, p: &Parameters) {
    let mut moved = 0;
    b.used(USER.take(p.len())).lock(PTL).lock(PTL2).enable();
    for i in 0..p.len() {
        b.clear(USER.at(i));
        if p.is(PinnedAt, i) {
            b.set(USER.at(i));
            break;
        }
        b.set(MOVED.at(i));
        moved = i + 1;
    }
    b.disable().tlb_flush(USER.take(moved)).unlock(PTL2).unlock(PTL);
    b.access(MOVED.take(p.len())).access(USER.take(p.len()));
}

fn pagemap_scan_pmd_entry(b: &mut Builder, p: &Parameters) {
    let all = USER.take(p.len());
    with_hole(b, p);
    b.lock(PTL).enable();
    for i in 0..p.len() {
        b.get(USER.at(i));
        if p.is(HoleAt, i) {
            b.set_as(USER.at(i), Protection::Invalid);
        } else {
            b.wrprot(USER.at(i));
        }
    }
    b.tlb_flush(all).disable().unlock(PTL).sleep().access(all);
}
