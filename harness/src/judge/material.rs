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
    /// Where it is left out: by this profile, or for there is nothing of its kind.
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

/// What a tree that folds small entries of arm64 is judged on beside the collection, by name and text: groups of 16 whose
/// last entry fits a fold, while another does not. A frame that was freed last is the next one taken.
const GROUPS: [(&str, &str); 3] = [
    (
        "groups/other-frame",
        "set U 0 x16; clear U 3; gather_flush U 3; set U 20; set U 3; clear U 15; gather_flush U 15; set U 15; \
         get U 3; access U 0 x16",
    ),
    ("groups/other-protection", "set U 0 x15 read; set U 15; get U 0; access U 0 x16"),
    (
        "groups/upper-half",
        "set U 0 x32; clear U 9; gather_flush U 9; get U 8 x16; wrprot U 24; tlb_flush U 24; access U 0 x32",
    ),
];

/// Forms without such groups.
const WITHOUT_GROUPS: &[Mmu] = &[Mmu::Plain, Mmu::Hash, Mmu::Radix, Mmu::Sun4u, Mmu::Sun4v, Mmu::Native, Mmu::Xen];

/// Every program of a profile, in a fixed order.
#[must_use]
pub fn items(profile: Profile, seed: u64) -> Vec<Item> {
    let collection = PROGRAMS.iter().filter_map(|entry| {
        let suite = if entry.name.starts_with("kunit/") { Suite::Kunit } else { Suite::Programs };
        Some(Item::new(suite, entry.name.to_owned(), parse(entry.text).ok()?))
    });
    let groups = GROUPS.iter().filter_map(|&(name, text)| {
        let item = Item::new(Suite::Programs, name.to_owned(), parse(text).ok()?);
        Some(Item { except: WITHOUT_GROUPS, ..item })
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
    collection.chain(groups).chain(workloads).chain(generated).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_groups_can_be_read_and_run_on_arm64_alone() {
        for (name, text) in GROUPS {
            assert!(parse(text).is_ok(), "{name}");
        }
        let left = Mmu::ALL.into_iter().filter(|mmu| !WITHOUT_GROUPS.contains(mmu));
        assert_eq!(left.collect::<Vec<_>>(), [Mmu::Aarch64]);
    }
}
