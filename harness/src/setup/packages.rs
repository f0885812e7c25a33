//! The programs a target needs from the distribution: its linker, its C library and its emulator.
//!
//! They are looked for as programs and files, not in the package manager's books: how they came to the machine does not
//! matter. Where they are missing and this is Debian (or a child of it) and root, one call of apt-get installs them.
//!
//! What it is not: it knows no compiler. See [`super::std`].
//!
//! Who calls it: [`super::prepare`].

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use super::cache::Cache;
use super::{Missing, say};
use crate::target::Target;

/// The packages whose files a target lacks; a native one needs the emulator alone, and only where `emulated`.
#[must_use]
pub fn lacking(target: Target, emulated: bool) -> Vec<&'static str> {
    let spec = target.spec();
    let native = target.is_native();
    let mut lacking = vec![];
    if !native && which(&spec.linker.program).is_none() {
        lacking.push(&*spec.linker.package);
    }
    if !native && libc(target).is_none() {
        lacking.push(&*spec.libc.package);
    }
    if (!native || emulated) && qemu(target).is_none() {
        lacking.push(&*spec.emulator.package);
    }
    lacking
}

/// Programs that kbuild runs on this machine and that a minimal system lacks, each with its Debian package. A tree's
/// configuration of `judge` needs no library: neither libelf nor libssl.
pub const KBUILD: [(&str, &str); 5] =
    [("make", "make"), ("flex", "flex"), ("bison", "bison"), ("bc", "bc"), ("gcc", "gcc")];

/// The packages whose programs preparing a kernel tree lacks.
#[must_use]
pub fn lacking_for_trees() -> Vec<&'static str> {
    KBUILD.iter().filter(|(program, _)| which(program).is_none()).map(|(_, package)| *package).collect()
}

/// Where the target's own C library is; a native target's is the machine's.
#[must_use]
pub fn libc(target: Target) -> Option<&'static str> {
    let sysroot = Path::new(&target.spec().libc.sysroot);
    let there = || ["lib/crt1.o", "lib/libc.so.6"].iter().all(|file| sysroot.join(file).exists());
    if target.is_native() { Some("the machine's") } else { sysroot.to_str().filter(|_| there()) }
}

/// The emulator's version, where it is older than what the target needs.
#[must_use]
pub fn too_old(target: Target) -> Option<String> {
    let version = qemu_version(&qemu(target)?)?;
    target.spec().emulator.is_too_old(&version).then_some(version)
}

/// The emulator's program: Debian 12 has a dynamic one, others only one whose name ends in `-static`.
#[must_use]
pub fn qemu(target: Target) -> Option<String> {
    let plain = &target.spec().emulator.program;
    [plain.clone(), format!("{plain}-static")].into_iter().find(|name| which(name).is_some())
}

/// The version an emulator gives itself, such as `7.2.22`.
#[must_use]
pub fn qemu_version(program: &str) -> Option<String> {
    let sh = Shell::new().ok()?;
    let text = cmd!(sh, "{program} --version").quiet().ignore_stderr().read().ok()?;
    text.split_once(" version ")?.1.split_whitespace().next().map(str::to_owned)
}

/// The linker as a report shows it.
#[must_use]
pub fn linker_text(target: Target) -> Option<String> {
    let cross = &*target.spec().linker.program;
    let names = if target.is_native() { &["cc", "gcc"][..] } else { &[cross][..] };
    let program = *names.iter().find(|name| which(name).is_some())?;
    let sh = Shell::new().ok()?;
    let version = cmd!(sh, "{program} -dumpfullversion").quiet().ignore_stderr().read().ok()?;
    Some(format!("{program} {}", version.trim()))
}

/// The emulator as a report shows it.
#[must_use]
pub fn emulator_text(target: Target) -> Option<String> {
    let program = qemu(target)?;
    let version = qemu_version(&program).unwrap_or_else(|| "of unknown version".to_owned());
    Some(format!("{program} {version}"))
}

/// Installs packages with one call of apt-get. The recommended ones stay out: qemu-user's would register every foreign
/// program of the machine with the kernel.
///
/// # Errors
///
/// When this is not root, there is no apt-get, or it fails; the remedy is the command a person can run.
pub fn install(packages: &BTreeSet<&str>, cache: &Cache) -> Result<(), Missing> {
    let list = packages.iter().copied().collect::<Vec<_>>().join(" ");
    let missing =
        |why: &str| Missing { what: format!("not installed: {list}"), why: why.to_owned(), remedy: command(packages) };
    if which("apt-get").is_none() {
        return Err(Missing {
            remedy: format!("install what Debian calls {list} with this system's package manager"),
            ..missing("there is no apt-get here")
        });
    }
    if !is_root() {
        return Err(missing("only root may install packages"));
    }
    say(&format!("installing {list} (once, ~20 s)"));
    run_apt(packages, cache).map_err(|why| missing(&why))
}

/// The command that installs packages, for a person to run.
#[must_use]
pub fn command(packages: &BTreeSet<&str>) -> String {
    let list = packages.iter().copied().collect::<Vec<_>>().join(" ");
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --yes --no-install-recommends {list}")
}

fn run_apt(packages: &BTreeSet<&str>, cache: &Cache) -> Result<(), String> {
    let sh = Shell::new().map_err(|error| error.to_string())?;
    let _env = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    let options = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2"];
    let install = || {
        let list = packages.iter();
        cmd!(sh, "apt-get {options...} install --quiet --yes --no-install-recommends {list...}")
            .quiet()
            .ignore_status()
            .output()
            .map_err(|error| error.to_string())
    };
    let mut output = install()?;
    if !output.status.success() {
        // The lists are absent (a fresh container) or older than the mirror. A foreign source that fails to update is
        // no obstacle as long as the packages are found, so the second attempt alone decides.
        say("updating apt's lists");
        let _ = cmd!(sh, "apt-get {options...} update --quiet").quiet().ignore_status().output();
        output = install()?;
    }
    let text = [output.stdout, output.stderr].concat();
    if let Ok((path, _)) = cache.log("apt-get") {
        let _ = std::fs::write(path, &text);
    }
    if output.status.success() { Ok(()) } else { Err(format!("apt-get failed: {}", last_complaint(&text))) }
}

/// The last line of apt's output that begins with `E:`, or else the last one at all.
fn last_complaint(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().rfind(|line| line.starts_with("E:")).or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

/// Whether this process may install packages.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The first program of that name on the `PATH`.
#[must_use]
pub fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_target_lacks_nothing() {
        for target in Target::ALL.into_iter().filter(|target| target.is_native()) {
            assert!(lacking(target, false).is_empty());
        }
    }

    #[test]
    fn programs_are_found_on_the_path_and_only_there() {
        assert!(which("sh").is_some());
        assert!(which("no-such-program-as-this").is_none());
    }

    #[test]
    fn the_command_names_every_package() {
        let packages = BTreeSet::from(["qemu-user", "gcc-sparc64-linux-gnu"]);
        let command = command(&packages);
        assert!(command.ends_with("--no-install-recommends gcc-sparc64-linux-gnu qemu-user"), "{command}");
    }

    #[test]
    fn the_complaint_of_apt_is_its_last_error() {
        let said = b"Reading package lists...\nE: first\nE: Unable to locate package x\nN: a note\n";
        assert_eq!(last_complaint(said), "E: Unable to locate package x");
        assert_eq!(last_complaint(b"one\ntwo\n\n"), "two");
        assert_eq!(last_complaint(b""), "it said nothing");
    }
}
