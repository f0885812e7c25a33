//! What many hunts come to: medians for each specimen and searcher, and how they compare.
//!
//! A hunt that missed its specimen took at least as long as it was given: its time counts as that, and a median that such
//! a time decides is a lower bound. So is a ratio of it, and a mean of such ratios. Not here: how it is shown. Called by
//! the command.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use lazy_mmu_engine::program::Program;
use lazy_mmu_engine::zoo::Specimen;

use super::hunt::{Hunt, Hunted};
use super::{Plan, Searcher};

/// A number, or a lower bound of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// It.
    pub value: f64,
    /// Whether it may be greater.
    pub at_least: bool,
}

impl fmt::Display for Bound {
    /// With at most three decimals, and a sign before a bound.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.value {
            value if value >= 99.95 => 0,
            value if value >= 9.995 => 1,
            value if value >= 0.995 => 2,
            _ => 3,
        };
        let sign = if self.at_least { ">=" } else { "" };
        f.pad(&format!("{sign}{:.*}", digits, self.value))
    }
}

/// The middle one; of an even number the mean of the middle two. None of nothing.
#[must_use]
pub fn median(bounds: &[Bound]) -> Option<Bound> {
    let mut sorted = bounds.to_vec();
    sorted.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.at_least.cmp(&b.at_least)));
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(Bound { value: f64::midpoint(lower.value, upper.value), at_least: lower.at_least || upper.at_least })
}

/// How many times as long as `own` it took; nothing where the searcher that is measured has no median itself.
#[must_use]
pub fn ratio(other: Bound, own: Bound) -> Option<Bound> {
    let ratio = Bound { value: other.value / own.value.max(1e-6), at_least: other.at_least };
    (!own.at_least).then_some(ratio)
}

/// The geometric mean. None of nothing.
#[must_use]
pub fn geometric_mean(bounds: &[Bound]) -> Option<Bound> {
    let logarithms: f64 = bounds.iter().map(|bound| bound.value.max(1e-9).ln()).sum();
    let at_least = bounds.iter().any(|bound| bound.at_least);
    (!bounds.is_empty()).then(|| Bound { value: (logarithms / bounds.len() as f64).exp(), at_least })
}

/// One searcher's hunts of one specimen.
#[derive(Clone, Debug, Default)]
pub struct Hunts {
    /// Each, by its seed.
    pub each: Vec<(u32, Hunted)>,
    /// The limit of each.
    pub limit: Duration,
}

impl Hunts {
    /// How many found it.
    #[must_use]
    pub fn found(&self) -> usize {
        self.each.iter().filter(|(_, hunted)| hunted.found.is_some()).count()
    }

    /// The processor time of each, in seconds.
    #[must_use]
    pub fn times(&self) -> Vec<Bound> {
        self.bounds(|hunted| hunted.took.cpu.as_secs_f64(), self.limit.as_secs_f64())
    }

    /// The median of the times.
    #[must_use]
    pub fn median(&self) -> Option<Bound> {
        median(&self.times())
    }

    /// The median of the times on the wall, in seconds.
    #[must_use]
    pub fn wall(&self) -> Option<Bound> {
        median(&self.bounds(|hunted| hunted.took.wall.as_secs_f64(), 0.0))
    }

    /// The median of the executions.
    #[must_use]
    pub fn executions(&self) -> Option<Bound> {
        median(&self.bounds(|hunted| hunted.executions as f64, 0.0))
    }

    /// A value of each hunt; of one that missed at least so much.
    fn bounds(&self, value: fn(&Hunted) -> f64, least: f64) -> Vec<Bound> {
        let bound = |(_, hunted): &(u32, Hunted)| match hunted.found {
            Some(_) => Bound { value: value(hunted), at_least: false },
            None => Bound { value: if least > 0.0 { least } else { value(hunted) }, at_least: true },
        };
        self.each.iter().map(bound).collect()
    }

    /// The smallest program that was found.
    #[must_use]
    pub fn program(&self) -> Option<&Program> {
        let programs = self.each.iter().filter_map(|(_, hunted)| hunted.found.as_ref());
        programs.min_by_key(|program| program.ops().len())
    }

    /// The invariants that broke first in other programs, each with its smallest program.
    #[must_use]
    pub fn others(&self) -> BTreeMap<&str, &Program> {
        let mut others: BTreeMap<&str, &Program> = BTreeMap::new();
        for (id, program) in self.each.iter().flat_map(|(_, hunted)| &hunted.others) {
            let smallest = others.entry(id).or_insert(program);
            if program.ops().len() < smallest.ops().len() {
                *smallest = program;
            }
        }
        others
    }
}

/// What came of one specimen.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub specimen: &'static Specimen,
    /// By the searcher that is measured.
    pub own: Hunts,
    /// By each other.
    pub baselines: Vec<(Searcher, Hunts)>,
}

impl Row {
    /// Whether the median is within the budget, and no seed has missed it.
    #[must_use]
    pub fn is_good(&self, budget: Duration) -> bool {
        self.missed() == 0 && self.own.median().is_some_and(|median| median.value <= budget.as_secs_f64())
    }

    /// How many seeds have missed it.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.own.each.len() - self.own.found()
    }

    /// How many times as long a searcher took.
    #[must_use]
    pub fn ratio(&self, searcher: Searcher) -> Option<Bound> {
        ratio(self.of(searcher)?.median()?, self.own.median()?)
    }

    /// How many times as many executions a searcher took.
    #[must_use]
    pub fn executions_ratio(&self, searcher: Searcher) -> Option<Bound> {
        ratio(self.of(searcher)?.executions()?, self.own.executions()?)
    }

    fn of(&self, searcher: Searcher) -> Option<&Hunts> {
        self.baselines.iter().find(|(other, _)| *other == searcher).map(|(_, hunts)| hunts)
    }
}

/// A row for each specimen that was hunted, those that took longest last.
#[must_use]
pub fn rows(plan: &Plan, hunts: &[(Hunt, Hunted)]) -> Vec<Row> {
    let of = |specimen: &Specimen, searcher: Searcher| {
        let mine = hunts.iter().filter(|(hunt, _)| hunt.specimen.name == specimen.name && hunt.searcher == searcher);
        let limit = if searcher == plan.search { plan.limit } else { plan.budget };
        let mut each: Vec<_> = mine.map(|(hunt, hunted)| (hunt.seed, hunted.clone())).collect();
        each.sort_by_key(|(seed, _)| *seed);
        Hunts { each, limit }
    };
    let mut rows: Vec<Row> = plan
        .specimens
        .iter()
        .map(|&specimen| Row {
            specimen,
            own: of(specimen, plan.search),
            baselines: plan.baselines.iter().map(|&searcher| (searcher, of(specimen, searcher))).collect(),
        })
        .filter(|row| !row.own.each.is_empty())
        .collect();
    let time = |row: &Row| row.own.median().map_or(f64::INFINITY, |median| median.value);
    rows.sort_by(|a, b| time(a).total_cmp(&time(b)).then(a.specimen.name.cmp(b.specimen.name)));
    rows
}

/// The geometric mean over the specimens of how many times as long a searcher took, or as many executions.
#[must_use]
pub fn mean(rows: &[Row], searcher: Searcher, ratio: fn(&Row, Searcher) -> Option<Bound>) -> Option<Bound> {
    let ratios: Vec<Bound> = rows.iter().filter_map(|row| ratio(row, searcher)).collect();
    geometric_mean(&ratios)
}
