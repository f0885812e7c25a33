//! Kernel traces from files: plain or .xz, told apart by their first bytes, streamed into the replay.
//!
//! Not here: what a trace says (`lazy_mmu_engine::replay`). Called by `lazymmu replay`, `check` and `bench`.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::path::Path;

use lazy_mmu_engine::replay::{Rejection, Replay, Summary};
use lzma_rust2::XzReader;

/// What an .xz file begins with.
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Why a file was not replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It could not be opened or read.
    #[error("cannot read the trace: {0}")]
    Io(io::Error),
    /// It begins like an .xz file and is none, or ends too early.
    #[error("the .xz data is damaged or truncated: {source}")]
    Xz {
        /// What the decompressor says.
        source: io::Error,
        /// The line of the trace, from 1, up to which it could be read.
        line: u64,
    },
    /// The replay rejected it.
    #[error("{0}")]
    Rejected(Rejection),
}

/// Where a file's bytes come from, once it is known what it is.
enum Source<R: Read> {
    Plain(Chain<Cursor<Vec<u8>>, R>),
    Xz(Box<XzReader<Chain<Cursor<Vec<u8>>, R>>>),
}

/// Opens a trace.
///
/// # Errors
/// [`TraceError::Io`].
pub fn open(path: &Path) -> Result<TraceReader<BufReader<File>>, TraceError> {
    TraceReader::new(BufReader::new(File::open(path).map_err(TraceError::Io)?))
}

/// A trace's bytes, decompressed.
pub struct TraceReader<R: Read> {
    source: Source<R>,
    /// Lines read so far, for an error's place.
    lines: u64,
}

impl<R: Read> TraceReader<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// [`TraceError::Io`].
    pub fn new(mut input: R) -> Result<Self, TraceError> {
        let mut first = Vec::new();
        input.by_ref().take(XZ_MAGIC.len() as u64).read_to_end(&mut first).map_err(TraceError::Io)?;
        // A file that is cut inside the magic is a damaged .xz file, not a trace.
        let compressed = !first.is_empty() && XZ_MAGIC.starts_with(&first);
        let whole = Cursor::new(first).chain(input);
        let source = if compressed { Source::Xz(Box::new(XzReader::new(whole, true))) } else { Source::Plain(whole) };
        Ok(TraceReader { source, lines: 0 })
    }

    /// The next bytes into `buffer`; 0 at the end.
    ///
    /// # Errors
    /// The file cannot be read, or its compressed data is damaged.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TraceError> {
        loop {
            let (read, compressed) = match &mut self.source {
                Source::Plain(plain) => (plain.read(buffer), false),
                Source::Xz(xz) => (xz.read(buffer), true),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) if compressed => return Err(TraceError::Xz { source, line: self.lines + 1 }),
                Err(error) => return Err(TraceError::Io(error)),
                Ok(n) => {
                    self.lines += buffer[..n].iter().filter(|&&byte| byte == b'\n').count() as u64;
                    return Ok(n);
                }
            }
        }
    }

    /// Hands every chunk to `f`.
    ///
    /// # Errors
    /// What reading says, or `f`.
    pub fn each_chunk(&mut self, mut f: impl FnMut(&[u8]) -> Result<(), TraceError>) -> Result<(), TraceError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            match self.read(&mut buffer)? {
                0 => return Ok(()),
                n => f(&buffer[..n])?,
            }
        }
    }
}

/// Replays a file to its end.
///
/// # Errors
/// Why it was not.
pub fn replay(path: &Path, name: &str) -> Result<Summary, TraceError> {
    let mut replay = Replay::new(name);
    let mut rejected = None;
    // Read to the end whatever comes: damaged data is known by its checksum alone, and must not be blamed on a kernel.
    open(path)?.each_chunk(|chunk| {
        if rejected.is_none() {
            rejected = replay.feed(chunk).err();
        }
        Ok(())
    })?;
    match rejected {
        Some(rejection) => Err(TraceError::Rejected(rejection)),
        None => replay.finish().map_err(TraceError::Rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name)
    }

    #[test]
    fn the_recorded_traces_are_accepted() {
        let folder = std::fs::read_dir(recorded("")).expect("the traces are in the project");
        let mut replayed = 0;
        for entry in folder.map(|entry| entry.expect("an entry").path()) {
            if entry.extension().is_some_and(|extension| extension == "xz") {
                replay(&entry, "recorded").unwrap_or_else(|error| panic!("{}: {error}", entry.display()));
                replayed += 1;
            }
        }
        assert_eq!(replayed, 4);
    }

    #[test]
    fn a_truncated_or_damaged_file_is_an_error_wherever_it_is_cut() {
        let whole = std::fs::read(recorded("powerpc64-hash.trace.xz")).expect("a trace");
        let mut bad: Vec<Vec<u8>> = [1, 5, 6, 20, 1000, whole.len() / 2, whole.len() - 20, whole.len() - 1]
            .map(|cut| whole[..cut].to_vec())
            .to_vec();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x10;
        bad.push(flipped);
        for bytes in bad {
            let mut reader = TraceReader::new(bytes.as_slice()).expect("memory can be read");
            let outcome = reader.each_chunk(|_| Ok(()));
            assert!(matches!(outcome, Err(TraceError::Xz { .. })), "{} bytes: {outcome:?}", bytes.len());
        }
    }

    #[test]
    fn what_is_not_compressed_is_taken_as_it_is() {
        let mut bytes: Vec<u8> = Vec::new();
        let mut reader = TraceReader::new(&b"# a header\n"[..]).expect("memory can be read");
        reader
            .each_chunk(|chunk| {
                bytes.extend(chunk);
                Ok(())
            })
            .expect("plain text");
        assert_eq!(bytes, b"# a header\n");
    }
}
