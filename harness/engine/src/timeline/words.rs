//! What an event says in a timeline, in the words of someone who knows the kernel: pieces of a line, with its numbers.
//!
//! An update is *queued* when the backend keeps it for later, *applied* when it went out to the hardware, and
//! *deferred* when the kernel asked for it and the hardware does not know it yet. Not here: which events are left out,
//! and what stands next to what. Called by the timeline.

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::{Insn, Op as InsnOp};
use lazy_mmu_arches::page::{PteRef, Size};

use super::fold::Piece;
use crate::program::{Block, Op};
use crate::subject::Subject;
use crate::trace::{Ask, Burst, Late, Point, Translation, Walked};
use crate::trace::{Call, Counters, What, counted, line, place};

const FRAME: [&str; 2] = ["frame", "frames"];
const UPDATE: [&str; 2] = ["update", "updates"];
const ENTRY: [&str; 2] = ["entry", "entries"];
const HYPERCALL: [&str; 2] = ["hypercall", "hypercalls"];

pub(super) fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

fn number(first: impl Into<u64>) -> Piece {
    Piece::Number(first.into(), 1)
}

fn frames(first: u32, n: u16) -> Piece {
    Piece::Named(FRAME, first.into(), n.into())
}

/// Counters: `1/0 active`.
pub(super) fn counters(c: &Counters) -> Vec<Piece> {
    let active = if c.active { " active" } else { "" };
    vec![number(c.enable), text("/"), number(c.pause), text(active)]
}

/// An operation as in a program; its numbers are numbers.
pub(super) fn operation(op: Op) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = op.to_string();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| start + end);
        let Ok(digit) = rest[start..digits].parse::<u64>() else { break };
        pieces.push(text(&rest[..start]));
        pieces.push(number(digit));
        rest.drain(..digits);
    }
    pieces.push(text(rest));
    pieces
}

/// The event's pieces, but for instructions, which [`insns`] puts in rows. `lazy`: the running task's updates may be
/// deferred at this moment.
pub(super) fn pieces(what: &What, subject: &dyn Subject, lazy: bool) -> Vec<Piece> {
    match what {
        What::Call(call @ (Call::TaskPause(task) | Call::TaskResume(task)), _) => {
            vec![text(call.name()), text(" T"), number(*task)]
        }
        What::Call(call, _) => vec![text(call.name())],
        What::Point(at) => with("between the halves, at ", counters(at)),
        What::Return(_, after) => with("= ", counters(after)),
        What::Answer(active) => vec![text(format!("= {active}"))],
        What::Op(op) => operation(*op),
        What::Open(block @ Block::Repeat(0), _) => vec![text(format!("{} ... }}", Op::Open(*block)))],
        What::Open(block, _) => operation(Op::Open(*block)),
        What::Close(..) => vec![text("}")],
        What::Note(note) => note_pieces(*note),
        What::Store(at, word) => {
            let valid = subject.pte_flags(*word).valid;
            let size = if valid { subject.pte_size(*word) } else { at.size };
            let mut pieces = with("store ", place_pieces(PteRef { size, ..*at }));
            pieces.push(text(" = "));
            pieces.extend(word_pieces(*word, subject));
            pieces
        }
        What::Asked(at, pages, ask) => asked(*at, *pages, *ask),
        What::Read { at, found, asked } => {
            let mut pieces = with("read ", place_pieces(*at));
            pieces.push(text(" = "));
            pieces.extend(entry(*found));
            if found != asked {
                pieces.push(text("; asked: "));
                pieces.extend(entry(*asked));
            }
            pieces
        }
        What::Walk(at, walked) => walk(*at, walked),
        What::Late(late) => late_pieces(late, lazy),
        What::Burst(burst) => burst_pieces(burst),
        What::Freed(at, frames) => {
            vec![
                text("freed: "),
                Piece::Count((*frames).into(), FRAME),
                text(format!(" unmapped from {} on", place(*at))),
            ]
        }
        What::Away { task, counters: at } => with(&format!("off the CPU: T{task}, at "), counters(at)),
        What::Held(held) => vec![text("queued: "), deferred(held)],
        What::Left(held) => vec![text("still queued after the switch: "), deferred(held)],
        other => vec![text(line(other))],
    }
}

