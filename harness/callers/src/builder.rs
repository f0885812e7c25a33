//! Writing programs down the way the kernel's functions read: one method per operation, in order.
//!
//! It knows nothing of any call site. Where the slots of each area lie is fixed here, so that every workload uses the
//! same ones: [`VMALLOC`], [`LINEAR`] and [`SHADOW`] of the kernel, [`USER`] and [`MOVED`] of T0's address space,
//! [`CHILD`] of another. Called by the workloads alone.

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_arches::page::{LINEAR_PAGE, Mm, SHADOW_PAGE, Size};

use lazy_mmu_program::{Allocation, Block, Op, Pages, Protection};

/// The page-table lock of `U`.
pub const PTL: u8 = 0;
/// The page-table lock of `V`, or the second one of `U`.
pub const PTL2: u8 = 1;
/// `init_mm.page_table_lock`
pub const INIT_MM: u8 = 3;

/// Entries of one address space from some slot on, all of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    mm: Mm,
    first: u16,
    size: Size,
}

/// The vmalloc area: kernel pages from 0.
pub(super) const VMALLOC: Slots = Slots::new(Mm::KERNEL, 0);
/// The linear map: entry `f` maps page frame `f`.
pub(super) const LINEAR: Slots = Slots::new(Mm::KERNEL, LINEAR_PAGE);
/// KASAN's shadow.
pub(super) const SHADOW: Slots = Slots::new(Mm::KERNEL, SHADOW_PAGE);
/// The address space of T0.
pub(super) const USER: Slots = Slots::new(Mm(1), 0);
/// Elsewhere in it: where entries are moved to.
pub(super) const MOVED: Slots = Slots::new(Mm(1), 512);
/// The address space of T1: a child's, or another process's.
pub(super) const CHILD: Slots = Slots::new(Mm(2), 0);

impl Slots {
    const fn new(mm: Mm, first: u16) -> Slots {
        Slots { mm, first, size: Size::Small }
    }

    /// The same slots as mappings of another size.
    pub(super) fn sized(self, size: Size) -> Slots {
        Slots { size, ..self }
    }

    /// The slots from the `n`th on.
    pub(super) fn skip(self, n: u16) -> Slots {
        Slots { first: self.first + n, ..self }
    }

    /// The entry at `i`.
    pub(super) fn at(self, i: u16) -> Pages {
        self.skip(i).take(1)
    }

    /// The first `n` entries.
    pub(super) fn take(self, n: u16) -> Pages {
        Pages { mm: self.mm, first: self.first, count: n, size: self.size }
    }
}

/// A program being written.
#[derive(Debug, Default)]
pub(super) struct Builder {
    ops: Vec<Op>,
}

/// Methods without arguments that append one operation.
macro_rules! plain {
    ($($name:ident $op:ident)*) => {$(
        pub(super) fn $name(&mut self) -> &mut Builder {
            self.op(Op::$op)
        }
    )*};
}

/// Methods on pages; an operation on none is left out.
macro_rules! on_pages {
    ($($name:ident $op:ident)*) => {$(
        pub(super) fn $name(&mut self, pages: Pages) -> &mut Builder {
            self.pages(pages, Op::$op(pages))
        }
    )*};
}

/// Methods on a task, a CPU or a lock.
macro_rules! on_one {
    ($($name:ident $op:ident)*) => {$(
        pub(super) fn $name(&mut self, which: u8) -> &mut Builder {
            self.op(Op::$op(which))
        }
    )*};
}

impl Builder {
    /// The operations so far.
    pub(super) fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    fn op(&mut self, op: Op) -> &mut Builder {
        self.ops.push(op);
        self
    }

    fn pages(&mut self, pages: Pages, op: Op) -> &mut Builder {
        if pages.count == 0 { self } else { self.op(op) }
    }

    plain! {
        enable Enable
        disable Disable
        pause Pause
        resume Resume
        sleep Sleep
        mutex_lock MutexLock
        mutex_unlock MutexUnlock
        irq_off IrqOff
        irq_on IrqOn
    }

    on_pages! {
        clear Clear
        wrprot Wrprotect
        get Get
        access Access
        tlb_flush TlbFlush
        gather_flush GatherFlush
        kasan_populate KasanPopulate
    }

    on_one! {
        lock Lock
        unlock Unlock
        switch Switch
        preempt Preempt
        fork Fork
        exit Exit
        cpu Cpu
    }

    pub(super) fn migrate(&mut self, task: u8, cpu: u8) -> &mut Builder {
        self.op(Op::Migrate(task, cpu))
    }

    pub(super) fn set(&mut self, pages: Pages) -> &mut Builder {
        self.set_as(pages, Protection::Write)
    }

    pub(super) fn set_as(&mut self, pages: Pages, protection: Protection) -> &mut Builder {
        self.pages(pages, Op::Set(pages, protection))
    }

    /// Entries that are there and were used: a hash table, a TSB or a TLB knows them.
    pub(super) fn used(&mut self, pages: Pages) -> &mut Builder {
        self.set(pages).access(pages)
    }

    /// The same, read-only.
    pub(super) fn used_read_only(&mut self, pages: Pages) -> &mut Builder {
        self.set_as(pages, Protection::Read).access(pages)
    }

    /// The allocator hands out a frame, under DEBUG_PAGEALLOC where `how` says so.
    pub(super) fn alloc(&mut self, frame: u16, how: Allocation) -> &mut Builder {
        self.op(Op::Alloc(frame, how))
    }

    /// A page is freed under DEBUG_PAGEALLOC.
    pub(super) fn free_debug(&mut self, frame: u16) -> &mut Builder {
        self.op(Op::Free(frame, Allocation::Debug))
    }

    /// What stands in a block.
    pub(super) fn block(&mut self, block: Block, inside: impl FnOnce(&mut Builder)) -> &mut Builder {
        self.op(Op::Open(block));
        inside(self);
        self.op(Op::Close)
    }

    /// What happens between the halves of the call just made.
    pub(super) fn between(&mut self, inside: impl FnOnce(&mut Builder)) -> &mut Builder {
        self.block(Block::Between, inside)
    }

    /// All of it as code of these architectures alone, once for each.
    pub(super) fn only_on(self, mmus: &[Mmu]) -> Builder {
        if mmus.is_empty() {
            return self;
        }
        let mut whole = Builder::default();
        for &mmu in mmus {
            whole.block(Block::On(mmu), |b| b.ops.extend_from_slice(&self.ops));
        }
        whole
    }
}
