//! Older subjects with one fault each, to see whether what is known of an older subject hides what is not.
//!
//! Older generations and backends break the contract in ways that are known by design. Each row here is such a subject of
//! the registry with one fault at its boundary, as data ([`Fault`]), and what must be reported of it though the known findings
//! of the faithful one apply. They are no specimens: no record tells of them, and nothing but the known findings is tested
//! by them. Called by the tests of the collection, and by what measures how long each takes to be found.

use std::cell::Cell;

use lazy_mmu_arches::insn::{Insn, Op as Insns};
use lazy_mmu_arches::page::{Mm, PteRef, Range};

use super::bent::{Bend, Bent};
use crate::registry::{self, Descriptor};
use Fault::{
    AlwaysLocal, CallLost, CallTwice, ClearLost, FlushLost, GatherLost, HookLost, InnerEnableLost, LinearKept, Lost,
    NeverInInterrupt, OneOfTwo, PagesLost, PreemptKept, PreemptLost, SetTwice, SwitchInLost, SwitchOutLost,
    TlbFlushLost, WrongPage, WrprotectLost,
};
use Invariant::{I1, I2, I3, I4, I5, I7, I9, I10, I11, I12, I14, I15};
use lazy_mmu_abi::rules::Invariant;
use lazy_mmu_abi::subject::{Env, Port, Subject};
use lazy_mmu_abi::trace::{Call, Hook};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Instructions are left out.
    Lost(&'static [Insns]),
    /// Of instructions that follow each other in one call every second is left out: half of a batch.
    OneOfTwo(&'static [Insns]),
    /// An instruction names the next page.
    WrongPage(Insns, u64),
    /// What a hook of a call does is lost, its instructions aside from its bookkeeping.
    HookLost(Hook),
    /// `arch_flush_lazy_mmu_mode()` from outside the generic layer does nothing.
    FlushLost,
    /// A call does nothing.
    CallLost(Call),
    /// A call is made twice.
    CallTwice(Call),
    /// An `enable` inside a section does nothing.
    InnerEnableLost,
    /// `in_interrupt()` is not asked.
    NeverInInterrupt,
    /// `preempt_enable()` is left out.
    PreemptKept,
    /// `preempt_disable()` is left out, and `preempt_enable()` with it.
    PreemptLost,
    /// The TLB of this CPU alone is flushed.
    AlwaysLocal,
    /// `arch_start_context_switch()` does nothing.
    SwitchOutLost,
    /// `arch_end_context_switch()` does nothing.
    SwitchInLost,
    /// `flush_tlb_range()` does nothing.
    TlbFlushLost,
    /// `tlb_flush()` does nothing.
    GatherLost,
    /// `set_ptes()` sets the first entry alone.
    PagesLost,
    /// `set_ptes()` is made twice.
    SetTwice,
    /// `ptep_get_and_clear()` reads and does not clear.
    ClearLost,
    /// `ptep_set_wrprotect()` does nothing.
    WrprotectLost,
    /// A page of the linear map stays as it is.
    LinearKept,
}

/// A subject of the registry with a fault.
#[derive(Clone, Copy, Debug)]
pub struct Older {
    /// The subject's name.
    pub base: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
    /// What must be reported of it.
    pub breaks: Invariant,
}

impl Older {
    /// The faithful subject.
    ///
    /// # Panics
    /// If the registry has none of that name, which a test excludes.
    #[must_use]
    pub fn base(&self) -> &'static Descriptor {
        registry::find(self.base).expect("a subject of the registry")
    }

    /// Makes the subject with its fault.
    #[must_use]
    pub fn make(&self) -> Box<dyn Subject> {
        let fault = Faulty { fault: self.fault, count: Cell::new(0), losing: Cell::new(false) };
        Box::new(Bent::new(self.base().make(Port::Model), fault))
    }
}

/// The fault as a bend.
struct Faulty {
    fault: Fault,
    /// Instructions of the kind so far in this call.
    count: Cell<u32>,
    /// A hook whose instructions are lost has run in this call.
    losing: Cell<bool>,
}

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn begins(&self) {
        self.count.set(0);
        self.losing.set(false);
    }
}

impl Bend for Faulty {
    fn reset(&self) {
        self.begins();
    }

    fn call(&self, to: &dyn Subject, env: &mut dyn Env, call: Call) {
        self.begins();
        let inner = self.is(InnerEnableLost) && call == Call::Enable && to.counters(env.current()).enable > 0;
        if self.is(CallLost(call)) || inner {
            return;
        }
        to.call(env, call);
        if self.is(CallTwice(call)) {
            to.call(env, call);
        }
        self.losing.set(false);
    }

    fn flush(&self, to: &dyn Subject, env: &mut dyn Env) {
        self.begins();
        if !self.is(FlushLost) {
            to.flush(env);
        }
    }

