//! Replay of kernel traces: every call, hook and deferral that a real kernel recorded, held against the specification.
//!
//! What it is: a reader of the recorder's text form; a checker that drives `lazy_mmu_core`'s `counted` generation with
//! every recorded call, task by task, and refuses a line that no kernel could have recorded there; and a judge of the
//! invariants that a recording shows. Memory is bounded by the tasks and CPUs of the recording, not by its length.
//!
//! What it is not: a model of a kernel. It knows what a trace shows; where several kernels could have recorded a line
//! it accepts the line. It opens no files and decompresses nothing.
//!
//! Who calls it: `lazymmu replay`, which feeds it bytes and turns a [`Kind`] into an exit code.
//!
//! ```
//! use lazy_mmu_replay::Replay;
//! let mut replay = Replay::new("two lines");
//! replay.feed(b"# lazy MMU mode trace: arm64\n0 0 1 1 enable 0 0\n1 0 1 1 disable 0 0\n")?;
//! let summary = replay.finish()?;
//! assert_eq!(summary.calls_in_interrupt, 2);
//! # Ok::<(), lazy_mmu_replay::Rejection>(())
//! ```

mod arrival;
mod check;
mod cpu;
mod end;
mod expect;
mod header;
mod judge;
mod line;
mod loose;
mod queue;
mod report;
mod summary;
mod switch;
mod task;

#[cfg(test)]
mod tests;

pub use header::Arch;
pub use judge::{Breach, Cause, JUDGED, Verdict, Verdicts};
pub use line::Event;
pub use summary::{Cost, Notes, Outcome, Summary, Warning, Warnings};

use check::Checker;
use expect::Refusal;
use line::{Field, Line, LineError, LineFault, is_blank, is_like_an_event, is_text, lost_events};
use std::fmt;

/// The longest line that is read, newline not counted. A recorder's are under 400 bytes, its header included.
pub const MAX_LINE: usize = 4096;

/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How many characters of a bad field are shown.
const SHOWN: usize = 40;

/// Every word that means something in a trace: the events' names, and what a reader heeds in a header.
pub fn words() -> impl Iterator<Item = &'static str> {
    Event::all().map(Event::name).chain(header::words())
}

/// What is wrong with a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The input is something else than a trace.
    NoTrace,
    /// A trace is damaged, or two are in one file.
    Malformed,
    /// A line that no kernel could have recorded there.
    Impossible,
}

/// Where a trace is wrong and what should have stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What is wrong with it.
    pub kind: Kind,
    /// The line in the file, from 1; the one after the last if the file ends too early.
    pub line: u64,
    /// The column in bytes, from 1.
    pub column: u32,
    /// What should have stood there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejection { line, column, expected, found, .. } = self;
        write!(f, "{line}:{column}: expected {expected}, found {found}")
    }
}

impl std::error::Error for Rejection {}

/// A replay that is going on.
#[derive(Clone, Debug)]
pub struct Replay {
    checker: Checker,
    /// Lines completed.
    lines: u64,
    /// The start of a line that the last chunk did not end; at most [`MAX_LINE`] bytes.
    partial: Vec<u8>,
    /// The rejection, once there is one: the replay goes no further.
    rejection: Option<Rejection>,
}

impl Replay {
    /// Starts a replay; `name` is what the summary calls the recording.
    pub fn new(name: &str) -> Self {
        let mut checker = Checker::default();
        checker.summary.name = name.to_owned();
        Replay { checker, lines: 0, partial: Vec::new(), rejection: None }
    }

