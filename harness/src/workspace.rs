//! Where the project's own files are, and cargo as a child of this command.
//!
//! What it is not: it reads no manifest; cargo does.
//!
//! Who calls it: every subcommand that starts cargo or looks for a file of the repository.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// The root directory of the workspace.
///
/// `cargo lazymmu` says where the package is; a binary started by itself searches upward from the current directory.
///
/// # Errors
///
/// [`Error::Input`] when the current directory is outside the project.
pub fn root() -> Result<PathBuf> {
    let here = env::current_dir().map_err(Error::io("read", "the current directory"))?;
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let starts = [package, Some(here.clone())];
    let found = starts.iter().flatten().find_map(|start| start.ancestors().find(|dir| is_root(dir)));
    found.map(Path::to_owned).ok_or_else(|| Error::Input {
        what: "this directory is outside the project".to_owned(),
        place: here.display().to_string(),
        remedy: "change into the repository and run `cargo lazymmu` there".to_owned(),
    })
}

/// The workspace's root is the directory that holds this package as `harness` and the lock file of all.
fn is_root(dir: &Path) -> bool {
    dir.join("harness/Cargo.toml").is_file() && dir.join("Cargo.toml").is_file()
}

/// The build profile of this command, which is that of what it builds for targets: `quick` where cargo's alias built it, else
/// `release`.
#[must_use]
pub fn profile() -> &'static str {
    let folder = env::current_exe().ok().and_then(|program| Some(program.parent()?.file_name()?.to_owned()));
    if folder.is_some_and(|folder| folder == QUICK) { QUICK } else { "release" }
}

/// The profile of `Cargo.toml` that compiles what changed alone.
pub const QUICK: &str = "quick";

/// Takes out of a child's environment what `cargo run` put there for this command alone.
///
/// A nested cargo would pass these on to build scripts and tests, which would take them for their own.
pub fn forget_outer_cargo(command: &mut Command) {
    let alone = ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_MANIFEST_LINKS", "CARGO_BIN_NAME"];
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| alone.contains(&name.as_str()) || name.starts_with("CARGO_PKG_")) {
        command.env_remove(name);
    }
}
