//! Puts every file that is compiled with a tree into this package, as a table of paths and texts.
//!
//! A list by hand would be forgotten when a header is added. Cargo runs this again when anything in the folders changes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folders of the package whose files go into the table.
const FOLDERS: [&str; 4] = ["config", "glue", "include", "overlay"];

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(name.to_owned()));
    let package = variable("CARGO_MANIFEST_DIR")?;
    let mut paths = Vec::new();
    for folder in FOLDERS {
        println!("cargo:rerun-if-changed={folder}");
        let folder = package.join(folder);
        if folder.is_dir() {
            collect(&folder, &mut paths)?;
        }
    }
    paths.sort();
    let mut table = String::from("&[\n");
    for path in paths {
        let name = path.strip_prefix(&package).unwrap_or(&path).to_string_lossy().into_owned();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    table.push(']');
    fs::write(variable("OUT_DIR")?.join("files.rs"), table)
}

/// All files below a folder but what editors leave behind.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if !name.starts_with('.') && !name.ends_with('~') {
            paths.push(path);
        }
    }
    Ok(())
}