    fn set_ptes(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, word: u64, n: u16) {
        self.begins();
        to.set_ptes(env, at, word, if self.is(PagesLost) { n.min(1) } else { n });
        if self.is(SetTwice) {
            to.set_ptes(env, at, word, n);
        }
    }

    fn clear_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) -> u64 {
        self.begins();
        if self.is(ClearLost) { to.get_pte(env, at) } else { to.clear_pte(env, at) }
    }

    fn wrprotect_pte(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef) {
        self.begins();
        if !self.is(WrprotectLost) {
            to.wrprotect_pte(env, at);
        }
    }

    fn flush_tlb_range(&self, to: &dyn Subject, env: &mut dyn Env, range: Range) {
        self.begins();
        if !self.is(TlbFlushLost) {
            to.flush_tlb_range(env, range);
        }
    }

    fn gather_flush(&self, to: &dyn Subject, env: &mut dyn Env, range: Range) {
        self.begins();
        if !self.is(GatherLost) {
            to.gather_flush(env, range);
        }
    }

    fn map_linear_page(&self, to: &dyn Subject, env: &mut dyn Env, at: PteRef, word: Option<u64>) {
        self.begins();
        if !self.is(LinearKept) {
            to.map_linear_page(env, at, word);
        }
    }

    fn start_context_switch(&self, to: &dyn Subject, env: &mut dyn Env, prev: u8) {
        if !self.is(SwitchOutLost) {
            to.start_context_switch(env, prev);
        }
    }

    fn end_context_switch(&self, to: &dyn Subject, env: &mut dyn Env, next: u8) {
        if !self.is(SwitchInLost) {
            to.end_context_switch(env, next);
        }
    }

    fn in_interrupt(&self, env: &dyn Env) -> bool {
        !self.is(NeverInInterrupt) && env.in_interrupt()
    }

    fn preempt_disable(&self, env: &mut dyn Env) {
        if !self.is(PreemptLost) {
            env.preempt_disable();
        }
    }

    fn preempt_enable(&self, env: &mut dyn Env) {
        if !self.is(PreemptLost) && !self.is(PreemptKept) {
            env.preempt_enable();
        }
    }

    fn hook(&self, hook: Hook) {
        self.losing.set(self.is(HookLost(hook)));
    }

    fn execute(&self, env: &mut dyn Env, insn: Insn) -> u64 {
        let lost = match self.fault {
            Lost(insns) => insns.contains(&insn.op),
            OneOfTwo(insns) if insns.contains(&insn.op) => {
                self.count.set(self.count.get() + 1);
                self.count.get().is_multiple_of(2)
            }
            _ => self.losing.get(),
        };
        match self.fault {
            _ if lost => 0,
            WrongPage(op, step) if op == insn.op => env.execute(Insn { a: insn.a.wrapping_add(step), ..insn }),
            _ => env.execute(insn),
        }
    }

    fn is_thread_local(&self, env: &dyn Env, mm: Mm) -> bool {
        self.is(AlwaysLocal) || env.is_thread_local(mm)
    }
}

const BARRIERS: &[Insns] = &[Insns::DsbIshst, Insns::DsbIsh, Insns::DsbNshst, Insns::DsbNsh, Insns::Isb];
const TLBI: &[Insns] =
    &[Insns::TlbiVale1is, Insns::TlbiVae1is, Insns::TlbiVaale1is, Insns::TlbiAside1is, Insns::TlbiVmalle1is];
const TLBIE: &[Insns] = &[Insns::Tlbie, Insns::Tlbiel];
const HPTE: &[Insns] = &[Insns::HpteInvalidate];
const TSB: &[Insns] = &[Insns::TsbFlush];
const UPDATE: &[Insns] = &[Insns::HcMmuUpdate];
const MULTICALL: &[Insns] = &[Insns::HcMulticall];
const EXT: &[Insns] = &[Insns::HcMmuextOp];
const INVLPG: &[Insns] = &[Insns::Invlpg, Insns::MovCr3];
const IPI: &[Insns] = &[Insns::FlushIpi];
/// The next page, in the operand of a TLB invalidation by address.
const PAGE_OF_TLBI: u64 = 1;
const PAGE_OF_ADDRESS: u64 = 1 << 12;

const fn row(base: &'static str, fault: Fault, breaks: Invariant) -> Older {
    Older { base, fault, breaks }
}

