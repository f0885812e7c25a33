//! I5 batching-kept: while the mode is active a change is not forced out, except where a batch is full, where another
//! address space or page size comes, at a nested `disable`, a `pause`, an explicit flush or a context switch; and nothing
//! goes out that nothing needed: barriers, hypercalls and atomics cost. On aarch64 one pair of barriers does for all
//! entries of one `set_ptes()`, outside a section too (`__set_ptes_anysz()`, `arch/arm64/include/asm/pgtable.h`, 7.2).
//!
//! Watches what goes out and during which operation. It may not judge handlers, whose changes go out at once and may take
//! a batch with them; nor flushes, switch hooks and the page allocator's own changes.
//! What a batch has room for is told with the rules ([`super::Room`]).

use std::hash::{Hash, Hasher};

use lazy_mmu_arches::insn::{Insn, Op as InsnOp};
use lazy_mmu_arches::mmu::Mmu;

use super::legality::Legality;
use super::{Findings, Invariant, Rules, UPDATE};
use lazy_mmu_abi::trace::{Ask, Burst, Call, Event, What};
use lazy_mmu_program::{Op, TASKS};

/// What an operation is to the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doing {
    /// It changes entries.
    Changes,
    /// It may force things out: a flush, or an operation that flushes for its own use.
    Flushes,
    /// It has nothing to do with entries.
    #[default]
    Other,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Batching {
    /// The last operation, by its place, and what it is.
    doing: (u32, Doing),
    /// Calls in progress: with the task and operation that make each, and whether an architecture makes it below one.
    calls: Vec<(Call, u8, u32, bool)>,
    /// Per task: a valid kernel entry was changed since its barriers went out last (aarch64).
    owed: [bool; TASKS as usize],
    /// Per task: atomics on its flag since it was cleared.
    atomics: [u32; TASKS as usize],
    /// The change at hand, one `set_ptes()`: its entries, and how often barriers went out for it (aarch64).
    mapped: (u16, u16),
}

/// Whether an instruction is one of the atomics that are counted.
#[inline]
#[must_use]
pub fn concerns(insn: Insn) -> bool {
    matches!(insn.op, InsnOp::FlagSet | InsnOp::FlagClear)
}

impl Batching {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.doing = (0, Doing::Other);
        self.calls.clear();
        self.owed = Default::default();
        self.atomics = Default::default();
        self.mapped = (0, 0);
    }

    /// What later verdicts depend on: not the last operation, which is over.
    pub fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Batching { doing: _, calls, owed, atomics, mapped } = self;
        (calls, owed, atomics, mapped).hash(state);
    }

    /// Takes the next event in.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, rules: Rules, legality: &Legality, findings: &mut Findings) {
        let task = usize::from(event.task);
        match event.what {
            What::Op(op) => self.doing = (event.op, doing(op)),
            What::Call(call, _) => self.calls.push((call, event.task, event.op, event.below)),
            What::Return(..) => {
                self.calls.pop();
            }
            What::Asked(entry, n, Ask::Map(_)) if entry.mm.is_kernel() => {
                self.mapped = (n, 0);
                self.owed[task] |= !event.interrupt;
            }
            What::Insn(insn) if insn.op == InsnOp::FlagClear => self.atomics[task] = 0,
            What::Insn(insn) if insn.op == InsnOp::FlagSet => {
                self.atomics[task] += 1;
                findings.judged(Invariant::I5);
                let n = self.atomics[task];
                if n > 1 {
                    findings.report(Invariant::I5, at, || format!("{n} atomics set a flag that one had set"));
                }
            }
            What::Burst(burst) => self.burst(at, event, burst, rules, legality, findings),
            _ => {}
        }
    }

    fn burst(
        &mut self,
        at: usize,
        event: &Event,
        burst: Burst,
        rules: Rules,
        legality: &Legality,
        findings: &mut Findings,
    ) {
        // Between the halves of a call others act: theirs is not the call's.
        let call = self.calls.last().filter(|call| (call.1, call.2) == (event.task, event.op));
        let call = call.map(|call| (call.0, call.3));
        let doing = if self.doing.0 == event.op { self.doing.1 } else { Doing::Other };
        // What a context switch or a flush sends out besides is not what the task owes: its flag stays.
        let besides = call.is_none_or(|(_, below)| !below) && (event.below || doing == Doing::Flushes);
        let owed = !event.interrupt && !besides && std::mem::take(&mut self.owed[usize::from(event.task)]);
        if event.below {
            return;
        }
        let forced =
            call.filter(|_| !event.interrupt).is_some_and(|(call, _)| !matches!(call, Call::Disable | Call::Pause));
        if doing != Doing::Flushes || forced {
            findings.judged(Invariant::I5);
        }
        let why = match call {
            Some((Call::Disable | Call::Pause, _)) => None,
            Some((call, _)) if !event.interrupt => Some(format!("`{}` forces changes out", call.name())),
            _ if !legality.may_defer(event) => None,
            _ => match doing {
                Doing::Flushes => None,
                Doing::Changes if is_due(burst, rules) => None,
                Doing::Changes => Some(format!("{} of an active section forced out", updates(burst))),
                Doing::Other => Some("changes are forced out by what has nothing to do with them".to_owned()),
            },
        };
        let costs = burst.idle && !owed && doing != Doing::Flushes;
        let why = why.or_else(|| costs.then(|| "barriers or a hypercall that nothing needed".to_owned()));
        if let Some(why) = why.or_else(|| self.again(rules.mmu, doing, call.is_some())) {
            findings.report(Invariant::I5, at, || why);
        }
    }
}

