//! Programs in which every caller keeps to the rules of the counted generation (`contract/legality.rs` has them in words).
//!
//! Sections and pauses nest properly, interrupts balance, nobody sleeps in a section. What a section has changed is not
//! read back, used or changed in place before a nested `disable` or a `pause`, and no other context touches it: each task
//! and the handlers have pages of their own, and only another CPU's accesses go anywhere. Some programs make tasks, outside
//! any section; these are scheduled like the others, and end. The other CPU uses address spaces in the middle of sections,
//! by its own task or by a thread that comes there and goes again. Tasks are preempted anywhere, in sections and
//! between the halves of calls too; where a backend keeps preemption off there, the run is judged up to that point.

use lazy_mmu_arches::page::{LINEAR_PAGE, Mm, SHADOW_PAGE, Size};

use super::Random;
use crate::{Allocation, Block, Op, Pages, Program, Protection};

/// A program of about `length` operations in which every caller keeps to the rules of the counted generation.
#[must_use]
pub fn legal(seed: u64, length: usize) -> Program {
    let mut random = Random::new(seed ^ 0x6c65_6761_6c00_0000);
    // Half of the programs are judged to their end on every backend.
    let preempts = random.one_in(2);
    // Few make tasks: what Xen's hooks of 7.2 do to a new one hides what else might break (known/xen-new-task).
    let forks = random.one_in(8);
    let (ops, changed, recent) = (Vec::new(), Vec::new(), Vec::new());
    let mut maker =
        Maker { random, ops, length, changed, recent, who: Who::Task(0), depth: 0, preempts, bh_off: false };
    while maker.ops.len() < length {
        if maker.random.one_in(4) {
            maker.map_and_use();
        }
        if maker.random.one_in(6) {
            let other = maker.other_task();
            maker.switch(other);
        }
        maker.outside();
        if forks && maker.random.one_in(4) {
            maker.child();
        }
    }
    // T0 ends where it began, so that nothing depends on which task happens to be last.
    maker.ops.push(Op::Switch(0));
    Program::new(maker.ops).unwrap_or_default()
}

/// Whose operations are being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Task(u8),
    Handler,
}

impl Who {
    /// The first of its pages, in every address space; those of the linear map (1024 to 1535) are the page allocator's.
    fn pages(self) -> u16 {
        match self {
            Who::Task(0) => 0,
            Who::Task(1) => 410,
            Who::Task(2) => 820,
            Who::Task(4..) => 920,
            Who::Handler => SHADOW_PAGE,
            Who::Task(_) => 1950,
        }
    }

    /// Where those mapped by pages of a size begin: a caller knows the size of what it flushes.
    fn pages_of(self, size: Size) -> u16 {
        let small = if matches!(self, Who::Task(2..)) { 84 } else { 402 };
        match size {
            Size::Small => self.pages(),
            Size::Large => self.pages() + small,
            Size::Huge => self.pages() + small + 4,
        }
    }
}

struct Maker {
    random: Random,
    ops: Vec<Op>,
    length: usize,
    /// What the running task's section has changed since the last point where it is in effect.
    changed: Vec<Pages>,
    /// Whose pages were used last: they are used again, or nothing would ever be mapped, used and unmapped.
    recent: Vec<(Who, Pages)>,
    who: Who,
    /// How deep sections and pauses are nested.
    depth: u32,
    /// Whether tasks are preempted at all.
    preempts: bool,
    bh_off: bool,
}

impl Maker {
    fn is_full(&self) -> bool {
        self.ops.len() >= self.length
    }

    /// T0, T1 and T2 share CPU 0.
    fn other_task(&mut self) -> u8 {
        let Who::Task(task) = self.who else { return 0 };
        (task + 1 + self.random.below(2) as u8) % 3
    }

