//! `lazymmu matrix`: CI's workflow, written from the targets' descriptions.
//!
//! What it is not: what the workflow holds is [`crate::matrix`].
//!
//! Who calls it: a person who has changed a file of `harness/targets`, and CI with `--check`.

use std::fs;

use clap::Args;

use crate::check::difference::difference;
use crate::error::{Error, Exit, Result};
use crate::target::data;
use crate::{matrix, workspace};

/// Writes .github/workflows/ci.yml from the files in harness/targets, as they are in this workspace.
///
/// Exits 1 with --check if the file there is not what would be written, 2 if a target file is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu matrix --check")]
pub struct Matrix {
    /// Write nothing; only compare
    #[arg(long)]
    check: bool,
}

impl Matrix {
    /// Writes, or compares.
    ///
    /// # Errors
    /// A target file is not as it must be, the workflow cannot be read or written, or with `--check` is another.
    pub fn run(&self) -> Result<Exit> {
        let root = workspace::root()?;
        let path = root.join(matrix::FILE);
        let new = matrix::render(&data::of_workspace(&root)?);
        let old = fs::read_to_string(&path).unwrap_or_default();
        if old == new {
            outln!("{} is what harness/targets says", matrix::FILE)?;
        } else if self.check {
            return Err(Error::Broke {
                what: format!("{} is not what harness/targets says", matrix::FILE),
                place: Some(difference(&new, &old)),
                remedy: "cargo lazymmu matrix".to_owned(),
            });
        } else {
            let folder = path.parent().unwrap_or(&root);
            fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
            fs::write(&path, new).map_err(Error::io("write", &path))?;
            outln!("{} written", matrix::FILE)?;
        }
        Ok(Exit::Holds)
    }
}
