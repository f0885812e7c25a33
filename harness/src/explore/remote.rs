//! Steps on a kernel tree's C: its agent takes them, where the machine, the oracles and the tree's code are one program.
//!
//! One question asks for the steps of some paths; the agent answers each from a process of its own, so that code which
//! crashes ends no exploration without a name. How many paths a question has depends on how long the answers take: an
//! emulator is slow, and a question costs a fork. Not here: the search ([`super::explore`]), who the agent is. Called by
//! `lazymmu explore --tree`.

use std::time::{Duration, Instant};

use lazy_mmu_engine::contract::Room;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::{Op, Program};
use lazy_mmu_engine::space::{Expanded, Path, Reached, program};
use lazy_mmu_engine::wire::Frame;

use super::{Halt, Steps};
use crate::agent::AgentError;

/// Paths of one question at most.
const MOST: usize = 1024;

/// How long one answer may take before the next question is shorter; one that takes a quarter of it makes it longer.
const SOON: Duration = Duration::from_secs(1);

/// Asks an agent.
pub type Ask<'a> = dyn FnMut(&Frame) -> Result<Frame, AgentError> + 'a;

/// A subject that an agent has.
pub struct Remote<'a> {
    ask: &'a mut Ask<'a>,
    subject: u8,
    steps: Vec<Vec<Op>>,
    /// The steps as programs' bytes.
    alphabet: Vec<Vec<u8>>,
    at_once: usize,
}

impl<'a> Remote<'a> {
    /// The subject of this number, and the steps of an alphabet.
    #[must_use]
    pub fn new(ask: &'a mut Ask<'a>, subject: u8, steps: Vec<Vec<Op>>) -> Remote<'a> {
        let alphabet = steps.iter().map(|step| encode(&Program::new(step.clone()).unwrap_or_default())).collect();
        Remote { ask, subject, steps, alphabet, at_once: 1 }
    }

    /// Whether an answer has every step of the paths, or those up to one that broke something.
    fn is_whole(&self, expanded: &Expanded, paths: &[Path]) -> bool {
        let all = paths.len() * self.steps.len();
        let broke = matches!(expanded.reached.last(), Some(Reached::Broken(_)));
        expanded.reached.len() == all || (broke && expanded.reached.len() < all)
    }

    fn adapt(&mut self, took: Duration) {
        self.at_once = match took {
            took if took > SOON => (self.at_once / 2).max(1),
            took if took < SOON / 4 => (self.at_once * 2).min(MOST),
            _ => self.at_once,
        };
    }

    /// Why a path's steps cannot be taken: in words, with the path.
    fn lost(&self, why: &str, paths: &[Path]) -> Halt {
        let last = paths.first().map(|&path| self.program(path).to_string()).unwrap_or_default();
        Halt::Lost(format!("{why}\n  it was asked for the steps behind:\n{last}"))
    }
}

