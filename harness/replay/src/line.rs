//! The parser for one line of a kernel trace, and its errors.
//!
//! By hand and on bytes, because a recording has hundreds of thousands of lines and is replayed on every change: one
//! pass, no allocation, columns worked out only once something is wrong.
//!
//! Not here: whether a kernel could have written the line ([`super::check`]), nor how lines are cut out of a stream
//! ([`super::Replay::feed`]). The format is the recorder's:
//! `<seq> <cpu> <pid> <irq:0|1> <event> <enable_count> <pause_count> [<nr> [<nr>]]`, with blanks between fields. Blanks
//! around a line (a carriage return too) mean nothing, nor does what follows the last field that the event has.

use std::fmt;

/// No kernel is built for more CPUs (`CONFIG_NR_CPUS` ends at 8192), so state per CPU stays bounded.
const MAX_CPU: u64 = 8191;
/// `PID_MAX_LIMIT` of 64-bit kernels.
const MAX_PID: u64 = 4 * 1024 * 1024;

/// What a line is about. The names are the recorder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `lazy_mmu_mode_enable()`.
    Enable,
    /// `lazy_mmu_mode_disable()`.
    Disable,
    /// `lazy_mmu_mode_pause()`.
    Pause,
    /// `lazy_mmu_mode_resume()`.
    Resume,
    /// `__task_lazy_mmu_mode_pause()`: Xen's switch hook takes a task off the CPU.
    TaskPause,
    /// `__task_lazy_mmu_mode_resume()`: Xen's switch hook puts a task on the CPU.
    TaskResume,
    /// The generic layer is about to run the enter hook.
    ArchEnter,
    /// The generic layer is about to run the flush hook.
    ArchFlush,
    /// The generic layer is about to run the leave hook.
    ArchLeave,
    /// aarch64: the pending flag was set, or found set.
    QueueDeferred,
    /// aarch64: not active, so the barriers come at once.
    QueueEmitted,
    /// aarch64: `dsb ishst; isb`.
    Barriers,
    /// powerpc64 and sparc64: an address joined this CPU's batch.
    BatchAdd,
    /// powerpc64 and sparc64: this CPU's batch was flushed.
    FlushPending,
    /// powerpc64 and sparc64: not active, so the one entry was flushed at once.
    FlushImmediate,
    /// Xen: a task is about to run for the first time.
    NewTask,
    /// Xen: an update was left in the multicall buffer.
    MmuQueued,
    /// Xen: an update was queued and the buffer flushed at once.
    MmuIssued,
    /// Xen: not active, so one hypercall of its own.
    MmuImmediate,
    /// Xen: the multicall buffer was flushed.
    McFlush,
}

/// Every event with the recorder's name for it and the number of fields that follow the counts.
const EVENTS: [(Event, &str, usize); 20] = [
    (Event::Enable, "enable", 0),
    (Event::Disable, "disable", 0),
    (Event::Pause, "pause", 0),
    (Event::Resume, "resume", 0),
    (Event::TaskPause, "task_pause", 0),
    (Event::TaskResume, "task_resume", 0),
    (Event::ArchEnter, "arch_enter", 0),
    (Event::ArchFlush, "arch_flush", 0),
    (Event::ArchLeave, "arch_leave", 0),
    (Event::QueueDeferred, "queue_deferred", 0),
    (Event::QueueEmitted, "queue_emitted", 0),
    (Event::Barriers, "barriers", 0),
    (Event::BatchAdd, "batch_add", 1),
    (Event::FlushPending, "flush_pending", 1),
    (Event::FlushImmediate, "flush_immediate", 1),
    (Event::NewTask, "new_task", 1),
    (Event::MmuQueued, "mmu_queued", 0),
    (Event::MmuIssued, "mmu_issued", 0),
    (Event::MmuImmediate, "mmu_immediate", 0),
    (Event::McFlush, "mc_flush", 2),
];

impl Event {
    /// The recorder's name of the event.
    pub fn name(self) -> &'static str {
        EVENTS[self as usize].1
    }

    /// Every event there is.
    pub fn all() -> impl Iterator<Item = Event> {
        EVENTS.into_iter().map(|(event, ..)| event)
    }

    /// How many fields follow the two counts.
    fn extra_fields(self) -> usize {
        EVENTS[self as usize].2
    }

    /// Twenty comparisons of short strings would be most of a line's cost: the first byte and the length leave two.
    fn parse(name: &[u8]) -> Option<Event> {
        let is = |event: Event| (event.name().as_bytes() == name).then_some(event);
        match (*name.first()?, name.len()) {
            (b'e', _) => is(Event::Enable),
            (b'd', _) => is(Event::Disable),
            (b'p', _) => is(Event::Pause),
            (b'r', _) => is(Event::Resume),
            (b't', 10) => is(Event::TaskPause),
            (b't', _) => is(Event::TaskResume),
            (b'a', _) => is(Event::ArchLeave).or_else(|| is(Event::ArchEnter)).or_else(|| is(Event::ArchFlush)),
            (b'q', 14) => is(Event::QueueDeferred),
            (b'q', _) => is(Event::QueueEmitted),
            (b'b', 8) => is(Event::Barriers),
            (b'b', _) => is(Event::BatchAdd),
            (b'f', 13) => is(Event::FlushPending),
            (b'f', _) => is(Event::FlushImmediate),
            (b'n', _) => is(Event::NewTask),
            (b'm', 10) => is(Event::MmuQueued).or_else(|| is(Event::MmuIssued)),
            (b'm', 13) => is(Event::MmuImmediate),
            (b'm', _) => is(Event::McFlush),
            _ => None,
        }
    }
}

