//! What came of the zoo: tables for people, a document for machines.
//!
//! The document's fields are in docs/json.md. Not here: numbers are `summary`'s. Called by `lazymmu zoo`.

use std::path::Path;

use lazy_mmu_engine::program::Program;
use serde_json::{Value, json};

use super::hunt::Hunted;
use super::summary::{Bound, Hunts, Row, mean};
use super::{Plan, Ran};
use crate::table;

/// The document's version.
pub const SCHEMA: u32 = 1;

/// A row for each specimen, those that took longest last.
#[must_use]
pub fn table(plan: &Plan, rows: &[Row]) -> String {
    let heading = ["specimen", "breaks", "found", "median s", "fastest", "slowest", "wall s", "executions"];
    let mut cells = vec![heading.map(str::to_owned).to_vec()];
    for row in rows {
        let times = row.own.times();
        let of = |pick: fn(f64, f64) -> f64| {
            let value = times.iter().map(|time| time.value).reduce(pick);
            let at_least = value.is_some_and(|value| times.iter().any(|time| time.value == value && time.at_least));
            shown(value.map(|value| Bound { value, at_least }))
        };
        let executions = row.own.executions();
        let sign = if executions.is_some_and(|bound| bound.at_least) { ">=" } else { "" };
        cells.push(vec![
            short(row).to_owned(),
            row.specimen.breaks.id().to_owned(),
            format!("{}/{}", row.own.found(), row.own.each.len()),
            shown(row.own.median()),
            of(f64::min),
            of(f64::max),
            shown(row.own.wall()),
            executions.map_or_else(String::new, |bound| format!("{sign}{:.0}", bound.value)),
        ]);
    }
    format!(
        "{}: from an empty corpus to the first program that breaks the specimen's own invariant; {} seeds, seconds of \
         one core\n{}",
        plan.search.name(),
        plan.seeds,
        table::render(&cells)
    )
}

/// The other searchers: each one's median, and how many times as long as the one that is measured it took.
#[must_use]
pub fn comparison(plan: &Plan, rows: &[Row]) -> String {
    let mut heading = vec!["specimen".to_owned(), plan.search.name().to_owned()];
    for searcher in &plan.baselines {
        heading.extend([searcher.name().to_owned(), "ratio".to_owned()]);
    }
    let mut cells = vec![heading];
    for row in rows {
        let mut line = vec![short(row).to_owned(), shown(row.own.median())];
        for (searcher, hunts) in &row.baselines {
            line.extend([shown(hunts.median()), shown(row.ratio(*searcher))]);
        }
        cells.push(line);
    }
    let mut found = vec!["hunts that found it".to_owned(), share(rows.iter().map(|row| &row.own))];
    let mut means = vec!["geometric mean".to_owned(), String::new()];
    let mut executions = vec!["the same of executions".to_owned(), String::new()];
    for (at, searcher) in plan.baselines.iter().enumerate() {
        found.extend([share(rows.iter().map(|row| &row.baselines[at].1)), String::new()]);
        means.extend([String::new(), shown(mean(rows, *searcher, Row::ratio))]);
        executions.extend([String::new(), shown(mean(rows, *searcher, Row::executions_ratio))]);
    }
    cells.extend([found, means, executions]);
    format!(
        "compared: median seconds of one core, and how many times as long as {} that is; a hunt that missed its specimen \
         counts as the {} s it was given, which makes a lower bound (>=)\n{}",
        plan.search.name(),
        plan.budget.as_secs_f64(),
        table::render(&cells)
    )
}

/// A specimen's name without the zoo's prefix.
fn short(row: &Row) -> &'static str {
    row.specimen.name.trim_start_matches(lazy_mmu_engine::zoo::PREFIX)
}

fn shown(bound: Option<Bound>) -> String {
    bound.map_or_else(|| "-".to_owned(), |bound| bound.to_string())
}

/// How many hunts of how many found their specimen.
fn share<'h>(hunts: impl Iterator<Item = &'h Hunts>) -> String {
    let (found, all) = hunts.fold((0, 0), |(found, all), one| (found + one.found(), all + one.each.len()));
    format!("{found}/{all}")
}

