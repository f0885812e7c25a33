//! Linking a subject: the tree's objects and the glue become one relocatable, which then meets the agent's library.
//!
//! Names are settled before libc is seen, or a kernel function could resolve to libc's of the same name: what the tree's
//! code lacks is renamed `lz_undefined_NAME`, and all it has but the border's two functions is made local. A name that
//! is still lacking gets an address where nothing is mapped, so that a touch of it, call or access, faults at an address
//! that tells its name in the program's symbol table. Writable data of the tree's code lies in sections with C
//! names, so that it can be copied back and hashed as a whole.
//!
//! What it is not: it compiles no source of the tree. No cargo runs here.
//!
//! Who calls it: [`super::build`].

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use lazy_mmu_border::{Alias, Recipe, file};

use super::compile::holds;
use super::error::{Result, TreeError};
use super::run::{self, Jobs};
use super::source::Source;
use super::stamp::{self, Looks, Stamp};
use super::store;
use super::tools::Tools;

/// The address of the first stub, and how far they are apart. A field of a structure that is not there is found by it.
pub const STUBS: u64 = 0x5000_0000;
/// The distance between two stubs in bytes.
pub const STRIDE: u64 = 0x1_0000;

/// What the subject keeps visible: the border.
const BORDER: [&str; 2] = ["lazymmu_enter", "lazymmu_upcall"];

/// What the tree's side asks of the adapter.
const ADAPTERS: [&str; 2] = ["lazymmu_machine", "lazymmu_signalled"];

/// The relocatable's file name: the layout names it.
const RELOCATABLE: &str = "tree.o";

/// Where the writable data of the tree's code goes; the linker's own layout holds for all else.
const LAYOUT: &str = "config/arena.ld";

/// The program's start: the library's is no Rust program's.
const START: &str = "int lazymmu_main(int argc, char **argv);
int main(int argc, char **argv) { return lazymmu_main(argc, argv); }
";

/// A linked subject.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The program.
    pub subject: PathBuf,
    /// Names that the tree's code may touch and that nothing provides.
    pub stubs: Vec<String>,
    /// Whether it had to be linked.
    pub fresh: bool,
}

/// What a subject is linked of.
pub struct Task<'t> {
    /// The tree.
    pub source: &'t Source,
    /// The recipe.
    pub recipe: &'t Recipe,
    /// Compiler and kin.
    pub tools: &'t Tools,
    /// The folder of this tree and recipe.
    pub place: &'t Path,
    /// The objects, in the order of the recipe.
    pub objects: &'t [PathBuf],
    /// The library that the machine and the adapter are in, and what else the program is made of.
    pub host: &'t [PathBuf],
    /// How many programs may run.
    pub jobs: &'t Jobs,
    /// Files that were looked at already.
    pub looks: &'t Looks,
}

/// Links, unless nothing has changed.
///
/// # Errors
/// The linker refuses, or the cache cannot be written.
pub fn link(task: &Task<'_>) -> Result<Linked> {
    let folder = task.place.join("link");
    fs::create_dir_all(&folder).map_err(TreeError::cache(&folder))?;
    let (subject, stamp_path) = (task.place.join("subject"), folder.join("stamp"));
    let command = task.decides();
    let names = || fs::read_to_string(folder.join("stubs")).ok();
    if subject.exists()
        && Stamp::read(&stamp_path).is_some_and(|stamp| stamp.holds(&command, task.looks))
        && let Some(names) = names()
    {
        return Ok(Linked { subject, stubs: names.lines().map(str::to_owned).collect(), fresh: false });
    }
    for old in [&stamp_path, &subject] {
        if old.exists() {
            fs::remove_file(old).map_err(TreeError::cache(old))?;
        }
    }
    // The objects may be some milliseconds old.
    stamp::settle();
    let began = SystemTime::now();
    let stubs = task.jobs.one(super::target_of(task.recipe), || {
        let (relocatable, stubs) = task.relocatable(&folder)?;
        task.program(&folder, &relocatable, &stubs, &subject).map(|()| stubs)
    })?;
    store::write(&folder.join("stubs"), stubs.iter().map(|name| format!("{name}\n")).collect::<String>())?;
    let files = task.objects.iter().chain(task.host).cloned();
    store::write(&stamp_path, Stamp::of(&command, files, began, task.looks).text())?;
    Ok(Linked { subject, stubs, fresh: true })
}

