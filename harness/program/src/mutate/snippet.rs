//! What callers and interrupts do, as short programs that are put into others, and pairs that go round a run.
//!
//! Written in the program language for a task T0 with pages from slot 0 on; [`Shift`] moves them to the task, the pages
//! and the frames of the place they are put. In a wrap `query` stands for the run. Each belongs to a [`Place`]: there, and
//! wherever more may happen, it misuses nothing by itself. Not here: drawing places. Called by the mutator alone.

use std::sync::OnceLock;

use lazy_mmu_arches::page::{LINEAR_PAGE, Mm, PAGES, SHADOW_PAGE, Size};

use super::scene::Place;
use crate::text::parse;
use crate::{FRAMES, Op, Pages};

/// Slots of T0's own; those of T1 and T2 follow.
pub(super) const OWN: u16 = 410;
const OWN_TWICE: u16 = 2 * OWN;

/// Where it may stand, and its text.
type Entry = (Place, &'static str);

use Place::{Half, Handler, Inside, Outside};

/// Sequences that are whole by themselves.
pub(super) const SNIPPETS: &[Entry] = &[
    (Handler, "query"),
    (Handler, "flush"),
    (Handler, "enable; disable"),
    (Handler, "pause; resume"),
    (Handler, "enable; set K 0; set K 1; disable"),
    (Handler, "enable; enable; set K 0; disable; set K 1; disable"),
    (Handler, "enable; pause; set K 0; access K 0; resume; set K 1; disable"),
    (Handler, "pause; enable; set K 0; disable; access K 0; pause; resume; resume"),
    (Handler, "alloc 0 debug; access K 1024"),
    (Handler, "free 0 debug"),
    (Handler, "alloc 0 debug; free 0 debug"),
    (Handler, "fault 4"),
    (Handler, "kmap 4; kunmap 4"),
    (Handler, "set U 0; set U 0 read; set U 0 invalid"),
    (Inside, "enable; set U 0 x3; enable; set U 3; disable; set U 4; disable"),
    (Inside, "enable; clear U 0; clear U 1; clear V 0; clear U 2; disable"),
    (Inside, "enable; clear U 0; clear U 402 large; clear U 406 huge; clear U 1; disable"),
    (Inside, "enable; clear U 0 x191; clear U 191; clear U 192; disable"),
    (Inside, "enable; set K 0 x31; clear K 31; set K 32; disable"),
    (Inside, "enable; wrprot U 0 x8; disable; tlb_flush U 0 x8"),
    (Inside, "lock 0; enable; clear U 0; set U 1; disable; tlb_flush U 0; unlock 0"),
    (Inside, "enable; clear U 0; alloc 0 debug; set U 1; free 1 debug; disable; access K 1024"),
    (Inside, "pause; free 0 debug; alloc 1 debug; access K 1025; resume"),
    (Inside, "kasan_populate K 0 x2; kasan_depopulate K 0 x2"),
    (Inside, "kasan_populate K 0"),
    (Inside, "enable; set K 0; access K 8; disable; access K 0; get K 0; raw_get K 0"),
    (Inside, "irq { enable; set K 1536; disable; access K 1536 }"),
    (Inside, "softirq { alloc 2 debug; access K 1026; free 2 debug }"),
    (Inside, "softirq { pause; set V 1536; resume; irq { clear V 1537 } }"),
    (Inside, "nmi { query; set K 1538; enable; disable }"),
    (Inside, "bh_off; enable; set K 0; disable; bh_on"),
    (Inside, "irq_off; set K 0; irq_on"),
    (Inside, "preempt T1; switch T0"),
    (Inside, "preempt T1; enable; set V 410; disable; access V 410; switch T0"),
    (Inside, "preempt T1; migrate T0 1; cpu 1; switch T0; preempt T3; migrate T0 0; cpu 0; switch T0"),
    (Inside, "cpu 1; enable; set K 1950; disable; access K 1950; cpu 0"),
    (Inside, "cpu 1; access U 0 x4; cpu 0"),
    (Inside, "cpu 1; migrate T2 1; switch T2; access U 0; switch T3; migrate T2 0; cpu 0"),
    (Inside, "enable; clear U 0; set U 16; clear U 1; set U 17; disable; tlb_flush U 0 x2"),
    (Inside, "alloc 0; set U 0; free 0"),
    (Outside, "set U 0; access U 0; enable; clear U 0; disable; tlb_flush U 0; access U 0"),
    (Outside, "set U 0 x2; access U 0 x2; enable; clear U 0 x2; disable; gather_flush U 0 x2; set V 0; access V 0"),
    (Outside, "set K 0; access K 0; enable; set K 0 read; disable; tlb_flush K 0; access K 0"),
    (
        Outside,
        "set U 0; access U 0; cpu 1; access U 0; cpu 0; enable; clear U 0; disable; gather_flush U 0; cpu 1; access U 0; cpu 0",
    ),
    (Outside, "enable; set U 0; disable; get U 0; raw_get U 0; access U 0; clear U 0; tlb_flush U 0"),
    (Outside, "lock 0; enable; get U 0; wrprot U 0; disable; tlb_flush U 0; unlock 0; access U 0"),
    (Outside, "set U 0 x3; access U 0 x3; set V 0; access V 0; enable; clear U 1; clear V 0; clear U 0; disable"),
    (
        Outside,
        "set U 0; access U 0; set U 402 large; access U 402 large; enable; clear U 0; clear U 402 large; disable",
    ),
    (Outside, "set U 0 x193; access U 0 x193; enable; clear U 0 x193; disable; tlb_flush U 0 x193"),
    (Outside, "set U 0 x2; access U 0 x2; enable; clear U 0; gather_flush U 0; clear U 1; gather_flush U 1; disable"),
    (
        Outside,
        "set U 0 x2; access U 0 x2; enable; clear U 0; cpu 1; access U 0 x2; cpu 0; clear U 1; disable; tlb_flush U 0 x2",
    ),
    (
        Outside,
        "cpu 1; migrate T2 1; switch T2; enable; set U 820; disable; access U 820; switch T3; migrate T2 0; cpu 0",
    ),
    (Outside, "switch T1; switch T0"),
    (Outside, "switch T1; enable; set V 410; disable; access V 410; switch T0"),
    (Outside, "sleep"),
    (Outside, "mutex_lock; enable; set K 0; disable; mutex_unlock"),
    (Outside, "alloc 0 sleep; free 0 sleep"),
    (Outside, "fork T4; switch T4; enable; set U 0; disable; switch T0; exit T4"),
    (Half, "preempt T1; switch T0"),
    (Half, "preempt T1; enable; set V 410; disable; switch T0"),
    (Half, "preempt T1; enable; set V 410; preempt T2; switch T1; disable; switch T0"),
    (Half, "preempt T1; migrate T0 1"),
    (Half, "irq { query }"),
    (Half, "irq { enable; set K 1536; disable }"),
    (Half, "softirq { set K 1536; access K 1536; alloc 2 debug }"),
    (Half, "nmi { pause; resume }"),
    (Half, "cpu 1; enable; set K 1950; disable; cpu 0"),
    (Half, "cpu 1; access U 0 x4; cpu 0"),
    (Half, "cpu 1; migrate T2 1; switch T2; access U 0; switch T3; migrate T2 0; cpu 0"),
];

/// What goes round a run. The run is where `query` stands.
pub(super) const WRAPS: &[Entry] = &[
    (Handler, "enable; query; disable"),
    (Handler, "pause; query; resume"),
    (Handler, "enable; query; disable"),
    (Handler, "pause; query; resume"),
    (Handler, "enable; pause; query; resume; disable"),
    (Handler, "pause; enable; query; disable; resume"),
    (Handler, "enable; enable; query; disable; disable"),
    (Inside, "irq { query }"),
    (Inside, "softirq { query }"),
    (Inside, "nmi { query }"),
    (Inside, "bh_off; query; bh_on"),
    (Inside, "irq_off; query; irq_on"),
    (Inside, "preempt_off; query; preempt_on"),
    (Inside, "lock 0; query; unlock 0"),
    (Inside, "lock 1; enable; query; disable; unlock 1"),
    (Handler, "repeat 2 { query }"),
    (Handler, "repeat 3 { query }"),
    (Handler, "repeat 33 { query }"),
    (Handler, "repeat 255 { query }"),
    (Handler, "repeat 256 { query }"),
    (Inside, "cpu 1; query; cpu 0"),
    (Inside, "preempt T1; query; switch T0"),
    (Inside, "preempt T1; migrate T0 1; cpu 1; switch T0; query; preempt T3; migrate T0 0; cpu 0; switch T0"),
    (Outside, "mutex_lock; query; mutex_unlock"),
    (Outside, "switch T1; query; switch T0"),
    (Handler, "on xen { query }"),
];

/// A table's entry as operations.
#[derive(Debug)]
pub(super) struct Snippet {
    /// Where it may stand.
    pub(super) place: Place,
    /// What it does.
    pub(super) ops: Vec<Op>,
}

impl Snippet {
    /// Whether it may stand at a place.
    pub(super) fn suits(&self, place: Place) -> bool {
        match place {
            Place::Half => self.place == Place::Half,
            place => self.place != Place::Half && self.place >= place,
        }
    }
}

/// Parses a table; that every entry is a program is tested.
fn parsed(table: &[Entry]) -> Vec<Snippet> {
    let entry = |&(place, text): &Entry| Some(Snippet { place, ops: parse(text).ok()?.ops().to_vec() });
    table.iter().filter_map(entry).collect()
}

/// [`SNIPPETS`], parsed once.
pub(super) fn snippets() -> &'static [Snippet] {
    static PARSED: OnceLock<Vec<Snippet>> = OnceLock::new();
    PARSED.get_or_init(|| parsed(SNIPPETS))
}

