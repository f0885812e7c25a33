//! The seeds that fuzzing begins with: the program collection, the kernel's call sites, recorded traces and frames.
//!
//! A seed is a file whose name is a digest of what it holds: writing again changes nothing, and what a fuzzer has found
//! since stays. Dictionaries are written beside them. What it is not: the programs are the collection's and the
//! engine's; nothing is run or judged here.
//!
//! Who calls it: `lazymmu corpus`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lazy_mmu_arches::backend::mix;
use lazy_mmu_engine::dictionary;
use lazy_mmu_engine::fuzz::{Input, TARGETS};
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Program, bytes};
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::wire::{self, Frame, Summary};
use lazy_mmu_engine::{runner, workload};
use lazy_mmu_snapshots::PROGRAMS;

use crate::cli::replay::rendered;
use crate::error::{Error, Result};
use crate::output;
use crate::trace_file::{self, TraceError};

/// A dictionary: its file's name, and what makes its text.
type Dictionary = (&'static str, fn() -> String);

/// Records for the targets that read bytes, words for those that read text.
const DICTIONARIES: [Dictionary; 3] =
    [("program.dict", dictionary::records), ("text.dict", dictionary::words), ("trace.dict", dictionary::trace)];

/// The longest program that becomes a seed in bytes: longer ones only make a fuzzer slow.
const LONGEST_PROGRAM: usize = 4096;
/// The longest text that becomes a seed.
const LONGEST_TEXT: usize = 16 * 1024;
/// Events of each piece of a trace, and pieces of each trace at most.
const EVENTS: usize = 200;
const PIECES: usize = 12;

/// What was written for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The target's, or the dictionary's, name.
    pub name: &'static str,
    /// How many seeds there are.
    pub seeds: usize,
    /// How many were not there before.
    pub new: usize,
    /// Bytes of all of them.
    pub bytes: usize,
}

/// Where seeds are made from: programs with their texts, and pieces of traces.
struct Sources {
    /// Of the collection.
    collection: Vec<Program>,
    /// The kernel's call sites, each as `check`'s tests run it.
    workloads: Vec<Program>,
    texts: Vec<String>,
    traces: Vec<String>,
}

/// Writes the seeds of every target below `out`, a folder each.
///
/// # Errors
/// A recorded trace that cannot be read, or a folder or file that cannot be written.
pub fn write_seeds(out: &Path, traces: &Path) -> Result<Vec<Written>> {
    let sources = Sources::read(traces)?;
    TARGETS.iter().map(|target| write_all(&out.join(target.name), target.name, sources.seeds(target.input))).collect()
}

/// Writes the dictionaries into a folder.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn write_dictionaries(folder: &Path) -> Result<Vec<Written>> {
    create(folder)?;
    let write = |&(name, text): &Dictionary| {
        let text = text();
        let new = put(folder, name, text.as_bytes())?;
        let entries = text.lines().filter(|line| !line.starts_with('#')).count();
        Ok(Written { name, seeds: entries, new: usize::from(new), bytes: text.len() })
    };
    DICTIONARIES.iter().map(write).collect()
}

fn write_all(folder: &Path, name: &'static str, seeds: Vec<Vec<u8>>) -> Result<Written> {
    create(folder)?;
    let mut written = Written { name, seeds: 0, new: 0, bytes: 0 };
    for seed in seeds.into_iter().collect::<BTreeSet<_>>() {
        let digest = seed.iter().fold(0, |digest, &byte| mix(digest, byte.into()));
        written.new += usize::from(put(folder, &format!("{digest:016x}"), &seed)?);
        written.seeds += 1;
        written.bytes += seed.len();
    }
    Ok(written)
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))
}

/// Puts a file into a folder unless it is there; whether it was not. A file has its name only when it is whole, so that
/// a disk that fills leaves no half of one.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<bool> {
    let path = folder.join(name);
    if fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    output::file(&path, bytes).map_err(Error::io("write the file", path))?;
    Ok(true)
}

impl Sources {
    fn read(traces: &Path) -> Result<Sources> {
        let parsed = PROGRAMS.iter().filter_map(|entry| parse(entry.text).ok());
        let cases = workload::all().flat_map(|workload| {
            // A workload's cases are parameters that it takes.
            workload.cases().filter_map(|parameters| workload.program(&parameters).ok())
        });
        let defaults = workload::all().filter_map(|workload| {
            let program = workload.program(&workload::Parameters::default()).ok()?;
            Some(format!("{workload}{program}"))
        });
        let texts = PROGRAMS.iter().map(|entry| entry.text.to_owned()).chain(defaults);
        Ok(Sources {
            collection: parsed.collect(),
            workloads: cases.collect(),
            texts: texts.filter(|text| text.len() <= LONGEST_TEXT).collect(),
            traces: pieces_of_all(traces)?,
        })
    }

    fn seeds(&self, input: Input) -> Vec<Vec<u8>> {
        match input {
            Input::Program(0) => short(&self.collection).chain(short(&self.workloads)).collect(),
            Input::Program(prefix) => self.chosen(prefix),
            Input::Text => self.texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
            Input::Trace => self.traces.iter().map(|text| text.as_bytes().to_vec()).collect(),
            Input::Frames => conversations(&self.collection, &self.traces),
        }
    }

