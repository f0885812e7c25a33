//! The one description of a target: a file of `harness/targets`, read.
//!
//! The files are part of this command, so that an installed one needs no folder; `matrix` reads them anew. A key that is
//! not known, a missing one and a value that cannot be are refused with the file and the line.
//!
//! What it is not: it looks at nothing on this machine ([`crate::setup`]), and which targets there are is [`super`]'s.
//!
//! Who calls it: [`super::Target`], `main` before anything else, and `lazymmu matrix`.

use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Target;
use crate::error::{Error, Result};

/// Where the files are, from the root of the workspace.
pub const FOLDER: &str = "harness/targets";

/// Which end of a word comes first in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// What is fixed about a target, whichever machine it is built on.
///
/// Names follow Debian's cross packages, which other distributions share. docs/targets.md explains each key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name used in options, tables and file names.
    pub name: String,
    /// The Rust target triple, which is also the file's name.
    pub triple: String,
    /// The order of bytes in a word.
    pub endian: Endian,
    /// How often CI runs it: 1 for every pull request, 2 for nightly alone.
    pub tier: u8,
    /// What links for it.
    pub linker: Linker,
    /// Its C library.
    pub libc: Libc,
    /// What runs its programs elsewhere.
    pub emulator: Emulator,
}

/// What links for a target: the cross C compiler's driver.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linker {
    /// Its program.
    pub program: String,
    /// The Debian package it comes in.
    pub package: String,
}

/// A target's C library.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Libc {
    /// Its directory, given to the emulator with `-L`.
    pub sysroot: String,
    /// The Debian package of the library and its headers.
    pub package: String,
}

/// The user-mode emulator of a target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emulator {
    /// Its program, without the `-static` that some distributions append.
    pub program: String,
    /// The Debian package it comes in.
    pub package: String,
    /// The oldest release that is accepted, as `major.minor`.
    pub minimum: String,
    /// Why no older one.
    pub reason: String,
    /// The models (`QEMU_CPU`) that CI runs, each with every suite.
    pub cpus: Vec<String>,
}