impl Steps for Remote<'_> {
    fn full(&self) -> u16 {
        Room::default().batch
    }

    fn program(&self, path: Path) -> Program {
        program(&self.steps, path)
    }

    fn width(&self) -> u8 {
        self.steps.len() as u8
    }

    fn at_once(&self) -> usize {
        self.at_once
    }

    fn expand(&mut self, paths: &[Path]) -> Result<Expanded, Halt> {
        let question = Frame::Expand {
            subject: self.subject,
            steps: self.alphabet.clone(),
            paths: paths.iter().map(|path| path.steps().collect()).collect(),
        };
        let begin = Instant::now();
        match (self.ask)(&question) {
            Ok(Frame::Expanded(expanded)) if self.is_whole(&expanded, paths) => {
                self.adapt(begin.elapsed());
                Ok(*expanded)
            }
            Ok(Frame::Panicked { program, message }) => {
                let width = self.steps.len().max(1);
                let (path, step) = (program as usize / width, program as usize % width);
                if (1..paths.len()).contains(&path) {
                    // Those before it first: what is found first has the fewest steps.
                    return self.expand(&paths[..path]);
                }
                Err(Halt::Crashed(step as u8, message))
            }
            Ok(other) => {
                let said: String = format!("{other:?}").chars().take(80).collect();
                Err(self.lost(&AgentError::Garbled(said).to_string(), paths))
            }
            // One of them may kill the agent: that one is to be named.
            Err(AgentError::Died { .. } | AgentError::Silent(_)) if paths.len() > 1 => {
                self.at_once = 1;
                self.expand(&paths[..1])
            }
            Err(error) => Err(self.lost(&error.to_string(), paths)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use lazy_mmu_engine::examine::Examiner;
    use lazy_mmu_engine::program::bytes::decode;
    use lazy_mmu_engine::registry::{self, Descriptor, SUBJECTS};
    use lazy_mmu_engine::space::Space;
    use lazy_mmu_engine::subject::Port;
    use lazy_mmu_engine::zoo;
    use lazy_mmu_snapshots::known;

    use super::super::alphabet::Alphabet;
    use super::super::{Bounds, End, Explored, explore};
    use super::*;

    /// What an agent does, on a subject of our Rust. The step whose program has this text kills its process.
    fn answer(question: &Frame, judged: Examiner<'_>, kills: &str) -> Frame {
        let Frame::Expand { steps, paths, .. } = question else { panic!("{question:?}") };
        let steps: Vec<Vec<Op>> = steps.iter().map(|step| decode(step).ops().to_vec()).collect();
        let paths: Vec<Path> = paths.iter().map(|path| Path::of(path).expect("a path")).collect();
        let programs = paths.iter().flat_map(|path| (0..steps.len() as u8).map(|step| path.with(step)));
        let killing = programs.map(|path| program(&steps, path).to_string()).position(|text| text == kills);
        match killing {
            Some(at) => Frame::Panicked { program: at as u32, message: "signal 11, in set_ptes".to_owned() },
            None => Frame::Expanded(Box::new(Space::new(judged, steps, true).expand(&paths, |_| {}))),
        }
    }

    fn descriptor(name: &str) -> &'static Descriptor {
        let name = registry::find(name).expect("a subject").name;
        SUBJECTS.iter().find(|subject| subject.name == name).expect("it is in the registry")
    }

    fn explored(judged: Examiner<'_>, depth: u8, states: usize, kills: &str) -> Explored {
        let mut ask = |question: &Frame| Ok(answer(question, judged, kills));
        let mut remote = Remote::new(&mut ask, 77, Alphabet::Full.steps(192));
        explore(&mut remote, Bounds { depth, states }, |_| ControlFlow::Continue(()))
    }

    fn numbers(explored: &Explored) -> impl PartialEq + std::fmt::Debug + use<> {
        let Explored { states, expanded, transitions, misuses, cuts, known, depth, exercised, judged, .. } = explored;
        let sums = (*states, *expanded, *transitions, *misuses, *cuts, *depth);
        (sums, known.clone(), *exercised, *judged, explored.failure.clone(), explored.end)
    }

    /// Through questions and answers the same is explored, found and counted, whether something breaks or not.
    #[test]
    fn an_agents_steps_are_those_taken_here() {
        let faithful = descriptor("counted/x86_64-xen");
        let bent = zoo::find("zoo/sparc-batch-in-interrupt").expect("a specimen");
        for (subject, plain, depth) in
            [(faithful.make(Port::Model), faithful, 3), (bent.make(Port::Model), bent.base(), 4)]
        {
            let judged = Examiner { subject: &*subject, rules: plain.rules(), kind: plain.name, explain: known::names };
            let mut space = Space::new(judged, Alphabet::Full.steps(192), true);
            let here = explore(&mut space, Bounds { depth, states: 1_000_000 }, |_| ControlFlow::Continue(()));
            let there = explored(judged, depth, 1_000_000, "");
            assert_eq!(numbers(&there), numbers(&here), "{}", plain.name);
            assert!(here.states > 100, "{here:?}");
        }
    }

    #[test]
    fn code_that_crashes_is_named_by_its_program_and_a_bound_is_kept() {
        let plain = descriptor("counted/aarch64");
        let made = plain.make(Port::Model);
        let judged = Examiner { subject: &*made, rules: plain.rules(), kind: plain.name, explain: known::names };
        let crashed = explored(judged, 4, 1_000_000, "enable\npause\nset K 1\n");
        let failure = crashed.failure.expect("a crash");
        assert_eq!((crashed.end, failure.invariant, failure.steps, failure.op), (End::Broken, None, 3, 3));
        assert_eq!(failure.program.to_string(), "enable\npause\nset K 1\n");
        assert!(failure.text.contains("in set_ptes"), "{}", failure.text);
        let few = explored(judged, 9, 500, "");
        assert_eq!((few.end, few.failure), (End::States, None));
        assert!((500..532).contains(&few.states), "{}", few.states);
    }

    /// The agent itself may die, or say what is no answer: the question is named.
    #[test]
    fn an_agent_that_is_gone_ends_the_exploration() {
        let died = || AgentError::Died { status: "signal 9".to_owned(), said: String::new() };
        let plain = descriptor("counted/aarch64");
        let made = plain.make(Port::Model);
        let judged = Examiner { subject: &*made, rules: plain.rules(), kind: plain.name, explain: known::names };
        let mut ask = |question: &Frame| match question {
            Frame::Expand { paths, .. } if paths.iter().any(|path| path[..] == [0]) => Err(died()),
            _ => Ok(answer(question, judged, "")),
        };
        let mut remote = Remote::new(&mut ask, 77, Alphabet::Full.steps(192));
        let gone = explore(&mut remote, Bounds { depth: 4, states: 1 << 20 }, |_| ControlFlow::Continue(()));
        let why = gone.lost.expect("a reason");
        assert!(gone.end == End::Lost && why.contains("signal 9") && why.ends_with(":\nenable\n"), "{why}");
        for nonsense in
            [Frame::Bye, Frame::Expanded(Box::new(Expanded { reached: vec![Reached::Cut], ..Expanded::default() }))]
        {
            let mut ask = |_: &Frame| Ok(nonsense.clone());
            let mut remote = Remote::new(&mut ask, 77, Alphabet::Full.steps(192));
            let gone = explore(&mut remote, Bounds { depth: 4, states: 1 << 20 }, |_| ControlFlow::Continue(()));
            assert!(gone.lost.is_some_and(|why| why.contains("not asked")), "{nonsense:?}");
        }
    }
}
