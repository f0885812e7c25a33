//! Registers of an interrupted program, and the privileged instructions that user mode cannot execute: the child goes on
//! behind them. What they are is the architecture's affair.

use std::ffi::c_void;

/// Where the signal came: the instruction's address, and the address that the innermost function returns to, as far as
/// a register or the top of the stack tells.
#[cfg(target_arch = "x86_64")]
pub fn place(context: *mut c_void) -> (u64, u64) {
    // SAFETY: the kernel hands a whole ucontext to a handler of this kind.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let stack = registers[libc::REG_RSP as usize] as u64;
    let pc = registers[libc::REG_RIP as usize] as u64;
    // A call of what is not mapped has just pushed its return address; elsewhere the stack may be what is broken.
    let called = (0x5000_0000..0x6000_0000).contains(&pc);
    (pc, if called { crate::border::read(stack) } else { 0 })
}

/// No instruction is decoded here: what is privileged and used is a macro of the overlay.
#[cfg(target_arch = "x86_64")]
pub fn go_on(_: *mut c_void) -> bool {
    false
}

/// Where the signal came, and the link register.
#[cfg(target_arch = "aarch64")]
pub fn place(context: *mut c_void) -> (u64, u64) {
    // SAFETY: the kernel hands a whole ucontext to a handler of this kind.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    (machine.pc, machine.regs[30])
}

/// A TLBI is told to the machine, DAIF is kept, other system registers are dropped and read as zero.
#[cfg(target_arch = "aarch64")]
pub fn go_on(context: *mut c_void) -> bool {
    use std::sync::atomic::{AtomicU64, Ordering};

    use lazy_mmu_border::numbers::{insn, upcall as up};

    static DAIF: AtomicU64 = AtomicU64::new(0);
    // SAFETY: as in `place`; the program counter names an instruction that has just been tried.
    let (machine, word) = unsafe {
        let machine = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext;
        let word = (machine.pc as *const u32).read_volatile();
        (machine, word)
    };
    let register = (word & 31) as usize;
    let value = if register == 31 { 0 } else { machine.regs[register] };
    let read = word & 1 << 21 != 0;
    if word & 0xfff8_f000 == 0xd508_8000 {
        // SAFETY: this is the border's upcall, made for an instruction in place of a call.
        unsafe { crate::upcall::lazymmu_machine(up::INSN, insn::TLBI, word.into(), value, 0) };
    } else if word & 0xffff_f0df == 0xd503_40df {
        // msr daifset, daifclr
        let bits = u64::from(word >> 8 & 15) << 6;
        let old = DAIF.load(Ordering::Relaxed);
        DAIF.store(if word & 0x20 != 0 { old & !bits } else { old | bits }, Ordering::Relaxed);
    } else if word & 0xffdf_ffe0 == 0xd51b_4220 {
        if !read {
            DAIF.store(value, Ordering::Relaxed);
        } else if register != 31 {
            machine.regs[register] = DAIF.load(Ordering::Relaxed);
        }
    } else if word & 0xffd0_0000 == 0xd510_0000 {
        if read && register != 31 {
            machine.regs[register] = 0;
        }
    } else {
        return false;
    }
    machine.pc += 4;
    true
}

/// Where the signal came, and the link register: `gp_regs[32]` and `[36]` of the ucontext's machine part.
#[cfg(target_arch = "powerpc64")]
pub fn place(context: *mut c_void) -> (u64, u64) {
    const REGISTERS: u64 = 232;
    let register = |n: u64| crate::border::read(context as u64 + REGISTERS + 8 * n);
    (register(32), register(36))
}

/// Where the signal came, and %o7: the third argument of a handler is the siginfo here, and a pt_regs lies behind it.
#[cfg(target_arch = "sparc64")]
pub fn place(context: *mut c_void) -> (u64, u64) {
    const REGISTERS: u64 = 128;
    let register = |n: u64| crate::border::read(context as u64 + REGISTERS + 8 * n);
    (register(17), register(15))
}

/// No instruction is decoded here: the overlay turns those that matter into calls.
#[cfg(any(target_arch = "powerpc64", target_arch = "sparc64"))]
pub fn go_on(_: *mut c_void) -> bool {
    false
}
