//! Promoted programs as files of the collection, and the run of cargo that makes their snapshots.
//!
//! Snapshots are made by the collection's own tests, which is where every other one comes from; `INSTA_UPDATE=unseen`
//! lets them write what has no snapshot yet, and changes none that was reviewed. Not here: which programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lazy_mmu_arches::backend::mix;
use lazy_mmu_engine::finding::report::wrapped;
use lazy_mmu_engine::program::{Program, bytes};
use lazy_mmu_engine::registry::SUBJECTS;

use super::FAMILY;
use super::select::Chosen;
use super::weigh::Scales;
use crate::error::{Error, Result};
use crate::{output, workspace};

/// Backends that a comment names.
const NAMED: usize = 4;

/// Columns of a comment.
const WIDTH: usize = 100;

/// Writes a program with a comment that says what it exercises, and yields where it is.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn program(
    programs: &Path,
    collection: &[(String, Program)],
    scales: &mut Scales,
    chosen: &Chosen,
) -> Result<PathBuf> {
    let kinds = scales.kinds(&chosen.program);
    // The kind that the fewest programs of the collection meet says most.
    let met: Vec<BTreeSet<&str>> = collection.iter().map(|(_, program)| scales.kinds(program)).collect();
    let rarest = kinds.iter().copied().min_by_key(|kind| met.iter().filter(|met| met.contains(kind)).count());
    let folder = programs.join(FAMILY);
    fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    let path = folder.join(format!("{}.lmm", slug(rarest.unwrap_or("calls"), &chosen.program)));
    output::file(&path, text(chosen, &kinds)).map_err(Error::io("write the program", &path))?;
    Ok(path)
}

/// A name that says something, and is no other program's.
fn slug(kind: &str, program: &Program) -> String {
    let digest = bytes::encode(program).iter().fold(0, |digest, &byte| mix(digest, byte.into()));
    format!("{}-{:04x}", kind.replace(' ', "-"), digest & 0xffff)
}

fn text(chosen: &Chosen, kinds: &BTreeSet<&str>) -> String {
    let Chosen { target, program, adds, on, legal } = chosen;
    let met =
        if kinds.is_empty() { "calls alone".to_owned() } else { Vec::from_iter(kinds.iter().copied()).join(", ") };
    let legal = if *legal { "legal" } else { "with a misuse or something left open" };
    let names: Vec<_> = on.iter().map(|&at| SUBJECTS[at].backend).collect();
    let on = match names.len() {
        0 => "all of generic code".to_owned(),
        1..=NAMED => format!("some on {} alone", names.join(", ")),
        n => format!("some on {n} backends alone"),
    };
    let about = format!(
        "From the corpus of {target}, {legal}: {met}. It added {adds} states of runs that no program here met before, {on}."
    );
    let mut text = String::new();
    for line in wrapped(&about, WIDTH - 2) {
        let _ = writeln!(text, "# {line}");
    }
    format!("{text}{program}")
}

/// The command that makes the snapshots of programs that have none.
#[must_use]
pub fn command(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--package", "lazy-mmu-snapshots", "--test", "it", "collection"]).current_dir(root);
    workspace::forget_outer_cargo(&mut command);
    command.env("INSTA_UPDATE", "unseen").env("INSTA_WORKSPACE_ROOT", root);
    command
}

/// Makes the snapshots.
///
/// # Errors
/// Cargo cannot be started, or a test of the collection fails.
pub fn snapshots(root: &Path) -> Result<()> {
    eprintln!("the snapshots are made: INSTA_UPDATE=unseen cargo test -p lazy-mmu-snapshots --test it collection");
    let output = command(root).output().map_err(Error::io("start", "cargo"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let tail: Vec<_> = said.lines().rev().take(30).collect();
    Err(Error::Broke {
        what: format!(
            "the collection's tests fail with the new programs:\n{}",
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        ),
        place: Some(root.join("snapshots/programs").join(FAMILY).display().to_string()),
        remedy: "see to what fails, or remove the programs that it names with their snapshots".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use lazy_mmu_engine::program::text::parse;

    use super::*;

    #[test]
    fn a_file_begins_with_what_it_is_about_and_is_the_program() {
        let program = parse("enable; irq { query }; disable").expect("a program");
        let mut chosen = Chosen { target: "contract", program, adds: 12, on: BTreeSet::new(), legal: true };
        let kinds = BTreeSet::from(["interrupts", "nested sections"]);
        let written = text(&chosen, &kinds);
        assert!(written.starts_with("# From the corpus of contract, legal: interrupts, nested sections. It added"));
        assert_eq!(parse(&written).expect("a program"), chosen.program);
        let comment: Vec<_> = written.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(comment.last().is_some_and(|line| line.ends_with('.')), "{written}");
        assert!(comment.iter().all(|line| line.len() <= WIDTH), "{written}");
        assert!(written.replace("\n# ", " ").contains("met before, all of generic code.\n"), "{written}");
        (chosen.legal, chosen.on) = (false, BTreeSet::from([0]));
        assert!(text(&chosen, &kinds).replace("\n# ", " ").contains("some on aarch64 alone.\n"));
        assert!(text(&chosen, &BTreeSet::new()).contains("left open: calls alone."));
    }

    #[test]
    fn names_say_what_and_differ() {
        let of = |text: &str| slug("pages freed", &parse(text).expect("a program"));
        let name = of("enable; disable");
        assert!(name.starts_with("pages-freed-") && name.len() == 16, "{name}");
        assert_eq!(name, of("enable\ndisable"));
        assert_ne!(name, of("enable; pause"));
    }
}