fn with(before: &str, mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.insert(0, text(before));
    pieces
}

/// An entry, or so many from it on: `U[0..7]`.
fn range(at: PteRef, pages: u16) -> Vec<Piece> {
    let size = match at.size {
        Size::Small => "]",
        Size::Large => "] large",
        Size::Huge => "] huge",
    };
    let mm = ["K", "U", "V"][usize::from(at.mm.0 % 3)];
    vec![text(format!("{mm}[")), Piece::Number(at.page.into(), pages.max(1).into()), text(size)]
}

fn place_pieces(at: PteRef) -> Vec<Piece> {
    range(at, 1)
}

/// A translation: `frame 512 rw`, `none`.
fn entry(found: Option<Translation>) -> Vec<Piece> {
    match found {
        None => vec![text("none")],
        Some(Translation { frame, write }) => {
            vec![frames(frame, 1), text(if write { " rw" } else { " ro" })]
        }
    }
}

/// What a PTE word says, and where it stands alone the word itself.
fn word_pieces(word: u64, subject: &dyn Subject) -> Vec<Piece> {
    if word == 0 {
        return vec![text("none")];
    }
    let flags = subject.pte_flags(word);
    let rights = match (flags.valid, flags.write, flags.exec) {
        (false, ..) => " not valid",
        (_, true, false) => " rw",
        (_, true, true) => " rwx",
        (_, false, false) => " ro",
        (_, false, true) => " rx",
    };
    let hex = Piece::Either(format!(" ({word:#x})"), String::new());
    vec![frames(subject.pte_frame(word), 1), text(rights), hex]
}

fn asked(at: PteRef, pages: u16, ask: Ask) -> Vec<Piece> {
    let mut pieces = with("asked: ", range(at, pages));
    pieces.push(text(" = "));
    pieces.extend(match ask {
        Ask::Map(Translation { frame, write }) => {
            vec![frames(frame, pages.max(1)), text(if write { " rw" } else { " ro" })]
        }
        Ask::Mark(frame) => vec![frames(frame, pages.max(1)), text(" not valid")],
        Ask::Clear => vec![text("none")],
        Ask::Wrprotect => vec![text("read-only")],
    });
    pieces
}

/// What the walker found, and where that is not what the kernel asked for, why.
fn walk(at: PteRef, walked: &Walked) -> Vec<Piece> {
    let mut pieces = with("walk ", place_pieces(at));
    pieces.push(text(" -> "));
    pieces.extend(entry(walked.found));
    if walked.freed {
        pieces.push(text(", freed"));
    }
    if walked.found != walked.asked {
        pieces.push(text("; asked: "));
        pieces.extend(entry(walked.asked));
        pieces.push(text(if walked.unflushed { " (not flushed yet)" } else { " (not in effect yet)" }));
    }
    pieces
}

fn late_pieces(late: &Late, lazy: bool) -> Vec<Piece> {
    let when = match late.point {
        Point::Write if lazy => "deferred: ",
        Point::Write => "not in effect: ",
        Point::Use => "not in effect when it is used: ",
        Point::Settle => "not in effect at the end of the call: ",
        Point::Flush => "not in effect after the flush: ",
    };
    let mut pieces = with(when, place_pieces(late.at));
    if late.count > 1 {
        pieces.extend([text(" and "), number(u64::from(late.count) - 1), text(" more")]);
    }
    pieces.push(text(format!(": {}", late.why.text())));
    pieces
}

