//! A farm: a folder that looks like a tree and consists of links to it, in which some files are others or are missing.
//!
//! Kbuild refuses `O=` on a tree that was ever built in place and cannot work below a path with spaces, and the include
//! path would find such a build's generated headers first. A series of patches is a tree too, in which only the
//! patched files are copies. Folders without any exception are one link each, so a farm has a few hundred entries, and
//! what is edited in the tree shows through.
//!
//! What it is not: it does not know which files are in the way; [`super::source`] says so.
//!
//! Who calls it: [`super::source`], [`super::series`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use super::error::{Result, TreeError};
use super::stamp;

/// What is different from the tree, by path from its root.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// What stands here instead of the tree's file; a folder that differs somewhere below has none.
    exception: Option<Exception>,
    below: BTreeMap<OsString, Node>,
}

#[derive(Clone, Debug)]
enum Exception {
    Missing,
    /// A copy of this file.
    Copy(PathBuf),
}

impl Plan {
    /// The path is not there.
    pub fn hide(&mut self, path: impl AsRef<Path>) {
        self.node(path.as_ref()).exception = Some(Exception::Missing);
    }

    /// The path is a copy of another file.
    pub fn replace(&mut self, path: impl AsRef<Path>, by: PathBuf) {
        self.node(path.as_ref()).exception = Some(Exception::Copy(by));
    }

    /// Whether the farm would be the tree itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.below.is_empty()
    }

    fn node(&mut self, path: &Path) -> &mut Node {
        let names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        names.fold(&mut self.root, |node, name| node.below.entry(name.to_owned()).or_default())
    }
}

/// Makes a farm what the tree and the plan say. What is right already is left alone, times of change included.
///
/// # Errors
/// The farm cannot be written, or the tree not be read.
pub fn sync(tree: &Path, farm: &Path, plan: &Plan) -> Result<()> {
    if folder(Some(tree), farm, &plan.root)? {
        stamp::settle();
    }
    Ok(())
}

/// One folder of a farm that is no link; the tree may lack it, where a patch adds files. Says whether a file was written.
fn folder(tree: Option<&Path>, farm: &Path, node: &Node) -> Result<bool> {
    let mut written = false;
    if fs::symlink_metadata(farm).is_ok_and(|data| !data.is_dir()) {
        fs::remove_file(farm).map_err(TreeError::cache(farm))?;
    }
    fs::create_dir_all(farm).map_err(TreeError::cache(farm))?;
    let mut wanted: BTreeSet<OsString> = node.below.keys().cloned().collect();
    if let Some(tree) = tree {
        wanted.extend(names(tree).map_err(TreeError::unreadable(tree))?);
    }
    for name in names(farm).map_err(TreeError::cache(farm))? {
        if !wanted.contains(&name) {
            remove(&farm.join(name))?;
        }
    }
    for name in &wanted {
        let (original, place) = (tree.map(|tree| tree.join(name)), farm.join(name));
        match node.below.get(name) {
            None => original.map_or(Ok(()), |original| link(&original, &place))?,
            Some(Node { exception: Some(Exception::Missing), .. }) => remove(&place)?,
            Some(Node { exception: Some(Exception::Copy(other)), .. }) => written |= copy(other, &place)?,
            Some(below) => {
                let original = original.filter(|original| original.is_dir());
                if original.is_none() && !below.adds() {
                    remove(&place)?;
                } else {
                    written |= folder(original.as_deref(), &place, below)?;
                }
            }
        }
    }
    Ok(written)
}

impl Node {
    /// Whether a file stands below that a folder is needed for.
    fn adds(&self) -> bool {
        matches!(self.exception, Some(Exception::Copy(_))) || self.below.values().any(Self::adds)
    }
}

fn names(folder: &Path) -> std::io::Result<Vec<OsString>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

fn link(original: &Path, place: &Path) -> Result<()> {
    if fs::read_link(place).is_ok_and(|target| target == original) {
        return Ok(());
    }
    remove(place)?;
    symlink(original, place).map_err(TreeError::cache(place))
}

/// Copies a file unless an equal one is there; says whether it was written.
fn copy(other: &Path, place: &Path) -> Result<bool> {
    let wanted = fs::read(other).map_err(TreeError::unreadable(other))?;
    let is_file = fs::symlink_metadata(place).is_ok_and(|data| data.is_file());
    if is_file && fs::read(place).is_ok_and(|found| found == wanted) {
        return Ok(false);
    }
    remove(place)?;
    // Permissions are copied too: kbuild runs scripts.
    fs::copy(other, place).map_err(TreeError::cache(place))?;
    Ok(true)
}

/// Removes whatever is there: a link and not what it leads to.
fn remove(place: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(place) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(_) => Ok(()),
    };
    removed.map_err(TreeError::cache(place))
}

/// What a build in place has left in a tree and would be found first: generated headers, the configuration, and the
/// programs of `scripts/`.
///
/// Empty for a tree that was never built in.
#[must_use]
pub fn leftovers(tree: &Path) -> Plan {
    let mut plan = Plan::default();
    let mut dirty = false;
    let mut hide = |path: &str| {
        if fs::symlink_metadata(tree.join(path)).is_ok() {
            plan.hide(path);
            dirty = true;
        }
    };
    [".config", "include/config", "include/generated"].into_iter().for_each(&mut hide);
    let arches = names(&tree.join("arch")).unwrap_or_default();
    let arches: Vec<_> = arches.iter().filter_map(|name| name.to_str()).collect();
    for arch in &arches {
        hide(&format!("arch/{arch}/include/generated"));
    }
    if dirty {
        // Kbuild looks for what it makes in the tree too, and takes a program found there for its own.
        let mut folders: Vec<PathBuf> = ["scripts", "kernel", "kernel/sched"].map(PathBuf::from).to_vec();
        folders.extend(
            arches.iter().flat_map(|arch| {
                ["kernel", "tools", "boot"].map(|folder| PathBuf::from(format!("arch/{arch}/{folder}")))
            }),
        );
        for folder in folders {
            hide_built(tree, &folder, folder == Path::new("scripts"), &mut plan);
        }
    }
    plan
}

