//! What can be taken away from the machine, one thing at a time: how a test shows that the guards would notice.
//!
//! A mutant is asked for where its behaviour lies, off the hot path, and is set by [`Machine::mutate`](super::Machine),
//! which nothing calls but the test of the guards ([`crate::guard`]). No subject, program or option reaches it.

/// A behaviour that the machine has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// No TLB caches anything.
    TlbNeverFills,
    /// That of CPU 0 does not.
    TlbOfCpu0NeverFills,
    /// That of CPU 1 does not.
    TlbOfCpu1NeverFills,
    /// A context switch empties the CPU's TLB.
    SwitchDropsTlb,
    /// A page that loses the right to store leaves all TLBs by itself.
    WriteProtectionSeenAtOnce,
    /// Walkers see a store at once (aarch64).
    StoresSeenAtOnce,
    /// A CPU refetches by itself: no `isb` is needed (aarch64).
    NoRefetch,
    /// A barrier of any domain is enough (aarch64).
    AnyDomain,
    /// An invalidation is complete when it is issued (aarch64, sparc64).
    InvalidatedAtOnce,
    /// An invalidation by address drops nothing.
    InvalidatesNothing,
    /// It drops everything.
    InvalidatesEverything,
    /// It reaches the CPU that issues it alone (aarch64, powerpc64).
    InvalidatesHereAlone,
    /// It drops a mapping of any size at its address.
    AnySize,
    /// It drops the address in every address space (aarch64).
    AnySpace,
    /// A demap of one side of a TLB empties both (sparc64).
    BothSides,
    /// A local invalidation reaches every CPU (powerpc64).
    LocalReachesAll,
    /// `tlbsync` waits for invalidations that `eieio` did not order (powerpc64).
    NoEieio,
    /// Invalidations are complete without `tlbsync` (powerpc64).
    NoTlbsync,
    /// They need no `ptesync` (powerpc64).
    NoPtesync,
    /// Nothing enters the hash table or a TSB.
    TableNeverFilled,
    /// Nothing leaves them.
    TableKeeps,
    /// A miss reads the page table, whatever a TSB holds (sparc64).
    TsbNeverHit,
    /// Other CPUs do not answer: cross calls and interrupts are lost.
    CrossCallsLost,
    /// Nobody knows that an address space was used elsewhere.
    CpusForgotten,
    /// An address space keeps its number in the TLB for ever (sparc64).
    ContextsKept,
    /// The guest may store to its page tables (Xen).
    TablesWritable,
    /// A hypercall succeeds, whatever it is asked (Xen).
    HypercallsSucceed,
    /// The hypervisor makes an update when it is queued (Xen).
    QueuedAtOnce,
    /// A multicall makes its calls from the last to the first (Xen).
    MulticallReversed,
    /// A freed frame is never taken again.
    FramesNeverReused,
    /// Nobody looks who still reaches a frame that is freed.
    FreedUnnoticed,
    /// Nobody looks whether a change is in effect.
    LateUnnoticed,
    /// What goes out is not counted.
    BurstsUncounted,
    /// Interrupts come where they are masked.
    InterruptsUnmasked,
    /// The scheduler takes the CPU away where the program keeps preemption off.
    PreemptsAnyone,
    /// A switch where only a backend keeps preemption off is not noted.
    AtomicUnnoticed,
    /// What works on per-CPU state while it could be moved is not noted.
    PreemptibleUnnoticed,
    /// What a switch leaves in a batch is not noted.
    LeftUnnoticed,
    /// An invalidation of everything, or of a whole address space, drops nothing.
    WholeFlushesNothing,
    /// A search of the hash table looks in the primary group alone (powerpc64).
    SecondaryUnsearched,
    /// A demap of half a huge page is one of the whole (sparc64).
    HalvesTogether,
    /// A context switch does not refetch (aarch64).
    SwitchRefetchesNothing,
    /// A fault on a user entry that walkers do not see yet is not repaired (aarch64).
    FaultsStay,
    /// Nobody looks whether an invalidation came before the change it is for.
    EarlyUnnoticed,
    /// A read of an entry finds what was asked for, whatever it says.
    ReadsAsAsked,
    /// An access to a freed page looks like any other.
    FreedIsFresh,
    /// Nobody looks whether a stream gives back the registers that it changed (sparc64).
    BorrowedUnnoticed,
    /// What is held back at the edges of a handler is not noted.
    HeldUnnoticed,
    /// An invalidation by address misses mappings larger than a base page.
    LargeMissed,
    /// A lock that is held can be taken again.
    LocksShared,
    /// Nothing happens between the halves of a call: it comes after the call.
    PointsLost,
    /// What a hook does to preempt_count is not noted.
    PreemptCountUnnoticed,
    /// A warning is not noted.
    WarningsLost,
    /// `in_interrupt()` is false in handlers.
    InterruptsAreTasks,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 54] = [
        Mutant::TlbNeverFills,
        Mutant::TlbOfCpu0NeverFills,
        Mutant::TlbOfCpu1NeverFills,
        Mutant::SwitchDropsTlb,
        Mutant::WriteProtectionSeenAtOnce,
        Mutant::StoresSeenAtOnce,
        Mutant::NoRefetch,
        Mutant::AnyDomain,
        Mutant::InvalidatedAtOnce,
        Mutant::InvalidatesNothing,
        Mutant::InvalidatesEverything,
        Mutant::InvalidatesHereAlone,
        Mutant::AnySize,
        Mutant::AnySpace,
        Mutant::BothSides,
        Mutant::LocalReachesAll,
        Mutant::NoEieio,
        Mutant::NoTlbsync,
        Mutant::NoPtesync,
        Mutant::TableNeverFilled,
        Mutant::TableKeeps,
        Mutant::TsbNeverHit,
        Mutant::CrossCallsLost,
        Mutant::CpusForgotten,
        Mutant::ContextsKept,
        Mutant::TablesWritable,
        Mutant::HypercallsSucceed,
        Mutant::QueuedAtOnce,
        Mutant::MulticallReversed,
        Mutant::FramesNeverReused,
        Mutant::FreedUnnoticed,
        Mutant::LateUnnoticed,
        Mutant::BurstsUncounted,
        Mutant::InterruptsUnmasked,
        Mutant::PreemptsAnyone,
        Mutant::AtomicUnnoticed,
        Mutant::PreemptibleUnnoticed,
        Mutant::LeftUnnoticed,
        Mutant::WholeFlushesNothing,
        Mutant::SecondaryUnsearched,
        Mutant::HalvesTogether,
        Mutant::SwitchRefetchesNothing,
        Mutant::FaultsStay,
        Mutant::EarlyUnnoticed,
        Mutant::ReadsAsAsked,
        Mutant::FreedIsFresh,
        Mutant::BorrowedUnnoticed,
        Mutant::HeldUnnoticed,
        Mutant::LargeMissed,
        Mutant::LocksShared,
        Mutant::PointsLost,
        Mutant::PreemptCountUnnoticed,
        Mutant::WarningsLost,
        Mutant::InterruptsAreTasks,
    ];
}
