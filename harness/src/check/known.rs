//! The known findings in what `check` prints: which of them the collection still shows, and in how many runs.
//!
//! Not here: the findings ([`lazy_mmu_snapshots::known`]), nor any verdict on what no finding explains, which fails where
//! it is found. Called by [`super::expected`], which counts, and by the report for people.

use std::fmt::Write as _;

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{CUT, MISUSED, Runner};
use lazy_mmu_engine::wire::Summary;
use lazy_mmu_snapshots::known::{self, Finding, KNOWN, Kind};

/// For each finding, in how many runs of the collection it explains something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    runs: [usize; KNOWN.len()],
}

impl Default for Shown {
    fn default() -> Self {
        Shown { runs: [0; KNOWN.len()] }
    }
}

impl Shown {
    /// Counts a program's runs, one on each subject: where a summary says that something broke, the program runs again and
    /// each violation is judged.
    pub fn add(&mut self, runner: &mut Runner, program: &Program, summaries: &[Summary]) {
        for (at, summary) in summaries.iter().enumerate().take(SUBJECTS.len()) {
            if summary.broken & !(MISUSED | CUT) == 0 {
                continue;
            }
            let explained: Vec<_> = known::judged(runner, at, program).into_iter().filter_map(|(_, by)| by).collect();
            for (finding, runs) in KNOWN.iter().zip(&mut self.runs) {
                *runs += usize::from(explained.iter().any(|by| by.name == finding.name));
            }
        }
    }

    /// How many runs show each.
    pub fn counts(&self) -> impl Iterator<Item = (&'static Finding, usize)> {
        KNOWN.iter().zip(self.runs)
    }

    /// The findings that no run shows, though they say that one does.
    pub fn missing(&self) -> impl Iterator<Item = &'static Finding> {
        let none = self.counts().filter(|(_, runs)| *runs == 0).map(|(finding, _)| finding);
        none.filter(|finding| finding.kind != Kind::Invisible)
    }

    /// A line for each, and how to see one.
    #[must_use]
    pub fn render(&self) -> String {
        let n = KNOWN.len();
        let mut text = format!(
            "known: {n} findings on faithful subjects (docs/architecture.md), each with the runs that it explains\n"
        );
        let width = KNOWN.iter().map(|finding| finding.name.len()).max().unwrap_or_default();
        for (finding, runs) in self.counts() {
            let shown = if runs > 0 { format!("{runs} runs") } else { finding.kind.text().to_owned() };
            let (name, breaks, subjects) = (finding.name, finding.breaks_text(), finding.subjects_text());
            let _ = writeln!(text, "  {name:<width$}  {breaks:<16}  {subjects}: {shown}");
        }
        if let Some((finding, subject)) = KNOWN.first().and_then(|finding| Some((finding, example(finding)?))) {
            let _ = writeln!(text, "  see one: cargo lazymmu run known/{} --subject {subject}", finding.name);
        }
        text
    }
}

/// A subject that shows the finding.
fn example(finding: &Finding) -> Option<&'static str> {
    SUBJECTS.iter().map(|subject| subject.name).find(|name| finding.is_on(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lazy_mmu_engine::program::text::parse;
    use lazy_mmu_engine::subject::Port;

    #[test]
    fn a_run_is_counted_where_a_finding_explains_what_broke() {
        let finding = &KNOWN[0];
        let (mut runner, mut shown) = (Runner::new(), Shown::default());
        let mut add = |shown: &mut Shown, program: &str| {
            let program = parse(program).expect("a program");
            let summary = |at| runner.summary(at, Port::Model, &program);
            let summaries: Vec<_> = (0..SUBJECTS.len()).map(summary).collect();
            shown.add(&mut runner, &program, &summaries);
        };
        assert!(shown.missing().any(|missing| missing.name == finding.name));
        add(&mut shown, "enable; set K 0; disable");
        assert_eq!(shown, Shown::default(), "nothing broke");
        add(&mut shown, "pause");
        assert!(shown.missing().any(|missing| missing.name == finding.name), "another finding");
        add(&mut shown, finding.entry().expect("its program").text);
        assert!(shown.missing().all(|missing| missing.name != finding.name));
        assert!(shown.missing().all(|missing| missing.kind != Kind::Invisible));
    }

    #[test]
    fn there_is_a_line_for_each_and_it_is_short() {
        let text = Shown { runs: [999; KNOWN.len()] }.render();
        assert_eq!(text.lines().count(), KNOWN.len() + 2);
        text.lines().for_each(|line| assert!(line.len() <= 110, "{}: {line}", line.len()));
        assert!(text.ends_with(" --subject stateless/aarch64\n"), "{text}");
    }
}
