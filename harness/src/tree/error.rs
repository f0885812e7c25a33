//! Why a tree did not become a subject: what, where, and what to do, with the exit code that belongs to it.
//!
//! What is wrong with the input (no tree, a patch that does not apply, a compile error) exits with 2; what the machine
//! lacks, and a tree whose shape is not known here, with 3. An error of one architecture stops no other.
//!
//! Who calls it: every module of `tree`; [`crate::error::Error`] carries it to `main`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Exit;
use crate::setup::Missing;

/// What a step of building a tree returns.
pub type Result<T, E = TreeError> = std::result::Result<T, E>;

/// A place in a source: the file, as the tree calls it, and the line from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path from the tree's root; a file of ours keeps its path in the cache.
    pub file: String,
    /// The line.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why a tree did not become a subject.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TreeError {
    /// There is nothing at the path, or no directory.
    #[error("there is no kernel tree: {why}")]
    NoTree {
        /// What was given.
        path: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// A directory that is no Linux tree.
    #[error("this is not a Linux tree: it has no {lacks}")]
    NotLinux {
        /// What was given.
        path: PathBuf,
        /// The first file that every Linux tree has and this one lacks.
        lacks: &'static str,
    },
    /// A Linux tree from before the mode, or one that has lost it.
    #[error("Linux {release} has no lazy MMU mode: neither lazy_mmu_mode_enable() nor arch_enter_lazy_mmu_mode()")]
    TooOld {
        /// The header that was read.
        path: PathBuf,
        /// The tree's release.
        release: String,
    },
    /// A tree that has the mode in a shape that is not known here.
    #[error("this tree's shape is unknown: {what}")]
    Shape {
        /// What was found, or missed.
        what: String,
        /// The file to look at.
        place: String,
    },
    /// A tree without one of the architectures.
    #[error("the tree has no {arch_dir}")]
    NoArchitecture {
        /// The folder that is missing, from the tree's root.
        arch_dir: String,
        /// The tree.
        path: PathBuf,
    },
    /// Kbuild refused.
    #[error("kbuild cannot prepare the tree for {recipe}: `{step}` failed\n{said}")]
    Kbuild {
        /// The recipe's name.
        recipe: String,
        /// The make command.
        step: String,
        /// Its last lines.
        said: String,
        /// The tree.
        path: PathBuf,
    },
    /// A source does not compile.
    #[error("{source_file} does not compile for {recipe}\n{said}")]
    Compile {
        /// The recipe's name.
        recipe: String,
        /// The source, from the tree's root.
        source_file: String,
        /// The compiler's own message, with paths from the tree's root.
        said: String,
        /// Where the first error is.
        first: Option<Place>,
        /// Whether the error is in a file of ours: then the tree's shape is not the one it was written for.
        ours: bool,
    },
    /// The objects do not link.
    #[error("the tree's code does not link for {recipe}\n{said}")]
    Link {
        /// The recipe's name.
        recipe: String,
        /// The linker's own message.
        said: String,
    },
    /// A patch of a series does not apply.
    #[error("patch {number} of {of} does not apply: {subject}\n{said}")]
    Patch {
        /// Its number in the series, from 1.
        number: usize,
        /// How many patches there are.
        of: usize,
        /// Its subject.
        subject: String,
        /// What the program that applies it said.
        said: String,
        /// The file that it does not fit, where that is known.
        file: Option<String>,
    },
    /// A file that holds no series.
    #[error("no patch is in this mailbox: {why}")]
    NoSeries {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// A revision that git does not give.
    #[error("git gives no tree for `{revision}`: {why}")]
    Revision {
        /// What was asked for.
        revision: String,
        /// The repository.
        path: PathBuf,
        /// Git's words.
        why: String,
    },
    /// The cache cannot be used: no space, no permission, a read-only disk.
    #[error("the cache cannot be used: {why}")]
    Cache {
        /// The path that could not be written.
        path: PathBuf,
        /// What the operating system answered.
        why: String,
    },
    /// A file of the tree that cannot be read.
    #[error("the tree cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system answered.
        why: String,
    },
    /// Something the machine lacks.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The user has interrupted the command.
    #[error("interrupted")]
    Interrupted,
}

