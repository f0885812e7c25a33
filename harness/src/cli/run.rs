//! `lazymmu run`: one program, its timeline and verdict.
//!
//! What it is not: parsing, running and judging are the engine's.
//!
//! Who calls it: a person with a program: their own, one of the collection, or one that a failure printed.

use std::io::Read as _;
use std::path::Path;

use clap::{Args, ValueEnum};
use lazy_mmu_engine::program::text::parse_bytes;
use lazy_mmu_engine::program::{MAX_TEXT, Program, bytes};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::subject::registry::{Descriptor, SUBJECTS, find};
use lazy_mmu_engine::trace::{listing, timeline};
use lazy_mmu_engine::wire::Frame;

use crate::check::{build, expected::difference};
use crate::error::{Error, Exit, Result};
use crate::json;
use crate::setup::{self, Options};
use crate::target::Target;
use crate::workspace;

/// Runs one program on a subject and prints its timeline, calls and hooks and what the backend did, and the verdict.
///
/// On another target the program runs there, and must come to the same events as here. Exits 0 if the contract holds,
/// 1 if it broke or the target differs, 2 if the program or a name is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu run halves/enable --subject counted/xen@7.0")]
pub struct Run {
    /// A program's file, a program of the collection by name, or - for standard input
    program: String,
    /// What it runs on: generation/backend, with a kernel version after @ where there are several
    #[arg(long, default_value = "counted/aarch64")]
    subject: String,
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

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// A program, subject or combination that does not exist; a target that is not set up.
    pub fn run(&self) -> Result<Exit> {
        let (at, subject) = self.subject()?;
        let program = load(&self.program)?;
        let target = self.place(subject)?;
        let native = target.is_none_or(Target::is_native);
        let port = if self.port == PortName::Asm { Port::Asm } else { Port::Model };
        let mut runner = Runner::new();
        // What runs elsewhere is compared with the model here: events do not depend on the port.
        let port_here = if native { port } else { Port::Model };
        let (events, verdict) = runner.run(at, port_here, &program);
        let elsewhere = match target.filter(|target| !target.is_native()) {
            None => None,
            Some(target) => Some(on(target, at, port, &program, &format!("{}{verdict}\n", listing(events)))?),
        };
        let place = target.map_or_else(|| "here".to_owned(), |target| format!("on {target}"));
        match self.format {
            Format::Json => outln!(
                "{}",
                json::run(&json::RunReport {
                    program: &program,
                    subject: subject.name,
                    port: if port == Port::Asm { "asm" } else { "model" },
                    target: target.map(Target::short),
                    events,
                    verdict: &verdict,
                    difference: elsewhere.as_ref().and_then(|found| found.as_ref().err()).map(String::as_str),
                })
            )?,
            Format::Human => {
                outln!("{program}\n{} {place}, {} events\n", subject.name, events.len())?;
                out!("{}\n{}", timeline::render(events, &verdict), timeline::conclusion(&verdict, program.ops()))?;
                if events.is_empty() {
                    outln!("nothing was exercised: the program does nothing")?;
                }
                match &elsewhere {
                    Some(Ok(how)) => outln!("{how}")?,
                    Some(Err(difference)) => outln!("THE TARGET DIFFERS from the run here:\n{difference}")?,
                    None => {}
                }
            }
        }
        let same = elsewhere.is_none_or(|found| found.is_ok());
        Ok(if verdict.holds() && same { Exit::Holds } else { Exit::Broke })
    }

    fn subject(&self) -> Result<(usize, &'static Descriptor)> {
        let found = find(&self.subject).ok_or_else(|| Error::Input {
            what: format!("`{}` is no subject", shown(&self.subject)),
            place: "--subject".to_owned(),
            remedy: format!("one of: {}", SUBJECTS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")),
        })?;
        let at = SUBJECTS.iter().position(|subject| subject.name == found.name).unwrap_or_default();
        Ok((at, found))
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

/// Loads a program by path, by name, or from standard input.
fn load(name: &str) -> Result<Program> {
    let (place, text) = if name == "-" {
        ("standard input".to_owned(), read(&mut std::io::stdin().lock(), name)?)
    } else if let (false, Some(entry)) = (Path::new(name).exists(), lazy_mmu_snapshots::find(name)) {
        (format!("snapshots/programs/{name}.lmm"), entry.text.as_bytes().to_vec())
    } else {
        let mut file = std::fs::File::open(name).map_err(|source| Error::Input {
            what: format!("cannot open the program: {source}"),
            place: if name.is_empty() { "an empty name".to_owned() } else { shown(name) },
            remedy: match near(name) {
                Some(known) => format!("give a file, or a program of the collection such as {known}"),
                None => "give a file, or a program of the collection such as halves/enable (all are below snapshots/programs)".to_owned(),
            },
        })?;
        (name.to_owned(), read(&mut file, name)?)
    };
    parse_bytes(&text).map_err(|error| Error::Input {
        what: error.message,
        place: format!("{place}:{}:{}", error.line, error.column),
        remedy: "the operations are in docs/program-language.md".to_owned(),
    })
}

/// The program of the collection that is most like a name: the same family and the longest common beginning.
fn near(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".lmm").unwrap_or(name);
    let name = name.rsplit_once("programs/").map_or(name, |(_, rest)| rest);
    let shared = |known: &str| known.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    let family = name.split('/').next().unwrap_or_default().len();
    let names = lazy_mmu_snapshots::PROGRAMS.iter().map(|entry| entry.name);
    names.max_by_key(|known| shared(known)).filter(|known| shared(known) > family.max(2))
}

/// Reads a text, one byte more than a program may have: enough to be refused.
fn read(input: &mut impl std::io::Read, name: &str) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = input.take(MAX_TEXT as u64 + 1).read_to_end(&mut text);
    read.map_err(|source| Error::Input {
        what: format!("cannot read the program: {source}"),
        place: shown(name),
        remedy: "give a file, or a program of the collection such as halves/enable".to_owned(),
    })?;
    Ok(text)
}

/// What a user wrote, short enough for a message.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(60).collect();
    if short.len() < name.len() { format!("{short}...") } else { short }
}
