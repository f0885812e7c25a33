//! `lazymmu bench judge TREE`: what judging a tree costs, each figure beside the limit that the project sets itself.
//!
//! The tree's C is compared with our Rust of its generation in the same run. An edit is one of a copy of a header in a farm of
//! links: the tree itself is not written. A limit that is missed is said and is no failure. Called by [`super::Bench`].

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::generate;

use super::rate;
use crate::agent::{Agent, AgentError, Batch};
use crate::check::build;
use crate::error::{Error, Exit, Result};
use crate::judge::start::{self, Built};
use crate::setup::{self, Options, Ready, cpu};
use crate::table;
use crate::target::Target;
use crate::tree::farm::{self, Plan};
use crate::tree::{self, Session, Source, Store, agent};

/// What the tree's C may take of its Rust twin's time.
const TIMES_RUST: f64 = 4.0;
/// What an agent may have in memory, in KiB.
const RESIDENT: u64 = 64 << 10;
/// What a prepared tree may take in the cache, in bytes.
const PREPARED: u64 = 10 << 20;
/// From the edit of a header to the verdict on all targets.
const HEADER: Duration = Duration::from_secs(10);
/// From the edit of a source to the verdict on its target.
const SOURCE: Duration = Duration::from_secs(4);
/// Preparing a tree for a target.
const COLD: Duration = Duration::from_secs(60);

/// The header that is edited, and the source with its target.
const EDITED_HEADER: &str = "include/linux/pgtable.h";
const EDITED_SOURCE: (&str, &str) = ("arch/x86/xen/mmu.c", "x86_64");

/// How many programs a batch has, and how many operations a program has, about.
const BATCH: u64 = 500;
const LENGTH: usize = 40;

