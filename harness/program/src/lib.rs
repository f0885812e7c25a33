//! Programs: sequences of nested calls and MMU operations, the one input language of tests, fuzzers and reports.
//!
//! A program is a flat list of operations in which blocks (`irq`, `between`, `repeat`, ...) open and close properly;
//! [`text`] and [`bytes`] turn it into text and bytes and back, exactly. What an operation does when it cannot happen
//! (a switch in interrupt context, say) is the machine's affair; here every list of operations with balanced blocks
//! within the limits is a program. `docs/program-language.md` is the user's manual.

#[cfg(any(test, feature = "arbitrary"))]
mod arbitrary;
pub mod bytes;
pub mod generate;
pub mod minimise;
pub mod mutate;
mod print;

pub mod text;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{Mm, PAGES, PteRef, Size};

/// Tasks that can exist, `T0` to `T7`. T0 to T3 exist from the start; the others are born by `fork`.
pub const TASKS: u8 = 8;
/// Processors, `0` and `1`. T0 runs on 0 and T3 on 1 at the start; T1 and T2 are off the CPUs.
pub const CPUS: u8 = 2;
/// Page-table locks.
pub const LOCKS: u8 = 4;
/// Page frames that `alloc` and `free` name; frame `f` is mapped at kernel page `LINEAR_PAGE + f`.
pub const FRAMES: u16 = 512;
/// Operations in one program, and operations and pages one run may take.
pub const MAX_OPS: usize = 65_536;
/// Blocks that may be open at once.
pub const MAX_DEPTH: usize = 4096;
/// `between` blocks that may be open at once: each holds a call of a subject open.
pub const MAX_BETWEEN: usize = 32;
/// Bytes of one operation's line as it is printed: indentation, the longest operation, the end of the line. Tested.
pub const MAX_LINE: usize = 64;
/// Bytes of one program's text: as many as the longest printed program may have, so that every program's text is one.
pub const MAX_TEXT: usize = MAX_OPS * MAX_LINE;
/// Times that a `repeat` may ask for.
pub const MAX_REPEAT: u16 = 1023;
/// Pages one operation may cover.
pub const MAX_PAGES: u16 = 512;

/// Consecutive pages of one address space: what a PTE operation is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Whose: `K`, `U` or `V`.
    pub mm: Mm,
    /// The first page, in `0..PAGES`.
    pub first: u16,
    /// How many, in `0..=MAX_PAGES`; pages beyond the last one wrap to the first.
    pub count: u16,
    /// The size class.
    pub size: Size,
}

impl Pages {
    /// One page.
    #[must_use]
    pub fn one(mm: Mm, first: u16) -> Pages {
        Pages { mm, first, count: 1, size: Size::Small }
    }

    /// Whether the language has such pages.
    fn are_in_range(self) -> bool {
        self.mm.0 < 3 && self.first < PAGES && self.count <= MAX_PAGES
    }

    /// The runs of consecutive slots it covers: two when it wraps.
    pub fn runs(self) -> impl Iterator<Item = (PteRef, u16)> {
        let mut runs = Vec::with_capacity(2);
        self.each_run(|at, n| runs.push((at, n)));
        runs.into_iter()
    }

    /// The same, for the machine: a run allocates nothing.
    #[inline]
    pub fn each_run(self, mut f: impl FnMut(PteRef, u16)) {
        let before_wrap = self.count.min(PAGES - self.first);
        let at = |page| PteRef { mm: self.mm, page, size: self.size };
        for (first, n) in [(self.first, before_wrap), (0, self.count - before_wrap)] {
            if n > 0 {
                f(at(first), n);
            }
        }
    }
}

/// What a `set` writes besides the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Protection {
    /// Valid, writable, not executable.
    #[default]
    Write,
    /// Valid, read-only.
    Read,
    /// Valid, writable, executable.
    Exec,
    /// Not valid: a migration or swap entry.
    Invalid,
}

/// How a page is allocated or freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Allocation {
    /// The allocator alone.
    #[default]
    Plain,
    /// With DEBUG_PAGEALLOC: the page's linear mapping is changed, as the architecture does it.
    Debug,
    /// The allocator may sleep.
    Sleep,
}

