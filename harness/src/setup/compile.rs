//! Compiles a standard library for targets whose own cannot be downloaded, from sources of the compiler's very version.
//!
//! Cargo's `-Zbuild-std` does it, in a workshop below the cache: a sysroot of links to the compiler's own, in which only
//! the sources are others, so that the user's toolchain is not touched. The result is bit for bit the same each time, whatever
//! the cache is called: what was linked against one that was deleted fits the next.
//!
//! What it is not: it does not fetch sources. See [`super::std`].
//!
//! Who calls it: [`super::std::make`].

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::cache::{self, Cache, Lock, unusable};
use super::compiler::Compiler;
use super::{Missing, say};
use crate::process::Child;
use crate::target::Target;

/// Sources of a standard library.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The directory that holds `library/`.
    pub dir: PathBuf,
    /// What they are, in words.
    pub name: String,
}

/// How long a standard library may take; a machine that is slower than this has another problem.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The number of the recipe below, raised with every change of its flags, its profile or its sources' layout.
pub const RECIPE: u32 = 1;

/// A package that depends on nothing: `-Zbuild-std` compiles the standard library for it.
///
/// `panic_abort` must be compiled to abort, as everywhere; the profile says so, or linking with `panic = "abort"` fails.
const MANIFEST: &str = r#"cargo-features = ["profile-rustflags"]

[package]
name = "std_of_target"
version = "0.0.0"
edition = "2021"

[lib]
path = "lib.rs"

[workspace]

[profile.release]
debug = "line-tables-only"

[profile.release.package.panic_abort]
rustflags = ["-Cpanic=abort"]
"#;

/// Compiles the standard library for several targets at once, which keeps all processors busy, and puts each in the cache.
///
/// # Errors
///
/// When the compiler fails or the cache cannot be written to; what is finished is in place all the same.
pub fn std(
    compiler: &Compiler,
    sources: &Sources,
    targets: &[Target],
    cache: &Cache,
    lock: &Lock,
) -> Result<(), Missing> {
    let names = targets.iter().map(|target| target.short()).collect::<Vec<_>>().join(", ");
    say(&format!("compiling std for {names} from {} (once, ~25 s each)", sources.name));
    let workshop = cache.workshop(&compiler.key());
    furnish(&workshop, compiler, sources).map_err(|error| unusable(&workshop, &error))?;
    let output = cache.scratch(lock, "std")?;
    let (log, log_file) = cache.log("std")?;
    let mut command = command(compiler, &workshop, sources, targets);
    command.arg("--target-dir").arg(&output).stderr(Stdio::from(log_file));
    run(command).map_err(|why| Missing {
        what: format!("std for {names} could not be compiled from {}", sources.name),
        why: format!("{why}; {}", last_error(&log)),
        remedy: format!("read {}", log.display()),
    })?;
    for &target in targets {
        let finished = cache.scratch(lock, target.short())?;
        let place = Compiler::library_dir(&cache.std(&compiler.key()), target);
        collect(&output, target, &finished).map_err(|error| unusable(&place, &error))?;
        cache::publish(&finished, &place)?;
    }
    // The intermediate files are five times the size of the result.
    let _ = fs::remove_dir_all(&output);
    Ok(())
}

/// Makes the workshop: the package, the sysroot of links, and the script that is the compiler with that sysroot.
fn furnish(workshop: &Path, compiler: &Compiler, sources: &Sources) -> io::Result<()> {
    // It is made anew each time: the toolchain it links to may have moved.
    match fs::remove_dir_all(workshop) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let sysroot = workshop.join("sysroot");
    let rustlib = sysroot.join("lib/rustlib");
    fs::create_dir_all(rustlib.join("src"))?;
    link_entries(&compiler.sysroot, &sysroot, "lib")?;
    link_entries(&compiler.sysroot.join("lib"), &sysroot.join("lib"), "rustlib")?;
    link_entries(&compiler.sysroot.join("lib/rustlib"), &rustlib, "src")?;
    symlink(&sources.dir, rustlib.join("src/rust"))?;
    fs::create_dir_all(workshop.join("crate"))?;
    fs::write(workshop.join("crate/Cargo.toml"), MANIFEST)?;
    fs::write(workshop.join("crate/lib.rs"), "#![no_std]\n")?;
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let (rustc, sysroot) = (quoted(&compiler.program("rustc")), quoted(&sysroot));
    let script = workshop.join("rustc");
    fs::write(&script, format!("#!/bin/sh\nexec {rustc} --sysroot {sysroot} \"$@\"\n"))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
}

