//! The program collection, and what its snapshots hold.
//!
//! A program is a file under `programs/`, named `family/name`; being there is all it takes to be in the collection.
//! For each, `snaps/` holds one reviewed snapshot shared by all targets: its generic events under the counted
//! generation and the verdict of every subject. Where backends do different things with it, `snaps/arch__*.snap` holds
//! theirs; `snaps/zoo__*.snap` holds what breaks on a specimen of the zoo, `snaps/found__*.snap` what becomes of some of
//! these as findings, `snaps/table__*.snap` each generation's transition table, and `snaps/generated__digests.snap` what every subject makes of generated programs, in numbers.
//! [`known`] lists what faithful subjects are known to break; its programs are the family `known/`.
//!
//! Not here: running on targets (the host command). Called by the tests of this package, on every target, and by
//! `lazymmu check`, which compares what each target did with what is reviewed.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod generated;
pub mod known;
pub mod render;

/// A program of the collection.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `family/name`.
    pub name: &'static str,
    /// Its text, comments included.
    pub text: &'static str,
    /// The snapshot file as reviewed; `None` for a program that has none yet.
    pub reviewed: Option<&'static str>,
}

impl Entry {
    /// The snapshot's body, without insta's header.
    #[must_use]
    pub fn reviewed_body(&self) -> Option<&'static str> {
        body(self.reviewed?)
    }

    /// What the program is about: its leading comment.
    #[must_use]
    pub fn about(&self) -> String {
        self.about_lines().collect::<Vec<_>>().join(" ")
    }

    /// Its leading comment, line by line.
    pub fn about_lines(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim)
    }
}

/// The collection, by name.
pub const PROGRAMS: &[Entry] = include!(concat!(env!("OUT_DIR"), "/programs.rs"));

const TABLES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// The reviewed transition table of a generation, by its name.
#[must_use]
pub fn table(generation: &str) -> Option<&'static str> {
    body(TABLES.iter().find(|table| table.0 == generation)?.1)
}

/// The reviewed digests of generated programs.
#[must_use]
pub fn generated_digests() -> Option<&'static str> {
    body(GENERATED?)
}

const GENERATED: Option<&str> = include!(concat!(env!("OUT_DIR"), "/generated.rs"));

/// A snapshot file's body, without insta's header.
fn body(file: &'static str) -> Option<&'static str> {
    Some(file.strip_prefix("---\n")?.split_once("\n---\n")?.1)
}

/// Finds a program by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    PROGRAMS.iter().find(|entry| entry.name == name)
}
