//! Running many programs: one machine and one set of subjects, kept between runs, and a summary of each run.
//!
//! It is what the agent does on a target and the host command does natively, in the same code, so that their
//! summaries can be compared. Not here: frames and processes.

use crate::contract::{Invariant, Judge, Judged, Rules, Verdict};
use crate::machine::Machine;
use crate::program::{Program, bytes, generate};
use crate::registry::{Descriptor, SUBJECTS};
use crate::subject::{Port, Subject};
use crate::trace::{Event, digests};
use crate::wire::Summary;

/// Bit of [`Summary::broken`] that says the program misused the API.
pub const MISUSED: u32 = 1 << 31;

/// Bit of [`Summary::broken`] that says the run was not judged to its end.
pub const CUT: u32 = 1 << 30;

/// A machine with the subjects it has run.
pub struct Runner {
    machine: Machine,
    judge: Judge,
    made: Vec<[Option<Box<dyn Subject>>; 2]>,
}

impl Default for Runner {
    fn default() -> Self {
        Runner::new()
    }
}

impl Runner {
    /// A runner that has run nothing yet.
    #[must_use]
    pub fn new() -> Runner {
        Runner {
            machine: Machine::new(),
            judge: Judge::default(),
            made: SUBJECTS.iter().map(|_| [None, None]).collect(),
        }
    }

    /// Sets how many operations and pages a run may take ([`Machine::set_limit`]).
    pub fn set_limit(&mut self, limit: usize) {
        self.machine.set_limit(limit);
    }

    /// Runs a program on the subject at `index` of the registry, which must exist, and judges it.
    pub fn run(&mut self, index: usize, port: Port, program: &Program) -> (&[Event], Verdict) {
        let descriptor = &SUBJECTS[index];
        let subject = self.made[index][port as usize].get_or_insert_with(|| descriptor.make(port));
        let events = self.machine.run(&**subject, program);
        let verdict = self.judge.judge(events, descriptor.rules());
        (events, verdict)
    }

    /// Runs a program on a subject of the caller's own, and judges it by the rules given.
    pub fn run_on(&mut self, subject: &dyn Subject, rules: Rules, program: &Program) -> (&[Event], Verdict) {
        let events = self.machine.run(subject, program);
        let verdict = self.judge.judge(events, rules);
        (events, verdict)
    }

    /// The same, judged up to the program's first misuse ([`Judge::judge_to_misuse`]).
    pub fn run_to_misuse(&mut self, subject: &dyn Subject, rules: Rules, program: &Program) -> Verdict {
        let events = self.machine.run(subject, program);
        self.judge.judge_to_misuse(events, rules)
    }

    /// Judges the whole trace of the last run, by the rules given.
    pub fn judge_again(&mut self, rules: Rules) -> Verdict {
        self.judge.judge(self.machine.events(), rules)
    }

    /// Judges the whole trace of the last run, by the rules given, and keeps every violation ([`Judge::judge_every`]).
    pub fn judge_every(&mut self, rules: Rules, brief: bool) -> Verdict {
        self.judge.judge_every(self.machine.events(), rules, brief)
    }

    /// The trace of the last run.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.machine.events()
    }

    /// How often each invariant was judged in the last run.
    #[must_use]
    pub fn judged(&self) -> &Judged {
        self.judge.judged()
    }

    /// How many instructions a subject has executed for real.
    fn executed(&self, index: usize, port: Port) -> u64 {
        self.made[index][port as usize].as_ref().map_or(0, |subject| subject.executed())
    }

    /// A task's `preempt_count` after the last run.
    #[must_use]
    pub fn preempt_count(&self, task: u8) -> i32 {
        self.machine.preempt_count(task)
    }

    /// Runs a program and sums the run up.
    pub fn summary(&mut self, index: usize, port: Port, program: &Program) -> Summary {
        let before = self.executed(index, port);
        let descriptor = &SUBJECTS[index];
        let subject = self.made[index][port as usize].get_or_insert_with(|| descriptor.make(port));
        let events = self.machine.run(&**subject, program);
        let summary = summarise(events, &self.judge.judge_briefly(events, descriptor.rules()));
        Summary { executed: (self.executed(index, port) - before) as u32, ..summary }
    }

    /// Generates programs from consecutive seeds and sums them all up in one. `broken` holds every invariant that any
    /// of them broke; the digests mix theirs in order.
    pub fn generated(&mut self, index: usize, port: Port, batch: Generated) -> Summary {
        self.each_generated(index, port, batch, |_, _| {})
    }

    /// The same, and `look` is shown each seed with what its program broke.
    pub fn each_generated(
        &mut self,
        index: usize,
        port: Port,
        batch: Generated,
        mut look: impl FnMut(u64, u32),
    ) -> Summary {
        let mut sum = Summary::default();
        for seed in batch.seeds() {
            let one = self.summary(index, port, &batch.program(seed));
            look(seed, one.broken);
            sum.generic = lazy_mmu_arches::backend::mix(sum.generic, one.generic);
            sum.all = lazy_mmu_arches::backend::mix(sum.all, one.all);
            sum.broken |= one.broken;
            sum.events = sum.events.wrapping_add(one.events);
            sum.programs += 1;
        }
        sum
    }
}

