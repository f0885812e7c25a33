//! What callers with a defect make of an input: each operation of it becomes some.
//!
//! Not here: which caller did so (the families). Used by [`super::Form::Caller`].

use lazy_mmu_program::{Allocation, MAX_OPS, Op, Program};

/// Each operation by what the caller makes of it.
fn each<const N: usize>(input: &Program, f: impl Fn(Op) -> [Option<Op>; N]) -> Program {
    Program::fitted(input.ops().iter().flat_map(|op| f(*op).into_iter().flatten()), MAX_OPS)
}

/// `set_ptes()` opens a section of its own.
pub(super) fn set_ptes_opens_a_section(input: &Program) -> Program {
    each(input, |op| match op {
        Op::Set(..) => [Some(Op::Enable), Some(op), Some(Op::Disable)],
        _ => [Some(op), None, None],
    })
}

/// What was set is read back, and set again by what was read.
pub(super) fn reads_back(input: &Program) -> Program {
    each(input, |op| match op {
        Op::Set(pages, _) => [Some(op), Some(Op::Get(pages)), Some(op)],
        _ => [Some(op), None, None],
    })
}

/// A slot is looked at before it is set, and the same is done once more.
pub(super) fn looks_twice(input: &Program) -> Program {
    each(input, |op| match op {
        Op::Set(pages, _) => [Some(Op::Get(pages)), Some(op), Some(Op::Get(pages)), Some(op)],
        _ => [Some(op), None, None, None],
    })
}

/// The linear map is changed under a mutex.
pub(super) fn takes_a_mutex(input: &Program) -> Program {
    each(input, |op| match op {
        Op::Alloc(_, Allocation::Debug) | Op::Free(_, Allocation::Debug) => {
            [Some(Op::MutexLock), Some(op), Some(Op::MutexUnlock)]
        }
        _ => [Some(op), None, None],
    })
}

/// A section sleeps.
pub(super) fn sleeps(input: &Program) -> Program {
    each(input, |op| [Some(op), (op == Op::Enable).then_some(Op::Sleep)])
}

/// `disable` is called twice.
pub(super) fn disables_twice(input: &Program) -> Program {
    each(input, |op| [Some(op), (op == Op::Disable).then_some(op)])
}

/// No section is closed.
pub(super) fn never_disables(input: &Program) -> Program {
    each(input, |op| [(op != Op::Disable).then_some(op)])
}

/// Sections are closed that were not opened.
pub(super) fn never_enables(input: &Program) -> Program {
    each(input, |op| [(op != Op::Enable).then_some(op)])
}

/// No pause ends.
pub(super) fn never_resumes(input: &Program) -> Program {
    each(input, |op| [(op != Op::Resume).then_some(op)])
}

/// Pauses end that did not begin.
pub(super) fn never_pauses(input: &Program) -> Program {
    each(input, |op| [(op != Op::Pause).then_some(op)])
}
