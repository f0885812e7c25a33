//! Functions that change a process's entries under the lock of its page table.
//!
//! | the input's operation on `U` | is a call of |
//! | --- | --- |
//! | `clear` | `zap_pte_range()`, or `move_present_ptes()` of UFFDIO_MOVE |
//! | `wrprot` | `pagemap_scan_pmd_entry()` |
//! | `set ... invalid` | `migrate_vma_collect_pmd()` |

use lazy_mmu_arches::page::{Mm, PAGES, Size};

use super::code::{Code, each, most};
use lazy_mmu_callers::{PTL, PTL2};
use lazy_mmu_program::{Allocation, Op, Pages, Protection};

/// `U`.
const USER: Mm = Mm(1);
/// Pages that a `struct mmu_gather` has room for before it allocates: `MMU_GATHER_BUNDLE` (`include/asm-generic/tlb.h`).
const BUNDLE: usize = 8;
/// How far from its source UFFDIO_MOVE's destination lies here.
const DISTANCE: u16 = 512;

fn of_user(pages: Pages) -> Option<Pages> {
    (pages.mm == USER && pages.count > 0).then(|| most(pages))
}

fn clears(op: Op) -> Option<Pages> {
    if let Op::Clear(pages) = op { of_user(pages) } else { None }
}

fn wrprotects(op: Op) -> Option<Pages> {
    if let Op::Wrprotect(pages) = op { of_user(pages) } else { None }
}

fn migrates(op: Op) -> Option<Pages> {
    if let Op::Set(pages, Protection::Invalid) = op { of_user(pages) } else { None }
}

/// `zap_pte_range()`; where the gathered pages are full, the allocator is called as `next` does it.
fn zap(code: &mut Code, pages: Pages, next: impl Fn(&mut Code)) {
    code.op(Op::Lock(PTL)).op(Op::Enable);
    let mut gathered = 0;
    for page in each(pages) {
        code.op(Op::Get(page));
        if code.entry(page).is_some() {
            code.op(Op::Clear(page));
            gathered += 1;
        }
        if gathered == BUNDLE {
            next(code);
            gathered = 0;
        }
    }
    code.ops([Op::Disable, Op::Unlock(PTL), Op::GatherFlush(pages)]);
}

/// `tlb_next_batch()` allocates in the section, with DEBUG_PAGEALLOC.
pub(super) fn next_batch_inside(code: &mut Code, op: Op) -> Option<()> {
    zap(code, clears(op)?, |code| {
        code.op(Op::Alloc(0, Allocation::Debug));
    });
    Some(())
}

/// It leaves the mode for that.
pub(super) fn next_batch_outside(code: &mut Code, op: Op) -> Option<()> {
    zap(code, clears(op)?, |code| {
        code.ops([Op::Disable, Op::Alloc(0, Allocation::Debug), Op::Enable]);
    });
    Some(())
}

/// `pagemap_scan_pmd_entry()`: write-protects what is there, and ends as `end` does.
fn scan(code: &mut Code, pages: Pages, end: [Op; 2]) {
    code.op(Op::Lock(PTL)).op(Op::Enable);
    for page in each(pages) {
        code.op(Op::Get(page));
        if code.is_present(page) {
            code.op(Op::Wrprotect(page));
        }
    }
    code.ops(end).op(Op::Unlock(PTL));
}

/// It flushes, and then closes its section.
pub(super) fn scan_flushes_first(code: &mut Code, op: Op) -> Option<()> {
    let pages = wrprotects(op)?;
    scan(code, pages, [Op::TlbFlush(pages), Op::Disable]);
    Some(())
}

/// It closes its section, and then flushes.
pub(super) fn scan_disables_first(code: &mut Code, op: Op) -> Option<()> {
    let pages = wrprotects(op)?;
    scan(code, pages, [Op::Disable, Op::TlbFlush(pages)]);
    Some(())
}

/// `migrate_vma_collect_pmd()`: migration entries take the place of what is there.
fn collect(code: &mut Code, pages: Pages, end: [Op; 2]) {
    code.op(Op::Lock(PTL)).op(Op::Enable);
    for page in each(pages) {
        code.op(Op::Get(page));
        if code.is_present(page) {
            code.ops([Op::Clear(page), Op::Set(page, Protection::Invalid)]);
        }
    }
    code.ops(end).op(Op::Unlock(PTL));
}

