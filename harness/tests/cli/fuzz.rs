//! `fuzz`: what is refused before anything is built, and an input that is looked at again.
//!
//! What it is not: a run is tested beside the supervisor, with scripts in place of libFuzzer; the targets in the engine.
//!
//! Who calls it: `cargo test`.

use lazy_mmu_engine::fuzz::find;
use lazy_mmu_engine::program::text::parse;

use crate::folder::{Folder, Ran, command, root};

#[test]
fn wrong_names_and_times_are_refused() {
    let folder = Folder::new("fuzz-bad");
    for (arguments, says) in [
        (&["fuzz", "nothing"][..], "there is no fuzz target nothing"),
        (&["fuzz", "contract", "--subject", "counted/vax"], "there is no subject counted/vax"),
        (&["fuzz", "architectures", "--subject", "counted/none"], "chooses its subjects itself"),
        (&["fuzz", "contract", "--subject", "tree/xen"], "there is no subject tree/xen"),
        (&["fuzz", "contract", "--tree", "."], "--cross"),
        (&["fuzz", "contract", "--cross", "--tree", ".", "--subject", "counted/aarch64"], "a tree has no subject"),
        (&["fuzz", "trace", "--cross", "--tree", "."], "the inputs of trace are no programs"),
        (&["fuzz", "contract", "--time", "1d"], "give s, m or h"),
        (&["fuzz", "contract", "--jobs", "0"], "0 is not in 1..=64"),
        (&["fuzz"], "required"),
    ] {
        let ran = folder.run(arguments);
        ran.is_refused(&arguments.join(" "), 2);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    let ran = folder.run(&["fuzz", "contract", "--replay", "not there"]);
    ran.is_refused("replay", 3);
    assert!(ran.stderr.contains("not there"), "{}", ran.stderr);
}

/// Without cargo-fuzz there is one message, and the command that helps.
#[test]
fn without_cargo_fuzz_it_says_how_to_get_it() {
    let folder = Folder::new("fuzz-none");
    let mut command = command(root());
    // A cargo that knows no subcommand.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    folder.write("bin/cargo", "#!/bin/sh\nexit 101\n");
    std::fs::set_permissions(bin.join("cargo"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    command.args(["fuzz", "trace", "--time", "1s"]).env("PATH", bin);
    let ran = Ran::of(&mut command, b"");
    ran.is_refused("no cargo-fuzz", 3);
    assert!(ran.stderr.contains("to do: cargo install cargo-fuzz --locked"), "{}", ran.stderr);
}

#[test]
fn an_input_is_judged_again_and_minimised() {
    let folder = Folder::new("fuzz-replay");
    let program = parse("query; enable; set U 5; irq { set K 7 x3 }; disable").expect("a program");
    folder.write("input", find("contract").expect("a target").input.join(&[0], &program));
    let replay = ["fuzz", "contract", "--replay", "input", "--subject"];
    let bent = folder.run(&[&replay[..], &["zoo/arm64-softirq-pte"]].concat());
    bent.is_result("bent", 1);
    assert!(bent.stdout.contains("I4-set-zoo-arm64-softirq-pte"), "{}", bent.stdout);
    assert!(bent.stdout.ends_with("\nenable\nirq {\n  set K 0\n}\n\n"), "{}", bent.stdout);
    let faithful = folder.run(&[&replay[..], &["counted/aarch64"]].concat());
    faithful.is_result("faithful", 0);
    assert!(faithful.stdout.contains("nothing is found"), "{}", faithful.stdout);
}

/// A program's text is not taken for bytes: a finding's folder and its program show what was found, by the subject that the
/// report names, and any program's text is judged.
#[test]
fn the_text_of_a_program_is_judged_again() {
    let folder = Folder::new("fuzz-replay-text");
    std::fs::create_dir(folder.path().join("finding")).expect("a folder");
    folder.write("finding/program.lmm", "# kept\nenable\nirq {\n  set K 0\n}\ndisable\n");
    folder.write("finding/report.txt", "finding: I4 at set on zoo/arm64-softirq-pte\n\nmore\n");
    folder.write("finding/input", b"\x00\xff");
    for input in ["finding", "finding/program.lmm"] {
        let ran = folder.run(&["fuzz", "contract", "--replay", input]);
        ran.is_result(input, 1);
        assert!(ran.stdout.contains("I4-set-zoo-arm64-softirq-pte"), "{}", ran.stdout);
        let faithful = folder.run(&["fuzz", "contract", "--replay", input, "--subject", "counted/aarch64"]);
        faithful.is_result(input, 0);
        assert!(faithful.stdout.contains("nothing is found in the program "), "{}", faithful.stdout);
    }
    // Without a report it is run on every subject.
    folder.write("mine", "enable; disable");
    let ran = folder.run(&["fuzz", "contract", "--replay", "mine"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("on every subject that the target runs"), "{ran:#?}");
    // One kernel of Xen dies of a section inside another, which is known: what comes behind that was not judged.
    folder.write("nested", "enable; enable; disable; disable");
    let ran = folder.run(&["fuzz", "contract", "--replay", "nested"]);
    assert!(ran.code == Some(4) && ran.stdout.contains("judged in part: on stateless/x86_64-xen, "), "{ran:#?}");
    // A program's file that is none is bad input, and so is a folder without an input.
    folder.write("half.lmm", "enable; frobnicate");
    let ran = folder.run(&["fuzz", "contract", "--replay", "half.lmm"]);
    ran.is_refused("half", 2);
    assert_eq!(ran.line("  where: "), Some("half.lmm:1:9"), "{}", ran.stderr);
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    folder.run(&["fuzz", "contract", "--replay", "empty"]).is_refused("empty", 2);
}
