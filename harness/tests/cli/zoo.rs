//! `zoo`: an easy specimen is found by a search that needs no build, and what is wrong is refused before anything is.
//!
//! What it is not: the fuzzer's processes are played by scripts beside the runner; no time is asserted anywhere.
//!
//! Who calls it: `cargo test`.

use crate::folder::{Folder, Ran, command, root};

/// Without what goes to a terminal.
fn zoo(folder: &Folder, arguments: &[&str]) -> Ran {
    let fixed = ["zoo", "gen-order-v3", "--search", "random", "--seeds", "2", "--limit", "600s", "--budget", "600s"];
    folder.run(&[&fixed, arguments].concat())
}

#[test]
fn an_easy_specimen_is_found_kept_and_drawn() {
    let folder = Folder::new("zoo-easy");
    let ran = zoo(&folder, &["--out", "kept", "--plot", "--baselines", "exhaustive,proptest"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("\ngen-order-v3  model   2/2 "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\ngeometric mean "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\n1 of 1 specimens found by every seed"), "{}", ran.stdout);
    for picture in ["survival.svg", "survival.png"] {
        assert!(folder.path().join("kept/plots").join(picture).is_file(), "{picture}");
    }
    let program = "kept/programs/gen-order-v3.lmm";
    let again = folder.run(&["run", program, "--subject", "zoo/gen-order-v3"]);
    again.is_result(program, 1);
    let verdict = again.stdout.lines().find(|line| line.starts_with("verdict: ")).unwrap_or_default();
    assert!(verdict.contains("model"), "{}", again.stdout);
    let faithful = folder.run(&["run", program, "--subject", "counted/none"]);
    let verdict = faithful.stdout.lines().find(|line| line.starts_with("verdict: ")).unwrap_or_default();
    assert!(!verdict.is_empty() && !verdict.contains("model"), "{}", faithful.stdout);
}

/// The document says what the tables say, and hunts that are done come back as they were.
#[test]
fn the_document_is_one_line_and_a_resumed_run_gives_the_same() {
    let folder = Folder::new("zoo-json");
    let first = zoo(&folder, &["--out", "kept", "--format", "json"]);
    assert_eq!(first.code, Some(0), "{first:#?}");
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("one document");
    let document = read(&first.stdout);
    assert_eq!((&document["schema"], &document["kind"]), (&1.into(), &"zoo".into()));
    assert_eq!(document["specimens"][0]["own"]["each"].as_array().map(Vec::len), Some(2));
    let again = read(&zoo(&folder, &["--out", "kept", "--format", "json", "--resume"]).stdout);
    assert_eq!(again["specimens"], document["specimens"]);
}

#[test]
fn wrong_names_budgets_and_folders_are_refused() {
    let folder = Folder::new("zoo-bad");
    folder.write("a file", "");
    for (arguments, says) in [
        (&["zoo", "gen-nothing"][..], "there is no specimen gen-nothing"),
        (&["zoo", "zoo/gen-nothing"], "one of zoo/"),
        (&["zoo", "--budget", "0"], "from one second to a week"),
        (&["zoo", "--limit", "5d"], "give s, m or h"),
        (&["zoo", "--seeds", "0"], "0 is not in 1..=1000"),
        (&["zoo", "--jobs", "0"], "0 is not in 1..=64"),
        (&["zoo", "--search", "luck"], "invalid value 'luck'"),
        (&["zoo", "--baselines", "random,luck"], "one of fuzzer, bytes, random, proptest, exhaustive, or all"),
    ] {
        let ran = folder.run(arguments);
        ran.is_refused(&arguments.join(" "), 2);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    let ran = zoo(&folder, &["--out", "a file"]);
    ran.is_refused("a file", 3);
    assert!(ran.stderr.contains("a file"), "{}", ran.stderr);
}

/// Without cargo-fuzz there is one message, and the command that helps.
#[test]
fn without_cargo_fuzz_it_says_how_to_get_it() {
    let folder = Folder::new("zoo-none");
    let mut command = command(root());
    // A cargo that knows no subcommand.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    folder.write("bin/cargo", "#!/bin/sh\nexit 101\n");
    std::fs::set_permissions(bin.join("cargo"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    command.args(["zoo", "gen-order-v3", "--out"]).arg(folder.path()).env("PATH", bin);
    let ran = Ran::of(&mut command, b"");
    ran.is_refused("no cargo-fuzz", 3);
    assert!(ran.stderr.contains("to do: cargo install cargo-fuzz --locked"), "{}", ran.stderr);
}
