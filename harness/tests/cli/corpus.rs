//! `corpus`: what it writes where, that writing again changes nothing, and what is refused.
//!
//! What it is not: that each seed is what its target reads is tested beside the sources.
//!
//! Who calls it: `cargo test`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::folder::{Folder, Ran, command, root};

/// The command with two folders of the test's own.
fn corpus(out: &Path, dictionaries: &Path) -> Ran {
    let mut command = command(root());
    command.arg("corpus").arg("--out").arg(out).arg("--dictionaries").arg(dictionaries);
    Ran::of(&mut command, b"")
}

/// Every file below a folder, with when it was written.
fn files(folder: &Path) -> BTreeMap<String, SystemTime> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let written = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
            found.insert(path.display().to_string(), written);
        }
    }
    found
}

#[test]
fn seeds_and_dictionaries_are_written_once() {
    let folder = Folder::new("corpus");
    let (out, dictionaries) = (folder.path().join("deep/corpus"), folder.path().join("dictionaries"));
    let first = corpus(&out, &dictionaries);
    first.is_result("the first time", 0);
    let before = files(folder.path());
    let mut targets = 0;
    for line in first.stdout.lines().filter(|line| !line.is_empty()) {
        let mut fields = line.split_whitespace();
        let (name, seeds, new) = (fields.next(), fields.next(), fields.next());
        let Some(Ok(seeds)) = seeds.map(str::parse::<usize>) else { continue };
        let name = name.expect("a name");
        if name.ends_with(".dict") {
            assert!(dictionaries.join(name).is_file() && seeds > 25 && new == Some("1"), "{line}");
        } else {
            targets += 1;
            assert_eq!(fs::read_dir(out.join(name)).expect("a folder").count(), seeds, "{line}");
            assert_eq!(new, Some(seeds.to_string().as_str()), "{line}");
        }
    }
    assert_eq!((targets, fs::read_dir(&out).expect("a folder").count()), (9, 9), "{}", first.stdout);
    let again = corpus(&out, &dictionaries);
    again.is_result("again", 0);
    assert_eq!(files(folder.path()), before, "writing again changes nothing");
    let nothing_new = again.stdout.lines().filter_map(|line| line.split_whitespace().nth(2));
    assert!(nothing_new.into_iter().all(|new| new == "0" || new == "new"), "{}", again.stdout);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = Folder::new("corpus-bad");
    folder.write("a-file", "");
    let (file, good) = (folder.path().join("a-file"), folder.path().join("good"));
    for (out, dictionaries, code, place) in [
        (file.as_path(), good.as_path(), 2, "--out".to_owned()),
        (good.as_path(), file.as_path(), 2, "--dictionaries".to_owned()),
        (Path::new("/proc/no-such-folder"), good.as_path(), 3, "/proc/no-such-folder/transitions".to_owned()),
        (&file.join("below"), good.as_path(), 3, file.join("below/transitions").display().to_string()),
    ] {
        let ran = corpus(out, dictionaries);
        ran.is_refused(&place, code);
        assert_eq!(ran.line("  where: "), Some(place.as_str()));
        assert!(ran.line("  to do: ").is_some(), "{}", ran.stderr);
    }
    assert!(!good.exists(), "nothing is written before the folders are looked at");
}

#[test]
fn outside_the_project_there_is_nothing_to_make_seeds_of() {
    let folder = std::env::temp_dir();
    let mut command = command(&folder);
    command.args(["corpus", "--out", "x", "--dictionaries", "y"]);
    let ran = Ran::of(&mut command, b"");
    ran.is_refused("outside", 2);
    assert!(ran.stderr.contains("outside the project"), "{}", ran.stderr);
}

/// A folder that is a workspace as far as the command looks.
fn workspace(test: &str) -> Folder {
    let folder = Folder::new(test);
    fs::create_dir_all(folder.path().join("harness")).expect("a folder");
    fs::create_dir_all(folder.path().join("fuzz/corpus/model")).expect("a folder");
    folder.write("Cargo.toml", "");
    folder.write("harness/Cargo.toml", "");
    folder
}

#[test]
fn without_a_corpus_nothing_is_promoted() {
    let folder = workspace("promote");
    for (arguments, place, remedy) in [
        (&["corpus", "promote"][..], "fuzz/corpus/transitions", "run `cargo lazymmu fuzz transitions` first"),
        (&["corpus", "promote", "model"], "fuzz/corpus/model", "run `cargo lazymmu fuzz model` first"),
        (&["corpus", "promote", "program_text"], "the command line", "one of transitions, contract, "),
    ] {
        let ran = folder.run(arguments);
        ran.is_refused(place, 2);
        assert!(ran.line("  where: ").is_some_and(|line| line.ends_with(place)), "{}", ran.stderr);
        assert!(ran.line("  to do: ").is_some_and(|line| line.starts_with(remedy)), "{}", ran.stderr);
    }
}

#[test]
fn what_no_agent_knows_is_not_fed_to_one() {
    let folder = workspace("cross");
    for (arguments, what) in [
        (&["fuzz", "program_text", "--cross"][..], "the inputs of program_text are no programs"),
        (&["fuzz", "contract", "--cross", "--subject", "zoo/arm64-softirq-pte"], "a target's agent does not know"),
    ] {
        let ran = folder.run(arguments);
        ran.is_refused(what, 2);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert_eq!(ran.line("  where: "), Some("--cross"));
    }
}
