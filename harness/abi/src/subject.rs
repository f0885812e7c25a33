//! Subjects: what is judged, a generation on a backend through a port, behind one object-safe interface.
//!
//! [`Subject`] is all that the machine knows of it, [`Env`] all that it knows of the machine; both are plain methods
//! over numbers and small C-compatible structures, so that code compiled from a kernel tree can stand beside ours.
//! [`adapter`] puts our generations and backends behind it; [`registry`] names them.
//!
//! Not here: the machine, or any judgement. A subject keeps its own state (counters, thread flags, per-CPU batches),
//! takes `&self` and may be called again while a call of it is open: an interrupt or another task may come between
//! the halves of a call.

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Isa};
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PteFlags, PteRef, Range, Size};
use lazy_mmu_core::kernel::{BugSite, WarnSite};

use crate::trace::{Call, Complaint, Counters, Hook, Site};

/// Why a CPU's context is atomic: depths, what the subject itself has added included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depths {
    /// `preempt_disable()`; 0 where a backend has enabled more often than it had disabled.
    pub preempt: u8,
    /// `local_bh_disable()`
    pub bh: u8,
    /// Softirq handlers.
    pub softirq: u8,
    /// Hardirq handlers.
    pub hardirq: u8,
    /// NMI handlers.
    pub nmi: u8,
    /// Interrupts switched off; a hardirq or NMI handler counts.
    pub irqs_off: u8,
}

/// What a subject asks of the kernel and the processor around it: `lazy_mmu_core::kernel::Kernel` and
/// `lazy_mmu_arches::context::Context` as an object.
pub trait Env {
    /// This CPU.
    fn cpu(&self) -> u8;
    /// How many CPUs there are.
    fn cpus(&self) -> u8;
    /// The task this CPU runs.
    fn current(&self) -> u8;
    /// `in_interrupt()`
    fn in_interrupt(&self) -> bool;
    /// The context of the running code in full, for a subject that keeps a preempt_count itself.
    fn depths(&self) -> Depths;
    /// `preempt_disable()`
    fn preempt_disable(&mut self);
    /// `preempt_enable()`
    fn preempt_enable(&mut self);
    /// `local_irq_save()`
    fn local_irq_save(&mut self);
    /// `local_irq_restore()`
    fn local_irq_restore(&mut self);
    /// A `VM_WARN_ON_ONCE` whose condition holds.
    fn warn_once(&mut self, site: WarnSite);
    /// A `VM_BUG_ON` whose condition holds.
    fn vm_bug(&mut self, site: WarnSite);
    /// A `BUG_ON` whose condition holds.
    fn bug(&mut self, site: BugSite);
    /// A place in a kernel tree's code that warns, dies, or is where the last WARN or BUG stands.
    fn complain(&mut self, _complaint: Complaint, _site: Site) {}
    /// The point between the halves of a call.
    fn schedule_point(&mut self);
    /// The generic layer is about to call a hook; `active` is the query's answer there.
    fn hook(&mut self, hook: Hook, active: bool);
    /// A hook is called that leaves the mode as it is: gated off, or an enter that yields NESTED.
    fn idle_hook(&mut self, hook: Hook);
    /// The handler that runs on this CPU: how many are open there, and a number that no other one has.
    fn handler(&self) -> Option<(u16, u32)>;
    /// A hook of the backend calls the generic API: it begins.
    fn nested_call(&mut self, call: Call);
    /// It ends.
    fn nested_return(&mut self, call: Call);
    /// Reads a PTE.
    fn pte_load(&mut self, at: PteRef) -> u64;
    /// Stores a PTE.
    fn pte_store(&mut self, at: PteRef, word: u64);
    /// An instruction reaches the hardware.
    fn execute(&mut self, insn: Insn) -> u64;
    /// Whether no other CPU can hold translations of the address space.
    fn is_thread_local(&self, mm: Mm) -> bool;
    /// Whether the address space has a number in the TLB (sparc64).
    fn is_context_valid(&self, mm: Mm) -> bool;
    /// What became of an update.
    fn note(&mut self, note: Note);
}