/// All of them.
pub const OLDER: &[Older] = &[
    row("stateless/aarch64", Lost(BARRIERS), I3),
    row("stateless/aarch64", Lost(&[Insns::Isb]), I4),
    row("stateless/aarch64", Lost(TLBI), I9),
    row("stateless/aarch64", WrongPage(Insns::TlbiVale1is, PAGE_OF_TLBI), I9),
    row("stateless/aarch64", HookLost(Hook::Leave), I3),
    row("stateless/aarch64", CallLost(Call::Resume), I12),
    row("stateless/aarch64", CallLost(Call::Enable), I12),
    row("stateless/aarch64", NeverInInterrupt, I11),
    row("stateless/powerpc64-hash", OneOfTwo(HPTE), I3),
    row("stateless/powerpc64-hash", Lost(TLBIE), I4),
    row("stateless/powerpc64-hash", HookLost(Hook::Leave), I3),
    row("stateless/powerpc64-hash", PreemptKept, I7),
    row("stateless/powerpc64-hash", PreemptLost, I7),
    row("stateless/powerpc64-hash", GatherLost, I14),
    row("stateless/powerpc64-radix", Lost(TLBIE), I9),
    row("stateless/powerpc64-radix", TlbFlushLost, I9),
    row("stateless/sparc64", OneOfTwo(TSB), I3),
    row("stateless/sparc64", Lost(TSB), I4),
    row("stateless/sparc64", PreemptLost, I7),
    row("stateless/x86_64-native", Lost(IPI), I9),
    row("stateless/x86_64-native", AlwaysLocal, I9),
    row("stateless/x86_64-xen", Lost(UPDATE), I4),
    row("stateless/x86_64-xen", Lost(MULTICALL), I3),
    row("stateless/x86_64-xen", SwitchInLost, I12),
    row("stateless/x86_64-xen@6.6", Lost(MULTICALL), I3),
    row("stateless/x86_64-xen@6.6", CallTwice(Call::Disable), I2),
    row("token/aarch64", Lost(BARRIERS), I3),
    row("token/aarch64", HookLost(Hook::Flush), I3),
    row("token/aarch64", CallLost(Call::Pause), I12),
    row("token/powerpc64-hash", OneOfTwo(HPTE), I3),
    row("token/powerpc64-hash", PreemptKept, I7),
    row("token/sparc64", Lost(TSB), I4),
    row("token/sparc64", HookLost(Hook::Leave), I3),
    row("token/x86_64-xen", Lost(EXT), I9),
    row("token/x86_64-xen", SwitchOutLost, I15),
    row("nesting-v3/aarch64", Lost(BARRIERS), I3),
    row("nesting-v3/aarch64", InnerEnableLost, I2),
    row("nesting-v3/aarch64", HookLost(Hook::Flush), I3),
    row("nesting-v3/powerpc64-hash", OneOfTwo(HPTE), I3),
    row("nesting-v3/sparc64", PreemptLost, I7),
    row("nesting-v3/x86_64-native", Lost(INVLPG), I9),
    row("nesting-v3/x86_64-xen", Lost(MULTICALL), I3),
    row("nesting-v4/aarch64", Lost(BARRIERS), I4),
    row("nesting-v4/aarch64", CallLost(Call::Resume), I5),
    row("nesting-v4/aarch64", Lost(TLBI), I9),
    row("nesting-v4/powerpc64-hash", OneOfTwo(HPTE), I3),
    row("nesting-v4/powerpc64-hash", HookLost(Hook::Flush), I3),
    row("nesting-v4/powerpc64-hash", PreemptKept, I7),
    row("nesting-v4/powerpc64-radix", WrongPage(Insns::Tlbie, PAGE_OF_ADDRESS), I9),
    row("nesting-v4/sparc64", OneOfTwo(TSB), I3),
    row("nesting-v4/sparc64", CallTwice(Call::Enable), I1),
    row("nesting-v4/sparc64", NeverInInterrupt, I11),
    row("nesting-v4/x86_64-xen", SwitchInLost, I12),
    row("nesting-v4/x86_64-xen", Lost(UPDATE), I4),
    row("nesting-v4/none", CallLost(Call::Disable), I1),
    row("counted/x86_64-xen@7.0", CallLost(Call::Resume), I1),
    row("counted/x86_64-xen@7.0", Lost(EXT), I9),
    row("counted/x86_64-xen@7.0", FlushLost, I3),
    row("counted/x86_64-xen@7.0", SetTwice, I10),
    row("counted/x86_64-xen@7.1", Lost(MULTICALL), I3),
    row("counted/x86_64-xen@7.1", HookLost(Hook::Flush), I3),
    row("counted/x86_64-xen@7.1", SwitchInLost, I12),
    row("counted/x86_64-xen@7.1", PagesLost, I3),
    row("counted/x86_64-xen@7.1", ClearLost, I4),
    row("counted/x86_64-xen@7.1", WrprotectLost, I4),
    row("counted/x86_64-xen@7.1", LinearKept, I4),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_of_older_subjects_and_differ() {
        assert!(OLDER.len() >= 40);
        for (at, row) in OLDER.iter().enumerate() {
            assert!(!row.base().is_current() && row.base().name == row.base, "{}", row.base);
            assert_eq!(row.make().mmu(), row.base().mmu);
            let same = |other: &Older| (other.base, other.fault) == (row.base, row.fault);
            assert!(!OLDER[..at].iter().any(same), "{}: {:?} is there twice", row.base, row.fault);
        }
    }
}
