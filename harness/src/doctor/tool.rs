//! The tools that some commands want besides what targets need: what each is for, and how to get it.
//!
//! What it is not: nothing here is needed for `check` or `test`. Called by [`super::examine`].

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::setup::{apt, packages};

/// One tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its program.
    pub program: &'static str,
    /// What one does with it.
    pub purpose: &'static str,
    /// The command that installs it.
    pub remedy: &'static str,
}

/// All of them.
pub const TOOLS: [Tool; 13] = [
    tool("cargo-fuzz", "cargo lazymmu fuzz", "cargo install cargo-fuzz --locked"),
    tool("cargo-insta", "review new snapshots: cargo insta review", "cargo install cargo-insta --locked"),
    tool("cargo-nextest", "a process per test: cargo nextest run", "cargo install cargo-nextest --locked"),
    tool("cargo-mutants", "changes that no test notices: cargo mutants", "cargo install cargo-mutants --locked"),
    tool("cross", "the tests in a container per target: cross test", "cargo install cross --locked"),
    tool("podman", "what cross runs containers with (docker does as well)", "apt-get install podman"),
    tool("cargo-clippy", "lints: cargo clippy", "rustup component add clippy"),
    tool("rustfmt", "formatting: cargo fmt", "rustup component add rustfmt"),
    tool("make", "prepares a kernel tree: judge, run --tree", "apt-get install make"),
    tool("flex", "prepares a kernel tree: judge, run --tree", "apt-get install flex"),
    tool("bison", "prepares a kernel tree: judge, run --tree", "apt-get install bison"),
    tool("bc", "prepares a kernel tree: judge, run --tree", "apt-get install bc"),
    tool("clang", "compiles a kernel tree: judge --llvm", "apt-get install clang"),
];

const fn tool(program: &'static str, purpose: &'static str, remedy: &'static str) -> Tool {
    Tool { program, purpose, remedy }
}

impl Tool {
    /// The version it gives itself, if it is there. Docker will do for podman. cross is not asked: it updates the active
    /// toolchain before it says its version, and a doctor changes nothing.
    #[must_use]
    pub fn version(self) -> Option<String> {
        let others = if self.program == "podman" { &["docker"][..] } else { &[] };
        let program = std::iter::once(&self.program).chain(others).find(|name| packages::which(name).is_some())?;
        if self.program == "cross" {
            return Some("there".to_owned());
        }
        let mut command = Command::new(program);
        // As subcommands of cargo these want their own name first.
        command.args(["nextest", "mutants"].iter().filter(|name| self.program.strip_prefix("cargo-") == Some(**name)));
        command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
        let said = apt::output(command, Duration::from_secs(20)).unwrap_or_default();
        Some(version(&said).unwrap_or("of unknown version").to_owned())
    }
}

/// The first word of a text that begins with a digit.
fn version(said: &str) -> Option<&str> {
    said.split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(|word| word.trim_matches(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_number_that_is_said() {
        assert_eq!(version("cargo-fuzz 0.13.2\n"), Some("0.13.2"));
        assert_eq!(version("Docker version 24.0.5, build 1\n"), Some("24.0.5"));
        assert_eq!(version("none at all"), None);
    }

    #[test]
    fn a_tool_that_is_not_there_has_no_version() {
        assert_eq!(tool("no-such-program-as-this", "", "").version(), None);
    }
}
