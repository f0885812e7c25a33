//! Kernel traces from files and from standard input: plain, .gz, .xz or .zst, told apart by their first bytes, streamed
//! into the replay.
//!
//! Not here: what a trace says (`lazy_mmu_engine::replay`). Called by `lazymmu replay`, `check` and `bench`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use lazy_mmu_engine::replay::{Rejection, Replay, Summary};
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// How the first bytes of a file name its format; the longest has ten.
const MAGIC: [(&[u8], Format); 3] =
    [(b"\xfd7zXZ\0", Format::Xz), (b"\x1f\x8b", Format::Gzip), (b"\x28\xb5\x2f\xfd", Format::Zstd)];

/// Formats that people take for a trace, and that are not read.
const FOREIGN: [(&[u8], &str); 8] = [
    (b"BZh", "bzip2 data: decompress it first"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x04\x22\x4d\x18", "lz4 data: decompress it first"),
    (b"\x17\x08\x44tracing", "a recording of trace-cmd, which has another format"),
    (b"PERFILE2", "a recording of perf, which has another format"),
    (b"\x7fELF", "a program (ELF)"),
    (b"\xff\xfe", "text in UTF-16: save it in UTF-8"),
    (b"\xfe\xff", "text in UTF-16: save it in UTF-8"),
];

/// How many bytes are looked at.
const LOOK: u64 = 16;

/// A compression that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// gzip, of any number of members.
    Gzip,
    /// xz, of any number of streams.
    Xz,
    /// Zstandard, of any number of frames.
    Zstd,
}

impl Format {
    /// The extension, and the program that checks such a file.
    #[must_use]
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Format::Gzip => (".gz", "gzip"),
            Format::Xz => (".xz", "xz"),
            Format::Zstd => (".zst", "zstd"),
        }
    }
}

/// Why a file was not replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It could not be opened or read.
    #[error("cannot read the trace: {0}")]
    Io(io::Error),
    /// It begins like a compressed file and is none, or ends too early.
    #[error("the {} data is damaged or truncated: {source}", format.names().0)]
    Compressed {
        /// What it begins like.
        format: Format,
        /// What the decompressor says.
        source: io::Error,
        /// The line of the trace, from 1, up to which it could be read.
        line: u64,
    },
    /// It is something else, as its first bytes say.
    #[error("this is no trace but {0}")]
    Foreign(&'static str),
    /// The replay rejected it.
    #[error("{0}")]
    Rejected(Rejection),
}

/// Opens a trace.
///
/// # Errors
/// [`TraceError::Io`].
pub fn open(path: &Path) -> Result<TraceReader<BufReader<File>>, TraceError> {
    TraceReader::new(BufReader::new(File::open(path).map_err(TraceError::Io)?))
}

/// Takes a trace from standard input.
///
/// # Errors
/// As for a file.
pub fn standard_input() -> Result<TraceReader<BufReader<io::Stdin>>, TraceError> {
    TraceReader::new(BufReader::new(io::stdin()))
}

/// The input, with the bytes that were looked at put back.
type Whole<R> = BufReader<io::Chain<Cursor<Vec<u8>>, R>>;

