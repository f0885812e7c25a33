//! A call site in the program that it makes of an input: where the input does what the kernel's function does, that
//! function is called; all else stays as it is.
//!
//! So the input says what surrounds the call, for how many pages it is, and what it meets there: [`Code`] keeps, operation
//! by operation, which entries are mapped and who is in a section. It follows the text, not a run: what an operation in a
//! block that never runs would have done counts as done. Both forms of a call site read the same, so they differ in
//! nothing but the defect. Called by the families' tables, through [`rewrite`].

use lazy_mmu_arches::page::{Mm, PAGES};

use lazy_mmu_program::{CPUS, MAX_OPS, Op, Pages, Program, Protection, TASKS};

/// Pages that one call works on at most: a page table has 512 entries, a fuzzer's run takes 1024 steps.
const MOST: u16 = 64;
/// Address spaces.
const SPACES: usize = 3;

/// One form of a call site: takes the operation, and makes the call of it, or leaves it as it is.
pub(super) type Site = fn(&mut Code, Op) -> Option<()>;

/// The input with the call site in it.
pub(super) fn rewrite(input: &Program, site: Site) -> Program {
    let mut code = Code { ops: Vec::with_capacity(input.ops().len()), ..Code::default() };
    for &op in input.ops() {
        if site(&mut code, op).is_none() {
            code.op(op);
        }
    }
    Program::fitted(code.ops, MAX_OPS)
}

/// The program so far, and what it leaves behind.
#[derive(Debug)]
pub(super) struct Code {
    ops: Vec<Op>,
    entries: Vec<Option<Protection>>,
    /// The CPU that acts, and who runs on each.
    cpu: usize,
    current: [u8; CPUS as usize],
    /// How many sections each task has open.
    depth: [u32; TASKS as usize],
}

impl Default for Code {
    fn default() -> Code {
        Code {
            ops: Vec::new(),
            entries: vec![None; SPACES * usize::from(PAGES)],
            cpu: 0,
            current: [0, 3],
            depth: [0; TASKS as usize],
        }
    }
}

impl Code {
    /// One operation.
    pub(super) fn op(&mut self, op: Op) -> &mut Code {
        self.ops.push(op);
        match op {
            Op::Enable => *self.open() += 1,
            Op::Disable => *self.open() = self.open().saturating_sub(1),
            Op::Cpu(cpu) => self.cpu = usize::from(cpu % CPUS),
            Op::Switch(task) | Op::Preempt(task) => self.current[self.cpu] = task,
            Op::Set(pages, protection) => self.each(pages, |_| Some(protection)),
            Op::Clear(pages) | Op::KasanDepopulate(pages) => self.each(pages, |_| None),
            Op::Wrprotect(pages) => self.each(pages, |old| old.map(read_only)),
            Op::KasanPopulate(pages) => self.each(pages, |old| old.or(Some(Protection::Write))),
            _ => {}
        }
        self
    }

    /// Several.
    pub(super) fn ops<const N: usize>(&mut self, ops: [Op; N]) -> &mut Code {
        ops.into_iter().for_each(|op| {
            self.op(op);
        });
        self
    }

    /// What stands in a section: one of its own, unless the task is in one already.
    pub(super) fn section(&mut self, inside: impl FnOnce(&mut Code)) {
        let own = *self.open() == 0;
        if own {
            self.op(Op::Enable);
        }
        inside(self);
        if own {
            self.op(Op::Disable);
        }
    }

    /// What the entry says, if it is mapped.
    pub(super) fn entry(&self, page: Pages) -> Option<Protection> {
        self.entries[slot(page.mm, page.first)]
    }

    /// Whether a walker may use the entry.
    pub(super) fn is_present(&self, page: Pages) -> bool {
        self.entry(page).is_some_and(|entry| entry != Protection::Invalid)
    }

    fn open(&mut self) -> &mut u32 {
        &mut self.depth[usize::from(self.current[self.cpu] % TASKS)]
    }

    fn each(&mut self, pages: Pages, change: impl Fn(Option<Protection>) -> Option<Protection>) {
        for i in 0..pages.count {
            let entry = &mut self.entries[slot(pages.mm, pages.first.wrapping_add(i))];
            *entry = change(*entry);
        }
    }
}

fn read_only(entry: Protection) -> Protection {
    if entry == Protection::Invalid { entry } else { Protection::Read }
}

fn slot(mm: Mm, page: u16) -> usize {
    usize::from(mm.0) % SPACES * usize::from(PAGES) + usize::from(page % PAGES)
}

/// As many of the pages as one call works on.
pub(super) fn most(pages: Pages) -> Pages {
    Pages { count: pages.count.min(MOST), ..pages }
}

/// The pages one by one.
pub(super) fn each(pages: Pages) -> impl Iterator<Item = Pages> {
    (0..pages.count).map(move |i| Pages { first: (pages.first + i) % PAGES, count: 1, ..pages })
}
