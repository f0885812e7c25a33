//! Programs made from a seed: the same seed gives the same program on every host and target.
//!
//! Two kinds. [`any`] draws operations freely, so that most programs misuse the API somewhere. [`legal`] draws only
//! what callers may do (`generate/legal.rs`). Judging is not done here; the machine refuses what cannot happen, whatever is
//! generated.

mod legal;

pub use legal::legal;

use super::Program;

/// A small, fast, well-mixed generator (SplitMix64, Steele et al. 2014), so that no crate's version decides a program.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "an endless stream is no iterator worth having")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is at least 1.
    pub fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// True once in `n`.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

/// A program of `length` drawn operations, legal or not.
#[must_use]
pub fn any(seed: u64, length: usize) -> Program {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(length * super::bytes::RECORD);
    for _ in 0..length {
        let mut record = (random.next() as u128 | (random.next() as u128) << 64).to_le_bytes();
        // Half of the operations are calls: they are what programs are about.
        if random.one_in(2) {
            record[0] = random.below(4) as u8;
        }
        // Neighbouring pages and small counts make operations meet.
        record[2] &= 15;
        record[3] = 0;
        if !random.one_in(16) {
            record[4] &= 3;
            record[5] = 0;
        }
        bytes.extend_from_slice(&record[..super::bytes::RECORD]);
    }
    super::bytes::decode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::Exercised;
    use crate::machine::Machine;
    use crate::program::Op;
    use crate::subject::{Port, registry};
    use crate::trace::What;

    /// The published vectors of SplitMix64: another generator would make other programs of the same seeds.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }

    /// What is generated as legal is judged to be legal on every backend of today, whatever the other CPU does meanwhile.
    #[test]
    fn legal_programs_are_judged_legal() {
        let mut machine = Machine::new();
        for subject in registry::SUBJECTS.iter().filter(|subject| subject.is_current()) {
            let made = subject.make(Port::Model);
            for seed in 0..1500 {
                let program = legal(seed, 32);
                let verdict = crate::contract::judge(machine.run(&*made, &program), subject.rules());
                assert_eq!(verdict.first_misuse(), None, "{}, seed {seed}:\n{program}", subject.name);
            }
        }
    }

    /// Whatever callers may do occurs in legal programs, and each ends on T0.
    #[test]
    fn legal_programs_do_all_that_is_legal() {
        let subject = registry::find("sparc64").expect("a known subject").make(Port::Model);
        let mut machine = Machine::new();
        let mut exercised = Exercised::default();
        let mut counts = std::collections::BTreeSet::new();
        let mut life = [0; 3];
        for seed in 0..800 {
            let program = legal(seed, 40);
            let events = machine.run(&*subject, &program);
            exercised.add(events);
            for event in events {
                match event.what {
                    What::Fork { .. } => life[0] += 1,
                    What::SwitchIn { .. } if event.task >= 4 => life[1] += 1,
                    What::Exit { .. } => life[2] += 1,
                    What::Refused(why) => {
                        let op = program.ops()[event.op as usize];
                        let of_a_child = matches!(op, Op::Fork(_) | Op::Exit(_) | Op::Switch(4..));
                        assert!(!of_a_child, "seed {seed}: {op} refused: {why:?}\n{program}");
                    }
                    _ => {}
                }
            }
            assert_eq!(program.ops().last(), Some(&Op::Switch(0)), "seed {seed}");
            counts.extend(program.ops().iter().filter_map(|op| match op {
                Op::Set(pages, _) | Op::Clear(pages) | Op::Access(pages) => Some(pages.count),
                _ => None,
            }));
        }
        let [made, ran, ended] = life;
        assert!(made > 50 && made == ended && ran > made, "{made} tasks made, {ran} runs of theirs, {ended} ended");
        let missing: Vec<_> = exercised.missing().collect();
        // It takes Xen to fill its buffer.
        assert_eq!(missing, ["hypercalls at capacity", "warnings"]);
        assert!([1, 8, 31, 32, 63, 191, 192, 193, 385].iter().all(|count| counts.contains(count)), "{counts:?}");
    }
}