/// Links every entry of a directory but one.
fn link_entries(from: &Path, to: &Path, but: &str) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != but {
            symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn command(compiler: &Compiler, workshop: &Path, sources: &Sources, targets: &[Target]) -> Command {
    let link = workshop.join("sysroot/lib/rustlib/src/rust");
    let vendor = link.join("library/vendor");
    let remap = |dir: &Path| format!("--remap-path-prefix={}=/rustc/{}", dir.display(), compiler.commit);
    // As the distributed ones: usable with link-time optimisation, and without a path of this machine in them. The
    // compiler meets the sources under two names, the link's and, as its current directory, their own.
    let real = fs::canonicalize(&sources.dir).unwrap_or_else(|_| sources.dir.clone());
    let flags = ["-Cembed-bitcode=yes".to_owned(), remap(&link), remap(&real)];
    let mut command = Command::new(compiler.program("cargo"));
    // What the caller's project or person set for cargo is not meant for this; where cargo keeps things and how it
    // reaches the network is.
    for (name, _) in env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))) {
        let kept = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_"].iter().any(|kept| name.starts_with(kept));
        if (name.starts_with("CARGO") && !kept) || name.starts_with("RUSTFLAGS") {
            command.env_remove(name);
        }
    }
    command.current_dir(workshop.join("crate"));
    command.env("RUSTC", workshop.join("rustc")).env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    command.args(["build", "--quiet", "--release", "-Zbuild-std=std,test,panic_abort"]);
    if vendor.is_dir() {
        // The distribution's sources bring the few crates they depend on, so that no registry is asked.
        command.args(["--config", "source.crates-io.replace-with='distribution'"]);
        command.arg("--config").arg(format!("source.distribution.directory={:?}", vendor.display().to_string()));
    }
    command.args(targets.iter().flat_map(|target| ["--target", target.triple()]));
    command
}

fn run(command: Command) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    let mut child = Child::spawn(command).map_err(|error| error.to_string())?;
    child.close_stdin();
    let status = child.wait(deadline).map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("cargo ended with {}", child.status_text())) }
}

/// The first error of a log, which is the one the others follow from.
fn last_error(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("error")).or_else(|| text.lines().last());
    line.unwrap_or("it said nothing").to_owned()
}

/// Copies a target's libraries, and none of the package that was built to get them.
fn collect(output: &Path, target: Target, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(output.join(target.triple()).join("release/deps"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libstd_of_target-") {
            fs::copy(entry.path(), into.join(&name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workshop_links_to_all_of_the_compiler_but_its_sources() {
        let compiler = Compiler::active().unwrap();
        let dir = env::temp_dir().join(format!("lazymmu workshop'{}", std::process::id()));
        let sources = Sources { dir: "/nowhere/sources".into(), name: "a test".into() };
        furnish(&dir, &compiler, &sources).unwrap();
        furnish(&dir, &compiler, &sources).unwrap();
        let link = fs::read_link(dir.join("sysroot/lib/rustlib/src/rust")).unwrap();
        assert_eq!(link, Path::new("/nowhere/sources"));
        let asked = Command::new(dir.join("rustc")).args(["--print", "sysroot"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), dir.join("sysroot").display().to_string());
        for target in Target::ALL.into_iter().filter(|target| target.is_native()) {
            assert!(Compiler::has_std(&dir.join("sysroot"), target), "the host's own library is reached");
        }
        fs::remove_dir_all(&dir).unwrap();
        assert!(compiler.sysroot.join("lib").is_dir(), "what was linked to is still there");
    }
}
