//! What a tree is judged on: the collection, the KUnit scenario, the kernel's call sites and generated programs, each with
//! what our Rust of the tree's generation makes of it.
//!
//! The Rust twin runs here, natively, once for all targets: its traces are the same on every host. Not here: the tree's
//! code. Called by [`super::run`].

use std::sync::OnceLock;

use lazy_mmu_arches::mmu::Mmu;
use lazy_mmu_engine::examine::Examiner;
use lazy_mmu_engine::program::bytes::encode;
use lazy_mmu_engine::program::minimise::weight;
use lazy_mmu_engine::program::text::parse;
use lazy_mmu_engine::program::{Program, generate};
use lazy_mmu_engine::registry::SUBJECTS;
use lazy_mmu_engine::runner::Runner;
use lazy_mmu_engine::subject::Port;
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
    /// Where this profile leaves it out.
    pub except: &'static [Mmu],
}

impl Item {
    /// A program of a suite.
    #[must_use]
    pub fn new(suite: Suite, name: String, program: Program) -> Item {
        Item { suite, name, bytes: encode(&program), program, except: &[] }
    }
}

/// How many legal and how many arbitrary programs a profile generates.
#[must_use]
pub fn generated(profile: Profile) -> u64 {
    match profile {
        Profile::Quick => 300,
        Profile::Full => 25_000,
    }
}

/// How many operations and pages a generated program of a profile takes at most. One long repetition in fifty programs takes
/// half of the time under an emulator, and the workloads have the lengths at which batches are full.
fn heaviest(profile: Profile) -> u64 {
    match profile {
        Profile::Quick => 512,
        Profile::Full => u64::MAX,
    }
}

/// Entries of powerpc64's and sparc64's batch: `PPC64_TLB_BATCH_NR`, `TLB_BATCH_NR`.
const FULL_BATCH: u16 = 192;

/// Where a range that overfills the batch is as good as any longer one. Elsewhere flushes have ceilings of up to 512 pages:
/// arm64's `MAX_DVM_OPS`, radix's `tlb_local_single_page_flush_ceiling`.
const WITHOUT_CEILING: &[Mmu] = &[Mmu::Hash, Mmu::Sun4u, Mmu::Sun4v];

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
            let item = Item::new(Suite::Workloads, format!("{}{parameters}", workload.name), program);
            let is_long = profile == Profile::Quick && parameters.len() > FULL_BATCH + 1;
            Some(Item { except: if is_long { WITHOUT_CEILING } else { &[] }, ..item })
        })
    });
    let drawn = |kind: &'static str, generate: fn(u64, usize) -> Program| {
        let all = (0..).map(move |n| seed.wrapping_add(n)).map(move |seed| (seed, generate(seed, LENGTH)));
        let light = all.filter(move |(_, program)| weight(program) <= heaviest(profile));
        let items = light.map(move |(seed, program)| Item::new(Suite::Generated, format!("{kind} {seed}"), program));
        items.take(generated(profile) as usize)
    };
    let generated = drawn("legal", generate::legal).chain(drawn("arbitrary", generate::any));
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
