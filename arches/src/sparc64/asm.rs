//! The unprivileged instructions of sparc64, executed for real: one function each, in section `privop`.
//!
//! A harness can find them there, and rewrite them so that they trap (the `traced` port). Privileged ones
//! (`stxa`, `ldxa` with a restricted ASI, `rdpr`, `wrpr`, the hypervisor's `ta`) are not here: user mode cannot
//! execute them and the machine takes them. Called by [`crate::asm::execute`].
//!
//! | instruction | ISA level | guarantee |
//! | --- | --- | --- |
//! | `membar #Sync` | V9 | all that precedes has completed, its exceptions included, before anything follows |
//! | `membar #StoreLoad` | V9 | earlier stores are visible before later loads are done |
//! | `flush` | V9 | earlier stores are seen by what is fetched from the doubleword; on sun4u also: demaps took effect |
//!
//! Refs: The SPARC Architecture Manual V9, 8.4.3 and A.31 (membar), A.20 (flush), H.1.6 (membar and flush in
//! self-modifying code); UltraSPARC User's Manual, 6.4 (what must follow a store to an MMU register).
//!
//! No block has `nomem`: each is a barrier for the compiler too. None touches the stack or a condition code.
//!
//! To whoever adds an instruction that needs a constant: LLVM's assembler gets `sethi %hi(constant)`, `set` and
//! `setx` wrong without a word. `sethi %hi(0x400000), %i0` comes out as 0x31400000, which is no `sethi` at all: the
//! constant is OR-ed in unshifted. Write the 22 bits (`sethi 0x1000, %i0`) or pass a register, as here. `%hi(symbol)`
//! is right. The whole of `asm!` is unstable on this target: build with `RUSTC_BOOTSTRAP=lazy_mmu_arches`.

use core::arch::asm;

use crate::insn::{Insn, Op};

/// Executes `insn` if it is one of these, and says whether it was.
#[inline]
pub fn execute(insn: Insn) -> bool {
    match insn.op {
        Op::MembarSync => membar_sync(),
        Op::MembarStoreLoad => membar_store_load(),
        Op::Flush => flush(),
        _ => return false,
    }
    true
}

/// Completes every access and MMU operation before it.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn membar_sync() {
    // SAFETY: it waits for accesses and changes neither memory nor registers; user mode may execute it.
    unsafe {
        asm!(
            "membar #Sync", // wait until all that precedes is done
            options(nostack, preserves_flags)
        );
    }
}

/// Orders stores before loads.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn membar_store_load() {
    // SAFETY: it orders memory accesses and changes neither memory nor registers; user mode may execute it.
    unsafe {
        asm!(
            "membar #StoreLoad", // stores so far are visible before any load that follows
            options(nostack, preserves_flags)
        );
    }
}

/// What [`flush`] flushes.
static FLUSHED: u64 = 0;

/// Makes the pipelines see the stores before it.
///
/// The kernel flushes `KERNBASE`, because some address must be named that is mapped; here, of this program's own,
/// a constant is: the address that the backend gives is the machine's.
#[unsafe(link_section = "privop")]
#[inline(never)]
pub fn flush() {
    // SAFETY: the address is that of a static, mapped and aligned; user mode may execute it, and it changes nothing.
    unsafe {
        asm!(
            "flush {address}", // what is fetched from here on is as stored before
            address = in(reg) &raw const FLUSHED,
            options(nostack, preserves_flags)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::decode;
    use super::*;

    const FUNCTIONS: [(Op, fn()); 3] =
        [(Op::MembarSync, membar_sync), (Op::MembarStoreLoad, membar_store_load), (Op::Flush, flush)];

    /// `jmpl` through the return address, rd = %g0: `ret` and `retl`, whatever the register.
    fn is_return(word: u32) -> bool {
        word & 0xfff8_3fff == 0x81c0_2008
    }

    /// Every instruction of ours in a function's code, up to its return and the slot behind it.
    fn instructions(function: fn()) -> impl Iterator<Item = Op> {
        let entry = function as *const u32;
        // SAFETY: code is readable, and the scan ends at the function's return, which lies within 64 words.
        let word = move |i: usize| unsafe { entry.add(i).read() };
        (0..64)
            .take_while(move |i| *i < 2 || !is_return(word(*i - 2)))
            .filter_map(move |i| decode(word(i)).map(|decoded| decoded.op))
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
            let kernbase = super::super::decode::KERNBASE;
            assert_eq!(crate::asm::execute(Insn::with(op, kernbase)), ours, "{op:?}");
        }
    }
}
