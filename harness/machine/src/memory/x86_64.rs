//! x86-64: walkers read the page table, and what they found stays in the CPU's TLB until `invlpg`, a reload of CR3 or
//! another CPU's interrupt. Under Xen the hypervisor alone changes page tables, and checks what it is asked to do.
//!
//! No entry is global, so a reload of CR3 drops all; address spaces lie at different addresses here, so what is cached
//! outlives a switch, as with PCIDs, and every CPU that ever ran one is told of its flushes.
//! Refs: Intel SDM vol. 3A 4.10.4 "Invalidation of TLBs and paging-structure caches"; `xen/include/public/xen.h`,
//! `do_mmu_update()`, `do_mmuext_op()`. Called by the memory.

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{PAGES, PteRef};

use super::{Memory, place, reference};
use crate::codec::x86_64::{ACCESSED_DIRTY, address_of, flush_ipi, offset_bits, page_at};
use crate::codec::xen::{self, EINVAL, EPERM, Update};
use crate::mutant::Mutant;
use lazy_mmu_program::{CPUS, FRAMES, MAX_OPS};

/// Frames of this domain: more than any program can take.
const DOMAIN_FRAMES: u32 = FRAMES as u32 + 2 * MAX_OPS as u32;

impl Memory {
    pub(super) fn x86_64_insn(&mut self, cpu: u8, insn: Insn) {
        match insn.op {
            Op::Invlpg => self.invlpg(cpu, insn.a),
            Op::MovCr3 => self.drop_all(cpu),
            Op::FlushIpi if self.is(Mutant::CrossCallsLost) => {}
            Op::FlushIpi => {
                let other = insn.a as u8 % CPUS;
                match flush_ipi(insn.b) {
                    Some((first, into, pages)) => {
                        let last = pages.min(PAGES - first.page);
                        (0..last).for_each(|i| self.invlpg(other, address_of(first.step(i)) + into));
                    }
                    None => self.drop_all(other),
                }
            }
            _ => {}
        }
    }

    fn drop_all(&mut self, cpu: u8) {
        self.flushed_all(None);
        if !self.is(Mutant::WholeFlushesNothing) {
            self.tlbs[usize::from(cpu)].drop_all();
        }
    }

    fn invlpg(&mut self, cpu: u8, address: u64) {
        let Some(at) = page_at(address) else { return };
        let slot = place(at);
        self.flushed(slot);
        match self.mutant {
            Some(Mutant::InvalidatesNothing) => return,
            Some(Mutant::InvalidatesEverything) => return self.tlbs[usize::from(cpu)].drop_all(),
            _ => {}
        }
        let any_size = self.is(Mutant::AnySize);
        let offset = address - address_of(reference(slot));
        self.invalidate(cpu, slot, |size, _| any_size || offset >> offset_bits(size) == 0);
    }

    /// Whether what is going out never was in a buffer, and more of it is the same.
    pub(crate) fn is_immediate(&self) -> bool {
        self.bursts.is_immediate()
    }

    /// A hypercall is made: its entries and argument bytes.
    pub(crate) fn hypercall(&mut self, entries: u8, bytes: u16) {
        self.bursts.call(entries, bytes);
    }

    /// One update of an `mmu_update`: where it was made and what was stored, or the error and what entry it was about.
    pub(crate) fn hypervisor_update(&mut self, pointer: u64, value: u64) -> Result<(PteRef, u64), (PteRef, u64)> {
        let (at, update) = xen::update(pointer).map_err(|at| (at, EINVAL))?;
        if self.format.is_valid(value) && self.format.frame(value) >= DOMAIN_FRAMES {
            return Err((at, EPERM));
        }
        let slot = self.use_slot(at);
        let kept = if update == Update::KeepAccessedDirty { self.words[slot] & ACCESSED_DIRTY } else { 0 };
        let value = value | kept;
        let surplus = self.slots[slot].goes_out();
        self.write(slot, value);
        self.bursts.updates(1, surplus);
        Ok((at, value))
    }

    /// A flush by the hypervisor: everything or one page, on the CPUs of a mask.
    pub(crate) fn hypervisor_flush(&mut self, address: Option<u64>, mask: u64) {
        for cpu in (0..CPUS).filter(|cpu| mask >> cpu & 1 == 1) {
            match address {
                Some(address) => self.invlpg(cpu, address),
                None => self.drop_all(cpu),
            }
        }
    }
}
