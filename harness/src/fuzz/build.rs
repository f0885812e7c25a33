//! The fuzz targets' binaries: built by cargo-fuzz.
//!
//! Without a sanitizer the project's own toolchain will do; AddressSanitizer needs a nightly one. Not here: what the
//! binaries do. Called by `lazymmu fuzz`, `lazymmu bench fuzz` and `lazymmu zoo`.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::error::{Error, Result};
use crate::setup::Missing;

/// What the binaries are instrumented with besides coverage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sanitizer {
    /// Nothing: many times as fast; all of the engine is safe Rust
    #[default]
    None,
    /// AddressSanitizer and debug assertions, on a nightly toolchain
    Address,
}

/// Builds all targets, or `only` one, and yields the folder of their binaries.
///
/// # Errors
/// cargo-fuzz, or a nightly toolchain for AddressSanitizer, is not there, or the build fails.
pub fn build(root: &Path, sanitizer: Sanitizer, only: Option<&str>) -> Result<PathBuf> {
    let toolchain = match sanitizer {
        Sanitizer::None => None,
        Sanitizer::Address => Some(nightly()?),
    };
    let cargo = |toolchain: Option<&str>| {
        let mut command = Command::new("cargo");
        command.args(toolchain.map(|name| format!("+{name}"))).current_dir(root);
        // What runs this command for the workspace must not decide the fuzz build.
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_TARGET_DIR");
        command
    };
    let there = cargo(None).args(["fuzz", "--version"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        return Err(Missing {
            what: "cargo-fuzz is not installed".to_owned(),
            why: "`cargo fuzz --version` does not answer".to_owned(),
            remedy: "cargo install cargo-fuzz --locked".to_owned(),
        }
        .into());
    }
    let folder = target_dir(root, sanitizer);
    let mut command = cargo(toolchain.as_deref());
    let host = host()?;
    command.args(["fuzz", "build", "--target", &host, "--target-dir"]).arg(&folder);
    if sanitizer == Sanitizer::None {
        command.args(["--sanitizer", "none", "--release", "--no-trace-compares"]);
        // Functions alone: in which state the code ran is told by the features of a run, and a thousand edges that every
        // program runs through are most of an execution (edges: 1.7 times as long an execution; docs/fuzzing.md).
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        command.env("RUSTFLAGS", format!("{flags} -Cllvm-args=-sanitizer-coverage-level=1"));
    }
    command.args(only);
    eprintln!("building the fuzz targets (cargo fuzz build; about a minute the first time)");
    let output = command.output().map_err(Error::io("start", "cargo"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<_> = said.lines().rev().take(30).collect();
        return Err(Error::Broke {
            what: format!("the fuzz targets do not build:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n")),
            place: Some(root.join("fuzz").display().to_string()),
            remedy: "a C++ compiler is needed for libFuzzer (apt-get install g++); else mend what rustc says"
                .to_owned(),
        });
    }
    Ok(folder.join(host).join("release"))
}

/// Where the build goes: apart for each kind, so that going back and forth builds nothing again.
fn target_dir(root: &Path, sanitizer: Sanitizer) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    base.join(match sanitizer {
        Sanitizer::None => "fuzz",
        Sanitizer::Address => "fuzz-asan",
    })
}

/// The triple that this machine's compiler builds for.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(Error::io("start", "rustc"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Error::Broke {
        what: "rustc does not say which host it is for".to_owned(),
        place: None,
        remedy: "rustc -vV should print a line that begins with `host:`".to_owned(),
    })
}

/// The name of a nightly toolchain.
fn nightly() -> Result<String> {
    let output = Command::new("rustup").args(["toolchain", "list"]).output();
    let listed = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let name =
        listed.lines().filter_map(|line| line.split_whitespace().next()).find(|name| name.starts_with("nightly"));
    name.map(str::to_owned).ok_or_else(|| {
        Missing {
            what: "AddressSanitizer needs a nightly toolchain, and there is none".to_owned(),
            why: "`rustup toolchain list` names no nightly".to_owned(),
            remedy: "rustup toolchain install nightly, or leave --sanitizer address out".to_owned(),
        }
        .into()
    })
}
