//! `lazymmu corpus`: the seeds and dictionaries of the fuzz targets.
//!
//! What it is not: what a seed is and where it comes from is [`crate::corpus`].
//!
//! Who calls it: a person before the first `cargo fuzz run`, and `lazymmu fuzz`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::promote::Promote;
use crate::corpus::{Written, write_dictionaries, write_seeds};
use crate::error::{Error, Exit, Result};
use crate::{table, workspace};

/// Writes the seeds of every fuzz target, made from the program collection, the kernel's call sites and the recorded
/// traces, and the dictionaries.
///
/// What is there already stays: writing again changes nothing, and what fuzzing has found is kept. Exits 0 if all is
/// written, 2 if a folder's name is that of a file, 3 if something cannot be written.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu corpus", args_conflicts_with_subcommands = true)]
pub struct Corpus {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Where the seeds go, a folder for each target [default: fuzz/corpus of the project]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Where the dictionaries go [default: fuzz/dictionaries of the project]
    #[arg(long, value_name = "FOLDER")]
    dictionaries: Option<PathBuf>,
}

/// What is done with the corpora that fuzzing has grown.
#[derive(Debug, Subcommand)]
enum Instead {
    Promote(Promote),
}

impl Corpus {
    /// Writes them and says how many there are.
    ///
    /// # Errors
    /// A folder or file that cannot be written, a recorded trace that cannot be read, or no project around.
    pub fn run(&self) -> Result<Exit> {
        if let Some(Instead::Promote(promote)) = &self.instead {
            return promote.run();
        }
        let root = workspace::root()?;
        let folder = |given: &Option<PathBuf>, below: &str| given.clone().unwrap_or_else(|| root.join(below));
        let out = folder(&self.out, "fuzz/corpus");
        let dictionaries = folder(&self.dictionaries, "fuzz/dictionaries");
        is_no_file("--out", &out)?;
        is_no_file("--dictionaries", &dictionaries)?;
        let seeds = write_seeds(&out, &root.join("harness/traces"))?;
        let entries = write_dictionaries(&dictionaries)?;
        out!("{}\n{}", rendered("target", "seeds", &seeds), rendered("dictionary", "entries", &entries))?;
        Ok(Exit::Holds)
    }
}

/// A table of what was written; of a dictionary it is the file that is new.
fn rendered(what: &str, of: &str, written: &[Written]) -> String {
    let heading = [what, of, "new", "bytes"].map(str::to_owned).to_vec();
    let row =
        |one: &Written| vec![one.name.to_owned(), one.seeds.to_string(), one.new.to_string(), one.bytes.to_string()];
    table::render(&[heading].into_iter().chain(written.iter().map(row)).collect::<Vec<_>>())
}

fn is_no_file(option: &str, folder: &Path) -> Result<()> {
    if !folder.exists() || folder.is_dir() {
        return Ok(());
    }
    Err(Error::Input {
        what: format!("`{}` is no folder", crate::show::shown(&folder.display().to_string())),
        place: option.to_owned(),
        remedy: "give a folder; it is created if it is not there".to_owned(),
    })
}
