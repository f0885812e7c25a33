//! Bad usage and bad input: a table of what is given, and of the one error that answers it.
//!
//! What it is not: what a parser accepts in detail is tested where it is written. Here it is the user's view: the exit
//! code, what is wrong, where, and what to do; and no partial result.
//!
//! Who calls it: `cargo test`.

use lazy_mmu_harness::target::Target;

use crate::folder::{Folder, Ran};

/// Bytes of a line that no limit allows.
const LONG: usize = 10_000_000;

/// One file, what it holds, and the error.
struct Input {
    file: &'static str,
    bytes: Vec<u8>,
    /// A part of the error's first line.
    what: &'static str,
    /// Line and column.
    place: &'static str,
}

fn input(file: &'static str, bytes: impl Into<Vec<u8>>, what: &'static str, place: &'static str) -> Input {
    Input { file, bytes: bytes.into(), what, place }
}

fn programs() -> Vec<Input> {
    let deep = format!("{}{}", "irq {\n".repeat(4097), "}\n".repeat(4097));
    let halves = format!("{}{}", "enable between {\n".repeat(33), "}\n".repeat(33));
    vec![
        input("unknown", "enable\n  enabel\ndisable\n", "unknown operation `enabel`; did you mean `enable`?", "2:3"),
        input("unknown-alone", "quux", "unknown operation `quux`", "1:1"),
        input("closed", "enable\n}\n", "this `}` closes no block", "2:1"),
        input("unclosed", "query\nirq { nmi { query }\n", "this block is never closed: a `}` is missing", "2:1"),
        input("no-block", "irq query }", "`irq` opens a block: a `{` is missing", "1:5"),
        input("two-on-a-line", "enable disable", "`disable` was not expected", "1:8"),
        input("no-page", "set K\n", "`set` needs a page", "1:6"),
        input("big-page", "set K 2048\n", "`2048` is no page: expected a number in 0..=2047", "1:7"),
        input("big-task", "switch T8\n", "`T8` is no task: expected T0 to T7", "1:8"),
        input("big-number", "cpu 99999999999999999999\n", "is no CPU: expected a number in 0..=1", "1:5"),
        input("long-line", vec![b'a'; LONG], "at most 4194304 bytes", "1:4194305"),
        input("long-comment", [b"query\n#", &vec![b' '; LONG][..]].concat(), "at most 4194304 bytes", "2:4194299"),
        input("many", "query;".repeat(65_537), "a program has at most 65536 operations", "1:393217"),
        input("deep", deep, "at most 4096 blocks", "4097:1"),
        input("deep-halves", halves, "32 of them `between`", "33:8"),
        input("nul", b"enable\nda\0ble\n", "byte 0x00 is not text", "2:3"),
        input("escape", b"enable # \x1b[31m\n", "byte 0x1b is not text", "1:10"),
        input("latin-1", b"enable\n# caf\xe9\n", "the text is not UTF-8 here", "2:6"),
        input("utf-16", b"e\0n\0", "byte 0x00 is not text", "1:2"),
    ]
}

#[test]
fn a_bad_program_is_refused_from_a_file_and_from_standard_input() {
    let folder = Folder::new("bad-programs");
    for Input { file, bytes, what, place } in programs() {
        folder.write(file, &bytes);
        for (argument, source) in [(file, file), ("-", "standard input")] {
            for format in ["human", "json"] {
                let name = format!("{file} from {source} as {format}");
                let ran = folder.run_with(&["run", argument, "--format", format], &bytes);
                ran.is_refused(&name, 2);
                says(&ran, &name, what, &format!("{source}:{place}"), "docs/program-language.md");
            }
        }
    }
}

#[test]
fn a_number_with_a_sign_is_none() {
    let folder = Folder::new("bad-numbers");
    for (text, what) in [
        ("switch T+1", "`T+1` is no task"),
        ("cpu +1", "`+1` is no CPU"),
        ("set K 0 x+2", "`+2` is no number of pages"),
        ("repeat +2 { }", "`+2` is no number of times"),
    ] {
        let ran = folder.run_with(&["run", "-"], text.as_bytes());
        ran.is_refused(text, 2);
        assert!(ran.stderr.contains(what), "{text}: `{what}` in {}", ran.stderr);
    }
}

/// The three parts of the error.
#[track_caller]
fn says(ran: &Ran, name: &str, what: &str, place: &str, remedy: &str) {
    let first = ran.line("error: ").unwrap_or_default();
    assert!(first.contains(what), "{name}: `{what}` in {}", ran.stderr);
    assert_eq!(ran.line("  where: "), Some(place), "{name}: {}", ran.stderr);
    assert!(ran.line("  to do: ").is_some_and(|line| line.contains(remedy)), "{name}: `{remedy}` in {}", ran.stderr);
    assert!(ran.stderr.lines().all(|line| line.chars().count() < 2000), "{name}: a report stays readable");
}