    /// Something outside any section.
    fn outside(&mut self) {
        match self.random.below(13) {
            0 | 1 => self.memory(),
            2 => self.flush(),
            3 => self.interrupt(),
            4 => self.paused(),
            5 => {
                self.ops.push(Op::BhOff);
                self.bh_off = true;
                let length = std::mem::replace(&mut self.length, self.ops.len() + 3);
                self.inside();
                self.length = length;
                self.bh_off = false;
                self.ops.push(Op::BhOn);
            }
            6 => self.on_the_other_cpu(),
            7 => self.life(),
            8 => self.taken_up(),
            _ => self.section(),
        }
        self.changed.clear();
    }

    /// The life of some pages: mapped, used on one CPU or both, changed in a section, perhaps by a task that moves to the
    /// other CPU meanwhile, flushed, and used again.
    fn life(&mut self) {
        let pages = self.pages();
        self.map_and_use();
        self.ops.extend([Op::Set(pages, Protection::Write), Op::Access(pages)]);
        let shared = self.random.one_in(2);
        if shared {
            self.ops.extend([Op::Cpu(1), Op::Access(pages), Op::Cpu(0)]);
        }
        self.ops.push(Op::Enable);
        let change = [
            Op::Clear(pages),
            Op::Wrprotect(pages),
            Op::Set(pages, Protection::Read),
            Op::Set(pages, Protection::Invalid),
        ];
        self.ops.push(change[self.random.below(4) as usize]);
        let moves = self.preempts && self.who == Who::Task(0) && self.random.one_in(2);
        if moves {
            // T1 takes CPU 0, and T0 goes on in T3's place.
            self.ops.extend([Op::Preempt(1), Op::Migrate(0, 1), Op::Cpu(1), Op::Switch(0)]);
        }
        self.ops.push(Op::Disable);
        let gather = !pages.mm.is_kernel() && self.random.one_in(2);
        self.ops.push(if gather { Op::GatherFlush(pages) } else { Op::TlbFlush(pages) });
        self.ops.push(Op::Access(pages));
        if moves {
            self.ops.extend([Op::Preempt(3), Op::Migrate(0, 0), Op::Cpu(0), Op::Switch(0)]);
        }
        if shared {
            self.ops.extend([Op::Cpu(1), Op::Access(pages), Op::Cpu(0)]);
        }
    }

    /// Pages of one address space change in a section, and in the middle of it the other CPU begins to use that address space:
    /// whoever decided at the section's beginning where its translations may be was too early.
    fn taken_up(&mut self) {
        let first = self.who.pages() + self.random.below(12) as u16;
        let mm = Mm([1, 1, 1, 2][self.random.below(4) as usize]);
        let many = matches!(self.who, Who::Task(0 | 1)) && self.random.one_in(12);
        let count =
            if many { [31, 63, 192, 193, 200][self.random.below(5) as usize] } else { 2 + self.random.below(3) };
        let pages = Pages { count: count as u16, ..Pages::one(mm, first) };
        let (before, rest) = self.halved(pages);
        self.ops.extend([Op::Set(pages, Protection::Write), Op::Access(pages), Op::Enable]);
        self.depth += 1;
        self.change(before);
        self.visit(rest);
        if self.random.one_in(4) {
            self.memory();
        }
        if self.is_fresh(rest) {
            self.change(rest);
        }
        if self.random.one_in(4) {
            self.visit(pages);
        }
        match self.random.below(6) {
            0 => self.ops.push(Op::Flush),
            1 => self.ops.extend([Op::Enable, Op::Disable]),
            2 => self.ops.extend([Op::Pause, Op::Resume]),
            _ => {}
        }
        self.depth -= 1;
        self.ops.push(Op::Disable);
        self.changed.clear();
        self.ops.push(if self.random.one_in(3) { Op::GatherFlush(pages) } else { Op::TlbFlush(pages) });
        self.visit(pages);
        self.ops.push(Op::Access(pages));
    }