/// How a subject reaches instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Port {
    /// Every instruction is handed to the machine.
    #[default]
    Model,
    /// Unprivileged instructions of this build's own instruction set are executed for real, and told to the machine
    /// besides; privileged ones go to the machine.
    Asm,
}

/// What is judged. All task and CPU numbers are in range: the machine sees to it.
pub trait Subject {
    /// Whose instructions its backend uses.
    fn isa(&self) -> Option<Isa>;
    /// The MMU it drives.
    fn mmu(&self) -> Mmu;
    /// Whether its kernel maps a small and a large page alike, so that both may be in one batch: powerpc64 with 4K pages.
    fn has_one_base_size(&self) -> bool;
    /// Everything back to how a kernel boots.
    fn reset(&self);
    /// Every CPU's own state back to that, the tasks' kept: after tasks were put aside at boot.
    fn reset_cpus(&self);
    /// Whether its generation keeps counters per task; before 7.0 the backend alone knows whether the mode is on.
    fn keeps_counters(&self) -> bool;
    /// `dup_task_struct()`: the child's state is a copy of the parent's.
    fn fork(&self, parent: u8, child: u8);

    /// A digest of its own state as far as what follows depends on it, taken while none of its calls is in progress: for
    /// the exhaustive exploration, which takes two subjects with one digest for one.
    fn fingerprint(&self) -> u64;

    /// How many instructions it has executed for real since it was made.
    fn executed(&self) -> u64;

    /// A call of the generic API by the running task.
    fn call(&self, env: &mut dyn Env, call: Call);
    /// `is_lazy_mmu_mode_active()`
    fn is_active(&self, env: &mut dyn Env) -> bool;
    /// What a task's counters are.
    fn counters(&self, task: u8) -> Counters;
    /// `arch_flush_lazy_mmu_mode()` called from outside the generic layer.
    fn flush(&self, env: &mut dyn Env);

    /// `set_ptes()`
    fn set_ptes(&self, env: &mut dyn Env, at: PteRef, word: u64, n: u16);
    /// `ptep_get_and_clear()`
    fn clear_pte(&self, env: &mut dyn Env, at: PteRef) -> u64;
    /// `ptep_set_wrprotect()`
    fn wrprotect_pte(&self, env: &mut dyn Env, at: PteRef);
    /// `ptep_get()`
    fn get_pte(&self, env: &mut dyn Env, at: PteRef) -> u64;
    /// `flush_tlb_range()` or `flush_tlb_kernel_range()`
    fn flush_tlb_range(&self, env: &mut dyn Env, range: Range);
    /// `tlb_flush()` of an mmu_gather.
    fn gather_flush(&self, env: &mut dyn Env, range: Range);

    /// One page of the linear map, mapped with a word or taken away, as DEBUG_PAGEALLOC does it
    /// (`Backend::map_linear_page`).
    fn map_linear_page(&self, env: &mut dyn Env, at: PteRef, word: Option<u64>);

    /// `arch_start_context_switch(prev)`
    fn start_context_switch(&self, env: &mut dyn Env, prev: u8);
    /// `arch_end_context_switch(next)`
    fn end_context_switch(&self, env: &mut dyn Env, next: u8);

    /// What the architecture itself keeps as "the mode is on" on the CPU that runs `env`, if it keeps such a thing.
    fn arch_mode(&self, env: &mut dyn Env) -> Option<bool>;
    /// What is held back on a CPU and for a task.
    fn deferred(&self, cpu: u8, task: u8) -> Deferred;
    /// What a hypervisor reads of the guest memory a hypercall of the CPU names.
    fn guest_load(&self, cpu: u8, address: u64) -> u64;
    /// What it writes there.
    fn guest_store(&self, cpu: u8, address: u64, value: u64);

    /// The PTE word for a frame.
    fn pte_word(&self, flags: PteFlags, frame: u32, size: Size) -> u64;
    /// What a PTE word says to the subject: reports show that. The machine reads words by its own tables.
    fn pte_flags(&self, word: u64) -> PteFlags;
    /// The frame it names.
    fn pte_frame(&self, word: u64) -> u32;
    /// The size of the mapping it makes.
    fn pte_size(&self, word: u64) -> Size;
}