fn traces() -> Vec<Input> {
    let line = "0 0 1 0 enable 1 0\n";
    let after = |rest: &[u8]| [line.as_bytes(), rest].concat();
    let none = "this is no trace: expected a kernel trace, with lines such as `0 0 5 0 enable 1 0`";
    let title = "# lazy MMU mode trace: arm64\n";
    vec![
        input("missing-field", after(b"1 0 1 0 arch_enter 1\n"), "expected <pause_count>, found the end", "2:21"),
        input("missing-number", "0 0 1 0 batch_add 1 0\n", "expected <nr>, found the end of the line", "1:22"),
        input("no-number", after(b"one 0 1 0 arch_enter 1 0\n"), "<seq>, a decimal number, found `one`", "2:1"),
        input("negative", "0 0 -1 0 enable 1 0\n", "<pid>, a decimal number, found `-1`", "1:5"),
        input("big-irq", "0 0 1 2 enable 1 0\n", "<irq>, a number from 0 to 1, found `2`", "1:7"),
        input("big-count", "0 0 1 0 enable 256 0\n", "<enable_count>, a number from 0 to 255", "1:16"),
        input("no-event", "0 0 1 0 enabled 1 0\n", "the name of an event, found `enabled`", "1:9"),
        input("empty", "", none, "1:1"),
        input("comments", "# a header\n# alone\n", none, "3:1"),
        input("title-alone", title, "expected at least one event line, found the end of the file", "2:1"),
        input("two-titles", format!("{title}{line}{title}{line}"), "expected one recording in a file", "3:1"),
        input("two-traces", format!("{line}1 0 1 0 arch_enter 1 0\n{line}"), "expected one recording in a file", "3:1"),
        input("long-line", vec![b'1'; LONG], "a line of at most 4096 bytes", "1:4097"),
        input("long-comment", after(&[b"#", &vec![b'-'; LONG][..], b"\n"].concat()), "at most 4096 bytes", "2:4097"),
        input("nul", after(b"1 0 1 0 arch\0enter 1 0\n"), "the name of an event, found bytes that are no text", "2:9"),
        input("nul-comment", "# a\0b\n", "text in UTF-8 without control characters, found bytes", "1:4"),
        input("program", "enable\ndisable\n", none, "1:1"),
        input("binary", b"\x01\x02\xff\x00\n", "<pause_count>), found bytes that are no text", "1:1"),
    ]
}

#[test]
fn a_file_of_another_format_is_named() {
    let folder = Folder::new("foreign-traces");
    for (bytes, what) in [(&b"BZh91AY&SY"[..], "bzip2 data"), (b"\x17\x08\x44tracing6", "a recording of trace-cmd")] {
        folder.write("foreign", bytes);
        let ran = folder.run(&["replay", "foreign"]);
        ran.is_refused(what, 2);
        says(&ran, what, &format!("this is no trace but {what}"), "foreign", "docs/kernel-traces.md");
    }
}

#[test]
fn a_bad_trace_is_refused() {
    let folder = Folder::new("bad-traces");
    for Input { file, bytes, what, place } in traces() {
        folder.write(file, &bytes);
        let ran = folder.run(&["replay", file]);
        ran.is_refused(file, 2);
        says(&ran, file, what, &format!("{file}:{place}"), "docs/kernel-traces.md");
    }
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let folder = Folder::new("bad-paths");
    std::fs::create_dir(folder.path().join("directory")).expect("a directory");
    let cases = [
        ("run", "nowhere", "No such file or directory", "such as halves/enable"),
        ("run", "halves/enabel", "No such file or directory", "such as halves/enable"),
        ("run", "directory", "Is a directory", "such as halves/enable"),
        ("replay", "nowhere", "No such file or directory", "that exists and can be read"),
        ("replay", "directory", "Is a directory", "that exists and can be read"),
    ];
    for (subcommand, path, what, remedy) in cases {
        let name = format!("{subcommand} {path}");
        let ran = folder.run(&[subcommand, path]);
        ran.is_refused(&name, 2);
        says(&ran, &name, what, path, remedy);
    }
}

