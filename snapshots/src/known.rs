//! The known findings: where a faithful subject breaks the contract by its own design, by what its callers may not do,
//! or in a way that Linux 7.2 still has.
//!
//! A finding has a cause: what must have happened, on the task, CPU and entry at hand, before a violation ([`Cause`]). It
//! explains the violations of its invariants on its subjects where that is so ([`explain_all`]), and nothing else: not other
//! violations of the same run, nor later ones of the same invariant. Its program, `programs/known/<name>.lmm`, is the smallest
//! that shows it, and its leading comment tells a kernel developer what happens and why. On every subject that the finding
//! names, the program breaks exactly what the finding says and its condition explains it: the tests hold both, so that an
//! entry which is out of date fails.
//!
//! | file | what |
//! | --- | --- |
//! | `finding`, `cause` | what a finding is; the conditions by name |
//! | `past` | one pass over the events: what has happened, and why |
//! | `layer`, `hooks`, `form` | the tables by which calls and hooks are followed |
//! | `memory` | which entries wait, and what is left behind |
//! | `explain` | whether what has happened is the cause of a violation |
//!
//! Called by the tests of this package (the list is the snapshot `known__list`), by the fuzz targets and by the host command.

mod cause;
mod explain;
mod finding;
mod form;
mod hooks;
mod layer;
mod memory;
mod past;
pub mod tree;

use lazy_mmu_engine::contract::{Invariant, Violation};
use lazy_mmu_engine::fuzz::unexplained;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::Event;

use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8, I9, I11, I12, I14, I15};
use Kind::{Design, Invisible, Misuse, Open};
pub use cause::Cause;
pub use finding::{Finding, Kind, bits, matches};
use form::Form;
use past::Past;

