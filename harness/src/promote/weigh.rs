//! What a program exercises: its features and the kinds of event it meets, on every subject of Linux 7.2, and whether
//! the collection may have it.
//!
//! It may not have a finding (those have a family of their own), code of one architecture, or a program whose generic
//! events differ between backends (each such one needs its reason in the collection's tests). Not here: which programs are
//! chosen ([`super::select`]).

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use lazy_mmu_engine::exercise::{Exercised, KINDS};
use lazy_mmu_engine::fuzz::{FEATURES, LIMIT, Session, find};
use lazy_mmu_engine::program::{Block, Op, Program, bytes};
use lazy_mmu_engine::registry::{GenerationName, SUBJECTS};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::What;

use crate::fuzz::found::settings;

/// Features of a program: those that its runs have on every subject of 7.2, which is how generic code shows, as they are;
/// others as one for each subject that has it, its place plus one times [`FEATURES`] away.
pub type Features = BTreeSet<u32>;

/// The subjects that features are of alone, by place.
pub fn subjects_of(features: &Features) -> BTreeSet<usize> {
    features.iter().filter_map(|feature| (*feature as usize / FEATURES).checked_sub(1)).collect()
}

/// Events of a run that somebody reviews, at most.
const MOST_EVENTS: usize = 160;

/// What a program weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// What it exercises.
    pub features: Features,
    /// Whether it is legal, and leaves nothing open.
    pub legal: bool,
}

/// What selection asks of programs; in tests, anything that answers.
pub trait Weigher {
    /// The weight, if the collection may have the program as far as the subjects of 7.2 say.
    fn weigh(&mut self, program: &Program) -> Option<Weight>;

    /// Whether the collection may have it at all: asked last, and of a few.
    fn may_be_kept(&mut self, program: &Program) -> bool;
}

/// Runs programs to weigh them.
pub struct Scales {
    runner: Runner,
    /// The contract's target on each subject of 7.2, by place.
    current: Vec<(usize, Session)>,
    /// On every other one.
    others: Vec<Session>,
}

impl Default for Scales {
    fn default() -> Self {
        Scales::new()
    }
}

impl Scales {
    /// Scales with every subject of the registry.
    ///
    /// # Panics
    /// Never: the target and the subjects are the engine's own.
    #[must_use]
    pub fn new() -> Scales {
        let contract = find("contract").expect("a target of the engine");
        let session = |name| Session::new(contract, &settings(Some(name))).expect("a subject of the registry");
        let place = |current: bool| {
            let places = SUBJECTS.iter().enumerate().filter(move |(_, subject)| subject.is_current() == current);
            places.map(move |(at, subject)| (at, session(subject.name)))
        };
        let others = place(false).map(|(_, session)| session).collect();
        let mut runner = Runner::new();
        runner.set_limit(LIMIT);
        Scales { runner, current: place(true).collect(), others }
    }

    /// The features alone, of a program that is there already.
    pub fn features(&mut self, program: &Program) -> Features {
        self.judged(program).0
    }

    /// The features, and whether nothing was found.
    fn judged(&mut self, program: &Program) -> (Features, bool) {
        let data = input(program);
        let (mut on, mut fine) = (BTreeMap::<u32, Vec<usize>>::new(), true);
        for (at, session) in &mut self.current {
            let hit = &mut |feature: u32| {
                let on = on.entry(feature % FEATURES as u32).or_default();
                if on.last() != Some(at) {
                    on.push(*at);
                }
            };
            fine &= session.judge(&data, hit).is_ok();
        }
        let all = self.current.len();
        let told = |(feature, on): (u32, Vec<usize>)| {
            let own = on.iter().map(|at| (*at as u32 + 1) * FEATURES as u32).collect();
            let tags = if on.len() == all { vec![0] } else { own };
            tags.into_iter().map(move |tag| tag + feature)
        };
        (on.into_iter().flat_map(told).collect(), fine)
    }

