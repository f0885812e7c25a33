//! Compiling the objects of a subject: those alone whose sources, headers, flags or compiler changed.
//!
//! Each object has a stamp of all it was made from, by the compiler's own dependency file. An object that does not
//! compile is removed before the compiler starts, so that no verdict can rest on an old one.
//!
//! What it is not: which sources there are is the recipe's affair, which flags hold for all is kbuild's.
//!
//! Who calls it: [`super::build`].

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use lazy_mmu_border::{Object, Origin, Recipe, When};

use super::error::{Place, Result, TreeError};
use super::flags;
use super::prepare::Prepared;
use super::run::{self, Jobs};
use super::source::Source;
use super::stamp::{self, Looks, Stamp};
use super::store;
use super::tools::Tools;

/// What objects are compiled with.
pub struct Task<'t> {
    /// The tree.
    pub source: &'t Source,
    /// The recipe.
    pub recipe: &'t Recipe,
    /// Compiler and kin.
    pub tools: &'t Tools,
    /// What kbuild made.
    pub prepared: &'t Prepared,
    /// Our files.
    pub border: &'t Path,
    /// The folder of this tree and recipe.
    pub place: &'t Path,
    /// How many programs may run.
    pub jobs: &'t Jobs,
    /// Files that were looked at already.
    pub looks: &'t Looks,
}

/// The objects of a subject.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Where they are, in the order of the recipe.
    pub paths: Vec<PathBuf>,
    /// How many had to be compiled.
    pub compiled: usize,
}

