//! Plainer names throughout a program: tasks, locks, frames, address spaces and pages are called by the lowest numbers.
//!
//! A name is exchanged everywhere at once, so that what belongs together stays together; where two already have the
//! lower names in question they keep apart. Called by the minimiser, which tries the candidates in turn.

use std::collections::{BTreeMap, BTreeSet};

use lazy_mmu_arches::page::Mm;

use super::super::{Op, Pages, Program};
use super::plainer;

/// The program under plainer names, one change each; empty once it has the plainest.
pub(super) fn candidates(program: &Program) -> Vec<Vec<Op>> {
    let ops = program.ops();
    let mut all = Vec::new();
    for mm in 0..3 {
        all.extend([0, 1].into_iter().filter_map(|gap| renumbered(ops, Mm(mm), gap)));
    }
    // The kernel's space is another kind of space: a user page does not become one of it.
    let users = lower(ops, mm_of).into_iter().filter(|&(_, new)| new > 0);
    all.extend(users.map(|(old, new)| each(ops, |op| with_mm(op, old, new))));
    all.extend(lower(ops, task_of).into_iter().map(|(old, new)| each(ops, |op| with_task(op, old, new))));
    all.extend(lower(ops, lock_of).into_iter().map(|(old, new)| each(ops, |op| with_lock(op, old, new))));
    all.extend(lower(ops, frame_of).into_iter().map(|(old, new)| each(ops, |op| with_frame(op, old, new))));
    all.extend((0..ops.len()).filter_map(|at| match ops[at] {
        Op::Migrate(task, cpu) if cpu > 0 => Some(replaced(ops, at, Op::Migrate(task, 0))),
        Op::Cpu(cpu) if cpu > 0 => Some(replaced(ops, at, Op::Cpu(0))),
        _ => None,
    }));
    all
}

fn each(ops: &[Op], f: impl Fn(Op) -> Op) -> Vec<Op> {
    ops.iter().map(|op| f(*op)).collect()
}

fn replaced(ops: &[Op], at: usize, op: Op) -> Vec<Op> {
    let mut ops = ops.to_vec();
    ops[at] = op;
    ops
}

/// Each name in use, with each lower one that is not.
fn lower(ops: &[Op], name: fn(Op) -> Option<u16>) -> Vec<(u16, u16)> {
    let used: BTreeSet<u16> = ops.iter().filter_map(|op| name(*op)).collect();
    let free = |old: u16| (0..old).filter(|new| !used.contains(new)).take(8);
    used.iter().flat_map(|&old| free(old).map(move |new| (old, new))).collect()
}

fn task_of(op: Op) -> Option<u16> {
    match op {
        Op::TaskPause(task) | Op::TaskResume(task) | Op::TaskQuery(task) | Op::Switch(task) => Some(task.into()),
        Op::Preempt(task) | Op::Migrate(task, _) | Op::Fork(task) | Op::Exit(task) => Some(task.into()),
        _ => None,
    }
}

fn with_task(op: Op, old: u16, new: u16) -> Op {
    if task_of(op) != Some(old) {
        return op;
    }
    let new = new as u8;
    match op {
        Op::TaskPause(_) => Op::TaskPause(new),
        Op::TaskResume(_) => Op::TaskResume(new),
        Op::TaskQuery(_) => Op::TaskQuery(new),
        Op::Switch(_) => Op::Switch(new),
        Op::Preempt(_) => Op::Preempt(new),
        Op::Migrate(_, cpu) => Op::Migrate(new, cpu),
        Op::Fork(_) => Op::Fork(new),
        Op::Exit(_) => Op::Exit(new),
        other => other,
    }
}

fn lock_of(op: Op) -> Option<u16> {
    if let Op::Lock(lock) | Op::Unlock(lock) = op { Some(lock.into()) } else { None }
}

fn with_lock(op: Op, old: u16, new: u16) -> Op {
    match op {
        Op::Lock(lock) if u16::from(lock) == old => Op::Lock(new as u8),
        Op::Unlock(lock) if u16::from(lock) == old => Op::Unlock(new as u8),
        other => other,
    }
}

fn frame_of(op: Op) -> Option<u16> {
    if let Op::Alloc(frame, _) | Op::Free(frame, _) = op { Some(frame) } else { None }
}

fn with_frame(op: Op, old: u16, new: u16) -> Op {
    match op {
        Op::Alloc(frame, how) if frame == old => Op::Alloc(new, how),
        Op::Free(frame, how) if frame == old => Op::Free(new, how),
        other => other,
    }
}

fn mm_of(op: Op) -> Option<u16> {
    plainer::pages(op).map(|pages| pages.mm.0.into())
}

