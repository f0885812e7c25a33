//! Did it take? A form proves at its start that the overlay is in effect: else a renamed hook would be silence, and a
//! silent form would pass for a good one.
//!
//! A proof that fails has two possible causes: the tree lost what the proof looks for, or lazymmu does not see it in this
//! tree. The form is judged all the same. Where the contract breaks, the finding says which; where it does not break, the
//! host answers "unknown" and never "holds". Not here: that decision (the host's `judge::report`). Called by `serve`.

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::Op;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_border::numbers::api;
use lazy_mmu_core::kernel::WarnSite;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::trace::{Event, Hook, What};

use crate::guard::{Crash, Worker};
use crate::tree::Tree;

/// One proof: a program, what must be seen in its trace, what its absence means, and where to look then.
#[derive(Clone, Copy)]
struct Proof {
    program: &'static str,
    seen: fn(&Tree, &What) -> bool,
    missing: &'static str,
    look: &'static str,
}

/// Proofs that hold of every tree whose generic helpers call the hooks.
const HELPERS: [Proof; 4] = [
    Proof {
        program: "enable between { query }; disable",
        seen: |_, what| matches!(what, What::Point(_)),
        missing: "lazy_mmu_mode_enable() reaches no point before its hook",
        look: "lazy_mmu_mode_enable() of include/linux/pgtable.h",
    },
    Proof {
        program: "enable; disable",
        seen: |_, what| matches!(what, What::Hook(Hook::Enter, _)),
        missing: "lazy_mmu_mode_enable() calls no enter hook",
        look: "lazy_mmu_mode_enable() of include/linux/pgtable.h",
    },
    Proof {
        program: "enable; disable",
        seen: |_, what| matches!(what, What::Hook(Hook::Leave, _)),
        missing: "lazy_mmu_mode_disable() calls no leave hook",
        look: "lazy_mmu_mode_disable() of include/linux/pgtable.h",
    },
    Proof {
        program: "disable",
        seen: |_, what| matches!(what, What::Warn(WarnSite::Disable)),
        missing: "lazy_mmu_mode_disable() outside a section does not warn",
        look: "VM_WARN_ON_ONCE() of lazy_mmu_mode_disable(), include/linux/pgtable.h",
    },
];

/// The proof of a tree from before 7.0: the hooks are the API, and the mode is the architecture's own mark.
const MARK: [Proof; 1] = [Proof {
    program: "enable; query; disable",
    seen: |_, what| matches!(what, What::Mode { arch: true, .. }),
    missing: "an enter hook turns no mode on that the glue reads",
    look: "arch_enter_lazy_mmu_mode() of the architecture, and where it keeps the mode",
}];

/// Proofs of a backend.
fn of_backend(mmu: Mmu, mode: bool) -> Vec<Proof> {
    let stored = Proof {
        program: "set K 0",
        seen: |_, what| matches!(what, What::Store(..)),
        missing: "set_ptes() stores nothing where the glue looks",
        look: "set_ptes() and set_pte() of the architecture's pgtable.h",
    };
    let mut proofs = vec![stored];
    match mmu {
        Mmu::Aarch64 => {
            proofs.push(Proof {
                program: "set K 0",
                seen: |_, what| matches!(what, What::Insn(insn) if insn.op == Op::DsbIshst),
                missing: "a kernel set executes no `dsb ishst`",
                look: "__set_pte_complete() and emit_pte_barriers(), arch/arm64/include/asm/pgtable.h",
            });
            if mode {
                proofs.push(Proof {
                    program: "enable; set K 0; disable",
                    seen: |_, what| matches!(what, What::Insn(insn) if insn.op == Op::FlagSet),
                    missing: "a kernel set in a section sets no TIF_LAZY_MMU_PENDING",
                    look: "queue_pte_barriers(), arch/arm64/include/asm/pgtable.h",
                });
            }
        }
        Mmu::Xen => {
            proofs.push(Proof {
                program: "enable; set K 0; disable",
                seen: |_, what| matches!(what, What::Note(Note::MmuQueued)),
                missing: "a set in a section is not queued in the multicall buffer",
                look: "xen_batched_set_pte(), arch/x86/xen/mmu_pv.c",
            });
            proofs.push(Proof {
                program: "enable; set K 0; disable",
                seen: |_, what| matches!(what, What::Note(Note::McFlush(..))),
                missing: "the multicall buffer is not flushed",
                look: "xen_mc_flush() and its trace_xen_mc_flush(), arch/x86/xen/multicalls.c",
            });
        }
        Mmu::Hash => proofs.extend(hash(mode)),
        // Nothing in a section may look like a batch: the hooks are the radix MMU's own, which do nothing.
        Mmu::Radix => proofs.push(Proof {
            program: "set U 0; access U 0; clear U 0; tlb_flush U 0",
            seen: |_, what| matches!(what, What::Insn(insn) if matches!(insn.op, Op::Tlbie | Op::Tlbiel)),
            missing: "flush_tlb_range() executes no `tlbie` and no `tlbiel`",
            look: "arch/powerpc/mm/book3s64/radix_tlb.c",
        }),
        Mmu::Sun4u | Mmu::Sun4v => proofs.extend(sparc(mode)),
        _ => {}
    }
    proofs
}

