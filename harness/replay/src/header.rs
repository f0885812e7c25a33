//! What the comment lines of a trace say that a reader must know: the architecture, whether the ends are clean, and
//! how many events were recorded, so that a file that was cut can be told from a recording that ended badly.
//!
//! Only the title (`# lazy MMU mode trace: arm64, ...`) and the kernel line (`# kernel: 7.2.13 aarch64`) name the
//! architecture: other header lines speak of other architectures too. A trace without a header is recognised by its
//! first event that only one architecture records. Everything else in a header is for people.

use super::line::Event;
use std::fmt;

/// Whose kernel recorded the trace, as far as a replay must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// A pending flag per task; sections may be preempted.
    Aarch64,
    /// Hash MMU: a batch per CPU; sections cannot be preempted.
    Powerpc64Hash,
    /// Radix MMU: the hooks do nothing and nothing is deferred.
    Powerpc64Radix,
    /// A batch per CPU; sections cannot be preempted.
    Sparc64,
    /// A batch per CPU, but no header says whether it is powerpc64's or sparc64's.
    Batched,
    /// A multicall buffer per CPU; context switches are recorded.
    XenPv,
    /// The header says `arch: none`: calls, hooks and counters were recorded, and nothing of what became of an update.
    CallsOnly,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::Aarch64 => "aarch64",
            Arch::Powerpc64Hash => "powerpc64 (hash)",
            Arch::Powerpc64Radix => "powerpc64 (radix)",
            Arch::Sparc64 => "sparc64",
            Arch::Batched => "powerpc64 or sparc64",
            Arch::XenPv => "x86_64 (Xen PV)",
            Arch::CallsOnly => "calls and hooks only",
        })
    }
}

impl Arch {
    /// Whether updates are batched per CPU with preemption off.
    pub fn is_batched(self) -> bool {
        matches!(self, Arch::Powerpc64Hash | Arch::Sparc64 | Arch::Batched)
    }

    /// The architecture that alone records `event`. The task forms of pause and resume are calls, and `new_task` is the
    /// scheduler's: they name no architecture.
    pub fn of_event(event: Event) -> Option<Arch> {
        match event {
            Event::QueueDeferred | Event::QueueEmitted | Event::Barriers => Some(Arch::Aarch64),
            Event::BatchAdd | Event::FlushPending | Event::FlushImmediate => Some(Arch::Batched),
            Event::MmuQueued | Event::MmuIssued | Event::MmuImmediate | Event::McFlush => Some(Arch::XenPv),
            _ => None,
        }
    }

    /// Whether a kernel of this architecture records `event`.
    pub fn records(self, event: Event) -> bool {
        match (event, Arch::of_event(event)) {
            (Event::TaskPause | Event::TaskResume | Event::NewTask, _) => {
                matches!(self, Arch::XenPv | Arch::CallsOnly)
            }
            (_, None) => true,
            (_, Some(Arch::Batched)) => self.is_batched(),
            (_, Some(of_event)) => self == of_event,
        }
    }
}

/// What the header has told so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// The architecture the title, the kernel line or the arch line names.
    pub arch: Option<Arch>,
    /// There was a title: the input is a trace, whatever else is in it.
    pub titled: bool,
    /// The recording starts amid sections: counts are taken over from each task's first line.
    pub open_start: bool,
    /// The recording ends amid sections: nothing is asked of the end of the file.
    pub open_end: bool,
    /// The recorder says that it wrote everything: the file ends with nobody in a section.
    pub complete: bool,
    /// How many events it says it wrote.
    pub events: Option<u64>,
    /// The first and the last sequence number of a window with clean ends.
    pub window: Option<(u64, u64)>,
}

const TITLE: &str = "lazy MMU mode trace:";
const KERNEL: &str = "kernel:";
const ARCH: &str = "arch:";
const NONE: &str = "none";
const WINDOW: &str = "window:";
const CLEAN: &str = "no task was inside a section";
const SEQ: &str = "seq ";
const COMPLETE: &str = "complete";
const EVENTS: &str = "events:";
const OPEN_END: [&str; 3] = ["truncated", "incomplete", "overflow"];
const OPEN: &str = "partial";

