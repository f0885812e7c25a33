//! What Xen PV defers: hypercalls, in the CPU's multicall buffer.
//!
//! 32 entries and 512 bytes of arguments. A PTE update joins the last entry if that is an `mmu_update` with room
//! left, so consecutive updates are one entry; since the 512th byte is never used, at most **31** of them fit. A
//! buffer of one entry goes out as that hypercall itself, of more as one multicall.
//!
//! Not here: the callbacks that the kernel's buffer also holds (none belongs to the MMU), and interrupts off while an
//! entry is filled in and while a hypercall runs: nothing is asked of the context between the stores of an entry, and
//! a context lets no interrupt in while it executes a hypercall. When to queue is `pte`'s affair, when to flush the
//! hooks'.
//!
//! # Guest memory
//!
//! A hypercall names memory of the guest by an address; a hypervisor reads it by [`PerCpu::guest_load`] and writes
//! results by [`PerCpu::guest_store`], eight bytes at a time:
//!
//! | address | what |
//! | --- | --- |
//! | 0 to 511 | the argument bytes |
//! | [`ENTRIES`] + 64 n | entry n of the buffer: op, result, six arguments |
//! | [`ON_STACK`] | the one `mmu_update` of an immediate PTE write, good until that hypercall returns |
//!
//! An `mmu_update` is two words: machine address and type, value. An `mmuext_op` is three: command, address, address
//! of the CPU mask; for the commands used here the mask follows as a fourth. Of an entry's arguments the first is the
//! argument address, then come count, NULL and DOMID_SELF; the last two are never written, and a hypervisor ignores
//! them (in the single hypercall the fifth is stale).
//!
//! Source: `arch/x86/xen/multicalls.c`, 7.2.

use core::cell::Cell;
use core::hash::{Hash, Hasher};

use lazy_mmu_core::kernel::BugSite;

use super::decode::{DOMID_SELF, Hypercall};
use crate::backend::{Deferred, mix};
use crate::context::{Context, Note};
use crate::insn::{Insn, Op};

/// Entries in a buffer: `MC_BATCH`.
pub const BATCH: u8 = 32;
/// Argument bytes in a buffer: `MC_ARGS`.
pub const ARGUMENT_BYTES: u16 = 512;
/// `struct mmu_update`.
pub const MMU_UPDATE_BYTES: u16 = 16;
/// `struct mmuext_op` and the CPU mask behind it, for up to 64 CPUs.
pub const MMUEXT_MULTI_BYTES: u16 = 24 + 8;

/// Guest address of the multicall entries, 64 bytes each.
pub const ENTRIES: u64 = 0x1000;
/// Guest address of the `mmu_update` that an immediate PTE write has on its stack.
pub const ON_STACK: u64 = 0x2000;

/// `enum xen_lazy_mode`, what a CPU was lazy about before 7.2: nothing, MMU operations, or those of a context switch.
///
/// Source: `arch/x86/include/asm/xen/hypervisor.h`, 7.0. 7.2 keeps one bool, [`PerCpu::cpu_lazy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `XEN_LAZY_NONE`.
    #[default]
    None,
    /// `XEN_LAZY_MMU`.
    Mmu,
    /// `XEN_LAZY_CPU`.
    Cpu,
}

/// The thread flag of the forms up to 6.19 and of v2; later ones leave it alone.
#[derive(Debug, Default)]
pub struct Thread {
    /// `TIF_LAZY_MMU_UPDATES`: the task was switched out of the mode and enters it again when it is switched in.
    pub lazy_mmu_updates: Cell<bool>,
}

impl Hash for Thread {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lazy_mmu_updates.get().hash(state);
    }
}

/// `struct multicall_entry`: 64 bytes.
#[derive(Debug, Default)]
struct Entry {
    op: Cell<Hypercall>,
    result: Cell<u64>,
    args: [Cell<u64>; 6],
}

/// A CPU's state under Xen PV: the multicall buffer, and what the forms keep beside it.
///
/// It has room for `CALLS` entries and `BYTES` bytes of arguments, the kernel's [`BATCH`] and [`ARGUMENT_BYTES`] unless a
/// search wants a buffer that fills sooner. It has memory for those in any case. Cells, because an interrupt on this CPU
/// may queue and flush too.
/// Source: `struct mc_buffer`, `arch/x86/xen/multicalls.c`, 7.2.
#[derive(Debug)]
pub struct PerCpuOf<const CALLS: u8, const BYTES: u16> {
    entries: [Entry; BATCH as usize],
    arguments: [Cell<u64>; ARGUMENT_BYTES as usize / 8],
    mcidx: Cell<u8>,
    argidx: Cell<u16>,
    on_stack: [Cell<u64>; 2],
    failed: Cell<u32>,
    /// `xen_lazy_mode`, before 7.2.
    pub mode: Cell<Mode>,
    /// `xen_lazy_nesting`, 6.6 to 6.14.
    pub nesting: Cell<u32>,
    /// Between the two switch hooks, 7.2: descriptor operations (none here) wait for the end of the switch.
    pub cpu_lazy: Cell<bool>,
}

