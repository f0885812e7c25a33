//! What a backend asks of the kernel and the processor around it, beyond `lazy_mmu_core::kernel::Kernel`.
//!
//! It is the port: memory and instructions are reached through it and through nothing else. A kernel implements it
//! with its per-CPU variables and the functions of [`crate::asm`]; the harness implements it over its machine.
//! Whatever only a harness needs is a method whose default does nothing. A question has no default: who implements the
//! trait answers it.

use lazy_mmu_core::kernel::Kernel;

use crate::insn::{Insn, Op};
use crate::page::PteRef;

/// What became of a PTE update: recorded by a harness, ignored by a kernel. The names are those of the recorded
/// kernel traces (`docs/kernel-traces.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// aarch64: the mode is active, the pending flag is set (or was found set).
    QueueDeferred,
    /// aarch64: the mode is not active, the barriers come now.
    QueueEmitted,
    /// aarch64: the barrier pair was executed.
    Barriers,
    /// powerpc64 hash, sparc64: an entry joined this CPU's batch; the fill level after it, 1 to 192.
    BatchAdd(u16),
    /// powerpc64 hash, sparc64: the batch of so many entries is flushed.
    FlushPending(u16),
    /// powerpc64 hash, sparc64: the mode is not active, one entry was flushed at once.
    FlushImmediate,
    /// Xen: the update was left in the multicall buffer.
    MmuQueued,
    /// Xen: the update was queued and flushed at once.
    MmuIssued,
    /// Xen: one hypercall of its own, the buffer untouched.
    MmuImmediate,
    /// Xen: the multicall buffer was flushed: entries, argument bytes.
    McFlush(u8, u16),
}

/// What a backend asks for.
pub trait Context: Kernel {
    /// The backend's per-CPU state.
    type PerCpu;
    /// The backend's per-task state (its thread flags).
    type Thread;

    /// This CPU's state. Another CPU's after a migration: hold it only with preemption off.
    fn this_cpu(&self) -> &Self::PerCpu;

    /// The thread flags of `task`.
    fn thread(&self, task: Self::Task) -> &Self::Thread;

    /// The one question: may the running code's PTE updates be deferred? False in interrupt context.
    fn is_lazy_mmu_mode_active(&mut self) -> bool;

    /// `__task_lazy_mmu_mode_active(task)`, for context-switch hooks.
    fn task_lazy_mmu_mode_active(&mut self, task: Self::Task) -> bool;

    /// `__task_lazy_mmu_mode_pause(task)`, for context-switch hooks.
    fn task_lazy_mmu_mode_pause(&mut self, task: Self::Task);

    /// `__task_lazy_mmu_mode_resume(task)`, for context-switch hooks.
    fn task_lazy_mmu_mode_resume(&mut self, task: Self::Task);

    /// Reads a PTE from memory.
    fn pte_load(&mut self, at: PteRef) -> u64;

    /// Stores a PTE. Under Xen the tables are read-only for the guest: use hypercalls.
    fn pte_store(&mut self, at: PteRef, word: u64);

    /// Executes an instruction; yields what it yields, 0 where nothing.
    fn execute(&mut self, insn: Insn) -> u64;

    /// `local_irq_save()`: no interrupt comes on this CPU, and nobody is preempted here, until the restore.
    fn local_irq_save(&mut self);

    /// `local_irq_restore()`
    fn local_irq_restore(&mut self);

    /// Whether no other CPU than this one may hold translations of the address space. Never so for `init_mm`.
    fn is_thread_local(&self, mm: crate::page::Mm) -> bool;

    /// sparc64's `CTX_VALID()`: whether the address space has a number in the TLB; without one the TLB holds nothing
    /// of it. It has from its first switch-in until all numbers are used up and given out anew, or its last task ends.
    fn is_context_valid(&self, mm: crate::page::Mm) -> bool;

    /// How many CPUs there are.
    fn cpus(&self) -> u8;

    /// This CPU's number.
    fn cpu(&self) -> u8;

    /// Records what became of an update. A kernel keeps the default, which costs nothing.
    #[inline(always)]
    fn note(&mut self, _note: Note) {}

    /// Executes an instruction without operands.
    #[inline(always)]
    fn op(&mut self, op: Op) {
        self.execute(Insn::plain(op));
    }
}
