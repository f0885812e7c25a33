//! The table is sound, every invariant has a specimen, and a bend that overrides nothing changes nothing.

use std::collections::BTreeSet;

use lazy_mmu_arches::mmu::Mmu;

use super::bent::{Bend, Bent};
use super::types::{Counting, Hooked, counting, hooked};
use super::*;
use crate::registry::SUBJECTS;
use lazy_mmu_machine::Machine;
use lazy_mmu_program::generate;

struct Nothing;

impl Bend for Nothing {}

impl Counting for Nothing {}

macro_rules! unbent {
    ($($name:ident = $backend:ty;)*) => {
        $(enum $name {}

        impl Hooked for $name {
            type Base = $backend;
        })*
    };
}

unbent! {
    Arm64 = lazy_mmu_arches::aarch64::Aarch64;
    Hash = lazy_mmu_arches::powerpc64::Hash;
    Sparc = lazy_mmu_arches::sparc64::Sparc64;
    Xen = lazy_mmu_arches::x86_64::Xen;
}

#[test]
fn names_are_unique_and_every_invariant_has_a_specimen() {
    let names: BTreeSet<_> = all().map(|specimen| specimen.name).collect();
    assert_eq!(names.len(), all().count());
    for specimen in all() {
        assert_eq!(find(specimen.name).map(|found| found.name), Some(specimen.name));
        assert!(specimen.name.starts_with(PREFIX), "{}", specimen.name);
        assert!(specimen.about.ends_with('.') && !specimen.about.contains("  "), "{}", specimen.name);
        let History { ids, lived, .. } = specimen.history;
        assert!(!ids.is_empty() && !lived.is_empty(), "{}", specimen.name);
        assert_eq!(registry::find(specimen.fixed).map(|fixed| fixed.name), Some(specimen.fixed), "{}", specimen.name);
        let older = if let Form::Older(name) = specimen.form { name } else { specimen.fixed };
        assert_eq!(registry::find(older).map(|older| older.name), Some(older), "{}", specimen.name);
        let made = specimen.make(Port::Model);
        assert_eq!(made.mmu(), specimen.base().mmu, "{}", specimen.name);
        assert_eq!(made.keeps_counters(), specimen.rules().counters, "{}", specimen.name);
    }
    let broken: BTreeSet<_> = all().map(|specimen| specimen.breaks).collect();
    assert!(Invariant::ALL.iter().all(|invariant| broken.contains(invariant)), "{broken:?}");
    assert!(find("zoo/").is_none() && find("counted/none").is_none());
}

/// What wraps without bending is the subject itself, event by event, at the boundary and inside.
#[test]
fn a_bend_that_overrides_nothing_changes_nothing() {
    let mut machine = Machine::new();
    let mut same = |name: &str, faithful: &dyn Subject, wrapped: &dyn Subject| {
        for seed in 0..150 {
            for program in [generate::legal(seed, 40), generate::any(seed, 40)] {
                let expected = machine.run(faithful, &program).to_vec();
                assert_eq!(machine.run(wrapped, &program), expected, "{name}, seed {seed}:\n{program}");
            }
        }
    };
    for subject in SUBJECTS {
        let faithful = subject.make(Port::Model);
        same(subject.name, &*faithful, &Bent::new(subject.make(Port::Model), Nothing));
    }
    for (mmu, wrapped, generation) in [
        (Mmu::Aarch64, hooked::<Arm64>(Port::Model), counting::<Nothing, <Arm64 as Hooked>::Base>(Port::Model)),
        (Mmu::Hash, hooked::<Hash>(Port::Model), counting::<Nothing, <Hash as Hooked>::Base>(Port::Model)),
        (Mmu::Sun4u, hooked::<Sparc>(Port::Model), counting::<Nothing, <Sparc as Hooked>::Base>(Port::Model)),
        (Mmu::Xen, hooked::<Xen>(Port::Model), counting::<Nothing, <Xen as Hooked>::Base>(Port::Model)),
    ] {
        let subject = SUBJECTS.iter().find(|s| s.is_current() && s.mmu == mmu).expect("one for each MMU");
        same(subject.name, &*subject.make(Port::Model), &*wrapped);
        same(subject.name, &*subject.make(Port::Model), &*generation);
    }
}
