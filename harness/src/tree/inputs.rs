//! The files that kbuild's preparation was made from: Kconfig, Makefiles, scripts, tables, and which headers there are.
//!
//! Kconfig says itself what it has read. The rest is found by where it lies, and by the commands kbuild saved.
//! Headers that are only included by what is compiled do not belong here: they are followed by dependency files.
//!
//! Who calls it: [`super::prepare`].

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::stamp;

/// The file of a prepared folder that lists its inputs.
pub const NAME: &str = "lz.inputs";

/// A path from the tree's root, and the digest of what is there; none where nothing is.
pub type Input = (String, Option<u64>);

/// Folders of `scripts` that take no part in preparing headers.
const OTHER_SCRIPTS: [&str; 8] =
    ["dtc", "coccinelle", "gdb", "gcc-plugins", "package", "selinux", "tracing", "clang-tools"];

/// Finds what an out-of-tree folder was made from.
#[must_use]
pub fn find(tree: &Path, out: &Path, arch_dir: &str) -> Vec<Input> {
    let arch = format!("arch/{arch_dir}");
    let single =
        ["Kbuild", "kernel/time/timeconst.bc", "kernel/configs/tiny-base.config", "kernel/configs/tiny.config"];
    let mut paths: BTreeSet<String> = single.into_iter().map(str::to_owned).collect();
    paths.insert(format!("{arch}/configs/tiny.config"));
    // Generic headers get a wrapper where the architecture has no header of that name.
    paths.extend(["include/asm-generic", "include/uapi/asm-generic"].map(str::to_owned));
    paths.extend([format!("{arch}/include/asm"), format!("{arch}/include/uapi/asm")]);
    paths.extend(read_by_kconfig(&fs::read_to_string(out.join("include/config/auto.conf.cmd")).unwrap_or_default()));
    walk(
        tree,
        Path::new("scripts"),
        &mut |path| {
            let second = path.components().nth(1).map(|part| part.as_os_str().to_string_lossy().into_owned());
            !second.is_some_and(|name| OTHER_SCRIPTS.contains(&&*name))
        },
        &mut paths,
    );
    walk(tree, Path::new(&arch), &mut makes_headers, &mut paths);
    named_in_commands(tree, out, &mut paths);
    // The top Makefile has the version: where trees differ, it is the first to tell.
    paths.remove("Makefile");
    let all = std::iter::once("Makefile".to_owned()).chain(paths);
    all.map(|path| {
        let found = stamp::digest(&tree.join(&path));
        (path, found)
    })
    .collect()
}

/// Whether a file of an architecture makes headers or flags: Makefiles, tables, tools.
fn makes_headers(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let end = path.extension().unwrap_or_default();
    ["Makefile", "Kbuild"].iter().any(|start| name.starts_with(start))
        || ["tbl", "awk"].iter().any(|wanted| end == *wanted)
        || path.components().any(|part| part.as_os_str() == "tools" || part.as_os_str() == "syscalls")
}

/// The files that Kconfig lists as read.
fn read_by_kconfig(text: &str) -> Vec<String> {
    let list = text.split("deps_config :=").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    list.split([' ', '\t', '\n', '\\'])
        .filter(|path| !path.is_empty() && !path.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

/// Everything below a folder that passes, links of a farm followed.
fn walk(tree: &Path, folder: &Path, passes: &mut impl FnMut(&Path) -> bool, paths: &mut BTreeSet<String>) {
    for entry in fs::read_dir(tree.join(folder)).into_iter().flatten().flatten() {
        let path = folder.join(entry.file_name());
        if tree.join(&path).is_dir() {
            walk(tree, &path, passes, paths);
        } else if passes(&path) {
            paths.extend(path.to_str().map(str::to_owned));
        }
    }
}

/// Files of the tree that the saved commands of generated headers name.
fn named_in_commands(tree: &Path, folder: &Path, paths: &mut BTreeSet<String>) {
    let prefix = format!("{}/", tree.display());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            named_in_commands(tree, &path, paths);
        } else if name.starts_with('.') && name.ends_with(".h.cmd") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let words = text.split(|c: char| c.is_whitespace() || "'\"()".contains(c));
            let of_tree = words.filter_map(|word| word.strip_prefix(&prefix));
            paths.extend(of_tree.filter(|path| tree.join(path).is_file()).map(str::to_owned));
        }
    }
}

