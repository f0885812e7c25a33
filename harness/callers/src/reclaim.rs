//! `mm/madvise.c` and `mm/vmscan.c`: ageing. Most of it clears young bits, for which `wrprot` stands here.
//!
//! Ageing does not wait for the TLB: only madvise, which goes through an mmu_gather, flushes. Called by the table.

use lazy_mmu_arches::page::Size;

use super::builder::{Builder, PTL, PTL2, Slots, USER};
use super::parameter::Parameter::{GiveUpAt, HoleAt, Len, ReschedEvery, SplitAt};
use super::{Parameters, Workload};
use lazy_mmu_program::Protection;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "madvise_cold_or_pageout_pte_range",
        "mm/madvise.c: madvise_cold_or_pageout_pte_range (463-566)",
        "makes entries old; closes its section to let others run and to split a folio, and may find no table then",
        &[Len, ReschedEvery, SplitAt, GiveUpAt],
        madvise_cold_or_pageout_pte_range,
    ),
    Workload::generic(
        "madvise_free_pte_range",
        "mm/madvise.c: madvise_free_pte_range (685-785)",
        "the same, and clears swap entries (every fourth here); the last disable depends on a pointer",
        &[Len, SplitAt, GiveUpAt],
        madvise_free_pte_range,
    ),
    Workload::generic(
        "walk_pte_range",
        "mm/vmscan.c: walk_pte_range (3490-3542)",
        "ages a page table; goes on with the next VMA, behind a hole, inside the section",
        &[Len, HoleAt],
        walk_pte_range,
    ),
    Workload::generic(
        "walk_pmd_range_locked",
        "mm/vmscan.c: walk_pmd_range_locked (3583-3630)",
        "ages huge pages under the PMD lock, 64 at most in one section",
        &[Len],
        walk_pmd_range_locked,
    ),
    Workload::generic(
        "lru_gen_look_around",
        "mm/vmscan.c: lru_gen_look_around (4234-4277)",
        "ages the neighbours of a page that reclaim looks at, 64 at most, under the lock of the rmap walk",
        &[Len],
        lru_gen_look_around,
    ),
];

/// Entries one bitmap of the ageing code covers.
const BATCH: u16 = 64;

fn madvise_cold_or_pageout_pte_range(b: &mut Builder, p: &Parameters) {
    b.used(USER.take(p.len()));
    madvise(b, p, |b, i| {
        b.get(USER.at(i)).wrprot(USER.at(i));
    });
}

fn madvise_free_pte_range(b: &mut Builder, p: &Parameters) {
    let swapped = |i| i % 4 == 3;
    for i in 0..p.len() {
        if swapped(i) {
            b.set_as(USER.at(i), Protection::Invalid);
        } else {
            b.used(USER.at(i));
        }
    }
    madvise(b, p, |b, i| {
        b.get(USER.at(i));
        if swapped(i) {
            b.clear(USER.at(i));
        } else {
            b.wrprot(USER.at(i));
        }
    });
}

/// The walk that both share. A split sleeps, so it happens with the section closed and the lock dropped; where the page
/// table is gone afterwards, the walk ends with nothing open.
fn madvise(b: &mut Builder, p: &Parameters, entry: impl Fn(&mut Builder, u16)) {
    let all = USER.take(p.len());
    b.lock(PTL).enable();
    for i in 0..p.len() {
        if p.resched(i) {
            b.disable().unlock(PTL).sleep().lock(PTL).enable();
        }
        if p.is(SplitAt, i) || p.is(GiveUpAt, i) {
            b.get(USER.at(i)).disable().unlock(PTL).sleep();
            if p.is(GiveUpAt, i) {
                b.gather_flush(all).access(all);
                return;
            }
            b.lock(PTL).enable();
        }
        entry(b, i);
    }
    b.disable().unlock(PTL).gather_flush(all).access(all);
}

fn walk_pte_range(b: &mut Builder, p: &Parameters) {
    b.used(USER.take(p.len())).lock(PTL).enable();
    for i in (0..p.len()).filter(|&i| !p.is(HoleAt, i)) {
        b.get(USER.at(i)).wrprot(USER.at(i));
    }
    b.disable().unlock(PTL).access(USER.take(p.len()));
}

fn walk_pmd_range_locked(b: &mut Builder, p: &Parameters) {
    age_in_batches(b, p.len(), USER.sized(Size::Huge), PTL2);
}

fn lru_gen_look_around(b: &mut Builder, p: &Parameters) {
    age_in_batches(b, p.len(), USER, PTL);
}

/// More entries than one batch holds are several calls.
fn age_in_batches(b: &mut Builder, len: u16, slots: Slots, lock: u8) {
    b.used(slots.take(len));
    let mut from = 0;
    loop {
        let count = (len - from).min(BATCH);
        b.lock(lock);
        age(b, slots.skip(from), count);
        b.unlock(lock);
        from += count;
        if from == len {
            break;
        }
    }
    b.access(slots.take(len));
}

/// The section of [`lru_gen_look_around`] and its like.
pub(super) fn age(b: &mut Builder, slots: Slots, count: u16) {
    b.enable();
    for i in 0..count {
        b.get(slots.at(i)).wrprot(slots.at(i));
    }
    b.disable();
}
