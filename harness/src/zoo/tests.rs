//! Each searcher finds what is easy, what is missed is said to be, and hunts that are done are not made again.
//!
//! The fuzzer's processes are played by scripts here: the real ones need cargo-fuzz.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use lazy_mmu_engine::fuzz::ZOO;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::trial::Trial;
use lazy_mmu_engine::zoo::find;

use super::clock::Took;
use super::hunt::{Hunt, Hunted};
use super::state::State;
use super::summary::{Bound, Hunts, geometric_mean, median, ratio, rows};
use super::{Plan, Ran, Searcher, report, run};
use crate::error::Error;

/// A folder of its own for each test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lazymmu-zoo-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn plan(&self, search: Searcher, names: &[&str]) -> Plan {
        Plan {
            specimens: names.iter().map(|name| find(name).expect("a specimen")).collect(),
            search,
            baselines: Vec::new(),
            seeds: 1,
            budget: Duration::from_secs(100),
            limit: Duration::from_secs(100),
            jobs: 1,
            out: self.0.clone(),
            binary: None,
        }
    }

    fn state(&self, resume: bool) -> State {
        State::open(&self.0.join("hunts.jsonl"), "this build", resume).expect("a state")
    }

    /// What came of the plan with this script of the shell in place of libFuzzer.
    fn scripted(&self, script: &str, limit: Duration) -> Hunted {
        let binary = self.0.join("binary");
        fs::write(&binary, format!("#!/bin/sh\n{script}\n")).expect("the script");
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("its mode");
        let plan = Plan { binary: Some(binary), limit, ..self.plan(Searcher::Fuzzer, &["zoo/gen-pause-twice-mutant"]) };
        let mut ran = run(&plan, &mut self.state(false)).expect("a run");
        ran.hunts.pop().expect("a hunt").1
    }

    /// A file with a program, as the target leaves it.
    fn input(&self, name: &str, text: &str) {
        let program = parse(text).expect("a program");
        fs::write(self.0.join(name), ZOO.input.join(&[], &program)).expect("a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_searcher_in_this_process_finds_what_is_easy() {
    for search in [Searcher::Random, Searcher::Proptest, Searcher::Exhaustive] {
        let folder = Folder::new(search.name());
        let plan =
            folder.plan(search, &["zoo/gen-pause-twice-mutant", "zoo/gen-order-v3", "zoo/sparc-no-preempt-disable"]);
        let ran = run(&plan, &mut folder.state(false)).expect("a run");
        assert_eq!(ran.hunts.len(), 3);
        for (hunt, hunted) in &ran.hunts {
            assert!(hunted.found.is_some() && hunted.executions > 0, "{hunt:?}: {hunted:?}");
        }
        let rows = rows(&plan, &ran.hunts);
        assert!(rows.iter().all(|row| row.is_good(plan.budget)) && report::complaints(&plan, &rows).is_empty());
        // What is kept of each shows it, by the invariant that the specimen is about.
        for row in &rows {
            let program = row.own.program().expect("a program");
            let found = Trial::new(row.specimen).of(program, row.specimen.breaks);
            assert!(found.is_some(), "{}: {program}", row.specimen.name);
        }
    }
}

/// What the process leaves is judged again: the specimen's own invariant counts, another one is noted.
#[test]
fn what_a_process_finds_is_judged_here() {
    let folder = Folder::new("process");
    folder.input("good", "query; enable; pause; pause; resume; resume; disable");
    folder.input("other", "enable; resume; pause; pause");
    let at = folder.0.display();
    let counts = r#"printf '42\texecutions\n' > "$LAZYMMU_STATS""#;
    let script = format!(
        "[ \"$LAZYMMU_FUZZ_SUBJECT $LAZYMMU_FUZZ_UNTIL\" = 'zoo/gen-pause-twice-mutant I2' ] || exit 3\n{counts}\n\
         cp {at}/other $LAZYMMU_FINDINGS/model-x\ncp {at}/good $LAZYMMU_FINDINGS/I2-x"
    );
    let hunted = folder.scripted(&script, Duration::from_secs(100));
    let found = hunted.found.as_ref().map(ToString::to_string);
    assert_eq!(found.as_deref(), Some("enable\npause\npause\n"), "{hunted:?}");
    assert_eq!((hunted.executions, hunted.broke.as_deref()), (42, None));
    assert!(!folder.0.join("hunts").read_dir().is_ok_and(|mut left| left.next().is_some()), "its folder is left");
    // An input that shows nothing is no finding, whatever its name says.
    folder.input("good", "enable; disable");
    let hunted = folder.scripted(&script, Duration::from_secs(100));
    assert!(hunted.found.is_none() && hunted.broke.is_some(), "{hunted:?}");
}

#[test]
fn a_process_that_dies_is_said_to_and_one_that_takes_too_long_is_ended() {
    let folder = Folder::new("dies");
    let said = "printf \"thread '<unnamed>' (7) panicked at src/a.rs:3:4:\\nindex out of bounds\\n\" >&2; exit 77";
    let died = folder.scripted(said, Duration::from_secs(100));
    assert_eq!(died.broke.as_deref(), Some("panicked at src/a.rs:3:4 index out of bounds"));
    let slow = folder.scripted("while :; do :; done", Duration::from_millis(50));
    assert!(slow.found.is_none() && slow.broke.is_none() && slow.took.cpu >= Duration::from_millis(50), "{slow:?}");
}

#[test]
fn hunts_that_are_done_are_not_made_again() {
    let folder = Folder::new("resume");
    let plan = Plan { seeds: 2, ..folder.plan(Searcher::Random, &["zoo/gen-pause-twice-mutant"]) };
    let first = run(&plan, &mut folder.state(false)).expect("a run");
    let file = folder.0.join("hunts.jsonl");
    let text = fs::read_to_string(&file).expect("the state");
    assert_eq!(text.lines().count(), 3, "{text}");
    // The last line was not written to its end: that hunt is made again, the other one is as it was.
    fs::write(&file, &text[..text.len() - 9]).expect("the state");
    let mut state = folder.state(true);
    let (kept, lost) = (&first.hunts[0], &first.hunts[1]);
    let micros = |took: Took| (took.cpu.as_micros(), took.wall.as_micros());
    let back = state.done(&kept.0).expect("the first hunt");
    assert_eq!(
        (&back.found, back.executions, micros(back.took)),
        (&kept.1.found, kept.1.executions, micros(kept.1.took))
    );
    assert_eq!(state.done(&lost.0), None);
    assert_eq!(state.done(&Hunt { limit: Duration::from_secs(1), ..kept.0 }), None, "another limit is another hunt");
    assert_eq!(run(&plan, &mut state).expect("a run").hunts.len(), 2);
    assert_eq!(fs::read_to_string(&file).expect("the state").lines().count(), 3);
    match State::open(&file, "another build", true) {
        Err(Error::Input { what, .. }) => assert!(what.contains("another build"), "{what}"),
        other => panic!("{other:?}"),
    }
    assert!(State::open(&file, "another build", false).is_ok_and(|state| state.done(&kept.0).is_none()));
}

fn exact(value: f64) -> Bound {
    Bound { value, at_least: false }
}

fn at_least(value: f64) -> Bound {
    Bound { value, at_least: true }
}

#[test]
fn what_was_missed_makes_lower_bounds() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[at_least(10.0), exact(3.0), exact(1.0), at_least(10.0), exact(2.0)]), Some(exact(3.0)));
    assert_eq!(median(&[at_least(10.0), at_least(10.0), exact(1.0)]), Some(at_least(10.0)));
    assert_eq!(median(&[exact(1.0), at_least(10.0)]), Some(at_least(5.5)));
    assert_eq!(ratio(exact(6.0), exact(2.0)), Some(exact(3.0)));
    assert_eq!(ratio(at_least(10.0), exact(2.0)), Some(at_least(5.0)));
    assert_eq!(ratio(exact(6.0), at_least(2.0)), None);
    assert_eq!(geometric_mean(&[]), None);
    let mean = geometric_mean(&[exact(2.0), at_least(8.0)]).expect("a mean");
    assert!((mean.value - 4.0).abs() < 1e-9 && mean.at_least);
    assert_eq!(
        [exact(0.0041), exact(2.345), at_least(10.0), exact(250.4)].map(|b| b.to_string()),
        ["0.004", "2.35", ">=10.0", "250"]
    );
}

