//! Findings on disk: a folder for each signature, written whole or not at all.
//!
//! | file | what |
//! | --- | --- |
//! | `program.lmm` | the smallest program, ready for the collection |
//! | `report.txt` | the report, with timeline and replay command |
//! | `test.rs` | a Rust test |
//! | `kunit.c` | a KUnit case |
//! | `input` | the bytes that led to it |
//!
//! What it is not: what they say is the engine's (`lazy_mmu_engine::finding`). Who calls it: the fuzzer's supervisor.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lazy_mmu_engine::finding::{Signature, kunit, program, report, rust_test};
use lazy_mmu_engine::program::Program;
use rustix::process::{Pid, test_kill_process};

use crate::error::Error;
use crate::show::quoted;

/// What the report begins with; the signature follows.
pub const HEAD: &str = "finding: ";

/// What a folder that is being written ends in.
const UNFINISHED: &str = ".tmp";

/// A finding that is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'f> {
    /// Its smallest program.
    pub program: &'f Program,
    /// What makes it that finding.
    pub signature: &'f Signature,
    /// The fuzz target that met it.
    pub target: &'f str,
    /// The bytes that led to it.
    pub input: &'f [u8],
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in this folder now.
    New(PathBuf),
    /// One with its signature is in this folder already, and was left as it is.
    Known(PathBuf),
}

/// One that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its folder.
    pub folder: PathBuf,
    /// Its signature, as the report spells it.
    pub signature: String,
}

/// A finding could not be kept. What was found is in here, and in the message, so that it is not lost.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep a finding in {}: {source}; this is its report:\n\n{report}", folder.display())]
pub struct NotKept {
    /// Where it should have gone.
    pub folder: PathBuf,
    /// Its report, the program in it.
    pub report: String,
    /// What the operating system answered.
    pub source: io::Error,
}

/// The findings below a folder.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Those below `root`, which need not exist.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Store {
        Store { root: root.into() }
    }

    /// Where they usually are in a workspace.
    #[must_use]
    pub fn of_workspace(workspace: &Path) -> Store {
        Store::new(workspace.join("fuzz/findings"))
    }

    /// Keeps a finding, unless one with its signature is there.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full.
    pub fn keep(&self, finding: &Finding) -> Result<Stored, Box<NotKept>> {
        let folder = self.root.join(finding.signature.slug());
        let path = quoted(&folder.join("program.lmm").to_string_lossy());
        // A subject without a name is none of the registry's: then the program is all there is to report.
        let report = report::render(finding.program, finding.signature, &path)
            .unwrap_or_else(|| format!("{HEAD}{}\n\n{}", finding.signature, finding.program));
        self.write(&folder, finding, &report).map_err(|source| Box::new(NotKept { folder, report, source }))
    }

    fn write(&self, folder: &Path, finding: &Finding, report: &str) -> io::Result<Stored> {
        if is_finding(folder) {
            return Ok(Stored::Known(folder.to_owned()));
        }
        fs::create_dir_all(&self.root)?;
        self.sweep();
        let Finding { program, signature, target, input } = *finding;
        let unfinished = self.root.join(format!(".{}.{}{UNFINISHED}", signature.slug(), std::process::id()));
        let verdict = report::violation(program, signature);
        let texts = [
            ("program.lmm", program::render(program, signature, &verdict, target)),
            ("report.txt", report.to_owned()),
            ("test.rs", rust_test::render(program, signature, &verdict)),
            ("kunit.c", kunit::render(program, signature, &verdict)),
        ];
        let whole = fs::create_dir(&unfinished)
            .and_then(|()| texts.iter().try_for_each(|(name, text)| fs::write(unfinished.join(name), text)))
            .and_then(|()| fs::write(unfinished.join("input"), input))
            .and_then(|()| fs::rename(&unfinished, folder));
        match whole {
            Ok(()) => Ok(Stored::New(folder.to_owned())),
            Err(error) => {
                let _ = fs::remove_dir_all(&unfinished);
                // Another process may have been first.
                if is_finding(folder) { Ok(Stored::Known(folder.to_owned())) } else { Err(error) }
            }
        }
    }

    /// Removes what processes that were killed left unfinished.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.root) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let writer =
                name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(UNFINISHED)?.rsplit_once('.'));
            let writer = writer.and_then(|(_, id)| Pid::from_raw(id.parse().ok()?));
            let gone = |id: Pid| test_kill_process(id) == Err(rustix::io::Errno::SRCH);
            if writer.is_some_and(gone) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// What is there, by name.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io("list the findings", &self.root))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let folder = entry.map_err(Error::io("list the findings", &self.root))?.path();
            let hidden = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || !is_finding(&folder) {
                continue;
            }
            let report = folder.join("report.txt");
            let text = fs::read(&report).map_err(Error::io("read a finding's report", report))?;
            let text = String::from_utf8_lossy(&text);
            let first = text.lines().next().unwrap_or_default();
            let signature = first.strip_prefix(HEAD).unwrap_or(first).to_owned();
            found.push(Listed { folder, signature });
        }
        found.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(found)
    }
}

