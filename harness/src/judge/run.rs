//! One target: the subject started, every program run on each of its forms, and what came of it looked into.
//!
//! The agent is the program that [`crate::tree`] built: the machine, the oracles and the tree's code in one process, which
//! forks for each batch, so that code which crashes names its program. Not here: what is printed. Called by `lazymmu judge`,
//! one thread for each target.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::costs::Costs;
use lazy_mmu_engine::examine::Examined;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{CUT, MISUSED};
use lazy_mmu_engine::wire::{Frame, Summary};

use super::differences::Differences;
use super::findings::{self, Broke, Finding, Unknown};
use super::material::{Item, Twins};
use super::{Cause, Counts, Form, Judged, Suite};
use crate::agent::{Agent, AgentError, Batch, Outcome};
use crate::target::Target;

/// What the agent says of code that lies outside what is modelled: a lack of lazymmu, and no fault of the tree.
const UNMODELLED: &str = "not modelled";

/// What the agent says of a program that it leaves out, after others whose crash is told.
const NOT_RUN: &str = "not run: ";

/// How many programs are sent at once: an emulator translates the code anew in each process that a batch is run in.
const BATCH: usize = 2048;

/// A known finding that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The form that showed it.
    pub form: String,
    /// The smallest program that did, by its place in the material.
    pub item: usize,
    /// How many runs that were looked into show it.
    pub runs: u64,
}

/// All that came of a target.
#[derive(Debug, Default)]
pub struct Result {
    /// Its forms.
    pub judged: Vec<Judged>,
    /// What broke.
    pub findings: Vec<Finding>,
    /// What is known and was met, by name.
    pub known: BTreeMap<String, Found>,
    /// Where events are not our Rust's, form by form.
    pub differences: Vec<(String, Differences)>,
    /// What each workload costs on each form, where that was asked for.
    pub costs: Vec<(String, Vec<Costs>)>,
}

/// What a built subject says of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Facts {
    /// `7.2.13`
    pub release: String,
    /// The API's name.
    pub api: String,
    /// Its forms.
    pub subjects: Vec<FormFacts>,
}

/// What it says of one form.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct FormFacts {
    /// Its number in the agent.
    pub index: u8,
    /// `tree/xen`.
    pub name: String,
    /// Our Rust of the same generation and backend, by its name; empty where there is none.
    pub twin: String,
    /// The MMU it drives.
    pub mmu: String,
    /// What the form was to show at its start and did not, a message each.
    pub unproven: Vec<String>,
}

impl From<&FormFacts> for Form {
    fn from(facts: &FormFacts) -> Form {
        let twin = SUBJECTS.iter().position(|subject| subject.name == facts.twin);
        let mmu = Mmu::ALL.into_iter().find(|mmu| mmu.name() == facts.mmu).unwrap_or_default();
        Form { index: facts.index, name: facts.name.clone(), twin, mmu, unproven: facts.unproven.clone() }
    }
}

/// A program whose events on a tree's form are not our Rust's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differs {
    /// Its place in the material.
    pub at: usize,
    /// The digest of the tree's events.
    pub digest: u64,
    /// Whether generic events differ; else only the architecture's.
    pub is_generic: bool,
}

/// A text of each program asked about.
type Texts = std::result::Result<Vec<Option<String>>, AgentError>;

/// The agent, with the questions that a judge has.
pub struct Asked<'a> {
    /// The agent.
    pub agent: &'a mut Agent,
}

impl Asked<'_> {
    /// What the subject is.
    ///
    /// # Errors
    /// It does not start: the message says why.
    pub fn facts(&mut self) -> std::result::Result<Facts, AgentError> {
        match self.agent.ask(&Frame::Facts)? {
            Frame::Text(json) => serde_json::from_str(&json).map_err(|error| AgentError::Garbled(error.to_string())),
            other => Err(garbled(&other)),
        }
    }

    /// One run in full; none where the code crashes.
    ///
    /// # Errors
    /// The agent does not answer.
    pub fn examine(&mut self, subject: u8, program: &[u8]) -> std::result::Result<Option<Examined>, AgentError> {
        match self.agent.ask(&Frame::Examine { subject, program: program.to_vec() })? {
            Frame::Examined(examined) => Ok(Some(examined)),
            Frame::Panicked { .. } => Ok(None),
            other => Err(garbled(&other)),
        }
    }

    /// The smallest program of a cause; none where the code crashes on the way.
    ///
    /// # Errors
    /// The agent does not answer.
    pub fn reduce(
        &mut self,
        subject: u8,
        program: &[u8],
        cause: &Cause,
    ) -> std::result::Result<Option<Vec<u8>>, AgentError> {
        let (invariant, op) = (cause.invariant as u8, cause.op.clone());
        match self.agent.ask(&Frame::Reduce { subject, program: program.to_vec(), invariant, op })? {
            Frame::Reduced(small) => Ok(Some(small)),
            Frame::Panicked { .. } => Ok(None),
            other => Err(garbled(&other)),
        }
    }

    /// What programs cost; none where the code crashes.
    ///
    /// # Errors
    /// The agent does not answer.
    pub fn costs(
        &mut self,
        subject: u8,
        programs: Vec<Vec<u8>>,
    ) -> std::result::Result<Option<Vec<Costs>>, AgentError> {
        match self.agent.ask(&Frame::Costs { subject, programs })? {
            Frame::Counted(costs) => Ok(Some(costs)),
            Frame::Panicked { .. } => Ok(None),
            other => Err(garbled(&other)),
        }
    }

    /// The events of runs as they are compared with our Rust's, a line each; none where the code crashes.
    ///
    /// # Errors
    /// The agent does not answer.
    pub fn listings(&mut self, subject: u8, programs: &[Vec<u8>]) -> Texts {
        self.texts(programs, &|programs| Frame::Listings { subject, programs })
    }

    /// The names of the known findings that explain what programs break; none where the code crashes.
    ///
    /// # Errors
    /// The agent does not answer.
    pub fn known(&mut self, subject: u8, programs: &[Vec<u8>]) -> Texts {
        self.texts(programs, &|programs| Frame::Known { subject, programs })
    }

    /// A text of each program; where the code crashes, the programs before it and behind it are asked for again.
    fn texts(&mut self, programs: &[Vec<u8>], question: &dyn Fn(Vec<Vec<u8>>) -> Frame) -> Texts {
        if programs.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.agent.ask(&question(programs.to_vec()))?;
        match answer {
            Frame::Texts(texts) if texts.len() == programs.len() => Ok(texts.into_iter().map(Some).collect()),
            Frame::Panicked { program, .. } if (program as usize) < programs.len() => {
                let (before, rest) = programs.split_at(program as usize);
                let mut texts = self.texts(before, question)?;
                texts.push(None);
                texts.extend(self.texts(&rest[1..], question)?);
                Ok(texts)
            }
            other => Err(garbled(&other)),
        }
    }
}

