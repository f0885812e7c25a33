//! The zoo as a picture: the share of hunts that have found their specimen, over time, a line for each searcher.
//!
//! Not here: drawing ([`crate::plot`]). Called by `lazymmu zoo --plot`.

use std::path::{Path, PathBuf};

use super::Plan;
use super::summary::{Hunts, Row};
use crate::error::Result;
use crate::plot::{Axis, Panel, Plot, Series};

/// The picture's name.
const NAME: &str = "survival";

/// Writes `survival.svg` and `survival.png` into a folder, and yields where they are.
///
/// # Errors
/// The folder cannot be written.
pub fn write(plan: &Plan, rows: &[Row], folder: &Path) -> Result<[PathBuf; 2]> {
    plot(plan, rows).write(folder, NAME)
}

fn plot(plan: &Plan, rows: &[Row]) -> Plot {
    let own: Vec<&Hunts> = rows.iter().map(|row| &row.own).collect();
    let mut series = vec![curve(plan.search.name(), &own)];
    for (at, searcher) in plan.baselines.iter().enumerate() {
        let hunts: Vec<&Hunts> = rows.iter().map(|row| &row.baselines[at].1).collect();
        series.push(curve(searcher.name(), &hunts));
    }
    Plot {
        title: format!("zoo: {} specimens, {} seeds", rows.len(), plan.seeds),
        panels: vec![Panel {
            x: "processor time (s)".to_owned(),
            y: "found by then (% of hunts)".to_owned(),
            axis: Axis::Logarithmic,
            series,
        }],
    }
}

/// The share that is found at each time at which one is, and, level, until the last hunt was given up.
fn curve(name: &str, hunts: &[&Hunts]) -> Series {
    let all: usize = hunts.iter().map(|hunts| hunts.each.len()).sum();
    let times = hunts.iter().flat_map(|hunts| hunts.times());
    let (mut found, mut given_up) = (Vec::new(), 0.0_f64);
    for time in times {
        if time.at_least { given_up = given_up.max(time.value) } else { found.push(time.value) }
    }
    found.sort_by(f64::total_cmp);
    let share = |n: usize| 100.0 * n as f64 / all.max(1) as f64;
    let mut points: Vec<_> = found.first().map(|&first| (first, 0.0)).into_iter().collect();
    points.extend(found.iter().enumerate().map(|(at, &time)| (time, share(at + 1))));
    if given_up > 0.0 {
        points.push((given_up, share(found.len())));
    }
    Series { name: name.to_owned(), points, steps: true }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::clock::Took;
    use super::super::hunt::Hunted;
    use super::*;

    #[test]
    fn a_curve_rises_where_something_is_found_and_ends_where_the_rest_is_given_up() {
        let hunted = |millis, found: bool| {
            let took = Took { cpu: Duration::from_millis(millis), wall: Duration::ZERO };
            Hunted { took, found: found.then(Default::default), ..Hunted::default() }
        };
        let each = vec![(1, hunted(500, true)), (2, hunted(9999, false)), (3, hunted(250, true)), (4, hunted(1, true))];
        let hunts = Hunts { each, limit: Duration::from_secs(10) };
        let expected = [(0.001, 0.0), (0.001, 25.0), (0.25, 50.0), (0.5, 75.0), (10.0, 75.0)];
        assert_eq!(curve("x", &[&hunts]).points, expected);
        assert_eq!(curve("x", &[]).points, []);
    }
}
