//! What a judged tree comes to, for people: the matrix, findings with their timelines, what is known, where our Rust
//! differs, and a line for a commit message.
//!
//! Not here: the forms for machines, which [`super::render`] makes of the same data. Called by `lazymmu judge`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::trace::counted;
use lazy_mmu_snapshots::known::KNOWN;
use lazy_mmu_snapshots::known::tree::OF_TREES;

use super::differences::{Difference, OFTEN, explained};
use super::findings::{Finding, names};
use super::material::Item;
use super::run::{Found, Result};
use super::{Counts, Form, Judged, Outcome, Row, Suite};
use crate::error::{Error, Exit};
use crate::table;
use crate::target::Target;
use crate::tree::tools::Compiler;
use crate::tree::{Api, Source, pages};

/// Findings that are shown; more of them are counted.
const SHOWN: usize = 10;

/// A tree, judged on every target.
#[derive(Debug)]
pub struct Report {
    /// The tree's path as it was given, for commands to paste.
    pub path: String,
    /// Who compiled it.
    pub compiler: Compiler,
    /// `7.2.13+3 patches`
    pub release: String,
    /// Its API.
    pub api: Api,
    /// A row for each target.
    pub rows: Vec<Row>,
    /// What breaks, merged and ranked.
    pub findings: Vec<Finding>,
    /// What is known and was met.
    pub known: BTreeMap<String, Found>,
    /// Where events are not our Rust's.
    pub differences: Vec<Difference>,
    /// Corrections of our Rust that matter, by name: on which forms, in how many programs of each.
    pub corrected: BTreeMap<&'static str, Vec<(String, u64)>>,
}

impl Report {
    /// Of what came of each target.
    #[must_use]
    pub fn new(source: &Source, path: String, compiler: Compiler, done: (Vec<Row>, Vec<Result>)) -> Report {
        let (rows, results) = done;
        let (mut findings, mut known, mut differences) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut corrected = BTreeMap::new();
        for result in results {
            findings.extend(result.findings);
            for (form, found) in result.differences {
                differences.extend(found.kinds);
                for (name, runs) in found.corrected {
                    corrected.entry(name).or_insert_with(Vec::new).push((form.clone(), runs));
                }
            }
            for (name, found) in result.known {
                known.entry(name).or_insert(found);
            }
        }
        Report {
            path,
            compiler,
            release: source.describe(),
            api: source.facts().api,
            rows,
            findings: super::findings::merged(findings),
            known,
            differences: super::differences::merged(differences),
            corrected,
        }
    }

    /// Every form that ran.
    pub fn judged(&self) -> impl Iterator<Item = (Target, &Judged)> {
        self.rows.iter().flat_map(|row| {
            let judged: &[Judged] = if let Outcome::Ran(judged, _) = &row.outcome { judged } else { &[] };
            judged.iter().map(|judged| (row.target, judged))
        })
    }

    /// How many programs ran, on all subjects together.
    #[must_use]
    pub fn programs(&self) -> u64 {
        self.judged().map(|(_, judged)| judged.total().ran).sum()
    }

    /// What the command ends with. A finding outweighs a target that could not run and a form that is not proven; neither
    /// of these two is success.
    #[must_use]
    pub fn exit(&self, is_strict: bool, is_old: impl Fn(&Finding) -> bool) -> Exit {
        let differs = || self.differences.iter().any(|difference| difference.row.is_none());
        let new = self.findings.iter().any(|finding| is_strict || !is_old(finding));
        if new || is_strict && (!self.known.is_empty() || differs()) {
            return Exit::Broke;
        }
        let of_row = |row: &Row| match &row.outcome {
            // What the exit code forgives in a form that is not proven is no proof of it either.
            Outcome::Ran(judged, _) if judged.iter().any(|judged| !judged.form.unproven.is_empty()) => {
                Exit::Environment
            }
            Outcome::Ran(..) => Exit::Holds,
            Outcome::Skipped(_) | Outcome::Unknown(_) => Exit::Environment,
            Outcome::Refused(error) => error.exit(),
        };
        self.rows.iter().map(of_row).max().unwrap_or(Exit::Environment)
    }

    /// The matrix: a line for each subject.
    #[must_use]
    pub fn matrix(&self) -> String {
        let heading = ["target", "subject"].into_iter().chain(Suite::ALL.map(Suite::name));
        let mut rows = vec![heading.chain(["our Rust", "state"]).map(str::to_owned).collect::<Vec<_>>()];
        for row in &self.rows {
            let name = row.recipe.name.to_owned();
            match &row.outcome {
                Outcome::Ran(judged, _) => rows.extend(judged.iter().map(|judged| line(&name, judged))),
                Outcome::Skipped(_) => rows.push(without(&name, "SKIPPED")),
                Outcome::Refused(_) => rows.push(without(&name, "REFUSED")),
                Outcome::Unknown(_) => rows.push(without(&name, "UNKNOWN")),
            }
        }
        table::render(&rows)
    }

