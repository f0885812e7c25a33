//! The error of the whole command: typed inside, rendered once at the edge, with its exit code.
//!
//! What it is not: modules with an error of their own keep it (`process::Error`); this one gathers them.
//!
//! Who calls it: every subcommand returns it; `main` renders it.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use lazy_mmu_engine::contract::Answer;

use crate::process;
use crate::setup::Missing;
use crate::target::UnknownTarget;
use crate::tree::TreeError;

/// What a subcommand returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The exit codes, which scripts rely on.
///
/// 0 is success: what was checked holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// What was checked holds.
    Holds = 0,
    /// A contract, a test or a comparison broke.
    Broke = 1,
    /// Bad usage or bad input; the same as clap's own.
    Usage = 2,
    /// The environment lacks something, so that the question stays open.
    Environment = 3,
    /// Nothing broke in what was judged, and that was not all: a run stopped, was cut, or an operation was refused.
    InPart = 4,
    /// The program itself misuses the API, and no fault of the subject came before.
    Misuses = 5,
}

impl Exit {
    /// Of the answers of two runs the one that outweighs the other: what breaks, then what misuses, then what was judged in
    /// part.
    #[must_use]
    pub fn worse(self, other: Exit) -> Exit {
        let weight = |exit: Exit| match exit {
            Exit::Holds => 0,
            Exit::InPart => 1,
            Exit::Misuses => 2,
            Exit::Broke => 3,
            Exit::Environment => 4,
            Exit::Usage => 5,
        };
        if weight(other) > weight(self) { other } else { self }
    }
}

impl From<Answer> for Exit {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Holds => Exit::Holds,
            Answer::Breaks => Exit::Broke,
            Answer::Misuses => Exit::Misuses,
            Answer::InPart => Exit::InPart,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a subcommand did not end well.
///
/// Each variant knows its exit code; its message says what, [`Error::place`] where, [`Error::remedy`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was checked does not hold.
    #[error("{what}")]
    Broke {
        /// What broke, in one line.
        what: String,
        /// Where, if it is a place in a file.
        place: Option<String>,
        /// How to look at it again.
        remedy: String,
    },
    /// A target that does not exist.
    #[error(transparent)]
    Target(#[from] UnknownTarget),
    /// An option or an input that cannot be used.
    #[error("{what}")]
    Input {
        /// What is wrong with it.
        what: String,
        /// The file or option it came from.
        place: String,
        /// What would be accepted.
        remedy: String,
    },
    /// Something the machine lacks.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A kernel tree that did not become a subject.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A child process that could not be started, talked to or waited for.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// A file or directory that could not be used.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted, as a verb and its object.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
}

impl Error {
    /// Makes an [`Error::Io`] out of an I/O error; for `map_err`.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// The exit code this error ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Broke { .. } => Exit::Broke,
            Self::Target(_) | Self::Input { .. } => Exit::Usage,
            Self::Tree(error) => error.exit(),
            Self::Missing(_) | Self::Process(_) | Self::Io { .. } => Exit::Environment,
        }
    }

    /// Where it went wrong, when the message does not say so.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Input { place, .. } => Some(place.clone()),
            Self::Io { path, .. } => Some(path.display().to_string()),
            Self::Missing(missing) => Some(missing.why.clone()),
            Self::Broke { place, .. } => place.clone(),
            Self::Tree(error) => error.place(),
            Self::Target(_) | Self::Process(_) => None,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Broke { remedy, .. } | Self::Input { remedy, .. } => remedy.clone(),
            Self::Target(_) => "give a short name or a triple of the list".to_owned(),
            Self::Missing(missing) => missing.remedy.clone(),
            Self::Tree(error) => error.remedy(),
            Self::Process(_) => "run `cargo lazymmu doctor`, which tries each target's programs".to_owned(),
            Self::Io { .. } => "check that the path exists, that it is yours and that the disk is not full".to_owned(),
        }
    }

    /// The text `main` prints: what, where, what to do, a line each.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("error: {self}");
        if let Some(place) = self.place() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  where: {place}");
        }
        let _ = write!(text, "\n  to do: {}", self.remedy());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(Error, Exit)> {
        let missing = Missing { what: "qemu-user".into(), why: "not root".into(), remedy: "install it".into() };
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let input = Error::Input { what: "no program".into(), place: "a.lmm:1".into(), remedy: "write one".into() };
        vec![
            (Error::Broke { what: "2 tests failed".into(), place: None, remedy: "run it again".into() }, Exit::Broke),
            (Error::Target(UnknownTarget { name: "mips".into() }), Exit::Usage),
            (input, Exit::Usage),
            (Error::Missing(missing), Exit::Environment),
            (Error::io("read", "some/file")(denied), Exit::Environment),
        ]
    }

    #[test]
    fn every_error_has_its_exit_code() {
        for (error, exit) in samples() {
            assert_eq!(error.exit(), exit, "{error:?}");
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        for (error, _) in samples() {
            let text = error.render();
            assert!(text.starts_with("error: ") && text.contains("\n  to do: "), "{text}");
        }
    }

    #[test]
    fn an_io_error_says_where() {
        let error = Error::io("read", "some/file")(io::Error::from(io::ErrorKind::NotFound));
        assert!(error.render().contains("\n  where: some/file\n"), "{}", error.render());
    }
}
