//! Differences between our Rust and a kernel tree that are looked into: a table, each row with its class and its reason.
//!
//! A row explains kinds exactly as the report prints them, on the subjects it names: what the report shows as unexplained
//! can be pasted here. A kind that follows from a row's cause alone is explained only in a run where the cause has come
//! before. Not here: the differences. Called by [`super`] and the report; `docs/judge.md` shows the table.

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

/// One kind: the generic event before it, then the architecture's events of each side, as the report prints them. A `*`
/// stands for any text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The generic event.
    pub behind: &'static str,
    /// Our Rust's events.
    pub ours: &'static str,
    /// The tree's.
    pub theirs: &'static str,
}

/// What is known of some kinds.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Subjects, by what follows `tree/`.
    pub on: &'static [&'static str],
    /// Why.
    pub class: Class,
    /// The kinds that are the difference itself.
    pub causes: &'static [Kind],
    /// The kinds that follow from it, in the same run.
    pub effects: &'static [Kind],
    /// The reason.
    pub reason: &'static str,
    /// The kernel's file and function.
    pub source: &'static str,
}

/// Which rows explain the kinds of one run, in their order.
#[derive(Debug, Default)]
pub struct Run {
    caused: Vec<&'static str>,
}

impl Run {
    /// The row that explains a kind; a cause is remembered for its effects.
    pub fn explain(&mut self, subject: &str, behind: &str, ours: &str, theirs: &str) -> Option<&'static Row> {
        let subject = subject.trim_start_matches("tree/");
        let is = |kind: &&Kind| {
            [(kind.behind, behind), (kind.ours, ours), (kind.theirs, theirs)]
                .iter()
                .all(|(pattern, text)| fits(pattern, text))
        };
        let here = || ROWS.iter().filter(|row| row.on.contains(&subject));
        if let Some(row) = here().find(|row| row.causes.iter().any(|kind| is(&kind))) {
            self.caused.push(row.name);
            return Some(row);
        }
        here().find(|row| self.caused.contains(&row.name) && row.effects.iter().any(|kind| is(&kind)))
    }
}

/// Whether a text is of a pattern, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        let rows = [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("*", "", true),
            ("a*a", "a", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn names_are_given_once_and_no_pattern_fits_everything() {
        for (n, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..n].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(!row.causes.is_empty() && !row.on.is_empty() && !row.source.is_empty(), "{}", row.name);
            for kind in row.causes.iter().chain(row.effects) {
                assert!(kind.ours != "*" || kind.theirs != "*", "{}: a kind that hides everything", row.name);
            }
        }
    }
}
