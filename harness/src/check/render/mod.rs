//! The four reports of `check`, each made from the one stream of events, and where they go.
//!
//! [`human`] is the matrix that a person reads, at the end; [`json`] a line for each event; [`junit`] what CI services show;
//! [`ktap`] what a kernel's CI collects. The last two of these lines appear as things are done.
//!
//! What it is not: nothing is judged here. Called by `lazymmu check`; `judge` uses the forms, their places, JUnit and KTAP.

pub mod human;
pub mod json;
pub mod junit;
pub mod ktap;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::event::Renderer;
use crate::error::{Error, Result};
use crate::output;

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A matrix, and what failed
    Human,
    /// A JSON document per line, one for each event; docs/json.md has the schema
    Json,
    /// JUnit XML
    Junit,
    /// KTAP version 1, as the kernel's kunit.py reads it
    Ktap,
}

/// The reports that were asked for, for people in full if that is wanted, each with its place ([`sinks`]).
///
/// # Errors
/// The file cannot be made.
pub fn reports(format: Format, file: Option<&Path>, verbose: bool) -> Result<Vec<Box<dyn Renderer + Send>>> {
    Ok(sinks(format, file)?.into_iter().map(|(format, sink)| renderer(format, sink, verbose)).collect())
}

/// Where the reports go that were asked for: one to standard output, or that one to a file and the human one to standard
/// output.
///
/// # Errors
/// The file cannot be made.
pub fn sinks(format: Format, file: Option<&Path>) -> Result<Vec<(Format, Sink)>> {
    Ok(match file {
        None => vec![(format, Sink::Stdout)],
        Some(path) => vec![(format, Sink::create(path)?), (Format::Human, Sink::Stdout)],
    })
}

fn renderer(format: Format, sink: Sink, verbose: bool) -> Box<dyn Renderer + Send> {
    match format {
        Format::Human => Box::new(human::Human::new(sink, verbose)),
        Format::Json => Box::new(json::Json::new(sink)),
        Format::Junit => Box::new(junit::Junit::new(sink)),
        Format::Ktap => Box::new(ktap::Ktap::new(sink)),
    }
}

/// Where a report goes.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file, made anew, and its path.
    File(File, PathBuf),
    /// Memory, for tests.
    #[cfg(test)]
    Memory(std::sync::Arc<std::sync::Mutex<String>>),
}

impl Sink {
    /// A file, made anew.
    ///
    /// # Errors
    /// It cannot be made; the message says what would help.
    pub fn create(path: &Path) -> Result<Sink> {
        let file = File::create(path).map_err(|source| Error::Input {
            what: format!("cannot write the report: {source}"),
            place: path.display().to_string(),
            remedy: match path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
                Some(parent) => format!("mkdir -p {}", crate::show::quoted(&parent.to_string_lossy())),
                None => "give --output a file that can be written".to_owned(),
            },
        })?;
        Ok(Sink::File(file, path.to_owned()))
    }

    /// Writes, and lets nothing wait in a buffer.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, text: &str) -> Result<()> {
        match self {
            Sink::Stdout => output::print(format_args!("{text}")),
            Sink::File(file, path) => file.write_all(text.as_bytes()).map_err(Error::io("write the report", &*path)),
            #[cfg(test)]
            Sink::Memory(text_so_far) => {
                text_so_far.lock().expect("nobody panicked").push_str(text);
                Ok(())
            }
        }
    }
}