/// Every known finding, in the order of history.
pub const KNOWN: &[Finding] = &[
    Finding {
        name: "stateless-nested",
        subjects: &["stateless/aarch64|powerpc64-hash|sparc64"],
        causes: &[Cause::InnerSection],
        breaks: &[I2, I5, I12],
        follows: &[I5, I7],
        kind: Design,
        why: "the inner leave ends the mode for the outer section too: nobody counts",
        workloads: &[],
    },
    Finding {
        name: "early-pause-outside",
        subjects: &["stateless|token/aarch64|powerpc64-hash|sparc64"],
        causes: &[Cause::PauseOutside],
        breaks: &[I1, I2, I3, I4, I12],
        follows: &[I1, I3, I4, I5, I6, I9, I11, I14],
        kind: Design,
        why: "KASAN's leave and enter leave the mode on where no section is open, or where one is paused already",
        workloads: &[],
    },
    Finding {
        name: "early-preempt-count",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        causes: &[Cause::PauseOutside],
        breaks: &[I1, I2, I7, I12],
        follows: &[I1, I7],
        kind: Design,
        why: "a leave without its enter turns preemption on where it was on: preempt_count is -1 in the pause",
        workloads: &[],
    },
    Finding {
        name: "early-section-in-pause",
        subjects: &["stateless|token/aarch64|powerpc64-hash|sparc64|x86_64-xen*"],
        causes: &[Cause::SectionInPause],
        breaks: &[I4, I12],
        follows: &[I1, I2, I3, I4, I6, I7, I8, I9, I11, I14],
        kind: Design,
        why: "a section opened in a pause is a section: nobody knows of the pause",
        workloads: &[],
    },
    Finding {
        name: "early-handler",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        causes: &[Cause::HandlerChange],
        breaks: &[I4, I11],
        follows: &[I3, I4, I9, I14],
        kind: Design,
        why: "a handler's change goes into the interrupted task's batch: nothing asks for interrupt context",
        workloads: &[],
    },
    Finding {
        name: "early-handler-calls",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        causes: &[Cause::HandlerCall],
        breaks: &[I2],
        follows: &[I1, I3, I4, I5, I6, I7, I9, I11, I12, I14],
        kind: Design,
        why: "a call in interrupt context acts on the mode that the interrupted task has on this CPU",
        workloads: &[],
    },
    Finding {
        name: "early-bottom-halves",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        causes: &[Cause::BottomHalves],
        breaks: &[I4],
        follows: &[I1, I2, I3, I5, I6, I7, I9, I11, I12, I14],
        kind: Design,
        why: "a section in interrupt context is a section: nothing asks for interrupt context",
        workloads: &[],
    },
    Finding {
        name: "early-xen-bottom-halves",
        subjects: &["stateless|token/x86_64-xen*"],
        causes: &[Cause::BottomHalves],
        breaks: &[I4],
        follows: &[I1, I2, I3, I5, I8, I9, I12, I14],
        kind: Design,
        why: "a section opened with bottom halves off is on when they are on again: nothing asks for interrupt context",
        workloads: &[],
    },
    Finding {
        name: "early-flush-empty",
        subjects: &["stateless|token/powerpc64-hash|sparc64"],
        causes: &[Cause::EmptyFlush],
        breaks: &[I3],
        follows: &[I4, I9, I14],
        kind: Design,
        why: "the arch flush is an empty function: nothing is forced out before the leave",
        workloads: &[],
    },
    Finding {
        name: "stateless-xen-nested",
        subjects: &["stateless/x86_64-xen"],
        causes: &[Cause::InnerSection, Cause::HandlerCall, Cause::SectionInPause, Cause::BottomHalves],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "enter insists that the CPU is in no mode, and dies of a BUG inside another section",
        workloads: &[],
    },
    Finding {
        name: "early-xen-pause-outside",
        subjects: &["stateless|token/x86_64-xen*"],
        causes: &[Cause::PauseOutside, Cause::HandlerCall, Cause::BottomHalves],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "leave insists that the CPU is in the mode, and dies of a BUG where no section is open",
        workloads: &[],
    },
    Finding {
        name: "xen66-nested",
        subjects: &["stateless/x86_64-xen@6.6"],
        causes: &[Cause::InnerSection],
        breaks: &[I2],
        follows: &[],
        kind: Design,
        why: "enters are counted, and the hooks of a section inside another run all the same",
        workloads: &[],
    },
    Finding {
        name: "xen66-switch-nested",
        subjects: &["stateless/x86_64-xen@6.6"],
        causes: &[Cause::NestedSwitch],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "the switch hooks leave one of two levels, find the mode still on, and die of a BUG",
        workloads: &[],
    },
    Finding {
        name: "token-pause-nested",
        subjects: &["token/powerpc64-hash|sparc64"],
        causes: &[Cause::NestedPause],
        breaks: &[I7],
        follows: &[],
        kind: Design,
        why: "every enter turns preemption off, and a pause inside two sections turns it on once",
        workloads: &[],
    },
    Finding {
        name: "xen66-pause-nested",
        subjects: &["stateless/x86_64-xen@6.6"],
        causes: &[Cause::NestedPause],
        breaks: &[I2, I3, I4, I12],
        follows: &[I3, I4, I8, I9, I12, I14],
        kind: Design,
        why: "one leave of two takes the nesting down by one: KASAN's pause does not pause",
        workloads: &[],
    },
    Finding {
        name: "nesting-pause-outside",
        subjects: &["nesting-*/*"],
        causes: &[Cause::PauseOutside],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "a pause outside a section, or a second one, warns and runs its hook all the same",
        workloads: &[],
    },
    Finding {
        name: "nesting-section-in-pause",
        subjects: &["nesting-*/*"],
        causes: &[Cause::SectionInPause],
        breaks: &[I2, I15],
        follows: &[I1, I3, I4, I8, I9, I14],
        kind: Design,
        why: "a section in a pause warns, at both ends, and runs its hook all the same",
        workloads: &[],
    },
    Finding {
        name: "nesting-left-on",
        subjects: &["nesting-*/aarch64|powerpc64-hash|sparc64"],
        causes: &[Cause::LeftOn, Cause::PauseOutside],
        breaks: &[I2, I3, I4, I15],
        follows: &[I3, I4, I5, I6, I9, I14],
        kind: Design,
        why: "after a pause outside a section the task counts as active until its next section ends",
        workloads: &[],
    },
    Finding {
        name: "nesting-preempt-count",
        subjects: &["nesting-*/powerpc64-hash|sparc64"],
        causes: &[Cause::PauseOutside, Cause::SectionInPause],
        breaks: &[I2, I7, I15],
        follows: &[I7],
        kind: Design,
        why: "a leave without its enter turns preemption on where it was on: preempt_count is -1 in the pause",
        workloads: &[],
    },
    Finding {
        name: "v3-limit",
        subjects: &["nesting-v3/*"],
        causes: &[Cause::Limit],
        breaks: &[I1, I2, I15],
        follows: &[],
        kind: Misuse,
        why: "the counter's limits are VM_BUG_ON: a debug kernel dies of a misuse it could report",
        workloads: &[],
    },
    Finding {
        name: "xen70-between-halves",
        subjects: &["nesting-*/x86_64-xen", "counted/x86_64-xen@7.0"],
        causes: &[Cause::BetweenHalves],
        breaks: &[I2, I15],
        follows: &[],
        kind: Design,
        why: "between the halves of a call the counters and the CPU's mode differ, and the switch hooks mix them up",
        workloads: &[],
    },
    Finding {
        name: "v3-xen-between-halves",
        subjects: &["nesting-v3/x86_64-xen"],
        causes: &[Cause::BetweenHalves],
        breaks: &[I2, I5, I12, I15],
        follows: &[I2, I5, I15],
        kind: Design,
        why: "a task that is switched out between the hook and its mark is active without the mode",
        workloads: &[],
    },
    Finding {
        name: "fork-in-section",
        subjects: &["nesting-*|counted/*"],
        causes: &[Cause::ForkInSection],
        breaks: &[I1, I12],
        follows: &[],
        kind: Misuse,
        why: "a new task's counters are a copy of its parent's, an open section included: nothing clears them",
        workloads: &[],
    },
    Finding {
        name: "wrap-disable",
        subjects: &["nesting-v4|counted/!x86_64-xen@*"],
        causes: &[Cause::Limit],
        breaks: &[I1, I2],
        follows: &[],
        kind: Misuse,
        why: "the counters wrap: a disable too many leaves the task active for ever, with no enter",
        workloads: &[],
    },
    Finding {
        name: "wrap-disable-batches",
        subjects: &["counted/powerpc64-hash|sparc64*"],
        causes: &[Cause::Limit],
        breaks: &[I1, I2, I3, I4, I6],
        follows: &[],
        kind: Misuse,
        why: "after a disable too many the batch fills with preemption on, and nobody empties it",
        workloads: &[],
    },
    Finding {
        name: "xen-read-back",
        subjects: &["*/x86_64-xen*"],
        causes: &[Cause::ReadsDeferred],
        breaks: &[I8],
        follows: &[],
        kind: Misuse,
        why: "an update waits in the queue, and memory keeps the old entry until it goes out",
        workloads: &[],
    },
    Finding {
        name: "xen-new-task",
        subjects: &["counted/x86_64-xen"],
        causes: &[Cause::NewTask],
        breaks: &[I1, I5, I12, I15],
        follows: &[I2, I3, I4, I5, I8, I9, I14],
        kind: Open,
        why: "the switch hooks of 7.2 resume a new task, which nobody has paused",
        workloads: &["chain_08_preemptible_sections"],
    },
    Finding {
        name: "xen-flush-mask",
        subjects: &["*/x86_64-xen*"],
        causes: &[Cause::QueuedFlush],
        breaks: &[I3],
        follows: &[I4],
        kind: Open,
        why: "a flush inside a section goes to the CPUs that used the address space when it was asked for",
        workloads: &[],
    },
    Finding {
        name: "xen-gather-in-section",
        subjects: &["*/x86_64-xen*"],
        causes: &[Cause::QueuedGather],
        breaks: &[I14],
        follows: &[],
        kind: Open,
        why: "the flush waits in the queue behind the updates, and the pages are freed before it goes out",
        workloads: &[],
    },
    Finding {
        name: "pagealloc-one-cpu",
        subjects: &["*/sparc64*|x86_64-native|x86_64-xen*"],
        causes: &[Cause::OneCpuFlush],
        breaks: &[I14],
        follows: &[],
        kind: Open,
        why: "DEBUG_PAGEALLOC flushes the TLB of the CPU that frees the page, and of no other",
        workloads: &[],
    },
    Finding {
        name: "pagemap-flush-first",
        subjects: &["*/*"],
        causes: &[],
        breaks: &[I9],
        follows: &[],
        kind: Invisible,
        why: "flushes before its section ends; every backend that defers user entries defers the flush too",
        workloads: &["pagemap_scan_pmd_entry"],
    },
    Finding {
        name: "migrate-flush-first",
        subjects: &["*/*"],
        causes: &[],
        breaks: &[I9],
        follows: &[],
        kind: Invisible,
        why: "flushes before its section ends; every backend that defers user entries defers the flush too",
        workloads: &["migrate_vma_collect_pmd"],
    },
];