fn burst_pieces(burst: &Burst) -> Vec<Piece> {
    let mut pieces = vec![text("applied: "), Piece::Count(burst.updates.into(), UPDATE)];
    if burst.calls > 0 {
        pieces.push(text(format!(" in {}", counted(burst.calls, HYPERCALL))));
    }
    for (is, what) in [
        (burst.mixed, ", of several kinds"),
        (burst.other, ", of another kind than the entry at hand"),
        (burst.surplus > 0, ", some of them twice"),
        (burst.borrowed, ", the CPU's registers not given back"),
        (burst.idle && burst.calls == 0, ", none was needed"),
    ] {
        pieces.extend(is.then(|| text(what)));
    }
    pieces
}

fn note_pieces(note: Note) -> Vec<Piece> {
    match note {
        Note::QueueDeferred => vec![text("queued: the barriers")],
        Note::QueueEmitted => vec![text("not queued: the barriers come at once")],
        Note::Barriers => vec![text("applied: the barriers")],
        Note::BatchAdd(level) => vec![text("queued as "), Piece::Named(ENTRY, level.into(), 1)],
        Note::FlushPending(n) => vec![text(format!("flush the batch: {}", counted(n, ENTRY)))],
        Note::FlushImmediate => vec![text("not queued: flushed at once")],
        Note::MmuQueued => vec![text("queued: "), Piece::Count(1, UPDATE)],
        Note::MmuIssued => vec![text("queued and flushed at once")],
        Note::MmuImmediate => vec![text("not queued: a hypercall at once")],
        Note::McFlush(0, _) => vec![text("flush the multicall buffer: empty")],
        Note::McFlush(n, bytes) => {
            vec![text(format!("flush the multicall buffer: {}, {bytes} bytes", counted(n, ENTRY)))]
        }
    }
}

fn deferred(held: &Deferred) -> Piece {
    text(match (held.pending, held.entries) {
        (false, 0) => "nothing".to_owned(),
        (true, 0) => "the barriers".to_owned(),
        (_, n) => counted(n, ENTRY),
    })
}

/// Columns within which instructions are shown with their operands.
const OPERANDS: usize = 72;

/// Instructions, one after the other on one line, repetitions together; with operands where there is room for them.
pub(super) fn insns(insns: &[Insn]) -> Vec<Piece> {
    let plain = repetitions(insns);
    let full: Vec<String> = insns.iter().map(|insn| line(&What::Insn(*insn))).collect();
    let full = full.join("; ");
    vec![Piece::Either(if full.len() <= OPERANDS { full } else { plain.clone() }, plain)]
}

/// The mnemonics: `tlbie x192; eieio; tlbsync; ptesync`, `(stxa; membar #Sync) x4; flush`.
fn repetitions(insns: &[Insn]) -> String {
    let ops: Vec<InsnOp> = insns.iter().map(|insn| insn.op).collect();
    let mut parts = Vec::new();
    let mut at = 0;
    while at < ops.len() {
        let rest = &ops[at..];
        let times = |period: usize| rest.chunks(period).take_while(|chunk| *chunk == &rest[..period]).count();
        let best = (1..=4.min(rest.len())).map(|period| (period, times(period)));
        let (period, n) =
            best.max_by_key(|&(period, n)| (if n > 1 { period * n } else { 1 }, 4 - period)).unwrap_or((1, 1));
        let (period, n) = if n > 1 { (period, n) } else { (1, 1) };
        let once: Vec<&str> = rest[..period].iter().map(|op| op.mnemonic()).collect();
        parts.push(match (period, n) {
            (_, 1) => once.join("; "),
            (1, n) => format!("{} x{n}", once[0]),
            (_, n) => format!("({}) x{n}", once.join("; ")),
        });
        at += period * n;
    }
    parts.join("; ")
}

/// Whether a block is the program's own, whoever runs: its lines are indented for all.
pub(super) fn is_common(block: Block) -> bool {
    matches!(block, Block::Between | Block::Repeat(_) | Block::On(_))
}
