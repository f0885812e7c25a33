//! Instruction bytes of x86_64, hypercall numbers, and the structures hypercalls name: data to instruction and back.
//!
//! A small matcher for what a backend asks for ([`Op`]), in the forms that compilers and the kernel emit. Not here: a
//! disassembler, legacy prefixes other than `lock`, executing (`asm`). Called by the harness that reads instruction
//! bytes out of memory, and by the write path for the structures.
//!
//! Refs: Intel SDM vol. 2, 2.1 "Instruction format" and the entries INVLPG, LFENCE, MFENCE, MOV (control registers),
//! SFENCE, SYSCALL, XADD. Xen: `xen/include/public/xen.h`. Kernel: `include/xen/interface/xen.h`, 7.2.

use crate::bits::disjoint;
use crate::insn::Op;

/// What the matcher found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// That instruction.
    Op(Op),
    /// A system call; under Xen PV a hypercall, the one that `rax` numbers ([`Hypercall::from_number`]).
    Syscall,
}

/// The bytes of an instruction with its address in `rdi` and its value in `rax`; none for another architecture's, and
/// none for what only the machine does.
#[must_use]
pub fn bytes(op: Op) -> Option<&'static [u8]> {
    Some(match op {
        Op::Mfence => &[0x0f, 0xae, 0xf0],
        Op::Lfence => &[0x0f, 0xae, 0xe8],
        Op::Sfence => &[0x0f, 0xae, 0xf8],
        Op::LockXadd => &[0xf0, 0x48, 0x0f, 0xc1, 0x07],
        Op::Invlpg => &[0x0f, 0x01, 0x3f],
        Op::MovCr3 => &[0x0f, 0x22, 0xd8],
        Op::HcMmuUpdate | Op::HcMmuextOp | Op::HcMulticall => &[0x0f, 0x05],
        _ => return None,
    })
}

/// The instruction that `code` begins with, and its length; nothing if a backend does not ask for it.
#[must_use]
pub fn decode(code: &[u8]) -> Option<(Found, usize)> {
    let lock = usize::from(code.first() == Some(&0xf0));
    let rex = code.get(lock).copied().filter(|byte| byte & 0xf0 == 0x40);
    let start = lock + usize::from(rex.is_some());
    let [0x0f, opcode, rest @ ..] = code.get(start..)? else { return None };
    let modrm = || rest.first().map(|&byte| (byte >> 6, byte >> 3 & 7));
    let found = match (lock, opcode) {
        (0, 0x05) => return Some((Found::Syscall, start + 2)),
        (0, 0xae) if rex.is_none() => match rest.first()? {
            0xf0 => Op::Mfence,
            0xe8 => Op::Lfence,
            0xf8 => Op::Sfence,
            _ => return None,
        },
        (0, 0x01) if matches!(modrm()?, (0..=2, 7)) => Op::Invlpg,
        (0, 0x22) if matches!(modrm()?, (3, 3)) && rex.unwrap_or(0) & 0b100 == 0 => Op::MovCr3,
        (1, 0xc1) if modrm()?.0 != 3 => Op::LockXadd,
        _ => return None,
    };
    let length = start + 2 + operand_length(rest)?;
    (length <= code.len()).then_some((Found::Op(found), length))
}

/// How long a ModRM byte is with all that belongs to it: SIB byte and displacement.
fn operand_length(code: &[u8]) -> Option<usize> {
    let modrm = *code.first()?;
    let (mode, rm) = (modrm >> 6, modrm & 7);
    let has_sib = mode != 3 && rm == 4;
    let base = if has_sib { *code.get(1)? & 7 } else { rm };
    let displacement = match mode {
        0 if base == 5 => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    Some(1 + usize::from(has_sib) + displacement)
}

/// The hypercalls of the MMU.
///
/// Source: `__HYPERVISOR_*`, `include/xen/interface/xen.h`, 7.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub enum Hypercall {
    /// Updates of page-table entries: array, count, NULL, domain.
    #[default]
    MmuUpdate = 1,
    /// Several hypercalls: array, count.
    Multicall = 13,
    /// TLB flushes and page-table bases: array, count, NULL, domain.
    MmuextOp = 26,
}

impl Hypercall {
    /// The number in `rax`.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// The hypercall of a number, if it is the MMU's.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Hypercall> {
        match number {
            1 => Some(Hypercall::MmuUpdate),
            13 => Some(Hypercall::Multicall),
            26 => Some(Hypercall::MmuextOp),
            _ => None,
        }
    }

    /// The instruction that a port executes.
    #[inline(always)]
    #[must_use]
    pub const fn op(self) -> Op {
        match self {
            Hypercall::MmuUpdate => Op::HcMmuUpdate,
            Hypercall::Multicall => Op::HcMulticall,
            Hypercall::MmuextOp => Op::HcMmuextOp,
        }
    }
}

/// The domain that makes the call, for itself.
pub const DOMID_SELF: u64 = 0x7ff0;

/// `MMUEXT_TLB_FLUSH_MULTI`: everything, on the CPUs of a mask.
pub const TLB_FLUSH_MULTI: u64 = 8;
/// `MMUEXT_INVLPG_MULTI`: one page, on the CPUs of a mask.
pub const INVLPG_MULTI: u64 = 9;

/// What an update does, in the low bits of an `mmu_update`'s `ptr`.
///
/// Source: `MMU_*`, `include/xen/interface/xen.h`, 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Update {
    /// Checked, stored.
    Normal = 0,
    /// An entry of the machine-to-physical table; not a PTE.
    MachPhys = 1,
    /// Stored, with the accessed and dirty bits or-ed in: `ptep_modify_prot_commit()` of an `mprotect`.
    PreserveAd = 2,
    /// As normal, the frame taken as it is.
    NoTranslate = 3,
}

const _: () = assert!(disjoint(&[!3, Update::NoTranslate as u64]));

/// `ptr` of an `mmu_update`: where the PTE lies in machine memory, and what to do there.
#[inline(always)]
#[must_use]
pub const fn update_pointer(machine_address: u64, update: Update) -> u64 {
    machine_address & !3 | update as u64
}

/// A `ptr` taken apart again.
#[must_use]
pub const fn update_parts(pointer: u64) -> (u64, Update) {
    let update = match pointer & 3 {
        0 => Update::Normal,
        1 => Update::MachPhys,
        2 => Update::PreserveAd,
        _ => Update::NoTranslate,
    };
    (pointer & !3, update)
}

#[cfg(test)]
mod tests;
