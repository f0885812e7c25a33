//! A corpus minimised by coverage: the fuzz target's own binary merges it into an empty folder.
//!
//! libFuzzer takes the inputs by size and keeps each that covers an edge or a feature which none before it did, so the
//! answer is the same for the same corpus. An input that kills the binary is left out by libFuzzer itself. Not here: what
//! becomes of what is kept. Called by [`super::run`].

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::files;
use crate::error::{Error, Result};
use crate::process::Child;

/// How long one merge may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// The inputs that a merge keeps, the smallest first, those of a size by name. `work` is a folder for it alone.
///
/// # Errors
/// The folder cannot be written, or the binary does not come to an end.
pub fn merge(binary: &Path, corpus: &Path, work: &Path) -> Result<Vec<Vec<u8>>> {
    let (out, raw) = (work.join("merged"), work.join("raw"));
    if work.exists() {
        fs::remove_dir_all(work).map_err(Error::io("empty the folder", work))?;
    }
    for folder in [&out, &raw] {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    }
    let log = work.join("log");
    let mut command = Command::new(binary);
    command.args(["-merge=1", "-timeout=20", "-rss_limit_mb=2048"]).arg(&out).arg(corpus);
    command.arg(format!("-artifact_prefix={}/", work.display())).current_dir(work);
    // A finding must not end it: it goes to a folder, and is found again when programs are weighed.
    command.env("LAZYMMU_FINDINGS", &raw).env("LAZYMMU_STATS", work.join("counts"));
    command.env_remove("LAZYMMU_FUZZ_SUBJECT").env_remove("RUST_BACKTRACE");
    command.stderr(File::create(&log).map_err(Error::io("write the log", &log))?);
    let mut child = Child::spawn(command)?;
    child.close_stdin();
    let ended = child.wait(Instant::now() + PATIENCE);
    if !ended.is_ok_and(|status| status.success()) {
        child.kill_and_reap();
        return Err(Error::Broke {
            what: format!("the merge of {} did not come to its end: {}", corpus.display(), child.status_text()),
            place: Some(log.display().to_string()),
            remedy: "read the log; an input that cannot be read, or a full disk, stops it".to_owned(),
        });
    }
    let read = |path: &std::path::PathBuf| fs::read(path).map_err(Error::io("read", path));
    let mut kept = files(&out)?.iter().map(read).collect::<Result<Vec<_>>>()?;
    kept.sort_by_key(Vec::len);
    Ok(kept)
}
