//! `lazymmu workload`: a call site of the kernel as a program, printed and run.
//!
//! What it is not: the table and the programs are the engine's ([`lazy_mmu_engine::workload`]).
//!
//! Who calls it: a person who wants to know what a subject does under real callers.

use clap::{Args, ValueEnum};
use lazy_mmu_arches::page::Size;
use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::workload::{self, Parameter, Parameters};
use lazy_mmu_snapshots::known;

use crate::error::{Error, Exit, Result};
use crate::show::{How, shown, subject};
use crate::table;

/// Prints one of the kernel's call sites as a program and runs it: on every subject of Linux 7.2 with a verdict each,
/// or on one with its timeline.
///
/// Exits 0 if the contract holds, 1 if it broke or the target differs, 2 if a name or a parameter is wrong, 4 if a part was
/// not judged, 5 if the program misuses the API.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu workload vmap_pages_pte_range --len 193 --busy-at 7")]
pub struct Workload {
    /// The kernel's function, or a chain, as --list names them
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Lists all workloads: where each comes from and what it can be told
    #[arg(long, conflicts_with_all = ["name", "print", "subject", "Given", "How"])]
    list: bool,
    /// Prints the program alone, as `run -` reads it
    #[arg(long, conflicts_with = "subject")]
    print: bool,
    /// The one subject it runs on, with its timeline [default: all of Linux 7.2, a verdict each]
    #[arg(long)]
    subject: Option<String>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    given: Given,
}

