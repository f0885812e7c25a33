//! Child processes that always end: a process group each, a deadline on every wait, killed and reaped whatever happens.
//!
//! A child is killed with its whole group when a deadline passes and its owner says so, when its [`Child`] is dropped,
//! when this command gets SIGINT, SIGTERM or SIGHUP (see [`end_children_on_signals`]), and, the child itself, by the
//! kernel when this command dies in any other way. One `poll` moves all pipes at once, so that a child which stops
//! reading while it writes cannot lock both sides.
//!
//! What it is not: it knows nothing of what a child says, and a short command that needs no deadline goes through xshell.
//!
//! Who calls it: `setup` for compilers, `lazymmu test` for cargo, and the drivers of the target-side agent.

mod group;
mod pipe;

pub use self::group::{end_children_on_signals, interrupted, note_first_signal};

use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use self::group::{die_with_this_process, reap, spawn_on_the_lasting_thread};
use self::pipe::{Inbox, Taken, never_block, take};

/// How much of a child's standard error is kept for a report.
const STDERR_KEPT: usize = 16 * 1024;

/// What can go wrong with a child.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("cannot start `{program}`: {source}")]
    Spawn {
        /// The program's name.
        program: String,
        /// What the operating system answered.
        source: io::Error,
    },
    /// It did not do something in time. It is still there: the owner decides whether it is killed.
    #[error("`{program}` did not {doing} before its deadline")]
    Deadline {
        /// The program's name.
        program: String,
        /// What was waited for, as a verb.
        doing: &'static str,
    },
    /// It closed its end of a pipe in the middle of something.
    #[error("`{program}` ended before it could {doing}")]
    Ended {
        /// The program's name.
        program: String,
        /// What was waited for, as a verb.
        doing: &'static str,
    },
    /// A pipe failed.
    #[error("a pipe of `{program}` failed: {source}")]
    Pipe {
        /// The program's name.
        program: String,
        /// What the operating system answered.
        source: io::Error,
    },
}

/// A running child, the leader of its own process group, with its standard input and output as pipes.
///
/// Standard error is as the command says: inherited by default; when piped, its end is kept for
/// [`Child::stderr_tail`]. Dropping the value kills the group and reaps the child.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    group: Pid,
    program: String,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    pending: Inbox,
    tail: Inbox,
    status: Option<ExitStatus>,
}

