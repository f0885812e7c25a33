//! What a machine lacks, what a target's file says, and where a report goes: `doctor`, `matrix`, `--cpu` and `--output`.
//!
//! What it is not: nothing is set up and no target runs. An emulator here is a script that says what an old one would, or
//! what one says of a model that it does not know.
//!
//! Who calls it: `cargo test`.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::folder::{Folder, Ran, command, root};

/// A folder with programs of its own, which come before the machine's.
fn with_programs(test: &str, programs: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(test);
    for (name, script) in programs {
        folder.write(name, format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    folder
}

/// Runs the command at the root, with the folder's programs before the machine's.
fn run(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let before = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([folder.path().to_owned()].into_iter().chain(env::split_paths(&before)));
    let mut command = command(root());
    command.env("PATH", path.expect("a path")).env_remove("QEMU_CPU").envs(variables.iter().copied());
    Ran::of(command.args(arguments), b"")
}

const OLD: (&str, &str) = ("qemu-sparc64", "echo 'qemu-sparc64 version 5.1.0 (Debian 1:5.1)'");
const PICKY: (&str, &str) = ("qemu-sparc64", "echo \"qemu-sparc64: unable to find CPU model '$2'\" >&2; exit 1");

#[test]
fn an_emulator_that_is_too_old_is_missing_as_if_it_were_not_there() {
    let folder = with_programs("old-qemu", &[OLD]);
    let ran = run(&folder, &["doctor", "--target", "sparc64"], &[]);
    ran.is_result("doctor", 3);
    assert!(
        ran.stdout.contains("\nsparc64 needs qemu-sparc64 7.2 or later, and this one is 5.1.0\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("qemu-sparc64 5.1.0 (at least 7.2)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("apt-get install --yes --no-install-recommends qemu-user"), "{}", ran.stdout);
}

#[test]
fn what_is_missing_is_said_for_machines_too() {
    let folder = with_programs("old-qemu-json", &[OLD]);
    let ran = run(&folder, &["doctor", "--target", "sparc64", "--format", "json"], &[]);
    ran.is_result("doctor", 3);
    let document: Value = serde_json::from_str(&ran.stdout).expect("one document");
    assert_eq!((&document["kind"], &document["healthy"]), (&"doctor".into(), &false.into()));
    let target = &document["targets"][0];
    assert_eq!(target["emulator"], "qemu-sparc64 5.1.0");
    assert!(target["remedy"].as_str().is_some_and(|remedy| remedy.contains("qemu-user")), "{target}");
    assert!(document["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["tool"] == "cargo-fuzz")));
}

/// The names of an object's fields.
fn fields(value: &Value) -> BTreeSet<String> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// The rows of a chapter of the manual: the words in backquotes of each row's first two columns.
fn documented(chapter: &str) -> Vec<Vec<String>> {
    let manual = fs::read_to_string(root().join("docs/json.md")).expect("the manual of the format");
    let chapter = manual.split("\n## ").find(|text| text.starts_with(chapter)).expect("the chapter");
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let words = |row: &str| {
        let cells = row.split(" | ").take(2).collect::<Vec<_>>().join(" ");
        cells.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    rows.map(words).collect()
}

#[test]
fn the_manual_has_the_fields_of_doctors_document() {
    let folder = with_programs("doctor-manual", &[OLD]);
    let ran = run(&folder, &["doctor", "--target", "sparc64", "--format", "json"], &[]);
    let document: Value = serde_json::from_str(&ran.stdout).expect("one document");
    let mut found: BTreeSet<String> = ["healthy".to_owned()].into();
    for list in ["targets", "tools"] {
        found.extend(fields(&document[list][0]).into_iter().map(|field| format!("{list}[].{field}")));
    }
    assert_eq!(documented("`cargo lazymmu doctor`").concat().into_iter().collect::<BTreeSet<_>>(), found);
}

#[test]
fn the_manual_has_the_fields_of_each_line_of_a_check() {
    let rows = documented("`cargo lazymmu check`");
    let sample = include_str!("../data/check/check.jsonl");
    let lines: Vec<Value> = sample.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for row in &rows {
        let of_kind: Vec<_> = lines.iter().filter(|line| line["kind"] == row[0].as_str()).collect();
        assert!(!of_kind.is_empty(), "{} is in the sample", row[0]);
        let words: BTreeSet<_> = row[1..].iter().cloned().chain(["kind".to_owned()]).collect();
        of_kind.iter().for_each(|line| assert_eq!(fields(line), words, "{line}"));
    }
    assert!(lines.iter().all(|line| rows.iter().any(|row| line["kind"] == row[0].as_str())));
}

#[test]
fn a_model_that_the_emulator_does_not_know_is_refused_with_those_that_ci_runs() {
    let folder = with_programs("picky-qemu", &[PICKY]);
    let check = ["check", "--target", "sparc64"];
    let by_option = run(&folder, &[&check[..], &["--cpu", "z80"]].concat(), &[]);
    let by_variable = run(&folder, &check, &[("QEMU_CPU", "z80")]);
    let wide = "; QEMU_CPU holds for every target, --target TARGET --cpu MODEL for one";
    for (ran, place, more) in [(by_option, "--cpu", ""), (by_variable, "QEMU_CPU", wide)] {
        ran.is_refused(place, 2);
        let what = "sparc64 cannot be run as CPU model `z80`: unable to find CPU model 'z80'";
        assert_eq!(ran.line("error: "), Some(what));
        assert_eq!(ran.line("  where: "), Some(place));
        let remedy = format!("use TI-UltraSparc-II, which CI runs; `qemu-sparc64 -cpu help` lists all{more}");
        assert_eq!(ran.line("  to do: "), Some(&*remedy));
    }
}

#[test]
fn a_model_is_one_targets() {
    let folder = Folder::new("one-model");
    let ran = run(&folder, &["test", "--target", "sparc64", "--target", "aarch64", "--cpu", "max"], &[]);
    ran.is_refused("two targets", 2);
    assert_eq!(ran.line("error: "), Some("a CPU model is one target's, and here are 2"));
    assert_eq!(ran.line("  to do: "), Some("name one target: --target powerpc64 --cpu power9"));
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_runs() {
    let folder = Folder::new("no-report");
    let cases = [
        (
            "nowhere/check.xml",
            "No such file or directory",
            format!("mkdir -p {}", folder.path().join("nowhere").display()),
        ),
        (".", "Is a directory", "give --output a file that can be written".to_owned()),
    ];
    for (file, what, remedy) in cases {
        let path = folder.path().join(file);
        let ran = run(&folder, &["check", "--format", "junit", "--output", &path.to_string_lossy()], &[]);
        ran.is_refused(file, 2);
        assert!(ran.line("error: ").is_some_and(|line| line.contains(what)), "{file}: {}", ran.stderr);
        assert_eq!(ran.line("  where: "), Some(&*path.to_string_lossy()));
        assert_eq!(ran.line("  to do: "), Some(&*remedy));
    }
}

#[test]
fn the_workflow_is_what_the_targets_files_say() {
    let ran = run(&Folder::new("matrix"), &["matrix", "--check"], &[]);
    ran.is_result("run `cargo lazymmu matrix`", 0);
}

/// A workspace as far as `matrix` looks at one.
fn workspace(test: &str) -> Folder {
    let folder = Folder::new(test);
    fs::create_dir_all(folder.path().join("harness/targets")).expect("a folder");
    for file in ["Cargo.toml", "harness/Cargo.toml"] {
        folder.write(file, "");
    }
    for entry in fs::read_dir(root().join("harness/targets")).expect("the targets").flatten() {
        let text = fs::read(entry.path()).expect("a target");
        folder.write(Path::new("harness/targets").join(entry.file_name()), text);
    }
    folder
}

#[test]
fn a_workflow_that_is_stale_is_found_and_written_anew() {
    let folder = workspace("stale");
    folder.run(&["matrix"]).is_result("no workflow yet", 0);
    folder.run(&["matrix", "--check"]).is_result("written", 0);
    let file = "harness/targets/powerpc64-unknown-linux-gnu.toml";
    let text = fs::read_to_string(folder.path().join(file)).expect("a target");
    folder.write(file, text.replace("\"power10\"]", "\"power10\", \"power8\"]"));
    let ran = folder.run(&["matrix", "--check"]);
    ran.is_refused("a model more", 1);
    assert_eq!(ran.line("  to do: "), Some("cargo lazymmu matrix"));
    assert!(ran.stderr.contains("--target powerpc64 --cpu power8"), "the first difference: {}", ran.stderr);
    folder.run(&["matrix"]).is_result("again", 0);
    folder.run(&["matrix", "--check"]).is_result("written again", 0);
}

#[test]
fn a_targets_file_with_an_unknown_key_is_refused_with_its_line() {
    let folder = workspace("bad-target");
    let file = "harness/targets/sparc64-unknown-linux-gnu.toml";
    let text = fs::read_to_string(folder.path().join(file)).expect("a target");
    folder.write(file, text.replace("tier = 1\n", "tier = 1\nspeed = \"slow\"\n"));
    let ran = folder.run(&["matrix"]);
    ran.is_refused("an unknown key", 2);
    assert!(ran.line("error: ").is_some_and(|line| line.contains("unknown field `speed`")), "{}", ran.stderr);
    assert_eq!(ran.line("  where: "), Some(&*format!("{file}:6")));
    assert!(ran.line("  to do: ").is_some_and(|line| line.contains("docs/targets.md")), "{}", ran.stderr);
    folder.write(file, text);
    folder.write("harness/targets/vax.toml", "");
    let ran = folder.run(&["matrix"]);
    ran.is_refused("a file too many", 2);
    assert_eq!(ran.line("  where: "), Some("harness/targets/vax.toml"));
}