/// Where a trace's bytes come from, once it is known what it is.
enum Source<R: Read> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
    Xz(Box<XzReader<Whole<R>>>),
    Zstd(Box<Frames<Whole<R>>>),
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
    /// [`TraceError::Io`], and [`TraceError::Foreign`] for what is known to be something else.
    pub fn new(mut input: R) -> Result<Self, TraceError> {
        let mut first = Vec::new();
        input.by_ref().take(LOOK).read_to_end(&mut first).map_err(TraceError::Io)?;
        if let Some((_, what)) = FOREIGN.iter().find(|(magic, _)| first.starts_with(magic)) {
            return Err(TraceError::Foreign(what));
        }
        let format = format_of(&first);
        let whole = BufReader::with_capacity(CHUNK, Cursor::new(first).chain(input));
        let source = match format {
            None => Source::Plain(whole),
            Some(Format::Gzip) => Source::Gzip(Box::new(MultiGzDecoder::new(whole))),
            Some(Format::Xz) => Source::Xz(Box::new(XzReader::new(whole, true))),
            Some(Format::Zstd) => Source::Zstd(Box::new(Frames { source: Some(whole), frame: None })),
        };
        Ok(TraceReader { source, lines: 0 })
    }

    /// The next bytes into `buffer`; 0 at the end.
    ///
    /// # Errors
    /// The file cannot be read, or its compressed data is damaged.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TraceError> {
        loop {
            let (read, format) = match &mut self.source {
                Source::Plain(plain) => (plain.read(buffer), None),
                Source::Gzip(gzip) => (gzip.read(buffer), Some(Format::Gzip)),
                Source::Xz(xz) => (xz.read(buffer), Some(Format::Xz)),
                Source::Zstd(frames) => (frames.read(buffer), Some(Format::Zstd)),
            };
            match (read, format) {
                (Err(error), _) if error.kind() == io::ErrorKind::Interrupted => {}
                (Err(source), Some(format)) => {
                    return Err(TraceError::Compressed { format, source, line: self.lines + 1 });
                }
                (Err(error), None) => return Err(TraceError::Io(error)),
                (Ok(n), _) => {
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

/// The compression that the first bytes of a file name. A file that is cut inside them is a damaged one, not a trace.
fn format_of(first: &[u8]) -> Option<Format> {
    let is = |magic: &[u8]| !first.is_empty() && (first.starts_with(magic) || magic.starts_with(first));
    MAGIC.into_iter().find(|(magic, _)| is(magic)).map(|(_, format)| format)
}

/// The frames of a Zstandard file, one after the other, each held against its checksum.
struct Frames<R: BufRead> {
    /// What comes after the frame; none while a frame is read.
    source: Option<R>,
    frame: Option<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer)? {
                    0 => self.ended()?,
                    n => return Ok(n),
                }
            }
            let Some(mut source) = self.source.take() else { return Ok(0) };
            if source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.frame = Some(StreamingDecoder::new(source).map_err(io::Error::other)?);
        }
    }
}

impl<R: BufRead> Frames<R> {
    /// A frame is used up.
    fn ended(&mut self) -> io::Result<()> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        let (source, decoder) = frame.into_parts();
        let promised = decoder.get_checksum_from_data();
        if promised.is_some() && promised != decoder.get_calculated_checksum() {
            return Err(io::Error::other("the checksum of a frame is wrong"));
        }
        self.source = Some(source);
        Ok(())
    }
}

/// Replays a file to its end.
///
/// # Errors
/// Why it was not.
pub fn replay(path: &Path, name: &str) -> Result<Summary, TraceError> {
    replay_all(open(path)?, name)
}

/// Replays what a reader has to its end.
///
/// # Errors
/// Why it was not.
pub fn replay_all<R: Read>(mut reader: TraceReader<R>, name: &str) -> Result<Summary, TraceError> {
    let mut replay = Replay::new(name);
    let mut rejected = None;
    // Read to the end whatever comes: damaged data is known by its checksum alone, and must not be blamed on a kernel.
    reader.each_chunk(|chunk| {
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
            assert!(
                matches!(outcome, Err(TraceError::Compressed { format: Format::Xz, .. })),
                "{} bytes: {outcome:?}",
                bytes.len()
            );
        }
    }

    /// The bytes that a compressed file comes to.
    fn read(bytes: &[u8]) -> Result<Vec<u8>, TraceError> {
        let mut text = Vec::new();
        TraceReader::new(bytes)?.each_chunk(|chunk| {
            text.extend(chunk);
            Ok(())
        })?;
        Ok(text)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn each_compression_is_read_whole_and_in_several_pieces_and_refused_when_it_is_cut() {
        let text: Vec<u8> = (0..20_000).flat_map(|n| format!("{n} 0 5 1 enable 0 0\n").into_bytes()).collect();
        let halves = text.split_at(text.len() / 2);
        type Compress = fn(&[u8]) -> Vec<u8>;
        for (format, compress) in [(Format::Gzip, gzip as Compress), (Format::Zstd, zstd)] {
            let whole = compress(&text);
            assert_eq!(read(&whole).expect("a good file"), text, "{format:?}");
            let pieces = [compress(halves.0), compress(halves.1)].concat();
            assert_eq!(read(&pieces).expect("two in one file"), text, "{format:?}");
            for cut in [1, 2, 3, 10, whole.len() / 2, whole.len() - 1] {
                let outcome = read(&whole[..cut]);
                let damaged = matches!(outcome, Err(TraceError::Compressed { format: f, .. }) if f == format);
                assert!(damaged, "{format:?}, {cut} bytes: {outcome:?}");
            }
        }
    }

    #[test]
    fn what_is_known_to_be_something_else_is_named() {
        for (bytes, what) in [(&b"BZh91AY"[..], "bzip2"), (b"\x7fELF\x02", "ELF"), (b"\xff\xfe#\0", "UTF-16")] {
            let error = read(bytes).expect_err("no trace").to_string();
            assert!(error.starts_with("this is no trace but ") && error.contains(what), "{error}");
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
