//! The known findings: where a faithful subject breaks the contract by its own design, by what its callers may not do,
//! or in a way that Linux 7.2 still has.
//!
//! A finding has one cause. Its program, `programs/known/<name>.lmm`, is the smallest that shows it, and its leading
//! comment tells a kernel developer what happens and why. On every subject that the finding names, the program breaks
//! exactly what the finding says, and a legal program breaks nothing that no finding explains: the tests hold both, so
//! that an entry which is too narrow or out of date fails. (That all of `follows` does follow is not tested: some of it
//! takes thousands of programs to meet.)
//!
//! Not here: any excuse for 7.2 on generated legal programs, which break nothing there but what Xen makes of a new task
//! ([`left_of_legal`]). Called by the tests of this
//! package (the list is the snapshot `known__list`) and by `lazymmu check`.

mod finding;

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::program::{Op, Program};
use lazy_mmu_engine::subject::registry::{Descriptor, SUBJECTS};

use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8, I9, I11, I12, I14, I15};
use Kind::{Design, Invisible, Misuse, Open};
use finding::bits;
pub use finding::{Finding, Kind, matches};

/// Every known finding, in the order of history.
pub const KNOWN: &[Finding] = &[
    Finding {
        name: "stateless-nested",
        subjects: &["stateless/aarch64|powerpc64-hash|sparc64"],
        breaks: &[I2, I5, I12],
        follows: &[I5],
        kind: Design,
        why: "the inner leave ends the mode for the outer section too: nobody counts",
        workloads: &[],
    },
    Finding {
        name: "early-pause-outside",
        subjects: &["stateless|token/aarch64|powerpc64-hash|sparc64"],
        breaks: &[I1, I2, I3, I4, I12],
        follows: &[I1, I3, I4, I5, I6, I9],
        kind: Design,
        why: "KASAN's leave and enter leave the mode on where no section is open, or where one is paused already",
        workloads: &[],
    },
    Finding {
        name: "early-preempt-count",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        breaks: &[I1, I2, I7, I12],
        follows: &[I1, I7],
        kind: Design,
        why: "a leave without its enter turns preemption on where it was on: preempt_count is -1 in the pause",
        workloads: &[],
    },
    Finding {
        name: "early-section-in-pause",
        subjects: &["stateless|token/aarch64|powerpc64-hash|sparc64|x86_64-xen*"],
        breaks: &[I4, I12],
        follows: &[I3, I4, I9],
        kind: Design,
        why: "a section opened in a pause is a section: nobody knows of the pause",
        workloads: &[],
    },
    Finding {
        name: "early-handler",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        breaks: &[I4, I11],
        follows: &[I3, I4, I9],
        kind: Design,
        why: "a handler's change goes into the interrupted task's batch: nothing asks for interrupt context",
        workloads: &[],
    },
    Finding {
        name: "early-handler-calls",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        breaks: &[I2],
        follows: &[I1, I3, I4, I7, I9, I11, I12],
        kind: Design,
        why: "a call in interrupt context acts on the mode that the interrupted task has on this CPU",
        workloads: &[],
    },
    Finding {
        name: "early-bottom-halves",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        breaks: &[I4],
        follows: &[I3],
        kind: Design,
        why: "a section in interrupt context is a section: nothing asks for interrupt context",
        workloads: &[],
    },
    Finding {
        name: "early-flush-empty",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        breaks: &[I3],
        follows: &[],
        kind: Design,
        why: "the arch flush is an empty function: nothing is forced out before the leave",
        workloads: &[],
    },
    Finding {
        name: "stateless-xen-nested",
        subjects: &["stateless/x86_64-xen"],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "enter insists that the CPU is in no mode, and dies of a BUG inside another section",
        workloads: &[],
    },
    Finding {
        name: "early-xen-pause-outside",
        subjects: &["stateless|token/x86_64-xen*"],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "leave insists that the CPU is in the mode, and dies of a BUG where no section is open",
        workloads: &[],
    },
    Finding {
        name: "xen66-pause-nested",
        subjects: &["stateless/x86_64-xen@6.6"],
        breaks: &[I2, I3, I4, I12],
        follows: &[I3, I4, I8, I9, I12],
        kind: Design,
        why: "one leave of two takes the nesting down by one: KASAN's pause does not pause",
        workloads: &[],
    },
    Finding {
        name: "nesting-pause-outside",
        subjects: &["nesting-*/*"],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "a pause outside a section, or a second one, warns and runs its hook all the same",
        workloads: &[],
    },
    Finding {
        name: "nesting-section-in-pause",
        subjects: &["nesting-*/*"],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "a section in a pause warns, at both ends, and runs its hook all the same",
        workloads: &[],
    },
    Finding {
        name: "nesting-left-on",
        subjects: &["nesting-*/aarch64|powerpc64-hash|sparc64"],
        breaks: &[I2, I3, I4, I15],
        follows: &[I3, I4, I5, I6, I9, I14],
        kind: Design,
        why: "after a pause outside a section the task counts as active until its next section ends",
        workloads: &[],
    },
    Finding {
        name: "nesting-preempt-count",
        subjects: &["nesting-*/powerpc64-hash|sparc64"],
        breaks: &[I2, I7, I15],
        follows: &[I7],
        kind: Design,
        why: "a leave without its enter turns preemption on where it was on: preempt_count is -1 in the pause",
        workloads: &[],
    },
    Finding {
        name: "v3-limit",
        subjects: &["nesting-v3/*"],
        breaks: &[I1, I2, I15],
        follows: &[],
        kind: Misuse,
        why: "the counter's limits are VM_BUG_ON: a debug kernel dies of a misuse it could report",
        workloads: &[],
    },
    Finding {
        name: "xen70-between-halves",
        subjects: &["nesting-*/x86_64-xen", "counted/x86_64-xen@7.0"],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "between the halves of a call the counters and the CPU's mode differ, and the switch hooks mix them up",
        workloads: &[],
    },
    Finding {
        name: "v3-xen-between-halves",
        subjects: &["nesting-v3/x86_64-xen"],
        breaks: &[I2, I5, I12, I15],
        follows: &[I2, I5, I15],
        kind: Design,
        why: "a task that is switched out between the hook and its mark is active without the mode",
        workloads: &[],
    },
    Finding {
        name: "fork-in-section",
        subjects: &["nesting-*|counted/*"],
        breaks: &[I1, I12],
        follows: &[],
        kind: Misuse,
        why: "a new task's counters are a copy of its parent's, an open section included: nothing clears them",
        workloads: &[],
    },
    Finding {
        name: "wrap-disable",
        subjects: &["nesting-v4|counted/!x86_64-xen@*"],
        breaks: &[I1, I2],
        follows: &[],
        kind: Misuse,
        why: "the counters wrap: a disable too many leaves the task active for ever, with no enter",
        workloads: &[],
    },
    Finding {
        name: "wrap-disable-batches",
        subjects: &["counted/powerpc64-hash|sparc64*"],
        breaks: &[I1, I2, I3, I4, I6],
        follows: &[],
        kind: Misuse,
        why: "after a disable too many the batch fills with preemption on, and nobody empties it",
        workloads: &[],
    },
    Finding {
        name: "xen-read-back",
        subjects: &["*/x86_64-xen*"],
        breaks: &[I8],
        follows: &[],
        kind: Misuse,
        why: "an update waits in the queue, and memory keeps the old entry until it goes out",
        workloads: &[],
    },
    Finding {
        name: "xen-new-task",
        subjects: &["counted/x86_64-xen"],
        breaks: &[I1, I5, I12, I15],
        follows: &[I2, I3, I4, I5, I8, I9],
        kind: Open,
        why: "the switch hooks of 7.2 resume a new task, which nobody has paused",
        workloads: &["chain_08_preemptible_sections"],
    },
    Finding {
        name: "xen-flush-mask",
        subjects: &["*/x86_64-xen*"],
        breaks: &[I3],
        follows: &[I4],
        kind: Open,
        why: "a flush inside a section goes to the CPUs that used the address space when it was asked for",
        workloads: &[],
    },
    Finding {
        name: "xen-gather-in-section",
        subjects: &["*/x86_64-xen*"],
        breaks: &[I14],
        follows: &[],
        kind: Open,
        why: "the flush waits in the queue behind the updates, and the pages are freed before it goes out",
        workloads: &[],
    },
    Finding {
        name: "pagealloc-one-cpu",
        subjects: &["*/sparc64*|x86_64-native|x86_64-xen*"],
        breaks: &[I14],
        follows: &[],
        kind: Open,
        why: "DEBUG_PAGEALLOC flushes the TLB of the CPU that frees the page, and of no other",
        workloads: &[],
    },
    Finding {
        name: "pagemap-flush-first",
        subjects: &["*/*"],
        breaks: &[I9],
        follows: &[],
        kind: Invisible,
        why: "flushes before its section ends; every backend that defers user entries defers the flush too",
        workloads: &["pagemap_scan_pmd_entry"],
    },
    Finding {
        name: "migrate-flush-first",
        subjects: &["*/*"],
        breaks: &[I9],
        follows: &[],
        kind: Invisible,
        why: "flushes before its section ends; every backend that defers user entries defers the flush too",
        workloads: &["migrate_vma_collect_pmd"],
    },
];

