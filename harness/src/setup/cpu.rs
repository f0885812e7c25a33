//! The CPU model that an emulator is told to be: by `--cpu`, or by `QEMU_CPU`, which qemu itself reads.
//!
//! What it is not: which models CI runs is in the target's file; what a model can do is qemu's.
//!
//! Who calls it: the subcommands that run something on a target, so that an unknown model is one clear message and not a
//! program that dies at its start.

use std::process::{Command, Stdio};

use super::Ready;
use super::packages;
use crate::error::{Error, Result};
use crate::target::Target;

/// The variable that qemu takes a model from.
pub const VARIABLE: &str = "QEMU_CPU";

/// Refuses a model that the target's emulator does not know. An emulator that is not there yet knows them all.
///
/// # Errors
/// The model is unknown; the message names those that are tested, and the command that lists all.
pub fn check(target: Target, model: &str, place: &str) -> Result<()> {
    let Some(program) = packages::qemu(target) else { return Ok(()) };
    // It looks for the model before it looks at the program, and an empty one cannot run.
    let mut command = Command::new(&program);
    command.args(["-cpu", model, "/dev/null"]).stdin(Stdio::null()).env_remove(VARIABLE);
    let said = command.output().map_err(Error::io("start", &program))?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let Some(complaint) = complaint(&said) else { return Ok(()) };
    // The variable is read by every emulator, which is easily forgotten.
    let wide =
        if place == VARIABLE { "; QEMU_CPU holds for every target, --target TARGET --cpu MODEL for one" } else { "" };
    Err(Error::Input {
        what: format!("{target} cannot be run as CPU model `{}`: {complaint}", crate::show::shown(model)),
        place: place.to_owned(),
        remedy: format!("use {}, which CI runs; `{program} -cpu help` lists all{wide}", tested(target)),
    })
}

/// What qemu says of a model or a property of one that it does not know.
fn complaint(said: &str) -> Option<&str> {
    let line = said.lines().find(|line| line.contains("CPU model") || line.contains("ropert"))?;
    Some(line.rsplit_once(": ").map_or(line, |(_, what)| what))
}

/// What a tree's code runs on where the user names no model: on sparc64 the default one with as many register windows as the
/// manual allows (UltraSPARC Architecture 2005, 5.2: 3 to 32). A window that overflows leaves translated code, and with 8
/// of them that takes a quarter of an agent's time.
pub fn choose_for_trees(ready: &mut Ready) {
    const WINDOWS: &str = "TI-UltraSparc-II,nwindows=32";
    if ready.target == Target::Sparc64 && ready.cpu.is_none() && check(ready.target, WINDOWS, VARIABLE).is_ok() {
        ready.set_cpu(WINDOWS);
    }
}

/// Refuses the `QEMU_CPU` of the environment where a target that is emulated does not know it.
///
/// # Errors
/// As [`check`].
pub fn check_variable(ready: &Ready) -> Result<()> {
    match &ready.cpu {
        Some(model) => check(ready.target, model, VARIABLE),
        None => Ok(()),
    }
}

/// The models of a target's file, in words.
fn tested(target: Target) -> String {
    target.spec().emulator.cpus.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_says_of_an_unknown_model_is_told_from_what_it_says_of_an_empty_program() {
        assert_eq!(complaint("qemu-ppc64: unable to find CPU model 'z80'\n"), Some("unable to find CPU model 'z80'"));
        assert_eq!(
            complaint("qemu-x86_64: Property 'max-x86_64-cpu.no' not found\n"),
            Some("Property 'max-x86_64-cpu.no' not found")
        );
        assert_eq!(complaint("/dev/null: Exec format error\n"), None);
        assert_eq!(complaint(""), None);
    }

    #[test]
    fn a_model_that_ci_runs_is_accepted_wherever_the_emulator_is() {
        for target in Target::ALL {
            for model in &target.spec().emulator.cpus {
                assert!(check(target, model, "--cpu").is_ok(), "{target} {model}");
            }
        }
    }
}
