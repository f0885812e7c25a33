//! `lazymmu fuzz`: the fuzz targets, for a time, with what they found and exercised.
//!
//! What it is not: what is fuzzed is the engine's (`lazy_mmu_engine::fuzz`), a run is [`crate::fuzz`].
//!
//! Who calls it: a person, CI every night.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lazy_mmu_engine::finding::Suspect;
use lazy_mmu_engine::fuzz::{Description, Input, TARGETS, find};

use crate::corpus::{write_dictionaries, write_seeds};
use crate::error::{Error, Exit, Result};
use crate::fuzz::build::{self, Sanitizer};
use crate::fuzz::cross::Cross;
use crate::fuzz::{self, Plan, Ran, again};
use crate::judge::start;
use crate::setup::Missing;
use crate::{process, table, workspace};

/// Runs fuzz targets: builds them with cargo-fuzz, starts from the corpus and from seeds, and goes on after a finding.
///
/// Findings are minimised and kept in fuzz/findings, each in a folder with its program, report, Rust test and KUnit case.
/// Exits 0 if nothing was found and every kind of event was met, 1 if not, 3 if the machine lacks something.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu fuzz contract --time 60s --jobs 2")]
pub struct Fuzz {
    /// The targets by name, or all of them
    #[arg(required = true, value_name = "TARGET|all")]
    targets: Vec<String>,
    /// For how long each: 90, 60s, 10m, 1h
    #[arg(long, default_value = "60s", value_parser = duration)]
    time: Duration,
    /// How many processes fuzz a target at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// The first process's seed; the others count up from it
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Goes on where a run was interrupted: its time and counts are kept
    #[arg(long)]
    resume: bool,
    /// The one subject to run, of the registry or zoo/NAME (contract, transitions, model); with --tree, tree/FORM
    #[arg(long)]
    subject: Option<String>,
    /// Runs each new input on all four targets too, under qemu where they are emulated: what differs from the host is a
    /// finding (targets whose input is a program)
    #[arg(long, conflicts_with = "replay")]
    cross: bool,
    /// A kernel tree: with --cross, new inputs run on its own C, all its subjects or --subject tree/xen and its like, and are
    /// judged as `judge` does
    #[arg(long, value_name = "TREE", requires = "cross")]
    tree: Option<PathBuf>,
    /// What the binaries are instrumented with besides coverage
    #[arg(long, value_enum, default_value_t = Sanitizer::None)]
    sanitizer: Sanitizer,
    /// Judges and minimises one input and ends: an artifact of cargo-fuzz, a finding's folder, or a program's text
    #[arg(long, value_name = "FILE|FOLDER", conflicts_with_all = ["jobs", "resume", "seed"])]
    replay: Option<PathBuf>,
    /// Where findings go [default: fuzz/findings of the project]
    #[arg(long, value_name = "FOLDER")]
    findings: Option<PathBuf>,
    /// Draws coverage and executions over time, as TARGET.svg and TARGET.png in a folder [default: fuzz/plots]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    plot: Option<Option<PathBuf>>,
}

