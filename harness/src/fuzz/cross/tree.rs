//! A target with a kernel tree's C: entries run on its subjects there, and are judged as `lazymmu judge` judges programs.
//!
//! What nothing known explains is a finding, by its cause, with the smallest program; so is what crashes. Generic events that
//! are not our Rust's are counted and shown by kind: no verdict rests on them. Not here: running, causes, minimising
//! ([`crate::judge`]); which entries ([`super`]).

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::lane::{Compare, Entry};
use super::{Compared, Feed, Kept};
use crate::agent::{Agent, AgentError};
use crate::error::Result;
use crate::fuzz::found;
use crate::judge::differences::{self, Difference};
use crate::judge::findings::{self, Finding, What};
use crate::judge::material::{Item, Twins};
use crate::judge::run::{self, Asked};
use crate::judge::start::{self, Built};
use crate::judge::{Form, Suite};
use crate::show::quoted;
use crate::target::Target;
use crate::tree::Source;

/// What came of the runs on a tree's subjects besides what breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The subjects.
    pub subjects: Vec<String>,
    /// Runs that show a known finding and nothing else.
    pub known: u64,
    /// Runs whose generic events are not our Rust's.
    pub generic: u64,
    /// How those differ, a line for each kind.
    pub notes: Vec<String>,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judged { subjects, known, generic, .. } = self;
        let subjects = subjects.join(" ");
        write!(f, "{subjects}: {known} show known findings, {generic} have other generic events than our Rust")
    }
}

/// A tree's C on one target.
#[derive(Debug)]
pub struct Tree {
    agent: Agent,
    forms: Vec<Form>,
    /// The tree's path, as a command has it, and its release.
    path: String,
    release: String,
}

impl Tree {
    /// Starts what was built.
    ///
    /// # Errors
    /// It does not start, or has no such subject.
    pub fn start(built: &Built, source: &Source, path: &Path, subject: Option<&str>) -> Result<Tree> {
        let (agent, forms) = built.start().map_err(|error| start::died(&error))?;
        let forms = match subject {
            Some(name) => vec![start::form_of(&forms, name, path)?],
            None => forms,
        };
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Tree { agent, forms, path: quoted(&path.to_string_lossy()), release: source.describe() })
    }

    /// A fuzz target begins.
    pub(super) fn begin<'l>(&'l mut self, target: Target, feed: &'l Feed, compared: &mut Compared) -> Run<'l> {
        let subjects = self.forms.iter().map(|form| form.name.clone()).collect();
        compared.judged = Some(Judged { subjects, ..Judged::default() });
        Run { tree: self, target, feed, met: BTreeSet::new(), kinds: Vec::new() }
    }
}

/// A tree's C while one fuzz target runs.
pub(super) struct Run<'l> {
    tree: &'l mut Tree,
    target: Target,
    feed: &'l Feed,
    /// Causes and crashes so far: a second one says nothing new.
    met: BTreeSet<What>,
    /// Kinds of generic differences so far.
    kinds: Vec<Difference>,
}

impl Compare for Run<'_> {
    fn compare(
        &mut self,
        entries: &[Arc<Entry>],
        tell: &Sender<Result<Kept>>,
        compared: &mut Compared,
    ) -> Result<(), AgentError> {
        let item = |entry: &Arc<Entry>| Item::new(Suite::Generated, "corpus".to_owned(), entry.program.clone());
        let items: Vec<Item> = entries.iter().map(item).collect();
        let twins = Twins::new(&items);
        let mut sum = compared.judged.take().unwrap_or_default();
        for form in self.tree.forms.clone() {
            let agent = &mut self.tree.agent;
            let (judged, broke, mut differ) = run::form(agent, &form, &items, &twins)?;
            let total = judged.total();
            compared.runs += total.ran;
            compared.differences += total.failed;
            sum.known += total.known;
            sum.generic += total.other_generic;
            let asked = &mut Asked { agent };
            differ.retain(|differs| differs.is_generic);
            let kinds = differences::of_form(asked, self.target, &form, &items, &differ)?;
            let found = findings::of_form(asked, self.target, &form, &items, &broke, &self.met)?;
            self.kinds = differences::merged(std::mem::take(&mut self.kinds).into_iter().chain(kinds.kinds).collect());
            for finding in found {
                self.met.extend(finding.what.iter().cloned());
                // The receiver goes last.
                let _ = tell.send(self.keep(&finding, &form));
            }
        }
        sum.notes = self.kinds.iter().map(note).collect();
        compared.judged = Some(sum);
        Ok(())
    }
}

