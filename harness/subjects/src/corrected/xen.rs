//! Xen PV as Linux 7.2 has it, where our Rust differs.

use lazy_mmu_arches::backend::Backend;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Op};
use lazy_mmu_arches::page::{PteRef, Range, Size};
use lazy_mmu_arches::x86_64::decode::{Hypercall, INVLPG_MULTI, TLB_FLUSH_MULTI, Update, update_pointer};
use lazy_mmu_arches::x86_64::{PerCpu, Xen, page_shift, pte, queue, virtual_address};

use crate::zoo::types::{At, Hooked, hooked};
use lazy_mmu_abi::subject::{Port, Subject};

/// `ptep_get_and_clear()` and `ptep_set_wrprotect()` exchange natively: the hypervisor takes the trap and makes the change
/// at once. An exchange that changes nothing is not seen of a tree's code, so it is left out.
pub const EXCHANGE: u8 = 1;
/// `xen_set_pmd_hyper()` queues and issues where `__xen_set_pte()` makes a hypercall from the stack.
pub const HUGE_SET: u8 = 2;
/// A flush of this CPU alone, and each CPU's part of a kernel range, is `xen_flush_tlb()` or `xen_flush_tlb_one_user()`.
pub const OWN_FLUSH: u8 = 4;
/// DEBUG_PAGEALLOC's flush is `xen_flush_tlb()`: it names no mask.
pub const LINEAR_FLUSH: u8 = 8;

/// `MMUEXT_TLB_FLUSH_LOCAL` and `MMUEXT_INVLPG_LOCAL`, `include/xen/interface/xen.h`.
const TLB_FLUSH_LOCAL: u64 = 6;
const INVLPG_LOCAL: u64 = 7;
/// `struct mmuext_op`, without a mask behind it.
const OP_BYTES: u16 = 24;

/// Xen with the corrections of a mask: all, or all but one.
pub fn make(mask: u8) -> Box<dyn Subject> {
    const ALL: u8 = EXCHANGE | HUGE_SET | OWN_FLUSH | LINEAR_FLUSH;
    match ALL & !mask {
        EXCHANGE => hooked::<XenAs<{ ALL & !EXCHANGE }>>(Port::Model),
        HUGE_SET => hooked::<XenAs<{ ALL & !HUGE_SET }>>(Port::Model),
        OWN_FLUSH => hooked::<XenAs<{ ALL & !OWN_FLUSH }>>(Port::Model),
        LINEAR_FLUSH => hooked::<XenAs<{ ALL & !LINEAR_FLUSH }>>(Port::Model),
        _ => hooked::<XenAs<ALL>>(Port::Model),
    }
}

enum XenAs<const MASK: u8> {}

impl<const MASK: u8> Hooked for XenAs<MASK> {
    type Base = Xen;

    fn set_ptes<C: At<Xen>>(cx: &mut C, at: PteRef, word: u64, n: u16) {
        if MASK & HUGE_SET == 0 || at.size != Size::Huge {
            return Xen::set_ptes(cx, at, word, n);
        }
        for i in 0..n {
            set_pmd(cx, at.step(i), word + (u64::from(i) << page_shift(Size::Huge)));
        }
    }

    fn clear_pte<C: At<Xen>>(cx: &mut C, at: PteRef) -> u64 {
        if MASK & EXCHANGE == 0 {
            return Xen::clear_pte(cx, at);
        }
        let old = cx.pte_load(at);
        exchange(cx, at, old, 0);
        old
    }

    fn wrprotect_pte<C: At<Xen>>(cx: &mut C, at: PteRef) {
        if MASK & EXCHANGE == 0 {
            return Xen::wrprotect_pte(cx, at);
        }
        let old = cx.pte_load(at);
        exchange(cx, at, old, pte::write_protected(old));
    }

    fn flush_tlb_range<C: At<Xen>>(cx: &mut C, range: Range) {
        let mm = range.first.mm;
        let is_own = mm.is_kernel() || cx.is_thread_local(mm);
        if MASK & OWN_FLUSH == 0 || !is_own {
            return Xen::flush_tlb_range(cx, range);
        }
        cx.preempt_disable();
        if !mm.is_kernel() {
            cx.op(Op::LockXadd);
        }
        let operations = operations(range);
        for &(command, address) in &operations {
            own_operation(cx, command, address);
        }
        let here = cx.cpu();
        for cpu in (0..cx.cpus()).filter(|&cpu| mm.is_kernel() && cpu != here) {
            for &(command, address) in &operations {
                remote_operation(cx, cpu, command, address);
            }
        }
        cx.preempt_enable();
    }

    fn gather_flush<C: At<Xen>>(cx: &mut C, range: Range) {
        Self::flush_tlb_range(cx, range);
    }

