//! `lazymmu run`: one program, its timeline and verdict.
//!
//! What it is not: parsing, running and judging are the engine's, printing is [`crate::show`].
//!
//! Who calls it: a person with a program: their own, one of the collection, or one that a failure printed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lazy_mmu_engine::program::text::parse_bytes;
use lazy_mmu_engine::program::{MAX_TEXT, Program};

use crate::error::{Error, Exit, Result};
use crate::show::{How, quoted, shown, subject};
use crate::tree::tools::Compiler;

/// Runs one program on a subject and prints its timeline, calls and hooks and what the backend did, and the verdict.
///
/// On another target the program runs there, and must come to the same events as here. Exits 0 if the contract holds,
/// 1 if it broke or the target differs, 2 if the program or a name is wrong, 4 if nothing broke and not all was judged
/// (the run stopped, was cut, or an operation was refused), 5 if the program itself misuses the API.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu run halves/enable --subject counted/xen@7.0")]
pub struct Run {
    /// A program's file, a program of the collection by name, or - for standard input
    program: String,
    /// What it runs on: generation/backend, with a kernel version after @ where there are several
    #[arg(long, default_value = "counted/aarch64")]
    subject: String,
    /// A kernel tree: the program runs on its own C, on --subject tree/xen and its like
    #[arg(long, value_name = "TREE", requires = "subject", conflicts_with = "How")]
    tree: Option<PathBuf>,
    /// Compile the tree by clang instead of gcc
    #[arg(long, requires = "tree")]
    llvm: bool,
    #[command(flatten)]
    how: How,
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// A program, subject or combination that does not exist; a target that is not set up.
    pub fn run(&self) -> Result<Exit> {
        if let Some(tree) = &self.tree {
            let compiler = Compiler::of(self.llvm);
            return crate::judge::show::show(tree, &self.subject, &load(&self.program)?, compiler);
        }
        let at = subject(&self.subject)?;
        // What came from standard input is printed, and can be put in a file.
        let file = if self.program == "-" { "FILE".to_owned() } else { quoted(&self.program) };
        self.how.show(&format!("run {file}"), &load(&self.program)?, at)
    }
}

/// Loads a program by path, by name, or from standard input.
fn load(name: &str) -> Result<Program> {
    let (place, text) = if name == "-" {
        ("standard input".to_owned(), read(&mut std::io::stdin().lock(), name)?)
    } else if let (false, Some(entry)) = (Path::new(name).exists(), lazy_mmu_snapshots::find(name)) {
        (format!("snapshots/programs/{name}.lmm"), entry.text.as_bytes().to_vec())
    } else {
        let mut file = std::fs::File::open(name).map_err(|source| Error::Input {
            what: format!("cannot open the program: {source}"),
            place: if name.is_empty() { "an empty name".to_owned() } else { shown(name) },
            remedy: match near(name) {
                Some(known) => format!("give a file, or a program of the collection such as {known}"),
                None => "give a file, or a program of the collection such as halves/enable (all are below snapshots/programs)".to_owned(),
            },
        })?;
        (name.to_owned(), read(&mut file, name)?)
    };
    parse_bytes(&text).map_err(|error| Error::Input {
        what: error.message,
        place: format!("{place}:{}:{}", error.line, error.column),
        remedy: "the operations are in docs/program-language.md".to_owned(),
    })
}

/// The program of the collection that is most like a name: the same family and the longest common beginning.
fn near(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".lmm").unwrap_or(name);
    let name = name.rsplit_once("programs/").map_or(name, |(_, rest)| rest);
    let shared = |known: &str| known.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    let family = name.split('/').next().unwrap_or_default().len();
    let names = lazy_mmu_snapshots::PROGRAMS.iter().map(|entry| entry.name);
    names.max_by_key(|known| shared(known)).filter(|known| shared(known) > family.max(2))
}

/// Reads a text, one byte more than a program may have: enough to be refused.
fn read(input: &mut impl std::io::Read, name: &str) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = input.take(MAX_TEXT as u64 + 1).read_to_end(&mut text);
    read.map_err(|source| Error::Input {
        what: format!("cannot read the program: {source}"),
        place: shown(name),
        remedy: "give a file, or a program of the collection such as halves/enable".to_owned(),
    })?;
    Ok(text)
}
