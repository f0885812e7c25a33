//! A finding as a program file, ready for the collection: a comment that says what breaks and where, then the program.
//!
//! Nothing in it depends on the day or the run: the same finding gives the same file. Called by the fuzzer and the host
//! command.

use std::fmt::Write as _;

use super::Signature;
use super::report::{WIDTH, wrapped};
use crate::program::Program;

/// The file. `verdict` is the violation in words, `target` the fuzz target that found it.
#[must_use]
pub fn render(program: &Program, signature: &Signature, verdict: &str, target: &str) -> String {
    let mut text = String::new();
    let about = format!("{}.", verdict.trim_end_matches('.'));
    for line in wrapped(&about, WIDTH - 2) {
        let _ = writeln!(text, "# {line}");
    }
    for line in wrapped(&format!("Signature: {signature}. Found by the fuzz target {target}."), WIDTH - 2) {
        let _ = writeln!(text, "# {line}");
    }
    let _ = write!(text, "{program}");
    text
}

/// The name it should have in the collection: `found/` and the signature.
#[must_use]
pub fn suggested_name(signature: &Signature) -> String {
    format!("found/{}", signature.slug())
}