    /// The pages in two parts, none of them empty.
    fn halved(&mut self, pages: Pages) -> (Pages, Pages) {
        let count = 1 + self.random.below(u32::from(pages.count) - 1) as u16;
        (Pages { count, ..pages }, Pages { first: pages.first + count, count: pages.count - count, ..pages })
    }

    /// Pages that are mapped change, or go elsewhere.
    fn change(&mut self, pages: Pages) {
        self.changed.push(pages);
        match self.random.below(6) {
            0 => self.ops.push(Op::Wrprotect(pages)),
            1 => self.ops.push(Op::Set(pages, Protection::Read)),
            2 if pages.count < 8 => {
                let to = Pages { first: pages.first + 40, ..pages };
                self.ops.extend([Op::Clear(pages), Op::Set(to, Protection::Write)]);
                self.changed.push(to);
            }
            _ => self.ops.push(Op::Clear(pages)),
        }
    }

    /// The other CPU uses pages: its own task, or a thread of U that comes there for it.
    fn visit(&mut self, pages: Pages) {
        let thread = match self.who {
            Who::Task(0) => Some(2),
            Who::Task(2) => Some(0),
            _ => None,
        };
        let thread = thread.filter(|_| self.random.one_in(3));
        self.ops.push(Op::Cpu(1));
        if let Some(thread) = thread {
            self.ops.extend([Op::Migrate(thread, 1), Op::Switch(thread)]);
        }
        self.ops.push(Op::Access(pages));
        if let Some(thread) = thread {
            if self.random.one_in(3) {
                let me = std::mem::replace(&mut self.who, Who::Task(thread));
                let changed = std::mem::take(&mut self.changed);
                self.ops.push(Op::Enable);
                self.memory();
                self.ops.push(Op::Disable);
                (self.who, self.changed) = (me, changed);
            }
            self.ops.extend([Op::Switch(3), Op::Migrate(thread, 0)]);
        }
        self.ops.push(Op::Cpu(0));
    }

    /// A task is made, runs among the others, and ends, by itself or while another runs. All have the same pages: one lives
    /// at a time.
    fn child(&mut self) {
        let child = 4 + self.random.below(4) as u8;
        self.ops.push(Op::Fork(child));
        if self.random.one_in(3) {
            self.outside();
        }
        for _ in 0..self.random.below(5) {
            self.switch(child);
            self.outside();
            if self.random.one_in(2) {
                let other = self.other_task();
                self.switch(other);
                self.outside();
            }
        }
        if self.who == Who::Task(child) && self.random.one_in(2) {
            let other = self.other_task();
            self.switch(other);
        }
        self.ops.push(Op::Exit(child));
        if self.who == Who::Task(child) {
            // The lowest-numbered task that can run is next.
            self.who = Who::Task(0);
        }
    }

    /// This CPU goes to another task.
    fn switch(&mut self, other: u8) {
        if self.who != Who::Task(other) {
            self.ops.push(Op::Switch(other));
            self.who = Who::Task(other);
        }
    }

    /// Pages are mapped and used: what comes later unmaps them while CPUs know them.
    fn map_and_use(&mut self) {
        let pages = self.pages();
        let exec = if self.random.one_in(4) { Protection::Exec } else { Protection::Write };
        self.ops.extend([Op::Set(pages, exec), Op::Access(pages)]);
    }

    /// A section, nested to some depth.
    fn section(&mut self) {
        self.depth += 1;
        self.ops.push(Op::Enable);
        self.halves(true);
        self.inside();
        self.ops.push(Op::Disable);
        self.changed.clear();
        self.halves(false);
        self.depth -= 1;
    }

    fn paused(&mut self) {
        self.depth += 1;
        self.ops.push(Op::Pause);
        self.changed.clear();
        self.halves(false);
        self.inside();
        self.ops.push(Op::Resume);
        self.halves(false);
        self.depth -= 1;
    }

