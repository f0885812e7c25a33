//! Runs with scripts in place of libFuzzer: what is found is kept, what dies is said, what cannot be written is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lazy_mmu_engine::fuzz::find;
use lazy_mmu_engine::program::text::parse;

use super::state::State;
use super::{Plan, run};
use crate::error::Error;

/// A folder of its own for each test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lazymmu-fuzz-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    /// A plan whose binary is this script of the shell.
    fn plan(&self, target: &str, script: &str) -> Plan {
        let binary = self.0.join("binary");
        fs::write(&binary, format!("#!/bin/sh\n{script}\n")).expect("the script");
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("its mode");
        Plan {
            target: find(target).expect("a target"),
            binary,
            fuzz: self.0.join("fuzz"),
            time: Duration::from_secs(3),
            jobs: 1,
            seed: 1,
            subject: None,
            resume: false,
            findings: self.0.join("findings"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn counts_and_status_are_read_and_what_stayed_at_zero_is_missing() {
    let folder = Folder::new("counts");
    let script = r#"printf '7\texecutions\n3\tframes read\n2\tstreams read to their end\n0\tstreams refused\n' > "$LAZYMMU_STATS"
printf '#7\tNEW cov: 11 ft: 12 corp: 3/40b\n#8\tNEW cov: 13' >&2"#;
    let plan = folder.plan("agent_wire", script);
    let ran = run(&plan, None).expect("a run");
    let last = ran.state.samples.last().expect("a sample").pulse;
    assert_eq!((last.executions, last.coverage, last.features, last.corpus), (7, 11, 12, 3));
    assert_eq!(ran.missing, ["streams refused"]);
    assert!(!ran.is_clean() && ran.found.is_empty() && ran.died.is_empty(), "{ran:?}");
    let state = State::load(&folder.0.join("fuzz/runs/agent_wire/state")).expect("the state");
    assert_eq!(state.counts.of("frames read"), 3);
    // It was cut short by nothing, but its time is not used up: a resumed run adds to it.
    let again = run(&Plan { resume: true, ..plan }, None).expect("a run");
    assert_eq!(
        (again.state.counts.of("frames read"), again.state.samples.last().map(|s| s.pulse.executions)),
        (6, Some(14))
    );
}

/// Counts are a run's own: a process that is killed before it counts leaves nothing of the run before, neither in what is
/// printed nor for one that resumes.
#[test]
fn a_run_has_no_counts_of_another() {
    let folder = Folder::new("stale");
    let whole = r#"printf '7\texecutions\n3\tframes read\n' > "$LAZYMMU_STATS"; printf '#7\tNEW cov: 1 ft: 2 corp: 3/4b\n' >&2"#;
    let plan = folder.plan("agent_wire", whole);
    let first = run(&plan, None).expect("a run");
    assert_eq!((first.executions(), first.resumed.is_none()), (7, true));
    folder.plan("agent_wire", "exit 0");
    let second = run(&plan, None).expect("a run");
    assert_eq!((second.executions(), second.state.counts.of("frames read")), (0, 0), "{second:?}");
    assert!(!second.is_clean() && second.missing.contains(&"frames read"), "nothing was executed");
    // What it left is what a resumed run goes on with, and is said to be.
    let resumed = run(&Plan { resume: true, ..plan.clone() }, None).expect("a run");
    assert_eq!(resumed.executions(), 0);
    folder.plan("agent_wire", whole);
    run(&plan, None).expect("a run");
    let resumed = run(&Plan { resume: true, ..plan }, None).expect("a run");
    let before = resumed.resumed.as_ref().map(State::executions);
    assert_eq!((resumed.executions(), resumed.state.counts.of("frames read"), before), (14, 6, Some(7)));
}

/// What an earlier run's processes put down is found again or forgotten: it is no fault of this run.
#[test]
fn what_an_earlier_run_left_is_looked_at_again() {
    let folder = Folder::new("left");
    let plan = Plan { subject: Some("counted/none"), ..folder.plan("contract", "exit 0") };
    let raw = folder.0.join("fuzz/runs/contract-counted-none/raw");
    fs::create_dir_all(&raw).expect("the folder");
    let program = parse("enable; disable").expect("a program");
    fs::write(raw.join("a-slug"), find("contract").expect("a target").input.join(&[0], &program)).expect("the input");
    let ran = run(&plan, None).expect("a run");
    assert!(ran.found.is_empty() && ran.died.is_empty(), "{ran:?}");
    assert_eq!(names(&raw), Vec::<String>::new());
}

#[test]
fn what_is_found_is_minimised_and_kept_once() {
    let folder = Folder::new("found");
    let subject = "zoo/arm64-softirq-pte";
    let program = parse("query; enable; set U 5; irq { get U 6; set K 7 x3 }; disable").expect("a program");
    let target = find("contract").expect("a target");
    fs::write(folder.0.join("data"), target.input.join(&[9], &program)).expect("the input");
    let script = format!(
        "cp {0}/data \"$LAZYMMU_FINDINGS/some-slug\"; echo $LAZYMMU_FUZZ_SUBJECT > {0}/subject",
        folder.0.display()
    );
    let plan = Plan { subject: Some(subject), ..folder.plan("contract", &script) };
    let ran = run(&plan, None).expect("a run");
    assert_eq!(ran.found.iter().map(|(_, new)| *new).collect::<Vec<_>>(), [true], "{ran:?}");
    let kept = &ran.found[0].0;
    assert_eq!(names(kept), ["input", "kunit.c", "program.lmm", "report.txt", "test.rs"]);
    let small = fs::read_to_string(kept.join("program.lmm")).expect("the program");
    assert!(small.ends_with("enable\nirq {\n  set K 0\n}\n"), "{small}");
    assert_eq!(fs::read_to_string(folder.0.join("subject")).expect("it"), format!("{subject}\n"));
    // The same again is not new.
    let again = run(&plan, None).expect("a run");
    assert_eq!(again.found, [(kept.clone(), false)]);
}

#[test]
fn what_kills_the_process_is_kept_and_another_is_started() {
    let folder = Folder::new("died");
    let script = r#"for a in "$@"; do case $a in -artifact_prefix=*) p=${a#*=};; esac; done
[ -f "${p}crash-1" ] && exit 0
printf 'enable' > "${p}crash-1"
echo "thread '<unnamed>' (7) panicked at src/x.rs:1:2:" >&2; echo 'index 3' >&2
echo "Test unit written to ${p}crash-1" >&2; exit 77"#;
    let ran = run(&folder.plan("program_text", script), None).expect("a run");
    assert_eq!(ran.found.len(), 1, "{ran:?}");
    let report = fs::read_to_string(ran.found[0].0.join("report.txt")).expect("the report");
    assert!(report.contains("panicked at src/x.rs:1:2 index 3") && report.contains("--replay"), "{report}");
    assert_eq!(fs::read(ran.found[0].0.join("input")).expect("the input"), b"enable");
    assert!(names(&folder.0.join("fuzz/runs/program_text")).contains(&"1.log".to_owned()), "a second process");
}

/// A process that ends badly without an input says how, and the run ends though it does so every time.
#[test]
fn a_process_that_cannot_run_is_said_and_given_up() {
    let folder = Folder::new("hopeless");
    let ran = run(&folder.plan("trace", "exit 3"), None).expect("a run");
    assert!(ran.died.iter().all(|died| died == "exit code 3") && !ran.died.is_empty(), "{ran:?}");
    assert!(!ran.is_clean());
}

#[test]
fn a_run_whose_time_is_used_up_is_not_run_again() {
    let folder = Folder::new("used-up");
    let plan = Plan { resume: true, time: Duration::from_secs(1), ..folder.plan("trace", "echo x > ran") };
    let file = folder.0.join("fuzz/runs/trace/state");
    fs::create_dir_all(file.parent().expect("a parent")).expect("the folder");
    fs::write(&file, "1000 5 6 7 8\ncounts\n4\ttraces accepted\n4\ttraces rejected\nend\n").expect("the state");
    let ran = run(&plan, None).expect("a run");
    assert!(ran.is_clean() && ran.state.samples.len() == 1, "{ran:?}");
    assert!(!names(file.parent().expect("a parent")).contains(&"0.log".to_owned()));
}

#[test]
fn folders_that_cannot_be_used_are_refused_before_anything_runs() {
    let folder = Folder::new("refused");
    let plan = folder.plan("trace", "exit 0");
    fs::create_dir_all(&plan.fuzz).expect("the folder");
    fs::write(plan.fuzz.join("artifacts"), b"in the way").expect("a file");
    match run(&plan, None) {
        Err(Error::Io { path, .. }) => assert!(path.ends_with("artifacts/trace"), "{}", path.display()),
        other => panic!("{other:?}"),
    }
    fs::remove_file(plan.fuzz.join("artifacts")).expect("to remove it");
    fs::create_dir_all(plan.fuzz.join("corpus/trace/a folder")).expect("the folder");
    match run(&plan, None) {
        Err(Error::Input { place, .. }) => assert!(place.ends_with("corpus/trace/a folder"), "{place}"),
        other => panic!("{other:?}"),
    }
}
