//! `lazymmu test`: the project's own tests, natively and on every other target.
//!
//! What it is not: the tests are cargo's to build and run; this sets targets up, starts cargo for each and adds up.
//!
//! Who calls it: a person after a change, and CI.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::lanes::Lanes;
use super::place::Place;
use crate::error::{Error, Exit, Result};
use crate::process::Child;
use crate::setup::packages::which;
use crate::setup::{Missing, Ready};
use crate::table;
use crate::tally::Tally;
use crate::target::Target;
use crate::workspace;

/// Runs the project's tests on the targets: the whole workspace natively, its default members on the others.
///
/// Missing programs and standard libraries are set up first, as by `cargo lazymmu setup`. A target that cannot be set up
/// is skipped, and said to be; a run without a single test is a failure.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu test --target sparc64 -- --package lazy-mmu-core")]
pub struct Test {
    #[command(flatten)]
    place: Place,
    /// Give a target up when its tests print nothing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    timeout: u64,
    /// Further arguments of `cargo test`
    #[arg(last = true, value_name = "CARGO ARGUMENTS")]
    arguments: Vec<String>,
}

/// How one target's tests went.
#[derive(Debug)]
pub(super) struct Outcome {
    pub target: Target,
    /// What ran; nothing when the target was skipped.
    pub tally: Tally,
    pub seconds: f64,
    pub state: State,
    pub about: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Passed,
    Failed(String),
    Skipped(Missing),
}

impl Test {
    /// Runs the tests, natively and then on the others, and ends with a table.
    ///
    /// # Errors
    ///
    /// When the current directory is outside the project.
    pub fn run(&self) -> Result<Exit> {
        let root = workspace::root()?;
        self.place.check()?;
        let prepared = self.place.prepare()?;
        // The native run comes first: it is the fastest to say that something is wrong, and its tests start cargo themselves.
        let (native, others): (Vec<_>, Vec<_>) = prepared.into_iter().partition(|(target, _)| target.is_native());
        let mut outcomes = self.side_by_side(&native, &root)?;
        outcomes.extend(self.side_by_side(&others, &root)?);
        outcomes.sort_by_key(|outcome| outcome.target);
        out!("\n{}", report(&outcomes))?;
        Ok(exit(&outcomes))
    }

    /// Runs targets at the same time, as many as there are processors: under an emulator tests have one thread, and while
    /// one target's tests run the next is compiled. Their output comes in order.
    fn side_by_side(&self, targets: &[(Target, Result<Ready, Missing>)], root: &Path) -> Result<Vec<Outcome>> {
        let lanes = Lanes::new(targets.len(), std::io::stdout());
        let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while let Some((lane, (target, prepared))) = targets.iter().enumerate().nth(next.fetch_add(1, SeqCst)) {
                let outcome = match prepared {
                    Ok(ready) => self.test(ready, root, &|chunk| lanes.say(lane, chunk)),
                    Err(missing) => Ok(skipped(*target, missing.clone())),
                };
                lanes.end(lane);
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
            }
        };
        let workers = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
        thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }

    fn test(&self, ready: &Ready, root: &Path, say: &dyn Fn(&[u8])) -> Result<Outcome> {
        say(format!("\ntest: {} ({})\n", ready.target, ready.toolchain.about).as_bytes());
        let start = Instant::now();
        let mut command = ready.cargo("test");
        command.arg("--no-fail-fast").current_dir(root);
        if ready.runner.is_none() {
            command.arg("--workspace");
        } else if std::env::var_os("RUST_TEST_THREADS").is_none() {
            // Old emulators crash now and then when the program they run has threads.
            command.env("RUST_TEST_THREADS", "1");
        }
        if let Some(runner) = guarded(ready) {
            command.env(ready.target.cargo_variable("RUNNER"), runner);
        }
        command.args(&self.arguments);
        // Snapshots are compared and never written: the same on every target, wherever the binary runs.
        command.env("INSTA_WORKSPACE_ROOT", root).env("INSTA_UPDATE", "no");
        command.env("INSTA_FORCE_PASS", "0").env("CI", "1");
        let mut tally = Tally::default();
        let ended = stream(command, self.timeout, &mut tally, say)?;
        let state = judge(&tally, &ended);
        let about = format!("{}: {}; {}", ready.target, ready.runner_text(), ready.toolchain.about);
        Ok(Outcome { target: ready.target, tally, seconds: start.elapsed().as_secs_f64(), state, about })
    }
}

/// Passes cargo's output on to `say` while counting in it. Says how cargo ended: nothing to complain about, or what.
pub(super) fn stream(command: Command, timeout: u64, tally: &mut Tally, say: &dyn Fn(&[u8])) -> Result<Option<String>> {
    let mut child = Child::spawn(command)?;
    child.close_stdin();
    let patience = Duration::from_secs(timeout);
    loop {
        match child.read(Instant::now() + patience) {
            Ok(chunk) if chunk.is_empty() => break,
            Ok(chunk) => {
                tally.feed(&chunk);
                say(&chunk);
            }
            Err(crate::process::Error::Deadline { .. }) => {
                child.kill_and_reap();
                return Ok(Some(format!("printed nothing for {timeout} s and was killed")));
            }
            Err(error) => return Err(Error::Process(error)),
        }
    }
    let status = child.wait(Instant::now() + patience)?;
    Ok((!status.success()).then(|| format!("cargo ended with {}", child.status_text())))
}