    /// The whole report but its last line.
    #[must_use]
    pub fn text(&self, items: &[Item], is_verbose: bool) -> String {
        let mut text =
            format!("{}: Linux {}, the {} API\n\n{}\n", self.path, self.release, self.api.name(), self.matrix());
        for row in &self.rows {
            let _ = match &row.outcome {
                Outcome::Ran(judged, how) => {
                    writeln!(text, "{}: {how}{}", row.recipe.name, judged.iter().map(unknown).collect::<String>())
                }
                Outcome::Skipped(missing) => writeln!(
                    text,
                    "{}: SKIPPED: {missing}\n  why: {}\n  to do: {}",
                    row.recipe.name, missing.why, missing.remedy
                ),
                Outcome::Refused(error) => {
                    writeln!(text, "{}: {}", row.recipe.name, Error::from(error.clone()).render())
                }
                Outcome::Unknown(what) => writeln!(text, "{}: {what}", row.recipe.name),
            };
        }
        self.pages(&mut text);
        self.left_out(&mut text, items);
        self.findings(&mut text);
        self.known(&mut text, items);
        self.differences(&mut text, is_verbose);
        text
    }

    /// The page sizes that were judged where there are several, and those that were not looked at.
    fn pages(&self, text: &mut String) {
        let asked_for: Vec<_> = self.rows.iter().map(|row| row.recipe).collect();
        for target in Target::ALL.into_iter().filter(|&target| self.rows.iter().any(|row| row.target == target)) {
            let judged = self.rows.iter().filter(|row| row.target == target && has_run(row));
            let judged: Vec<&str> = judged.filter_map(|row| row.recipe.pages).collect();
            let left_out = pages::left_out(target, &asked_for);
            let judged = (!judged.is_empty()).then(|| format!("judged with pages of {}", judged.join(" and ")));
            let left_out = (!left_out.is_empty())
                .then(|| format!("pages of {} were not looked at (--pages all)", left_out.join(" and ")));
            let said: Vec<String> = judged.into_iter().chain(left_out).collect();
            if !said.is_empty() {
                let _ = writeln!(text, "{}: {}", target.short(), said.join("; "));
            }
        }
    }

    /// What the profile does not run on every form.
    fn left_out(&self, text: &mut String, items: &[Item]) {
        let workloads = || items.iter().filter(|item| item.suite == Suite::Workloads);
        let count = |judged: &Judged| workloads().filter(|item| item.except.contains(&judged.form.mmu)).count();
        let mut forms: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (_, judged) in self.judged() {
            forms.entry(count(judged)).or_default().push(&judged.form.name);
        }
        for (count, forms) in forms.into_iter().filter(|&(count, _)| count > 0) {
            let forms = forms.join(", ");
            let _ = writeln!(
                text,
                "{count} workloads are not run on {forms}: a longer range fills the same batch again (--profile full runs them)"
            );
        }
    }

    fn findings(&self, text: &mut String) {
        for (n, finding) in self.findings.iter().take(SHOWN).enumerate() {
            let replay = self.replay(&finding.program, &finding.shown_on);
            let _ = write!(text, "\nFINDING {}: {}\n{}", n + 1, finding.title(), finding.detail());
            for message in self.unproven(&finding.subjects) {
                let _ = writeln!(text, "note: not proven of {message}");
            }
            let _ = writeln!(text, "replay: {replay}");
        }
        if let Some(more) = self.findings.len().checked_sub(SHOWN).filter(|&more| more > 0) {
            let _ = writeln!(text, "\nand {more} more, with larger programs");
        }
    }

    /// What the subjects of a finding did not prove.
    fn unproven(&self, subjects: &BTreeSet<(Target, String)>) -> Vec<String> {
        let shown = |(target, judged): &(Target, &Judged)| subjects.contains(&(*target, judged.form.name.clone()));
        let messages = |(_, judged): (Target, &Judged)| {
            let name = judged.form.name.clone();
            judged.form.unproven.clone().into_iter().map(move |message| format!("{name}: {message}"))
        };
        self.judged().filter(shown).flat_map(messages).collect()
    }