impl Fuzz {
    /// Runs them, one target after the other.
    ///
    /// # Errors
    /// An unknown name, a folder that cannot be written, cargo-fuzz that is not there or does not build.
    pub fn run(&self) -> Result<Exit> {
        let targets = self.targets()?;
        let subject = if self.tree.is_some() { None } else { self.subject(&targets)? };
        let of_tree = self.of_tree()?;
        if let Some(file) = &self.replay {
            return again::replay(targets[0], subject, file);
        }
        let root = workspace::root()?;
        let folder = root.join("fuzz");
        self.can_cross(&targets, subject)?;
        let binaries = build::targets(&root, self.sanitizer, &targets)?;
        let mut cross = match &self.tree {
            Some(tree) => Some(Cross::prepare_tree(&root, tree, of_tree)?),
            None if self.cross => Some(Cross::prepare(&root)?),
            None => None,
        };
        write_seeds(&folder.join("corpus"), &root.join("harness/traces"))?;
        write_dictionaries(&folder.join("dictionaries"))?;
        let mut broke = false;
        // Ctrl-C ends the processes; what was done until then is printed.
        process::note_first_signal();
        for target in targets {
            let plan = Plan {
                target,
                binary: binaries.of(target),
                fuzz: folder.clone(),
                time: self.time,
                jobs: self.jobs.into(),
                seed: self.seed,
                subject,
                resume: self.resume,
                findings: self.findings.clone().unwrap_or_else(|| folder.join("findings")),
            };
            let crosses = matches!(target.input, Input::Program(_));
            let ran = fuzz::run(&plan, cross.as_mut().filter(|_| crosses))?;
            broke |= !ran.is_clean();
            report(&plan, &ran)?;
            if let Some(place) = &self.plot {
                let place = place.clone().unwrap_or_else(|| folder.join("plots"));
                let [svg, png] = fuzz::plot::write(&ran.state, target.name, &place)?;
                outln!("drawn: {} and {}\n", svg.display(), png.display())?;
            }
            if ran.interrupted {
                return Err(Error::Missing(Missing {
                    what: format!("{} was interrupted", target.name),
                    why: "a signal ended it before its time".to_owned(),
                    remedy: "the same command with --resume goes on from there".to_owned(),
                }));
            }
        }
        Ok(if broke { Exit::Broke } else { Exit::Holds })
    }

    /// Whether the targets can be fed to agents: those whose input is a program, on the registry's subjects.
    fn can_cross(&self, targets: &[&Description], subject: Option<&str>) -> Result<()> {
        let all = self.targets.iter().any(|name| name == "all");
        let other = targets.iter().find(|target| !all && !matches!(target.input, Input::Program(_)));
        let bad = |what: String, remedy: &str| {
            Err(Error::Input { what, place: "--cross".to_owned(), remedy: remedy.to_owned() })
        };
        match (self.cross, other, subject) {
            (true, Some(target), _) => bad(
                format!("the inputs of {} are no programs", target.name),
                "leave --cross out, or name other targets",
            ),
            (true, None, Some(name)) if name.starts_with("zoo/") => {
                bad(format!("a target's agent does not know {name}"), "leave --cross out, or give a faithful subject")
            }
            _ => Ok(()),
        }
    }

    fn targets(&self) -> Result<Vec<&'static Description>> {
        if self.targets.iter().any(|name| name == "all") {
            return Ok(TARGETS.iter().collect());
        }
        let known = |name: &String| {
            find(name).ok_or_else(|| Error::Input {
                what: format!("there is no fuzz target {name}"),
                place: "the command line".to_owned(),
                remedy: format!("one of {}, or all", TARGETS.map(|target| target.name).join(", ")),
            })
        };
        self.targets.iter().map(known).collect()
    }

    /// The one subject of the tree, if there is one and it is named.
    fn of_tree(&self) -> Result<Option<&str>> {
        let Some(name) = self.subject.as_deref().filter(|_| self.tree.is_some()) else { return Ok(None) };
        start::target_of(name).map(|_| Some(name))
    }

    fn subject(&self, targets: &[&Description]) -> Result<Option<&'static str>> {
        let Some(name) = &self.subject else { return Ok(None) };
        let suspect = Suspect::find(name).ok_or_else(|| Error::Input {
            what: format!("there is no subject {name}"),
            place: "--subject".to_owned(),
            remedy: "give one such as counted/aarch64 or zoo/arm64-softirq-pte; tree/FORM needs --cross --tree TREE"
                .to_owned(),
        })?;
        match targets.iter().find(|target| !["contract", "transitions", "model"].contains(&target.name)) {
            None => Ok(Some(suspect.name)),
            Some(target) => Err(Error::Input {
                what: format!("the target {} chooses its subjects itself", target.name),
                place: "--subject".to_owned(),
                remedy: "leave it out, or fuzz contract, transitions or model".to_owned(),
            }),
        }
    }
}

/// `90`, `60s`, `10m`, `1h`.
pub(super) fn duration(text: &str) -> std::result::Result<Duration, String> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        other => return Err(format!("`{other}` is no unit: give s, m or h")),
    };
    let number: u64 = digits.parse().map_err(|_| "give a whole number and a unit, such as 60s".to_owned())?;
    match number.checked_mul(unit) {
        Some(seconds @ 1..=604_800) => Ok(Duration::from_secs(seconds)),
        _ => Err("from one second to a week".to_owned()),
    }
}

