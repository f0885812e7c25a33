//! A revision of a git repository as a tree: unpacked once into the cache, whatever the work tree holds.
//!
//! The repository is only read: no work tree is added and no reference made.
//!
//! Who calls it: whoever is given `--rev`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::error::{Result, TreeError};
use super::run::{self, Said};
use super::source::{Source, patches_on_top};
use super::store::Store;
use super::{part, series};
use crate::setup::packages;

/// How many revisions are kept.
const KEPT: usize = 4;

/// The tree of a revision.
///
/// # Errors
/// There is no repository or no such revision, there is no git, or the cache cannot be written; as [`Source::open`].
pub fn open(repository: &Path, revision: &str, store: &Store) -> Result<Source> {
    if packages::which("git").is_none() {
        return Err(series::lacking_git().into());
    }
    let refused = |why: String| TreeError::Revision { revision: revision.to_owned(), path: repository.to_owned(), why };
    // A name that begins with a dash would be an option.
    if revision.starts_with('-') {
        return Err(refused("it begins with `-`".to_owned()));
    }
    let ask = |arguments: &[&str]| -> Result<Said> {
        let mut git = Command::new("git");
        git.arg("-C").arg(repository).args(arguments);
        run::run(git, run::LONG)
    };
    let said = ask(&["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])?;
    if !said.well {
        return Err(refused(run::last_lines(&said.complaint, 1)));
    }
    let commit = said.text().trim().to_owned();
    let folder = store.folder("revisions")?;
    let place = folder.join(&commit);
    let _lock = store.lock("revisions")?;
    if !place.is_dir() {
        let arches = ask(&["ls-tree", "--name-only", &format!("{commit}:arch")])?.text();
        let arches: Vec<String> = arches.lines().map(str::to_owned).collect();
        let scratch = store.scratch("revision")?;
        let archive = scratch.path().join("tar");
        let mut git = Command::new("git");
        git.arg("-C").arg(repository).args(["archive", "--format=tar", "-o"]).arg(&archive).arg(&commit);
        git.args(["--", "."]).args(part::for_git(&arches));
        let said = run::run(git, run::LONG)?;
        if !said.well {
            return Err(refused(run::last_lines(&said.complaint, 2)));
        }
        let tree = scratch.path().join("tree");
        fs::create_dir_all(&tree).map_err(TreeError::cache(&tree))?;
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(&archive).arg("-C").arg(&tree);
        let said = run::run(tar, run::LONG)?;
        if !said.well {
            return Err(TreeError::Cache { path: tree, why: run::last_lines(&said.complaint, 1) });
        }
        fs::rename(&tree, &place).map_err(TreeError::cache(&place))?;
    }
    let _ = fs::File::open(&place).and_then(|file| file.set_modified(std::time::SystemTime::now()));
    sweep(&folder, &place);
    let source = Source::open(&place, store)?;
    let on_top = patches_on_top(repository, Some(&commit)).map(|(count, _)| (count, false));
    Ok(source.called(on_top, format!("{} at {revision}", repository.display())))
}

/// Removes the revisions that were used longest ago, beyond a few.
fn sweep(folder: &Path, current: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut others: Vec<_> = entries.filter(|path| path != current).collect();
    others.sort_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok());
    for old in others.iter().rev().skip(KEPT - 1) {
        let _ = fs::remove_dir_all(old);
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::HELPERS;
    use super::super::testing::Folder;
    use super::*;

    /// A repository with two commits, the first of which has the tag of a release.
    fn repository() -> Option<Folder> {
        packages::which("git")?;
        let tree = Folder::tree("revision");
        tree.write(HELPERS, "static inline void lazy_mmu_mode_enable(void)\n{\n}\n");
        tree.write("drivers/xen/x.c", "left out");
        for (path, text) in [
            ("drivers/Kconfig", "config X\n"),
            ("arch/arm64/Makefile", ""),
            ("arch/m68k/mm/init.c", ""),
            ("arch/m68k/Kconfig", ""),
            ("mm/Makefile", ""),
            ("scripts/x", ""),
        ] {
            tree.write(path, text);
        }
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.arg("-C").arg(tree.path()).args([
                "-c",
                "user.name=n",
                "-c",
                "user.email=e",
                "-c",
                "commit.gpgsign=false",
            ]);
            git.args(arguments);
            assert!(run::run(git, run::COMPILER).expect("git runs").well, "{arguments:?}");
        };
        git(&["init", "-q"]);
        git(&["add", "-A"]);
        git(&["commit", "-qm", "one"]);
        git(&["tag", "v7.2.1"]);
        tree.write("mm/x.c", "two");
        git(&["add", "-A"]);
        git(&["commit", "-qm", "two"]);
        Some(tree)
    }

    #[test]
    fn a_revision_is_what_was_committed() {
        let Some(tree) = repository() else { return eprintln!("skipped: there is no git here") };
        let cache = Folder::new("cache");
        let store = Store::at(cache.path());
        tree.write("mm/x.c", "not committed");
        let head = open(tree.path(), "HEAD", &store).expect("a tree");
        assert_eq!((head.text("mm/x.c").as_deref(), head.describe().as_str()), (Some("two"), "7.2.1+1 patch"));
        let release = open(tree.path(), "v7.2.1", &store).expect("a tree");
        assert_eq!((release.text("mm/x.c"), release.describe().as_str()), (None, "7.2.1"));
        assert!(release.text("drivers/Kconfig").is_some() && release.text("drivers/xen/x.c").is_none());
        assert!(release.text("arch/arm64/Makefile").is_some() && release.text("arch/m68k/mm/init.c").is_none());
        // Kconfig of what is kept may read another architecture's.
        assert!(release.text("arch/m68k/Kconfig").is_some());
        assert_eq!(tree.read("mm/x.c"), "not committed");
    }

    #[test]
    fn what_is_no_revision_is_named() {
        let Some(tree) = repository() else { return eprintln!("skipped: there is no git here") };
        let cache = Folder::new("cache");
        let store = Store::at(cache.path());
        for revision in ["no-such", "--all", "HEAD~7", ""] {
            let error = open(tree.path(), revision, &store).expect_err("no revision");
            assert!(matches!(error, TreeError::Revision { .. }), "{revision}: {error:?}");
        }
        let other = Folder::new("no repository");
        assert!(matches!(open(other.path(), "HEAD", &store), Err(TreeError::Revision { .. })));
    }
}
