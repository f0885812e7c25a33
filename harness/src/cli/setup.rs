//! `lazymmu setup`: finds what each target lacks, sets it up once, and says what is there.
//!
//! What it is not: the work is done by [`crate::setup`].
//!
//! Who calls it: a person before the first run, or a script that wants to know whether a machine is fit.

use clap::Args;

use crate::error::{Exit, Result};
use crate::setup::{self, Inventory, Missing, Options, Ready, Source};
use crate::table;
use crate::target::Target;

/// Sets up what the targets need: cross linkers, C libraries, qemu-user and standard libraries.
///
/// Programs are installed with apt-get where this is root; elsewhere the command is printed. A standard library comes
/// from rustup, or where its server is refused it is compiled once, from Debian's sources, into the cache
/// (`$XDG_CACHE_HOME/lazymmu`, usually `~/.cache/lazymmu`). The user's own toolchain is not changed otherwise.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu setup --check --target sparc64")]
pub struct Setup {
    /// Report only: install nothing; exit 3 when something is missing
    #[arg(long)]
    check: bool,
    /// A target, by short name or triple; may be repeated [default: all four]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// Where standard libraries may come from
    #[arg(long, value_enum, default_value_t = Source::Any, value_name = "SOURCE")]
    std_from: Source,
    /// Print the variables that let a plain `cargo test --target ...` use this set-up, for `eval`
    #[arg(long, conflicts_with = "check")]
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
        let look = Options { allow_install: false, source: self.std_from };
        let before = setup::prepare(&targets, look);
        let was_ready = |target: Target| before.iter().any(|(other, result)| *other == target && result.is_ok());
        let complete = targets.iter().all(|&target| was_ready(target));
        let mut found = before.clone();
        if !self.check && !complete {
            found = setup::prepare(&targets, Options { allow_install: true, source: self.std_from });
        }
        // What was there and is not asked about is taken on trust: a second set-up takes no time.
        for (target, result) in &mut found {
            if self.check || !was_ready(*target) {
                *result = result.clone().and_then(|ready| ready.try_out().map(|()| ready));
            }
        }
        if self.env {
            out!("{}", exports(&found))?;
        } else {
            out!("{}", self.report(&found))?;
        }
        Ok(if found.iter().all(|(_, result)| result.is_ok()) { Exit::Holds } else { Exit::Environment })
    }

    fn report(&self, found: &[(Target, Result<Ready, Missing>)]) -> String {
        let targets: Vec<Target> = found.iter().map(|(target, _)| *target).collect();
        let inventory = setup::inventory(&targets, self.std_from);
        let heading = ["target", "state", "compiler", "linker", "emulator"].map(str::to_owned).to_vec();
        let rows = found.iter().zip(inventory).map(|((target, result), there)| row(*target, result, there));
        let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
        let mut text = table::render(&rows);
        for (_, missing) in found.iter().filter_map(|(target, result)| Some((target, result.as_ref().err()?))) {
            text.push_str(&format!("\n{missing}\n  why: {}\n  to do: {}\n", missing.why, missing.remedy));
        }
        text
    }
}

fn row(target: Target, result: &Result<Ready, Missing>, there: Inventory) -> Vec<String> {
    let state = if result.is_ok() { "ready" } else { "not ready" };
    let or_missing = |thing: Option<String>| thing.unwrap_or_else(|| "missing".to_owned());
    let things = [there.compiler, there.linker, there.emulator].map(or_missing);
    [target.to_string(), state.to_owned()].into_iter().chain(things).collect()
}

/// Lines a shell can evaluate. A target that is not ready is left out, and the exit code says so.
fn exports(found: &[(Target, Result<Ready, Missing>)]) -> String {
    let ready = found.iter().filter_map(|(_, result)| result.as_ref().ok());
    let variables = ready.flat_map(Ready::env);
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    variables.map(|(name, value)| format!("export {name}={}\n", quoted(&value.to_string_lossy()))).collect()
}