impl Run<'_> {
    fn keep(&self, finding: &Finding, form: &Form) -> Result<Kept> {
        let slug = slug(&self.tree.release, form, finding);
        let folder = self.feed.findings.join(&slug);
        let Finding { program, text, timeline, .. } = finding;
        let (title, path, release) = (finding.title(), &self.tree.path, &self.tree.release);
        let about = format!("# {title}, on {} of Linux {release}\n{program}", form.name);
        let file = quoted(&folder.join("program.lmm").to_string_lossy());
        let report = format!(
            "finding: {slug}\n\nAn entry of the corpus of {} breaks {} of {path} (Linux {release}), on {}:\n{title}: {text}\n\n\
             program:\n\n{program}\n{timeline}\nreplay:\n  cargo lazymmu run {file} --tree {path} --subject {}\n",
            self.feed.target.name, form.name, self.target, form.name
        );
        found::put(&folder, &report, &[("program.lmm", about.as_bytes())])
    }
}

/// What makes two findings one: `tree-xen-7.2.13-I3-disable`.
fn slug(release: &str, form: &Form, finding: &Finding) -> String {
    let what = finding.what.iter().next().map_or_else(String::new, |what| match what {
        What::Breaks(cause) => format!("{}-{}", cause.invariant.id(), cause.op),
        What::Crashes(message) => format!("crash-{message}"),
    });
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    format!("{}-{release}-{what}", form.name).chars().map(plain).take(100).collect()
}

fn note(kind: &Difference) -> String {
    let Difference { ours, theirs, program, .. } = kind;
    let program = program.to_string().trim_end().replace('\n', "; ");
    format!("our Rust does something else: ours `{ours}`, the tree's `{theirs}`, of `{program}`")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use lazy_mmu_arches::mmu::Mmu;
    use lazy_mmu_engine::contract::Invariant;
    use lazy_mmu_engine::fuzz;
    use lazy_mmu_engine::program::Program;
    use lazy_mmu_engine::program::text::parse;

    use super::*;
    use crate::agent::testing::{MORTAL, pretender};
    use crate::judge::Cause;
    use crate::tree::testing::Folder;

    /// Entries are judged on the subject; one that crashes is a finding, once, with its program and the command.
    #[test]
    fn what_crashes_is_kept_once() {
        let folder = Folder::new("cross tree");
        let form = Form { index: 40, name: "tree/xen".to_owned(), twin: None, mmu: Mmu::Xen, unproven: Vec::new() };
        let agent = pretender(MORTAL).with_patience(std::time::Duration::from_secs(60));
        let mut tree = Tree { agent, forms: vec![form], path: "'a tree'".to_owned(), release: "7.2.13".to_owned() };
        let target = fuzz::find("contract").expect("a target");
        let feed = Feed { target, only: None, corpora: Vec::new(), findings: folder.path().to_owned() };
        let mut compared = Compared::new(Target::X86_64, Ok("natively".to_owned()));
        let (tell, found) = mpsc::channel();
        let entry = |text: &str| {
            let program = parse(text).expect("a program");
            Arc::new(Entry { data: Vec::new(), program, subjects: Vec::new() })
        };
        let entries = ["enable; disable", "enable; set U 99; disable", "set U 99"].map(entry);
        let mut run = tree.begin(Target::X86_64, &feed, &mut compared);
        for _ in 0..2 {
            run.compare(&entries, &tell, &mut compared).expect("it goes on");
        }
        drop((run, tell));
        let kept: Vec<Kept> = found.iter().map(|kept| kept.expect("it is kept")).collect();
        assert_eq!((kept.len(), compared.runs, compared.differences), (1, 6, 4), "{kept:?}");
        let read = |name: &str| fs::read_to_string(kept[0].0.join(name)).expect(name);
        assert!(read("program.lmm").ends_with("\nset U 99\n"), "{}", read("program.lmm"));
        let report = read("report.txt");
        assert!(report.contains("breaks tree/xen of 'a tree' (Linux 7.2.13)"), "{report}");
        assert!(report.trim_end().ends_with("--tree 'a tree' --subject tree/xen"), "{report}");
        assert_eq!(
            compared.to_string(),
            "cross x86_64 (natively): 0 entries judged in 6 runs on tree/xen: 0 show known findings, 0 have other generic \
             events than our Rust, 4 break what is not known"
        );
    }

    #[test]
    fn a_finding_has_a_folders_name() {
        let form = Form { index: 0, name: "tree/xen".to_owned(), twin: None, mmu: Mmu::Xen, unproven: Vec::new() };
        let cause = Cause { invariant: Invariant::I3, op: "disable".to_owned() };
        let crash = "signal 11 at address 0x0: a wild access, in set_ptes";
        for (what, name) in [
            (What::Breaks(cause), "tree-xen-7.2.13-3-patches-I3-disable"),
            (
                What::Crashes(crash.to_owned()),
                "tree-xen-7.2.13-3-patches-crash-signal-11-at-address-0x0--a-wild-access--in-set_ptes",
            ),
        ] {
            let finding = Finding {
                what: BTreeSet::from([what]),
                subjects: BTreeSet::new(),
                runs: 1,
                program: Program::default(),
                misuses: false,
                shown_on: (Target::X86_64, form.name.clone()),
                text: String::new(),
                place: None,
                timeline: String::new(),
            };
            assert_eq!(slug("7.2.13+3 patches", &form, &finding), name);
        }
    }
}
