//! I10 batch-shape: a batch holds entries of one address space, one page size and one segment size, never more than it
//! has room for, and each change once.
//!
//! Watches what goes out in one go. It may not judge an entry that is missing: I3 does.

use lazy_mmu_arches::mmu::Mmu;

use super::{Findings, Invariant, Room, Rules};
use lazy_mmu_abi::trace::{Burst, Event, What, counted};

/// Takes the next event in: there is no state.
#[inline(always)]
pub fn watch(at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
    let What::Burst(burst) = event.what else { return };
    findings.judged(Invariant::I10);
    if let Some(what) = wrong(burst, rules) {
        findings.report(Invariant::I10, at, || what);
    }
}

fn wrong(burst: Burst, rules: Rules) -> Option<String> {
    let Room { batch: room, calls, bytes } = rules.room;
    let batch = matches!(rules.mmu, Mmu::Hash | Mmu::Sun4u | Mmu::Sun4v);
    if burst.mixed {
        Some("entries of several address spaces or sizes in one batch".to_owned())
    } else if batch && burst.updates > room {
        Some(format!("{} entries in a batch of {room}", burst.updates))
    } else if burst.entries > calls || burst.bytes > bytes {
        let (sent, with) = (burst.entries, burst.bytes);
        Some(format!("{sent} calls with {with} bytes of arguments in a buffer of {calls} and {bytes}"))
    } else if burst.surplus > 0 {
        let changes = counted(burst.surplus, ["change", "changes"]);
        Some(format!("{changes} sent or announced that nobody had asked for, or twice"))
    } else {
        None
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
            ("zoo/ppc-mm-change-mid-batch", "set U 0; access U 0; set V 0; access V 0; enable; clear U 0; clear V 0; disable", true),
            ("counted/powerpc64-hash", "set U 0; access U 0; set V 0; access V 0; enable; clear U 0; clear V 0; disable", false),
            ("zoo/ppc-mm-change-mid-batch", "set U 0 x2; access U 0 x2; enable; clear U 0 x2; disable", false),
            ("counted/powerpc64-hash twice hpte_invalidate", "set U 0; access U 0; clear U 0", true),
            ("counted/sparc64-sun4v twice ta", "set U 0; clear U 0", true),
            ("counted/x86_64-xen twice hypercall mmu_update", "set U 0", true),
            ("counted/x86_64-xen twice hypercall multicall", "set U 0; enable; clear U 0; tlb_flush U 0; disable", true),
            // Full, and a size or a segment that changes.
            ("counted/powerpc64-hash", "set U 0 x193; access U 0 x193; enable; clear U 0 x193; disable", false),
            ("counted/powerpc64-hash", "set U 1023 x2; access U 1023 x2; enable; clear U 1023 x2; disable", false),
            ("counted/sparc64", "set U 0; set U 40 large; set U 50 huge; enable; clear U 0; clear U 40; clear U 50; disable", false),
            ("counted/x86_64-xen", "enable; set K 0 x32; disable", false),
            // What is missing is another's to judge.
            ("counted/powerpc64-hash without hpte_invalidate", "set U 0; access U 0; clear U 0", false),
        ];
        check(Invariant::I10, &cases);
    }
}
