//! Every seed is what its target reads, none is too long, and a disk that fills leaves nothing behind.

use lazy_mmu_engine::program::text::parse_bytes;
use lazy_mmu_engine::replay::Replay;

use super::*;
use crate::output::PART;

fn sources() -> Sources {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    Sources::read(&traces).unwrap_or_else(|error| panic!("{error}"))
}

/// A folder of the test's own.
fn folder(test: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("lazymmu-corpus-{test}-{}", std::process::id()));
    // What a killed run of the same process number left behind.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

#[test]
fn every_seed_is_what_its_target_reads() {
    let sources = sources();
    assert_eq!(sources.collection.len(), PROGRAMS.len(), "every program of the collection parses");
    for (name, input) in TARGETS.map(|target| (target.name, target.input)) {
        let seeds = sources.seeds(input);
        assert!(seeds.len() >= 15, "{name}: {}", seeds.len());
        for seed in &seeds {
            match input {
                Input::Program(prefix) => {
                    let (_, program) = input.split(seed).expect("a program");
                    assert_eq!(bytes::encode(&program), seed[prefix..], "{name}: a program's own bytes");
                    assert_eq!(input.join(&seed[..prefix], &program), *seed, "{name}");
                    assert!(seed.len() <= LONGEST_PROGRAM + prefix, "{name}");
                }
                Input::Text => assert!(parse_bytes(seed).is_ok(), "{name}: {}", String::from_utf8_lossy(seed)),
                Input::Trace => {
                    let mut replay = Replay::new(name);
                    replay.feed(seed).unwrap_or_else(|rejection| panic!("{rejection}"));
                    let summary = replay.finish().unwrap_or_else(|rejection| panic!("{rejection}"));
                    assert!(seed.len() < LONGEST_TEXT && summary.events > 50, "{} bytes", seed.len());
                }
                Input::Frames => {
                    let mut rest = seed.as_slice();
                    while !rest.is_empty() {
                        wire::read(&mut rest).expect("a frame");
                    }
                }
            }
        }
    }
}

/// Digests are names: two seeds of one name would be one.
#[test]
fn different_seeds_have_different_names() {
    let sources = sources();
    for (name, input) in TARGETS.map(|target| (target.name, target.input)) {
        let seeds: BTreeSet<_> = sources.seeds(input).into_iter().collect();
        let digest = |seed: &Vec<u8>| seed.iter().fold(0, |digest, &byte| mix(digest, byte.into()));
        assert_eq!(seeds.iter().map(digest).collect::<BTreeSet<_>>().len(), seeds.len(), "{name}");
    }
}

#[test]
fn every_subject_and_every_program_that_is_not_too_long_has_a_seed() {
    let sources = sources();
    let seeds = sources.seeds(Input::Program(1));
    let subjects: BTreeSet<_> = seeds.iter().map(|seed| usize::from(seed[0])).collect();
    assert_eq!(subjects, (0..SUBJECTS.len()).collect());
    let programs: BTreeSet<_> = seeds.iter().map(|seed| seed[1..].to_vec()).collect();
    let wanted: BTreeSet<_> = sources.seeds(Input::Program(0)).into_iter().collect();
    assert_eq!(programs, wanted);
    let long = sources.workloads.iter().filter(|program| bytes::encode(program).len() > LONGEST_PROGRAM).count();
    assert!(long > 0 && sources.workloads.len() > 4 * long, "{long} of {} are too long", sources.workloads.len());
}

#[test]
fn a_trace_is_cut_at_line_ends_and_says_that_it_is_a_piece() {
    let events: String = (0..5000).map(|n| format!("{n} 0 1 0 enable 1 0\n")).collect();
    let text = format!("# lazy MMU mode trace: arm64\n# format: long\n# kernel: 7.2.13 aarch64\n{events}");
    let pieces = pieces(&text);
    assert_eq!(pieces.len(), PIECES);
    for (n, piece) in pieces.iter().enumerate() {
        let lines: Vec<_> = piece.split_inclusive('\n').collect();
        let header = "# lazy MMU mode trace: arm64\n# kernel: 7.2.13 aarch64\n# window: a piece of the recording\n";
        assert_eq!(lines[..3].concat(), header);
        assert_eq!(lines[3], format!("{} 0 1 0 enable 1 0\n", n * (5000 / PIECES)));
        assert!(lines.len() <= 3 + EVENTS && piece.ends_with('\n'), "{piece}");
    }
}

/// The kinds are told apart by their first byte behind the length.
#[test]
fn there_is_a_frame_of_each_kind() {
    let frames = frames(&sources().collection, &[]);
    let kinds: BTreeSet<u8> = frames.iter().map(|frame| wire::bytes(frame)[4]).collect();
    assert_eq!(kinds, (0..=12).collect());
}

#[test]
fn what_is_there_stays_and_what_is_damaged_is_written_again() {
    let folder = folder("again");
    let seeds = vec![b"one".to_vec(), b"two".to_vec(), b"one".to_vec()];
    let first = write_all(&folder, "a", seeds.clone()).expect("a folder that can be written");
    assert_eq!(first, Written { name: "a", seeds: 2, new: 2, bytes: 6 });
    fs::write(folder.join("found by a fuzzer"), "three").expect("a file");
    let again = write_all(&folder, "a", seeds.clone()).expect("a folder that can be written");
    assert_eq!(again, Written { new: 0, ..first });
    let files = || fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    assert_eq!(files().count(), 3);
    let damaged = files().find(|path| fs::read(path).is_ok_and(|bytes| bytes == b"two")).expect("a seed");
    fs::write(&damaged, "tw").expect("a file");
    assert_eq!(write_all(&folder, "a", seeds).expect("a folder that can be written"), Written { new: 1, ..first });
    assert_eq!(fs::read(&damaged).expect("a seed"), b"two");
    fs::remove_dir_all(folder).expect("the test's own folder");
}

/// The device that is always full stands for the disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_leaves_no_part_of_it() {
    let folder = folder("full");
    std::os::unix::fs::symlink("/dev/full", folder.join(format!("{PART}seed"))).expect("a link");
    let error = put(&folder, "seed", b"bytes").expect_err("nothing can be written");
    let text = error.render();
    assert_eq!(error.exit(), crate::error::Exit::Environment, "{text}");
    assert!(text.starts_with("error: cannot write the file: ") && text.contains("/seed\n"), "{text}");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "{text}");
    fs::remove_dir_all(folder).expect("the test's own folder");
}
