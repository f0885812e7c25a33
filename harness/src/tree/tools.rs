//! The compiler and what belongs to it, for one target: found on the `PATH`, never assumed.
//!
//! What it is not: installing is [`crate::setup::packages`]'s.
//!
//! Who calls it: [`super::build`].

use std::process::Command;

use super::error::Result;
use super::stamp;
use crate::setup::{Missing, packages};
use crate::target::Target;

/// Programs that kbuild runs on this machine and that a minimal system lacks, each with its Debian package.
pub const KBUILD: [(&str, &str); 5] =
    [("make", "make"), ("flex", "flex"), ("bison", "bison"), ("bc", "bc"), ("gcc", "gcc")];

/// The compiler, assembler, linker and their kin of one target.
#[derive(Clone, Debug)]
pub struct Tools {
    /// What stands before `gcc`, `ld` and the like: kbuild's `CROSS_COMPILE`. Empty on a native target.
    pub prefix: String,
    /// What tells this compiler from another, in words.
    pub identity: String,
}

impl Tools {
    /// Finds them.
    ///
    /// # Errors
    /// What is not there, with the command that installs it.
    pub fn find(target: Target) -> Result<Self> {
        let cross = &*target.spec().linker.program;
        let native = target.is_native() && packages::which(cross).is_none();
        let compiler = if native { "gcc" } else { cross };
        let path = packages::which(compiler).ok_or_else(|| lacking(compiler, &target.spec().linker.package))?;
        for (program, package) in KBUILD {
            if packages::which(program).is_none() {
                return Err(lacking(program, package).into());
            }
        }
        let real = path.canonicalize().unwrap_or(path);
        // The time of installation and the size tell one compiler from another without starting it.
        let look = stamp::look(&real).map(|look| (look.size, look.changed));
        let prefix = compiler.strip_suffix("gcc").unwrap_or_default().to_owned();
        Ok(Self { prefix, identity: format!("{} {look:?}", real.display()) })
    }

    /// One of them as a command: `gcc`, `ld`, `nm`, `objcopy`.
    #[must_use]
    pub fn command(&self, tool: &str) -> Command {
        Command::new(self.name(tool))
    }

    /// The name of one of them.
    #[must_use]
    pub fn name(&self, tool: &str) -> String {
        format!("{}{tool}", self.prefix)
    }
}

fn lacking(program: &str, package: &str) -> Missing {
    Missing {
        what: format!("there is no `{program}`, which building a kernel tree needs"),
        why: "it is not on the PATH".to_owned(),
        remedy: packages::command(&[package].into()),
    }
}
