//! Folders for the tests of `tree`: each test has its own, which goes with it.
//!
//! Who calls it: the tests of the modules beside it.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is removed when the test ends.
pub struct Folder(PathBuf);

impl Folder {
    /// A new empty one.
    pub fn new(name: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lazymmu tree {name} {} {number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path.canonicalize().expect("it is there"))
    }

    /// A made-up tree: what tells a Linux tree from other folders, and no code.
    pub fn tree(name: &str) -> Self {
        let folder = Self::new(name);
        folder.write("Makefile", "VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 1\nEXTRAVERSION =\nNAME = Test\n");
        folder.write("Kconfig", "");
        for path in
            ["arch/arm64/include/asm", "arch/x86/include/asm", "include/linux", "include/asm-generic", "mm", "scripts"]
        {
            fs::create_dir_all(folder.0.join(path)).expect("a folder");
        }
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file below it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// The text of a file below it.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).expect("a file")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
