//! A tree's code runs in a process of its own, and whatever it dies of has a name: what is not modelled, a wild store, an
//! endless loop, a full stack.
//!
//! The child that dies writes a message into memory that it shares with its parent; symbols are looked up by the parent.
//! Not here: instructions that the child decodes and goes on after (`decode`).

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::FromRawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use crate::decode;
use crate::symbols;

/// Processor time that one program may take, in seconds. A program that flushes huge pages hundreds of times takes more
/// than two under an emulator.
const PATIENCE: libc::time_t = 10;

/// The same of a request that runs many programs, as the search for the smallest one does.
const LONG_PATIENCE: libc::time_t = 30;

/// How the message begins of code that does not come to an end.
pub const ENDLESS: &str = "an endless loop";

/// What a child that dies leaves behind.
#[repr(C)]
#[derive(Clone, Copy)]
struct Last {
    /// Which program ran, in its batch.
    program: u32,
    /// The signal that ended it; 0 if a message says it all.
    signal: c_int,
    address: u64,
    pc: u64,
    caller: u64,
    length: usize,
    message: [u8; 2048],
}

/// The process that has no child's message to leave.
static PARENT: AtomicI32 = AtomicI32::new(0);
static LAST: AtomicPtr<Last> = AtomicPtr::new(ptr::null_mut());

fn last() -> Option<&'static mut Last> {
    // SAFETY: it is a page of shared memory that is never unmapped; the parent reads it when the child is gone.
    unsafe { LAST.load(Ordering::Relaxed).as_mut() }
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Which program of the batch ran.
    pub program: u32,
    /// What it died of, and where in the tree.
    pub message: String,
}

/// Ends this process with a message: the tree's code cannot go on.
pub fn die(message: &str) -> ! {
    match last() {
        Some(last) if std::process::id().cast_signed() != PARENT.load(Ordering::Relaxed) => {
            let bytes = &message.as_bytes()[..message.len().min(last.message.len())];
            last.message[..bytes.len()].copy_from_slice(bytes);
            last.length = bytes.len();
            last.signal = 0;
        }
        _ => eprintln!("lazy-mmu-tree-agent: {message}"),
    }
    // SAFETY: it ends the process without running what the parent's copy will run.
    unsafe { libc::_exit(3) }
}

/// The program that runs from here on; its time begins.
pub fn program_begins(number: u32) {
    begins(number, PATIENCE);
}

/// Many programs run from here on; their time begins.
pub fn search_begins() {
    begins(0, LONG_PATIENCE);
}

fn begins(number: u32, patience: libc::time_t) {
    if let Some(last) = last() {
        last.program = number;
    }
    let time = libc::timeval { tv_sec: patience, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: time };
    // SAFETY: the structure is whole, and the old value is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &raw const timer, ptr::null_mut()) };
}

/// What is installed: where the tree's code has a register of the user's for itself, the border's thunk puts it back first.
#[cfg(not(any(target_arch = "powerpc64", target_arch = "sparc64")))]
use lazymmu_signalled as lazymmu_signal;

#[cfg(any(target_arch = "powerpc64", target_arch = "sparc64"))]
// SAFETY: the thunk of these two architectures defines it (`entry-powerpc.S`, `entry-sparc.S`).
unsafe extern "C" {
    fn lazymmu_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void);
}

/// A signal that ends the process, unless it comes of an instruction that can be decoded.
///
/// # Safety
/// The kernel calls it, or the border's thunk with what it was called with.
#[unsafe(no_mangle)]
unsafe extern "C" fn lazymmu_signalled(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    if signal == libc::SIGILL && decode::go_on(context) {
        return;
    }
    let (pc, caller) = decode::place(context);
    // SAFETY: the number of this process; it cannot fail.
    let in_child = unsafe { libc::getpid() } != PARENT.load(Ordering::Relaxed);
    if let Some(last) = last() {
        last.signal = signal;
        // SAFETY: the kernel hands a whole siginfo to a handler of this kind.
        last.address = unsafe { (*info).si_addr() } as u64;
        last.pc = pc;
        last.caller = caller;
        last.length = 0;
    }
    if !in_child && let Some(last) = last() {
        eprintln!("lazy-mmu-tree-agent: {}", describe(last));
    }
    // SAFETY: as in `die`.
    unsafe { libc::_exit(3) }
}

/// Signals come to us, on a stack of their own.
pub fn install() {
    const STACK: usize = 256 << 10;
    let stack = Box::leak(vec![0u8; STACK].into_boxed_slice());
    PARENT.store(std::process::id().cast_signed(), Ordering::Relaxed);
    symbols::open();
    // SAFETY: the stack lives as long as the process; the structures are whole; the page is anonymous and shared.
    unsafe {
        let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: STACK };
        libc::sigaltstack(&raw const stack, ptr::null_mut());
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = lazymmu_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGVTALRM] {
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
        let page = libc::mmap(
            ptr::null_mut(),
            size_of::<Last>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page != libc::MAP_FAILED {
            LAST.store(page.cast(), Ordering::Relaxed);
        }
    }
}

/// A child that answers requests, one after the other, until it dies of one or is dropped.
///
/// It lives from request to request because an emulator translates code anew in each process: that takes as long as a hundred
/// programs do.
#[derive(Debug)]
pub struct Worker {
    child: libc::pid_t,
    /// Requests; closed, it ends the child.
    to: Option<File>,
    from: File,
}

