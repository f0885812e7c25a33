//! Changing programs: what a fuzzer does between two runs, on whole operations and blocks instead of bytes.
//!
//! [`mutate`] applies one to four of [`Kind`]; [`crossover`] makes a program of two. Both are deterministic in their
//! `random`, keep every limit, and mostly keep a legal program legal, because a run is judged up to its program's first
//! misuse: a guess ([`scene`]) is made again when a change looks like one, and a fifth of the changes are not looked at.
//! What is drawn is what defects of the past needed (nesting, pauses, what comes between halves of calls and into
//! sections, full batches, several sizes, address spaces and CPUs, pages used again); the tables of `snippet` and `value`
//! say it. Not here: judging, and bytes. Called by the fuzz targets.

mod cross;
mod draft;
mod scene;
mod snippet;
mod value;

use lazy_mmu_arches::page::{PAGES, SHADOW_PAGE, Size};

pub use cross::crossover;
pub use value::{CAPACITIES, REPEATS};

use super::bytes::{KINDS, RECORD, decode_op};
use super::generate::{Random, legal};
use super::{Block, MAX_OPS, Op, Pages, Program};
use draft::Draft;
use scene::{Place, Scene};
use snippet::{OWN, Shift, Snippet, snippets, wraps};

/// A way to change a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Any one operation is put in.
    Insert,
    /// Pages are mapped and used before the section that does something with them: there is a translation to forget.
    Map,
    /// A change of pages, a look at them, or a flush is put in.
    Memory,
    /// The other CPU uses pages of an address space that a section is about to change.
    Visit,
    /// A short sequence of a caller's or a handler's is put in.
    Snippet,
    /// A generated legal sequence is put in.
    Fragment,
    /// A run goes, a unit, or a single operation.
    Delete,
    /// A block's braces go, or both ends of a section, a pause or a lock; what is inside stays.
    Unwrap,
    /// A run is there twice.
    Duplicate,
    /// A run goes elsewhere.
    Move,
    /// Something goes round a run: a section, a pause, a handler, a lock, a repetition, another task.
    Wrap,
    /// Something happens between the halves of a call, or what happens there happens in another call.
    Halves,
    /// A count comes to where something fills.
    Stretch,
    /// An operation is about the pages of another one.
    Meet,
    /// A size, an address space, a protection, a task, a CPU, or a kind of handler or of pair.
    Change,
    /// Another operation on the same pages.
    Replace,
    /// One more, or one less.
    Nudge,
}

/// Every kind and how often it is drawn, relative to the others.
pub const KINDS_OF_MUTATION: [(Kind, u32); 17] = [
    (Kind::Insert, 2),
    (Kind::Map, 6),
    (Kind::Memory, 6),
    (Kind::Visit, 4),
    (Kind::Snippet, 10),
    (Kind::Fragment, 2),
    (Kind::Delete, 9),
    (Kind::Unwrap, 3),
    (Kind::Duplicate, 4),
    (Kind::Move, 5),
    (Kind::Wrap, 8),
    (Kind::Halves, 8),
    (Kind::Stretch, 5),
    (Kind::Meet, 6),
    (Kind::Change, 6),
    (Kind::Replace, 4),
    (Kind::Nudge, 4),
];

/// One in so many mutations is not looked at: misuse is worth a try too.
const UNSEEN: u32 = 5;
/// How often a change is made anew that does nothing or looks like a misuse.
const ATTEMPTS: u32 = 5;
/// At most so many kinds are applied at once.
const STACKED: u32 = 4;

/// A program that differs from `program` a little: within every limit, of at most `max_ops` operations.
///
/// It is `program` itself only if there is no other of at most `max_ops` operations.
#[must_use]
pub fn mutate(program: &Program, random: &mut Random, max_ops: usize) -> Program {
    let max_ops = max_ops.min(MAX_OPS);
    let looked_at = !random.one_in(UNSEEN) && Scene::is_plausible(program.ops());
    let mut draft = Draft::new(random, max_ops);
    draft.ops.reserve(program.ops().len() + 64);
    for _ in 0..ATTEMPTS {
        draft.ops.clear();
        draft.ops.extend_from_slice(program.ops());
        if draft.ops.len() > max_ops {
            draft.ops = Program::fitted(draft.ops, max_ops).ops;
        }
        draft.change();
        if draft.ops != program.ops() && (!looked_at || Scene::is_plausible(&draft.ops)) {
            break;
        }
    }
    let made = Program::fitted(draft.ops, max_ops);
    if made == *program { another(program, max_ops) } else { made }
}

