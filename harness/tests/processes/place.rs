//! A folder of a test's own, the command in it with programs of the test first on the `PATH`, and what runs there.
//!
//! What it is not: it asserts one thing, that no process stays behind.
//!
//! Who calls it: every test of this binary.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A variable that every process of a place has in its environment.
const MARK: &str = "LAZYMMU_TEST_PLACE";

/// For what would otherwise never end; no machine is that slow.
const PATIENCE: Duration = Duration::from_secs(300);

/// A subject of the zoo, and programs that break it, each a finding of its own.
pub const BENT: &str = "zoo/arm64-softirq-pte";

/// See [`BENT`].
pub const BROKEN: [&str; 3] = [
    "query; enable; set U 5; irq { get U 6; set K 7 x3 }; disable",
    "enable between { irq { set K 1 } }; disable",
    "enable; pause; resume; nmi { set K 3 }; disable",
];

/// Whether the long form is wanted.
pub fn is_long() -> bool {
    std::env::var_os("LAZYMMU_TEST_LONG").is_some_and(|value| !value.is_empty() && value != "0")
}

/// How many rounds of something are run: so many by default, and in the long form. What is left out is said.
pub fn rounds(what: &str, short: u32, long: u32) -> u32 {
    if is_long() {
        return long;
    }
    println!("{what}: skipped: {} of {long} rounds (LAZYMMU_TEST_LONG=1 runs them)", long - short);
    short
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The native agent, built once.
pub fn agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "lazy-mmu-agent"]).current_dir(root());
        let status = cargo.env("CARGO_TARGET_DIR", target).status().expect("cargo starts");
        assert!(status.success(), "the agent builds");
        target.join("debug/lazy-mmu-agent")
    })
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Asserts that it was refused with one error that says what to do, and printed no result.
    #[track_caller]
    pub fn is_refused(&self, code: i32) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:#?}");
        assert_eq!(self.stderr.matches("error:").count(), 1, "one message, not {self:#?}");
        assert!(self.stderr.contains("\n  to do: "), "{self:#?}");
    }
}

/// A run that goes on.
pub struct Running {
    child: Child,
    place: PathBuf,
}

impl Running {
    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_some()
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if !self.has_ended() {
            kill_process(Pid::from_child(&self.child), signal).expect("it is there");
        }
    }

    /// Waits until it has ended.
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended() {
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait().expect("it is a child");
        let text = |name| String::from_utf8_lossy(&fs::read(self.place.join(name)).expect("its output")).into_owned();
        Ended { code: status.code(), stdout: text("stdout"), stderr: text("stderr") }
    }
}

/// See the module. The folder is a workspace as far as the command looks, so that it writes nowhere else.
pub struct Place {
    folder: PathBuf,
    mark: String,
}

impl Place {
    /// An empty one; `test` tells it from those of the tests that run beside it. Its `cargo` builds nothing, so that a
    /// program in `target/` is what was built.
    pub fn new(test: &str) -> Place {
        let mark = format!("{test}-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-{mark}"));
        let _ = fs::remove_dir_all(&folder);
        for below in ["bin", "harness", "fuzz", "target/release"] {
            fs::create_dir_all(folder.join(below)).expect("a folder");
        }
        symlink(root().join("harness/traces"), folder.join("harness/traces")).expect("a link");
        let place = Place { folder, mark };
        place.write("Cargo.toml", "");
        place.write("harness/Cargo.toml", "");
        place.program("bin/cargo", "exit 0");
        place
    }

    /// Where something in it is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(path, bytes).expect("a file");
    }

    /// Writes a script of the shell.
    pub fn program(&self, name: &str, script: &str) {
        // Put in place by its name: one that runs cannot be written over.
        let new = format!("{name}.new");
        self.write(&new, format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.path(&new), fs::Permissions::from_mode(0o755)).expect("its mode");
        fs::rename(self.path(&new), self.path(name)).expect("a program");
    }

    /// Puts a native agent where the command looks for the one that cargo has built.
    pub fn agent(&self, script: &str) {
        self.program("target/release/lazy-mmu-agent", script);
    }

    /// The native agent as it should be.
    pub fn good_agent(&self) {
        self.agent(&format!("exec {}", agent().display()));
    }

    /// The command, in the place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lazymmu"));
        let path = std::env::var("PATH").expect("a path");
        command.args(arguments).current_dir(&self.folder).env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env(MARK, &self.mark).env("CARGO_TARGET_DIR", self.path("target"));
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("RUST_BACKTRACE").env_remove("LAZYMMU_PATIENCE");
        command
    }

    /// Starts a command, its output into files.
    pub fn start(&self, mut command: Command) -> Running {
        let file = |name| File::create(self.path(name)).expect("a file");
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        Running { child: command.spawn().expect("it starts"), place: self.folder.clone() }
    }

    /// Runs the command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(self.command(arguments)).end()
    }

    /// The processes that were started here and run: each with its command line. One that is dead has none.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let wanted = format!("{MARK}={}", self.mark);
        let ours = |folder: &Path| -> io::Result<bool> {
            Ok(fs::read(folder.join("environ"))?.split(|&byte| byte == 0).any(|line| line == wanted.as_bytes()))
        };
        let entries = fs::read_dir("/proc").expect("the processes").flatten();
        let mut found = Vec::new();
        for folder in entries.map(|entry| entry.path()) {
            let id = folder.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let Some(id) = id.filter(|_| ours(&folder).unwrap_or(false)) {
                let line = fs::read(folder.join("cmdline")).unwrap_or_default();
                found.push((id, String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        found
    }

    /// Waits until a process whose command line begins so, or names such a path, runs here; whether one did before the run ended.
    pub fn wait_for(&self, word: &str, running: &mut Running) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.processes().iter().any(|(_, line)| line.starts_with(word) || line.contains(&format!("/{word}"))) {
                return true;
            }
            if running.has_ended() {
                return false;
            }
            assert!(Instant::now() < deadline, "`{word}` is never run");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Asserts that soon no process is left: the signals are sent, the kernel ends processes in its own time.
    #[track_caller]
    pub fn is_empty(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            if Instant::now() >= deadline {
                panic!("processes are left: {left:?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The names below a folder, hidden ones too, sorted; none where there is no folder.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A test that fails in the middle leaves nothing running either.
        for (id, _) in self.processes() {
            Pid::from_raw(id).map(|id| kill_process(id, Signal::KILL));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
