//! Faithful subjects are silent in every target, bent ones are not, and no bytes are refused.

use super::*;
use crate::program::{Op, generate};
use crate::registry::GenerationName;
use crate::zoo;

fn settings(subject: Option<&'static str>) -> Settings {
    // No finding is known here: what is left after misuse is a finding.
    Settings { subject, explain: |_, _, violations| vec![None; violations.len()], table: rendered }
}

/// The tables as they are made now: whether they are as reviewed is the snapshots' affair.
fn rendered(name: &str) -> Option<&'static str> {
    let generation = GenerationName::ALL.into_iter().find(|generation| generation.name() == name)?;
    Some(Box::leak(crate::table::render(generation).into_boxed_str()))
}

fn session(name: &str, subject: Option<&'static str>) -> Session {
    Session::new(find(name).expect("a target"), &settings(subject)).unwrap_or_else(|bad| panic!("{bad}"))
}

fn input(target: &Description, seed: u64, choice: u8) -> Vec<u8> {
    let program = if seed.is_multiple_of(2) { generate::legal(seed, 24) } else { generate::any(seed, 24) };
    match target.input {
        Input::Program(_) => target.input.join(&[choice], &program)[..].to_vec(),
        Input::Text => program.to_string().into_bytes(),
        Input::Trace => b"# lazy MMU mode trace: arm64\n0 0 1 1 enable 0 0\n1 0 1 1 disable 0 0\n".to_vec(),
        Input::Frames => crate::wire::bytes(&crate::wire::Frame::Batch {
            subject: 1,
            port: 0,
            programs: vec![bytes::encode(&program)],
        }),
    }
}

/// A fork in a section is a known finding, which nobody knows here.
fn ends(slug: &str) -> bool {
    slug.contains("-fork-") || slug.contains("-exit-")
}

#[test]
fn names_are_unique_and_fit_for_folders() {
    let names: std::collections::BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names.len(), TARGETS.len());
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
}

/// Generated programs, on the subjects of 7.2 where a byte chooses, find nothing; and what a run must meet is met.
#[test]
fn faithful_subjects_are_silent() {
    let current: Vec<u8> = crate::registry::SUBJECTS
        .iter()
        .enumerate()
        .filter(|(_, subject)| subject.is_current())
        .map(|(at, _)| at as u8)
        .collect();
    for target in &TARGETS {
        let mut session = session(target.name, None);
        for seed in 0..400 {
            let choice = if target.name == "contract" { current[seed as usize % current.len()] } else { seed as u8 };
            let data = input(target, seed, choice);
            let found = session.judge(&data, &mut |feature| assert!((feature as usize) < FEATURES));
            // Nobody knows the findings about new tasks here.
            let split = target.input.split(&data);
            let forks = split.is_some_and(|(_, program)| program.ops().iter().any(|op| matches!(op, Op::Fork(_))));
            assert!(forks || found.is_ok(), "{}, seed {seed}: {found:?}\n{:?}", target.name, target.input.split(&data));
        }
        assert_eq!(session.stats().executions(), 400);
    }
}

/// Any bytes are an input.
#[test]
fn no_bytes_are_refused() {
    let mut random = generate::Random::new(7);
    for target in &TARGETS {
        let mut session = session(target.name, Some("counted/none").filter(|_| target.name == "contract"));
        for length in 0..200 {
            let data: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            let found = session.judge(&data, &mut |_| {});
            let known = found.as_ref().is_err_and(|found| ends(&found.slug));
            assert!(known || found.is_ok(), "{}: {data:?}: {found:?}", target.name);
        }
    }
}

/// What is seeded is found, minimised with the same slug, and not empty.
#[test]
fn a_bent_subject_is_found_and_minimised() {
    let mut found = 0;
    for specimen in zoo::all() {
        let target = find("contract").expect("a target");
        let mut session = session("contract", Some(specimen.name));
        let hit = (0..400).map(|seed| input(target, seed, 0)).find(|data| session.judge(data, &mut |_| {}).is_err());
        let Some(data) = hit else { continue };
        found += 1;
        let (small, program, what) = session.minimised(&data).expect("it was found");
        let program = program.expect("the input is a program");
        assert!(!program.ops().is_empty() && small.len() <= data.len(), "{}", specimen.name);
        assert_eq!(session.judge(&small, &mut |_| {}), Err(what), "{}", specimen.name);
    }
    assert!(found >= 8, "{found} of the specimens");
}

#[test]
fn settings_that_name_nothing_are_refused() {
    let bad = Settings { table: |_| None, ..settings(Some("counted/vax")) };
    assert!(find("contract").expect("a target").make(&bad).is_err_and(|why| why.contains("counted/vax")));
    let untabled = Settings { subject: None, ..bad };
    assert!(find("transitions").expect("a target").make(&untabled).is_err_and(|why| why.contains("table")));
}

/// Features tell states apart that code coverage cannot.
#[test]
fn features_tell_depths_apart() {
    let mut session = session("model", None);
    let mut of = |text: &str| {
        let program = crate::program::text::parse(text).expect("a program");
        let mut hits = std::collections::BTreeSet::new();
        let _ = session.judge(&bytes::encode(&program), &mut |feature| {
            hits.insert(feature);
        });
        hits
    };
    let (flat, nested) = (of("enable; disable"), of("enable; enable; disable; disable"));
    assert!(nested.difference(&flat).count() >= 2, "{flat:?} {nested:?}");
    assert_ne!(of("enable; disable"), of("irq { enable; disable }"));
}
