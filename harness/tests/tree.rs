//! A real kernel tree, from kbuild to a program that answers: only where `LAZYMMU_TEST_TREE` names one.
//!
//! What it is not: no machine is in these programs; `data/tree/host.c` stands for it.
//!
//! Who calls it: `cargo test`, with the variable set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lazy_mmu_border::{Recipe, file};
use lazy_mmu_harness::setup::packages::{qemu, which};
use lazy_mmu_harness::target::Target;
use lazy_mmu_harness::tree::series::Series;
use lazy_mmu_harness::tree::tools::{Compiler, Tools};
use lazy_mmu_harness::tree::{self, Session, Source, Store, TreeError};

/// A cache for the test. Kbuild's part is made anew: its errors are to be seen.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The targets whose compiler this machine has, each with the object that stands for the machine.
fn wanted(place: &Path) -> Vec<(&'static Recipe, tree::Result<Vec<PathBuf>>)> {
    fs::write(place.join("lazymmu_border.h"), file("include/lazymmu_border.h").expect("the border")).expect("a file");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tree/host.c");
    let mut wanted = Vec::new();
    for target in Target::ALL {
        let Ok(tools) = Tools::find(target, Compiler::Gcc) else {
            eprintln!("skipped: there is no compiler for {target} here");
            continue;
        };
        let object = place.join(format!("{target}.o"));
        let mut gcc = tools.command("gcc");
        gcc.args(["-O1", "-fno-pie", "-c", "-I"]).arg(place).arg("-o").arg(&object).arg(&source);
        assert!(gcc.status().expect("gcc runs").success());
        wanted.extend(tree::usual(&[target]).into_iter().map(|recipe| (recipe, Ok(vec![object.clone()]))));
    }
    wanted
}

/// What a subject prints on its target; none where nothing runs its programs.
fn printed(recipe: &Recipe, subject: &Path) -> Option<String> {
    let target = tree::target_of(recipe);
    let mut command = if target.is_native() { Command::new(subject) } else { Command::new(which(&qemu(target)?)?) };
    if !target.is_native() {
        command.arg(subject);
    }
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}: {output:?}", recipe.name);
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_tree_becomes_programs_and_an_edit_compiles_what_it_must() {
    let Some(path) = std::env::var_os("LAZYMMU_TEST_TREE") else {
        eprintln!("skipped: LAZYMMU_TEST_TREE names no kernel tree");
        return;
    };
    let place = Place(std::env::temp_dir().join(format!("lazymmu tree test {}", std::process::id())));
    fs::create_dir_all(&place.0).expect("a folder");
    let (store, wanted) = (Store::at(place.0.join("cache")), wanted(&place.0));
    let base = Source::open(Path::new(&path), &store).expect("a tree");

    for (recipe, result) in tree::build_all(&base, &wanted, &Session::new(&store, wanted.len())) {
        let built = result.unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
        assert!(built.times.kbuild.is_some() && built.linked && built.compiled == built.objects, "{built:?}");
        assert_eq!(printed(recipe, &built.subject).unwrap_or("border 1\n".to_owned()), "border 1\n");
    }
    for (recipe, result) in tree::build_all(&base, &wanted, &Session::new(&store, wanted.len())) {
        let built = result.unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
        assert!(built.times.kbuild.is_none() && !built.linked && built.compiled == 0, "{built:?}");
    }

    // A patch of the helpers' header that the compiler takes, and one that it does not.
    let header = base.text("include/linux/pgtable.h").expect("the header");
    let lines: Vec<&str> = header.lines().take(2).collect();
    let mail = |subject: &str, added: &str, below: &str| {
        let file = "include/linux/pgtable.h";
        let hunk = format!("@@ -1,2 +1,3 @@\n {}\n+{added}\n {below}\n", lines[0]);
        format!("From x\nSubject: [PATCH] {subject}\n\n--- a/{file}\n+++ b/{file}\n{hunk}\n")
    };
    let (comment, wrong) = ("/* a comment */", "int lazymmu_test(void) { return nothing; }");
    let mailbox = place.0.join("series.mbx");
    fs::write(&mailbox, mail("one", comment, lines[1]) + &mail("two", wrong, comment)).expect("a file");
    let mut series = Series::open(&base, &mailbox, &store).expect("two patches");
    let (_, with_comment) = series.next().expect("the first").expect("it applies");
    for (recipe, result) in tree::build_all(&with_comment, &wanted, &Session::new(&store, wanted.len())) {
        let built = result.unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
        assert!(built.times.kbuild.is_none(), "Kconfig is the same: {}", recipe.name);
        assert!(built.compiled > 0 && built.linked, "{built:?}");
    }
    let (_, broken) = series.next().expect("the second").expect("it applies");
    for (recipe, result) in tree::build_all(&broken, &wanted, &Session::new(&store, wanted.len())) {
        let error = result.expect_err("it does not compile");
        assert!(matches!(error, TreeError::Compile { ours: false, .. }), "{error:?}");
        assert!(error.place().is_some_and(|place| place.starts_with("include/linux/pgtable.h:2")), "{error:?}");
        assert!(!broken.place().join(recipe.name).join("subject").exists(), "an old subject could be judged");
    }
}
