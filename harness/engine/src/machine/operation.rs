//! The interpreter: one operation after the other, blocks, and the operations that are no calls.

use lazy_mmu_arches::page::{LINEAR_PAGE, Mm, PAGES, PteFlags, PteRef, Range, Size};

use super::{Frame, Run};
use crate::program::{Allocation, Block, MAX_OPS, Op, Pages, Protection};
use crate::subject::Pagealloc;
use crate::trace::{Call, Refusal, Stop, What};

impl Run<'_> {
    /// Runs the operations from `start` to before `end`.
    pub(super) fn range(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end && !self.stopped {
            self.op = at as u32;
            if !self.take_steps(1) {
                return;
            }
            at = self.step(at);
        }
    }

    /// Counts operations and pages against the run's limit.
    fn take_steps(&mut self, n: usize) -> bool {
        self.steps += n;
        if self.steps > MAX_OPS && !self.stopped {
            self.emit(What::Stop(Stop::Limit));
            self.stopped = true;
        }
        !self.stopped
    }

    /// One operation; yields where the program goes on.
    fn step(&mut self, at: usize) -> usize {
        match self.program.ops()[at] {
            Op::Enable => self.call_at(at, Call::Enable),
            Op::Disable => self.call_at(at, Call::Disable),
            Op::Pause => self.call_at(at, Call::Pause),
            Op::Resume => self.call_at(at, Call::Resume),
            Op::TaskPause(task) => self.call_at(at, Call::TaskPause(task)),
            Op::TaskResume(task) => self.call_at(at, Call::TaskResume(task)),
            Op::Open(block) => self.open(at, block),
            Op::Close => self.close(at),
            op => {
                self.emit(What::Op(op));
                if let Err(why) = self.operation(op) {
                    self.emit(What::Refused(why));
                }
                at + 1
            }
        }
    }

    fn open(&mut self, at: usize, block: Block) -> usize {
        let skipped = match block {
            Block::Repeat(0) => true,
            Block::Repeat(_) | Block::Between => false,
            handler => self.masked(handler),
        };
        let counters = self.subject.counters(self.current_task());
        self.emit(What::Open(block, counters));
        if skipped {
            if !matches!(block, Block::Repeat(_)) {
                self.emit(What::Refused(Refusal::Masked));
            }
            return self.program.after(at);
        }
        let again = if let Block::Repeat(times) = block { times - 1 } else { 0 };
        let is_handler = matches!(block, Block::Irq | Block::Softirq | Block::Nmi);
        self.handlers += u32::from(is_handler);
        let handler = if is_handler { self.handlers } else { 0 };
        let frame = Frame { block, start: at as u32, again, handler, cpu: self.cpu, task: self.current_task() };
        self.machine.frames.push(frame);
        self.count_handler(block, 1);
        if is_handler {
            self.emit(What::Held(self.subject.deferred(self.cpu, self.current_task())));
        }
        at + 1
    }

    /// Whether the interrupt cannot come now.
    fn masked(&self, handler: Block) -> bool {
        let cpu = &self.machine.cpus[usize::from(self.cpu)];
        let irq_off = self.task().irq_off > 0;
        match handler {
            Block::Irq => cpu.nmi > 0 || (irq_off && cpu.hardirq + cpu.softirq == 0),
            Block::Softirq => self.in_handler() || self.task().bh_off > 0 || irq_off,
            _ => cpu.nmi > 0,
        }
    }

    fn count_handler(&mut self, block: Block, by: i16) {
        let cpu = &mut self.machine.cpus[usize::from(self.cpu)];
        let count = match block {
            Block::Irq => &mut cpu.hardirq,
            Block::Softirq => &mut cpu.softirq,
            Block::Nmi => &mut cpu.nmi,
            Block::Between | Block::Repeat(_) => return,
        };
        *count = count.wrapping_add_signed(by);
    }

    fn close(&mut self, at: usize) -> usize {
        let Some(frame) = self.machine.frames.pop() else { return at + 1 };
        if frame.again > 0 {
            self.machine.frames.push(Frame { again: frame.again - 1, ..frame });
            return frame.start as usize + 1;
        }
        match frame.block {
            // A block of its own, without a call before it: whoever ran goes on.
            Block::Between => self.bring_back(frame.cpu, frame.task),
            Block::Repeat(_) => {}
            _ => {
                self.cpu = frame.cpu;
                self.emit(What::Held(self.subject.deferred(self.cpu, self.current_task())));
                self.count_handler(frame.block, -1);
            }
        }
        self.emit(What::Close(frame.block, self.subject.counters(self.current_task())));
        if frame.handler > 0 {
            self.emit_mode();
        }
        at + 1
    }

    /// An operation that is no call and no block.
    fn operation(&mut self, op: Op) -> Result<(), Refusal> {
        match op {
            // These are the scheduler's or the program's, not the running task's.
            Op::Switch(task) => return self.switch(task),
            Op::Migrate(task, cpu) => return self.migrate(task, cpu),
            Op::Cpu(cpu) => {
                self.cpu = cpu;
                return Ok(());
            }
            Op::Query => {
                let active = self.subject.is_active(self);
                self.emit(What::Answer(active));
                return Ok(());
            }
            Op::TaskQuery(task) => {
                self.emit(What::Answer(self.subject.counters(task).active));
                return Ok(());
            }
            Op::Access(pages) => return self.each_run(pages, |run, at, n| run.walk(at, n)),
            _ => {}
        }
        if let Some(why) = self.refused_mid_call() {
            return Err(why);
        }
        match op {
            Op::Flush => self.subject.flush(self),
            Op::Fault(page) => return self.fault(page),
            Op::Fork(child) => return self.fork(child),
            Op::Exit(task) => return self.exit(task),
            Op::Alloc(frame, how) => return self.allocate(frame, how, true),
            Op::Free(frame, how) => return self.allocate(frame, how, false),
            op => return self.memory_operation(op).unwrap_or_else(|| self.lock_operation(op)),
        }
        Ok(())
    }

    fn memory_operation(&mut self, op: Op) -> Option<Result<(), Refusal>> {
        let subject = self.subject;
        Some(match op {
            Op::Set(pages, protection) => self.each_run(pages, |run, at, n| run.set(at, n, protection)),
            Op::Clear(pages) => self.each_page(pages, |run, at| {
                subject.clear_pte(run, at);
            }),
            Op::Wrprotect(pages) => self.each_page(pages, |run, at| subject.wrprotect_pte(run, at)),
            Op::Get(pages) => self.each_page(pages, |run, at| {
                let word = subject.get_pte(run, at);
                run.emit(What::Read(at, run.frame_of(word)));
            }),
            Op::RawGet(pages) => self.each_page(pages, |run, at| {
                let word = run.machine.memory.load(at);
                run.emit(What::Read(at, run.frame_of(word)));
            }),
            Op::TlbFlush(pages) => self.each_run(pages, |run, first, pages| {
                subject.flush_tlb_range(run, Range { first, pages });
            }),
            Op::GatherFlush(pages) => self.each_run(pages, |run, first, pages| {
                subject.gather_flush(run, Range { first, pages });
            }),
            _ => return None,
        })
    }

    fn each_run(&mut self, pages: Pages, mut f: impl FnMut(&mut Self, PteRef, u16)) -> Result<(), Refusal> {
        for (at, n) in pages.runs() {
            if self.take_steps(usize::from(n)) {
                f(self, at, n);
            }
        }
        Ok(())
    }

    fn each_page(&mut self, pages: Pages, mut f: impl FnMut(&mut Self, PteRef)) -> Result<(), Refusal> {
        self.each_run(pages, |run, at, n| (0..n).for_each(|i| f(run, at.step(i))))
    }

    fn set(&mut self, at: PteRef, n: u16, protection: Protection) {
        let flags = PteFlags {
            valid: protection != Protection::Invalid,
            write: matches!(protection, Protection::Write | Protection::Exec),
            user: !at.mm.is_kernel(),
            exec: protection == Protection::Exec,
            accessed: false,
            dirty: false,
        };
        let subject = self.subject;
        let word = subject.pte_word(flags, self.next_frame, at.size);
        self.next_frame += u32::from(n);
        subject.set_ptes(self, at, word, n);
    }

    /// A walker uses the translations: what it finds, and what that writes back.
    fn walk(&mut self, at: PteRef, n: u16) {
        for i in 0..n {
            let at = at.step(i);
            let word = self.machine.memory.load(at);
            let frame = self.frame_of(word);
            self.emit(What::Walk(at, frame));
            if frame.is_some() {
                self.machine.memory.store(at, self.subject.touched(word));
            }
        }
    }

    fn frame_of(&self, word: u64) -> Option<u32> {
        self.subject.pte_flags(word).valid.then(|| self.subject.pte_frame(word))
    }

    /// A kernel fault that synchronises a top-level entry: written, and read back by the handler. A synchronous fault
    /// is no interrupt context.
    fn fault(&mut self, page: u16) -> Result<(), Refusal> {
        let page = Pages::one(Mm::KERNEL, page % PAGES);
        self.memory_operation(Op::Set(page, Protection::Write)).unwrap_or(Ok(()))?;
        self.memory_operation(Op::Get(page)).unwrap_or(Ok(()))
    }

    fn allocate(&mut self, frame: u16, how: Allocation, alloc: bool) -> Result<(), Refusal> {
        match how {
            Allocation::Plain => Ok(()),
            Allocation::Sleep => self.sleep(),
            Allocation::Debug => {
                self.below += 1;
                let done = self.map_linear(LINEAR_PAGE + frame, alloc);
                self.below -= 1;
                done
            }
        }
    }

    /// `__kernel_map_pages()` of one page, as the architecture does it.
    fn map_linear(&mut self, page: u16, valid: bool) -> Result<(), Refusal> {
        let how = self.subject.pagealloc();
        let at = PteRef { mm: Mm::KERNEL, page, size: Size::Small };
        if how == Pagealloc::Section {
            self.call(Call::Enable, None);
        }
        if valid {
            self.set(at, 1, Protection::Write);
        } else {
            self.subject.clear_pte(self, at);
        }
        if how == Pagealloc::Section {
            self.call(Call::Disable, None);
        }
        if !valid {
            self.subject.flush_tlb_range(self, Range { first: at, pages: 1 });
        }
        if how == Pagealloc::DirectThenFlush {
            self.subject.flush(self);
        }
        Ok(())
    }

    fn sleep(&mut self) -> Result<(), Refusal> {
        if self.in_handler() {
            return Err(Refusal::InInterrupt);
        }
        self.emit_atomic();
        Ok(())
    }

    fn lock_operation(&mut self, op: Op) -> Result<(), Refusal> {
        let current = self.current_task();
        match op {
            Op::Sleep => self.sleep(),
            Op::Lock(lock) => {
                let holder = &mut self.machine.locks[usize::from(lock)];
                if holder.is_some() {
                    return Err(Refusal::Held);
                }
                *holder = Some(current);
                self.task_mut().locks += 1;
                Ok(())
            }
            Op::Unlock(lock) => {
                let holder = &mut self.machine.locks[usize::from(lock)];
                if *holder != Some(current) {
                    return Err(Refusal::NotHeld);
                }
                *holder = None;
                release(&mut self.task_mut().locks)
            }
            Op::MutexLock if self.machine.mutex.is_some() => Err(Refusal::Held),
            Op::MutexLock => {
                self.sleep()?;
                self.machine.mutex = Some(current);
                Ok(())
            }
            Op::MutexUnlock if self.machine.mutex != Some(current) => Err(Refusal::NotHeld),
            Op::MutexUnlock => {
                self.machine.mutex = None;
                Ok(())
            }
            _ => self.masking_operation(op),
        }
    }

    /// What a task turns off and on for itself; a handler does not.
    fn masking_operation(&mut self, op: Op) -> Result<(), Refusal> {
        if self.in_handler() {
            return Err(Refusal::InInterrupt);
        }
        let task = self.task_mut();
        match op {
            Op::BhOff => task.bh_off += 1,
            Op::BhOn => release(&mut task.bh_off)?,
            Op::IrqOff => task.irq_off += 1,
            Op::IrqOn => release(&mut task.irq_off)?,
            Op::PreemptOff => task.preempt_off += 1,
            Op::PreemptOn => release(&mut task.preempt_off)?,
            _ => {}
        }
        Ok(())
    }
}

/// Takes one from a count, which must be there.
fn release(count: &mut u16) -> Result<(), Refusal> {
    *count = count.checked_sub(1).ok_or(Refusal::NotHeld)?;
    Ok(())
}
