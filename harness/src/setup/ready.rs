//! A target that is ready: how to build for it and how to run what was built.
//!
//! What it is not: it does not look whether that is still true; [`super::prepare`] did.
//!
//! Who calls it: every subcommand that builds or runs something on a target.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::cache::Cache;
use super::compiler::Toolchain;
use super::{Missing, apt, cpu, packages};
use crate::process::Child;
use crate::target::{Endian, Target};
use crate::workspace;

/// A target that can be built for and run.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The target.
    pub target: Target,
    /// What builds for it.
    pub toolchain: Toolchain,
    /// The emulator and its options, to be put before a program; none where the machine runs it.
    pub runner: Option<Vec<String>>,
    /// The C compiler's driver, which links; none on a native target, where the toolchain's default does.
    pub linker: Option<String>,
    /// The model that the emulator is told to be, by option or by `QEMU_CPU`; none for its default.
    pub cpu: Option<String>,
}

impl Ready {
    /// A target all of whose needs were found; `emulated` has a native one's programs emulated as well.
    pub(super) fn new(target: Target, toolchain: Toolchain, emulated: bool) -> Self {
        let spec = target.spec();
        let cross = !target.is_native();
        let runner = (cross || emulated).then(|| {
            let program = packages::qemu(target).unwrap_or_else(|| spec.emulator.program.clone());
            let library = ["-L", &spec.libc.sysroot].map(str::to_owned);
            // A program of this machine finds the machine's own C library.
            std::iter::once(program).chain(library.into_iter().filter(|_| cross)).collect()
        });
        let cpu = runner.as_ref().and_then(|_| env::var(cpu::VARIABLE).ok());
        Self { target, toolchain, runner, linker: cross.then(|| spec.linker.program.clone()), cpu }
    }

    /// Whether it is built for another machine than this one.
    #[must_use]
    pub fn is_cross(&self) -> bool {
        self.linker.is_some()
    }

    /// Has the emulator be this model.
    pub fn set_cpu(&mut self, model: &str) {
        if let Some(runner) = &mut self.runner {
            runner.splice(1..1, ["-cpu".to_owned(), model.to_owned()]);
            self.cpu = Some(model.to_owned());
        }
    }