/// What a run did, what it found, and what it did not meet.
fn report(plan: &Plan, ran: &Ran) -> Result<()> {
    let last = ran.state.samples.last().copied().unwrap_or_default();
    let seconds = ran.state.elapsed().as_secs_f64().max(0.001);
    outln!(
        "{}: {}\n{:.0} s, {} processes at once, {} executions ({:.0}/s), {} covered, {} features, {} inputs in the corpus",
        plan.target.name,
        plan.target.about,
        seconds,
        plan.jobs,
        last.pulse.executions,
        last.pulse.executions as f64 / seconds,
        last.pulse.coverage,
        last.pulse.features,
        last.pulse.corpus,
    )?;
    if let Some(before) = &ran.resumed {
        let (seconds, executions) = (before.elapsed().as_secs_f64(), before.executions());
        outln!(
            "resumed: {seconds:.0} s and {executions} executions of these are of earlier runs, and so are their counts"
        )?;
    }
    let rows: Vec<_> = ran.state.counts.iter().map(|(name, n)| vec![format!("  {name}"), n.to_string()]).collect();
    out!("{}", table::render(&rows))?;
    for compared in &ran.crossed {
        outln!("{compared}")?;
    }
    for (folder, new) in &ran.found {
        outln!("{}: {}", if *new { "NEW FINDING" } else { "finding, there before" }, folder.display())?;
        if let Ok(text) = std::fs::read_to_string(folder.join("report.txt")) {
            outln!("\n{text}")?;
        }
    }
    for died in &ran.died {
        outln!("A PROCESS DIED: {died}")?;
    }
    if !ran.not_met.is_empty() {
        outln!("not met, on this one subject: {}", ran.not_met.join(", "))?;
    }
    if !ran.missing.is_empty() {
        outln!("NEVER MET, so that this run has not tested what it says: {}", ran.missing.join(", "))?;
    }
    outln!("{}\n", conclusion(ran))
}

/// The last line: what was found, and how far that can be believed.
fn conclusion(ran: &Ran) -> String {
    let executions = ran.executions();
    let met = if ran.not_met.is_empty() { "every kind met" } else { "not every kind met" };
    match (ran.interrupted, ran.is_clean()) {
        _ if executions == 0 => "NOT CLEAN: nothing was executed".to_owned(),
        (true, true) => format!("INTERRUPTED: nothing found in {executions} executions, {met}"),
        (true, false) => "INTERRUPTED, NOT CLEAN".to_owned(),
        (false, true) => format!("nothing found, {met}"),
        (false, false) => "NOT CLEAN".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::pulse::Pulse;
    use crate::fuzz::state::{Sample, State};

    /// Nothing is said of what was not executed, and an end that came too early is said.
    #[test]
    fn conclusions() {
        let pulse = Pulse { executions: 7, ..Pulse::default() };
        let state = State { samples: vec![Sample { at: 1, pulse }], ..State::default() };
        let ran = Ran { state, ..Ran::default() };
        let not_met = vec!["a kind"];
        for (ran, says) in [
            (Ran::default(), "NOT CLEAN: nothing was executed"),
            (Ran { interrupted: true, ..Ran::default() }, "NOT CLEAN: nothing was executed"),
            (ran.clone(), "nothing found, every kind met"),
            (Ran { not_met: not_met.clone(), ..ran.clone() }, "nothing found, not every kind met"),
            (Ran { missing: not_met, ..ran.clone() }, "NOT CLEAN"),
            (Ran { interrupted: true, ..ran }, "INTERRUPTED: nothing found in 7 executions, every kind met"),
        ] {
            assert_eq!(conclusion(&ran), says, "{ran:?}");
        }
    }

    #[test]
    fn times_are_read_with_their_units() {
        let seconds = |text: &str| duration(text).map(|time| time.as_secs()).ok();
        assert_eq!(["90", "60s", "10m", "1h"].map(seconds), [Some(90), Some(60), Some(600), Some(3600)]);
        assert_eq!(["", "s", "0", "-1s", "1d", "1.5m", "99999999999h"].map(seconds), [None; 7]);
    }
}
