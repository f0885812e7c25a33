//! A disk that is full: one message that says what to do, nothing half written, nothing lost, and fine once there is room.
//!
//! The disk is a small file system in memory, in a name space of the test's own, which root may have and, on most machines,
//! everybody; where not, the test is skipped and says so. A limit on the size of files works everywhere.
//!
//! What it is not: a standard output that is full is tested with the command line (`tests/cli`).
//!
//! Who calls it: `cargo test`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use lazy_mmu_engine::fuzz::find;
use lazy_mmu_engine::program::text::parse;

use crate::place::{BENT, BROKEN, Ended, Place};

/// How a name space is made here: as root, or as a user that becomes root in it.
fn name_space() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let works = |way: &&&[&str]| {
        let mut command = Command::new("unshare");
        command.args(**way).args(["sh", "-c", "mount -t tmpfs -o size=64k none \"$0\""]).arg(std::env::temp_dir());
        command.output().is_ok_and(|output| output.status.success())
    };
    let found = ways.iter().find(works).copied();
    if found.is_none() {
        println!("skipped: no file system can be mounted here, by root or in a name space (unshare --user --mount)");
    }
    found
}

/// Runs the command, in the place, with a disk of `size` at `disk`; then again with room. What was on the disk in between is
/// in the folder `between`, and at last in `after`.
fn run(place: &Place, way: &[&str], disk: &str, size: &str, arguments: &[&str]) -> [Ended; 2] {
    place.program(
        "twice",
        "set -e; disk=$1; size=$2; shift 2; mkdir -p $disk; mount -t tmpfs -o size=$size none $disk\n\
         if [ -d before ]; then cp -a before/. $disk; fi\n\
         code=0; \"$@\" >stdout.1 2>stderr.1 || code=$?; echo $code >code.1; cp -a $disk between; rm -f $disk/filler\n\
         mount -o remount,size=256m $disk\n\
         code=0; \"$@\" >stdout.2 2>stderr.2 || code=$?; echo $code >code.2; cp -a $disk after",
    );
    let command = place.command(arguments);
    let mut twice = Command::new("unshare");
    twice.args(way).arg(place.path("twice")).args([disk, size]).arg(command.get_program()).args(arguments);
    twice.current_dir(place.path(""));
    twice.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    twice.env_remove("CARGO_MANIFEST_DIR").env_remove("RUST_BACKTRACE");
    let ended = place.start(twice).end();
    assert_eq!(ended.code, Some(0), "the script: {ended:#?}");
    place.is_empty();
    [1, 2].map(|number| {
        let text = |name: &str| fs::read_to_string(place.path(&format!("{name}.{number}"))).expect("its output");
        let code = text("code").trim().parse().ok();
        Ended { code, stdout: text("stdout"), stderr: text("stderr") }
    })
}

/// Every file below a folder with its length, hidden ones too.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, length)| (format!("{name}/{below}"), length)));
        } else {
            found.insert(name, fs::metadata(&path).map_or(0, |data| data.len()));
        }
    }
    found
}

const CORPUS: [&str; 5] = ["corpus", "--out", "disk/corpus", "--dictionaries", "disk/dictionaries"];

#[test]
fn seeds_on_a_full_disk_are_whole_or_not_there() {
    let Some(way) = name_space() else { return };
    let place = Place::new("disk-corpus");
    let [full, fine] = run(&place, way, "disk", "256k", &CORPUS);
    full.is_refused(3);
    assert!(full.stderr.contains("No space left on device"), "{full:#?}");
    assert_eq!(fine.code, Some(0), "the same command goes on from there: {fine:#?}");
    let (between, after) = (files(&place.path("between")), files(&place.path("after")));
    let whole = |(name, length): (&String, &u64)| after.get(name) == Some(length);
    assert!(!between.is_empty() && between.len() < after.len() && between.iter().all(whole), "{between:?}");
    println!("full disk, corpus: exit code 3, {} of {} files there, all whole", between.len(), after.len());
}

