//! The interpreter: one operation after the other, blocks, and the operations that are no calls.

use lazy_mmu_arches::backend::Deferred;
use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{LINEAR_PAGE, Mm, PAGES, PteFlags, PteRef, Range, Size};

use super::mutant::Mutant;
use super::{Frame, Run};
use lazy_mmu_abi::trace::{Ask, Call, Point, Refusal, Stop, Translation, What};
use lazy_mmu_program::{Allocation, Block, FRAMES, Op, Pages, Protection};

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
        if self.steps > self.machine.limit && !self.stopped {
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
            Block::On(mmu) => mmu != self.subject.mmu(),
            handler => self.masked(handler),
        };
        let counters = self.subject.counters(self.current_task());
        self.emit(What::Open(block, counters));
        if skipped {
            match block {
                Block::Repeat(_) => {}
                Block::On(_) => self.emit(What::Refused(Refusal::OtherArchitecture)),
                _ => self.emit(What::Refused(Refusal::Masked)),
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
            self.emit_held();
        }
        at + 1
    }

    /// Whether the interrupt cannot come now.
    fn masked(&self, handler: Block) -> bool {
        let cpu = &self.machine.cpus[usize::from(self.cpu)];
        let irq_off = self.task().irq_off > 0;
        if self.machine.memory.is(Mutant::InterruptsUnmasked) {
            return false;
        }
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
            Block::Between | Block::Repeat(_) | Block::On(_) => return,
        };
        *count = count.wrapping_add_signed(by);
        self.refresh();
    }

    /// What is held back at an edge of a handler.
    fn emit_held(&mut self) {
        let held = self.subject.deferred(self.cpu, self.current_task());
        let unnoticed = self.machine.memory.is(Mutant::HeldUnnoticed);
        self.emit(What::Held(if unnoticed { Deferred::default() } else { held }));
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
            Block::Repeat(_) | Block::On(_) => {}
            _ => {
                self.act_on(frame.cpu);
                self.emit_held();
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
            Op::Preempt(task) => return self.preempt(task),
            Op::Migrate(task, cpu) => return self.migrate(task, cpu),
            Op::Cpu(cpu) => {
                self.act_on(cpu);
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
            Op::Flush => {
                self.machine.memory.nothing_at_hand();
                self.subject.flush(self);
                self.out();
                self.settled();
            }
            Op::Fault(page) => return self.fault(page),
            Op::Kmap(page) => return self.kmap(page, true),
            Op::Kunmap(page) => return self.kmap(page, false),
            Op::KasanPopulate(pages) => return self.kasan(pages, true),
            Op::KasanDepopulate(pages) => return self.kasan(pages, false),
            Op::Fork(child) => return self.fork(child),
            Op::Exit(task) => return self.exit(task),
            Op::Alloc(frame, how) => return self.allocate(frame, how, true),
            Op::Free(frame, how) => return self.allocate(frame, how, false),
            op => return self.memory_operation(op).unwrap_or_else(|| self.lock_operation(op)),
        }
        Ok(())
    }

    fn memory_operation(&mut self, op: Op) -> Option<Result<(), Refusal>> {
        Some(match op {
            Op::Set(pages, protection) => self.each_run(pages, |run, at, n| run.set(at, n, protection)),
            Op::Clear(pages) => self.each_run(pages, Self::clear),
            Op::Wrprotect(pages) => self.each_run(pages, Self::wrprotect),
            Op::Get(pages) => self.each_page(pages, |run, at| {
                run.get(at);
            }),
            Op::RawGet(pages) => self.each_page(pages, |run, at| {
                let word = run.machine.memory.load(at);
                run.emit_read(at, word);
            }),
            Op::TlbFlush(pages) => self.each_run(pages, |run, first, n| run.tlb_flush(first, n, false)),
            Op::GatherFlush(pages) => self.each_run(pages, |run, first, n| run.tlb_flush(first, n, true)),
            _ => return None,
        })
    }

    fn each_run(&mut self, pages: Pages, mut f: impl FnMut(&mut Self, PteRef, u16)) -> Result<(), Refusal> {
        pages.each_run(|at, n| {
            if self.take_steps(usize::from(n)) {
                f(self, at, n);
            }
        });
        Ok(())
    }

    fn each_page(&mut self, pages: Pages, mut f: impl FnMut(&mut Self, PteRef)) -> Result<(), Refusal> {
        self.each_run(pages, |run, at, n| (0..n).for_each(|i| f(run, at.step(i))))
    }

    /// A change of `n` entries from `at` on: what is asked for, the subject's work, and what of it is late after it.
    ///
    /// `exec` says whether a mapping is asked for that instructions may be fetched through.
    fn change(&mut self, at: PteRef, n: u16, ask: Ask, exec: bool, work: impl FnOnce(&mut Self)) {
        let by = self.by();
        self.machine.memory.nothing_at_hand();
        self.machine.memory.ask(at, n, ask, exec, by);
        self.emit(What::Asked(at, n, ask));
        work(self);
        self.look(Point::Write, at, n);
    }

    /// What of the changes of these entries is not in effect.
    fn look(&mut self, point: Point, at: PteRef, n: u16) {
        self.machine.memory.stream_ends(self.cpu);
        self.out();
        if !self.stopped {
            let late = self.machine.memory.late_among(self.cpu, point, at, n);
            self.emit_late(late);
        }
    }

    fn set(&mut self, at: PteRef, n: u16, protection: Protection) {
        let subject = self.subject;
        let flags = flags(at.mm, protection);
        let frame = self.machine.memory.take_frames(n);
        let word = subject.pte_word(flags, frame, at.size);
        let ask = if flags.valid { Ask::Map(Translation { frame, write: flags.write }) } else { Ask::Mark(frame) };
        self.change(at, n, ask, flags.exec, |run| subject.set_ptes(run, at, word, n));
    }

    fn clear(&mut self, at: PteRef, n: u16) {
        let subject = self.subject;
        self.change(at, n, Ask::Clear, false, |run| {
            (0..n).for_each(|i| {
                subject.clear_pte(run, at.step(i));
            });
        });
    }

    /// The kernel asks that of present entries only.
    fn wrprotect(&mut self, at: PteRef, n: u16) {
        let subject = self.subject;
        self.change(at, n, Ask::Wrprotect, false, |run| {
            for at in (0..n).map(|i| at.step(i)) {
                if run.machine.memory.asked(at).is_some() {
                    subject.wrprotect_pte(run, at);
                }
            }
        });
    }

    /// A TLB flush of `pages` pages; that of an mmu_gather frees the pages that were unmapped there.
    fn tlb_flush(&mut self, first: PteRef, pages: u16, gather: bool) {
        let subject = self.subject;
        let by = self.by();
        self.machine.memory.nothing_at_hand();
        self.machine.memory.flush_begins(first, pages);
        if gather {
            subject.gather_flush(self, Range { first, pages });
        } else {
            subject.flush_tlb_range(self, Range { first, pages });
        }
        self.machine.memory.stream_ends(self.cpu);
        self.out();
        if self.stopped {
            return;
        }
        let late = self.machine.memory.flush_ends(self.cpu, first, pages, by);
        self.emit_late(late);
        if gather {
            let (freed, reachable) = self.machine.memory.free_unmapped(first, pages);
            if freed > 0 {
                self.emit(What::Freed(first, freed));
            }
            if let Some((at, cpu, frame)) = reachable {
                self.emit(What::Reachable { at, cpu, frame });
            }
        }
    }

    /// A walker uses the translations.
    fn walk(&mut self, at: PteRef, n: u16) {
        for i in 0..n {
            let at = at.step(i);
            let walked = self.machine.memory.walk(self.cpu, at);
            self.emit(What::Walk(at, walked));
        }
    }

    fn emit_read(&mut self, at: PteRef, word: u64) {
        let found = self.machine.memory.reads(at, word);
        let asked = self.machine.memory.asked(at);
        self.emit(What::Read { at, found, asked });
    }

    /// A kernel fault that synchronises a top-level entry: written, forced out, and read back by the handler. A
    /// synchronous fault is no interrupt context; the flush is the repair of 2013 (1160c2779b82).
    fn fault(&mut self, page: u16) -> Result<(), Refusal> {
        let at = PteRef { mm: Mm::KERNEL, page: page % PAGES, size: Size::Small };
        self.set(at, 1, Protection::Write);
        self.subject.flush(self);
        self.look(Point::Use, at, 1);
        self.get(at);
        Ok(())
    }

    fn get(&mut self, at: PteRef) -> u64 {
        let word = self.subject.get_pte(self, at);
        self.emit_read(at, word);
        word
    }

    /// `kmap_local_page()` and `kunmap_local()`: x86 alone makes a mapping, and forces it out (`highmem.h`); the others
    /// reach every page through the linear map.
    fn kmap(&mut self, page: u16, map: bool) -> Result<(), Refusal> {
        let subject = self.subject;
        if !matches!(subject.mmu(), Mmu::Native | Mmu::Xen) {
            return Ok(());
        }
        let at = PteRef { mm: Mm::KERNEL, page, size: Size::Small };
        if map {
            self.set(at, 1, Protection::Write);
        } else {
            self.clear(at, 1);
            self.tlb_flush(at, 1, false);
        }
        subject.flush(self);
        self.look(Point::Use, at, 1);
        Ok(())
    }

    /// `kasan_populate_vmalloc_pte()` and `kasan_depopulate_vmalloc_pte()` on each page: what another task did in the
    /// meantime is looked at under init_mm's lock, with the mode paused.
    fn kasan(&mut self, pages: Pages, populate: bool) -> Result<(), Refusal> {
        self.each_page(pages, |run, at| {
            run.call(Call::Pause, None);
            run.task_mut().locks += 1;
            let word = run.get(at);
            if populate && word == 0 {
                run.set(at, 1, Protection::Write);
            } else if !populate && word != 0 {
                run.clear(at, 1);
            }
            run.task_mut().locks -= 1;
            if !populate && word != 0 {
                // The page goes back to the allocator while paused.
                let _ = run.allocate(at.page % FRAMES, Allocation::Debug, false);
            }
            run.call(Call::Resume, None);
        })
    }

    fn allocate(&mut self, frame: u16, how: Allocation, alloc: bool) -> Result<(), Refusal> {
        match how {
            Allocation::Plain => Ok(()),
            Allocation::Sleep => self.sleep(),
            Allocation::Debug => {
                let outer = std::mem::replace(&mut self.below, true);
                let done = self.map_linear(frame, alloc);
                self.below = outer;
                done
            }
        }
    }

    /// `__kernel_map_pages()` of one page: arm64 makes the change in a section of its own (`set_memory_valid()`) and
    /// flushes behind it, x86 ends with a flush of the mode (`set_memory.c`).
    fn map_linear(&mut self, frame: u16, valid: bool) -> Result<(), Refusal> {
        let subject = self.subject;
        let at = PteRef { mm: Mm::KERNEL, page: LINEAR_PAGE + frame, size: Size::Small };
        let word = valid.then(|| subject.pte_word(flags(at.mm, Protection::Write), frame.into(), at.size));
        let ask = if valid { Ask::Map(Translation { frame: frame.into(), write: true }) } else { Ask::Clear };
        match subject.mmu() {
            Mmu::Aarch64 => {
                self.call(Call::Enable, None);
                match word {
                    Some(word) => self.change(at, 1, ask, false, |run| subject.set_ptes(run, at, word, 1)),
                    None => self.clear(at, 1),
                }
                self.call(Call::Disable, None);
                if !valid {
                    self.tlb_flush(at, 1, false);
                }
            }
            mmu => {
                self.change(at, 1, ask, false, |run| subject.map_linear_page(run, at, word));
                if matches!(mmu, Mmu::Native | Mmu::Xen) {
                    subject.flush(self);
                }
            }
        }
        self.look(Point::Use, at, 1);
        if !valid && !self.stopped {
            let reached = self.machine.memory.free_linear(at, frame.into());
            if let Some(cpu) = reached {
                self.emit(What::Reachable { at, cpu, frame: frame.into() });
            }
        }
        Ok(())
    }

    fn sleep(&mut self) -> Result<(), Refusal> {
        if self.in_handler() {
            let count = self.task().preempt_count();
            self.emit(What::Atomic { count, voluntary: true });
            return Err(Refusal::InInterrupt);
        }
        self.emit_atomic(true);
        Ok(())
    }

    fn lock_operation(&mut self, op: Op) -> Result<(), Refusal> {
        let current = self.current_task();
        match op {
            Op::Sleep => self.sleep(),
            Op::Lock(lock) => {
                let holder = &mut self.machine.locks[usize::from(lock)];
                if holder.is_some() && !self.machine.memory.is(Mutant::LocksShared) {
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
        self.refresh();
        Ok(())
    }
}

/// What a new entry says, its frame aside.
fn flags(mm: Mm, protection: Protection) -> PteFlags {
    PteFlags {
        valid: protection != Protection::Invalid,
        write: matches!(protection, Protection::Write | Protection::Exec),
        user: !mm.is_kernel(),
        exec: protection == Protection::Exec,
        accessed: false,
        dirty: false,
    }
}

/// Takes one from a count, which must be there.
fn release(count: &mut u16) -> Result<(), Refusal> {
    *count = count.checked_sub(1).ok_or(Refusal::NotHeld)?;
    Ok(())
}
