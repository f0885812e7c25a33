//! Callbacks of `apply_to_page_range()` outside `mm/`: sections that their code does not mention.
//!
//! KASAN's are in [`super::kasan`], vmap_pfn's in [`super::vmalloc`], Xen's in [`super::xen`]. Left out are the
//! callbacks of architectures without the mode (arm, riscv). Called by the table.

use lazy_mmu_arches::mmu::Mmu;

use super::builder::{Builder, PTL, USER, VMALLOC};
use super::parameter::Parameter::{BusyAt, FailAt, Len};
use super::{Parameters, Workload};
use lazy_mmu_program::Block;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::generic(
        "arena_alloc_pages",
        "kernel/bpf/arena.c: apply_range_set_cb (744, and 389 for one page)",
        "BPF maps pages of its arena, interrupts off; the scratch page in a slot is cleared and flushed first",
        &[Len, BusyAt, FailAt],
        arena_alloc_pages,
    ),
    Workload::generic(
        "arena_alloc_pages_irq",
        "kernel/bpf/arena.c: apply_range_set_cb (744)",
        "the same from a BPF program in an interrupt, which meets a section: its own has no effect",
        &[Len, FailAt],
        arena_alloc_pages_irq,
    ),
    Workload::generic(
        "arena_free_pages",
        "kernel/bpf/arena.c: apply_range_clear_cb (885, 1003)",
        "clears entries, interrupts off, and collects the pages; the flush comes after the lock, then they are freed",
        &[Len],
        arena_free_pages,
    ),
    Workload::generic(
        "arena_map_free",
        "kernel/bpf/arena.c: existing_page_cb (522)",
        "looks at entries and frees their pages without a write; the area is unmapped afterwards, in a section again",
        &[Len],
        arena_map_free,
    ),
    Workload::generic(
        "arena_fault_scratch",
        "kernel/bpf/arena.c: apply_range_set_scratch_cb (1177)",
        "a BPF program's fault maps the scratch page in a section of one entry, unless somebody was faster",
        &[Len, BusyAt],
        arena_fault_scratch,
    ),
    Workload::generic(
        "i915_remap_pfn",
        "drivers/gpu/drm/i915/i915_mm.c: remap_pfn (109)",
        "maps I/O memory into user space in long loops",
        &[Len],
        i915_remap,
    ),
    Workload::generic(
        "i915_remap_sg",
        "drivers/gpu/drm/i915/i915_mm.c: remap_sg (157)",
        "the same from a list of pages, which may end too early",
        &[Len, FailAt],
        i915_remap,
    ),
    Workload::generic(
        "sgx_encl_test_and_clear_young_cb",
        "arch/x86/kernel/cpu/sgx/encl.c: sgx_encl_test_and_clear_young_cb (1151)",
        "ages enclave pages, each in a section of its own under the page-table lock",
        &[Len],
        sgx_encl_test_and_clear_young,
    )
    .on(&[Mmu::Native]),
];

fn arena_alloc_pages(b: &mut Builder, p: &Parameters) {
    for i in (0..p.len()).filter(|&i| p.is(BusyAt, i)) {
        b.used(VMALLOC.at(i));
    }
    b.irq_off().enable();
    for i in (0..p.len()).take_while(|&i| !p.is(FailAt, i)) {
        if p.is(BusyAt, i) {
            b.get(VMALLOC.at(i)).clear(VMALLOC.at(i)).tlb_flush(VMALLOC.at(i));
        }
        b.set(VMALLOC.at(i));
    }
    b.disable().irq_on().access(VMALLOC.take(p.len()));
}

fn arena_alloc_pages_irq(b: &mut Builder, p: &Parameters) {
    let interrupted = VMALLOC.skip(512);
    b.enable().set(interrupted.at(0));
    b.block(Block::Irq, |b| {
        b.enable();
        for i in (0..p.len()).take_while(|&i| !p.is(FailAt, i)) {
            b.set(VMALLOC.at(i));
        }
        b.disable().access(VMALLOC.take(p.len()));
    });
    b.set(interrupted.at(1)).disable().access(interrupted.take(2)).access(VMALLOC.take(p.len()));
}

fn arena_free_pages(b: &mut Builder, p: &Parameters) {
    let all = VMALLOC.take(p.len());
    b.used(all).irq_off().enable();
    for i in 0..p.len() {
        b.clear(VMALLOC.at(i));
    }
    b.disable().irq_on().tlb_flush(all).access(all);
}

fn arena_map_free(b: &mut Builder, p: &Parameters) {
    let all = VMALLOC.take(p.len());
    b.used(all).enable();
    for i in 0..p.len() {
        b.get(VMALLOC.at(i));
    }
    b.disable().enable();
    for i in 0..p.len() {
        b.clear(VMALLOC.at(i));
    }
    b.disable().tlb_flush(all).access(all);
}

fn arena_fault_scratch(b: &mut Builder, p: &Parameters) {
    for i in 0..p.len() {
        let is_there = p.is(BusyAt, i);
        if is_there {
            b.used(VMALLOC.at(i));
        }
        b.irq_off().enable().get(VMALLOC.at(i));
        if !is_there {
            b.set(VMALLOC.at(i));
        }
        b.disable().irq_on().access(VMALLOC.at(i));
    }
}

fn i915_remap(b: &mut Builder, p: &Parameters) {
    b.lock(PTL).enable();
    for i in (0..p.len()).take_while(|&i| !p.is(FailAt, i)) {
        b.set(USER.at(i));
    }
    b.disable().unlock(PTL).access(USER.take(p.len()));
}

fn sgx_encl_test_and_clear_young(b: &mut Builder, p: &Parameters) {
    b.used(USER.take(p.len()));
    for i in 0..p.len() {
        b.lock(PTL).enable().wrprot(USER.at(i)).disable().unlock(PTL);
    }
    b.access(USER.take(p.len()));
}
