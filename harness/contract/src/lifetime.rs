//! I14 lifetime: a page is freed, and taken again, only when no CPU can reach it through the mapping it had.
//!
//! Watches every freeing of unmapped pages, and every access that ends in a page freed since. It may not judge pages that
//! are unmapped and not freed.

use super::{Findings, Invariant};
use lazy_mmu_abi::trace::{Ask, Event, What, place};

/// A change is asked for: the page allocator takes a page of the linear map that it frees.
pub fn asked(event: &Event, ask: Ask, findings: &mut Findings) {
    if event.below && ask == Ask::Clear {
        findings.judged(Invariant::I14);
    }
}

/// Takes the next event in: there is no state.
#[inline(always)]
pub fn watch(at: usize, event: &Event, findings: &mut Findings) {
    match event.what {
        What::Freed(..) => findings.judged(Invariant::I14),
        What::Reachable { at: entry, cpu, frame } => findings.report(Invariant::I14, at, || {
            format!("frame {frame} is freed while CPU {cpu} still reaches it through {}", place(entry))
        }),
        What::Walk(entry, walked) if walked.freed => findings.report(Invariant::I14, at, || {
            let frame = walked.found.map_or(0, |found| found.frame);
            format!("an access through {} ends in frame {frame}, which was freed and may be another's", place(entry))
        }),
        _ => {}
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
            ("zoo/ppc-mmu-gather-flush", "set U 0; access U 0; enable; clear U 0; gather_flush U 0; disable", true),
            ("counted/powerpc64-hash", "set U 0; access U 0; enable; clear U 0; gather_flush U 0; disable", false),
            ("counted/x86_64-native without invlpg", "set U 0; access U 0; clear U 0; gather_flush U 0", true),
            ("counted/x86_64-native", "set U 0; access U 0; clear U 0; gather_flush U 0", false),
            ("counted/powerpc64-radix without tlbie", "alloc 3 debug; access K 1027; free 3 debug", true),
            ("counted/powerpc64-radix", "alloc 3 debug; access K 1027; free 3 debug", false),
            // The page table itself still leads there.
            ("counted/x86_64-xen", "set U 0; enable; clear U 0; gather_flush U 0; disable", true),
            ("counted/x86_64-xen", "set U 0; enable; clear U 0; disable; gather_flush U 0", false),
            // Unmapped, and not freed.
            ("counted/x86_64-native", "set U 0; access U 0; clear U 0; access U 0", false),
            // Freed once, mapped there again, and unmapped.
            ("counted/x86_64-native", "set U 0; clear U 0; gather_flush U 0; set U 0; access U 0; clear U 0; access U 0", false),
        ];
        check(Invariant::I14, &cases);
    }
}
