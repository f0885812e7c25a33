//! `lazymmu cross` with scripts in place of cross and podman: what is missing is said once, with the command that helps.
//!
//! What it is not: the real cross with a real engine is run by hand and in CI (docs/cross.md).
//!
//! Who calls it: `cargo test`.

use std::process::Command;

use crate::place::{Ended, Place};

const IMAGE: (&str, &str) = ("CROSS_TARGET_SPARC64_UNKNOWN_LINUX_GNU_IMAGE", "localhost/lazymmu-cross");

/// An engine that is well and has an image with this label.
fn engine(label: &str) -> String {
    format!("case $1 in info) exit 0;; image) echo '{label}';; *) exit 1;; esac")
}

/// The command in a place where no other programs are on the path.
fn cross(place: &Place) -> Command {
    let mut command = place.command(&["cross", "--target", "sparc64"]);
    command.env("PATH", place.path("bin")).env_remove("CROSS_CONTAINER_ENGINE");
    command
}

fn place(test: &str) -> Place {
    let place = Place::new(test);
    place.write("harness/cross/Dockerfile", "FROM scratch\nLABEL lazymmu.image=7\n");
    place
}

#[track_caller]
fn is_missing(ended: &Ended, what: &str, why: &str, remedy: &str) {
    ended.is_refused(3);
    for part in [format!("error: {what}\n"), format!("where: {why}"), format!("to do: {remedy}")] {
        assert!(ended.stderr.contains(&part), "`{part}` in {}", ended.stderr);
    }
}

#[test]
fn what_cross_needs_and_is_missing_is_said_with_the_command_that_helps() {
    let place = place("no-cross");
    let run = |command: Command| place.start(command).end();
    let get = "cargo install cross --version 0.2.5 --locked";
    is_missing(&run(cross(&place)), "cross is not installed", "there is no program `cross`", get);
    place.program("bin/cross", "exit 9");
    let get = "apt-get install podman";
    is_missing(&run(cross(&place)), "no container engine", "there is no program `podman` on the PATH; there is", get);
    place.program("bin/docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    let why = "there is no program `podman` on the PATH; `docker info` fails: Cannot connect to the Docker daemon";
    is_missing(&run(cross(&place)), "no container engine", why, get);
    let mut named = cross(&place);
    named.env("CROSS_CONTAINER_ENGINE", "nerdctl");
    let remedy = "see to nerdctl, or unset CROSS_CONTAINER_ENGINE";
    is_missing(&run(named), "no container engine", "there is no program `nerdctl`", remedy);
    place.is_empty();
}

#[test]
fn an_image_that_is_stale_or_not_there_is_refused() {
    let place = place("stale-image");
    place.program("bin/cross", "exit 9");
    let run = || {
        let mut command = cross(&place);
        command.env(IMAGE.0, IMAGE.1);
        place.start(command).end()
    };
    let build = "podman build --tag localhost/lazymmu-cross harness/cross";
    let what = "localhost/lazymmu-cross is not the image of this Dockerfile";
    for (label, has) in [("6", "6"), ("", "none")] {
        place.program("bin/podman", &engine(label));
        is_missing(&run(), what, &format!("the label lazymmu.image should be 7, and is {has}"), build);
    }
    place.program("bin/podman", "case $1 in info) exit 0;; *) echo 'no such image' >&2; exit 125;; esac");
    is_missing(&run(), "the image localhost/lazymmu-cross is not here", "no such image", build);
}

#[test]
fn tests_in_containers_are_added_up() {
    let place = place("good-cross");
    place.program("bin/podman", &engine("7"));
    place.program(
        "bin/cross",
        "echo \"$* $CROSS_CONTAINER_ENGINE ${CARGO_TARGET_DIR##*/} $INSTA_UPDATE\" >said; echo 'running 3 tests'\n\
         echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.52s'",
    );
    let mut command = cross(&place);
    command.args(["--", "--package", "lazy-mmu-core"]).env(IMAGE.0, IMAGE.1);
    let good = place.start(command).end();
    assert_eq!(good.code, Some(0), "{good:#?}");
    assert!(good.stdout.contains("\nsparc64  3    0       0 "), "{good:#?}");
    let said = std::fs::read_to_string(place.path("said")).expect("what cross was told");
    let expected = "test --target sparc64-unknown-linux-gnu --no-fail-fast --package lazy-mmu-core podman sparc64 no\n";
    assert_eq!(said, expected);
    place.program("bin/cross", "echo 'running 3 tests'; kill -KILL $$");
    let bad = place.start(cross(&place)).end();
    assert_eq!(bad.code, Some(1), "{bad:#?}");
    assert!(bad.stdout.contains("a test binary ended without a result"), "{bad:#?}");
}