/// The finding that explains each violation on a subject of the registry, by the events of its run; `violations` are in the
/// order of their events. None explains what the run breaks besides.
#[must_use]
pub fn explain_all(subject: &str, events: &[Event], violations: &[Violation]) -> Vec<Option<&'static Finding>> {
    let Some(descriptor) = SUBJECTS.iter().find(|known| known.name == subject) else {
        return vec![None; violations.len()];
    };
    let on: Vec<&Finding> = KNOWN.iter().filter(|finding| finding.is_on(subject)).collect();
    let mut past = Past::new(Form::of(descriptor));
    let mut watched = 0;
    let one = |violation: &Violation| {
        let end = events.len().min(violation.event + 1);
        events[watched.min(end)..end].iter().for_each(|event| past.watch(event));
        watched = watched.max(end);
        let causes = past.causes(violation, events.get(violation.event));
        let by = |cause| on.iter().find(|finding| finding.excuses(violation.invariant, cause)).copied();
        causes.iter().find_map(by)
    };
    violations.iter().map(one).collect()
}

/// The name of the finding that explains each violation: what the fuzz targets ask ([`explain_all`]).
#[must_use]
pub fn names(subject: &str, events: &[Event], violations: &[Violation]) -> Vec<Option<&'static str>> {
    explain_all(subject, events, violations).into_iter().map(|finding| finding.map(|finding| finding.name)).collect()
}

