//! The fuzz targets' binaries: built by cargo-fuzz, apart for each kind of guidance ([`Guide`]; docs/fuzzing.md).
//!
//! Without a sanitizer the project's own toolchain will do; AddressSanitizer needs a nightly one. Not here: what the
//! binaries do. Called by `lazymmu fuzz`, `lazymmu bench fuzz` and `lazymmu zoo`.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use lazy_mmu_engine::fuzz::{Description, Guide};

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

/// Where the binaries of targets are: of each in the folder of what guides it.
#[derive(Clone, Debug)]
pub struct Binaries {
    functions: PathBuf,
    edges: PathBuf,
}

impl Binaries {
    /// The target's binary.
    #[must_use]
    pub fn of(&self, target: &Description) -> PathBuf {
        let folder = match target.guide {
            Guide::Functions => &self.functions,
            Guide::Edges => &self.edges,
        };
        folder.join(target.name)
    }
}

/// Builds these targets, each with what guides it.
///
/// # Errors
/// As [`build`].
pub fn targets(root: &Path, sanitizer: Sanitizer, targets: &[&Description]) -> Result<Binaries> {
    let folder = |guide| {
        let names: Vec<_> = targets.iter().filter(|target| target.guide == guide).map(|target| target.name).collect();
        if names.is_empty() { Ok(PathBuf::new()) } else { build(root, sanitizer, guide, &names) }
    };
    Ok(Binaries { functions: folder(Guide::Functions)?, edges: folder(Guide::Edges)? })
}

/// Builds the binaries with these names for one kind of guidance, and yields the folder they are in.
///
/// # Errors
/// cargo-fuzz, or a nightly toolchain for AddressSanitizer, is not there, or the build fails.
pub fn build(root: &Path, sanitizer: Sanitizer, guide: Guide, names: &[&str]) -> Result<PathBuf> {
    let toolchain = match sanitizer {
        Sanitizer::None => None,
        Sanitizer::Address => Some(nightly()?),
    };
    cargo_fuzz_is_there(root)?;
    let (host, folder) = (host()?, target_dir(root, sanitizer, guide));
    eprintln!("building fuzz targets: {} (cargo fuzz build; about a minute the first time)", names.join(", "));
    for name in names {
        let mut command = cargo(root, toolchain.as_deref());
        command.args(["fuzz", "build", "--target", &host, "--target-dir"]).arg(&folder);
        if sanitizer == Sanitizer::None {
            command.args(["--sanitizer", "none", "--release"]);
        }
        if (sanitizer, guide) == (Sanitizer::None, Guide::Functions) {
            command.arg("--no-trace-compares");
            let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
            command.env("RUSTFLAGS", format!("{flags} -Cllvm-args=-sanitizer-coverage-level=1"));
        }
        built(command.arg(name), root)?;
    }
    Ok(folder.join(host).join("release"))
}

/// Runs one build to its end.
fn built(command: &mut Command, root: &Path) -> Result<()> {
    let output = command.output().map_err(Error::io("start", "cargo"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<_> = said.lines().rev().take(30).collect();
    Err(Error::Broke {
        what: format!("the fuzz targets do not build:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n")),
        place: Some(root.join("fuzz").display().to_string()),
        remedy: "a C++ compiler is needed for libFuzzer (apt-get install g++); else mend what rustc says".to_owned(),
    })
}

fn cargo(root: &Path, toolchain: Option<&str>) -> Command {
    let mut command = Command::new("cargo");
    command.args(toolchain.map(|name| format!("+{name}"))).current_dir(root);
    // What runs this command for the workspace must not decide the fuzz build.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_TARGET_DIR");
    command
}

fn cargo_fuzz_is_there(root: &Path) -> Result<()> {
    let there = cargo(root, None).args(["fuzz", "--version"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(Missing {
        what: "cargo-fuzz is not installed".to_owned(),
        why: "`cargo fuzz --version` does not answer".to_owned(),
        remedy: "cargo install cargo-fuzz --locked".to_owned(),
    }
    .into())
}

/// Where the build goes: apart for each kind, so that going back and forth builds nothing again.
fn target_dir(root: &Path, sanitizer: Sanitizer, guide: Guide) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    base.join(match (sanitizer, guide) {
        (Sanitizer::None, Guide::Functions) => "fuzz",
        (Sanitizer::None, Guide::Edges) => "fuzz-edges",
        // As cargo-fuzz itself builds them, whatever guides them.
        (Sanitizer::Address, _) => "fuzz-asan",
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
