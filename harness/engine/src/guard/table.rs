//! The guards, by what the machine would have lost.

use lazy_mmu_arches::insn::{Insn, Op};

use super::{Guard, Shows, Wrong};
use crate::contract::Invariant::{I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I14};
use crate::machine::Mutant;
use crate::trace::Refusal;

const AARCH64: &str = "counted/aarch64";
const HASH: &str = "counted/powerpc64-hash";
const RADIX: &str = "counted/powerpc64-radix";
const SPARC: &str = "counted/sparc64";
const SUN4V: &str = "counted/sparc64-sun4v";
const NATIVE: &str = "counted/x86_64-native";
const XEN: &str = "counted/x86_64-xen";

/// A page is used here, taken away and flushed.
const TAKEN: &str = "set U 0; access U 0; clear U 0; tlb_flush U 0; access U 0";
/// The same of a page that both CPUs have used.
const TAKEN_FROM_BOTH: &str =
    "set U 0; access U 0; cpu 1; access U 0; cpu 0; clear U 0; tlb_flush U 0; access U 0; cpu 1; access U 0";
/// A huge page is used, taken away and flushed.
const BLOCK_TAKEN: &str = "set U 0 huge; access U 0; clear U 0; tlb_flush U 0 huge; access U 0";
/// Of two pages that are taken away the first is flushed.
const HALF_FLUSHED: &str = "set K 0 x2; access K 0 x2; clear K 0 x2; tlb_flush K 0; access K 1";

