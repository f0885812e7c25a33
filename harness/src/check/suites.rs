//! The suites on one target: its agent does everything the host did, and must come to the same.
//!
//! Not here: what is expected ([`super::expected`]). Called by `lazymmu check`, one thread per target at most.

use std::time::Instant;

use lazy_mmu_arches::insn::Isa;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::minimise::minimise;
use lazy_mmu_engine::registry::{Descriptor, SUBJECTS};
use lazy_mmu_engine::runner::{Generated, Runner, broken_text};
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::trace::listing;
use lazy_mmu_engine::wire::{Frame, Summary};

use super::cause::Cause;
use super::difference::difference;
use super::expected::{Expected, Known};
use super::{Cell, Failure, Suite, family};
use crate::agent::{Agent, AgentError, Batch, Outcome};
use crate::target::Target;
use crate::trace_file;

/// Failures of one kind that are looked into; more of them say nothing new.
const MOST: usize = 3;

/// One target with its agent.
pub struct Suites<'e> {
    /// Which.
    pub target: Target,
    /// Its agent.
    pub agent: Agent,
    /// What it must come to.
    pub expected: &'e Expected,
    /// Told what is being done, for a progress bar.
    pub progress: &'e (dyn Fn(&str) + Sync),
}

impl Suites<'_> {
    /// Runs one suite. An agent that cannot be talked to is a failure of the suite.
    pub fn run(&mut self, suite: Suite) -> Cell {
        (self.progress)(&format!("{}: {}", self.target, suite.heading()));
        let begin = Instant::now();
        let mut cell = Cell::default();
        let programs = &self.expected.programs;
        let ran = match suite {
            Suite::Programs => self.collection(&mut cell, Port::Model, programs, |known| !is_kunit(known)),
            Suite::Kunit => self.collection(&mut cell, Port::Model, programs, is_kunit),
            Suite::Workloads => self.collection(&mut cell, Port::Model, &self.expected.workloads, |_| true),
            Suite::Tables => self.tables(&mut cell),
            Suite::Traces => self.traces(&mut cell),
            Suite::Generated => self.generated(&mut cell),
            Suite::Asm => self.collection(&mut cell, Port::Asm, programs, |_| true),
        };
        if suite == Suite::Asm && cell.executed == 0 && ran.is_ok() {
            let what = format!("{}: the asm port executed not one instruction", self.target);
            cell.case("instructions").fail(Failure::plain(what));
        }
        if let Err(error) = ran {
            let what = format!("{}: {}: {error}", self.target, suite.heading());
            cell.case("agent").fail(Failure::plain(what));
        }
        if cell.cases.iter().all(|case| case.count == 0 && case.holds()) {
            let what = format!("{}: {}: nothing ran", self.target, suite.heading());
            cell.case("nothing").fail(Failure::plain(what));
        }
        cell.took = begin.elapsed();
        cell
    }

    /// Programs that the host has run, on every subject that the port has here.
    fn collection(
        &mut self,
        cell: &mut Cell,
        port: Port,
        programs: &[Known],
        chosen: impl Fn(&Known) -> bool,
    ) -> Result<(), AgentError> {
        let chosen: Vec<&Known> = programs.iter().filter(|known| chosen(known)).collect();
        let isa = self.target.isa();
        for (at, subject) in SUBJECTS.iter().enumerate().filter(|(_, subject)| has(subject, port, isa)) {
            let is_own = subject.isa == Some(isa) && subject.is_current();
            let known: Vec<&Known> = chosen.iter().copied().filter(|known| is_own || !known.is_long).collect();
            let programs: Vec<Vec<u8>> = known.iter().map(|known| known.bytes.clone()).collect();
            let batch = Batch { subject: at as u8, port: port as u8, programs: &programs };
            let outcomes = self.agent.batch(batch)?;
            for (known, mut outcome) in known.iter().zip(outcomes) {
                cell.case(family(known.name())).count += 1;
                if let Outcome::Ran(summary) = &mut outcome {
                    // Both ports come to the same; how much was executed is counted apart.
                    cell.executed += u64::from(std::mem::take(&mut summary.executed));
                }
                if outcome != Outcome::Ran(known.summaries[at]) {
                    let looked = cell.looked_into() < MOST;
                    let failure = looked.then(|| self.look_into(subject, at, port, known, &outcome));
                    let case = cell.case(family(known.name()));
                    match failure {
                        Some(failure) => case.fail(failure),
                        None => case.also(Cause::Differs(port == Port::Asm), Some(subject.name), 1),
                    }
                }
            }
        }
        Ok(())
    }

    /// What exactly differs, by having the target show its events.
    fn look_into(&mut self, subject: &Descriptor, at: usize, port: Port, known: &Known, found: &Outcome) -> Failure {
        let detail = match found {
            Outcome::Panicked(message) => format!("the engine panicked: {message}"),
            Outcome::Crashed(how) => how.clone(),
            Outcome::Ran(summary) => {
                let show = Frame::Show { subject: at as u8, port: port as u8, program: known.bytes.clone() };
                match self.agent.ask(&show) {
                    Ok(Frame::Text(text)) => difference(&native(at, known), &text),
                    Ok(other) => format!("{other:?}"),
                    Err(error) => format!("{error}; it came to {}", in_words(summary)),
                }
            }
        };
        let what = format!("{}: {} on {} differs from the host's run", self.target, known.name(), subject.name);
        let option = if port == Port::Asm { " --port asm" } else { "" };
        let replay =
            format!("cargo lazymmu {} --subject {} --target {}{option}", known.command, subject.name, self.target);
        Failure {
            detail,
            replay: Some(replay),
            cause: Cause::Differs(port == Port::Asm),
            subject: Some(subject.name),
            size: Some(known.program.ops().len()),
            ..Failure::plain(what)
        }
    }

    fn tables(&mut self, cell: &mut Cell) -> Result<(), AgentError> {
        match self.agent.ask(&Frame::Tables)? {
            Frame::Text(text) => {
                let case = cell.case("transitions");
                case.count = text.lines().count() as u64;
                if text != self.expected.tables {
                    let what = format!("{}: the transition tables differ from the host's", self.target);
                    let detail = difference(&self.expected.tables, &text);
                    case.fail(Failure { detail, cause: Cause::Differs(false), ..Failure::plain(what) });
                }
                Ok(())
            }
            other => Err(AgentError::Garbled(format!("{other:?}"))),
        }
    }

    fn traces(&mut self, cell: &mut Cell) -> Result<(), AgentError> {
        let expected = self.expected;
        for (path, summary) in &expected.traces {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.agent.tell(&Frame::Replay(name.clone()))?;
            let mut lines = 0;
            let mut lost = None;
            let read = trace_file::open(path).and_then(|mut trace| {
                trace.each_chunk(|chunk| {
                    lines += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
                    if lost.is_none() {
                        lost = self.agent.tell(&Frame::ReplayData(chunk.to_vec())).err();
                    }
                    Ok(())
                })
            });
            if let Some(error) = lost {
                return Err(error);
            }
            let outcome = match (read, self.agent.ask(&Frame::ReplayEnd)?) {
                (Err(error), _) => Err(error.to_string()),
                (Ok(()), Frame::Replayed(outcome)) => outcome,
                (Ok(()), other) => return Err(AgentError::Garbled(format!("{other:?}"))),
            };
            let case = cell.case(&name);
            case.count += lines;
            if outcome != *summary {
                let what = format!("{}: the replay of {name} differs from the host's", self.target);
                let (Ok(expected) | Err(expected), Ok(found) | Err(found)) = (summary, &outcome);
                let replay = Some(format!("cargo lazymmu replay {}", path.display()));
                let failure = Failure { detail: difference(expected, found), replay, ..Failure::plain(what) };
                case.fail(Failure { cause: Cause::Differs(false), ..failure });
            }
        }
        Ok(())
    }

    fn generated(&mut self, cell: &mut Cell) -> Result<(), AgentError> {
        let expected = self.expected;
        for (batch, summaries) in &expected.generated {
            for (at, subject) in SUBJECTS.iter().enumerate() {
                let question = Frame::Generate {
                    subject: at as u8,
                    port: Port::Model as u8,
                    seed: batch.seed,
                    count: batch.count,
                    length: batch.length,
                    legal: batch.legal,
                };
                let found = match self.agent.ask(&question) {
                    Ok(Frame::Results(found)) => found.first().copied(),
                    Ok(Frame::Panicked { .. }) | Err(AgentError::Died { .. } | AgentError::Silent(_)) => None,
                    Ok(other) => return Err(AgentError::Garbled(format!("{other:?}"))),
                    Err(error) => return Err(error),
                };
                cell.case(subject.name).count += u64::from(batch.count);
                if found != Some(summaries[at]) {
                    if cell.looked_into() < MOST {
                        let failure = self.find_generated(subject, at, *batch)?;
                        cell.case(subject.name).fail(failure);
                    } else {
                        cell.case(subject.name).also(Cause::Differs(false), Some(subject.name), 1);
                    }
                }
            }
        }
        Ok(())
    }

    /// Which of the batch's programs differs: they are sent one by one, and the first that does is minimised.
    fn find_generated(&mut self, subject: &Descriptor, at: usize, batch: Generated) -> Result<Failure, AgentError> {
        let mut runner = Runner::new();
        for seed in batch.seeds() {
            if self.differs(&mut runner, at, &batch.program(seed))?.is_none() {
                continue;
            }
            let mut lost = None;
            let small = minimise(&batch.program(seed), |program| {
                // An agent that was given up while it was made smaller leaves the smallest so far.
                if lost.is_some() {
                    return false;
                }
                self.differs(&mut runner, at, program).map_or_else(
                    |error| {
                        lost = Some(Outcome::Crashed(error.to_string()));
                        false
                    },
                    |outcome| outcome.is_some(),
                )
            });
            let outcome = if lost.is_some() { lost } else { self.differs(&mut runner, at, &small)? };
            let Some(outcome) = outcome else { continue };
            let known = Known {
                command: "run PROGRAM".to_owned(),
                bytes: encode(&small),
                program: small,
                summaries: Vec::new(),
                is_long: false,
            };
            let mut failure = self.look_into(subject, at, Port::Model, &known, &outcome);
            failure.what = format!("{}: generated program, seed {seed}, on {}", self.target, subject.name);
            failure.detail = format!("{}\n\n{}", failure.detail, known.program);
            failure.program = Some(known.program.to_string());
            return Ok(failure);
        }
        let what =
            format!("{}: generated programs on {}: the sum differs, but no program does", self.target, subject.name);
        Ok(Failure { cause: Cause::Differs(false), subject: Some(subject.name), ..Failure::plain(what) })
    }

    /// What the target makes of a program, if it is not what the host makes of it.
    fn differs(&mut self, runner: &mut Runner, at: usize, program: &Program) -> Result<Option<Outcome>, AgentError> {
        let bytes = [encode(program)];
        let outcomes = self.agent.batch(Batch { subject: at as u8, port: 0, programs: &bytes })?;
        let native = Outcome::Ran(runner.summary(at, Port::Model, program));
        Ok(outcomes.into_iter().next().filter(|outcome| *outcome != native))
    }
}

/// The kernel's own scenario, which has a suite of its own.
fn is_kunit(known: &Known) -> bool {
    known.name().starts_with("kunit/")
}

/// The asm port executes the target's own instructions and no others.
fn has(subject: &Descriptor, port: Port, isa: Isa) -> bool {
    port == Port::Model || subject.isa == Some(isa)
}

fn native(at: usize, known: &Known) -> String {
    let mut runner = Runner::new();
    let (events, verdict) = runner.run(at, Port::Model, &known.program);
    format!("{}{verdict}\n", listing(events))
}

fn in_words(summary: &Summary) -> String {
    format!("{} events, {}", summary.events, broken_text(summary.broken))
}
