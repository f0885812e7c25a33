//! The ten chains: call sites that meet, nested in each other, or interrupted, or on two CPUs.
//!
//! They are built of the same parts as the single call sites, where the kernel's functions are the same. Called by the
//! table.

use lazy_mmu_arches::mmu::Mmu;

use super::builder::{Builder, CHILD, INIT_MM, LINEAR, MOVED, PTL, PTL2, SHADOW, USER, VMALLOC};
use super::parameter::Parameter::Len;
use super::{Parameters, Workload, kasan, protect, reclaim};
use lazy_mmu_program::{Allocation, Block};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "chain_01_zap_and_debug_alloc",
        "mm/memory.c: zap_pte_range; mm/mmu_gather.c: tlb_next_batch",
        "unmapping allocates a page with DEBUG_PAGEALLOC: on arm64 a section in a section",
        &[Len],
        zap_and_debug_alloc,
    ),
    Workload::generic(
        "chain_02_free_inside_section",
        "mm/memory.c: zap_pte_range; arch/arm64/mm/pageattr.c: __kernel_map_pages",
        "a page is freed inside a section: its linear mapping goes, in a section of its own on arm64, and is flushed",
        &[Len],
        free_inside_section,
    ),
    Workload::generic(
        "chain_03_kasan_vmalloc",
        "mm/kasan/shadow.c: kasan_populate_vmalloc; mm/vmalloc.c: vmap_pages_pte_range",
        "KASAN maps the shadow, pausing for each page, then vmalloc maps; both are used",
        &[Len],
        kasan_vmalloc,
    ),
    Workload::generic(
        "chain_04_kasan_release_and_debug_free",
        "mm/kasan/shadow.c: kasan_release_vmalloc; arch/arm64/mm/pageattr.c: __kernel_map_pages",
        "KASAN unmaps the shadow; pages are freed while paused, where a section has no effect and all is immediate",
        &[Len],
        kasan_release_and_debug_free,
    ),
    Workload::generic(
        "chain_05_linear_map_split",
        "arch/arm64/mm/mmu.c: split_kernel_leaf_mapping",
        "the section sleeps for a table, is switched out there, and ends on the other CPU",
        &[Len],
        linear_map_split,
    )
    .on(&[Mmu::Aarch64]),
    Workload::generic(
        "chain_06_fork_and_reclaim",
        "mm/memory.c: copy_pte_range; mm/vmscan.c: lru_gen_look_around",
        "fork's section ages another address space inside it: no code of 7.2 does, but batches must bear it",
        &[Len],
        fork_and_reclaim,
    ),
    Workload::generic(
        "chain_07_softirq_in_section",
        "mm/vmalloc.c: vmap_pages_pte_range, interrupted",
        "a softirq changes and uses other entries while a section is open",
        &[Len],
        softirq_in_section,
    ),
    Workload::generic(
        "chain_08_preemptible_sections",
        "mm/kasan/shadow.c, mm/vmalloc.c; arch/x86/xen/enlighten_pv.c: xen_end_context_switch",
        "two tasks do chain 3, preempted between all steps and halves, and fork in between",
        &[Len],
        preemptible_sections,
    )
    .on(&[Mmu::Xen, Mmu::Aarch64]),
    Workload::generic(
        "chain_09_move_and_flush",
        "mm/mremap.c: move_ptes",
        "a thread on the other CPU uses entries that mremap moves, before they are flushed",
        &[Len],
        move_and_flush,
    ),
    Workload::generic(
        "chain_10_capacity",
        "arch/powerpc, arch/sparc: batches of 192; arch/x86/xen: 32 calls, 512 bytes of arguments",
        "one section over as many used entries as it is told, then as many kernel ones",
        &[Len],
        capacity,
    ),
];

fn zap_and_debug_alloc(b: &mut Builder, p: &Parameters) {
    zap_around(b, p, |b| {
        b.alloc(0, Allocation::Debug);
    });
    b.access(LINEAR.at(0));
}

fn free_inside_section(b: &mut Builder, p: &Parameters) {
    b.alloc(0, Allocation::Debug).access(LINEAR.at(0));
    zap_around(b, p, |b| {
        b.free_debug(0);
    });
    b.access(LINEAR.at(0));
}

/// An unmapping with something in its middle.
fn zap_around(b: &mut Builder, p: &Parameters, middle: impl FnOnce(&mut Builder)) {
    let all = USER.take(p.len());
    let half = p.len() / 2;
    b.used(all).lock(PTL).enable().clear(USER.take(half));
    middle(b);
    b.clear(USER.skip(half).take(p.len() - half)).disable().unlock(PTL).gather_flush(all).access(all);
}

fn kasan_vmalloc(b: &mut Builder, p: &Parameters) {
    b.enable();
    for i in 0..p.len() {
        kasan::populate(b, i, false);
    }
    b.disable().enable();
    for i in 0..p.len() {
        b.get(VMALLOC.at(i)).set(VMALLOC.at(i));
    }
    b.disable().access(SHADOW.take(p.len())).access(VMALLOC.take(p.len()));
}

fn kasan_release_and_debug_free(b: &mut Builder, p: &Parameters) {
    for i in 0..p.len() {
        b.alloc(i, Allocation::Debug);
    }
    b.access(LINEAR.take(p.len())).used(SHADOW.take(p.len())).enable();
    for i in 0..p.len() {
        kasan::depopulate(b, i);
    }
    b.disable().tlb_flush(SHADOW.take(p.len())).access(SHADOW.take(p.len())).access(LINEAR.take(p.len()));
}