/// A block's kind: what its opening brace does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// A hardware interrupt.
    Irq,
    /// A softirq.
    Softirq,
    /// A non-maskable interrupt.
    Nmi,
    /// What happens at the scheduling point of the call before it.
    Between,
    /// The block's operations so many times, 0 to [`MAX_REPEAT`].
    Repeat(u16),
    /// Code that only the kernel of this MMU's architecture has: left out elsewhere.
    On(Mmu),
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `lazy_mmu_mode_enable()`
    Enable,
    /// `lazy_mmu_mode_disable()`
    Disable,
    /// `lazy_mmu_mode_pause()`
    Pause,
    /// `lazy_mmu_mode_resume()`
    Resume,
    /// `is_lazy_mmu_mode_active()`
    Query,
    /// `__task_lazy_mmu_mode_pause(task)`
    TaskPause(u8),
    /// `__task_lazy_mmu_mode_resume(task)`
    TaskResume(u8),
    /// `__task_lazy_mmu_mode_active(task)`
    TaskQuery(u8),
    /// `arch_flush_lazy_mmu_mode()`, called from outside the generic layer (kmap, CPA).
    Flush,
    /// `set_ptes()`
    Set(Pages, Protection),
    /// `ptep_get_and_clear()`, page by page.
    Clear(Pages),
    /// `ptep_set_wrprotect()`, page by page.
    Wrprotect(Pages),
    /// `ptep_get()`, page by page.
    Get(Pages),
    /// A read of the page table that goes round the accessor.
    RawGet(Pages),
    /// A load through the mapping: what a hardware walker sees.
    Access(Pages),
    /// `flush_tlb_range()` or `flush_tlb_kernel_range()`.
    TlbFlush(Pages),
    /// The `tlb_flush()` at the end of an mmu_gather.
    GatherFlush(Pages),
    /// A kernel fault taken on the page: its top-level entry is synchronised, that is, set and read back.
    Fault(u16),
    /// A temporary kernel mapping at this page of K (`kmap_local_page()`), where the architecture makes one.
    Kmap(u16),
    /// Its end (`kunmap_local()`).
    Kunmap(u16),
    /// `kasan_populate_vmalloc_pte()`, page by page: pause, lock, look, set if there is none, unlock, resume.
    KasanPopulate(Pages),
    /// `kasan_depopulate_vmalloc_pte()`: the same the other way round; the shadow's page is freed while paused.
    KasanDepopulate(Pages),
    /// The running task gives this CPU to the task of its own will: it sleeps, or calls the scheduler.
    Switch(u8),
    /// The scheduler takes this CPU from the running task, between any two steps of it, for the task.
    Preempt(u8),
    /// The scheduler moves a task that is off the CPUs to a CPU.
    Migrate(u8, u8),
    /// The running task forks the task.
    Fork(u8),
    /// The task ends.
    Exit(u8),
    /// What follows happens on this CPU.
    Cpu(u8),
    /// The running task may sleep here.
    Sleep,
    /// Takes a page-table lock.
    Lock(u8),
    /// Releases it.
    Unlock(u8),
    /// Takes the mutex (it may sleep).
    MutexLock,
    /// Releases it.
    MutexUnlock,
    /// `local_bh_disable()`
    BhOff,
    /// `local_bh_enable()`
    BhOn,
    /// `local_irq_disable()`
    IrqOff,
    /// `local_irq_enable()`
    IrqOn,
    /// `preempt_disable()`
    PreemptOff,
    /// `preempt_enable()`
    PreemptOn,
    /// Allocates page frame so many.
    Alloc(u16, Allocation),
    /// Frees it.
    Free(u16, Allocation),
    /// Opens a block.
    Open(Block),
    /// Closes the innermost block.
    Close,
}

impl Op {
    /// Whether a `between` block after it is part of it: the calls that have two halves.
    #[must_use]
    pub fn has_halves(self) -> bool {
        matches!(self, Op::Enable | Op::Disable | Op::Pause | Op::Resume | Op::TaskPause(_) | Op::TaskResume(_))
    }

    /// Whether every number of it is one that the language has: what is not can be neither written nor encoded.
    #[must_use]
    pub fn is_in_range(self) -> bool {
        match self {
            Op::TaskPause(task) | Op::TaskResume(task) | Op::TaskQuery(task) => task < TASKS,
            Op::Switch(task) | Op::Preempt(task) | Op::Fork(task) | Op::Exit(task) => task < TASKS,
            Op::Migrate(task, cpu) => task < TASKS && cpu < CPUS,
            Op::Cpu(cpu) => cpu < CPUS,
            Op::Lock(lock) | Op::Unlock(lock) => lock < LOCKS,
            Op::Alloc(frame, _) | Op::Free(frame, _) => frame < FRAMES,
            Op::Fault(page) | Op::Kmap(page) | Op::Kunmap(page) => page < PAGES,
            Op::Set(pages, _) | Op::Clear(pages) | Op::Wrprotect(pages) | Op::Get(pages) => pages.are_in_range(),
            Op::RawGet(pages) | Op::Access(pages) => pages.are_in_range(),
            Op::TlbFlush(pages) | Op::GatherFlush(pages) => pages.are_in_range(),
            Op::KasanPopulate(pages) | Op::KasanDepopulate(pages) => {
                pages.are_in_range() && pages.mm.is_kernel() && pages.size == Size::Small
            }
            Op::Open(Block::Repeat(times)) => times <= MAX_REPEAT,
            _ => true,
        }
    }
}