impl TreeError {
    /// Makes a [`TreeError::Cache`] out of an I/O error; for `map_err`.
    pub fn cache(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Cache { path, why: error.to_string() }
    }

    /// Makes a [`TreeError::Unreadable`] out of an I/O error; for `map_err`.
    pub fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Unreadable { path, why: error.to_string() }
    }

    /// The exit code this error ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoTree { .. }
            | Self::NotLinux { .. }
            | Self::Patch { .. }
            | Self::NoSeries { .. }
            | Self::Revision { .. }
            | Self::Compile { ours: false, .. } => Exit::Usage,
            _ => Exit::Environment,
        }
    }

    /// Where it went wrong.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let shown = |path: &Path| Some(path.display().to_string());
        match self {
            Self::NoTree { path, .. }
            | Self::NotLinux { path, .. }
            | Self::TooOld { path, .. }
            | Self::NoArchitecture { path, .. }
            | Self::Kbuild { path, .. }
            | Self::NoSeries { path, .. }
            | Self::Revision { path, .. }
            | Self::Cache { path, .. }
            | Self::Unreadable { path, .. } => shown(path),
            Self::Shape { place, .. } => Some(place.clone()),
            Self::Compile { first, .. } => first.as_ref().map(Place::to_string),
            Self::Patch { file, .. } => file.clone(),
            Self::Missing(missing) => Some(missing.why.clone()),
            Self::Link { .. } | Self::Interrupted => None,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let text = match self {
            Self::NoTree { .. } | Self::NotLinux { .. } => "give the root of a Linux tree, where its top Makefile lies",
            Self::TooOld { .. } => "give a tree that has the mode in include/linux/pgtable.h",
            Self::Shape { .. } | Self::Compile { ours: true, .. } => {
                "look at what the tree changed there; overlay and glue (harness/border) have to learn the new shape"
            }
            Self::NoArchitecture { .. } => "leave the architecture out with --target, or give a whole tree",
            Self::Kbuild { .. } => {
                "mend what kbuild complains about, or look whether `make O=/some/dir tinyconfig prepare0` works there"
            }
            Self::Compile { .. } => "mend the source; nothing was judged",
            Self::Link { .. } => "look at which symbol the tree moved or made static; nothing was judged",
            Self::Patch { .. } => "give the tree that the series is based on, or rebase the series",
            Self::NoSeries { .. } => "give a mailbox as `b4 am` or `git format-patch --stdout` writes it",
            Self::Revision { .. } => "give a commit of that repository; `git log` lists them",
            Self::Cache { .. } => "make room there, or set LAZYMMU_TREE_CACHE to a directory you can write to",
            Self::Unreadable { .. } => "check that the file is yours to read",
            Self::Missing(missing) => return missing.remedy.clone(),
            Self::Interrupted => "run it again; what was finished is kept",
        };
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(ours: bool) -> TreeError {
        TreeError::Compile {
            recipe: "aarch64".to_owned(),
            source_file: "arch/arm64/mm/x.c".to_owned(),
            said: "include/linux/pgtable.h:3:1: error: no".to_owned(),
            first: Some(Place { file: "include/linux/pgtable.h".to_owned(), line: 3 }),
            ours,
        }
    }

    #[test]
    fn the_users_mistake_and_an_unknown_shape_have_different_exit_codes() {
        assert_eq!(compile(false).exit(), Exit::Usage);
        assert_eq!(compile(true).exit(), Exit::Environment);
        assert_eq!(TreeError::cache("a")(io::Error::from(io::ErrorKind::StorageFull)).exit(), Exit::Environment);
        let patch =
            TreeError::Patch { number: 2, of: 3, subject: "mm: x".into(), said: "no".into(), file: Some("a.c".into()) };
        assert_eq!((patch.exit(), patch.place().as_deref()), (Exit::Usage, Some("a.c")));
    }

    #[test]
    fn the_compilers_place_is_the_errors_place() {
        assert_eq!(compile(false).place().as_deref(), Some("include/linux/pgtable.h:3"));
        assert!(compile(false).to_string().contains("error: no"));
    }
}