/// A specimen that one seed missed is missed, however fast the others were; one that took too long is over budget.
#[test]
fn a_miss_and_a_slow_median_are_complained_of() {
    let folder = Folder::new("sums");
    let mut plan = folder.plan(Searcher::Fuzzer, &["zoo/gen-pause-twice-mutant", "zoo/gen-order-v3"]);
    (plan.seeds, plan.baselines) = (2, vec![Searcher::Random]);
    plan.budget = Duration::from_secs(10);
    let program = parse("enable").expect("a program");
    let hunts: Vec<_> = plan
        .hunts()
        .into_iter()
        .map(|hunt| {
            let missed = hunt.searcher == Searcher::Fuzzer
                && hunt.seed == 2
                && hunt.specimen.name == "zoo/gen-pause-twice-mutant";
            let seconds = if hunt.searcher == Searcher::Random { 44 } else { 22 };
            let took = Took { cpu: Duration::from_secs(seconds), wall: Duration::from_secs(seconds) };
            (hunt, Hunted { found: (!missed).then(|| program.clone()), took, executions: 7, ..Hunted::default() })
        })
        .collect();
    assert_eq!(hunts.len(), 8);
    let rows = rows(&plan, &hunts);
    assert_eq!(
        report::complaints(&plan, &rows),
        [
            "OVER BUDGET: zoo/gen-order-v3, median 22.0 s of 10 s",
            "MISSED: zoo/gen-pause-twice-mutant, by 1 of 2 seeds in 100 s",
        ]
    );
    let document = report::document(&plan, &Ran { hunts, ..Ran::default() }, &rows, &folder.0);
    assert_eq!((&document["schema"], &document["holds"]), (&1.into(), &false.into()));
    assert_eq!(document["specimens"][0]["baselines"][0]["ratio"], serde_json::json!({"value": 2.0, "at_least": false}));
    assert_eq!(document["specimens"][1]["own"]["each"][1]["found"], false);
    assert!(report::comparison(&plan, &rows).contains("geometric mean"));
    assert_eq!(Hunts::default().median(), None);
}