/// The simplest program that is not this one.
fn another(program: &Program, max_ops: usize) -> Program {
    let ops = program.ops().iter().copied();
    let longer = Program::fitted([Op::Query].into_iter().chain(ops), max_ops);
    if longer == *program { Program::fitted([Op::Enable], max_ops) } else { longer }
}

impl Draft<'_> {
    /// Applies a few kinds.
    fn change(&mut self) {
        for _ in 0..STACKED {
            // A kind may find nothing to change: another one will.
            for _ in 0..2 * ATTEMPTS {
                let kind = self.kind();
                if self.apply(kind) {
                    break;
                }
            }
            if self.random.one_in(2) {
                return;
            }
        }
    }

    fn kind(&mut self) -> Kind {
        let total = KINDS_OF_MUTATION.iter().map(|kind| kind.1).sum();
        let mut drawn = self.random.below(total);
        let hit = KINDS_OF_MUTATION.iter().find(|&&(_, weight)| {
            let hit = drawn < weight;
            drawn = drawn.wrapping_sub(weight);
            hit
        });
        hit.map_or(Kind::Snippet, |kind| kind.0)
    }

    /// Applies one kind; false if there is nothing for it to change, or no room.
    fn apply(&mut self, kind: Kind) -> bool {
        match kind {
            Kind::Insert => self.insert_any(),
            Kind::Map => self.map(),
            Kind::Memory => self.insert_memory(),
            Kind::Visit => self.visit(),
            Kind::Snippet => self.insert_snippet(),
            Kind::Fragment => self.insert_fragment(),
            Kind::Delete => self.delete(),
            Kind::Unwrap => self.unwrap_run(),
            Kind::Duplicate => self.duplicate(),
            Kind::Move => self.move_run(),
            Kind::Wrap => self.wrap(),
            Kind::Halves => self.halves(),
            Kind::Stretch => self.alter(|draft, op| value::stretched(draft.random, op)),
            Kind::Meet => self.meet(),
            Kind::Change => {
                self.random.one_in(5) && self.change_pair() || self.alter(|d, op| value::changed(d.random, op))
            }
            Kind::Replace => self.alter(|draft, op| value::replaced(draft.random, op)),
            Kind::Nudge => self.alter(|draft, op| value::nudged(draft.random, op)),
        }
    }

    fn insert_any(&mut self) -> bool {
        let mut record: [u8; RECORD] = [0; RECORD];
        record.copy_from_slice(&self.random.next().to_le_bytes()[..RECORD]);
        record[0] = self.random.below(u32::from(KINDS)) as u8;
        if !self.random.one_in(8) {
            // Near the start, and few: there operations meet.
            (record[2], record[3], record[4], record[5]) = (record[2] & 15, 0, record[4] & 7, 0);
        }
        let at = self.gap();
        match decode_op(record) {
            Op::Close => false,
            open @ Op::Open(_) => self.insert(at, &[open, Op::Close]),
            op => self.insert(at, &[op]),
        }
    }

    /// Pages that belong to whoever acts, and often ones that are used already.
    fn pages(&mut self, scene: &Scene) -> Pages {
        let own = own_pages(scene);
        if !self.random.one_in(3) {
            for _ in 0..2 {
                let used = self.find(|draft, at| value::pages_of(draft.ops[at]).is_some());
                let used = used.and_then(|at| value::pages_of(self.ops[at]));
                if let Some(used) = used.filter(|used| (own..own + OWN).contains(&used.first)) {
                    return used;
                }
            }
        }
        let mm = lazy_mmu_arches::page::Mm(self.random.below(3) as u8);
        Pages { count: 1 + self.random.below(3) as u16, ..Pages::one(mm, own + self.random.below(16) as u16) }
    }

    fn insert_memory(&mut self) -> bool {
        let at = self.gap();
        let scene = Scene::at(&self.ops, at);
        let pages = self.pages(&scene);
        let write = Op::Set(pages, super::Protection::Write);
        let op = value::replaced(self.random, write).filter(|_| scene.is_fresh(pages) && !self.random.one_in(3));
        self.insert(at, &[op.unwrap_or(write)])
    }

    /// Maps the pages of an operation where nothing is open before it, and uses them, perhaps on the other CPU too.
    fn map(&mut self) -> bool {
        let changes = |draft: &Draft<'_>, at: usize| {
            matches!(
                draft.ops[at],
                Op::Clear(_) | Op::Wrprotect(_) | Op::Set(..) | Op::GatherFlush(_) | Op::TlbFlush(_)
            )
        };
        let found = self.find(changes);
        let Some((at, pages)) = found.and_then(|at| Some((at, value::pages_of(self.ops[at])?))) else { return false };
        let mut scene = Scene::new();
        let (mut before, mut cpu) = (0, 0);
        for (gap, &op) in self.ops[..=at].iter().enumerate() {
            if scene.place() == Place::Outside && !scene.in_block() {
                (before, cpu) = (gap, scene.cpu());
            }
            scene.step(op);
        }
        let use_it = [Op::Set(pages, super::Protection::Write), Op::Access(pages)];
        let there = [Op::Cpu(1 - cpu), Op::Access(pages), Op::Cpu(cpu)];
        let everywhere = self.random.one_in(3);
        (!everywhere || self.insert(before, &there)) && self.insert(before, &use_it)
    }

    /// Beside a change in a section the other CPU uses the same address space: whoever runs there, or a task that comes there
    /// and goes again.
    fn visit(&mut self) -> bool {
        let mut scene = Scene::new();
        let (mut seen, mut found) = (0, None);
        for (at, &op) in self.ops.iter().enumerate() {
            let changes = matches!(op, Op::Clear(_) | Op::Wrprotect(_) | Op::Set(..));
            if changes && scene.place() == Place::Inside {
                seen += 1;
                // Each of them is drawn with the same probability.
                if self.random.one_in(seen) {
                    found = Some((at, scene.clone()));
                }
            }
            scene.step(op);
        }
        let Some((at, scene)) = found else { return false };
        let Some(pages) = value::pages_of(self.ops[at]) else { return false };
        let (here, there) = (scene.cpu(), 1 - scene.cpu());
        let count = 1 + self.random.below(2) as u16;
        let used = Pages { first: (pages.first + self.random.below(3) as u16) % PAGES, count, ..pages };
        let behind = usize::from(self.random.one_in(3));
        let guest = if self.random.one_in(3) { scene.idle() } else { None };
        match guest {
            Some(guest) => {
                let back = [Op::Switch(scene.running(there)), Op::Migrate(guest, here), Op::Cpu(here)];
                let come = [Op::Cpu(there), Op::Migrate(guest, there), Op::Switch(guest), Op::Access(used)];
                self.insert(at + behind, &[&come[..], &back].concat())
            }
            None => self.insert(at + behind, &[Op::Cpu(there), Op::Access(used), Op::Cpu(here)]),
        }
    }

    /// How a snippet is moved so that it fits where it is put.
    fn shift(&mut self, scene: &Scene) -> Shift {
        let pages = self.pages(scene);
        let size = if self.random.one_in(8) { self.one_of(&[Size::Large, Size::Huge]) } else { Size::Small };
        let spaces = if self.random.one_in(2) { 0 } else { self.random.below(3) as u8 };
        Shift { task: scene.task(), pages: pages.first, spaces, frames: self.random.below(8) as u16, size }
    }

    /// A snippet that may stand at a place, moved there.
    fn snippet(&mut self, scene: &Scene, from: &'static [Snippet]) -> Vec<Op> {
        let place = scene.place();
        let suitable = || from.iter().filter(|snippet| snippet.suits(place));
        let drawn = self.below(suitable().count());
        let shift = self.shift(scene);
        let found = suitable().nth(drawn);
        found.map_or_else(Vec::new, |snippet| snippet.ops.iter().map(|&op| shift.apply(op)).collect())
    }

    fn insert_snippet(&mut self) -> bool {
        let at = self.gap();
        let scene = Scene::at(&self.ops, at);
        let ops = self.snippet(&scene, snippets());
        self.insert(at, &ops)
    }

    /// Where T0 runs with nothing open: a generated program begins and ends so.
    fn insert_fragment(&mut self) -> bool {
        let at = self.gap();
        let scene = Scene::at(&self.ops, at);
        if !scene.joins(&Scene::new()) {
            return false;
        }
        let length = 2 + self.random.below(12) as usize;
        let fragment = legal(self.random.next(), length);
        self.insert(at, fragment.ops())
    }

    fn delete(&mut self) -> bool {
        let run = match self.random.below(8) {
            0 => self.find(|draft, at| !matches!(draft.ops[at], Op::Open(_) | Op::Close)).map(|at| at..at + 1),
            1 => self.find(|draft, at| matches!(draft.ops[at], Op::Open(_))).map(|at| at..self.block_end(at)),
            2 | 3 => self.run(),
            _ => self.unit(),
        };
        run.is_some_and(|run| self.remove(run))
    }

    fn unwrap_run(&mut self) -> bool {
        let Some(at) = self.find(|draft, at| matches!(draft.ops[at], Op::Open(_)) || draft.partner(at).is_some())
        else {
            return false;
        };
        let end = match self.ops[at] {
            Op::Open(_) => self.block_end(at) - 1,
            _ => self.partner(at).unwrap_or(at),
        };
        if self.ops.len() == 2 {
            return false;
        }
        self.ops.remove(end);
        self.ops.remove(at);
        true
    }

    fn duplicate(&mut self) -> bool {
        let Some(run) = self.run() else { return false };
        let copy = self.ops[run.clone()].to_vec();
        let at = if self.random.one_in(2) { run.end } else { self.gap() };
        self.insert(at, &copy)
    }

    fn move_run(&mut self) -> bool {
        let Some(run) = self.run() else { return false };
        let place = Scene::at(&self.ops, run.start).place();
        let moved: Vec<Op> = self.ops.drain(run.clone()).collect();
        let mut to = self.gap();
        for _ in 0..2 {
            if to != run.start && Scene::at(&self.ops, to).place() == place {
                break;
            }
            to = self.gap();
        }
        self.ops.splice(to..to, moved);
        to != run.start
    }

    fn wrap(&mut self) -> bool {
        let Some(run) = self.run() else { return false };
        let scene = Scene::at(&self.ops, run.start);
        let around = self.snippet(&scene, wraps());
        let Some(hole) = around.iter().position(|&op| op == Op::Query) else { return false };
        if around.len() > self.room() + 1 {
            return false;
        }
        self.insert(run.end, &around[hole + 1..]) && self.insert(run.start, &around[..hole])
    }

    fn halves(&mut self) -> bool {
        if self.random.one_in(3) && self.move_halves() {
            return true;
        }
        let Some(call) = self.find(|draft, at| draft.ops[at].has_halves()) else { return false };
        let mut scene = Scene::at(&self.ops, call);
        scene.step(self.ops[call]);
        scene.step(Op::Open(Block::Between));
        // A call of a handler has no scheduling point that a task could use.
        let ops = match scene.place() {
            Place::Half if self.random.one_in(4) => self.run().map_or_else(Vec::new, |run| self.ops[run].to_vec()),
            _ => self.snippet(&scene, snippets()),
        };
        if ops.is_empty() || self.room() < ops.len() + 2 {
            return false;
        }
        if !self.is_joined(call + 1) {
            self.ops.splice(call + 1..call + 1, [Op::Open(Block::Between), Op::Close]);
        }
        self.insert(call + 2, &ops)
    }

    /// What happens between the halves of a call happens in another.
    fn move_halves(&mut self) -> bool {
        let Some(from) = self.find(|draft, at| draft.is_joined(at)) else { return false };
        let block: Vec<Op> = self.ops.drain(from..self.block_end(from)).collect();
        let to = self.find(|draft, at| at + 1 != from && draft.ops[at].has_halves() && !draft.is_joined(at + 1));
        let at = to.map_or(from, |call| call + 1);
        self.ops.splice(at..at, block);
        at != from
    }

    /// Makes another operation of one of those that can be made something of.
    fn alter(&mut self, make: impl Fn(&mut Draft<'_>, Op) -> Option<Op>) -> bool {
        for _ in 0..ATTEMPTS {
            let at = self.below(self.ops.len());
            let Some(&op) = self.ops.get(at) else { return false };
            if let Some(made) = make(self, op).filter(|made| *made != op) {
                self.ops[at] = made;
                return true;
            }
        }
        false
    }

    fn meet(&mut self) -> bool {
        let has_pages = |draft: &Draft<'_>, at: usize| value::pages_of(draft.ops[at]).is_some();
        let (Some(at), Some(with)) = (self.find(has_pages), self.find(has_pages)) else { return false };
        let others = value::pages_of(self.ops[with]).filter(|_| at != with);
        let made = others.and_then(|others| value::met(self.random, self.ops[at], others));
        let Some(made) = made.filter(|made| *made != self.ops[at]) else { return false };
        self.ops[at] = made;
        true
    }

    /// A section becomes a pause, a lock something else that keeps others away, and back.
    fn change_pair(&mut self) -> bool {
        let Some(at) = self.find(|draft, at| draft.partner(at).is_some()) else { return false };
        let end = self.partner(at);
        let (Some(end), Some(pair)) = (end, value::other_pair(self.random, self.ops[at])) else { return false };
        (self.ops[at], self.ops[end]) = pair;
        true
    }
}

/// The first page of whoever acts: as generated legal programs share them out, so that contexts seldom race.
fn own_pages(scene: &Scene) -> u16 {
    match (scene.place(), scene.task()) {
        (Place::Handler, _) => SHADOW_PAGE,
        (_, task @ 0..=2) => OWN * u16::from(task),
        _ => 1950,
    }
}

#[cfg(test)]
mod tests;
