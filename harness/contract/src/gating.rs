//! I13 gating: where the architecture has the mode switched off (radix, bare x86, none) its hooks have no side effect.
//!
//! Watches what happens from a hook's call to the end of the generic call it belongs to. It may not judge other
//! architectures, nor what another task or an interrupt does between the halves of a call: that comes before the hook.

use super::{Findings, Invariant, Rules};
use lazy_mmu_abi::trace::{Event, What};

/// See the module.
#[derive(Debug, Default, Hash)]
pub struct Gating {
    /// A hook was called and its generic call has not ended.
    in_hook: bool,
}

impl Gating {
    /// Before the first event.
    pub fn reset(&mut self) {
        self.in_hook = false;
    }

    /// Takes the next event in.
    #[inline(always)]
    pub fn watch(&mut self, at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
        match event.what {
            What::Hook(..) | What::IdleHook(_) => {
                self.in_hook = rules.mmu.ignores_mode();
                if self.in_hook {
                    findings.judged(Invariant::I13);
                }
            }
            What::Return(..) | What::Op(_) | What::Call(..) => self.in_hook = false,
            What::PreemptCount(_) => self.side_effect(at, event, rules, findings),
            _ => {}
        }
    }

    /// Something happens that a hook which is switched off does not do.
    #[inline]
    pub fn side_effect(&mut self, at: usize, event: &Event, rules: Rules, findings: &mut Findings) {
        if self.in_hook && rules.mmu.ignores_mode() {
            findings.report(Invariant::I13, at, || {
                format!("a hook that is switched off does something: {}", lazy_mmu_abi::trace::line(&event.what))
            });
        }
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
            ("zoo/ppc-flush-missing-radix", "enable; enable; disable; disable", true),
            ("zoo/ppc-flush-missing-radix", "enable; disable", false),
            ("counted/powerpc64-radix", "enable; enable; disable; disable", false),
            ("stateless/powerpc64-radix", "enable; disable", false),
            // The flush from outside the generic layer is no hook of a call.
            ("zoo/ppc-flush-missing-radix", "flush", false),
            // Elsewhere hooks act.
            ("counted/aarch64", "enable; set K 0; disable", false),
            ("counted/sparc64", "enable; disable", false),
            // What others do between the halves comes before the hook.
            ("counted/x86_64-native", "set K 0; enable; disable between { irq { clear K 0; tlb_flush K 0 } }", false),
        ];
        check(Invariant::I13, &cases);
    }
}