    /// The command that shows a program again, pasted as it is.
    #[must_use]
    pub fn replay(&self, program: &Program, (_, subject): &(Target, String)) -> String {
        let text = program.to_string().trim_end().replace('\n', "; ").replace("{;", "{").replace("; }", " }");
        format!(
            "printf '%s' '{text}' | cargo lazymmu run - --tree {} --subject {subject}{}",
            crate::show::quoted(&self.path),
            self.llvm()
        )
    }

    /// What a command says further of the compiler.
    fn llvm(&self) -> &'static str {
        if self.compiler == Compiler::Clang { " --llvm" } else { "" }
    }

    fn known(&self, text: &mut String, items: &[Item]) {
        if self.known.is_empty() {
            return;
        }
        let _ = writeln!(text, "\nknown of this kernel: {}", counted(self.known.len() as u64, ["finding", "findings"]));
        for (name, found) in &self.known {
            let about = why(name);
            let program = items.get(found.item).map_or(String::new(), |item| item.name.clone());
            let _ = writeln!(text, "  {name}: {about}\n    shown by {program} on {}", found.form);
            let of_collection = |item: &&Item| matches!(item.suite, Suite::Programs | Suite::Kunit);
            if let Some(Item { name, .. }) = items.get(found.item).filter(of_collection) {
                let path = crate::show::quoted(&self.path);
                let (form, llvm) = (&found.form, self.llvm());
                let _ = writeln!(text, "    see it: cargo lazymmu run {name} --tree {path} --subject {form}{llvm}");
            }
        }
    }

    fn differences(&self, text: &mut String, is_verbose: bool) {
        let without_twin: Vec<&str> = self
            .judged()
            .filter(|(_, judged)| judged.form.twin.is_none())
            .map(|(_, judged)| judged.form.name.as_str())
            .collect();
        if !without_twin.is_empty() {
            let _ = writeln!(
                text,
                "\nthe contract alone judges {}: no Rust of ours is of its kind",
                without_twin.join(", ")
            );
        }
        self.unexplained(text, is_verbose);
        self.explained(text, is_verbose);
    }

    fn unexplained(&self, text: &mut String, is_verbose: bool) {
        let unexplained: Vec<&Difference> = self.differences.iter().filter(|kind| kind.row.is_none()).collect();
        if unexplained.is_empty() {
            return;
        }
        let kinds = counted(unexplained.len() as u64, ["kind", "kinds"]);
        let _ = writeln!(text, "\nour Rust does something else, unexplained, in {kinds} (docs/judge.md):");
        let shown = if is_verbose { usize::MAX } else { SHOWN };
        for difference in unexplained.iter().take(shown) {
            let Difference { is_generic, behind, ours, theirs, subjects, runs, program, place, .. } = difference;
            let class = if *is_generic { "generic" } else { "architecture" };
            let runs = counted(*runs, ["run", "runs"]);
            let _ = writeln!(text, "  {class}, {runs} on {}, at `{behind}`:", names(subjects));
            let _ = writeln!(
                text,
                "    ours:   {ours}\n    theirs: {theirs}\n{}",
                indented(&format!("{program}\n{place}"))
            );
        }
        if let Some(more) = unexplained.len().checked_sub(shown).filter(|&more| more > 0) {
            let _ = writeln!(text, "  and {more} more kinds; --verbose shows all");
        }
    }

    /// Explained differences: each row of the table that was met.
    fn explained(&self, text: &mut String, is_verbose: bool) {
        let mut lines = String::new();
        for row in self.corrected.keys().filter_map(|name| explained::of_correction(name)) {
            let counted = |(form, runs): &(String, u64)| match *runs {
                OFTEN.. => format!("{OFTEN} runs or more on {form}"),
                runs => format!("{} on {form}", counted(runs, ["run", "runs"])),
            };
            let forms = self.corrected[row.name].iter().map(counted);
            let _ = write!(
                lines,
                "{}",
                entry(row, &format!("{}; corrected in our Rust", forms.collect::<Vec<_>>().join(", ")))
            );
        }
        let mut rows: BTreeMap<&str, (&explained::Row, Vec<&Difference>)> = BTreeMap::new();
        for difference in &self.differences {
            if let Some(row) = difference.row {
                rows.entry(row.name).or_insert((row, Vec::new())).1.push(difference);
            }
        }
        for (row, kinds) in rows.values() {
            let subjects: BTreeSet<_> = kinds.iter().flat_map(|kind| kind.subjects.iter().cloned()).collect();
            let runs = counted(kinds.iter().map(|kind| kind.runs).sum::<u64>(), ["run", "runs"]);
            let many = counted(kinds.len() as u64, ["kind", "kinds"]);
            let _ = write!(lines, "{}", entry(row, &format!("{many} in {runs} on {}", names(&subjects))));
            for Difference { behind, ours, theirs, runs, .. } in kinds.iter().filter(|_| is_verbose) {
                let _ = writeln!(lines, "    {runs} at `{behind}`\n      ours:   {ours}\n      theirs: {theirs}");
            }
        }
        if !lines.is_empty() {
            let _ = write!(
                text,
                "\nour Rust does something else, explained (no verdict rests on it; docs/judge.md):\n{lines}"
            );
        }
    }

    /// The line for a commit message.
    #[must_use]
    pub fn conclusion(&self, exit: Exit) -> String {
        let ran: Vec<&str> = self.rows.iter().filter(|row| has_run(row)).map(|row| row.recipe.name).collect();
        let left_out = self.rows.len() - ran.len();
        let unknown: Vec<&str> = self
            .judged()
            .filter(|(_, judged)| judged.is_unknown())
            .map(|(_, judged)| judged.form.name.as_str())
            .collect();
        let mut verdict = match exit {
            Exit::Broke => counted(self.findings.len() as u64, ["finding", "findings"]),
            _ if ran.is_empty() => "nothing ran".to_owned(),
            _ if unknown.len() == self.judged().count() => "nothing is known".to_owned(),
            _ => "holds".to_owned(),
        };
        if left_out > 0 && !ran.is_empty() {
            verdict.push_str(&format!("; {left_out} not judged"));
        }
        if !unknown.is_empty() {
            verdict.push_str(&format!("; unknown: {}", unknown.join(" ")));
        }
        let programs = self.programs();
        let known = if self.known.is_empty() {
            String::new()
        } else {
            format!(", known: {}", self.known.keys().cloned().collect::<Vec<_>>().join(" "))
        };
        let version = env!("CARGO_PKG_VERSION");
        let targets = ran.join(" ");
        let release = &self.release;
        format!("lazymmu judge: {targets}: {verdict} ({release}, {programs} programs{known}, lazymmu {version})")
    }
}

