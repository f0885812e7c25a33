//! One program on one subject, here or on a target, shown: the timeline or the JSON document, and the verdict.
//!
//! What it is not: parsing, running and judging are the engine's; where a program comes from is the subcommand's.
//!
//! Who calls it: `lazymmu run` and `lazymmu workload`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use lazy_mmu_engine::program::{Program, bytes};
use lazy_mmu_engine::registry::{Descriptor, SMALL_SUFFIX, SUBJECTS, find};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::{Port, Subject};
use lazy_mmu_engine::timeline;
use lazy_mmu_engine::trace::{Event, listing};
use lazy_mmu_engine::wire::Frame;
use lazy_mmu_engine::zoo::{self, Specimen};

use crate::check::{build, difference::difference};
use crate::error::{Error, Exit, Result};
use crate::explained::Explained;
use crate::json;
use crate::setup::{self, Options};
use crate::target::Target;
use crate::workspace;

/// Where and how one program is run and printed.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct How {
    /// Where it runs, by short name or triple [default: here; with --port asm the subject's own]
    #[arg(long)]
    target: Option<Target>,
    /// How the subject reaches instructions
    #[arg(long, value_enum, default_value_t = PortName::Model)]
    port: PortName,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PortName {
    /// Every instruction is told to the machine
    Model,
    /// Unprivileged instructions are executed for real besides
    Asm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A timeline
    Human,
    /// One JSON document, its schema in docs/json.md
    Json,
}

impl How {
    /// Whether it says anything that its defaults do not.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == How { target: None, port: PortName::Model, format: Format::Human }
    }

    /// Runs the program and prints what came of it. `again` is the subcommand that does the same: `run halves/enable`.
    ///
    /// # Errors
    /// A combination that does not exist; a target that is not set up.
    pub fn show(&self, again: &str, program: &Program, named: Named) -> Result<Exit> {
        let Named { at, specimen, small } = named;
        // Of a caller's defect what the caller makes of it.
        let program = &*named.program_of(program);
        let subject = &SUBJECTS[at];
        let target = self.place(subject)?;
        let native = target.is_none_or(Target::is_native);
        let port = if self.port == PortName::Asm { Port::Asm } else { Port::Model };
        let mut runner = Runner::new();
        // What runs elsewhere is compared with the model here: events do not depend on the port.
        let port_here = if native { port } else { Port::Model };
        let (events, verdict) = match specimen {
            None if small.is_some() && !native => return Err(here_alone(named, self.target.is_some())),
            None => match small {
                Some(small) => runner.run_on(&*small.make(port_here), small.rules(), program),
                None => runner.run(at, port_here, program),
            },
            Some(specimen) if native => runner.run_on(&*specimen.make(port_here), specimen.rules(), program),
            Some(_) => return Err(here_alone(named, self.target.is_some())),
        };
        let name = named.name();
        let elsewhere = match target.filter(|target| !target.is_native()) {
            None => None,
            Some(target) => Some(on(target, at, port, program, &format!("{}{verdict}\n", listing(events)))?),
        };
        let place = target.map_or_else(|| "here".to_owned(), |target| format!("on {target}"));
        // What is known is known of faithful subjects: a specimen's defect is none of it.
        let (events, verdict) = (events.to_vec(), verdict);
        let rules = specimen.map_or_else(|| subject.rules(), Specimen::rules);
        let every = if verdict.holds() { Vec::new() } else { runner.judge_every(rules, false).violations };
        let known = Explained::new(subject.name, &events, &verdict, &every);
        let events = &events[..];
        // One of its kind says what PTE words mean.
        let plain = subject.make(Port::Model);
        match self.format {
            Format::Json => outln!(
                "{}",
                json::run(&json::RunReport {
                    program,
                    subject: name,
                    reader: &*plain,
                    port: if port == Port::Asm { "asm" } else { "model" },
                    target: target.map(Target::short),
                    events,
                    verdict: &verdict,
                    known: &known,
                    difference: elsewhere.as_ref().and_then(|found| found.as_ref().err()).map(String::as_str),
                })
            )?,
            Format::Human => {
                outln!("{name} {place}, {} events\n", events.len())?;
                outln!("{}", timeline::render(program, &*plain, events, &verdict))?;
                out!("{}", timeline::conclusion(&verdict, program))?;
                out!("{known}")?;
                compared(events, elsewhere.as_ref())?;
                let text: String = program.to_string().lines().map(|line| format!("  {line}\n")).collect();
                outln!("\nprogram:\n{text}\nreplay: cargo lazymmu {again} --subject {name}{}", self.options())?;
            }
        }
        let same = elsewhere.is_none_or(|found| found.is_ok());
        Ok(if same { verdict.answer().into() } else { Exit::Broke })
    }

    /// Where and how, as it was given.
    fn options(&self) -> String {
        let target = self.target.map(|target| format!(" --target {}", target.short())).unwrap_or_default();
        format!("{target}{}", if self.port == PortName::Asm { " --port asm" } else { "" })
    }

    /// Where it runs. The asm port executes the instructions of where it runs, and those must be the subject's.
    fn place(&self, subject: &Descriptor) -> Result<Option<Target>> {
        if self.port == PortName::Model {
            return Ok(self.target);
        }
        let own = Target::ALL.into_iter().find(|target| Some(target.isa()) == subject.isa);
        match (own, self.target) {
            (Some(own), None) => Ok(Some(own)),
            (Some(own), Some(asked)) if own == asked => Ok(Some(own)),
            _ => Err(Error::Input {
                what: format!("the asm port of {} runs where its instructions do", subject.name),
                place: "--port".to_owned(),
                remedy: own.map_or_else(
                    || "use --port model: this subject has no instructions".to_owned(),
                    |own| format!("leave --target out, or give --target {own}"),
                ),
            }),
        }
    }
}

