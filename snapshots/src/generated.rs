//! What every subject makes of generated programs, as numbers: how many break which invariant, and a digest of every
//! event.
//!
//! The digests are not to be read. They change whenever any event of any of these programs does, so that a change of
//! behaviour that no program of the collection shows is noticed all the same: find the program that shows it (compare
//! `lazymmu run` before and after on the seeds), put it into the collection, and then accept the new numbers.
//!
//! Called by the test that compares with the snapshot, and by `lazymmu check`.

use std::fmt::Write as _;

use lazy_mmu_engine::contract::Invariant;
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::{Generated, MISUSED, Runner};
use lazy_mmu_engine::subject::Port;

/// The snapshot's text: a row per subject.
pub fn render(runner: &mut Runner) -> String {
    let rows: Vec<_> = (0..SUBJECTS.len()).map(|subject| row(runner, subject)).collect();
    rows.join("\n")
}

/// Programs of each kind.
const COUNT: u32 = 250;

fn row(runner: &mut Runner, subject: usize) -> String {
    let mut text = format!("{:<26}", SUBJECTS[subject].name);
    for legal in [true, false] {
        let batch = Generated { seed: 1, count: COUNT, length: 24, legal };
        let mut broken = [0; Invariant::ALL.len()];
        let mut misused = 0;
        let sum = runner.each_generated(subject, Port::Model, batch, |_, one| {
            broken.iter_mut().enumerate().for_each(|(bit, count)| *count += one >> bit & 1);
            misused += u32::from(one & MISUSED != 0);
        });
        let _ = write!(text, " {} {:016x}", if legal { "legal" } else { "any" }, sum.all);
        let counts = Invariant::ALL.iter().zip(broken).filter(|(_, count)| *count > 0);
        counts.for_each(|(invariant, count)| {
            let _ = write!(text, " {}:{count}", invariant.id());
        });
        if misused > 0 {
            let _ = write!(text, " misused:{misused}");
        }
    }
    text
}
