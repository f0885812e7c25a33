//! A tree as it is given: an unpacked one, a git work tree, one that was built in place, one on a disk that is read only.
//!
//! What is built from is either the tree itself or a farm of links to it ([`super::farm`]): where something that a build
//! in place has left would be found first, where the path has letters that kbuild refuses, and where a series of
//! patches changes some files. Nothing is ever written below the tree.
//!
//! Who calls it: [`super::build`], and whoever names a tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::error::{Result, TreeError};
use super::facts::Facts;
use super::farm::{self, Plan};
use super::run;
use super::store::Store;

/// A tree that can be built from.
#[derive(Clone, Debug)]
pub struct Source {
    root: PathBuf,
    build: PathBuf,
    place: PathBuf,
    facts: Facts,
    /// How many patches are on top of the last tag and whether files were changed, where that was found out already.
    on_top: Option<Option<(u32, bool)>>,
    /// What reports call it.
    name: String,
}

impl Source {
    /// Opens the tree at a path.
    ///
    /// # Errors
    /// There is none, it is no Linux tree, or it has no lazy MMU mode; a farm cannot be written.
    pub fn open(path: &Path, store: &Store) -> Result<Self> {
        let no_tree = |why: String| TreeError::NoTree { path: path.to_owned(), why };
        let root = path.canonicalize().map_err(|error| no_tree(error.to_string()))?;
        if !root.is_dir() {
            return Err(no_tree("it is a file".to_owned()));
        }
        let facts = Facts::read(&root)?;
        let place = store.of_tree(&root)?;
        let plan = farm::leftovers(&root);
        let name = root.display().to_string();
        Self { build: root.clone(), root, place, facts, on_top: None, name }.seen_through(&plan, store)
    }

    /// The same tree with some files changed: a patched one, with a place in the cache under the name `key`.
    ///
    /// # Errors
    /// The changed tree is no Linux tree any more, or the farm cannot be written.
    pub fn changed(&self, key: &str, change: impl FnOnce(&mut Plan), store: &Store) -> Result<Self> {
        let place = store.of_tree(&self.root.join(key))?;
        let mut plan = farm::leftovers(&self.root);
        change(&mut plan);
        Self { place, build: self.root.clone(), ..self.clone() }.seen_through(&plan, store)
    }

    /// Makes the farm where one is needed, and reads the facts anew from it.
    fn seen_through(mut self, plan: &Plan, store: &Store) -> Result<Self> {
        let unfit = self.root.to_string_lossy().contains([' ', ':', '\t']);
        if plan.is_empty() && !unfit {
            return Ok(self);
        }
        let name = self.place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _lock = store.lock(&format!("farm-{name}"))?;
        let farm = self.place.join("farm");
        farm::sync(&self.root, &farm, plan)?;
        self.build = farm;
        self.facts = Facts::read(&self.build)?;
        Ok(self)
    }

    /// The same tree under another name, of which is known how many patches are on top of the last tag.
    #[must_use]
    pub(super) fn called(self, on_top: Option<(u32, bool)>, name: String) -> Self {
        Self { on_top: Some(on_top), name, ..self }
    }

    /// What reports call it: its path, or what it was unpacked from.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tree that was given, without links in its path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is built from: the tree, or the farm that shows it.
    #[must_use]
    pub fn build(&self) -> &Path {
        &self.build
    }

    /// Its folder in the cache.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What the tree is.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// A text of a compiler or of kbuild with paths as the tree has them.
    #[must_use]
    pub fn as_given(&self, text: &str) -> String {
        [&self.build, &self.root].into_iter().fold(text.to_owned(), |text, path| {
            text.replace(&format!("{}/", path.display()), "").replace(&*path.to_string_lossy(), "the tree")
        })
    }

    /// The text of a file of the tree; none where there is no such file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        fs::read(self.build.join(path)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The release, with how many patches are on top of the last tag where the tree is a git work tree.
    ///
    /// Git may take a while on a large tree: call it beside other work.
    #[must_use]
    pub fn describe(&self) -> String {
        let release = &self.facts.release.version;
        match self.on_top.unwrap_or_else(|| patches_on_top(&self.root, None)) {
            Some((0, false)) | None => release.clone(),
            Some((0, true)) => format!("{release}+changes"),
            Some((count, changes)) => {
                let (several, changes) = (if count == 1 { "" } else { "es" }, if changes { "+changes" } else { "" });
                format!("{release}+{count} patch{several}{changes}")
            }
        }
    }
}