fn with_mm(op: Op, old: u16, new: u16) -> Op {
    match plainer::pages(op) {
        Some(pages) if u16::from(pages.mm.0) == old => plainer::on(op, Pages { mm: Mm(new as u8), ..pages }),
        _ => op,
    }
}

/// The pages of an address space numbered anew from where their part of it begins, in their order, what overlaps or
/// adjoins left as it is, `gap` pages between the rest. None if that is how they are numbered, or if they wrap.
fn renumbered(ops: &[Op], mm: Mm, gap: u16) -> Option<Vec<Op>> {
    let of = |op: &Op| plainer::pages(*op).filter(|pages| pages.mm == mm);
    let single = |op: &Op| match *op {
        Op::Fault(page) | Op::Kmap(page) | Op::Kunmap(page) if mm == Mm::KERNEL => Some(page),
        _ => None,
    };
    let mut runs: Vec<(u16, u16)> = ops.iter().filter_map(of).map(|p| (p.first, p.first + p.count.max(1))).collect();
    runs.extend(ops.iter().filter_map(single).map(|page| (page, page + 1)));
    runs.sort_unstable();
    let mut moved = BTreeMap::new();
    let (mut end, mut next, mut to) = (0, 0, 0);
    for (first, after) in runs {
        let part = if mm == Mm::KERNEL && first >= 1024 { [1024, 1536][usize::from(first >= 1536)] } else { 0 };
        let begins_part = next < part;
        if begins_part {
            (to, next, end) = (part, part, first);
        } else if first > end {
            // A run of its own.
            to = next + if next == 0 { 0 } else { gap };
            end = first;
        } else {
            to += first - moved.keys().next_back().copied().unwrap_or(first);
        }
        moved.insert(first, to);
        end = end.max(after);
        next = next.max(to + (after - first));
    }
    if next > lazy_mmu_arches::page::PAGES || moved.iter().all(|(from, to)| from == to) {
        return None;
    }
    // Plainer is lower, or the search would not end.
    if moved.iter().any(|(from, to)| to > from) {
        return None;
    }
    Some(each(ops, |op| match (of(&op), op) {
        (Some(pages), _) => plainer::on(op, Pages { first: moved[&pages.first], ..pages }),
        (None, Op::Fault(page)) if single(&op).is_some() => Op::Fault(moved[&page]),
        (None, Op::Kmap(page)) if single(&op).is_some() => Op::Kmap(moved[&page]),
        (None, Op::Kunmap(page)) if single(&op).is_some() => Op::Kunmap(moved[&page]),
        _ => op,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::super::text::parse;
    use super::*;

    fn anew(text: &str, mm: u8, gap: u16) -> Option<String> {
        let ops = renumbered(parse(text).unwrap().ops(), Mm(mm), gap)?;
        Some(Program::new(ops).unwrap().to_string().trim_end().replace('\n', "; "))
    }

    #[test]
    fn pages_are_numbered_anew_and_what_overlaps_stays_so() {
        for (text, mm, gap, expected) in [
            ("set U 40 x3; clear U 41; get U 90", 1, 0, Some("set U 0 x3; clear U 1; get U 3")),
            ("set U 40 x3; clear U 41; get U 90", 1, 1, Some("set U 0 x3; clear U 1; get U 4")),
            ("set U 40; clear U 41; set V 9", 1, 0, Some("set U 0; clear U 1; set V 9")),
            (
                "set K 7; set K 1030; access K 1700 x2; kmap 1031",
                0,
                0,
                Some("set K 0; set K 1024; access K 1536 x2; kmap 1025"),
            ),
            ("set K 0; set K 1", 0, 0, None),
            ("set K 0; set K 1", 0, 1, None),
            ("set U 2047 x3", 1, 0, Some("set U 0 x3")),
        ] {
            assert_eq!(anew(text, mm, gap).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_become_lower_everywhere_at_once() {
        let program = parse("fork T6; lock 3; switch T6; unlock 3; alloc 400; free 400; set V 0").unwrap();
        let texts: Vec<_> = candidates(&program)
            .into_iter()
            .map(|ops| Program::new(ops).unwrap().to_string().trim_end().replace('\n', "; "))
            .collect();
        for expected in [
            "fork T4; lock 3; switch T4; unlock 3; alloc 400; free 400; set V 0",
            "fork T6; lock 0; switch T6; unlock 0; alloc 400; free 400; set V 0",
            "fork T6; lock 3; switch T6; unlock 3; alloc 0; free 0; set V 0",
            "fork T6; lock 3; switch T6; unlock 3; alloc 400; free 400; set U 0",
        ] {
            assert!(texts.iter().any(|text| text == expected), "{expected}: {texts:#?}");
        }
    }
}
