//! `replay` on the recorded traces, on impossible ones and on several at once.
//!
//! What it is not: what a kernel could have recorded is the engine's knowledge and tested there, line by line. Traces
//! that are none at all are in [`crate::bad`].
//!
//! Who calls it: `cargo test`.

use std::fs;
use std::path::PathBuf;

use crate::TRACE;
use crate::folder::{Folder, root};

/// The traces in the repository, in the order of their names.
fn recorded() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("harness/traces")).expect("the folder of traces");
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xz"));
    paths.sort();
    assert!(!paths.is_empty(), "there are recorded traces");
    paths
}

#[test]
fn every_recorded_trace_is_accepted() {
    let folder = Folder::new("recorded");
    let paths = recorded();
    let arguments: Vec<_> = std::iter::once("replay".into()).chain(paths.iter().cloned()).collect();
    let ran = folder.run(&arguments);
    ran.is_result("all recorded traces", 0);
    for path in &paths {
        let heading = format!("{}: ", path.display());
        let summary = ran.stdout.lines().find(|line| line.starts_with(&heading)).expect("a summary of each trace");
        let stem = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let arch = if stem.starts_with("arm64") { "aarch64" } else { stem.split(['-', '.']).next().expect("a name") };
        assert!(summary.contains(arch), "{summary}");
    }
    assert_eq!(folder.run(&arguments), ran, "the same traces, the same output");
}

#[test]
fn a_compressed_trace_that_is_cut_is_refused() {
    let folder = Folder::new("cut");
    for path in recorded() {
        let whole = fs::read(&path).expect("a trace");
        let cuts = [3, 6, 13, whole.len() / 3, whole.len() - 13, whole.len() - 1];
        for bytes in cuts.map(|cut| &whole[..cut]) {
            let name = format!("{} bytes of {}", bytes.len(), path.display());
            folder.write("cut.trace.xz", bytes);
            let ran = folder.run(&["replay", "cut.trace.xz"]);
            ran.is_refused(&name, 2);
            assert!(ran.stderr.starts_with("error: the .xz data is damaged or truncated"), "{name}: {}", ran.stderr);
            let place = ran.line("  where: ").and_then(|place| place.strip_prefix("cut.trace.xz:")).unwrap_or_default();
            let numbers: Vec<_> = place.split(':').map(str::parse::<u64>).collect();
            assert!(matches!(numbers[..], [Ok(1..), Ok(1..)]), "{name}: a line and a column in {}", ran.stderr);
            assert!(ran.line("  to do: ").is_some_and(|line| line.contains("xz --test")), "{name}: {}", ran.stderr);
        }
    }
}