    /// An injection at the scheduling point of the call just made.
    fn halves(&mut self, begins: bool) {
        if !self.random.one_in(6) {
            return;
        }
        self.ops.push(Op::Open(Block::Between));
        let rarely = if begins { 2 } else { 4 };
        if self.depth == 1 && self.random.one_in(rarely) {
            self.preemption();
        } else {
            self.interrupt();
        }
        self.ops.push(Op::Close);
    }

    /// Another task gets the CPU, does something, and gives it back. T3 never is preempted.
    fn preemption(&mut self) {
        let me = self.who;
        let Who::Task(task @ (0..=2 | 4..)) = me else { return };
        if !self.preempts || self.bh_off {
            return;
        }
        let other = self.other_task();
        self.ops.push(Op::Preempt(other));
        let changed = std::mem::take(&mut self.changed);
        let depth = std::mem::replace(&mut self.depth, 7);
        self.who = Who::Task(other);
        if self.random.one_in(2) {
            self.ops.push(Op::Enable);
            self.memory();
            self.ops.push(Op::Disable);
            self.changed.clear();
        }
        (self.changed, self.depth, self.who) = (changed, depth, me);
        self.ops.push(Op::Switch(task));
    }

    /// What goes on inside a section or a pause.
    fn inside(&mut self) {
        for _ in 0..=self.random.below(5) {
            if self.is_full() {
                return;
            }
            match self.random.below(20) {
                0 | 1 if self.depth < 5 => self.section(),
                2 if self.depth < 5 => self.paused(),
                3 => self.interrupt(),
                4 => self.ops.push(Op::Query),
                5 if self.random.one_in(3) && self.depth > 0 => self.preemption(),
                6 => self.kernels_own(),
                8 if !self.random.one_in(3) => {
                    let pages = self.pages();
                    self.visit(pages);
                }
                9 if self.random.one_in(2) => {
                    let frame = self.random.below(8) as u16;
                    let alloc = self.random.one_in(2);
                    let how = Allocation::Plain;
                    self.ops.push(if alloc { Op::Alloc(frame, how) } else { Op::Free(frame, how) });
                }
                7 if self.random.one_in(2) => {
                    self.ops.push(Op::Flush);
                    self.changed.clear();
                }
                _ => self.memory(),
            }
        }
    }

    fn interrupt(&mut self) {
        let block = [Block::Irq, Block::Softirq, Block::Nmi][self.random.below(3) as usize];
        self.ops.push(Op::Open(block));
        let me = std::mem::replace(&mut self.who, Who::Handler);
        let changed = std::mem::take(&mut self.changed);
        for _ in 0..=self.random.below(2) {
            if self.random.one_in(3) {
                self.ops.extend([Op::Enable, Op::Disable]);
            } else {
                self.memory();
            }
        }
        (self.who, self.changed) = (me, changed);
        self.ops.push(Op::Close);
    }

    /// T3 makes a section of its own, and looks at what the others changed.
    fn on_the_other_cpu(&mut self) {
        let me = std::mem::replace(&mut self.who, Who::Task(3));
        self.ops.push(Op::Cpu(1));
        self.ops.push(Op::Enable);
        self.memory();
        self.memory();
        self.ops.push(Op::Disable);

        let pages = Pages { count: 4, ..Pages::one(self.space(), me.pages() + self.random.below(8) as u16) };
        self.ops.push(Op::Access(pages));
        self.who = me;
        self.ops.push(Op::Cpu(0));
    }

    fn space(&mut self) -> Mm {
        Mm(self.random.below(3) as u8)
    }

    /// Pages of whoever acts: often those of before.
    fn pages(&mut self) -> Pages {
        let mine: Vec<Pages> =
            self.recent.iter().rev().filter(|(who, _)| *who == self.who).map(|(_, pages)| *pages).take(4).collect();
        if !mine.is_empty() && !self.random.one_in(3) {
            return mine[self.random.below(mine.len() as u32) as usize];
        }
        let pages = self.other_pages();
        self.recent.push((self.who, pages));
        pages
    }

