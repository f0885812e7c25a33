//! Programs made from a seed: the same seed gives the same program on every host and target.
//!
//! Two kinds. [`any`] draws operations freely, so that most programs misuse the API somewhere. [`legal`] draws only
//! what callers may do: sections and pauses nest properly, interrupts balance, tasks switch where some backend's kernel
//! could (outside sections, and between the halves of outermost calls; where a backend holds preemption off there, the
//! trace says so). Judging is not done here; the machine refuses what cannot happen, whatever is generated.

use lazy_mmu_arches::page::{Mm, Size};

use super::{Allocation, Block, Op, Pages, Program, Protection, TASKS};

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
    fn one_in(&mut self, n: u32) -> bool {
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

/// A program of about `length` operations in which every caller keeps to the rules of the counted generation.
#[must_use]
pub fn legal(seed: u64, length: usize) -> Program {
    let mut maker = Maker { random: Random::new(seed ^ 0x6c65_6761_6c00_0000), ops: Vec::new() };
    let mut task = 0;
    while maker.ops.len() < length {
        if maker.random.one_in(6) {
            task = maker.other_task(task);
            maker.ops.push(Op::Switch(task));
        }
        maker.outside(length, task);
    }
    // T0 ends where it began, so that nothing depends on which task happens to be last.
    maker.ops.push(Op::Switch(0));
    Program::new(maker.ops).unwrap_or_default()
}

struct Maker {
    random: Random,
    ops: Vec<Op>,
}

impl Maker {
    fn other_task(&mut self, task: u8) -> u8 {
        // T0, T1 and T2 share CPU 0.
        (task + 1 + self.random.below(2) as u8) % 3
    }

    /// Something outside any section.
    fn outside(&mut self, length: usize, task: u8) {
        match self.random.below(8) {
            0 => self.memory(),
            1 => self.interrupt(),
            2 => self.paused(0, length),
            3 => {
                self.ops.push(Op::BhOff);
                self.inside(0, length.min(self.ops.len() + 3));
                self.ops.push(Op::BhOn);
            }
            _ => self.section(0, length, task),
        }
    }

    /// A section, nested to some depth, perhaps preempted between the halves of its outermost calls.
    fn section(&mut self, depth: u32, length: usize, task: u8) {
        self.ops.push(Op::Enable);
        self.halves(depth, task);
        self.inside(depth + 1, length);
        self.ops.push(Op::Disable);
        self.halves(depth, task);
    }

    /// An injection at the scheduling point of the call just made: inside a section an interrupt, around it a switch as
    /// well.
    fn halves(&mut self, depth: u32, task: u8) {
        if !self.random.one_in(6) {
            return;
        }
        self.ops.push(Op::Open(Block::Between));
        if depth == 0 && self.random.one_in(2) && task < TASKS {
            let other = self.other_task(task);
            self.ops.extend([Op::Switch(other), Op::Switch(task)]);
        } else {
            self.interrupt();
        }
        self.ops.push(Op::Close);
    }

    /// What goes on inside a section or a pause.
    fn inside(&mut self, depth: u32, length: usize) {
        for _ in 0..self.random.below(5) {
            if self.ops.len() >= length {
                return;
            }
            match self.random.below(10) {
                0 | 1 if depth < 4 => {
                    self.ops.push(Op::Enable);
                    self.inside(depth + 1, length);
                    self.ops.push(Op::Disable);
                }
                2 if depth < 4 => self.paused(depth, length),
                3 => self.interrupt(),
                4 => self.ops.push(Op::Query),
                _ => self.memory(),
            }
        }
    }

    fn paused(&mut self, depth: u32, length: usize) {
        self.ops.push(Op::Pause);
        self.inside(depth + 1, length);
        self.ops.push(Op::Resume);
    }

    fn interrupt(&mut self) {
        let block = [Block::Irq, Block::Softirq, Block::Nmi][self.random.below(3) as usize];
        self.ops.push(Op::Open(block));
        for _ in 0..=self.random.below(2) {
            if self.random.one_in(3) {
                self.ops.extend([Op::Enable, Op::Disable]);
            } else {
                self.memory();
            }
        }
        self.ops.push(Op::Close);
    }

    fn memory(&mut self) {
        let mut pages = Pages::one(Mm(self.random.below(3) as u8), self.random.below(16) as u16);
        pages.count = match self.random.below(16) {
            0 => [31, 32, 63, 191, 192, 193, 385][self.random.below(7) as usize],
            1..=4 => 1 + self.random.below(8) as u16,
            _ => 1,
        };
        if self.random.one_in(8) {
            pages.size = if self.random.one_in(2) { Size::Large } else { Size::Huge };
        }
        let op = match self.random.below(10) {
            0..=3 => Op::Set(pages, Protection::Write),
            4 | 5 => Op::Access(pages),
            6 => Op::Clear(pages),
            7 => Op::Wrprotect(pages),
            8 => Op::Get(pages),
            _ if self.random.one_in(2) => Op::Alloc(pages.first, Allocation::Debug),
            _ => Op::Free(pages.first, Allocation::Debug),
        };
        self.ops.push(op);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::Exercised;
    use crate::machine::Machine;
    use crate::subject::{Port, registry};

    /// The published vectors of SplitMix64: another generator would make other programs of the same seeds.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }

    /// Whatever callers may do occurs in legal programs, and each ends on T0.
    #[test]
    fn legal_programs_do_all_that_is_legal() {
        let subject = registry::find("sparc64").expect("a known subject").make(Port::Model);
        let mut machine = Machine::new();
        let mut exercised = Exercised::default();
        let mut counts = std::collections::BTreeSet::new();
        for seed in 0..400 {
            let program = legal(seed, 40);
            exercised.add(machine.run(&*subject, &program));
            assert_eq!(program.ops().last(), Some(&Op::Switch(0)), "seed {seed}");
            counts.extend(program.ops().iter().filter_map(|op| match op {
                Op::Set(pages, _) | Op::Clear(pages) | Op::Access(pages) => Some(pages.count),
                _ => None,
            }));
        }
        let missing: Vec<_> = exercised.missing().collect();
        // It takes luck to fill a batch, and Xen to fill its buffer; a switch inside a section is no backend's but arm64's.
        assert_eq!(missing, ["switches in a section", "batches at capacity", "hypercalls at capacity", "warnings"]);
        assert!([1, 8, 31, 32, 63, 191, 192, 193, 385].iter().all(|count| counts.contains(count)), "{counts:?}");
    }
}
