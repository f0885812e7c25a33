//! Features of a run: what a coverage-guided fuzzer should know besides which code ran.
//!
//! The subjects' code is small and covered soon; what matters is in which state it ran: how deep, paused, interrupted,
//! between which halves, with how full a batch. Each such state is a number below [`COUNT`], handed to libFuzzer as an
//! extra counter. Not a judgement. Called by the targets that run programs.

use lazy_mmu_arches::context::Note;

use crate::trace::{Call, Event, What};

/// How many numbers there are; equal ones of different states are harmless.
pub const COUNT: usize = 4096;

/// What is known of a run so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    /// The last call.
    last: u32,
    /// Calls that stand between their halves.
    open: u32,
}

impl Reader {
    /// Takes the next event in, and tells `hit` of the features that it shows.
    #[inline(always)]
    pub fn see(&mut self, event: &Event, mut hit: impl FnMut(u32)) {
        let Some((kind, detail)) = told(event, &mut self.open) else { return };
        let context = u32::from(event.interrupt) | u32::from(self.open > 0) << 1 | u32::from(event.below) << 2;
        let own = kind << 3 | context;
        hit(spread(own, detail));
        // Which of two calls came after the other, wherever they stand.
        if kind < 8 {
            hit(spread(256 + own, self.last));
            self.last = own;
        }
    }
}

/// The feature of a kind of [`crate::exercise::KINDS`] that the run as a whole has met.
#[must_use]
pub fn met(kind: usize) -> u32 {
    spread(20 << 3, kind as u32)
}

/// An event's kind and detail, if it is worth telling apart. `open` counts the calls that stand between their halves.
#[inline(always)]
fn told(event: &Event, open: &mut u32) -> Option<(u32, u32)> {
    Some(match event.what {
        What::Call(call, at) => (kind(call), depth(at.enable) * 8 + depth(at.pause)),
        What::Point(_) => {
            *open += 1;
            return None;
        }
        What::Return(..) => {
            *open = open.saturating_sub(1);
            return None;
        }
        What::SwitchOut { counters, .. } => (8, depth(counters.enable) * 8 + depth(counters.pause)),
        What::Refused(why) => (9, why as u32),
        What::Warn(site) => (10, site as u32),
        What::Note(note) => (11, note_detail(note)),
        What::Late(late) => (12, (late.point as u32) * 8 + few(late.count)),
        What::Burst(burst) => {
            let flags = u32::from(burst.idle) | u32::from(burst.mixed) << 1 | u32::from(burst.other) << 2;
            (13, flags * 32 + few(burst.updates))
        }
        What::Walk(_, walked) => {
            let same = u32::from(walked.found == walked.asked);
            (14, same | u32::from(walked.unflushed) << 1 | u32::from(walked.freed) << 2)
        }
        What::Held(held) => (15, few(held.entries)),
        What::Open(block, at) => (16, block_number(block) * 64 + depth(at.enable) * 8 + depth(at.pause)),
        What::Freed(..) => (17, 0),
        What::Fork { .. } => (18, 0),
        What::Exit { .. } => (19, 0),
        _ => return None,
    })
}

fn kind(call: Call) -> u32 {
    match call {
        Call::Enable => 0,
        Call::Disable => 1,
        Call::Pause => 2,
        Call::Resume => 3,
        Call::TaskPause(_) => 4,
        Call::TaskResume(_) => 5,
    }
}

/// A counter in eight classes.
fn depth(count: u8) -> u32 {
    match count {
        0..=3 => count.into(),
        4..=15 => 4,
        16..=253 => 5,
        254 => 6,
        255 => 7,
    }
}

fn note_detail(note: Note) -> u32 {
    match note {
        Note::QueueDeferred => 0,
        Note::QueueEmitted => 1,
        Note::Barriers => 2,
        Note::BatchAdd(level) => 64 + log2(level as u32),
        Note::FlushPending(n) => 128 + fullness(n as u32, 192),
        Note::FlushImmediate => 3,
        Note::MmuQueued => 4,
        Note::MmuIssued => 5,
        Note::MmuImmediate => 6,
        Note::McFlush(entries, bytes) => 192 + fullness(entries as u32, 32) * 4 + u32::from(bytes >= 496),
    }
}

/// How full a batch with this room is: empty, one, some, all but one, all.
fn fullness(n: u32, room: u32) -> u32 {
    match n {
        0 | 1 => n,
        n if n >= room => 4,
        n if n + 1 == room => 3,
        _ => 2,
    }
}

fn block_number(block: crate::program::Block) -> u32 {
    use crate::program::Block;
    match block {
        Block::Irq => 0,
        Block::Softirq => 1,
        Block::Nmi => 2,
        Block::Between => 3,
        Block::Repeat(_) => 4,
        Block::On(_) => 5,
    }
}

/// None, one, more. How full a batch is is told by notes; telling it here too, by powers of two, draws programs into the
/// corpus that only differ in how many pages they are about, and take long.
fn few(count: u16) -> u32 {
    count.min(2).into()
}

fn log2(n: u32) -> u32 {
    u32::BITS - n.leading_zeros()
}

/// A number below [`COUNT`] for a pair of them.
fn spread(a: u32, b: u32) -> u32 {
    (a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca77)).wrapping_mul(0xc2b2_ae3d)
        >> (32 - COUNT.trailing_zeros())
}