/// The inputs of a prepared folder; none where the list is not whole.
#[must_use]
pub fn read(prepared: &Path) -> Option<Vec<Input>> {
    let text = fs::read_to_string(prepared.join(NAME)).ok()?;
    let parse = |line: &str| {
        let (digest, path) = line.split_once(' ')?;
        let digest = if digest == "-" { None } else { Some(u64::from_str_radix(digest, 16).ok()?) };
        Some((path.to_owned(), digest))
    };
    text.ends_with('\n').then(|| text.lines().map(parse).collect()).flatten()
}

/// The text of the list.
#[must_use]
pub fn text(inputs: &[Input]) -> String {
    let mut text = String::new();
    for (path, digest) in inputs {
        // Writing to a string cannot fail.
        let _ = match digest {
            Some(digest) => writeln!(text, "{digest:016x} {path}"),
            None => writeln!(text, "- {path}"),
        };
    }
    text
}

/// Whether a tree has the same inputs.
#[must_use]
pub fn hold(inputs: &[Input], tree: &Path) -> bool {
    !inputs.is_empty() && inputs.iter().all(|(path, then)| stamp::digest(&tree.join(path)) == *then)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    fn tree() -> (Folder, Folder) {
        let (tree, out) = (Folder::tree("inputs"), Folder::new("out"));
        for path in
            ["mm/Kconfig", "arch/x86/Makefile", "arch/x86/tools/gen.awk", "scripts/Makefile.build", "scripts/dtc/x.c"]
        {
            tree.write(path, path);
        }
        tree.write("arch/x86/mm/tlb.c", "no input");
        tree.write("include/xen/interface/xen.h", "an input by a command");
        out.write(
            "include/config/auto.conf.cmd",
            "autoconfig := x\n\ndeps_config := \\\n\tKconfig \\\n\tmm/Kconfig \\\n\n$(deps_config): ;\n",
        );
        let command = format!(
            "savedcmd_x.h := sh '{0}/scripts/x.sh' x.h {0}/include/xen/interface/xen.h\n",
            tree.path().display()
        );
        out.write("arch/x86/include/generated/asm/.x.h.cmd", &command);
        (tree, out)
    }

    #[test]
    fn what_headers_and_flags_are_made_from_is_found() {
        let (tree, out) = tree();
        let found = find(tree.path(), out.path(), "x86");
        let paths: Vec<&str> = found.iter().map(|(path, _)| &**path).collect();
        assert_eq!(paths[0], "Makefile");
        for path in [
            "Kconfig",
            "mm/Kconfig",
            "arch/x86/Makefile",
            "arch/x86/tools/gen.awk",
            "scripts/Makefile.build",
            "arch/x86/include/asm",
        ] {
            assert!(paths.contains(&path), "{path} of {paths:?}");
        }
        // A path with blanks is no word of a command; kbuild has none.
        assert!(!paths.contains(&"arch/x86/mm/tlb.c") && !paths.contains(&"scripts/dtc/x.c"));
    }

    type Change = (&'static str, fn(&Folder));

    #[test]
    fn each_change_is_one() {
        let changes: [Change; 4] = [
            ("a Kconfig", |tree| tree.write("mm/Kconfig", "config X")),
            ("a new header", |tree| tree.write("arch/x86/include/asm/new.h", "")),
            ("a Makefile that is gone", |tree| fs::remove_file(tree.path().join("arch/x86/Makefile")).unwrap()),
            ("a file that was not there", |tree| tree.write("kernel/time/timeconst.bc", "1")),
        ];
        for (what, change) in changes {
            let (tree, out) = tree();
            let found = find(tree.path(), out.path(), "x86");
            assert!(hold(&found, tree.path()), "{what}");
            tree.write("mm/memory.c", "no input");
            assert!(hold(&found, tree.path()), "a source is no input");
            change(&tree);
            assert!(!hold(&found, tree.path()), "{what}");
        }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let place = Folder::new("inputs");
        let list = vec![("Makefile".to_owned(), Some(7)), ("not there".to_owned(), None)];
        place.write(NAME, &text(&list));
        assert_eq!(read(place.path()), Some(list));
        place.write(NAME, "0000 Makef");
        assert_eq!(read(place.path()), None);
    }
}