/// Whether any form ran.
fn has_run(row: &Row) -> bool {
    matches!(&row.outcome, Outcome::Ran(judged, _) if !judged.is_empty())
}

/// Why a known finding, or a cause that only trees have, breaks the contract; empty for no known name.
#[must_use]
pub fn why(name: &str) -> &'static str {
    let of_tree = || OF_TREES.iter().find(|cause| cause.0 == name).map_or("", |cause| cause.1);
    KNOWN.iter().find(|finding| finding.name == name).map_or_else(of_tree, |finding| finding.why)
}

/// What a subject's own runs come to, in a word for reports of every form.
#[must_use]
pub fn state(judged: &Judged) -> &'static str {
    match judged.total().failed {
        _ if judged.is_unknown() => "unknown",
        0 => "ok",
        _ => "failed",
    }
}

fn line(target: &str, judged: &Judged) -> Vec<String> {
    let cell = |counts: &Counts| match counts.failed {
        0 => counts.ran.to_string(),
        failed => format!("{failed} of {} FAILED", counts.ran),
    };
    let total = judged.total();
    let twin = match (judged.form.twin, judged.unexplained, total.other_generic + total.other_events) {
        (None, ..) => "none".to_owned(),
        (_, 0, 0) => "same".to_owned(),
        (_, 0, _) => "explained".to_owned(),
        (_, unexplained, _) => format!("{unexplained} unexplained"),
    };
    let state = match (state(judged), total.known) {
        ("ok", 0) => "ok".to_owned(),
        ("ok", known) => format!("ok, {known} known"),
        (state, _) => state.to_uppercase(),
    };
    let first = [target.to_owned(), judged.form.name.clone()];
    first.into_iter().chain(judged.counts.iter().map(cell)).chain([twin, state]).collect()
}

/// What a form without a verdict did not prove, on lines of its own.
fn unknown(judged: &Judged) -> String {
    if !judged.is_unknown() {
        return String::new();
    }
    let Form { name, unproven, .. } = &judged.form;
    let line = |message: &String| format!("\n  {name}: UNKNOWN: this tree's shape is unknown: {message}");
    unproven.iter().map(line).collect()
}

fn without(target: &str, state: &str) -> Vec<String> {
    let cells = Suite::ALL.map(|_| "-".to_owned());
    [target.to_owned(), "-".to_owned()].into_iter().chain(cells).chain(["-".to_owned(), state.to_owned()]).collect()
}

/// A row of the table that was met.
fn entry(row: &explained::Row, runs: &str) -> String {
    let explained::Row { name, class, reason, source, .. } = row;
    format!("  {name} ({}): {runs}\n    {reason}\n    {source}\n", class.name())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