/// The words that name an architecture; one of two more tells a Xen guest, or powerpc64's other MMU.
const ARCHITECTURES: [(&str, Arch); 5] = [
    ("arm64", Arch::Aarch64),
    ("aarch64", Arch::Aarch64),
    ("sparc64", Arch::Sparc64),
    ("powerpc64", Arch::Powerpc64Hash),
    ("ppc64", Arch::Powerpc64Hash),
];
const XEN: &str = "xen";
const RADIX: &str = "radix";

/// Every word of a header that a reader heeds.
pub fn words() -> impl Iterator<Item = &'static str> {
    let labels = [TITLE, KERNEL, ARCH, NONE, WINDOW, CLEAN, SEQ, COMPLETE, EVENTS, OPEN, XEN, RADIX];
    labels.into_iter().chain(OPEN_END).chain(ARCHITECTURES.map(|(name, _)| name))
}

/// Whether the comment, `#` included, is the title that begins a recording.
pub fn is_title(comment: &str) -> bool {
    after(bare(comment), TITLE).is_some()
}

fn bare(comment: &str) -> &str {
    comment.trim().trim_start_matches('#').trim_start()
}

impl Header {
    /// Reads one comment line, `#` included.
    pub fn read(&mut self, comment: &str) {
        let text = bare(comment);
        if let Some(title) = after(text, TITLE) {
            self.titled = true;
            self.arch = self.arch.or(arch_of(title));
        } else if let Some(kernel) = after(text, KERNEL) {
            self.arch = self.arch.or(arch_of(kernel));
        } else if let Some(arch) = after(text, ARCH) {
            let none = arch.trim().eq_ignore_ascii_case(NONE).then_some(Arch::CallsOnly);
            self.arch = none.or(arch_of(arch)).or(self.arch);
        } else if let Some(window) = after(text, WINDOW) {
            self.window(window);
        } else if let Some(rest) = after(text, COMPLETE) {
            self.complete = true;
            self.events = number(rest).or(self.events);
        } else if let Some(rest) = after(text, EVENTS).filter(|rest| rest.trim_start().starts_with(digit)) {
            self.complete = true;
            self.events = number(rest);
        } else if after(text, OPEN).is_some() {
            self.open_start = true;
            self.open_end = true;
        } else if OPEN_END.iter().any(|&word| after(text, word).is_some()) {
            self.open_end = true;
        }
    }

    /// A part of a longer recording: either both of its ends are clean, or neither is known to be.
    fn window(&mut self, text: &str) {
        if !contains(text, CLEAN) {
            self.open_start = true;
            self.open_end = true;
            return;
        }
        let range = text.split_once(SEQ).and_then(|(_, range)| range.split_once(".."));
        self.window = range.and_then(|(first, last)| Some((number(first)?, number(last)?)));
        self.complete = true;
    }

    /// Whether the recording began with nobody in a section, if `seq` is its first sequence number.
    pub fn is_beginning(&self, seq: u64) -> bool {
        !self.open_start && self.window.map_or(seq == 0, |(first, _)| first == seq)
    }

    /// Whether the file holds all that the recorder says it wrote, so that its end is the recording's; `last` is the
    /// last sequence number, `events` how many there are.
    pub fn is_whole(&self, last: Option<u64>, events: u64) -> bool {
        let all = match self.window {
            Some((_, end)) => last.is_some_and(|last| last >= end),
            None => self.events.is_none_or(|wrote| events >= wrote),
        };
        self.complete && !self.open_end && all
    }
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// The first number in `text`.
fn number(text: &str) -> Option<u64> {
    let begin = text.find(digit)?;
    text[begin..].split(|c| !digit(c)).next()?.parse().ok()
}

/// The rest of `text` after `label`, whatever the letters' case.
fn after<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let head = text.get(..label.len())?;
    head.eq_ignore_ascii_case(label).then(|| &text[label.len()..])
}

fn contains(text: &str, wanted: &str) -> bool {
    text.as_bytes().windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The architecture that a word of `text` names. x86_64 alone names none: native x86 records hooks only, and the
/// first event tells a Xen guest.
fn arch_of(text: &str) -> Option<Arch> {
    if contains(text, XEN) {
        return Some(Arch::XenPv);
    }
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = |wanted: &str| words().any(|word| word.eq_ignore_ascii_case(wanted));
    let (_, named) = ARCHITECTURES.into_iter().find(|(name, _)| names(name))?;
    Some(if named == Arch::Powerpc64Hash && names(RADIX) { Arch::Powerpc64Radix } else { named })
}
