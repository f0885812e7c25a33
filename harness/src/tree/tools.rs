//! The compiler and what belongs to it, for one target: found on the `PATH`, never assumed.
//!
//! With `--llvm` clang compiles the tree and our C beside it, as kbuild has it do. What is compiled is linked by the target's own
//! linker all the same: the machine and the oracles are Rust, which that linker links.
//!
//! What it is not: installing is [`crate::setup::packages`]'s.
//!
//! Who calls it: [`super::build`].

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;

use super::error::Result;
use super::stamp;
use crate::setup::{Missing, packages};
use crate::target::Target;

/// Who compiles the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// The target's gcc.
    #[default]
    Gcc,
    /// clang.
    Clang,
}

impl Compiler {
    /// clang if that is wanted.
    #[must_use]
    pub fn of(llvm: bool) -> Self {
        if llvm { Self::Clang } else { Self::Gcc }
    }

    /// What stands behind a recipe's name in the cache.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Gcc => "",
            Self::Clang => "-clang",
        }
    }
}

/// Targets that clang compiles a tree for, each with what clang calls it.
const CLANG_TARGETS: [(Target, &str); 2] =
    [(Target::Aarch64, "aarch64-linux-gnu"), (Target::X86_64, "x86_64-linux-gnu")];

/// clang, for one target.
#[derive(Clone, Debug)]
struct Clang {
    program: String,
    triple: &'static str,
}

/// The compiler, assembler, linker and their kin of one target.
#[derive(Clone, Debug)]
pub struct Tools {
    /// What stands before `gcc`, `ld` and the like: kbuild's `CROSS_COMPILE`. Empty on a native target.
    pub prefix: String,
    /// What tells this compiler from another, in words.
    pub identity: String,
    clang: Option<Clang>,
}

impl Tools {
    /// Finds them.
    ///
    /// # Errors
    /// What is not there, with the command that installs it.
    pub fn find(target: Target, compiler: Compiler) -> Result<Self> {
        let clang = if compiler == Compiler::Clang { Some(clang_for(target)?) } else { None };
        let cross = &*target.spec().linker.program;
        let native = target.is_native() && packages::which(cross).is_none();
        let compiler = if native { "gcc" } else { cross };
        let path = packages::which(compiler).ok_or_else(|| lacking(compiler, &target.spec().linker.package))?;
        for (program, package) in packages::KBUILD {
            if packages::which(program).is_none() {
                return Err(lacking(program, package).into());
            }
        }
        let real = path.canonicalize().unwrap_or(path);
        let prefix = compiler.strip_suffix("gcc").unwrap_or_default().to_owned();
        let mut identity = identity_of(&real);
        if let Some(path) = clang.as_ref().and_then(|clang| packages::which(&clang.program)) {
            identity = format!("{identity} {}", identity_of(&path.canonicalize().unwrap_or(path)));
        }
        Ok(Self { prefix, identity, clang })
    }

    /// The compiler as a command, with what every call of it has: the target, few errors, no colours.
    #[must_use]
    pub fn compiler(&self) -> Command {
        let Some(Clang { program, triple }) = &self.clang else {
            let mut gcc = self.command("gcc");
            gcc.args(["-fmax-errors=5", "-fdiagnostics-color=never"]);
            return gcc;
        };
        let mut clang = Command::new(program);
        // GNU's linker knows no table of addresses that matter.
        clang.arg(format!("--target={triple}")).args(["-ferror-limit=5", "-fno-color-diagnostics", "-fno-addrsig"]);
        clang
    }

    /// Whether the compiler takes a flag of a recipe: kbuild has clang refuse what clang does not know.
    #[must_use]
    pub fn takes(&self, flag: &str) -> bool {
        self.clang.is_none() || !flag.contains("-tree-loop-")
    }

    /// The variables of kbuild that name the compiler.
    #[must_use]
    pub fn kbuild(&self) -> Vec<String> {
        let cross = format!("CROSS_COMPILE={}", self.prefix);
        let clang = self.clang.as_ref().map(|clang| format!("CC={}", clang.program));
        [cross].into_iter().chain(clang).collect()
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

/// What tells one compiler from another without starting it: the time of installation and the size.
fn identity_of(real: &Path) -> String {
    let look = stamp::look(real).map(|look| (look.size, look.changed));
    format!("{} {look:?}", real.display())
}

/// clang for a target.
///
/// # Errors
/// There is no clang here, or no tree is compiled by clang for that target.
fn clang_for(target: Target) -> Result<Clang, Missing> {
    let program = clang()?;
    let triple = CLANG_TARGETS.iter().find(|(known, _)| *known == target).map(|(_, triple)| *triple);
    let triple = triple.ok_or_else(|| {
        let known: Vec<String> = CLANG_TARGETS.iter().map(|(target, _)| format!("--target {target}")).collect();
        Missing {
            what: format!("a tree is not compiled by clang for {target}"),
            why: "overlay and glue of that architecture are written for gcc (docs/judge.md)".to_owned(),
            remedy: format!("leave --llvm out, or give {}", known.join(" ")),
        }
    })?;
    Ok(Clang { program, triple })
}

/// The newest clang on the `PATH`: distributions have `clang-19` beside an older `clang`.
///
/// # Errors
/// There is none.
pub fn clang() -> Result<String, Missing> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let entries = env::split_paths(&folders).filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
    let names: BTreeSet<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let plain = names.contains("clang").then(|| (version_of("clang"), "clang".to_owned()));
    let numbered = names.iter().filter_map(|name| Some((numbered(name)?, name.clone())));
    let newest = numbered.chain(plain).max();
    newest.map(|(_, program)| program).ok_or_else(|| lacking("clang", "clang"))
}

/// The number of `clang-19`.
fn numbered(name: &str) -> Option<u32> {
    name.strip_prefix("clang-")?.parse().ok()
}

/// The number that a clang gives itself; 0 where it gives none.
fn version_of(program: &str) -> u32 {
    let said = Command::new(program).arg("-dumpversion").output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).split('.').next().and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

fn lacking(program: &str, package: &str) -> Missing {
    Missing {
        what: format!("there is no `{program}`, which building a kernel tree needs"),
        why: "it is not on the PATH".to_owned(),
        remedy: packages::command(&[package].into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_clang_is_known_by_its_number() {
        let rows = [("clang-19", Some(19)), ("clang-cpp-19", None), ("clang", None), ("clang-format-9", None)];
        for (name, number) in rows {
            assert_eq!(numbered(name), number, "{name}");
        }
    }

    #[test]
    fn gcc_takes_every_flag_and_clang_what_it_knows() {
        let with = |clang| Tools { prefix: "x-".to_owned(), identity: String::new(), clang };
        let (gcc, clang) = (with(None), with(Some(Clang { program: "clang-19".to_owned(), triple: "a" })));
        let flag = "-fno-tree-loop-distribute-patterns";
        assert_eq!([gcc.takes(flag), clang.takes(flag), clang.takes("-fno-builtin")], [true, false, true]);
        assert_eq!(gcc.kbuild(), ["CROSS_COMPILE=x-"]);
        assert_eq!(clang.kbuild(), ["CROSS_COMPILE=x-", "CC=clang-19"]);
        assert_eq!(gcc.compiler().get_program(), "x-gcc");
        assert_eq!(clang.compiler().get_program(), "clang-19");
    }
}
