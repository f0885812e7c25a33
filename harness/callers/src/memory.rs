//! `mm/memory.c`: fork's copy, unmapping, mapping of page frames, and callbacks on entries.
//!
//! The functions work on one page table under its lock, and let go of both when the scheduler wants the CPU. Called by
//! the table.

use super::builder::{Builder, CHILD, PTL, PTL2, USER};
use super::parameter::Parameter::{AllocAt, FailAt, FullAt, Len, ReschedEvery};
use super::{Parameters, Workload};
use lazy_mmu_program::{Allocation, Protection};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "copy_pte_range",
        "mm/memory.c: copy_pte_range (1275-1344)",
        "fork: write-protects each entry and copies it into the child; an error allocates, asleep, and starts again",
        &[Len, ReschedEvery, FailAt],
        copy_pte_range,
    ),
    Workload::generic(
        "zap_pte_range",
        "mm/memory.c: zap_pte_range (1925-1957)",
        "unmaps; the mmu_gather may allocate inside, and flushes inside the lock when it is full",
        &[Len, ReschedEvery, FullAt, AllocAt],
        zap_pte_range,
    ),
    Workload::generic(
        "remap_pte_range",
        "mm/memory.c: remap_pte_range (2923-2933)",
        "maps page frames into user space; breaks at one that is not allowed",
        &[Len, FailAt],
        remap_pte_range,
    ),
    Workload::generic(
        "apply_to_pte_range",
        "mm/memory.c: apply_to_pte_range (3334-3347)",
        "calls back for each entry of a user's page table; breaks at a callback's error",
        &[Len, FailAt],
        apply_to_pte_range,
    ),
];

fn copy_pte_range(b: &mut Builder, p: &Parameters) {
    let all = p.len();
    b.used(USER.take(all));
    let lock = |b: &mut Builder| {
        b.lock(PTL2).lock(PTL).enable();
    };
    let unlock = |b: &mut Builder| {
        b.disable().unlock(PTL).unlock(PTL2).sleep();
    };
    lock(b);
    for i in 0..all {
        if p.resched(i) {
            unlock(b);
            lock(b);
        }
        b.get(USER.at(i));
        if p.is(FailAt, i) {
            unlock(b);
            b.alloc(0, Allocation::Sleep);
            lock(b);
            b.get(USER.at(i));
        }
        b.wrprot(USER.at(i)).set_as(CHILD.at(i), Protection::Read);
    }
    unlock(b);
    // dup_mmap() flushes the parent once all is copied.
    b.tlb_flush(USER.take(all)).access(USER.take(all)).access(CHILD.take(all));
}

fn zap_pte_range(b: &mut Builder, p: &Parameters) {
    let all = p.len();
    b.used(USER.take(all)).lock(PTL).enable();
    let mut freed = 0;
    for i in 0..all {
        if p.resched(i) {
            b.disable().unlock(PTL).sleep().lock(PTL).enable();
        }
        b.get(USER.at(i)).clear(USER.at(i));
        if p.is(AllocAt, i) {
            b.alloc(0, Allocation::Debug);
        }
        if p.is(FullAt, i) {
            b.disable().tlb_flush(USER.take(i + 1)).unlock(PTL).gather_flush(USER.take(i + 1));
            freed = i + 1;
            if freed == all {
                b.access(USER.take(all));
                return;
            }
            b.sleep().lock(PTL).enable();
        }
    }
    b.disable().unlock(PTL).gather_flush(USER.skip(freed).take(all - freed)).access(USER.take(all));
}

fn remap_pte_range(b: &mut Builder, p: &Parameters) {
    b.lock(PTL).enable();
    for i in 0..p.len() {
        b.get(USER.at(i));
        if p.is(FailAt, i) {
            break;
        }
        b.set(USER.at(i));
    }
    b.disable().unlock(PTL).access(USER.take(p.len()));
}

fn apply_to_pte_range(b: &mut Builder, p: &Parameters) {
    b.lock(PTL).enable();
    for i in (0..p.len()).take_while(|&i| !p.is(FailAt, i)) {
        b.set(USER.at(i));
    }
    b.disable().unlock(PTL).access(USER.take(p.len()));
}