/// A batch of generated programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The first seed.
    pub seed: u64,
    /// How many programs.
    pub count: u32,
    /// Operations of each, about.
    pub length: u32,
    /// Whether they keep to the rules.
    pub legal: bool,
}

impl Generated {
    /// The seeds, one program each.
    pub fn seeds(self) -> impl Iterator<Item = u64> {
        (0..u64::from(self.count)).map(move |i| self.seed.wrapping_add(i))
    }

    /// The program of a seed.
    #[must_use]
    pub fn program(self, seed: u64) -> Program {
        let length = self.length as usize;
        if self.legal { generate::legal(seed, length) } else { generate::any(seed, length) }
    }
}

/// What a run comes to.
#[must_use]
pub fn summarise(events: &[Event], verdict: &Verdict) -> Summary {
    summed(digests(events), events.len(), verdict)
}

/// What a run of so many events comes to, its digests, of the generic events and of all, taken by whoever asks.
#[must_use]
pub fn summed((generic, all): (u64, u64), events: usize, verdict: &Verdict) -> Summary {
    let broken = verdict.violations.iter().fold(0, |bits, violation| bits | 1 << violation.invariant as u32);
    let misused = if verdict.misuse.is_some() { MISUSED } else { 0 };
    let cut = if verdict.cut.is_some() { CUT } else { 0 };
    Summary { generic, all, broken: broken | misused | cut, left: 0, events: events as u32, programs: 1, executed: 0 }
}

/// The invariants named by [`Summary::broken`], or `holds`.
#[must_use]
pub fn broken_text(broken: u32) -> String {
    let ids: Vec<_> =
        Invariant::ALL.iter().filter(|invariant| broken >> **invariant as u32 & 1 == 1).map(|i| i.id()).collect();
    if ids.is_empty() { "holds".to_owned() } else { format!("breaks {}", ids.join(" ")) }
}

/// Digest of the subjects' names, for the handshake.
#[must_use]
pub fn subjects_digest() -> u64 {
    let names = SUBJECTS.iter().flat_map(|subject: &Descriptor| subject.name.bytes().chain([0]));
    names.fold(0, |sum, byte| lazy_mmu_arches::backend::mix(sum, byte.into()))
}

/// A program from the wire.
#[must_use]
pub fn decode(program: &[u8]) -> Program {
    bytes::decode(program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::text::parse;
    use crate::registry;

    fn place(name: &str) -> usize {
        let name = registry::find(name).expect("a known subject").name;
        SUBJECTS.iter().position(|subject| subject.name == name).expect("it is in the registry")
    }

    #[test]
    fn a_summary_says_what_broke_and_whether_the_program_misused_the_api() {
        let mut runner = Runner::new();
        for (subject, program, broken, text) in [
            ("none", "enable; disable", 0, "holds"),
            ("none", "enable", 1 << 0, "breaks I1"),
            ("none", "disable", MISUSED | 1 << 1 | 1 << 0, "breaks I1 I2"),
            ("none", "enable; fork T4; disable", MISUSED | 1 << 0 | 1 << 11, "breaks I1 I12"),
            ("nesting-v3/none", "pause; resume", 1 << 1 | 1 << 14, "breaks I2 I15"),
        ] {
            let summary = runner.summary(place(subject), Port::Model, &parse(program).expect("a program"));
            assert_eq!((summary.broken, summary.programs), (broken, 1), "{subject}: {program}");
            assert_eq!(broken_text(summary.broken), text, "{subject}: {program}");
        }
    }

    /// A summary is made without texts; otherwise it is the run's.
    #[test]
    fn a_summary_is_that_of_the_run() {
        let mut runner = Runner::new();
        for name in ["aarch64", "powerpc64-hash", "sparc64", "x86_64-xen"] {
            let subject = place(name);
            for seed in 0..40 {
                let program = generate::any(seed, 40);
                let (events, verdict) = runner.run(subject, Port::Model, &program);
                assert!(verdict.violations.iter().all(|violation| !violation.text.is_empty()));
                let expected = summarise(events, &verdict);
                assert_eq!(runner.summary(subject, Port::Model, &program), expected, "{name}: seed {seed}\n{program}");
            }
        }
    }

    /// A batch is its programs, one seed after the other, summed up in order.
    #[test]
    fn a_batch_sums_up_its_programs() {
        let mut runner = Runner::new();
        let subject = place("sparc64");
        for legal in [true, false] {
            let batch = Generated { seed: u64::MAX, count: 5, length: 20, legal };
            assert_eq!(batch.seeds().collect::<Vec<_>>(), [u64::MAX, 0, 1, 2, 3]);
            let mut sum = Summary::default();
            for seed in batch.seeds() {
                let program = if legal { generate::legal(seed, 20) } else { generate::any(seed, 20) };
                assert_eq!(batch.program(seed), program);
                let one = runner.summary(subject, Port::Model, &program);
                sum.generic = lazy_mmu_arches::backend::mix(sum.generic, one.generic);
                sum.all = lazy_mmu_arches::backend::mix(sum.all, one.all);
                sum.broken |= one.broken;
                sum.events += one.events;
                sum.programs += 1;
            }
            assert_eq!(runner.generated(subject, Port::Model, batch), sum);
            assert_eq!(sum.broken & !CUT == 0, legal);
        }
    }
}