/// Compiles what has changed.
///
/// # Errors
/// A source does not compile: the first of the recipe that does not. The cache cannot be written.
pub fn objects(task: &Task<'_>) -> Result<Objects> {
    let folder = task.place.join("objects");
    fs::create_dir_all(&folder).map_err(TreeError::cache(&folder))?;
    task.derived_headers()?;
    let wanted: Vec<&Object> = task.recipe.objects.iter().filter(|object| holds(object.when, task.source)).collect();
    let results: Vec<Result<(PathBuf, bool)>> = thread::scope(|scope| {
        let running: Vec<_> = wanted.iter().map(|object| scope.spawn(|| task.object(&folder, object))).collect();
        let joined = running.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let mut objects = Objects::default();
    for result in results {
        let (path, compiled) = result?;
        objects.paths.push(path);
        objects.compiled += usize::from(compiled);
    }
    Ok(objects)
}

/// Whether a condition holds of a tree.
#[must_use]
pub fn holds(when: When, source: &Source) -> bool {
    let has = |file: &str, text: &str| source.text(file).is_some_and(|found| found.contains(text));
    match when {
        When::Always => true,
        When::File(file) => source.build().join(file).exists(),
        When::NoFile(file) => !source.build().join(file).exists(),
        When::Has(file, text) => has(file, text),
        When::HasNot(file, text) => !has(file, text),
    }
}

/// A file that a compiler makes, and what it is made of.
struct Making<'m> {
    name: String,
    result: PathBuf,
    source: PathBuf,
    /// How messages call the source.
    shown: &'m str,
    arguments: Vec<String>,
}

impl Task<'_> {
    /// One object: its path, and whether it had to be compiled.
    fn object(&self, folder: &Path, object: &Object) -> Result<(PathBuf, bool)> {
        let name = object.name();
        let (source, mut arguments) = match object.origin {
            Origin::Tree(path) => (self.source.build().join(path), self.kernel_arguments(&name)),
            Origin::Glue(path) => (self.border.join(path), self.kernel_arguments(&name)),
            Origin::User(path) => (self.border.join(path), self.user_arguments()),
        };
        if source.extension().is_some_and(|end| end == "S") && !matches!(object.origin, Origin::User(_)) {
            arguments.push("-D__ASSEMBLY__".to_owned());
        }
        let own = object.flags.iter().filter(|flag| self.tools.takes(flag));
        arguments.extend(own.map(|flag| flags::at(flag, self.source.build())));
        arguments.push("-c".to_owned());
        let result = folder.join(format!("{name}.o"));
        let making = Making { name, result: result.clone(), source, shown: object.path(), arguments };
        Ok((result, self.make(folder, &making)?))
    }

    /// Flags of the tree's sources and of the glue.
    fn kernel_arguments(&self, name: &str) -> Vec<String> {
        let (tree, recipe) = (self.source.build(), self.recipe);
        let ours = |folder: &str| format!("-I{}", self.border.join(folder).display());
        let mut arguments = vec![format!("-I{}", self.place.join("derived").display())];
        arguments.extend(recipe.overlay.iter().chain(&["include", "glue"]).map(|folder| ours(folder)));
        arguments.extend(self.prepared.flags.iter().map(|flag| flags::at(flag, tree)));
        arguments.push(format!("-I{}", tree.display()));
        arguments.extend(recipe.flags.iter().map(|flag| flags::at(flag, tree)));
        arguments.extend(self.source.facts().defines());
        let defined = recipe.defines.iter().filter(|define| holds(define.when, self.source));
        arguments.extend(defined.map(|define| format!("-D{}=1", define.name)));
        arguments.push(format!("-DLZ_{}=1", recipe.arch_dir.to_uppercase()));
        let word: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let names = ["KBUILD_MODFILE", "KBUILD_BASENAME", "KBUILD_MODNAME"];
        arguments.extend(names.map(|key| format!("-D{key}=\"{word}\"")));
        arguments.push(format!("-D__KBUILD_MODNAME={word}"));
        arguments
    }

    /// Flags of our sources for user mode.
    fn user_arguments(&self) -> Vec<String> {
        let include = |folder: &str| format!("-I{}", self.border.join(folder).display());
        vec!["-O2".to_owned(), "-fno-pie".to_owned(), include("include"), include("glue")]
    }

    /// Makes headers that hold numbers of the tree's own C: a patch that adds a page flag changes `bounds.h`.
    ///
    /// `rq-offsets.h` stays as kbuild made it: it serves the run queue, of which nothing is in a subject.
    fn derived_headers(&self) -> Result<()> {
        let folder = self.place.join("derived/generated");
        fs::create_dir_all(&folder).map_err(TreeError::cache(&folder))?;
        self.derived_header(&folder, "kernel/bounds.c")?;
        let assembly =
            |object: &Object| matches!(object.origin, Origin::Tree(path) | Origin::Glue(path) if path.ends_with(".S"));
        if self.recipe.objects.iter().any(assembly) {
            let path = format!("arch/{}/kernel/asm-offsets.c", self.recipe.arch_dir);
            self.derived_header(&folder, &path)?;
        }
        Ok(())
    }

    fn derived_header(&self, folder: &Path, path: &str) -> Result<()> {
        let source = self.source.build().join(path);
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let header = folder.join(format!("{name}.h"));
        // Numbers of a structure that no overlay changes: without it, the flags are kbuild's alone.
        let mut arguments: Vec<String> =
            self.prepared.flags.iter().map(|flag| flags::at(flag, self.source.build())).collect();
        arguments.extend(["-DKBUILD_MODNAME=\"lz\"", "-D__KBUILD_MODNAME=lz", "-S"].map(str::to_owned));
        arguments.extend(["KBUILD_MODFILE", "KBUILD_BASENAME"].map(|key| format!("-D{key}=\"lz\"")));
        let result = folder.join(format!("{name}.s"));
        let making = Making { name, result: result.clone(), source, shown: path, arguments };
        if !self.make(folder, &making)? && header.exists() {
            return Ok(());
        }
        let assembly = fs::read_to_string(&result).map_err(TreeError::cache(&result))?;
        let text = numbers(&assembly);
        // An equal header keeps its time: nothing is compiled again for it.
        if fs::read_to_string(&header).is_ok_and(|found| found == text) {
            return Ok(());
        }
        store::write(&header, text)?;
        self.looks.forget(&header);
        stamp::settle();
        Ok(())
    }

    /// Makes a file unless its stamp holds; says whether it was made.
    fn make(&self, folder: &Path, making: &Making<'_>) -> Result<bool> {
        let Making { name, result, source, .. } = making;
        let stamp_path = folder.join(format!("{name}.stamp"));
        let command =
            format!("{}\n{}\n{}", self.tools.identity, self.prepared.folder.display(), making.arguments.join("\n"));
        if result.exists() && Stamp::read(&stamp_path).is_some_and(|stamp| stamp.holds(&command, self.looks)) {
            return Ok(false);
        }
        for old in [&stamp_path, result] {
            if old.exists() {
                fs::remove_file(old).map_err(TreeError::cache(old))?;
            }
        }
        let dependencies = folder.join(format!("{name}.d"));
        let mut compiler = self.tools.compiler();
        compiler.current_dir(&self.prepared.folder).args(&making.arguments);
        compiler.args(["-MMD", "-MF"]).arg(&dependencies);
        compiler.args(["-MT", "x", "-o"]).arg(result).arg(source);
        let began = SystemTime::now();
        let said = self.jobs.one(super::target_of(self.recipe), || run::run(compiler, run::COMPILER))?;
        if !said.well {
            return Err(self.failed(making, &said.complaint));
        }
        self.looks.forget(result);
        let text = fs::read_to_string(&dependencies).map_err(TreeError::cache(&dependencies))?;
        let files = followed(&text).into_iter().map(|path| self.prepared.folder.join(path));
        store::write(&stamp_path, Stamp::of(&command, files, began, self.looks).text())?;
        let _ = fs::remove_file(&dependencies);
        Ok(true)
    }

    fn failed(&self, making: &Making<'_>, complaint: &str) -> TreeError {
        if complaint.contains("No space left on device") {
            return TreeError::Cache { path: making.result.clone(), why: "No space left on device".to_owned() };
        }
        let border = format!("{}/", self.border.display());
        let ours = is_ours(complaint, &border);
        let said = self.source.as_given(&errors_alone(complaint)).replace(&border, "lazymmu: ");
        TreeError::Compile {
            recipe: self.recipe.name.to_owned(),
            source_file: making.shown.to_owned(),
            first: first_error(&said),
            said: said.trim_end().to_owned(),
            ours,
        }
    }
}

