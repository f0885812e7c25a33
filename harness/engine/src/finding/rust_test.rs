//! A finding as a Rust test: a function to paste into a file of tests of this project, or of one that depends on the
//! engine.
//!
//! It runs the program on the subject by name and asserts that the invariant holds, so that it fails as long as the
//! defect is there. It needs nothing but the engine's public interface. Called by the fuzzer and the host command.

use std::fmt::Write as _;

use super::Signature;
use super::report::{WIDTH, wrapped};
use crate::program::Program;

/// The function. `verdict` is the violation in words.
#[must_use]
pub fn render(program: &Program, signature: &Signature, verdict: &str) -> String {
    let Signature { subject, invariant, .. } = signature;
    let mut text = format!("/// {signature}.\n///\n");
    for line in wrapped(verdict, WIDTH - 4) {
        let _ = writeln!(text, "/// {line}");
    }
    let _ = write!(
        text,
        "#[test]\nfn {name}() {{\n    \
         use lazy_mmu_engine::contract::Invariant;\n    \
         use lazy_mmu_engine::finding::Suspect;\n    \
         use lazy_mmu_engine::program::text::parse;\n    \
         use lazy_mmu_engine::runner::Runner;\n\n    \
         let program = parse(\n        \"\\\n{program}\",\n    )\n    \
         .expect(\"a program\");\n    \
         let subject = Suspect::find(\"{subject}\").expect(\"a subject\");\n    \
         let mut runner = Runner::new();\n    \
         let (_, verdict) = subject.run(&mut runner, &program);\n    \
         let broken = verdict.faults().find(|violation| violation.invariant == Invariant::{invariant:?});\n    \
         assert_eq!(broken, None, \"{{verdict}}\");\n}}\n",
        name = signature.identifier(),
    );
    text
}
