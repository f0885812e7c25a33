//! Lists the program files under `programs/` and the snapshots under `snaps/`, so that a new file is in the
//! collection by being there. Called by cargo.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut list = String::from("&[\n");
    let mut files = Vec::new();
    collect(&here.join("programs"), &mut files)?;
    files.sort();
    for file in files {
        let name = file.strip_prefix(here.join("programs")).unwrap_or(&file).with_extension("");
        let name = name.to_string_lossy().replace('\\', "/");
        let snapshot = here.join("snaps").join(format!("{}.snap", name.replace('/', "__")));
        let reviewed = if snapshot.exists() { format!("Some(include_str!({snapshot:?}))") } else { "None".to_owned() };
        let _ = writeln!(list, "    Entry {{ name: {name:?}, text: include_str!({file:?}), reviewed: {reviewed} }},");
    }
    list.push_str("]\n");
    let mut tables = String::from("&[\n");
    for entry in fs::read_dir(here.join("snaps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = name.strip_prefix("table__").and_then(|name| name.strip_suffix(".snap")) {
            let _ = writeln!(tables, "    ({name:?}, include_str!({path:?})),");
        }
    }
    tables.push_str("]\n");
    fs::write(out.join("tables.rs"), tables)?;
    let digests = here.join("snaps/generated__digests.snap");
    let digests = if digests.exists() { format!("Some(include_str!({digests:?}))") } else { "None".to_owned() };
    fs::write(out.join("generated.rs"), digests)?;
    println!("cargo::rerun-if-changed=programs");
    println!("cargo::rerun-if-changed=snaps");
    fs::write(out.join("programs.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "lmm") {
            files.push(path);
        }
    }
    Ok(())
}