/// It flushes, and then closes its section.
pub(super) fn collect_flushes_first(code: &mut Code, op: Op) -> Option<()> {
    let pages = migrates(op)?;
    collect(code, pages, [Op::TlbFlush(pages), Op::Disable]);
    Some(())
}

/// It closes its section, and then flushes.
pub(super) fn collect_disables_first(code: &mut Code, op: Op) -> Option<()> {
    let pages = migrates(op)?;
    collect(code, pages, [Op::Disable, Op::TlbFlush(pages)]);
    Some(())
}

/// A large folio, which pages of the middle size stand for, is split with the section closed, if `closes`; the split
/// fails, and the walk is over.
fn split(code: &mut Code, pages: Pages, closes: bool) {
    code.ops([Op::Lock(PTL), Op::Enable, Op::Get(Pages { count: 1, ..pages })]);
    if closes {
        code.op(Op::Disable);
    }
    code.op(Op::Unlock(PTL));
}

/// The exit of a split that fails leaves the section open.
pub(super) fn split_returns(code: &mut Code, op: Op) -> Option<()> {
    let pages = migrates(op)?;
    if pages.size == Size::Large && is_there(code, pages) {
        split(code, pages, false);
    } else {
        collect(code, pages, [Op::Disable, Op::TlbFlush(pages)]);
    }
    Some(())
}

/// It closes the section first.
pub(super) fn split_disables(code: &mut Code, op: Op) -> Option<()> {
    let pages = migrates(op)?;
    if pages.size == Size::Large && is_there(code, pages) {
        split(code, pages, true);
    } else {
        collect(code, pages, [Op::Disable, Op::TlbFlush(pages)]);
    }
    Some(())
}

/// Where it is moved to.
fn destination(page: Pages) -> Pages {
    Pages { first: (page.first + DISTANCE) % PAGES, ..page }
}

/// The loop of `move_present_ptes()`, up to an entry that must stay: a read-only one, whose page is not its owner's alone
/// (`PageAnonExclusive()`). Whether there was none.
fn move_all(code: &mut Code, pages: Pages) -> bool {
    each(pages).all(|page| {
        let Some(entry) = code.entry(page) else { return true };
        code.op(Op::Clear(page));
        if entry == Protection::Read {
            code.op(Op::Set(page, entry));
            return false;
        }
        code.op(Op::Set(destination(page), entry));
        true
    })
}

fn moved(pages: Pages) -> [Op; 3] {
    [Op::TlbFlush(pages), Op::Unlock(PTL2), Op::Unlock(PTL)]
}

/// What must stay returns its error from inside the section.
pub(super) fn move_returns(code: &mut Code, op: Op) -> Option<()> {
    let pages = clears(op)?;
    code.ops([Op::Lock(PTL), Op::Lock(PTL2), Op::Enable]);
    if move_all(code, pages) {
        code.op(Op::Disable);
    }
    code.ops(moved(pages));
    Some(())
}

/// What must stay ends the loop.
pub(super) fn move_breaks(code: &mut Code, op: Op) -> Option<()> {
    let pages = clears(op)?;
    code.ops([Op::Lock(PTL), Op::Lock(PTL2), Op::Enable]);
    move_all(code, pages);
    code.op(Op::Disable).ops(moved(pages));
    Some(())
}

/// The section is opened before the check that the source is there (`-EAGAIN`).
pub(super) fn move_enables_early(code: &mut Code, op: Op) -> Option<()> {
    let pages = clears(op)?;
    code.ops([Op::Lock(PTL), Op::Lock(PTL2), Op::Enable]);
    if is_there(code, pages) {
        move_all(code, pages);
        code.op(Op::Disable).op(Op::TlbFlush(pages));
    }
    code.ops([Op::Unlock(PTL2), Op::Unlock(PTL)]);
    Some(())
}

/// It is opened behind it.
pub(super) fn move_checks_first(code: &mut Code, op: Op) -> Option<()> {
    let pages = clears(op)?;
    code.ops([Op::Lock(PTL), Op::Lock(PTL2)]);
    if is_there(code, pages) {
        code.op(Op::Enable);
        move_all(code, pages);
        code.op(Op::Disable).op(Op::TlbFlush(pages));
    }
    code.ops([Op::Unlock(PTL2), Op::Unlock(PTL)]);
    Some(())
}

fn is_there(code: &Code, pages: Pages) -> bool {
    each(pages).next().is_some_and(|first| code.is_present(first))
}
