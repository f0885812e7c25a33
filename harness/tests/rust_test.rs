//! The Rust tests that findings become, for real: compiled in a package of their own that depends on the engine, they
//! fail on the bent subject and pass on the faithful one.
//!
//! Its build stays in cargo's folder for tests' files, so that only the first run builds the engine.

use std::fs;
use std::path::Path;
use std::process::Command;

use lazy_mmu_engine::finding::{Suspect, report, rust_test};
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::runner::Runner;

/// With a handler, and with a switch between halves.
const SPECIMENS: [&str; 3] =
    ["zoo/sparc-batch-in-interrupt", "zoo/xen-mc-issue-mode-no-switch-flush", "zoo/gen-nested-disable-no-flush"];

/// The tests, and what should become of each.
fn tests() -> (String, Vec<(String, &'static str)>) {
    let (mut text, mut expected) = (String::new(), Vec::new());
    let mut runner = Runner::new();
    for name in SPECIMENS {
        let suspect = Suspect::find(name).expect("a subject");
        let specimen = lazy_mmu_engine::zoo::find(name).expect("a specimen");
        let entry = lazy_mmu_snapshots::find(specimen.program).expect("its program");
        let program = parse(entry.text).expect("a program");
        let (small, bent) = suspect.minimised(&mut runner, &program).expect("it breaks");
        let mut faithful = bent.clone();
        faithful.subject = specimen.fixed.to_owned();
        let verdict = report::violation(&small, &bent);
        for (signature, outcome) in [(bent, "FAILED"), (faithful, "ok")] {
            text.push_str(&rust_test::render(&small, &signature, &verdict));
            expected.push((signature.identifier(), outcome));
        }
    }
    (text, expected)
}

#[test]
fn a_generated_test_fails_as_long_as_the_defect_is_there() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("found");
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine");
    let manifest = format!(
        "[package]\nname = \"found\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nlazy-mmu-engine = {{ path = {engine:?} }}\n"
    );
    let (text, expected) = tests();
    fs::create_dir_all(package.join("tests")).expect("a folder for the package");
    fs::create_dir_all(package.join("src")).expect("a folder for the package");
    fs::write(package.join("Cargo.toml"), manifest).expect("its manifest");
    fs::write(package.join("src/lib.rs"), "//! Empty: the tests are what matters.\n").expect("its library");
    fs::write(package.join("tests/found.rs"), text).expect("its tests");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--test", "found"]).current_dir(&package);
    cargo.env("CARGO_TARGET_DIR", package.join("target")).env("RUST_BACKTRACE", "0");
    let output = cargo.output().expect("cargo runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    for (name, outcome) in &expected {
        let line = format!("test {name} ... {outcome}");
        assert!(stdout.lines().any(|found| found == line), "{line}\n{stdout}{stderr}");
    }
    assert!(!stderr.contains("warning"), "{stderr}");
}