/// The limit needs no rights. Without a handler its signal would kill the command without a word.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_like_another() {
    let place = Place::new("disk-limit");
    let mut command = Command::new("sh");
    let lazymmu = place.command(&CORPUS);
    command.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(lazymmu.get_program()).args(CORPUS);
    command.current_dir(place.path("")).env_remove("CARGO_MANIFEST_DIR");
    // Its own output is a file of the test too, and small.
    let ended = place.start(command).end();
    ended.is_refused(3);
    assert!(ended.stderr.contains("File too large"), "{ended:#?}");
    let parts: Vec<_> = files(&place.path("disk")).into_keys().filter(|name| name.contains("/.")).collect();
    assert!(parts.is_empty(), "{parts:?}");
}

/// Finds something, waits until it is looked at, finds something else and fills the disk. Where that is done, it ends well.
const FUZZER: &str = r#"
here=${0%/*}
give() { cp "$here/$1" "$LAZYMMU_FINDINGS/.$1" && mv "$LAZYMMU_FINDINGS/.$1" "$LAZYMMU_FINDINGS/$1" || rm -f "$LAZYMMU_FINDINGS/.$1"; }
[ -f ran ] && exit 0
: > ran
give data0
while ! ls fuzz/findings/*/report.txt >/dev/null 2>&1; do sleep 0.1; done
give data1
cat /dev/zero > fuzz/filler
give data2
exec sleep 1000"#;

#[test]
fn a_full_disk_during_fuzzing_loses_nothing_that_was_found() {
    let Some(way) = name_space() else { return };
    let place = Place::new("disk-fuzz");
    let target = find("contract").expect("a target");
    let binaries = format!("target/fuzz/{}-unknown-linux-gnu/release", std::env::consts::ARCH);
    for (at, text) in BROKEN.iter().enumerate() {
        place.write(&format!("{binaries}/data{at}"), target.input.join(&[0], &parse(text).expect("a program")));
    }
    place.program(&format!("{binaries}/contract"), FUZZER);
    let fuzz = ["fuzz", "contract", "--time", "30s", "--subject", BENT, "--resume"];
    let [full, fine] = run(&place, way, "fuzz", "64m", &fuzz);
    assert!(matches!(full.code, Some(1 | 3)), "{full:#?}");
    assert_eq!(full.stderr.matches("error:").count(), 1, "one message: {full:#?}");
    assert!(full.stderr.contains("No space left on device") && full.stderr.contains("\n  to do: "), "{full:#?}");
    assert!(!full.stderr.contains("panicked"), "{full:#?}");
    let (between, after) = (files(&place.path("between")), files(&place.path("after")));
    let found = |files: &BTreeMap<String, u64>| -> Vec<String> {
        let reports = files.keys().filter(|name| name.ends_with("/report.txt"));
        reports.filter(|name| name.starts_with("findings/")).cloned().collect()
    };
    let kept = found(&between);
    assert!(!kept.is_empty(), "what was found before is there: {between:?}");
    for (name, length) in between.iter().filter(|(name, _)| name.starts_with("findings/")) {
        assert!(*length > 0 && after.get(name) == Some(length), "{name} is whole, and stays as it is");
    }
    assert!(between.keys().all(|name| !name.contains("/.part-") && !name.ends_with(".tmp")), "{between:?}");
    // The second was found before the disk was full. It is kept at the latest when there is room again.
    assert!(found(&after).len() >= 2 || full.stderr.contains("this is its report"), "{full:#?}{fine:#?}");
    assert_eq!(fine.code, Some(1), "the next run reports the findings: {fine:#?}");
    assert!(fine.stdout.contains("finding"), "{fine:#?}");
    println!(
        "full disk, fuzzing: exit code {:?}, {} findings kept whole, {} when there was room again",
        full.code,
        kept.len(),
        found(&after).len()
    );
}
