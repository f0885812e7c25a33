//! The options that say where something runs: `--target`, `--emulated` and `--cpu`.
//!
//! What it is not: no subcommand. Setting targets up is [`crate::setup`].
//!
//! Who calls it: the subcommands that run on several targets.

use clap::Args;

use crate::error::{Error, Result};
use crate::setup::{self, Missing, Options, Ready, cpu};
use crate::target::Target;

/// Where it runs.
#[derive(Debug, Args)]
pub struct Place {
    /// A target, by short name or triple; may be repeated [default: all four]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// Emulate this machine's own architecture too, as every other
    #[arg(long)]
    emulated: bool,
    /// The CPU model that the emulator of the one target is told to be [default: QEMU_CPU, else the emulator's own]
    #[arg(long, value_name = "MODEL", requires = "targets")]
    cpu: Option<String>,
}

impl Place {
    /// The targets, each once and in the order of tables.
    pub fn targets(&self) -> Vec<Target> {
        super::or_all(&self.targets)
    }

    /// Refuses what cannot be, before anything is set up.
    ///
    /// # Errors
    /// A model for several targets, for one that is not emulated, or that an emulator which is there does not know.
    pub fn check(&self) -> Result<()> {
        let targets = self.targets();
        let bad = |what: String, remedy: String| Error::Input { what, place: "--cpu".to_owned(), remedy };
        match (&self.cpu, &*targets) {
            (Some(model), [target]) if target.is_native() && !self.emulated => {
                let remedy =
                    format!("have it emulated: --target {target} --emulated --cpu {}", crate::show::quoted(model));
                Err(bad(format!("{target} runs natively here, as the CPU that this machine has"), remedy))
            }
            (Some(model), [target]) => cpu::check(*target, model, "--cpu"),
            (Some(_), several) => {
                let remedy = "name one target: --target powerpc64 --cpu power9".to_owned();
                Err(bad(format!("a CPU model is one target's, and here are {}", several.len()), remedy))
            }
            (None, _) => {
                let Ok(model) = std::env::var(cpu::VARIABLE) else { return Ok(()) };
                let emulated = targets.iter().filter(|target| self.emulated || !target.is_native());
                emulated.copied().try_for_each(|target| cpu::check(target, &model, cpu::VARIABLE))
            }
        }
    }

    /// Whether the command line says anything of it.
    pub fn is_given(&self) -> bool {
        !self.targets.is_empty() || self.emulated || self.cpu.is_some()
    }

    /// Sets up what is missing; [`Place::check`] comes first.
    ///
    /// # Errors
    /// As [`Place::check`], of an emulator that was not there then.
    pub fn prepare(&self) -> Result<Vec<(Target, Result<Ready, Missing>)>> {
        self.with(&self.targets(), false)
    }

    /// The same, with what compiling a kernel tree needs.
    ///
    /// # Errors
    /// As [`Place::prepare`].
    pub fn prepare_for_trees(&self) -> Result<Vec<(Target, Result<Ready, Missing>)>> {
        self.with(&self.targets(), true)
    }

    /// The same of these targets alone.
    ///
    /// # Errors
    /// As [`Place::prepare`].
    pub fn prepare_of(&self, targets: &[Target]) -> Result<Vec<(Target, Result<Ready, Missing>)>> {
        self.with(targets, true)
    }

    fn with(&self, targets: &[Target], tree: bool) -> Result<Vec<(Target, Result<Ready, Missing>)>> {
        let options = Options { allow_install: true, emulated: self.emulated, tree, ..Options::default() };
        let mut prepared = setup::prepare(targets, options);
        self.check()?;
        for ready in prepared.iter_mut().filter_map(|(_, result)| result.as_mut().ok()) {
            if let Some(model) = &self.cpu {
                ready.set_cpu(model);
            } else if tree {
                cpu::choose_for_trees(ready);
            }
        }
        Ok(prepared)
    }
}
