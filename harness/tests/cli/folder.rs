//! A folder of a test's own, and the command run in it.
//!
//! What it is not: it expects nothing. What every bad input has in common is [`Ran::is_refused`].
//!
//! Who calls it: every test of this binary.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The command, in a folder, without what cargo tells its tests: a user's shell does not say it either.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lazymmu"));
    command.current_dir(folder).stdin(Stdio::null());
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("RUST_BACKTRACE");
    command
}

/// What a run of the command came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output. Paths need not be UTF-8, so what is not is replaced.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Starts the command, gives it `stdin` and waits.
    pub fn of(command: &mut Command, stdin: &[u8]) -> Ran {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        // The command may have read enough, and left, before everything is written.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin);
        let output = child.wait_with_output().expect("the command ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Asserts what holds of every refusal: the exit code, one error, nothing that a script could take for a result.
    #[track_caller]
    pub fn is_refused(&self, name: &str, code: i32) {
        assert_eq!(self.code, Some(code), "{name}: {self:#?}");
        assert_eq!(self.stdout, "", "{name}: a partial result on standard output");
        assert_eq!(self.stderr.matches("error:").count(), 1, "{name}: one error, not {self:#?}");
        assert!(self.stderr.starts_with("error: "), "{name}: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{name}: {}", self.stderr);
    }

    /// Asserts that the command ended with a result and had nothing to complain about.
    #[track_caller]
    pub fn is_result(&self, name: &str, code: i32) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(code), ""), "{name}: {self:#?}");
        assert!(!self.stdout.is_empty(), "{name}: no result");
    }

    /// What is printed of a run, without how the command named the program.
    pub fn before_replay(&self) -> (Option<i32>, &str, &str) {
        let stdout = self.stdout.split("\nreplay: cargo lazymmu ").next().unwrap_or_default();
        (self.code, stdout, &self.stderr)
    }

    /// The line of the one error that begins with `label`, without it.
    pub fn line(&self, label: &str) -> Option<&str> {
        self.stderr.lines().find_map(|line| line.strip_prefix(label))
    }
}

/// A folder that is there as long as the test.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder; `test` tells it from those of the tests that run beside it.
    pub fn new(test: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{test}-{}", std::process::id()));
        // What a killed run of the same process number left behind.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it.
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), bytes).expect("a file for the test");
    }

    /// Runs the command in it, with nothing on standard input.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        self.run_with(arguments, b"")
    }

    /// Runs the command in it.
    pub fn run_with<S: AsRef<OsStr>>(&self, arguments: &[S], stdin: &[u8]) -> Ran {
        Ran::of(command(&self.0).args(arguments), stdin)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays is only untidy: the target directory is nobody's data.
        let _ = fs::remove_dir_all(&self.0);
    }
}
