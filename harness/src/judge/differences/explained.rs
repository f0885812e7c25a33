//! Differences between our Rust and a kernel tree that are looked into: a table, each row with its class and its reason.
//!
//! A row explains in one of two ways. A difference that changes what is held back, and so what follows, is taken away from our
//! Rust ([`lazy_mmu_engine::corrected`]): then the events must be the tree's. Any other is a list of kinds, written as the
//! report prints them: what it shows as unexplained can be pasted here. Not here: the differences. Called by [`super`] and
//! the report; `docs/judge.md` shows the table.

use super::table::ROWS;

/// Why two sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Our Rust is not what the kernel is; a later change mends our side.
    Ours,
    /// A part of the kernel that the glue models, or that the machine has in another shape.
    Modelled,
}

impl Class {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Ours => "our Rust",
            Class::Modelled => "modelled",
        }
    }
}

/// One kind: the generic event before it, then the architecture's events of each side, as the report prints them. A `…`
/// stands for any text within one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The generic event.
    pub behind: &'static str,
    /// Our Rust's events.
    pub ours: &'static str,
    /// The tree's.
    pub theirs: &'static str,
}

/// How a row explains.
#[derive(Clone, Copy, Debug)]
pub enum By {
    /// With this correction of the engine's, our Rust does what the tree does.
    Correction(&'static str),
    /// These kinds.
    Kinds(&'static [Kind]),
}

/// What is known of a difference.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Subjects, by what follows `tree/`; of the page sizes of one, the usual one stands for all.
    pub on: &'static [&'static str],
    /// Why.
    pub class: Class,
    /// How.
    pub by: By,
    /// The reason.
    pub reason: &'static str,
    /// The kernel's file and function, or ours.
    pub source: &'static str,
}

/// What ends the names of subjects whose kernel has 4K pages.
const OF_4K: &str = "-4k";

/// Whether a subject's kernel has 4K pages.
#[must_use]
pub fn is_4k(subject: &str) -> bool {
    subject.ends_with(OF_4K)
}

/// The row whose kinds explain a kind on a subject.
#[must_use]
pub fn explain(subject: &str, behind: &str, ours: &str, theirs: &str) -> Option<&'static Row> {
    let subject = subject.trim_start_matches("tree/");
    // The C is the same for both page sizes.
    let usual = subject.trim_end_matches(OF_4K);
    let is = |kind: &Kind| {
        let texts = [(kind.behind, behind), (kind.ours, ours), (kind.theirs, theirs)];
        texts.iter().all(|(pattern, text)| fits(pattern, text))
    };
    ROWS.iter().find(|row| {
        let By::Kinds(kinds) = row.by else { return false };
        (row.on.contains(&subject) || row.on.contains(&usual)) && kinds.iter().any(is)
    })
}

/// The row of a correction.
#[must_use]
pub fn of_correction(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| matches!(row.by, By::Correction(of) if of == name))
}

/// Between two events of a side.
const BETWEEN: &str = "; ";

/// Whether a text is of a pattern, event by event.
fn fits(pattern: &str, text: &str) -> bool {
    let events = pattern.split(BETWEEN).count() == text.split(BETWEEN).count();
    events && pattern.split(BETWEEN).zip(text.split(BETWEEN)).all(|(pattern, text)| event_fits(pattern, text))
}

/// Whether an event is of a pattern, in which `*` stands for any text.
fn event_fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split(ANY);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Any text in a pattern. The events themselves have `*`: `*ptep`, and a repeated block.
const ANY: &str = "\u{2026}";

#[cfg(test)]
mod tests {
    use lazy_mmu_engine::corrected::{CORRECTIONS, Correction};

    use super::*;

    #[test]
    fn a_pattern_has_any_text_within_an_event() {
        let rows = [
            ("a", "a", true),
            ("a", "ab", false),
            ("a…", "ab", true),
            ("…b", "ab", true),
            ("a…c…e", "abcde", true),
            ("a…c…e", "abde", false),
            ("…", "", true),
            ("a…", "ab; c", false),
            ("a…; c", "ab; c", true),
            ("a…a", "a", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn names_are_given_once_and_no_pattern_fits_everything() {
        for (n, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..n].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(!row.on.is_empty() && !row.reason.is_empty() && !row.source.is_empty(), "{}", row.name);
            let By::Kinds(kinds) = row.by else { continue };
            assert!(!kinds.is_empty(), "{}", row.name);
            for Kind { behind, ours, theirs } in kinds {
                assert!(!ours.contains(ANY) || !theirs.contains(ANY), "{}: `{ours}` against `{theirs}`", row.name);
                assert!(*behind != ANY || !theirs.ends_with("(other operands)"), "{}: operands anywhere", row.name);
            }
        }
    }

    #[test]
    fn every_correction_has_a_row_and_every_row_a_correction() {
        for Correction { name, .. } in CORRECTIONS {
            assert!(of_correction(name).is_some(), "{name}");
        }
        for row in ROWS {
            let By::Correction(name) = row.by else { continue };
            assert!(CORRECTIONS.iter().any(|one| one.name == name), "{name}");
        }
    }
}
