//! Places of a kernel tree's own code, by number: where a WARN or BUG stands that is no site of the generic layer.
//!
//! An event is a few plain numbers, and such a place is text: file, line, function, condition. The texts are kept here
//! once for the process. Numbers are given in the order in which places are met, so they differ between runs; a digest
//! of the text does not, and it is what [`super::digests`] takes. Written by the adapter of a tree's code.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a complaint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Complaint {
    /// Not a complaint: the WARN or BUG of the event before this one stands there.
    Place,
    /// A WARN that is none of the generic layer's.
    Warn,
    /// A BUG that is none of the sites this project knows.
    Bug,
}

impl Complaint {
    /// Its name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Complaint::Place => "at",
            Complaint::Warn => "WARN",
            Complaint::Bug => "BUG",
        }
    }
}

/// The number of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site(u16);

static TEXTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn texts() -> MutexGuard<'static, Vec<String>> {
    TEXTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    /// The number of a place, a new number if it was not met before. Beyond 65,535 places all share the last number.
    #[must_use]
    pub fn of(file: &str, line: u64, function: &str, condition: &str) -> Site {
        let text = format!("{file}:{line}, {function}(): {condition}");
        let mut texts = texts();
        let at = texts.iter().position(|known| *known == text).unwrap_or_else(|| {
            if texts.len() < usize::from(u16::MAX) {
                texts.push(text);
            }
            texts.len() - 1
        });
        Site(at as u16)
    }

    /// `file:line, function(): condition`.
    #[must_use]
    pub fn text(self) -> String {
        texts().get(usize::from(self.0)).cloned().unwrap_or_default()
    }

    /// The number itself: good within this process alone.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }

    /// A digest of the text, the same in every process.
    #[must_use]
    pub fn digest(self) -> u64 {
        self.text().bytes().fold(0, |digest, byte| lazy_mmu_arches::backend::mix(digest, byte.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_number_and_keeps_its_text() {
        let one = Site::of("mm/a.c", 7, "f", "x > y");
        let other = Site::of("mm/a.c", 8, "f", "x > y");
        assert_ne!(one, other);
        assert_ne!(one.digest(), other.digest());
        assert_eq!(Site::of("mm/a.c", 7, "f", "x > y"), one);
        assert_eq!(one.text(), "mm/a.c:7, f(): x > y");
    }
}
