//! KASAN's shadow: `kasan_populate` of kernel pages is a call of `kasan_populate_vmalloc()`, `kasan_depopulate` one of
//! `kasan_release_vmalloc()`.
//!
//! Their callbacks run in the section of `apply_to_page_range()`. Where the input has one open already, it is that one,
//! so that an input can show what happens between two of them.

use super::code::{Code, each, most};
use lazy_mmu_callers::INIT_MM;
use lazy_mmu_program::{Allocation, FRAMES, Op, Pages, Protection};

fn populates(op: Op) -> Option<Pages> {
    match op {
        Op::KasanPopulate(pages) if pages.mm.is_kernel() => Some(most(pages)),
        _ => None,
    }
}

fn releases(op: Op) -> Option<Pages> {
    match op {
        Op::KasanDepopulate(pages) if pages.mm.is_kernel() => Some(most(pages)),
        _ => None,
    }
}

/// The callback that maps, as it was without a pause.
fn populate(code: &mut Code, page: Pages) {
    code.ops([Op::Lock(INIT_MM), Op::Get(page)]);
    if code.entry(page).is_none() {
        code.op(Op::Set(page, Protection::Write));
    }
    code.op(Op::Unlock(INIT_MM));
}

/// The callback that unmaps, without a pause; whether there was a page.
fn depopulate(code: &mut Code, page: Pages) -> bool {
    let there = code.entry(page).is_some();
    code.ops([Op::Lock(INIT_MM), Op::Get(page)]);
    if there {
        code.op(Op::Clear(page));
    }
    code.op(Op::Unlock(INIT_MM));
    there
}

fn frame(page: Pages) -> u16 {
    page.first % FRAMES
}

/// Each callback allocates its page, and may sleep.
pub(super) fn allocates_inside(code: &mut Code, op: Op) -> Option<()> {
    let pages = populates(op)?;
    code.section(|code| {
        for page in each(pages) {
            if code.entry(page).is_none() {
                code.op(Op::Alloc(frame(page), Allocation::Sleep));
            }
            populate(code, page);
        }
    });
    Some(())
}

/// The pages are allocated before the section begins.
pub(super) fn allocates_before(code: &mut Code, op: Op) -> Option<()> {
    let pages = populates(op)?;
    for page in each(pages) {
        if code.entry(page).is_none() {
            code.op(Op::Alloc(frame(page), Allocation::Sleep));
        }
    }
    code.section(|code| each(pages).for_each(|page| populate(code, page)));
    Some(())
}

/// The callback works in the section as it is.
pub(super) fn populates_active(code: &mut Code, op: Op) -> Option<()> {
    let pages = populates(op)?;
    code.section(|code| each(pages).for_each(|page| populate(code, page)));
    Some(())
}

/// The callback leaves the mode and enters it again.
pub(super) fn populates_paused(code: &mut Code, op: Op) -> Option<()> {
    let pages = populates(op)?;
    code.section(|code| {
        for page in each(pages) {
            code.op(Op::Pause);
            populate(code, page);
            code.op(Op::Resume);
        }
    });
    Some(())
}

/// Each callback frees its page, with DEBUG_PAGEALLOC.
pub(super) fn frees_inside(code: &mut Code, op: Op) -> Option<()> {
    let pages = releases(op)?;
    code.section(|code| {
        for page in each(pages) {
            if depopulate(code, page) {
                code.op(Op::Free(frame(page), Allocation::Debug));
            }
        }
    });
    Some(())
}

/// The pages are collected, and freed behind the section.
pub(super) fn frees_behind(code: &mut Code, op: Op) -> Option<()> {
    let pages = releases(op)?;
    let mut freed = Vec::new();
    code.section(|code| freed.extend(each(pages).filter(|&page| depopulate(code, page))));
    for page in freed {
        code.op(Op::Free(frame(page), Allocation::Debug));
    }
    Some(())
}