/// What no finding explains of what a legal program broke on a subject, as bits; `broken` is its `Summary::broken`.
#[must_use]
pub fn unexplained(subject: &str, broken: u32) -> u32 {
    let judged = broken & bits(&Invariant::ALL);
    KNOWN.iter().filter(|finding| finding.is_on(subject)).fold(judged, |left, finding| left & !finding.explains(broken))
}

/// What nothing explains of what a generated legal program broke on a subject of the registry. On those of 7.2 nothing is
/// explained but by what happens to new tasks under Xen, in a program that makes some.
#[must_use]
pub fn left_of_legal(subject: &Descriptor, program: &Program, broken: u32) -> u32 {
    if !subject.is_current() {
        return unexplained(subject.name, broken);
    }
    let judged = broken & bits(&Invariant::ALL);
    let makes_tasks = || program.ops().iter().any(|op| matches!(op, Op::Fork(_)));
    let new_task = KNOWN.iter().find(|finding| finding.name == NEW_TASK && finding.is_on(subject.name));
    match new_task {
        Some(finding) if judged != 0 && makes_tasks() => judged & !finding.explains(broken),
        _ => judged,
    }
}

/// The same for any program, judged up to its misuse, on a subject by name: what the fuzz targets ask. Of a generation before
/// 7.2 whatever a finding names on any backend of it is known, alone and in any company: short programs show a part of what a
/// cause does, and one cause shows differently on each backend.
#[must_use]
pub fn left_of(subject: &str, program: &Program, broken: u32) -> u32 {
    let Some(subject) = SUBJECTS.iter().find(|known| known.name == subject) else {
        return unexplained(subject, broken);
    };
    if subject.is_current() {
        let flushes = || program.ops().iter().any(|op| matches!(op, Op::TlbFlush(_) | Op::GatherFlush(_)));
        let moves = || program.ops().iter().any(|op| matches!(op, Op::Cpu(_)));
        let mask = KNOWN.iter().find(|finding| finding.name == FLUSH_MASK && finding.is_on(subject.name));
        let left = left_of_legal(subject, program, broken);
        return match mask {
            Some(finding) if left != 0 && flushes() && moves() => left & !bits(finding.breaks) & !bits(finding.follows),
            _ => left,
        };
    }
    let alike = || SUBJECTS.iter().filter(|other| other.generation == subject.generation);
    let named = KNOWN.iter().filter(|finding| finding.kind != Invisible && alike().any(|s| finding.is_on(s.name)));
    named.fold(broken & bits(&Invariant::ALL), |left, finding| left & !bits(finding.breaks) & !bits(finding.follows))
}

