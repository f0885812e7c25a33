//! The directory where a set-up keeps what it made, and the lock that lets one set-up run at a time.
//!
//! Layout: `std/<compiler>/` private sysroots, `compiler/<version>/` unpacked compilers, `sources/<version>/` sources of
//! the standard library, `workshop/<compiler>/` what the standard library is built with, `log/`, `tmp/`. Everything
//! outside `tmp/` arrives by one `rename`, so what is there is whole, whenever a set-up was killed.
//!
//! What it is not: it does not know what the entries mean.
//!
//! Who calls it: the other modules of `setup`.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Missing, say};

/// The cache directory.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// Held while something is being set up; the kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    tmp: PathBuf,
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.tmp);
        // Closing the file would do it as well; a child that inherited it would not let go.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Cache {
    /// Finds the directory; it is made when something is put there.
    ///
    /// # Errors
    ///
    /// When neither `XDG_CACHE_HOME` nor `HOME` names an absolute directory.
    pub fn find() -> Result<Self, Missing> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = || absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let root =
            absolute("LAZYMMU_CACHE").or_else(|| base().map(|base| base.join("lazymmu"))).ok_or_else(|| Missing {
                what: "no place for a cache".to_owned(),
                why: "none of LAZYMMU_CACHE, XDG_CACHE_HOME and HOME is an absolute path".to_owned(),
                remedy: "set LAZYMMU_CACHE to a directory you can write to".to_owned(),
            })?;
        Ok(Self { root })
    }

    /// Where kernel trees' things are, unless told otherwise; [`crate::tree`] knows what they mean.
    #[must_use]
    pub fn of_trees(&self) -> PathBuf {
        self.root.join("tree")
    }

    /// A cache in a directory of the caller's choice.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The sysroot that holds the standard libraries made for one compiler by one recipe.
    ///
    /// Cargo does not look into it. It sees the path among the flags of everything built against it, and builds anew when
    /// the path changes: so a library that differs must have another.
    #[must_use]
    pub fn std(&self, compiler: &str) -> PathBuf {
        self.root.join("std").join(format!("{compiler}-r{}", super::compile::RECIPE))
    }

    /// Where unpacked compilers are.
    #[must_use]
    pub fn compilers(&self) -> PathBuf {
        self.root.join("compiler")
    }

    /// Where the sources of one version of the standard library are.
    #[must_use]
    pub fn sources(&self, version: &str) -> PathBuf {
        self.root.join("sources").join(version)
    }

    /// What the standard library is built with for one compiler.
    #[must_use]
    pub fn workshop(&self, compiler: &str) -> PathBuf {
        self.root.join("workshop").join(compiler)
    }

    /// Takes the lock, waiting for another set-up if one runs, and sweeps up what killed ones left.
    ///
    /// # Errors
    ///
    /// When the cache cannot be written to.
    pub fn lock(&self) -> Result<Lock, Missing> {
        let path = self.root.join("lock");
        fs::create_dir_all(&self.root).map_err(|error| unusable(&self.root, &error))?;
        let file = File::options().create(true).write(true).truncate(false).open(&path);
        let file = file.map_err(|error| unusable(&path, &error))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            say("waiting for another set-up to end");
            flock(&file, FlockOperation::LockExclusive).map_err(|errno| unusable(&path, &errno.into()))?;
        }
        let tmp = self.root.join("tmp");
        let _ = fs::remove_dir_all(&tmp);
        Ok(Lock { tmp, file })
    }

    /// A new empty directory for something half-finished. The lock must be held.
    ///
    /// # Errors
    ///
    /// When the cache cannot be written to.
    pub fn scratch(&self, _lock: &Lock, name: &str) -> Result<PathBuf, Missing> {
        let path = self.root.join("tmp").join(format!("{name}.{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        Ok(path)
    }

    /// A directory of this process alone for trying something, which needs no lock.
    ///
    /// # Errors
    ///
    /// When the cache cannot be written to.
    pub fn trial(&self) -> Result<PathBuf, Missing> {
        let path = self.root.join("trial").join(std::process::id().to_string());
        fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        Ok(path)
    }

    /// The file a long step writes its output to.
    ///
    /// # Errors
    ///
    /// When the cache cannot be written to.
    pub fn log(&self, name: &str) -> Result<(PathBuf, File), Missing> {
        let path = self.root.join("log").join(format!("{name}.log"));
        let made = fs::create_dir_all(self.root.join("log")).and_then(|()| File::create(&path));
        made.map(|file| (path.clone(), file)).map_err(|error| unusable(&path, &error))
    }
}

/// Moves a finished directory to its place, in one step. What was there, if anything, was not whole and goes.
///
/// # Errors
///
/// When the file system refuses.
pub fn publish(finished: &Path, place: &Path) -> Result<(), Missing> {
    let _ = fs::remove_dir_all(place);
    let made = place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(finished, place));
    made.map_err(|error| unusable(place, &error))
}

/// What to say when a path of the cache cannot be used.
pub(super) fn unusable(path: &Path, error: &io::Error) -> Missing {
    Missing {
        what: format!("the cache cannot be used at {}", path.display()),
        why: error.to_string(),
        remedy: "make room there, or set XDG_CACHE_HOME to a directory you can write to".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache for one test, removed afterwards.
    struct Own(Cache);

    impl Own {
        fn new(name: &str) -> Self {
            let root = env::temp_dir().join(format!("lazymmu-{name}-{}", std::process::id()));
            Self(Cache::at(root))
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0.root);
        }
    }

    #[test]
    fn what_a_killed_set_up_left_is_swept() {
        let Own(cache) = &Own::new("swept");
        let lock = cache.lock().unwrap();
        let half = cache.scratch(&lock, "half").unwrap();
        fs::write(half.join("file"), "x").unwrap();
        // A process that is killed drops nothing; the kernel takes its lock.
        flock(&lock.file, FlockOperation::Unlock).unwrap();
        std::mem::forget(lock);
        let next = cache.lock().unwrap();
        assert!(!half.exists());
        let half = cache.scratch(&next, "half").unwrap();
        drop(next);
        assert!(!half.exists(), "what a finished one left is swept too");
    }

    #[test]
    fn one_set_up_at_a_time() {
        let Own(cache) = &Own::new("once");
        let lock = cache.lock().unwrap();
        let other = File::open(cache.root.join("lock")).unwrap();
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_err());
        drop(lock);
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_ok());
    }

    #[test]
    fn publishing_replaces_what_was_not_whole() {
        let Own(cache) = &Own::new("publish");
        let lock = cache.lock().unwrap();
        let place = cache.std("1.0.0-abc").join("lib");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("half"), "x").unwrap();
        let finished = cache.scratch(&lock, "std").unwrap();
        fs::write(finished.join("whole"), "x").unwrap();
        publish(&finished, &place).unwrap();
        assert!(place.join("whole").exists() && !place.join("half").exists() && !finished.exists());
    }

    #[test]
    fn a_cache_in_a_place_that_is_no_directory_says_so() {
        let missing = Cache::at("/dev/null/lazymmu").lock().unwrap_err();
        assert!(missing.remedy.contains("XDG_CACHE_HOME"), "{missing:?}");
    }
}
