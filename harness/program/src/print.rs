//! Printing programs: the canonical text, which [`super::text`] parses back exactly.
//!
//! The names come from the parser's own tables, so that the two cannot drift apart. Called through `Display`.

use std::fmt::{self, Display, Write as _};

use lazy_mmu_arches::page::{Mm, Size};

use super::text::{ALLOCATIONS, BLOCKS, PLAIN, PROTECTIONS, SIZES, SPACES};
use super::{Allocation, Block, Op, Pages, Program, Protection};

fn name_of<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, known)| *known == value).map_or("", |&(name, _)| name)
}

impl Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", name_of(SPACES, Mm(self.mm.0 % 3)), self.first)?;
        if self.count != 1 {
            write!(f, " x{}", self.count)?;
        }
        if self.size != Size::Small {
            write!(f, " {}", name_of(SIZES, self.size))?;
        }
        Ok(())
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allocated = |f: &mut fmt::Formatter<'_>, name: &str, frame: u16, how: Allocation| match how {
            Allocation::Plain => write!(f, "{name} {frame}"),
            how => write!(f, "{name} {frame} {}", name_of(ALLOCATIONS, how)),
        };
        match *self {
            Op::TaskPause(task) => write!(f, "task_pause T{task}"),
            Op::TaskResume(task) => write!(f, "task_resume T{task}"),
            Op::TaskQuery(task) => write!(f, "task_query T{task}"),
            Op::Set(pages, Protection::Write) => write!(f, "set {pages}"),
            Op::Set(pages, protection) => write!(f, "set {pages} {}", name_of(PROTECTIONS, protection)),
            Op::Clear(pages) => write!(f, "clear {pages}"),
            Op::Wrprotect(pages) => write!(f, "wrprot {pages}"),
            Op::Get(pages) => write!(f, "get {pages}"),
            Op::RawGet(pages) => write!(f, "raw_get {pages}"),
            Op::Access(pages) => write!(f, "access {pages}"),
            Op::TlbFlush(pages) => write!(f, "tlb_flush {pages}"),
            Op::GatherFlush(pages) => write!(f, "gather_flush {pages}"),
            Op::Fault(page) => write!(f, "fault {page}"),
            Op::Switch(task) => write!(f, "switch T{task}"),
            Op::Migrate(task, cpu) => write!(f, "migrate T{task} {cpu}"),
            Op::Fork(task) => write!(f, "fork T{task}"),
            Op::Exit(task) => write!(f, "exit T{task}"),
            Op::Cpu(cpu) => write!(f, "cpu {cpu}"),
            Op::Lock(lock) => write!(f, "lock {lock}"),
            Op::Unlock(lock) => write!(f, "unlock {lock}"),
            Op::Alloc(frame, how) => allocated(f, "alloc", frame, how),
            Op::Free(frame, how) => allocated(f, "free", frame, how),
            Op::Preempt(task) => write!(f, "preempt T{task}"),
            Op::Kmap(page) => write!(f, "kmap {page}"),
            Op::Kunmap(page) => write!(f, "kunmap {page}"),
            Op::KasanPopulate(pages) => write!(f, "kasan_populate {pages}"),
            Op::KasanDepopulate(pages) => write!(f, "kasan_depopulate {pages}"),
            Op::Open(Block::Repeat(times)) => write!(f, "repeat {times} {{"),
            Op::Open(Block::On(mmu)) => write!(f, "on {} {{", mmu.name()),
            Op::Open(block) => write!(f, "{} {{", name_of(BLOCKS, block)),
            Op::Close => f.write_char('}'),
            plain => f.write_str(name_of(PLAIN, plain)),
        }
    }
}

impl Program {
    /// Whether an operation stands on the line of the one before it: the `between` of a call does.
    fn joins(&self, at: usize) -> bool {
        self.ops()[at] == Op::Open(Block::Between) && at > 0 && self.ops()[at - 1].has_halves()
    }

    /// The line of the canonical text on which an operation stands, from 1; that behind the last for an operation that
    /// does not exist.
    #[must_use]
    pub fn line_of(&self, op: u32) -> usize {
        let op = op as usize;
        (0..=op.min(self.ops().len())).filter(|&at| at == self.ops().len() || !self.joins(at)).count()
    }
}

impl Display for Program {
    /// One operation per line, blocks indented by two spaces, a call's `between` on the call's line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut depth = 0usize;
        for (at, op) in self.ops().iter().enumerate() {
            let joins = self.joins(at);
            if *op == Op::Close {
                depth -= 1;
            }
            if at > 0 {
                f.write_char(if joins { ' ' } else { '\n' })?;
            }
            if !joins {
                // A text must not grow with the square of its depth.
                write!(f, "{:1$}", "", 2 * depth.min(16))?;
            }
            write!(f, "{op}")?;
            if matches!(op, Op::Open(_)) {
                depth += 1;
            }
        }
        if !self.ops().is_empty() {
            f.write_char('\n')?;
        }
        Ok(())
    }
}