/// Whether a violation at an operation is one that 7.2 is known for, whatever the program: of a finding that is open there
/// ([`Kind::Open`]), whose own program breaks this invariant at such an operation.
#[must_use]
pub fn is_open(subject: &str, invariant: Invariant, op: &Op) -> bool {
    let open = |name: &str| KNOWN.iter().any(|finding| finding.name == name && finding.is_on(subject));
    match (invariant, op) {
        (I14, Op::GatherFlush(_)) => open("xen-gather-in-section"),
        // What KASAN depopulates goes back to the allocator.
        (I14, Op::KasanDepopulate(_)) => open("xen-gather-in-section") || open("pagealloc-one-cpu"),
        (I14, Op::Free(..) | Op::Alloc(..)) => open("pagealloc-one-cpu"),
        _ => false,
    }
}

/// What Xen's switch hooks of 7.2 do to a new task.
const NEW_TASK: &str = "xen-new-task";

/// What a flush inside a section misses under Xen.
const FLUSH_MASK: &str = "xen-flush-mask";

/// The findings that a call site meets, by its workload's name.
pub fn of_workload(name: &str) -> impl Iterator<Item = &'static Finding> {
    KNOWN.iter().filter(move |finding| finding.workloads.contains(&name))
}

/// What a call site may break on a subject, as bits: what the findings that it meets do there.
#[must_use]
pub fn excused(workload: &str, subject: &str) -> u32 {
    of_workload(workload).filter(|finding| finding.is_on(subject)).fold(0, |all, finding| all | finding.broken())
}

