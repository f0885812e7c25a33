//! Building the agent for each target.
//!
//! Not here: finding toolchains ([`crate::setup`]). Called by `check`, `run` and `bench`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::agent::Agent;
use crate::error::{Error, Result};
use crate::setup::{Ready, cpu};
use crate::workspace;

/// Builds the agent and yields where it is.
///
/// # Errors
/// Cargo failed; its messages went to standard error. Or the emulator does not know the model that it is told to be.
pub fn agent(ready: &Ready, root: &Path) -> Result<PathBuf> {
    cpu::check_variable(ready)?;
    let profile = workspace::profile();
    let mut command = ready.cargo("build");
    command
        .args(["--quiet", "--profile", profile, "--package", "lazy-mmu-agent"])
        .current_dir(root)
        .stdin(Stdio::null());
    let status = command.status().map_err(Error::io("start cargo in", root))?;
    if !status.success() {
        return Err(Error::Broke {
            what: format!("the agent does not build for {}", ready.target),
            place: None,
            remedy: "read cargo's messages above; they are about the project's own code".to_owned(),
        });
    }
    let target_dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    Ok(ready.artifact(&target_dir, profile, "lazy-mmu-agent"))
}

/// The agent on a target, built if need be.
///
/// # Errors
/// As [`agent`].
pub fn start(ready: &Ready, root: &Path) -> Result<Agent> {
    let (ready, binary) = (ready.clone(), agent(ready, root)?);
    Ok(Agent::new(move || command(&ready, &binary)))
}

/// The command that runs the agent.
#[must_use]
pub fn command(ready: &Ready, binary: &Path) -> Command {
    let mut command = ready.run(binary);
    workspace::forget_outer_cargo(&mut command);
    command.stderr(Stdio::piped());
    command
}
