//! I8 read-coherent: a read of an entry finds what was asked for last.
//!
//! Watches every read of a page table, by the accessor or round it. There is none that it may not judge: a read back in
//! the same section, or by another context while a section defers the change, is a misuse of the callers, and the verdict
//! says so; what is read is old all the same.

use super::{Findings, Invariant};
use lazy_mmu_abi::trace::{Event, What, place};

/// Takes the next event in: there is no state.
#[inline(always)]
pub fn watch(at: usize, event: &Event, findings: &mut Findings) {
    if let What::Read { .. } = event.what {
        findings.judged(Invariant::I8);
    }
    if let What::Read { at: entry, found, asked } = event.what
        && found != asked
    {
        findings.report(Invariant::I8, at, || format!("a read of {} finds an old entry", place(entry)));
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
            ("zoo/arm64-contpte-get", "set U 40 large; get U 40 large", true),
            ("zoo/arm64-contpte-get", "set U 40; get U 40", false),
            ("counted/aarch64", "set U 40 large; get U 40 large", false),
            // A read back in a section, by the accessor or round it: a misuse, and old all the same.
            ("counted/x86_64-xen", "enable; set K 0; get K 0; disable", true),
            ("counted/x86_64-xen", "enable; set K 0; raw_get K 0; disable", true),
            ("counted/x86_64-xen", "enable; set K 0; disable; get K 0; raw_get K 0", false),
            ("counted/aarch64", "enable; set K 0; get K 0; disable", false),
            // What another section has not asked out yet, and what it has.
            ("counted/x86_64-xen", "enable; set K 0; irq { get K 0 }; disable", true),
            ("counted/x86_64-xen", "enable; set K 0; enable; disable; irq { get K 0 }; disable", false),
        ];
        check(Invariant::I8, &cases);
    }
}