/// Why a list of operations is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A close without an open block, at this operation.
    UnmatchedClose(usize),
    /// A block that is never closed, opened at this operation.
    Unclosed(usize),
    /// Too many blocks open at this operation.
    TooDeep(usize),
    /// More than [`MAX_OPS`] operations.
    TooLong,
    /// A number that the language does not have, in this operation: a ninth task, a page behind the last.
    OutOfRange(usize),
}

/// A list of operations with balanced blocks, within the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    ops: Vec<Op>,
    /// For each [`Op::Open`] where its close is; 0 elsewhere.
    closes: Vec<u32>,
}

impl Program {
    /// Makes a program of operations.
    ///
    /// # Errors
    /// Where and why the list is none.
    pub fn new(ops: Vec<Op>) -> Result<Program, Shape> {
        if ops.len() > MAX_OPS {
            return Err(Shape::TooLong);
        }
        let mut program = Program { closes: vec![0; ops.len()], ops };
        let mut open = Vec::new();
        let mut between = 0;
        for (at, op) in program.ops.iter().enumerate() {
            if !op.is_in_range() {
                return Err(Shape::OutOfRange(at));
            }
            match op {
                Op::Open(block) => {
                    between += usize::from(*block == Block::Between);
                    if open.len() == MAX_DEPTH || between > MAX_BETWEEN {
                        return Err(Shape::TooDeep(at));
                    }
                    open.push((at, *block));
                }
                Op::Close => {
                    let (start, block) = open.pop().ok_or(Shape::UnmatchedClose(at))?;
                    between -= usize::from(block == Block::Between);
                    program.closes[start] = at as u32;
                }
                _ => {}
            }
        }
        match open.pop() {
            Some((at, _)) => Err(Shape::Unclosed(at)),
            None => Ok(program),
        }
    }

    /// The program of as many of these operations as fit into `max_ops`, or [`MAX_OPS`] if that is less.
    ///
    /// Every list has one: a block that would be too deep, a close without a block and an operation with a number out of
    /// range are left out, blocks that stay open are closed at the end, and there is always room for their closes. A list
    /// that is a program stays itself.
    #[must_use]
    pub fn fitted(ops: impl IntoIterator<Item = Op>, max_ops: usize) -> Program {
        let ops = ops.into_iter();
        let max_ops = max_ops.min(MAX_OPS);
        let expected = (ops.size_hint().0 + 1).min(max_ops);
        let mut program = Program { ops: Vec::with_capacity(expected), closes: Vec::with_capacity(expected) };
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut between = 0;
        for op in ops {
            let room = max_ops - program.ops.len() - open.len();
            match op {
                Op::Open(block) if op.is_in_range() => {
                    let is_between = usize::from(block == Block::Between);
                    if open.len() == MAX_DEPTH || between + is_between > MAX_BETWEEN {
                        continue;
                    }
                    if room < 2 {
                        break;
                    }
                    between += is_between;
                    open.push((program.ops.len(), is_between));
                }
                Op::Close => {
                    let Some((start, is_between)) = open.pop() else { continue };
                    between -= is_between;
                    program.closes[start] = program.ops.len() as u32;
                }
                _ if room < 1 => break,
                _ if !op.is_in_range() => continue,
                _ => {}
            }
            program.ops.push(op);
            program.closes.push(0);
        }
        while let Some((start, _)) = open.pop() {
            program.closes[start] = program.ops.len() as u32;
            program.ops.push(Op::Close);
            program.closes.push(0);
        }
        program
    }

    /// The operations, in order.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Where the block opened at `open` closes.
    #[must_use]
    pub fn close_of(&self, open: usize) -> usize {
        self.closes[open] as usize
    }

    /// The end of the operation at `at`: one further, or behind its block.
    #[must_use]
    pub fn after(&self, at: usize) -> usize {
        match self.ops[at] {
            Op::Open(_) => self.close_of(at) + 1,
            _ => at + 1,
        }
    }
}

#[cfg(test)]
mod tests;
