//! Steps of an exploration on a tree's code: what each leads to, and what it breaks.
//!
//! Not here: the search and the alphabets, which are the host's, and states (`lazy_mmu_engine::space`). Called by `serve`,
//! in the process that may die of them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::runner::decode;
use lazy_mmu_engine::space::{MAX_STEPS, Path, Space};
use lazy_mmu_engine::wire::Frame;

use crate::guard;
use crate::serve::panicked;

/// Takes every step of an alphabet from where each path leads.
pub fn expand(of: Examiner<'_>, steps: &[Vec<u8>], paths: &[Vec<u8>]) -> Frame {
    let is_step = |&step: &u8| usize::from(step) < steps.len();
    let known: Option<Vec<Path>> =
        paths.iter().map(|path| Path::of(path).filter(|_| path.iter().all(is_step))).collect();
    let Some(paths) = known.filter(|_| steps.len() <= MAX_STEPS) else {
        return Frame::Panicked { program: 0, message: "a path that no alphabet has".to_owned() };
    };
    let steps = steps.iter().map(|step| decode(step).ops().to_vec()).collect();
    let current = Cell::new(0);
    let begins = |step| {
        current.set(step);
        guard::program_begins(step);
    };
    begins(0);
    match catch_unwind(AssertUnwindSafe(|| Space::new(of, steps, true).expand(&paths, begins))) {
        Ok(expanded) => Frame::Expanded(Box::new(expanded)),
        Err(panic) => panicked(current.get(), &*panic),
    }
}
