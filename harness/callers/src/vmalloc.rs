//! `mm/vmalloc.c`: kernel mappings, without any lock and with preemption on.
//!
//! The vmalloc area's user is who asked for the mapping; here it is T0, which uses it at the end. Called by the table.

use super::builder::{Builder, VMALLOC};
use super::parameter::Parameter::{BusyAt, FailAt, Len, Size};
use super::{Parameters, Workload};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "vmap_pte_range",
        "mm/vmalloc.c: vmap_pte_range (112-138)",
        "maps physical pages one by one; a busy slot is a BUG, where this program ends its section instead of dying",
        &[Len, Size, BusyAt],
        vmap_pte_range,
    ),
    Workload::generic(
        "vunmap_pte_range",
        "mm/vmalloc.c: vunmap_pte_range (396-415)",
        "clears entries; the TLB is flushed much later, by the caller",
        &[Len, Size],
        vunmap_pte_range,
    ),
    Workload::generic(
        "vmap_pages_pte_range",
        "mm/vmalloc.c: vmap_pages_pte_range (563-585)",
        "maps an array of pages; breaks at a busy slot, and after having looked at a missing or bad page",
        &[Len, BusyAt, FailAt],
        vmap_pages_pte_range,
    ),
    Workload::generic(
        "vmap_pfn_apply",
        "mm/vmalloc.c: vmap_pfn (3642), by apply_to_page_range()",
        "maps page frames that have no struct page; one that has one is an error",
        &[Len, FailAt],
        vmap_pfn_apply,
    ),
];

fn vmap_pte_range(b: &mut Builder, p: &Parameters) {
    let slots = VMALLOC.sized(p.size());
    busy(b, p);
    b.enable();
    for i in 0..p.len() {
        b.get(slots.at(i));
        if p.is(BusyAt, i) {
            break;
        }
        b.set(slots.at(i));
    }
    b.disable().access(slots.take(p.len()));
}

fn vunmap_pte_range(b: &mut Builder, p: &Parameters) {
    let slots = VMALLOC.sized(p.size());
    b.used(slots.take(p.len())).enable();
    for i in 0..p.len() {
        b.clear(slots.at(i));
    }
    b.disable().tlb_flush(slots.take(p.len())).access(slots.take(p.len()));
}

fn vmap_pages_pte_range(b: &mut Builder, p: &Parameters) {
    busy(b, p);
    b.enable();
    for i in 0..p.len() {
        b.get(VMALLOC.at(i));
        if p.is(BusyAt, i) || p.is(FailAt, i) {
            break;
        }
        b.set(VMALLOC.at(i));
    }
    b.disable().access(VMALLOC.take(p.len()));
}

fn vmap_pfn_apply(b: &mut Builder, p: &Parameters) {
    b.enable();
    for i in (0..p.len()).take_while(|&i| !p.is(FailAt, i)) {
        b.set(VMALLOC.at(i));
    }
    b.disable().access(VMALLOC.take(p.len()));
}

/// The slot that somebody else has mapped already.
fn busy(b: &mut Builder, p: &Parameters) {
    for i in (0..p.len()).filter(|&i| p.is(BusyAt, i)) {
        b.used(VMALLOC.sized(p.size()).at(i));
    }
}
