//! What is going on at a place of a program, as far as its text tells: who runs, what is open, what may be deferred.
//!
//! A mutator's guess, cheap and one pass: it lets most mutations of a legal program keep it legal. It is no oracle and
//! judges nobody; what callers may do is decided by `contract/legality.rs` on traces. Called by the mutator alone.

use lazy_mmu_arches::page::{LINEAR_PAGE, Mm};

use crate::{Allocation, Block, CPUS, LOCKS, Op, Pages, TASKS};

/// What may stand somewhere. Whatever may happen at one of the first three may also happen at those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A task with nothing open: it may sleep.
    Outside,
    /// A task in a section or a pause, or with something off.
    Inside,
    /// A handler.
    Handler,
    /// Between the halves of the running task's call: it does nothing itself.
    Half,
}

/// Changes that are remembered, the latest: more than this are no program that a mutator makes.
const CHANGES: usize = 32;

/// Sections and pauses that are open in one context, the innermost lowest; what is deeper than 64 is not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Brackets {
    pauses: u64,
    interrupt: u64,
    depth: u16,
}

impl Brackets {
    fn begin(&mut self, pause: bool, interrupt: bool) {
        self.pauses = self.pauses << 1 | u64::from(pause);
        self.interrupt = self.interrupt << 1 | u64::from(interrupt);
        self.depth += 1;
    }

    /// Whether the end matches the innermost beginning.
    fn end(&mut self, pause: bool, interrupt: bool) -> bool {
        let matches = self.depth > 0
            && (self.depth > 64 || (self.pauses & 1 == u64::from(pause) && self.interrupt & 1 == u64::from(interrupt)));
        self.pauses >>= 1;
        self.interrupt >>= 1;
        self.depth = self.depth.saturating_sub(1);
        matches
    }

    /// Whether changes may be deferred: a section is open that counts, and no pause.
    fn active(self) -> bool {
        let open = u64::MAX.checked_shl(self.depth.into()).map_or(u64::MAX, |above| !above) & !self.interrupt;
        self.pauses & open == 0 && open != 0
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Task {
    brackets: Brackets,
    bottom_halves_off: u16,
    /// Locks, interrupts, preemption.
    off: u16,
    /// Locks alone, bit by bit.
    locks: u8,
    /// Calls of which it stands between the halves.
    halves: u16,
}

/// An open block, and what its end brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opened {
    block: Block,
    who: Who,
    /// What was open when it began; a handler begins with nothing.
    brackets: Brackets,
}

/// Which task is where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Who {
    cpu: u8,
    running: [u8; CPUS as usize],
}

/// The state at one place of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scene {
    who: Who,
    /// Each task's CPU; no task exists without one.
    homes: [Option<u8>; TASKS as usize],
    tasks: [Task; TASKS as usize],
    handlers: u16,
    private: u16,
    blocks: Vec<Opened>,
    /// What open sections have changed, which task's they are, and the locks that it held.
    changed: Vec<(u8, Pages, u8)>,
    /// Whether something before this was a misuse, as far as one can see.
    doubtful: bool,
    after_call: bool,
}

impl Scene {
    /// Before the first operation.
    pub(super) fn new() -> Scene {
        Scene {
            who: Who { cpu: 0, running: [0, 3] },
            homes: [Some(0), Some(0), Some(0), Some(1), None, None, None, None],
            tasks: [Task::default(); TASKS as usize],
            handlers: 0,
            private: 0,
            blocks: Vec::new(),
            changed: Vec::new(),
            doubtful: false,
            after_call: false,
        }
    }

    /// The state before the operation at `at`.
    pub(super) fn at(ops: &[Op], at: usize) -> Scene {
        let mut scene = Scene::new();
        ops[..at].iter().for_each(|&op| scene.step(op));
        scene
    }

    /// Whether the operations misuse nothing that one could see, and leave nothing open.
    pub(super) fn is_plausible(ops: &[Op]) -> bool {
        let mut scene = Scene::new();
        ops.iter().all(|&op| {
            scene.step(op);
            !scene.doubtful
        }) && scene.tasks.iter().all(|task| task.brackets.depth == 0)
    }

    /// Who runs here.
    pub(super) fn task(&self) -> u8 {
        self.who.running[usize::from(self.who.cpu)]
    }

    /// On which CPU.
    pub(super) fn cpu(&self) -> u8 {
        self.who.cpu
    }

    /// Who runs on a CPU.
    pub(super) fn running(&self, cpu: u8) -> u8 {
        self.who.running[usize::from(cpu)]
    }

    /// The last task that exists and runs nowhere, with nothing open.
    pub(super) fn idle(&self) -> Option<u8> {
        let rests = |&task: &u8| {
            let nothing_open = self.tasks[usize::from(task)] == Task::default();
            self.homes[usize::from(task)] == Some(self.who.cpu) && !self.who.running.contains(&task) && nothing_open
        };
        (0..TASKS).rev().find(rests)
    }