/// A field of a line, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The recorder's global counter.
    Seq,
    /// The CPU the line was recorded on.
    Cpu,
    /// The task that ran there, or that an interrupt interrupted.
    Pid,
    /// Whether `in_interrupt()` was true.
    Irq,
    /// What happened.
    Event,
    /// `enable_count` after the call.
    Enable,
    /// `pause_count` after the call.
    Pause,
    /// The first number of an event that has one.
    First,
    /// The second number of `mc_flush`.
    Second,
}

const FIELDS: [Field; 9] = [
    Field::Seq,
    Field::Cpu,
    Field::Pid,
    Field::Irq,
    Field::Event,
    Field::Enable,
    Field::Pause,
    Field::First,
    Field::Second,
];

impl Field {
    fn name(self) -> &'static str {
        match self {
            Field::Seq => "<seq>",
            Field::Cpu => "<cpu>",
            Field::Pid => "<pid>",
            Field::Irq => "<irq>",
            Field::Event => "<event>",
            Field::Enable => "<enable_count>",
            Field::Pause => "<pause_count>",
            Field::First => "<nr>",
            Field::Second => "<argument bytes>",
        }
    }

    /// The largest number the field can hold.
    fn max(self) -> u64 {
        match self {
            Field::Seq => u64::MAX,
            Field::Cpu => MAX_CPU,
            Field::Pid | Field::First | Field::Second => MAX_PID,
            Field::Irq => 1,
            Field::Enable | Field::Pause => u8::MAX as u64,
            Field::Event => 0,
        }
    }

    /// The 1-based column at which the field starts in `raw`, or the column just after the line if it has no such field.
    pub fn column(self, raw: &[u8]) -> u32 {
        let start = |&(at, byte): &(usize, &u8)| !is_blank(*byte) && (at == 0 || is_blank(raw[at - 1]));
        let mut starts = raw.iter().enumerate().filter(start).map(|(at, _)| at);
        column(starts.nth(self as usize).unwrap_or(trimmed(raw).len()))
    }

    /// The last field that `event` has.
    pub fn last(event: Event) -> Field {
        FIELDS[6 + event.extra_fields()]
    }
}

/// Turns a byte offset into a column; lines are far shorter than `u32` can count.
pub fn column(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX - 1) + 1
}

/// One parsed event line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The recorder's global counter.
    pub seq: u64,
    /// The CPU the line was recorded on.
    pub cpu: u16,
    /// Whether `in_interrupt()` was true.
    pub irq: bool,
    /// What happened.
    pub event: Event,
    /// The task that ran there, or that an interrupt interrupted.
    pub pid: u32,
    /// `enable_count` and `pause_count` after the call.
    pub counts: (u8, u8),
    /// The numbers that follow the counts; those the event does not have are 0.
    pub nr: [u32; 2],
}

impl Line {
    /// Parses `raw`, a line without its newline that is neither a comment nor blank; and whether something follows the
    /// event's last field.
    pub fn parse(raw: &[u8]) -> Result<(Line, bool), LineError> {
        let mut cursor = Cursor { raw: trimmed(raw), at: 0, field: Field::Seq };
        let seq = cursor.number()?;
        let cpu = cursor.number()? as u16; // at most MAX_CPU
        let pid = cursor.number()? as u32; // at most MAX_PID
        let irq = cursor.number()? != 0;
        let event = cursor.event()?;
        let counts = (cursor.number()? as u8, cursor.number()? as u8); // at most 255
        let mut nr = [0; 2];
        for slot in nr.iter_mut().take(event.extra_fields()) {
            *slot = cursor.number()? as u32;
        }
        let rest = cursor.at < cursor.raw.len();
        if rest && !is_text(&cursor.raw[cursor.at..]) {
            cursor.skip();
            return Err(cursor.error(LineFault::NotText));
        }
        Ok((Line { seq, cpu, irq, event, pid, counts, nr }, rest))
    }
}

/// Whether `byte` stands between fields and means nothing.
#[inline]
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// A line without the blanks at its end, a carriage return among them.
#[inline]
pub fn trimmed(raw: &[u8]) -> &[u8] {
    let mut line = raw;
    while let [rest @ .., last] = line
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

/// Whether the bytes can be shown as they are: UTF-8 without control characters but tabs and carriage returns.
pub fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| !c.is_control() || c == '\t' || c == '\r'))
}

