//! What the comment lines of a trace say that a reader must know: the architecture, and whether the ends are clean.
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
        })
    }
}

impl Arch {
    /// Whether updates are batched per CPU with preemption off.
    pub fn is_batched(self) -> bool {
        matches!(self, Arch::Powerpc64Hash | Arch::Sparc64 | Arch::Batched)
    }

    /// The architecture that alone records `event`, if it is not one that all record.
    pub fn of_event(event: Event) -> Option<Arch> {
        match event {
            Event::QueueDeferred | Event::QueueEmitted | Event::Barriers => Some(Arch::Aarch64),
            Event::BatchAdd | Event::FlushPending | Event::FlushImmediate => Some(Arch::Batched),
            Event::TaskPause | Event::TaskResume | Event::NewTask => Some(Arch::XenPv),
            Event::MmuQueued | Event::MmuIssued | Event::MmuImmediate | Event::McFlush => Some(Arch::XenPv),
            _ => None,
        }
    }

    /// Whether a kernel of this architecture records events that are `other`'s.
    pub fn records(self, other: Arch) -> bool {
        self == other || (other == Arch::Batched && self.is_batched())
    }
}

/// What the header has told so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// The architecture the title or the kernel line names.
    pub arch: Option<Arch>,
    /// The recording starts amid sections: counts are taken over from each task's first line.
    pub open_start: bool,
    /// The recording ends amid sections: nothing is asked of the end of the file.
    pub open_end: bool,
}

const TITLE: &str = "lazy MMU mode trace:";
const MACHINE: [&str; 2] = ["kernel:", "arch:"];
const WINDOW: &str = "window:";
const CLEAN: &str = "no task was inside a section";
const OPEN_END: [&str; 3] = ["truncated", "incomplete", "overflow"];

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
    let labels = [TITLE, WINDOW, CLEAN, XEN, RADIX].into_iter().chain(MACHINE).chain(OPEN_END);
    labels.chain(ARCHITECTURES.map(|(name, _)| name))
}

impl Header {
    /// Reads one comment line, `#` included.
    pub fn read(&mut self, comment: &str) {
        let text = comment.trim_start_matches('#').trim_start();
        if let Some(title) = after(text, TITLE) {
            self.arch = arch_of(title).or(self.arch);
        } else if let Some(kernel) = MACHINE.iter().find_map(|label| after(text, label)) {
            self.arch = self.arch.or(arch_of(kernel));
        } else if let Some(window) = after(text, WINDOW) {
            let clean = contains(window, CLEAN);
            self.open_start |= !clean;
            self.open_end |= !clean;
        } else if OPEN_END.iter().any(|&word| after(text, word).is_some()) {
            self.open_end = true;
        }
    }
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
