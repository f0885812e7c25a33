//! Agents that hang, crash, talk nonsense or go away in the middle of a run, and an emulator that is removed: the run ends
//! with a verdict that says so, nothing stays behind, and the next run is fine.
//!
//! A bad agent is the good one, cut off after so many of its answers. `LAZYMMU_PATIENCE` makes a hang short.
//!
//! What it is not: that one program which kills the agent is found among others is tested beside the agent.
//!
//! Who calls it: `cargo test`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use lazy_mmu_harness::setup::packages::which;
use lazy_mmu_harness::setup::{Options, prepare};
use lazy_mmu_harness::target::Target;
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Ended, Place, agent, is_long, root, rounds};

/// What a bad agent does after its last good answer, as a script.
const BAD: [(&str, &str); 7] = [
    ("hangs", "exec sleep 1000"),
    ("hangs in a child", "sleep 1000"),
    ("crashes", "kill -SEGV $$"),
    ("ends", "exit 0"),
    ("talks nonsense", "printf '\\000\\000\\000\\003abc'; exec sleep 1000"),
    ("names a length that is none", "printf '\\377\\377\\377\\377\\001'; exec sleep 1000"),
    ("goes away", "rm -f \"$0\"; kill -KILL $$"),
];

/// The answers before that: none, the greeting alone, some.
const GOOD: [u32; 3] = [0, 1, 9];

/// Those that are run by default, of every kind of end one; each is a whole check.
const SHORT: [(&str, u32); 4] = [("hangs in a child", 0), ("crashes", 9), ("talks nonsense", 1), ("goes away", 9)];

/// In an agent's command line, and not in that of what builds it.
const AGENT: &str = "release/lazy-mmu-agent";

fn check(place: &Place) -> Ended {
    let mut command = place.command(&["check", "--target", "x86_64"]);
    command.env("LAZYMMU_PATIENCE", "1");
    place.start(command).end()
}

#[test]
fn an_agent_that_fails_is_a_failure_and_leaves_nothing() {
    let place = Place::new("bad-agents");
    let (mut runs, mut failed, mut skipped) = (0, 0, 0);
    for (what, script) in BAD {
        // One that hangs now and then is waited for each time; that it does is enough.
        for good in GOOD.into_iter().filter(|&good| good <= 1 || !what.starts_with("hangs")) {
            if !is_long() && !SHORT.contains(&(what, good)) {
                skipped += 1;
                continue;
            }
            // `dd` passes on as much as comes at once, which is an answer, and holds nothing back.
            let before = format!("{} | dd bs=65536 count={good} 2>/dev/null\n", agent().display());
            place.agent(&format!("{}{script}", if good == 0 { "" } else { &before }));
            let ended = check(&place);
            place.is_empty();
            let name = format!("{what} after {good} answers");
            // An agent that only ever crashes later is started again, as old emulators need it, and everything is run.
            let restarted = good > 1 && ended.code == Some(0);
            assert!(restarted || ended.code == Some(1), "{name}: {ended:#?}");
            let last = ended.stdout.lines().next_back().unwrap_or_default();
            let verdict = if restarted { "holds on 1 of 1 targets" } else { "x86_64" };
            assert!(ended.stdout.contains(verdict) && !last.is_empty(), "{name}: {ended:#?}");
            assert!(!ended.stderr.contains("panicked"), "{name}: {ended:#?}");
            runs += 1;
            failed += u32::from(!restarted);
        }
    }
    if skipped > 0 {
        println!("skipped: {skipped} of {} bad agents (LAZYMMU_TEST_LONG=1 runs them)", runs + skipped);
    }
    println!("{runs} runs with agents that hang, crash, talk nonsense or go away: {failed} failed, 0 processes left");
    place.good_agent();
    let fine = check(&place);
    assert_eq!(fine.code, Some(0), "the next run is fine: {fine:#?}");
    place.is_empty();
}

/// A target that is emulated here and set up.
fn emulated() -> Option<Target> {
    let others: Vec<_> = Target::ALL.into_iter().filter(|target| !target.is_native()).collect();
    prepare(&others, Options::default()).into_iter().find_map(|(target, ready)| ready.is_ok().then_some(target))
}

/// The real emulator, in a copy that is removed while it runs.
#[test]
fn an_emulator_that_is_removed_in_mid_run_is_a_failure_and_the_next_run_is_fine() {
    let Some(target) = emulated() else {
        println!("skipped: no target is emulated here and set up; `cargo lazymmu setup` does that");
        return;
    };
    let (_, ready) = prepare(&[target], Options::default()).remove(0);
    let ready = ready.expect("it is set up");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let mut cargo = ready.cargo("build");
    cargo.args(["--quiet", "--package", "lazy-mmu-agent"]).current_dir(root()).env("CARGO_TARGET_DIR", folder);
    assert!(cargo.status().expect("cargo starts").success(), "the agent builds");
    let place = Place::new("no-emulator");
    let built = ready.artifact(&place.path("target"), "release", "lazy-mmu-agent");
    fs::create_dir_all(built.parent().expect("a folder")).expect("the folder");
    fs::copy(ready.artifact(folder, "debug", "lazy-mmu-agent"), &built).expect("the agent");
    let runner = ready.runner.as_ref().expect("it is emulated")[0].clone();
    let real = which(&runner).expect("it is set up");
    // A script would not do: the kernel must find the program's own file gone. Nor may there be another on the path.
    let put = || fs::copy(&real, place.path("bin").join(&runner)).expect("a copy");
    for needed in ["rustc", "sh", ready.linker.as_deref().expect("it is emulated")] {
        symlink(which(needed).expect("it is set up"), place.path("bin").join(needed)).expect("a link");
    }
    let command = || -> Command {
        let mut command = place.command(&["check", "--target", target.short()]);
        command.env("PATH", place.path("bin"));
        command
    };
    let signals = [Signal::KILL, Signal::SEGV].into_iter().take(rounds("emulator", 1, 2) as usize);
    for signal in signals {
        put();
        let mut running = place.start(command());
        assert!(place.wait_for(AGENT, &mut running), "the emulator runs");
        fs::remove_file(place.path("bin").join(&runner)).expect("it is there");
        for (id, line) in place.processes() {
            if line.contains(AGENT) {
                let _ = Pid::from_raw(id).map(|id| kill_process(id, signal));
            }
        }
        let ended = running.end();
        place.is_empty();
        assert!(ended.code == Some(1) && !ended.stderr.contains("panicked"), "{ended:#?}");
        assert!(ended.stdout.contains(&format!("cannot start `{runner}`")), "it says what is gone: {ended:#?}");
        println!("{target}: {runner} removed in mid-run: exit code 1, 0 processes left");
    }
    put();
    let fine = place.start(command()).end();
    assert_eq!(fine.code, Some(0), "the next run is fine: {fine:#?}");
    place.is_empty();
}