/// Whether the line has the shape of an event line, however wrong its fields are: five of them, with a number first and
/// letters fifth.
pub fn is_like_an_event(raw: &[u8]) -> bool {
    let mut fields = raw.split(|&byte| is_blank(byte)).filter(|field| !field.is_empty());
    let first = fields.next().is_some_and(|field| field[0].is_ascii_digit());
    let event = fields.nth(3).is_some_and(|field| field[0].is_ascii_alphabetic());
    first && event && is_text(raw)
}

/// How many events the line says were lost: `lost 12 events`, alone, in a comment or in a tracer's brackets.
pub fn lost_events(raw: &[u8]) -> Option<u64> {
    let mut words = raw.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.find(|word| word.eq_ignore_ascii_case(b"lost"))?;
    let number = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let noun = words.next()?;
    (noun.eq_ignore_ascii_case(b"events") || noun.eq_ignore_ascii_case(b"event")).then_some(number)
}

impl fmt::Display for Line {
    /// The part a reader needs to recognise the line: event, counts and numbers, then who and where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (enable, pause) = self.counts;
        write!(f, "`{} {enable} {pause}", self.event.name())?;
        for nr in &self.nr[..self.event.extra_fields()] {
            write!(f, " {nr}")?;
        }
        let context = if self.irq { "an interrupt over pid" } else { "pid" };
        write!(f, "` from {context} {} on CPU {}", self.pid, self.cpu)
    }
}

/// Where the parser stands: the next field to read, and where it starts.
struct Cursor<'a> {
    raw: &'a [u8],
    at: usize,
    field: Field,
}

impl<'a> Cursor<'a> {
    /// The step over the blanks before a field.
    #[inline]
    fn skip(&mut self) {
        while self.raw.get(self.at).is_some_and(|&byte| is_blank(byte)) {
            self.at += 1;
        }
    }

    #[inline]
    fn step(&mut self, width: usize) {
        self.at += width;
        self.field = FIELDS[(self.field as usize + 1).min(FIELDS.len() - 1)];
    }

    #[inline]
    fn number(&mut self) -> Result<u64, LineError> {
        self.skip();
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let mut value: u64 = 0;
        let mut width = 0;
        for &byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            let next = value.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit)));
            value = next.ok_or_else(|| self.error(LineFault::OutOfRange(self.field)))?;
            width += 1;
        }
        if width == 0 || rest.get(width).is_some_and(|&byte| !is_blank(byte)) {
            let fault = if rest.is_empty() { LineFault::Missing } else { LineFault::NotANumber };
            return Err(self.error(fault(self.field)));
        }
        if value > self.field.max() {
            return Err(self.error(LineFault::OutOfRange(self.field)));
        }
        self.step(width);
        Ok(value)
    }

    #[inline]
    fn event(&mut self) -> Result<Event, LineError> {
        self.skip();
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let width = rest.iter().position(|&byte| is_blank(byte)).unwrap_or(rest.len());
        if width == 0 {
            return Err(self.error(LineFault::Missing(self.field)));
        }
        let event = Event::parse(&rest[..width]).ok_or_else(|| self.error(LineFault::UnknownEvent))?;
        self.step(width);
        Ok(event)
    }

    #[cold]
    fn error(&self, fault: LineFault) -> LineError {
        LineError { column: column(self.at.min(self.raw.len())), fault }
    }
}

/// Why a line is no line of a trace, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineError {
    /// 1-based, in bytes.
    pub column: u32,
    /// What is wrong there.
    pub fault: LineFault,
}

/// What can be wrong with a line as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// The line ends where the field should be.
    Missing(Field),
    /// The field is no decimal number.
    NotANumber(Field),
    /// The number is larger than the field can hold.
    OutOfRange(Field),
    /// No recorder writes such an event.
    UnknownEvent,
    /// A comment, or what follows an event's last field, is not text.
    NotText,
    /// The line is longer than any a recorder writes.
    TooLong,
    /// The file ends without a single event.
    NoEvents,
    /// Nothing says that the input is a trace: its first line is neither a comment nor an event.
    NoTrace,
    /// A second recording begins.
    Second,
}

impl fmt::Display for LineFault {
    /// What should have stood there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineFault::Missing(field) => write!(f, "{}", field.name()),
            LineFault::NotANumber(field) => write!(f, "{}, a decimal number", field.name()),
            LineFault::OutOfRange(field) => write!(f, "{}, a number from 0 to {}", field.name(), field.max()),
            LineFault::UnknownEvent => write!(f, "the name of an event"),
            LineFault::NotText => write!(f, "text in UTF-8 without control characters"),
            LineFault::TooLong => write!(f, "a line of at most {} bytes", super::MAX_LINE),
            LineFault::NoEvents => write!(f, "at least one event line"),
            LineFault::NoTrace => write!(f, "a kernel trace, with lines such as {EXAMPLE}"),
            LineFault::Second => write!(f, "one recording in a file"),
        }
    }
}

/// What a line of a trace looks like, for whoever has none.
const EXAMPLE: &str = "`0 0 5 0 enable 1 0` (<seq> <cpu> <pid> <irq> <event> <enable_count> <pause_count>)";