/// What the workload is told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Parameters, where the workload has them")]
struct Given {
    /// How many pages, 0 to 512 [default: 16]
    #[arg(long, value_name = "N")]
    len: Option<u16>,
    /// Their size class [default: small]
    #[arg(long, value_enum)]
    size: Option<SizeName>,
    /// The slot that holds an entry already
    #[arg(long, value_name = "SLOT")]
    busy_at: Option<u16>,
    /// The slot at which it gives up with an error, or starts again
    #[arg(long, value_name = "SLOT")]
    fail_at: Option<u16>,
    /// After how many entries the scheduler wants the CPU, again and again
    #[arg(long, value_name = "N")]
    resched_every: Option<u16>,
    /// The slot at which a large folio is split, with the section closed
    #[arg(long, value_name = "SLOT")]
    split_at: Option<u16>,
    /// The slot at which a split leaves no page table to go on with
    #[arg(long, value_name = "SLOT")]
    give_up_at: Option<u16>,
    /// The slot whose page is pinned
    #[arg(long, value_name = "SLOT")]
    pinned_at: Option<u16>,
    /// The slot that belongs to no VMA, or holds nothing
    #[arg(long, value_name = "SLOT")]
    hole_at: Option<u16>,
    /// The slot with which the gathered pages are too many
    #[arg(long, value_name = "SLOT")]
    full_at: Option<u16>,
    /// The slot after which a page is allocated, with DEBUG_PAGEALLOC
    #[arg(long, value_name = "SLOT")]
    alloc_at: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SizeName {
    Small,
    Large,
    Huge,
}

impl Given {
    fn parameters(&self) -> Parameters {
        let size = self.size.map(|size| match size {
            SizeName::Small => Size::Small as u16,
            SizeName::Large => Size::Large as u16,
            SizeName::Huge => Size::Huge as u16,
        });
        let given = Parameter::ALL.into_iter().filter_map(|parameter| {
            let value = match parameter {
                Parameter::Len => self.len,
                Parameter::Size => size,
                Parameter::BusyAt => self.busy_at,
                Parameter::FailAt => self.fail_at,
                Parameter::ReschedEvery => self.resched_every,
                Parameter::SplitAt => self.split_at,
                Parameter::GiveUpAt => self.give_up_at,
                Parameter::PinnedAt => self.pinned_at,
                Parameter::HoleAt => self.hole_at,
                Parameter::FullAt => self.full_at,
                Parameter::AllocAt => self.alloc_at,
            };
            Some((parameter, value?))
        });
        given.fold(Parameters::default(), |parameters, (parameter, value)| parameters.with(parameter, value))
    }
}

impl Workload {
    /// Lists, prints, or runs.
    ///
    /// # Errors
    /// A workload, parameter or subject that does not exist; a target that is not set up.
    pub fn run(&self) -> Result<Exit> {
        let Some(name) = &self.name else {
            out!("{}", list())?;
            return Ok(Exit::Holds);
        };
        let found = workload::find(name).ok_or_else(|| unknown(name))?;
        let parameters = self.given.parameters();
        let program = found.program(&parameters).map_err(|bad| Error::Input {
            what: format!("{}: {bad}", found.name),
            place: bad.parameter().to_string(),
            remedy: format!("{} takes {}", found.name, takes(found)),
        })?;
        if self.print {
            out!("{found}{program}")?;
            return Ok(Exit::Holds);
        }
        if let Some(name) = &self.subject {
            return self.how.show(&format!("workload {}{parameters}", found.name), &program, subject(name)?);
        }
        if !self.how.is_default() {
            return Err(Error::Input {
                what: "--target, --port and --format are about a run on one subject".to_owned(),
                place: "--subject".to_owned(),
                remedy: "give --subject as well, for example --subject counted/sparc64".to_owned(),
            });
        }
        out!("{found}{program}\n")?;
        on_all(found, &program)
    }
}

/// A verdict for each subject of 7.2, and how to see more. A subject on which the kernel does not have the call site is
/// listed, and counts for nothing.
fn on_all(found: &workload::Workload, program: &Program) -> Result<Exit> {
    let mut runner = Runner::new();
    let mut rows = vec![["subject", "events", "verdict"].map(str::to_owned).to_vec()];
    let (mut worst, mut known) = (Exit::Holds, Vec::<&known::Finding>::new());
    for (at, descriptor) in SUBJECTS.iter().enumerate().filter(|(_, subject)| subject.is_current()) {
        let (events, verdict) = runner.run(at, Port::Model, program);
        let is_there = found.mmus.is_empty() || found.mmus.contains(&descriptor.rules().mmu);
        let said = if is_there { verdict.to_string() } else { "another architecture's".to_owned() };
        rows.push(vec![descriptor.name.to_owned(), events.len().to_string(), said]);
        if is_there {
            worst = worst.worse(verdict.answer().into());
            known.extend(known::judged(&mut runner, at, program).into_iter().filter_map(|(_, finding)| finding));
        }
    }
    out!("{}", table::render(&rows))?;
    for finding in known::KNOWN {
        let invisible = finding.kind == known::Kind::Invisible && finding.workloads.contains(&found.name);
        if invisible || known.iter().any(|by| by.name == finding.name) {
            outln!("\nknown/{}, {}: {}", finding.name, finding.kind.text(), finding.why)?;
        }
    }
    Ok(worst)
}

fn list() -> String {
    let heading = ["workload", "parameters", "on", "source"].map(str::to_owned).to_vec();
    let row = |workload: &workload::Workload| {
        let mmus = workload.mmus.iter().map(|mmu| mmu.name()).collect::<Vec<_>>().join(" ");
        let on = if mmus.is_empty() { "all".to_owned() } else { mmus };
        vec![workload.name.to_owned(), takes(workload), on, workload.source.to_owned()]
    };
    table::render(&[heading].into_iter().chain(workload::all().map(row)).collect::<Vec<_>>())
}

fn takes(workload: &workload::Workload) -> String {
    workload.takes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn unknown(name: &str) -> Error {
    let near = workload::near(name);
    let hint = if near.is_empty() { String::new() } else { format!("did you mean {}? ", near.join(", ")) };
    Error::Input {
        what: format!("`{}` is no workload", shown(name)),
        place: "the workload's name".to_owned(),
        remedy: format!("{hint}`cargo lazymmu workload --list` names them all"),
    }
}