impl Batching {
    /// Barriers go out once more for one `set_ptes()`: the last would have done for all of its entries.
    fn again(&mut self, mmu: Mmu, doing: Doing, in_call: bool) -> Option<String> {
        if mmu != Mmu::Aarch64 || doing != Doing::Changes || in_call {
            return None;
        }
        let (n, times) = &mut self.mapped;
        *times += 1;
        (*times > 1).then(|| format!("barriers for each of the {n} entries of one change: the last do for all"))
    }
}

fn updates(burst: Burst) -> String {
    if burst.updates == 1 { "one change".to_owned() } else { format!("{} changes", burst.updates) }
}

/// Whether a change while the mode is active may force this out.
fn is_due(burst: Burst, rules: Rules) -> bool {
    let room = rules.room;
    match rules.mmu {
        Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v => burst.other || burst.updates >= room.batch,
        Mmu::Xen => burst.entries >= room.calls || burst.bytes + UPDATE >= room.bytes,
        Mmu::Aarch64 | Mmu::Plain | Mmu::Radix | Mmu::Native => false,
    }
}

fn doing(op: Op) -> Doing {
    match op {
        Op::Set(..) | Op::Clear(_) | Op::Wrprotect(_) => Doing::Changes,
        Op::Get(_) | Op::RawGet(_) | Op::Access(_) | Op::Query | Op::TaskQuery(_) => Doing::Other,
        _ => Doing::Flushes,
    }
}

#[cfg(test)]
mod tests {
    use crate::Invariant;
    use crate::tests::check;

    #[test]
    fn programs_that_break_it_and_programs_that_do_not() {
        #[rustfmt::skip]
        let cases = [
            ("zoo/arm64-pending-flag-atomic", "enable; set K 0; set K 1; disable", true),
            ("zoo/arm64-pending-flag-atomic", "enable; set K 0; disable", false),
            ("stateless/aarch64", "enable; enable; disable; set K 0; disable", true),
            ("counted/aarch64", "enable; enable; disable; set K 0; disable", false),
            ("zoo/xen-switch-no-resume", "switch T1; enable; set K 0; disable", true),
            ("counted/x86_64-xen", "switch T1; enable; set K 0; disable", false),
            ("counted/aarch64 twice isb", "enable; set K 0; disable", false),
            // Where a batch is full, and where another address space or size comes.
            ("counted/powerpc64-hash", "set U 0 x193; access U 0 x193; enable; clear U 0 x193; disable", false),
            ("counted/sparc64", "set U 0; access U 0; set V 0; access V 0; enable; clear U 0; clear V 0; disable", false),
            ("counted/sparc64", "set U 0; set U 40 large; enable; clear U 0; clear U 40; disable", false),
            ("counted/x86_64-xen", "enable; set K 0 x32; disable", false),
            // Handlers, flushes, switches and the allocator may.
            ("counted/x86_64-xen", "enable; set K 0; irq { set K 40 }; set K 1; disable", false),
            ("counted/aarch64", "enable; set K 0; flush; tlb_flush K 0; set K 1; disable", false),
            ("counted/aarch64", "enable; set K 0; preempt T1; switch T0; disable", false),
            ("counted/aarch64", "enable; set K 0; alloc 3 debug; disable", false),
        ];
        check(Invariant::I5, &cases);
    }
}
