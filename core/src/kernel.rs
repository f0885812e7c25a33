//! What the generic layer and the backends ask of the kernel around them.
//!
//! It is not a model of a kernel: a production kernel implements [`Kernel`] with its own per-task and per-CPU
//! accessors, and keeps the defaults. The harness's machine overrides them to inject and to record.

/// A call site of `VM_WARN_ON_ONCE` (or of v3's `VM_BUG_ON`) in the generic layer.
///
/// Source: `include/linux/pgtable.h` (7.2), one such test in each of the four helpers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WarnSite {
    /// `enable`: the count is at 255, or (v3, v4) the section is paused.
    Enable,
    /// `disable`: the count is at 0, or (v3, v4) the section is paused.
    Disable,
    /// `pause`: the count is at 255, or (v3, v4) the mode is not active.
    Pause,
    /// `resume`: the count is at 0, or (v3, v4) the mode is active or outside a section.
    Resume,
}

/// A `BUG_ON` of a backend: the kernel dies here, with or without `DEBUG_VM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BugSite {
    /// Xen's `enter_lazy()`: the per-CPU mode is not NONE (`arch/x86/include/asm/xen/hypervisor.h`, 7.0).
    EnterLazy,
    /// Xen's `leave_lazy()`: the per-CPU mode is not the one to leave (same file, 7.0).
    LeaveLazy,
    /// `xen_mc_flush()`: called while preemptible, or the multicall itself failed (`arch/x86/xen/multicalls.c`).
    MulticallFlush,
}

/// What is asked of a kernel.
///
/// Every method takes `&mut self` because each may be the point at which something else runs.
pub trait Kernel {
    /// A task's handle: cheap to copy, valid as long as the task is.
    type Task: Copy + Eq;

    /// The task this CPU runs.
    fn current(&self) -> Self::Task;

    /// `in_interrupt()`: true in hardirq, NMI, softirq, and in task context with bottom halves off.
    fn in_interrupt(&self) -> bool;

    /// `preempt_disable()`: one more reason not to be scheduled away.
    fn preempt_disable(&mut self);

    /// `preempt_enable()`: one reason less.
    fn preempt_enable(&mut self);

    /// `VM_WARN_ON_ONCE` fired at `site`. A kernel without `DEBUG_VM` keeps the default.
    #[inline(always)]
    fn warn_once(&mut self, _site: WarnSite) {}

    /// v3's `VM_BUG_ON` fired at `site`. A kernel without `DEBUG_VM` keeps the default and goes on.
    #[inline(always)]
    fn vm_bug(&mut self, _site: WarnSite) {}

    /// A `BUG_ON` of a backend fired. It may return: what follows has no meaning then.
    fn bug(&mut self, site: BugSite);

    /// The point between a call's two half steps, where a preemptible task may be scheduled away.
    /// A kernel keeps the default, which costs nothing.
    #[inline(always)]
    fn schedule_point(&mut self) {}
}

/// Where a generation's per-task state lives: the `lazy_mmu_state` of a `task_struct`.
pub trait TaskState<S>: Kernel {
    /// The state of `task`, which must exist. Shared, because an interrupt may look at it at any time.
    fn task_state(&self, task: Self::Task) -> &S;

    /// The state of the task that runs.
    #[inline(always)]
    fn current_state(&self) -> &S {
        self.task_state(self.current())
    }
}
