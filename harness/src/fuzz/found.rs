//! What a target found, as the host makes of it: confirmed, minimised, and kept in a folder of its own.
//!
//! Not here: artefacts of the contract's findings ([`crate::findings`]). Called by the supervisor and `--replay`.

use std::any::Any;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use lazy_mmu_engine::fuzz::{Description, Found, Session, Settings};
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::minimise::minimise;
use lazy_mmu_snapshots::known;

use crate::error::{Error, Result};
use crate::findings::{Finding, Store, Stored};

/// What came of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing is found in it.
    Nothing,
    /// The target itself panics on it: what the panic said, and the smallest input on which it says so.
    Panic(String, Vec<u8>),
    /// Something is: the smallest input, its program if it is one, and what.
    Something(Vec<u8>, Option<Program>, Found),
}

/// The settings of every target on the host.
#[must_use]
pub fn settings(subject: Option<&'static str>) -> Settings {
    Settings { subject, explain: known::names, table: lazy_mmu_snapshots::table }
}

/// Runs an input again and minimises it.
///
/// # Errors
/// The subject does not exist.
pub fn look(target: &'static Description, subject: Option<&'static str>, data: &[u8]) -> Result<Look> {
    let session = Session::new(target, &settings(subject)).map_err(|what| Error::Input {
        what,
        place: "--subject".to_owned(),
        remedy: "the subjects are listed in docs/specification.md, the zoo's by `cargo lazymmu run x --subject zoo/`"
            .to_owned(),
    });
    let mut session = session?;
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let found = panic::catch_unwind(AssertUnwindSafe(|| session.minimised(data)));
    let look = match found {
        Ok(None) => Look::Nothing,
        Ok(Some((small, program, found))) => Look::Something(small, program, found),
        Err(payload) => {
            let said = said(&*payload);
            let small = smallest_panic(target, subject, data, &said);
            Look::Panic(said, small)
        }
    };
    panic::set_hook(hook);
    Ok(look)
}

/// What a panic said.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|said| (*said).to_owned())).unwrap_or_default()
}

/// The smallest input on which a target panics and says this. Each is tried on a target of its own: one that has panicked
/// may be in any state.
fn smallest_panic(target: &'static Description, subject: Option<&'static str>, data: &[u8], what: &str) -> Vec<u8> {
    let still = |data: &[u8]| {
        let judged =
            panic::catch_unwind(|| Session::new(target, &settings(subject)).map(|mut s| s.judge(data, &mut |_| {})));
        judged.is_err_and(|payload| said(&*payload) == what)
    };
    match target.input.split(data) {
        Some((chosen, program)) => {
            let small = target.input.join(chosen, &minimise(&program, |p| still(&target.input.join(chosen, p))));
            if still(&small) { small } else { data.to_vec() }
        }
        None => data.to_vec(),
    }
}

/// Keeps what was found, and says where it is and whether it is new; the report is in `report.txt` there.
///
/// # Errors
/// The folder cannot be written: what was found is in the message.
pub fn keep(
    store: &Path,
    target: &'static Description,
    input: &[u8],
    found: &Found,
    small: &[u8],
    program: Option<&Program>,
) -> Result<(PathBuf, bool)> {
    if let (Some(signature), Some(program)) = (&found.signature, program) {
        let finding = Finding { program, signature, target: target.name, input };
        return match Store::new(store).keep(&finding) {
            Ok(Stored::New(folder)) => Ok((folder, true)),
            Ok(Stored::Known(folder)) => Ok((folder, false)),
            Err(lost) => Err(Error::Broke {
                what: lost.to_string(),
                place: Some(lost.folder.display().to_string()),
                remedy: "copy the report above; then see to the folder, and to the disk".to_owned(),
            }),
        };
    }
    let folder = store.join(&found.slug);
    let text = program.map(ToString::to_string);
    let program_file = text.as_ref().map(|text| ("program.lmm", text.as_bytes()));
    let files: Vec<(&str, &[u8])> = [("smallest", small), ("input", input)].into_iter().chain(program_file).collect();
    put(&folder, &report(target, found, program, &folder), &files)
}

/// Writes a finding's folder, whole or not at all: the report and the files. One that is there stays as it is.
///
/// # Errors
/// The folder cannot be written: the report is in the message.
pub(super) fn put(folder: &Path, report: &str, files: &[(&str, &[u8])]) -> Result<(PathBuf, bool)> {
    if folder.join("report.txt").exists() {
        return Ok((folder.to_owned(), false));
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = fs::create_dir_all(&new)
        .and_then(|()| files.iter().try_for_each(|(name, bytes)| fs::write(new.join(name), bytes)))
        .and_then(|()| fs::write(new.join("report.txt"), report))
        .and_then(|()| fs::rename(&new, folder));
    written.map_err(|source| {
        let _ = fs::remove_dir_all(&new);
        Error::Broke {
            what: format!("cannot keep a finding: {source}; this is its report:\n\n{report}"),
            place: Some(folder.display().to_string()),
            remedy: "copy the report above; then see to the folder, and to the disk".to_owned(),
        }
    })?;
    Ok((folder.to_owned(), true))
}

/// What a person reads: what, the program, how to see it again.
fn report(target: &Description, found: &Found, program: Option<&Program>, folder: &Path) -> String {
    let program = program.map(|program| format!("\nprogram:\n\n{program}")).unwrap_or_default();
    format!(
        "finding: {}\n\nThe fuzz target {} ({}) found:\n{}\n{program}\nreplay:\n  cargo lazymmu fuzz {} --replay {}\n",
        found.slug,
        target.name,
        target.about,
        found.what,
        target.name,
        folder.join("smallest").display()
    )
}