impl Child {
    /// Starts a command in a process group of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Spawn`] when it cannot be started.
    pub fn spawn(mut command: Command) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        die_with_this_process(&mut command);
        let child = spawn_on_the_lasting_thread(command).and_then(|inner| Self::adopt(inner, program.clone()));
        child.map_err(|source| Error::Spawn { program, source })
    }

    fn adopt(mut inner: std::process::Child, program: String) -> io::Result<Self> {
        let (stdin, stdout, stderr) = (inner.stdin.take(), inner.stdout.take(), inner.stderr.take());
        let group = Pid::from_child(&inner);
        // From here on, a failure drops the value, which ends the child.
        let (pending, tail) = (Inbox::default(), Inbox::default());
        let child = Self { inner, group, program, stdin, stdout, stderr, pending, tail, status: None };
        child.stdin.as_ref().map_or(Ok(()), never_block)?;
        child.stdout.as_ref().map_or(Ok(()), never_block)?;
        child.stderr.as_ref().map_or(Ok(()), never_block)?;
        Ok(child)
    }

    /// The process id, for messages.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Writes all bytes to the child's standard input; what it prints meanwhile is kept for the next read.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`], [`Error::Ended`] when the child does not read any more, [`Error::Pipe`].
    pub fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), Error> {
        const DOING: &str = "read what it was sent";
        while !bytes.is_empty() {
            let Some(stdin) = self.stdin.as_mut() else { return Err(self.ended(DOING)) };
            match stdin.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.pump(true, deadline, DOING)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(self.ended(DOING)),
                Err(source) => return Err(Error::Pipe { program: self.program.clone(), source }),
            }
        }
        Ok(())
    }

    /// Closes the child's standard input, so that it reads the end of it.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next bytes the child prints, as many as there are; empty once it has closed its standard output.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] when nothing comes in time, [`Error::Pipe`].
    pub fn read(&mut self, deadline: Instant) -> Result<Vec<u8>, Error> {
        while self.pending.unread().is_empty() && self.stdout.is_some() {
            self.pump(false, deadline, "print anything")?;
        }
        let bytes = self.pending.unread().to_vec();
        self.pending.consume(bytes.len());
        Ok(bytes)
    }

    /// Fills the buffer with what the child prints next.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`], [`Error::Ended`] when the output ends first, [`Error::Pipe`].
    pub fn read_exact(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<(), Error> {
        const DOING: &str = "print a whole message";
        loop {
            if let Some(message) = self.pending.unread().get(..buffer.len()) {
                buffer.copy_from_slice(message);
                self.pending.consume(buffer.len());
                return Ok(());
            }
            if self.stdout.is_none() {
                return Err(self.ended(DOING));
            }
            self.pump(false, deadline, DOING)?;
        }
    }

    /// The next line the child prints, without its end; `None` once the output has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`], [`Error::Pipe`].
    pub fn read_line(&mut self, deadline: Instant) -> Result<Option<String>, Error> {
        let mut searched = 0;
        loop {
            let unread = self.pending.unread();
            let end = unread[searched..].iter().position(|&byte| byte == b'\n').map(|at| searched + at);
            if end.is_some() || self.stdout.is_none() {
                let length = end.unwrap_or(unread.len());
                let line = String::from_utf8_lossy(&unread[..length]).into_owned();
                // The end of line is consumed too; after the last line there is none.
                self.pending.consume(length + 1);
                return Ok((end.is_some() || !line.is_empty()).then_some(line));
            }
            searched = unread.len();
            self.pump(false, deadline, "print a whole line")?;
        }
    }

    /// Waits until the child has exited, kills what is left of its group, and reaps it.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] when it is still running then; it is left alone.
    pub fn wait(&mut self, deadline: Instant) -> Result<ExitStatus, Error> {
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        while self.status.is_none() && !self.has_exited() {
            if Instant::now() >= deadline {
                return Err(Error::Deadline { program: self.program.clone(), doing: "exit" });
            }
            // A child blocked on a full pipe would never exit, so its output keeps being taken.
            let look_again = Instant::now() + LOOK_AGAIN;
            if self.stdout.is_none() && self.stderr.is_none() {
                thread::sleep(LOOK_AGAIN);
            } else if let Err(error @ Error::Pipe { .. }) = self.pump(false, look_again.min(deadline), "exit") {
                return Err(error);
            }
        }
        Ok(self.kill_and_reap())
    }

    /// Kills the whole group and reaps the child, unless that is done already. Says how it ended.
    pub fn kill_and_reap(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        // The leader is not reaped yet, so the id still means this group. A group that is gone is what is wanted.
        let _ = kill_process_group(self.group, Signal::KILL);
        let status = reap(&mut self.inner, self.group);
        self.take_last_words();
        self.status = Some(status);
        status
    }

    /// How the child ended, in words; `still running` when it has not.
    #[must_use]
    pub fn status_text(&self) -> String {
        self.status.map_or_else(|| "still running".to_owned(), describe)
    }

    /// The end of what the child wrote to a piped standard error.
    #[must_use]
    pub fn stderr_tail(&self) -> String {
        let kept = self.tail.unread();
        String::from_utf8_lossy(&kept[kept.len().saturating_sub(STDERR_KEPT)..]).into_owned()
    }

    /// Moves bytes on whichever pipe is ready: once, or fails at the deadline.
    fn pump(&mut self, writing: bool, deadline: Instant, doing: &'static str) -> Result<(), Error> {
        let mut fds = Vec::with_capacity(3);
        fds.extend(self.stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        fds.extend(self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        fds.extend(self.stdin.as_ref().filter(|_| writing).map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        let left = deadline.saturating_duration_since(Instant::now());
        let seconds = left.as_secs().try_into().unwrap_or(i64::MAX);
        let timeout = Timespec { tv_sec: seconds, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Err(Error::Deadline { program: self.program.clone(), doing }),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::Pipe { program: self.program.clone(), source: errno.into() }),
        }
        self.take_output().map(drop).map_err(|source| Error::Pipe { program: self.program.clone(), source })
    }

    /// Takes what the output pipes hold now; says whether it took anything.
    fn take_output(&mut self) -> io::Result<bool> {
        let mut took = 0;
        if let Some(stdout) = self.stdout.as_mut() {
            match take(stdout, &mut self.pending)? {
                Taken::Bytes(count) => took += count,
                Taken::End => self.stdout = None,
            }
        }
        if let Some(stderr) = self.stderr.as_mut() {
            match take(stderr, &mut self.tail)? {
                Taken::Bytes(count) => took += count,
                Taken::End => self.stderr = None,
            }
            self.tail.consume(self.tail.unread().len().saturating_sub(STDERR_KEPT));
        }
        Ok(took != 0)
    }

    /// Takes what a dead child left in its pipes, without waiting for a pipe that something else still holds.
    fn take_last_words(&mut self) {
        while self.take_output().is_ok_and(|took| took) {}
    }

    /// The processor time, user and system, of the child's first thread so far; what it started itself is not counted.
    /// Exact until the child is reaped, 0 afterwards.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        // The first number: nanoseconds on a CPU (Linux, Documentation/scheduler/sched-stats.rst).
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.id())).unwrap_or_default();
        let first = text.split_whitespace().next().and_then(|number| number.parse().ok());
        Duration::from_nanos(first.unwrap_or(0))
    }

    /// Whether the child has exited; it is not reaped by the question.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means there is no such child any more, which `wait` then finds out in full.
        waitid(WaitId::Pid(self.group), options).map_or(true, |status| status.is_some())
    }

    fn ended(&self, doing: &'static str) -> Error {
        Error::Ended { program: self.program.clone(), doing }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_and_reap();
    }
}

/// How a process ended, in words: `exit code 3`, `killed by signal 9 (SIGKILL)`.
#[must_use]
pub fn describe(status: ExitStatus) -> String {
    const NAMES: [(i32, &str); 12] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (15, "SIGTERM"),
    ];
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => {
            let name = NAMES.iter().find(|(number, _)| *number == signal).map_or("unnamed", |(_, name)| *name);
            format!("killed by signal {signal} ({name})")
        }
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests;