/// The lines `->NAME value comment` that kbuild's offset files leave in assembly, as a header.
fn numbers(assembly: &str) -> String {
    let mut text = String::new();
    for line in assembly.lines() {
        let Some(rest) = line.split_once("\"->").and_then(|(_, rest)| rest.split('"').next()) else { continue };
        let mut words = rest.split_whitespace();
        if let (Some(name), Some(value)) = (words.next(), words.next()) {
            text += &format!("#define {name} {}\n", value.trim_start_matches(['$', '#']));
        }
    }
    text
}

/// Whether the first error is in a file below a folder, or in a macro that such a file uses.
fn is_ours(complaint: &str, folder: &str) -> bool {
    let errors = errors_alone(complaint);
    let is_error = |line: &&str| ERRORS.iter().any(|mark| line.contains(mark));
    let mut lines = errors.lines().skip_while(|line| !is_error(line));
    let first = lines.next().is_some_and(|line| line.starts_with(folder));
    first
        || lines
            .take_while(|line| !is_error(line))
            .any(|line| line.starts_with(folder) && line.contains(": note: in expansion of macro "))
}

/// A compiler's complaint without its warnings: those of overlay and glue are of no use to a user.
fn errors_alone(complaint: &str) -> String {
    let mut kept = String::new();
    let (mut head, mut keeps) = (String::new(), true);
    for line in complaint.lines() {
        let is_head = ["In file included from ", "                 from "].iter().any(|start| line.starts_with(start))
            || (line.contains(": In function ") || line.contains(": At top level"));
        let is_warning = line.contains(": warning: ");
        if is_head {
            // What stands above a diagnostic goes where the diagnostic goes.
            head += &format!("{line}\n");
            continue;
        }
        if is_warning || ERRORS.iter().any(|mark| line.contains(mark)) {
            keeps = !is_warning;
        }
        if keeps {
            kept += &format!("{head}{line}\n");
        }
        head.clear();
    }
    kept
}

/// What marks an error: of the compiler, of its preprocessor, of the assembler.
const ERRORS: [&str; 3] = [": error: ", ": fatal error: ", ": Error: "];

