//! Running compilers and kbuild: as many at a time as there are processors, each to its end or its deadline.
//!
//! What it is not: it knows nothing of what a program says. Processes are [`crate::process`]'s.
//!
//! Who calls it: every module of `tree` that starts a program.

use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{Result, TreeError};
use crate::process::{self, Child};
use crate::setup::Missing;
use crate::target::Target;

/// How long one compiler or linker may take.
pub const COMPILER: Duration = Duration::from_secs(120);

/// How long one call of kbuild, git or tar may take.
pub const LONG: Duration = Duration::from_secs(1800);

/// How many programs may run at a time, and who comes first.
#[derive(Debug)]
pub struct Jobs {
    state: Mutex<State>,
    one_more: Condvar,
    /// How many there are in all.
    pub total: usize,
}

impl Jobs {
    /// As many as this machine has processors.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::new(thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    /// A given number, at least 1.
    #[must_use]
    pub fn new(total: usize) -> Self {
        let total = total.max(1);
        Self {
            state: Mutex::new(State { free: total, waiting: [0; Target::ALL.len()] }),
            one_more: Condvar::new(),
            total,
        }
    }

    /// Does something for a target when a place is free and no target with an earlier turn waits.
    pub fn one<T>(&self, target: Target, work: impl FnOnce() -> T) -> T {
        let turn = turn(target);
        let mut state = self.lock();
        state.waiting[turn] += 1;
        while state.free == 0 || state.waiting[..turn].iter().any(|&waiting| waiting > 0) {
            state = self.one_more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting[turn] -= 1;
        state.free -= 1;
        drop(state);
        // Whoever waited for this turn to pass looks again.
        self.one_more.notify_all();
        let _back = GiveBack(self);
        work()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct State {
    free: usize,
    /// How many wait, by turn.
    waiting: [usize; Target::ALL.len()],
}

/// The targets' order: whoever's programs run longest is built first, and runs while the others are built.
fn turn(target: Target) -> usize {
    match target {
        Target::Sparc64 => 0,
        Target::Powerpc64 => 1,
        Target::Aarch64 => 2,
        Target::X86_64 => 3,
    }
}

/// Gives the place back, whether the work ended well or not.
struct GiveBack<'j>(&'j Jobs);

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        self.0.lock().free += 1;
        self.0.one_more.notify_all();
    }
}

/// How a program ended, and what it said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Whether its exit code was 0.
    pub well: bool,
    /// What it printed.
    pub output: Vec<u8>,
    /// The end of what it wrote to standard error.
    pub complaint: String,
}

impl Said {
    /// What it printed, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}

/// Runs a program to its end, with nothing to read, in English.
///
/// # Errors
/// It cannot be started, does not end in time, or the user has interrupted this command.
pub fn run(command: Command, patience: Duration) -> Result<Said> {
    feed(command, &[], patience)
}

/// The same with something to read.
///
/// # Errors
/// As [`run`].
pub fn feed(mut command: Command, input: &[u8], patience: Duration) -> Result<Said> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.env("LC_ALL", "C").stderr(Stdio::piped());
    crate::workspace::forget_outer_cargo(&mut command);
    let deadline = Instant::now() + patience;
    let mut child = Child::spawn(command).map_err(|error| failed(&program, &error))?;
    match child.write_all(input, deadline) {
        // A program that does not read to the end has what it wanted; how it ends tells.
        Ok(()) | Err(process::Error::Ended { .. }) => child.close_stdin(),
        Err(error) => return Err(failed(&program, &error)),
    }
    let mut output = Vec::new();
    loop {
        let chunk = child.read(deadline).map_err(|error| failed(&program, &error))?;
        if chunk.is_empty() {
            break;
        }
        output.extend(chunk);
    }
    let status = child.wait(deadline).map_err(|error| failed(&program, &error))?;
    if process::interrupted() {
        return Err(TreeError::Interrupted);
    }
    let mut complaint = child.stderr_tail();
    if status.code().is_none() {
        complaint = format!("{complaint}{program}: {}\n", child.status_text());
    }
    Ok(Said { well: status.success(), output, complaint })
}

fn failed(program: &str, error: &process::Error) -> TreeError {
    Missing {
        what: format!("`{program}` did not run to its end"),
        why: error.to_string(),
        remedy: format!("look whether `{program}` works here; `cargo lazymmu setup` installs what is missing"),
    }
    .into()
}

/// The last lines of what a program said, without empty ones.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn never_more_at_a_time_than_there_are_places() {
        let (jobs, now, most) = (Jobs::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for n in 0..8 {
                let (jobs, now, most) = (&jobs, &now, &most);
                scope.spawn(move || {
                    jobs.one(Target::ALL[n % 4], || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(3));
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
    }

    #[test]
    fn who_waits_for_the_longest_target_comes_first() {
        let (jobs, order) = (&Jobs::new(1), &Mutex::new(Vec::new()));
        thread::scope(|scope| {
            jobs.one(Target::Aarch64, || {
                for target in [Target::X86_64, Target::Powerpc64, Target::Sparc64] {
                    scope.spawn(move || jobs.one(target, || order.lock().expect("whole").push(target)));
                    while jobs.lock().waiting[turn(target)] == 0 {
                        thread::yield_now();
                    }
                }
            });
        });
        assert_eq!(*order.lock().expect("whole"), [Target::Sparc64, Target::Powerpc64, Target::X86_64]);
    }

    #[test]
    fn a_program_is_fed_and_heard() {
        let said = feed(shell("cat; echo no >&2; exit 3"), b"text", COMPILER).expect("it ran");
        assert_eq!((said.well, &*said.text(), &*said.complaint), (false, "text", "no\n"));
    }

    #[test]
    fn a_program_that_reads_nothing_is_no_fault() {
        let much = vec![b'x'; 1 << 20];
        assert!(feed(shell("exit 0"), &much, COMPILER).expect("it ran").well);
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let error = run(Command::new("no-such-compiler"), COMPILER).expect_err("it is not there");
        assert!(error.to_string().contains("no-such-compiler"), "{error}");
    }

    #[test]
    fn the_last_lines_are_the_last() {
        assert_eq!(last_lines("a\n\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
