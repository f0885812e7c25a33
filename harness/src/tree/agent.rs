//! The library that a subject's machine is in: the adapter with the engine, built for each target once.
//!
//! A tree's objects are linked with it by the compiler's driver: cargo runs only where the project's own sources are
//! newer than the library.
//!
//! Who calls it: whoever builds a tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::setup::Ready;

/// The package, and what cargo calls its library.
const PACKAGE: &str = "lazy-mmu-tree-agent";
const LIBRARY: &str = "liblazy_mmu_tree_agent.a";

/// It is compiled when the project changes and runs whenever a tree does: fast code pays here, whatever profile this command
/// was built with. Under an emulator a judgement on this profile takes two thirds of one on `quick`.
const PROFILE: &str = "release";

/// Folders of the workspace that the library is made of.
const SOURCES: [&str; 14] = [
    "core",
    "arches",
    "harness/abi",
    "harness/agent",
    "harness/border",
    "harness/callers",
    "harness/contract",
    "harness/engine",
    "harness/machine",
    "harness/program",
    "harness/replay",
    "harness/subjects",
    "harness/tree-agent",
    "snapshots",
];

/// The library for a target, built if need be.
///
/// # Errors
/// Cargo failed; its messages went to standard error.
pub fn library(ready: &Ready, root: &Path) -> Result<PathBuf> {
    let target_dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let library = ready.artifact(&target_dir, PROFILE, LIBRARY);
    if is_current(&library, root) {
        return Ok(library);
    }
    let begun = SystemTime::now();
    let mut command = ready.cargo("build");
    command.args(["--quiet", "--profile", PROFILE, "--package", PACKAGE]).current_dir(root).stdin(Stdio::null());
    let status = command.status().map_err(Error::io("start cargo in", root))?;
    if !status.success() {
        return Err(Error::Broke {
            what: format!("the adapter of trees does not build for {}", ready.target),
            place: None,
            remedy: "read cargo's messages above; they are about the project's own code".to_owned(),
        });
    }
    // Cargo leaves a library alone that is as it should be; its time must still say when it was looked at. What is edited
    // while cargo runs is newer than that.
    if let Ok(file) = fs::File::options().append(true).open(&library) {
        let _ = file.set_modified(begun);
    }
    Ok(library)
}

/// Whether nothing it is made of is newer.
fn is_current(library: &Path, root: &Path) -> bool {
    let Ok(made) = fs::metadata(library).and_then(|data| data.modified()) else { return false };
    let single = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"].map(|file| root.join(file));
    SOURCES.iter().map(|folder| root.join(folder)).chain(single).all(|path| is_older(&path, made))
}

/// Whether a file, or everything below a folder, was changed before.
fn is_older(path: &Path, than: SystemTime) -> bool {
    let Ok(data) = fs::metadata(path) else { return false };
    // A folder's own time tells that a file came or went.
    let older = data.modified().is_ok_and(|changed| changed < than);
    older
        && (!data.is_dir()
            || fs::read_dir(path).is_ok_and(|entries| entries.flatten().all(|entry| is_older(&entry.path(), than))))
}
