//! Where trees' things lie in the cache, and the locks on them.
//!
//! Layout below the cache: `border/<digest>/` our files, `prepared/<recipe>-<digest>/` what kbuild made, shared by all
//! trees with the same Kconfig and Makefiles; `trees/<name>-<digest>/` for each tree `farm/`, and for each recipe a
//! folder of objects with the linked subject; `revisions/`, `sources/` for trees that this command unpacked.
//!
//! What is there is whole: it arrives by a `rename`. A lock is the kernel's and ends with its process.
//!
//! Who calls it: the other modules of `tree`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use lazy_mmu_border::FILES;
use rustix::fs::{FlockOperation, flock};

use super::error::{Result, TreeError};
use super::stamp;
use crate::output;
use crate::setup::cache::Cache;

/// How many prepared folders are kept for each recipe: a person works on few bases at a time.
const PREPARED: usize = 6;

/// How many trees' objects are kept, those of series included.
const TREES: usize = 16;

/// The file of an entry whose time tells when the entry was used.
pub const USED: &str = "used";

/// The part of the cache that belongs to trees.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A lock that is held. Dropping it gives it back.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its lock, which ends when it is closed")] File);

impl Store {
    /// The user's: `LAZYMMU_TREE_CACHE` where that is an absolute path, or a folder of the command's cache.
    ///
    /// # Errors
    /// There is no place for a cache.
    pub fn find() -> Result<Self> {
        let named = std::env::var_os("LAZYMMU_TREE_CACHE").map(PathBuf::from).filter(|path| path.is_absolute());
        named.map_or_else(|| Ok(Self::at(Cache::find()?.of_trees())), |path| Ok(Self::at(path)))
    }

    /// One in a folder of the caller's choice.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A folder of it, made if need be.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn folder(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.root.join(path);
        fs::create_dir_all(&path).map_err(TreeError::cache(&path))?;
        Ok(path)
    }

    /// The folder of one tree.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn of_tree(&self, tree: &Path) -> Result<PathBuf> {
        use std::os::unix::ffi::OsStrExt as _;
        let digest = stamp::digest_of(&[tree.as_os_str().as_bytes()]);
        let folder = self.folder(format!("trees/{}-{digest:016x}", readable(tree)))?;
        // For a person who looks what takes the room; its time tells which trees are in use.
        let about = folder.join(USED);
        let is_new = !about.exists();
        fs::write(&about, tree.as_os_str().as_bytes()).map_err(TreeError::cache(&about))?;
        if is_new {
            oldest(&self.root.join("trees"), |_| true, TREES);
        }
        Ok(folder)
    }

    /// A new empty folder for something half-finished, on the same disk as the rest.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn scratch(&self, name: &str) -> Result<Scratch> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.folder("tmp")?.join(format!("{name}.{}.{number}", std::process::id()));
        fs::create_dir_all(&path).map_err(TreeError::cache(&path))?;
        Ok(Scratch(path))
    }

    /// Takes a lock, waiting for whoever has it.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn lock(&self, name: &str) -> Result<Held> {
        let path = self.folder("locks")?.join(name);
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(TreeError::cache(&path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|errno| TreeError::cache(&path)(errno.into()))?;
        Ok(Held(file))
    }

    /// Our files, written out once for each content: where compilers find them.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn border(&self) -> Result<PathBuf> {
        let texts: Vec<&[u8]> = FILES.iter().flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()]).collect();
        let place = self.folder("border")?.join(format!("{:016x}", stamp::digest_of(&texts)));
        if place.is_dir() {
            return Ok(place);
        }
        let scratch = self.scratch("border")?;
        for (path, text) in FILES {
            let path = scratch.path().join(path);
            let folder = path.parent().unwrap_or(scratch.path());
            fs::create_dir_all(folder).map_err(TreeError::cache(folder))?;
            fs::write(&path, text).map_err(TreeError::cache(&path))?;
        }
        scratch.publish(&place)?;
        stamp::settle();
        Ok(place)
    }

    /// Removes the prepared folders of a recipe that were used longest ago, and what killed processes left.
    pub fn sweep(&self, recipe: &str) {
        let of_recipe = |name: &str| name.rsplit_once('-').is_some_and(|(name, _)| name == recipe);
        oldest(&self.root.join("prepared"), of_recipe, PREPARED);
        for left in fs::read_dir(self.root.join("tmp")).into_iter().flatten().flatten() {
            let name = left.file_name().to_string_lossy().into_owned();
            let owner = name.rsplit('.').nth(1).and_then(|id| id.parse::<u32>().ok());
            if owner.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
                let _ = fs::remove_dir_all(left.path());
            }
        }
    }
}

