//! What a run costs the hardware: barriers, invalidations, hypercalls, atomics, cross calls, and how much of the work was
//! done with preemption off.
//!
//! Counts of a trace's events, no times: the same program costs the same everywhere. Not here: whether a cost is needed
//! (I5, [`crate::contract::batching`]). Called by who compares two subjects, such as `lazymmu judge --base`.

use lazy_mmu_arches::insn::Op;

use crate::program::TASKS;
use crate::trace::{Event, What};

/// The counts of one run, or of several added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Page-table entries that the program changed.
    pub changes: u64,
    /// Barriers of any kind.
    pub barriers: u64,
    /// Invalidations of translations: TLB, hash table, TSB.
    pub invalidations: u64,
    /// Hypercalls.
    pub hypercalls: u64,
    /// Atomic operations on flags and counts.
    pub atomics: u64,
    /// Cross calls to another CPU.
    pub cross_calls: u64,
    /// Entries changed while a hook kept preemption off.
    pub unpreemptible: u64,
}

impl Costs {
    /// The names of the counts, in the order of [`Costs::values`].
    pub const NAMES: [&'static str; 7] =
        ["changes", "barriers", "invalidations", "hypercalls", "atomics", "cross calls", "unpreemptible"];

    /// The counts, in the order of the fields.
    #[must_use]
    pub fn values(&self) -> [u64; 7] {
        let Costs { changes, barriers, invalidations, hypercalls, atomics, cross_calls, unpreemptible } = *self;
        [changes, barriers, invalidations, hypercalls, atomics, cross_calls, unpreemptible]
    }

    /// The counts from their values.
    #[must_use]
    pub fn from_values(values: [u64; 7]) -> Costs {
        let [changes, barriers, invalidations, hypercalls, atomics, cross_calls, unpreemptible] = values;
        Costs { changes, barriers, invalidations, hypercalls, atomics, cross_calls, unpreemptible }
    }

    /// Counts a trace.
    #[must_use]
    pub fn of(events: &[Event]) -> Costs {
        let mut costs = Costs::default();
        // What each task's preempt_count was when a hook last changed it.
        let mut held = [0; TASKS as usize];
        for event in events {
            match event.what {
                What::Insn(insn) => costs.executed(insn.op),
                What::PreemptCount(count) => held[usize::from(event.task % TASKS)] = count,
                What::Asked(_, n, _) => {
                    costs.changes += u64::from(n);
                    costs.unpreemptible += if held[usize::from(event.task % TASKS)] > 0 { u64::from(n) } else { 0 };
                }
                _ => {}
            }
        }
        costs
    }

    /// Counts one instruction. A cross call counts as an invalidation too: the other CPU makes one.
    fn executed(&mut self, op: Op) {
        use Op::{
            DsbIsh, DsbIshst, DsbNsh, DsbNshst, Eieio, FlagClear, FlagSet, Flush, FlushIpi, HcMmuUpdate, HcMmuextOp,
            HcMulticall, HpteInvalidate, Invlpg, Isb, Isync, Ldxa, Lfence, LockXadd, Lwsync, MembarStoreLoad,
            MembarSync, Mfence, MovCr3, Ptesync, RdprPstate, Sfence, Stxa, Ta, TlbiAside1is, TlbiVaale1is, TlbiVae1is,
            TlbiVale1is, TlbiVmalle1is, Tlbie, Tlbiel, Tlbsync, TsbFlush, WrprPstate, WrprTl, Xcall,
        };
        match op {
            DsbIshst | DsbIsh | DsbNshst | DsbNsh | Isb | Ptesync | Eieio | Isync | Lwsync | Tlbsync | MembarSync
            | MembarStoreLoad | Flush | Mfence | Lfence | Sfence => self.barriers += 1,
            TlbiVale1is | TlbiVae1is | TlbiVaale1is | TlbiAside1is | TlbiVmalle1is | Tlbie | Tlbiel
            | HpteInvalidate | Stxa | TsbFlush | Invlpg | MovCr3 => self.invalidations += 1,
            HcMmuUpdate | HcMmuextOp | HcMulticall | Ta => self.hypercalls += 1,
            FlagSet | FlagClear | LockXadd => self.atomics += 1,
            Xcall | FlushIpi => {
                self.cross_calls += 1;
                self.invalidations += 1;
            }
            Ldxa | RdprPstate | WrprPstate | WrprTl => {}
        }
    }
}

impl std::ops::AddAssign for Costs {
    fn add_assign(&mut self, other: Costs) {
        let (mine, others) = (self.values(), other.values());
        *self = Costs::from_values(std::array::from_fn(|at| mine[at] + others[at]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::text::parse;
    use crate::registry::{self, SUBJECTS};
    use crate::runner::Runner;
    use crate::subject::Port;

    fn of(subject: &str, program: &str) -> Costs {
        let name = registry::find(subject).expect("a known subject").name;
        let at = SUBJECTS.iter().position(|known| known.name == name).expect("it is in the registry");
        let mut runner = Runner::new();
        let (events, _) = runner.run(at, Port::Model, &parse(program).expect("a program"));
        Costs::of(events)
    }

    #[test]
    fn a_section_saves_barriers_on_aarch64_and_hypercalls_under_xen() {
        let (outside, inside) = ("set K 0; set K 1; set K 2", "enable; set K 0; set K 1; set K 2; disable");
        let plain = of("counted/aarch64", outside);
        assert_eq!((plain.changes, plain.barriers, plain.atomics), (3, 6, 0));
        let lazy = of("counted/aarch64", inside);
        assert_eq!((lazy.changes, lazy.barriers, lazy.atomics), (3, 2, 2));
        assert_eq!(of("counted/x86_64-xen", outside).hypercalls, 3);
        assert_eq!(of("counted/x86_64-xen", inside).hypercalls, 1);
    }

    #[test]
    fn work_with_preemption_off_is_that_of_the_hooks() {
        let program = "set U 0 x4; enable; clear U 0 x4; disable; set U 0 x2";
        assert_eq!(of("counted/powerpc64-hash", program).unpreemptible, 4);
        assert_eq!(of("counted/aarch64", program).unpreemptible, 0);
    }

    #[test]
    fn counts_add_up_and_come_back_from_their_values() {
        let mut sum = of("counted/sparc64", "set U 0; access U 0; clear U 0");
        assert!(sum.invalidations > 0 && sum.barriers > 0);
        assert_eq!(Costs::from_values(sum.values()), sum);
        let one = sum;
        sum += one;
        assert_eq!(sum.values(), one.values().map(|count| 2 * count));
    }
}
