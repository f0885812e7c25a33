//! What a subject promises (its generation's counters, its MMU, the room of its batches), and the names of what it may break.
//!
//! Not how an invariant is judged: that is `lazy-mmu-contract`, which reads these. The registry of the subjects writes the
//! promises down, the zoo names what each of its defects breaks, a search for smaller batches changes the room.

use lazy_mmu_arches::mmu::Mmu;

/// What is kept or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Balance.
    I1,
    /// Pairing.
    I2,
    /// Visible at exit.
    I3,
    /// Immediate outside.
    I4,
    /// Batching kept.
    I5,
    /// CPU-local.
    I6,
    /// Preemption.
    I7,
    /// Coherent reads.
    I8,
    /// Order of change and flush.
    I9,
    /// Shape of batches.
    I10,
    /// Interrupt isolation.
    I11,
    /// Switch neutrality.
    I12,
    /// Gating.
    I13,
    /// Lifetime of pages.
    I14,
    /// Quiet.
    I15,
    /// Agreement with the reference model of the counted generation.
    Model,
}

impl Invariant {
    /// All of them, in reporting order.
    pub const ALL: [Invariant; 16] = [
        Invariant::I1,
        Invariant::I2,
        Invariant::I3,
        Invariant::I4,
        Invariant::I5,
        Invariant::I6,
        Invariant::I7,
        Invariant::I8,
        Invariant::I9,
        Invariant::I10,
        Invariant::I11,
        Invariant::I12,
        Invariant::I13,
        Invariant::I14,
        Invariant::I15,
        Invariant::Model,
    ];

    /// Its id and name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Invariant::I1 => "I1 balance",
            Invariant::I2 => "I2 pairing",
            Invariant::I3 => "I3 visible-at-exit",
            Invariant::I4 => "I4 immediate-outside",
            Invariant::I5 => "I5 batching-kept",
            Invariant::I6 => "I6 cpu-local",
            Invariant::I7 => "I7 preempt",
            Invariant::I8 => "I8 read-coherent",
            Invariant::I9 => "I9 order",
            Invariant::I10 => "I10 batch-shape",
            Invariant::I11 => "I11 irq-isolation",
            Invariant::I12 => "I12 switch-neutral",
            Invariant::I13 => "I13 gating",
            Invariant::I14 => "I14 lifetime",
            Invariant::I15 => "I15 quiet",
            Invariant::Model => "model",
        }
    }

    /// Its id alone.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.name().split(' ').next().unwrap_or_default()
    }
}

/// What to expect of the subject's generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    /// The reference model of the counted generation applies.
    pub counted: bool,
    /// The generation keeps counters per task, and has warnings to give; else the architecture alone knows the mode.
    pub counters: bool,
    /// The MMU under the subject.
    pub mmu: Mmu,
    /// What its batches have room for.
    pub room: Room,
}

/// How much may go out at once. By default what the kernel has room for; a search may want less, so that batches fill sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Room {
    /// Entries of a batch of powerpc64 (`PPC64_TLB_BATCH_NR`) and sparc64 (`TLB_BATCH_NR`).
    pub batch: u16,
    /// Calls of Xen's multicall buffer (`MC_BATCH`).
    pub calls: u8,
    /// Bytes of its arguments (`MC_ARGS`), of which an update takes [`UPDATE`].
    pub bytes: u16,
}

/// Bytes of arguments that one update of a page table takes in Xen's buffer (`struct mmu_update`).
pub const UPDATE: u16 = 16;

impl Default for Room {
    fn default() -> Room {
        Room { batch: 192, calls: 32, bytes: 512 }
    }
}

impl Room {
    /// With how many updates a batch of the MMU is full; none where the mode keeps no batch. Of Xen's argument bytes the last
    /// is never used.
    #[must_use]
    pub fn updates(self, mmu: Mmu) -> Option<u16> {
        match mmu {
            Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v => Some(self.batch),
            Mmu::Xen => Some((self.bytes - 1) / UPDATE),
            Mmu::Plain | Mmu::Aarch64 | Mmu::Radix | Mmu::Native => None,
        }
    }
}