/// What broke first in programs that were met on the way, where that is not the specimen's own invariant.
#[must_use]
pub fn others(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        for (id, program) in row.own.others() {
            text.push_str(&format!("{} breaks {id} too, which does not count: {}\n", short(row), on_a_line(program)));
        }
    }
    text
}

/// A program on one line; the first operations of a long one.
fn on_a_line(program: &Program) -> String {
    const MOST: usize = 160;
    let text = program.to_string();
    let mut line = String::new();
    for word in text.lines().map(str::trim) {
        // Braces separate by themselves.
        let separator = if line.is_empty() {
            ""
        } else if line.ends_with('{') || word.starts_with('}') {
            " "
        } else {
            "; "
        };
        if line.len() + word.len() > MOST {
            return format!("{line} ...");
        }
        line.push_str(separator);
        line.push_str(word);
    }
    line
}

/// What is wrong, a line each; nothing if every specimen is found in time.
#[must_use]
pub fn complaints(plan: &Plan, rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        let (name, missed) = (row.specimen.name, row.missed());
        if missed > 0 {
            let limit = plan.limit.as_secs_f64();
            lines.push(format!("MISSED: {name}, by {missed} of {} seeds in {limit} s", row.own.each.len()));
        } else if !row.is_good(plan.budget) {
            let budget = plan.budget.as_secs_f64();
            lines.push(format!("OVER BUDGET: {name}, median {} s of {budget} s", shown(row.own.median())));
        }
        for (seed, hunted) in &row.own.each {
            lines.extend(hunted.broke.as_ref().map(|why| format!("BROKE: {name}, seed {seed}: {why}")));
        }
    }
    lines
}

/// The document, on one line. `programs` is the folder in which they are kept.
#[must_use]
pub fn document(plan: &Plan, ran: &Ran, rows: &[Row], programs: &Path) -> Value {
    json!({
        "schema": SCHEMA,
        "kind": "zoo",
        "searcher": plan.search.name(),
        "baselines": plan.baselines.iter().map(|searcher| json!({
            "searcher": searcher.name(),
            "ratio": mean(rows, *searcher, Row::ratio).map(bound),
            "executions_ratio": mean(rows, *searcher, Row::executions_ratio).map(bound),
        })).collect::<Vec<_>>(),
        "seeds": plan.seeds,
        "jobs": plan.jobs,
        "budget": plan.budget.as_secs_f64(),
        "limit": plan.limit.as_secs_f64(),
        "wall": ran.wall.as_secs_f64(),
        "programs": programs.display().to_string(),
        "holds": rows.iter().all(|row| row.is_good(plan.budget)),
        "specimens": rows.iter().map(|row| json!({
            "name": row.specimen.name,
            "breaks": row.specimen.breaks.id(),
            "program": row.own.program().map(ToString::to_string),
            "others": row.own.others().into_iter().map(|(id, program)| json!({
                "invariant": id,
                "program": program.to_string(),
            })).collect::<Vec<_>>(),
            "own": hunts(&row.own),
            "baselines": row.baselines.iter().map(|(searcher, mine)| json!({
                "searcher": searcher.name(),
                "ratio": row.ratio(*searcher).map(bound),
                "executions_ratio": row.executions_ratio(*searcher).map(bound),
                "hunts": hunts(mine),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn bound(bound: Bound) -> Value {
    json!({ "value": bound.value, "at_least": bound.at_least })
}

fn hunts(hunts: &Hunts) -> Value {
    let each = |(seed, hunted): &(u32, Hunted)| {
        json!({
            "seed": seed,
            "found": hunted.found.is_some(),
            "cpu": hunted.took.cpu.as_secs_f64(),
            "wall": hunted.took.wall.as_secs_f64(),
            "executions": hunted.executions,
            "broke": hunted.broke,
        })
    };
    json!({ "median": hunts.median().map(bound), "each": hunts.each.iter().map(each).collect::<Vec<_>>() })
}
