//! x86-64: walkers read the page table, and what they found stays in the CPU's TLB until `invlpg`, a reload of CR3 or
//! another CPU's interrupt. Under Xen the hypervisor alone changes page tables, and checks what it is asked to do.
//!
//! No entry is global, so a reload of CR3 drops all; address spaces lie at different addresses here, so what is cached
//! outlives a switch, as with PCIDs, and every CPU that ever ran one is told of its flushes.
//! Refs: Intel SDM vol. 3A 4.10.4 "Invalidation of TLBs and paging-structure caches"; `xen/include/public/xen.h`,
//! `do_mmu_update()`, `do_mmuext_op()`. Called by the memory.

use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{Mm, PAGES, PteRef};
use lazy_mmu_arches::x86_64::decode::{INVLPG_MULTI, Update, update_parts};
use lazy_mmu_arches::x86_64::{page_at, page_shift, virtual_address};

use super::{Memory, SPACES, place, reference};
use crate::program::{CPUS, FRAMES, MAX_OPS};
use crate::subject::Subject;

/// Frames of this domain: more than any program can take.
const DOMAIN_FRAMES: u32 = FRAMES as u32 + 2 * MAX_OPS as u32;

/// `-EPERM` and `-EINVAL`, as a hypercall returns them.
const EPERM: u64 = -1i64 as u64;
const EINVAL: u64 = -22i64 as u64;

impl Memory {
    pub(super) fn x86_64_insn(&mut self, subject: &dyn Subject, cpu: u8, insn: Insn) {
        match insn.op {
            Op::Invlpg => self.invlpg(subject, cpu, insn.a),
            Op::MovCr3 => self.drop_all(subject, cpu),
            Op::FlushIpi => {
                let other = insn.a as u8 % CPUS;
                match (page_at(insn.b), insn.b & 0xfff) {
                    (Some(first), pages @ 1..) => {
                        let last = (pages as u16).min(PAGES - first.page);
                        let into = (insn.b & !0xfff) - virtual_address(first);
                        (0..last).for_each(|i| self.invlpg(subject, other, virtual_address(first.step(i)) + into));
                    }
                    _ => self.drop_all(subject, other),
                }
            }
            _ => {}
        }
    }

    fn drop_all(&mut self, subject: &dyn Subject, cpu: u8) {
        self.flushed_all(subject, None);
        self.tlbs[usize::from(cpu)].drop_all();
    }

    fn invlpg(&mut self, subject: &dyn Subject, cpu: u8, address: u64) {
        let Some(at) = page_at(address) else { return };
        let slot = place(at);
        self.flushed(subject, slot);
        let offset = address - virtual_address(reference(slot));
        self.invalidate(subject, cpu, slot, |size, _| offset >> page_shift(size) == 0);
    }

    /// Whether what is going out never was in a buffer, and more of it is the same.
    pub(in crate::machine) fn is_immediate(&self) -> bool {
        self.bursts.is_immediate()
    }

    /// A hypercall is made: its entries and argument bytes.
    pub(in crate::machine) fn hypercall(&mut self, entries: u8, bytes: u16) {
        self.bursts.call(entries, bytes);
    }

    /// One update of an `mmu_update`: where it was made, or the error and what entry it was about.
    pub(in crate::machine) fn hypervisor_update(
        &mut self,
        subject: &dyn Subject,
        pointer: u64,
        value: u64,
    ) -> Result<PteRef, (PteRef, u64)> {
        let (address, update) = update_parts(pointer);
        let at = PteRef::at_machine_address(address);
        if usize::from(at.mm.0) >= SPACES || at.page >= PAGES || address >> 27 != 0 || update == Update::MachPhys {
            return Err((PteRef { mm: Mm(at.mm.0 % SPACES as u8), page: at.page % PAGES, ..at }, EINVAL));
        }
        let (frame, valid, _) = subject.pte_entry(value);
        if valid && frame >= DOMAIN_FRAMES {
            return Err((at, EPERM));
        }
        let slot = self.use_slot(at);
        let surplus = self.slots[slot].goes_out();
        self.write(slot, value);
        self.bursts.updates(1, surplus);
        Ok(at)
    }

    /// One `mmuext_op`: everything or one page, on the CPUs of a mask.
    pub(in crate::machine) fn hypervisor_flush(
        &mut self,
        subject: &dyn Subject,
        command: u64,
        address: u64,
        mask: u64,
    ) {
        for cpu in (0..CPUS).filter(|cpu| mask >> cpu & 1 == 1) {
            if command == INVLPG_MULTI {
                self.invlpg(subject, cpu, address);
            } else {
                self.drop_all(subject, cpu);
            }
        }
    }
}
