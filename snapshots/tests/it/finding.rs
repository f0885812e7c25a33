//! What a finding becomes, for a few specimens of the zoo: the report, the Rust test, the KUnit case and the program file.
//!
//! The helpers that KUnit cases share are left out: they are a file of their own (`finding/kunit/helpers.c`).

use lazy_mmu_engine::finding::{Suspect, kunit, program, report, rust_test};
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::zoo;

use crate::settings;

/// A nested section, a softirq, a handler in a batch, and a switch between the halves of a call.
const SHOWN: [&str; 4] = [
    "zoo/gen-nested-disable-no-flush",
    "zoo/arm64-softirq-pte-mutant",
    "zoo/sparc-batch-in-interrupt",
    "zoo/xen-mc-issue-mode-no-switch-flush",
];

#[test]
fn what_a_finding_becomes_is_as_reviewed() {
    let mut runner = Runner::new();
    for name in SHOWN {
        let specimen = zoo::find(name).expect("a specimen");
        let entry = lazy_mmu_snapshots::find(specimen.program).expect("its program");
        let suspect = Suspect::find(name).expect("a subject");
        let whole = parse(entry.text).expect("a program");
        let (small, signature) = suspect.minimised(&mut runner, &whole).expect("it breaks");
        let verdict = report::violation(&small, &signature);
        let path = format!("fuzz/findings/{}/program.lmm", signature.slug());
        let artefacts = [
            report::render(&small, &signature, &path).expect("the subject exists"),
            program::render(&small, &signature, &verdict, "contract"),
            rust_test::render(&small, &signature, &verdict),
            kunit::render(&small, &signature, &verdict).replace(kunit::HELPERS, "[helpers]\n"),
        ];
        let text = artefacts.join("\n----------------------------------------\n");
        let name = format!("found__{}", specimen.program.replace('/', "__"));
        settings().bind(|| insta::assert_snapshot!(name, text));
    }
}
