//! What callers may do. Not an oracle, but what the oracles ask before they blame a subject.
//!
//! - Brackets: `enable`/`disable` and `pause`/`resume` nest properly per task, and both ends of a pair lie in the same
//!   context: a section opened with bottom halves off (where calls have no effect) and closed with them on is no pair.
//!   Handlers pair among themselves. At most 255 sections and 255 pauses are open.
//! - Entries: what a section has changed may be deferred, so until the next point where it is in effect its task does not
//!   read it, use it or change it in place, and no other context touches it (`include/linux/pgtable.h`).
//! - Sleeping: not in a section (f2be745071ff), unless in an architecture's own code (an `on` block), and not with a
//!   lock, or anything else, off. `fork` sleeps (`copy_process()` allocates), and so does a task that ends.
//! - Task life: nobody ends with a section or a pause open.
//! - Locks: the lock of a user page table is dropped when what a section changed under it is in effect, not before: the
//!   next holder of the lock may rely on the entries (`include/linux/pgtable.h`: the mode is for code that holds it).
//! - Walks: who leaves a section in order to sleep enters it again before it goes on with the same entries. Nothing goes
//!   wrong without, but each further change costs what the section was to save.
//!
//! Of misuses the first is kept; brackets are followed on as well as they can be.

use std::hash::{Hash, Hasher};

use super::brackets::{Bracket, Brackets};
use super::deferral::Deferral;
use super::sizes::Sizes;
use lazy_mmu_abi::trace::{Ask, Call, Event, Refusal, What};
use lazy_mmu_arches::page::{Mm, PteRef};
use lazy_mmu_program::{Allocation, Block, LOCKS, Op, Pages, TASKS};

/// How the API was misused first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The operation of the program.
    pub op: u32,
    /// How.
    pub how: How,
}

/// Ways to misuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// An end without a beginning, where the call has an effect.
    Underflow,
    /// More than 255 open.
    Overflow,
    /// An end that does not match the innermost beginning.
    Crossing,
    /// A pair whose ends lie in different contexts, or a handler that ends with a pair open.
    Asymmetric,
    /// A task-level call on a task that is neither current nor switched out, or unpaired.
    TaskCall,
    /// A read, a change in place, or a use, of an entry that the same section changed.
    ReadsDeferred,
    /// Another task, or a handler, touches an entry that a section has changed.
    Races,
    /// It sleeps in a section, or in atomic context.
    Sleeps,
    /// A task ends with a section or a pause open.
    Ends,
    /// It forks with one open: the child has it, and nobody ends it there.
    Forks,
    /// It changes or flushes an entry by another size than that which it is mapped with.
    Sizes,
    /// It gathers pages of the kernel.
    Gathers,
    /// It drops a page-table lock under which a section has changed user entries that are not in effect yet.
    Unlocks,
    /// It left its section to sleep, and goes on changing the next entries without it.
    Unbatched,
    /// A section or a pause is open at the program's end ([`super::Verdict::first_misuse`]).
    LeavesOpen,
}

impl How {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            How::Underflow => "ends what was never begun",
            How::Overflow => "opens the 256th",
            How::Crossing => "does not match the innermost open section or pause",
            How::Asymmetric => "pairs with a call made in another context, where calls have no effect",
            How::TaskCall => "acts on a task other than the switch hooks may",
            How::ReadsDeferred => "reads, uses, or changes in place, an entry whose update may still be deferred",
            How::Races => "touches an entry whose update another context may still defer",
            How::Sleeps => "sleeps in a section or in atomic context",
            How::Ends => "ends a task that has a section or a pause open",
            How::Gathers => "gathers pages of the kernel, which no mmu_gather does",
            How::Sizes => "changes or flushes an entry by another size than it is mapped with",
            How::Forks => "forks with a section or a pause open",
            How::Unlocks => "drops the page-table lock before what it changed under it in a section is in effect",
            How::Unbatched => "left its section to sleep and goes on with the next entries outside any section",
            How::LeavesOpen => "opens a section or a pause that is never closed",
        }
    }

    /// Whether it is a misuse of the calls themselves: of brackets, not of what comes between them.
    fn is_of_calls(self) -> bool {
        use How::{Asymmetric, Crossing, Overflow, TaskCall, Underflow};
        matches!(self, Underflow | Overflow | Crossing | Asymmetric | TaskCall)
    }
}

