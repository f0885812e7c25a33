//! The unprivileged instructions of x86_64, each a function of its own in section `privop`.
//!
//! Whatever patches instructions so that they trap walks that section, and it must find each instruction exactly
//! once: hence one function each, never inlined. Not here: `invlpg` and `mov cr3`, which fault in user mode, and
//! hypercalls, which would be system calls of the host; the machine takes those. Called by [`crate::asm::execute`].
//!
//! ISA level: x86-64-v1. What each guarantees: `mfence` orders every access before it with every one after it,
//! `sfence` stores with stores, `lfence` waits until all before it has completed; a `lock` prefix makes the
//! read-modify-write atomic and orders as `mfence` does. None promises `nomem` to the compiler: ordering memory is
//! what they are for.
//!
//! Refs: Intel SDM vol. 3A 9.2, "Memory ordering", 9.1.2 "Bus locking"; vol. 2 MFENCE, LFENCE, SFENCE, XADD.
//! Kernel: `arch/x86/include/asm/barrier.h`; `inc_mm_tlb_gen()`, `arch/x86/include/asm/tlbflush.h`, 7.2.

use core::arch::asm;

use crate::insn::{Insn, Op};

/// Executes `insn` if it is one of this module's; says whether it did.
#[inline]
pub fn execute(insn: Insn) -> bool {
    match insn.op {
        Op::Mfence => mfence(),
        Op::Lfence => lfence(),
        Op::Sfence => sfence(),
        Op::LockXadd => lock_xadd(),
        _ => return false,
    }
    true
}

/// Orders all memory accesses.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn mfence() {
    // SAFETY: a fence may be executed at any privilege level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "mfence", // all earlier loads and stores come before all later ones
            options(nostack, preserves_flags),
        );
    }
}

/// Waits for the loads before it.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn lfence() {
    // SAFETY: a fence may be executed at any privilege level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "lfence", // nothing later begins before everything earlier has completed
            options(nostack, preserves_flags),
        );
    }
}

/// Orders stores.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn sfence() {
    // SAFETY: a fence may be executed at any privilege level; it writes no register, no flag and no memory.
    unsafe {
        asm!(
            "sfence", // all earlier stores come before all later ones
            options(nostack, preserves_flags),
        );
    }
}

/// Increments a counter as the generation count of an mm is incremented; the counter is a local one.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn lock_xadd() {
    let mut generation = 0_u64;
    // SAFETY: the address is that of a live local variable, of the operand's size; flags count as clobbered.
    unsafe {
        asm!(
            "lock xadd qword ptr [{counter}], {one}", // (one, *counter) = (*counter, *counter + one), atomically
            counter = in(reg) &raw mut generation,
            one = inout(reg) 1_u64 => _,
            options(nostack),
        );
    }
}

#[cfg(test)]
mod tests;
