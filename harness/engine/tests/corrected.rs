//! Every correction is of a subject that exists, changes what that subject does, and changes nothing of the generic layer.

use lazy_mmu_engine::alike;
use lazy_mmu_engine::corrected::{CORRECTIONS, make};
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::registry::find;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::{Port, Subject};
use lazy_mmu_engine::trace::{Event, digests};

fn run(runner: &mut Runner, subject: &dyn Subject, of: &str, text: &str) -> (u64, String) {
    let program = parse(text).expect("a program");
    let rules = find(of).expect("a subject").rules();
    let events: Vec<Event> = runner.run_on(subject, rules, &program).0.to_vec();
    (digests(&events).0, alike::listing(subject, &events))
}

#[test]
fn each_correction_changes_its_own_case_and_no_generic_event() {
    let cases = [
        ("xen-exchange", "set U 0; enable; clear U 0; disable"),
        ("xen-huge-set", "set U 0 huge"),
        ("xen-own-flush", "set K 0 x2; clear K 0 x2; tlb_flush K 0 x2"),
        ("xen-linear-flush", "enable; alloc 0 debug; disable"),
        ("hash-set-over-live", "set U 0; access U 0; enable; set U 0; disable"),
        ("hash-linear-insert", "alloc 0 debug; free 0 debug"),
        ("hash-4k-one-size", "set U 0; access U 0; set U 1 large; access U 1; enable; clear U 0; clear U 1; disable"),
        ("radix-flush", "set U 0; access U 0; clear U 0; tlb_flush U 0"),
        ("radix-4k-table", "set U 0 x33; access U 0 x33; clear U 0 x33; tlb_flush U 0 x33"),
        ("sparc-linear-word", "alloc 0 debug"),
        ("sparc-linear-word", "alloc 0 debug"),
    ];
    let mut runner = Runner::new();
    assert_eq!(cases.map(|(name, _)| name).to_vec(), CORRECTIONS.iter().map(|one| one.name).collect::<Vec<_>>());
    for ((name, text), &one) in cases.iter().zip(CORRECTIONS) {
        let faithful = find(one.of).expect("a subject").make(Port::Model);
        let [all, but_one] = [None, Some(one)].map(|without| make(one.of, one.is_4k, without).expect("a correction"));
        let faithful = run(&mut runner, &*faithful, one.of, text);
        let all = run(&mut runner, &*all, one.of, text);
        let but_one = run(&mut runner, &*but_one, one.of, text);
        assert_ne!(all.1, but_one.1, "{name} changes nothing in `{text}`");
        assert_eq!((all.0, but_one.0), (faithful.0, faithful.0), "{name}: generic events");
    }
}

/// Two pages of the kernel, flushed: each of both CPUs drops both, by an operation for each.
#[test]
fn every_cpu_flushes_the_kernels_pages_by_itself() {
    let of = "counted/x86_64-xen";
    let subject = make(of, false, None).expect("corrections");
    let text = "set K 0 x2; access K 0 x2; cpu 1; access K 0 x2; clear K 0 x2; tlb_flush K 0 x2; access K 0 x2; cpu 0; access K 0 x2";
    let (_, listing) = run(&mut Runner::new(), &*subject, of, text);
    let flush = listing.split("tlb_flush").nth(1).expect("the flush");
    assert_eq!(flush.matches("hypercall mmuext_op").count(), 4, "{listing}");
    assert!(!flush.contains("-> frame"), "{listing}");
}

#[test]
fn a_subject_without_corrections_has_none() {
    assert!(make("counted/aarch64", false, None).is_none());
    assert!(make("nonsense", false, None).is_none());
}

/// Beside a kernel of 64K pages our Rust is as it was: what 4K pages are corrected by is left out.
#[test]
fn a_correction_of_4k_pages_is_none_of_the_usual_ones() {
    let text = "set U 0; access U 0; set U 1 large; access U 1; enable; clear U 0; clear U 1; disable";
    let of = "counted/powerpc64-hash";
    let [usual, of_4k] = [false, true].map(|is_4k| make(of, is_4k, None).expect("corrections"));
    let mut runner = Runner::new();
    let [usual, of_4k] = [usual, of_4k].map(|subject| run(&mut runner, &*subject, of, text).1);
    // Two batches of one entry, or one of two.
    assert_eq!((usual.matches("flush_pending 1").count(), usual.matches("flush_pending 2").count()), (2, 0), "{usual}");
    assert_eq!((of_4k.matches("flush_pending 1").count(), of_4k.matches("flush_pending 2").count()), (0, 1), "{of_4k}");
}
