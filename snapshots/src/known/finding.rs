//! What a known finding is: where it shows, what it breaks, and which runs it explains.
//!
//! Not here: the findings themselves ([`super::KNOWN`]). Called by the table, its tests and `lazymmu check`.

use std::fmt::Write as _;

use lazy_mmu_engine::contract::Invariant;

use super::cause::Cause;
use crate::{Entry, find};
use Kind::{Design, Invisible, Misuse, Open};

/// Why a faithful subject breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The subject was made that way: legal callers meet it, or would, had they been there in its time.
    Design,
    /// The callers break a rule, and nothing stops them.
    Misuse,
    /// Linux 7.2 does it, whoever calls; the explanation says whether somebody does.
    Open,
    /// The order of steps is wrong, and no backend of today shows it.
    Invisible,
}

impl Kind {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Design => "by design of its generation",
            Misuse => "misuse",
            Open => "open in 7.2",
            Invisible => "not visible today",
        }
    }
}

/// One finding.
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// Its program's name below `known/`.
    pub name: &'static str,
    /// The subjects that show it, as patterns ([`matches()`]).
    pub subjects: &'static [&'static str],
    /// What must have happened before a violation; none of an invisible one.
    pub causes: &'static [Cause],
    /// What its program breaks there, no more and no less; of an invisible one, what it would break.
    pub breaks: &'static [Invariant],
    /// What its cause breaks in some programs and not in its own.
    pub follows: &'static [Invariant],
    /// Why it breaks the contract.
    pub kind: Kind,
    /// The cause, in one line.
    pub why: &'static str,
    /// The kernel's call sites that meet it, by their workloads' names.
    pub workloads: &'static [&'static str],
}

impl Finding {
    /// Its program and what that is about.
    #[must_use]
    pub fn entry(&self) -> Option<&'static Entry> {
        find(&format!("known/{}", self.name))
    }

    /// Whether it names the subject.
    #[must_use]
    pub fn is_on(&self, subject: &str) -> bool {
        self.subjects.iter().any(|pattern| matches(pattern, subject))
    }

    /// What its program breaks on the subjects it names, as bits.
    #[must_use]
    pub fn broken(&self) -> u32 {
        if self.kind == Invisible { 0 } else { bits(self.breaks) }
    }

    /// Whether it explains a violation of this invariant with this cause, on a subject that it names.
    #[must_use]
    pub fn excuses(&self, invariant: Invariant, cause: Cause) -> bool {
        self.causes.contains(&cause) && (self.breaks.contains(&invariant) || self.follows.contains(&invariant))
    }

    /// The patterns of its subjects, with the backends' short names.
    #[must_use]
    pub fn subjects_text(&self) -> String {
        self.subjects.join(" ").replace("powerpc64-", "").replace("x86_64-", "")
    }

    /// The invariants' ids.
    #[must_use]
    pub fn breaks_text(&self) -> String {
        ids(self.breaks)
    }

    /// All of it, as the list has it.
    #[must_use]
    pub fn described(&self) -> String {
        let would = if self.kind == Invisible { "would break" } else { "breaks" };
        let mut text = format!("{}: {} {}\n", self.name, would, ids(self.breaks));
        if !self.follows.is_empty() {
            let _ = writeln!(text, "  follows   {}, in some programs", ids(self.follows));
        }
        let conditions: Vec<_> = self.causes.iter().map(|cause| cause.text()).collect();
        if !conditions.is_empty() {
            let _ = writeln!(text, "  where     {}", conditions.join("; or "));
        }
        let _ = writeln!(text, "  subjects  {}", self.subjects.join(" "));
        let _ = writeln!(text, "  kind      {}", self.kind.text());
        let _ = writeln!(text, "  why       {}", self.why);
        if !self.workloads.is_empty() {
            let _ = writeln!(text, "  met by    {}", self.workloads.join(", "));
        }
        let entry = self.entry();
        let _ = writeln!(text, "  program   {}", entry.map(one_line).unwrap_or_default());
        for line in entry.map(Entry::about_lines).into_iter().flatten() {
            let _ = writeln!(text, "  {line}");
        }
        text
    }
}

/// A program in one line, without its comment.
fn one_line(entry: &Entry) -> String {
    let lines = entry.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("; ").replace("{; ", "{ ").replace("; }", " }")
}

fn ids(invariants: &[Invariant]) -> String {
    invariants.iter().map(|invariant| invariant.id()).collect::<Vec<_>>().join(" ")
}

/// Invariants as the bits of `Summary::broken`.
#[must_use]
pub fn bits(invariants: &[Invariant]) -> u32 {
    invariants.iter().fold(0, |bits, &invariant| bits | 1 << invariant as u32)
}

/// `stateless|token/sparc64*`, `counted/!x86_64-xen@*`: words with `|` between them for each half of the name. A star ends
/// a word and stands for any rest. With `!` before each word it is all others that are named.
#[must_use]
pub fn matches(pattern: &str, subject: &str) -> bool {
    match (pattern.split_once('/'), subject.split_once('/')) {
        (Some((generations, backends)), Some((generation, backend))) => {
            names(generations, generation) && names(backends, backend)
        }
        _ => false,
    }
}

fn names(pattern: &str, name: &str) -> bool {
    let is = |word: &str| word.strip_suffix('*').map_or(word == name, |start| name.starts_with(start));
    let mut words = pattern.split('|');
    if pattern.starts_with('!') { words.all(|word| !is(word.trim_start_matches('!'))) } else { words.any(is) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_subjects() {
        for (pattern, subject, matching) in [
            ("*/*", "counted/x86_64-xen@7.0", true),
            ("counted/x86_64-xen", "counted/x86_64-xen@7.0", false),
            ("counted/x86_64-xen*", "counted/x86_64-xen@7.0", true),
            ("stateless|token/aarch64|sparc64", "token/sparc64", true),
            ("stateless|token/aarch64|sparc64", "counted/sparc64", false),
            ("nesting-*/sparc64", "nesting-v4/sparc64", true),
            ("nesting-*/sparc64", "nesting-v4/sparc64-sun4v", false),
            ("counted/!x86_64-xen@*", "counted/x86_64-xen", true),
            ("counted/!x86_64-xen@*", "counted/x86_64-xen@7.0", false),
            ("counted/!none|!sparc64*", "counted/sparc64-sun4v", false),
            ("counted", "counted/none", false),
        ] {
            assert_eq!(matches(pattern, subject), matching, "{pattern}: {subject}");
        }
    }

    #[test]
    fn a_program_is_put_in_one_line() {
        let entry = Entry { name: "", text: "# about.\nenable between {\n  preempt T1\n}\ndisable\n", reviewed: None };
        assert_eq!(one_line(&entry), "enable between { preempt T1 }; disable");
    }
}
