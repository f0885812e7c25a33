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

/// What the workloads cost on each subject, before and after: a line for each count that changed, and one for the sum.
#[must_use]
pub fn costs(items: &[Item], before: &[&Result], after: &[&Result]) -> String {
    let workloads: Vec<&Item> = items.iter().filter(|item| item.suite == Suite::Workloads).collect();
    let mut rows = vec![["subject", "workload", "count", "before", "after", "change"].map(str::to_owned).to_vec()];
    let mut same = 0;
    for (subject, new) in after.iter().flat_map(|result| &result.costs) {
        let old = before.iter().flat_map(|result| &result.costs).find(|(name, _)| name == subject);
        let Some((_, old)) = old else { continue };
        let (mut sum_old, mut sum_new) = (Costs::default(), Costs::default());
        for ((item, &before), &after) in workloads.iter().zip(old).zip(new) {
            sum_old += before;
            sum_new += after;
            rows.extend(changed(subject, &item.name, before, after));
        }
        same += usize::from(sum_old == sum_new);
        rows.extend(changed(subject, "all workloads", sum_old, sum_new));
    }
    let subjects = after.iter().map(|result| result.costs.len()).sum::<usize>();
    let unchanged = format!("costs of {} workloads are the same on {same} of {subjects} subjects\n", workloads.len());
    if rows.len() == 1 { unchanged } else { format!("{}{unchanged}", table::render(&rows)) }
}

/// The counts of a row that changed.
fn changed(subject: &str, name: &str, before: Costs, after: Costs) -> Vec<Vec<String>> {
    let counts = Costs::NAMES.iter().zip(before.values()).zip(after.values());
    let differing = counts.filter(|((_, before), after)| before != after);
    let row = |((count, before), after): ((&&str, u64), u64)| {
        let change = after as i64 - before as i64;
        [subject, name, count].map(str::to_owned).into_iter().chain([
            before.to_string(),
            after.to_string(),
            format!("{change:+}"),
        ])
    };
    differing.map(|counts| row(counts).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counts_that_changed_have_a_line() {
        let before = Costs { changes: 4, barriers: 2, ..Costs::default() };
        let after = Costs { changes: 4, barriers: 8, ..Costs::default() };
        let rows = changed("tree/aarch64", "vmap_pages_pte_range", before, after);
        assert_eq!(rows, [["tree/aarch64", "vmap_pages_pte_range", "barriers", "2", "8", "+6"].map(str::to_owned)]);
        assert!(changed("tree/aarch64", "x", before, before).is_empty());
    }
}
