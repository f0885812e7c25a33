//! What kind of MMU a backend drives: what a machine under it must be like, and what an oracle may expect of it.
//!
//! It is a name and a few facts that follow from it, nothing more: how each MMU finds translations is the machine's
//! affair (`harness/machine/src/mmu`). Called by the machine, the oracles and the program language (`on`).

/// An MMU, with the interface a kernel has to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mmu {
    /// Walks plain memory and remembers nothing.
    #[default]
    Plain,
    /// Armv8-A: walkers see stores after a barrier, TLBs are invalidated by broadcast.
    Aarch64,
    /// Power, hash table: translations live in the table and in TLBs until they are invalidated.
    Hash,
    /// Power, radix tree.
    Radix,
    /// UltraSPARC: software fills TLBs from TSBs, and demaps them by stores.
    Sun4u,
    /// The same under the sun4v hypervisor.
    Sun4v,
    /// x86-64, bare hardware.
    Native,
    /// x86-64 under Xen PV: the hypervisor alone changes page tables.
    Xen,
}

impl Mmu {
    /// All of them.
    pub const ALL: [Mmu; 8] =
        [Mmu::Plain, Mmu::Aarch64, Mmu::Hash, Mmu::Radix, Mmu::Sun4u, Mmu::Sun4v, Mmu::Native, Mmu::Xen];

    /// Its name in programs (`on hash { ... }`) and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mmu::Plain => "plain",
            Mmu::Aarch64 => "aarch64",
            Mmu::Hash => "hash",
            Mmu::Radix => "radix",
            Mmu::Sun4u => "sun4u",
            Mmu::Sun4v => "sun4v",
            Mmu::Native => "native",
            Mmu::Xen => "xen",
        }
    }

    /// Whether a PTE update of `kernel` or user space invalidates the old translation by itself; elsewhere the caller's
    /// `flush_tlb_range()` does.
    ///
    /// Source: `hpte_need_flush()` (powerpc), `maybe_tlb_batch_add()` (sparc64, user space alone), 7.2.
    #[inline(always)]
    #[must_use]
    pub const fn update_invalidates(self, kernel: bool) -> bool {
        match self {
            Mmu::Hash => true,
            Mmu::Sun4u | Mmu::Sun4v => !kernel,
            _ => false,
        }
    }

    /// Whether what the mode defers waits in a per-CPU batch that keeps preemption off while a section is active.
    #[inline(always)]
    #[must_use]
    pub const fn batch_needs_this_cpu(self) -> bool {
        matches!(self, Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v)
    }

    /// Whether the mode does nothing at all there: the hooks are gated off (I13).
    #[inline(always)]
    #[must_use]
    pub const fn ignores_mode(self) -> bool {
        matches!(self, Mmu::Plain | Mmu::Radix | Mmu::Native)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MMU, its name; whether a kernel's, a user's update invalidates; whether the mode batches per CPU, whether it
    /// does nothing.
    type Row = (Mmu, &'static str, [bool; 2], bool, bool);

    #[rustfmt::skip]
    const ROWS: [Row; 8] = [
        (Mmu::Plain, "plain", [false, false], false, true),
        (Mmu::Aarch64, "aarch64", [false, false], false, false),
        (Mmu::Hash, "hash", [true, true], true, false),
        (Mmu::Radix, "radix", [false, false], false, true),
        (Mmu::Sun4u, "sun4u", [false, true], true, false),
        (Mmu::Sun4v, "sun4v", [false, true], true, false),
        (Mmu::Native, "native", [false, false], false, true),
        (Mmu::Xen, "xen", [false, false], false, false),
    ];

    #[test]
    fn what_is_said_of_each() {
        for (mmu, (row, name, invalidates, batch, ignores)) in Mmu::ALL.into_iter().zip(ROWS) {
            assert_eq!((mmu, mmu.name()), (row, name));
            assert_eq!([true, false].map(|kernel| mmu.update_invalidates(kernel)), invalidates, "{name}");
            assert_eq!((mmu.batch_needs_this_cpu(), mmu.ignores_mode()), (batch, ignores), "{name}");
        }
    }
}
