//! Xen: callbacks that only collect the addresses of entries, and the context-switch hooks of PV kernels.
//!
//! Where addresses are collected, the section holds no write; the hypercall that follows changes the entries, outside
//! any section, which `set` does here. Called by the table.

use lazy_mmu_arches::mmu::Mmu;

use super::builder::{Builder, PTL, USER, VMALLOC};
use super::parameter::Parameter::{BusyAt, Len};
use super::{Parameters, Workload};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "gnttab_apply",
        "arch/x86/xen/grant-table.c: gnttab_apply (110); drivers/xen/xenbus_client.c: map_ring_apply (774)",
        "collects kernel entries, then a hypercall maps grants there",
        &[Len],
        gnttab_apply,
    )
    .on(&[Mmu::Xen]),
    Workload::generic(
        "remap_area_pfn_pte_fn",
        "arch/x86/xen/mmu_pv.c: remap_area_pfn_pte_fn (2501); drivers/xen/gntdev.c: find_grant_ptes (1125)",
        "collects user entries under their lock, then a hypercall maps foreign frames there",
        &[Len],
        remap_area_pfn_pte_fn,
    )
    .on(&[Mmu::Xen]),
    Workload::generic(
        "privcmd_is_mapped_fn",
        "drivers/xen/privcmd.c: is_mapped_fn (1671)",
        "looks whether user entries are free, and breaks at the first that is not",
        &[Len, BusyAt],
        privcmd_is_mapped_fn,
    )
    .on(&[Mmu::Xen]),
    Workload::generic(
        "xlate_remap_pte_fn",
        "drivers/xen/xlate_mmu.c: remap_pte_fn (168)",
        "maps a foreign domain's frames into user space entry by entry",
        &[Len],
        xlate_remap_pte_fn,
    ),
    Workload::generic(
        "xlate_remap_pfn_fn",
        "drivers/xen/xlate_mmu.c: remap_pfn_fn (293)",
        "maps ballooned pages into the kernel",
        &[Len],
        xlate_remap_pfn_fn,
    ),
    Workload::generic(
        "xen_start_context_switch",
        "arch/x86/xen/enlighten_pv.c: xen_start_context_switch, xen_end_context_switch (420-435)",
        "a task is preempted in a section, another maps in one of its own, and the first goes on: paused, then resumed",
        &[Len],
        xen_start_context_switch,
    )
    .on(&[Mmu::Xen]),
];

fn gnttab_apply(b: &mut Builder, p: &Parameters) {
    b.enable().disable().set(VMALLOC.take(p.len())).access(VMALLOC.take(p.len()));
}

fn remap_area_pfn_pte_fn(b: &mut Builder, p: &Parameters) {
    b.lock(PTL).enable().disable().unlock(PTL).set(USER.take(p.len())).access(USER.take(p.len()));
}

fn privcmd_is_mapped_fn(b: &mut Builder, p: &Parameters) {
    for i in (0..p.len()).filter(|&i| p.is(BusyAt, i)) {
        b.used(USER.at(i));
    }
    b.lock(PTL).enable();
    for i in 0..p.len() {
        b.get(USER.at(i));
        if p.is(BusyAt, i) {
            break;
        }
    }
    b.disable().unlock(PTL).access(USER.take(p.len()));
}

fn xlate_remap_pte_fn(b: &mut Builder, p: &Parameters) {
    b.lock(PTL).enable();
    for i in 0..p.len() {
        b.set(USER.at(i));
    }
    b.disable().unlock(PTL).access(USER.take(p.len()));
}

fn xlate_remap_pfn_fn(b: &mut Builder, p: &Parameters) {
    b.enable();
    for i in 0..p.len() {
        b.set(VMALLOC.at(i));
    }
    b.disable().access(VMALLOC.take(p.len()));
}

fn xen_start_context_switch(b: &mut Builder, p: &Parameters) {
    let theirs = VMALLOC.skip(512);
    b.enable();
    for i in 0..p.len() {
        b.set(VMALLOC.at(i)).preempt(1);
        b.enable().set(theirs.at(i)).disable().preempt(0);
    }
    b.disable().access(VMALLOC.take(p.len())).access(theirs.take(p.len()));
}