    fn map_linear_page<C: At<Xen>>(cx: &mut C, at: PteRef, word: Option<u64>) {
        if MASK & LINEAR_FLUSH == 0 {
            return Xen::map_linear_page(cx, at, word);
        }
        Xen::set_ptes(cx, PteRef { size: Size::Small, ..at }, word.unwrap_or(0), 1);
        cx.preempt_disable();
        own_operation(cx, TLB_FLUSH_LOCAL, 0);
        cx.preempt_enable();
    }

    fn guest_load(cpu: &PerCpu, address: u64) -> u64 {
        if address & REMOTE == 0 { Xen::guest_load(cpu, address) } else { remote_word(address) }
    }
}

/// `xen_set_pmd_hyper()`, `arch/x86/xen/mmu_pv.c`, 7.2.
fn set_pmd<C: At<Xen>>(cx: &mut C, at: PteRef, word: u64) {
    cx.preempt_disable();
    cx.local_irq_save();
    queue::extend_mmu_update(cx, update_pointer(at.machine_address(), Update::Normal), word);
    if cx.is_lazy_mmu_mode_active() {
        cx.note(Note::MmuQueued);
    } else {
        cx.note(Note::MmuIssued);
        queue::flush(cx);
    }
    cx.local_irq_restore();
    cx.preempt_enable();
}

/// `native_ptep_get_and_clear()` and the `try_cmpxchg` of `ptep_set_wrprotect()`: the table is read-only to the guest, and
/// the hypervisor makes the store that trapped. `arch/x86/include/asm/pgtable.h`, 7.2.
fn exchange<C: At<Xen>>(cx: &mut C, at: PteRef, old: u64, new: u64) {
    if old != new {
        cx.note(Note::MmuImmediate);
        queue::mmu_update_now(cx, update_pointer(at.machine_address(), Update::Normal), new);
    }
}

/// What one CPU does for a flush: `flush_tlb_func()`, `do_kernel_range_flush()`, `do_flush_tlb_all()`, `arch/x86/mm/tlb.c`.
fn operations(range: Range) -> Vec<(u64, u64)> {
    let Range { first, pages } = range;
    let step = if first.mm.is_kernel() { Size::Small } else { first.size };
    let steps_per_page = 1u64 << (page_shift(first.size) - page_shift(step));
    if u64::from(pages) * steps_per_page > pte::FLUSH_CEILING {
        return vec![(TLB_FLUSH_LOCAL, 0)];
    }
    let address = |page: u16, n: u64| virtual_address(first.step(page)) + (n << page_shift(step));
    let each = |page: u16| (0..steps_per_page).map(move |n| (INVLPG_LOCAL, address(page, n)));
    (0..pages).flat_map(each).collect()
}

/// `xen_flush_tlb()`, `xen_flush_tlb_one_user()`, `arch/x86/xen/mmu_pv.c`, 7.2.
fn own_operation<C: At<Xen>>(cx: &mut C, command: u64, address: u64) {
    let offset = queue::new_entry(cx, Hypercall::MmuextOp, OP_BYTES);
    cx.this_cpu().write_arguments(offset, [command, address, 0]);
    if !cx.is_lazy_mmu_mode_active() {
        queue::flush(cx);
    }
}

/// The same on another CPU, which the interrupt finds with an empty buffer. The machine has no other CPU act for this one, so
/// the operation names that CPU by a mask.
fn remote_operation<C: At<Xen>>(cx: &mut C, cpu: u8, command: u64, address: u64) {
    cx.note(Note::McFlush(1, OP_BYTES));
    let page = if command == INVLPG_LOCAL { 1 << PAGE_BIT } else { 0 };
    let a = REMOTE | 1 << (MASK_BIT + u32::from(cpu)) | page | (address >> 12 << ADDRESS_BIT & ADDRESS_FIELD);
    cx.execute(Insn { op: Op::HcMmuextOp, a, b: 1 });
}

/// Guest memory that says itself what it holds: the words of one operation and its mask, in its address.
const REMOTE: u64 = 1 << 62;
const MASK_BIT: u32 = 56;
const PAGE_BIT: u32 = 55;
const ADDRESS_BIT: u32 = 6;
/// Bits 47:12 of an address.
const ADDRESS_FIELD: u64 = ((1 << 36) - 1) << ADDRESS_BIT;

fn remote_word(address: u64) -> u64 {
    let is_page = address >> PAGE_BIT & 1 == 1;
    match address & ((1 << ADDRESS_BIT) - 1) {
        0 if is_page => INVLPG_MULTI,
        0 => TLB_FLUSH_MULTI,
        8 => (((address & ADDRESS_FIELD) >> ADDRESS_BIT << 28) as i64 >> 16) as u64,
        16 => address & !0x3f | 24,
        _ => address >> MASK_BIT & 0x3f,
    }
}
