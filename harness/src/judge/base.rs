//! Two trees side by side: which findings are new, gone or the same, and what each workload costs before and after.
//!
//! Not here: judging either. Called by `lazymmu judge --base`.

use std::collections::BTreeSet;

use lazy_mmu_engine::costs::Costs;

use super::Suite;
use super::findings::{Finding, What};
use super::material::Item;
use super::run::Result;
use crate::table;

/// The findings of a tree, held against those of its base.
#[derive(Debug, Default)]
pub struct Compared {
    /// Titles of findings that the base does not have.
    pub new: Vec<String>,
    /// Titles of the base's findings that the tree does not have.
    pub gone: Vec<String>,
    /// Titles of findings that both have.
    pub same: Vec<String>,
}

/// Compares by what breaks: two findings are one if they share a cause.
#[must_use]
pub fn compare(tree: &[Finding], base: &[Finding]) -> Compared {
    let all = |findings: &[Finding]| -> BTreeSet<What> {
        findings.iter().flat_map(|finding| finding.what.iter().cloned()).collect()
    };
    let (of_tree, of_base) = (all(tree), all(base));
    let mut compared = Compared::default();
    for finding in tree {
        let known = finding.what.iter().any(|what| of_base.contains(what));
        if known { &mut compared.same } else { &mut compared.new }.push(finding.title());
    }
    let gone = base.iter().filter(|finding| !finding.what.iter().any(|what| of_tree.contains(what)));
    compared.gone.extend(gone.map(Finding::title));
    compared
}

/// Whether a finding is one that the base has too.
#[must_use]
pub fn is_old(finding: &Finding, base: &[Finding]) -> bool {
    base.iter().any(|other| other.what.iter().any(|what| finding.what.contains(what)))
}

/// A count of a workload that the base has otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The subject.
    pub subject: String,
    /// The workload; [`ALL`] for the sum.
    pub workload: String,
    /// Which count, of [`Costs::NAMES`].
    pub count: &'static str,
    /// In the base.
    pub before: u64,
    /// In the tree.
    pub after: u64,
}

/// The workload that stands for all of them.
pub const ALL: &str = "all workloads";

/// What the workloads cost on each subject, before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// The counts that changed.
    pub changes: Vec<Change>,
    /// How many workloads were counted.
    pub workloads: usize,
    /// On how many subjects the sum of each count is the same.
    pub same: usize,
    /// How many subjects were counted.
    pub subjects: usize,
}

/// Compares what each workload costs.
#[must_use]
pub fn costs(items: &[Item], before: &[&Result], after: &[&Result]) -> Prices {
    let workloads: Vec<&Item> = items.iter().filter(|item| item.suite == Suite::Workloads).collect();
    let mut prices = Prices { workloads: workloads.len(), ..Prices::default() };
    for (subject, new) in after.iter().flat_map(|result| &result.costs) {
        prices.subjects += 1;
        let old = before.iter().flat_map(|result| &result.costs).find(|(name, _)| name == subject);
        let Some((_, old)) = old else { continue };
        let (mut sum_old, mut sum_new) = (Costs::default(), Costs::default());
        for ((item, &before), &after) in workloads.iter().zip(old).zip(new) {
            sum_old += before;
            sum_new += after;
            prices.changes.extend(changed(subject, &item.name, before, after));
        }
        prices.same += usize::from(sum_old == sum_new);
        prices.changes.extend(changed(subject, ALL, sum_old, sum_new));
    }
    prices
}

/// The counts that changed.
fn changed(subject: &str, workload: &str, before: Costs, after: Costs) -> Vec<Change> {
    let counts = Costs::NAMES.into_iter().zip(before.values()).zip(after.values());
    let differing = counts.filter(|((_, before), after)| before != after);
    let change = |((count, before), after)| {
        let (subject, workload) = (subject.to_owned(), workload.to_owned());
        Change { subject, workload, count, before, after }
    };
    differing.map(change).collect()
}

impl Prices {
    /// For people: a line for each count that changed, and one for the sum.
    #[must_use]
    pub fn text(&self) -> String {
        let Prices { changes, workloads, same, subjects } = self;
        let unchanged = format!("costs of {workloads} workloads are the same on {same} of {subjects} subjects\n");
        if changes.is_empty() {
            return unchanged;
        }
        let heading = ["subject", "workload", "count", "before", "after", "change"].map(str::to_owned);
        let row = |change: &Change| {
            let Change { subject, workload, count, before, after } = change;
            let difference = *after as i64 - *before as i64;
            let numbers = [before.to_string(), after.to_string(), format!("{difference:+}")];
            [subject, workload, *count].map(str::to_owned).into_iter().chain(numbers).collect()
        };
        let rows: Vec<Vec<String>> = [heading.to_vec()].into_iter().chain(changes.iter().map(row)).collect();
        format!("{}{unchanged}", table::render(&rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counts_that_changed_have_a_line() {
        let before = Costs { changes: 4, barriers: 2, ..Costs::default() };
        let after = Costs { changes: 4, barriers: 8, ..Costs::default() };
        let changes = changed("tree/aarch64", "vmap_pages_pte_range", before, after);
        let prices = Prices { changes, workloads: 1, same: 0, subjects: 1 };
        let text = prices.text();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1..2], [["tree/aarch64", "vmap_pages_pte_range", "barriers", "2", "8", "+6"]], "{text}");
        assert_eq!(lines.len(), 3, "{text}");
        assert!(changed("tree/aarch64", "x", before, before).is_empty());
    }
}
