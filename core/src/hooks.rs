//! What the generic layer asks of a backend: the three hooks, and their form with a token.
//!
//! Not here: PTE writes, context switches, instructions. Those are between a backend and its kernel
//! (`lazy-mmu-arches`); the generic layer never sees them.

/// The architecture hooks of every generation but `token`.
///
/// Source: `arch_enter_lazy_mmu_mode()`, `arch_flush_lazy_mmu_mode()`, `arch_leave_lazy_mmu_mode()` of
/// `arch/*/include/asm/pgtable.h` and their kin.
pub trait Hooks {
    /// The mode becomes active: updates may be deferred from now on.
    fn arch_enter_lazy_mmu_mode(&mut self);

    /// Whatever was deferred takes effect now; the mode stays as it is.
    fn arch_flush_lazy_mmu_mode(&mut self);

    /// Whatever was deferred takes effect now, and nothing is deferred any more.
    fn arch_leave_lazy_mmu_mode(&mut self);
}

/// What `arch_enter_lazy_mmu_mode()` of v2 returned: opaque to everyone but the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Token {
    /// `LAZY_MMU_DEFAULT`: the mode was off, leaving with this token leaves it.
    #[default]
    Default,
    /// `LAZY_MMU_NESTED`: the mode was on already, leaving with this token only flushes.
    Nested,
}

/// The hooks of the `token` generation (v2 of the nesting series, not merged).
pub trait TokenHooks {
    /// Enters the mode, or notes that it was on.
    fn arch_enter_lazy_mmu_mode(&mut self) -> Token;

    /// Flushes; and leaves, unless `token` says that an outer section goes on.
    fn arch_leave_lazy_mmu_mode(&mut self, token: Token);
}
