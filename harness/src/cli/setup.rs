//! `lazymmu setup`: finds what each target lacks, sets it up once, and says what is there.
//!
//! What it is not: the work is done by [`crate::setup`].
//!
//! Who calls it: a person before the first run. Whether a machine is fit, `lazymmu doctor` says without changing it.

use clap::Args;

use crate::doctor::{self, Patient};
use crate::error::{Exit, Result};
use crate::setup::{self, Missing, Options, Ready, Source};
use crate::target::Target;

/// Sets up what the targets need: cross linkers, C libraries, qemu-user and standard libraries.
///
/// Programs are installed with apt-get where this is root; elsewhere the command is printed. A standard library comes
/// from rustup, or where its server is refused it is compiled once, from Debian's sources, into the cache
/// (`$XDG_CACHE_HOME/lazymmu`, usually `~/.cache/lazymmu`). The user's own toolchain is not changed otherwise.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu setup --target sparc64")]
pub struct Setup {
    /// A target, by short name or triple; may be repeated [default: all four]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// Where standard libraries may come from
    #[arg(long, value_enum, default_value_t = Source::Any, value_name = "SOURCE")]
    std_from: Source,
    /// Print the variables that let a plain `cargo test --target ...` use this set-up, for `eval`
    #[arg(long)]
    env: bool,
}

impl Setup {
    /// Sets up, or reports.
    ///
    /// # Errors
    ///
    /// None of its own; a target that lacks something is a row of the report and the exit code 3.
    pub fn run(&self) -> Result<Exit> {
        let targets = super::or_all(&self.targets);
        let look = Options { source: self.std_from, ..Options::default() };
        let before = setup::prepare(&targets, look);
        let was_ready = |target: Target| before.iter().any(|(other, result)| *other == target && result.is_ok());
        let mut found = before.clone();
        if !targets.iter().all(|&target| was_ready(target)) {
            found = setup::prepare(&targets, Options { allow_install: true, ..look });
        }
        // What was there is taken on trust: a second set-up takes no time.
        let tried = |(target, result): (Target, Result<Ready, Missing>)| match was_ready(target) {
            true => (target, result, false),
            false => (target, result.and_then(|ready| ready.try_out().map(|()| ready)), true),
        };
        let patients = doctor::patients(found.into_iter().map(tried).collect(), self.std_from);
        if self.env {
            out!("{}", exports(&patients))?;
        } else {
            out!("{}", doctor::render(&patients))?;
        }
        Ok(if patients.iter().all(|patient| patient.state.is_ok()) { Exit::Holds } else { Exit::Environment })
    }
}

/// Lines a shell can evaluate. A target that is not ready is left out, and the exit code says so.
fn exports(patients: &[Patient]) -> String {
    let ready = patients.iter().filter_map(|patient| patient.state.as_ref().ok());
    let variables = ready.flat_map(Ready::env);
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    variables.map(|(name, value)| format!("export {name}={}\n", quoted(&value.to_string_lossy()))).collect()
}