/// What a task has open and has turned off.
#[derive(Debug, Default, Hash)]
struct Task {
    open: Brackets,
    /// Whether a section is open that is not paused.
    active: bool,
    /// Locks, and what else keeps it from sleeping.
    off: u32,
    /// The page-table locks it holds, bit by bit.
    locks: u8,
    /// Of these, the ones under which its section has changed user entries that may still be deferred.
    owing: u8,
    walk: Walk,
}

/// The change that a task made last in a section: what it would go on with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Walk {
    /// What it did to the entries ([`change_of`]), and the one behind the last.
    next: Option<(u8, PteRef)>,
    /// Whether it has left the section since, and slept.
    slept: bool,
}

/// The brackets open in each task, and in each handler.
#[derive(Debug, Default)]
pub struct Legality {
    tasks: [Task; TASKS as usize],
    /// For each open handler, which task it interrupted and how many brackets were open then.
    handlers: Vec<(u8, usize)>,
    deferral: Deferral,
    /// Entries whose flush an active section may hold back.
    flushes: Deferral,
    sizes: Sizes,
    /// Whether the last call or flush put something in effect that its task had changed in a section.
    settled: bool,
    /// Whether each open `on` block is code of an architecture whose sections may be slept in, innermost last.
    private: Vec<bool>,
    /// Calls in progress: a task between their halves does not sleep, it is preempted.
    calls: Vec<u8>,
    /// The operation that acts, and whether it stands for several (and sees to its own entries).
    acting: Option<(u32, Op)>,
    /// Whether it took a lock that its task did not hold: if it is refused, the task does not hold it.
    took: bool,
    misuse: Option<Misuse>,
    /// The first misuse of the calls themselves.
    unpaired: Option<Misuse>,
}

impl Legality {
    /// Before the first event.
    pub fn reset(&mut self) {
        for task in &mut self.tasks {
            task.open.clear();
            task.active = false;
            task.off = 0;
            (task.locks, task.owing, task.walk) = (0, 0, Walk::default());
        }
        self.handlers.clear();
        self.deferral.reset();
        self.flushes.reset();
        self.sizes.reset();
        self.settled = false;
        self.private.clear();
        self.calls.clear();
        (self.acting, self.took) = (None, false);
        self.misuse = None;
        self.unpaired = None;
    }

    /// What later verdicts depend on. Of the operation that acted last it is what a refused call after it takes back;
    /// of misuses that there was one, and how calls were misused, not where.
    pub fn fingerprint<H: Hasher>(&self, state: &mut H) {
        let Legality {
            tasks,
            handlers,
            deferral,
            flushes,
            sizes,
            settled,
            private,
            calls,
            acting,
            took,
            misuse,
            unpaired,
        } = self;
        (tasks, handlers, settled, private, calls, took).hash(state);
        (acting.map_or(0, |(_, op)| turns_off(op)), self.sees_to_its_own()).hash(state);
        (misuse.is_some(), unpaired.map(|misuse| misuse.how)).hash(state);
        deferral.fingerprint(state);
        // What one does not have must not look like what the next one has.
        state.write_u8(1);
        flushes.fingerprint(state);
        state.write_u8(2);
        sizes.fingerprint(state);
    }