impl Emulator {
    /// Whether a version, as the emulator gives it (`7.2.22`), is old enough to be refused. What is no version is not.
    #[must_use]
    pub fn is_too_old(&self, version: &str) -> bool {
        matches!((numbers(version), numbers(&self.minimum)), (Some(found), Some(least)) if found < least)
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-', '+']).map(str::parse);
    Some((parts.next()?.ok()?, parts.next().and_then(Result::ok).unwrap_or(0)))
}

/// The files as they were when this command was built, in the order of [`Target::ALL`].
const FILES: [(&str, &str); 4] = [
    ("aarch64-unknown-linux-gnu", include_str!("../../targets/aarch64-unknown-linux-gnu.toml")),
    ("powerpc64-unknown-linux-gnu", include_str!("../../targets/powerpc64-unknown-linux-gnu.toml")),
    ("sparc64-unknown-linux-gnu", include_str!("../../targets/sparc64-unknown-linux-gnu.toml")),
    ("x86_64-unknown-linux-gnu", include_str!("../../targets/x86_64-unknown-linux-gnu.toml")),
];

static SPECS: LazyLock<Result<Vec<Spec>>> =
    LazyLock::new(|| FILES.iter().map(|(triple, text)| parse(triple, text)).collect());

/// The built-in descriptions, in the order of [`Target::ALL`].
///
/// # Errors
/// A file that this command was built with is not as it must be.
pub fn built_in() -> Result<&'static [Spec], &'static Error> {
    SPECS.as_deref()
}

/// The descriptions as they are in a workspace now, in the order of [`Target::ALL`].
///
/// # Errors
/// A file cannot be read or is not as it must be; a file is there that belongs to no target.
pub fn of_workspace(root: &Path) -> Result<Vec<Spec>> {
    let folder = root.join(FOLDER);
    let mut specs = Vec::new();
    for (triple, _) in FILES {
        let path = folder.join(format!("{triple}.toml"));
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        specs.push(parse(triple, &text)?);
    }
    let entries = std::fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
    let known = |name: &str| FILES.iter().any(|(triple, _)| name.strip_suffix(".toml") == Some(*triple));
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.into_iter().find(|name| !known(name)) {
        Some(other) => Err(bad(format!("{FOLDER}/{other}"), "it describes no target that this command has".to_owned())),
        None => Ok(specs),
    }
}

/// Reads one file; `triple` is its name.
///
/// # Errors
/// What is wrong, and at which line.
pub fn parse(triple: &str, text: &str) -> Result<Spec> {
    let file = format!("{FOLDER}/{triple}.toml");
    let spec: Spec = toml::from_str(text).map_err(|error| {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
        let place = error.span().map_or_else(|| file.clone(), |span| format!("{file}:{}", line(span.start)));
        bad(place, error.message().lines().next().unwrap_or("it cannot be read").to_owned())
    })?;
    match fault(&spec, triple) {
        Some(what) => Err(bad(file, what)),
        None => Ok(spec),
    }
}

/// What types cannot say.
fn fault(spec: &Spec, triple: &str) -> Option<String> {
    let Emulator { program, package, minimum, reason, cpus } = &spec.emulator;
    let words = [&spec.name, &spec.linker.program, &spec.linker.package, &spec.libc.sysroot, &spec.libc.package];
    // They become arguments of commands and lines of YAML.
    let is_word =
        |word: &String| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./+,=".contains(c));
    if spec.triple != triple {
        Some(format!("the triple `{}` is not the file's name", spec.triple))
    } else if let Some(word) = words.into_iter().chain([program, package]).chain(cpus).find(|word| !is_word(word)) {
        Some(format!("`{word}` is no word without spaces"))
    } else if !matches!(spec.tier, 1 | 2) {
        Some(format!("tier {} is neither 1 (every pull request) nor 2 (nightly)", spec.tier))
    } else if numbers(minimum).is_none() {
        Some(format!("`{minimum}` is no version such as 7.2"))
    } else if reason.trim().is_empty() || cpus.is_empty() {
        Some("the emulator needs a reason for its minimum, and at least one CPU model".to_owned())
    } else {
        None
    }
}

fn bad(place: String, what: String) -> Error {
    let remedy = "the keys are in docs/targets.md; then run `cargo lazymmu matrix`".to_owned();
    Error::Input { what: format!("a target file is not as it must be: {what}"), place, remedy }
}

/// The description of one of the built-in targets.
///
/// # Panics
/// Where [`built_in`] is an error, which `main` reports before anything asks.
pub(super) fn of(target: Target) -> &'static Spec {
    match built_in() {
        Ok(specs) => &specs[target as usize],
        Err(error) => panic!("{}", error.render()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARC: (&str, &str) = FILES[2];

    fn refused(text: &str) -> String {
        parse(SPARC.0, text).expect_err("it is wrong").render()
    }

    #[test]
    fn every_built_in_file_is_as_it_must_be() {
        assert_eq!(built_in().map(<[Spec]>::len).unwrap_or_default(), Target::ALL.len());
    }

    #[test]
    fn the_built_in_files_are_those_of_the_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
        assert_eq!(of_workspace(root).ok().as_deref(), built_in().ok());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_line() {
        let text = SPARC.1;
        let cases = [
            (text.replace("tier =", "teir ="), "unknown field `teir`", ":5\n"),
            (text.replace("tier = 1", "tier = 3"), "tier 3 is neither 1", ".toml\n"),
            (text.replace("\"big\"", "\"middle\""), "unknown variant `middle`", ":4\n"),
            (text.replace("cpus = [\"TI-UltraSparc-II\"]", ""), "missing field `cpus`", ":15\n"),
            (text.replace("cpus = [\"TI-UltraSparc-II\"]", "cpus = []"), "at least one CPU model", ".toml\n"),
            (text.replace("\"TI-UltraSparc-II\"", "\"TI UltraSparc II\""), "no word without spaces", ".toml\n"),
            (text.replace("\"7.2\"", "\"new\""), "`new` is no version", ".toml\n"),
            (text.replace("triple = \"sparc64", "triple = \"sparc65"), "is not the file's name", ".toml\n"),
            ("name = \"sparc64\"\nname".to_owned(), "a target file is not as it must be", ":2\n"),
        ];
        for (text, what, place) in cases {
            let message = refused(&text);
            assert!(message.contains(what) && message.contains(place), "{what} {place} in {message}");
            assert!(message.ends_with("then run `cargo lazymmu matrix`"), "{message}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let emulator = &of(Target::Sparc64).emulator;
        for (version, too_old) in
            [("7.2.22", false), ("7.10", false), ("10.0.2", false), ("7.1.0", true), ("5.1.0", true), ("git", false)]
        {
            assert_eq!(emulator.is_too_old(version), too_old, "{version}");
        }
    }
}
