//! Every instruction a backend can ask for, as data: what a port executes, a machine models and a trace records.
//!
//! Not here: words and operands' encodings (`<isa>/decode.rs`), nor execution (`<isa>/asm.rs`). Instructions that
//! touch a structure in memory which only the machine has (hash table, TSB) are here too: a port never executes them.
//! Called by the backends, through [`crate::context::Context::execute`].

/// The instruction set an [`Op`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// ARMv8-A and later.
    Aarch64,
    /// Power ISA, big-endian, 64-bit.
    Powerpc64,
    /// SPARC V9.
    Sparc64,
    /// x86-64, under Xen PV included.
    X86_64,
}

impl Isa {
    /// The instruction set this program was compiled for, if it is one of the four.
    #[must_use]
    pub const fn of_this_build() -> Option<Isa> {
        if cfg!(target_arch = "aarch64") {
            Some(Isa::Aarch64)
        } else if cfg!(target_arch = "powerpc64") {
            Some(Isa::Powerpc64)
        } else if cfg!(target_arch = "sparc64") {
            Some(Isa::Sparc64)
        } else if cfg!(target_arch = "x86_64") {
            Some(Isa::X86_64)
        } else {
            None
        }
    }
}

/// How an instruction reaches the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// User mode may execute it: the `asm` port does.
    Unprivileged,
    /// It faults in user mode (or would be a system call): the machine takes it, in every port.
    Privileged,
    /// A store, load or compare-and-swap on a table that only the machine has.
    Table,
}

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident = $isa:ident, $reach:ident, $text:literal;)*) => {
        /// An instruction's kind. The operands `a` and `b` of [`Insn`] mean what each entry says; 0 where none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Op { $($(#[$doc])* $name,)* }

        impl Op {
            /// All of them, in numbering order.
            pub const ALL: &'static [Op] = &[$(Op::$name,)*];

            /// The assembler's name, or for a [`Reach::Table`] entry the kernel's.
            #[must_use]
            pub const fn mnemonic(self) -> &'static str {
                match self { $(Op::$name => $text,)* }
            }

            /// Whose instruction it is.
            #[must_use]
            pub const fn isa(self) -> Isa {
                match self { $(Op::$name => Isa::$isa,)* }
            }

            /// How it reaches the hardware.
            #[must_use]
            pub const fn reach(self) -> Reach {
                match self { $(Op::$name => Reach::$reach,)* }
            }
        }
    };
}

