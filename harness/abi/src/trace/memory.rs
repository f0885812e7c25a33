//! Events about memory: what the kernel asks of its page tables, what a walker sees, and what is not in effect yet.
//!
//! They are facts, stated by the machine, which knows the hardware; whether a fact is allowed is the oracles' affair.
//! Here are their shapes and their words. Called by the machine (writes them), the oracles (read them) and reports.

use lazy_mmu_arches::page::PteRef;

use super::place;

/// What a valid entry, in a page table or in a TLB, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The page frame.
    pub frame: u32,
    /// Whether stores are allowed.
    pub write: bool,
}

/// A change of an entry, as the kernel asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A valid entry; each further page one frame further.
    Map(Translation),
    /// An entry that is not valid, such as a swap or migration entry; each further page one frame further.
    Mark(u32),
    /// No entry.
    Clear,
    /// The same entry, not writable.
    Wrprotect,
}

/// What a walker saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// The translation it found; none is a fault.
    pub found: Option<Translation>,
    /// What the kernel asked for last.
    pub asked: Option<Translation>,
    /// A valid translation was changed there and no flush has covered it since: an old one may be found.
    pub unflushed: bool,
    /// What was found leads to a frame that has been freed since.
    pub freed: bool,
}

/// When changes were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// At the end of the operation that made them.
    Write,
    /// At the end of an operation whose mapping is used at once: kmap, a fault, the page allocator's.
    Use,
    /// At the end of a `disable`, a `pause` or an explicit flush: those of its task.
    Settle,
    /// At the end of a TLB flush: the pages it covers.
    Flush,
}

/// What is missing for a change to be in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The page table does not say it.
    Table,
    /// Walkers need not see the store: no `dsb` followed it.
    Unordered,
    /// This CPU may not have refetched: no `isb` followed.
    Unsynchronised,
    /// The hash table has the old translation.
    Hash,
    /// A TSB has the old translation.
    Tsb,
    /// The TLB of this CPU has the old translation.
    Tlb(u8),
    /// The translation was invalidated before the change, and could be found again.
    FlushedEarly,
}

/// Changes that are not in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// When they were looked at.
    pub point: Point,
    /// How many.
    pub count: u16,
    /// The first one.
    pub at: PteRef,
    /// What it lacks.
    pub why: Why,
}

/// What went out to the hardware in one go: between two stores of PTEs, or two operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Burst {
    /// Updates: hash entries or addresses invalidated, updates a hypervisor made, kernel entries made visible.
    pub updates: u16,
    /// Hypercalls made.
    pub calls: u8,
    /// Xen: the most entries of one call.
    pub entries: u8,
    /// Xen: the most argument bytes of one call.
    pub bytes: u16,
    /// Barriers alone, or an atomic: no update needed them.
    pub idle: bool,
    /// They were not of one address space, page size and segment size.
    pub mixed: bool,
    /// They were of another address space, page size or segment size than the entry at hand.
    pub other: bool,
    /// How many of them nobody had asked for (again), or were announced to another CPU and did not come.
    pub surplus: u16,
    /// The CPU's registers were not given back as they were found: interrupts (`%pstate`), the secondary context.
    pub borrowed: bool,
}

pub(super) fn text(found: Option<Translation>) -> String {
    match found {
        None => "no entry".to_owned(),
        Some(Translation { frame, write: true }) => format!("frame {frame}"),
        Some(Translation { frame, write: false }) => format!("frame {frame}, read-only"),
    }
}

/// What should have been found, where it differs.
pub(super) fn unlike(found: Option<Translation>, asked: Option<Translation>) -> String {
    if found == asked { String::new() } else { format!(" (asked for: {})", text(asked)) }
}

pub(super) fn ask_text(ask: Ask) -> String {
    match ask {
        Ask::Map(translation) => text(Some(translation)),
        Ask::Mark(frame) => format!("frame {frame}, not valid"),
        Ask::Clear => text(None),
        Ask::Wrprotect => "read-only".to_owned(),
    }
}

pub(super) fn walked_text(walked: &Walked) -> String {
    let freed = if walked.freed { ", which is freed" } else { "" };
    let unflushed = if walked.found != walked.asked && walked.unflushed { ", not flushed yet" } else { "" };
    format!("{}{freed}{}{unflushed}", text(walked.found), unlike(walked.found, walked.asked))
}

pub(super) fn late_text(late: &Late) -> String {
    let n = if late.count == 1 { String::new() } else { format!(" and {} more", late.count - 1) };
    format!("not in effect: {}{n}: {}", place(late.at), late.why.text())
}

impl Why {
    /// In words.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Why::Table => "the page table does not say it".to_owned(),
            Why::Unordered => "no barrier made the store visible to walkers".to_owned(),
            Why::Unsynchronised => "no isb made this CPU refetch".to_owned(),
            Why::Hash => "the hash table has the old translation".to_owned(),
            Why::Tsb => "a TSB has the old translation".to_owned(),
            Why::Tlb(cpu) => format!("the TLB of CPU {cpu} has the old translation"),
            Why::FlushedEarly => "it was flushed before it was changed".to_owned(),
        }
    }
}

pub(super) fn burst_text(burst: &Burst) -> String {
    let mut text = format!("went out: {} updates", burst.updates);
    if burst.calls > 0 {
        text.push_str(&format!(" in {} hypercalls, at most {} bytes", burst.calls, burst.bytes));
    }
    for (is, what) in [
        (burst.idle, ", none was needed"),
        (burst.mixed, ", of several kinds"),
        (burst.other, ", of another kind than the entry at hand"),
        (burst.surplus > 0, ", some of them twice"),
        (burst.borrowed, ", registers not given back"),
    ] {
        text.push_str(if is { what } else { "" });
    }
    text
}
