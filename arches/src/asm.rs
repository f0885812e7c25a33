//! Executing an instruction for real, on the instruction set this program was compiled for.
//!
//! Not here: the instructions themselves (`<isa>/asm.rs`), nor anything privileged: user mode cannot execute that,
//! and the machine takes it. Called by the harness's `asm` port.

use crate::insn::{Insn, Reach};

/// Executes `insn` if this build can: an unprivileged one of its own instruction set. Says whether it did.
#[inline]
pub fn execute(insn: Insn) -> bool {
    if insn.op.reach() != Reach::Unprivileged {
        return false;
    }
    #[cfg(target_arch = "aarch64")]
    return crate::aarch64::asm::execute(insn);
    #[cfg(target_arch = "powerpc64")]
    return crate::powerpc64::asm::execute(insn);
    #[cfg(target_arch = "sparc64")]
    return crate::sparc64::asm::execute(insn);
    #[cfg(target_arch = "x86_64")]
    return crate::x86_64::asm::execute(insn);
    #[cfg(not(any(
        target_arch = "aarch64",
        target_arch = "powerpc64",
        target_arch = "sparc64",
        target_arch = "x86_64"
    )))]
    false
}
