//! Debian's kernels as trees: the package of sources, fetched and unpacked once into the cache.
//!
//! What it is not: nothing is installed. The archive is read by [`crate::setup::apt`].
//!
//! Who calls it: whoever is given `--debian`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::error::{Result, TreeError};
use super::source::Source;
use super::store::{Scratch, Store};
use super::{part, run};
use crate::setup::apt::{Repository, SUITES, unpack};
use crate::setup::{Missing, say};

/// Where a release was seen; it is looked for everywhere else after that.
const SEEN: [(&str, &str); 3] = [("7.2", "sid"), ("7.3", "trixie-backports"), ("6.12", "bookworm-backports")];

/// The tree of a release, such as `7.2`.
///
/// # Errors
/// No suite of this machine's mirror has it, the archive cannot be reached, or the cache cannot be written.
pub fn open(release: &str, store: &Store) -> Result<Source> {
    let is_release = release.split('.').count() == 2 && release.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !is_release {
        return Err(missing(release, "a release is two numbers, such as 7.2").into());
    }
    let _lock = store.lock("sources")?;
    let place = store.folder("sources")?.join(format!("debian-{release}"));
    if !place.is_dir() {
        let scratch = store.scratch("debian")?;
        fetch(release, &scratch, &place)?;
    }
    let source = Source::open(&place, store)?;
    let version = fs::read_to_string(place.join("debian-version")).unwrap_or_default();
    Ok(source.called(None, format!("Debian's linux-source-{release} {}", version.trim())))
}

fn missing(release: &str, why: &str) -> Missing {
    Missing {
        what: format!("Debian's sources of Linux {release} are not to be had"),
        why: why.to_owned(),
        remedy: format!(
            "give the path of an unpacked tree, or one of --debian {}",
            SEEN.map(|(release, _)| release).join(", ")
        ),
    }
}

/// Fetches the package from the first suite that has it, and unpacks what is needed.
fn fetch(release: &str, scratch: &Scratch, place: &Path) -> Result<()> {
    let name = format!("linux-source-{release}");
    let seen = SEEN.iter().find(|(known, _)| *known == release).map(|(_, suite)| *suite);
    let mut why = String::new();
    for suite in seen.into_iter().chain(SUITES.into_iter().filter(|suite| Some(*suite) != seen)) {
        let folder = scratch.path().join(suite);
        fs::create_dir_all(&folder).map_err(TreeError::cache(&folder))?;
        let found = Repository::suite(&folder, suite).and_then(|repository| {
            let version = repository.newest(&name).ok_or_else(|| format!("{suite} has no {name}"))?;
            say(&format!("fetching {name} {version} from Debian's {suite} (once, ~165 MB)"));
            let files = repository.download(&[format!("{name}={version}")])?;
            Ok((version, files))
        });
        match found {
            Ok((version, files)) => {
                let package = files.first().ok_or_else(|| missing(release, "apt downloaded nothing"))?;
                return unpack_part(package, &version, scratch, place);
            }
            Err(reason) => why = reason,
        }
    }
    Err(missing(release, &why).into())
}

fn unpack_part(package: &Path, version: &str, scratch: &Scratch, place: &Path) -> Result<()> {
    say("unpacking it (once, ~60 s)");
    let (outer, tree) = (scratch.path().join("package"), scratch.path().join("tree"));
    fs::create_dir_all(&tree).map_err(TreeError::cache(&tree))?;
    unpack(package, &outer).map_err(|why| TreeError::Cache { path: outer.clone(), why })?;
    let sources = outer.join("usr/src");
    let entries = fs::read_dir(&sources).map_err(TreeError::cache(&sources))?.flatten().map(|entry| entry.path());
    let is_archive = |path: &std::path::PathBuf| path.to_string_lossy().contains(".tar");
    let archive =
        entries.into_iter().find(is_archive).ok_or_else(|| missing(version, "the package holds no archive"))?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    // Its one folder is called as it is.
    let top = name.split(".tar").next().unwrap_or_default();
    let mut tar = Command::new("tar");
    tar.args(part::for_tar(top)).args(["--strip-components=1", "-xf"]).arg(&archive).arg("-C").arg(&tree);
    let said = run::run(tar, run::LONG)?;
    if !said.well {
        return Err(TreeError::Cache { path: tree, why: run::last_lines(&said.complaint, 1) });
    }
    let about = tree.join("debian-version");
    fs::write(&about, version).map_err(TreeError::cache(&about))?;
    fs::rename(&tree, place).map_err(TreeError::cache(place))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    #[test]
    fn what_is_no_release_is_refused_without_the_archive() {
        let cache = Folder::new("cache");
        for release in ["", "7", "7.2.13", "x.y", "../7"] {
            let error = open(release, &Store::at(cache.path())).expect_err("no release");
            assert!(error.remedy().contains("--debian 7.2"), "{release}: {error:?}");
        }
    }
}