impl Worker {
    /// Starts a child that answers each request with what `answer` yields.
    ///
    /// # Errors
    /// There are no more processes or descriptors.
    pub fn start(mut answer: impl FnMut(&[u8]) -> Vec<u8>) -> Result<Worker, Crash> {
        let (its_requests, to) = pipe()?;
        let (from, its_answers) = pipe()?;
        // SAFETY: this process has one thread, so the child has all of it.
        match unsafe { libc::fork() } {
            -1 => Err(failed("fork")),
            0 => {
                drop((to, from));
                let (mut requests, mut answers) = (its_requests, its_answers);
                while let Ok(request) = receive(&mut requests) {
                    program_begins(0);
                    if send(&mut answers, &answer(&request)).is_err() {
                        break;
                    }
                }
                // SAFETY: as in `die`.
                unsafe { libc::_exit(0) }
            }
            child => Ok(Worker { child, to: Some(to), from }),
        }
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// The child died: at which program, and of what. It answers nothing after that.
    pub fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Crash> {
        let sent = self.to.as_mut().ok_or(()).and_then(|to| send(to, request).map_err(|_| ()));
        sent.and_then(|()| receive(&mut self.from).map_err(|_| ())).map_err(|()| crash(self.end()))
    }

    /// Waits for the child's end, and yields its status.
    fn end(&mut self) -> c_int {
        let mut status = 0;
        if self.to.take().is_some() {
            // SAFETY: the child is ours, and is waited for once: its pipe is taken.
            unsafe { libc::waitpid(self.child, &raw mut status, 0) };
        }
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs something in a child, and yields the bytes that it yields.
///
/// # Errors
/// The child died: at which program, and of what.
pub fn isolated(work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, Crash> {
    let mut work = Some(work);
    Worker::start(|_| work.take().map_or_else(Vec::new, |work| work()))?.ask(&[])
}

fn failed(what: &str) -> Crash {
    let error = std::io::Error::last_os_error();
    Crash { program: 0, message: format!("cannot run the tree's code in a process of its own: {what}: {error}") }
}

/// Where to read and where to write.
fn pipe() -> Result<(File, File), Crash> {
    let mut ends = [0; 2];
    // SAFETY: two places for two descriptors.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return Err(failed("pipe"));
    }
    // SAFETY: the call opened both descriptors, and nothing else owns them.
    Ok(unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) })
}

/// A message: its length, then its bytes.
fn send(to: &mut File, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&bytes.len().to_ne_bytes())?;
    to.write_all(bytes)
}

fn receive(from: &mut File) -> io::Result<Vec<u8>> {
    let mut length = [0; size_of::<usize>()];
    from.read_exact(&mut length)?;
    let length = usize::from_ne_bytes(length);
    // Read as it comes: the tree's code may have written over the length.
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// What the last child died of.
fn crash(status: c_int) -> Crash {
    let Some(last) = last() else { return Crash { program: 0, message: format!("it ended with status {status:#x}") } };
    let message = if libc::WIFSIGNALED(status) {
        format!("killed by signal {}", libc::WTERMSIG(status))
    } else if last.length > 0 {
        String::from_utf8_lossy(&last.message[..last.length]).into_owned()
    } else if last.signal != 0 {
        describe(last)
    } else {
        format!("it ended with status {status:#x}")
    };
    let crash = Crash { program: last.program, message };
    (last.signal, last.length) = (0, 0);
    crash
}

fn describe(last: &Last) -> String {
    let symbols = symbols::own();
    let at = symbols.function(last.pc);
    // A call of what is not modelled ends where nothing is, and not every emulator tells that address as the one at fault.
    if let Some(name) = symbols.undefined(last.pc) {
        return format!(
            "the tree's code uses {name}, which is not modelled; {} does so",
            symbols.function(last.caller)
        );
    }
    if let Some(name) = symbols.undefined(last.address) {
        return format!("the tree's code uses {name}, which is not modelled; {at} does so");
    }
    match last.signal {
        libc::SIGVTALRM => format!("{ENDLESS} in {at}"),
        libc::SIGILL => format!("an instruction that is not modelled, at {at}"),
        libc::SIGFPE => format!("a division by zero, at {at}"),
        signal => format!("signal {signal} at address {:#x}: a wild access or a full stack, in {at}", last.address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In one test: a signal's handler and the shared page are the process's.
    #[test]
    fn a_child_yields_bytes_or_what_it_died_of() {
        install();
        assert_eq!(isolated(|| vec![1, 2, 3]), Ok(vec![1, 2, 3]));
        let died = isolated(|| {
            program_begins(7);
            die("no such thing")
        });
        assert_eq!(died, Err(Crash { program: 7, message: "no such thing".to_owned() }));
        let wild = isolated(|| {
            program_begins(3);
            // SAFETY: none: it is what the child is to die of.
            vec![unsafe { (0x5f00_0000 as *const u8).read_volatile() }]
        });
        let crash = wild.expect_err("nothing is mapped there");
        assert_eq!(crash.program, 3);
        assert!(crash.message.contains("0x5f000000"), "{crash:?}");
        let mut asked = 0;
        let mut worker = Worker::start(|request| {
            asked += 1;
            if request.is_empty() { die("nothing was asked") } else { vec![request[0], asked] }
        })
        .expect("a process");
        assert_eq!(worker.ask(&[5]), Ok(vec![5, 1]));
        assert_eq!(worker.ask(&[6]), Ok(vec![6, 2]), "the same child");
        assert_eq!(worker.ask(&[]), Err(Crash { program: 0, message: "nothing was asked".to_owned() }));
        assert!(worker.ask(&[7]).is_err(), "it is gone");
    }
}