/// The place of a compiler's or assembler's first error.
fn first_error(complaint: &str) -> Option<Place> {
    let before = complaint.lines().find_map(|line| ERRORS.iter().find_map(|mark| line.split_once(mark)))?.0;
    // A path may have colons: the numbers, line and perhaps column, are taken from the end.
    let (rest, last) = before.rsplit_once(':')?;
    let last = last.parse().ok()?;
    let with_column = rest.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let (file, line) = with_column.unwrap_or((rest, last));
    Some(Place { file: file.to_owned(), line })
}

/// The files of a dependency file: words after the colon, where a backslash takes a blank or the end of a line along.
fn followed(text: &str) -> Vec<PathBuf> {
    let list = text.split_once(": ").or_else(|| text.split_once(":\\")).map_or("", |(_, list)| list);
    let (mut paths, mut path) = (Vec::new(), String::new());
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some('\n')) => {}
            ('\\', Some(' ' | '#' | ':')) | ('$', Some('$')) => path.extend(letters.next()),
            (letter, _) if letter.is_whitespace() => {
                if !path.is_empty() {
                    paths.push(std::mem::take(&mut path).into());
                }
            }
            (letter, _) => path.push(letter),
        }
    }
    if !path.is_empty() {
        paths.push(path.into());
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependency_files_are_read_as_make_reads_them() {
        let text = "x: /a\\ b/c.c \\\n ./include/x.h \\\n  /cost$$/y.h /h\\#.h\n";
        assert_eq!(followed(text), ["/a b/c.c", "./include/x.h", "/cost$/y.h", "/h#.h"].map(PathBuf::from));
        assert!(followed("").is_empty());
    }

    #[test]
    fn the_first_error_is_the_first() {
        let place = |text: &str| first_error(text).map(|place| (place.file, place.line));
        let said = "In file included from mm/x.c:3:\ninclude/linux/pgtable.h: In function 'f':\n\
                    include/linux/pgtable.h:301:9: error: 'x' undeclared\nmm/x.c:9:1: error: other\n";
        assert_eq!(place(said), Some(("include/linux/pgtable.h".to_owned(), 301)));
        assert_eq!(place("mm/x.c:9: error: no column\n"), Some(("mm/x.c".to_owned(), 9)));
        assert_eq!(place("/a:b/x.c:9:2: fatal error: no\n"), Some(("/a:b/x.c".to_owned(), 9)));
        assert_eq!(
            place("arch/sparc/mm/ultra.S:12: Error: unknown opcode\n"),
            Some(("arch/sparc/mm/ultra.S".to_owned(), 12))
        );
        assert_eq!(place("cc1: out of memory\n"), None);
    }

    #[test]
    fn warnings_are_left_out_with_what_belongs_to_them() {
        let said = "In file included from a.c:1:\na.h: In function 'f':\na.h:1:2: warning: w\n    1 | x\n      | ^\n\
                    a.h:2:3: note: of the warning\nIn file included from a.c:1:\na.h:3:4: error: e\n    3 | y\n\
                    a.h:4:1: note: of the error\n";
        let kept = "In file included from a.c:1:\na.h:3:4: error: e\n    3 | y\na.h:4:1: note: of the error\n";
        assert_eq!(errors_alone(said), kept);
        assert_eq!(errors_alone("gcc: fatal error: no input files\n"), "gcc: fatal error: no input files\n");
    }

    #[test]
    fn an_error_is_ours_where_our_file_is_or_uses_the_macro() {
        let used = "/b/glue/x.c: In function 'f':\na.h:3:4: error: e\n    3 | y\n/b/glue/x.c:9:1: note: in expansion of macro 'M'\n";
        assert!(is_ours(used, "/b/") && is_ours("/b/glue/x.c:1:1: error: e\n", "/b/"));
        let trees = "In file included from /b/glue/x.c:3:\na.h:3:4: error: e\n/b/glue/x.c:1:1: error: later\n";
        assert!(!is_ours(trees, "/b/") && !is_ours("", "/b/"));
    }

    #[test]
    fn offsets_become_a_header() {
        let assembly = "\t.ascii \"->NR_PAGEFLAGS $22 __NR_PAGEFLAGS\"\n\t.ascii \"->\"\n\t.ascii \"->#comment\"\n.ascii \"->X #-1 x\"\n";
        assert_eq!(numbers(assembly), "#define NR_PAGEFLAGS 22\n#define X -1\n");
    }
}
