//! The zoo against the public record: a specimen breaks what the record names for its defect, or why it does not is said.

use lazy_mmu_engine::contract::Invariant::{
    self, I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13, I14, I15, Model,
};
use lazy_mmu_engine::zoo::{self, Specimen};

/// The entries of the record and what each names, by family. Specimens have an entry's name, and a mutant's behind it.
const RECORD: &[(&str, &[Invariant])] = &[
    // Xen
    ("xen-switch-midenable", &[I2, I12]),
    ("xen-switch-middisable", &[I2, I12]),
    ("xen-switch-midpause", &[I2, I12]),
    ("xen-switch-midresume", &[I2, I12]),
    ("xen-nested-set-ptes", &[I2, I15]),
    ("xen-flush-preempt-window", &[I6, I3]),
    ("xen-vmalloc-fault-deferred-pgd", &[I8, I4]),
    ("xen-cpa-irq-in-lazy", &[I4, I8, I11]),
    ("xen-kmap-local-flush", &[I4, I8]),
    ("xen-read-after-write-same-slot", &[I8]),
    ("xen-read-after-write-slot-none", &[I8]),
    ("xen-mc-issue-mode-in-interrupt", &[I4, I11]),
    ("xen-mc-issue-mode-inverted", &[I5]),
    ("xen-mc-issue-mode-cpu-flag", &[I5]),
    ("xen-mc-issue-mode-no-switch-flush", &[I6]),
    // arm64
    ("arm64-nest-debug-pagealloc", &[I15, I2]),
    ("arm64-inner-leave-kills-batching", &[I5]),
    ("arm64-softirq-pte", &[I4, I11, I15]),
    ("arm64-paused-enable-warn", &[I15]),
    ("arm64-paused-enable-activates", &[I4]),
    ("arm64-pending-flag-atomic", &[I5]),
    ("arm64-split-leaf-sleep", &[I7]),
    // powerpc64
    ("ppc-batch-outside-ptl", &[I3, I14]),
    ("ppc-hash-kernel-preempt", &[I6, I12, I7]),
    ("ppc-switch-reactivate", &[I5, I3, I6]),
    ("ppc-set-ptes-nested", &[I5, I2]),
    ("ppc-flush-missing-radix", &[I13, I7]),
    ("ppc-mm-change-mid-batch", &[I10, I3]),
    ("ppc-batch-192", &[I10, I3]),
    ("ppc-mmu-gather-flush", &[I14]),
    // sparc64
    ("sparc-no-preempt-disable", &[I6, I12, I3]),
    ("sparc-set-ptes-nested", &[I5, I2]),
    ("sparc-hugepage-shift-mid-batch", &[I10]),
    // The generic layer
    ("gen-vmbugon", &[I15]),
    ("gen-u8-overflow-enable", &[I1, I2, I15]),
    ("gen-u8-overflow-disable", &[I1, I2, I15]),
    ("gen-u8-overflow-pause", &[I1, I2, I15]),
    ("gen-u8-overflow-resume", &[I1, I2, I15]),
    ("gen-double-disable", &[I1, I4, I6]),
    ("gen-active-before-enter", &[I2, I12]),
    ("gen-order-v3", &[Model]),
    ("gen-pause-outside-section", &[I2, I7, I4]),
    ("gen-pause-twice", &[I4, I2]),
    ("gen-nested-disable-no-flush", &[I3]),
    ("gen-token-default-misuse", &[I2, I7]),
    ("gen-irq-bailout-missing", &[I11, I4]),
    ("gen-name-confusion", &[I4]),
    ("gen-sleep-constraint", &[I7]),
    // Callers
    ("call-vmalloc-error-return", &[I1, I4]),
    ("call-kasan-alloc-in-section", &[I7]),
    ("call-kasan-shadow-pause", &[I3, I8]),
    ("call-apply-range-allocator", &[I4, I3, I5]),
    ("call-zap-next-batch", &[I5, I3]),
    ("call-pagemap-flush-before-disable", &[I9]),
    ("call-migrate-flush-before-disable", &[I9, I14]),
    ("call-early-return", &[I1]),
];

/// Specimens that break something that the record does not name, and why.
const OTHERWISE: &[(&str, Invariant, &str)] = &[
    ("zoo/ppc-switch-reactivate-lost", I12, "that the mode is off after the switch is seen before what is lost by it"),
    ("zoo/ppc-batch-192-flushes-191", I5, "no entry is lost: a batch with room for one more is flushed"),
    ("zoo/sparc-no-preempt-disable", I7, "that preemption is on is seen at the enter, before anything is lost by it"),
    ("zoo/call-apply-range-allocator", I2, "before 7.0 the section inside the section is seen before what it costs"),
    ("zoo/call-zap-next-batch", I2, "before 7.0 the section inside the section is seen before what it costs"),
];

/// Specimens that are no entry's, and what they are.
const OF_NO_ENTRY: &[(&str, &str)] = &[
    ("zoo/xen-switch-no-resume", "the other half of the fix of the windows, left out"),
    ("zoo/arm64-contpte-get", "a read that no barrier mends"),
    ("zoo/gen-helpers-before-counters", "a state between two commits of the merged series"),
    ("zoo/sparc-mm-change-mid-batch", "ppc-mm-change-mid-batch, whose record says that sparc64 has the same rule"),
    ("zoo/sparc-batch-in-interrupt", "the rule of powerpc64 that a handler leaves a batch alone, broken"),
];

/// The entry that a specimen is of: the longest, where one's name begins with another's.
fn entry_of(specimen: &Specimen) -> Option<&'static (&'static str, &'static [Invariant])> {
    let name = specimen.name.strip_prefix(zoo::PREFIX).expect("a specimen's name");
    let is_of = |entry: &str| name.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    RECORD.iter().filter(|entry| is_of(entry.0)).max_by_key(|entry| entry.0.len())
}

#[test]
fn each_specimen_breaks_what_the_record_names() {
    for specimen in zoo::all() {
        let Some((entry, named)) = entry_of(specimen) else {
            assert!(OF_NO_ENTRY.iter().any(|other| other.0 == specimen.name), "{} is of no entry", specimen.name);
            continue;
        };
        assert!(OF_NO_ENTRY.iter().all(|other| other.0 != specimen.name), "{} is of {entry}", specimen.name);
        let breaks = specimen.breaks;
        let otherwise = OTHERWISE.iter().any(|other| (other.0, other.1) == (specimen.name, breaks));
        assert_ne!(named.contains(&breaks), otherwise, "{}: {breaks:?}, where {entry} names {named:?}", specimen.name);
    }
}

#[test]
fn each_entry_has_a_specimen_and_each_exception_is_one() {
    for (entry, _) in RECORD {
        assert!(zoo::all().any(|specimen| entry_of(specimen).is_some_and(|of| of.0 == *entry)), "{entry}");
    }
    let exceptions = OTHERWISE.iter().map(|other| other.0).chain(OF_NO_ENTRY.iter().map(|other| other.0));
    exceptions.for_each(|name| assert!(zoo::find(name).is_some(), "{name}"));
}