/// The whole list as text.
#[must_use]
pub fn list() -> String {
    KNOWN.iter().map(Finding::described).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use lazy_mmu_engine::program::text::parse;
    use lazy_mmu_engine::runner::MISUSED;
    use lazy_mmu_engine::subject::registry;

    use super::*;

    /// What is open is so on its subjects, at its operation, and nowhere else.
    #[test]
    fn what_is_open_is_known_at_its_operation() {
        for (subject, invariant, op, known) in [
            ("counted/x86_64-xen", I14, "gather_flush U 0", true),
            ("counted/aarch64", I14, "gather_flush U 0", false),
            ("counted/x86_64-native", I14, "free 0 debug", true),
            ("counted/powerpc64-hash", I14, "free 0 debug", false),
            ("counted/sparc64-sun4v", I14, "kasan_depopulate K 7", true),
            ("counted/aarch64", I14, "kasan_depopulate K 7", false),
            ("counted/x86_64-xen", I14, "tlb_flush U 0", false),
            ("counted/x86_64-xen", I9, "gather_flush U 0", false),
        ] {
            let program = lazy_mmu_engine::program::text::parse(op).expect("a program");
            assert_eq!(is_open(subject, invariant, &program.ops()[0]), known, "{subject}, {}, {op}", invariant.id());
        }
    }

    /// The sign of a finding must be there, and nothing else is explained by it.
    #[test]
    fn what_no_finding_explains_is_left() {
        let on = |invariants: &[Invariant]| unexplained("nesting-v4/aarch64", bits(invariants));
        assert_eq!(on(&[]), 0);
        assert_eq!(on(&[I2, I15]), 0);
        assert_eq!(on(&[I2, I4, I15]), 0, "what follows, with its sign");
        assert_eq!(on(&[I4]), bits(&[I4]), "what follows, without its sign");
        assert_eq!(on(&[I2, I8, I15]), bits(&[I8]), "what does not follow");
        assert_eq!(
            unexplained("counted/aarch64", bits(&[I1, I2])),
            bits(&[I1, I2]),
            "misuse explains no legal program"
        );
        assert_eq!(unexplained("counted/aarch64", MISUSED | bits(&[I9])), bits(&[I9]), "what is invisible neither");
    }

    #[test]
    fn on_7_2_a_legal_program_is_excused_for_new_tasks_under_xen_alone() {
        let left = |subject: &str, program: &str, invariants: &[Invariant]| {
            let subject = registry::find(subject).expect("a known subject");
            left_of_legal(subject, &parse(program).expect("a program"), bits(invariants))
        };
        let (xen, makes, other) = ("counted/x86_64-xen", "fork T4; switch T4", "switch T1");
        assert_eq!(left(xen, makes, &[I1, I12, I15]), 0);
        assert_eq!(left(xen, makes, &[I1, I4, I12, I15]), 0, "what follows");
        assert_eq!(left(xen, makes, &[I1, I14, I12, I15]), bits(&[I14]), "what does not follow");
        assert_eq!(left(xen, makes, &[I4]), bits(&[I4]), "without its sign");
        assert_eq!(left(xen, makes, &[I14]), bits(&[I14]), "other findings are no excuse");
        assert_eq!(left(xen, other, &[I1, I12, I15]), bits(&[I1, I12, I15]), "no new task");
        assert_eq!(left("counted/sparc64", makes, &[I1, I12, I15]), bits(&[I1, I12, I15]), "not Xen");
        assert_eq!(left("nesting-v4/aarch64", other, &[I2, I15]), 0, "another generation's own finding");
        assert!(KNOWN.iter().any(|finding| finding.name == NEW_TASK && finding.kind == Open));
    }

    #[test]
    fn a_run_shows_what_breaks_as_the_program_does() {
        let find = |name: &str| KNOWN.iter().find(|finding| finding.name == name).expect("a known finding");
        let (misuse, design) = (find("wrap-disable"), find("nesting-pause-outside"));
        assert!(misuse.shows(MISUSED | bits(&[I1, I2])) && !misuse.shows(bits(&[I1, I2])));
        assert!(design.shows(bits(&[I2, I15])) && !design.shows(MISUSED | bits(&[I2, I15])));
        assert!(!design.shows(bits(&[I2])) && !design.shows(bits(&[I2, I4, I15])));
        assert!(!find("pagemap-flush-first").shows(bits(&[I9])), "nothing shows it");
    }

    #[test]
    fn a_call_site_is_excused_where_a_finding_names_it() {
        let chain = "chain_08_preemptible_sections";
        assert_eq!(excused(chain, "counted/x86_64-xen"), bits(&[I1, I5, I12, I15]));
        assert_eq!(excused(chain, "counted/aarch64"), 0);
        assert_eq!(excused("pagemap_scan_pmd_entry", "counted/x86_64-xen"), 0, "it is invisible");
    }
}