    /// The kinds of event that a program meets on any subject of 7.2.
    pub fn kinds(&mut self, program: &Program) -> BTreeSet<&'static str> {
        let mut exercised = Exercised::default();
        for (at, _) in &self.current {
            exercised.add(self.runner.run(*at, Port::Model, program).0);
        }
        KINDS.into_iter().zip(exercised.counts).filter(|(_, count)| *count > 0).map(|(kind, _)| kind).collect()
    }

    /// Whether the runs are short, and legal to an end that one subject at least is judged to.
    fn looked_at(&mut self, program: &Program) -> (bool, bool) {
        let (mut short, mut legal, mut whole) = (true, true, false);
        for (at, _) in &self.current {
            let (events, verdict) = self.runner.run(*at, Port::Model, program);
            short &= events.len() <= MOST_EVENTS;
            legal &= verdict.first_misuse().is_none() && verdict.open.is_none();
            whole |= verdict.cut.is_none();
        }
        (short, legal && whole)
    }

    /// Whether the backends of each counting generation do the same, as the collection's tests demand (rule 9).
    fn is_the_same_everywhere(&mut self, program: &Program) -> bool {
        let generations = [GenerationName::NestingV3, GenerationName::NestingV4, GenerationName::Counted];
        generations.into_iter().all(|generation| {
            let mut first: Option<Vec<_>> = None;
            (0..SUBJECTS.len()).filter(|&at| SUBJECTS[at].generation == generation).all(|at| {
                let (events, _) = self.runner.run(at, Port::Model, program);
                if events.iter().any(|event| matches!(event.what, What::Bug(_))) {
                    return true;
                }
                let generic: Vec<_> = events.iter().filter(|event| event.is_generic()).copied().collect();
                *first.get_or_insert_with(|| generic.clone()) == generic
            })
        })
    }
}

impl Weigher for Scales {
    fn weigh(&mut self, program: &Program) -> Option<Weight> {
        if program.ops().iter().any(|op| matches!(op, Op::Open(Block::On(_)))) {
            return None;
        }
        // What makes the engine panic is the fuzzer's to report.
        let weighed = catch_unwind(AssertUnwindSafe(|| {
            let (features, fine) = self.judged(program);
            let (_, legal) = self.looked_at(program);
            fine.then_some(Weight { features, legal })
        }));
        weighed.unwrap_or_else(|_| {
            *self = Scales::new();
            None
        })
    }

    fn may_be_kept(&mut self, program: &Program) -> bool {
        let data = input(program);
        let kept = catch_unwind(AssertUnwindSafe(|| {
            self.looked_at(program).0
                && self.is_the_same_everywhere(program)
                && self.others.iter_mut().all(|session| session.judge(&data, &mut |_| {}).is_ok())
        }));
        kept.unwrap_or_else(|_| {
            *self = Scales::new();
            false
        })
    }
}

/// An input of `contract`; the choosing byte is of no use where the subject is named.
fn input(program: &Program) -> Vec<u8> {
    [vec![0], bytes::encode(program)].concat()
}

#[cfg(test)]
mod tests {
    use lazy_mmu_engine::program::text::parse;

    use super::*;

    #[test]
    fn what_the_collection_may_not_have_is_told_apart() {
        let mut scales = Scales::new();
        for (text, legal, kept) in [
            ("enable; set U 1; disable", Some(true), true),
            ("enable; set U 1", Some(false), true),
            ("disable", Some(false), true),
            // Nobody judges what the task that is switched to does.
            ("lock 0; enable; disable between { switch T1; disable }", Some(false), true),
            // Code of one architecture.
            ("on hash { enable; disable }", None, false),
            // A known finding of Xen's: the new task is resumed without having been paused.
            ("fork T4; switch T4; switch T0", Some(true), false),
            // Nobody reviews so much.
            ("set U 0 x512; repeat 200 { get K 1 }", Some(true), false),
        ] {
            let program = parse(text).expect("a program");
            let weight = scales.weigh(&program);
            assert_eq!(weight.as_ref().map(|weight| weight.legal), legal, "{text}");
            if weight.is_some() {
                assert_eq!(scales.may_be_kept(&program), kept, "{text}");
            }
        }
    }

    #[test]
    fn features_are_of_all_subjects_or_of_some_and_kinds_of_any() {
        let mut scales = Scales::new();
        let program = parse("enable; enable; set U 1; disable; irq { query }; disable").expect("a program");
        let features = scales.features(&program);
        assert!(features.iter().any(|feature| (*feature as usize) < FEATURES), "what all subjects do");
        let of = subjects_of(&features);
        assert!(of.contains(&SUBJECTS.iter().position(|subject| subject.name == "counted/x86_64-xen").expect("it")));
        assert!(of.iter().all(|&at| SUBJECTS[at].is_current()), "{of:?}");
        let calls = scales.features(&parse("query; pause; resume").expect("a program"));
        assert_eq!(subjects_of(&calls), BTreeSet::new(), "generic code alone");
        let kinds = scales.kinds(&program);
        assert!(kinds.contains("nested sections") && kinds.contains("interrupts"), "{kinds:?}");
        assert!(!kinds.contains("nested pauses"), "{kinds:?}");
    }
}
