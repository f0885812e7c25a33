//! Process groups: started from a thread that lasts, known while they live, killed when this command is.
//!
//! What it is not: it moves no bytes; see the parent module.
//!
//! Who calls it: [`super::Child`], and `main` for the signals.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// Makes SIGINT, SIGTERM and SIGHUP kill every child's group before they end this process in their usual way.
///
/// Called once, by `main`.
///
/// # Errors
///
/// When the handlers cannot be installed.
pub fn end_children_on_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    // A file that may not grow, or a disk with a quota: the write that fails says so, where the signal would end the command
    // without a word. Children get the signal as usual.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let noted = |_: &i32| WANTED.load(Ordering::Relaxed) && !NOTED.swap(true, Ordering::Relaxed);
        let Some(signal) = signals.forever().find(|signal| !noted(signal)) else { return };
        // The lock is never given back: no child can be started between its siblings' end and ours.
        let live = live();
        for group in live.iter().filter_map(|&group| Pid::from_raw(group)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        std::process::exit(128 + signal);
    })?;
    Ok(())
}

static WANTED: AtomicBool = AtomicBool::new(false);
static NOTED: AtomicBool = AtomicBool::new(false);

/// From here on the first of these signals is only noted: for a command that has no children, looks at [`interrupted`] often
/// and ends with what it has. The second ends it like any other.
pub fn note_first_signal() {
    WANTED.store(true, Ordering::Relaxed);
}

/// Whether a signal was noted.
#[must_use]
pub fn interrupted() -> bool {
    NOTED.load(Ordering::Relaxed)
}

/// The groups that are alive and not reaped: whoever starts or reaps a child holds the lock.
pub(super) fn live() -> MutexGuard<'static, BTreeSet<i32>> {
    static LIVE: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps a child that was killed or has exited, and forgets its group in the same breath: a group id that is reaped may
/// belong to a stranger a moment later.
pub(super) fn reap(child: &mut std::process::Child, group: Pid) -> ExitStatus {
    // Waiting happens without the lock, and without reaping.
    let _ = waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let mut live = live();
    live.remove(&group.as_raw_nonzero().get());
    // A child somebody else has reaped leaves no status; a status of 255 says that it did not end well.
    child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0xff00))
}

/// Asks the kernel to kill the child when the thread that starts it dies.
pub(super) fn die_with_this_process(command: &mut Command) {
    let parent = rustix::process::getpid();
    let in_child = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the line above would never be noticed.
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: the closure runs between fork and exec, where only what is async-signal-safe may be called. It makes two
    // system calls, prctl and getppid, and neither allocates nor takes a lock.
    unsafe { command.pre_exec(in_child) };
}

type Order = (Command, mpsc::SyncSender<io::Result<std::process::Child>>);

/// Starts a command from a thread that lives as long as this process.
///
/// The kernel's "parent died" means the thread which forked: a child started from a worker would be killed when that
/// worker ends, with its pipes in somebody else's hands.
pub(super) fn spawn_on_the_lasting_thread(command: Command) -> io::Result<std::process::Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts children is gone");
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        // When the thread cannot be started the inbox is dropped, and every order fails with `gone`.
        let _ = thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (command, answer) in inbox {
                let _ = answer.send(spawn_and_register(command));
            }
        });
        orders
    });
    let (answer, result) = mpsc::sync_channel(1);
    spawner.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

fn spawn_and_register(mut command: Command) -> io::Result<std::process::Child> {
    let mut live = live();
    let child = command.spawn()?;
    live.insert(Pid::from_child(&child).as_raw_nonzero().get());
    Ok(child)
}