/// Measures.
///
/// # Errors
/// The tree does not become a subject on a target, or an agent fails.
pub(super) fn bench(tree: &Path, targets: &[Target], cold: bool, root: &Path) -> Result<Exit> {
    let store = Store::find()?;
    let source = Source::open(tree, &store)?;
    let options = Options { allow_install: true, tree: true, ..Options::default() };
    let mut prepared: Vec<(Target, Ready)> = setup::prepare(targets, options)
        .into_iter()
        .map(|(target, ready)| ready.map(|ready| (target, ready)))
        .collect::<Result<_, _>>()?;
    prepared.iter_mut().for_each(|(_, ready)| cpu::choose_for_trees(ready));
    let mut speeds = vec![
        ["subject", "C/s", "Rust/s", "C takes", "at most", "met", "resident", "at most", "met"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut caches = vec![["target", "prepared", "at most", "met"].map(str::to_owned).to_vec()];
    for (target, ready) in &prepared {
        let target = *target;
        let recipe = start::recipe(target, None)?;
        let built = start::build(&source, recipe, Ok(ready.clone()), &Session::new(&store, 1), root)?;
        speeds.extend(forms(target, ready, &built, root)?);
        let bytes = prepared_bytes(&source.place().join(recipe.name));
        caches.push(vec![
            target.to_string(),
            format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
            format!("{} MiB", PREPARED >> 20),
            met(bytes <= PREPARED),
        ]);
    }
    outln!(
        "legal {LENGTH}-operation programs per second, in batches of {BATCH}, and an agent's memory at its most\n{}",
        table::render(&speeds)
    )?;
    outln!("the cache of a prepared tree\n{}", table::render(&caches))?;
    let mut seconds = vec![["what", "seconds", "at most", "met", "verdict"].map(str::to_owned).to_vec()];
    seconds.extend(edits(&source, targets, &store)?);
    if cold {
        for (target, ready) in &prepared {
            seconds.push(preparation(&source, *target, &agent::library(ready, root)?, &store)?);
        }
    }
    outln!(
        "from an edit to the verdict, warm{}\n{}",
        if cold { ", and preparing, cold" } else { "" },
        table::render(&seconds)
    )?;
    Ok(Exit::Holds)
}

fn met(is_met: bool) -> String {
    if is_met { "yes" } else { "MISSED" }.to_owned()
}

fn failed(target: Target, error: &AgentError) -> Error {
    Error::Broke {
        what: format!("{target}: {error}"),
        place: None,
        remedy: format!("cargo lazymmu judge TREE --target {target}"),
    }
}

/// A row for each form of the tree's code on a target: native, and under qemu.
fn forms(target: Target, ready: &Ready, built: &Built, root: &Path) -> Result<Vec<Vec<String>>> {
    let programs: Vec<_> = (0..BATCH).map(|seed| encode(&generate::legal(seed, LENGTH))).collect();
    let error = |error: AgentError| failed(target, &error);
    let (mut theirs, forms) = built.start().map_err(error)?;
    let mut ours = build::start(ready, root)?;
    let mut rows = Vec::new();
    for form in forms {
        let speed = |agent: &mut Agent, subject: u8| per_second(agent, Batch { subject, port: 0, programs: &programs });
        let c = speed(&mut theirs, form.index).map_err(error)?;
        let rust = match form.twin.and_then(|twin| u8::try_from(twin).ok()) {
            Some(twin) => Some(speed(&mut ours, twin).map_err(error)?),
            None => None,
        };
        let times = rust.map(|rust| rust / c);
        let resident = theirs.id().map_or(0, resident);
        rows.push(vec![
            format!("{} ({})", form.name, ready.runner_text()),
            format!("{c:.0}"),
            rust.map_or_else(|| "no twin".to_owned(), |rust| format!("{rust:.0}")),
            times.map_or_else(|| "-".to_owned(), |times| format!("{times:.1} x")),
            format!("{TIMES_RUST:.0} x"),
            times.map_or_else(|| "-".to_owned(), |times| met(times <= TIMES_RUST)),
            format!("{:.1} MiB", resident as f64 / 1024.0),
            format!("{} MiB", RESIDENT >> 10),
            met(resident <= RESIDENT),
        ]);
    }
    Ok(rows)
}

/// Programs per second, once the agent is warm.
fn per_second(agent: &mut Agent, batch: Batch<'_>) -> Result<f64, AgentError> {
    agent.batch(batch)?;
    let mut broke = None;
    let found = rate(|| match agent.batch(batch) {
        Ok(outcomes) => outcomes.len() as u64,
        Err(error) => {
            broke = Some(error);
            1
        }
    });
    broke.map_or(Ok(found), Err)
}

/// What a process, or the child that runs the tree's code, had in memory at its most, in KiB; an emulator counts with what it
/// emulates.
fn resident(id: u32) -> u64 {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let own = id.to_string();
    let all = children.split_whitespace().chain([own.as_str()]);
    all.map(|id| super::peak_of(&format!("/proc/{id}/status"))).max().unwrap_or(0)
}

/// The bytes that the files of the folder prepared for a tree hold.
fn prepared_bytes(place: &Path) -> u64 {
    let folder = fs::read_to_string(place.join("prepared.at")).unwrap_or_default();
    bytes_below(Path::new(&folder))
}

fn bytes_below(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_below(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

/// Edits a header and a source in a farm, and runs this command on each edit.
fn edits(source: &Source, targets: &[Target], store: &Store) -> Result<Vec<Vec<String>>> {
    let scratch = store.scratch("bench-judge")?;
    let farm = scratch.path().join("linux");
    let mut plan = Plan::default();
    for path in [EDITED_HEADER, EDITED_SOURCE.0] {
        plan.replace(path, source.build().join(path));
    }
    fs::create_dir_all(&farm).map_err(Error::io("make", &farm))?;
    farm::sync(source.build(), &farm, &plan)?;
    let all: Vec<String> = targets.iter().map(ToString::to_string).collect();
    // The first run compiles what the second finds.
    verdict(&farm, &all)?;
    let own = [EDITED_SOURCE.1.to_owned()];
    let mut rows = Vec::new();
    for (path, targets, limit) in [(EDITED_HEADER, &all[..], HEADER), (EDITED_SOURCE.0, &own[..], SOURCE)] {
        append(&farm.join(path))?;
        let (took, said) = verdict(&farm, targets)?;
        rows.push(vec![
            format!("{path}, on {}", targets.join(" ")),
            format!("{:.1}", took.as_secs_f64()),
            limit.as_secs().to_string(),
            met(took <= limit),
            said,
        ]);
    }
    Ok(rows)
}

/// Changes a file's contents, not what its code means.
fn append(path: &Path) -> Result<()> {
    let file = fs::File::options().append(true).open(path);
    file.and_then(|mut file| file.write_all(b"\n/* lazymmu bench judge */\n")).map_err(Error::io("edit", path))
}

/// How long a verdict takes, and what it is.
fn verdict(tree: &Path, targets: &[String]) -> Result<(Duration, String)> {
    let own = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let mut command = Command::new(own);
    command.arg("judge").arg(tree).args(targets.iter().flat_map(|target| ["--target", target])).stderr(Stdio::null());
    let begin = Instant::now();
    let output = command.output().map_err(Error::io("start", "this program"))?;
    let said = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
    Ok((begin.elapsed(), said))
}

/// Prepares a tree in a cache of its own.
fn preparation(source: &Source, target: Target, library: &PathBuf, store: &Store) -> Result<Vec<String>> {
    let scratch = store.scratch("bench-cold")?;
    let own = Store::at(scratch.path());
    let source = Source::open(source.root(), &own)?;
    let recipe = tree::usual(&[target])[0];
    let built = tree::build(&source, recipe, std::slice::from_ref(library), &Session::new(&own, 1))?;
    let took = built.times.kbuild.unwrap_or_default();
    let said = format!("then compiled {} objects in {:.1} s", built.compiled, built.times.compile.as_secs_f64());
    let seconds = format!("{:.1}", took.as_secs_f64());
    Ok(vec![format!("prepare for {target}"), seconds, COLD.as_secs().to_string(), met(took <= COLD), said])
}
