//! Faults planted in a real kernel tree: each row of `tree/planted.toml` is one plausible mistake, put into a farm of links
//! to the tree that `LAZYMMU_TEST_TREE` names, and judged by the command itself, on the row's architecture alone.
//!
//! It prints a table: by what each fault was found, and how long that took from the edit to the verdict. A row that says
//! why it changes nothing must not be found; every other one must. `LAZYMMU_TEST_FAULTS` names rows, by parts of names or
//! architectures with commas between. What it is not: a copy of a kernel; a row has the few words that find a place, and those put there.
//!
//! Who calls it: `cargo test`, with the variable set. The table is in docs/judge.md.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lazy_mmu_engine::program::text::parse;
use lazy_mmu_harness::tree::farm::{self, Plan};

/// All rows.
#[derive(Debug, serde::Deserialize)]
struct Faults {
    fault: Vec<Fault>,
}

/// One mistake.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    arch: String,
    /// The page size that is judged, where the architecture has several: as `--pages` has it.
    #[serde(default = "usual_pages")]
    pages: String,
    /// From the tree's root.
    file: String,
    /// Texts that come before the place, in their order.
    #[serde(default)]
    after: Vec<String>,
    find: String,
    put: String,
    /// What must be among the findings: an invariant, or words of a crash; of a tree that is refused, words of the message.
    #[serde(default)]
    breaks: String,
    /// What the command ends with.
    #[serde(default = "broke")]
    exit: i32,
    /// Why nothing is found, where that is so.
    #[serde(default)]
    unseen: String,
}

fn broke() -> i32 {
    1
}

fn usual_pages() -> String {
    "64k".to_owned()
}

impl Fault {
    /// Whether the row is asked for.
    fn is_wanted(&self, wanted: &str) -> bool {
        wanted.split(',').any(|part| self.name.contains(part) || self.on().contains(part))
    }

    /// The architecture, with the page size where that is not the usual one.
    fn on(&self) -> String {
        if self.pages == usual_pages() { self.arch.clone() } else { format!("{}-{}", self.arch, self.pages) }
    }

    /// Whether the answer is as the row says.
    fn is_answered(&self, answer: &Answer) -> bool {
        match answer.code {
            Some(1) if self.exit == 1 => answer.findings.iter().any(|finding| finding.0.contains(&self.breaks)),
            Some(code) if !self.unseen.is_empty() => code == 0,
            code => code == Some(self.exit) && self.exit != 1 && answer.said.contains(&self.breaks),
        }
    }

    /// The cell of the table: the finding that the row foretells, with its size, and how many others there are.
    fn cell(&self, answer: &Answer) -> (String, usize) {
        let causes = |finding: &(String, usize)| {
            let size = finding.1;
            finding.0.split(", ").map(|cause| (cause.to_owned(), size)).collect::<Vec<_>>()
        };
        let all: Vec<(String, usize)> = answer.findings.iter().flat_map(causes).collect();
        let foretold = all.iter().find(|(cause, _)| cause.contains(&self.breaks)).or(all.first());
        match foretold {
            Some((cause, size)) if all.len() > 1 => (format!("{cause}; {} more", all.len() - 1), *size),
            Some(one) => one.clone(),
            None if self.unseen.is_empty() => (format!("exit {}", answer.code.unwrap_or(-1)), 0),
            None => (format!("nothing: {}", self.unseen), 0),
        }
    }

    /// The file with the mistake in it.
    fn edited(&self, text: &str) -> Option<String> {
        let mut from = 0;
        for word in &self.after {
            from += text[from..].find(word)? + word.len();
        }
        let at = from + text[from..].find(&self.find)?;
        Some(format!("{}{}{}", &text[..at], self.put, &text[at + self.find.len()..]))
    }
}

/// What the command answered.
struct Answer {
    code: Option<i32>,
    /// The titles of the findings, each with the number of operations of its smallest program.
    findings: Vec<(String, usize)>,
    seconds: f64,
    said: String,
}