/// How many commits are on top of the last tag of a release, and whether files differ from the commit; of a given
/// commit, or of a work tree. None where there is no repository or no such tag.
pub(super) fn patches_on_top(root: &Path, commit: Option<&str>) -> Option<(u32, bool)> {
    if commit.is_none() && !root.join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(root).args(["--no-optional-locks"]).args(arguments);
        run::run(git, Duration::from_secs(30)).ok().filter(|said| said.well).map(|said| said.text())
    };
    let describe: Vec<&str> =
        ["describe", "--long", "--tags", "--match", "v[0-9]*"].into_iter().chain(commit).collect();
    let described = git(&describe)?;
    let count = described.trim().rsplit('-').nth(1)?.parse().ok()?;
    if commit.is_some() {
        return Some((count, false));
    }
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some((count, !changes.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::facts::HELPERS;
    use super::super::testing::Folder;
    use super::*;

    fn tree() -> Folder {
        let tree = Folder::tree("source");
        tree.write(HELPERS, "static inline void lazy_mmu_mode_enable(void)\n{\n}\n");
        tree
    }

    #[test]
    fn what_is_no_tree_is_refused_with_its_path() {
        let (place, tree) = (Folder::new("cache"), tree());
        let store = Store::at(place.path());
        let gone = tree.path().join("gone");
        assert!(matches!(Source::open(&gone, &store), Err(TreeError::NoTree { path, .. }) if path == gone));
        assert!(matches!(Source::open(&tree.path().join("Makefile"), &store), Err(TreeError::NoTree { .. })));
        assert!(matches!(Source::open(&tree.path().join("mm"), &store), Err(TreeError::NotLinux { .. })));
    }

    #[test]
    fn a_path_with_spaces_is_seen_through_a_farm_and_messages_name_the_tree() {
        let (place, tree) = (Folder::new("cache"), tree());
        let source = Source::open(tree.path(), &Store::at(place.path())).expect("a tree");
        assert_ne!(source.build(), tree.path());
        let said = format!("In file included from {0}/mm/x.c:\n{0}/{HELPERS}:3: error", source.build().display());
        assert_eq!(source.as_given(&said), format!("In file included from mm/x.c:\n{HELPERS}:3: error"));
    }

    #[test]
    fn a_changed_tree_has_facts_of_its_own() {
        let (place, tree, other) = (Folder::new("cache"), tree(), Folder::new("other"));
        let store = Store::at(place.path());
        let source = Source::open(tree.path(), &store).expect("a tree");
        other.write("p.h", "#define arch_enter_lazy_mmu_mode() do {} while (0)\n");
        let changed =
            source.changed("1", |plan| plan.replace(HELPERS, other.path().join("p.h")), &store).expect("a tree");
        assert_ne!(changed.facts().api, source.facts().api);
        assert_ne!(changed.place(), source.place());
        assert_eq!(changed.root(), source.root());
    }

    #[test]
    fn patches_on_top_of_a_tag_are_counted() {
        let (place, tree) = (Folder::new("cache"), tree());
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
            run::run(git_with(git, arguments), Duration::from_secs(30)).is_ok_and(|said| said.well)
        };
        if crate::setup::packages::which("git").is_none() {
            eprintln!("skipped: there is no git here");
            return;
        }
        let open = || Source::open(tree.path(), &Store::at(place.path())).expect("a tree").describe();
        assert_eq!(open(), "7.2.1");
        assert!(git(&["init", "-q"]) && git(&["add", "-A"]) && git(&["commit", "-qm", "a"]) && git(&["tag", "v7.2.1"]));
        assert_eq!(open(), "7.2.1");
        tree.write("mm/x.c", "");
        assert!(git(&["add", "-A"]) && git(&["commit", "-qm", "b"]));
        assert_eq!(open(), "7.2.1+1 patch");
        tree.write("mm/x.c", "changed");
        assert_eq!(open(), "7.2.1+1 patch+changes");
    }

    fn git_with(mut git: Command, arguments: &[&str]) -> Command {
        git.args(arguments);
        git
    }
}
