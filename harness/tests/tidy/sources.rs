//! The files of the repository, as the rules read them.
//!
//! What it is not: no rule stands here, and nothing is parsed but the few forms that the rules need.
//!
//! Who calls it: the rules in `tidy.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

/// A file of the repository: its path from the root, and its text.
pub struct Source {
    /// Its path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Every line with its number, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Every line that is not a comment of its own.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, line)| !is_comment(line))
    }

    /// The same without what is compiled for tests alone.
    pub fn without_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut skip = Skip::Nothing;
        let tests = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        self.code().filter(move |(_, line)| {
            let shown = matches!(skip, Skip::Nothing) && line.trim() != "#[cfg(test)]";
            skip = match skip {
                Skip::Nothing if shown => Skip::Nothing,
                Skip::Nothing => Skip::Item,
                // The attributes of the item go with it.
                Skip::Item if line.trim_start().starts_with('#') => Skip::Item,
                Skip::Item if line.ends_with('{') => Skip::Block(line.len() - line.trim_start().len()),
                Skip::Item => Skip::Nothing,
                Skip::Block(indent) if line.len() == indent + 1 && line.ends_with('}') => Skip::Nothing,
                Skip::Block(indent) => Skip::Block(indent),
            };
            shown && !tests
        })
    }

    /// A place in it, for a person.
    pub fn place(&self, line: usize, text: &str) -> String {
        format!("{}:{line}: {}", self.path, text.trim())
    }
}

/// What is left out after `#[cfg(test)]`.
#[derive(Clone, Copy)]
enum Skip {
    /// Nothing, or no longer anything.
    Nothing,
    /// The item that comes next.
    Item,
    /// A block, up to a closing brace that is indented as far.
    Block(usize),
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// All files below `folder` whose name ends so, in the order of their paths. What is built or fetched is left out.
pub fn files(folder: &str, ends: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                // Cargo marks its target directory, whatever it is called.
                // What fuzzing writes is nobody's source.
                let written = path.parent().is_some_and(|parent| parent.ends_with("fuzz"))
                    && name != "src"
                    && name != "fuzz_targets";
                if ![".git", "target"].contains(&name.as_str()) && !written && !path.join("CACHEDIR.TAG").exists() {
                    folders.push(path);
                }
            } else if ends.iter().any(|end| name.ends_with(end)) {
                let below = path.strip_prefix(root()).expect("it is below the root");
                found.push(below.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The same with their texts. A rule over no file at all would hold for ever, so there must be one.
pub fn sources(folder: &str, ends: &[&str]) -> Vec<Source> {
    let source = |path: String| {
        let text = read(&path);
        Source { path, text }
    };
    let found: Vec<_> = files(folder, ends).into_iter().map(source).collect();
    assert!(!found.is_empty(), "nothing below {folder}/ ends in {ends:?}");
    found
}

/// One file that must be there.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sections of a simple TOML file: name, then key and value of each line.
pub fn sections(text: &str) -> BTreeMap<&str, BTreeMap<&str, &str>> {
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    let mut name = "";
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(heading) => name = heading,
            None => {
                let (key, value) = line.split_once(" = ").expect("a key and a value on a line");
                sections.entry(name).or_default().insert(key, value);
            }
        }
    }
    sections
}
