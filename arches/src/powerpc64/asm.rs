//! The unprivileged instructions of powerpc64, executed for real: one function each, in section `privop`.
//!
//! A harness can find them there, and rewrite them so that they trap (the `traced` port). Privileged ones
//! (`tlbie`, `tlbiel`, `tlbsync`) are not here: user mode cannot execute them and the machine takes them.
//! Called by [`crate::asm::execute`].
//!
//! | instruction | ISA level | guarantee |
//! | --- | --- | --- |
//! | `ptesync` (sync L=2) | 2.00 | `sync`, and: earlier page and hash table stores are seen by every walk that follows, earlier `tlbie`s are ordered |
//! | `eieio` | PPC | `tlbie` before `tlbsync` and, for caching-inhibited memory, loads and stores in order |
//! | `isync` | PPC | what follows is fetched and executed in the context that what precedes has made |
//! | `lwsync` (sync L=1) | 2.00 | all orders but store before load |
//!
//! Refs: Power ISA version 3.0B, book II, 4.6.1 (isync), 4.6.3 (sync, lwsync, ptesync, eieio), book III, 5.10
//! (page table update synchronization); ELFv1 ABI, 3.2.5 (a function pointer is the address of a descriptor).
//!
//! No block has `nomem`: each is a barrier for the compiler too. None touches the stack or a flag.

use core::arch::asm;

use crate::insn::{Insn, Op};

/// Executes `insn` if it is one of these, and says whether it was. They have no operands.
#[inline]
pub fn execute(insn: Insn) -> bool {
    match insn.op {
        Op::Ptesync => ptesync(),
        Op::Eieio => eieio(),
        Op::Isync => isync(),
        Op::Lwsync => lwsync(),
        _ => return false,
    }
    true
}

/// Orders page-table and hash-table stores before the MMU's reads.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn ptesync() {
    // SAFETY: it orders memory accesses and changes neither memory nor registers; user mode may execute it.
    unsafe {
        asm!(
            "ptesync", // wait for all accesses and table updates so far
            options(nostack, preserves_flags)
        );
    }
}

/// Orders tlbie before tlbsync.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn eieio() {
    // SAFETY: it orders memory accesses and changes neither memory nor registers; user mode may execute it.
    unsafe {
        asm!(
            "eieio", // what was issued before stays before what is issued after
            options(nostack, preserves_flags)
        );
    }
}

/// Context synchronising: after a lock is taken.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn isync() {
    // SAFETY: it discards prefetched instructions and changes neither memory nor registers.
    unsafe {
        asm!(
            "isync", // refetch: nothing that follows has started yet
            options(nostack, preserves_flags)
        );
    }
}

/// Light ordering: before a lock is dropped.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn lwsync() {
    // SAFETY: it orders memory accesses and changes neither memory nor registers; user mode may execute it.
    unsafe {
        asm!(
            "lwsync", // all that precedes, but for stores against later loads, before all that follows
            options(nostack, preserves_flags)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::decode;
    use super::*;

    const FUNCTIONS: [(Op, fn()); 4] =
        [(Op::Ptesync, ptesync), (Op::Eieio, eieio), (Op::Isync, isync), (Op::Lwsync, lwsync)];
    const BLR: u32 = 0x4e80_0020;

    /// Every instruction of ours in a function's code, up to its return.
    fn instructions(function: fn()) -> impl Iterator<Item = Op> {
        let descriptor = function as *const u64;
        // SAFETY: in ELFv1 a function pointer is the address of a descriptor, whose first word is the entry point.
        let entry = unsafe { descriptor.read() } as *const u32;
        (0..64)
            // SAFETY: code is readable, and the scan ends at the function's return, which lies within 64 words.
            .map(move |i| unsafe { entry.add(i).read() })
            .take_while(|word| *word != BLR)
            .filter_map(|word| decode(word).map(|decoded| decoded.op))
    }

    #[test]
    fn each_function_holds_its_instruction_alone() {
        for (op, function) in FUNCTIONS {
            assert!(instructions(function).eq([op]), "{op:?}");
        }
    }

    #[test]
    fn each_instruction_runs() {
        for op in Op::ALL.iter().copied() {
            let ours = FUNCTIONS.iter().any(|(known, _)| *known == op);
            assert_eq!(crate::asm::execute(Insn::plain(op)), ours, "{op:?}");
        }
    }
}