impl Task<'_> {
    /// What decides about the result beside what is in the files: also which files they are, for the library of another
    /// checkout may be as it was.
    fn decides(&self) -> String {
        let Recipe { objcopy, keep, compilers, link, .. } = self.recipe;
        let (aliases, layout) = (self.aliases().collect::<Vec<&Alias>>(), file(LAYOUT).unwrap_or_default());
        let (objects, host) = (self.objects, self.host);
        format!(
            "{}\n{objcopy:?}{keep:?}{compilers:?}{link:?}{aliases:?}\n{objects:?}{host:?}\n{layout}",
            self.tools.identity
        )
    }

    fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.recipe.aliases.iter().filter(|alias| holds(alias.when, self.source))
    }

    /// The tree's code as one object with its names settled, and the names it lacks.
    fn relocatable(&self, folder: &Path) -> Result<(PathBuf, Vec<String>)> {
        let mut objects = self.objects.to_vec();
        if !self.recipe.objcopy.is_empty() {
            for object in &mut objects {
                let changed = folder.join(object.file_name().unwrap_or_default());
                self.run(self.tools.command("objcopy").args(self.recipe.objcopy).arg(&*object).arg(&changed))?;
                *object = changed;
            }
        }
        let joined = folder.join("joined.o");
        let mut ld = self.tools.command("ld");
        ld.args(["-r", "-o"]).arg(&joined).args(&objects);
        ld.args(self.aliases().map(|alias| format!("--defsym={}={}", alias.name, alias.means)));
        self.run(&mut ld)?;
        let said = self.run(self.tools.command("nm").arg("--undefined-only").arg(&joined))?;
        let lacking: Vec<&str> = undefined_names(&said).into_iter().filter(|name| !self.stays(name)).collect();
        let stubs: BTreeSet<String> = lacking.iter().map(|name| name.trim_start_matches('.').to_owned()).collect();
        let (renames, keep) = (folder.join("renames"), folder.join("keep"));
        let rename = |name: &&str| format!("{name} {}\n", undefined(name));
        store::write(&renames, lacking.iter().map(rename).collect::<String>())?;
        let kept = BORDER.iter().chain(self.recipe.keep).flat_map(|name| [format!("{name}\n"), format!(".{name}\n")]);
        store::write(&keep, kept.collect::<String>())?;
        let settled = folder.join(RELOCATABLE);
        let mut objcopy = self.tools.command("objcopy");
        objcopy.arg(prefixed("--redefine-syms=", &renames)).arg(prefixed("--keep-global-symbols=", &keep));
        self.run(objcopy.arg(&joined).arg(&settled))?;
        Ok((settled, stubs.into_iter().collect()))
    }

    /// Whether an undefined name keeps its name: the adapter's, the linker's and the compiler's own.
    fn stays(&self, name: &str) -> bool {
        let plain = name.trim_start_matches('.');
        BORDER.contains(&plain)
            || ADAPTERS.contains(&plain)
            || ["__start_lz_", "__stop_lz_"].iter().any(|start| plain.starts_with(start))
            || self.recipe.compilers.iter().any(|start| name.starts_with(start))
    }

    /// The program: stubs at their addresses, linked.
    fn program(&self, folder: &Path, relocatable: &Path, stubs: &[String], subject: &Path) -> Result<()> {
        let start = folder.join("start.o");
        if !start.exists() {
            let source = folder.join("start.c");
            store::write(&source, START)?;
            self.run(self.tools.command("gcc").args(["-O1", "-fno-pie", "-c", "-o"]).arg(&start).arg(&source))?;
        }
        store::write(&folder.join("layout.ld"), file(LAYOUT).unwrap_or_default())?;
        // Only ELFv1, with its own beginning of the compiler's names, has two symbols for a function.
        let dotted = self.recipe.compilers.iter().any(|start| start.starts_with('.'));
        store::write(&folder.join("addresses"), address_flags(stubs, dotted))?;
        let mut gcc = self.tools.command("gcc");
        gcc.current_dir(folder).args(["-static", "-no-pie", "-Wl,--gc-sections", "-Wl,--build-id=none"]);
        gcc.args(["-Wl,--strip-debug", "-Wl,-z,noexecstack", "-Wl,-T,layout.ld", "@addresses"]).args(self.recipe.link);
        gcc.arg("-o").arg(subject).arg(relocatable).arg(&start).args(self.host).arg("-lm");
        self.run(&mut gcc).map(drop)
    }

    fn run(&self, command: &mut Command) -> Result<String> {
        let mut owned = Command::new(command.get_program());
        owned.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            owned.current_dir(folder);
        }
        let said = run::run(owned, run::COMPILER)?;
        if said.well {
            return Ok(said.text());
        }
        if said.complaint.contains("No space left on device") {
            return Err(TreeError::Cache { path: self.place.to_owned(), why: "No space left on device".to_owned() });
        }
        Err(self.refused(&said.complaint))
    }

    fn refused(&self, complaint: &str) -> TreeError {
        let lines: Vec<&str> = complaint.lines().filter(|line| !line.contains("warning: ")).take(20).collect();
        let said = self.source.as_given(&lines.join("\n"));
        TreeError::Link { recipe: self.recipe.name.to_owned(), said: said.replace("lz_undefined_", "") }
    }
}

/// A flag with a path behind it, whatever bytes the path has.
fn prefixed(flag: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(flag);
    text.push(path);
    text
}

/// The names in nm's list of undefined symbols; sparc's registers are symbols without a name.
fn undefined_names(list: &str) -> Vec<&str> {
    list.lines().filter_map(|line| line.split_whitespace().nth(1)).collect()
}

/// The name of something that is lacking. A dot before it is ELFv1's mark of a function's code.
fn undefined(name: &str) -> String {
    match name.strip_prefix('.') {
        Some(plain) => format!(".lz_undefined_{plain}"),
        None => format!("lz_undefined_{name}"),
    }
}

/// Flags that give each name an address, for a response file.
fn address_flags(stubs: &[String], dotted: bool) -> String {
    let mut text = String::new();
    for (name, address) in stubs.iter().zip((STUBS..).step_by(STRIDE as usize)) {
        let dotted = dotted.then(|| undefined(&format!(".{name}")));
        for name in [undefined(name)].into_iter().chain(dotted) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "-Wl,--defsym={name}={address:#x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_without_a_name_is_none() {
        assert_eq!(
            undefined_names("                 U memcpy\n                 U \n                 w x\n"),
            ["memcpy", "x"]
        );
    }

    #[test]
    fn both_names_of_a_function_have_one_address() {
        let flags = address_flags(&["memcpy".to_owned(), "x".to_owned()], true);
        let lines: Vec<&str> = flags.lines().collect();
        assert_eq!(
            lines[..2],
            ["-Wl,--defsym=lz_undefined_memcpy=0x50000000", "-Wl,--defsym=.lz_undefined_memcpy=0x50000000"]
        );
        assert_eq!(lines[2], "-Wl,--defsym=lz_undefined_x=0x50010000");
    }
}