    fn other_pages(&mut self) -> Pages {
        let mut pages = Pages::one(self.space(), self.who.pages() + self.random.below(16) as u16);
        pages.count = match self.random.below(48) {
            // Theirs are few.
            0 if matches!(self.who, Who::Task(2..)) => 31 + self.random.below(33) as u16,
            0 => [31, 32, 63, 191, 192, 193, 385][self.random.below(7) as usize],
            1..=12 => 1 + self.random.below(8) as u16,
            _ => 1,
        };
        if self.random.one_in(8) {
            pages.size = if self.random.one_in(2) { Size::Large } else { Size::Huge };
            pages.first = self.who.pages_of(pages.size) + self.random.below(2) as u16;
            pages.count = pages.count.min(2);
        }
        pages
    }

    /// Whether the running task's section has changed none of the pages.
    fn is_fresh(&self, pages: Pages) -> bool {
        let meets = |other: &Pages| {
            let (a, b) = (u32::from(pages.first), u32::from(other.first));
            other.mm == pages.mm && a < b + u32::from(other.count) && b < a + u32::from(pages.count)
        };
        !self.changed.iter().any(meets)
    }

    /// A change of entries, or a look at them.
    fn memory(&mut self) {
        let pages = self.pages();
        let fresh = self.is_fresh(pages);
        let protection = [Protection::Write, Protection::Read, Protection::Exec, Protection::Invalid];
        let op = match self.random.below(12) {
            3..=5 if fresh => Op::Access(pages),
            6 | 7 if fresh => Op::Clear(pages),
            8 | 9 if fresh => Op::Wrprotect(pages),
            10 if fresh => Op::Get(pages),
            11 => return self.kernels_own(),
            2 => Op::Set(pages, protection[self.random.below(4) as usize]),
            _ => Op::Set(pages, Protection::Write),
        };
        if matches!(op, Op::Set(..) | Op::Clear(_) | Op::Wrprotect(_)) {
            self.changed.push(pages);
        }
        self.ops.push(op);
    }

    /// What makes its change for its own use: the page allocator, a kmap, a fault, KASAN.
    fn kernels_own(&mut self) {
        // DEBUG_PAGEALLOC flushes this CPU alone on some architectures: each CPU has frames of its own.
        let other_cpu = self.who == Who::Task(3);
        let frame = self.random.below(8) as u16 + if other_cpu { 200 } else { 0 };
        let page = self.who.pages() + 72 + self.random.below(4) as u16;
        match self.random.below(8) {
            0 | 1 => {
                self.ops.push(Op::Alloc(frame, Allocation::Debug));
                if self.random.one_in(2) {
                    self.ops.push(Op::Access(Pages::one(Mm::KERNEL, LINEAR_PAGE + frame)));
                }
            }
            2 | 3 => self.ops.push(Op::Free(frame, Allocation::Debug)),
            4 if self.who != Who::Task(3) => self.ops.push(Op::Fault(page)),
            5 if self.who != Who::Task(3) => self.ops.extend([Op::Kmap(page), Op::Kunmap(page)]),
            n if self.who != Who::Handler => {
                let mut pages = Pages::one(Mm::KERNEL, self.who.pages() + self.random.below(16) as u16);
                pages.count = 1 + self.random.below(4) as u16;
                self.ops.push(if n == 6 { Op::KasanPopulate(pages) } else { Op::KasanDepopulate(pages) });
                self.changed.clear();
            }
            _ => self.ops.push(Op::Query),
        }
    }

    /// What a caller does behind a section: a flush, and the end of an mmu_gather, which frees pages.
    fn flush(&mut self) {
        let pages = self.pages();
        let op = match self.random.below(3) {
            0 if !pages.mm.is_kernel() => Op::GatherFlush(pages),
            1 => Op::Flush,
            _ => Op::TlbFlush(pages),
        };
        self.ops.push(op);
    }
}
