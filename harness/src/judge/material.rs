//! What a tree is judged on: the collection, the KUnit scenario, the kernel's call sites and generated programs, each with
//! what our Rust of the tree's generation makes of it.
//!
//! The Rust twin runs here, natively, once for all targets: its traces are the same on every host. Not here: the tree's
//! code. Called by [`super::run`].

use std::sync::OnceLock;

use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Program, generate};
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
use lazy_mmu_engine::subject::registry::SUBJECTS;
use lazy_mmu_engine::wire::Summary;
use lazy_mmu_engine::workload;
use lazy_mmu_snapshots::PROGRAMS;

use super::{Profile, Suite};

/// How many operations a generated program has, about.
const LENGTH: usize = 24;

/// A program to judge on.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which suite it belongs to.
    pub suite: Suite,
    /// What names it: `halves/enable`, `vmap_pages_pte_range --len 193`, `legal 17`.
    pub name: String,
    /// Itself.
    pub program: Program,
    /// As bytes.
    pub bytes: Vec<u8>,
}

impl Item {
    /// A program of a suite.
    #[must_use]
    pub fn new(suite: Suite, name: String, program: Program) -> Item {
        Item { suite, name, bytes: encode(&program), program }
    }
}

/// How many legal and how many arbitrary programs a profile generates.
#[must_use]
pub fn generated(profile: Profile) -> u64 {
    match profile {
        Profile::Quick => 500,
        Profile::Full => 25_000,
    }
}

/// Every program of a profile, in a fixed order.
#[must_use]
pub fn items(profile: Profile, seed: u64) -> Vec<Item> {
    let collection = PROGRAMS.iter().filter_map(|entry| {
        let suite = if entry.name.starts_with("kunit/") { Suite::Kunit } else { Suite::Programs };
        Some(Item::new(suite, entry.name.to_owned(), parse(entry.text).ok()?))
    });
    let workloads = workload::all().flat_map(|workload| {
        workload.variants().filter_map(|parameters| {
            let program = workload.program(&parameters).ok()?;
            Some(Item::new(Suite::Workloads, format!("{}{parameters}", workload.name), program))
        })
    });
    let seeds = move || (0..generated(profile)).map(move |n| seed.wrapping_add(n));
    let legal = seeds().map(|seed| (format!("legal {seed}"), generate::legal(seed, LENGTH)));
    let arbitrary = seeds().map(|seed| (format!("arbitrary {seed}"), generate::any(seed, LENGTH)));
    let generated = legal.chain(arbitrary).map(|(name, program)| Item::new(Suite::Generated, name, program));
    collection.chain(workloads).chain(generated).collect()
}

/// What our Rust makes of the material, a subject at a time, when it is first asked for.
#[derive(Debug)]
pub struct Twins<'m> {
    items: &'m [Item],
    of: Vec<OnceLock<Vec<Summary>>>,
}

impl<'m> Twins<'m> {
    /// Nothing has run yet.
    #[must_use]
    pub fn new(items: &'m [Item]) -> Twins<'m> {
        Twins { items, of: SUBJECTS.iter().map(|_| OnceLock::new()).collect() }
    }

    /// What the subject at `at` of the registry makes of each program.
    pub fn of(&self, at: usize) -> &[Summary] {
        self.of[at].get_or_init(|| {
            let (mut runner, subject) = (Runner::new(), SUBJECTS[at].make(Port::Model));
            let rules = SUBJECTS[at].rules();
            let examiner = Examiner { subject: &*subject, rules, kind: "", explain: |_, _, _| Vec::new() };
            self.items.iter().map(|item| examiner.summary(&mut runner, &item.program)).collect()
        })
    }
}