/// Removes the entries of a folder that were used longest ago, beyond so many. What cannot be removed stays.
fn oldest(folder: &Path, counts: impl Fn(&str) -> bool, kept: usize) {
    let used = |path: &PathBuf| fs::metadata(path.join(USED)).and_then(|data| data.modified()).ok();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.filter(|entry| counts(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect();
    found.sort_by_key(used);
    for old in found.iter().rev().skip(kept) {
        let _ = fs::remove_dir_all(old);
    }
}

/// Writes a file of the cache, whole or not at all.
///
/// # Errors
/// The cache cannot be written.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    output::file(path, bytes).map_err(TreeError::cache(path))
}

/// A folder for something half-finished, which goes unless it is published.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it its place, in one step. What is there already, from another process, is as good and stays.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn publish(self, place: &Path) -> Result<()> {
        match fs::rename(&self.0, place) {
            Err(_) if place.is_dir() => Ok(()),
            other => other.map_err(TreeError::cache(place)),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The last name of a path, without what kbuild cannot have in a path.
fn readable(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kept =
        name.chars().map(|letter| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' });
    kept.take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    #[test]
    fn each_tree_has_a_folder_that_kbuild_can_use() {
        let place = Folder::new("store");
        let store = Store::at(place.path());
        let (one, other) =
            (store.of_tree(Path::new("/a b/linux: x")).unwrap(), store.of_tree(Path::new("/b/linux: x")).unwrap());
        assert_ne!(one, other);
        let name = one.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("linux__x-"), "{name}");
    }

    #[test]
    fn our_files_are_written_once_and_whole() {
        let place = Folder::new("store");
        let store = Store::at(place.path());
        let border = store.border().unwrap();
        for (path, text) in FILES {
            assert_eq!(&fs::read_to_string(border.join(path)).unwrap(), text, "{path}");
        }
        assert_eq!(store.border().unwrap(), border);
        assert_eq!(fs::read_dir(place.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn half_finished_things_go_and_the_first_to_publish_wins() {
        let place = Folder::new("store");
        let store = Store::at(place.path());
        let (one, two) = (store.scratch("x").unwrap(), store.scratch("x").unwrap());
        fs::write(one.path().join("file"), "one").unwrap();
        fs::write(two.path().join("file"), "two").unwrap();
        let (target, left) = (place.path().join("done"), two.path().to_owned());
        one.publish(&target).unwrap();
        two.publish(&target).unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "one");
        assert!(!left.exists());
    }

    #[test]
    fn only_what_was_used_last_is_kept() {
        let place = Folder::new("store");
        let store = Store::at(place.path());
        for number in 0..=PREPARED as u64 {
            let used = store.folder(format!("prepared/aarch64-{number}")).unwrap().join(USED);
            let file = File::create(&used).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number)).unwrap();
        }
        let other = store.folder("prepared/aarch64-4k-1").unwrap();
        store.sweep("aarch64");
        let there = |number: u64| place.path().join(format!("prepared/aarch64-{number}")).exists();
        assert!(!there(0) && there(1) && there(PREPARED as u64) && other.exists());
    }

    #[test]
    fn a_cache_that_cannot_be_written_says_so() {
        let error = Store::at("/dev/null/lazymmu").border().unwrap_err();
        assert!(matches!(error, TreeError::Cache { .. }) && error.remedy().contains("LAZYMMU_TREE_CACHE"), "{error:?}");
    }
}