fn linear_map_split(b: &mut Builder, p: &Parameters) {
    // Frame 511 is the one that the allocator hands out.
    let len = p.len().min(511);
    let half = len / 2;
    b.mutex_lock().enable().alloc(0, Allocation::Sleep).alloc(511, Allocation::Debug);
    for i in 0..half {
        b.set(LINEAR.at(i));
    }
    // T0 sleeps; the scheduler takes it to CPU 1, where T3 runs.
    b.sleep().switch(1).migrate(0, 1).cpu(1).switch(0);
    for i in half..len {
        b.set(LINEAR.at(i));
    }
    b.disable().mutex_unlock().access(LINEAR.take(len));
    b.switch(3).migrate(0, 0).cpu(0).switch(0).access(LINEAR.take(len));
}

fn fork_and_reclaim(b: &mut Builder, p: &Parameters) {
    let (all, half) = (USER.take(p.len()), p.len() / 2);
    let aged = half.min(64);
    b.used(all).used(CHILD.take(aged)).lock(PTL).enable();
    for i in 0..p.len() {
        if i == half {
            b.lock(PTL2);
            reclaim::age(b, CHILD, aged);
            b.unlock(PTL2);
        }
        b.get(USER.at(i)).wrprot(USER.at(i));
    }
    b.disable().unlock(PTL).tlb_flush(all).access(all).access(CHILD.take(aged));
}

fn softirq_in_section(b: &mut Builder, p: &Parameters) {
    let (half, quarter) = (p.len() / 2, p.len() / 4);
    let theirs = VMALLOC.skip(512);
    // User entries besides, so that hash and sparc64 have a batch to keep.
    b.used(USER.take(p.len())).enable().set(VMALLOC.take(half)).clear(USER.take(half));
    b.block(Block::Softirq, |b| {
        b.set(theirs.take(quarter)).access(theirs.take(quarter)).clear(USER.skip(p.len() - quarter).take(quarter));
        b.tlb_flush(USER.skip(p.len() - quarter).take(quarter));
    });
    b.set(VMALLOC.skip(half).take(p.len() - half)).clear(USER.skip(half).take(p.len() - half - quarter)).disable();
    b.tlb_flush(USER.take(p.len())).access(VMALLOC.take(p.len())).access(theirs.take(quarter));
}

fn preemptible_sections(b: &mut Builder, p: &Parameters) {
    for i in 0..p.len() {
        shadow_of_both(b, i);
        mappings_of_both(b, i);
    }
    // A new task has never been paused. Entries of the linear map are free here.
    b.fork(4).preempt(4).enable().set(LINEAR.at(0)).disable().preempt(0).enable().set(LINEAR.at(1)).disable().exit(4);
    b.access(VMALLOC.take(p.len())).access(VMALLOC.skip(512).take(p.len())).access(LINEAR.take(2));
}

/// Both tasks' sections begin and end between the halves of each other's calls; both populate shadow pages, of which
/// there is one for two of their pages, T0 with its calls preempted and T1 in one step.
fn shadow_of_both(b: &mut Builder, i: u16) {
    let (ours, theirs) = (SHADOW.at(i / 2), SHADOW.at(256 + i / 2));
    meet(b, Builder::enable);
    b.pause().between(|b| {
        b.preempt(1).kasan_populate(theirs).preempt(0);
    });
    b.lock(INIT_MM).get(ours);
    if i.is_multiple_of(2) {
        b.set(ours);
    }
    b.unlock(INIT_MM).resume().between(|b| {
        b.preempt(1).preempt(0);
    });
    meet(b, Builder::disable);
}

/// Both tasks map a page of their own, preempted after each step.
fn mappings_of_both(b: &mut Builder, i: u16) {
    let theirs = VMALLOC.skip(512);
    b.enable().preempt(1).enable().preempt(0).get(VMALLOC.at(i)).preempt(1).get(theirs.at(i)).preempt(0);
    b.set(VMALLOC.at(i)).preempt(1).set(theirs.at(i)).preempt(0).disable().preempt(1).disable().preempt(0);
}

/// T0 makes a call, T1 makes the same between its halves, and T0 runs for a moment between those of T1's.
fn meet(b: &mut Builder, call: fn(&mut Builder) -> &mut Builder) {
    call(b).between(|b| {
        call(b.preempt(1)).between(|b| {
            b.preempt(0);
        });
        b.preempt(0);
    });
}

fn move_and_flush(b: &mut Builder, p: &Parameters) {
    let all = USER.take(p.len());
    // T2 is a thread of T0's process; it goes to CPU 1.
    b.migrate(2, 1).cpu(1).switch(2).cpu(0);
    b.used(all).cpu(1).access(all).cpu(0).lock(PTL).lock(PTL2);
    protect::move_all(b, p);
    b.cpu(1).access(all).cpu(0).tlb_flush(all).unlock(PTL2).unlock(PTL);
    b.cpu(1).access(all).access(MOVED.take(p.len())).switch(3).cpu(0).access(MOVED.take(p.len()));
}

fn capacity(b: &mut Builder, p: &Parameters) {
    let (all, kernel) = (USER.take(p.len()), VMALLOC.take(p.len()));
    b.used(all).enable().clear(all).disable().tlb_flush(all).access(all);
    b.enable().set(kernel).disable().access(kernel);
}
