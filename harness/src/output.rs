//! Standard output, for results alone: written whole, flushed, and never panicking.
//!
//! A reader that left early (`| head`) has what it wanted and is no error; anything else that fails is one, because a
//! result that was cut short must not look like a result. Called by the subcommands; progress and errors go to standard
//! error instead.

use std::fmt;
use std::io::{self, Write as _};

use crate::error::{Error, Result};

/// Prints a result.
///
/// # Errors
/// Standard output cannot be written, a closed pipe aside.
pub fn print(text: fmt::Arguments<'_>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("write to", "standard output")(error)),
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