const fn guard(
    mutant: Mutant,
    subject: &'static str,
    wrong: Wrong,
    program: &'static str,
    shows: Shows,
    tells: [&'static str; 2],
) -> Guard {
    Guard { mutant, subject, wrong, program, shows, tells }
}

/// Every guard.
#[rustfmt::skip]
pub const GUARDS: &[Guard] = &[
    // TLBs.
    guard(Mutant::TlbNeverFills, NATIVE, Wrong::Nothing, "set U 0; access U 0; clear U 0; access U 0", Shows::Stale,
        ["a translation that was flushed", "one that was not"]),
    guard(Mutant::TlbNeverFills, AARCH64, Wrong::Without(Op::TlbiVae1is), TAKEN, Shows::Breaks(I9),
        ["a TLBI", "none (aarch64)"]),
    guard(Mutant::TlbNeverFills, HASH, Wrong::Without(Op::Tlbie), TAKEN_FROM_BOTH, Shows::Breaks(I4),
        ["a `tlbie`", "none (hash)"]),
    guard(Mutant::TlbNeverFills, RADIX, Wrong::Without(Op::Tlbie), TAKEN, Shows::Breaks(I9),
        ["a `tlbie`", "none (radix)"]),
    guard(Mutant::TlbNeverFills, SPARC, Wrong::Without(Op::Stxa), TAKEN, Shows::Breaks(I4),
        ["a demap", "none (sun4u)"]),
    guard(Mutant::TlbNeverFills, SUN4V, Wrong::Without(Op::Ta), TAKEN, Shows::Breaks(I4),
        ["a demap by the hypervisor", "none (sun4v)"]),
    guard(Mutant::TlbNeverFills, NATIVE, Wrong::Without(Op::Invlpg), TAKEN, Shows::Breaks(I9),
        ["an `invlpg`", "none"]),
    guard(Mutant::TlbNeverFills, XEN, Wrong::Without(Op::HcMmuextOp), TAKEN, Shows::Breaks(I9),
        ["a flush by the hypervisor", "none"]),
    guard(Mutant::TlbOfCpu0NeverFills, NATIVE, Wrong::Nothing,
        "set U 0; access U 0; cpu 1; clear U 0; cpu 0; access U 0", Shows::Stale,
        ["what CPU 0 has cached", "what is in the page table"]),
    guard(Mutant::TlbOfCpu1NeverFills, NATIVE, Wrong::Nothing,
        "set U 0; cpu 1; access U 0; cpu 0; clear U 0; cpu 1; access U 0", Shows::Stale,
        ["what CPU 1 has cached", "what is in the page table"]),
    guard(Mutant::SwitchDropsTlb, NATIVE, Wrong::Nothing,
        "set U 0; access U 0; clear U 0; switch T2; access U 0", Shows::Stale,
        ["a context switch", "a flush of the TLB"]),
    guard(Mutant::WriteProtectionSeenAtOnce, NATIVE, Wrong::Nothing,
        "set U 0; access U 0; wrprot U 0; access U 0", Shows::Stale,
        ["a write-protected entry", "a TLB that still lets stores through"]),
    guard(Mutant::InvalidatesNothing, AARCH64, Wrong::Nothing, TAKEN, Shows::Holds,
        ["a TLBI of an address", "nothing"]),
    guard(Mutant::InvalidatesNothing, HASH, Wrong::Nothing, TAKEN, Shows::Holds,
        ["a `tlbie` of the hash MMU", "nothing"]),
    guard(Mutant::InvalidatesNothing, RADIX, Wrong::Nothing, TAKEN, Shows::Holds,
        ["a `tlbie` of the radix MMU", "nothing"]),
    guard(Mutant::InvalidatesNothing, SPARC, Wrong::Nothing, TAKEN, Shows::Holds,
        ["a demap of an address", "nothing"]),
    guard(Mutant::InvalidatesNothing, NATIVE, Wrong::Nothing, TAKEN, Shows::Holds,
        ["an `invlpg` of an address", "nothing"]),
    guard(Mutant::InvalidatesEverything, AARCH64, Wrong::Nothing, HALF_FLUSHED, Shows::Stale,
        ["a TLBI of an address", "a TLBI of everything"]),
    guard(Mutant::InvalidatesEverything, RADIX, Wrong::Nothing,
        "set U 0 x2; access U 0 x2; clear U 0 x2; tlb_flush U 0; access U 1", Shows::Stale,
        ["a `tlbie` of a page", "a `tlbie` of everything"]),
    guard(Mutant::InvalidatesEverything, SPARC, Wrong::Instead(not_page_1),
        "set U 0 x2; access U 0 x2; enable; clear U 0 x2; disable", Shows::Breaks(I3),
        ["a demap of a page", "a demap of everything"]),
    guard(Mutant::InvalidatesEverything, NATIVE, Wrong::Nothing, HALF_FLUSHED, Shows::Stale,
        ["an `invlpg`", "a reload of CR3"]),
    guard(Mutant::InvalidatesHereAlone, AARCH64, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["a TLBI that is broadcast", "a local one"]),
    guard(Mutant::InvalidatesHereAlone, HASH, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["a `tlbie` of the hash MMU", "a `tlbiel`"]),
    guard(Mutant::InvalidatesHereAlone, RADIX, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["a `tlbie` of the radix MMU", "a `tlbiel`"]),
    guard(Mutant::LocalReachesAll, HASH, Wrong::Local, TAKEN_FROM_BOTH, Shows::Breaks(I4),
        ["a `tlbiel`", "a `tlbie`"]),
    guard(Mutant::AnySize, AARCH64, Wrong::Nothing,
        "set U 1 large; access U 1; clear U 1; tlb_flush U 1", Shows::Breaks(I9),
        ["a TLBI of one entry of a contiguous range", "a TLBI of the range"]),
    guard(Mutant::AnySize, RADIX, Wrong::Nothing,
        "set U 1 large; access U 1; wrprot U 1; tlb_flush U 1", Shows::Breaks(I9),
        ["a `tlbie` of a 4K page", "a `tlbie` of a 64K page"]),
    guard(Mutant::AnySize, HASH, Wrong::Instead(smaller), "set U 0 huge; access U 0; clear U 0", Shows::Breaks(I4),
        ["a `tlbie` of a 4K page of the hash MMU", "a `tlbie` of 16M"]),
    guard(Mutant::AnySize, SPARC, Wrong::Instead(next_page), TAKEN, Shows::Breaks(I4),
        ["a demap of an address", "a demap of the next page"]),
    guard(Mutant::AnySize, NATIVE, Wrong::Instead(next_page), TAKEN, Shows::Breaks(I9),
        ["an `invlpg` of an address", "an `invlpg` of the next page"]),
    guard(Mutant::AnySpace, AARCH64, Wrong::Instead(other_asid), TAKEN, Shows::Breaks(I9),
        ["a TLBI with the ASID of U", "a TLBI with the ASID of V"]),
    guard(Mutant::BothSides, SPARC, Wrong::Instead(data_alone), "set U 0 exec; access U 0; clear U 0", Shows::Breaks(I4),
        ["a demap of data", "a demap of instructions"]),
    guard(Mutant::CrossCallsLost, SPARC, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["a cross call", "none (sparc64)"]),
    guard(Mutant::CrossCallsLost, NATIVE, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["an interrupt of the other CPU", "none (x86)"]),
    guard(Mutant::CpusForgotten, HASH, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["an address space that both CPUs used", "one of this CPU's alone (hash)"]),
    guard(Mutant::CpusForgotten, SPARC, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["an address space that both CPUs used", "one of this CPU's alone (sparc64)"]),
    guard(Mutant::CpusForgotten, XEN, Wrong::Nothing, TAKEN_FROM_BOTH, Shows::Holds,
        ["an address space that both CPUs used", "one of this CPU's alone (Xen)"]),
    guard(Mutant::ContextsKept, SPARC, Wrong::Nothing,
        "set V 0 x2; migrate T2 1; cpu 1; switch T2; exit T3; cpu 0; exit T1; enable; clear V 0 x2; disable",
        Shows::No(Op::Stxa),
        ["an address space that has a number in the TLB", "one that has none (sparc64)"]),
    guard(Mutant::WholeFlushesNothing, AARCH64, Wrong::Nothing,
        "set U 0; access U 0; clear U 0; tlb_flush U 0 x512; access U 0", Shows::Holds,
        ["a TLBI of an ASID", "nothing"]),
    guard(Mutant::WholeFlushesNothing, AARCH64, Wrong::Nothing,
        "set K 0; access K 0; clear K 0; tlb_flush K 0 x512; access K 0", Shows::Holds,
        ["a TLBI of everything", "nothing"]),
    guard(Mutant::WholeFlushesNothing, RADIX, Wrong::Nothing,
        "set U 0; access U 0; clear U 0; tlb_flush U 0 x40; access U 0", Shows::Holds,
        ["a `tlbie` of a process", "nothing"]),
    guard(Mutant::WholeFlushesNothing, NATIVE, Wrong::Nothing,
        "set U 0; access U 0; clear U 0; tlb_flush U 0 x40; access U 0", Shows::Holds,
        ["a reload of CR3", "nothing"]),
    guard(Mutant::WholeFlushesNothing, XEN, Wrong::Nothing,
        "set U 0; access U 0; clear U 0; tlb_flush U 0 x2; access U 0", Shows::Holds,
        ["a flush of everything by the hypervisor", "nothing"]),
    guard(Mutant::LargeMissed, AARCH64, Wrong::Nothing, BLOCK_TAKEN, Shows::Holds,
        ["a TLBI of a block", "nothing"]),
    guard(Mutant::LargeMissed, HASH, Wrong::Nothing, BLOCK_TAKEN, Shows::Holds,
        ["a `tlbie` of 16M", "nothing"]),
    guard(Mutant::LargeMissed, RADIX, Wrong::Nothing, BLOCK_TAKEN, Shows::Holds,
        ["a `tlbie` of 2M", "nothing"]),
    guard(Mutant::LargeMissed, NATIVE, Wrong::Nothing, BLOCK_TAKEN, Shows::Holds,
        ["an `invlpg` of a page of 2M", "nothing"]),
    guard(Mutant::HalvesTogether, SPARC, Wrong::Instead(lower_half), "set U 3 huge; access U 3; clear U 3", Shows::Breaks(I4),
        ["a demap of the lower half of a huge page", "a demap of both halves"]),
    guard(Mutant::FaultsStay, AARCH64, Wrong::Nothing, "set U 0; access U 0", Shows::Fresh,
        ["a spurious fault, which is repaired", "a fault"]),

    // Barriers.
    guard(Mutant::StoresSeenAtOnce, AARCH64, Wrong::Without(Op::DsbIshst), "set K 0", Shows::Breaks(I4),
        ["a store behind a `dsb ishst`", "a store without one"]),
    guard(Mutant::NoRefetch, AARCH64, Wrong::Without(Op::Isb), "set K 0", Shows::Breaks(I4),
        ["a kernel mapping with its `isb`", "one without"]),
    guard(Mutant::AnyDomain, AARCH64, Wrong::Instead(non_shareable), "set K 0", Shows::Breaks(I4),
        ["a `dsb` of the inner shareable domain", "a `dsb` of this CPU"]),
    guard(Mutant::AnyDomain, AARCH64, Wrong::Instead(non_shareable), TAKEN, Shows::Breaks(I9),
        ["a TLBI that every CPU has made", "a TLBI behind a `dsb` of this CPU"]),
    guard(Mutant::InvalidatedAtOnce, AARCH64, Wrong::Without(Op::DsbIsh), TAKEN, Shows::Breaks(I9),
        ["a TLBI that a `dsb ish` completed", "one that none did"]),
    guard(Mutant::InvalidatedAtOnce, SPARC, Wrong::Instead(no_membar), "set U 0; access U 0; clear U 0", Shows::Breaks(I4),
        ["a demap behind `membar #Sync`", "one without"]),
    guard(Mutant::NoEieio, HASH, Wrong::Without(Op::Eieio), TAKEN_FROM_BOTH, Shows::Breaks(I4),
        ["a `tlbsync` behind `eieio`", "one without"]),
    guard(Mutant::NoTlbsync, HASH, Wrong::Without(Op::Tlbsync), TAKEN_FROM_BOTH, Shows::Breaks(I4),
        ["a `tlbie` that `tlbsync` waited for", "one that it did not (hash)"]),
    guard(Mutant::NoTlbsync, RADIX, Wrong::Without(Op::Tlbsync), TAKEN, Shows::Breaks(I9),
        ["a `tlbie` that `tlbsync` waited for", "one that it did not (radix)"]),
    guard(Mutant::NoPtesync, HASH, Wrong::Without(Op::Ptesync), TAKEN_FROM_BOTH, Shows::Breaks(I9),
        ["an invalidation between `ptesync`s", "one without (hash)"]),
    guard(Mutant::NoPtesync, RADIX, Wrong::Without(Op::Ptesync), TAKEN, Shows::Breaks(I9),
        ["an invalidation between `ptesync`s", "one without (radix)"]),

    // The hash table and the TSBs.
    guard(Mutant::TableNeverFilled, HASH, Wrong::Without(Op::HpteInvalidate), TAKEN, Shows::Breaks(I4),
        ["a hash entry that was made invalid", "one that was not"]),
    guard(Mutant::TableNeverFilled, SPARC, Wrong::Without(Op::TsbFlush), TAKEN, Shows::Breaks(I4),
        ["a TSB entry that was made invalid", "one that was not"]),
    guard(Mutant::TableKeeps, HASH, Wrong::Nothing, TAKEN, Shows::Holds,
        ["a search of the hash table", "nothing"]),
    guard(Mutant::TableKeeps, SPARC, Wrong::Nothing, TAKEN, Shows::Holds,
        ["a flush of a TSB entry", "nothing"]),
    guard(Mutant::SecondaryUnsearched, HASH, Wrong::Nothing,
        "set U 1024 x40; access U 1024 x40; enable; clear U 1024 x40; disable", Shows::Holds,
        ["both groups of a hash", "the primary one"]),
    guard(Mutant::TsbNeverHit, SPARC, Wrong::Without(Op::TsbFlush), TAKEN, Shows::Stale,
        ["what a TSB holds", "what is in the page table"]),

    // Xen.
    guard(Mutant::TablesWritable, XEN, Wrong::Stores, "set K 0", Shows::Denied,
        ["an update by the hypervisor", "a store by the guest"]),
    guard(Mutant::HypercallsSucceed, XEN, Wrong::OtherTable, "set K 0", Shows::Denied,
        ["a hypercall that is made", "one that is refused"]),
    guard(Mutant::QueuedAtOnce, XEN, Wrong::Nothing, "enable; set K 0; access K 0; disable", Shows::Stale,
        ["an update that is queued", "one that is made"]),
    guard(Mutant::MulticallReversed, XEN, Wrong::Nothing,
        "set K 0; access K 0; enable; clear K 0; tlb_flush K 0; disable; access K 0", Shows::Holds,
        ["a flush behind its update", "one before it"]),

    // Frames, effects and counts.
    guard(Mutant::FramesNeverReused, NATIVE, Wrong::Nothing, "set U 0; clear U 0; gather_flush U 0; set U 1",
        Shows::Again, ["a freed frame that is taken again", "a new one"]),
    guard(Mutant::FreedUnnoticed, NATIVE, Wrong::Without(Op::Invlpg),
        "set U 0; access U 0; clear U 0; gather_flush U 0", Shows::Breaks(I14),
        ["a frame that nobody reaches", "one that a TLB still leads to"]),
    guard(Mutant::LateUnnoticed, AARCH64, Wrong::Without(Op::Isb), "enable; set K 0; disable", Shows::Breaks(I3),
        ["a change that is in effect", "one that is not"]),
    guard(Mutant::BurstsUncounted, HASH, Wrong::Twice(Op::HpteInvalidate), "set U 0; access U 0; clear U 0",
        Shows::Breaks(I10), ["a change that goes out once", "one that goes out twice"]),
    guard(Mutant::BurstsUncounted, "stateless/aarch64", Wrong::Nothing,
        "enable; enable; disable; set K 0; disable", Shows::Breaks(I5),
        ["what waits until a section ends", "what goes out in it"]),

    guard(Mutant::EarlyUnnoticed, AARCH64, Wrong::Without(Op::DsbIshst), TAKEN, Shows::Breaks(I9),
        ["an invalidation behind its change", "one before it"]),
    guard(Mutant::ReadsAsAsked, XEN, Wrong::Nothing, "enable; set K 0; get K 0; disable", Shows::Breaks(I8),
        ["what an entry says", "what it should say"]),
    guard(Mutant::FreedIsFresh, NATIVE, Wrong::Without(Op::Invlpg),
        "set U 0; access U 0; clear U 0; gather_flush U 0; access U 0", Shows::Freed,
        ["a page that was freed", "a page that is mapped"]),

    // Tasks.
    guard(Mutant::BorrowedUnnoticed, SPARC, Wrong::Instead(keeps_context), "set U 0; access U 0; clear U 0", Shows::Breaks(I7),
        ["a secondary context that was given back", "one that was not"]),
    guard(Mutant::HeldUnnoticed, SPARC, Wrong::MuteInHandlers,
        "set U 0 x3; access U 0 x3; set V 0; access V 0; enable; clear U 0 x3; irq { clear V 0 }; disable", Shows::Breaks(I11),
        ["a batch that a handler flushed", "one that it threw away"]),
    guard(Mutant::SwitchRefetchesNothing, AARCH64, Wrong::Nothing, "enable; set K 0; switch T1; access K 0", Shows::Fresh,
        ["a CPU that has refetched at a switch", "one that has not"]),
    guard(Mutant::LocksShared, NATIVE, Wrong::Nothing, "lock 0; cpu 1; lock 0; cpu 0; unlock 0",
        Shows::Refused(Refusal::Held), ["a lock that is free", "one that is held"]),
    guard(Mutant::PointsLost, "counted/x86_64-xen@7.0", Wrong::Nothing,
        "enable between { preempt T1; switch T0 }; disable", Shows::Breaks(I2),
        ["a task that was preempted between the halves of a call", "one that was preempted after it"]),
    guard(Mutant::PreemptCountUnnoticed, HASH, Wrong::Nothing, "enable; disable", Shows::Holds,
        ["a section with preemption off", "one with preemption on"]),
    guard(Mutant::WarningsLost, NATIVE, Wrong::Nothing, "disable", Shows::Warns,
        ["a call that warns", "one that is silent"]),
    guard(Mutant::InterruptsAreTasks, AARCH64, Wrong::Nothing,
        "enable; irq { set K 1; access K 1 }; disable", Shows::Fresh,
        ["a handler", "the task that it interrupts"]),
    guard(Mutant::InterruptsUnmasked, NATIVE, Wrong::Nothing, "irq_off; irq { query }; irq_on",
        Shows::Refused(Refusal::Masked), ["a CPU that takes interrupts", "one that masks them"]),
    guard(Mutant::PreemptsAnyone, NATIVE, Wrong::Nothing, "lock 0; preempt T1; unlock 0",
        Shows::Refused(Refusal::NotPreemptible), ["a preemptible task", "one that holds a spinlock"]),
    guard(Mutant::AtomicUnnoticed, NATIVE, Wrong::Nothing, "lock 0; sleep; unlock 0", Shows::Breaks(I7),
        ["a task that may sleep", "one that may not"]),
    guard(Mutant::PreemptibleUnnoticed, HASH, Wrong::Preemptible, "set U 0; access U 0; enable; clear U 0; disable",
        Shows::Preemptible, ["work on per-CPU state", "work that may be moved away from it"]),
    guard(Mutant::LeftUnnoticed, SPARC, Wrong::Preemptible,
        "set U 0; enable; clear U 0; preempt T1; switch T0; disable", Shows::Breaks(I6),
        ["a batch that a switch left empty", "one that it left behind"]),
];

/// `tlbie` of a 4K page in place of a larger one.
fn smaller(insn: Insn) -> Option<Insn> {
    Some(if insn.op == Op::Tlbie || insn.op == Op::Tlbiel { Insn { a: insn.a & !0xfff, ..insn } } else { insn })
}

/// The base page behind the address, in TLBs' operands.
fn next_page(insn: Insn) -> Option<Insn> {
    Some(match insn.op {
        Op::Stxa if insn.a >> 56 != 0x58 => Insn { a: insn.a + (1 << 13), ..insn },
        Op::Invlpg => Insn { a: insn.a + (1 << 12), ..insn },
        _ => insn,
    })
}

/// ASID 2 for ASID 1.
fn other_asid(insn: Insn) -> Option<Insn> {
    let by_address = matches!(insn.op, Op::TlbiVale1is | Op::TlbiVae1is);
    Some(if by_address { Insn { a: insn.a ^ 3 << 48, ..insn } } else { insn })
}

/// No demap of instructions.
fn data_alone(insn: Insn) -> Option<Insn> {
    Some(insn).filter(|insn| insn.op != Op::Stxa || insn.a >> 56 != 0x57)
}

/// Barriers of this CPU alone.
fn non_shareable(insn: Insn) -> Option<Insn> {
    Some(match insn.op {
        Op::DsbIshst => Insn::plain(Op::DsbNshst),
        Op::DsbIsh => Insn::plain(Op::DsbNsh),
        _ => insn,
    })
}

/// Nothing that completes a demap.
fn no_membar(insn: Insn) -> Option<Insn> {
    Some(insn).filter(|insn| !matches!(insn.op, Op::MembarSync | Op::Flush))
}

/// No demap of page 1 of U.
fn not_page_1(insn: Insn) -> Option<Insn> {
    Some(insn).filter(|insn| insn.op != Op::Stxa || insn.a & 0xff_ffff_e000 != 0x7080_2000)
}

/// No demap of the upper half of a huge page.
fn lower_half(insn: Insn) -> Option<Insn> {
    Some(insn).filter(|insn| insn.op != Op::Stxa || insn.a >> 56 == 0x58 || insn.a >> 22 & 1 == 0)
}

/// The secondary context stays as a demap needed it.
fn keeps_context(insn: Insn) -> Option<Insn> {
    Some(insn).filter(|insn| insn.op != Op::Stxa || insn.a >> 56 != 0x58 || insn.b != 0)
}
