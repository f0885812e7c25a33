//! The KUnit cases that findings become compile: of every program of the collection, with gcc, against declarations of
//! what they use of the kernel (`kunit/stub.h`).
//!
//! Not here: what a case says (the engine's tests, and the snapshots). Without gcc the test says that it was skipped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::finding::{Signature, kunit};
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Block, Op, Program, generate};
use lazy_mmu_engine::registry::SUBJECTS;

/// Checks one C file, given on standard input. `None` if there is no gcc.
fn compiles(source: &str) -> Option<Result<(), String>> {
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kunit/stub.h");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-S", "-x", "c"]);
    // As far as the assembler: what is not used is seen behind the syntax.
    gcc.args(["-o", "/dev/null", "-include"]).arg(stub).arg("-").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = gcc.spawn().ok()?;
    // A compiler that gives up early closes its end; its messages say why.
    let _ = child.stdin.take().expect("it is piped").write_all(source.as_bytes());
    let output = child.wait_with_output().expect("gcc ends");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() { Ok(()) } else { Err(messages) })
}

/// A program's case; its signature is its name, so that each function has its own.
fn case(name: &str, program: &Program) -> (String, String) {
    let mmu = program.ops().iter().find_map(|op| if let Op::Open(Block::On(mmu)) = op { Some(*mmu) } else { None });
    let subject = SUBJECTS.iter().find(|subject| subject.is_current() && Some(subject.mmu) == mmu);
    let subject = subject.map_or("counted/none", |subject| subject.name).to_owned();
    let signature = Signature { subject, invariant: Invariant::I3, op: name.replace('/', "-") };
    let text = kunit::render(program, &signature, "what broke");
    (format!("lazy_mmu_{}", signature.identifier()), text)
}

/// All cases as one file, as a kernel developer would have who pasted them one after the other.
fn file<'n>(cases: impl Iterator<Item = (&'n str, Program)>) -> (BTreeMap<String, String>, String) {
    let cases: BTreeMap<String, String> = cases.map(|(name, program)| case(name, &program)).collect();
    // The kernel's headers come with the stub.
    let without =
        |text: &String| text.lines().filter(|line| !line.starts_with("#include")).collect::<Vec<_>>().join("\n");
    let mut text: String = cases.values().map(|case| without(case) + "\n").collect();
    let _ = writeln!(text, "struct kunit_case lazy_mmu_cases[] = {{");
    cases.keys().for_each(|name| {
        let _ = writeln!(text, "\tKUNIT_CASE({name}),");
    });
    text.push_str("\t{}\n};\n");
    (cases, text)
}

#[test]
fn the_cases_of_the_whole_collection_compile() {
    let programs = lazy_mmu_snapshots::PROGRAMS.iter();
    let (cases, text) = file(programs.map(|entry| (entry.name, parse(entry.text).expect("a program"))));
    assert_eq!(cases.len(), lazy_mmu_snapshots::PROGRAMS.len(), "each has its own name");
    let skipped = cases.values().filter(|text| text.contains("nothing to expect here")).count();
    println!("{} cases, {skipped} of which skip themselves", cases.len());
    assert!(skipped * 4 < cases.len(), "most of the collection can be expressed");
    match compiles(&text) {
        None => println!("SKIPPED: there is no gcc"),
        Some(result) => assert_eq!(result, Ok(()), "see the messages"),
    }
}

#[test]
fn the_cases_of_arbitrary_programs_compile() {
    let names: Vec<String> = (0..120).map(|seed| format!("seed-{seed}")).collect();
    let (_, text) = file((0..).zip(&names).map(|(seed, name)| (name.as_str(), generate::any(seed, 40))));
    match compiles(&text) {
        None => println!("SKIPPED: there is no gcc"),
        Some(result) => assert_eq!(result, Ok(()), "seeds 0 to 119, 40 operations"),
    }
}

/// The stub is not so wide that anything compiles.
#[test]
fn what_does_not_fit_the_kernel_does_not_compile() {
    for (wrong, message) in [
        ("static void f(void) { lazy_mmu_mode_enter(); } void *p = f;", "lazy_mmu_mode_enter"),
        ("void f(struct kunit *t) { ptep_get_and_clear(0, 1); }", "too few arguments"),
        ("static void unused(void) { }", "unused"),
    ] {
        match compiles(wrong) {
            None => println!("SKIPPED: there is no gcc"),
            Some(result) => assert!(result.expect_err(wrong).contains(message), "{wrong}"),
        }
    }
}

#[test]
fn lines_are_as_long_as_the_kernel_likes_them() {
    let columns = |line: &str| line.chars().fold(0, |at, c| if c == '\t' { at / 8 * 8 + 8 } else { at + 1 });
    let long: Vec<&str> = kunit::HELPERS.lines().filter(|line| columns(line) > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    let (cases, _) = file(lazy_mmu_snapshots::PROGRAMS.iter().map(|e| (e.name, parse(e.text).expect("a program"))));
    let lines = || cases.values().flat_map(|case| case.lines());
    let (long, all) = (lines().filter(|line| columns(line) > 80).count(), lines().count());
    assert!(long * 50 < all, "{long} of {all} lines are longer than 80 columns");
}