/// Hides what kbuild has made in a folder: everything that has a saved command beside it.
fn hide_built(tree: &Path, folder: &Path, deep: bool, plan: &mut Plan) {
    for name in names(&tree.join(folder)).unwrap_or_default() {
        let path = folder.join(&name);
        let built = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".cmd"));
        if let Some(built) = built {
            plan.hide(&path);
            plan.hide(folder.join(OsStr::new(built)));
        } else if deep && fs::symlink_metadata(tree.join(&path)).is_ok_and(|data| data.is_dir()) {
            hide_built(tree, &path, true, plan);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    fn tree() -> Folder {
        let tree = Folder::tree("farm");
        tree.write("mm/memory.c", "memory");
        tree.write("include/linux/mm.h", "mm");
        tree.write("scripts/basic/fixdep.c", "source");
        tree
    }

    #[test]
    fn what_differs_differs_and_all_else_shows_through() {
        let (tree, place) = (tree(), Folder::new("farm"));
        let patched = Folder::new("patched");
        patched.write("mm.h", "patched");
        let farm = place.path().join("at");
        let mut plan = Plan::default();
        plan.replace("include/linux/mm.h", patched.path().join("mm.h"));
        plan.replace("include/new/deep/x.h", patched.path().join("mm.h"));
        plan.hide("mm/memory.c");
        plan.hide("not/there");
        sync(tree.path(), &farm, &plan).expect("a farm");
        let read = |path: &str| fs::read_to_string(farm.join(path)).ok();
        assert_eq!(read("include/linux/mm.h").as_deref(), Some("patched"));
        assert_eq!(read("include/new/deep/x.h").as_deref(), Some("patched"));
        assert_eq!((read("mm/memory.c"), farm.join("mm").is_dir(), farm.join("not").exists()), (None, true, false));
        assert!(fs::symlink_metadata(farm.join("scripts")).expect("scripts").is_symlink());
        tree.write("scripts/new", "new");
        assert_eq!(read("scripts/new").as_deref(), Some("new"));
        // Nothing of the tree was changed.
        assert_eq!((tree.read("include/linux/mm.h"), tree.read("mm/memory.c")), ("mm".to_owned(), "memory".to_owned()));
    }

    #[test]
    fn a_farm_follows_its_plan_and_its_tree() {
        let (tree, place) = (tree(), Folder::new("farm"));
        let farm = place.path().join("at");
        let mut plan = Plan::default();
        plan.hide("include/linux/mm.h");
        sync(tree.path(), &farm, &plan).expect("a farm");
        assert!(!farm.join("include/linux/mm.h").exists());
        tree.write("include/linux/new.h", "new");
        fs::remove_file(tree.path().join("mm/memory.c")).expect("a file");
        sync(tree.path(), &farm, &plan).expect("a farm");
        assert!(farm.join("include/linux/new.h").exists() && !farm.join("mm/memory.c").exists());
        sync(tree.path(), &farm, &Plan::default()).expect("a farm");
        assert!(farm.join("include/linux/mm.h").exists());
        assert!(fs::symlink_metadata(farm.join("include")).expect("include").is_symlink());
        assert!(tree.path().join("include/linux/mm.h").exists(), "links were followed when something was removed");
    }

    #[test]
    fn what_is_right_already_keeps_its_time() {
        let (tree, place) = (tree(), Folder::new("farm"));
        let farm = place.path().join("at");
        let mut plan = Plan::default();
        plan.replace("mm/memory.c", tree.path().join("include/linux/mm.h"));
        sync(tree.path(), &farm, &plan).expect("a farm");
        let inode = stamp::look(&farm.join("mm/memory.c"));
        sync(tree.path(), &farm, &plan).expect("a farm");
        assert_eq!(stamp::look(&farm.join("mm/memory.c")), inode);
    }

    #[test]
    fn a_clean_tree_leaves_nothing_over() {
        let tree = tree();
        assert!(leftovers(tree.path()).is_empty());
    }

    #[test]
    fn what_a_build_in_place_left_is_hidden() {
        let (tree, place) = (tree(), Folder::new("farm"));
        for path in
            [".config", "include/config/auto.conf", "include/generated/autoconf.h", "arch/arm64/include/generated/x.h"]
        {
            tree.write(path, "built");
        }
        tree.write("scripts/basic/fixdep", "built");
        tree.write("scripts/basic/.fixdep.cmd", "built");
        let farm = place.path().join("at");
        sync(tree.path(), &farm, &leftovers(tree.path())).expect("a farm");
        for gone in
            [".config", "include/config", "include/generated", "arch/arm64/include/generated", "scripts/basic/fixdep"]
        {
            assert!(!farm.join(gone).exists(), "{gone}");
        }
        for there in ["scripts/basic/fixdep.c", "include/linux/mm.h", "arch/arm64/include/asm", "arch/x86", "Makefile"]
        {
            assert!(farm.join(there).exists(), "{there}");
        }
    }
}