    /// What may stand here.
    pub(super) fn place(&self) -> Place {
        let task = self.tasks[usize::from(self.task())];
        if self.handlers > 0 {
            Place::Handler
        } else if task.halves > 0 {
            Place::Half
        } else if task.brackets.depth > 0 || task.off > 0 || task.bottom_halves_off > 0 {
            Place::Inside
        } else {
            Place::Outside
        }
    }

    /// Whether a program that comes here may go on as another does from a place where this holds.
    pub(super) fn joins(&self, other: &Scene) -> bool {
        self.blocks.is_empty()
            && other.blocks.is_empty()
            && (self.who, self.homes, self.tasks) == (other.who, other.homes, other.tasks)
    }

    /// Whether a block is open, so that a program could not be cut here.
    pub(super) fn in_block(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Whether no open section has changed the pages: then they may be read, used and changed in place.
    pub(super) fn is_fresh(&self, pages: Pages) -> bool {
        !self.changed.iter().any(|&(_, changed, _)| meet(changed, pages))
    }

    /// Goes on by one operation.
    pub(super) fn step(&mut self, op: Op) {
        let me = usize::from(self.task());
        let after_call = std::mem::replace(&mut self.after_call, op.has_halves());
        match op {
            Op::Open(block) => return self.open(block, after_call),
            Op::Close => return self.close(),
            _ if self.handlers == 0 && self.tasks[me].halves > 0 => return self.schedule(op),
            Op::Enable | Op::Pause => self.begin(op == Op::Pause),
            Op::Disable | Op::Resume => self.end(op == Op::Resume),
            Op::TaskPause(_) | Op::TaskResume(_) => self.doubtful = true,
            Op::Flush if self.handlers == 0 => self.settle(),
            Op::Set(pages, _) => self.change(pages, false),
            Op::Clear(pages) | Op::Wrprotect(pages) => self.change(pages, true),
            Op::Get(pages) | Op::RawGet(pages) => self.touch(pages, true),
            Op::Access(pages) => self.doubtful |= self.handlers == 0 && self.changed_by_me(pages),
            Op::Fault(page) | Op::Kmap(page) | Op::Kunmap(page) => self.touch(Pages::one(Mm::KERNEL, page), false),
            Op::KasanPopulate(pages) | Op::KasanDepopulate(pages) => {
                // Paused: what the section had changed before is in effect.
                self.settle();
                self.touch(pages, true);
            }
            Op::Alloc(frame, how) | Op::Free(frame, how) => match how {
                Allocation::Plain => {}
                Allocation::Debug => self.touch(Pages::one(Mm::KERNEL, LINEAR_PAGE + frame), false),
                Allocation::Sleep => self.sleep(),
            },
            Op::Sleep | Op::MutexLock => self.sleep(),
            Op::Switch(_) => {
                self.sleep();
                self.schedule(op);
            }
            // A parent sleeps, and so does who ends; nobody ends with a section open.
            Op::Fork(_) => self.sleep(),
            Op::Exit(task) if usize::from(task) == me => self.sleep(),
            Op::Unlock(lock) if self.handlers == 0 => self.unlock(lock),
            Op::Exit(task) => self.doubtful |= self.tasks[usize::from(task)].brackets.depth > 0,
            _ => {}
        }
        let task = &mut self.tasks[me];
        if let (Op::Lock(lock), 0) = (op, self.handlers) {
            task.locks |= 1 << (lock % LOCKS);
        }
        match op {
            Op::BhOff => task.bottom_halves_off += 1,
            Op::BhOn => task.bottom_halves_off = task.bottom_halves_off.saturating_sub(1),
            Op::Lock(_) | Op::IrqOff | Op::PreemptOff => task.off += 1,
            Op::Unlock(_) | Op::IrqOn | Op::PreemptOn => task.off = task.off.saturating_sub(1),
            Op::Preempt(_) | Op::Migrate(..) | Op::Fork(_) | Op::Exit(_) | Op::Cpu(_) => self.schedule(op),
            _ => {}
        }
    }

    fn open(&mut self, block: Block, after_call: bool) {
        let me = usize::from(self.task());
        self.blocks.push(Opened { block, who: self.who, brackets: self.tasks[me].brackets });
        match block {
            Block::Irq | Block::Softirq | Block::Nmi => {
                self.handlers += 1;
                self.tasks[me].brackets = Brackets::default();
            }
            Block::Between if after_call => self.tasks[me].halves += 1,
            Block::On(_) => self.private += 1,
            Block::Between | Block::Repeat(_) => {}
        }
    }

    fn close(&mut self) {
        let Some(Opened { block, who, brackets }) = self.blocks.pop() else { return };
        let me = usize::from(who.running[usize::from(who.cpu)]);
        match block {
            Block::Irq | Block::Softirq | Block::Nmi => {
                self.handlers -= 1;
                self.doubtful |= self.tasks[me].brackets.depth > 0;
                self.tasks[me].brackets = brackets;
            }
            // Whoever made the call goes on, where it belongs by then.
            Block::Between => {
                self.tasks[me].halves = self.tasks[me].halves.saturating_sub(1);
                let home = self.homes[me].unwrap_or(who.cpu);
                self.who.cpu = home;
                self.who.running[usize::from(home)] = me as u8;
            }
            // Once more would come to another state.
            Block::Repeat(_) => self.doubtful |= self.tasks[me].brackets != brackets,
            Block::On(_) => self.private -= 1,
        }
    }

    fn in_interrupt(&self) -> bool {
        self.handlers > 0 || self.tasks[usize::from(self.task())].bottom_halves_off > 0
    }

    fn begin(&mut self, pause: bool) {
        let interrupt = self.in_interrupt();
        if pause && !interrupt {
            self.settle();
        }
        let me = usize::from(self.task());
        self.tasks[me].brackets.begin(pause, interrupt && self.handlers == 0);
    }

    fn end(&mut self, pause: bool) {
        let interrupt = self.in_interrupt();
        if !pause && !interrupt {
            self.settle();
        }
        let me = usize::from(self.task());
        let matches = self.tasks[me].brackets.end(pause, interrupt && self.handlers == 0);
        self.doubtful |= !matches;
    }

    /// Whether what the running task changes may be deferred.
    fn active(&self) -> bool {
        !self.in_interrupt() && self.tasks[usize::from(self.task())].brackets.active()
    }

    /// What the running task has changed is in effect.
    fn settle(&mut self) {
        let me = self.task();
        self.changed.retain(|&(task, ..)| task != me);
    }

    fn change(&mut self, pages: Pages, in_place: bool) {
        self.touch(pages, in_place);
        if self.active() {
            if self.changed.len() == CHANGES {
                self.changed.remove(0);
            }
            let me = self.task();
            self.changed.push((me, pages, self.tasks[usize::from(me)].locks));
        }
    }

    /// User entries that a section changed under a lock are in effect before the lock is dropped.
    fn unlock(&mut self, lock: u8) {
        let (me, bit) = (self.task(), 1 << (lock % LOCKS));
        let held_back =
            |&(task, pages, locks): &(u8, Pages, u8)| task == me && locks & bit != 0 && !pages.mm.is_kernel();
        self.doubtful |= self.changed.iter().any(held_back);
        self.tasks[usize::from(me)].locks &= !bit;
    }

    fn changed_by_me(&self, pages: Pages) -> bool {
        let me = self.task();
        self.changed.iter().any(|&(task, changed, _)| task == me && meet(changed, pages))
    }

    fn touch(&mut self, pages: Pages, in_place: bool) {
        let (me, handler) = (self.task(), self.handlers > 0);
        let forbidden = |task| handler || task != me || in_place;
        self.doubtful |= self.changed.iter().any(|&(task, changed, _)| forbidden(task) && meet(changed, pages));
    }

    fn sleep(&mut self) {
        let task = self.tasks[usize::from(self.task())];
        let atomic = self.handlers > 0 || task.off > 0 || task.bottom_halves_off > 0;
        self.doubtful |= atomic || (self.active() && self.private == 0);
    }

    /// Who runs where from now on; what a kernel could not do is not done.
    fn schedule(&mut self, op: Op) {
        if let Op::Cpu(cpu) = op {
            self.who.cpu = cpu;
        }
        if self.handlers > 0 {
            return;
        }
        let me = self.task();
        let atomic = self.tasks[usize::from(me)].off > 0 || self.tasks[usize::from(me)].bottom_halves_off > 0;
        match op {
            Op::Switch(next) | Op::Preempt(next) => {
                let here = self.homes[usize::from(next)] == Some(self.who.cpu);
                let kept = atomic && matches!(op, Op::Preempt(_));
                if here && !kept && !self.who.running.contains(&next) {
                    self.who.running[usize::from(self.who.cpu)] = next;
                }
            }
            Op::Migrate(task, cpu) if !self.who.running.contains(&task) => {
                let home = &mut self.homes[usize::from(task)];
                *home = home.map(|_| cpu);
            }
            Op::Fork(child) if self.homes[usize::from(child)].is_none() => {
                self.homes[usize::from(child)] = Some(self.who.cpu);
                self.tasks[usize::from(child)] = Task::default();
            }
            Op::Exit(task) if !self.who.running.contains(&task) => self.homes[usize::from(task)] = None,
            _ => {}
        }
    }
}

/// Whether two runs of pages have one in common.
pub(super) fn meet(a: Pages, b: Pages) -> bool {
    let end = |pages: Pages| u32::from(pages.first) + u32::from(pages.count);
    a.mm == b.mm && u32::from(a.first) < end(b) && u32::from(b.first) < end(a)
}
