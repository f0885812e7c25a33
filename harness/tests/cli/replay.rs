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
        ("no-end", broken("3 0 1 0 arch_leave 0 0\n", ""), "5:1", "`arch_leave 0 0`", "the end of the file"),
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
    // The files, the exit code, and how many errors are said.
    let cases: [(&[&str], i32, usize); 6] = [
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
            assert_eq!(summed_up, file.contains("good"), "{files:?}: the summary of {file}");
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
