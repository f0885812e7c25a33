//! `lru_gen_look_around()` and `walk_pte_range()` of `mm/vmscan.c`: a `wrprot` of a process's pages is a call of them, as
//! they clear young bits. An entry that is not there is a hole between two VMAs.

use super::code::{Code, each, most};
use lazy_mmu_callers::PTL;
use lazy_mmu_program::{Op, Pages};

fn called(op: Op) -> Option<Pages> {
    match op {
        Op::Wrprotect(pages) if !pages.mm.is_kernel() && pages.count > 0 => Some(most(pages)),
        _ => None,
    }
}

/// Ages an entry.
fn age(code: &mut Code, page: Pages) {
    code.ops([Op::Get(page), Op::Wrprotect(page)]);
}

/// Ages up to a hole, or all that is there; whether there was no hole.
fn age_up_to_hole(code: &mut Code, pages: Pages) -> bool {
    each(pages).all(|page| {
        let there = code.is_present(page);
        if there {
            age(code, page);
        }
        there
    })
}

fn age_what_is_there(code: &mut Code, pages: Pages) {
    for page in each(pages) {
        if code.is_present(page) {
            age(code, page);
        }
    }
}

/// `lru_gen_look_around()` as it is: the section is opened behind the last check, and has one end.
pub(super) fn look_around(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.op(Op::Lock(PTL));
    if is_there(code, pages) {
        code.op(Op::Enable);
        age_what_is_there(code, pages);
        code.op(Op::Disable);
    }
    code.op(Op::Unlock(PTL));
    Some(())
}

/// A hole behind the first entry returns from inside the section.
pub(super) fn look_around_returns(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.op(Op::Lock(PTL));
    if is_there(code, pages) {
        code.op(Op::Enable);
        if age_up_to_hole(code, pages) {
            code.op(Op::Disable);
        }
    }
    code.op(Op::Unlock(PTL));
    Some(())
}

/// The section is opened before the check.
pub(super) fn look_around_enables_early(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.ops([Op::Lock(PTL), Op::Enable]);
    if is_there(code, pages) {
        age_what_is_there(code, pages);
        code.op(Op::Disable);
    }
    code.op(Op::Unlock(PTL));
    Some(())
}

/// The section is closed with bottom halves off, where that has no effect.
pub(super) fn look_around_in_bh(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.op(Op::Lock(PTL));
    if is_there(code, pages) {
        code.op(Op::Enable);
        age_what_is_there(code, pages);
        code.ops([Op::BhOff, Op::Disable, Op::BhOn]);
    }
    code.op(Op::Unlock(PTL));
    Some(())
}

/// `walk_pte_range()` as it is: a hole starts the loop again behind it, inside the section.
pub(super) fn walk(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.ops([Op::Lock(PTL), Op::Enable]);
    age_what_is_there(code, pages);
    code.ops([Op::Disable, Op::Unlock(PTL)]);
    Some(())
}

/// The loop starts again before the enable, and nothing has closed the section.
pub(super) fn walk_restarts(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.ops([Op::Lock(PTL), Op::Enable]);
    for page in each(pages) {
        if code.is_present(page) {
            age(code, page);
        } else {
            code.op(Op::Enable);
        }
    }
    code.ops([Op::Disable, Op::Unlock(PTL)]);
    Some(())
}

/// A hole returns from inside the section.
pub(super) fn walk_returns(code: &mut Code, op: Op) -> Option<()> {
    let pages = called(op)?;
    code.ops([Op::Lock(PTL), Op::Enable]);
    if age_up_to_hole(code, pages) {
        code.op(Op::Disable);
    }
    code.op(Op::Unlock(PTL));
    Some(())
}

fn is_there(code: &Code, pages: Pages) -> bool {
    each(pages).next().is_some_and(|first| code.is_present(first))
}