/// How the target's run compares.
fn compared(events: &[Event], elsewhere: Option<&Result<String, String>>) -> Result<()> {
    if events.is_empty() {
        outln!("nothing was exercised: the program does nothing")?;
    }
    match elsewhere {
        Some(Ok(how)) => outln!("{how}"),
        Some(Err(difference)) => outln!("THE TARGET DIFFERS from the run here:\n{difference}"),
        None => Ok(()),
    }
}

/// What a user named: a subject of the registry, or a specimen of the zoo with the subject that its defect is in.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The subject's place in the registry.
    at: usize,
    specimen: Option<&'static Specimen>,
    /// The subject with small batches, if that is what was named.
    small: Option<&'static Descriptor>,
}

impl Named {
    /// The name of what was named.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.specimen.map_or(self.descriptor().name, |specimen| specimen.name)
    }

    /// The subject of the registry: it, or the one that the specimen's defect is in.
    #[must_use]
    pub fn descriptor(self) -> &'static Descriptor {
        self.small.unwrap_or(&SUBJECTS[self.at])
    }

    /// The same subject with small batches, if it is one of the registry that has such a form.
    #[must_use]
    pub fn small(self) -> Option<Named> {
        let small = self.specimen.is_none().then(|| SUBJECTS[self.at].small()).flatten();
        small.map(|small| Named { small: Some(small), ..self })
    }

    /// What is run for a program: it, or what a caller with a defect makes of it.
    #[must_use]
    pub fn program_of<'p>(self, program: &'p Program) -> Cow<'p, Program> {
        self.specimen.map_or(Cow::Borrowed(program), |specimen| specimen.program_of(program))
    }

    /// Makes what was named.
    #[must_use]
    pub fn make(self, port: Port) -> Box<dyn Subject> {
        self.specimen.map_or_else(|| self.descriptor().make(port), |specimen| specimen.make(port))
    }
}

/// A subject by the name a user gave.
///
/// # Errors
/// There is none of that name.
pub fn subject(name: &str) -> Result<Named> {
    if let Some(large) = name.strip_suffix(SMALL_SUFFIX) {
        let large = subject(large)?;
        return large.small().ok_or_else(|| Error::Input {
            what: format!("{} has no batch that could be smaller", large.name()),
            place: "--subject".to_owned(),
            remedy: format!("give --subject {}", large.name()),
        });
    }
    let specimen = zoo::find(name);
    let found = find(specimen.map_or(name, |specimen| specimen.base().name));
    let at = found.and_then(|found| SUBJECTS.iter().position(|subject| subject.name == found.name));
    at.map(|at| Named { at, specimen, small: None }).ok_or_else(|| Error::Input {
        what: format!("`{}` is no subject", shown(name)),
        place: "--subject".to_owned(),
        remedy: format!("one of:\n{}", known_subjects()),
    })
}

/// Every name of a subject, a line for each generation and for each family of the zoo.
fn known_subjects() -> String {
    let names = SUBJECTS.iter().map(|subject| subject.name).chain(zoo::all().map(|specimen| specimen.name));
    let mut lines: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    for (at, name) in names.enumerate() {
        let (group, rest) = name.split_once('/').unwrap_or((name, ""));
        // Generations in the order of history; the zoo behind them, by what its names begin with.
        let key = if group == "zoo" { (usize::MAX, rest.split('-').next().unwrap_or_default()) } else { (0, group) };
        let first =
            if key.0 == 0 { SUBJECTS.iter().position(|s| s.name.starts_with(group)).unwrap_or(at) } else { key.0 };
        lines.entry((first, key.1)).or_default().push(name);
    }
    lines.values().map(|names| format!("    {}", names.join(", "))).collect::<Vec<_>>().join("\n")
}

/// A target's agent has the subjects of the registry alone.
fn here_alone(named: Named, asked: bool) -> Error {
    let unknown = if named.specimen.is_some() { "the zoo" } else { "subjects with small batches" };
    Error::Input {
        what: format!("{} runs here alone: a target's agent does not know {unknown}", named.name()),
        place: if asked { "--target" } else { "--port" }.to_owned(),
        remedy: format!(
            "leave --target and --port out, or run the subject that it wraps: --subject {}",
            SUBJECTS[named.at].name
        ),
    }
}

/// Runs it on another target. `Ok` says how it was run, `Err` what differed.
fn on(target: Target, at: usize, port: Port, program: &Program, here: &str) -> Result<Result<String, String>> {
    let root = workspace::root()?;
    let mut prepared = setup::prepare(&[target], Options { allow_install: true, ..Options::default() });
    let ready = prepared.remove(0).1?;
    let mut agent = build::start(&ready, &root)?;
    let show = Frame::Show { subject: at as u8, port: port as u8, program: bytes::encode(program) };
    let answer = agent.ask(&show).map_err(|error| Error::Broke {
        what: format!("{target}: {error}"),
        place: None,
        remedy: "run it without --target; if it runs here, the target's build or emulator is at fault".to_owned(),
    })?;
    Ok(match answer {
        Frame::Text(there) if there == here => {
            Ok(format!("on {target} ({}): the same, event by event", ready.runner_text()))
        }
        Frame::Text(there) => Err(difference(here, &there)),
        other => Err(format!("{other:?}")),
    })
}

/// A name as a shell takes it.
#[must_use]
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
    if name.chars().all(plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}

/// What a user wrote, short enough for a message.
#[must_use]
pub fn shown(name: &str) -> String {
    let short: String = name.chars().take(60).collect();
    if short.len() < name.len() { format!("{short}...") } else { short }
}
