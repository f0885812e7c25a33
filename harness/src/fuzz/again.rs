//! One input again, as a person asks for it: the bytes of a target, a program's text, or a finding's folder.
//!
//! A program's text has no byte that chooses its subject. The subject is the one that `--subject` names, else the one that
//! the finding's report beside it names, else all that the target runs.
//!
//! Not here: judging and minimising ([`super::found`]). Called by `lazymmu fuzz --replay`.

use std::fs;
use std::path::{Path, PathBuf};

use lazy_mmu_engine::finding::Suspect;
use lazy_mmu_engine::fuzz::{Description, Input, LIMIT};
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::text::parse_bytes;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::Runner;

use super::found::{Look, look};
use crate::error::{Error, Exit, Result};

/// Judges an input again and prints what is found.
///
/// # Errors
/// It cannot be read, or a program's text is none.
pub fn replay(target: &'static Description, subject: Option<&'static str>, path: &Path) -> Result<Exit> {
    let file = file(path)?;
    let data = fs::read(&file).map_err(Error::io("read the input", &file))?;
    let Some(program) = program(target, &file, &data)? else {
        return said(target, &file.display().to_string(), look(target, subject, &data)?);
    };
    let place = format!("the program {}", file.display());
    let named = subject.or_else(|| reported(&file));
    let one = named.is_some() || target.input == Input::Program(0);
    let choices = if one { 0..1 } else { 0..SUBJECTS.len() as u8 };
    let (mut exit, mut seen) = (Exit::Holds, Vec::new());
    for choice in choices {
        let found = look(target, named, &target.input.join(&[choice], &program))?;
        // A target that chooses among fewer subjects comes to each more than once.
        if found != Look::Nothing && !seen.contains(&found) {
            seen.push(found.clone());
            exit = exit.worse(said(target, &place, found)?);
        }
    }
    if exit != Exit::Holds {
        return Ok(exit);
    }
    let on = named.map_or_else(|| "every subject that the target runs".to_owned(), str::to_owned);
    outln!("{}: nothing is found in {place}, on {on}", target.name)?;
    match in_part(named, &program) {
        Some(part) => {
            outln!("judged in part: {part}")?;
            Ok(Exit::InPart)
        }
        None => Ok(Exit::Holds),
    }
}

/// What is not judged of a program by a fuzz target, whose runs are short: on the subject named, or on the first of all on
/// which something is not.
fn in_part(named: Option<&str>, program: &Program) -> Option<String> {
    let mut runner = Runner::new();
    runner.set_limit(LIMIT);
    let names = SUBJECTS.iter().map(|subject| subject.name).filter(|name| named.is_none_or(|named| named == *name));
    let mut names = names.chain(named.filter(|name| name.starts_with("zoo/")));
    names.find_map(|name| {
        let suspect = Suspect::find(name)?;
        let program = suspect.program_of(program);
        let (_, verdict) = suspect.run(&mut runner, &program);
        let part = verdict.parts().next()?;
        Some(format!("on {name}, operation {}, line {}: {}", part.op, program.line_of(part.op), part.text()))
    })
}

/// The input's file: of a finding's folder its program, or its bytes where it has none.
fn file(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let names = ["program.lmm", "smallest", "input"];
    names.iter().map(|name| path.join(name)).find(|file| file.is_file()).ok_or_else(|| Error::Input {
        what: format!("the folder holds none of {}", names.join(", ")),
        place: path.display().to_string(),
        remedy: "give a finding's folder, below fuzz/findings, or the file of an input".to_owned(),
    })
}

/// The program, where the target runs programs and the file is a program's text: by its name, or by what is in it.
fn program(target: &Description, file: &Path, data: &[u8]) -> Result<Option<Program>> {
    if !matches!(target.input, Input::Program(_)) {
        return Ok(None);
    }
    match parse_bytes(data) {
        Ok(program) if !program.ops().is_empty() => Ok(Some(program)),
        Err(error) if file.extension().is_some_and(|extension| extension == "lmm") => Err(Error::Input {
            what: error.message,
            place: format!("{}:{}:{}", file.display(), error.line, error.column),
            remedy: "the operations are in docs/program-language.md".to_owned(),
        }),
        _ => Ok(None),
    }
}

/// The subject that the report beside a finding's program names.
fn reported(file: &Path) -> Option<&'static str> {
    let report = fs::read_to_string(file.with_file_name("report.txt")).ok()?;
    let name = report.lines().next()?.strip_prefix(crate::findings::HEAD)?.rsplit_once(" on ")?.1;
    Suspect::find(name).map(|suspect| suspect.name)
}

fn said(target: &Description, place: &str, found: Look) -> Result<Exit> {
    match found {
        Look::Nothing => {
            outln!("{}: nothing is found in {place}", target.name)?;
            Ok(Exit::Holds)
        }
        Look::Panic(said, small) => {
            outln!("{}: panics on {place}: {said}", target.name)?;
            if let Some((_, program)) = target.input.split(&small) {
                outln!("\nthe smallest program that shows it:\n\n{program}")?;
            }
            Ok(Exit::Broke)
        }
        Look::Something(_, program, found) => {
            outln!("{}: {}\n{}", target.name, found.slug, found.what)?;
            if let Some(program) = program {
                outln!("\nthe smallest program that shows it:\n\n{program}")?;
            }
            Ok(Exit::Broke)
        }
    }
}
