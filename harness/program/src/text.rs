//! Programs as text: one operation per line (or several with `;`), blocks in braces, `#` to the end of a line a comment.
//!
//! Parsing and printing are exact both ways: `parse(print(p)) == p`. Here is the parser; the grammar is in
//! `docs/program-language.md`, printing in `print`. The names of operations are the kernel's or those of the
//! specification. Errors carry line and column, counted from 1.

use std::fmt::{self, Display};

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PAGES, Size};

use super::{
    Allocation, Block, CPUS, FRAMES, LOCKS, MAX_BETWEEN, MAX_DEPTH, MAX_OPS, MAX_PAGES, MAX_REPEAT, MAX_TEXT, Op,
    Pages, Program, Protection, Shape, TASKS,
};

/// Why a text is no program, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Operations without arguments, by name.
pub(super) const PLAIN: &[(&str, Op)] = &[
    ("enable", Op::Enable),
    ("disable", Op::Disable),
    ("pause", Op::Pause),
    ("resume", Op::Resume),
    ("query", Op::Query),
    ("flush", Op::Flush),
    ("sleep", Op::Sleep),
    ("mutex_lock", Op::MutexLock),
    ("mutex_unlock", Op::MutexUnlock),
    ("bh_off", Op::BhOff),
    ("bh_on", Op::BhOn),
    ("irq_off", Op::IrqOff),
    ("irq_on", Op::IrqOn),
    ("preempt_off", Op::PreemptOff),
    ("preempt_on", Op::PreemptOn),
];

/// A name and what makes an operation of its argument.
type Named<T> = (&'static str, fn(T) -> Op);

/// Operations on one task.
const ON_TASK: &[Named<u8>] = &[
    ("task_pause", Op::TaskPause),
    ("task_resume", Op::TaskResume),
    ("task_query", Op::TaskQuery),
    ("switch", Op::Switch),
    ("preempt", Op::Preempt),
    ("fork", Op::Fork),
    ("exit", Op::Exit),
];

/// Operations on pages; `set` takes a protection besides.
const ON_PAGES: &[Named<Pages>] = &[
    ("clear", Op::Clear),
    ("wrprot", Op::Wrprotect),
    ("get", Op::Get),
    ("raw_get", Op::RawGet),
    ("access", Op::Access),
    ("tlb_flush", Op::TlbFlush),
    ("gather_flush", Op::GatherFlush),
    ("kasan_populate", Op::KasanPopulate),
    ("kasan_depopulate", Op::KasanDepopulate),
];

/// Blocks without a number.
pub(super) const BLOCKS: &[(&str, Block)] =
    &[("irq", Block::Irq), ("softirq", Block::Softirq), ("nmi", Block::Nmi), ("between", Block::Between)];

pub(super) const SPACES: &[(&str, Mm)] = &[("K", Mm(0)), ("U", Mm(1)), ("V", Mm(2))];

pub(super) const SIZES: &[(&str, Size)] = &[("small", Size::Small), ("large", Size::Large), ("huge", Size::Huge)];

pub(super) const PROTECTIONS: &[(&str, Protection)] = &[
    ("write", Protection::Write),
    ("read", Protection::Read),
    ("exec", Protection::Exec),
    ("invalid", Protection::Invalid),
];

pub(super) const ALLOCATIONS: &[(&str, Allocation)] =
    &[("plain", Allocation::Plain), ("debug", Allocation::Debug), ("sleep", Allocation::Sleep)];

const OTHERS: &[&str] =
    &["set", "fault", "kmap", "kunmap", "migrate", "cpu", "lock", "unlock", "alloc", "free", "repeat", "on"];

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
}

/// The name of every operation and block.
fn operations() -> impl Iterator<Item = &'static str> {
    let on_something = ON_TASK.iter().map(|entry| entry.0).chain(ON_PAGES.iter().map(|entry| entry.0));
    let plain = PLAIN.iter().map(|entry| entry.0).chain(on_something);
    plain.chain(BLOCKS.iter().map(|entry| entry.0)).chain(OTHERS.iter().copied())
}

