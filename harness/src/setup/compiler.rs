//! A Rust compiler as this command finds it: which version, where its libraries are, how it is called.
//!
//! Two kinds: the one that is active (rustup's or the system's), and one unpacked into the cache from Debian's packages,
//! which is called through small scripts because it needs libraries that are not installed.
//!
//! What it is not: it neither fetches nor builds. See [`super::std`] and [`super::compile`].
//!
//! Who calls it: the other modules of `setup`; [`Toolchain`] is what the rest of the command builds with.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use super::Missing;
use crate::target::Target;

/// What builds for a target: the programs, and the flags and variables they need.
///
/// [`super::Ready::cargo`] turns it into a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Cargo.
    pub cargo: OsString,
    /// The compiler, when it is not the active one.
    pub rustc: Option<PathBuf>,
    /// The compiler's flags for this target.
    pub rustflags: Vec<String>,
    /// Further variables of every call.
    pub env: Vec<(String, OsString)>,
    /// The compiler's version, and where its standard library for the target comes from, in words.
    pub about: String,
}

/// A compiler and what it says of itself.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The compiler's program.
    pub rustc: PathBuf,
    /// Cargo's program.
    pub cargo: OsString,
    /// Where its own standard libraries are.
    pub sysroot: PathBuf,
    /// Its release, such as `1.95.0`.
    pub version: String,
    /// The commit it was made from, as far as it says.
    pub commit: String,
    /// Whether it was unpacked into the cache.
    pub unpacked: bool,
}

impl Compiler {
    /// The compiler that `rustc` means here.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn active() -> Result<Self, Missing> {
        Self::ask(PathBuf::from("rustc"), OsString::from("cargo"), false).map_err(|why| Missing {
            what: "there is no Rust compiler".to_owned(),
            why,
            remedy: "install Rust 1.85 or newer: https://rustup.rs, or `apt-get install rustc-web cargo-web`"
                .to_owned(),
        })
    }

    /// A compiler in a directory of the cache, if there is a whole one.
    #[must_use]
    pub fn unpacked(dir: &Path) -> Option<Self> {
        let (rustc, cargo) = (dir.join("bin/rustc"), dir.join("bin/cargo"));
        Self::ask(rustc, cargo.into_os_string(), true).ok()
    }

    fn ask(rustc: PathBuf, cargo: OsString, unpacked: bool) -> Result<Self, String> {
        let sh = Shell::new().map_err(|error| error.to_string())?;
        let read = |option: &[&str]| {
            let read = cmd!(sh, "{rustc} {option...}").quiet().read();
            read.map_err(|error| error.to_string())
        };
        let sysroot = PathBuf::from(read(&["--print", "sysroot"])?.trim());
        let about = read(&["--version", "--verbose"])?;
        let field = |name: &str| {
            let line = about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
        };
        let (version, commit) = (field("release"), field("commit-hash"));
        Ok(Self { rustc, cargo, sysroot, version, commit, unpacked })
    }

    /// A name for what this compiler's libraries fit: its version and commit.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}", self.version, self.commit.get(..9).unwrap_or(&self.commit))
    }

    /// The directory below a sysroot where a target's libraries are.
    #[must_use]
    pub fn library_dir(sysroot: &Path, target: Target) -> PathBuf {
        sysroot.join("lib/rustlib").join(target.triple()).join("lib")
    }

    /// Whether a sysroot holds a target's standard library.
    #[must_use]
    pub fn has_std(sysroot: &Path, target: Target) -> bool {
        let entries = fs::read_dir(Self::library_dir(sysroot, target));
        let mut names =
            entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.any(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
    }

    /// The program to call when something must be compiled by this compiler whatever the current directory says.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.sysroot.join("bin").join(name);
        if self.unpacked || !own.is_file() { self.rustc.with_file_name(name) } else { own }
    }

    /// What builds with this compiler and the standard library of a sysroot; `None` for the compiler's own.
    #[must_use]
    pub fn toolchain(&self, sysroot: Option<&Path>, about: &str) -> Toolchain {
        let rustflags = sysroot.map_or_else(Vec::new, |sysroot| vec![format!("--sysroot={}", sysroot.display())]);
        let rustdoc = (String::from("RUSTDOC"), self.rustc.with_file_name("rustdoc").into_os_string());
        Toolchain {
            cargo: self.cargo.clone(),
            rustc: self.unpacked.then(|| self.rustc.clone()),
            rustflags,
            env: if self.unpacked { vec![rustdoc] } else { vec![] },
            about: format!("rustc {}, {about}", self.version),
        }
    }
}

/// Writes the scripts that call an unpacked compiler with its own libraries.
///
/// They find it relative to themselves, because the directory is moved into place after they are written.
///
/// # Errors
///
/// When they cannot be written.
pub fn write_scripts(dir: &Path, libraries: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(dir.join("bin"))?;
    for name in ["rustc", "rustdoc", "cargo"] {
        let script = format!(
            "#!/bin/sh\n\
             # Calls Debian's {name}, unpacked beside this script, with the libraries it came with.\n\
             root=${{0%/*}}/../root/usr\n\
             own=\"$root/{libraries}:$root/../{libraries}\"\n\
             export LD_LIBRARY_PATH=\"$own${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"\n\
             exec \"$root/bin/{name}\" \"$@\"\n"
        );
        let path = dir.join("bin").join(name);
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiler(commit: &str) -> Compiler {
        Compiler {
            rustc: "rustc".into(),
            cargo: "cargo".into(),
            sysroot: "/nowhere".into(),
            version: "1.95.0".to_owned(),
            commit: commit.to_owned(),
            unpacked: false,
        }
    }

    #[test]
    fn the_key_tells_compilers_apart() {
        assert_eq!(compiler("59807616e1fa2540724bfbac14d7976d7e4a3860").key(), "1.95.0-59807616e");
        assert_eq!(compiler("unknown").key(), "1.95.0-unknown");
    }

    #[test]
    fn a_private_sysroot_becomes_a_flag() {
        let toolchain = compiler("unknown").toolchain(Some(Path::new("/cache/std")), "compiled here");
        assert_eq!(toolchain.rustflags, ["--sysroot=/cache/std"]);
        assert_eq!(toolchain.about, "rustc 1.95.0, compiled here");
        assert_eq!(compiler("unknown").toolchain(None, "its own").rustflags, [""; 0]);
    }

    #[test]
    fn the_active_compiler_has_a_standard_library_for_this_host() {
        let compiler = Compiler::active().unwrap();
        for target in Target::ALL.into_iter().filter(|target| target.is_native()) {
            assert!(Compiler::has_std(&compiler.sysroot, target));
        }
        assert!(!Compiler::has_std(Path::new("/nowhere"), Target::Sparc64));
    }
}
