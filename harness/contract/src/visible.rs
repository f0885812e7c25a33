//! I3 visible-at-exit: after `disable` at any depth, after a `pause` and after an explicit flush, what the task changed
//! before is in effect: the page table says it, its barriers and invalidations are done.
//!
//! Watches what the machine finds late at the end of those calls, and what walkers see. It may not judge a call in
//! interrupt context, which has no effect; nor an access to an entry that another task, or the interrupted one, has changed
//! in a section that is still open; nor one to an entry that was changed and not flushed, where the architecture leaves the
//! flush to the caller. A task that uses what its own section has changed misuses the mode, and the verdict says so.

use lazy_mmu_arches::mmu::Mmu;

use super::legality::Legality;
use super::{Findings, Invariant, Rules};
use lazy_mmu_abi::trace::{Event, Late, Point, Walked, What, Why, place};

/// A call ends after which what its task changed must be in effect; what is not has come as an event of its own.
pub fn settles(legality: &Legality, findings: &mut Findings) {
    if legality.settled() {
        findings.judged(Invariant::I3);
    }
}

/// Takes the next event in: there is no state.
#[inline(always)]
pub fn watch(at: usize, event: &Event, rules: Rules, legality: &Legality, findings: &mut Findings) {
    match event.what {
        What::Late(Late { point: Point::Settle, at: entry, count, why })
            if !event.interrupt && why != Why::FlushedEarly =>
        {
            findings.report(Invariant::I3, at, || {
                let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
                format!("T{}'s change of {}{more} is not in effect: {}", event.task, place(entry), why.text())
            });
        }
        What::Walk(entry, walked) if walked.found != walked.asked => {
            let kernel = entry.mm.is_kernel();
            let deferral = legality.deferral();
            let others =
                deferral.by_another(event.task, entry, 1) || (event.interrupt && deferral.by(event.task, entry, 1));
            if !others && !is_allowed(walked, kernel, rules.mmu) {
                findings.judged(Invariant::I3);
                findings.report(Invariant::I3, at, || {
                    let found = if walked.found.is_some() { "an old translation" } else { "no translation" };
                    format!("a walker on CPU {} finds {found} at {}", event.cpu, place(entry))
                });
            }
        }
        _ => {}
    }
}

/// Whether a walker may find something else than what was asked for, though nobody defers it.
fn is_allowed(walked: Walked, kernel: bool, mmu: Mmu) -> bool {
    walked.found.is_some() && walked.unflushed && !mmu.update_invalidates(kernel)
}

#[cfg(test)]
mod tests {
    use crate::Invariant;
    use crate::tests::check;

    #[test]
    fn programs_that_break_it_and_programs_that_do_not() {
        #[rustfmt::skip]
        let cases = [
            ("zoo/gen-nested-disable-no-flush", "enable; enable; set K 0; disable; disable", true),
            ("counted/aarch64", "enable; enable; set K 0; disable; disable", false),
            ("counted/aarch64 without isb", "enable; set K 0; disable", true),
            ("counted/aarch64 without isb", "enable; set U 0; disable", false),
            ("counted/aarch64 without dsb ishst", "enable; set K 0; pause; resume; disable", true),
            ("counted/sparc64 without tsb_flush", "set U 0; access U 0; enable; clear U 0; disable", true),
            ("counted/sparc64", "set U 0; access U 0; enable; clear U 0; disable", false),
            ("counted/powerpc64-hash without tlbsync", "set K 0; access K 0; enable; clear K 0; disable", true),
            ("counted/x86_64-xen without hypercall mmu_update", "enable; set K 0; disable", true),
            // What a walker sees.
            ("counted/aarch64 without dsb ishst", "set K 0; access K 0", true),
            ("counted/aarch64", "set K 0; access K 0", false),
            // A call in interrupt context has no effect.
            ("counted/aarch64 without isb", "bh_off; enable; set K 0; disable; bh_on", false),
            // Another task's section, or the interrupted one's, may defer it.
            ("counted/x86_64-xen", "enable; set K 0; cpu 1; access K 0; cpu 0; disable", false),
            ("counted/x86_64-xen", "enable; set K 0; irq { access K 0 }; disable", false),
            ("counted/x86_64-xen without hypercall mmu_update", "set K 0; cpu 1; access K 0", true),
            // The flush is the caller's.
            ("counted/x86_64-native", "set U 0; access U 0; clear U 0; access U 0", false),
            ("counted/x86_64-native without invlpg", "set U 0; access U 0; clear U 0; tlb_flush U 0; access U 0", false),
        ];
        check(Invariant::I3, &cases);
    }
}