/// Every word of the language but numbers: operations and blocks, and what their arguments may be called.
pub fn words() -> impl Iterator<Item = &'static str> {
    let names = SPACES.iter().map(|entry| entry.0).chain(SIZES.iter().map(|entry| entry.0));
    let names = names.chain(PROTECTIONS.iter().map(|entry| entry.0)).chain(ALLOCATIONS.iter().map(|entry| entry.0));
    operations().chain(names).chain(Mmu::ALL.map(Mmu::name))
}

/// Parses bytes that should be a program's text.
///
/// # Errors
/// The first thing that is wrong, with line and column.
pub fn parse_bytes(text: &[u8]) -> Result<Program, ParseError> {
    if text.len() > MAX_TEXT {
        let message = format!("the text is too long: a program's has at most {MAX_TEXT} bytes");
        return Err(error_at(text, MAX_TEXT, message));
    }
    if text.starts_with(b"\xef\xbb\xbf") {
        return Err(error_at(text, 0, "the text begins with a byte order mark; save it as plain UTF-8".to_owned()));
    }
    if let Some(at) = text.iter().position(|&byte| byte == 0 || (byte < b' ' && !b"\n\r\t".contains(&byte))) {
        return Err(error_at(text, at, format!("byte 0x{:02x} is not text", text[at])));
    }
    match std::str::from_utf8(text) {
        Ok(text) => parse(text),
        Err(error) => Err(error_at(text, error.valid_up_to(), "the text is not UTF-8 here".to_owned())),
    }
}

fn error_at(text: &[u8], at: usize, message: String) -> ParseError {
    let before = &text[..at];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = at - before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1) + 1;
    ParseError { line, column, message }
}

/// Parses a program's text.
///
/// # Errors
/// The first thing that is wrong, with line and column.
pub fn parse(text: &str) -> Result<Program, ParseError> {
    if text.len() > MAX_TEXT {
        return parse_bytes(text.as_bytes());
    }
    let mut parser = Parser { text, at: 0, line: 1, line_start: 0, ops: Vec::new(), places: Vec::new() };
    parser.program()?;
    let Parser { ops, places, .. } = parser;
    let place = |at: usize| places.get(at).copied().unwrap_or((1, 1));
    Program::new(ops).map_err(|shape| {
        let (at, message) = match shape {
            Shape::UnmatchedClose(at) => (at, "this `}` closes no block".to_owned()),
            Shape::Unclosed(at) => (at, "this block is never closed: a `}` is missing".to_owned()),
            Shape::TooDeep(at) => {
                let limits =
                    format!("at most {MAX_DEPTH} blocks, {MAX_BETWEEN} of them `between`, may be open at once");
                (at, limits)
            }
            Shape::OutOfRange(at) => (at, "a number of this operation is out of range".to_owned()),
            Shape::TooLong => (MAX_OPS, format!("a program has at most {MAX_OPS} operations")),
        };
        let (line, column) = place(at);
        ParseError { line, column, message }
    })
}

/// A word with its place.
#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    line: usize,
    column: usize,
}

impl Word<'_> {
    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError { line: self.line, column: self.column, message: message.into() }
    }

    /// The word for a message: a long one is cut, so that a report stays readable.
    fn shown(&self) -> String {
        let cut = self.text.chars().count() > 40;
        let shown: String = self.text.chars().take(40).flat_map(char::escape_default).collect();
        if cut { format!("{shown}...") } else { shown }
    }

    fn number(&self, what: &str, limit: u16) -> Result<u16, ParseError> {
        let known = self.text.parse::<u16>().ok().filter(|_| self.text.bytes().all(|byte| byte.is_ascii_digit()));
        match known {
            Some(n) if n < limit => Ok(n),
            _ => Err(self.error(format!("`{}` is no {what}: expected a number in 0..={}", self.shown(), limit - 1))),
        }
    }

    fn task(&self) -> Result<u8, ParseError> {
        let digit = |n: &str| n.len() == 1 && n.as_bytes()[0].is_ascii_digit();
        let known = self.text.strip_prefix('T').filter(|n| digit(n));
        let known = known.and_then(|n| n.parse::<u8>().ok()).filter(|&n| n < TASKS);
        known.ok_or_else(|| self.error(format!("`{}` is no task: expected T0 to T{}", self.shown(), TASKS - 1)))
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    line_start: usize,
    ops: Vec<Op>,
    places: Vec<(usize, usize)>,
}