fn judge(tree: &Path, arch: &str, pages: &str) -> Answer {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lazymmu"));
    command.args(["judge", "--target", arch, "--pages", pages]).arg(tree).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().expect("the command runs");
    let seconds = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let findings = said.split("\nFINDING ").skip(1).map(|finding| {
        let title = finding.lines().next().unwrap_or_default();
        let title = title.split_once(": ").map_or(title, |(_, title)| title);
        let program = finding.split_once("the smallest program, on ").and_then(|(_, rest)| rest.split_once("\n\n"));
        let program = program.and_then(|(_, rest)| rest.split("\n\n").next()).unwrap_or_default();
        (title.to_owned(), parse(program).map_or(0, |program| program.ops().len()))
    });
    let findings = findings.collect();
    let said = said + &String::from_utf8_lossy(&output.stderr);
    Answer { code: output.status.code(), findings, seconds, said }
}

/// The farm of an architecture and page size, with one file of the tree replaced.
fn farm(tree: &Path, on: &str, changed: Option<(&str, &str)>) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
    let (farm, copy) = (place.join(on), place.join(format!("{on}.edited")));
    fs::create_dir_all(&farm).expect("a folder");
    let mut plan = Plan::default();
    if let Some((file, text)) = changed {
        fs::write(&copy, text).expect("a file");
        plan.replace(file, copy);
    }
    farm::sync(tree, &farm, &plan).expect("a farm");
    farm
}

#[test]
fn planted_faults_are_found() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tree/planted.toml");
    let faults: Faults = toml::from_str(&fs::read_to_string(table).expect("the table")).expect("rows");
    for (n, fault) in faults.fault.iter().enumerate() {
        assert!(faults.fault[..n].iter().all(|other| other.name != fault.name), "{} is there twice", fault.name);
        assert_ne!(fault.breaks.is_empty(), fault.unseen.is_empty(), "{}: what breaks, or why nothing", fault.name);
    }
    let Some(tree) = std::env::var_os("LAZYMMU_TEST_TREE").map(PathBuf::from) else {
        eprintln!("skipped: LAZYMMU_TEST_TREE names no kernel tree");
        return;
    };
    let tree = tree.canonicalize().expect("a tree");
    let wanted = std::env::var("LAZYMMU_TEST_FAULTS").unwrap_or_default();
    let (mut wrong, mut warm) = (String::new(), Vec::new());
    println!("| fault | on | found by | operations | seconds |\n| --- | --- | --- | --- | --- |");
    for fault in faults.fault.iter().filter(|fault| fault.is_wanted(&wanted)) {
        let Fault { name, arch, pages, file, breaks, unseen, .. } = fault;
        let on = fault.on();
        if !warm.contains(&on) {
            let whole = judge(&farm(&tree, &on, None), arch, pages);
            assert_eq!(whole.code, Some(0), "{on}: the tree itself must hold\n{}", whole.said);
            warm.push(on.clone());
        }
        let Ok(text) = fs::read_to_string(tree.join(file)) else {
            let _ = writeln!(wrong, "{name}: the tree has no {file}");
            continue;
        };
        let Some(edited) = fault.edited(&text) else {
            let _ = writeln!(wrong, "{name}: {file} has no place for it");
            continue;
        };
        let answer = judge(&farm(&tree, &on, Some((file, &edited))), arch, pages);
        let (found, size) = fault.cell(&answer);
        println!("| {name} | {on} | {found} | {size} | {:.1} |", answer.seconds);
        if !fault.is_answered(&answer) {
            let titles = answer.findings.iter().map(|finding| finding.0.as_str()).collect::<Vec<_>>().join(", ");
            let _ = writeln!(wrong, "{name}: exit {:?}, {titles}; not {breaks}{unseen}", answer.code);
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted").join(format!("{name}.txt"));
            fs::write(&kept, &answer.said).expect("a file");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