fn hash(mode: bool) -> Vec<Proof> {
    let mut proofs = vec![Proof {
        program: "set U 0; access U 0; clear U 0",
        seen: |_, what| matches!(what, What::Insn(insn) if insn.op == Op::HpteInvalidate),
        missing: "a clear of an entry that was used makes no hash entry invalid",
        look: "flush_hash_page() and native_hpte_invalidate(), arch/powerpc/mm/book3s64",
    }];
    proofs.push(Proof {
        program: "set U 0; access U 0; clear U 0",
        seen: |_, what| matches!(what, What::Insn(insn) if matches!(insn.op, Op::Tlbie | Op::Tlbiel)),
        missing: "a clear outside a section executes no `tlbie` and no `tlbiel`",
        look: "native_hpte_invalidate() and tlbie(), arch/powerpc/mm/book3s64/hash_native.c",
    });
    if mode {
        proofs.push(BATCHED);
    }
    proofs
}

fn sparc(mode: bool) -> Vec<Proof> {
    let mut proofs = vec![Proof {
        program: "set U 0; access U 0; clear U 0",
        seen: |_, what| matches!(what, What::Insn(insn) if insn.op == Op::TsbFlush),
        missing: "a clear outside a section flushes no TSB entry",
        look: "tlb_batch_add_one(), arch/sparc/mm/tlb.c, and flush_tsb_user_page(), arch/sparc/mm/tsb.c",
    }];
    if mode {
        proofs.push(BATCHED);
    }
    proofs
}

/// A clear in a section is held back by the batch of its CPU, and an interrupt's beginning shows what is.
const BATCHED: Proof = Proof {
    program: "set U 0; access U 0; enable; clear U 0; irq { query }; disable",
    seen: |_, what| matches!(what, What::Held(deferred) if deferred.entries > 0),
    missing: "a clear in a section leaves nothing in the per-CPU batch",
    look: "hpte_need_flush() of powerpc or tlb_batch_add_one() of sparc",
};

/// Proofs of a tree that folds small entries of arm64: one by one, all at once, and back.
const CONTPTE: [Proof; 3] = [
    Proof {
        program: concat!(
            "set U 0; set U 1; set U 2; set U 3; set U 4; set U 5; set U 6; set U 7; ",
            "set U 8; set U 9; set U 10; set U 11; set U 12; set U 13; set U 14; set U 15"
        ),
        seen: |tree, _| tree.groups.seen().fold,
        missing: "16 entries of one folio, set one by one, do not end with the contiguous bit",
        look: "contpte_try_fold(), arch/arm64/include/asm/pgtable.h, and __contpte_try_fold(), arch/arm64/mm/contpte.c, \
               with the struct pages of harness/border/glue/arm64_contpte.c",
    },
    Proof {
        program: "set U 0 x16",
        seen: |tree, _| tree.groups.seen().batch,
        missing: "16 entries set at once do not get the contiguous bit",
        look: "contpte_set_ptes(), arch/arm64/mm/contpte.c",
    },
    Proof {
        program: "set U 0 x16; clear U 3",
        seen: |tree, _| tree.groups.seen().unfold,
        missing: "a clear of one of 16 contiguous entries leaves the others with the bit",
        look: "contpte_try_unfold(), arch/arm64/include/asm/pgtable.h, and contpte_convert(), arch/arm64/mm/contpte.c",
    },
];

/// What was to be seen on a form and was not, a message each; none where the overlay is in effect. The proofs run in a
/// process of their own; after a crash the rest is left out, for it would crash too, or loop as long.
pub fn unproven(tree: &Tree, runner: &mut Runner) -> Vec<String> {
    let proofs = proofs(tree);
    let run = |number: &[u8]| {
        let Some(proof) = number.first().and_then(|&n| proofs.get(usize::from(n))) else { return b"unread".to_vec() };
        let Ok(program) = parse(proof.program) else { return b"unread".to_vec() };
        let (events, _) = runner.run_on(tree, tree.rules(), &program);
        let is_seen = events.iter().any(|Event { what, .. }| (proof.seen)(tree, what));
        if is_seen { Vec::new() } else { b"unseen".to_vec() }
    };
    let mut worker = match Worker::start(run) {
        Ok(worker) => worker,
        Err(Crash { message, .. }) => return vec![message],
    };
    let mut failed = Vec::new();
    for (Proof { program, missing, look, .. }, number) in proofs.iter().zip(0..) {
        match worker.ask(&[number]) {
            Ok(unseen) if unseen.is_empty() => {}
            Ok(_) => failed.push(format!(
                "`{program}`: {missing}: either the tree lost this, or lazymmu does not see it there; look at {look}"
            )),
            Err(Crash { message, .. }) => {
                failed.push(format!("`{program}`: {message}; look at {look}"));
                break;
            }
        }
    }
    failed
}

/// The proofs that a form has to give.
fn proofs(tree: &Tree) -> Vec<Proof> {
    let has_mark = tree.facts.mode && !tree.form.mmu.ignores_mode();
    let mut proofs = match tree.rules().counters {
        true => HELPERS.to_vec(),
        false if has_mark && tree.facts.api == api::STATELESS => MARK.to_vec(),
        false => Vec::new(),
    };
    proofs.extend(of_backend(tree.form.mmu, tree.facts.mode));
    if tree.form.mmu == Mmu::Aarch64 && tree.facts.contpte.is_some() {
        proofs.extend(CONTPTE);
    }
    proofs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proof_is_a_program_that_can_be_read() {
        let backends = [Mmu::Aarch64, Mmu::Hash, Mmu::Radix, Mmu::Sun4u, Mmu::Sun4v, Mmu::Native, Mmu::Xen];
        let of_backends: Vec<Proof> = backends.into_iter().flat_map(|mmu| of_backend(mmu, true)).collect();
        for proof in HELPERS.iter().chain(&CONTPTE).chain(&of_backends) {
            assert!(parse(proof.program).is_ok(), "{}", proof.program);
        }
    }
}
