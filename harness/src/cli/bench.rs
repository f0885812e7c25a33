//! `lazymmu bench`: the numbers the project holds itself to, each measured where it is printed.
//!
//! Ratios are of two figures of the same run, because machines are noisy. Nothing here is asserted: a slow machine is
//! no failure. Not here: the tests.
//!
//! Who calls it: a person, before and after a change.

mod judge;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use lazy_mmu_engine::fuzz::Guide;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::generate;
use lazy_mmu_engine::registry::{Descriptor, GenerationName, SUBJECTS};
use lazy_mmu_engine::replay::Replay;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::wire::Frame;

use crate::agent::{Agent, Batch};
use crate::check::build;
use crate::error::{Error, Exit, Result};
use crate::fuzz::build::{self as fuzz_build, Sanitizer};
use crate::fuzz::speed::{self, Racer};
use crate::setup::{self, Options, Ready};
use crate::table;
use crate::target::Target;
use crate::trace_file;
use crate::workspace;

/// Measures: operations per second with all oracles, programs per second in one agent against one process each, the
/// replay of a kernel trace and its memory, a warm quick check.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo lazymmu bench --target sparc64")]
pub struct Bench {
    /// What to measure instead of all that: `fuzz`, the executions per second of fuzz targets; `judge`, what judging TREE costs
    #[arg(value_enum, value_name = "WHAT")]
    what: Option<What>,
    /// The kernel tree of `judge`
    #[arg(value_name = "TREE", required_if_eq("what", "judge"))]
    tree: Option<PathBuf>,
    /// With `judge`: measure preparing a tree too, in an empty cache
    #[arg(long)]
    cold: bool,
    /// A target, by short name or triple; may be repeated [default: all four]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// Leave the warm check out
    #[arg(long)]
    no_check: bool,
}

/// See [`Bench::what`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// `empty`, `contract` on each backend of 7.2 and `architectures`, with 32-operation programs
    Fuzz,
    /// A tree's C against its Rust twin, memory, cache, and seconds from an edit to the verdict
    Judge,
}

/// The same command in a release build: what is measured is the fastest that the project has.
fn in_release(root: &Path) -> Result<Exit> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--package", "lazy-mmu-harness", "--bin", "lazymmu", "--"]);
    cargo.args(std::env::args_os().skip(1)).current_dir(root);
    workspace::forget_outer_cargo(&mut cargo);
    eprintln!("bench: building in release first");
    let status = cargo.status().map_err(Error::io("start cargo in", root))?;
    match status.code() {
        Some(0) => Ok(Exit::Holds),
        Some(1) => Ok(Exit::Broke),
        _ => Err(Error::Broke {
            what: format!("the release build of this command ended with {status}"),
            place: None,
            remedy: "read the messages above".to_owned(),
        }),
    }
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// A target is not set up, or an agent fails.
    pub fn run(&self) -> Result<Exit> {
        let root = workspace::root()?;
        if workspace::profile() == workspace::QUICK {
            return in_release(&root);
        }
        if self.what == Some(What::Fuzz) {
            return fuzz(&root);
        }
        if let (Some(What::Judge), Some(tree)) = (self.what, &self.tree) {
            return judge::bench(tree, &super::or_all(&self.targets), self.cold, &root);
        }
        outln!("operations, native, 64-operation programs, all oracles on\n{}", operations())?;
        outln!("replay of kernel traces, native\n{}", replays(&root)?)?;
        let targets = super::or_all(&self.targets);
        let mut rows = vec![["target", "in one agent", "a process each", "ratio"].map(str::to_owned).to_vec()];
        for (target, ready) in setup::prepare(&targets, Options { allow_install: true, ..Options::default() }) {
            rows.push(agent_row(target, &ready?, &root)?);
        }
        outln!(
            "legal 16-operation programs per second on the target's own counted subject, batches of 500\n{}",
            table::render(&rows)
        )?;
        if !self.no_check {
            check(&root)?;
        }
        Ok(Exit::Holds)
    }
}

/// How long each figure is measured.
const WINDOW: Duration = Duration::from_millis(700);

