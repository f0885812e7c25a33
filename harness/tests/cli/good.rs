//! Good input: what `run` prints for people and for machines, and the help.
//!
//! What it is not: whether a verdict is right is the engine's and the snapshots' to say; here it is whether the user is
//! told it, and told the same each time.
//!
//! Who calls it: `cargo test`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use lazy_mmu_engine::program::text::parse;
use lazy_mmu_harness::target::Target;
use lazy_mmu_snapshots::PROGRAMS;
use serde_json::Value;

use crate::TRACE;
use crate::folder::{Folder, Ran, command, root};

/// The program of 7.0's regression holds on 7.2 and kills 7.0's Xen.
const HOLDS: [&str; 2] = ["run", "halves/enable"];
const BREAKS: [&str; 4] = ["run", "halves/enable", "--subject", "counted/xen@7.0"];

#[test]
fn a_program_that_holds_exits_with_0() {
    let ran = Folder::new("holds").run(&HOLDS);
    ran.is_result("halves/enable", 0);
    assert!(ran.stdout.starts_with("counted/aarch64 here, "), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("\n\nverdict: holds\n\nprogram:\n  enable between {\n    preempt T1\n"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains(">>>"), "{}", ran.stdout);
}

#[test]
fn a_program_that_breaks_the_contract_exits_with_1_and_shows_where() {
    let ran = Folder::new("breaks").run(&BREAKS);
    ran.is_result("halves/enable on 7.0", 1);
    let (before, after) = ran.stdout.split_once("\n>>> I2 ").expect("the place in the timeline");
    assert!(before.ends_with("BUG EnterLazy"), "after the event that broke it: {before}");
    assert!(after.contains("\nverdict: breaks I2 I15, judged in part\n"), "{after}");
    let replay = "\nreplay: cargo lazymmu run halves/enable --subject counted/x86_64-xen@7.0\n";
    assert!(after.ends_with(replay), "{after}");
}

#[test]
fn a_specimen_of_the_zoo_runs_as_any_subject_does() {
    let ran =
        Folder::new("zoo").run(&["run", "broken/i3-nested-disable", "--subject", "zoo/gen-nested-disable-no-flush"]);
    ran.is_result("i3-nested-disable", 1);
    assert!(ran.stdout.starts_with("zoo/gen-nested-disable-no-flush here, "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nverdict: breaks I3 model\n"), "{}", ran.stdout);
    let replay = "\nreplay: cargo lazymmu run broken/i3-nested-disable --subject zoo/gen-nested-disable-no-flush\n";
    assert!(ran.stdout.ends_with(replay), "{}", ran.stdout);
}

/// What was not looked at does not hold: the place, the reason and the exit code say so, in each form.
#[test]
fn what_was_judged_in_part_exits_with_4_and_names_the_place() {
    let folder = Folder::new("in-part");
    let limit = "repeat 1023 { repeat 70 { query } } enable; enable; set K 16; disable; access K 16; disable";
    let nested = "zoo/gen-nested-disable-no-flush";
    for (program, subject, line, reason, op) in [
        (limit, nested, "operation 2, line 3 (`query`): the run stopped here", "limit", 2),
        (
            "migrate T0 1",
            "counted/aarch64",
            "operation 0, line 1 (`migrate T0 1`): the operation was not",
            "refused",
            0,
        ),
        (
            "lock 0; preempt T1",
            "counted/xen",
            "operation 1, line 2 (`preempt T1`): the operation was not",
            "refused",
            1,
        ),
        (
            "on xen { set K 0 }",
            "counted/sparc64",
            "operation 0, line 1 (`on xen`): the operation was not",
            "refused",
            0,
        ),
        (
            "enable; preempt T1; preempt T0; disable",
            "counted/sparc64",
            "operation 1, line 2 (`preempt T1`): nothing",
            "cut",
            1,
        ),
    ] {
        let ran = folder.run_with(&["run", "-", "--subject", subject], program.as_bytes());
        ran.is_result(program, 4);
        assert!(ran.stdout.contains(&format!("\nverdict: judged in part\n  judged in part: {line}")), "{}", ran.stdout);
        assert!(!ran.stdout.contains("holds"), "{}", ran.stdout);
        let ran = folder.run_with(&["run", "-", "--subject", subject, "--format", "json"], program.as_bytes());
        ran.is_result(program, 4);
        let document: Value = serde_json::from_str(&ran.stdout).expect("a JSON document");
        assert_eq!((&document["answer"], &document["holds"]), (&Value::from("in_part"), &Value::from(false)));
        let part = &document["parts"][0];
        assert_eq!((&part["reason"], &part["op"], &part["line"]), (&reason.into(), &op.into(), &(op + 1).into()));
    }
}

/// A program's own misuse is named, with its operation, and no subject is blamed for what comes of it.
#[test]
fn what_misuses_the_api_exits_with_5_and_is_named() {
    let folder = Folder::new("misuses");
    for (program, says) in [
        ("enable", "operation 0, line 1 (`enable`): it opens a section or a pause that is never closed\n"),
        ("query; disable", "operation 1, line 2 (`disable`): it ends what was never begun\n"),
    ] {
        let ran = folder.run_with(&["run", "-"], program.as_bytes());
        ran.is_result(program, 5);
        let expected = format!("\nverdict: misuses\n  the program misuses the API at {says}");
        assert!(ran.stdout.contains(&expected) && !ran.stdout.contains("verdict: breaks"), "{}", ran.stdout);
    }
    // A fault before the misuse is the subject's all the same, and outweighs it.
    let both = b"enable; enable; set K 16; disable; access K 16; disable; disable";
    let ran = folder.run_with(&["run", "-", "--subject", "zoo/gen-nested-disable-no-flush"], both);
    ran.is_result("both", 1);
    assert!(ran.stdout.contains("\nverdict: breaks I3 model\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("misuses the API at operation 6, line 7 (`disable`)"), "{}", ran.stdout);
}

/// Who reads it in a mail can do it again: the program as it stands there, and the command.
#[test]
fn what_is_printed_can_be_replayed() {
    let folder = Folder::new("replayed");
    for arguments in
        [&BREAKS[..], &["run", "batches/xen-mixed-queue", "--subject", "stateless/xen", "--target", "x86_64"]]
    {
        let first = folder.run(arguments);
        let (_, end) = first.stdout.split_once("\nprogram:\n").expect("the program");
        let (program, command) = end.split_once("\nreplay: cargo lazymmu ").expect("the command");
        folder.write("a mail's.lmm", program);
        let words: Vec<&str> = command.trim_end().split(' ').collect();
        let again = folder.run(&[&["run", "a mail's.lmm"], &words[2..]].concat());
        assert_eq!(again.before_replay(), first.before_replay());
        assert!(again.stdout.contains("\nreplay: cargo lazymmu run 'a mail'\\''s.lmm' --subject "), "{}", again.stdout);
    }
}

#[test]
fn every_program_of_the_collection_is_found_by_name_and_ends_as_its_verdict_says() {
    let folder = Folder::new("collection");
    for entry in PROGRAMS {
        let ran = folder.run(&["run", entry.name]);
        let verdict = ran.stdout.lines().find_map(|line| line.strip_prefix("verdict: ")).unwrap_or_default();
        let answers = [("holds", 0), ("breaks ", 1), ("judged in part", 4), ("misuses", 5)];
        let code = answers.iter().find(|(answer, _)| verdict.starts_with(answer)).map(|(_, code)| *code);
        ran.is_result(entry.name, code.unwrap_or_else(|| panic!("{}: an answer: {verdict}", entry.name)));
        let marked = ran.stdout.contains("\n>>> I");
        assert!(marked == (code == Some(1)) || (marked && code == Some(5)), "{}: {}", entry.name, ran.stdout);
    }
}

#[test]
fn a_program_is_the_same_by_name_by_path_and_from_standard_input() {
    let folder = Folder::new("three-ways");
    let entry = lazy_mmu_snapshots::find("halves/enable").expect("it is in the collection");
    folder.write("mine.lmm", entry.text);
    folder.write("windows.lmm", entry.text.replace('\n', "\r\n"));
    let by_name = folder.run(&["run", "halves/enable"]);
    assert_eq!(folder.run(&["run", "mine.lmm"]).before_replay(), by_name.before_replay());
    assert_eq!(folder.run(&["run", "windows.lmm"]).before_replay(), by_name.before_replay());
    assert_eq!(folder.run_with(&["run", "-"], entry.text.as_bytes()).before_replay(), by_name.before_replay());
    // A file wins over a name of the collection: what the user has written is what the user means.
    fs::create_dir(folder.path().join("halves")).expect("a folder");
    folder.write("halves/enable", "query\n");
    assert!(folder.run(&["run", "halves/enable"]).stdout.contains("\nprogram:\n  query\n\n"));
}

#[test]
fn what_is_at_a_limit_runs() {
    let folder = Folder::new("limits");
    let cases = [
        ("blocks", format!("{}{}", "irq {\n".repeat(4096), "}\n".repeat(4096)), 0),
        ("halves", format!("{}{}", "pause between {\n".repeat(32), "}\n".repeat(32)), 5),
        ("operations", "query;".repeat(65_536), 0),
        ("text", format!("query\n#{}", " ".repeat((1 << 22) - 7)), 0),
        ("repetitions", format!("{}query{}", "repeat 1023 { ".repeat(7), " }".repeat(7)), 4),
    ];
    for (name, text, code) in cases {
        folder.run_with(&["run", "-"], text.as_bytes()).is_result(name, code);
    }
}

#[test]
fn the_asm_port_runs_on_this_machines_own_instructions() {
    // On a machine that is none of the targets there is nothing to execute for real.
    let Some(native) = Target::ALL.into_iter().find(|target| target.is_native()) else { return };
    let folder = Folder::new("asm");
    let backend = if native == Target::Powerpc64 { "powerpc64-hash".to_owned() } else { native.to_string() };
    for extra in [&[][..], &["--target", native.short()]] {
        let asm = ["run", "halves/enable", "--subject", &backend, "--port", "asm"];
        let ran = folder.run(&[&asm[..], extra].concat());
        ran.is_result(&backend, 0);
        assert!(ran.stdout.contains(&format!(" on {native}, ")), "{}", ran.stdout);
    }
}

#[test]
fn json_is_one_document_with_the_fields_that_are_documented() {
    let manual = fs::read_to_string(root().join("docs/json.md")).expect("the manual of the format");
    // The events' own fields are a test of their own, beside what writes them.
    let manual = manual.split("\n## `cargo lazymmu run`").nth(1).unwrap_or_default();
    let manual = manual.split("\n## Events\n").next().unwrap_or_default();
    let cells = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let documented: BTreeSet<&str> =
        cells.flat_map(|cell| cell.split([',', ' ', '`'])).filter(|s| !s.is_empty()).collect();
    let folder = Folder::new("json");
    for (arguments, code) in [(&HOLDS[..], 0), (&BREAKS, 1), (&["run", "vectors/disable-alone"], 5)] {
        let ran = folder.run(&[arguments, &["--format", "json"]].concat());
        ran.is_result("json", code);
        assert_eq!(ran.stdout.lines().count(), 1, "one document, one line");
        let document: Value = serde_json::from_str(&ran.stdout).expect("a JSON document");
        assert_eq!((&document["schema"], &document["kind"]), (&Value::from(3), &Value::from("run")));
        let answer = ["holds", "breaks", "misuses"].into_iter().zip([0, 1, 5]).find(|(_, of)| *of == code);
        assert_eq!(Some(document["answer"].as_str().expect("an answer")), answer.map(|(answer, _)| answer));
        assert_eq!(document["holds"], Value::from(code == 0));
        assert_eq!(document["violations"].as_array().map(Vec::is_empty), Some(code == 0));
        let program = document["program"].as_str().expect("a text");
        assert_eq!(parse(program).expect("a program").to_string(), program, "the canonical text");
        let top = keys(&document).into_iter().map(str::to_owned);
        // Those that every event has.
        let events = document["events"].as_array().expect("a list").iter().map(keys);
        let common = events.reduce(|all, own| all.into_iter().filter(|key| own.contains(key)).collect());
        let of_event = common.unwrap_or_default().into_iter().map(|key| format!("events[].{key}"));
        assert_eq!(top.chain(of_event).collect::<BTreeSet<_>>(), documented.iter().map(|&s| s.to_owned()).collect());
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_same_run_prints_the_same_bytes() {
    let folder = Folder::new("twice");
    for program in ["halves/enable", "chains/06-fork-and-reclaim", "batches/xen-mixed-queue", "vectors/disable-alone"] {
        for subject in ["stateless/sparc64", "token/powerpc64-hash", "counted/xen", "counted/none"] {
            for format in ["human", "json"] {
                let run = || folder.run(&["run", program, "--subject", subject, "--format", format]);
                let first = run();
                assert!(!first.stdout.is_empty() && first.stderr.is_empty(), "{program} on {subject}: {first:#?}");
                assert_eq!(run(), first, "{program} on {subject} as {format}");
            }
        }
    }
}

/// The names in the help's list of subcommands, so that a new one is in these tests by being there.
fn subcommands(folder: &Folder) -> Vec<String> {
    let help = folder.run(&["--help"]);
    help.is_result("--help", 0);
    let list = help.stdout.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names: Vec<_> = names.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(names.len() >= 7, "help and six subcommands: {names:?}");
    names
}

#[test]
fn every_subcommand_explains_itself() {
    let folder = Folder::new("help");
    for name in subcommands(&folder).iter().filter(|name| *name != "help") {
        let help = folder.run(&[name, "--help"]);
        help.is_result(name, 0);
        assert!(help.stdout.contains(&format!("Usage: cargo lazymmu {name} ")), "{name}: {}", help.stdout);
        assert!(help.stdout.contains("\nExample:\n  cargo lazymmu "), "{name}: {}", help.stdout);
        assert_eq!(folder.run(&["help", name]), help, "help {name}");
        folder.run(&[name, "-h"]).is_result(name, 0);
    }
    folder.run(&["--version"]).is_result("--version", 0);
}

#[test]
fn the_examples_of_the_help_run() {
    let folder = Folder::new("examples");
    // The others set targets up.
    for name in ["run", "replay"] {
        let help = folder.run(&[name, "--help"]).stdout;
        let example = help.lines().find_map(|line| line.strip_prefix("  cargo lazymmu ")).expect("an example");
        let ran = Ran::of(command(root()).args(example.split(' ')), b"");
        assert!(matches!(ran.code, Some(0 | 1)) && ran.stderr.is_empty(), "{example}: {ran:#?}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_reason_to_panic() {
    let folder = Folder::new("broken-pipe");
    folder.write("trace", TRACE);
    for arguments in [&HOLDS[..], &["run", "halves/enable", "--format", "json"], &["replay", "trace"], &["--help"]] {
        // The reading end is closed before the command starts, as by a `head` that has seen enough.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = command(folder.path());
        let child = command.args(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?} with a closed standard output: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let folder = Folder::new("full-disk");
    folder.write("trace", TRACE);
    for arguments in [&HOLDS[..], &["replay", "trace"]] {
        let full = fs::File::options().write(true).open("/dev/full").expect("the device that is always full");
        let mut command = command(folder.path());
        let child = command.args(arguments).stdout(full).stderr(Stdio::piped()).spawn().expect("it starts");
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let ran = Ran { code: output.status.code(), stdout: String::new(), stderr };
        ran.is_refused("a full disk", 3);
    }
}
