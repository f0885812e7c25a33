//! `explore`: what holds, what breaks and can be replayed, what was not finished, and what is refused.
//!
//! What it is not: whether states are merged rightly, and what is found where, is tested beside the exploration.
//!
//! Who calls it: `cargo test`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use crate::folder::{Folder, command};

#[test]
fn what_holds_exits_with_0_and_says_what_was_explored() {
    let ran = Folder::new("explore").run(&["explore", "--depth", "2", "--subject", "counted/sparc64"]);
    ran.is_result("depth 2", 0);
    assert!(ran.stdout.starts_with("alphabet full, 29 steps\n   0  enable\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("\nholds: every path of up to 2 steps was explored\n"), "{}", ran.stdout);
    for words in ["\n  states ", "\n  transitions, merged ones included ", "\n  nested sections ", "\nnot exercised: "]
    {
        assert!(ran.stdout.contains(words), "{words:?} in {}", ran.stdout);
    }
}

/// The failing path is a program in a file, and the command that is printed runs it: the same breaks.
#[test]
fn what_breaks_exits_with_1_and_can_be_replayed() {
    let folder = Folder::new("explore-broken");
    let subject = "zoo/sparc-batch-in-interrupt";
    let ran = folder.run(&["explore", "--depth", "5", "--subject", subject, "--out", "a path.lmm"]);
    ran.is_result(subject, 1);
    assert!(ran.stdout.contains("\nBROKEN: I4 immediate-outside, at operation "), "{}", ran.stdout);
    assert!(ran.stdout.contains("no path of fewer than 3 steps breaks anything"), "{}", ran.stdout);
    let replay = format!("\nreplay: cargo lazymmu run 'a path.lmm' --subject {subject}\n");
    assert!(ran.stdout.contains(&replay), "{}", ran.stdout);
    let again = folder.run(&["run", "a path.lmm", "--subject", subject]);
    again.is_result(subject, 1);
    assert!(again.stdout.contains("\nverdict: breaks ") && again.stdout.contains(" I4"), "{}", again.stdout);
    let faithful = folder.run(&["run", "a path.lmm", "--subject", "counted/sparc64"]);
    assert!(!faithful.stdout.contains(" I4"), "{}", faithful.stdout);
}

/// Without a file, the program stands in the command.
#[test]
fn without_a_file_the_command_has_the_program() {
    let folder = Folder::new("explore-stdin");
    let subject = "zoo/gen-pause-twice-mutant";
    for how in [&["--depth", "4"][..], &["--closed"]] {
        let ran = folder.run(&[&["explore", "--subject", subject], how].concat());
        ran.is_result(subject, 1);
        let replay = format!("\nreplay: cargo lazymmu run - --subject {subject} <<'END'\n");
        let (_, rest) = ran.stdout.split_once(&replay).expect("the command");
        let (program, _) = rest.split_once("\nEND\n").expect("its end");
        let again = folder.run_with(&["run", "-", "--subject", subject], program.as_bytes());
        assert!(again.code == Some(1) && again.stdout.contains(" I2"), "{}", again.stdout);
    }
}

#[test]
fn what_is_not_finished_exits_with_4() {
    let ran = Folder::new("explore-states").run(&["explore", "--depth", "9", "--max-states", "700"]);
    ran.is_result("700 states", 4);
    assert!(ran.stdout.contains("\nPARTIAL: 7") && ran.stdout.contains("--max-states"), "{}", ran.stdout);
}

/// Ctrl-C: what was found so far is printed, and the code says that it is not all.
#[test]
fn an_interrupted_exploration_prints_what_it_has() {
    let folder = Folder::new("explore-interrupted");
    let mut command = command(folder.path());
    command.args(["explore", "--depth", "24", "--max-states", "4000000000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    // The alphabet comes first, and signals are seen to before that.
    let mut text = String::new();
    stdout.read_line(&mut text).expect("a line");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
    stdout.read_to_string(&mut text).expect("the rest");
    assert_eq!(child.wait().expect("an end").code(), Some(3), "{text}");
    assert!(text.contains("\nPARTIAL: interrupted after ") && text.contains("\n  states "), "{text}");
}

#[test]
fn what_cannot_be_explored_is_refused() {
    let folder = Folder::new("explore-refused");
    for (line, what) in [
        ("explore --depth 0", "invalid value '0' for '--depth <DEPTH>'"),
        ("explore --depth 25", "invalid value '25' for '--depth <DEPTH>'"),
        ("explore --alphabet greek", "invalid value 'greek' for '--alphabet <ALPHABET>'"),
        ("explore --closed --depth 3", "'--closed' cannot be used with '--depth <DEPTH>'"),
        ("explore --max-states 0", "invalid value '0' for '--max-states <N>'"),
        ("explore --subject counted/vax", "is no subject"),
        ("explore --subject tree/xen", "tree/xen is a subject of a kernel tree"),
        ("explore --target aarch64", "our Rust is explored here"),
        ("explore --tree . --closed", "cannot be used with"),
        ("explore --tree . --subject tree/vax", "a tree has no subject tree/vax"),
        ("explore --tree . --subject counted/aarch64", "a tree has no subject counted/aarch64"),
        ("explore --tree . --subject tree/xen --target aarch64", "tree/xen runs on x86_64"),
        ("explore --tree . --subject tree/xen", "Linux"),
        ("explore --closed --subject counted/sparc64", "counted/sparc64 has more state than the counters"),
        ("explore --closed --subject nesting-v4/none", "nesting-v4/none has more state than the counters"),
    ] {
        let ran = folder.run(&line.split(' ').collect::<Vec<_>>());
        ran.is_refused(line, 2);
        assert!(ran.stderr.contains(what), "{line}: `{what}` in {}", ran.stderr);
    }
}

/// What was found is printed, whatever becomes of the file.
#[test]
fn a_file_that_cannot_be_written_costs_nothing_that_was_found() {
    let folder = Folder::new("explore-unwritable");
    let ran =
        folder.run(&["explore", "--depth", "3", "--subject", "zoo/gen-order-v3-mutant", "--out", "no/folder/x.lmm"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("\nBROKEN: model, ") && ran.stdout.contains(" <<'END'\n"), "{}", ran.stdout);
    assert!(
        ran.stderr.starts_with("error: cannot write: ") && ran.stderr.contains("no/folder/x.lmm"),
        "{}",
        ran.stderr
    );
}