/// A CPU's state with the kernel's buffer.
pub type PerCpu = PerCpuOf<BATCH, ARGUMENT_BYTES>;

impl<const CALLS: u8, const BYTES: u16> Default for PerCpuOf<CALLS, BYTES> {
    fn default() -> Self {
        PerCpuOf {
            entries: Default::default(),
            arguments: [const { Cell::new(0) }; ARGUMENT_BYTES as usize / 8],
            mcidx: Cell::new(0),
            argidx: Cell::new(0),
            on_stack: [const { Cell::new(0) }; 2],
            failed: Cell::new(0),
            mode: Cell::new(Mode::None),
            nesting: Cell::new(0),
            cpu_lazy: Cell::new(false),
        }
    }
}

/// What the rest of a run depends on: of the buffer what is in use. The update on the stack and the results are written
/// before anyone reads them.
impl<const CALLS: u8, const BYTES: u16> Hash for PerCpuOf<CALLS, BYTES> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let PerCpuOf { entries, arguments, mcidx, argidx, on_stack: _, failed, mode, nesting, cpu_lazy } = self;
        (mcidx.get(), argidx.get(), failed.get(), mode.get(), nesting.get(), cpu_lazy.get()).hash(state);
        for Entry { op, result: _, args } in entries.iter().take(mcidx.get().into()) {
            op.get().number().hash(state);
            args.iter().for_each(|word| word.get().hash(state));
        }
        arguments.iter().take(usize::from(argidx.get()).div_ceil(8)).for_each(|word| word.get().hash(state));
    }
}

impl<const CALLS: u8, const BYTES: u16> PerCpuOf<CALLS, BYTES> {
    /// How a CPU boots: an empty buffer, no mode. What argument slots held before is stale, as it would be.
    pub fn reset(&self) {
        self.empty();
        self.failed.set(0);
        self.mode.set(Mode::None);
        self.nesting.set(0);
        self.cpu_lazy.set(false);
    }

    /// What the buffer holds: entries, argument bytes.
    #[inline(always)]
    #[must_use]
    pub fn fill(&self) -> (u8, u16) {
        (self.mcidx.get(), self.argidx.get())
    }

    /// How many hypercalls of the buffer failed: the kernel warns (`xen_mc_flush()`) and goes on.
    #[must_use]
    pub fn failed_results(&self) -> u32 {
        self.failed.get()
    }

    /// The buffer's entries and a digest of them, arguments included, in order.
    #[must_use]
    pub fn deferred(&self) -> Deferred {
        let (entries, bytes) = self.fill();
        let queued = self.entries.iter().take(entries.into());
        let calls = queued.flat_map(|entry| [entry.op.get().number(), entry.args[0].get(), entry.args[1].get()]);
        let arguments = self.arguments.iter().take(usize::from(bytes) / 8).map(Cell::get);
        let digest = if entries == 0 { 0 } else { calls.chain(arguments).fold(0, mix) };
        Deferred { pending: false, entries: entries.into(), digest }
    }

    /// The eight bytes of guest memory at `address`; 0 where this CPU's hypercalls name nothing.
    #[must_use]
    pub fn guest_load(&self, address: u64) -> u64 {
        let word = (address % ENTRIES / 8) as usize;
        let cell = match address / ENTRIES {
            0 => self.arguments.get(word),
            1 => match (self.entries.get(word / 8), word % 8) {
                (Some(entry), 0) => return entry.op.get().number(),
                (entry, 1) => entry.map(|entry| &entry.result),
                (entry, field) => entry.map(|entry| &entry.args[field - 2]),
            },
            2 => self.on_stack.get(word),
            _ => None,
        };
        cell.map_or(0, Cell::get)
    }

    /// A hypervisor writes the result of a multicall's entry; whatever else it wrote would have no meaning.
    pub fn guest_store(&self, address: u64, value: u64) {
        let word = (address % ENTRIES / 8) as usize;
        if address / ENTRIES == 1
            && word % 8 == 1
            && let Some(entry) = self.entries.get(word / 8)
        {
            entry.result.set(value);
        }
    }

    #[inline(always)]
    fn empty(&self) {
        self.mcidx.set(0);
        self.argidx.set(0);
    }

    /// Room in the last entry, if it is the same hypercall's: the offset of `size` more argument bytes.
    ///
    /// Source: `xen_mc_extend_args()`.
    #[inline(always)]
    fn extend(&self, op: Hypercall, size: u16) -> Option<u16> {
        let last = self.entries.get(usize::from(self.mcidx.get().checked_sub(1)?))?;
        let offset = self.argidx.get();
        if last.op.get() != op || offset + size >= BYTES {
            return None;
        }
        last.args[1].set(last.args[1].get() + 1);
        self.argidx.set(offset + size);
        Some(offset)
    }