ops! {
    /// Orders stores before the walkers of the inner shareable domain.
    DsbIshst = Aarch64, Unprivileged, "dsb ishst";
    /// Completes every access and TLB maintenance of the inner shareable domain.
    DsbIsh = Aarch64, Unprivileged, "dsb ish";
    /// As ishst, this CPU's walker alone.
    DsbNshst = Aarch64, Unprivileged, "dsb nshst";
    /// As ish, this CPU alone.
    DsbNsh = Aarch64, Unprivileged, "dsb nsh";
    /// Refetches: what follows sees the translation regime as it is now.
    Isb = Aarch64, Unprivileged, "isb";
    /// An atomic that sets a thread flag, such as `TIF_LAZY_MMU_PENDING`.
    FlagSet = Aarch64, Table, "set_thread_flag";
    /// An atomic that clears it, and yields what it was.
    FlagClear = Aarch64, Table, "test_and_clear_thread_flag";
    /// `a` = operand: VA and ASID, last level only, broadcast.
    TlbiVale1is = Aarch64, Privileged, "tlbi vale1is";
    /// `a` = operand: VA and ASID, broadcast.
    TlbiVae1is = Aarch64, Privileged, "tlbi vae1is";
    /// `a` = operand: VA, every ASID, last level only, broadcast.
    TlbiVaale1is = Aarch64, Privileged, "tlbi vaale1is";
    /// `a` = operand: a whole ASID, broadcast.
    TlbiAside1is = Aarch64, Privileged, "tlbi aside1is";
    /// Everything, broadcast.
    TlbiVmalle1is = Aarch64, Privileged, "tlbi vmalle1is";

    /// Orders page-table and hash-table stores before the MMU's reads.
    Ptesync = Powerpc64, Unprivileged, "ptesync";
    /// Orders tlbie before tlbsync.
    Eieio = Powerpc64, Unprivileged, "eieio";
    /// Context synchronising: after the hash entry's lock is taken.
    Isync = Powerpc64, Unprivileged, "isync";
    /// Light ordering: before the hash entry's lock is dropped.
    Lwsync = Powerpc64, Unprivileged, "lwsync";
    /// `a` = RB, `b` = RS and form bits: invalidates one translation everywhere.
    Tlbie = Powerpc64, Privileged, "tlbie";
    /// `a` = RB: the same on this CPU alone.
    Tlbiel = Powerpc64, Privileged, "tlbiel";
    /// Waits until every CPU has done the tlbie before it.
    Tlbsync = Powerpc64, Privileged, "tlbsync";
    /// `a` = vpn, `b` = page and segment size: the hash entry found by it is made invalid.
    HpteInvalidate = Powerpc64, Table, "hpte_invalidate";

    /// Completes every access and MMU operation before it.
    MembarSync = Sparc64, Unprivileged, "membar #Sync";
    /// Orders stores before loads.
    MembarStoreLoad = Sparc64, Unprivileged, "membar #StoreLoad";
    /// `a` = address: makes the pipelines see the stores before it.
    Flush = Sparc64, Unprivileged, "flush";
    /// `a` = ASI << 56 | address, `b` = value.
    Stxa = Sparc64, Privileged, "stxa";
    /// `a` = ASI << 56 | address; yields the value.
    Ldxa = Sparc64, Privileged, "ldxa";
    /// Yields %pstate.
    RdprPstate = Sparc64, Privileged, "rdpr %pstate";
    /// `a` = new %pstate.
    WrprPstate = Sparc64, Privileged, "wrpr %pstate";
    /// `a` = new trap level.
    WrprTl = Sparc64, Privileged, "wrpr %tl";
    /// `a` = trap number << 56 | %o0, `b` = %o1 << 8 | %o2: a hypervisor fast trap (sun4v).
    Ta = Sparc64, Privileged, "ta";
    /// `a` = va, `b` = hash shift | context << 8: in the table of that address space (0: the kernel's), the TSB entry
    /// of that tag is made invalid by casx.
    TsbFlush = Sparc64, Table, "tsb_flush";
    /// `a` = the other CPU's number, `b` = function | addresses << 8: that CPU removes the so many addresses of the
    /// stream that follows here, and answers before the sender goes on.
    Xcall = Sparc64, Table, "xcall";

    /// Orders all memory accesses.
    Mfence = X86_64, Unprivileged, "mfence";
    /// Waits for the loads before it.
    Lfence = X86_64, Unprivileged, "lfence";
    /// Orders stores.
    Sfence = X86_64, Unprivileged, "sfence";
    /// A locked read-modify-write: the generation count of an mm, and a full barrier.
    LockXadd = X86_64, Unprivileged, "lock xadd";
    /// `a` = address: invalidates one translation of this CPU.
    Invlpg = X86_64, Privileged, "invlpg";
    /// `a` = value: reloads the page-table base, dropping non-global translations of this CPU.
    MovCr3 = X86_64, Privileged, "mov cr3";
    /// `a` = the other CPU's number, `b` = first address | pages, or 0 for everything: that CPU runs the same flush and
    /// answers.
    FlushIpi = X86_64, Table, "flush_tlb_ipi";
    /// Hypercall 1: `a` = where the updates are (argument-buffer offset, or [`crate::x86_64::ON_STACK`]), `b` = count.
    HcMmuUpdate = X86_64, Privileged, "hypercall mmu_update";
    /// Hypercall 26: `a` = where the operation is (argument-buffer offset), `b` = count.
    HcMmuextOp = X86_64, Privileged, "hypercall mmuext_op";
    /// Hypercall 13: `a` = first entry's number, `b` = entries.
    HcMulticall = X86_64, Privileged, "hypercall multicall";
}

impl Op {
    /// The op with number `n`, if there is one.
    #[must_use]
    pub fn from_number(n: u8) -> Option<Op> {
        Op::ALL.get(usize::from(n)).copied()
    }
}

/// One instruction with its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Insn {
    /// Which.
    pub op: Op,
    /// First operand.
    pub a: u64,
    /// Second operand.
    pub b: u64,
}

impl Insn {
    /// An instruction without operands.
    #[inline(always)]
    #[must_use]
    pub const fn plain(op: Op) -> Insn {
        Insn { op, a: 0, b: 0 }
    }

    /// An instruction with one operand.
    #[inline(always)]
    #[must_use]
    pub const fn with(op: Op, a: u64) -> Insn {
        Insn { op, a, b: 0 }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn this_build_has_the_instruction_set_it_was_compiled_for() {
        let expected = match std::env::consts::ARCH {
            "aarch64" => Some(Isa::Aarch64),
            "powerpc64" => Some(Isa::Powerpc64),
            "sparc64" => Some(Isa::Sparc64),
            "x86_64" => Some(Isa::X86_64),
            _ => None,
        };
        assert_eq!(Isa::of_this_build(), expected);
    }

    #[test]
    fn a_number_names_one_instruction() {
        for &op in Op::ALL {
            assert_eq!(Op::from_number(op as u8), Some(op));
        }
        assert_eq!(Op::from_number(Op::ALL.len() as u8), None);
    }
}