    /// `cargo <subcommand>` for this target, with `--target` unless the target is native; further arguments follow.
    ///
    /// Run it in the workspace: the current directory decides which `.cargo/config.toml` holds.
    #[must_use]
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.toolchain.cargo);
        command.arg(subcommand);
        if self.is_cross() {
            command.args(["--target", self.target.triple()]);
        }
        workspace::forget_outer_cargo(&mut command);
        command.envs(self.env());
        command
    }

    /// A built program, run on this target: under the emulator where there is one.
    #[must_use]
    pub fn run(&self, program: &Path) -> Command {
        let words: Vec<&OsStr> = self.runner.iter().flatten().map(OsStr::new).chain([program.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }

    /// Where cargo puts a program it built for this target: a profile is a directory's name (`debug`, `release`).
    #[must_use]
    pub fn artifact(&self, target_dir: &Path, profile: &str, program: &str) -> PathBuf {
        let base = if self.is_cross() { target_dir.join(self.target.triple()) } else { target_dir.to_owned() };
        base.join(profile).join(program)
    }

    /// The variables that make a plain cargo build for this target and run what it built.
    #[must_use]
    pub fn env(&self) -> Vec<(String, OsString)> {
        let (target, toolchain) = (self.target, &self.toolchain);
        let mut env = toolchain.env.clone();
        env.extend(toolchain.rustc.as_ref().map(|rustc| ("RUSTC".to_owned(), rustc.clone().into_os_string())));
        // A native target overrides what the project's configuration says for machines where it is not.
        let native_linker = || if packages::which("cc").is_some() { "cc" } else { "gcc" }.to_owned();
        let linker = self.linker.clone().unwrap_or_else(native_linker);
        let runner = self.runner.as_ref().map_or_else(|| "env".to_owned(), |words| words.join(" "));
        let overrides = self.is_cross() || !cfg!(target_arch = "x86_64");
        if overrides {
            env.push((target.cargo_variable("LINKER"), linker.into()));
        }
        if overrides || self.runner.is_some() {
            env.push((target.cargo_variable("RUNNER"), runner.into()));
        }
        if !toolchain.rustflags.is_empty() {
            env.push(flags(target, "RUSTFLAGS", &toolchain.rustflags));
            env.push(flags(target, "RUSTDOCFLAGS", &toolchain.rustflags));
        }
        env
    }

    /// How programs run here, in words: `qemu-ppc64 7.2.22 as power9` or `native`.
    #[must_use]
    pub fn runner_text(&self) -> String {
        if self.runner.is_none() {
            return "native".to_owned();
        }
        let emulator = packages::emulator_text(self.target).unwrap_or_else(|| "an emulator that is gone".to_owned());
        self.cpu.as_ref().map_or_else(|| emulator.clone(), |model| format!("{emulator} as {model}"))
    }

    /// Compiles a small program for the target and runs it: the proof that compiler, linker, library and emulator fit.
    ///
    /// # Errors
    ///
    /// Which of them failed and what it said.
    pub fn try_out(&self) -> Result<(), Missing> {
        let dir = Cache::find()?.trial()?.join(self.target.short());
        let result = std::fs::create_dir_all(&dir).map_err(|error| error.to_string()).and_then(|()| self.hello(&dir));
        let _ = std::fs::remove_dir_all(&dir);
        // The directories above go with the last target that was tried in them, by this process and by all.
        let _ = dir.ancestors().skip(1).take(2).try_for_each(std::fs::remove_dir);
        result.map_err(|why| Missing {
            what: format!("a program for {} does not run", self.target),
            why,
            remedy: format!("install what belongs together anew: {}", self.reinstall()),
        })
    }

    fn reinstall(&self) -> String {
        let spec = self.target.spec();
        let packages = [&spec.linker.package, &spec.libc.package, &spec.emulator.package].map(String::as_str);
        format!("apt-get install --reinstall {}", packages.join(" "))
    }

    fn hello(&self, dir: &Path) -> Result<(), String> {
        const PROGRAM: &str =
            "fn main() { println!(\"{:?}\", std::panic::catch_unwind(|| 256u16.to_ne_bytes()).ok()); }\n";
        let (source, binary) = (dir.join("hello.rs"), dir.join("hello"));
        std::fs::write(&source, PROGRAM).map_err(|error| error.to_string())?;
        let mut rustc = Command::new(self.toolchain.rustc.clone().unwrap_or_else(|| "rustc".into()));
        rustc.args(&self.toolchain.rustflags).args(["--edition=2021", "--target", self.target.triple()]);
        rustc.args(self.linker.iter().map(|linker| format!("-Clinker={linker}")));
        rustc.arg("-o").arg(&binary).arg(&source).stderr(Stdio::piped());
        apt::output(rustc, Duration::from_secs(120))?;
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut child = Child::spawn(self.run(&binary)).map_err(|error| error.to_string())?;
        let line = child.read_line(deadline).map_err(|error| error.to_string())?;
        child.wait(deadline).map_err(|error| error.to_string())?;
        let expected = if self.target.spec().endian == Endian::Big { "Some([1, 0])" } else { "Some([0, 1])" };
        match line {
            Some(line) if line == expected => Ok(()),
            _ => Err(format!("it printed {line:?} and ended with {}", child.status_text())),
        }
    }
}

/// The variable that adds flags for a target.
///
/// Cargo takes flags from one place only: where the user set `RUSTFLAGS`, ours must join them. Flags with spaces in them
/// need the encoded form as well.
fn flags(target: Target, name: &str, ours: &[String]) -> (String, OsString) {
    let encoded = format!("CARGO_ENCODED_{name}");
    let users = match (env::var(&encoded), env::var(name)) {
        (Ok(flags), _) => Some(flags.split('\x1f').map(str::to_owned).collect::<Vec<_>>()),
        (_, Ok(flags)) => Some(flags.split_whitespace().map(str::to_owned).collect()),
        _ => None,
    };
    if users.is_none() && !ours.iter().any(|flag| flag.contains(char::is_whitespace)) {
        return (target.cargo_variable(name), ours.join(" ").into());
    }
    let all: Vec<String> =
        users.into_iter().flatten().chain(ours.iter().cloned()).filter(|flag| !flag.is_empty()).collect();
    (encoded, all.join("\x1f").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(target: Target, runner: Option<Vec<String>>) -> Ready {
        let toolchain = Toolchain {
            cargo: "cargo".into(),
            rustc: None,
            rustflags: vec!["--sysroot=/cache/std".to_owned()],
            env: vec![],
            about: String::new(),
        };
        let linker = runner.is_some().then(|| target.spec().linker.program.clone());
        Ready { target, toolchain, runner, linker, cpu: None }
    }

    fn emulated() -> Ready {
        ready(
            Target::Sparc64,
            Some(vec!["qemu-sparc64".to_owned(), "-L".to_owned(), "/usr/sparc64-linux-gnu".to_owned()]),
        )
    }

    #[test]
    fn programs_go_through_the_emulator() {
        let command = emulated().run(Path::new("agent"));
        assert_eq!(format!("{command:?}"), r#""qemu-sparc64" "-L" "/usr/sparc64-linux-gnu" "agent""#);
        let command = ready(Target::X86_64, None).run(Path::new("agent"));
        assert_eq!(format!("{command:?}"), r#""agent""#);
    }

    #[test]
    fn the_model_stands_before_the_program_and_is_said() {
        let mut ready = emulated();
        ready.set_cpu("TI-UltraSparc-IIi");
        let command = format!("{:?}", ready.run(Path::new("agent")));
        assert_eq!(command, r#""qemu-sparc64" "-cpu" "TI-UltraSparc-IIi" "-L" "/usr/sparc64-linux-gnu" "agent""#);
        assert!(ready.runner_text().ends_with(" as TI-UltraSparc-IIi"), "{}", ready.runner_text());
    }

    #[test]
    fn a_native_target_can_be_emulated_and_is_built_as_ever() {
        let mut native = ready(Target::X86_64, None);
        native.runner = Some(vec!["qemu-x86_64".to_owned()]);
        assert!(!native.is_cross() && native.cargo("build").get_args().eq(["build"]));
        assert_eq!(native.artifact(Path::new("target"), "debug", "agent"), Path::new("target/debug/agent"));
        assert_eq!(format!("{:?}", native.run(Path::new("agent"))), r#""qemu-x86_64" "agent""#);
    }

    #[test]
    fn cargo_is_told_all_a_target_needs() {
        let ready = emulated();
        let command = ready.cargo("build");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["build", "--target", "sparc64-unknown-linux-gnu"]);
        let value = |key: &str| {
            let name = Target::Sparc64.cargo_variable(key);
            command.get_envs().find(|(found, _)| *found == name.as_str()).and_then(|(_, value)| value?.to_str())
        };
        assert_eq!(value("LINKER"), Some("sparc64-linux-gnu-gcc"));
        assert_eq!(value("RUNNER"), Some("qemu-sparc64 -L /usr/sparc64-linux-gnu"));
    }

    #[test]
    fn artifacts_are_where_cargo_puts_them() {
        let dir = Path::new("target");
        let artifact = emulated().artifact(dir, "release", "agent");
        assert_eq!(artifact, Path::new("target/sparc64-unknown-linux-gnu/release/agent"));
        let artifact = ready(Target::X86_64, None).artifact(dir, "debug", "agent");
        assert_eq!(artifact, Path::new("target/debug/agent"));
    }

    #[test]
    fn flags_with_spaces_are_encoded() {
        let (name, value) = flags(Target::Sparc64, "LAZYMMUFLAGS", &["--sysroot=/my cache".to_owned()]);
        assert_eq!((name.as_str(), value.to_str()), ("CARGO_ENCODED_LAZYMMUFLAGS", Some("--sysroot=/my cache")));
        let (name, _) = flags(Target::Sparc64, "LAZYMMUFLAGS", &["--sysroot=/cache".to_owned()]);
        assert_eq!(name, "CARGO_TARGET_SPARC64_UNKNOWN_LINUX_GNU_LAZYMMUFLAGS");
    }
}