    /// Counts the results below 0 among the first `entries`.
    fn check_results(&self, entries: u8) {
        let failed = self.entries.iter().take(entries.into()).filter(|entry| (entry.result.get() as i64) < 0).count();
        self.failed.set(self.failed.get() + failed as u32);
    }

    /// Writes argument words at an offset that [`new_entry`] gave.
    #[inline(always)]
    pub fn write_arguments<const N: usize>(&self, offset: u16, words: [u64; N]) {
        let first = usize::from(offset) / 8;
        if let Some(cells) = self.arguments.get(first..first + N) {
            for (cell, word) in cells.iter().zip(words) {
                cell.set(word);
            }
        }
    }
}

/// A new entry with `size` argument bytes, their offset; a full buffer is flushed first.
///
/// Source: `__xen_mc_entry()`.
#[inline]
pub fn new_entry<const CALLS: u8, const BYTES: u16, C>(cx: &mut C, op: Hypercall, size: u16) -> u16
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let (entries, bytes) = cx.this_cpu().fill();
    if entries == CALLS || bytes.next_multiple_of(8) + size >= BYTES {
        flush(cx);
    }
    let cpu = cx.this_cpu();
    let (entries, bytes) = cpu.fill();
    let offset = bytes.next_multiple_of(8);
    if let Some(entry) = cpu.entries.get(usize::from(entries)) {
        entry.op.set(op);
        for (cell, word) in entry.args.iter().zip([offset.into(), 1, 0, DOMID_SELF]) {
            cell.set(word);
        }
    }
    cpu.mcidx.set(entries + 1);
    cpu.argidx.set(offset + size);
    offset
}

/// Queues a PTE update: in the last entry if it can be, else in a new one.
///
/// Source: `xen_extend_mmu_update()`, `arch/x86/xen/mmu_pv.c`, 7.2.
#[inline]
pub fn extend_mmu_update<const CALLS: u8, const BYTES: u16, C>(cx: &mut C, pointer: u64, value: u64)
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let offset = match cx.this_cpu().extend(Hypercall::MmuUpdate, MMU_UPDATE_BYTES) {
        Some(offset) => offset,
        None => new_entry(cx, Hypercall::MmuUpdate, MMU_UPDATE_BYTES),
    };
    cx.this_cpu().write_arguments(offset, [pointer, value]);
}

/// Queues a TLB flush on the CPUs of `mask`: always an entry of its own.
///
/// Source: `xen_flush_tlb_multi()`, `arch/x86/xen/mmu_pv.c`, 7.2.
pub fn queue_tlb_flush<const CALLS: u8, const BYTES: u16, C>(cx: &mut C, command: u64, address: u64, mask: u64)
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let offset = new_entry(cx, Hypercall::MmuextOp, MMUEXT_MULTI_BYTES);
    let mask_address = u64::from(offset) + 24;
    cx.this_cpu().write_arguments(offset, [command, address, mask_address, mask]);
}

/// Executes what the buffer holds: nothing, one hypercall, or a multicall.
///
/// The caller has preemption off. A failed entry is counted, a failed multicall is a BUG.
/// Source: `xen_mc_flush()`.
pub fn flush<const CALLS: u8, const BYTES: u16, C>(cx: &mut C)
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let (entries, bytes) = cx.this_cpu().fill();
    cx.note(Note::McFlush(entries, bytes));
    match entries {
        0 => return,
        1 => {
            let entry = &cx.this_cpu().entries[0];
            let call = Insn { op: entry.op.get().op(), a: entry.args[0].get(), b: entry.args[1].get() };
            let result = cx.execute(call);
            cx.this_cpu().entries[0].result.set(result);
        }
        _ => {
            if cx.execute(Insn { op: Op::HcMulticall, a: 0, b: entries.into() }) != 0 {
                cx.bug(BugSite::MulticallFlush);
                return;
            }
        }
    }
    let cpu = cx.this_cpu();
    cpu.check_results(entries);
    cpu.empty();
}

/// One PTE update as a hypercall of its own, from the stack; the buffer is left alone, the result ignored.
///
/// Source: `__xen_set_pte()`, `arch/x86/xen/mmu_pv.c`, 7.2.
#[inline]
pub fn mmu_update_now<const CALLS: u8, const BYTES: u16, C>(cx: &mut C, pointer: u64, value: u64)
where
    C: Context<PerCpu = PerCpuOf<CALLS, BYTES>>,
{
    let [first, second] = &cx.this_cpu().on_stack;
    first.set(pointer);
    second.set(value);
    cx.execute(Insn { op: Op::HcMmuUpdate, a: ON_STACK, b: 1 });
}

#[cfg(test)]
mod tests;
