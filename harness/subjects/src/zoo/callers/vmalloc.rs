//! `vmap_pages_pte_range()`: a `set` of kernel pages below the linear map is a call of it.

use lazy_mmu_arches::page::{LINEAR_PAGE, Size};

use super::code::{Code, each, most};
use lazy_mmu_program::{Op, Pages, Protection};

/// The pages that a call maps.
fn called(op: Op) -> Option<Pages> {
    match op {
        Op::Set(pages, Protection::Write) => {
            let vmalloc = pages.mm.is_kernel() && pages.first + pages.count <= LINEAR_PAGE;
            (vmalloc && pages.size == Size::Small).then(|| most(pages))
        }
        _ => None,
    }
}

/// Maps up to a slot that is busy; whether there was none.
fn map(code: &mut Code, pages: Pages) -> bool {
    each(pages).all(|page| {
        code.op(Op::Get(page));
        let free = code.entry(page).is_none();
        if free {
            code.op(Op::Set(page, Protection::Write));
        }
        free
    })
}

/// A busy slot returns its error from inside the section.
pub(super) fn returns(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.op(Op::Enable);
    if map(code, pages) {
        code.op(Op::Disable);
    }
    Some(())
}

/// A busy slot ends the loop.
pub(super) fn breaks(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.op(Op::Enable);
    map(code, pages);
    code.op(Op::Disable);
    Some(())
}