fn garbled(other: &Frame) -> AgentError {
    AgentError::Garbled(format!("{other:?}").chars().take(80).collect())
}

/// Runs everything on one form: the form judged, what broke, and the programs whose events are not our Rust's.
///
/// # Errors
/// The agent does not answer at all.
pub fn form(
    agent: &mut Agent,
    form: &Form,
    items: &[Item],
    twins: &Twins<'_>,
) -> std::result::Result<(Judged, Broke, Vec<Differs>), AgentError> {
    let begin = Instant::now();
    let twin = form.twin.map(|twin| twins.of(twin));
    // Of a twin on another MMU only the generic events can be the tree's.
    let same_mmu = form.twin.is_some_and(|twin| SUBJECTS[twin].mmu == form.mmu);
    let mut form = form.clone();
    let mut counts = [Counts::default(); 4];
    let mut broke = Broke::default();
    let mut differ = Vec::new();
    let here: Vec<usize> = (0..items.len()).filter(|&at| !items[at].except.contains(&form.mmu)).collect();
    for batch in here.chunks(BATCH) {
        let programs: Vec<Vec<u8>> = batch.iter().map(|&at| items[at].bytes.clone()).collect();
        let outcomes = agent.batch(Batch { subject: form.index, port: 0, programs: &programs })?;
        for (&at, outcome) in batch.iter().zip(outcomes) {
            let counts = &mut counts[items[at].suite as usize];
            counts.ran += 1;
            match outcome {
                Outcome::Ran(summary) => {
                    take(at, &summary, counts, &mut broke);
                    if let Some(twin) = twin {
                        let ours = &twin[at];
                        if summary.generic != ours.generic {
                            counts.other_generic += 1;
                            differ.push(Differs { at, digest: summary.all, is_generic: true });
                        } else if same_mmu && summary.all != ours.all {
                            counts.other_events += 1;
                            differ.push(Differs { at, digest: summary.all, is_generic: false });
                        }
                    }
                }
                Outcome::Panicked(message) if message.starts_with(NOT_RUN) => {
                    counts.ran -= 1;
                    counts.in_part += 1;
                }
                Outcome::Panicked(message) if message.contains(UNMODELLED) => {
                    counts.in_part += 1;
                    if !form.unproven.contains(&message) {
                        form.unproven.push(message);
                    }
                }
                Outcome::Panicked(message) | Outcome::Crashed(message) => {
                    counts.failed += 1;
                    broke.crashed.push((at, message));
                }
            }
        }
    }
    Ok((Judged { form, counts, unexplained: 0, took: begin.elapsed() }, broke, differ))
}

/// Counts one run.
fn take(at: usize, summary: &Summary, counts: &mut Counts, broke: &mut Broke) {
    let all = Invariant::ALL.iter().fold(0, |bits, &invariant| bits | 1 << invariant as u32);
    counts.misused += u64::from(summary.broken & MISUSED != 0);
    counts.in_part += u64::from(summary.broken & CUT != 0);
    if summary.left != 0 {
        counts.failed += 1;
        broke.unknown.push(Unknown { at, bits: summary.left, misuses: summary.broken & MISUSED != 0 });
    } else if summary.broken & all != 0 && summary.broken & MISUSED == 0 {
        counts.known += 1;
        broke.known.push(at);
    }
}

/// All of one target.
///
/// # Errors
/// The agent does not answer.
pub fn target(
    agent: &mut Agent,
    target: Target,
    forms: &[Form],
    items: &[Item],
    twins: &Twins<'_>,
    wants_costs: bool,
) -> std::result::Result<Result, AgentError> {
    let mut result = Result::default();
    for form in forms {
        let (mut judged, broke, differ) = self::form(agent, form, items, twins)?;
        let asked = &mut Asked { agent };
        result.findings.extend(findings::of_form(asked, target, form, items, &broke, &BTreeSet::new())?);
        for (name, found) in findings::known(asked, form, items, &broke)? {
            result.known.entry(name).or_insert(found);
        }
        let differences = super::differences::of_form(asked, target, form, items, &differ)?;
        judged.unexplained = differences.kinds.iter().filter(|kind| kind.row.is_none()).count() as u64;
        result.differences.push((form.name.clone(), differences));
        if wants_costs {
            let workloads = items.iter().filter(|item| item.suite == Suite::Workloads);
            let programs = workloads.map(|item| item.bytes.clone()).collect();
            if let Some(costs) = asked.costs(form.index, programs)? {
                result.costs.push((form.name.clone(), costs));
            }
        }
        result.judged.push(judged);
    }
    Ok(result)
}