/// Runs `f`, which says how much it did, until the window is over; the rate per second.
fn rate(mut f: impl FnMut() -> u64) -> f64 {
    let begin = Instant::now();
    let mut done = 0;
    while begin.elapsed() < WINDOW {
        done += f();
    }
    done as f64 / begin.elapsed().as_secs_f64()
}

fn operations() -> String {
    let programs: Vec<_> = (0..64).map(|seed| generate::legal(seed, 64)).collect();
    let ops: u64 = programs.iter().map(|program| program.ops().len() as u64).sum();
    let mut rows = vec![["subject", "operations/s", "events per operation"].map(str::to_owned).to_vec()];
    let mut runner = Runner::new();
    for (at, subject) in SUBJECTS.iter().enumerate().filter(|(_, s)| s.generation == GenerationName::Counted) {
        let mut events = 0u64;
        let mut runs = 0u64;
        let per_second = rate(|| {
            for program in &programs {
                events += runner.run(at, Port::Model, program).0.len() as u64;
            }
            runs += 1;
            ops
        });
        let per_operation = events as f64 / (runs * ops) as f64;
        rows.push(vec![subject.name.to_owned(), format!("{per_second:.0}"), format!("{per_operation:.1}")]);
    }
    table::render(&rows)
}

fn replays(root: &Path) -> Result<String> {
    let mut rows = vec![["trace", "lines", "seconds", "without .xz", "lines/s"].map(str::to_owned).to_vec()];
    let folder = root.join("harness/traces");
    let entries = std::fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xz"));
    paths.sort();
    for path in paths {
        let bad = |error| super::replay::rendered(&path, error);
        let begin = Instant::now();
        let summary = trace_file::replay(&path, "bench").map_err(bad)?;
        let whole = begin.elapsed().as_secs_f64();
        let mut bytes = Vec::new();
        let mut reader = trace_file::open(&path).map_err(bad)?;
        reader
            .each_chunk(|chunk| {
                bytes.extend_from_slice(chunk);
                Ok(())
            })
            .map_err(bad)?;
        let per_second = lines_per_second(&bytes);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let alone = summary.lines as f64 / per_second;
        let figures =
            [summary.lines.to_string(), format!("{whole:.3}"), format!("{alone:.3}"), format!("{per_second:.0}")];
        rows.push(std::iter::once(name).chain(figures).collect());
    }
    let bytes = sections();
    let (lines, per_second) = (GENERATED, lines_per_second(&bytes));
    let alone = format!("{:.3}", lines as f64 / per_second);
    rows.push(["generated".into(), lines.to_string(), "-".into(), alone, format!("{per_second:.0}")].to_vec());
    Ok(format!("{}peak memory of this process so far: {} KiB\n", table::render(&rows), peak_memory()))
}

/// Lines of the trace that is made here.
const GENERATED: u64 = 1_000_000;

/// A recording of many short sections, by 16 tasks on 4 CPUs, as long as [`GENERATED`].
fn sections() -> Vec<u8> {
    const SECTION: [&str; 6] =
        ["enable 1 0", "arch_enter 1 0", "queue_deferred 1 0", "disable 0 0", "arch_leave 0 0", "barriers 0 0"];
    let mut text = b"# lazy MMU mode trace: arm64\n".to_vec();
    for seq in 0..GENERATED - 1 {
        let (section, step) = (seq / SECTION.len() as u64, seq as usize % SECTION.len());
        let (cpu, pid) = (section % 4, 100 + section % 16);
        text.extend_from_slice(format!("{seq} {cpu} {pid} 0 {}\n", SECTION[step]).as_bytes());
    }
    text
}

/// How fast a trace in memory is replayed and judged.
fn lines_per_second(bytes: &[u8]) -> f64 {
    rate(|| {
        let mut replay = Replay::new("bench");
        let fed = replay.feed(bytes).and_then(|()| replay.finish());
        fed.map_or(0, |summary| summary.lines)
    })
}

/// `VmHWM` of this process, in KiB; 0 where the kernel does not say.
fn peak_memory() -> u64 {
    peak_of("/proc/self/status")
}