/// The checksum comes last. What was decompressed from damaged data must not be held against the kernel before.
#[test]
fn a_damaged_file_is_not_blamed_on_the_kernel() {
    let folder = Folder::new("damaged");
    for path in recorded() {
        let whole = fs::read(&path).expect("a trace");
        for part in 1..8 {
            let mut damaged = whole.clone();
            let at = whole.len() / 8 * part;
            damaged[at] ^= 0x40;
            let name = format!("byte {at} of {}", path.display());
            folder.write("damaged.trace.xz", damaged);
            let ran = folder.run(&["replay", "damaged.trace.xz"]);
            ran.is_refused(&name, 2);
            assert!(ran.stderr.starts_with("error: the .xz data is damaged or truncated"), "{name}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_line_that_no_kernel_could_have_recorded_exits_with_1_and_says_what_was_expected() {
    let broken = |from: &str, to: &str| TRACE.replacen(from, to, 1);
    // Name, trace, the line and column of the error, what was expected, what was found.
    let cases = [
        ("count", broken("enable 1 0", "enable 2 0"), "2:16", "`enable 1 0`", "`enable 2 0`"),
        ("other-count", broken("disable 0 0", "disable 0 1"), "4:", "`disable 0 0`", "`disable 0 1`"),
        ("hook", broken("arch_leave", "arch_flush"), "5:", "`arch_leave 0 0`", "`arch_flush 0 0`"),
        ("no-hook", broken("1 0 1 0 arch_enter 1 0\n2 ", "1 "), "3:", "`arch_enter 1 0`", "`disable 0 0`"),
        (
            "no-end",
            broken("arm64\n", "arm64\n# complete: all 3 recorded events\n").replace("3 0 1 0 arch_leave 0 0\n", ""),
            "6:1",
            "`arch_leave 0 0`",
            "the end of the file",
        ),
    ];
    let folder = Folder::new("impossible");
    for (name, trace, place, expected, found) in cases {
        folder.write(name, trace);
        let ran = folder.run(&["replay", name]);
        ran.is_refused(name, 1);
        let text = ran.line("error: ").unwrap_or_default();
        let found_at = ran.line("  where: ").unwrap_or_default();
        assert!(found_at.starts_with(&format!("{name}:{place}")), "{name}: {found_at}");
        assert!(text.contains("no kernel could have recorded this"), "{name}: {text}");
        let (before, after) = text.split_once(", found ").unwrap_or_default();
        assert!(before.contains("expected ") && before.contains(expected), "{name}: {expected} in {text}");
        assert!(after.contains(found), "{name}: {found} in {text}");
        assert!(ran.line("  to do: ").is_some(), "{name}: {}", ran.stderr);
    }
}

#[test]
fn of_several_traces_each_is_replayed_and_the_worst_decides() {
    let folder = Folder::new("several");
    folder.write("good", TRACE);
    folder.write("also-good", TRACE);
    folder.write("impossible", TRACE.replace("enable 1 0", "enable 2 0"));
    folder.write("malformed", "no trace\n");
    folder.write("part", "7 0 1 0 disable 1 0\n8 0 1 0 arch_flush 1 0\n");
    // The files, the exit code, and how many errors are said.
    let cases: [(&[&str], i32, usize); 9] = [
        (&["good", "part", "good"], 4, 0),
        (&["part", "impossible", "part"], 1, 1),
        (&["part", "malformed"], 2, 1),
        (&["good", "also-good", "good"], 0, 0),
        (&["good", "impossible", "also-good"], 1, 1),
        (&["malformed", "good", "also-good"], 2, 1),
        (&["good", "nowhere", "also-good"], 2, 1),
        (&["malformed", "impossible", "good", "also-good"], 2, 2),
        (&["impossible", "good", "malformed", "also-good"], 2, 2),
    ];
    for (files, code, errors) in cases {
        let ran = folder.run(&[&["replay"], files].concat());
        assert_eq!(ran.code, Some(code), "{files:?}: {ran:#?}");
        assert_eq!(ran.stderr.matches("error:").count(), errors, "{files:?}: {}", ran.stderr);
        for file in files {
            let summed_up = ran.stdout.lines().any(|line| line.starts_with(&format!("{file}: ")));
            assert_eq!(summed_up, file.contains("good") || *file == "part", "{files:?}: the summary of {file}");
        }
    }
}

#[test]
fn a_compressed_trace_is_known_by_its_content_and_not_by_its_name() {
    let folder = Folder::new("renamed");
    let path = &recorded()[0];
    folder.write("trace", fs::read(path).expect("a trace"));
    folder.write("plain.xz", TRACE);
    folder.run(&["replay", "trace"]).is_result("compressed, without .xz", 0);
    folder.run(&["replay", "plain.xz"]).is_result("plain, with .xz", 0);
}

/// A trace comes as it comes: with other line ends, compressed, through a pipe.
#[test]
fn a_trace_reads_the_same_however_it_comes() {
    let folder = Folder::new("forms");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, TRACE.as_bytes()).expect("memory");
    let zstd = ruzstd::encoding::compress_to_vec(TRACE.as_bytes(), ruzstd::encoding::CompressionLevel::Uncompressed);
    let spaced =
        TRACE.replace('\n', " \n\n").replace(' ', "  ").replace("#  lazy  MMU  mode  trace:", "# lazy MMU mode trace:");
    let forms: [(&str, Vec<u8>); 7] = [
        ("plain", TRACE.into()),
        ("crlf", TRACE.replace('\n', "\r\n").into()),
        ("marked", [b"\xef\xbb\xbf", TRACE.as_bytes()].concat()),
        ("spaced", spaced.into()),
        ("gzip", gzip.finish().expect("memory")),
        ("zstd", zstd),
        ("no-newline", TRACE.trim_end().into()),
    ];
    let expected = folder.run_with(&["replay", "-"], TRACE.as_bytes());
    expected.is_result("standard input", 0);
    assert!(expected.stdout.starts_with("standard input: aarch64, 4 events"), "{}", expected.stdout);
    for (name, bytes) in forms {
        folder.write(name, &bytes);
        let (file, pipe) = (folder.run(&["replay", name]), folder.run_with(&["replay", "-"], &bytes));
        file.is_result(name, 0);
        pipe.is_result(name, 0);
        assert_eq!(pipe.stdout, expected.stdout, "{name}");
        assert_eq!(
            file.stdout.split_once(": "),
            expected.stdout.split_once(": ").map(|(_, rest)| (name, rest)),
            "{name}"
        );
    }
}

/// Known findings are named by the table of known findings.
#[test]
fn every_finding_that_replay_names_is_known() {
    for cause in lazy_mmu_engine::replay::Cause::ALL {
        let name = cause.finding();
        assert!(lazy_mmu_snapshots::known::KNOWN.iter().any(|known| known.name == name), "{name}");
    }
}

#[test]
fn a_new_task_under_xen_that_is_paused_for_life_is_named() {
    let folder = Folder::new("xen");
    let trace = "# lazy MMU mode trace: x86_64 (Xen PV)\n\
        0 0 5 0 task_pause 0 1\n1 0 5 0 mc_flush 0 1 0 0\n2 0 9 0 task_resume 0 255\n3 0 9 0 enable 0 255\n\
        4 0 9 0 mmu_immediate 0 255\n5 0 9 0 disable 0 255\n";
    folder.write("xen", trace);
    let ran = folder.run(&["replay", "xen"]);
    ran.is_result("xen", 1);
    let line = "known/xen-new-task paused for life since its first switch-in, 1 task (pid 9); 0 of 1 changes deferred";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("verdict        breaks I1 I5 I12 I15; known findings explain all of it"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_partial_capture_says_what_was_assumed_and_where_it_ends() {
    let folder = Folder::new("partial");
    // Name, trace, exit code, what is said.
    let cases = [
        (
            "end",
            TRACE.split_inclusive('\n').take(3).collect::<String>(),
            0,
            "ends           in mid-section of pid 1, which is at 1 0",
        ),
        ("hook", TRACE.split_inclusive('\n').take(4).collect(), 0, "ends           before `arch_leave 0 0` from pid 1"),
        (
            "begin",
            "7 0 12 0 disable 2 0\n8 0 12 0 arch_flush 2 0\n".into(),
            4,
            "pid 12 was in a section, at enable_count 3",
        ),
        (
            "clean",
            TRACE.replace("\n3 ", "\n8 ").replace("\n2 ", "\n7 ").replace("\n1 ", "\n6 ").replace("\n0 ", "\n5 "),
            0,
            "at seq 5; no task was seen",
        ),
        ("lost", format!("{TRACE}# lost 3 events\n7 0 1 0 disable 1 0\n"), 4, "lost           3 events in 1 place"),
    ];
    for (name, trace, code, said) in cases {
        folder.write(name, trace);
        let ran = folder.run(&["replay", name]);
        ran.is_result(name, code);
        assert!(ran.stdout.contains(said), "{name}: `{said}` in {}", ran.stdout);
    }
}
