//! The unprivileged instructions of aarch64, each a function of its own in section `privop`.
//!
//! Whatever patches instructions so that they trap walks that section word by word, and it must find each
//! instruction exactly once: hence one function each, never inlined. Not here: TLBI, which faults in user mode and
//! which the machine takes. Called by [`crate::asm::execute`].
//!
//! ISA level: ARMv8.0-A. What each guarantees: `dsb <domain>` completes earlier accesses and TLB maintenance for the
//! observers of that domain (ish: inner shareable, nsh: this CPU); with `st` it waits for stores only. `isb` flushes
//! the pipeline of this CPU. None of them promises `nomem` to the compiler: ordering memory is what they are for.
//!
//! Refs: Arm ARM (DDI 0487) B2.3.12, "Memory barriers"; C6.2 DSB, ISB; D8.17, "TLB maintenance and ordering".
//! Kernel: `dsb()`, `isb()` of `arch/arm64/include/asm/barrier.h`, 7.2.

use core::arch::asm;

use crate::insn::{Insn, Op};

/// Executes `insn` if it is one of this module's; says whether it did.
#[inline]
pub fn execute(insn: Insn) -> bool {
    match insn.op {
        Op::DsbIshst => dsb_ishst(),
        Op::DsbIsh => dsb_ish(),
        Op::DsbNshst => dsb_nshst(),
        Op::DsbNsh => dsb_nsh(),
        Op::Isb => isb(),
        _ => return false,
    }
    true
}

/// Orders earlier stores before every walker of the inner shareable domain.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn dsb_ishst() {
    // SAFETY: a barrier may be executed at any exception level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "dsb ishst", // wait: earlier stores are seen by all CPUs
            options(nostack, preserves_flags),
        );
    }
}

/// Completes earlier accesses and TLB maintenance in the inner shareable domain.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn dsb_ish() {
    // SAFETY: a barrier may be executed at any exception level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "dsb ish", // wait: earlier loads, stores and TLBIs are complete on all CPUs
            options(nostack, preserves_flags),
        );
    }
}

/// Orders earlier stores before this CPU's walker.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn dsb_nshst() {
    // SAFETY: a barrier may be executed at any exception level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "dsb nshst", // wait: earlier stores are seen by this CPU's walker
            options(nostack, preserves_flags),
        );
    }
}

/// Completes earlier accesses and TLB maintenance of this CPU.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn dsb_nsh() {
    // SAFETY: a barrier may be executed at any exception level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "dsb nsh", // wait: earlier loads, stores and local TLBIs are complete on this CPU
            options(nostack, preserves_flags),
        );
    }
}

/// Refetches whatever follows.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn isb() {
    // SAFETY: a barrier may be executed at any exception level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "isb", // flush the pipeline: what follows is fetched and translated anew
            options(nostack, preserves_flags),
        );
    }
}

#[cfg(test)]
mod tests;
