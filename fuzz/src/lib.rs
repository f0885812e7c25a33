//! What the fuzz targets share: libFuzzer on one side, `lazy_mmu_engine::fuzz` on the other.
//!
//! Bytes come in, a target of the engine judges them, features of the run go back as extra counters. What is found ends
//! the process with a report, as every user of cargo-fuzz expects; where `lazymmu fuzz` runs it (`LAZYMMU_FINDINGS` names
//! a folder) it is put there once per slug, and fuzzing goes on. Not here: any judgement, and mutation as such.
//! Called by `fuzz_targets/*.rs`, through [`target!`].

#![deny(missing_docs)]

mod change;
mod output;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use lazy_mmu_engine::fuzz::{Description, FEATURES, Session, Settings, find};
use lazy_mmu_snapshots::known;
use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};

pub use change::{crossed, mutated};
pub use libfuzzer_sys;

use output::Output;

/// Each feature of a run is one of these; libFuzzer reads the section of this name as it reads coverage, and clears it.
// SAFETY: libFuzzer takes the section for plain bytes, which atomic bytes are; nothing else is put there.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static COUNTERS: [AtomicU8; FEATURES] = [const { AtomicU8::new(0) }; FEATURES];

/// One input of the target so named, as bytes; printed as its program where it is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Case(pub Vec<u8>);

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Case> {
        Ok(Case(u.bytes(u.len())?.to_vec()))
    }

    fn arbitrary_take_rest(u: Unstructured<'a>) -> arbitrary::Result<Case> {
        Ok(Case(u.take_rest().to_vec()))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match running().and_then(|target| target.input.split(&self.0)) {
            Some((chosen, program)) => write!(f, "choice {chosen:?}, program:\n{program}"),
            None => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

/// The target that this binary is.
fn running() -> Option<&'static Description> {
    RUNNING.get().map(|running| running.borrow().target)
}

/// A target with its output.
struct Running {
    target: &'static Description,
    session: Session,
    output: Output,
}

thread_local! {
    /// libFuzzer calls from one thread. Never dropped, so that it is still there when the process ends.
    static RUNNING: Cell<Option<&'static RefCell<Running>>> = const { Cell::new(None) };
}

/// Starts the target so named. What is wrong with the environment is said, and ends the process.
pub fn start(name: &str) {
    let target = find(name).unwrap_or_else(|| output::end(&format!("there is no fuzz target {name}")));
    let subject = std::env::var("LAZYMMU_FUZZ_SUBJECT").ok().map(|name| &*Box::leak(name.into_boxed_str()));
    let settings = Settings { subject, explain: known::names, table: lazy_mmu_snapshots::table };
    let session = Session::new(target, &settings).unwrap_or_else(|why| output::end(&why));
    let running = Running { target, session, output: Output::of_environment() };
    RUNNING.set(Some(Box::leak(Box::new(RefCell::new(running)))));
    output::at_exit(|| {
        // Not where a panic holds it: its report is more than counts.
        if let Some(Ok(mut running)) = RUNNING.get().map(|running| running.try_borrow_mut()) {
            let Running { session, output, .. } = &mut *running;
            output.finish(session.stats());
        }
    });
}

/// Judges one input.
pub fn run(case: &Case) {
    let Some(running) = RUNNING.get() else { return };
    let Running { target, session, output } = &mut *running.borrow_mut();
    let hit = &mut |feature: u32| {
        let counter = &COUNTERS[feature as usize % FEATURES];
        counter.store(counter.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
    };
    if let Err(found) = session.judge(&case.0, hit) {
        output.found(target, &case.0, &found);
        if output.is_the_last(&found) {
            output.finish(session.stats());
            output::leave();
        }
    }
    output.now_and_then(session.stats());
}

/// Makes a binary of the target with this name, with the mutator and crossover that fit its input.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        use $crate::libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};
        fuzz_target!(init: $crate::start($name), |case: $crate::Case| $crate::run(&case));
        fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutated($name, data, size, max_size, seed)
        });
        fuzz_crossover!(|first: &[u8], second: &[u8], out: &mut [u8], seed: u32| {
            $crate::crossed($name, first, second, out, seed)
        });
    };
}