    /// Whether nobody has a bracket or a handler open.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handlers.is_empty() && self.tasks.iter().all(|task| task.open.is_empty())
    }

    /// The first misuse so far.
    #[must_use]
    pub fn misuse(&self) -> Option<Misuse> {
        self.misuse
    }

    /// The first misuse of the calls themselves so far: of brackets, not of entries or of sleep.
    #[must_use]
    pub fn unpaired(&self) -> Option<Misuse> {
        self.unpaired
    }

    /// The first operation that opened a section or pause which is open now, or was when its task ended.
    #[must_use]
    pub fn left_open(&self) -> Option<u32> {
        self.tasks.iter().filter_map(|task| task.open.outermost()).min()
    }

    /// Whether the task has a section open that is not paused, as its callers see it.
    #[must_use]
    pub fn active(&self, task: u8) -> bool {
        self.tasks[usize::from(task)].active
    }

    /// Whether what happens in this event may be deferred: by a task in an active section, not by an interrupt.
    #[must_use]
    pub fn may_defer(&self, event: &Event) -> bool {
        !event.interrupt && self.active(event.task)
    }

    /// Whether the task has any bracket open that counts.
    #[must_use]
    pub fn is_outside(&self, task: u8) -> bool {
        !self.tasks[usize::from(task)].open.has_effect()
    }

    /// Whether the task holds a lock, or has anything else off that keeps it on its CPU.
    #[must_use]
    pub fn is_atomic(&self, task: u8) -> bool {
        self.tasks[usize::from(task)].off > 0
    }

    /// The entries that sections have changed.
    #[must_use]
    pub fn deferral(&self) -> &Deferral {
        &self.deferral
    }

    /// Whether the `disable`, `pause` or flush just seen put something in effect that its task had changed in a section.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.settled
    }

    /// Takes the next event in. Calls that hooks make below the generic layer are the backend's, not the program's.
    #[inline(always)]
    pub fn watch(&mut self, event: &Event) {
        let how = match event.what {
            What::Call(call, _) => {
                self.calls.push(event.task);
                if event.below { self.own_of_the_architecture(event, call) } else { self.call(event, call) }
            }
            What::Return(call, _) => {
                self.calls.pop();
                if matches!(call, Call::Disable | Call::Pause) && !event.interrupt {
                    self.settle(event.task);
                }
                None
            }
            What::Op(op) => self.operation(event, op),
            What::Asked(at, n, ask) if !event.below => {
                let in_place = matches!(ask, Ask::Clear | Ask::Wrprotect);
                let how = self.touch(event, at, n, in_place);
                let how = how.or_else(|| self.walk(event, at, n, ask));
                if self.may_defer(event) && !self.sees_to_its_own() {
                    self.deferral.defer(event.task, at, n);
                    let task = &mut self.tasks[usize::from(event.task)];
                    task.owing |= if at.mm.is_kernel() { 0 } else { task.locks };
                }
                if self.sizes.ask(at, n, ask) { how.or(Some(How::Sizes)) } else { how }
            }
            // The architecture's own changes may meet what another context holds back.
            What::Asked(at, n, ask) => {
                // What the architecture itself changes it uses at once: not behind the back of a section of the program's.
                let own = self.deferral.by(event.task, at, n).then_some(How::ReadsDeferred);
                let how = self.touch(event, at, n, false).or(own);
                // Its linear map is of small pages.
                let other = self.sizes.differ(at, n);
                self.sizes.ask(at, n, ask);
                how.or(other.then_some(How::Sizes))
            }
            What::Read { at, .. } => self.touch(event, at, 1, true),
            // A walker may come at any time; the task itself may not count on what it finds.
            What::Walk(at, _) => {
                let own = !event.interrupt && self.deferral.by(event.task, at, 1);
                own.then_some(How::ReadsDeferred)
            }
            What::Open(Block::On(mmu), _) => {
                self.private.push(!mmu.batch_needs_this_cpu());
                None
            }
            What::Close(Block::On(_), _) => {
                self.private.pop();
                None
            }
            What::Open(Block::Irq | Block::Softirq | Block::Nmi, _) => {
                self.handlers.push((event.task, self.tasks[usize::from(event.task)].open.len()));
                None
            }
            What::Close(Block::Irq | Block::Softirq | Block::Nmi, _) => self.handler_ends(),
            What::Refused(why) => {
                self.refused(event, why);
                None
            }
            What::Exit { task, .. } => (!self.tasks[usize::from(task)].open.is_empty()).then_some(How::Ends),
            What::Fork { child, .. } => {
                self.tasks[usize::from(child)] = Task::default();
                (!self.tasks[usize::from(event.task)].open.is_empty()).then_some(How::Forks)
            }
            _ => None,
        };
        if let Some(how) = how {
            let misuse = Misuse { op: event.op, how };
            self.misuse.get_or_insert(misuse);
            if how.is_of_calls() {
                self.unpaired.get_or_insert(misuse);
            }
        }
    }

    /// The operation or block before this was not done.
    fn refused(&mut self, event: &Event, why: Refusal) {
        match why {
            Refusal::Masked => {
                self.handlers.pop();
            }
            Refusal::OtherArchitecture => {
                self.private.pop();
            }
            _ => {
                // A sleep that is refused in a handler is a misuse all the same.
                // Of a call that is refused nothing was seen before: what acted last is another operation.
                if let Some((_, op)) = self.acting.take_if(|(at, _)| *at == event.op) {
                    let task = &mut self.tasks[usize::from(event.task)];
                    task.off = task.off.saturating_add_signed(-turns_off(op));
                    if let (Op::Lock(lock), true) = (op, self.took) {
                        task.locks &= !lock_bit(lock);
                    }
                }
            }
        }
    }

    fn operation(&mut self, event: &Event, op: Op) -> Option<How> {
        (self.acting, self.took) = (Some((event.op, op)), false);
        let at = usize::from(event.task);
        let sleeps = match op {
            Op::Sleep | Op::MutexLock | Op::Alloc(_, Allocation::Sleep) | Op::Free(_, Allocation::Sleep) => true,
            Op::Switch(_) | Op::Fork(_) => !self.calls.contains(&event.task),
            Op::Exit(ending) => ending == event.task && !self.calls.contains(&event.task),
            // In interrupt context, and between the halves of a call, it may do nothing: what is held back stays so.
            Op::Flush if event.interrupt || self.calls.contains(&event.task) => false,
            Op::Flush => {
                self.settle(event.task);
                false
            }
            Op::TlbFlush(pages) | Op::GatherFlush(pages) => return self.flush(event, op, pages),
            _ => false,
        };
        let task = &mut self.tasks[at];
        if sleeps {
            let private = self.private.last() == Some(&true);
            let may_not = task.off > 0 || !self.handlers.is_empty() || (task.active && !private);
            task.walk.slept |= task.open.is_empty() && !matches!(op, Op::Switch(_) | Op::Fork(_) | Op::Exit(_));
            return may_not.then_some(How::Sleeps);
        }
        task.off = task.off.saturating_add_signed(turns_off(op));
        match op {
            Op::Lock(lock) => {
                self.took = task.locks & lock_bit(lock) == 0;
                task.locks |= lock_bit(lock);
            }
            Op::Unlock(lock) if task.locks & lock_bit(lock) != 0 => {
                task.locks &= !lock_bit(lock);
                return (task.owing & lock_bit(lock) != 0).then_some(How::Unlocks);
            }
            _ => {}
        }
        None
    }

    /// What the task has changed in its section is in effect.
    fn settle(&mut self, task: u8) {
        self.settled = self.deferral.settle(task);
        self.flushes.settle(task);
        self.tasks[usize::from(task)].owing = 0;
    }

    /// A change: the next one of a walk that was left in order to sleep, and is gone on with outside any section.
    fn walk(&mut self, event: &Event, at: PteRef, n: u16, ask: Ask) -> Option<How> {
        let task = &mut self.tasks[usize::from(event.task)];
        if event.interrupt {
            return None;
        }
        if task.active {
            task.walk = Walk { next: Some((change_of(ask), at.step(n))), slept: false };
            return None;
        }
        let Walk { next, slept } = task.walk;
        let goes_on = slept && task.open.is_empty() && next == Some((change_of(ask), at));
        goes_on.then_some(How::Unbatched)
    }

    /// A flush of pages whose changes another context still holds back comes too early, whoever is right about them.
    fn flush(&mut self, event: &Event, op: Op, pages: Pages) -> Option<How> {
        if matches!(op, Op::GatherFlush(_)) && pages.mm == Mm::KERNEL {
            return Some(How::Gathers);
        }
        if self.sizes.flush(pages) {
            return Some(How::Sizes);
        }
        let mut races = false;
        pages.each_run(|at, n| races |= self.touch(event, at, n, false).is_some());
        if self.may_defer(event) {
            pages.each_run(|at, n| self.flushes.defer(event.task, at, n));
        }
        races.then_some(How::Races)
    }

    /// A call that the architecture makes for itself, in a hook or a section of its own: it may be one too many.
    fn own_of_the_architecture(&self, event: &Event, call: Call) -> Option<How> {
        let pause = matches!(call, Call::Pause | Call::TaskPause(_));
        if !pause && call != Call::Enable {
            return None;
        }
        let task = &self.tasks[usize::from(call.subject_of(event.task))];
        task.open.is_full(pause).then_some(How::Overflow)
    }

    /// Whether the operation that acts forces its own changes out before it ends.
    #[must_use]
    pub fn sees_to_its_own(&self) -> bool {
        matches!(self.acting, Some((_, Op::Kmap(_) | Op::Kunmap(_) | Op::Fault(_) | Op::Alloc(..) | Op::Free(..))))
    }

    fn touch(&self, event: &Event, at: PteRef, n: u16, reads: bool) -> Option<How> {
        if self.deferral.is_empty() && self.flushes.is_empty() {
            return None;
        }
        // What a section's flush is to take away is as late as its changes are.
        let flush =
            self.flushes.by_another(event.task, at, n) || (event.interrupt && self.flushes.by(event.task, at, n));
        if flush {
            return Some(How::Races);
        }
        // With bottom halves off a task is in interrupt context too: what it changes there overtakes what its section holds.
        if self.deferral.by_another(event.task, at, n) || (event.interrupt && self.deferral.by(event.task, at, n)) {
            Some(How::Races)
        } else if reads && !self.sees_to_its_own() && self.deferral.by(event.task, at, n) {
            Some(How::ReadsDeferred)
        } else {
            None
        }
    }

    fn handler_ends(&mut self) -> Option<How> {
        let (task, before) = self.handlers.pop()?;
        let task = &mut self.tasks[usize::from(task)];
        let left = task.open.len() > before;
        task.open.truncate(before);
        left.then_some(How::Asymmetric)
    }

    fn call(&mut self, event: &Event, call: Call) -> Option<How> {
        let task = &mut self.tasks[usize::from(event.task)];
        let floor = self.handlers.last().filter(|handler| handler.0 == event.task).map_or(0, |handler| handler.1);
        let paused = task.open.is_paused();
        let pause = matches!(call, Call::Pause | Call::Resume);
        if call == Call::Enable && task.open.is_empty() {
            task.walk = Walk::default();
        }
        let how = match call {
            Call::Enable | Call::Pause => {
                task.open.begin(Bracket { op: event.op, pause, interrupt: event.interrupt, paused })
            }
            Call::Disable | Call::Resume => {
                let op = event.op;
                task.open.end(floor, Bracket { op, pause, interrupt: event.interrupt, paused })
            }
            // Nobody but the switch hooks has any business with these.
            Call::TaskPause(_) | Call::TaskResume(_) => Some(How::TaskCall),
        };
        task.active = task.open.is_active();
        how
    }
}

/// A kind of change: setting, clearing, or write protection.
fn change_of(ask: Ask) -> u8 {
    match ask {
        Ask::Map(_) | Ask::Mark(_) => 0,
        Ask::Clear => 1,
        Ask::Wrprotect => 2,
    }
}

/// A page-table lock as a bit.
fn lock_bit(lock: u8) -> u8 {
    1 << (lock % LOCKS)
}

/// What keeps its task from sleeping: how many more there are after the operation.
fn turns_off(op: Op) -> i32 {
    match op {
        Op::Lock(_) | Op::BhOff | Op::IrqOff | Op::PreemptOff => 1,
        Op::Unlock(_) | Op::BhOn | Op::IrqOn | Op::PreemptOn => -1,
        _ => 0,
    }
}
