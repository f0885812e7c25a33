//! A kernel tree's own C explored where it runs: only where `LAZYMMU_TEST_TREE` names a tree.
//!
//! What it is not: building a tree is tested in `tree.rs`, the search beside it.
//!
//! Who calls it: `cargo test`, with the variable set.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use lazy_mmu_engine::space::{Path, Reached};
use lazy_mmu_engine::wire::Frame;
use lazy_mmu_harness::explore::Steps as _;
use lazy_mmu_harness::explore::alphabet::Alphabet;
use lazy_mmu_harness::explore::remote::Remote;
use lazy_mmu_harness::judge::start;
use lazy_mmu_harness::setup::{self, Options};
use lazy_mmu_harness::target::Target;
use lazy_mmu_harness::tree::{Session, Source, Store};
use lazy_mmu_harness::workspace;

/// The tree.
fn tree() -> Option<PathBuf> {
    let named = std::env::var_os("LAZYMMU_TEST_TREE").map(PathBuf::from);
    if named.is_none() {
        eprintln!("skipped: LAZYMMU_TEST_TREE names no kernel tree");
    }
    named
}

/// Two paths with one fingerprint go on alike: every step leads both to the same state, or ends both alike.
#[test]
fn states_that_are_merged_go_on_alike() {
    let Some(path) = tree() else { return };
    let store = Store::find().expect("a cache");
    let source = Source::open(&path, &store).expect("a tree");
    let session = Session::new(&store, 1);
    let root = workspace::root().expect("the workspace");
    let (_, ready) = setup::prepare(&[Target::X86_64], Options::default()).remove(0);
    let built = start::build(&source, start::recipe(Target::X86_64, None).expect("a recipe"), ready, &session, &root)
        .unwrap_or_else(|e| panic!("{}", e.render()));
    let (mut agent, forms) = built.start().expect("it starts");
    for form in forms {
        let mut ask = |question: &Frame| agent.ask(question);
        let mut remote = Remote::new(&mut ask, form.index, Alphabet::Full.steps(192));
        let width = remote.width();
        let (mut known, mut pairs) = (HashMap::new(), Vec::new());
        let mut level = vec![Path::default()];
        for _ in 0..2 {
            let expanded = remote.expand(&level).expect("steps");
            let paths = level.iter().flat_map(|&path| (0..width).map(move |step| path.with(step)));
            let mut next = Vec::new();
            for (path, reached) in paths.zip(&expanded.reached) {
                let Reached::State(fingerprint) = reached else { continue };
                match known.get(fingerprint) {
                    Some(&first) => pairs.push((first, path)),
                    None => {
                        known.insert(*fingerprint, path);
                        next.push(path);
                    }
                }
            }
            level = next;
        }
        let (firsts, seconds): (Vec<Path>, Vec<Path>) = pairs.into_iter().unzip();
        assert!(firsts.len() > 20, "{}: only {} pairs", form.name, firsts.len());
        let (first, second) = (remote.expand(&firsts).expect("steps"), remote.expand(&seconds).expect("steps"));
        for (at, (one, other)) in first.reached.iter().zip(&second.reached).enumerate() {
            let (of, step) = (at / usize::from(width), (at % usize::from(width)) as u8);
            let [one_program, other_program] = [firsts[of], seconds[of]].map(|path| remote.program(path.with(step)));
            assert_eq!(one, other, "{}:\n{one_program}\nand\n{other_program}", form.name);
        }
    }
}

/// A kernel of 4K pages has subjects of its own, which prove that the overlay took, and holds; and one program runs on one.
#[test]
fn pages_of_4k_are_judged_on_subjects_of_their_own() {
    let Some(path) = tree() else { return };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lazymmu"));
        let ran = command.args(arguments).output().expect("it starts");
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let path = path.to_string_lossy();
    let (code, said) = run(&["judge", &path, "--target", "powerpc64", "--pages", "4k"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["tree/powerpc64-hash-4k ", "tree/powerpc64-radix-4k ", "pages of 4k; pages of 64k were not looked at"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    for subject in ["tree/powerpc64-hash-4k", "tree/powerpc64-radix-4k"] {
        let (code, said) = run(&["run", "halves/enable", "--tree", &path, "--subject", subject]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.starts_with(subject), "{said}");
    }
}

/// The command: what is printed of a tree is what is printed of our Rust, with the tree's subject.
#[test]
fn a_trees_subject_is_explored() {
    let Some(path) = tree() else { return };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lazymmu"));
        let ran = command.args(["explore", "--tree"]).arg(&path).args(arguments).output().expect("it starts");
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let (code, stdout) = run(&["--subject", "tree/xen", "--depth", "2", "--alphabet", "full"]);
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("\ntree/xen on x86_64\n  states ") && stdout.contains("\nnot exercised: "), "{stdout}");
    assert!(stdout.ends_with("\nholds: every path of up to 2 steps was explored\n"), "{stdout}");
    let (code, stdout) = run(&["--subject", "tree/native", "--depth", "3", "--max-states", "100"]);
    assert_eq!(code, Some(4), "{stdout}");
    assert!(stdout.contains("\nPARTIAL: 1"), "{stdout}");
}