/// Whether a folder holds a finding: one is there whole or not at all.
fn is_finding(folder: &Path) -> bool {
    folder.join("program.lmm").is_file()
}

#[cfg(test)]
mod tests {
    use lazy_mmu_engine::finding::Suspect;
    use lazy_mmu_engine::program::text::parse;
    use lazy_mmu_engine::runner::Runner;

    use super::*;

    /// A folder for one test, removed afterwards.
    struct Own(PathBuf);

    impl Own {
        fn new(name: &str) -> Own {
            let root = std::env::temp_dir().join(format!("lazymmu findings {name} {}", std::process::id()));
            let _ = fs::remove_dir_all(&root);
            Own(root)
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn found() -> (Program, Signature) {
        let program = parse("query; enable; enable; set K 5; disable; disable").expect("a program");
        let suspect = Suspect::find("zoo/gen-nested-disable-no-flush").expect("a subject");
        suspect.minimised(&mut Runner::new(), &program).expect("it breaks")
    }

    fn finding<'f>(found: &'f (Program, Signature), input: &'f [u8]) -> Finding<'f> {
        Finding { program: &found.0, signature: &found.1, target: "contract", input }
    }

    #[test]
    fn a_finding_is_kept_once_and_never_overwritten() {
        let Own(root) = &Own::new("once");
        let store = Store::new(root.join("deep/below"));
        assert_eq!(store.list().expect("nothing there is no error"), []);
        let found = found();
        let Ok(Stored::New(folder)) = store.keep(&finding(&found, b"\x00\xff")) else { panic!("it is new") };
        let mut names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["input", "kunit.c", "program.lmm", "report.txt", "test.rs"]);
        assert_eq!(fs::read(folder.join("input")).unwrap(), b"\x00\xff");
        assert_eq!(parse(&fs::read_to_string(folder.join("program.lmm")).unwrap()).unwrap(), found.0);
        let report = fs::read_to_string(folder.join("report.txt")).unwrap();
        let run = format!("cargo lazymmu run '{}/program.lmm'", folder.display());
        let replay = format!("{run} \\\n    --subject {}\n", found.1.subject);
        assert!(report.contains(&replay), "{report}");
        assert_eq!(store.keep(&finding(&found, b"other")).unwrap(), Stored::Known(folder.clone()));
        assert_eq!(fs::read(folder.join("input")).unwrap(), b"\x00\xff");
        assert_eq!(store.list().unwrap(), [Listed { folder, signature: found.1.to_string() }]);
    }

    #[test]
    fn what_cannot_be_kept_is_in_the_error() {
        let Own(root) = &Own::new("error");
        fs::create_dir_all(root).unwrap();
        fs::write(root.join("file"), "x").unwrap();
        let found = found();
        let mut long = found.1.clone();
        long.op = "long".repeat(100);
        for (store, signature) in [(Store::new(root.join("file")), &found.1), (Store::new(root), &long)] {
            let error = store.keep(&Finding { signature, ..finding(&found, b"") }).unwrap_err();
            let text = error.to_string();
            let program = found.0.to_string();
            assert!(program.lines().all(|line| text.contains(line)) && text.contains("cargo lazymmu run"), "{text}");
        }
        let left: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["file"], "nothing half done stays");
        assert!(Store::new(root.join("file")).list().is_err());
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_not_listed() {
        let Own(root) = &Own::new("swept");
        let mut child = std::process::Command::new("true").spawn().expect("it runs");
        let _ = child.wait();
        let half = root.join(format!(".I1-end-counted-none.{}.tmp", child.id()));
        let other = root.join(format!(".I1-end-counted-none.{}.tmp", std::process::id()));
        for folder in [&half, &other] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("program.lmm"), "enable\n").unwrap();
        }
        let store = Store::new(root);
        assert_eq!(store.list().unwrap(), []);
        let found = found();
        assert!(matches!(store.keep(&finding(&found, b"")), Ok(Stored::New(_))));
        assert!(!half.exists() && other.exists(), "one that is being written stays");
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let Own(root) = &Own::new("foreign");
        let found = found();
        let foreign = root.join(found.1.slug());
        fs::create_dir_all(&foreign).unwrap();
        fs::write(foreign.join("notes"), "mine").unwrap();
        let store = Store::new(root);
        assert!(store.keep(&finding(&found, b"")).is_err());
        assert_eq!(fs::read_to_string(foreign.join("notes")).unwrap(), "mine");
        assert_eq!(store.list().unwrap(), []);
    }
}
