//! `lazymmu cross`: the project's own tests on the targets, in containers, by cross.
//!
//! What it is not: cross and the container engine do it; what they need is looked at in [`crate::container`].
//!
//! Who calls it: a person who has a container engine and no cross compilers.

use std::process::Command;
use std::time::Instant;

use clap::Args;

use super::lanes::Lanes;
use super::test::{Outcome, exit, judge, report, stream};
use crate::container::Engine;
use crate::error::{Exit, Result};
use crate::tally::Tally;
use crate::target::Target;
use crate::workspace;

/// Runs the tests of the default members on the targets in containers, by cross 0.2.5 with podman or docker.
///
/// Exits 3 with the command that helps where cross, a container engine or the image is not as it must be.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu cross --target sparc64 -- --package lazy-mmu-core")]
pub struct Cross {
    /// A target, by short name or triple; may be repeated [default: all four]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// Give a target up when nothing is printed for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    timeout: u64,
    /// Further arguments of `cross test`
    #[arg(last = true, value_name = "CARGO ARGUMENTS")]
    arguments: Vec<String>,
}

impl Cross {
    /// Runs the tests target by target and ends with a table.
    ///
    /// # Errors
    /// The machine lacks something, or the current directory is outside the project.
    pub fn run(&self) -> Result<Exit> {
        let root = workspace::root()?;
        let targets = super::or_all(&self.targets);
        let engine = Engine::find()?;
        targets.iter().try_for_each(|&target| engine.check_image(target, &root))?;
        let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target/cross"), |dir| root.join(dir));
        let lanes = Lanes::new(1, std::io::stdout());
        let mut outcomes = Vec::new();
        for target in targets {
            eprintln!("\ncross: {target}");
            let start = Instant::now();
            let mut command = Command::new("cross");
            command.args(["test", "--target", target.triple(), "--no-fail-fast"]).args(&self.arguments);
            workspace::forget_outer_cargo(&mut command);
            command.current_dir(&root).env("CROSS_CONTAINER_ENGINE", engine.program());
            // A build script that was linked on the host, or in another image, need not run in this one.
            command.env("CARGO_TARGET_DIR", base.join(target.short()));
            command.env("CI", "1").env("INSTA_UPDATE", "no").env("INSTA_FORCE_PASS", "0");
            command.env_remove("INSTA_WORKSPACE_ROOT");
            let mut tally = Tally::default();
            let ended = stream(command, self.timeout, &mut tally, &|chunk| lanes.say(0, chunk))?;
            let (state, seconds) = (judge(&tally, &ended), start.elapsed().as_secs_f64());
            let about = format!("{target}: cross with {}", engine.program());
            outcomes.push(Outcome { target, tally, seconds, state, about });
        }
        out!("\n{}", report(&outcomes))?;
        Ok(exit(&outcomes))
    }
}