/// The runner that makes the kernel kill a test binary when cargo dies.
///
/// Cargo dies with this command, whatever ends it; what cargo started would go on, under init. One case is left: a test
/// binary that cargo starts in the very moment in which SIGKILL ends this command, before `setpriv` has asked the kernel.
fn guarded(ready: &Ready) -> Option<String> {
    const GUARD: &str = "setpriv --pdeathsig KILL";
    which("setpriv")?;
    let words = ready.runner.iter().flatten().map(String::as_str);
    Some(std::iter::once(GUARD).chain(words).collect::<Vec<_>>().join(" "))
}

/// Whether a target's tests passed. Nothing at all is no success.
pub(super) fn judge(tally: &Tally, ended: &Option<String>) -> State {
    match ended {
        _ if tally.failed > 0 => State::Failed(format!("{} failed", tally.failed)),
        Some(how) if tally.cut_short() > 0 => State::Failed(format!("a test binary ended without a result; {how}")),
        Some(how) => State::Failed(how.clone()),
        None if tally.cut_short() > 0 => State::Failed("a test binary ended without a result".to_owned()),
        None if tally.ran() == 0 => State::Failed("not one test ran".to_owned()),
        None => State::Passed,
    }
}

fn skipped(target: Target, missing: Missing) -> Outcome {
    let about = format!("{target}: skipped: {missing}\n  why: {}\n  to do: {}", missing.why, missing.remedy);
    Outcome { target, tally: Tally::default(), seconds: 0.0, state: State::Skipped(missing), about }
}

pub(super) fn exit(outcomes: &[Outcome]) -> Exit {
    let any = |test: fn(&State) -> bool| outcomes.iter().any(|outcome| test(&outcome.state));
    if any(|state| matches!(state, State::Failed(_))) {
        Exit::Broke
    } else if any(|state| matches!(state, State::Skipped(_))) {
        Exit::Environment
    } else {
        Exit::Holds
    }
}

pub(super) fn report(outcomes: &[Outcome]) -> String {
    let heading = ["target", "ran", "failed", "ignored", "time", "state"].map(str::to_owned).to_vec();
    let row = |outcome: &Outcome| {
        let Tally { failed, ignored, .. } = &outcome.tally;
        let state = match &outcome.state {
            State::Passed => "passed".to_owned(),
            State::Failed(why) => format!("FAILED: {why}"),
            State::Skipped(_) => "SKIPPED".to_owned(),
        };
        let counts = [outcome.tally.ran(), *failed, *ignored].map(|count| count.to_string());
        let time = format!("{:.1} s", outcome.seconds);
        [outcome.target.to_string()].into_iter().chain(counts).chain([time, state]).collect()
    };
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(outcomes.iter().map(row)).collect();
    let mut text = table::render(&rows);
    text.push('\n');
    for outcome in outcomes {
        text.push_str(&format!("{}\n", outcome.about));
        for name in &outcome.tally.failures {
            text.push_str(&format!("  failed: {name}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, begun: u64) -> Tally {
        let mut tally = Tally::default();
        (tally.passed, tally.failed, tally.begun, tally.ended) = (passed, failed, begun, 1);
        tally
    }

    fn outcome(target: Target, state: State) -> Outcome {
        Outcome { target, tally: tally(1, 0, 1), seconds: 0.5, state, about: format!("{target}: native") }
    }

    fn missing() -> Missing {
        Missing { what: "sparc64 lacks qemu-user".into(), why: "not root".into(), remedy: "install it".into() }
    }

    #[test]
    fn only_tests_that_ran_and_passed_pass() {
        assert_eq!(judge(&tally(1, 0, 1), &None), State::Passed);
        let ended = Some("cargo ended with exit code 101".to_owned());
        for (tally, ended) in [
            (tally(0, 0, 1), &None),
            (tally(3, 1, 1), &ended),
            (tally(3, 0, 1), &ended),
            (tally(3, 0, 2), &None),
            (tally(0, 0, 0), &ended),
        ] {
            assert!(matches!(judge(&tally, ended), State::Failed(_)), "{tally:?} {ended:?}");
        }
    }

    #[test]
    fn a_failure_outweighs_a_skip_and_a_skip_is_no_success() {
        let passed = || outcome(Target::X86_64, State::Passed);
        let skipped = || skipped(Target::Sparc64, missing());
        let failed = || outcome(Target::Aarch64, State::Failed("1 failed".to_owned()));
        assert_eq!(exit(&[passed()]), Exit::Holds);
        assert_eq!(exit(&[passed(), skipped()]), Exit::Environment);
        assert_eq!(exit(&[passed(), skipped(), failed()]), Exit::Broke);
    }

    #[test]
    fn the_report_says_why_a_target_was_skipped() {
        let text = report(&[skipped(Target::Sparc64, missing()), outcome(Target::X86_64, State::Passed)]);
        assert!(text.contains("sparc64  0    0       0        0.0 s  SKIPPED\n"), "{text}");
        assert!(
            text.contains("sparc64: skipped: sparc64 lacks qemu-user\n  why: not root\n  to do: install it\n"),
            "{text}"
        );
    }
}
