//! `mm/kasan/shadow.c`: the callbacks that pause a section.
//!
//! Both run inside apply_to_pte_range()'s section on init_mm, take init_mm's lock, and look at the entry before they
//! change it, so nothing of theirs may stay deferred when the lock is dropped. Called by the table and by the chains.

use super::builder::{Builder, INIT_MM, SHADOW};
use super::parameter::Parameter::{BusyAt, FailAt, HoleAt, Len};
use super::{Parameters, Workload};
use lazy_mmu_program::Allocation;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "kasan_populate_vmalloc_pte",
        "mm/kasan/shadow.c: kasan_populate_vmalloc_pte (308-322), by apply_to_page_range() (381)",
        "maps shadow pages, paused for each; leaves one that is there, and breaks where it has no page to map",
        &[Len, BusyAt, FailAt],
        kasan_populate_vmalloc_pte,
    ),
    Workload::generic(
        "kasan_depopulate_vmalloc_pte",
        "mm/kasan/shadow.c: kasan_depopulate_vmalloc_pte (474-486), by apply_to_existing_page_range() (602)",
        "unmaps shadow pages and frees each while paused, where a section (arm64, DEBUG_PAGEALLOC) has no effect",
        &[Len, HoleAt],
        kasan_depopulate_vmalloc_pte,
    ),
];

fn kasan_populate_vmalloc_pte(b: &mut Builder, p: &Parameters) {
    for i in (0..p.len()).filter(|&i| p.is(BusyAt, i)) {
        b.used(SHADOW.at(i));
    }
    b.enable();
    for i in 0..p.len() {
        if p.is(FailAt, i) {
            // The entry has become none since the pages were allocated: the callback fails without touching it.
            b.pause().lock(INIT_MM).get(SHADOW.at(i)).unlock(INIT_MM).resume();
            break;
        }
        populate(b, i, p.is(BusyAt, i));
    }
    b.disable().access(SHADOW.take(p.len()));
}

fn kasan_depopulate_vmalloc_pte(b: &mut Builder, p: &Parameters) {
    for i in (0..p.len()).filter(|&i| !p.is(HoleAt, i)) {
        b.alloc(i, Allocation::Debug).used(SHADOW.at(i));
    }
    b.enable();
    for i in (0..p.len()).filter(|&i| !p.is(HoleAt, i)) {
        depopulate(b, i);
    }
    b.disable().tlb_flush(SHADOW.take(p.len())).access(SHADOW.take(p.len()));
}

/// One call of the callback that maps. Another task may have been first.
pub(super) fn populate(b: &mut Builder, i: u16, is_there: bool) {
    b.pause().lock(INIT_MM).get(SHADOW.at(i));
    if !is_there {
        b.set(SHADOW.at(i));
    }
    b.unlock(INIT_MM).resume();
}

/// One call of the callback that unmaps; the shadow's page, frame `i`, is freed before the mode is resumed.
pub(super) fn depopulate(b: &mut Builder, i: u16) {
    b.pause().lock(INIT_MM).get(SHADOW.at(i)).clear(SHADOW.at(i)).unlock(INIT_MM);
    b.free_debug(i).resume();
}
