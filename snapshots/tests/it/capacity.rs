//! Every section length from 0 to 512, on every backend of the counted generation, against what the specification
//! says in one line each.

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::Op as Insn;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::registry::{SUBJECTS, find};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::What;

/// What a run of `program` on the subject flushes, in order; instructions by kind.
fn flushes(runner: &mut Runner, subject: &str, program: &str) -> (Vec<u16>, Vec<Insn>) {
    let name = find(subject).expect("a known subject").name;
    let at = SUBJECTS.iter().position(|subject| subject.name == name).expect("it is in the registry");
    let (events, verdict) = runner.run(at, Port::Model, &parse(program).expect("a program"));
    assert!(verdict.holds(), "{subject}: {program}: {verdict:?}");
    let notes = events.iter().filter_map(|event| match event.what {
        What::Note(Note::FlushPending(n)) => Some(n),
        _ => None,
    });
    let insns = events.iter().filter_map(|event| match event.what {
        What::Insn(insn) => Some(insn.op),
        _ => None,
    });
    (notes.collect(), insns.collect())
}

#[test]
fn batches_of_192() {
    let mut runner = Runner::new();
    for n in 0..=512u16 {
        let program = format!("set U 0 x{n}; access U 0 x{n}; enable; clear U 0 x{n}; disable");
        let mut expected = vec![192; usize::from(n / 192)];
        expected.extend((n % 192 > 0).then_some(n % 192));
        for subject in ["powerpc64-hash", "sparc64", "sparc64-sun4v"] {
            assert_eq!(flushes(&mut runner, subject, &program).0, expected, "{subject}, {n}");
        }
        let (flushed, insns) = flushes(&mut runner, "powerpc64-radix", &program);
        assert!(flushed.is_empty() && insns.is_empty(), "radix, {n}");
    }
}

#[test]
fn one_barrier_pair_and_one_flag_per_section() {
    let mut runner = Runner::new();
    for n in 0..=512u16 {
        let (_, insns) = flushes(&mut runner, "aarch64", &format!("enable; repeat {n} {{ set K 3 }}; disable"));
        // The atomic that clears the flag comes in any case.
        let once: &[Insn] =
            if n > 0 { &[Insn::FlagSet, Insn::FlagClear, Insn::DsbIshst, Insn::Isb] } else { &[Insn::FlagClear] };
        assert_eq!(insns, once, "{n}");
        let (_, insns) = flushes(&mut runner, "aarch64", &format!("enable; set U 0 x{n}; disable"));
        assert_eq!(insns, [Insn::FlagClear], "user entries need no barrier: {n}");
    }
}

#[test]
fn hypercalls_of_31_updates() {
    let mut runner = Runner::new();
    for n in 0..=512u16 {
        let (_, insns) = flushes(&mut runner, "x86_64-xen", &format!("enable; set K 0 x{n}; disable"));
        let expected = vec![Insn::HcMmuUpdate; usize::from(n.div_ceil(31))];
        assert_eq!(insns, expected, "{n}");
        let (_, insns) = flushes(&mut runner, "x86_64-native", &format!("enable; set K 0 x{n}; disable"));
        assert!(insns.is_empty(), "native stores need nothing: {n}");
    }
}