    /// Replays the next bytes of the recording, in chunks of any size.
    ///
    /// After a rejection every further call returns the same one.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        if let Some(rejection) = &self.rejection {
            return Err(rejection.clone());
        }
        self.split(bytes).inspect_err(|rejection| self.rejection = Some(rejection.clone()))
    }

    /// Ends the recording and says what was in it.
    pub fn finish(mut self) -> Result<Summary, Rejection> {
        if let Some(rejection) = self.rejection {
            return Err(rejection);
        }
        self.last_line()?;
        if self.checker.summary.events == 0 {
            let fault = if self.checker.header.titled { LineFault::NoEvents } else { LineFault::NoTrace };
            return Err(self.malformed(&[], LineError { column: 1, fault }));
        }
        self.checker.summary.lines = self.lines;
        match self.checker.end() {
            Ok(()) => Ok(self.checker.summary),
            Err(expected) => {
                let (kind, line, found) = (Kind::Impossible, self.lines + 1, "the end of the file".to_owned());
                Err(Rejection { kind, line, column: 1, expected, found })
            }
        }
    }

    /// A last line without a newline may have been cut, also in the middle of its last number: whatever makes sense of
    /// it is taken, and what does not is held against nobody.
    fn last_line(&mut self) -> Result<(), Rejection> {
        let raw = std::mem::take(&mut self.partial);
        if raw.is_empty() {
            return Ok(());
        }
        let before = self.checker.clone();
        let Err(rejection) = self.line(&raw) else { return Ok(()) };
        let cut = match Line::parse(&raw) {
            Err(_) => before.summary.events > 0 && is_text(&raw),
            Ok((line, _)) => Field::last(line.event).column(&raw) <= rejection.column,
        };
        if !cut {
            return Err(rejection);
        }
        self.checker = before;
        self.checker.summary.cut_line = true;
        Ok(())
    }

    /// Cuts the bytes into lines; what is left without a newline waits for the next chunk.
    fn split(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
        if !self.partial.is_empty() {
            let Some(rest) = lines.next() else { return Ok(()) };
            self.join(rest)?;
        }
        for line in lines {
            match line.strip_suffix(b"\n") {
                Some(whole) => self.line(whole)?,
                None => self.join(line)?,
            }
        }
        Ok(())
    }

    /// Appends to the line that is being collected, and replays it if it is now whole.
    fn join(&mut self, rest: &[u8]) -> Result<(), Rejection> {
        if self.partial.len() + rest.len() > MAX_LINE + 1 {
            return Err(self.malformed(&[], too_long()));
        }
        let mut collected = std::mem::take(&mut self.partial);
        collected.extend_from_slice(rest);
        if let Some(whole) = collected.strip_suffix(b"\n") {
            self.line(whole)?;
            collected.clear();
        }
        self.partial = collected; // Its allocation serves the next one.
        Ok(())
    }

    /// Replays one line.
    fn line(&mut self, raw: &[u8]) -> Result<(), Rejection> {
        if raw.len() > MAX_LINE {
            return Err(self.malformed(&[], too_long()));
        }
        let raw = if self.lines == 0 { raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw) } else { raw };
        match Line::parse(raw) {
            Ok((line, more)) => {
                self.checker.line(&line, self.lines + 1).map_err(|refusal| self.refused(raw, &line, refusal))?;
                self.checker.summary.longer_lines += u64::from(more);
            }
            Err(error) => self.no_event(raw, error)?,
        }
        self.lines += 1;
        Ok(())
    }

    /// A line that is no event's: blank, a comment, a recorder's word that it lost some, or a fault.
    fn no_event(&mut self, raw: &[u8], error: LineError) -> Result<(), Rejection> {
        let Some(start) = raw.iter().position(|&byte| !is_blank(byte)) else { return Ok(()) };
        if raw[start] == b'#' {
            return self.comment(raw);
        }
        if let Some(events) = lost_events(raw) {
            self.checker.lost(events);
            return Ok(());
        }
        let begun = self.checker.summary.events > 0 || self.checker.header.titled;
        let fault =
            if begun || is_like_an_event(raw) { error } else { LineError { column: 1, fault: LineFault::NoTrace } };
        Err(self.malformed(raw, fault))
    }

    /// A comment must be text; before the first event it is a header line.
    fn comment(&mut self, raw: &[u8]) -> Result<(), Rejection> {
        if let Some(at) = raw.iter().position(|&byte| byte < b' ' && !is_blank(byte)) {
            return Err(self.malformed(raw, LineError { column: line::column(at), fault: LineFault::NotText }));
        }
        let text = String::from_utf8_lossy(raw);
        let begun = self.checker.summary.events > 0;
        if let Some(events) = lost_events(raw) {
            self.checker.lost(events);
        } else if header::is_title(&text) && (begun || self.checker.header.titled) {
            return Err(self.malformed(raw, LineError { column: 1, fault: LineFault::Second }));
        } else if !begun {
            self.checker.header.read(&text);
        }
        Ok(())
    }

    #[cold]
    fn malformed(&self, raw: &[u8], error: LineError) -> Rejection {
        let found = match error.fault {
            LineFault::TooLong => "a longer line".to_owned(),
            LineFault::NoEvents => "the end of the file".to_owned(),
            LineFault::NoTrace if raw.is_empty() => "the end of the file".to_owned(),
            LineFault::Second => "the title of a second one".to_owned(),
            _ => token(raw, error.column),
        };
        let kind = if error.fault == LineFault::NoTrace { Kind::NoTrace } else { Kind::Malformed };
        let expected = error.fault.to_string();
        Rejection { kind, line: self.lines + 1, column: error.column, expected, found }
    }

    #[cold]
    fn refused(&self, raw: &[u8], line: &Line, refusal: Refusal) -> Rejection {
        let Refusal { kind, field, expected } = refusal;
        Rejection { kind, line: self.lines + 1, column: field.column(raw), expected, found: line.to_string() }
    }
}

fn too_long() -> LineError {
    LineError { column: line::column(MAX_LINE), fault: LineFault::TooLong }
}

/// What stands at `column`, up to the next blank, in a form that is safe to print.
fn token(raw: &[u8], column: u32) -> String {
    let rest = raw.get(column as usize - 1..).unwrap_or_default();
    let token = rest.split(|&byte| is_blank(byte)).next().unwrap_or_default();
    match rest.is_empty() || token.is_empty() {
        true => "the end of the line".to_owned(),
        false if !is_text(token) => "bytes that are no text".to_owned(),
        false => {
            let text = String::from_utf8_lossy(token);
            let shown: String = text.chars().take(SHOWN).collect();
            let rest = if shown.len() < text.len() { "..." } else { "" };
            format!("`{shown}{rest}`")
        }
    }
}