    /// Programs behind bytes that choose, the first by a place in the registry: the collection on every subject of today,
    /// and on one more each; a workload on one each. Where the byte means less, several come to the same.
    fn chosen(&self, prefix: usize) -> Vec<Vec<u8>> {
        let seed = |choice: usize, program: &[u8]| {
            let mut seed = vec![0; prefix];
            seed[0] = choice as u8;
            [&seed, program].concat()
        };
        let today: Vec<usize> = (0..SUBJECTS.len()).filter(|&at| SUBJECTS[at].is_current()).collect();
        let collection = short(&self.collection).enumerate().flat_map(|(n, program)| {
            let subjects = today.iter().copied().chain([n % SUBJECTS.len()]);
            subjects.map(|subject| seed(subject, &program)).collect::<Vec<_>>()
        });
        let workloads = short(&self.workloads).enumerate().map(|(n, program)| seed(n % SUBJECTS.len(), &program));
        collection.chain(workloads).collect()
    }
}

/// The bytes of the programs that are not too long.
fn short(programs: &[Program]) -> impl Iterator<Item = Vec<u8>> {
    let short = programs.iter().filter(|program| program.ops().len() * bytes::RECORD <= LONGEST_PROGRAM);
    short.map(bytes::encode)
}

/// Pieces of every recorded trace of a folder, in the order of the files' names.
fn pieces_of_all(folder: &Path) -> Result<Vec<String>> {
    let listed = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = listed.map_err(Error::io("read the recorded traces", folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xz"));
    paths.sort();
    let pieces: Result<Vec<_>> =
        paths.iter().map(|path| pieces_of(path).map_err(|error| rendered(path, error))).collect();
    Ok(pieces?.concat())
}

/// Some of a trace, from its start and from places all over it; each says what recorded it, and that it is a piece.
fn pieces_of(path: &Path) -> Result<Vec<String>, TraceError> {
    let mut whole = Vec::new();
    trace_file::open(path)?.each_chunk(|chunk| {
        whole.extend_from_slice(chunk);
        Ok(())
    })?;
    let text = String::from_utf8(whole);
    let text = text.map_err(|error| TraceError::Io(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    Ok(pieces(&text))
}

fn pieces(text: &str) -> Vec<String> {
    let (header, events): (Vec<_>, Vec<_>) = text.split_inclusive('\n').partition(|line| line.starts_with('#'));
    let title = header.first().copied().unwrap_or_default();
    let kernel = header.iter().find(|line| line.starts_with("# kernel:")).copied().unwrap_or_default();
    let step = (events.len() / PIECES).max(EVENTS);
    let piece = |events: &[&str]| {
        let events: String = events.iter().take(EVENTS).copied().collect();
        format!("{title}{kernel}# window: a piece of the recording\n{events}")
    };
    events.chunks(step).take(PIECES).map(piece).collect()
}

/// One of each frame alone, all in a row, and what a host says to an agent from the first frame to the last.
fn conversations(programs: &[Program], traces: &[String]) -> Vec<Vec<u8>> {
    let frames = frames(programs, traces);
    let alone: Vec<Vec<u8>> = frames.iter().map(wire::bytes).collect();
    let is_the_hosts = |frame: &&Frame| {
        use Frame::{Batch, Bye, Generate, Hello, Replay, ReplayData, ReplayEnd, Show, Tables};
        matches!(frame, Hello { .. } | Batch { .. } | Show { .. } | Generate { .. } | Tables)
            || matches!(frame, Replay(_) | ReplayData(_) | ReplayEnd | Bye)
    };
    let of_the_host: Vec<u8> = frames.iter().filter(is_the_hosts).flat_map(wire::bytes).collect();
    let together = [alone.concat(), of_the_host];
    alone.into_iter().chain(together).collect()
}

/// One frame of each kind.
fn frames(programs: &[Program], traces: &[String]) -> Vec<Frame> {
    let mut encoded = short(programs);
    let (first, second) = (encoded.next().unwrap_or_default(), encoded.next().unwrap_or_default());
    let trace = traces.first().map(|trace| trace.as_bytes().to_vec()).unwrap_or_default();
    let arch = std::env::consts::ARCH.to_owned();
    let summary =
        Summary { generic: 1, all: 2, broken: runner::MISUSED | 1, left: 1, events: 3, programs: 1, executed: 4 };
    vec![
        Frame::Hello { version: wire::VERSION, arch: String::new(), subjects: runner::subjects_digest() },
        Frame::Hello { version: wire::VERSION, arch, subjects: runner::subjects_digest() },
        Frame::Batch { subject: 0, port: 0, programs: vec![first.clone(), second, Vec::new()] },
        Frame::Results(vec![summary, Summary::default()]),
        Frame::Show { subject: 1, port: 1, program: first },
        Frame::Generate { subject: 2, port: 0, seed: u64::MAX, count: 100, length: 20, legal: true },
        Frame::Tables,
        Frame::Text("a line\nanother one\n".to_owned()),
        Frame::Replay("a trace".to_owned()),
        Frame::ReplayData(trace),
        Frame::ReplayEnd,
        Frame::Replayed(Ok("a summary".to_owned())),
        Frame::Replayed(Err("1:1: expected one thing, found another".to_owned())),
        Frame::Panicked { program: 1, message: "index out of bounds".to_owned() },
        Frame::Bye,
    ]
}

#[cfg(test)]
mod tests;