/// [`WRAPS`], parsed once.
pub(super) fn wraps() -> &'static [Snippet] {
    static PARSED: OnceLock<Vec<Snippet>> = OnceLock::new();
    PARSED.get_or_init(|| parsed(WRAPS))
}

/// How a snippet is moved to where it is put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift {
    /// The task that runs there, in T0's place; T0 then stands for it.
    pub(super) task: u8,
    /// By how many slots T0's own pages move.
    pub(super) pages: u16,
    /// By how many address spaces: 0 to 2.
    pub(super) spaces: u8,
    /// By how many page frames.
    pub(super) frames: u16,
    /// The size class of pages that are small.
    pub(super) size: Size,
}

impl Shift {
    /// The operation, moved.
    pub(super) fn apply(self, op: Op) -> Op {
        let page = |page: u16| if page < OWN { (page + self.pages) % PAGES } else { page };
        match op {
            Op::Set(pages, protection) => Op::Set(self.pages(pages), protection),
            Op::Clear(pages) => Op::Clear(self.pages(pages)),
            Op::Wrprotect(pages) => Op::Wrprotect(self.pages(pages)),
            Op::Get(pages) => Op::Get(self.pages(pages)),
            Op::RawGet(pages) => Op::RawGet(self.pages(pages)),
            Op::Access(pages) => Op::Access(self.pages(pages)),
            Op::TlbFlush(pages) => Op::TlbFlush(self.pages(pages)),
            // Kernel pages are not gathered.
            Op::GatherFlush(pages) => match self.pages(pages) {
                kernel if kernel.mm.is_kernel() => Op::TlbFlush(kernel),
                user => Op::GatherFlush(user),
            },
            Op::KasanPopulate(pages) => Op::KasanPopulate(Pages { first: page(pages.first), ..pages }),
            Op::KasanDepopulate(pages) => Op::KasanDepopulate(Pages { first: page(pages.first), ..pages }),
            Op::Fault(at) => Op::Fault(page(at)),
            Op::Kmap(at) => Op::Kmap(page(at)),
            Op::Kunmap(at) => Op::Kunmap(page(at)),
            Op::Alloc(frame, how) => Op::Alloc((frame + self.frames) % FRAMES, how),
            Op::Free(frame, how) => Op::Free((frame + self.frames) % FRAMES, how),
            Op::Switch(task) => Op::Switch(self.task(task)),
            Op::Preempt(task) => Op::Preempt(self.task(task)),
            Op::Migrate(task, cpu) => Op::Migrate(self.task(task), cpu),
            op => op,
        }
    }

    /// T0 is the task that runs, and the three of CPU 0 change places.
    fn task(self, task: u8) -> u8 {
        match (task, self.task) {
            (task @ 0..=2, mine @ 0..=2) => (task + mine) % 3,
            (0, mine) => mine,
            (task, _) => task,
        }
    }

    fn pages(self, pages: Pages) -> Pages {
        if pages.mm.is_kernel() && (LINEAR_PAGE..SHADOW_PAGE).contains(&pages.first) {
            let frame = (pages.first - LINEAR_PAGE + self.frames) % FRAMES;
            return Pages { first: LINEAR_PAGE + frame, ..pages };
        }
        let first = match pages.first {
            own @ 0..OWN => (own + self.pages) % PAGES,
            of_t1 @ OWN..OWN_TWICE => of_t1 - OWN + OWN * u16::from(self.task(1).min(2)),
            others => others,
        };
        let size = if pages.size == Size::Small { self.size } else { pages.size };
        Pages { mm: Mm((pages.mm.0 + self.spaces) % 3), first, size, ..pages }
    }
}
