//! Where results go: standard output, written whole, flushed, and never panicking; and files, whole or not at all.
//!
//! A reader that left early (`| head`) has what it wanted and is no error; anything else that fails is one, because a
//! result that was cut short must not look like a result. Called by the subcommands; progress and errors go to standard
//! error instead.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::error::{Error, Result};

/// Prints a result.
///
/// # Errors
/// Standard output cannot be written, a closed pipe aside.
pub fn print(text: fmt::Arguments<'_>) -> Result<()> {
    // In one piece: standard output would pass it on line by line, and a command that is killed would leave half of it.
    let text = text.to_string();
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("write to", "standard output")(error)),
        _ => Ok(()),
    }
}

/// What the name of a file begins with that is not whole yet; the rest is its own.
pub const PART: &str = ".part-";

/// Writes a file, whole or not at all: it has its name only when all of it is there.
///
/// # Errors
/// The folder cannot be written, or the disk is full; what was there before is there still.
pub fn file(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!("{PART}{name}"));
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What is left of it is of no use; that it cannot be removed either changes nothing.
        let _ = fs::remove_file(&part);
    }
    written
}

/// Removes a file; one that is not there is removed already.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Prints a result, as `println!` would, and yields what [`print`] yields.
macro_rules! outln {
    ($($arguments:tt)*) => {
        $crate::output::print(format_args!("{}\n", format_args!($($arguments)*)))
    };
}

/// Prints a result, as `print!` would, and yields what [`print`] yields.
macro_rules! out {
    ($($arguments:tt)*) => {
        $crate::output::print(format_args!($($arguments)*))
    };
}