/// Runs a program on the subject at `at` of the registry, natively: every violation, in the order of their events, with the
/// finding that explains it.
pub fn judged(runner: &mut Runner, at: usize, program: &Program) -> Vec<(Violation, Option<&'static Finding>)> {
    let (_, verdict) = runner.run(at, Port::Model, program);
    if verdict.holds() {
        return Vec::new();
    }
    let violations = runner.judge_every(SUBJECTS[at].rules(), false).violations;
    let findings = explain_all(SUBJECTS[at].name, runner.events(), &violations);
    violations.into_iter().zip(findings).collect()
}

/// What no finding explains of what a program breaks there, as bits.
pub fn left(runner: &mut Runner, at: usize, program: &Program) -> u32 {
    let unknown = judged(runner, at, program).into_iter().filter(|(_, finding)| finding.is_none());
    unknown.fold(0, |all, (violation, _)| all | 1 << violation.invariant as u32)
}

/// The same of a program that may misuse the API: of what is the subject's own fault alone.
pub fn left_of_any(runner: &mut Runner, at: usize, program: &Program) -> u32 {
    runner.run(at, Port::Model, program);
    let first = unexplained(runner, SUBJECTS[at].rules(), SUBJECTS[at].name, names);
    first.map_or(0, |violation| 1 << violation.invariant as u32)
}

/// The finding that explains one violation ([`explain_all`]).
#[must_use]
pub fn explain(subject: &str, events: &[Event], violation: &Violation) -> Option<&'static Finding> {
    explain_all(subject, events, std::slice::from_ref(violation)).pop().flatten()
}

/// The findings that a call site meets, by its workload's name.
pub fn of_workload(name: &str) -> impl Iterator<Item = &'static Finding> {
    KNOWN.iter().filter(move |finding| finding.workloads.contains(&name))
}

/// The whole list as text.
#[must_use]
pub fn list() -> String {
    KNOWN.iter().map(Finding::described).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
