//! Did it take? A subject proves at its start that the overlay is in effect: else a renamed hook would be silence, and a
//! silent subject would pass for a good one.

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::Op;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_border::numbers::api;
use lazy_mmu_core::kernel::WarnSite;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::trace::{Event, Hook, What};

use crate::tree::Tree;

/// One proof: a program, what must be seen in its trace, and what to look at where it is not.
struct Proof {
    program: &'static str,
    seen: fn(&What) -> bool,
    missing: &'static str,
}

/// Proofs that hold of every tree whose generic helpers call the hooks.
const HELPERS: [Proof; 4] = [
    Proof {
        program: "enable between { query }; disable",
        seen: |what| matches!(what, What::Point(_)),
        missing: "lazy_mmu_mode_enable() reaches no point: its hook is not arch_enter_lazy_mmu_mode() of include/linux/pgtable.h",
    },
    Proof {
        program: "enable; disable",
        seen: |what| matches!(what, What::Hook(Hook::Enter, _)),
        missing: "lazy_mmu_mode_enable() calls no enter hook",
    },
    Proof {
        program: "enable; disable",
        seen: |what| matches!(what, What::Hook(Hook::Leave, _)),
        missing: "lazy_mmu_mode_disable() calls no leave hook",
    },
    Proof {
        program: "disable",
        seen: |what| matches!(what, What::Warn(WarnSite::Disable)),
        missing: "lazy_mmu_mode_disable() outside a section warns nowhere in include/linux/pgtable.h",
    },
];

/// The proof of a tree from before 7.0: the hooks are the API, and the mode is the architecture's own mark.
const MARK: [Proof; 1] = [Proof {
    program: "enable; query; disable",
    seen: |what| matches!(what, What::Mode { arch: true, .. }),
    missing: "an enter hook turns no mode on that the glue reads",
}];

/// Proofs of a backend.
fn of_backend(mmu: Mmu, mode: bool) -> Vec<Proof> {
    let stored = Proof {
        program: "set K 0",
        seen: |what| matches!(what, What::Store(..)),
        missing: "set_ptes() stores nothing where the glue looks",
    };
    let mut proofs = vec![stored];
    match mmu {
        Mmu::Aarch64 => {
            proofs.push(Proof {
                program: "set K 0",
                seen: |what| matches!(what, What::Insn(insn) if insn.op == Op::DsbIshst),
                missing: "a kernel set executes no `dsb ishst` that asm/barrier.h's macro would tell",
            });
            if mode {
                proofs.push(Proof {
                    program: "enable; set K 0; disable",
                    seen: |what| matches!(what, What::Insn(insn) if insn.op == Op::FlagSet),
                    missing: "a kernel set in a section sets no TIF_LAZY_MMU_PENDING",
                });
            }
        }
        Mmu::Xen => {
            proofs.push(Proof {
                program: "enable; set K 0; disable",
                seen: |what| matches!(what, What::Note(Note::MmuQueued)),
                missing: "a set in a section is not queued in the multicall buffer",
            });
            proofs.push(Proof {
                program: "enable; set K 0; disable",
                seen: |what| matches!(what, What::Note(Note::McFlush(..))),
                missing: "the multicall buffer is not flushed, or trace_xen_mc_flush() is gone",
            });
        }
        Mmu::Hash => proofs.extend(hash(mode)),
        // Nothing in a section may look like a batch: the hooks are the radix MMU's own, which do nothing.
        Mmu::Radix => proofs.push(Proof {
            program: "set U 0; access U 0; clear U 0; tlb_flush U 0",
            seen: |what| matches!(what, What::Insn(insn) if matches!(insn.op, Op::Tlbie | Op::Tlbiel)),
            missing: "flush_tlb_range() executes no tlbie that asm/ppc-opcode.h's macros would tell",
        }),
        Mmu::Sun4u | Mmu::Sun4v => proofs.extend(sparc(mode)),
        _ => {}
    }
    proofs
}

fn hash(mode: bool) -> Vec<Proof> {
    let mut proofs = vec![Proof {
        program: "set U 0; access U 0; clear U 0",
        seen: |what| matches!(what, What::Insn(insn) if insn.op == Op::HpteInvalidate),
        missing: "a clear of an entry that was used makes no hash entry invalid: mmu_hash_ops are others, or the fault failed",
    }];
    proofs.push(Proof {
        program: "set U 0; access U 0; clear U 0",
        seen: |what| matches!(what, What::Insn(insn) if matches!(insn.op, Op::Tlbie | Op::Tlbiel)),
        missing: "a clear outside a section executes no tlbie that asm/ppc-opcode.h's macros would tell",
    });
    if mode {
        proofs.push(BATCHED);
    }
    proofs
}

fn sparc(mode: bool) -> Vec<Proof> {
    let mut proofs = vec![Proof {
        program: "set U 0; access U 0; clear U 0",
        seen: |what| matches!(what, What::Insn(insn) if insn.op == Op::TsbFlush),
        missing: "a clear outside a section flushes no TSB entry: tsb_flush() is another",
    }];
    if mode {
        proofs.push(BATCHED);
    }
    proofs
}

/// A clear in a section is held back by the batch of its CPU, and an interrupt's beginning shows what is.
const BATCHED: Proof = Proof {
    program: "set U 0; access U 0; enable; clear U 0; irq { query }; disable",
    seen: |what| matches!(what, What::Held(deferred) if deferred.entries > 0),
    missing: "a clear in a section leaves nothing in the per-CPU batch that the glue reads",
};

/// # Errors
/// What was to be seen and was not: this tree's shape is unknown.
pub fn proven(tree: &Tree, runner: &mut Runner) -> Result<(), String> {
    let has_mark = tree.facts.mode && !tree.form.mmu.ignores_mode();
    let helpers = match tree.rules().counters {
        true => &HELPERS[..],
        false if has_mark && tree.facts.api == api::STATELESS => &MARK[..],
        false => &[],
    };
    for proof in helpers.iter().chain(&of_backend(tree.form.mmu, tree.facts.mode)) {
        let program = parse(proof.program).map_err(|error| error.to_string())?;
        let (events, _) = runner.run_on(tree, tree.rules(), &program);
        if !events.iter().any(|Event { what, .. }| (proof.seen)(what)) {
            let Proof { program, missing, .. } = proof;
            return Err(format!("this tree's shape is unknown: tree/{}: `{program}`: {missing}", tree.form.name));
        }
    }
    Ok(())
}