#[test]
fn a_name_that_means_nothing_is_refused() {
    let run = |rest: &[&str]| [&["run", "halves/enable"], rest].concat().join(" ");
    // What clap refuses it explains in its own words: the option, the value, the values there are.
    let cases = [
        ("frobnicate".to_owned(), "unrecognized subcommand 'frobnicate'"),
        ("--frobnicate".to_owned(), "unexpected argument '--frobnicate'"),
        ("run".to_owned(), "<PROGRAM>"),
        ("replay".to_owned(), "<TRACE>..."),
        (run(&["again"]), "unexpected argument 'again'"),
        (run(&["--target", "mips"]), "invalid value 'mips' for '--target <TARGET>': `mips` is no target"),
        (run(&["--port", "usb"]), "invalid value 'usb' for '--port <PORT>'"),
        (run(&["--format", "xml"]), "invalid value 'xml' for '--format <FORMAT>'"),
        (run(&["--subject"]), "a value is required for '--subject <SUBJECT>'"),
        ("check --target mips".to_owned(), "sparc64-unknown-linux-gnu"),
        ("check --profile slow".to_owned(), "invalid value 'slow' for '--profile <PROFILE>'"),
        ("check --seed -1".to_owned(), "'-1'"),
        ("setup --check".to_owned(), "unexpected argument '--check'"),
        ("judge linux --pages 8k".to_owned(), "[possible values: 4k, 64k, all]"),
        ("doctor --format xml".to_owned(), "invalid value 'xml' for '--format <FORMAT>'"),
        ("check --cpu power9".to_owned(), "--target <TARGET>"),
        ("setup --std-from elsewhere".to_owned(), "invalid value 'elsewhere' for '--std-from <SOURCE>'"),
        ("test --timeout soon".to_owned(), "invalid value 'soon' for '--timeout <SECONDS>'"),
        ("bench --target vax".to_owned(), "`vax` is no target"),
    ];
    let folder = Folder::new("bad-names");
    for (line, what) in cases {
        let ran = folder.run(&line.split(' ').collect::<Vec<_>>());
        ran.is_refused(&line, 2);
        assert!(ran.stderr.contains(what), "{line}: `{what}` in {}", ran.stderr);
        assert!(ran.stderr.contains("--help"), "{line}: {}", ran.stderr);
    }
}

#[test]
fn no_subcommand_is_answered_with_the_help_on_standard_error() {
    let ran = Folder::new("no-subcommand").run::<&str>(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("Usage: cargo lazymmu <COMMAND>"), "{}", ran.stderr);
}

#[test]
fn an_unknown_subject_is_refused_with_the_known_ones() {
    let folder = Folder::new("bad-subjects");
    let long = "x".repeat(5000);
    for subject in
        ["vax", "counted/vax", "counted/aarch64@7.0", "Counted/aarch64", "zoo/vax", "zoo/", "", "/", long.as_str()]
    {
        let ran = folder.run(&["run", "halves/enable", "--subject", subject]);
        ran.is_refused(subject, 2);
        for known in ["counted/x86_64-xen@7.1", "zoo/gen-nested-disable-no-flush"] {
            says(&ran, subject, "is no subject", "--subject", "one of:");
            assert!(ran.stderr.contains(known), "{subject}: {known} in {}", ran.stderr);
        }
    }
}

/// A target's agent does not know the zoo: its specimens run here, and say which subject runs there.
#[test]
fn a_specimen_of_the_zoo_is_refused_elsewhere() {
    let folder = Folder::new("bad-specimens");
    let subject = "zoo/arm64-softirq-pte-mutant";
    let elsewhere = Target::ALL.iter().find(|target| !target.is_native()).expect("another target").short();
    let ran = folder.run(&["run", "broken/i4-softirq", "--subject", subject, "--target", elsewhere]);
    ran.is_refused(subject, 2);
    says(&ran, subject, "runs here alone", "--target", "--subject counted/aarch64");
}

#[test]
fn the_asm_port_is_refused_where_a_subjects_instructions_are_not() {
    let folder = Folder::new("bad-ports");
    let elsewhere = |subject: &str| {
        let own = |target: &&Target| subject.contains(target.short());
        Target::ALL.iter().find(|target| !own(target)).expect("a target of other instructions").short()
    };
    for subject in ["counted/aarch64", "counted/powerpc64-radix", "token/sparc64", "counted/x86_64-xen"] {
        let target = elsewhere(subject);
        let ran = folder.run(&["run", "halves/enable", "--port", "asm", "--subject", subject, "--target", target]);
        ran.is_refused(subject, 2);
        says(&ran, subject, &format!("the asm port of {subject}"), "--port", "leave --target out");
    }
    let none = "counted/none";
    let ran = folder.run(&["run", "halves/enable", "--port", "asm", "--subject", none]);
    ran.is_refused(none, 2);
    says(&ran, none, "the asm port of counted/none", "--port", "use --port model");
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = Folder::new("bad-arguments");
    let odd = OsStr::from_bytes(b"caf\xe9");
    for subcommand in ["run", "replay", "check"] {
        let ran = folder.run(&[OsStr::new(subcommand), odd]);
        ran.is_refused(subcommand, 2);
    }
}