/// The same of a process by its file.
fn peak_of(status: &str) -> u64 {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn agent_row(target: Target, ready: &Ready, root: &Path) -> Result<Vec<String>> {
    let failed = |error: crate::agent::AgentError| Error::Broke {
        what: format!("{target}: {error}"),
        place: None,
        remedy: format!("cargo lazymmu check --target {target}"),
    };
    let binary = build::agent(ready, root)?;
    let start = {
        let (ready, binary) = (ready.clone(), binary.clone());
        move || build::command(&ready, &binary)
    };
    let mut agent = Agent::new(start.clone());
    let programs: Vec<_> = (0..500).map(|seed| encode(&generate::legal(seed, 16))).collect();
    let own = |subject: &Descriptor| subject.isa == Some(target.isa()) && subject.generation == GenerationName::Counted;
    let subject = SUBJECTS.iter().position(own).unwrap_or(0) as u8;
    let batch = Batch { subject, port: 0, programs: &programs };
    agent.batch(batch).map_err(failed)?;
    let mut broke = None;
    let together = rate(|| match agent.batch(batch) {
        Ok(outcomes) => outcomes.len() as u64,
        Err(error) => {
            broke = Some(error);
            1
        }
    });
    let mut next = 0;
    let apart = rate(|| {
        let mut alone = Agent::new(start.clone());
        next += 1;
        let one = &programs[next % programs.len()..][..1];
        if let Err(error) = alone.batch(Batch { programs: one, ..batch }) {
            broke = Some(error);
        }
        let _ = alone.tell(&Frame::Bye);
        1
    });
    if let Some(error) = broke {
        return Err(failed(error));
    }
    let ratio = format!("{:.0} x", together / apart);
    Ok(vec![target.to_string(), format!("{together:.0}"), format!("{apart:.1}"), ratio])
}

/// A warm quick check in a process of its own, as a user would start it.
fn check(root: &Path) -> Result<()> {
    let own = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let begin = Instant::now();
    let mut command = Command::new(own);
    let output = command.args(["check", "--profile", "quick"]).current_dir(root).output();
    let output = output.map_err(Error::io("start", "this program"))?;
    let verdict = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
    outln!("check --profile quick on all targets: {:.1} s ({verdict})", begin.elapsed().as_secs_f64())
}

/// Executions per second of fuzz targets, as a share of the empty one's.
fn fuzz(root: &Path) -> Result<Exit> {
    let binaries = fuzz_build::build(root, Sanitizer::None, Guide::Functions, &["empty", "contract", "architectures"])?;
    let racer = |target, subject, wanted| Racer { target, subject, wanted };
    let mut racers = vec![racer("empty", None, 1.0)];
    let current = SUBJECTS.iter().filter(|subject| subject.is_current());
    racers.extend(current.map(|subject| racer("contract", Some(subject.name), 1.0 / 4.0)));
    racers.push(racer("architectures", None, 1.0 / 12.0));
    let took = speed::race(&binaries, &racers, |round, racer| {
        eprintln!("round {} of {}: {} {}", round + 1, speed::ROUNDS, racer.target, racer.subject.unwrap_or_default());
    })?;
    let heading =
        ["target", "subject", "executions/s", "of empty", "wanted", "by the wall", "us each", "of these its own"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let empty = took[0];
    for (racer, took) in racers.iter().zip(&took) {
        let share = took.per_second() / empty.per_second();
        let by_wall = took.per_second_by_wall() / empty.per_second_by_wall();
        let (whole, own) = took.micros();
        rows.push(vec![
            racer.target.to_owned(),
            racer.subject.unwrap_or("").to_owned(),
            format!("{:.0}", took.per_second()),
            format!("1/{:.1}", 1.0 / share),
            format!("1/{:.0}", 1.0 / racer.wanted),
            format!("1/{:.1}", 1.0 / by_wall),
            format!("{whole:.1}"),
            format!("{own:.1}"),
        ]);
    }
    outln!(
        "fuzz targets of one build, {} legal {}-operation programs as seeds, {} executions of each (of the empty one ten times as many) in {} turns, user time;\n\
         its own: the seeds executed without mutation and coverage\n{}",
        speed::SEEDS,
        speed::OPERATIONS,
        speed::EXECUTIONS * u64::from(speed::ROUNDS),
        speed::ROUNDS,
        table::render(&rows)
    )?;
    Ok(Exit::Holds)
}