impl<'t> Parser<'t> {
    fn program(&mut self) -> Result<(), ParseError> {
        loop {
            self.skip(true);
            let Some(word) = self.word() else { return Ok(()) };
            if self.ops.len() > MAX_OPS {
                return Err(word.error(format!("a program has at most {MAX_OPS} operations")));
            }
            let op = self.operation(word)?;
            self.ops.push(op);
            self.places.push((word.line, word.column));
            self.end_of_operation(op)?;
        }
    }

    /// Skips blanks and comments; newlines and semicolons only between operations.
    fn skip(&mut self, between_operations: bool) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' => {}
                b'#' => {
                    while bytes.get(self.at + 1).is_some_and(|&next| next != b'\n') {
                        self.at += 1;
                    }
                }
                b'\n' if between_operations => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                }
                b';' if between_operations => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    /// The next word of this line; a brace is a word of its own.
    fn word(&mut self) -> Option<Word<'t>> {
        self.skip(false);
        let rest = &self.text[self.at..];
        let length = match rest.as_bytes().first()? {
            b'\n' | b';' => return None,
            b'{' | b'}' => 1,
            _ => rest.find(|c: char| c.is_whitespace() || "{};#".contains(c)).unwrap_or(rest.len()),
        };
        let word = Word { text: &rest[..length], line: self.line, column: self.at - self.line_start + 1 };
        self.at += length;
        Some(word)
    }

    fn peek(&mut self) -> Option<Word<'t>> {
        let before = self.at;
        let word = self.word();
        self.at = before;
        word
    }

    fn required(&mut self, after: Word<'t>, what: &str) -> Result<Word<'t>, ParseError> {
        let end = Word { text: "", line: self.line, column: self.at - self.line_start + 1 };
        match self.peek() {
            Some(word) if word.text != "{" && word.text != "}" => {
                self.word();
                Ok(word)
            }
            found => Err(found.unwrap_or(end).error(format!("`{}` needs {what}", after.text))),
        }
    }

    /// After an operation: the end of the line, a semicolon, a brace, or the `between` of a call.
    fn end_of_operation(&mut self, op: Op) -> Result<(), ParseError> {
        if matches!(op, Op::Open(_) | Op::Close) {
            return Ok(());
        }
        match self.peek() {
            None => Ok(()),
            Some(word) if word.text == "}" || (word.text == "between" && op.has_halves()) => Ok(()),
            Some(word) => {
                Err(word.error(format!("`{}` was not expected: the operation ended before it", word.shown())))
            }
        }
    }

    fn operation(&mut self, word: Word<'t>) -> Result<Op, ParseError> {
        if let Some(op) = find(PLAIN, word.text) {
            return Ok(op);
        }
        if let Some(op) = find(ON_TASK, word.text) {
            return Ok(op(self.required(word, "a task")?.task()?));
        }
        if let Some(op) = find(ON_PAGES, word.text) {
            let (pages, protection) = self.pages(word)?;
            let op = op(pages);
            let of_kasan = matches!(op, Op::KasanPopulate(_) | Op::KasanDepopulate(_));
            return match protection {
                Some((_, at)) => Err(at.error("a protection is for `set` alone")),
                None if of_kasan && (!pages.mm.is_kernel() || pages.size != Size::Small) => {
                    Err(word.error(format!("`{}` is about small pages of K", word.text)))
                }
                None => Ok(op),
            };
        }
        if let Some(block) = find(BLOCKS, word.text) {
            return self.open(word, block);
        }
        self.other_operation(word)
    }

    fn other_operation(&mut self, word: Word<'t>) -> Result<Op, ParseError> {
        Ok(match word.text {
            "}" => Op::Close,
            "set" => {
                let (pages, protection) = self.pages(word)?;
                Op::Set(pages, protection.map_or(Protection::Write, |(protection, _)| protection))
            }
            "fault" => Op::Fault(self.required(word, "a kernel page")?.number("page", PAGES)?),
            "kmap" => Op::Kmap(self.required(word, "a kernel page")?.number("page", PAGES)?),
            "kunmap" => Op::Kunmap(self.required(word, "a kernel page")?.number("page", PAGES)?),
            "on" => {
                let name = self.required(word, "an MMU")?;
                let mmu = Mmu::ALL.into_iter().find(|mmu| mmu.name() == name.text);
                let mmu = mmu.ok_or_else(|| {
                    let known = Mmu::ALL.map(Mmu::name).join(", ");
                    name.error(format!("`{}` is no MMU: expected one of {known}", name.shown()))
                })?;
                self.open(word, Block::On(mmu))?
            }
            "migrate" => {
                let task = self.required(word, "a task")?.task()?;
                Op::Migrate(task, self.cpu(word)?)
            }
            "cpu" => Op::Cpu(self.cpu(word)?),
            "lock" => Op::Lock(self.required(word, "a lock")?.number("lock", LOCKS.into())? as u8),
            "unlock" => Op::Unlock(self.required(word, "a lock")?.number("lock", LOCKS.into())? as u8),
            "alloc" | "free" => {
                let frame = self.required(word, "a page frame")?.number("page frame", FRAMES)?;
                let how = self.allocation()?;
                if word.text == "alloc" { Op::Alloc(frame, how) } else { Op::Free(frame, how) }
            }
            "repeat" => {
                let times = self.required(word, "how many times")?.number("number of times", MAX_REPEAT + 1)?;
                self.open(word, Block::Repeat(times))?
            }
            _ => return Err(unknown(word)),
        })
    }

    fn open(&mut self, word: Word<'t>, block: Block) -> Result<Op, ParseError> {
        match self.word() {
            Some(brace) if brace.text == "{" => Ok(Op::Open(block)),
            found => Err(found.unwrap_or(word).error(format!("`{}` opens a block: a `{{` is missing", word.text))),
        }
    }

    fn cpu(&mut self, word: Word<'t>) -> Result<u8, ParseError> {
        Ok(self.required(word, "a CPU")?.number("CPU", CPUS.into())? as u8)
    }

    fn allocation(&mut self) -> Result<Allocation, ParseError> {
        match self.peek() {
            Some(word) if word.text != "}" && word.text != "{" => {
                self.word();
                find(ALLOCATIONS, word.text)
                    .ok_or_else(|| word.error(format!("`{}` is none of plain, debug, sleep", word.shown())))
            }
            _ => Ok(Allocation::Plain),
        }
    }

    /// `K 5`, then in any order at most one each of `x193`, a size and a protection.
    fn pages(&mut self, after: Word<'t>) -> Result<(Pages, Option<(Protection, Word<'t>)>), ParseError> {
        let mm = self.required(after, "an address space and a page, as in `K 5`")?;
        let mm = find(SPACES, mm.text)
            .ok_or_else(|| mm.error(format!("`{}` is no address space: expected K, U or V", mm.shown())))?;
        let first = self.required(after, "a page")?.number("page", PAGES)?;
        let mut pages = Pages::one(mm, first);
        let (mut count, mut size, mut protection) = (None, None, None);
        while let Some(word) = self.peek().filter(|word| word.text != "}" && word.text != "{") {
            if let Some(n) = word.text.strip_prefix('x').filter(|_| count.is_none()) {
                let n = Word { text: n, ..word }.number("number of pages", MAX_PAGES + 1)?;
                count = Some(n);
            } else if let Some(found) = find(SIZES, word.text).filter(|_| size.is_none()) {
                size = Some(found);
            } else if let Some(found) = find(PROTECTIONS, word.text).filter(|_| protection.is_none()) {
                protection = Some((found, word));
            } else {
                return Err(word.error(format!(
                    "`{}` is no count (x193), size (small, large, huge) or protection \
                     (write, read, exec, invalid), or comes twice",
                    word.shown()
                )));
            }
            self.word();
        }
        pages.count = count.unwrap_or(1);
        pages.size = size.unwrap_or_default();
        Ok((pages, protection))
    }
}

/// The error for a word that names no operation, with the nearest name that does.
fn unknown(word: Word<'_>) -> ParseError {
    let near = operations().find(|name| {
        let shared = name.bytes().zip(word.text.bytes()).take_while(|(a, b)| a == b).count();
        shared >= 3 || (shared >= 1 && name.len() == word.text.len() && shared + 1 >= name.len())
    });
    let hint = near.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    word.error(format!("unknown operation `{}`{hint}", word.shown()))
}
